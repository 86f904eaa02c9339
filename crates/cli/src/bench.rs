//! `ferrymq bench`: loads any broker and tells how fast and how late messages come.
//!
//! ```text
//!   workload (flags or preset) ─► measure ─┬─► publish thread:   every producer's socket, frames from a template
//!                                          └─► subscribe thread: every consumer's socket, frames read in place
//!                                 measure ◄── progress (counters) ── both; histograms when they end ─► report
//! ```
//!
//! Rates come from closed loops, where the messages under way are bounded, latencies from open loops, where every
//! message has its moment and a late one counts from that moment. `docs/bench.md` says how to read the figures.
//!
//! Not here: the codecs. The generator copies frames from a template and looks only for the fields it
//! needs, since it has to be cheaper for each message than any broker that it measures.

mod connection;
mod measure;
mod openwire;
mod pace;
mod preset;
mod process;
mod progress;
mod publish;
mod report;
mod stomp;
mod subscribe;
mod wire;
mod workload;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use self::measure::Measure;
use self::progress::Progress;
use self::report::Report;
use self::wire::Protocol;
use self::workload::{Acknowledge, DestinationKind, Pace, Workload};
use crate::address::{BrokerArgs, duration};
use crate::output::{self, Failure};

/// The longest time that a histogram tells apart, in nanoseconds: ten minutes.
const LATENCY_MAX: u64 = 600_000_000_000;

/// What to measure.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    broker: BrokerArgs,
    /// What the broker is spoken to in [default: the preset's, or stomp]
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Start from a standard workload; the other flags change it
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Print the standard workloads and end
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    shape: Shape,
    /// Closed loop: at most so many messages sent and not yet received, over all producers [default: 1000]
    #[arg(long, value_name = "N", group = "pace")]
    window: Option<u64>,
    /// Open loop: so many messages a second over all producers, each at its scheduled moment
    #[arg(long, value_name = "N", group = "pace")]
    rate: Option<f64>,
    /// No loop: send as fast as the socket and the receipts allow
    #[arg(long, group = "pace")]
    flood: bool,
    /// Time before the measured time
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    warm_up: Duration,
    /// The measured time
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    duration: Duration,
    /// Send so many messages and wait for all of them, instead of measuring for a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Run so many times, each with destinations of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// The broker's process, to tell its processor time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The flags that change a workload.
#[derive(Args, Debug, Default)]
struct Shape {
    /// Queues or topics [default: queue]
    #[arg(long, value_enum)]
    kind: Option<DestinationKind>,
    /// How many destinations; clients share them out evenly [default: 1]
    #[arg(long, value_name = "N")]
    destinations: Option<usize>,
    /// What destinations are called [default: a name that is new for each run]
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Connections that send [default: 1]
    #[arg(long, value_name = "N")]
    producers: Option<usize>,
    /// Connections that receive [default: 1]
    #[arg(long, value_name = "N")]
    consumers: Option<usize>,
    /// Send every message to so many subscribers: a topic with so many consumers
    #[arg(long, value_name = "N", conflicts_with_all = ["kind", "consumers"])]
    fan_out: Option<usize>,
    /// Bytes of a body [default: 1024]
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Send persistent messages
    #[arg(long)]
    persistent: bool,
    /// Ask for receipts, with at most so many outstanding for each producer
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
    receipts: Option<usize>,
    /// How consumers acknowledge [default: auto]
    #[arg(long, value_enum)]
    ack: Option<Acknowledge>,
    /// Messages to one acknowledgement with --ack client [default: 50]
    #[arg(long, value_name = "N")]
    ack_every: Option<u32>,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(bench(&arguments))
}

