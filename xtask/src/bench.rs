//! The standard workloads against FerryMQ and, where asked, against other brokers in the same run.
//!
//! ```text
//!   for each workload, for each repeat, for each broker:  ferrymq bench --preset … --json, or the JMS client ──► figures
//!   figures ──► docs/bench/results.md (table), docs/bench/rates.svg and docs/bench/costs.svg (plots)
//! ```
//!
//! Repeats are interleaved, so that a noisy moment of the machine meets every broker. All brokers run the whole time;
//! those not measured are idle. What the machine withholds from all of them stands above the table ([`stillness`]).
//!
//! Two floors can stand beside the brokers: `--with relay`, which only forwards, and the workloads [`PIPES`] without any broker.
//!
//! Not here: the load itself (`ferrymq bench`, and `interop/java-apps`, package `bench`). A broker that speaks neither
//! STOMP nor OpenWire, as NATS, cannot be driven yet: [`contender::Contender`] is where its starter belongs.

mod contender;
mod figures;
mod page;
mod plot;
pub(crate) mod relay;
mod stillness;

use crate::java_apps::{Client, Programs};
use crate::kill9::Scratch;
use crate::shell::{self, Outcome, Profile};
use clap::Args;
use contender::Contender;
use figures::{Figures, Row};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use stillness::Withheld;

/// In the order of the table.
const STOMP: [&str; 10] = ["S1w", "S1t", "S1f", "S2", "S3", "S3c", "S3b", "S4", "S4b", "S1-flood"];
/// OpenWire by the same generator.
const OPENWIRE: [&str; 13] = ["O1", "O1b", "O1c", "O1d", "O1e", "O2", "O2b", "O2c", "O3", "O3b", "O4", "O4b", "O4c"];
/// OpenWire by the JMS client, of `interop/java-apps`.
const JMS: [&str; 15] =
    ["W1a", "W1b", "W1c", "W1d", "W2", "W2b", "W3", "W5", "W5b", "W6", "W6b", "W7", "W7a", "W7c", "W10"];
/// What a JVM shows without a broker, and at how many messages a second: beside W7, W7a and W7c.
const PIPES: [(&str, u32); 3] = [("W0", 1_000), ("W0a", 200), ("W0c", 5_000)];
/// A JVM compiles what it runs often, so the client gets more time than the generator. Seconds.
const JMS_WARM_UP: u32 = 5;

#[derive(Args)]
pub(crate) struct Options {
    /// Brokers to compare with, by the scripts in bench/brokers; relay: what only forwards
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    with: Vec<String>,
    /// These workloads alone
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    workloads: Vec<String>,
    /// Repeats of each
    #[arg(long, default_value_t = 3)]
    repeats: u32,
    /// Measured time of each, after its warm-up
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Warm-up of each
    #[arg(long, default_value_t = 2)]
    warm_up: u32,
    /// Where the table and the plots go
    #[arg(long, default_value = "docs/bench", value_name = "DIR")]
    output: PathBuf,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = shell::broker_binary(Profile::Release)?;
    let alone = stillness::measure()?;
    println!("bench: withheld before any broker was started: {alone}");
    let mut withheld = Withheld { alone, beside: Vec::new() };
    let scratch = Scratch::new(None, "bench")?;
    let mut contenders = vec![Contender::ferrymq(&binary, scratch.path())?];
    for name in &options.with {
        contenders.push(match name.as_str() {
            "relay" => Contender::relay(&contenders[0])?,
            _ => Contender::other(name, scratch.path())?,
        });
    }
    for contender in &contenders {
        println!("bench: {} listens after {:.0?}", contender.name, contender.started_in);
    }
    let chosen = wanted(&options.workloads);
    let uses_jms = chosen.iter().any(|workload| JMS.contains(&workload.as_str()) || pipe(workload).is_some());
    let jms = if uses_jms { Some(Programs::compile(Client::Jakarta)?) } else { None };
    let bench = Bench { binary: &binary, jms, options };
    bench.warm_java(&contenders, &chosen)?;
    let mut rows = Vec::new();
    for workload in chosen {
        let mut measured: Vec<Row> = match pipe(&workload) {
            Some(_) => vec![Row::new(&workload, "none")],
            None => contenders.iter().map(|contender| Row::new(&workload, &contender.name)).collect(),
        };
        for repeat in 1..=options.repeats {
            let beside = stillness::measure()?;
            println!("bench: {workload} {repeat} withheld: {beside}");
            withheld.beside.push(beside);
            for (contender, row) in contenders.iter().zip(&mut measured) {
                let figures = bench.measure(contender, &workload)?;
                println!("bench: {workload} {repeat} {}: {figures}", row.broker);
                row.runs.push(figures);
            }
        }
        rows.extend(measured);
    }
    let output = shell::root().join(&options.output);
    std::fs::create_dir_all(&output)?;
    std::fs::write(
        output.join("results.md"),
        page::markdown(&rows, &contenders, &withheld, options.repeats, options.seconds)?,
    )?;
    plot::rates(&rows, &output.join("rates.svg"))?;
    plot::costs(&rows, &output.join("costs.svg"))?;
    println!("bench: written to {}", options.output.display());
    Ok(())
}

