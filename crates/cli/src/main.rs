//! The one binary, `ferrymq`.
#![forbid(unsafe_code)]

mod address;
mod bench;
mod output;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "ferrymq", version, about, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure a broker
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Bench(arguments) => bench::run(arguments),
    }
}
