//! OpenWire as a load generator needs it: frames are copied from a template, and what comes back is read in place.
//!
//! The codec, `ferrymq_openwire`, speaks until a connection is introduced and makes the templates. After that only the
//! fields that matter are found in a frame, in the one encoding that was agreed: version 12, loose, without cache.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::BytesMut;
use ferrymq_openwire::codec::connection::ConnectionInfo;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::destination::Destination;
use ferrymq_openwire::codec::ids::MessageId;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::producer::ProducerInfo;
use ferrymq_openwire::codec::table::Secret;
use ferrymq_openwire::codec::throwable::Throwable;
use ferrymq_openwire::peer::{self, AckType, Peer, PeerOptions};
use ferrymq_openwire::{CodecError, CodecOptions, Command, Decoder, Encoder};

use super::wire::{Answer, Scanned, Sending, body};
use crate::address::{BrokerArgs, Kind, Target};
use crate::output::Failure;

/// The one version whose fields are found in place here; Classic 5.16 and later, and Artemis speak it.
const VERSION: u8 = 12;
/// Producer and consumer of a connection are its first.
const FIRST: i64 = 1;
/// Messages that a consumer of a queue takes before it acknowledges any, as JMS clients do.
const PREFETCH_QUEUE: i32 = 1_000;
/// The same for a topic.
const PREFETCH_TOPIC: i32 = 32_766;
/// A frame longer than this is not one that a broker sends to the generator.
const FRAME_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Ids of commands below this belong to the introduction.
const FIRST_MESSAGE_COMMAND: u64 = 100;

/// The size in front of a frame.
const SIZE_BYTES: usize = 4;
/// Where the id of a command stands, after its size and type.
const COMMAND_ID_AT: usize = SIZE_BYTES + 1;
/// Where the fields of a command begin: after size, type, id, and whether a response is wanted.
const FIELDS_AT: usize = COMMAND_ID_AT + 5;

fn codec() -> CodecOptions {
    CodecOptions {
        version: VERSION,
        tight: false,
        cache: None,
        size_prefix: true,
        stack_trace: true,
        max_frame: FRAME_BYTES_MAX,
    }
}

fn destination(target: &Target) -> Destination {
    match target.kind {
        Kind::Queue => peer::queue(&target.name),
        Kind::Topic => peer::topic(&target.name),
    }
}

fn peer_of(identity: &str) -> Peer {
    Peer::new(PeerOptions { version: VERSION, tight: false, cache: None, ..PeerOptions::new(identity) })
}

/// Whom a connection serves.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    Producer(&'a Target),
    Consumer(&'a Target),
}

/// Introduces the connection, its session, and its producer or consumer; gives what the broker sent after its last
/// answer.
pub(super) fn introduce(
    stream: &mut TcpStream,
    broker: &BrokerArgs,
    identity: &str,
    role: Role<'_>,
) -> io::Result<Result<BytesMut, Failure>> {
    let mut talk = Talk { stream, peer: peer_of(identity), input: BytesMut::new(), out: BytesMut::new() };
    talk.peer.hello(&mut talk.out).map_err(invalid)?;
    if let Err(failure) = talk.until(|command| matches!(command, Command::WireFormatInfo(_)))? {
        return Ok(Err(failure));
    }
    let agreed = talk.peer.codec();
    if (agreed.version, agreed.tight, agreed.cache) != (VERSION, false, None) {
        return Ok(Err(Failure::Failed(format!("the broker does not speak OpenWire {VERSION}"))));
    }
    let mut commands = vec![connection_info(&mut talk.peer, broker)];
    commands.push(Box::new(|peer: &mut Peer, out: &mut BytesMut| peer.begin_session(FIRST, out)));
    commands.push(match role {
        Role::Producer(target) => producer_info(destination(target)),
        Role::Consumer(target) => consumer_info(target),
    });
    for command in commands {
        let id = command(&mut talk.peer, &mut talk.out).map_err(invalid)?;
        let is_answer = |command: &Command| matches!(command, Command::Response(answer) if answer.correlation_id == id);
        if let Err(failure) = talk.until(is_answer)? {
            return Ok(Err(failure));
        }
    }
    Ok(Ok(talk.input))
}

/// Writes one command and gives its id.
type Say<'a> = Box<dyn FnOnce(&mut Peer, &mut BytesMut) -> Result<i32, CodecError> + 'a>;

fn connection_info<'a>(peer: &mut Peer, broker: &BrokerArgs) -> Say<'a> {
    let info = ConnectionInfo {
        command_id: peer.next_id(),
        response_required: true,
        connection_id: Some(peer.connection_id()),
        client_id: Some(peer.connection_id().value),
        user_name: broker.user.as_deref().map(Arc::from),
        password: broker.password.as_deref().map(Secret::new),
        ..ConnectionInfo::default()
    };
    Box::new(move |peer, out| {
        let id = info.command_id;
        peer.put(&info.into(), out).map(|()| id)
    })
}

