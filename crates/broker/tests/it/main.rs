//! Scenarios of the broker: requests in, events out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chance;
mod driver;

mod advisories;
mod branches;
mod browse;
mod composites;
mod confirm;
mod contradictions;
mod counted;
mod dead_letter;
mod declared;
mod duplicates;
mod durable;
mod exclusive;
mod expiry;
mod flow_control;
mod groups;
mod history;
mod limits;
mod no_local;
mod pull;
mod queues;
mod random;
mod redelivered;
mod schedule;
mod selected;
mod selectors;
mod shared;
mod space;
mod takeover;
mod temporary;
mod topics;
mod transactions;
mod virtual_topics;
