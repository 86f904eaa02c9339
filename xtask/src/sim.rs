//! Runs the simulator (`crates/sim`): whole nodes under one seed each, or every crash point of a trace.

use crate::shell::{self, Outcome, cargo};
use clap::Args;

/// Everyday seeds, all of them in seconds.
pub(crate) const SEEDS_DEFAULT: u64 = 50;

#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = SEEDS_DEFAULT)]
    pub(crate) seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    pub(crate) start: u64,
    /// For each seed every crash point of its trace, instead of one run
    #[arg(long)]
    pub(crate) enumerate: bool,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mode: &[&str] = if options.enumerate { &["--enumerate"] } else { &[] };
    shell::run(&mut simulator(options.seeds, options.start, mode))
}

/// The simulator, built with optimisation: a seed is cheap then, and the assertions are on in every build.
pub(crate) fn simulator(seeds: u64, start: u64, mode: &[&str]) -> std::process::Command {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "ferrymq-sim", "--bin", "ferrymq-sim", "--"]);
    command.args(["--seeds", &seeds.to_string(), "--start", &start.to_string(), "--threads", &threads.to_string()]);
    command.args(mode);
    command
}
