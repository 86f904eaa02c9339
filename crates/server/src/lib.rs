//! Waits: owns every socket, file, timer and thread; also the embedded broker.
#![forbid(unsafe_code)]

pub mod config;
pub mod log;
mod server;

pub use config::{Config, ConfigError};
pub use server::{Ended, Server, StartError};
