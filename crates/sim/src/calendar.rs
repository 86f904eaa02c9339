//! Messages that come again and again, by a period or by the calendar, while the power goes at any time.
//!
//! ```text
//!  counted producer ──repeats, for ever, cron──► schedule ──when due──► DUE ──► consumer
//! ```
//!
//! Time goes by in small steps and in jumps over several occurrences, of which one comes. Whoever loses an answer asks
//! again. After each step it is known how often each message must have come: no more often at any time, and no less often
//! at the end, whatever was lost between.

mod ask;
mod planted;

pub use planted::{CALENDAR_BUGS, CalendarBug};

use crate::client::queue;
use crate::host::{self, Done, Host, Lost};
use ferrymq_model::{Annotations, Destination, Message, MessageId, MonoTime, Now, Schedule, Value, WallTime};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// Power cuts that struck.
    pub crashes: u32,
    /// Occurrences that came.
    pub occurrences: u64,
    /// The first promise that was broken.
    pub violation: Option<String>,
}

const MINUTE_MS: u64 = 60_000;
const PRODUCER: &str = "ID:calendar-1:1:1";
const DUE: &str = "DUE";
/// Messages that are scheduled at most.
const SERIES_MAX: usize = 12;

/// Runs so many rounds under a seed.
#[must_use]
pub fn run(seed: u64, rounds: u32, bug: Option<CalendarBug>) -> Calendar {
    let mut campaign = Campaign::new(seed, bug);
    let mut lived = Ok(());
    for _ in 0..rounds {
        lived = match campaign.host.random.below(10) {
            0..2 => campaign.schedule(),
            2 => campaign.remove(),
            3..6 => campaign.take(),
            _ => campaign.pass(),
        };
        if lived.is_err() {
            break;
        }
    }
    let judged = lived.and_then(|()| campaign.judge());
    let occurrences = campaign.series.iter().map(|series| series.seen.len() as u64).sum();
    Calendar { crashes: campaign.host.crashes, occurrences, violation: judged.err() }
}

/// When a message comes again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Again {
    /// After so many milliseconds.
    Period(u64),
    /// At every minute that is a multiple of this.
    Minutes(u64),
}

/// A message that is scheduled.
#[derive(Clone, Debug)]
struct Series {
    /// When it comes next.
    due: u64,
    again: Again,
    /// How often it still comes; `None`: for ever.
    left: Option<u64>,
    /// How often it must have come.
    expected: u64,
    seen: BTreeSet<MessageId>,
    /// By what it is removed, once it came.
    job: Option<Arc<str>>,
}

impl Series {
    /// Time has come to `now`: one occurrence at most, the missed ones are not made up for.
    fn pass(&mut self, now: u64) {
        if self.due > now || self.left == Some(0) {
            return;
        }
        self.expected += 1;
        self.left = self.left.map(|left| left - 1);
        self.due = match self.again {
            Again::Period(every) if self.due + every > now => self.due + every,
            Again::Period(every) => now + every,
            Again::Minutes(every) => next_minute(now, every),
        };
    }
}

fn next_minute(now: u64, every: u64) -> u64 {
    (now / (every * MINUTE_MS) + 1) * every * MINUTE_MS
}

struct Campaign {
    host: Host<CalendarBug>,
    series: Vec<Series>,
    /// Occurrences whose settlement was confirmed.
    consumed: BTreeSet<MessageId>,
    names: u64,
}

fn text(name: &str, value: &str) -> (Arc<str>, Value) {
    (Arc::from(name), Value::Text(Arc::from(value)))
}

impl Campaign {
    fn new(seed: u64, bug: Option<CalendarBug>) -> Self {
        let now = Now { wall: WallTime(1_000_000), mono: MonoTime(1) };
        let mut host = Host::new(seed, now, bug);
        host.plan_crash();
        Self { host, series: Vec::new(), consumed: BTreeSet::new(), names: 0 }
    }

    fn restart(&mut self) -> Result<(), String> {
        self.host.restart()?;
        if self.host.bug.is_some_and(CalendarBug::acts_at_restart) {
            let done = self.misbehave();
            done.map_err(|lost| format!("a planted bug fails: {lost:?}"))?;
        }
        self.host.plan_crash();
        Ok(())
    }

    /// Does something until the power lets it be done.
    fn insist<T>(&mut self, mut act: impl FnMut(&mut Self) -> Done<T>) -> Result<T, String> {
        loop {
            match act(self) {
                Ok(done) => return Ok(done),
                Err(Lost::Broken(what)) => return Err(what),
                Err(Lost::Power) => self.restart()?,
            }
        }
    }

