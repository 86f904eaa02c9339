//! A message from a client.

use super::destination::destination;
use super::dialect::{OpenWireDialect, filler_of_blob};
use super::ids::Names;
use super::schedule;
use crate::codec::message::{Message as WireMessage, MessageFields, MessageKind};
use crate::codec::message_body::MessageBody;
use ferrymq_model::{
    Annotations, DeliveryMode, Destination, DestinationError, Group, Header, Message, MessageId, ScheduleError,
    WallTime,
};
use std::fmt;
use std::sync::Arc;

/// The highest priority.
const PRIORITY_MAX: i8 = 9;

/// What the session knows of a message beside the message itself.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The first leaf of its producer's address.
    pub destination: &'a Arc<Destination>,
    /// Who the broker says sent it; `None`: who the client says.
    pub user: Option<&'a Arc<str>>,
}

/// Why a message is refused. The connection goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InvalidMessage {
    /// It has no id, or no producer in it, or a negative number.
    Id,
    /// `JMSReplyTo` or the original destination names no place.
    Destination(DestinationError),
    /// A property that says when to deliver it cannot be understood.
    Schedule(ScheduleError),
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => out.write_str("the message has no valid id"),
            Self::Destination(error) => error.fmt(out),
            Self::Schedule(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for InvalidMessage {}

/// The broker's form of a message, out of which it takes the body. Its bytes are a slice of the frame; what a header
/// says takes memory only where it is present.
///
/// # Errors
/// The message is refused; see [`InvalidMessage`].
pub fn incoming(message: &mut WireMessage, arrival: Arrival<'_>, names: &mut Names) -> Result<Message, InvalidMessage> {
    let WireMessage { kind, fields } = message;
    let id = fields.message_id.as_ref().ok_or(InvalidMessage::Id)?;
    let producer = id.producer_id.as_ref().ok_or(InvalidMessage::Id)?;
    let sequence = u64::try_from(id.producer_sequence_id).map_err(|_| InvalidMessage::Id)?;
    let body = std::mem::take(&mut fields.body);
    let body = match kind {
        MessageKind::Blob(blob) => MessageBody::with_filler(body.content(), &filler_of_blob(blob), body.properties()),
        MessageKind::Plain
        | MessageKind::Bytes
        | MessageKind::Map
        | MessageKind::Object
        | MessageKind::Stream
        | MessageKind::Text => body,
    };
    let header = Header {
        id: MessageId { producer: names.producer(producer), sequence },
        destination: Arc::clone(arrival.destination),
        mode: if fields.persistent { DeliveryMode::Persistent } else { DeliveryMode::NonPersistent },
        priority: fields.priority.clamp(0, PRIORITY_MAX).unsigned_abs(),
        timestamp: WallTime(u64::try_from(fields.timestamp).unwrap_or(0)),
        expiration: u64::try_from(fields.expiration).ok().filter(|at| *at > 0).map(WallTime),
        annotations: annotations(fields, &body, arrival, names)?,
    };
    let dialect = OpenWireDialect::of(kind, fields.compressed);
    let body_at = u32::try_from(body.properties_at()).expect("a frame is smaller than 4 GiB");
    Ok(Message { header, dialect, bytes: body.into_bytes(), body_at })
}

/// The headers that most messages do not have.
fn annotations(
    fields: &MessageFields,
    body: &MessageBody,
    arrival: Arrival<'_>,
    names: &mut Names,
) -> Result<Option<Box<Annotations>>, InvalidMessage> {
    let schedule = schedule::of(body.properties().unwrap_or_default())?;
    let is_plain = schedule.is_none()
        && arrival.user.is_none()
        && fields.correlation_id.is_none()
        && fields.reply_to.is_none()
        && fields.jms_type.is_none()
        && fields.group_id.is_none()
        && fields.user_id.is_none()
        && fields.original_destination.is_none()
        && fields.original_transaction_id.is_none()
        && fields.transaction_id.is_none();
    if is_plain {
        return Ok(None);
    }
    let reply_to = fields.reply_to.as_ref().map(destination).transpose().map_err(InvalidMessage::Destination)?;
    let original = fields.original_destination.as_ref().map(destination).transpose();
    // A message that a client passes on tells the first.
    let transaction = fields.original_transaction_id.as_ref().or(fields.transaction_id.as_ref());
    Ok(Some(Box::new(Annotations {
        correlation_id: fields.correlation_id.clone(),
        reply_to,
        kind: fields.jms_type.clone(),
        group: fields.group_id.clone().map(|id| Group { id, sequence: fields.group_sequence }),
        user: arrival.user.or(fields.user_id.as_ref()).cloned(),
        original_destination: original.map_err(InvalidMessage::Destination)?.map(Arc::new),
        transaction: transaction.and_then(|id| names.transaction(id)),
        schedule: schedule.map(Box::new),
        advisory: None,
        added: Vec::new(),
    })))
}
