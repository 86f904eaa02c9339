//! Messages: seven types over one table of fields.

use crate::codec::CodecError;
use crate::codec::command::Command;
use crate::codec::destination::Destination;
use crate::codec::ids::{BrokerId, ConsumerId, MessageId, ProducerId};
use crate::codec::reader::{Read, Reader};
use crate::codec::repeat::{Again, Changing};
use crate::codec::table::{Array, Body, Boolean, Byte, Cached, Int, Nested, Structure, Text, fields};
use crate::codec::template::{ARRIVAL, BROKER_IN_TIME, BROKER_OUT_TIME, CorrelationId, EXPIRATION, TIMESTAMP, Varying};
use crate::codec::transaction::TransactionId;
use crate::codec::writer::Writer;

fields! {
    /// What every message has, whatever its type.
    MessageFields {
        /// Numbers the commands of one side; a response names it.
        command_id: Changing<Int>;
        /// Whether the sender waits for a response.
        response_required: Boolean;
        /// Who sent it.
        producer_id: Cached<ProducerId>;
        /// Where to.
        destination: Cached<Destination>;
        /// In which transaction.
        transaction_id: Cached<TransactionId>;
        /// Where to, before it was moved.
        original_destination: Cached<Destination>;
        /// Which message.
        message_id: Nested<MessageId>;
        /// In which transaction, before it was moved.
        original_transaction_id: Cached<TransactionId>;
        /// `JMSXGroupID`.
        group_id: Changing<Text>;
        /// `JMSXGroupSeq`.
        group_sequence: Int;
        /// `JMSCorrelationID`.
        correlation_id: CorrelationId;
        /// `JMSDeliveryMode`.
        persistent: Boolean;
        /// `JMSExpiration`, 0: never. Milliseconds since 1970.
        expiration: Varying<EXPIRATION>;
        /// `JMSPriority`.
        priority: Byte;
        /// `JMSReplyTo`.
        reply_to: Nested<Destination>;
        /// `JMSTimestamp`. Milliseconds since 1970.
        timestamp: Varying<TIMESTAMP>;
        /// `JMSType`.
        jms_type: Text;
        /// Content and properties: two fields on the wire, one after the other.
        body: Body;
        /// The command that an advisory message tells of.
        data_structure: Nested<Box<Command>>;
        /// The one consumer that it is for.
        target_consumer_id: Cached<ConsumerId>;
        /// Whether the content is deflated.
        compressed: Boolean;
        /// How often it was delivered in vain. Count.
        redelivery_counter: Int;
        /// Brokers that it came through.
        broker_path: Array<BrokerId>;
        /// When the broker received it. Milliseconds since 1970.
        arrival: Varying<ARRIVAL>;
        /// `JMSXUserID`.
        user_id: Text;
        /// A bridge to another JMS broker received it.
        received_by_df_bridge: Boolean;
        /// May be lost when there is no room.
        droppable: Boolean, since 2;
        /// Brokers that it was replicated to.
        cluster: Array<BrokerId>, since 3;
        /// When it came in. Milliseconds since 1970.
        broker_in_time: Varying<BROKER_IN_TIME>, since 3;
        /// When it went out. Milliseconds since 1970.
        broker_out_time: Varying<BROKER_OUT_TIME>, since 3;
        /// `JMSXGroupFirstForConsumer`.
        jmsx_group_first_for_consumer: Boolean, since 10;
    }
}

fields! {
    /// Where the body of a blob message is.
    BlobFields {
        /// A URL that only the consumer opens.
        remote_blob_url: Text;
        /// Its media type.
        mime_type: Text;
        /// Whether the broker should delete it afterwards.
        deleted_by_broker: Boolean;
    }
}

/// The first type code of messages.
pub(crate) const MESSAGE_FIRST: u8 = 23;
/// The last one.
pub(crate) const MESSAGE_LAST: u8 = 29;
/// The version that brought blob messages.
const BLOB_SINCE: u8 = 3;

/// What the content of a message is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum MessageKind {
    /// Type 23: no body; also what advisories are.
    #[default]
    Plain,
    /// Type 24: octets.
    Bytes,
    /// Type 25: a marshalled map.
    Map,
    /// Type 26: a serialised Java object. Opaque here, for ever.
    Object,
    /// Type 27: marshalled primitives.
    Stream,
    /// Type 28: a 32-bit length and modified UTF-8.
    Text,
    /// Type 29: somewhere else.
    Blob(Box<BlobFields>),
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// What its content is.
    pub kind: MessageKind,
    /// Everything else.
    pub fields: MessageFields,
}

impl Structure for Message {
    const NAME: &'static str = "a message";

    fn type_code(&self) -> u8 {
        match self.kind {
            MessageKind::Plain => 23,
            MessageKind::Bytes => 24,
            MessageKind::Map => 25,
            MessageKind::Object => 26,
            MessageKind::Stream => 27,
            MessageKind::Text => 28,
            MessageKind::Blob(_) => 29,
        }
    }

    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
        Self::read_boxed(code, reader).map(|message| *message)
    }

    fn read_boxed(code: u8, reader: &mut Reader<'_>) -> Read<Box<Self>> {
        let mut message = Box::<Self>::default();
        message.read_over(code, reader)?;
        Ok(message)
    }

    fn read_over(&mut self, code: u8, reader: &mut Reader<'_>) -> Read<()> {
        self.kind = match code {
            23 => MessageKind::Plain,
            24 => MessageKind::Bytes,
            25 => MessageKind::Map,
            26 => MessageKind::Object,
            27 => MessageKind::Stream,
            28 => MessageKind::Text,
            29 if reader.version() >= BLOB_SINCE => MessageKind::Blob(Box::default()),
            29 => return reader.fail(CodecError::UnknownType(code)),
            _ => return reader.fail(CodecError::UnexpectedType { found: code, wanted: Self::NAME }),
        };
        self.fields.read_into(reader)?;
        if let MessageKind::Blob(blob) = &mut self.kind {
            blob.read_into(reader)?;
        }
        Ok(())
    }

    fn read_changed(&mut self, again: &mut Again<'_>) -> Option<()> {
        self.fields.read_changed_fields(again)?;
        if let MessageKind::Blob(blob) = &mut self.kind {
            blob.read_changed_fields(again)?;
        }
        Some(())
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        match &self.kind {
            MessageKind::Blob(_) if writer.version() < BLOB_SINCE => {
                Err(CodecError::NotInVersion("a blob message", writer.version()))
            }
            MessageKind::Blob(blob) => {
                self.fields.write_fields(writer)?;
                blob.write_fields(writer)
            }
            MessageKind::Plain
            | MessageKind::Bytes
            | MessageKind::Map
            | MessageKind::Object
            | MessageKind::Stream
            | MessageKind::Text => self.fields.write_fields(writer),
        }
    }
}
