//! The everyday proof: seeds, planted bugs, every crash point of one trace, and a smoke fuzz of every parser.

mod calendar;
mod crash_points;
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod exchange;
mod fuzz;
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod hostile;
mod killed_then_cut;
mod managed;
mod planted;
mod seeds;
