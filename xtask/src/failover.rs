//! Restarts the broker, half of the times by SIGKILL, under applications that use the Java client's failover transport,
//! and counts what they lost and what came twice. The applications are `interop/java-apps`, class `Failover`.

use crate::java_apps::{Client, Programs};
use crate::random;
use crate::shell::{self, Outcome, Profile};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// How often the broker is restarted
    #[arg(long, default_value_t = 100)]
    pub(crate) restarts: u32,
    /// The generation of the client; both where none is named
    #[arg(long)]
    pub(crate) client: Option<Client>,
    /// The same seed plays the same moments
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Test the release build
    #[arg(long)]
    pub(crate) release: bool,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = shell::broker_binary(if options.release { Profile::Release } else { Profile::Debug })?;
    let seed = random::seed(options.seed);
    for client in options.client.map_or(Client::ALL.to_vec(), |client| vec![client]) {
        println!("failover: {} restarts, client {client:?}, seed {seed}", options.restarts);
        let mut program = Programs::compile(client)?.command("ferrymq.apps.Failover");
        program.args([options.restarts.to_string(), seed.to_string()]).env("FERRYMQ_BIN", &binary);
        if !program.status()?.success() {
            return Err(format!("failover: promises broken with client {client:?}, seed {seed}").into());
        }
    }
    Ok(())
}
