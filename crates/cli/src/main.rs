//! The one binary, `ferrymq`: the broker and the tools around it.
//!
//! ```text
//!   ferrymq [run]   the broker in this process          (run.rs)
//!   ferrymq config  what configuration is in force      (config.rs)
//! ```
//!
//! Each subcommand is one file with `Arguments` (clap) and `run(Arguments) -> ExitCode`; it has one line in
//! [`Command`] and one in `main`. Exit codes live in `exit.rs` and in `docs/running.md`.
//!
//! Not here: anything that waits for a broker's sockets or files (`ferrymq-server`).
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line speaks through standard output")]

mod config;
mod exit;
mod run;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A message broker in one small program.
#[derive(Parser, Debug)]
#[command(name = "ferrymq", version, about, max_term_width = 100)]
struct CommandLine {
    /// What to do; without it, `run`.
    #[command(subcommand)]
    command: Option<Command>,
}

/// The subcommands, one file each.
#[derive(Subcommand, Debug)]
enum Command {
    /// Run the broker (also without any subcommand)
    Run(run::Arguments),
    /// Print the configuration that is in force, as TOML
    Config(config::Arguments),
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command.unwrap_or_else(|| Command::Run(run::Arguments::default()));
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Config(arguments) => config::run(&arguments),
    }
}
