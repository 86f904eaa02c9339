//! Producers wait while a place they send to is full: the broker's memory or a queue's. Topics stop nobody:
//! their subscriptions lose messages instead.
//!
//! A session that is told to wait has sent more already, and that is still taken. What many sessions have under way, or
//! one that comes back with a new connection for each message, has a limit too: beyond it sends are refused.

use crate::broker::{Broker, Place, Step, refusal};
use crate::router::Leaf;
use crate::session::Full;
use ferrymq_model::{Event, Refusal, RefusalKind, SessionId};

/// What a queue takes at most of what was under way when its producers were told to wait, in its limits.
const QUEUE_LIMITS_MAX: usize = 4;
/// The same for the broker's memory, in percent of its limit.
const BROKER_PERCENT_MAX: usize = 150;

/// Producers go on when memory has fallen to this part of its limit: a gap, so that they do not stop at every message.
const RESUME_PERCENT: usize = 70;

impl Broker {
    /// Whether a place may take one more message: refused far above the limit at which producers wait.
    #[inline]
    pub(crate) fn check_room(&self, leaves: &[Leaf]) -> Result<(), Refusal> {
        self.check_memory()?;
        for (place, _) in leaves {
            match place {
                Place::Queue(queue) => self.check_room_of(*queue)?,
                Place::Topic(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the broker may take one more message.
    #[inline]
    pub(crate) fn check_memory(&self) -> Result<(), Refusal> {
        if self.memory < self.settings.memory_limit_bytes / 100 * BROKER_PERCENT_MAX {
            return Ok(());
        }
        let text = "the broker's memory is full: nothing is taken until there is room";
        Err(refusal(RefusalKind::LimitReached, text))
    }

    /// Whether a queue may take one more message.
    #[inline]
    pub(crate) fn check_room_of(&self, queue: u32) -> Result<(), Refusal> {
        let limit = self.settings.destination_memory_limit_bytes.saturating_mul(QUEUE_LIMITS_MAX);
        if self.queues[queue].memory < limit {
            return Ok(());
        }
        let text = "the queue is full: nothing is taken until there is room";
        Err(refusal(RefusalKind::LimitReached, text))
    }

    /// Pauses a session if the place it sent to is full.
    pub(crate) fn pause_if_full(&mut self, session: SessionId, place: Place, step: &mut Step<'_>) {
        match place {
            Place::Queue(queue) => {
                if self.queues[queue].memory >= self.settings.destination_memory_limit_bytes {
                    self.pause(session, Full::Queue(queue), step);
                }
            }
            Place::Topic(_) => {}
        }
    }

    /// Pauses a session until a place has room.
    pub(crate) fn pause(&mut self, session: SessionId, full: Full, step: &mut Step<'_>) {
        let Some(state) = self.session_mut(session) else { return };
        if state.pauses.contains(&full) {
            return;
        }
        state.pauses.push(full);
        if state.pauses.len() == 1 {
            step.out.events.push((session, Event::Pause));
        }
        if let Full::Queue(queue) = full
            && self.queues[queue].paused.is_empty()
        {
            self.note_full(queue);
        }
        self.paused_at(full).push(session);
    }

    /// Lets the sessions go on that wait for a place, if it has room again.
    pub(crate) fn resume_if_free(&mut self, full: Full, step: &mut Step<'_>) {
        let (memory, limit) = match full {
            Full::Broker => (self.memory, self.settings.memory_limit_bytes),
            Full::Queue(queue) => (self.queues[queue].memory, self.settings.destination_memory_limit_bytes),
            Full::Schedule => (self.jobs.memory, self.settings.destination_memory_limit_bytes),
        };
        if memory <= limit / 100 * RESUME_PERCENT {
            self.resume(full, step);
        }
    }

    /// Lets the sessions go on that wait for a place.
    pub(crate) fn resume(&mut self, full: Full, step: &mut Step<'_>) {
        for session in std::mem::take(self.paused_at(full)) {
            let Some(state) = self.session_mut(session) else { continue };
            state.pauses.retain(|known| *known != full);
            if state.pauses.is_empty() {
                step.out.events.push((session, Event::Resume));
            }
        }
    }

    /// Forgets a session that waits for a place.
    pub(crate) fn forget_pause(&mut self, session: SessionId, full: Full) {
        self.paused_at(full).retain(|waiting| *waiting != session);
    }

    /// Gives memory of a queue back and lets its producers go on when there is enough.
    pub(crate) fn release_queue_memory(&mut self, queue: u32, bytes: usize, step: &mut Step<'_>) {
        self.memory -= bytes;
        let known = &mut self.queues[queue];
        known.memory -= bytes;
        if !known.paused.is_empty() {
            self.resume_if_free(Full::Queue(queue), step);
        }
        if !self.paused.is_empty() {
            self.resume_if_free(Full::Broker, step);
        }
    }

    fn paused_at(&mut self, full: Full) -> &mut Vec<SessionId> {
        match full {
            Full::Broker => &mut self.paused,
            Full::Queue(queue) => &mut self.queues[queue].paused,
            Full::Schedule => &mut self.jobs.paused,
        }
    }
}
