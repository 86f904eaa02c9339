//! The dialects in which OpenWire's messages are kept: one for each type, compressed and not.

use super::{neutral, property};
use crate::codec::message::{BlobFields, MessageKind};
use crate::codec::message_body::MessageBody;
use ferrymq_model::selector::Operand;
use ferrymq_model::{Dialect, MalformedMessage, Message, Neutral};

/// The seven types of message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No content.
    Plain,
    /// Octets.
    Bytes,
    /// A marshalled map.
    Map,
    /// A serialised Java object.
    Object,
    /// Marshalled primitives.
    Stream,
    /// A 32-bit length and modified UTF-8.
    Text,
    /// Its content is somewhere else; where is kept in the filler.
    Blob,
}

/// A message as an OpenWire client sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenWireDialect {
    /// Its type.
    pub kind: Kind,
    /// Whether the content is deflated.
    pub compressed: bool,
}

const fn plain(kind: Kind) -> OpenWireDialect {
    OpenWireDialect { kind, compressed: false }
}

const fn deflated(kind: Kind) -> OpenWireDialect {
    OpenWireDialect { kind, compressed: true }
}

static PLAIN: OpenWireDialect = plain(Kind::Plain);
static BYTES: OpenWireDialect = plain(Kind::Bytes);
static MAP: OpenWireDialect = plain(Kind::Map);
static OBJECT: OpenWireDialect = plain(Kind::Object);
static STREAM: OpenWireDialect = plain(Kind::Stream);
static TEXT: OpenWireDialect = plain(Kind::Text);
static BLOB: OpenWireDialect = plain(Kind::Blob);
static PLAIN_DEFLATED: OpenWireDialect = deflated(Kind::Plain);
static BYTES_DEFLATED: OpenWireDialect = deflated(Kind::Bytes);
static MAP_DEFLATED: OpenWireDialect = deflated(Kind::Map);
static OBJECT_DEFLATED: OpenWireDialect = deflated(Kind::Object);
static STREAM_DEFLATED: OpenWireDialect = deflated(Kind::Stream);
static TEXT_DEFLATED: OpenWireDialect = deflated(Kind::Text);
static BLOB_DEFLATED: OpenWireDialect = deflated(Kind::Blob);

/// Every dialect of this crate, for the journal.
pub static DIALECTS: &[&dyn Dialect] = &[
    &PLAIN,
    &BYTES,
    &MAP,
    &OBJECT,
    &STREAM,
    &TEXT,
    &BLOB,
    &PLAIN_DEFLATED,
    &BYTES_DEFLATED,
    &MAP_DEFLATED,
    &OBJECT_DEFLATED,
    &STREAM_DEFLATED,
    &TEXT_DEFLATED,
    &BLOB_DEFLATED,
];

/// The code of a type that is not compressed; of one that is, it is 10 more.
const CODE_FIRST: u16 = 10;
const CODE_DEFLATED_FIRST: u16 = 20;

