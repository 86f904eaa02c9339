//! A message for a consumer.

use super::advisory;
use super::destination::{is_kind, wire_destination};
use super::dialect::{Kind, OpenWireDialect, body_of};
use super::ids::{WireProducer, WireProducers, wire_transaction};
use super::neutral::{marshal_properties, properties_of, to_wire};
use super::repeats::{Repeatable, Templates};
use crate::codec::destination::Destination as WireDestination;
use crate::codec::ids::ConsumerId;
use crate::codec::message::{Message as WireMessage, MessageFields, MessageKind};
use crate::codec::message_body::MessageBody;
use crate::codec::message_dispatch::MessageDispatch;
use crate::codec::template::{
    ARRIVAL, Again, BROKER_IN_TIME, BROKER_OUT_TIME, BROKER_SEQUENCE, EXPIRATION, Numbers, PRODUCER_SEQUENCE, Parts,
    Present, TIMESTAMP, Template,
};
use crate::codec::{CodecError, Command, Encoder};
use ferrymq_model::advisory::ADVISORY_TYPE;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Annotations, DeliveryMode, Destination, MalformedMessage, Message, Outbox, Value, WallTime, schedule,
};
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
    /// The last dispatch without its content, to be filled again: most of the next one is the same.
    last: Option<Box<MessageDispatch>>,
    templates: Templates,
}

impl Outgoing {
    /// For a new connection.
    #[must_use]
    pub fn new(broker: BrokerFacts) -> Self {
        Self { broker, producers: WireProducers::default(), last: None, templates: Templates::default() }
    }

    /// Writes the dispatch of a message to a consumer. The encoder is the connection's, the same each time.
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
        let message = &*delivery.message;
        let correlation_id = message.annotations().and_then(|annotations| annotations.correlation_id.as_deref());
        let parts = Parts::new(correlation_id, &message.bytes, message.body_at as usize);
        let repeatable = parts.as_ref().and_then(|parts| Repeatable::new(delivery, consumer, parts.present()));
        let (Some(parts), Some(dispatch)) = (parts, repeatable) else {
            return self.put_once(encoder, delivery, consumer, None, now, out).map(drop);
        };
        let numbers = numbers(delivery, now);
        if let Some(template) = self.templates.find(dispatch)
            && encoder.put_again(template, &numbers, &parts, out).map_err(Undeliverable::Codec)? == Again::Written
        {
            return Ok(());
        }
        let template = self.put_once(encoder, delivery, consumer, Some((&numbers, &parts)), now, out)?;
        self.templates.keep(dispatch, template);
        Ok(())
    }

    /// Writes a dispatch field by field; what can be used again of it, where `varying` says what changes.
    fn put_once(
        &mut self,
        encoder: &mut Encoder,
        delivery: &Delivery,
        consumer: &ConsumerId,
        varying: Option<(&Numbers, &Parts<'_>)>,
        now: WallTime,
        out: &mut Outbox,
    ) -> Result<Option<Template>, Undeliverable> {
        let mut dispatch = self.last.take().unwrap_or_default();
        self.fill(delivery, consumer, now, &mut dispatch)?;
        let repeated = varying.filter(|_| is_repeatable(&delivery.message, &dispatch));
        if let (Some((_, parts)), Some(message)) = (repeated, &mut dispatch.message) {
            let Present { correlation_id, content, properties } = parts.present();
            message.fields.correlation_id = correlation_id.then(Arc::default);
            message.fields.body = MessageBody::of(content.then_some(&[]), properties.then_some(&[]));
        }
        let command = Command::MessageDispatch(dispatch);
        let result = match repeated {
            Some((numbers, parts)) => encoder.put_first(&command, numbers, parts, out),
            None => encoder.put(&command, out).map(|()| None),
        };
        let result = result.map_err(Undeliverable::Codec);
        if let Command::MessageDispatch(mut dispatch) = command {
            if let Some(message) = &mut dispatch.message {
                // Nothing large is kept for the next time.
                message.fields.body = MessageBody::default();
                message.fields.data_structure = None;
            }
            self.last = Some(dispatch);
        }
        result
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
        let mut dispatch = MessageDispatch::default();
        self.fill(delivery, consumer, now, &mut dispatch)?;
        Ok(dispatch)
    }

    /// Fills every field that one dispatch may have and another may not.
    fn fill(
        &mut self,
        delivery: &Delivery,
        consumer: &ConsumerId,
        now: WallTime,
        dispatch: &mut MessageDispatch,
    ) -> Result<(), Undeliverable> {
        let redeliveries = i32::try_from(delivery.redeliveries).unwrap_or(i32::MAX);
        keep_or_clone(&mut dispatch.consumer_id, consumer);
        let sent_to = &delivery.message.header.destination;
        put_destination(&mut dispatch.destination, delivery.destination.as_ref().unwrap_or(sent_to));
        dispatch.redelivery_counter = redeliveries;
        let message = dispatch.message.get_or_insert_with(Box::default);
        self.fill_message(&delivery.message, delivery.delivery.0, message)?;
        let fields = &mut message.fields;
        if let Some(leaf) = &delivery.destination {
            put_destination(&mut fields.destination, leaf);
            if fields.original_destination.is_none() {
                fields.original_destination = Some(wire_destination(sent_to));
            }
        }
        fields.redelivery_counter = redeliveries;
        fields.jmsx_group_first_for_consumer = delivery.first_of_group;
        fields.broker_out_time = milliseconds(now);
        Ok(())
    }

    /// The message without what belongs to one delivery of it.
    fn fill_message(
        &mut self,
        message: &Message,
        broker_sequence: u64,
        into: &mut WireMessage,
    ) -> Result<(), Undeliverable> {
        let header = &message.header;
        let annotations = message.annotations();
        let advisory = annotations.and_then(|annotations| annotations.advisory.as_ref());
        let fields = &mut into.fields;
        match advisory {
            Some(fact) => {
                let added = annotations.map_or(&[][..], |annotations| &annotations.added);
                into.kind = MessageKind::Plain;
                fields.body = advisory::body(&self.broker, added).map_err(Undeliverable::Codec)?;
                fields.compressed = false;
                let command = advisory::command(fact, |message| {
                    let mut inner = WireMessage::default();
                    self.fill_message(message, 0, &mut inner).map(|()| inner)
                });
                fields.data_structure = command?.map(Box::new);
            }
            None => {
                (into.kind, fields.body, fields.compressed) = content(message)?;
                fields.data_structure = None;
            }
        }
        self.put_id(message, broker_sequence, fields);
        put_destination(&mut fields.destination, &header.destination);
        fields.persistent = header.mode == DeliveryMode::Persistent;
        fields.expiration = header.expiration.map_or(0, milliseconds);
        fields.priority = i8::try_from(header.priority).unwrap_or(i8::MAX);
        // When it came in is not kept: a moment after it was sent.
        let timestamp = milliseconds(header.timestamp);
        (fields.timestamp, fields.arrival, fields.broker_in_time) = (timestamp, timestamp, timestamp);
        put_annotations(annotations, fields);
        if advisory.is_some() && fields.jms_type.is_none() {
            fields.jms_type = Some(ADVISORY_TYPE.into());
        }
        Ok(())
    }

    fn put_id(&mut self, message: &Message, broker_sequence: u64, fields: &mut MessageFields) {
        let id = &message.header.id;
        let wire = fields.message_id.get_or_insert_default();
        let producer = match self.producers.get(&id.producer) {
            WireProducer::Id(producer) => {
                wire.text_view = None;
                producer
            }
            WireProducer::Foreign(producer) => {
                wire.text_view = Some(id.to_string().into());
                producer
            }
        };
        keep_or_clone(&mut wire.producer_id, producer);
        keep_or_clone(&mut fields.producer_id, producer);
        wire.producer_sequence_id = id.sequence.cast_signed();
        wire.broker_sequence_id = broker_sequence.cast_signed();
    }
}

