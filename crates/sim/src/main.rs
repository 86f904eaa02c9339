//! Runs many seeds: `ferrymq-sim --seeds N [--start S] [--threads T] [--steps K]`, `--fuzz` for the parsers,
//! `--enumerate` for every crash point of as many traces, `--campaigns` for transaction managers and the schedule. Ends with 1 when a promise was broken.

use ferrymq_sim::search::check;
use ferrymq_sim::world::Plan;
use ferrymq_sim::{calendar, enumerate, fuzz, managed};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Lines of a failing seed's story that are printed.
const STORY_LINES: usize = 2000;
/// Rounds of a campaign.
const CAMPAIGN_ROUNDS: u32 = 150;

/// What the command line asks.
#[derive(Clone, Copy, Debug)]
struct Options {
    seeds: u64,
    start: u64,
    threads: u64,
    steps: Option<u32>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Simulate,
    Fuzz,
    Enumerate,
    Campaigns,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(options) => {
            let broken = match options.mode {
                Mode::Simulate => spread(options, simulate),
                Mode::Fuzz => spread(options, fuzz_seed),
                Mode::Enumerate => spread(options, enumerate_seed),
                Mode::Campaigns => spread(options, campaigns),
            };
            if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            say(&format!(
                "{text}\nusage: ferrymq-sim --seeds N [--start S] [--threads T] [--steps K] [--fuzz | --enumerate | --campaigns]"
            ));
            ExitCode::from(2)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seeds: 50, start: 1, threads: 1, steps: None, mode: Mode::Simulate };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--fuzz" => options.mode = Mode::Fuzz,
            "--campaigns" => options.mode = Mode::Campaigns,
            "--enumerate" => options.mode = Mode::Enumerate,
            "--seeds" | "--start" | "--threads" | "--steps" => {
                let value = words.next().ok_or_else(|| format!("{word} wants a number"))?;
                let number: u64 = value.parse().map_err(|_| format!("{word} wants a number, not {value}"))?;
                match word.as_str() {
                    "--seeds" => options.seeds = number,
                    "--start" => options.start = number,
                    "--threads" => options.threads = number.clamp(1, 256),
                    _ => options.steps = Some(u32::try_from(number).map_err(|_| "too many steps".to_owned())?),
                }
            }
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(options)
}

/// Runs every seed on some thread; returns how many broke a promise.
fn spread(options: Options, run: fn(u64, Options, &Totals) -> Result<(), String>) -> u64 {
    let totals = Totals::default();
    let next = AtomicU64::new(options.start);
    let end = options.start.saturating_add(options.seeds);
    let broken = AtomicU64::new(0);
    let quiet = AtomicBool::new(false);
    let printing = Mutex::new(());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if let Err(report) = run(seed, options, &totals) {
                        broken.fetch_add(1, Ordering::Relaxed);
                        let _guard = printing.lock();
                        if quiet.swap(true, Ordering::Relaxed) {
                            say(report.lines().take(2).collect::<Vec<_>>().join("\n").as_str());
                        } else {
                            say(&report);
                        }
                    }
                }
            });
        }
    });
    let broken = broken.into_inner();
    say(&format!(
        "{} seeds from {}: {} broke a promise; {} messages or inputs, {} deliveries or accepted, {} starts or images",
        options.seeds,
        options.start,
        broken,
        totals.messages.into_inner(),
        totals.deliveries.into_inner(),
        totals.starts.into_inner()
    ));
    broken
}

/// Figures for the last line.
#[derive(Debug, Default)]
struct Totals {
    messages: AtomicU64,
    deliveries: AtomicU64,
    starts: AtomicU64,
}

fn simulate(seed: u64, options: Options, totals: &Totals) -> Result<(), String> {
    let mut plan = Plan::of_seed(seed);
    if let Some(steps) = options.steps {
        plan.steps = steps;
    }
    let outcome = guarded(seed, || check(&plan))?.map_err(|finding| finding.report(STORY_LINES))?;
    totals.messages.fetch_add(outcome.messages as u64, Ordering::Relaxed);
    totals.deliveries.fetch_add(outcome.deliveries, Ordering::Relaxed);
    totals.starts.fetch_add(u64::from(outcome.starts), Ordering::Relaxed);
    Ok(())
}

fn fuzz_seed(seed: u64, _options: Options, totals: &Totals) -> Result<(), String> {
    for (name, target) in fuzz::TARGETS {
        let mut tried = fuzz::Tried::default();
        guarded(seed, || target(seed, &mut tried)).map_err(|report| format!("{name}: {report}"))?;
        totals.messages.fetch_add(tried.inputs, Ordering::Relaxed);
        totals.deliveries.fetch_add(tried.accepted, Ordering::Relaxed);
    }
    Ok(())
}

fn enumerate_seed(seed: u64, _options: Options, totals: &Totals) -> Result<(), String> {
    let found = guarded(seed, || enumerate::enumerate(seed, enumerate::TRACE_REQUESTS))?;
    totals.starts.fetch_add(found.images, Ordering::Relaxed);
    match found.violations.first() {
        None => Ok(()),
        Some((at, violation)) => Err(format!("{at}: {violation} ({} images broken)", found.violations.len())),
    }
}

fn campaigns(seed: u64, _options: Options, totals: &Totals) -> Result<(), String> {
    let managed = guarded(seed, || managed::run(seed, CAMPAIGN_ROUNDS, None))?;
    let calendar = guarded(seed, || calendar::run(seed, CAMPAIGN_ROUNDS, None))?;
    totals.messages.fetch_add(u64::from(managed.committed), Ordering::Relaxed);
    totals.deliveries.fetch_add(calendar.occurrences, Ordering::Relaxed);
    totals.starts.fetch_add(u64::from(managed.crashes + calendar.crashes), Ordering::Relaxed);
    let told = |what: &str, text: String| format!("seed {seed}, {what}: {text}");
    match (managed.violation, calendar.violation) {
        (None, None) => Ok(()),
        (Some(text), _) => Err(told("transactions", text)),
        (None, Some(text)) => Err(told("schedule", text)),
    }
}

/// A panic of the code under test is a finding like any other: it must name its seed.
fn guarded<T>(seed: u64, run: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        format!("seed {seed} panics: {text}")
    })
}

fn say(text: &str) {
    // Nobody reads on when the pipe is closed, and then there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