impl OpenWireDialect {
    /// The dialect of a message on the wire.
    #[must_use]
    pub fn of(kind: &MessageKind, compressed: bool) -> &'static Self {
        match (kind, compressed) {
            (MessageKind::Plain, false) => &PLAIN,
            (MessageKind::Bytes, false) => &BYTES,
            (MessageKind::Map, false) => &MAP,
            (MessageKind::Object, false) => &OBJECT,
            (MessageKind::Stream, false) => &STREAM,
            (MessageKind::Text, false) => &TEXT,
            (MessageKind::Blob(_), false) => &BLOB,
            (MessageKind::Plain, true) => &PLAIN_DEFLATED,
            (MessageKind::Bytes, true) => &BYTES_DEFLATED,
            (MessageKind::Map, true) => &MAP_DEFLATED,
            (MessageKind::Object, true) => &OBJECT_DEFLATED,
            (MessageKind::Stream, true) => &STREAM_DEFLATED,
            (MessageKind::Text, true) => &TEXT_DEFLATED,
            (MessageKind::Blob(_), true) => &BLOB_DEFLATED,
        }
    }

    /// The dialect that the journal's code names; `None`: not of this crate.
    #[must_use]
    pub fn with_code(code: u16) -> Option<&'static Self> {
        Some(match code {
            10 => &PLAIN,
            11 => &BYTES,
            12 => &MAP,
            13 => &OBJECT,
            14 => &STREAM,
            15 => &TEXT,
            16 => &BLOB,
            20 => &PLAIN_DEFLATED,
            21 => &BYTES_DEFLATED,
            22 => &MAP_DEFLATED,
            23 => &OBJECT_DEFLATED,
            24 => &STREAM_DEFLATED,
            25 => &TEXT_DEFLATED,
            26 => &BLOB_DEFLATED,
            _ => return None,
        })
    }

    /// The type on the wire of a message with this body.
    pub(super) fn message_kind(self, body: &MessageBody) -> MessageKind {
        match self.kind {
            Kind::Plain => MessageKind::Plain,
            Kind::Bytes => MessageKind::Bytes,
            Kind::Map => MessageKind::Map,
            Kind::Object => MessageKind::Object,
            Kind::Stream => MessageKind::Stream,
            Kind::Text => MessageKind::Text,
            Kind::Blob => MessageKind::Blob(Box::new(blob_of_filler(body.filler()))),
        }
    }
}

/// Content, properties, and where the content of a blob message is.
pub(super) fn body_of(message: &Message) -> MessageBody {
    MessageBody::new(message.bytes.clone(), message.body_at as usize)
}

impl Dialect for OpenWireDialect {
    fn code(&self) -> u16 {
        let first = if self.compressed { CODE_DEFLATED_FIRST } else { CODE_FIRST };
        first
            + match self.kind {
                Kind::Plain => 0,
                Kind::Bytes => 1,
                Kind::Map => 2,
                Kind::Object => 3,
                Kind::Stream => 4,
                Kind::Text => 5,
                Kind::Blob => 6,
            }
    }

    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        let properties = message.bytes.get(message.body_at as usize..).unwrap_or_default();
        property::find(properties, name)
    }

    fn search_length(&self, message: &Message) -> usize {
        message.bytes.len().saturating_sub(message.body_at as usize)
    }

    fn to_neutral(&self, message: &Message) -> Result<Neutral, MalformedMessage> {
        neutral::of(*self, &body_of(message))
    }
}

const HAS_URL: u8 = 1;
const HAS_MIME_TYPE: u8 = 2;
const DELETED_BY_BROKER: u8 = 4;

/// `flags(1) [length(2) url] [length(2) media type]`; a text longer than a frame can hold is left out.
pub(super) fn filler_of_blob(blob: &BlobFields) -> Vec<u8> {
    let mut flags = if blob.deleted_by_broker { DELETED_BY_BROKER } else { 0 };
    let mut filler = vec![0];
    for (flag, text) in [(HAS_URL, &blob.remote_blob_url), (HAS_MIME_TYPE, &blob.mime_type)] {
        let Some(text) = text else { continue };
        let Ok(len) = u16::try_from(text.len()) else { continue };
        flags |= flag;
        filler.extend_from_slice(&len.to_be_bytes());
        filler.extend_from_slice(text.as_bytes());
    }
    filler[0] = flags;
    filler
}

/// What is not in the filler is absent.
fn blob_of_filler(filler: &[u8]) -> BlobFields {
    let Some((flags, mut rest)) = filler.split_first() else { return BlobFields::default() };
    let mut text = |flag: u8| {
        if flags & flag == 0 {
            return None;
        }
        let (len, behind) = rest.split_first_chunk()?;
        let (text, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        rest = behind;
        std::str::from_utf8(text).ok().map(Into::into)
    };
    BlobFields {
        remote_blob_url: text(HAS_URL),
        mime_type: text(HAS_MIME_TYPE),
        deleted_by_broker: flags & DELETED_BY_BROKER != 0,
    }
}
