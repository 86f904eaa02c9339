//! What a session asks of the broker.

use crate::destination::{Address, Destination};
use crate::id::{ProducerId, SubscriptionId, Token, TransactionId};
use crate::message::Message;
use crate::settlement::{Deliveries, Settlement};
use std::sync::Arc;

/// One request. Requests of a session are carried out in order. Where a `confirm` token is given, exactly one
/// `Event::Confirmed` or `Event::Refused` with that token follows, `Confirmed` only once everything the request
/// changed, and everything the same session asked before, is as durable as was asked. Confirmations of a session
/// leave in the order of the requests.
#[derive(Debug)]
pub enum Request {
    /// First request of every session. Answered by `Confirmed` or `Refused` with the token.
    Connect {
        /// `JMSClientID`: at most one session holds it at a time.
        client_id: Option<Arc<str>>,
        /// Whom the connection says it is.
        user: Option<Arc<str>>,
        /// Carried back by the answer.
        confirm: Token,
    },
    /// Names a place to send to; it is resolved once, here. An unknown destination is made.
    AddProducer {
        /// Chosen by the session, unused so far.
        producer: ProducerId,
        /// Where its messages go. `None`: nowhere, until the session names another producer.
        address: Arc<Address>,
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
        /// Asks for a confirmation.
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
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Makes everything in the transaction happen, or refuses and changes nothing.
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
    /// Makes a temporary destination that the session owns.
    CreateTemporary {
        /// A temporary kind; the name is chosen by the session and contains its own unique name.
        destination: Arc<Destination>,
        /// Asks for a confirmation.
        confirm: Option<Token>,
    },
    /// Deletes a temporary destination of this session.
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

/// A subscription's wishes.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Chosen by the session, unused so far.
    pub subscription: SubscriptionId,
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
    /// How many deliveries may be unsettled at a time; at least 1.
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

/// What kind of subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubscribeMode {
    /// Takes messages.
    Consume,
    /// Reads a snapshot of queues without taking; ends with `Event::BrowseEnd`.
    Browse,
    /// A durable topic subscription of the session's client id under this name; kept while offline.
    Durable(Arc<str>),
}

/// When a delivery is settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settles {
    /// By the session as soon as the bytes left: soon, in order.
    WhenWritten,
    /// By the consumer, at its leisure: the broker keeps the message with bytes of its own.
    WhenAcknowledged,
}

/// What to tell about the broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Every destination that matches the pattern (a name or wildcard), of all kinds.
    Destinations(Arc<str>),
    /// The broker as a whole.
    Broker,
}
