//! MESSAGE frames.

use super::dialect::{BodyKind, StompDialect, body_kind, is_property};
use super::{advisory, json};
use crate::codec::{Expressible, Known, Line, Version, escape_into, lines, put_number, unescape};
use crate::destination;
use ferrymq_model::limits::BODY_COPY_BYTES_MAX;
use ferrymq_model::{
    Annotations, Body, DeliveryMode, Destination, MalformedMessage, Message, Outbox, WallTime, schedule,
};
use std::borrow::Cow;
use std::sync::Arc;

/// What is around a message in one MESSAGE frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'e> {
    /// `MESSAGE`, `subscription`, `destination`: ready lines.
    pub(crate) prefix: &'e [u8],
    /// For the header `ack` in STOMP 1.2: subscription and delivery.
    pub(crate) ack: Option<(u32, u64)>,
    /// Above 0 it is a redelivery.
    pub(crate) redeliveries: u32,
    /// Where it was first sent, if it came here by another way than its name.
    pub(crate) sent_to: Option<&'e Destination>,
    /// How the session that made `reply-to`'s temporary destination calls it.
    pub(crate) reply_to: Option<&'e str>,
}

/// Writes MESSAGE frames of one connection. Keeps what repeats from frame to frame.
#[derive(Debug)]
pub(crate) struct Encoder {
    version: Version,
    head: Vec<u8>,
    /// The producer of the last message id and its escaped text.
    producer: Option<(Arc<str>, Vec<u8>)>,
    /// The last timestamp and its text.
    timestamp: (WallTime, Vec<u8>),
}

/// A head keeps its allocation up to this size between frames. Bytes.
const HEAD_BYTES_KEPT_MAX: usize = 16 * 1024;