fn bench(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.list {
        return list(arguments.json);
    }
    let workload = arguments.workload().map_err(Failure::Usage)?;
    workload.check().map_err(Failure::Usage)?;
    if !arguments.json {
        output::line(format_args!("{}: {}", workload.name, report::describe(&workload)))?;
    }
    let mut report = Report { workload, runs: Vec::new() };
    for index in 0..arguments.repeat {
        let fresh = || format!("bench.{}.{}.{index}", report.workload.name, std::process::id());
        let measure = Measure {
            broker: &arguments.broker,
            workload: &report.workload,
            destination: arguments.shape.destination.clone().unwrap_or_else(fresh),
            warm_up: arguments.warm_up,
            duration: arguments.duration,
            count: arguments.count,
            pid: arguments.pid,
        };
        let run = measure.run()?;
        if !arguments.json {
            output::raw(report::block(&report.workload, &run).as_bytes())?;
        }
        report.runs.push(run);
    }
    if arguments.json {
        output::json(&report)?;
    } else if report.runs.len() > 1 {
        output::raw(report::spread(&report).as_bytes())?;
    }
    let missing: u64 = report.runs.iter().map(|run| run.missing + run.unconfirmed).sum();
    match arguments.count {
        Some(_) if missing > 0 => Err(Failure::NothingCame(format!("{missing} messages or receipts did not come"))),
        Some(_) | None => Ok(()),
    }
}

fn list(json: bool) -> Result<(), Failure> {
    let presets = preset::all();
    if json {
        return output::json(&presets.into_iter().map(|preset| preset.workload).collect::<Vec<_>>());
    }
    let mut rows = vec![vec!["preset".to_string(), "what it does, with messages of 1 KiB".to_string()]];
    rows.extend(presets.iter().map(|preset| vec![preset.name.to_string(), preset.about.to_string()]));
    output::raw(output::table(&rows).as_bytes())
}

impl Arguments {
    /// The preset, or the default workload, changed by the flags.
    fn workload(&self) -> Result<Workload, String> {
        let mut workload = self.preset.as_deref().map_or_else(|| Ok(Workload::custom()), preset::find)?;
        let shape = &self.shape;
        workload.protocol = self.protocol.unwrap_or(workload.protocol);
        let set = |target: &mut usize, flag: Option<usize>| *target = flag.unwrap_or(*target);
        set(&mut workload.destinations, shape.destinations);
        set(&mut workload.producers, shape.producers);
        set(&mut workload.consumers, shape.consumers.or(shape.fan_out));
        set(&mut workload.size, shape.size);
        workload.kind = shape.kind.or(shape.fan_out.map(|_| DestinationKind::Topic)).unwrap_or(workload.kind);
        workload.persistent |= shape.persistent;
        workload.in_flight = shape.receipts.or(workload.in_flight);
        workload.acknowledge = shape.ack.unwrap_or(workload.acknowledge);
        workload.acknowledge_every = shape.ack_every.unwrap_or(workload.acknowledge_every);
        workload.pace = match (self.window, self.rate) {
            (Some(window), _) => Pace::Window(window),
            (None, Some(rate)) => Pace::Rate(rate),
            (None, None) if self.flood => Pace::Flood,
            // Receipts, or a count without consumer, bound what is under way already.
            (None, None) if self.preset.is_none() && (workload.in_flight.is_some() || workload.consumers == 0) => {
                Pace::Flood
            }
            (None, None) => workload.pace,
        };
        Ok(workload)
    }
}

/// An empty histogram of nanoseconds, to three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are constants in range")
}

/// Lets the connections of one thread work until the run is over, and keeps the first failure.
async fn until_over(mut tasks: JoinSet<io::Result<()>>, progress: &Arc<Progress>) {
    let failed = async {
        while let Some(ended) = tasks.join_next().await {
            let error = match ended {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error,
                Err(panicked) => io::Error::other(panicked),
            };
            progress.fail(Failure::because("a connection failed", error));
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = failed => {}
        () = progress.ended() => {}
    }
}

/// The broker answered with an ERROR frame.
fn refused(words: &str) -> io::Error {
    io::Error::other(format!("the broker refuses: {words}"))
}

#[cfg(test)]
mod tests;
