//! Sessions that a client brought back after a failure, until the first transaction in each is over.
//!
//! A client of `failover:` comes back with its consumers and with the commands of its open transactions. What was
//! delivered to it before, it acknowledges in the commit, if it comes again. Java's client (`acknowledge` of
//! `ActiveMQMessageConsumer`, apache/activemq) leaves it out where nothing came again in time, and commits what it had
//! sent: whoever gets the messages then sends a second time. So the first transaction of such a session is committed only
//! if each consumer that came back acknowledged something in it. A session whose consumer had nothing to acknowledge
//! pays with one transaction that it must repeat; the client cannot say which it is.

use super::consumers::Key;
use crate::codec::Command;
use crate::codec::ids::ObjectId;
use ferrymq_model::TransactionId;
use std::collections::HashMap;

/// `type` of the TransactionInfo that are replayed.
const REPLAYED_KINDS: [i8; 3] = [0, 1, 7];

/// What a transaction did, as far as it matters here.
#[derive(Debug, Default)]
struct Work {
    /// The client began it before it came back.
    is_restored: bool,
    sessions: Vec<i64>,
    acknowledged: Vec<Key>,
}

impl Work {
    fn touch(&mut self, session: i64) {
        if !self.sessions.contains(&session) {
            self.sessions.push(session);
        }
    }
}

/// All of them. Empty for a client that did not come back, and soon for one that did.
#[derive(Debug, Default)]
pub(super) struct Restored {
    is_restoring: bool,
    /// The sessions whose first transaction is not over, with the consumers that came back. At most as many as the
    /// connection has.
    sessions: HashMap<i64, Vec<Key>>,
    /// Of transactions that are open.
    works: HashMap<TransactionId, Work>,
}

impl Restored {
    /// The client says that it comes back.
    pub(super) fn begin(&mut self) {
        self.is_restoring = true;
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.is_restoring
    }

    /// Restoring ends with the first command that is no part of it.
    pub(super) fn hear(&mut self, command: &Command) {
        self.is_restoring = match command {
            Command::SessionInfo(_)
            | Command::ConsumerInfo(_)
            | Command::ProducerInfo(_)
            | Command::DestinationInfo(_)
            | Command::ConnectionControl(_)
            | Command::KeepAliveInfo(_) => true,
            Command::TransactionInfo(info) => REPLAYED_KINDS.contains(&info.kind),
            Command::Message(message) => message.fields.transaction_id.is_some(),
            Command::MessageAck(ack) => ack.transaction_id.is_some(),
            // A producer that was gone is made again for the messages that are replayed.
            Command::RemoveInfo(info) => matches!(info.object_id, Some(ObjectId::ProducerId(_))),
            _ => false,
        };
    }

    /// A consumer from which acknowledgements can be missed.
    pub(super) fn subscribed(&mut self, key: Key) {
        if self.is_restoring {
            self.sessions.entry(key.0).or_default().push(key);
        }
    }

    pub(super) fn began(&mut self, transaction: TransactionId) {
        if self.is_restoring {
            self.works.entry(transaction).or_default().is_restored = true;
        }
    }

    #[inline]
    pub(super) fn sent(&mut self, transaction: Option<TransactionId>, session: i64) {
        if let (Some(transaction), false) = (transaction, self.sessions.is_empty()) {
            self.works.entry(transaction).or_default().touch(session);
        }
    }

    #[inline]
    pub(super) fn acknowledged(&mut self, transaction: TransactionId, key: Key) {
        if !self.sessions.is_empty() {
            let work = self.works.entry(transaction).or_default();
            work.touch(key.0);
            if !work.acknowledged.contains(&key) {
                work.acknowledged.push(key);
            }
        }
    }

    pub(super) fn remove_session(&mut self, session: i64) {
        self.sessions.remove(&session);
        self.forget_works();
    }

    /// A transaction is over, whatever became of it. Whether it lacks what was delivered before the failure.
    pub(super) fn end(&mut self, transaction: TransactionId) -> bool {
        if self.works.is_empty() {
            return false;
        }
        let Some(work) = self.works.remove(&transaction) else { return false };
        if work.sessions.is_empty() {
            // It did nothing: nobody knows whose it is.
            return work.is_restored && !self.sessions.is_empty();
        }
        let mut is_incomplete = false;
        for session in &work.sessions {
            if let Some(consumers) = self.sessions.remove(session) {
                is_incomplete |= consumers.iter().any(|key| !work.acknowledged.contains(key));
            }
        }
        self.forget_works();
        is_incomplete
    }

    fn forget_works(&mut self) {
        if self.sessions.is_empty() {
            self.works = HashMap::new();
        }
    }
}
