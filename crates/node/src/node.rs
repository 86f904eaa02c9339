//! The node: broker and journal, stepped together.

use ferrymq_broker::{Broker, Effects, Rest};
use ferrymq_model::{Now, Request, SessionId};
use ferrymq_storage::journal::Fetched;
use ferrymq_storage::{Batch, Journal};

/// What happens to a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// A session's requests, in order. The vector is drained and may be used again.
    Requests {
        /// Whose.
        session: SessionId,
        /// What.
        requests: &'a mut Vec<Request>,
    },
    /// The batch that was taken is durable.
    Flushed(Batch),
    /// The disk refused: final.
    StoreFailed,
    /// Messages were read back, or could not be: wishes among the effects, in any order. The vector is drained and may
    /// be used again.
    Fetched(&'a mut Vec<Fetched>),
    /// Time passed. Every 100 ms or so, and never later than twice that, but for what [`Node::rest`] says may be left out.
    Tick,
}

/// Whether the journal still takes records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Store {
    /// Batches are taken and performed.
    Open,
    /// A batch failed: no batch is taken and nothing durable is confirmed any more.
    Failed,
}

/// One broker as a value.
#[derive(Debug)]
pub struct Node {
    broker: Broker,
    journal: Journal,
    store: Store,
}

impl Node {
    /// A node from its parts, after recovery.
    pub(crate) fn new(broker: Broker, journal: Journal) -> Self {
        Self { broker, journal, store: Store::Open }
    }

    /// One input: changes the state and collects what must be sent and read.
    pub fn step(&mut self, now: Now, input: Input<'_>, out: &mut Effects) {
        match input {
            Input::Requests { session, requests } => {
                self.broker.handle(now, session, requests, &mut self.journal, out);
            }
            Input::Flushed(batch) => {
                assert!(self.store == Store::Open, "a batch was flushed after the store had failed");
                let lsn = self.journal.flushed(batch);
                self.broker.flushed(now, lsn, &mut self.journal, out);
            }
            Input::StoreFailed => {
                self.store = Store::Failed;
                self.broker.store_failed(now, out);
            }
            Input::Fetched(read) => self.broker.fetched(now, read, &mut self.journal, out),
            Input::Tick => {
                self.broker.tick(now, &mut self.journal, out);
                self.journal.flush_lazy();
            }
        }
    }

    /// Sessions end from here on, one after another: nothing of theirs goes to those that are left.
    pub fn close(&mut self) {
        self.broker.close();
    }

    /// Whether the journal's thread should take a batch now.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.store == Store::Open && self.journal.wants_flush()
    }

    /// What the journal's thread performs next; `None` while one is out, when there is nothing, or after a failure.
    pub fn take_batch(&mut self) -> Option<Batch> {
        if self.store == Store::Failed {
            return None;
        }
        self.journal.take_batch()
    }

    /// Until when ticks do nothing, if no other input comes: until then they may be left out.
    #[must_use]
    pub fn rest(&self) -> Rest {
        if self.store == Store::Open && !self.journal.is_at_rest() {
            return Rest::No;
        }
        self.broker.rest()
    }

    /// The broker, to look at: for checks and reports.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The journal, to look at.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
