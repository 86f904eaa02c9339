//! Runs a session and writes down what it does.

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Closing, DeliveryId, DeliveryMode, Destination, DestinationKind, Event, Header, Message, MessageId, MonoTime, Now,
    Outbox, Refusal, RefusalKind, Request, Session as _, SubscriptionId, Token, WallTime,
};
use ferrymq_openwire::codec::connection::ConnectionInfo;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::destination::{Destination as WireDestination, DestinationKind as WireKind};
use ferrymq_openwire::codec::ids::{ConnectionId, ConsumerId, MessageId as WireMessageId, ProducerId, SessionId};
use ferrymq_openwire::codec::message::{Message as WireMessage, MessageFields, MessageKind};
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::codec::producer::ProducerInfo;
use ferrymq_openwire::codec::session::SessionInfo;
use ferrymq_openwire::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use ferrymq_openwire::codec::{CodecOptions, Command, Decoder, Encoder};
use ferrymq_openwire::{Session, SessionOptions};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// Where every transcript's clocks start.
const START: Now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(1000) };
/// The connection of every transcript.
pub(super) const CONNECTION: &str = "ID:c-1";

pub(super) struct Script {
    name: &'static str,
    session: Session,
    now: Now,
    input: BytesMut,
    out: Outbox,
    encoder: Encoder,
    decoder: Decoder,
    text: String,
}

impl Script {
    /// A connection on which nothing was said.
    pub(super) fn new(name: &'static str) -> Self {
        Self::with(name, SessionOptions::new(Arc::from("ID:test-1")))
    }

    pub(super) fn with(name: &'static str, options: SessionOptions) -> Self {
        let codec = CodecOptions::before_negotiation(1 << 20);
        Self {
            name,
            session: Session::new(options),
            now: START,
            input: BytesMut::new(),
            out: Outbox::default(),
            encoder: Encoder::new(codec.clone()),
            decoder: Decoder::new(codec),
            text: String::new(),
        }
    }

    /// A connection with session 1, of which nothing is written down.
    pub(super) fn open(name: &'static str) -> Self {
        Self::open_with(name, SessionOptions::new(Arc::from("ID:test-1")))
    }

    pub(super) fn open_with(name: &'static str, options: SessionOptions) -> Self {
        Self::open_as(name, options, connection_info())
    }

    /// As `open`, by a client that comes back after a failure.
    pub(super) fn reopen(name: &'static str) -> Self {
        let info = ConnectionInfo { fault_tolerant: true, failover_reconnect: true, ..connection_info() };
        Self::open_as(name, SessionOptions::new(Arc::from("ID:test-1")), info)
    }

    fn open_as(name: &'static str, options: SessionOptions, info: ConnectionInfo) -> Self {
        let mut script = Self::with(name, options);
        script.negotiate(&properties());
        script.client(info);
        script.confirm(0);
        script.client(SessionInfo { session_id: Some(session(1)), ..SessionInfo::default() });
        script.text.clear();
        script
    }

    /// The client's WireFormatInfo of version 12; from then on both sides speak what it says.
    pub(super) fn negotiate(&mut self, properties: &WireFormatProperties) {
        self.client(WireFormatInfo::new(12, properties).unwrap());
    }

    /// A line for people.
    pub(super) fn note(&mut self, text: &str) {
        writeln!(self.text, "\n# {text}").unwrap();
    }

    pub(super) fn client(&mut self, command: impl Into<Command>) {
        let command = command.into();
        writeln!(self.text, "> {}", shown(&command)).unwrap();
        self.encoder.encode(&command, &mut self.input).unwrap();
        if let Command::WireFormatInfo(_) = &command {
            self.encoder = Encoder::new(agreed());
        }
        self.receive();
    }

    /// Commands that are read at once.
    pub(super) fn together(&mut self, commands: Vec<Command>) {
        for command in commands {
            writeln!(self.text, "> {}", shown(&command)).unwrap();
            self.encoder.encode(&command, &mut self.input).unwrap();
        }
        self.receive();
    }

    /// Commands that lead to nothing, too many to be written down.
    pub(super) fn unwritten(&mut self, commands: Vec<Command>) {
        writeln!(self.text, "> {} × {}…", commands.len(), &shown(&commands[0])[..17]).unwrap();
        for command in commands {
            self.encoder.encode(&command, &mut self.input).unwrap();
        }
        self.receive();
    }

    /// Bytes that are no command.
    pub(super) fn octets(&mut self, octets: &[u8]) {
        writeln!(self.text, "> {octets:02x?}").unwrap();
        self.input.extend_from_slice(octets);
        self.receive();
    }

    fn receive(&mut self) {
        let mut requests = Vec::new();
        let closing = self.session.receive(self.now, &mut self.input, &mut requests, &mut self.out);
        self.show(&requests, &closing);
    }

    pub(super) fn event(&mut self, event: Event) {
        writeln!(self.text, "* {}", tidy(&format!("{event:?}"))).unwrap();
        let mut requests = Vec::new();
        let closing = self.session.handle(self.now, event, &mut requests, &mut self.out);
        self.show(&requests, &closing);
    }

