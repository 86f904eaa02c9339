//! Content and properties of a message, as one slice of the frame that they came in.
//!
//! ```text
//!   content length(4; −1: null) content filler properties
//!   0                                          properties_at
//! ```
//!
//! On the wire the two are neighbours, each with its length in front, so that a slice of the frame has this form as it is: the
//! filler is what stood between them. The same form is kept in [`ferrymq_model::Message::bytes`], where the filler is free for
//! what a dialect keeps beside its content.

use crate::codec::CodecError;
use crate::codec::reader::{Read, Reader};
use crate::codec::repeat::Hole;
use crate::codec::writer::Writer;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::ops::Range;

/// Bytes of the content's length.
const LENGTH_BYTES: usize = 4;
/// A length that says that there is no content.
const NO_CONTENT: [u8; LENGTH_BYTES] = (-1_i32).to_be_bytes();

/// Content and properties of a message. Either may be absent.
#[derive(Clone, Default)]
pub struct MessageBody {
    bytes: Bytes,
    properties_at: usize,
    /// On the wire there is a difference between none and none at all; what is kept has forgotten it.
    has_properties: bool,
}

impl MessageBody {
    /// What `bytes` and the place of the properties in them say. They are not checked: where they do not have the form, content
    /// or properties are absent.
    #[must_use]
    pub fn new(bytes: Bytes, properties_at: usize) -> Self {
        let properties_at = properties_at.min(bytes.len());
        Self { has_properties: properties_at < bytes.len(), bytes, properties_at }
    }

    /// Copies the parts together.
    #[must_use]
    pub fn of(content: Option<&[u8]>, properties: Option<&[u8]>) -> Self {
        Self::with_filler(content, &[], properties)
    }

    /// Copies the parts together, with something between them.
    #[must_use]
    pub fn with_filler(content: Option<&[u8]>, filler: &[u8], properties: Option<&[u8]>) -> Self {
        let (text, rest) = (content.unwrap_or_default(), properties.unwrap_or_default());
        let mut bytes = BytesMut::with_capacity(LENGTH_BYTES + text.len() + filler.len() + rest.len());
        let length = content.map_or(NO_CONTENT, |content| {
            i32::try_from(content.len()).expect("contents are limited to far less than 2 GiB").to_be_bytes()
        });
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(filler);
        let properties_at = bytes.len();
        bytes.extend_from_slice(rest);
        Self { bytes: bytes.freeze(), properties_at, has_properties: properties.is_some() }
    }

    /// The bytes, in the form that is kept.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Where in the bytes the properties start; at their end if there are none.
    #[must_use]
    pub fn properties_at(&self) -> usize {
        self.properties_at
    }

    /// The content in its type's own encoding, compressed if the message says so.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.content_range().map(|range| &self.bytes[range])
    }

    /// As [`Self::content`], sharing the bytes.
    #[must_use]
    pub fn content_bytes(&self) -> Option<Bytes> {
        self.content_range().map(|range| self.bytes.slice(range))
    }

    /// The properties, see [`properties`](crate::codec::properties).
    #[must_use]
    pub fn properties(&self) -> Option<&[u8]> {
        self.has_properties.then(|| &self.bytes[self.properties_at..])
    }

    /// As [`Self::properties`], sharing the bytes.
    #[must_use]
    pub fn properties_bytes(&self) -> Option<Bytes> {
        self.has_properties.then(|| self.bytes.slice(self.properties_at..))
    }

    /// What lies between content and properties.
    #[must_use]
    pub fn filler(&self) -> &[u8] {
        let start = self.content_range().map_or(LENGTH_BYTES, |range| range.end);
        self.bytes.get(start..self.properties_at).unwrap_or_default()
    }

    fn content_range(&self) -> Option<Range<usize>> {
        content_range(&self.bytes, self.properties_at)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let content = reader.optional_range()?;
        if let Some(content) = &content {
            reader.note(content.start - LENGTH_BYTES, Hole::Content);
        }
        let properties = reader.optional_range()?;
        if let Some(properties) = &properties {
            reader.note(properties.start - LENGTH_BYTES, Hole::Properties);
        }
        Ok(Self::within(reader.frame(), content, properties))
    }

    /// Content and properties that lie in `frame`, each with its length in front.
    pub(crate) fn within(frame: &Bytes, content: Option<Range<usize>>, properties: Option<Range<usize>>) -> Self {
        match (content, properties) {
            (None, None) => Self::default(),
            (None, Some(properties)) => Self::of(None, Some(&frame[properties])),
            (Some(content), None) => {
                let bytes = frame.slice(content.start - LENGTH_BYTES..content.end);
                Self { properties_at: bytes.len(), bytes, has_properties: false }
            }
            (Some(content), Some(properties)) => {
                let start = content.start - LENGTH_BYTES;
                let bytes = frame.slice(start..properties.end);
                Self { bytes, properties_at: properties.start - start, has_properties: true }
            }
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        writer.note_body();
        writer.large_octets(self.content(), || self.content_bytes())?;
        writer.optional_octets(self.properties())
    }
}

/// Where in `bytes`, whose properties start at `properties_at`, the content is.
#[inline]
pub(crate) fn content_range(bytes: &[u8], properties_at: usize) -> Option<Range<usize>> {
    let length = i32::from_be_bytes(*bytes[..properties_at].first_chunk()?);
    let end = LENGTH_BYTES.checked_add(usize::try_from(length).ok()?)?;
    (end <= properties_at).then_some(LENGTH_BYTES..end)
}

impl PartialEq for MessageBody {
    /// What lies between content and properties makes no difference.
    fn eq(&self, other: &Self) -> bool {
        self.content() == other.content() && self.properties() == other.properties()
    }
}

impl Eq for MessageBody {}

impl fmt::Debug for MessageBody {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MessageBody")
            .field("content", &self.content_bytes())
            .field("marshalled_properties", &self.properties_bytes())
            .finish()
    }
}
