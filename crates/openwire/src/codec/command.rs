//! Everything that has a type code.

use crate::codec::CodecError;
use crate::codec::broker_info::BrokerInfo;
use crate::codec::connection::{ConnectionControl, ConnectionError, ConnectionInfo};
use crate::codec::consumer::{ConsumerControl, ConsumerInfo};
use crate::codec::control::{ControlCommand, FlushCommand, KeepAliveInfo, ShutdownInfo};
use crate::codec::datagram::{LastPartialCommand, PartialCommand, ReplayCommand};
use crate::codec::destination::DestinationInfo;
use crate::codec::ids::{MessageId, ObjectId};
use crate::codec::journal::{JournalQueueAck, JournalTopicAck, JournalTrace, JournalTransaction, SubscriptionInfo};
use crate::codec::message::Message;
use crate::codec::message_ack::MessageAck;
use crate::codec::message_dispatch::{MessageDispatch, MessageDispatchNotification};
use crate::codec::message_pull::MessagePull;
use crate::codec::network::{BrokerSubscriptionInfo, DiscoveryEvent, NetworkBridgeFilter};
use crate::codec::producer::{ProducerAck, ProducerInfo};
use crate::codec::reader::{Read, Reader};
use crate::codec::response::{DataArrayResponse, DataResponse, ExceptionResponse, IntegerResponse, Response};
use crate::codec::session::{RemoveInfo, RemoveSubscriptionInfo, SessionInfo};
use crate::codec::table::Structure;
use crate::codec::transaction::TransactionInfo;
use crate::codec::wire_format_info::WireFormatInfo;
use crate::codec::writer::Writer;

/// One line per structure with a table of its own; messages and objects share theirs among several type codes.
macro_rules! commands {
    ($($name:ident: $what:literal,)*) => {
        /// A command, or another structure with a type code. Those that are no commands stand alone only in stores.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Command {
            $(#[doc = $what] $name(Box<$name>),)*
            /// A message of any of the seven types.
            Message(Box<Message>),
            /// An id or a destination.
            Object(ObjectId),
        }

        impl Structure for Command {
            const NAME: &'static str = "a command";

            fn type_code(&self) -> u8 {
                match self {
                    $(Self::$name(command) => command.type_code(),)*
                    Self::Message(message) => message.type_code(),
                    Self::Object(object) => object.type_code(),
                }
            }

            fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
                Ok(match code {
                    $($name::TYPE_CODE => Self::$name(Structure::read(code, reader)?),)*
                    23..=29 => Self::Message(Structure::read(code, reader)?),
                    100..=103 | 111 | 112 | 120..=124 => Self::Object(Structure::read(code, reader)?),
                    _ => return reader.fail(CodecError::UnknownType(code)),
                })
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
                match self {
                    $(Self::$name(command) => command.write(writer),)*
                    Self::Message(message) => message.write(writer),
                    Self::Object(object) => object.write(writer),
                }
            }
        }

        $(impl From<$name> for Command {
            fn from(command: $name) -> Self {
                Self::$name(Box::new(command))
            }
        })*
    };
}

commands! {
    WireFormatInfo: "Which formats a side can speak.",
    BrokerInfo: "The broker introduces itself.",
    ConnectionInfo: "A client introduces itself.",
    SessionInfo: "A session begins.",
    ConsumerInfo: "A consumer begins.",
    ProducerInfo: "A producer begins.",
    TransactionInfo: "Moves a transaction on.",
    DestinationInfo: "Makes or removes a destination.",
    RemoveSubscriptionInfo: "A durable subscription ends for good.",
    KeepAliveInfo: "Still here.",
    ShutdownInfo: "The connection ends as it should.",
    RemoveInfo: "A connection, session, consumer or producer ends.",
    ControlCommand: "Asks the broker to do something by name.",
    FlushCommand: "Asks for a response when everything before it was done.",
    ConnectionError: "Something failed that no response can tell.",
    ConsumerControl: "Changes a consumer's prefetch, or closes it.",
    ConnectionControl: "The broker steers a client's connection.",
    ProducerAck: "Opens a producer's window again.",
    MessagePull: "Asks for one message.",
    MessageDispatch: "A message for a consumer.",
    MessageAck: "Settles a range of messages.",
    Response: "Done.",
    ExceptionResponse: "Refused.",
    DataResponse: "Done, with what came of it.",
    DataArrayResponse: "Done, with several things that came of it.",
    IntegerResponse: "Done, with a number.",
    DiscoveryEvent: "A broker was found or lost.",
    JournalTopicAck: "In stores: a durable subscription has consumed a message.",
    JournalQueueAck: "In stores: a message of a queue was consumed.",
    JournalTrace: "In stores: a note.",
    JournalTransaction: "In stores: the outcome of a transaction.",
    SubscriptionInfo: "A durable subscription.",
    PartialCommand: "A piece of a command.",
    LastPartialCommand: "The last piece of a command.",
    ReplayCommand: "Asks to send commands again.",
    MessageDispatchNotification: "Tells a standby of a dispatch.",
    NetworkBridgeFilter: "What a bridge's consumer does not want.",
    BrokerSubscriptionInfo: "Which durable subscriptions a broker has.",
    MessageId: "Which message.",
}

impl From<Message> for Command {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}

impl Command {
    /// The code in front of it on the wire.
    #[must_use]
    pub fn type_code(&self) -> u8 {
        Structure::type_code(self)
    }
}
