//! What the broker tells those who watch it: the facts behind a message on an advisory topic.

use crate::destination::Destination;
use crate::message::Message;
use crate::request::Subscribe;
use std::sync::Arc;

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
    /// A producer came.
    ProducerStarted(ProducerFacts),
    /// A producer went.
    ProducerStopped(ProducerFacts),
    /// Something happened to a message: the topic tells what.
    Message(Arc<Message>),
    /// Something about the broker itself: the topic and the properties tell what.
    Broker,
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
