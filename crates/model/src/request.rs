//! What a session asks of the broker.

use crate::destination::{Address, Destination};
use crate::id::{DeliveryId, ProducerId, SubscriptionId, Token, TransactionId};
use crate::message::Message;
use crate::settlement::{Deliveries, Settlement};
use crate::xid::Xid;
use std::sync::Arc;

/// One request. Requests of a session are carried out in order. Where a `confirm` token is given, exactly one
/// `Event::Confirmed` or `Event::Refused` with that token follows, `Confirmed` only once everything the request
/// changed, and everything the same session asked before, is as durable as was asked. Confirmations of a session
/// leave in the order of the requests.
#[derive(Debug)]
pub enum Request {
    /// First request of every session. Answered by `Confirmed` or `Refused` with the token.
    Connect {
        /// The connection's own name, unique over all brokers and restarts unless a client comes back under the name
        /// that it had: then the session that still holds it is ended by `Event::Closed`, and this one is confirmed.
        name: Option<Arc<str>>,
        /// `JMSClientID`: at most one session holds it at a time.
        client_id: Option<Arc<str>>,
        /// Whom the connection says it is.
        user: Option<Arc<str>>,
        /// Where it comes from, for people: an address.
        peer: Option<Arc<str>>,
        /// Carried back by the answer.
        confirm: Token,
    },
    /// Names a place to send to; it is resolved once, here. An unknown destination is made.
    AddProducer {
        /// Chosen by the session, unused so far.
        producer: ProducerId,
        /// What the client calls it, the same over reconnects; several producers of a session may share it. It is the
        /// `producer` of its messages' ids where `skips_duplicates`.
        name: Option<Arc<str>>,
        /// The sequences of its messages grow, and a client may send again what it does not know to have arrived: a
        /// message whose sequence is not above the last one taken under this name is confirmed and forgotten.
        skips_duplicates: bool,
        /// Where its messages go.
        address: Arc<Address>,
        /// Asks for a confirmation. Without it an address that leads nowhere refuses each `Send` instead.
        confirm: Option<Token>,
    },
    /// Forgets a producer.
    RemoveProducer {
        /// Named by `AddProducer`.
        producer: ProducerId,
    },
    /// Sends a message.
    Send {
        /// Named by `AddProducer`. If that was refused, so is this.
        producer: ProducerId,
        /// The message; its `header.destination` is the producer's first leaf.
        message: Arc<Message>,
        /// Held back until this transaction commits.
        transaction: Option<TransactionId>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Starts a subscription. `Event::Deliver` follows only after the confirmation where one was asked for.
    Subscribe(Box<Subscribe>),
    /// Ends a subscription. Unsettled deliveries go back, in order, counted as redeliveries, except those that an
    /// open transaction holds.
    Unsubscribe {
        /// Named by `Subscribe`.
        subscription: SubscriptionId,
        /// Which of its unsettled deliveries the consumer saw: only those count as redeliveries when they go back.
        seen: Seen,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Changes how many deliveries a subscription may have unsettled.
    SetPrefetch {
        /// Named by `Subscribe`.
        subscription: SubscriptionId,
        /// From now on; 0: only what is pulled.
        prefetch: u32,
    },
    /// Lets a subscription have deliveries beyond its prefetch. Replaces what was left of an earlier pull: 0 ends it.
    Pull {
        /// Named by `Subscribe`.
        subscription: SubscriptionId,
        /// So many more deliveries, then no more.
        messages: u32,
        /// Confirmed once all that was there for it has been delivered, including what had to be read back first:
        /// a pull that is answered without a delivery found nothing.
        confirm: Option<Token>,
    },
    /// Deletes a durable subscription and what it holds. Refused while it is active.
    DeleteDurable {
        /// The subscription's name; the client id is the session's.
        name: Arc<str>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Settles deliveries.
    Settle {
        /// Whose deliveries.
        subscription: SubscriptionId,
        /// Which.
        deliveries: Deliveries,
        /// What became of them.
        settlement: Settlement,
        /// Takes effect when this transaction commits; if it rolls back, the deliveries are unsettled again and
        /// still with their consumer.
        transaction: Option<TransactionId>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Starts a local transaction.
    Begin {
        /// Chosen by the session, never used before.
        transaction: TransactionId,
        /// What the client calls it, unique over all brokers and restarts: its commit is remembered under this name, so
        /// that a commit that is asked for again, by a client that lost the answer, is confirmed again.
        name: Option<Arc<str>>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Asks whether a named local transaction was committed, maybe before a restart: `Confirmed`, or `Refused` as unknown.
    WasCommitted {
        /// As in `Begin`.
        name: Arc<str>,
        /// Carried back by the answer.
        confirm: Token,
    },
    /// Moves the branch of a distributed transaction on.
    Branch {
        /// Which branch. It belongs to no session.
        xid: Arc<Xid>,
        /// What shall happen.
        action: BranchAction,
        /// Carried back by the answer: `Prepared` for a prepare, else `Confirmed`, or `Refused` with an XA kind.
        confirm: Token,
    },
    /// Asks for the branches that are prepared, or heuristically completed and not forgotten. Answered by `InDoubt`.
    Recover {
        /// Carried back by the answer.
        token: Token,
    },
    /// Makes everything in the transaction happen, or refuses and changes nothing. It is refused where a send or settlement
    /// of the transaction was refused that had no token: whoever did not wait for that answer counts on it. So is the
    /// prepare, and the commit in one phase, of a branch, which is then rolled back.
    Commit {
        /// Named by `Begin`.
        transaction: TransactionId,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Forgets everything in the transaction.
    Rollback {
        /// Named by `Begin`.
        transaction: TransactionId,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Makes a queue or topic that clients did not use yet. One that exists is confirmed.
    CreateDestination {
        /// Not temporary, not a pattern.
        destination: Arc<Destination>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Deletes a queue or topic with all it holds. Refused while it has subscriptions.
    DeleteDestination {
        /// Not temporary; a pattern only where a queue has that name, as those of groups of many virtual topics do.
        destination: Arc<Destination>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Makes a temporary destination that the session owns.
    CreateTemporary {
        /// A temporary kind; the name is chosen by the session and contains its own unique name.
        destination: Arc<Destination>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Deletes a temporary destination of this session. One that is gone is confirmed.
    DeleteTemporary {
        /// Which.
        destination: Arc<Destination>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Asks for facts. Answered by `Event::Inspected`.
    Inspect {
        /// What to tell.
        query: Query,
        /// Carried back by the answer.
        token: Token,
    },
    /// Removes every message of a queue that no consumer holds. Answered by `Event::Purged` once durable.
    Purge {
        /// A queue, not a pattern.
        destination: Arc<Destination>,
        /// Carried back by the answer.
        token: Token,
    },
    /// Nothing but a confirmation that all before is done: STOMP's receipts on other frames.
    Confirm {
        /// Carried back by the answer.
        confirm: Token,
    },
    /// Last request: the session ends in peace, or its connection is gone. Subscriptions end, open transactions roll
    /// back, temporary destinations die.
    Disconnect,
}

impl Request {
    /// Settles deliveries at once, and asks for no answer.
    #[inline]
    #[must_use]
    pub fn settle(subscription: SubscriptionId, deliveries: Deliveries, settlement: Settlement) -> Self {
        Self::Settle { subscription, deliveries, settlement, transaction: None, confirm: None }
    }
}

/// A subscription's wishes.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Chosen by the session, unused so far.
    pub subscription: SubscriptionId,
    /// What the client calls it, for those who watch consumers come and go.
    pub name: Option<Arc<str>>,
    /// Where to listen; leaves may be patterns.
    pub address: Arc<Address>,
    /// The selector's source; `None`: every message.
    pub selector: Option<Arc<str>>,
    /// Whether text that looks like a number compares as one (STOMP: always).
    pub selector_converts_text: bool,
    /// What kind of subscription.
    pub mode: SubscribeMode,
    /// When a delivery is settled, as far as the broker must know to keep it cheaply.
    pub settles: Settles,
    /// Who decides that a message came back too often.
    pub gives_up: GivesUp,
    /// How many deliveries may be unsettled at a time; 0: only what is pulled.
    pub prefetch: u32,
    /// Not the messages of the same session's connection.
    pub no_local: bool,
    /// Among the consumers of a queue only one exclusive one gets messages, the longest subscribed.
    pub exclusive: bool,
    /// Queue consumers with a higher one go first, 0 is usual.
    pub priority: i16,
    /// For a topic that keeps past messages: wants them.
    pub retroactive: bool,
    /// For a topic: how many messages may wait beyond the prefetch before the oldest are dropped; `None`: the
    /// destination's policy.
    pub pending_limit: Option<u32>,
    /// Asks for a confirmation; deliveries start after it.
    pub confirm: Option<Token>,
}

impl Subscribe {
    /// A consumer without special wishes, to be changed with `..`: it gets every message, acknowledges each, and leaves it
    /// to the broker to give up.
    #[must_use]
    pub fn consumer(subscription: SubscriptionId, address: Arc<Address>, prefetch: u32) -> Self {
        Self {
            subscription,
            name: None,
            address,
            selector: None,
            selector_converts_text: false,
            mode: SubscribeMode::Consume,
            settles: Settles::WhenAcknowledged,
            gives_up: GivesUp::Broker,
            prefetch,
            no_local: false,
            exclusive: false,
            priority: 0,
            retroactive: false,
            pending_limit: None,
            confirm: None,
        }
    }
}

/// What kind of subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubscribeMode {
    /// Takes messages.
    Consume,
    /// Reads a snapshot of queues without taking; ends with `Event::BrowseEnd`.
    Browse,
    /// A durable topic subscription of the session's client id under this name; kept while offline.
    Durable(Arc<str>),
    /// One of several consumers of a topic subscription of this name (with the session's client id, if it has one): each
    /// message goes to one of them. It lives as long as it has consumers.
    Shared(Arc<str>),
    /// As `Shared`, kept while it has no consumers.
    SharedDurable(Arc<str>),
}

/// Which unsettled deliveries of a subscription its consumer saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It may have seen any.
    Unknown,
    /// Nothing.
    None,
    /// This one and all before it.
    Through(DeliveryId),
}

/// What shall happen to a branch of a distributed transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BranchAction {
    /// Work begins or goes on: sends and settlements of this session's `transaction` belong to the branch from now on.
    /// Several sessions may work on a branch. Where the branch of this name was committed, a new one begins, and the outcome
    /// of the old one is forgotten: `Confirmed` once no crash brings that back. What a person decided keeps its name until
    /// it is forgotten.
    Start(TransactionId),
    /// As `Start`, by a client that lost its connection and says again what it had said: a branch that was committed is over,
    /// and refused as a duplicate, so that what is said behind this gets the answers that it would have got before.
    Resume(TransactionId),
    /// This session's work on it stops.
    End,
    /// Makes it durable and able to commit. What it settled stays locked, what it sent stays unseen, until it is
    /// decided, whatever happens to sessions and processes.
    Prepare,
    /// Asks for a prepare of work that is not whole, as after a failure: what was prepared before is confirmed so, for its
    /// decision may be taken; what is not is rolled back, and refused as such.
    PrepareDoomed,
    /// Makes it happen, without a prepare if there was none.
    CommitOnePhase,
    /// The same for work that is not whole: what was prepared before happens, what is not is rolled back, and refused as
    /// such.
    CommitOnePhaseDoomed,
    /// Makes a prepared branch happen.
    Commit,
    /// Undoes it.
    Rollback,
    /// The transaction manager knows of the heuristic outcome. What is not prepared is undone.
    Forget,
    /// A person decides in the manager's place; remembered until it is forgotten.
    HeuristicCommit,
    /// A person decides in the manager's place; remembered until it is forgotten.
    HeuristicRollback,
}

/// When a delivery is settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settles {
    /// By the session as soon as the bytes left: soon, in order.
    WhenWritten,
    /// By the consumer, at its leisure: the broker keeps the message with bytes of its own.
    WhenAcknowledged,
    /// By the consumer, at its leisure, but what comes from topics never comes back: the broker keeps only the count, as
    /// soon as the session says `Settlement::Written`. From queues it is as `WhenAcknowledged`.
    Unreturned,
}

/// Who decides that a message came back too often and is dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GivesUp {
    /// The broker, by its own limit, when a delivery comes back.
    Broker,
    /// The consumer, by `Settlement::Poisoned`: what it gives back, or leaves when it ends, is delivered again for as long
    /// as it takes. Every return is counted all the same.
    Consumer,
}

/// What to tell about the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Every destination that matches the pattern (a name or wildcard), of all kinds.
    Destinations(Arc<str>),
    /// The broker as a whole.
    Broker,
    /// Branches of distributed transactions that are prepared, or that a person decided and nobody forgot yet.
    Branches,
}
