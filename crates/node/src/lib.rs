//! Is one broker as a value: feeds requests, flushes and ticks to the deciding crates in a fixed order.
//!
//! ```text
//!   Input ──► step(now, input, &mut out) ──► out.events (to sessions), out.fetches (to a reader of the disk)
//!                        │
//!                        └──► wants_flush / take_batch ──► journal::perform ──► Input::Flushed
//! ```
//!
//! Driven identically by `server` in real time and by `sim` in seeded time.
//!
//! Invariants worth naming:
//! - At most one batch is out at a time; batches are performed in the order in which they were taken.
//! - After `Input::StoreFailed` nothing durable is ever confirmed again.
#![forbid(unsafe_code)]

mod node;
mod recover;

pub use ferrymq_broker::{Advised, Effects, Rest, ScheduleSettings, Settings, VirtualTopic};
pub use node::{Input, Node};
pub use recover::recover;
