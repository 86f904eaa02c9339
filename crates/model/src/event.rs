//! What the broker tells a session.

use crate::destination::{Destination, DestinationKind};
use crate::id::{DeliveryId, SubscriptionId, Token, TransactionId};
use crate::message::Message;
use crate::time::WallTime;
use crate::xid::Xid;
use std::fmt;
use std::sync::Arc;

/// One event. Events of a session are handled in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// The request with this token is done, as durably as was asked.
    Confirmed {
        /// The request's.
        token: Token,
    },
    /// The request was not carried out; nothing of it was. The one exception is [`RefusalKind::StoreFailed`] for a
    /// request that was waiting when the journal failed: what became of it is not known.
    Refused {
        /// The request's, if it had one.
        token: Option<Token>,
        /// Why.
        refusal: Refusal,
    },
    /// A message for a subscription.
    Deliver(Delivery),
    /// A browser has seen the whole snapshot.
    BrowseEnd {
        /// The browser.
        subscription: SubscriptionId,
    },
    /// The broker ended a subscription (its temporary destination died). It is forgotten.
    SubscriptionEnded {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        refusal: Refusal,
    },
    /// The session is over: another took its name. Nothing is owed any more, and nothing that it asks is carried out.
    Closed {
        /// Why.
        refusal: Refusal,
    },
    /// The answer to a prepare: as durable as a confirmation.
    Prepared {
        /// The request's.
        token: Token,
        /// Whether there is anything to decide.
        vote: Vote,
    },
    /// The answer to `Request::Recover`, in its turn.
    InDoubt {
        /// The request's.
        token: Token,
        /// The branches, in the order in which they were prepared.
        xids: Vec<Arc<Xid>>,
    },
    /// A branch that this session worked on, as `transaction`, is over, and another session brought that about. What
    /// was settled in it is settled, or as before.
    BranchEnded {
        /// The work.
        transaction: TransactionId,
        /// It happened; else nothing of it did.
        is_committed: bool,
    },
    /// Read no more from this connection until `Resume`: what it sends to is full.
    Pause,
    /// Read on.
    Resume,
    /// The answer to `Request::Inspect`.
    Inspected {
        /// The request's.
        token: Token,
        /// The facts.
        report: Box<Report>,
    },
    /// The answer to `Request::Purge`.
    Purged {
        /// The request's.
        token: Token,
        /// How many messages went.
        messages: u64,
    },
}

/// What a branch says when it is asked to prepare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vote {
    /// It can commit, and waits for the decision.
    Prepared,
    /// There was nothing to do: it is over.
    ReadOnly,
}

/// A message on its way to a subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// To which subscription of the session.
    pub subscription: SubscriptionId,
    /// Which delivery of that subscription.
    pub delivery: DeliveryId,
    /// How often the message was delivered before, to anyone. Above 0 it is a redelivery.
    pub redeliveries: u32,
    /// The consumer gets this message's group for the first time (`JMSXGroupFirstForConsumer`).
    pub first_of_group: bool,
    /// The leaf it comes from where that is not `message.header.destination`. The message's destination is then where
    /// it was first sent, before a composite address, a pattern or a virtual topic led it here: to be shown as the
    /// original destination where its annotations name none.
    pub destination: Option<Arc<Destination>>,
    /// The message.
    pub message: Arc<Message>,
}

/// Why a request was not carried out: a kind for the protocol's answer, and a sentence for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the protocol maps.
    pub kind: RefusalKind,
    /// Lowercase, no full stop, naming the thing.
    pub text: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// The destination does not exist, is of a kind that cannot do this, or its name is not valid.
    InvalidDestination,
    /// The client id is in use or missing.
    InvalidClientId,
    /// The selector does not parse or is too large.
    InvalidSelector,
    /// The durable subscription is active, or is not known.
    DurableInUse,
    /// Not known: subscription, producer, transaction, delivery.
    Unknown,
    /// Already there: subscription, producer, transaction.
    Duplicate,
    /// Not allowed to this session.
    Denied,
    /// A named limit was reached.
    LimitReached,
    /// The journal stopped: nothing more is confirmed. For what was under way it is not known whether it is durable.
    StoreFailed,
    /// A branch of a distributed transaction does not allow it: the XA error to tell.
    Branch(BranchError),
}

