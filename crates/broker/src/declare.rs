//! Destinations that clients make and delete themselves.

use crate::broker::{Broker, Place, Step, journal_stopped, refusal};
use crate::session::Full;
use crate::subscription::Source;
use ferrymq_model::{Destination, Refusal, RefusalKind, SessionId, Token};
use ferrymq_storage::Urgency;
use std::sync::Arc;

impl Broker {
    /// Makes a queue or topic. A queue is there again after a restart.
    pub(crate) fn create_destination(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let made = match check_declared(destination).and_then(|()| self.find_or_make(destination)) {
            Ok(Place::Topic(_)) => Ok(()),
            Ok(Place::Queue(queue)) => self.record_queue(session, queue, confirm.is_some(), step),
            Err(refusal) => Err(refusal),
        };
        match made {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(()) => self.confirm(session, confirm, step),
        }
    }

    /// Lets a queue be there again after a restart, whether it ever stored a message or not.
    pub(crate) fn record_queue(
        &mut self,
        session: SessionId,
        queue: u32,
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        if self.queues[queue].store.is_some() {
            self.await_definition(session, queue, awaited);
            return Ok(());
        }
        if self.failed {
            return Err(journal_stopped());
        }
        let mut unit = step.journal.begin();
        self.define(queue, &mut unit);
        let lsn = unit.commit(if awaited { Urgency::Awaited } else { Urgency::Lazy });
        self.queues[queue].defined = lsn;
        self.note_lsn(session, lsn);
        if awaited {
            self.awaited = self.awaited.max(lsn);
        }
        Ok(())
    }

    /// Deletes a queue or topic with all it holds. One that does not exist is gone already.
    pub(crate) fn delete_destination(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let known = self.places.get(&**destination).copied().filter(|_| !destination.kind.is_temporary());
        // A group of many virtual topics has a queue whose name is a pattern.
        let declared = if known.is_some() { Ok(()) } else { check_declared(destination) };
        let checked = declared.and_then(|()| match known {
            None => Ok(None),
            Some(place) if self.is_subscribed(place) => {
                let text = format!("Destination still has an active subscription: {destination}");
                Err(refusal(RefusalKind::DurableInUse, text))
            }
            Some(Place::Queue(_)) if self.failed => Err(journal_stopped()),
            Some(place) => Ok(Some(place)),
        });
        match checked {
            Err(refusal) => return self.refuse(session, confirm, refusal, step),
            Ok(None) => {}
            Ok(Some(place)) => {
                self.places.remove(&**destination);
                self.remove_place(destination, place, step);
                self.record_work(confirm.is_some(), Some(session), step);
            }
        }
        self.confirm(session, confirm, step);
    }

    fn is_subscribed(&self, place: Place) -> bool {
        match place {
            Place::Queue(queue) => !self.queues[queue].consumers.is_empty() || self.is_locked(queue),
            Place::Topic(topic) => {
                !self.topics[topic].subscribers.is_empty() || !self.topics[topic].durables.is_empty()
            }
        }
    }

    /// Takes away what stood behind a name, which is forgotten already. Nobody subscribes to it any more.
    pub(crate) fn remove_place(&mut self, destination: &Arc<Destination>, place: Place, step: &mut Step<'_>) {
        self.routes_version += 1;
        let owner = match place {
            Place::Queue(queue) => self.queues[queue].owner,
            Place::Topic(topic) => self.topics[topic].owner,
        };
        self.note_destination(destination, owner, false);
        match place {
            Place::Queue(queue) => {
                self.resume(Full::Queue(queue), step);
                let browsing = self.stop_browsing(queue);
                self.remove_queue(queue);
                for browser in browsing {
                    self.browse_on(browser, step);
                }
            }
            Place::Topic(topic) => {
                if self.topics[topic].memory > 0 {
                    self.forget_source(Source::Topic(topic));
                }
                self.forget_history(topic);
                self.topics.remove(topic);
            }
        }
    }

    /// Takes a queue out of what browsers still have to read, and names those browsers.
    fn stop_browsing(&mut self, queue: u32) -> Vec<u32> {
        let key = self.queues.key(queue);
        let mut browsing = Vec::new();
        for index in 0..self.subscriptions.capacity() {
            if self.subscriptions.get(index).is_none() {
                continue;
            }
            if let Some(browse) = &mut self.subscriptions[index].browse
                && browse.forget(key)
            {
                browsing.push(index);
            }
        }
        browsing
    }
}

fn check_declared(destination: &Destination) -> Result<(), Refusal> {
    if !destination.kind.is_temporary() && !destination.is_pattern() {
        return Ok(());
    }
    let text = format!("{destination} is no queue or topic that can be made or deleted");
    Err(refusal(RefusalKind::InvalidDestination, text))
}
