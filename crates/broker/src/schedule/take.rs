//! A send with a schedule: to the schedule's store instead of its destination.

use super::manage::{check_management, is_management};
use super::{Job, job_id};
use crate::broker::{Broker, Step, refusal};
use crate::router::{Planned, Route};
use crate::session::Full;
use ferrymq_model::schedule::{Cron, SCHEDULED_ID};
use ferrymq_model::{Address, Destination, Message, Refusal, RefusalKind, Schedule, SessionId, Value, WallTime};
use ferrymq_storage::{Journal, Location, Lsn, Placement, Record, StoreDefinition, StoreId, Unit};
use std::sync::Arc;

/// What the schedule takes at most of what was under way when its producers were told to wait, in its limits.
const LIMITS_MAX: usize = 4;

/// A job that a unit stores, before the index has it.
#[derive(Clone, Debug)]
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
    /// Whether a message does not go to its destinations now.
    pub(crate) fn is_for_schedule(&self, message: &Message, address: &Address) -> bool {
        schedule_of(message).is_some() || self.manages_schedule(address)
    }

    /// Whether what is sent to this address manages the schedule.
    pub(crate) fn manages_schedule(&self, address: &Address) -> bool {
        self.settings.schedule.enabled && address.leaves.first().is_some_and(|leaf| is_management(leaf))
    }

    /// Takes what is for the schedule, outside of transactions.
    pub(crate) fn send_to_schedule(
        &mut self,
        session: SessionId,
        message: &Message,
        address: &Address,
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        if self.manages_schedule(address) {
            return self.manage_schedule(session, message, step);
        }
        for message in self.for_schedule(message, address, step.now.wall, step.journal)? {
            self.publish(session, &message, &[], awaited, step)?;
        }
        self.pause_if_schedule_is_full(session, step);
        Ok(())
    }

    /// The messages to publish to no leaf, so that the schedule takes them: one for each leaf of the address, with the
    /// time when it is due. What manages the schedule stays one.
    pub(crate) fn for_schedule(
        &mut self,
        message: &Message,
        address: &Address,
        now: WallTime,
        journal: &Journal,
    ) -> Result<Vec<Arc<Message>>, Refusal> {
        match self.resolve(address) {
            Route::Refused(refusal) => return Err(*refusal),
            Route::Management => {
                check_management(message)?;
                return Ok(vec![Arc::new(message.clone())]);
            }
            Route::One(_) | Route::Many(_) => {}
        }
        self.check_schedule(message, address.leaves.len(), journal)?;
        self.jobs.prefix(journal);
        let of_leaf = |leaf: &Arc<Destination>| {
            let mut later = message.detached();
            later.header.destination = Arc::clone(leaf);
            if let Some(schedule) = later.header.annotations.get_or_insert_default().schedule.as_deref_mut() {
                schedule.due = first_due(schedule, now);
            }
            Arc::new(later)
        };
        Ok(address.leaves.iter().map(of_leaf).collect())
    }

    /// Whether a scheduled message for so many destinations may be taken.
    fn check_schedule(&self, message: &Message, leaves: usize, journal: &Journal) -> Result<(), Refusal> {
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
        if self.jobs.len() + leaves > limits.jobs_max {
            return limit(format!("the schedule has its limit of {} messages", limits.jobs_max));
        }
        if self.jobs.memory >= self.settings.destination_memory_limit_bytes.saturating_mul(LIMITS_MAX) {
            return limit("the schedule is full: nothing is taken until there is room".to_owned());
        }
        self.check_journal(journal)
    }

    /// Puts a message into the unit as a job.
    pub(crate) fn store_job(&mut self, message: &Message, unit: &mut Unit<'_>) -> NewJob {
        let store = self.define_schedule(unit);
        let sequence = self.jobs.take_sequence();
        let prefix = self.jobs.prefix.as_deref().expect("whoever asked whether it may be taken made the prefix");
        let mut job = message.clone();
        let annotations = job.header.annotations.get_or_insert_default();
        annotations.added.retain(|(name, _)| **name != *SCHEDULED_ID);
        annotations.added.push((Arc::from(SCHEDULED_ID), Value::Text(job_id(prefix, sequence))));
        let stored = self.put(&job, &[Placement { store, sequence }], unit);
        NewJob { number: sequence, sequence, stored, message: Arc::new(job) }
    }

    /// Carries a message that was published to no leaf.
    pub(crate) fn carry_to_schedule(
        &mut self,
        session: SessionId,
        message: &Message,
        planned: &Planned,
        lsn: Lsn,
        step: &mut Step<'_>,
    ) {
        if let Some(job) = &planned.job {
            self.jobs.taken += 1;
            self.index_job(job.clone(), lsn);
        } else if is_management(&message.header.destination) {
            // What can be refused was refused before, but for what only the first of several finds room for.
            if let Err(refusal) = self.manage_schedule(session, message, step) {
                self.refuse(session, None, refusal, step);
            }
        }
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
