//! The whole test run, as the README names it: sets up what tests need, runs all of them, and sums up.

use crate::java_apps::Client;
use crate::shell::{self, Outcome, Profile, cargo};
use crate::{failover, interop, kill9, sim, xa};
use clap::Args;
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Options {
    /// Crashes of the real broker
    #[arg(long, default_value_t = 20)]
    kill9_cycles: u32,
    /// Restarts under failover applications
    #[arg(long, default_value_t = 3)]
    failover_restarts: u32,
    /// Runs for each moment of each step of a distributed transaction
    #[arg(long, default_value_t = 2)]
    xa_runs: u32,
    /// Runs of the simulator
    #[arg(long, default_value_t = sim::SEEDS_DEFAULT)]
    sim_seeds: u64,
}

pub(crate) fn run(options: &Options) -> Outcome {
    shell::build_broker(Profile::Debug)?;
    let kill9_options = kill9::Options { cycles: options.kill9_cycles, seed: None, release: false, keep: None };
    let failover_options =
        failover::Options { restarts: options.failover_restarts, client: None, seed: None, release: false };
    let xa_options = xa::Options {
        runs: options.xa_runs,
        steps: Vec::new(),
        client: Client::Jakarta,
        failover: false,
        release: false,
    };
    let steps: [(&str, &dyn Fn() -> Outcome); 6] = [
        ("cargo test", &|| shell::run(cargo().args(["test", "--workspace", "--no-fail-fast"]))),
        ("sim", &|| sim::run(&sim::Options { seeds: options.sim_seeds, start: 1, enumerate: false })),
        ("interop", &|| interop::run(&interop::Options { only: None, release: false })),
        ("kill9", &|| kill9::run(&kill9_options)),
        ("failover", &|| failover::run(&failover_options)),
        ("xa", &|| xa::run(&xa_options)),
    ];
    let mut failed = Vec::new();
    for (name, step) in steps {
        let begin = Instant::now();
        let outcome = step();
        let seconds = begin.elapsed().as_secs();
        match outcome {
            Ok(()) => println!("test: {name} passed in {seconds} s"),
            Err(error) => {
                println!("test: {name} FAILED in {seconds} s: {error}");
                failed.push(name);
            }
        }
    }
    println!("{} passed, {} failed", steps.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}
