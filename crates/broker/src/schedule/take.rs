//! A send with a schedule: to the schedule's store instead of its destination.

use super::{Job, job_id};
use crate::broker::{Broker, Step, refusal};
use crate::router::{Route, no_space};
use crate::session::Full;
use ferrymq_model::schedule::{Cron, SCHEDULED_ID};
use ferrymq_model::{Address, Destination, Message, Refusal, RefusalKind, Schedule, SessionId, Value, WallTime};
use ferrymq_storage::{Journal, Location, Lsn, Placement, Record, StoreDefinition, StoreId, Unit, Urgency};
use std::sync::Arc;

/// What the schedule takes at most of what was under way when its producers were told to wait, in its limits.
const LIMITS_MAX: usize = 4;

/// A job that a unit stores, before the index has it.
#[derive(Debug)]
pub(crate) struct NewJob {
    pub(super) number: u64,
    pub(super) sequence: u64,
    pub(super) stored: Location,
    pub(super) message: Arc<Message>,
}

/// A message's schedule.
pub(crate) fn schedule_of(message: &Message) -> Option<&Schedule> {
    message.annotations()?.schedule.as_deref()
}

impl Broker {
    /// Takes a scheduled message outside of transactions.
    pub(crate) fn schedule_send(
        &mut self,
        session: SessionId,
        message: &Arc<Message>,
        address: &Address,
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        self.check_schedule(message, address, step.journal)?;
        let prefix = self.jobs.prefix(step.journal);
        let mut unit = step.journal.begin();
        let jobs = self.store_jobs(message, address, &prefix, step.now.wall, &mut unit);
        let lsn = unit.commit(if awaited { Urgency::Awaited } else { Urgency::Lazy });
        self.note_lsn(session, lsn);
        if awaited {
            self.awaited = self.awaited.max(lsn);
        }
        self.index_jobs(jobs, lsn);
        self.pause_if_schedule_is_full(session, step);
        Ok(())
    }

    /// Whether a scheduled message may be taken.
    pub(crate) fn check_schedule(
        &mut self,
        message: &Message,
        address: &Address,
        journal: &Journal,
    ) -> Result<(), Refusal> {
        match self.resolve(address) {
            Route::One(_) | Route::Many(_) => {}
            Route::Refused(refusal) => return Err(*refusal),
            Route::Management => return Err(not_schedulable()),
        }
        let limits = &self.settings.schedule;
        let wish = schedule_of(message).expect("only scheduled messages are taken here");
        let limit = |text: String| Err(refusal(RefusalKind::LimitReached, text));
        if !limits.enabled {
            return Err(refusal(RefusalKind::Denied, "the scheduler is off: no scheduled message is taken"));
        }
        if u32::try_from(wish.repeat).is_ok_and(|repeat| repeat > limits.repeats_max) {
            let most = limits.repeats_max;
            return limit(format!("the scheduled repeat value is too large: {} of at most {most}", wish.repeat));
        }
        if wish.delay_ms.max(wish.period_ms) > limits.delay_ms_max {
            return limit(format!("a scheduled delay or period is at most {} ms", limits.delay_ms_max));
        }
        if self.jobs.len() + address.leaves.len() > limits.jobs_max {
            return limit(format!("the schedule has its limit of {} messages", limits.jobs_max));
        }
        if self.jobs.memory >= self.settings.destination_memory_limit_bytes.saturating_mul(LIMITS_MAX) {
            return limit("the schedule is full: nothing is taken until there is room".to_owned());
        }
        if self.failed {
            return Err(refusal(RefusalKind::StoreFailed, "the journal stopped: nothing more is made durable"));
        }
        if journal.is_short_of_space() { Err(no_space()) } else { Ok(()) }
    }

    /// Puts a scheduled message into the unit, as one job for each leaf.
    pub(crate) fn store_jobs(
        &mut self,
        message: &Message,
        address: &Address,
        prefix: &str,
        now: WallTime,
        unit: &mut Unit<'_>,
    ) -> Vec<NewJob> {
        let leaves = address.leaves.iter();
        leaves.map(|leaf| self.store_job(message, leaf, prefix, now, unit)).collect()
    }

    fn store_job(
        &mut self,
        message: &Message,
        leaf: &Arc<Destination>,
        prefix: &str,
        now: WallTime,
        unit: &mut Unit<'_>,
    ) -> NewJob {
        let store = self.define_schedule(unit);
        let sequence = self.jobs.take_sequence();
        let mut job = message.detached();
        job.header.destination = Arc::clone(leaf);
        let annotations = job.header.annotations.get_or_insert_default();
        let schedule = annotations.schedule.as_deref_mut().expect("only scheduled messages become jobs");
        schedule.due = first_due(schedule, now);
        annotations.added.retain(|(name, _)| **name != *SCHEDULED_ID);
        annotations.added.push((Arc::from(SCHEDULED_ID), Value::Text(job_id(prefix, sequence))));
        let stored = unit.store(&job, &[Placement { store, sequence }]);
        NewJob { number: sequence, sequence, stored, message: Arc::new(job) }
    }

    /// The number of the schedule in the journal, defining it there if it is new to it.
    pub(super) fn define_schedule(&mut self, unit: &mut Unit<'_>) -> StoreId {
        if let Some(store) = self.jobs.store {
            return store;
        }
        let store = StoreId(self.next_store);
        self.next_store += 1;
        self.jobs.store = Some(store);
        let definition = StoreDefinition::Schedule;
        unit.add(&Record::Define { store, definition, next_sequence: self.jobs.next_sequence.max(1), delivered: 0 });
        store
    }

    /// Puts jobs that a producer sent into the index.
    pub(crate) fn index_jobs(&mut self, jobs: Vec<NewJob>, lsn: Lsn) {
        self.jobs.taken += jobs.len() as u64;
        for job in jobs {
            self.index_job(job, lsn);
        }
    }

    /// Puts a job into the index that the record stores.
    pub(super) fn index_job(&mut self, new: NewJob, lsn: Lsn) {
        let NewJob { number, sequence, stored, message } = new;
        let due = schedule_of(&message).expect("a job has a schedule").due;
        let size = u32::try_from(message.retained_size()).unwrap_or(u32::MAX);
        let job = Job { sequence, stored, lsn, message: Some(message), size };
        self.memory += job.resident();
        self.jobs.insert((due.0, number), job);
        self.plan_job_page_out((due.0, number), lsn);
    }

    /// Pauses a session that fills the schedule.
    pub(crate) fn pause_if_schedule_is_full(&mut self, session: SessionId, step: &mut Step<'_>) {
        if self.jobs.memory >= self.settings.destination_memory_limit_bytes {
            self.pause(session, Full::Schedule, step);
        }
    }
}

/// The answer to a scheduled message for the topic that manages the schedule.
pub(super) fn not_schedulable() -> Refusal {
    refusal(RefusalKind::InvalidDestination, "what is sent to the management topic cannot be scheduled")
}

/// When a schedule that begins now is due for the first time.
pub(super) fn first_due(schedule: &Schedule, now: WallTime) -> WallTime {
    match next_start(schedule, now) {
        Some(start) => start,
        None => WallTime(now.0.saturating_add(schedule.first_ms())),
    }
}

/// The next start by the calendar, if the schedule has one.
pub(super) fn next_start(schedule: &Schedule, now: WallTime) -> Option<WallTime> {
    // Sessions let only calendars pass that can be read. One that a restart finds unreadable has no further start.
    schedule.cron.as_deref().and_then(|cron| Cron::parse(cron).ok()).and_then(|cron| cron.next(now))
}