/// Why a branch of a distributed transaction did not do what it was asked: X/Open XA's codes that a broker gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BranchError {
    /// Not known, or not any more (`XAER_NOTA`).
    Unknown,
    /// Already there (`XAER_DUPID`).
    Duplicate,
    /// Not in this state (`XAER_PROTO`).
    Protocol,
    /// It was rolled back instead (`XA_RBROLLBACK`).
    RolledBack,
    /// Not now: it stays as it is, ask again (`XA_RETRY`).
    Retry,
    /// A person committed it (`XA_HEURCOM`).
    HeuristicallyCommitted,
    /// A person rolled it back (`XA_HEURRB`).
    HeuristicallyRolledBack,
    /// The broker cannot (`XAER_RMERR`).
    Failed,
    /// The journal stopped: what became of it is known after a restart (`XAER_RMFAIL`).
    Unavailable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Facts about the broker.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// One row a destination, sorted by kind and name.
    Destinations(Vec<DestinationReport>),
    /// The broker.
    Broker(BrokerReport),
    /// One row a branch, in the order in which they were prepared; those that a person decided at the end.
    Branches(Vec<BranchReport>),
}

/// Facts about a branch of a distributed transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BranchReport {
    /// Its name.
    pub xid: Arc<Xid>,
    /// Whether it waits for a decision.
    pub state: BranchState,
    /// When it was prepared, while it waits.
    pub prepared_at: Option<WallTime>,
    /// Messages that it sends.
    pub sends: u64,
    /// Deliveries that it settles, and keeps locked.
    pub settlements: u64,
}

/// What a branch waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BranchState {
    /// The decision.
    Prepared,
    /// A person committed it; that it is forgotten.
    HeuristicallyCommitted,
    /// A person rolled it back; that it is forgotten.
    HeuristicallyRolledBack,
}

/// Facts about one destination. Counters start with the process.
#[derive(Clone, PartialEq, Debug)]
pub struct DestinationReport {
    /// Kind.
    pub kind: DestinationKind,
    /// Name; a durable subscription is shown as its own row under `client:name`.
    pub name: Arc<str>,
    /// `Some(topic)` where the row is a durable subscription.
    pub durable_of: Option<Arc<str>>,
    /// Messages that are stored and not settled.
    pub depth: u64,
    /// Of those, delivered and not settled.
    pub in_flight: u64,
    /// Messages that came in.
    pub enqueued: u64,
    /// Messages that were consumed.
    pub dequeued: u64,
    /// Messages that expired.
    pub expired: u64,
    /// Messages that went to the dead-letter queue.
    pub dead_lettered: u64,
    /// Messages dropped for a slow topic subscriber.
    pub discarded: u64,
    /// Subscriptions.
    pub consumers: u32,
    /// Producers.
    pub producers: u32,
    /// Bytes held in memory.
    pub memory_bytes: u64,
    /// Limit of those.
    pub memory_limit_bytes: u64,
}

/// Facts about the broker as a whole.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct BrokerReport {
    /// Open sessions.
    pub sessions: u32,
    /// Subscriptions.
    pub subscriptions: u32,
    /// Destinations.
    pub destinations: u32,
    /// Bytes of messages held in memory.
    pub memory_bytes: u64,
    /// Limit of those.
    pub memory_limit_bytes: u64,
    /// Messages that came in.
    pub enqueued: u64,
    /// Messages that were consumed.
    pub dequeued: u64,
    /// Bytes in journal segments.
    pub journal_bytes: u64,
    /// Journal segments.
    pub journal_segments: u32,
}
