//! A message: a neutral header for routing and policy, and the original bytes.

use crate::advisory::Advisory;
use crate::destination::Destination;
use crate::dialect::Dialect;
use crate::id::MessageId;
use crate::schedule::Schedule;
use crate::time::WallTime;
use crate::value::Value;
use bytes::Bytes;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Whether a message must survive the broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryMode {
    /// Held in memory; a crash may lose it.
    NonPersistent,
    /// Confirmed only when it is on stable storage.
    Persistent,
}

/// What every protocol, policy and route needs of a message, out of its encoding.
#[derive(Clone, Debug)]
pub struct Header {
    /// Unique identity.
    pub id: MessageId,
    /// Where the producer sent it: one leaf. For a composite send the first leaf; each delivery names its own.
    pub destination: Arc<Destination>,
    /// Whether it must survive the broker.
    pub mode: DeliveryMode,
    /// 0 to 9, 4 is usual; higher goes first.
    pub priority: u8,
    /// When the producer sent it.
    pub timestamp: WallTime,
    /// When it becomes worthless; `None`: never.
    pub expiration: Option<WallTime>,
    /// The headers that most messages do not have, in one allocation.
    pub annotations: Option<Box<Annotations>>,
}

/// Headers that most messages do not have.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Annotations {
    /// `JMSCorrelationID`.
    pub correlation_id: Option<Arc<str>>,
    /// `JMSReplyTo`, resolved: a temporary name is the real one.
    pub reply_to: Option<Destination>,
    /// `JMSType`.
    pub kind: Option<Arc<str>>,
    /// `JMSXGroupID` and `JMSXGroupSeq`.
    pub group: Option<Group>,
    /// `JMSXUserID`, set by the broker where configured.
    pub user: Option<Arc<str>>,
    /// Where it was sent before it came where it is: the whole name of a composite, or where a dead letter died. The broker
    /// says so whatever the client said.
    pub original_destination: Option<Arc<Destination>>,
    /// `JMSXProducerTXID`, the transaction that it was sent in: `TX:` and a local one's name, or a branch as `Xid` writes it.
    pub transaction: Option<Arc<str>>,
    /// When and how often it shall be delivered, if not at once.
    pub schedule: Option<Box<Schedule>>,
    /// What the broker tells with this message. Such a message has no encoding of its own, and is never persistent.
    pub advisory: Option<Arc<Advisory>>,
    /// Application properties that the broker added (`dlqDeliveryFailureCause`, `originalExpiration`…). They hide
    /// properties of the same name in the message's own encoding.
    pub added: Vec<(Arc<str>, Value)>,
}

/// A message group: messages of one group go to one consumer, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// `JMSXGroupID`.
    pub id: Arc<str>,
    /// `JMSXGroupSeq`; a negative one closes the group.
    pub sequence: i32,
}

/// A message. Immutable once it is in an `Arc`.
#[derive(Clone, Debug)]
pub struct Message {
    /// Out of the encoding.
    pub header: Header,
    /// How to read `bytes`.
    pub dialect: &'static dyn Dialect,
    /// The original encoding of application properties and body.
    pub bytes: Bytes,
    /// Where the body starts in `bytes`, for dialects that put it last.
    pub body_at: u32,
}

/// What a message costs in memory beside its bytes: header, allocation and queue entry. Bytes.
pub const MESSAGE_OVERHEAD: usize = 256;

impl Message {
    /// Bytes of memory that this message holds while it is kept.
    #[must_use]
    pub fn retained_size(&self) -> usize {
        self.bytes.len() + MESSAGE_OVERHEAD
    }

    /// The same message with bytes of its own. A message that stays must not pin the read buffer it arrived in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    /// As [`Message::detached`], of a message that nobody else has.
    pub fn detach(&mut self) {
        self.bytes = Bytes::copy_from_slice(&self.bytes);
    }

    /// Whether the message is worthless at `now`.
    #[must_use]
    pub fn is_expired(&self, now: WallTime) -> bool {
        self.header.expiration.is_some_and(|at| at <= now)
    }

    /// Shorthand for the rare headers.
    #[must_use]
    pub fn annotations(&self) -> Option<&Annotations> {
        self.header.annotations.as_deref()
    }
}
