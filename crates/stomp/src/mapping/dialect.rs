//! The three dialects in which STOMP messages are kept.

use crate::codec::{Known, Line, Version, lines, unescape};
use ferrymq_model::schedule::{SCHEDULED_REPEAT, is_spent};
use ferrymq_model::selector::Operand;
use ferrymq_model::{Body, Dialect, MalformedMessage, Message, Neutral, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// A message as a STOMP client of one version sent it: header block, blank line, body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StompDialect {
    version: Version,
}

/// Sent over STOMP 1.0.
pub static STOMP_1_0: StompDialect = StompDialect { version: Version::V1_0 };
/// Sent over STOMP 1.1.
pub static STOMP_1_1: StompDialect = StompDialect { version: Version::V1_1 };
/// Sent over STOMP 1.2.
pub static STOMP_1_2: StompDialect = StompDialect { version: Version::V1_2 };
/// Every dialect of this crate, for the journal.
pub static DIALECTS: &[&dyn Dialect] = &[&STOMP_1_0, &STOMP_1_1, &STOMP_1_2];

/// The two kinds of message that STOMP tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyKind {
    Text,
    Bytes,
}

impl StompDialect {
    /// The dialect of a version.
    #[must_use]
    pub fn of(version: Version) -> &'static Self {
        match version {
            Version::V1_0 => &STOMP_1_0,
            Version::V1_1 => &STOMP_1_1,
            Version::V1_2 => &STOMP_1_2,
        }
    }

    /// The STOMP version that the journal's code names; `None`: not of this crate.
    pub(crate) fn version_of(code: u16) -> Option<Version> {
        match code {
            1 => Some(Version::V1_0),
            2 => Some(Version::V1_1),
            3 => Some(Version::V1_2),
            _ => None,
        }
    }

    fn lines(self, message: &Message) -> impl Iterator<Item = Line<'_>> {
        lines(&message.bytes[..message.body_at as usize], self.version)
    }
}

/// Whether a header line of a message's frame is one of its properties. A `reply-to` that names no place is one. What
/// asked for a schedule is none any more once that has brought the message.
#[inline]
pub(crate) fn is_property(name: &[u8], message: &Message) -> bool {
    match Known::of(name) {
        None => name != SCHEDULED_REPEAT.as_bytes() || !is_spent(message),
        Some(Known::ScheduledDelay | Known::ScheduledPeriod | Known::ScheduledCron) => !is_spent(message),
        Some(Known::ReplyTo) => message.annotations().is_none_or(|annotations| annotations.reply_to.is_none()),
        Some(known) => known.is_property(),
    }
}

/// What kind of body a message's header lines announce: `amq-msg-type` first, then whether there is a length.
pub(crate) fn body_kind(message_type: Option<&[u8]>, has_length: bool) -> BodyKind {
    match message_type {
        Some(kind) if kind.eq_ignore_ascii_case(b"text") => BodyKind::Text,
        Some(_) => BodyKind::Bytes,
        None if has_length => BodyKind::Bytes,
        None => BodyKind::Text,
    }
}

impl Dialect for StompDialect {
    fn code(&self) -> u16 {
        match self.version {
            Version::V1_0 => 1,
            Version::V1_1 => 2,
            Version::V1_2 => 3,
        }
    }

    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        let found = self.lines(message).find(|line| {
            line.name == name.as_bytes()
                || (memchr::memchr(b'\\', line.name).is_some() && unescape(line.name, self.version) == name)
        });
        match found {
            Some(line) if is_property(line.name, message) => Operand::Text(unescape(line.value, self.version)),
            Some(_) | None => Operand::Null,
        }
    }

    fn to_neutral(&self, message: &Message) -> Result<Neutral, MalformedMessage> {
        let mut properties = Vec::new();
        let mut seen: HashSet<Cow<'_, str>> = HashSet::new();
        let (mut message_type, mut has_length) = (None, false);
        for line in self.lines(message) {
            let known = Known::of(line.name);
            has_length |= known == Some(Known::ContentLength);
            if known == Some(Known::MessageType) && message_type.is_none() {
                message_type = Some(line.value);
            }
            let name = unescape(line.name, self.version);
            if is_property(line.name, message) && seen.insert(name.clone()) {
                properties.push((Arc::from(name), Value::Text(Arc::from(unescape(line.value, self.version)))));
            }
        }
        let body = message.bytes.slice(message.body_at as usize..);
        let body = match body_kind(message_type, has_length) {
            BodyKind::Bytes => Body::Bytes(body),
            BodyKind::Text => match std::str::from_utf8(&body) {
                Ok(text) => Body::Text(Arc::from(text)),
                Err(error) => return Err(MalformedMessage(format!("the text body is not UTF-8: {error}"))),
            },
        };
        Ok(Neutral { properties, body })
    }
}
