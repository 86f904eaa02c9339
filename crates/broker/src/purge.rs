//! Purging: every message of a queue that no consumer holds goes.

use crate::broker::{Broker, Place, Step, refusal};
use crate::queue::BANDS;
use ferrymq_model::{Destination, Event, RefusalKind, SessionId, Token};

impl Broker {
    /// Empties a queue.
    pub(crate) fn purge(&mut self, session: SessionId, destination: &Destination, token: Token, step: &mut Step<'_>) {
        let Some(Place::Queue(index)) = self.places.get(destination).copied() else {
            let refusal = refusal(RefusalKind::InvalidDestination, format!("{destination} is no queue that exists"));
            return self.refuse(session, Some(token), refusal, step);
        };
        let mut gone = Vec::with_capacity(self.queues[index].ready);
        for band in 0..BANDS {
            while let Some(position) = self.queues[index].bands[band].iter().position(crate::queue::Entry::is_live) {
                gone.push(self.take(index, band, position));
            }
        }
        gone.sort_unstable_by_key(|item| item.sequence);
        for item in &gone {
            self.leave(index, item, step);
        }
        self.record_work(true, Some(session), step);
        self.answer(session, Event::Purged { token, messages: gone.len() as u64 }, None, step);
    }
}
