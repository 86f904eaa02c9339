//! What the broker tells those who watch it: the facts behind a message on an advisory topic.

use crate::destination::Destination;
use crate::dialect::{Dialect, MalformedMessage};
use crate::message::Message;
use crate::request::Subscribe;
use crate::selector::Operand;
use crate::value::{Body, Neutral};
use std::sync::Arc;

/// What every advisory topic's name begins with.
pub const ADVISORY_PREFIX: &str = "ActiveMQ.Advisory.";
/// `JMSType` of every advisory.
pub const ADVISORY_TYPE: &str = "Advisory";

/// The dialect of messages that carry an [`Advisory`]: no bytes at all; every property is in the annotations' `added`.
pub static ADVISORY: AdvisoryDialect = AdvisoryDialect;

/// The dialect of advisories. They are never persistent, so its code, 0, is never in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdvisoryDialect;

impl Dialect for AdvisoryDialect {
    fn code(&self) -> u16 {
        0
    }

    fn property<'m>(&self, _: &'m Message, _: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Ok(Neutral { properties: Vec::new(), body: Body::Empty })
    }
}

/// One fact. The topic that it goes to is the message's destination; further facts are in the annotations' `added`
/// properties. Protocols show it in the form that their clients know (apache/activemq, `AdvisoryBroker.java`).
#[derive(Clone, Debug)]
pub enum Advisory {
    /// A connection came.
    ConnectionStarted(ConnectionFacts),
    /// A connection went.
    ConnectionStopped(ConnectionFacts),
    /// A destination came.
    DestinationCreated {
        /// Which.
        destination: Arc<Destination>,
        /// The connection that made it, if one did.
        connection: Option<Arc<str>>,
    },
    /// A destination went.
    DestinationDeleted {
        /// Which.
        destination: Arc<Destination>,
        /// The connection that removed it, if one did.
        connection: Option<Arc<str>>,
    },
    /// A consumer came.
    ConsumerStarted(ConsumerFacts),
    /// A consumer went.
    ConsumerStopped(ConsumerFacts),
    /// A durable subscription was deleted.
    SubscriptionDeleted {
        /// The connection that asked.
        connection: ConnectionFacts,
        /// The subscription's name; the client id is the connection's.
        name: Arc<str>,
    },
    /// Something about a consumer that is there: the topic tells what (`SlowConsumer`).
    Consumer(ConsumerFacts),
    /// A producer came.
    ProducerStarted(ProducerFacts),
    /// A producer went.
    ProducerStopped(ProducerFacts),
    /// Something about a producer that is there: the topic tells what (`FastProducer`).
    Producer(ProducerFacts),
    /// Something happened to a message: the topic tells what. Whoever shows it leaves the body away, as ActiveMQ does.
    Message {
        /// The message as it was sent.
        message: Arc<Message>,
        /// The queue or topic where it happened.
        place: Arc<Destination>,
    },
    /// Something about the broker or a destination itself, without a structure: the topic and the properties tell what.
    Broker,
}

impl Advisory {
    /// Whether a name is one of an advisory topic.
    #[must_use]
    pub fn is_topic_name(name: &str) -> bool {
        name.starts_with(ADVISORY_PREFIX)
    }
}

impl PartialEq for Advisory {
    /// Facts are the same where they are the same value.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// About a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionFacts {
    /// Its name.
    pub name: Arc<str>,
    /// `JMSClientID`.
    pub client_id: Option<Arc<str>>,
    /// Whom it says it is.
    pub user: Option<Arc<str>>,
    /// Where it comes from.
    pub peer: Option<Arc<str>>,
}

/// About a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerFacts {
    /// Whose.
    pub connection: ConnectionFacts,
    /// What it asked for.
    pub subscribe: Arc<Subscribe>,
}

/// About a producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerFacts {
    /// Whose.
    pub connection: ConnectionFacts,
    /// What the client calls it.
    pub name: Option<Arc<str>>,
    /// Where it sends; `None`: where each message says.
    pub destination: Option<Arc<Destination>>,
}
