//! Messages as other protocols see them, and theirs as OpenWire sees them.

use super::dialect::{Kind, OpenWireDialect};
use super::inflate::inflate;
use crate::codec::CodecError;
use crate::codec::message::MessageKind;
use crate::codec::message_body::MessageBody;
use crate::codec::properties::{self, PrimitiveMap};
use crate::codec::text::{self, Form};
use crate::limits::MAP_LIMITS;
use bytes::Bytes;
use ferrymq_model::{Body, MalformedMessage, Neutral, Value};
use std::sync::Arc;

/// Bytes of the length in front of a text, and in front of compressed octets.
const LENGTH_BYTES: usize = 4;

/// Properties and body of a message of `dialect`.
pub(super) fn of(dialect: OpenWireDialect, body: &MessageBody) -> Result<Neutral, MalformedMessage> {
    let properties = match body.properties_bytes() {
        Some(octets) => properties_of(octets).map_err(|error| malformed("the properties", error))?,
        None => Vec::new(),
    };
    let body = match content(dialect, body)? {
        Some(content) => body_of(dialect.kind, content)?,
        None => without_content(dialect.kind),
    };
    Ok(Neutral { properties, body })
}

/// All properties in their order.
pub(super) fn properties_of(octets: Bytes) -> Result<Vec<(Arc<str>, Value)>, CodecError> {
    PrimitiveMap::new(octets, MAP_LIMITS).to_vec()
}

fn malformed(what: &str, error: CodecError) -> MalformedMessage {
    MalformedMessage(format!("{what}: {error}"))
}

/// The content as it was before it was compressed.
fn content(dialect: OpenWireDialect, body: &MessageBody) -> Result<Option<Bytes>, MalformedMessage> {
    let Some(content) = body.content_bytes() else { return Ok(None) };
    if !dialect.compressed {
        return Ok(Some(content));
    }
    let deflated = match dialect.kind {
        // Its length stands in front: a hint that nothing here needs.
        Kind::Bytes => content.get(LENGTH_BYTES..).unwrap_or_default(),
        Kind::Plain | Kind::Map | Kind::Object | Kind::Stream | Kind::Text | Kind::Blob => &content[..],
    };
    if deflated.is_empty() { Ok(Some(Bytes::new())) } else { inflate(deflated).map(Some) }
}

fn body_of(kind: Kind, content: Bytes) -> Result<Body, MalformedMessage> {
    Ok(match kind {
        Kind::Plain | Kind::Blob => Body::Empty,
        Kind::Bytes => Body::Bytes(content),
        Kind::Object => Body::Object(content),
        Kind::Map if content.is_empty() => Body::Map(Vec::new()),
        Kind::Map => Body::Map(properties_of(content).map_err(|error| malformed("the map", error))?),
        Kind::Stream => {
            let values = properties::read_stream(&content, MAP_LIMITS);
            Body::List(values.map_err(|error| malformed("the stream", error))?)
        }
        Kind::Text => Body::Text(text_of(&content).map_err(|error| malformed("the text", error))?),
    })
}

fn without_content(kind: Kind) -> Body {
    match kind {
        Kind::Plain | Kind::Blob => Body::Empty,
        Kind::Bytes => Body::Bytes(Bytes::new()),
        Kind::Object => Body::Object(Bytes::new()),
        Kind::Map => Body::Map(Vec::new()),
        Kind::Stream => Body::List(Vec::new()),
        Kind::Text => Body::Text("".into()),
    }
}

/// A length of 32 bits and as many bytes of modified UTF-8.
fn text_of(content: &[u8]) -> Result<Arc<str>, CodecError> {
    let Some((len, octets)) = content.split_first_chunk() else {
        return if content.is_empty() { Ok("".into()) } else { Err(CodecError::Truncated { needed: LENGTH_BYTES }) };
    };
    let len = i32::from_be_bytes(*len);
    let len = usize::try_from(len).map_err(|_| CodecError::NegativeLength(len))?;
    let octets = octets.get(..len).ok_or(CodecError::Truncated { needed: LENGTH_BYTES + len })?;
    text::decode(octets).map(Arc::from)
}

/// Type and body for a message of another protocol.
pub(super) fn to_wire(body: &Body, properties: Option<&[u8]>) -> Result<(MessageKind, MessageBody), CodecError> {
    Ok(match body {
        Body::Empty => (MessageKind::Plain, MessageBody::of(None, properties)),
        Body::Bytes(octets) => (MessageKind::Bytes, MessageBody::of(Some(octets), properties)),
        Body::Object(octets) => (MessageKind::Object, MessageBody::of(Some(octets), properties)),
        Body::Text(text) => (MessageKind::Text, MessageBody::of(Some(&text_content(text)?), properties)),
        Body::Map(entries) => (MessageKind::Map, MessageBody::of(Some(&properties::write_map(entries)?), properties)),
        Body::List(values) => {
            (MessageKind::Stream, MessageBody::of(Some(&properties::write_stream(values)?), properties))
        }
    })
}

fn text_content(text: &str) -> Result<Vec<u8>, CodecError> {
    let form = Form::of(text);
    let len = form.len(text);
    let announced = i32::try_from(len).map_err(|_| CodecError::TooLong(len))?;
    let mut content = Vec::with_capacity(LENGTH_BYTES + len);
    content.extend_from_slice(&announced.to_be_bytes());
    form.write(text, &mut content);
    Ok(content)
}

/// The properties of a message with what the broker added; `None` where there are none.
pub(super) fn marshal_properties(
    mut properties: Vec<(Arc<str>, Value)>,
    added: &[(Arc<str>, Value)],
) -> Result<Option<Vec<u8>>, CodecError> {
    for (name, value) in added {
        match properties.iter_mut().find(|(known, _)| known == name) {
            Some((_, hidden)) => *hidden = value.clone(),
            None => properties.push((Arc::clone(name), value.clone())),
        }
    }
    if properties.is_empty() { Ok(None) } else { properties::write_map(&properties).map(Some) }
}
