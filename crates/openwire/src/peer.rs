//! The client's side on the same codec: what a client sends, and an incremental parser of what the broker sends.
//!
//! ```
//! use ferrymq_openwire::peer::{self, Peer, PeerOptions};
//! let (mut peer, mut out) = (Peer::new(PeerOptions::new("ID:example:1")), bytes::BytesMut::new());
//! peer.hello(&mut out)?;
//! // Once `next` has returned the broker's WireFormatInfo:
//! peer.connect(Some("client"), &mut out)?;
//! peer.begin_session(1, &mut out)?;
//! peer.begin_producer(1, &mut out)?;
//! peer.send(1, &peer::queue("Q"), peer::text("hello"), None, &mut out)?;
//! ```

use crate::codec::connection::ConnectionInfo;
use crate::codec::consumer::ConsumerInfo;
use crate::codec::control::ShutdownInfo;
use crate::codec::destination::{Destination, DestinationKind};
use crate::codec::ids::{ConnectionId, ConsumerId, MessageId, ObjectId, ProducerId, SessionId};
use crate::codec::message::{Message, MessageFields, MessageKind};
use crate::codec::message_ack::MessageAck;
use crate::codec::message_body::MessageBody;
use crate::codec::message_dispatch::MessageDispatch;
use crate::codec::message_pull::MessagePull;
use crate::codec::producer::ProducerInfo;
use crate::codec::session::{RemoveInfo, SessionInfo};
use crate::codec::text::Form;
use crate::codec::transaction::{LocalTransactionId, TransactionId, TransactionInfo};
use crate::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use crate::codec::{CodecError, CodecOptions, Command, Decoder, Encoder};
use bytes::BytesMut;
use std::sync::Arc;

/// The JMS session of all producers and consumers here.
const SESSION: i64 = 1;

/// What a client says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerOptions {
    /// The connection's id, unique over all clients.
    pub connection: Arc<str>,
    /// 1 to 12.
    pub version: u8,
    /// Whether it can tight encoding.
    pub tight: bool,
    /// Entries of its marshal cache; `None`: it has none.
    pub cache: Option<u16>,
    /// The longest silence that it bears; 0: any. Milliseconds.
    pub inactivity_ms: u32,
    /// `ProviderVersion`, from which the broker tells `javax` from `jakarta`.
    pub provider_version: Option<Arc<str>>,
    /// The largest frame. Bytes.
    pub max_frame: usize,
}

impl PeerOptions {
    /// What the newest Java client says, but that it bears any silence.
    #[must_use]
    pub fn new(connection: &str) -> Self {
        Self {
            connection: connection.into(),
            version: 12,
            tight: true,
            cache: Some(1024),
            inactivity_ms: 0,
            provider_version: None,
            max_frame: 100 * 1024 * 1024,
        }
    }
}

/// One connection of a client.
#[derive(Debug)]
pub struct Peer {
    options: PeerOptions,
    decoder: Decoder,
    encoder: Encoder,
    /// The last command's id.
    command_id: i32,
    /// The last message's number, over all producers.
    sequence: i64,
}

/// What happened to messages: `MessageAck.ack_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum AckType {
    /// Arrived, not consumed yet.
    Delivered = 0,
    /// Never to be consumed.
    Poison = 1,
    /// Consumed, up to this one.
    Standard = 2,
    /// Given to the application again.
    Redelivered = 3,
    /// Consumed, this one alone.
    Individual = 4,
    /// Not wanted after all.
    Unmatched = 5,
    /// Too old.
    Expired = 6,
}

/// What a transaction does next: `TransactionInfo.kind`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum TransactionStep {
    /// It begins.
    Begin = 0,
    /// The first of two phases.
    Prepare = 1,
    /// It happens, in one phase.
    CommitOnePhase = 2,
    /// It happens, after its prepare.
    CommitTwoPhase = 3,
    /// It is undone.
    Rollback = 4,
    /// Asks which are prepared.
    Recover = 5,
    /// Its heuristic outcome is known.
    Forget = 6,
    /// Work on it ends.
    End = 7,
}

impl Peer {
    /// A connection on which nothing was sent yet.
    #[must_use]
    pub fn new(options: PeerOptions) -> Self {
        let codec = CodecOptions::before_negotiation(options.max_frame);
        Self { options, decoder: Decoder::new(codec.clone()), encoder: Encoder::new(codec), command_id: 0, sequence: 0 }
    }

    /// The first command: what this side can.
    ///
    /// # Errors
    /// The provider's version is longer than a text can be.
    pub fn hello(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        let inactivity = Some(i64::from(self.options.inactivity_ms));
        let info = WireFormatInfo::new(
            self.options.version,
            &WireFormatProperties {
                cache_enabled: Some(self.options.cache.is_some()),
                cache_size: Some(i32::from(self.options.cache.unwrap_or(0))),
                tight_encoding_enabled: Some(self.options.tight),
                size_prefix_disabled: Some(false),
                stack_trace_enabled: Some(true),
                tcp_no_delay_enabled: Some(true),
                max_inactivity_duration: inactivity,
                max_inactivity_duration_initial_delay: inactivity,
                max_frame_size: Some(i64::try_from(self.options.max_frame).unwrap_or(i64::MAX)),
                provider_name: Some("ActiveMQ".into()),
                provider_version: self.options.provider_version.clone(),
                ..WireFormatProperties::default()
            },
        )?;
        self.encoder.encode(&info.into(), out)
    }

