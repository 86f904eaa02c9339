//! Kills a real broker with SIGKILL at seeded moments under load, restarts it, and verifies every promise at the end.

use crate::broker_process::BrokerProcess;
use crate::campaign::{self, Epoch, Ledger, Load, Verdict};
use crate::random::{self, Random};
use crate::shell::{self, Outcome, Profile};
use clap::Args;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The load runs at least and at most so long before a kill. Milliseconds.
const KILL_AFTER_MS: (u64, u64) = (50, 900);

#[derive(Args)]
pub(crate) struct Options {
    /// How often the broker is killed
    #[arg(long, default_value_t = 20)]
    pub(crate) cycles: u32,
    /// The same seed plays the same moments and choices
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Test the release build
    #[arg(long)]
    pub(crate) release: bool,
    /// Keep the data directory and the broker's log here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let binary = shell::broker_binary(if options.release { Profile::Release } else { Profile::Debug })?;
    let seed = random::seed(options.seed);
    println!("kill9: {} cycles, seed {seed}", options.cycles);
    let scratch = Scratch::new(options.keep.clone(), "kill9")?;
    let (verdict, mut restarts) = cycles(&binary, scratch.path(), options.cycles, seed)?;
    print_verdict("kill9", options.cycles, &verdict);
    println!("kill9: restart to first handshake: {}", percentiles(&mut restarts));
    if verdict.is_clean() {
        Ok(())
    } else {
        scratch.keep();
        Err(format!("kill9: promises broken, seed {seed}, data and log in {}", scratch.path().display()).into())
    }
}

fn cycles(binary: &Path, scratch: &Path, count: u32, seed: u64) -> Result<(Verdict, Vec<Duration>), Box<dyn Error>> {
    let mut random = Random::new(seed);
    let ledger = Arc::new(Ledger::new());
    let data = scratch.join("data");
    let mut restarts = Vec::new();
    for number in 1..=count {
        let mut broker = BrokerProcess::start(binary, &data, scratch)?;
        restarts.push(broker.started_in);
        let epoch = epoch(number, &broker, &ledger);
        let load = Load::start(epoch, &mut random)?;
        std::thread::sleep(Duration::from_millis(random.within(KILL_AFTER_MS.0, KILL_AFTER_MS.1)));
        if let Some(status) = broker.ended()? {
            ledger.complain(format!("epoch {number}: the broker ended by itself: {status}"));
        }
        load.ending();
        broker.kill()?;
        load.join();
        if number.is_multiple_of(50) {
            println!("kill9: {number} of {count}");
        }
    }
    let broker = BrokerProcess::start(binary, &data, scratch)?;
    restarts.push(broker.started_in);
    let verdict = campaign::verdict(&epoch(count + 1, &broker, &ledger))?;
    Ok((verdict, restarts))
}

/// The stretch in which this broker runs.
pub(crate) fn epoch(number: u32, broker: &BrokerProcess, ledger: &Arc<Ledger>) -> Epoch {
    let ending = Arc::new(AtomicBool::new(false));
    Epoch { number, broker: broker.stomp, ledger: Arc::clone(ledger), ending }
}

/// One table line, and the first complaints.
pub(crate) fn print_verdict(name: &str, cycles: u32, verdict: &Verdict) {
    println!(
        "| campaign | cycles | sent | confirmed | deliveries | again | lost | returned | dirty | torn | disordered | unmarked | complaints |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let Verdict { sent, confirmed, deliveries, redelivered, lost, returned, dirty, torn, disordered, .. } = verdict;
    let Verdict { unmarked, complaints, unseen_automatic, told, .. } = verdict;
    println!(
        "| {name} | {cycles} | {sent} | {confirmed} | {deliveries} | {redelivered} | {lost} | {returned} | {dirty} \
         | {torn} | {disordered} | {unmarked} | {complaints} |"
    );
    println!("{name}: {unseen_automatic} automatically acknowledged messages were under way at a crash (allowed)");
    for line in told {
        println!("{name}: {line}");
    }
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)];
    format!("p50 {:.1?}, p99 {:.1?}, max {:.1?}", at(50), at(99), at(100))
}

/// A folder for data and log: removed at the end, unless it is to be kept.
pub(crate) struct Scratch {
    path: PathBuf,
    kept: std::cell::Cell<bool>,
}

impl Scratch {
    pub(crate) fn new(given: Option<PathBuf>, name: &str) -> std::io::Result<Self> {
        let kept = given.is_some();
        let own = || std::env::temp_dir().join(format!("ferrymq-{name}-{}", std::process::id()));
        let path = given.unwrap_or_else(own);
        std::fs::create_dir_all(&path)?;
        Ok(Self { path: path.canonicalize()?, kept: kept.into() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// There is something to look at in it.
    pub(crate) fn keep(&self) {
        self.kept.set(true);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept.get()
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("xtask: cannot remove {}: {error}", self.path.display());
        }
    }
}
