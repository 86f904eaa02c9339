//! Rules about messages, one file each.

mod dead_letter;
mod expiry;
mod memory_limit;
mod redelivery;
mod slow_consumer;
