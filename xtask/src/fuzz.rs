//! Feeds seeded wrong bytes to every parser, one stretch of cases after the other, until the time is over.
//!
//! What is fed to what is in `crates/sim/src/bin/ferrymq-fuzz.rs`, which knows no clock: a case is told by its seed.

use crate::random;
use crate::shell::{self, Outcome, cargo};
use clap::Args;
use std::process::Command;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The seed of the first case; the same one plays the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A seed that differs with every run
    #[arg(long, conflicts_with = "seed")]
    random_seed: bool,
}

/// Cases in one start of the program.
const STRETCH: u64 = 20_000;

pub(crate) fn run(options: &Options) -> Outcome {
    let mut build = cargo();
    build.args(["build", "--package", "ferrymq-sim", "--bin", "ferrymq-fuzz"]);
    shell::run(&mut build)?;
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    let binary = metadata.target_directory.join("debug/ferrymq-fuzz");
    let first = if options.random_seed { random::seed(None) } else { options.seed };
    let begin = Instant::now();
    let mut seed = first;
    let mut report = String::new();
    while begin.elapsed() < Duration::from_secs(options.seconds) {
        report = shell::read(Command::new(&binary).args([seed.to_string(), STRETCH.to_string()]))
            .map_err(|error| format!("fuzz: found by seeds {seed} to {}: {error}", seed + STRETCH))?;
        seed += STRETCH;
    }
    print!("{report}");
    println!("fuzz: seeds {first} to {}, nothing found", seed - 1);
    Ok(())
}
