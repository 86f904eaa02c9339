//! Who is meant: connections, sessions, consumers, producers, brokers, messages.

use crate::codec::CodecError;
use crate::codec::destination::Destination;
use crate::codec::reader::{Read, Reader};
use crate::codec::table::{Cached, Long, Name, Structure, Text, structure};
use crate::codec::template::{BROKER_SEQUENCE, PRODUCER_SEQUENCE, Varying};
use crate::codec::transaction::TransactionId;
use crate::codec::writer::Writer;
use std::sync::Arc;

structure! {
    /// A connection: `ID:host-port-start-sequence:n`, made by the client.
    #[derive(Hash)]
    ConnectionId = 120 {
        /// The whole id.
        value: Name;
    }
}

structure! {
    /// A session of a connection.
    #[derive(Hash)]
    SessionId = 121 {
        /// The connection's id.
        connection_id: Name;
        /// Which session of the connection; −1 is the one for advisories.
        value: Long;
    }
}

structure! {
    /// A consumer of a session.
    #[derive(Hash)]
    ConsumerId = 122 {
        /// The connection's id.
        connection_id: Name;
        /// Which session of the connection.
        session_id: Long;
        /// Which consumer of the session.
        value: Long;
    }
}

structure! {
    /// A producer of a session.
    #[derive(Hash)]
    ProducerId = 123 {
        /// The connection's id.
        connection_id: Name;
        /// Which producer of the session.
        value: Long;
        /// Which session of the connection.
        session_id: Long;
    }
}

structure! {
    /// A broker.
    #[derive(Hash)]
    BrokerId = 124 {
        /// The whole id.
        value: Name;
    }
}

structure! {
    /// A message: its producer and the producer's own count.
    #[derive(Hash)]
    MessageId = 110 {
        /// The id of a message that came by another protocol, as text.
        text_view: Text, since 10;
        /// Who sent it.
        producer_id: Cached<ProducerId>;
        /// The producer's count.
        producer_sequence_id: Varying<PRODUCER_SEQUENCE>;
        /// The broker's count.
        broker_sequence_id: Varying<BROKER_SEQUENCE>;
    }
}

/// What the marshal cache remembers, and what a RemoveInfo may name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ObjectId {
    /// A connection.
    ConnectionId(ConnectionId),
    /// A session.
    SessionId(SessionId),
    /// A consumer.
    ConsumerId(ConsumerId),
    /// A producer.
    ProducerId(ProducerId),
    /// A broker.
    BrokerId(BrokerId),
    /// A destination.
    Destination(Destination),
    /// A transaction.
    TransactionId(TransactionId),
}

/// A structure that goes through the marshal cache.
pub(crate) trait Cacheable: Structure {
    /// The key it is found by.
    fn to_object(&self) -> ObjectId;
    /// The structure, if `object` is one of its type.
    fn from_object(object: &ObjectId) -> Option<Self>;
    /// Whether `object` is its key.
    fn is_object(&self, object: &ObjectId) -> bool;
}

macro_rules! cacheable {
    ($($name:ident $(($text:ident $(, $number:ident)*))?;)*) => { $(
        $(impl $name {
            /// As `==`. Both mostly come from the same place, and then share their text.
            #[inline]
            pub(crate) fn is_same(&self, other: &Self) -> bool {
                (Arc::ptr_eq(&self.$text, &other.$text) $(&& self.$number == other.$number)*) || self == other
            }
        })?

        impl Cacheable for $name {
            fn to_object(&self) -> ObjectId {
                ObjectId::$name(self.clone())
            }

            fn from_object(object: &ObjectId) -> Option<Self> {
                match object {
                    ObjectId::$name(value) => Some(value.clone()),
                    _ => None,
                }
            }

            fn is_object(&self, object: &ObjectId) -> bool {
                matches!(object, ObjectId::$name(value) if is_same!(self, value $(, $text)?))
            }
        }
    )* };
}

/// `is_same` where there is one.
macro_rules! is_same {
    ($one:expr, $other:expr, $text:ident) => {
        $one.is_same($other)
    };
    ($one:expr, $other:expr) => {
        $one == $other
    };
}

cacheable! {
    ConnectionId(value);
    SessionId(connection_id, value);
    ConsumerId(connection_id, session_id, value);
    ProducerId(connection_id, session_id, value);
    BrokerId(value);
    Destination(physical_name, kind);
    TransactionId;
}

impl Cacheable for ObjectId {
    fn to_object(&self) -> ObjectId {
        self.clone()
    }

    fn from_object(object: &ObjectId) -> Option<Self> {
        Some(object.clone())
    }

    fn is_object(&self, object: &ObjectId) -> bool {
        self == object
    }
}

impl ObjectId {
    /// What it occupies in memory, roughly. Bytes.
    pub(crate) fn retained_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::ConnectionId(id) => id.value.len(),
                Self::SessionId(id) => id.connection_id.len(),
                Self::ConsumerId(id) => id.connection_id.len(),
                Self::ProducerId(id) => id.connection_id.len(),
                Self::BrokerId(id) => id.value.len(),
                Self::Destination(destination) => destination.physical_name.len(),
                Self::TransactionId(id) => id.retained_bytes(),
            }
    }
}

impl Structure for ObjectId {
    const NAME: &'static str = "an id or a destination";

    fn type_code(&self) -> u8 {
        match self {
            Self::ConnectionId(id) => id.type_code(),
            Self::SessionId(id) => id.type_code(),
            Self::ConsumerId(id) => id.type_code(),
            Self::ProducerId(id) => id.type_code(),
            Self::BrokerId(id) => id.type_code(),
            Self::Destination(destination) => destination.type_code(),
            Self::TransactionId(id) => id.type_code(),
        }
    }

    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
        Ok(match code {
            ConnectionId::TYPE_CODE => Self::ConnectionId(Structure::read(code, reader)?),
            SessionId::TYPE_CODE => Self::SessionId(Structure::read(code, reader)?),
            ConsumerId::TYPE_CODE => Self::ConsumerId(Structure::read(code, reader)?),
            ProducerId::TYPE_CODE => Self::ProducerId(Structure::read(code, reader)?),
            BrokerId::TYPE_CODE => Self::BrokerId(Structure::read(code, reader)?),
            100..=103 => Self::Destination(Structure::read(code, reader)?),
            111 | 112 => Self::TransactionId(Structure::read(code, reader)?),
            _ => return reader.fail(CodecError::UnexpectedType { found: code, wanted: Self::NAME }),
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        match self {
            Self::ConnectionId(id) => id.write(writer),
            Self::SessionId(id) => id.write(writer),
            Self::ConsumerId(id) => id.write(writer),
            Self::ProducerId(id) => id.write(writer),
            Self::BrokerId(id) => id.write(writer),
            Self::Destination(destination) => destination.write(writer),
            Self::TransactionId(id) => id.write(writer),
        }
    }
}