    /// The next command of the broker, or `None` while it has not arrived whole. Its WireFormatInfo is applied and
    /// returned like any other: from then on this side may send more.
    ///
    /// # Errors
    /// The broker does not speak OpenWire; the peer must not be used again.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Command>, CodecError> {
        let command = self.decoder.decode(input)?;
        if let Some(Command::WireFormatInfo(theirs)) = &command {
            let agreed = self.agree(theirs)?;
            self.decoder = Decoder::new(agreed.clone());
            self.encoder = Encoder::new(agreed);
        }
        Ok(command)
    }

    /// The least of what both said.
    fn agree(&self, theirs: &WireFormatInfo) -> Result<CodecOptions, CodecError> {
        let said = theirs.properties()?;
        let version = u8::try_from(theirs.version).unwrap_or(u8::MAX).clamp(1, self.options.version);
        let their_cache = said.cache_size.and_then(|size| u16::try_from(size).ok()).unwrap_or(u16::MAX);
        let cache = self.options.cache.filter(|_| said.cache_enabled == Some(true)).map(|ours| ours.min(their_cache));
        Ok(CodecOptions {
            version,
            tight: self.options.tight && said.tight_encoding_enabled == Some(true),
            cache,
            size_prefix: true,
            stack_trace: said.stack_trace_enabled == Some(true),
            max_frame: self.options.max_frame,
        })
    }

    /// What was agreed.
    #[must_use]
    pub fn codec(&self) -> &CodecOptions {
        self.decoder.options()
    }

    /// Sends any command as it is.
    ///
    /// # Errors
    /// It has no form in the version that was agreed, or is too large; see [`CodecError`].
    pub fn put(&mut self, command: &Command, out: &mut BytesMut) -> Result<(), CodecError> {
        self.encoder.encode(command, out)
    }

    /// An id for the next command: the one that its answer names.
    pub fn next_id(&mut self) -> i32 {
        self.command_id = self.command_id.wrapping_add(1);
        self.command_id
    }

    /// Introduces the connection. Returns the command's id; so do the others below, and all of them ask for an answer.
    ///
    /// # Errors
    /// As [`Self::put`], here and below.
    pub fn connect(&mut self, client_id: Option<&str>, out: &mut BytesMut) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let info = ConnectionInfo {
            command_id,
            response_required: true,
            connection_id: Some(self.connection_id()),
            client_id: client_id.map(Arc::from),
            manageable: true,
            ..ConnectionInfo::default()
        };
        self.put(&info.into(), out).map(|()| command_id)
    }

    /// Begins the JMS session of everything below. `value`: 1, unless several are wanted.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn begin_session(&mut self, value: i64, out: &mut BytesMut) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let session_id = Some(SessionId { connection_id: self.options.connection.clone(), value });
        self.put(&SessionInfo { command_id, response_required: true, session_id }.into(), out).map(|()| command_id)
    }

    /// Begins a producer that sends wherever each message says.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn begin_producer(&mut self, producer: i64, out: &mut BytesMut) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let producer_id = Some(self.producer_id(producer));
        let info = ProducerInfo { command_id, response_required: true, producer_id, ..ProducerInfo::default() };
        self.put(&info.into(), out).map(|()| command_id)
    }

    /// Begins a consumer. `info` says what is wanted; ids are filled in.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn begin_consumer(
        &mut self,
        consumer: i64,
        destination: &Destination,
        info: ConsumerInfo,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let info = ConsumerInfo {
            command_id,
            response_required: true,
            consumer_id: Some(self.consumer_id(consumer)),
            destination: Some(destination.clone()),
            ..info
        };
        self.put(&info.into(), out).map(|()| command_id)
    }

    /// Sends a message. What it already says stays; ids and destination are filled in. It is persistent and asks for an
    /// answer where [`MessageFields::persistent`] says so.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn send(
        &mut self,
        producer: i64,
        destination: &Destination,
        mut message: Message,
        transaction: Option<i64>,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        self.sequence += 1;
        let producer_id = Some(self.producer_id(producer));
        let fields = &mut message.fields;
        fields.command_id = command_id;
        fields.response_required = fields.persistent && transaction.is_none();
        fields.message_id = Some(MessageId {
            producer_id: producer_id.clone(),
            producer_sequence_id: self.sequence,
            ..MessageId::default()
        });
        fields.producer_id = producer_id;
        fields.destination = Some(destination.clone());
        fields.transaction_id = transaction.map(|value| self.transaction_id(value));
        self.put(&Command::Message(Box::new(message)), out).map(|()| command_id)
    }

    /// Settles every message from `first` to `last` of one consumer; `count` of them.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn ack(
        &mut self,
        kind: AckType,
        (first, last, count): (&MessageDispatch, &MessageDispatch, i32),
        transaction: Option<i64>,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let id = |dispatch: &MessageDispatch| {
            dispatch.message.as_ref().and_then(|message| message.fields.message_id.clone())
        };
        let ack = MessageAck {
            command_id,
            response_required: transaction.is_some(),
            destination: last.destination.clone(),
            transaction_id: transaction.map(|value| self.transaction_id(value)),
            consumer_id: last.consumer_id.clone(),
            ack_type: kind as i8,
            first_message_id: id(first),
            last_message_id: id(last),
            message_count: count,
            poison_cause: None,
        };
        self.put(&ack.into(), out).map(|()| command_id)
    }

    /// Asks for one message: `timeout_ms` −1 does not wait, 0 waits for ever.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn pull(
        &mut self,
        consumer: i64,
        destination: &Destination,
        timeout_ms: i64,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let pull = MessagePull {
            command_id,
            consumer_id: Some(self.consumer_id(consumer)),
            destination: Some(destination.clone()),
            timeout: timeout_ms,
            ..MessagePull::default()
        };
        self.put(&pull.into(), out).map(|()| command_id)
    }

    /// Moves a local transaction on.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn transaction(
        &mut self,
        step: TransactionStep,
        transaction: i64,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let id = self.transaction_id(transaction);
        self.branch(step, Some(id), out)
    }

    /// Moves a transaction of either sort on.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn branch(
        &mut self,
        step: TransactionStep,
        transaction_id: Option<TransactionId>,
        out: &mut BytesMut,
    ) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let connection_id = Some(self.connection_id());
        let info =
            TransactionInfo { command_id, response_required: true, connection_id, transaction_id, kind: step as i8 };
        self.put(&info.into(), out).map(|()| command_id)
    }

    /// Ends a producer, consumer, session or the connection.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn remove(&mut self, object: ObjectId, last_delivered: i64, out: &mut BytesMut) -> Result<i32, CodecError> {
        let command_id = self.next_id();
        let info = RemoveInfo {
            command_id,
            response_required: true,
            object_id: Some(object),
            last_delivered_sequence_id: last_delivered,
        };
        self.put(&info.into(), out).map(|()| command_id)
    }

    /// The last command.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn shut_down(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        let command_id = self.next_id();
        self.put(&ShutdownInfo { command_id, ..ShutdownInfo::default() }.into(), out)
    }

    /// The connection's id.
    #[must_use]
    pub fn connection_id(&self) -> ConnectionId {
        ConnectionId { value: self.options.connection.clone() }
    }

    /// A producer's id.
    #[must_use]
    pub fn producer_id(&self, value: i64) -> ProducerId {
        ProducerId { connection_id: self.options.connection.clone(), value, session_id: SESSION }
    }

    /// A consumer's id.
    #[must_use]
    pub fn consumer_id(&self, value: i64) -> ConsumerId {
        ConsumerId { connection_id: self.options.connection.clone(), session_id: SESSION, value }
    }

    /// A local transaction's id.
    #[must_use]
    pub fn transaction_id(&self, value: i64) -> TransactionId {
        TransactionId::Local(LocalTransactionId { value, connection_id: Some(self.connection_id()) })
    }
}

