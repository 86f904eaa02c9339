//! Feeds seeded wrong bytes to every parser, one stretch of seeds after the other, until the time is over. What is fed
//! to what is in `crates/sim/src/fuzz.rs`, which knows no clock: a case is told by its seed.

use crate::shell::{self, Outcome};
use crate::{random, sim};
use clap::Args;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The first seed; the same one plays the same cases
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A first seed that differs with every run
    #[arg(long, conflicts_with = "seed")]
    random_seed: bool,
}

/// Seeds in one start of the simulator: some seconds of work.
const STRETCH: u64 = 20_000;

pub(crate) fn run(options: &Options) -> Outcome {
    let mut seed = if options.random_seed { random::seed(None) } else { options.seed };
    // Built before the clock starts.
    shell::run(&mut sim::simulator(1, seed, &["--fuzz"]))?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(options.seconds) {
        shell::run(&mut sim::simulator(STRETCH, seed, &["--fuzz"]))?;
        seed += STRETCH;
    }
    println!("fuzz: nothing found in {} s", begin.elapsed().as_secs());
    Ok(())
}
