//! Sessions that a client brought back after a failure, until the first transaction in each is over.
//!
//! A client of `failover:` comes back with its consumers and with the commands of its open transactions, but for the
//! acknowledgements: those it leaves to the commit. Where the connection fails between the two, Java's client (`commit` of
//! `TransactionContext`, `oneway` of `FailoverTransport`, apache/activemq) commits what it had sent, and the
//! acknowledgements are lost: whoever gets the messages then sends a second time. So the first transaction of such a
//! session is committed only if nothing can be missing, which shows in one of two ways:
//!
//! - Each consumer that came back acknowledged something in it.
//! - Every command between its begin and its commit came over this connection. Clients number all that they send one by
//!   one, before they wait for a connection (`ResponseCorrelator` in Java, C++ and .NET), and an acknowledgement is sent
//!   after the begin and before the commit, so that one that was lost leaves a gap. So does the end of a producer that
//!   sent in it, of which the client tells, for it made that producer again to say its messages.
//!
//! A gap may be something else: what other sessions of the connection sent meanwhile and had confirmed is not said again.
//! A transaction that only sent, beside a consumer that got nothing, is then rolled back for it, once.

use super::consumers::Key;
use crate::codec::Command;
use crate::codec::ids::ObjectId;
use ferrymq_model::TransactionId;
use std::collections::{BTreeMap, HashMap};

/// Rows of numbers without gaps that are remembered of a connection; what is beyond counts as not heard.
const ROWS_MAX: usize = 1024;

/// `type` of the TransactionInfo that are replayed.
const REPLAYED_KINDS: [i8; 3] = [0, 1, 7];

/// What a transaction did, as far as it matters here.
#[derive(Debug, Default)]
struct Work {
    /// The client began it before it came back.
    is_restored: bool,
    /// The number of its begin; 0: the client numbers nothing.
    begun_at: i32,
    /// Producers that sent in it and were closed before the failure. The client says so without a number, in place of
    /// the command that had one.
    producers_closed: i64,
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

/// Numbers of commands, as rows without gaps: first and last.
#[derive(Debug, Default)]
struct Numbers(BTreeMap<i32, i32>);

impl Numbers {
    fn add(&mut self, number: i32) {
        let (mut first, mut last) = (number, number);
        if let Some((below, end)) = self.0.range(..=number).next_back()
            && *end >= number - 1
        {
            (first, last) = (*below, number.max(*end));
        }
        if let Some(above) = last.checked_add(1).and_then(|next| self.0.remove(&next)) {
            last = above;
        }
        if self.0.len() < ROWS_MAX || self.0.contains_key(&first) {
            self.0.insert(first, last);
        }
    }

    /// How many numbers between two are missing; `None`: the client does not number.
    fn missing_between(&self, before: i32, after: i32) -> Option<i64> {
        if before <= 0 || after <= before {
            return None;
        }
        let (first, last) = (i64::from(before) + 1, i64::from(after) - 1);
        let rows = self.0.iter().map(|(from, to)| last.min(i64::from(*to)) - first.max(i64::from(*from)) + 1);
        Some(last - first + 1 - rows.filter(|heard| *heard > 0).sum::<i64>())
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
    /// Of commands that came since the client is back and while such a transaction is open.
    heard: Numbers,
    /// Of those that are replayed.
    begun_last: Option<TransactionId>,
}

impl Restored {
    /// The client says that it comes back.
    pub(super) fn begin(&mut self) {
        self.is_restoring = true;
    }

    /// Whether it wants to hear what comes.
    #[inline]
    pub(super) fn is_listening(&self) -> bool {
        self.is_restoring || !self.works.is_empty()
    }

    /// A command comes, with its number. Restoring ends with the first that is no part of it.
    pub(super) fn hear(&mut self, command: &Command, number: i32) {
        if number > 0 {
            self.heard.add(number);
        }
        if !self.is_restoring {
            return;
        }
        if let Command::RemoveInfo(info) = command
            && let (Some(ObjectId::ProducerId(_)), true) = (&info.object_id, number <= 0)
            && let Some(work) = self.begun_last.and_then(|transaction| self.works.get_mut(&transaction))
        {
            work.producers_closed += 1;
        }
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

    /// A transaction begins, with the command of this number.
    pub(super) fn began(&mut self, transaction: TransactionId, number: i32) {
        if self.is_restoring || !self.sessions.is_empty() {
            let work = self.works.entry(transaction).or_default();
            work.is_restored = self.is_restoring;
            work.begun_at = number;
            self.begun_last = Some(transaction);
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

    /// A transaction is over, and what it lacks does not matter.
    pub(super) fn forget(&mut self, transaction: TransactionId) {
        self.end(transaction, 0);
    }

    /// A transaction shall be committed or prepared, with the command of this number, and is over, whatever becomes of it.
    /// Whether it lacks what was delivered before the failure.
    pub(super) fn end(&mut self, transaction: TransactionId, number: i32) -> bool {
        if self.works.is_empty() {
            return false;
        }
        let Some(work) = self.works.remove(&transaction) else { return false };
        let is_complete = self.heard.missing_between(work.begun_at, number) == Some(work.producers_closed);
        let mut is_unacknowledged = false;
        for session in &work.sessions {
            if let Some(consumers) = self.sessions.remove(session) {
                is_unacknowledged |= consumers.iter().any(|key| !work.acknowledged.contains(key));
            }
        }
        if work.sessions.is_empty() {
            // It did nothing: nobody knows whose it is.
            is_unacknowledged = work.is_restored && !self.sessions.is_empty();
        }
        self.forget_works();
        is_unacknowledged && !is_complete
    }

    fn forget_works(&mut self) {
        if self.sessions.is_empty() {
            self.works = HashMap::new();
        }
        if !self.is_listening() {
            self.heard = Numbers::default();
        }
    }
}
