//! Identities. Each names who chooses the number and how long it stays unique.

use std::fmt;
use std::sync::Arc;

/// One connection's session. `server` chooses it; a slot is reused with the next generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId {
    /// Index into tables of sessions: small and dense.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// A subscription within its session; chosen by the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubscriptionId(pub u32);

/// A producer within its session; chosen by the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerId(pub u32);

/// One delivery to one subscription; chosen by the broker, grows by one with each delivery of that subscription,
/// starting at 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeliveryId(pub u64);

/// A local transaction within its session; chosen by the session and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransactionId(pub u64);

/// A session's own mark on a request; the answer carries it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// Who sent a message, and which of its messages it is. Written `producer:sequence`, as OpenWire writes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    /// Unique over all brokers and restarts, such as `ID:broker-1a2b-3:7`.
    pub producer: Arc<str>,
    /// Grows with each message of the producer.
    pub sequence: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.producer, self.sequence)
    }
}
