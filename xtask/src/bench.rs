//! The standard workloads against FerryMQ and, where asked, against other brokers in the same run.
//!
//! ```text
//!   for each workload, for each repeat, for each broker:  ferrymq bench --preset … --json  ──► figures
//!   figures ──► docs/bench/results.md (table), docs/bench/rates.svg and docs/bench/costs.svg (plots)
//! ```
//!
//! Repeats are interleaved, so that a noisy moment of the machine meets every broker. All brokers run the whole time;
//! those not measured are idle.
//!
//! Not here: the load itself (`ferrymq bench`). It speaks STOMP; a broker without STOMP, as NATS, cannot be driven yet:
//! [`contender::Contender`] is where its starter belongs once `ferrymq bench --protocol` knows another protocol.

mod contender;
mod figures;
mod page;
mod plot;

use crate::kill9::Scratch;
use crate::shell::{self, Outcome, Profile};
use clap::Args;
use contender::Contender;
use figures::{Figures, Row};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// In the order of the table.
const WORKLOADS: [&str; 10] = ["S1w", "S1t", "S1f", "S2", "S3", "S3c", "S3b", "S4", "S4b", "S1-flood"];

#[derive(Args)]
pub(crate) struct Options {
    /// Brokers to compare with, by the scripts in bench/brokers
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
    let scratch = Scratch::new(None, "bench")?;
    let mut contenders = vec![Contender::ferrymq(&binary, scratch.path())?];
    for name in &options.with {
        contenders.push(Contender::other(name, scratch.path())?);
    }
    for contender in &contenders {
        println!("bench: {} listens after {:.0?}", contender.name, contender.started_in);
    }
    warm_java(&binary, &contenders)?;
    let mut rows = Vec::new();
    for workload in wanted(&options.workloads) {
        let mut measured: Vec<Row> = contenders.iter().map(|contender| Row::new(&workload, &contender.name)).collect();
        for repeat in 1..=options.repeats {
            for (contender, row) in contenders.iter().zip(&mut measured) {
                let figures = measure(&binary, contender, &workload, options)?;
                println!("bench: {workload} {repeat} {}: {figures}", contender.name);
                row.runs.push(figures);
            }
        }
        rows.extend(measured);
    }
    let output = shell::root().join(&options.output);
    std::fs::create_dir_all(&output)?;
    std::fs::write(output.join("results.md"), page::markdown(&rows, &contenders, options.repeats, options.seconds)?)?;
    plot::rates(&rows, &output.join("rates.svg"))?;
    plot::costs(&rows, &output.join("costs.svg"))?;
    println!("bench: written to {}", options.output.display());
    Ok(())
}

fn wanted(chosen: &[String]) -> Vec<String> {
    if chosen.is_empty() { WORKLOADS.map(str::to_owned).to_vec() } else { chosen.to_vec() }
}

/// A Java broker compiles what it runs often: ten seconds of load before anything is measured.
fn warm_java(binary: &Path, contenders: &[Contender]) -> Outcome {
    for contender in contenders.iter().filter(|contender| contender.is_java) {
        shell::read(&mut bench(binary, contender, &["--preset", "S1w", "--warm-up", "1s", "--duration", "9s"]))?;
    }
    Ok(())
}

fn measure(binary: &Path, contender: &Contender, workload: &str, options: &Options) -> Result<Figures, Box<dyn Error>> {
    let (warm_up, duration) = (format!("{}s", options.warm_up), format!("{}s", options.seconds));
    let flags = ["--preset", workload, "--warm-up", &warm_up, "--duration", &duration];
    let printed = shell::read(&mut bench(binary, contender, &flags));
    let printed = printed.map_err(|error| format!("{workload} on {}: {error}", contender.name))?;
    Figures::read(&printed).map_err(|error| format!("{workload} on {}: {error} in {printed}", contender.name).into())
}

fn bench(binary: &Path, contender: &Contender, flags: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(["bench", "--json", "--url", &format!("stomp://{}", contender.stomp)]);
    command.args(["--pid", &contender.pid().to_string()]).args(flags);
    command
}
