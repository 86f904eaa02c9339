//! Producers wait while a place they send to is full: the broker's memory or a queue's. Topics stop nobody:
//! their subscriptions lose messages instead.
//!
//! How long they wait may be limited, to nothing at all (Classic: `sendFailIfNoSpace`, `sendFailIfNoSpaceAfterTimeout`).
//! Then what they send is refused until there is room. Where memory is full of what leaves it as soon as it is durable,
//! they wait in any case: that is a matter of one sync.
//!
//! A session that is told to wait has sent more already, and that is still taken. What many sessions have under way, or
//! one that comes back with a new connection for each message, has a limit too: beyond it sends are refused.

use crate::broker::{Broker, Place, Step, refusal};
use crate::queue::Role;
use crate::router::{Leaf, Route};
use crate::schedule::schedule_of;
use crate::session::Full;
use ferrymq_model::{Event, Message, MonoTime, ProducerId, Refusal, RefusalKind, SessionId};

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

    /// Whether a place that a message goes to is full, and the time over that producers wait for it. Asked for each send:
    /// costs nothing where they wait as long as it takes. What a transaction holds its commit takes in any case.
    pub(crate) fn check_refusing(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        message: &Message,
    ) -> Result<(), Refusal> {
        if self.settings.producer_wait_ms_max.is_none() || schedule_of(message).is_some() {
            return Ok(());
        }
        let known = self.asking(session).producers.get(&producer.0);
        let places: Vec<Place> = match known.map(|known| &known.route) {
            Some(Route::One(place)) => vec![*place],
            Some(Route::Many(leaves)) => leaves.iter().map(|(place, _)| *place).collect(),
            Some(Route::Refused(_) | Route::Management) | None => return Ok(()),
        };
        let queues = places.into_iter().filter_map(|place| match place {
            Place::Queue(queue) => Some(Full::Queue(queue)),
            Place::Topic(_) => None,
        });
        for full in queues.chain([Full::Broker]) {
            let refused_before = *self.refusing(full);
            if self.is_refused_at(full) {
                if !refused_before {
                    self.note_if_full(full);
                    self.note_fast_producer(session, producer, full);
                }
                return Err(self.full(full));
            }
        }
        Ok(())
    }

    fn is_refused_at(&mut self, full: Full) -> bool {
        let waits = self.settings.producer_wait_ms_max != Some(0);
        if !self.is_full(full) {
            *self.refusing(full) = false;
        } else if !waits && !self.is_emptying(full) {
            *self.refusing(full) = true;
        }
        *self.refusing(full)
    }

    fn full(&self, full: Full) -> Refusal {
        // The words that people look for who know ActiveMQ.
        let text = match full {
            Full::Queue(queue) => match &self.queues[queue].role {
                Role::Queue(destination) => format!("Usage Manager Memory Limit reached on {destination}"),
                Role::Durable(_) => unreachable!("nobody sends to a durable subscription"),
            },
            Full::Broker | Full::Schedule => "Usage Manager Memory Limit reached".to_owned(),
        };
        refusal(RefusalKind::LimitReached, text)
    }

    /// Ends the waits that took long enough: those who waited go on, and are refused.
    pub(crate) fn end_waits(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now).count();
        for (deadline, full) in self.deadlines.drain(..due).collect::<Vec<_>>() {
            if self.is_emptying(full) {
                // With the next sync.
                self.deadlines.push_front((deadline, full));
                continue;
            }
            if self.is_full(full) {
                *self.refusing(full) = true;
            }
            self.resume(full, step);
        }
    }

    /// Whether sessions wait for a place.
    pub(crate) fn is_waited_for(&self, full: Full) -> bool {
        match full {
            Full::Broker => !self.paused.is_empty(),
            Full::Queue(queue) => !self.queues[queue].paused.is_empty(),
            Full::Schedule => !self.jobs.paused.is_empty(),
        }
    }

    /// Whether a limit is reached.
    fn is_full(&self, full: Full) -> bool {
        let (memory, limit) = self.memory_of(full);
        memory >= limit
    }

    /// Whether messages leave a full place as soon as they are durable.
    fn is_emptying(&self, full: Full) -> bool {
        match full {
            Full::Broker => !self.page_out.is_empty(),
            Full::Queue(queue) => self.queues[queue].leaving > 0,
            Full::Schedule => true,
        }
    }

    fn refusing(&mut self, full: Full) -> &mut bool {
        match full {
            Full::Broker => &mut self.refuses,
            Full::Queue(queue) => &mut self.queues[queue].refuses,
            Full::Schedule => unreachable!("what waits for its time is durable: nobody is refused for its memory"),
        }
    }

    fn note_if_full(&mut self, full: Full) {
        match full {
            Full::Queue(queue) => self.note_full(queue),
            Full::Broker | Full::Schedule => {}
        }
    }

    /// Pauses a session if the place it sent to is full. Whether that is new.
    pub(crate) fn pause_if_full(&mut self, session: SessionId, place: Place, step: &mut Step<'_>) -> bool {
        match place {
            Place::Queue(queue) => {
                let is_full = self.queues[queue].memory >= self.settings.destination_memory_limit_bytes;
                is_full && self.pause(session, Full::Queue(queue), step)
            }
            Place::Topic(_) => false,
        }
    }

    /// Pauses a session until a place has room. False: it is paused for that already, or refused instead.
    pub(crate) fn pause(&mut self, session: SessionId, full: Full, step: &mut Step<'_>) -> bool {
        let wait_ms = self.settings.producer_wait_ms_max.filter(|_| full != Full::Schedule);
        if wait_ms.is_some() && (*self.refusing(full) || wait_ms == Some(0) && !self.is_emptying(full)) {
            return false;
        }
        let Some(state) = self.session_mut(session) else { return false };
        if state.pauses.contains(&full) {
            return false;
        }
        state.pauses.push(full);
        if state.pauses.len() == 1 {
            step.out.events.push((session, Event::Pause));
        }
        if self.paused_at(full).is_empty() {
            self.note_if_full(full);
            if let Some(wait_ms) = wait_ms {
                self.deadlines.push_back((MonoTime(step.now.mono.0 + wait_ms), full));
            }
        }
        self.paused_at(full).push(session);
        true
    }

    /// Lets the sessions go on that wait for a place, if it has room again.
    pub(crate) fn resume_if_free(&mut self, full: Full, step: &mut Step<'_>) {
        if self.is_free(full) {
            self.resume(full, step);
        }
    }

    /// Whether a place has so much room that producers go on.
    pub(crate) fn is_free(&self, full: Full) -> bool {
        let (memory, limit) = self.memory_of(full);
        memory <= limit / 100 * RESUME_PERCENT
    }

    /// What a place holds, and its limit. Bytes.
    fn memory_of(&self, full: Full) -> (usize, usize) {
        match full {
            Full::Broker => (self.memory, self.settings.memory_limit_bytes),
            Full::Queue(queue) => (self.queues[queue].memory, self.settings.destination_memory_limit_bytes),
            Full::Schedule => (self.jobs.memory, self.settings.destination_memory_limit_bytes),
        }
    }

    /// Lets the sessions go on that wait for a place.
    pub(crate) fn resume(&mut self, full: Full, step: &mut Step<'_>) {
        self.deadlines.retain(|(_, waiting)| *waiting != full);
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
        if self.paused_at(full).is_empty() {
            self.deadlines.retain(|(_, waiting)| *waiting != full);
        }
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
