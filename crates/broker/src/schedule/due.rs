//! What happens when a job is due: in one unit its message goes to its destination, its next occurrence into the
//! schedule, and itself out of it.

use super::take::{next_start, not_schedulable, schedule_of};
use super::{DueKey, Job, NOBODY, NewJob, job_id};
use crate::broker::{Broker, Place, Step};
use crate::queue::{Item, band_of};
use crate::router::{Leaf, Planned, Route};
use ferrymq_model::schedule::SCHEDULED_ID;
use ferrymq_model::{Address, Message, MessageId, Refusal, Schedule, Value, WallTime};
use ferrymq_storage::{Placement, Record, Unit, Urgency};
use std::sync::Arc;

/// Jobs that one step brings to their destinations: bounds how long it takes. The rest goes on when these are durable.
const DUE_PER_STEP_MAX: usize = 512;
/// Destinations that are remembered to have got something since the last flush; others that are full are tried later.
const FILLED_MAX: usize = 64;
/// A job whose destination has no room is tried again after so long. Milliseconds.
const POSTPONED_MS: u64 = 500;

/// What a job becomes now that it is due.
struct Turn {
    /// What goes to the destination.
    occurrence: Option<Arc<Message>>,
    /// The job, for the next time.
    again: Option<Message>,
    /// A series that starts now by the calendar.
    series: Option<Message>,
}

/// What became of a job that is due.
enum Brought {
    /// It left, or waits for a later time.
    Passed,
    /// Its destination is full of what was just brought, until that is durable and leaves memory.
    Full,
}

impl Broker {
    /// Goes on after a flush: destinations may have room now.
    pub(crate) fn bring_on(&mut self, step: &mut Step<'_>) {
        self.jobs.filled.clear();
        if self.jobs.has_due(step.now.wall) {
            self.bring_due(step);
        }
    }

    /// Brings what is due to its destinations, as much as a step may.
    pub(crate) fn bring_due(&mut self, step: &mut Step<'_>) {
        for _ in 0..DUE_PER_STEP_MAX {
            // Nothing leaves that could not be stored where it goes.
            if !self.settings.schedule.enabled
                || self.failed
                || step.journal.is_short_of_space()
                || !self.jobs.has_due(step.now.wall)
            {
                return;
            }
            let (&key, job) = self.jobs.index.first_key_value().expect("something is due");
            let Some(message) = job.message.clone() else {
                self.fetch_due_jobs(step);
                return;
            };
            match self.bring(key, &message, step) {
                Brought::Passed => {}
                Brought::Full => return,
            }
        }
    }

    fn bring(&mut self, key: DueKey, message: &Arc<Message>, step: &mut Step<'_>) -> Brought {
        let prefix = self.jobs.prefix(step.journal);
        let sequence = self.jobs.index[&key].sequence;
        let turn = turn(message, key.1, sequence, &prefix, step.now.wall);
        let route = match &turn.occurrence {
            None => Ok(Vec::new()),
            Some(occurrence) => self.route_due(occurrence),
        };
        let leaves = match route {
            Ok(leaves) if !self.has_room_for_due(&leaves) => {
                if leaves.iter().any(|(place, _)| self.jobs.filled.contains(place)) {
                    return Brought::Full;
                }
                self.postpone(key, step.now.wall);
                return Brought::Passed;
            }
            Ok(leaves) => leaves,
            Err(refusal) => {
                // Nobody can be told any more: it is kept for a person, as other messages that cannot be delivered.
                if let Some(occurrence) = &turn.occurrence {
                    let band = band_of(occurrence.header.priority, self.settings.prioritized);
                    self.bury(&Item::new(Arc::clone(occurrence), band), &refusal.text);
                }
                Vec::new()
            }
        };
        for (place, _) in &leaves {
            if !self.jobs.filled.contains(place) && self.jobs.filled.len() < FILLED_MAX {
                self.jobs.filled.push(*place);
            }
        }
        self.move_due(key, &turn, &leaves, &prefix, step);
        Brought::Passed
    }

    /// What the broker sends waits where producers would be told to wait.
    pub(super) fn has_room_for_due(&self, leaves: &[Leaf]) -> bool {
        let limit = self.settings.destination_memory_limit_bytes;
        let has_room = |place: &Place| match *place {
            Place::Queue(queue) => self.queues[queue].memory < limit,
            Place::Topic(_) => true,
        };
        self.memory < self.settings.memory_limit_bytes && leaves.iter().all(|(place, _)| has_room(place))
    }

    fn route_due(&mut self, occurrence: &Message) -> Result<Vec<Leaf>, Refusal> {
        let leaf = Arc::clone(&occurrence.header.destination);
        match self.resolve(&Address { leaves: vec![leaf] }) {
            Route::One(place) => Ok(vec![(place, None)]),
            Route::Many(leaves) => Ok(leaves.to_vec()),
            Route::Refused(refusal) => Err(*refusal),
            Route::Management => Err(not_schedulable()),
        }
    }

