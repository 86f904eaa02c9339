//! One run: opens the connections, lets two threads work, looks at them at the beginning and at the end of the
//! measured time, and waits for what is still under way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::connection::{Introduced, Role};
use super::process::{self, Usage};
use super::progress::Progress;
use super::publish::{Producer, publish};
use super::report::{Broker, Run, percentiles};
use super::subscribe::{Consumer, subscribe};
use super::workload::{Acknowledge, Workload};
use crate::address::{BrokerArgs, Target};
use crate::output::Failure;

/// How often the measuring thread looks.
const LOOK: Duration = Duration::from_millis(10);
/// How often it looks for the last message.
const LOOK_OFTEN: Duration = Duration::from_millis(1);
/// Without progress for so long, what is missing is given up.
const STALL: Duration = Duration::from_secs(2);
/// The longest wait for what is under way when the time is over.
const DRAIN: Duration = Duration::from_secs(20);

/// How one run is measured.
pub(super) struct Measure<'a> {
    pub(super) broker: &'a BrokerArgs,
    pub(super) workload: &'a Workload,
    /// Destinations are called so, with `.0`, `.1`, … behind it when there are several.
    pub(super) destination: String,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// Send so many instead of sending for a time.
    pub(super) count: Option<u64>,
    /// The broker's process.
    pub(super) pid: Option<u32>,
}

/// Both threads' histograms: confirmation and end to end.
type Recorded = (io::Result<Histogram<u64>>, io::Result<Histogram<u64>>);

