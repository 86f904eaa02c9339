//! The everyday proof: seeds, planted bugs, every crash point of one trace, and a smoke fuzz of every parser.

mod crash_points;
mod exchange;
mod fuzz;
mod killed_then_cut;
mod planted;
mod seeds;
