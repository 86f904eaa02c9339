//! A message for a consumer.

use super::advisory;
use super::destination::wire_destination;
use super::dialect::{OpenWireDialect, body_of};
use super::ids::{WireProducer, WireProducers};
use super::neutral::{marshal_properties, properties_of, to_wire};
use crate::codec::ids::{ConsumerId, MessageId};
use crate::codec::message::{Message as WireMessage, MessageFields, MessageKind};
use crate::codec::message_body::MessageBody;
use crate::codec::message_dispatch::MessageDispatch;
use crate::codec::{CodecError, Command, Encoder};
use ferrymq_model::advisory::ADVISORY_TYPE;
use ferrymq_model::event::Delivery;
use ferrymq_model::{Annotations, DeliveryMode, MalformedMessage, Message, Outbox, Value, WallTime, schedule};
use std::fmt;
use std::sync::Arc;

/// What advisory messages tell about the broker that sends them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerFacts {
    /// `originBrokerId`
    pub id: Arc<str>,
    /// `originBrokerName`
    pub name: Arc<str>,
    /// `originBrokerURL`
    pub url: Arc<str>,
}

/// Why a message cannot be shown to a consumer. Nothing was written and the connection goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Undeliverable {
    /// Its bytes are not what its dialect says.
    Malformed(MalformedMessage),
    /// It has no form in the version that was agreed, or is larger than agreed.
    Codec(CodecError),
}