    pub(super) fn confirm(&mut self, token: u64) {
        self.event(Event::Confirmed { token: Token(token) });
    }

    pub(super) fn refuse(&mut self, token: Option<u64>, kind: RefusalKind, text: &str) {
        self.event(Event::Refused { token: token.map(Token), refusal: Refusal { kind, text: text.to_owned() } });
    }

    /// A message by `ID:p-1:1:1`, the so many-th, for a consumer.
    pub(super) fn deliver(&mut self, subscription: u32, delivery: u64, kind: DestinationKind) {
        self.event(Event::Deliver(self.delivery(subscription, delivery, kind)));
    }

    pub(super) fn delivery(&self, subscription: u32, delivery: u64, kind: DestinationKind) -> Delivery {
        let body = MessageBody::of(Some(b"\0\0\0\x02hi"), None);
        let text = ferrymq_openwire::DIALECTS[0];
        let message = Message {
            header: Header {
                id: MessageId { producer: Arc::from("ID:p-1:1:1"), sequence: delivery },
                destination: Arc::new(Destination { kind, name: Arc::from("D") }),
                mode: DeliveryMode::NonPersistent,
                priority: 4,
                timestamp: WallTime(1_700_000_000_000),
                expiration: None,
                annotations: None,
            },
            dialect: text,
            body_at: u32::try_from(body.properties_at()).unwrap(),
            bytes: body.into_bytes(),
        };
        Delivery {
            subscription: SubscriptionId(subscription),
            delivery: DeliveryId(delivery),
            redeliveries: 0,
            first_of_group: false,
            destination: None,
            message: Arc::new(message),
        }
    }

    pub(super) fn written(&mut self) {
        self.text.push_str("~ written\n");
        let mut requests = Vec::new();
        self.session.written(self.now, self.out.put_total(), &mut requests);
        self.show(&requests, &Closing::No);
    }

    pub(super) fn pass(&mut self, ms: u64) {
        writeln!(self.text, "@ {ms}").unwrap();
        self.now = Now { wall: WallTime(self.now.wall.0 + ms), mono: MonoTime(self.now.mono.0 + ms) };
        if self.session.next_tick().is_some_and(|at| at <= self.now.mono) {
            let mut requests = Vec::new();
            let closing = self.session.tick(self.now, &mut requests, &mut self.out);
            self.show(&requests, &closing);
        }
    }

    pub(super) fn end_input(&mut self) {
        self.text.push_str("> end of input\n");
        let mut requests = Vec::new();
        let closing = self.session.input_ended(self.now, &mut requests, &mut self.out);
        self.show(&requests, &closing);
    }

    fn show(&mut self, requests: &[Request], closing: &Closing) {
        for request in requests {
            writeln!(self.text, "! {}", tidy(&format!("{request:?}"))).unwrap();
        }
        let mut bytes = BytesMut::new();
        while !self.out.is_empty() {
            let front = self.out.front();
            bytes.extend_from_slice(front);
            let length = front.len();
            self.out.advance(length);
        }
        while !bytes.is_empty() {
            match self.decoder.decode(&mut bytes) {
                Ok(Some(command)) => {
                    writeln!(self.text, "< {}", shown(&command)).unwrap();
                    if let Command::WireFormatInfo(_) = command {
                        self.decoder = Decoder::new(agreed());
                    }
                }
                Ok(None) => panic!("half a frame was written"),
                Err(error) => panic!("{error}\n{}", self.text),
            }
        }
        match closing {
            Closing::No => {}
            Closing::AfterFlush => self.text.push_str("! closes in peace\n"),
            Closing::PeerError(text) => writeln!(self.text, "! closes: {text}").unwrap(),
        }
    }

    /// Compares with what was written down.
    pub(super) fn finish(self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(format!("{}.txt", self.name));
        let text = self.text.trim_start().to_owned();
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            std::fs::write(&path, &text).unwrap();
            return;
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        if known != text {
            let at = known.lines().zip(text.lines()).position(|(a, b)| a != b);
            let at = at.unwrap_or_else(|| known.lines().count().min(text.lines().count()));
            panic!(
                "{}: line {} is\n{}\nand was\n{}",
                self.name,
                at + 1,
                text.lines().nth(at).unwrap_or("(its end)"),
                known.lines().nth(at).unwrap_or("(its end)")
            );
        }
    }
}

fn shown(command: &Command) -> String {
    match command {
        Command::WireFormatInfo(info) => format!(
            "WireFormatInfo {{ version: {}, {} }}",
            info.version,
            // Our own version changes with each release.
            tidy(&format!("{:?}", info.properties().unwrap()))
                .replace(concat!('"', env!("CARGO_PKG_VERSION"), '"'), "\"(version)\"")
        ),
        other => {
            let text = format!("{other:?}");
            // The variant's name stands twice: `Response(Response { … })`.
            let inner = text.split_once('(').map_or(&*text, |(_, rest)| rest.strip_suffix(')').unwrap_or(rest));
            tidy(inner)
        }
    }
}