fn producer_info<'a>(destination: Destination) -> Say<'a> {
    Box::new(move |peer, out| {
        let command_id = peer.next_id();
        let info = ProducerInfo {
            command_id,
            response_required: true,
            producer_id: Some(peer.producer_id(FIRST)),
            destination: Some(destination),
            ..ProducerInfo::default()
        };
        peer.put(&info.into(), out).map(|()| command_id)
    })
}

fn consumer_info(target: &Target) -> Say<'_> {
    let prefetch_size = match target.kind {
        Kind::Queue => PREFETCH_QUEUE,
        Kind::Topic => PREFETCH_TOPIC,
    };
    Box::new(move |peer, out| {
        let info = ConsumerInfo { prefetch_size, dispatch_async: true, ..ConsumerInfo::default() };
        peer.begin_consumer(FIRST, &destination(target), info, out)
    })
}

/// A connection while it still blocks.
struct Talk<'a> {
    stream: &'a mut TcpStream,
    peer: Peer,
    input: BytesMut,
    out: BytesMut,
}

impl Talk<'_> {
    /// Writes what waits and reads up to the command that is looked for; what comes before it belongs to no run.
    fn until(&mut self, wanted: impl Fn(&Command) -> bool) -> io::Result<Result<(), Failure>> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        loop {
            let Some(command) = self.peer.next(&mut self.input).map_err(invalid)? else {
                let mut buffer = [0; 16 * 1024];
                let count = self.stream.read(&mut buffer)?;
                if count == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection"));
                }
                self.input.extend_from_slice(&buffer[..count]);
                continue;
            };
            if let Some(words) = refusal(&command) {
                return Ok(Err(Failure::Failed(format!("the broker refuses: {words}"))));
            }
            if wanted(&command) {
                return Ok(Ok(()));
            }
        }
    }
}

fn invalid(error: CodecError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// What the broker says where it refuses.
fn refusal(command: &Command) -> Option<String> {
    let words = |exception: &Throwable| {
        let part = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        format!("{}: {}", part(&exception.class_name), part(&exception.message))
    };
    match command {
        Command::ExceptionResponse(answer) => Some(answer.exception.as_deref().map(words).unwrap_or_default()),
        Command::ConnectionError(error) => Some(error.exception.as_deref().map(words).unwrap_or_default()),
        _ => None,
    }
}

/// A bytes message whose numbers and time stamp are written over.
pub(super) struct Template {
    frame: Vec<u8>,
    sequence: u64,
    sequence_at: usize,
    body_at: usize,
}

impl Template {
    pub(super) fn new(identity: &str, sending: &Sending<'_>) -> Template {
        let body = body(sending.size, sending.run);
        let mut message = peer::octets(&body);
        let fields = &mut message.fields;
        let producer_id = Some(peer_of(identity).producer_id(FIRST));
        fields.response_required = sending.receipts;
        fields.persistent = sending.persistent;
        fields.message_id = Some(MessageId { producer_id: producer_id.clone(), ..MessageId::default() });
        fields.producer_id = producer_id;
        fields.destination = Some(destination(sending.destination));
        let frame = encode(&message.into());
        let places = places(&frame[SIZE_BYTES + 1..]).expect("a message that the codec wrote");
        let at = |place: usize| SIZE_BYTES + 1 + place;
        // The id ends with the producer's and the broker's sequence, the body with the content.
        Template { sequence: 0, sequence_at: at(places.id.1) - 16, body_at: at(places.body.0), frame }
    }

    pub(super) fn len(&self) -> usize {
        self.frame.len()
    }

    pub(super) fn append(&mut self, out: &mut Vec<u8>, sent_at: u64, receipt: u64) {
        self.sequence += 1;
        let mut write = |at: usize, bytes: &[u8]| self.frame[at..at + bytes.len()].copy_from_slice(bytes);
        // Ids of commands come round after 2^31 messages, when the first are long answered.
        let command = (FIRST_MESSAGE_COMMAND + receipt) & 0x7fff_ffff;
        write(COMMAND_ID_AT, &(command as u32).to_be_bytes());
        write(self.sequence_at, &self.sequence.to_be_bytes());
        write(self.body_at, &sent_at.to_le_bytes());
        out.extend_from_slice(&self.frame);
    }
}

fn encode(command: &Command) -> Vec<u8> {
    let mut out = BytesMut::new();
    Encoder::new(codec()).encode(command, &mut out).expect("the command exists in this version and is small");
    out.to_vec()
}

/// An acknowledgement of everything from one message to another.
pub(super) struct Range {
    /// Up to the first id, without the size.
    head: Vec<u8>,
    first: Vec<u8>,
}

impl Range {
    pub(super) fn new(identity: &str, target: &Target) -> Range {
        let ack = MessageAck {
            destination: Some(destination(target)),
            consumer_id: Some(peer_of(identity).consumer_id(FIRST)),
            ack_type: AckType::Standard as i8,
            ..MessageAck::default()
        };
        let frame = encode(&ack.into());
        // Two absent ids, the count, and an absent cause.
        Range { head: frame[SIZE_BYTES..frame.len() - 7].to_vec(), first: Vec::new() }
    }

    pub(super) fn begin(&mut self, first: &[u8]) {
        self.first.clear();
        self.first.extend_from_slice(first);
    }

    pub(super) fn end(&self, last: &[u8], count: u32, out: &mut Vec<u8>) {
        let size = self.head.len() + self.first.len() + last.len() + 5;
        out.extend_from_slice(&(size as u32).to_be_bytes());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.first);
        out.extend_from_slice(last);
        out.extend_from_slice(&count.to_be_bytes());
        out.push(0);
    }
}

