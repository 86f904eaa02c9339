//! The everyday proof: seeds, planted bugs, every crash point of one trace, and a smoke fuzz of every parser.

mod crash_points;
mod fuzz;
mod planted;
mod seeds;