/// What both sides speak when they know of each other, in every transcript.
fn agreed() -> CodecOptions {
    CodecOptions {
        version: 12,
        tight: true,
        cache: Some(1024),
        size_prefix: true,
        stack_trace: true,
        max_frame: 100 * 1024 * 1024,
    }
}

/// Leaves away fields that hold nothing, and what an `Arc` or a `Box` around a name adds.
fn tidy(debug: &str) -> String {
    let mut kept = String::new();
    let mut rest = debug;
    while let Some(at) = rest.find(": ") {
        let name_at = rest[..at].rfind([' ', '{']).map_or(0, |before| before + 1);
        let value = &rest[at + 2..];
        let empty = ["None", "false", "0", "\"\"", "Some(\"\")", "[]", "Some([])"].into_iter().find(|nothing| {
            value.strip_prefix(*nothing).is_some_and(|after| after.starts_with(", ") || after.starts_with(" }"))
        });
        match empty {
            Some(nothing) if rest[name_at..at].chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') => {
                kept.push_str(&rest[..name_at]);
                let after = &value[nothing.len()..];
                rest = after.strip_prefix(", ").unwrap_or(after);
            }
            _ => {
                kept.push_str(&rest[..at + 2]);
                rest = value;
            }
        }
    }
    kept.push_str(rest);
    while kept.contains("  ") {
        kept = kept.replace("  ", " ");
    }
    kept.replace(", }", " }").replace("{ }", "{}")
}

/// What the newest Java client says.
pub(super) fn properties() -> WireFormatProperties {
    WireFormatProperties {
        cache_enabled: Some(true),
        cache_size: Some(1024),
        tight_encoding_enabled: Some(true),
        stack_trace_enabled: Some(true),
        size_prefix_disabled: Some(false),
        max_inactivity_duration: Some(30_000),
        max_inactivity_duration_initial_delay: Some(10_000),
        provider_name: Some(Arc::from("ActiveMQ")),
        provider_version: Some(Arc::from("6.3.1")),
        ..WireFormatProperties::default()
    }
}

pub(super) fn connection_id() -> ConnectionId {
    ConnectionId { value: Arc::from(CONNECTION) }
}

pub(super) fn connection_info() -> ConnectionInfo {
    ConnectionInfo {
        command_id: 1,
        response_required: true,
        connection_id: Some(connection_id()),
        client_id: Some(Arc::from("client")),
        ..ConnectionInfo::default()
    }
}

pub(super) fn session(value: i64) -> SessionId {
    SessionId { connection_id: Arc::from(CONNECTION), value }
}

pub(super) fn producer(value: i64) -> ProducerId {
    ProducerId { connection_id: Arc::from(CONNECTION), value, session_id: 1 }
}

pub(super) fn consumer(value: i64) -> ConsumerId {
    ConsumerId { connection_id: Arc::from(CONNECTION), session_id: 1, value }
}

pub(super) fn queue(name: &str) -> WireDestination {
    WireDestination { kind: WireKind::Queue, physical_name: Arc::from(name) }
}

pub(super) fn topic(name: &str) -> WireDestination {
    WireDestination { kind: WireKind::Topic, physical_name: Arc::from(name) }
}

pub(super) fn producer_info(command_id: i32, value: i64, destination: Option<WireDestination>) -> ProducerInfo {
    ProducerInfo {
        command_id,
        response_required: true,
        producer_id: Some(producer(value)),
        destination,
        ..ProducerInfo::default()
    }
}

pub(super) fn consumer_info(command_id: i32, value: i64, destination: WireDestination, prefetch: i32) -> ConsumerInfo {
    ConsumerInfo {
        command_id,
        response_required: true,
        consumer_id: Some(consumer(value)),
        destination: Some(destination),
        prefetch_size: prefetch,
        ..ConsumerInfo::default()
    }
}

/// The client's own text message.
pub(super) fn message(command_id: i32, sequence: i64, destination: WireDestination) -> WireMessage {
    WireMessage {
        kind: MessageKind::Text,
        fields: MessageFields {
            command_id,
            response_required: true,
            producer_id: Some(producer(1)),
            destination: Some(destination),
            message_id: Some(WireMessageId {
                producer_id: Some(producer(1)),
                producer_sequence_id: sequence,
                ..WireMessageId::default()
            }),
            priority: 4,
            timestamp: 1_700_000_000_000,
            body: MessageBody::of(Some(b"\0\0\0\x02hi"), None),
            ..MessageFields::default()
        },
    }
}

/// The id of a message that [`Script::deliver`] made.
pub(super) fn delivered(sequence: i64) -> WireMessageId {
    WireMessageId {
        producer_id: Some(ProducerId { connection_id: Arc::from("ID:p-1"), value: 1, session_id: 1 }),
        producer_sequence_id: sequence,
        ..WireMessageId::default()
    }
}