impl fmt::Display for Undeliverable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(out),
            Self::Codec(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Undeliverable {}

/// Makes dispatches for one connection. Keeps what repeats from message to message.
#[derive(Debug)]
pub struct Outgoing {
    broker: BrokerFacts,
    producers: WireProducers,
}

impl Outgoing {
    /// For a new connection.
    #[must_use]
    pub fn new(broker: BrokerFacts) -> Self {
        Self { broker, producers: WireProducers::default() }
    }

    /// Writes the dispatch of a message to a consumer.
    ///
    /// # Errors
    /// See [`Undeliverable`].
    pub fn put(
        &mut self,
        encoder: &mut Encoder,
        delivery: &Delivery,
        consumer: &ConsumerId,
        now: WallTime,
        out: &mut Outbox,
    ) -> Result<(), Undeliverable> {
        let dispatch = self.dispatch(delivery, consumer, now)?;
        encoder.put(&Command::MessageDispatch(Box::new(dispatch)), out).map_err(Undeliverable::Codec)
    }

    /// The dispatch of a message to a consumer.
    ///
    /// # Errors
    /// See [`Undeliverable`].
    pub fn dispatch(
        &mut self,
        delivery: &Delivery,
        consumer: &ConsumerId,
        now: WallTime,
    ) -> Result<MessageDispatch, Undeliverable> {
        let sent_to = &delivery.message.header.destination;
        let destination = wire_destination(delivery.destination.as_ref().unwrap_or(sent_to));
        let mut message = self.message(&delivery.message, delivery.delivery.0)?;
        let redeliveries = i32::try_from(delivery.redeliveries).unwrap_or(i32::MAX);
        let fields = &mut message.fields;
        fields.destination = Some(destination.clone());
        if delivery.destination.is_some() && fields.original_destination.is_none() {
            fields.original_destination = Some(wire_destination(sent_to));
        }
        fields.redelivery_counter = redeliveries;
        fields.jmsx_group_first_for_consumer = delivery.first_of_group;
        fields.broker_out_time = milliseconds(now);
        Ok(MessageDispatch {
            command_id: 0,
            response_required: false,
            consumer_id: Some(consumer.clone()),
            destination: Some(destination),
            message: Some(Box::new(message)),
            redelivery_counter: redeliveries,
        })
    }

    /// The message without what belongs to one delivery of it.
    fn message(&mut self, message: &Message, broker_sequence: u64) -> Result<WireMessage, Undeliverable> {
        let header = &message.header;
        let annotations = message.annotations();
        let advisory = annotations.and_then(|annotations| annotations.advisory.as_ref());
        let (kind, body, compressed) = match advisory {
            Some(_) => {
                let added = annotations.map_or(&[][..], |annotations| &annotations.added);
                let body = advisory::body(&self.broker, added).map_err(Undeliverable::Codec)?;
                (MessageKind::Plain, body, false)
            }
            None => content(message)?,
        };
        let data_structure = match advisory {
            Some(fact) => advisory::command(fact, |message| self.message(message, 0))?.map(Box::new),
            None => None,
        };
        let message_id = self.message_id(message, broker_sequence);
        let timestamp = milliseconds(header.timestamp);
        let mut fields = MessageFields {
            producer_id: message_id.producer_id.clone(),
            message_id: Some(message_id),
            destination: Some(wire_destination(&header.destination)),
            persistent: header.mode == DeliveryMode::Persistent,
            expiration: header.expiration.map_or(0, milliseconds),
            priority: i8::try_from(header.priority).unwrap_or(i8::MAX),
            timestamp,
            body,
            compressed,
            data_structure,
            // When it came in is not kept: a moment after it was sent.
            arrival: timestamp,
            broker_in_time: timestamp,
            ..MessageFields::default()
        };
        if let Some(annotations) = annotations {
            put_annotations(annotations, &mut fields);
        }
        if advisory.is_some() && fields.jms_type.is_none() {
            fields.jms_type = Some(ADVISORY_TYPE.into());
        }
        Ok(WireMessage { kind, fields })
    }

    fn message_id(&mut self, message: &Message, broker_sequence: u64) -> MessageId {
        let id = &message.header.id;
        let (text_view, producer_id) = match self.producers.get(&id.producer) {
            WireProducer::Id(producer) => (None, producer.clone()),
            WireProducer::Foreign(producer) => (Some(id.to_string().into()), producer.clone()),
        };
        MessageId {
            text_view,
            producer_id: Some(producer_id),
            producer_sequence_id: id.sequence.cast_signed(),
            broker_sequence_id: broker_sequence.cast_signed(),
        }
    }
}

fn put_annotations(annotations: &Annotations, fields: &mut MessageFields) {
    fields.correlation_id.clone_from(&annotations.correlation_id);
    fields.reply_to = annotations.reply_to.as_ref().map(wire_destination);
    fields.jms_type.clone_from(&annotations.kind);
    fields.user_id.clone_from(&annotations.user);
    fields.original_destination = annotations.original_destination.as_deref().map(wire_destination);
    if let Some(group) = &annotations.group {
        fields.group_id = Some(Arc::clone(&group.id));
        fields.group_sequence = group.sequence;
    }
}

/// Type, content and properties, and whether the content is deflated. Of a message of this protocol they are as they came.
fn content(message: &Message) -> Result<(MessageKind, MessageBody, bool), Undeliverable> {
    let added: &[(Arc<str>, Value)] = message.annotations().map_or(&[], |annotations| &annotations.added);
    let Some(dialect) = OpenWireDialect::with_code(message.dialect.code()) else {
        let neutral = message.dialect.to_neutral(message).map_err(Undeliverable::Malformed)?;
        let properties = shown(message, neutral.properties, added).map_err(Undeliverable::Codec)?;
        let (kind, body) = to_wire(&neutral.body, properties.as_deref()).map_err(Undeliverable::Codec)?;
        return Ok((kind, body, false));
    };
    let body = body_of(message);
    let kind = dialect.message_kind(&body);
    if added.is_empty() {
        return Ok((kind, body, dialect.compressed));
    }
    let own = body.properties_bytes().map_or_else(|| Ok(Vec::new()), properties_of).map_err(Undeliverable::Codec)?;
    let properties = shown(message, own, added).map_err(Undeliverable::Codec)?;
    Ok((kind, MessageBody::of(body.content(), properties.as_deref()), dialect.compressed))
}

/// A message's own properties, without those that scheduled it, and with those that the broker added.
fn shown(
    message: &Message,
    mut own: Vec<(Arc<str>, Value)>,
    added: &[(Arc<str>, Value)],
) -> Result<Option<Vec<u8>>, CodecError> {
    if message.annotations().is_some_and(|annotations| annotations.group.is_some()) {
        // Other protocols keep the group among the properties; here it has fields of its own.
        own.retain(|(name, _)| !matches!(&**name, "JMSXGroupID" | "JMSXGroupSeq"));
    }
    if schedule::is_spent(message) {
        own.retain(|(name, _)| !schedule::is_hidden(message, name));
    }
    marshal_properties(own, added)
}

fn milliseconds(time: WallTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
