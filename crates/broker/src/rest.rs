//! When time must pass for the broker again.
//!
//! The broker changes with its inputs alone, so what holds after one holds until the next: whoever ticks may leave out the
//! ticks that would do nothing, and begin again with the next input of any kind. What a tick does is one list
//! (`Broker::tick`), and here is the other, in the same order.

use crate::broker::Broker;
use ferrymq_model::WallTime;

/// Until when ticks do nothing, if nothing else happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// Something is under way, or waits for a moment of the clock that counts from the start.
    No,
    /// Something is due at this hour.
    Until(WallTime),
    /// Nothing waits for time to pass.
    Endless,
}

impl Broker {
    /// Until when ticks do nothing, if nothing else happens.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let Self { jobs, deadlines, unfinished, advisories, unmarked, work, pulling, .. } = self;
        let is_busy = jobs.is_browsed()
            || !deadlines.is_empty()
            || !unfinished.is_empty()
            || advisories.has_noted()
            || !unmarked.is_empty() && !self.failed
            || !work.is_empty()
            || !pulling.is_empty();
        if is_busy {
            return Rest::No;
        }
        let expires = self.expirations.first().map(|(at, _, _)| WallTime(*at));
        // Where the schedule is off, or the journal stopped, nothing of it leaves.
        let leaves = jobs.next_due().filter(|_| self.settings.schedule.enabled && !self.failed);
        match expires.into_iter().chain(leaves).min() {
            Some(at) => Rest::Until(at),
            None => Rest::Endless,
        }
    }
}