impl Encoder {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, head: Vec::new(), producer: None, timestamp: (WallTime(0), b"0".to_vec()) }
    }

    /// Writes one frame, or nothing where the message cannot be read in its own dialect.
    pub(crate) fn put(
        &mut self,
        envelope: Envelope<'_>,
        message: &Message,
        out: &mut Outbox,
    ) -> Result<(), MalformedMessage> {
        self.head.clear();
        if self.head.capacity() > HEAD_BYTES_KEPT_MAX {
            self.head = Vec::new();
        }
        self.head.extend_from_slice(envelope.prefix);
        self.put_header(envelope, message);
        if let Some(version) = StompDialect::version_of(message.dialect.code()) {
            self.put_stomp(version, message, out);
            return Ok(());
        }
        if let Some(told) = message.annotations().and_then(|annotations| annotations.advisory.as_deref()) {
            self.put_text(&advisory::text(told), out);
            return Ok(());
        }
        let neutral = message.dialect.to_neutral(message)?;
        for (name, value) in &neutral.properties {
            self.put_property(name, &json::plain(value));
        }
        if let Some(group) = message.annotations().and_then(|annotations| annotations.group.as_ref()) {
            self.put_property(Known::GroupId.name(), &group.id);
            self.put_property(Known::GroupSequence.name(), &group.sequence.to_string());
        }
        self.put_neutral_body(neutral.body, out);
        Ok(())
    }

    /// The lines that the broker owns.
    fn put_header(&mut self, envelope: Envelope<'_>, message: &Message) {
        let header = &message.header;
        self.head.extend_from_slice(b"message-id:");
        self.put_producer(&header.id.producer);
        self.head.extend_from_slice(if self.version == Version::V1_0 { b":" } else { b"\\c" });
        put_number(&mut self.head, header.id.sequence);
        if let Some((subscription, delivery)) = envelope.ack {
            self.head.extend_from_slice(b"\nack:");
            put_number(&mut self.head, u64::from(subscription));
            self.head.push(b'-');
            put_number(&mut self.head, delivery);
        }
        match header.expiration {
            None => self.head.extend_from_slice(b"\nexpires:0\npriority:"),
            Some(at) => {
                self.head.extend_from_slice(b"\nexpires:");
                put_number(&mut self.head, at.0);
                self.head.extend_from_slice(b"\npriority:");
            }
        }
        self.head.push(b'0' + header.priority.min(9));
        self.head.extend_from_slice(b"\ntimestamp:");
        self.put_timestamp(header.timestamp);
        self.head.push(b'\n');
        if header.mode == DeliveryMode::Persistent {
            self.head.extend_from_slice(b"persistent:true\n");
        }
        if envelope.redeliveries > 0 {
            self.head.extend_from_slice(b"redelivered:true\n");
        }
        if let Some(annotations) = header.annotations.as_deref() {
            self.put_annotations(envelope, annotations);
        }
        let named = header.annotations.as_ref().and_then(|annotations| annotations.original_destination.as_deref());
        if let Some(original) = named.or(envelope.sent_to) {
            self.put_property(Known::OriginalDestination.name(), &show(original));
        }
        // First in the frame, so that they hide the sender's properties of the same names.
        for (name, value) in header.annotations.iter().flat_map(|annotations| &annotations.added) {
            self.put_property(name, &json::plain(value));
        }
    }

    fn put_annotations(&mut self, envelope: Envelope<'_>, annotations: &Annotations) {
        if let Some(correlation_id) = &annotations.correlation_id {
            self.put_property(Known::CorrelationId.name(), correlation_id);
        }
        if let Some(reply_to) = &annotations.reply_to {
            let text = envelope.reply_to.map_or_else(|| Cow::Owned(show(reply_to)), Cow::Borrowed);
            self.put_property(Known::ReplyTo.name(), &text);
        }
        if let Some(kind) = &annotations.kind {
            self.put_property(Known::Type.name(), kind);
        }
        if let Some(user) = &annotations.user {
            self.put_property(Known::User.name(), user);
        }
    }

    /// Many messages of one millisecond follow each other.
    fn put_timestamp(&mut self, timestamp: WallTime) {
        if timestamp != self.timestamp.0 {
            self.timestamp.0 = timestamp;
            self.timestamp.1.clear();
            put_number(&mut self.timestamp.1, timestamp.0);
        }
        self.head.extend_from_slice(&self.timestamp.1);
    }

    fn put_producer(&mut self, producer: &Arc<str>) {
        if let Some((known, text)) = &self.producer
            && Arc::ptr_eq(known, producer)
        {
            self.head.extend_from_slice(text);
            return;
        }
        let mut text = Vec::new();
        if escape_into(&mut text, producer, self.version, false) == Expressible::No {
            text.clear();
        }
        self.head.extend_from_slice(&text);
        self.producer = Some((Arc::clone(producer), text));
    }

    /// One header line, or none where the version cannot express it.
    fn put_property(&mut self, name: &str, value: &str) {
        let start = self.head.len();
        let named = escape_into(&mut self.head, name, self.version, true);
        self.head.push(b':');
        let valued = escape_into(&mut self.head, value, self.version, false);
        if named == Expressible::Yes && valued == Expressible::Yes {
            self.head.push(b'\n');
        } else {
            self.head.truncate(start);
        }
    }

    /// Properties and body of a message that came over STOMP.
    fn put_stomp(&mut self, from: Version, message: &Message, out: &mut Outbox) {
        let body_at = message.body_at as usize;
        let block = &message.bytes[..body_at];
        let (mut message_type, mut has_length) = (None, false);
        let is_raw = from == self.version;
        let is_spent = schedule::is_spent(message);
        // Property lines that stand together are copied together.
        let (mut at, mut run_from) = (0, 0);
        for line in lines(block, from) {
            let known = Known::of(line.name);
            has_length |= known == Some(Known::ContentLength);
            if known == Some(Known::MessageType) && message_type.is_none() {
                message_type = Some(line.value);
            }
            let line_at = at;
            at += line.whole.len();
            if (known.is_some() || is_spent) && !is_property(line.name, message) {
                if is_raw {
                    self.head.extend_from_slice(&block[run_from..line_at]);
                }
                run_from = at;
            } else if !is_raw {
                self.put_translated(line, from);
            }
        }
        if is_raw {
            self.head.extend_from_slice(&block[run_from..at]);
        }
        let is_text = body_kind(message_type, has_length) == BodyKind::Text;
        let body = &message.bytes[body_at..];
        // A text with a NUL in it would end there without its length.
        if !is_text || (has_length && memchr::memchr(0, body).is_some()) {
            self.put_length(body.len());
        }
        self.head.push(b'\n');
        out.put(&self.head);
        if body.len() < BODY_COPY_BYTES_MAX {
            out.put(body);
        } else {
            out.put_body(message.bytes.slice(body_at..));
        }
        out.put(b"\0");
    }

    fn put_translated(&mut self, line: Line<'_>, from: Version) {
        self.put_property(&unescape(line.name, from), &unescape(line.value, from));
    }

    fn put_neutral_body(&mut self, body: Body, out: &mut Outbox) {
        match body {
            Body::Empty => self.put_text("", out),
            Body::Text(text) => self.put_text(&text, out),
            Body::Map(entries) => self.put_json("jms-map-json", &json::map(&entries), out),
            Body::List(values) => self.put_json("jms-json", &json::list(&values), out),
            Body::Bytes(bytes) | Body::Object(bytes) => {
                self.put_length(bytes.len());
                self.head.push(b'\n');
                out.put(&self.head);
                out.put_body(bytes);
                out.put(b"\0");
            }
        }
    }

    fn put_json(&mut self, transformation: &str, json: &str, out: &mut Outbox) {
        self.put_property("transformation", transformation);
        self.put_text(json, out);
    }

    fn put_text(&mut self, text: &str, out: &mut Outbox) {
        if memchr::memchr(0, text.as_bytes()).is_some() {
            self.put_length(text.len());
        }
        self.head.push(b'\n');
        out.put(&self.head);
        out.put(text.as_bytes());
        out.put(b"\0");
    }

    fn put_length(&mut self, length: usize) {
        self.head.extend_from_slice(b"content-length:");
        put_number(&mut self.head, length as u64);
        self.head.push(b'\n');
    }
}

/// A destination as every connection but its maker sees it.
pub(crate) fn show(destination: &Destination) -> String {
    format!("{}{}", destination::prefix(destination.kind), destination.name)
}
