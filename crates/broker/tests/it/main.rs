//! Scenarios of the broker: requests in, events out.

mod driver;

mod browse;
mod confirm;
mod dead_letter;
mod durable;
mod expiry;
mod flow_control;
mod groups;
mod limits;
mod queues;
mod random;
mod selectors;
mod temporary;
mod topics;
mod transactions;
