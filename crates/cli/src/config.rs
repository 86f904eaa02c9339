//! `ferrymq config`: prints the configuration that is in force, as TOML that can be saved as `ferrymq.toml`.

use crate::exit;
use clap::Args;
use ferrymq_server::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which configuration to show.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The configuration file; without it ./ferrymq.toml where it exists, else the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match Config::load(arguments.config.as_deref()) {
        Ok(config) => {
            print!("{}", config.to_toml());
            exit::SUCCESS
        }
        Err(error) => exit::failed(exit::USAGE, &error),
    }
}
