//! Waits: owns every socket, file, timer and thread; also the embedded broker.
//!
//! ```text
//!   net/listener ─► net/detect ─► net/connection ─┐ (net/websocket, control)
//!        I/O threads: one current-thread runtime each ──► core.rs: whoever gets the lock steps the node
//!                                                   ▲          │ wants a flush        │ wants a message back
//!   one thread: journal.rs ──── Flushed, next batch ┘◄─────────┘                      ▼
//!   one thread: journal.rs, read_back ──── Fetched ───────────────────────────────────┘
//! ```
//!
//! `Server::start(Config)` is the whole broker in a process of one's own; the binary `ferrymq` is that and a command
//! line.
//!
//! Invariants worth naming:
//! - One lock guards what decides; nobody waits for a socket or a file while holding it.
//! - Requests of a session are stepped, and its events delivered, in order.
//! - A connection that does not read costs a bounded amount of memory, and no other connection anything.
//! - After a failed write of the journal nothing durable is confirmed any more, and the process is told to end.
//!
//! Not here: what a frame means (`stomp`), what a request does (`broker`), what a record is (`storage`).
#![forbid(unsafe_code)]

mod alarm;
mod bell;
mod clock;
pub mod config;
mod control;
mod core;
mod fail_point;
mod journal;
pub mod log;
mod mailbox;
mod net;
mod server;
mod store;
mod threads;

pub use config::{Config, ConfigError};
pub use control::SOCKET_FILE;
pub use net::detect::DIALECTS;
pub use server::{Addresses, Ended, Server, StartError};
