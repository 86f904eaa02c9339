//! Header lines: the names that have a meaning, and the escapes of each version.

use super::scan;
use std::borrow::Cow;
use std::fmt;

/// A version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// No escapes; values are trimmed.
    V1_0,
    /// `\n`, `\c` and `\\`.
    V1_1,
    /// Those and `\r`; a line may end with CR LF.
    V1_2,
}

impl Version {
    /// Every version, the lowest first.
    pub const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];

    /// As the headers `version` and `accept-version` write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The version with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The enum of known headers and their names, out of one list.
macro_rules! known_headers {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A header that STOMP or FerryMQ gives a meaning.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Known {
            $(#[doc = concat!("`", $name, "`")] $variant),*
        }

        impl Known {
            pub(super) const NAMES: &'static [&'static str] = &[$($name),*];
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),*];
        }
    };
}

mod known {
    known_headers! {
        Destination = "destination",
        ContentLength = "content-length",
        Receipt = "receipt",
        Transaction = "transaction",
        Persistent = "persistent",
        Priority = "priority",
        Expires = "expires",
        ReplyTo = "reply-to",
        CorrelationId = "correlation-id",
        Type = "type",
        Timestamp = "timestamp",
        MessageType = "amq-msg-type",
        GroupId = "JMSXGroupID",
        GroupSequence = "JMSXGroupSeq",
        MessageId = "message-id",
        Subscription = "subscription",
        Ack = "ack",
        Id = "id",
        Redelivered = "redelivered",
        User = "JMSXUserID",
        OriginalDestination = "original-destination",
        Selector = "selector",
        Browser = "browser",
        Login = "login",
        ClientId = "client-id",
        RequestId = "request-id",
        AcceptVersion = "accept-version",
        HeartBeat = "heart-beat",
        Version = "version",
        Session = "session",
        Server = "server",
        ReceiptId = "receipt-id",
        Message = "message",
        Passcode = "passcode",
        ScheduledDelay = "AMQ_SCHEDULED_DELAY",
        ScheduledPeriod = "AMQ_SCHEDULED_PERIOD",
        ScheduledCron = "AMQ_SCHEDULED_CRON",
        DeliveryDelay = "delivery-delay",
    }
}
pub use known::Known;

impl Known {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The header of this name; names are case-sensitive.
    #[must_use]
    #[inline]
    pub fn of(name: &[u8]) -> Option<Self> {
        // Every line of every frame asks: a perfect hash makes it one comparison.
        let (&first, &middle) = (name.first()?, name.get(name.len() / 2)?);
        let known = KNOWN_BY_HASH[hash(name.len(), first, middle)]?;
        (known.name().as_bytes() == name).then_some(known)
    }

    const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Headers of a SEND frame that are not the message's properties: they are the frame's own or become fields of the
    /// message's header. `reply-to` is among them only when it was understood.
    const NOT_PROPERTIES: u64 = Self::Destination.bit()
        | Self::ContentLength.bit()
        | Self::Receipt.bit()
        | Self::Transaction.bit()
        | Self::Persistent.bit()
        | Self::Priority.bit()
        | Self::Expires.bit()
        | Self::ReplyTo.bit()
        | Self::CorrelationId.bit()
        | Self::Type.bit()
        | Self::Timestamp.bit()
        | Self::MessageId.bit()
        | Self::Subscription.bit()
        | Self::Ack.bit()
        | Self::Redelivered.bit()
        | Self::User.bit()
        | Self::OriginalDestination.bit()
        | Self::DeliveryDelay.bit();

    /// Whether a message must keep this header of its SEND frame: a property, one that may turn out to be one, or what
    /// tells text from bytes.
    #[must_use]
    #[inline]
    pub const fn is_kept(self) -> bool {
        self.is_property() || matches!(self, Self::ReplyTo | Self::ContentLength)
    }

    /// Whether a SEND frame's header of this name is a property of the message.
    #[must_use]
    #[inline]
    pub const fn is_property(self) -> bool {
        Self::NOT_PROPERTIES & self.bit() == 0
    }
}

const HASH_SLOTS: usize = 128;

/// No two known names share it. The factors were found by trying.
const fn hash(length: usize, first: u8, middle: u8) -> usize {
    (length * 58 + first as usize * 135 + middle as usize * 167) % HASH_SLOTS
}

const KNOWN_BY_HASH: [Option<Known>; HASH_SLOTS] = {
    let mut table = [None; HASH_SLOTS];
    let mut at = 0;
    while at < Known::COUNT {
        let name = Known::NAMES[at].as_bytes();
        let slot = hash(name.len(), name[0], name[name.len() / 2]);
        assert!(table[slot].is_none(), "two known headers share a hash: find other factors");
        table[slot] = Some(Known::ALL[at]);
        at += 1;
    }
    table
};