/// Reads the first frame of the bytes, if it is whole.
pub(super) fn scan(bytes: &[u8]) -> Scanned<'_> {
    let Some(size) = bytes.first_chunk::<SIZE_BYTES>() else { return Scanned::Incomplete };
    let length = u32::from_be_bytes(*size) as usize + SIZE_BYTES;
    if length > FRAME_BYTES_MAX || length == SIZE_BYTES {
        return Scanned::Nonsense;
    }
    let Some(frame) = bytes.get(..length) else { return Scanned::Incomplete };
    let answer = match frame[SIZE_BYTES] {
        21 => dispatched(frame.get(FIELDS_AT..).unwrap_or_default()),
        30 | 32..=34 => answered(frame),
        16 | 31 => refused(frame),
        _ => Some(Answer::Other),
    };
    answer.map_or(Scanned::Nonsense, |answer| Scanned::Frame(answer, length))
}

fn answered(frame: &[u8]) -> Option<Answer<'_>> {
    let correlation = u64::from(u32::from_be_bytes(*frame.get(FIELDS_AT..)?.first_chunk()?));
    Some(correlation.checked_sub(FIRST_MESSAGE_COMMAND).map_or(Answer::Other, Answer::Receipt))
}

fn refused(frame: &[u8]) -> Option<Answer<'_>> {
    let command = Decoder::new(codec()).decode(&mut BytesMut::from(frame)).ok()??;
    refusal(&command).map(Answer::Error)
}

/// The fields of a MessageDispatch: consumer, destination, message, count.
fn dispatched(fields: &[u8]) -> Option<Answer<'_>> {
    let mut cursor = Cursor { bytes: fields, at: 0 };
    cursor.nested()?;
    cursor.nested()?;
    if !cursor.boolean()? {
        // The end of a browser's queue.
        return Some(Answer::Other);
    }
    cursor.skip(1)?;
    let message = &fields[cursor.at..];
    let Places { id, body } = places(message)?;
    Some(Answer::Message { ack: Some(&message[id.0..id.1]), body: &message[body.0..body.1] })
}

/// Where things stand in a message: from and to, after its type.
struct Places {
    id: (usize, usize),
    body: (usize, usize),
}

/// Walks a message's fields up to its content.
fn places(message: &[u8]) -> Option<Places> {
    let mut cursor = Cursor { bytes: message, at: 0 };
    // Command id, whether a response is wanted.
    cursor.skip(5)?;
    // Producer, destination, transaction, original destination.
    for _ in 0..4 {
        cursor.nested()?;
    }
    let id_at = cursor.at;
    cursor.nested()?;
    let id = (id_at, cursor.at);
    // Original transaction; group and its sequence; correlation id.
    cursor.nested()?;
    cursor.text()?;
    cursor.skip(4)?;
    cursor.text()?;
    // Persistent, expiration, priority; reply to; time stamp; type.
    cursor.skip(10)?;
    cursor.nested()?;
    cursor.skip(8)?;
    cursor.text()?;
    if !cursor.boolean()? {
        return Some(Places { id, body: (cursor.at, cursor.at) });
    }
    let length = u32::from_be_bytes(*cursor.bytes.get(cursor.at..)?.first_chunk()?) as usize;
    cursor.skip(4)?;
    let body_at = cursor.at;
    cursor.skip(length)?;
    Some(Places { id, body: (body_at, cursor.at) })
}

/// Goes over loosely encoded fields.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|&at| at <= self.bytes.len())?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn boolean(&mut self) -> Option<bool> {
        self.byte().map(|byte| byte != 0)
    }

    fn text(&mut self) -> Option<()> {
        if self.boolean()? {
            let length = u16::from_be_bytes(*self.bytes.get(self.at..)?.first_chunk()?);
            self.skip(2 + usize::from(length))?;
        }
        Some(())
    }

    /// An id, destination or transaction; no other structure stands before a message's content.
    fn nested(&mut self) -> Option<()> {
        if !self.boolean()? {
            return Some(());
        }
        match self.byte()? {
            100..=103 | 120 | 124 => self.text(),
            // A message's id: its text, its producer, two numbers.
            110 => {
                self.text()?;
                self.nested()?;
                self.skip(16)
            }
            // A local transaction: its number, its connection.
            111 => {
                self.skip(8)?;
                self.nested()
            }
            121 => {
                self.text()?;
                self.skip(8)
            }
            122 | 123 => {
                self.text()?;
                self.skip(16)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
