//! `ferrymq run`: the broker in this process, until Ctrl-C or SIGTERM.

use crate::exit;
use clap::Args;
use ferrymq_server::{Config, Ended, Server, StartError};
use std::path::PathBuf;
use std::process::ExitCode;

/// How to run.
#[derive(Args, Debug, Default)]
pub(crate) struct Arguments {
    /// The configuration file; without it ./ferrymq.toml where it exists, else the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where messages are kept; instead of what the configuration says
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen beyond this machine although anyone who reaches the port may read, send and purge
    /// everything: there are no users and no TLS yet
    #[arg(long)]
    insecure_listen: bool,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let mut config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return exit::failed(exit::USAGE, &error),
    };
    if let Some(data) = arguments.data {
        config.broker.data = data;
    }
    config.insecure_listen = arguments.insecure_listen;
    ferrymq_server::log::start(&config.log);
    let server = match Server::start(config) {
        Ok(server) => server,
        Err(error) => return exit::failed(code_of(&error), &error),
    };
    match server.run_until_signal() {
        Ok(Ended::Stopped) => exit::SUCCESS,
        Ok(Ended::StoreFailed) => ExitCode::from(exit::STORE_FAILED),
        Err(error) => exit::failed(code_of(&error), &error),
    }
}

fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::Configuration(_) => exit::USAGE,
        StartError::DataDirectory(_) | StartError::InUse(_) => exit::DATA,
        StartError::Journal(_) => exit::JOURNAL,
        StartError::Listen { .. } => exit::LISTEN,
        StartError::System(_) => exit::FAILURE,
    }
}