fn wanted(chosen: &[String]) -> Vec<String> {
    if chosen.is_empty() {
        let pipes = PIPES.map(|(workload, _)| workload);
        [&STOMP[..], &OPENWIRE, &JMS, &pipes].concat().into_iter().map(str::to_owned).collect()
    } else {
        chosen.to_vec()
    }
}

/// The rate of a workload without a broker.
fn pipe(workload: &str) -> Option<u32> {
    PIPES.iter().find(|(name, _)| *name == workload).map(|(_, rate)| *rate)
}

/// What measures.
struct Bench<'a> {
    binary: &'a Path,
    /// Where a workload of the JMS client is among the chosen ones.
    jms: Option<Programs>,
    options: &'a Options,
}

impl Bench<'_> {
    /// A Java broker compiles what it runs often: ten seconds of load before anything is measured, for each protocol.
    fn warm_java(&self, contenders: &[Contender], chosen: &[String]) -> Outcome {
        for contender in contenders.iter().filter(|contender| contender.is_java) {
            if chosen.iter().any(|workload| STOMP.contains(&workload.as_str())) {
                shell::read(&mut self.generator(contender, "S1w", 1, 9))?;
            }
            if chosen.iter().any(|workload| !STOMP.contains(&workload.as_str())) {
                shell::read(&mut self.generator(contender, "O2", 1, 9))?;
            }
        }
        Ok(())
    }

    fn measure(&self, contender: &Contender, workload: &str) -> Result<Figures, Box<dyn Error>> {
        let Options { warm_up, seconds, .. } = *self.options;
        let java_warm_up = warm_up.max(JMS_WARM_UP);
        let mut command = match (&self.jms, pipe(workload)) {
            (Some(programs), Some(rate)) => {
                let mut java = programs.command("ferrymq.apps.bench.Pipe");
                java.args([rate, java_warm_up, seconds].map(|number| number.to_string()));
                java
            }
            (Some(programs), None) if JMS.contains(&workload) => {
                let mut java = programs.command("ferrymq.apps.bench.Bench");
                java.args([format!("tcp://{}", contender.openwire), workload.to_owned()]);
                java.args([java_warm_up, seconds, contender.pid()].map(|number| number.to_string()));
                java
            }
            _ => self.generator(contender, workload, warm_up, seconds),
        };
        let printed = shell::read(&mut command);
        let printed = printed.map_err(|error| format!("{workload} on {}: {error}", contender.name))?;
        Figures::read(&printed)
            .map_err(|error| format!("{workload} on {}: {error} in {printed}", contender.name).into())
    }

    fn generator(&self, contender: &Contender, workload: &str, warm_up: u32, seconds: u32) -> Command {
        let at = if OPENWIRE.contains(&workload) { contender.openwire } else { contender.stomp };
        let mut command = Command::new(self.binary);
        command.args(["bench", "--json", "--preset", workload, "--url", &format!("tcp://{at}")]);
        command.args(["--pid", &contender.pid().to_string()]);
        command.args(["--warm-up", &format!("{warm_up}s"), "--duration", &format!("{seconds}s")]);
        command
    }
}
