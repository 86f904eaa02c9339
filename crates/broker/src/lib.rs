//! Decides where every message goes and what happens to it next.
#![forbid(unsafe_code)]

mod broker;

pub use broker::{Broker, Effects, Fetch, Settings};
