//! The one binary, `ferrymq`: the broker and the tools around it.
//!
//! ```text
//!   ferrymq [run]   the broker in this process          (run.rs)
//!   ferrymq config  what configuration is in force      (config.rs)
//!   ferrymq send receive browse                         a client over STOMP   (client.rs)
//!   ferrymq queues purge transactions                   over the data directory's control socket (control.rs)
//!   ferrymq journal check print                         reads a journal without a broker (journal.rs)
//!   ferrymq bench   measures any broker                 (bench.rs)
//!   ferrymq completions                                 for the shell (completions.rs)
//! ```
//!
//! Each subcommand is one file with `Arguments` (clap) and `run(Arguments) -> ExitCode`; it has one line in
//! [`Command`] and one in `main`. Exit codes live in `exit.rs` and in `docs/running.md`.
//!
//! Not here: anything that waits for a broker's sockets or files (`ferrymq-server`).
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line speaks through standard output")]

mod address;
mod bench;
mod browse;
mod client;
mod completions;
mod config;
mod control;
mod exit;
mod journal;
mod message;
mod output;
mod purge;
mod queues;
mod receive;
mod run;
mod send;
mod transactions;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A message broker that loses nothing it has confirmed. Without a command it starts, on this machine alone
#[derive(Parser, Debug)]
#[command(name = "ferrymq", version, max_term_width = 100)]
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
    /// Send messages
    Send(send::Arguments),
    /// Receive messages
    Receive(receive::Arguments),
    /// Look at the messages of a queue and leave them there
    Browse(browse::Arguments),
    /// Remove all messages of a queue
    Purge(purge::Arguments),
    /// Show the destinations of a running broker
    Queues(queues::Arguments),
    /// Show distributed transactions that wait for a decision, or decide one
    Transactions(transactions::Arguments),
    /// Read the journal of a data directory, without a broker
    Journal(journal::Arguments),
    /// Measure a broker
    Bench(Box<bench::Arguments>),
    /// Print the completions for a shell
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command.unwrap_or_else(|| Command::Run(run::Arguments::default()));
    match command {
        Command::Run(arguments) => run::run(arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Send(arguments) => send::run(arguments),
        Command::Receive(arguments) => receive::run(arguments),
        Command::Browse(arguments) => browse::run(arguments),
        Command::Purge(arguments) => purge::run(arguments),
        Command::Queues(arguments) => queues::run(arguments),
        Command::Transactions(arguments) => transactions::run(arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::Bench(arguments) => bench::run(*arguments),
        Command::Completions(arguments) => completions::run(&arguments, CommandLine::command()),
    }
}