    /// A producer schedules a message: by itself, or in a transaction that commits or does not.
    fn schedule(&mut self) -> Result<(), String> {
        if self.series.len() >= SERIES_MAX {
            return Ok(());
        }
        let number = self.series.len() as u64 + 1;
        let period = 200 + self.host.random.below(2000);
        let delay_ms = 1 + self.host.random.below(3000);
        let first = self.host.now.wall.0 + delay_ms;
        let (schedule, again, due, left) = match self.host.random.below(4) {
            0 => {
                let every = *self.host.random.pick(&[1, 1, 2]);
                let cron = Some(Arc::from(if every == 1 { "* * * * *" } else { "*/2 * * * *" }));
                let due = next_minute(self.host.now.wall.0, every);
                (Schedule { cron, ..Schedule::default() }, Again::Minutes(every), due, None)
            }
            1 => {
                let schedule = Schedule { delay_ms, period_ms: period, repeat: -1, ..Schedule::default() };
                (schedule, Again::Period(period), first, None)
            }
            _ => {
                let repeats = self.host.random.below(5);
                let repeat = i32::try_from(repeats).expect("a few");
                let schedule = Schedule { delay_ms, period_ms: period, repeat, ..Schedule::default() };
                (schedule, Again::Period(period), first, Some(repeats + 1))
            }
        };
        let annotations = Annotations { schedule: Some(Box::new(schedule)), ..Annotations::default() };
        let message = Arc::new(self.message(queue(DUE), number, annotations));
        let left = match self.host.random.below(3) {
            0 if !self.commit(&message)? => Some(0),
            0 => left,
            _ => {
                self.insist(|it| it.send(&message, true))?;
                left
            }
        };
        self.series.push(Series { due, again, left, expected: 0, seen: BTreeSet::new(), job: None });
        Ok(())
    }

    /// Whether the transaction was to be, and was, committed.
    fn commit(&mut self, message: &Arc<Message>) -> Result<bool, String> {
        self.names += 1;
        let (number, commits) = (self.names, self.host.random.percent(70));
        match self.transact(number, message, commits) {
            Ok(()) => Ok(commits),
            Err(Lost::Broken(what)) => Err(what),
            Err(Lost::Power) => {
                self.restart()?;
                self.insist(|it| it.was_committed(number))
            }
        }
    }

    fn message(&self, to: Arc<Destination>, number: u64, annotations: Annotations) -> Message {
        let id = MessageId { producer: PRODUCER.into(), sequence: number };
        let mut message = host::message(id, to, number, 50, self.host.now.wall);
        message.header.annotations = Some(Box::new(annotations));
        message
    }

    /// Time passes, sometimes more than a period or a minute.
    fn pass(&mut self) -> Result<(), String> {
        let longest = *self.host.random.pick(&[300, 2000, 5000, 90_000, 400_000]);
        let millis = 1 + self.host.random.below(longest);
        self.go_on(millis)
    }

    fn go_on(&mut self, millis: u64) -> Result<(), String> {
        if self.host.bug == Some(CalendarBug::MakesUpForMissed) {
            self.hurry(millis)?;
        } else {
            self.host.now.wall.0 += millis;
            self.host.now.mono.0 += millis;
        }
        self.insist(|it| it.host.tick())?;
        let now = self.host.now.wall.0;
        self.series.iter_mut().for_each(|series| series.pass(now));
        Ok(())
    }

    /// Some message that came shall not come any more.
    fn remove(&mut self) -> Result<(), String> {
        let known: Vec<usize> = (0..self.series.len()).filter(|at| self.series[*at].job.is_some()).collect();
        if known.is_empty() || self.host.random.percent(50) {
            return Ok(());
        }
        let at = *self.host.random.pick(&known);
        let job = self.series[at].job.take().expect("only those that have one are picked");
        self.insist(|it| it.remove_job(&job))?;
        self.series[at].left = Some(0);
        Ok(())
    }

    /// A consumer takes what is there.
    fn take(&mut self) -> Result<(), String> {
        let taken = match self.consume() {
            Ok(taken) => taken,
            Err(Lost::Broken(what)) => return Err(what),
            // Nothing was confirmed: it comes again, or not.
            Err(Lost::Power) => return self.restart(),
        };
        self.consumed.extend(taken);
        Ok(())
    }

    /// What came to the consumer is noted before it is settled.
    fn note(&mut self, message: &Message) -> Result<(), String> {
        let number = host::number_of(message);
        let id = &message.header.id;
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let known = at.and_then(|at| self.series.get_mut(at));
        let Some(series) = known else { return Err(format!("message {id} that nobody scheduled")) };
        if self.consumed.contains(id) {
            return Err(format!("occurrence {id} of message {number} comes after it was consumed"));
        }
        series.seen.insert(id.clone());
        let annotations = message.annotations();
        let job = annotations.and_then(|it| it.added.iter().find(|(name, _)| &**name == "scheduledJobId"));
        match job {
            Some((_, Value::Text(job))) if series.left != Some(0) => series.job = Some(job.clone()),
            Some((_, Value::Text(_))) => {}
            _ => return Err(format!("occurrence {id} of message {number} does not say what brought it")),
        }
        let (came, expected) = (series.seen.len() as u64, series.expected);
        if came > expected {
            return Err(format!("message {number} came {came} times by {}, not {expected}", self.host.now.wall.0));
        }
        Ok(())
    }

    /// What ends has ended, and everything has come.
    fn judge(&mut self) -> Result<(), String> {
        self.host.disk.plan_nothing();
        for _ in 0..8 {
            self.go_on(3000)?;
        }
        self.take()?;
        for (at, series) in self.series.iter().enumerate() {
            let (came, expected) = (series.seen.len() as u64, series.expected);
            if came != expected {
                return Err(format!("message {} came {came} times of {expected}", at + 1));
            }
        }
        Ok(())
    }
}
