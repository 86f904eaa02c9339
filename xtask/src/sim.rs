//! Runs the simulator (`crates/sim`): whole nodes under one seed each.

use crate::shell::{self, Outcome, cargo};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 50)]
    pub(crate) seeds: u64,
    /// The first seed
    #[arg(long)]
    pub(crate) from: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut command = cargo();
    // With optimisation: a seed is cheap then, and the assertions are on in every build.
    command.args(["run", "--quiet", "--release", "--package", "ferrymq-sim", "--bin", "ferrymq-sim", "--"]);
    command.args(["--seeds", &options.seeds.to_string()]);
    if let Some(from) = options.from {
        command.args(["--from", &from.to_string()]);
    }
    shell::run(&mut command)
}