/// A clone, unless it is there already.
fn keep_or_clone<T: Clone + PartialEq>(place: &mut Option<T>, value: &T) {
    if place.as_ref() != Some(value) {
        *place = Some(value.clone());
    }
}

fn put_destination(place: &mut Option<WireDestination>, destination: &Destination) {
    let kept = place.as_ref().is_some_and(|known| {
        Arc::ptr_eq(&known.physical_name, &destination.name) && is_kind(known.kind, destination.kind)
    });
    if !kept {
        *place = Some(wire_destination(destination));
    }
}

fn put_annotations(annotations: Option<&Annotations>, fields: &mut MessageFields) {
    let Some(annotations) = annotations else {
        fields.correlation_id = None;
        fields.reply_to = None;
        fields.jms_type = None;
        fields.user_id = None;
        fields.original_destination = None;
        fields.transaction_id = None;
        fields.group_id = None;
        fields.group_sequence = 0;
        return;
    };
    fields.correlation_id.clone_from(&annotations.correlation_id);
    fields.reply_to = annotations.reply_to.as_ref().map(wire_destination);
    fields.jms_type.clone_from(&annotations.kind);
    fields.user_id.clone_from(&annotations.user);
    fields.original_destination = annotations.original_destination.as_deref().map(wire_destination);
    fields.transaction_id = annotations.transaction.as_deref().and_then(wire_transaction);
    fields.group_id = annotations.group.as_ref().map(|group| Arc::clone(&group.id));
    fields.group_sequence = annotations.group.as_ref().map_or(0, |group| group.sequence);
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

/// Whether what the consumer gets is the body that the message keeps, under an id that is no text.
fn is_repeatable(message: &Message, dispatch: &MessageDispatch) -> bool {
    let as_it_came =
        OpenWireDialect::with_code(message.dialect.code()).is_some_and(|dialect| dialect.kind != Kind::Blob);
    let id = dispatch.message.as_ref().and_then(|message| message.fields.message_id.as_ref());
    as_it_came && id.is_some_and(|id| id.text_view.is_none())
}

/// What changes from one dispatch to the next, as `Outgoing::fill` says it.
#[inline]
fn numbers(delivery: &Delivery, now: WallTime) -> Numbers {
    let header = &delivery.message.header;
    let mut numbers = [0; _];
    numbers[PRODUCER_SEQUENCE] = header.id.sequence.cast_signed();
    numbers[BROKER_SEQUENCE] = delivery.delivery.0.cast_signed();
    numbers[EXPIRATION] = header.expiration.map_or(0, milliseconds);
    let timestamp = milliseconds(header.timestamp);
    (numbers[TIMESTAMP], numbers[ARRIVAL], numbers[BROKER_IN_TIME]) = (timestamp, timestamp, timestamp);
    numbers[BROKER_OUT_TIME] = milliseconds(now);
    numbers
}

fn milliseconds(time: WallTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
