//! Scenarios of the broker: requests in, events out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod driver;

mod branches;
mod browse;
mod confirm;
mod dead_letter;
mod duplicates;
mod durable;
mod expiry;
mod flow_control;
mod groups;
mod limits;
mod queues;
mod random;
mod selectors;
mod space;
mod temporary;
mod topics;
mod transactions;
