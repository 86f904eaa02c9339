//! The one owner of the broker's state.

use ferrymq_model::{Event, Message, Now, Request, SessionId};
use ferrymq_storage::{Journal, Location, Lsn, Placement, Record};
use std::sync::Arc;

/// What may be set. Defaults are those of `ferrymq.toml`.
#[derive(Clone, Debug, Default)]
pub struct Settings {}

/// What came out of a step.
#[derive(Debug, Default)]
pub struct Effects {
    /// For sessions, in order.
    pub events: Vec<(SessionId, Event)>,
    /// Messages to read back from the journal.
    pub fetches: Vec<Fetch>,
}

/// A wish to have a stored message back in memory. Answered by `Broker::fetched`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Where it stands.
    pub placement: Placement,
    /// Where it lies.
    pub at: Location,
}

/// The broker.
#[derive(Debug)]
pub struct Broker {}

impl Broker {
    /// An empty broker.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let _ = settings;
        Self {}
    }

    /// Recovery: takes a record. Messages in `released` left their store by it.
    pub fn restore(&mut self, record: Record, at: Location, released: &mut Vec<Location>) {
        let _ = (record, at, released);
        todo!()
    }

    /// Carries out one request.
    pub fn handle(&mut self, now: Now, session: SessionId, request: Request, journal: &mut Journal, out: &mut Effects) {
        let _ = (now, session, request, journal, out);
        todo!()
    }

    /// Records up to `lsn` are durable.
    pub fn flushed(&mut self, now: Now, lsn: Lsn, journal: &mut Journal, out: &mut Effects) {
        let _ = (now, lsn, journal, out);
        todo!()
    }

    /// A message is back; an error means that it cannot be read, in words for the log.
    pub fn fetched(
        &mut self,
        now: Now,
        fetch: Fetch,
        message: Result<Arc<Message>, String>,
        journal: &mut Journal,
        out: &mut Effects,
    ) {
        let _ = (now, fetch, message, journal, out);
        todo!()
    }

    /// Time passed: expiry and delays.
    pub fn tick(&mut self, now: Now, journal: &mut Journal, out: &mut Effects) {
        let _ = (now, journal, out);
        todo!()
    }

    /// Recovery ended.
    pub fn restored(&mut self, now: Now) {
        let _ = now;
        todo!()
    }

    /// The journal failed for good: whoever waits for it is refused, and so is everything durable from now on.
    pub fn store_failed(&mut self, now: Now, out: &mut Effects) {
        let _ = (now, out);
        todo!()
    }
}
