//! The binary as its users meet it: commands against a running broker, exit codes, and what goes to which output.

mod bench;
mod journal;
mod messages;
mod queues;
mod support;
mod wrong_input;