impl Measure<'_> {
    /// Runs it.
    pub(super) fn run(&self) -> Result<Run, Failure> {
        allow_connections();
        let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
        let consumers = (0..self.workload.consumers).map(|index| self.consumer(index)).collect::<Result<_, _>>()?;
        let producers = (0..self.workload.producers).map(|index| self.producer(index)).collect::<Result<_, _>>()?;
        let progress = Arc::new(Progress::new(self.workload, run, self.count));
        // A count is measured from its first message on.
        progress.measuring.store(self.count.is_some(), Ordering::SeqCst);
        let resting = self.look(&progress)?;
        let (measured, recorded) = thread::scope(|scope| {
            let publisher = scope.spawn(|| self.produce(producers, &progress));
            let subscriber = scope.spawn(|| self.consume(consumers, &progress));
            let measured = self.watch(&progress, resting);
            progress.end_sending();
            progress.end();
            let lost = "the threads of a run do not panic";
            let recorded: Recorded = (publisher.join().expect(lost), subscriber.join().expect(lost));
            (measured, recorded)
        });
        if let Some(failure) = progress.failure() {
            return Err(failure);
        }
        let threads = |error| Failure::because("cannot run the connections", error);
        let (confirmation, end_to_end) = (recorded.0.map_err(threads)?, recorded.1.map_err(threads)?);
        let (begin, end) = measured?;
        Ok(self.summary(&progress, (resting, begin, end), &confirmation, &end_to_end))
    }

    fn destination(&self, index: usize) -> Target {
        let name = match self.workload.destinations {
            1 => self.destination.clone(),
            count => format!("{}.{}", self.destination, index % count),
        };
        Target { kind: self.workload.kind.kind(), name }
    }

    fn consumer(&self, index: usize) -> Result<Consumer, Failure> {
        let acknowledge = match self.workload.acknowledge {
            Acknowledge::Auto => "auto",
            Acknowledge::Client => "client",
            Acknowledge::Individual => "client-individual",
        };
        let destination = self.destination(index);
        let role = Role::Consumer { destination: &destination, acknowledge };
        Ok(Consumer { introduced: Introduced::open(self.workload.protocol, self.broker, role)?, destination })
    }

    fn producer(&self, index: usize) -> Result<Producer, Failure> {
        let destination = self.destination(index);
        let role = Role::Producer { destination: &destination };
        Ok(Producer { introduced: Introduced::open(self.workload.protocol, self.broker, role)?, destination })
    }

    fn produce(&self, producers: Vec<Producer>, progress: &Arc<Progress>) -> io::Result<Histogram<u64>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, publish(self.workload, producers, progress))
    }

    fn consume(&self, consumers: Vec<Consumer>, progress: &Arc<Progress>) -> io::Result<Histogram<u64>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, subscribe(self.workload, consumers, progress))
    }

    /// Warms up, measures, and waits for what is under way.
    fn watch(&self, progress: &Progress, resting: Look) -> Result<(Look, Look), Failure> {
        if self.count.is_some() {
            while !progress.is_all_sent() && !progress.has_failed() {
                thread::sleep(LOOK_OFTEN);
            }
            self.settle(progress);
            return Ok((resting, self.look(progress)?));
        }
        wait(self.warm_up, progress);
        progress.measuring.store(true, Ordering::SeqCst);
        let begin = self.look(progress)?;
        wait(self.duration, progress);
        let end = self.look(progress)?;
        progress.measuring.store(false, Ordering::SeqCst);
        progress.end_sending();
        self.settle(progress);
        Ok((begin, end))
    }

    /// Waits until everything came, or nothing comes any more.
    fn settle(&self, progress: &Progress) {
        let state = || (progress.missing(), progress.unconfirmed(self.workload.in_flight.is_some()));
        let begin = Instant::now();
        let (mut last, mut moved) = (state(), Instant::now());
        // A count has all the time it needs as long as it moves.
        while last != (0, 0) && !progress.has_failed() && moved.elapsed() < STALL {
            if self.count.is_none() && begin.elapsed() > DRAIN {
                return;
            }
            thread::sleep(LOOK_OFTEN);
            let now = state();
            if now != last {
                (last, moved) = (now, Instant::now());
            }
        }
    }

    fn look(&self, progress: &Progress) -> Result<Look, Failure> {
        Ok(Look {
            at: progress.now(),
            sent: progress.sent.get(),
            confirmed: progress.confirmed.get(),
            received: progress.received.get(),
            generator: process::usage(None).unwrap_or_default(),
            broker: self.pid.map(|pid| process::usage(Some(pid))).transpose()?,
        })
    }

    fn summary(
        &self,
        progress: &Progress,
        (resting, begin, end): (Look, Look, Look),
        confirmation: &Histogram<u64>,
        end_to_end: &Histogram<u64>,
    ) -> Run {
        let seconds = (end.at - begin.at).max(1) as f64 / 1e9;
        let sent = end.sent - begin.sent;
        let confirmed = end.confirmed - begin.confirmed;
        let received = end.received - begin.received;
        let delivered = if self.workload.consumers > 0 { received } else { confirmed.max(sent) };
        let share = |before: Usage, after: Usage| (after.processor - before.processor).as_secs_f64();
        let broker = begin.broker.zip(end.broker).zip(resting.broker).map(|((begin, end), resting)| Broker {
            cpu_percent: share(begin, end) / seconds * 100.0,
            cpu_us_per_message: (delivered > 0).then(|| share(begin, end) * 1e6 / delivered as f64),
            resident_bytes: end.resident_bytes,
            resident_growth_bytes: end.resident_bytes as i64 - resting.resident_bytes as i64,
        });
        Run {
            seconds,
            sent,
            confirmed,
            received,
            sent_per_second: sent as f64 / seconds,
            confirmed_per_second: confirmed as f64 / seconds,
            received_per_second: received as f64 / seconds,
            megabytes_per_second: delivered as f64 * self.workload.size as f64 / seconds / 1e6,
            confirmation: percentiles(confirmation),
            end_to_end: percentiles(end_to_end),
            broker,
            generator_cpu_percent: share(begin.generator, end.generator) / seconds * 100.0,
            missing: if self.workload.consumers > 0 { progress.missing() } else { 0 },
            unconfirmed: progress.unconfirmed(self.workload.in_flight.is_some()),
            foreign: progress.foreign.get(),
        }
    }
}

/// The counters at one moment.
#[derive(Clone, Copy)]
struct Look {
    at: u64,
    sent: u64,
    confirmed: u64,
    received: u64,
    generator: Usage,
    broker: Option<Usage>,
}

/// Lets this process have as many open files as the system allows; where that fails, connecting tells it.
fn allow_connections() {
    let limit = getrlimit(Resource::Nofile);
    let _told_by_connecting = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Waits, unless a connection fails.
fn wait(duration: Duration, progress: &Progress) {
    let begin = Instant::now();
    while let Some(left) = duration.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        if progress.has_failed() {
            return;
        }
        thread::sleep(left.min(LOOK));
    }
}