    /// The unit.
    fn move_due(&mut self, key: DueKey, turn: &Turn, leaves: &[Leaf], prefix: &str, step: &mut Step<'_>) {
        let mut journal = Some(&mut *step.journal);
        let mut unit = None;
        let mut planned = Planned::nothing();
        if let Some(occurrence) = turn.occurrence.as_ref().filter(|_| !leaves.is_empty()) {
            match self.plan_in(NOBODY, occurrence, leaves, &mut unit, &mut journal) {
                Ok(plan) => planned = plan,
                // The journal cannot take it, which was asked before: whatever changed, the job stays.
                Err(_) => return self.postpone(key, step.now.wall),
            }
        }
        if let Some(journal) = journal.take() {
            unit = Some(journal.begin());
        }
        let mut unit = unit.expect("it was begun here or for the message");
        let placed = self.write_work(&mut unit);
        let again = turn.again.as_ref().map(|message| self.store_again(message, key.1, &mut unit));
        let series = turn.series.as_ref().map(|message| self.store_series(message, prefix, &mut unit));
        let job = self.take_job(key);
        let store = self.jobs.store.expect("the schedule is defined where it has jobs");
        unit.add(&Record::Remove { store, first: job.sequence, last: job.sequence });
        let lsn = unit.commit(Urgency::Awaited);
        step.journal.released(job.stored);
        self.awaited = self.awaited.max(lsn);
        for new in again.into_iter().chain(series) {
            self.index_job(new, lsn);
        }
        self.resume_schedule(step);
        if let Some(occurrence) = &turn.occurrence {
            self.jobs.left += 1;
            self.carry(NOBODY, occurrence, leaves, &planned, (lsn, true), step);
        }
        self.finish_work(placed, lsn, true, step);
    }

    fn store_again(&mut self, message: &Message, number: u64, unit: &mut Unit<'_>) -> NewJob {
        let store = self.define_schedule(unit);
        let sequence = self.jobs.take_sequence();
        let stored = unit.store(message, &[Placement { store, sequence }]);
        NewJob { number, sequence, stored, message: Arc::new(message.clone()) }
    }

    /// A series is a job of its own, with an id of its own.
    fn store_series(&mut self, message: &Message, prefix: &str, unit: &mut Unit<'_>) -> NewJob {
        let number = self.jobs.next_sequence;
        let mut series = message.clone();
        series.header.id = MessageId { producer: occurrence_producer(prefix, number), sequence: 0 };
        let annotations = series.header.annotations.get_or_insert_default();
        annotations.added.retain(|(name, _)| **name != *SCHEDULED_ID);
        annotations.added.push((Arc::from(SCHEDULED_ID), Value::Text(job_id(prefix, number))));
        self.store_again(&series, number, unit)
    }

    /// Takes a job out of the index, and its memory.
    pub(super) fn take_job(&mut self, key: DueKey) -> Job {
        let job = self.jobs.remove(key).expect("a key in the index names a job");
        self.memory -= job.resident();
        job
    }

    /// Tries a job again later. The journal need not know: a restart may try at once.
    pub(super) fn postpone(&mut self, key: DueKey, now: WallTime) {
        let job = self.jobs.remove(key).expect("a key in the index names a job");
        self.jobs.insert((now.0.saturating_add(POSTPONED_MS), key.1), job);
    }
}

/// What a job becomes at `now`.
fn turn(message: &Arc<Message>, number: u64, sequence: u64, prefix: &str, now: WallTime) -> Turn {
    let schedule = schedule_of(message).expect("a job has a schedule");
    if schedule.cron.is_some() {
        let again = next_start(schedule, now).map(|due| with_schedule(message, Schedule { due, ..schedule.clone() }));
        if schedule.has_series() {
            let due = later(schedule.due, schedule.first_ms(), now);
            let series = Schedule { cron: None, due, ..schedule.clone() };
            return Turn { occurrence: None, again, series: Some(with_schedule(message, series)) };
        }
        let occurrence = Some(occurrence(message, schedule, Some(new_id(prefix, number, sequence)), now));
        return Turn { occurrence, again, series: None };
    }
    let again = (schedule.repeat != 0).then(|| {
        let repeat = if schedule.repeat > 0 { schedule.repeat - 1 } else { schedule.repeat };
        let due = later(schedule.due, schedule.interval_ms(), now);
        with_schedule(message, Schedule { repeat, due, ..schedule.clone() })
    });
    // What comes once keeps the id that its producer knows.
    let is_single = schedule.repeat == 0 && sequence == number;
    let id = if is_single { None } else { Some(new_id(prefix, number, sequence)) };
    Turn { occurrence: Some(occurrence(message, schedule, id, now)), again, series: None }
}

/// The next time after `due`. What was missed meanwhile is not made up for.
fn later(due: WallTime, interval_ms: u64, now: WallTime) -> WallTime {
    let next = due.0.saturating_add(interval_ms);
    WallTime(if next > now.0 { next } else { now.0.saturating_add(interval_ms) })
}

fn with_schedule(message: &Message, schedule: Schedule) -> Message {
    let mut again = message.clone();
    again.header.annotations.get_or_insert_default().schedule = Some(Box::new(schedule));
    again
}

fn new_id(prefix: &str, number: u64, sequence: u64) -> MessageId {
    MessageId { producer: occurrence_producer(prefix, number), sequence }
}

fn occurrence_producer(prefix: &str, number: u64) -> Arc<str> {
    Arc::from(format!("{prefix}:1:{number}"))
}

/// The message as it goes to its destination.
fn occurrence(message: &Message, schedule: &Schedule, id: Option<MessageId>, now: WallTime) -> Arc<Message> {
    let mut due = message.clone();
    if let Some(id) = id {
        due.header.id = id;
    }
    due.header.annotations.get_or_insert_default().schedule = None;
    let sent = due.header.timestamp;
    if let (Some(expiration), false) = (due.header.expiration, schedule.is_delivery_delay) {
        // Its time to live starts now (apache/activemq, `SchedulerBroker.scheduledJob`).
        let shifted = now.0.saturating_add(expiration.0.saturating_sub(sent.0));
        if sent.0 > 0 && shifted > expiration.0 && expiration > sent {
            due.header.expiration = Some(WallTime(shifted));
            due.header.timestamp = now;
        }
    }
    Arc::new(due)
}
