//! Recovery of the schedule from the journal's records.

use super::take::schedule_of;
use super::{DueKey, Job, Restoring};
use crate::broker::Broker;
use ferrymq_model::schedule::SCHEDULED_ID;
use ferrymq_model::{Message, Value};
use ferrymq_storage::{Location, Lsn, StoreId};
use std::sync::Arc;

impl Broker {
    /// The schedule has this number in the journal.
    pub(crate) fn restore_schedule(&mut self, store: StoreId, next_sequence: u64) {
        assert!(self.jobs.store.is_none_or(|known| known == store), "the schedule is defined under two numbers");
        self.jobs.store = Some(store);
        self.jobs.next_sequence = self.jobs.next_sequence.max(next_sequence);
    }

    /// A message waited for its time.
    pub(crate) fn restore_job(
        &mut self,
        message: &Arc<Message>,
        sequence: u64,
        at: Location,
        released: &mut Vec<Location>,
    ) {
        let Some(key) = key_of(message, sequence) else {
            // No version writes a job without schedule and id.
            released.push(at);
            return;
        };
        let size = u32::try_from(message.retained_size()).unwrap_or(u32::MAX);
        let kept = (!self.is_paging_jobs()).then(|| Arc::clone(message));
        let job = Job { sequence, stored: at, lsn: Lsn(0), message: kept, size };
        // A unit stores the next occurrence before it removes the last one, which may be due at the same time.
        if let Some(&due) = self.jobs.due_of.get(&key.1) {
            let last = self.jobs.remove((due, key.1)).expect("its time was known");
            self.memory -= last.resident();
            // It leaves by the record that removes it: that one must not go before the message that it removes.
            self.jobs.restoring.insert(last.sequence, Restoring::Followed(last.stored));
        }
        self.memory += job.resident();
        self.jobs.next_sequence = self.jobs.next_sequence.max(sequence + 1);
        self.jobs.restoring.insert(sequence, Restoring::Waiting(key));
        self.jobs.insert(key, job);
    }

    /// Messages left the schedule.
    pub(crate) fn restore_jobs_removed(&mut self, first: u64, last: u64, released: &mut Vec<Location>) {
        while let Some((&sequence, &restoring)) = self.jobs.restoring.range(first..=last).next() {
            self.jobs.restoring.remove(&sequence);
            released.push(match restoring {
                Restoring::Waiting(key) => self.take_job(key).stored,
                Restoring::Followed(at) => at,
            });
        }
    }

    /// Recovery is over.
    pub(crate) fn restored_schedule(&mut self) {
        self.jobs.restoring.clear();
    }
}

/// When a stored job is due, and its number: the end of its id.
fn key_of(message: &Message, sequence: u64) -> Option<DueKey> {
    let schedule = schedule_of(message)?;
    let (_, id) = message.annotations()?.added.iter().find(|(name, _)| **name == *SCHEDULED_ID)?;
    let Value::Text(id) = id else { return None };
    let number = id.rsplit_once(':').and_then(|(_, number)| number.parse().ok())?;
    (number <= sequence).then_some((schedule.due.0, number))
}
