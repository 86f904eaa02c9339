//! Kills the broker around every step of a distributed transaction, lets the transaction manager recover, and compares
//! the broker with the other resource. The manager and both resources are in `interop/java-apps`, package `xa`.

use crate::java_apps::{Client, Programs};
use crate::shell::{self, Outcome, Profile};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// Runs for each moment of each step
    #[arg(long, default_value_t = 200)]
    pub(crate) runs: u32,
    /// These steps alone: start, send, ack, end, prepare, commit, commit-one-phase, rollback, recover, forget
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) steps: Vec<String>,
    /// The generation of the client
    #[arg(long, default_value = "6")]
    pub(crate) client: Client,
    /// The clients come back by `failover:` and go on
    #[arg(long)]
    pub(crate) failover: bool,
    /// Test the release build
    #[arg(long)]
    pub(crate) release: bool,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = shell::broker_binary(if options.release { Profile::Release } else { Profile::Debug })?;
    let mut program = Programs::compile(options.client)?.command("ferrymq.apps.xa.Campaign");
    program.arg(options.runs.to_string()).args(&options.steps).env("FERRYMQ_BIN", &binary);
    if options.failover {
        // Where every start of Java finds it: the class path stands on the command line already.
        program.env("JDK_JAVA_OPTIONS", "-Dxa.failover=true");
    }
    if program.status()?.success() { Ok(()) } else { Err("xa: the resources do not agree".into()) }
}
