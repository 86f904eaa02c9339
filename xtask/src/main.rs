//! Automation of the workspace: `cargo xtask <command>`.
//!
//! ```text
//!   check ─ fmt, clippy, docs, tidy ────────────────────┐
//!   test ─ cargo test, sim, interop, kill9, failover, xa ┤── what .ci/run runs
//!   licences, fuzz ─────────────────────────────────────┘
//!   sim, kill9, failover, xa, powercut, bench ─ campaigns, as long as asked
//! ```
//!
//! Invariants worth naming:
//! - Depends on no crate of the workspace: what it starts are programs, what it speaks is what any client speaks.
//! - Only `fix` changes tracked files, and `bench`, which writes its report under `docs/bench/`.
//!
//! Not here: tests of one crate (beside that crate) and what the simulator does (`crates/sim`).
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod bench;
mod broker_process;
mod campaign;
mod check;
mod failover;
mod fix;
mod fuzz;
mod interop;
mod java_apps;
mod kill9;
mod licences;
mod powercut;
mod random;
mod shell;
mod sim;
mod sources;
mod stomp_client;
mod test;
mod tidy;
mod xa;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Automation of the FerryMQ workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints, documentation and architecture; changes nothing
    Check,
    /// Sets up what the tests need and runs all of them
    Test(test::Options),
    /// What the architecture and the house style forbid
    Tidy,
    /// Rewrites what can be rewritten: formatting and simple lints
    Fix,
    /// Licences and known bad versions of the dependencies, offline
    Licences,
    /// Round trips of unmodified clients of other languages
    Interop(interop::Options),
    /// Whole nodes under one seed each, with failing disks and crashes
    Sim(sim::Options),
    /// Wrong bytes for every parser
    Fuzz(fuzz::Options),
    /// SIGKILL under load, restart, verify
    Kill9(kill9::Options),
    /// Power cut on a disk image under load, verify
    Powercut(powercut::Options),
    /// Restarts under applications of the Java client's failover transport
    Failover(failover::Options),
    /// SIGKILL around every step of distributed transactions
    Xa(xa::Options),
    /// Standard workloads against this broker and others
    Bench(bench::Options),
    /// Forwards to a broker: the floor beside the brokers that `bench` measures
    #[command(hide = true)]
    Relay(bench::relay::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Task::Check => check::run(),
        Task::Test(options) => test::run(&options),
        Task::Tidy => tidy::run(),
        Task::Fix => fix::run(),
        Task::Licences => licences::run(),
        Task::Interop(options) => interop::run(&options),
        Task::Sim(options) => sim::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Kill9(options) => kill9::run(&options),
        Task::Powercut(options) => powercut::run(&options),
        Task::Failover(options) => failover::run(&options),
        Task::Xa(options) => xa::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Relay(options) => bench::relay::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
