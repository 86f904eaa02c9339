//! Decides where every message goes and what happens to it next.
//!
//! ```text
//!   Request ──► Broker::handle ──► router ──► queue (also a durable's backlog) ──► dispatch ──► Event::Deliver
//!                    │                └─────► topic ─────────────────────────────────┘
//!                    │                └─────► Record (storage) ── flushed ──► confirm ──► Event::Confirmed
//!                    └──► settle / transaction ──► policy (redelivery, dead letter, expiry, memory) ──► Record
//! ```
//!
//! A durable subscription is a queue that its topics feed; everything that keeps messages is a `queue`.
//!
//! Invariants worth naming:
//! - A message of a queue is in exactly one place: ready in one of the bands, or unsettled with one subscription.
//! - Within a band, entries are in the order of their sequences; a message that comes back takes its old place.
//! - A confirmation leaves only after every record that its session caused is durable, and in request order.
//! - Nothing of a transaction is delivered before the unit that commits it is durable.
//! - An index over selectors leaves out, and never lets in: whoever gets a message, its selector was evaluated to true.
//! - Nothing here waits, reads a clock, or draws a random number: the same inputs give the same outputs.
//!
//! Not here: bytes on the wire and on disk, sockets, and when to flush (`node` and `server`).
#![forbid(unsafe_code)]

mod advisory;
mod audience;
mod broker;
mod browse;
mod choose;
mod confirm;
mod counted;
mod declare;
mod dispatch;
mod durable;
mod history;
mod inspect;
mod invariants;
mod look;
mod policy;
mod producer;
mod pull;
mod purge;
mod queue;
mod rest;
mod restore;
mod router;
mod schedule;
mod session;
mod settings;
mod settle;
mod shared;
mod slab;
mod subscribe;
mod subscription;
mod temporary;
mod topic;
mod transaction;
mod virtual_topic;
mod work;

pub use broker::{Broker, Effects};
pub use rest::Rest;
pub use settings::{Advised, ScheduleSettings, Settings, VirtualTopic};
