//! Runs whole nodes under one seed with failing disk, network and clock, and checks promises.
//!
//! ```text
//!  Client ──requests──►┌────────┐──planted bug──►┌──────┐ take_batch ┌──────────┐
//!                      │ Oracle │                │ Node │───────────►│ SimDisk  │ power cuts, torn and
//!  Client ◄──events────└────────┘◄──planted bug──└──────┘◄─recover───└──────────┘ reordered writes, errors
//! ```
//!
//! Invariants worth naming:
//! - A run is a function of its seed and its plan: no clock, no thread, no other source of chance, no hashed order.
//! - The oracle stands where sessions stand. It knows the contract of `Request` and `Event` and nothing of what is
//!   below; its evaluators of selectors and patterns are its own.
//! - The oracle is tested by planted bugs: each must be caught within a bounded number of seeds.
//!
//! Not here: real processes, files and sockets (the server's kill tests), and any promise the oracle does not name.
#![forbid(unsafe_code)]

pub mod calendar;
pub mod client;
pub mod content;
pub mod disk;
pub mod enumerate;
pub mod fuzz;
mod host;
pub mod managed;
pub mod oracle;
pub mod planted;
pub mod random;
mod rest;
pub mod search;
pub mod table;
pub mod wire;
pub mod world;

pub use disk::SimDisk;
pub use oracle::{Oracle, Promise, Rules, Violation};
pub use random::Random;