/// A queue.
#[must_use]
pub fn queue(name: &str) -> Destination {
    Destination { kind: DestinationKind::Queue, physical_name: name.into() }
}

/// A topic.
#[must_use]
pub fn topic(name: &str) -> Destination {
    Destination { kind: DestinationKind::Topic, physical_name: name.into() }
}

/// A persistent text message.
///
/// # Panics
/// The text has 2 GiB.
#[must_use]
pub fn text(text: &str) -> Message {
    let form = Form::of(text);
    let length = i32::try_from(form.len(text)).expect("a text for a test is far smaller");
    let mut content = length.to_be_bytes().to_vec();
    form.write(text, &mut content);
    message(MessageKind::Text, Some(&content), None)
}

/// A persistent bytes message.
#[must_use]
pub fn octets(octets: &[u8]) -> Message {
    message(MessageKind::Bytes, Some(octets), None)
}

/// A persistent message; `properties` are marshalled ([`write_map`](crate::codec::properties::write_map)).
#[must_use]
pub fn message(kind: MessageKind, content: Option<&[u8]>, properties: Option<&[u8]>) -> Message {
    let body = MessageBody::of(content, properties);
    let fields = MessageFields { persistent: true, priority: 4, body, ..MessageFields::default() };
    Message { kind, fields }
}

/// The text of a text message; `None`: it is none, or malformed.
#[must_use]
pub fn text_of(message: &Message) -> Option<String> {
    let (_, octets) = message.fields.body.content()?.split_first_chunk::<4>()?;
    let is_text = message.kind == MessageKind::Text && !message.fields.compressed;
    if is_text { crate::codec::text::decode(octets).ok().map(String::from) } else { None }
}