/// Where the known headers of a frame stand. Of a repeated header the first counts (STOMP 1.2, "Repeated Header
/// Entries").
#[derive(Clone, Debug)]
pub struct KnownHeaders {
    present: u64,
    spans: [(u32, u32); Known::COUNT],
}

impl Default for KnownHeaders {
    fn default() -> Self {
        Self { present: 0, spans: [(0, 0); Known::COUNT] }
    }
}

impl KnownHeaders {
    pub(crate) fn clear(&mut self) {
        self.present = 0;
    }

    #[inline]
    pub(crate) fn note(&mut self, header: Known, from: u32, to: u32) {
        if self.present & header.bit() == 0 {
            self.present |= header.bit();
            self.spans[header as usize] = (from, to);
        }
    }

    /// Whether the frame has this header.
    #[must_use]
    #[inline]
    pub fn has(&self, header: Known) -> bool {
        self.present & header.bit() != 0
    }

    /// Whether the frame has one of these headers.
    #[must_use]
    #[inline]
    pub fn has_any(&self, headers: &[Known]) -> bool {
        headers.iter().any(|&header| self.has(header))
    }

    /// Its value's place in the frame's bytes.
    #[must_use]
    #[inline]
    pub fn span(&self, header: Known) -> Option<std::ops::Range<usize>> {
        let (from, to) = self.spans[header as usize];
        self.has(header).then_some(from as usize..to as usize)
    }
}

/// One header line, raw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'b> {
    /// With its line end.
    pub(crate) whole: &'b [u8],
    /// Escaped as it came.
    pub(crate) name: &'b [u8],
    /// Escaped as it came, trimmed as the version wants.
    pub(crate) value: &'b [u8],
}

/// The lines of a header block, up to its blank line or its end.
pub(crate) fn lines(block: &[u8], version: Version) -> Lines<'_> {
    Lines { rest: block, version }
}

pub(crate) struct Lines<'b> {
    rest: &'b [u8],
    version: Version,
}

impl<'b> Iterator for Lines<'b> {
    type Item = Line<'b>;

    #[inline]
    fn next(&mut self) -> Option<Line<'b>> {
        let scan = scan::line(self.rest, 0, None);
        let end = scan.end.filter(|&end| self.rest[end] == b'\n')?;
        let colon = scan.colon?;
        let (whole, rest) = self.rest.split_at(end + 1);
        self.rest = rest;
        let line = &whole[..end];
        Some(Line { whole, name: &line[..colon], value: trim(&line[colon + 1..], self.version) })
    }
}

/// What the version does to the ends of a value.
#[inline]
pub(crate) fn trim(value: &[u8], version: Version) -> &[u8] {
    match version {
        Version::V1_0 => value.trim_ascii(),
        Version::V1_1 => value,
        Version::V1_2 => value.strip_suffix(b"\r").unwrap_or(value),
    }
}

/// Whether every backslash in `block` starts an escape of the version.
pub(crate) fn escapes_are_valid(block: &[u8], version: Version) -> bool {
    let mut rest = block;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'n' | b'c' | b'\\') => {}
            Some(b'r') if version == Version::V1_2 => {}
            Some(_) | None => return false,
        }
        rest = &rest[at + 2..];
    }
    true
}

/// The text of a raw name or value from a decoded frame.
pub(crate) fn unescape(raw: &[u8], version: Version) -> Cow<'_, str> {
    if version == Version::V1_0 || memchr::memchr(b'\\', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    let mut plain = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => plain.push(b'\n'),
            Some(b'c') => plain.push(b':'),
            Some(b'r') => plain.push(b'\r'),
            Some(&other) => plain.push(other),
            None => {}
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// Whether a version's header lines can carry a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Expressible {
    /// It was written.
    Yes,
    /// Nothing was written: NUL in any version; line feed, carriage return or a name's colon in STOMP 1.0.
    No,
}

/// Appends `text` as the version escapes it in a name (`is_name`) or value.
pub(crate) fn escape_into(out: &mut Vec<u8>, text: &str, version: Version, is_name: bool) -> Expressible {
    let bytes = text.as_bytes();
    if version == Version::V1_0 {
        if bytes.iter().any(|&b| matches!(b, b'\n' | b'\r' | 0) || (is_name && b == b':')) {
            return Expressible::No;
        }
        out.extend_from_slice(bytes);
        return Expressible::Yes;
    }
    if memchr::memchr(0, bytes).is_some() {
        return Expressible::No;
    }
    let mut plain_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'\n' => b"\\n",
            b':' => b"\\c",
            b'\\' => b"\\\\",
            b'\r' if version == Version::V1_2 => b"\\r",
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain_from..at]);
        out.extend_from_slice(escape);
        plain_from = at + 1;
    }
    out.extend_from_slice(&bytes[plain_from..]);
    Expressible::Yes
}
