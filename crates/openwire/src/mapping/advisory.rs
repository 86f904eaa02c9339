//! What the broker tells those who watch it, as commands inside messages (apache/activemq, `AdvisoryBroker.java`).

use super::destination::{wire_address, wire_destination};
use super::ids::{wire_consumer, wire_producer};
use super::neutral::marshal_properties;
use super::outgoing::{BrokerFacts, Undeliverable};
use crate::codec::connection::ConnectionInfo;
use crate::codec::consumer::ConsumerInfo;
use crate::codec::destination::DestinationInfo;
use crate::codec::ids::{ConnectionId, ConsumerId, ObjectId, ProducerId};
use crate::codec::message::Message as WireMessage;
use crate::codec::message_body::MessageBody;
use crate::codec::producer::ProducerInfo;
use crate::codec::session::{RemoveInfo, RemoveSubscriptionInfo};
use crate::codec::table::Secret;
use crate::codec::{CodecError, Command};
use ferrymq_model::advisory::{ConnectionFacts, ConsumerFacts, ProducerFacts};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Advisory, Destination, Message, Value};
use std::sync::Arc;

/// `DestinationInfo.operation_type`.
const ADDED: i8 = 0;
const REMOVED: i8 = 1;

/// Properties: whose advisory it is, and what the broker added.
pub(super) fn body(broker: &BrokerFacts, added: &[(Arc<str>, Value)]) -> Result<MessageBody, CodecError> {
    let origin = [("originBrokerName", &broker.name), ("originBrokerId", &broker.id), ("originBrokerURL", &broker.url)];
    let origin = origin.map(|(name, value)| (Arc::from(name), Value::Text(Arc::clone(value))));
    let properties = marshal_properties(origin.into(), added)?;
    Ok(MessageBody::of(None, properties.as_deref()))
}

/// The command that tells the fact; `None` where topic and properties tell it. `wire` makes a message one of this protocol.
pub(super) fn command(
    fact: &Advisory,
    wire: impl FnOnce(&Message) -> Result<WireMessage, Undeliverable>,
) -> Result<Option<Command>, Undeliverable> {
    Ok(Some(match fact {
        Advisory::ConnectionStarted(connection) => connection_info(connection).into(),
        Advisory::ConnectionStopped(connection) => remove(ObjectId::ConnectionId(connection_id(&connection.name))),
        Advisory::DestinationCreated { destination, connection } => {
            destination_info(destination, connection.as_ref(), ADDED).into()
        }
        Advisory::DestinationDeleted { destination, connection } => {
            destination_info(destination, connection.as_ref(), REMOVED).into()
        }
        Advisory::ConsumerStarted(consumer) | Advisory::Consumer(consumer) => consumer_info(consumer).into(),
        Advisory::ConsumerStopped(consumer) => remove(ObjectId::ConsumerId(consumer_id(consumer))),
        Advisory::SubscriptionDeleted { connection, name } => RemoveSubscriptionInfo {
            connection_id: Some(connection_id(&connection.name)),
            subscription_name: Some(Arc::clone(name)),
            client_id: connection.client_id.clone(),
            ..RemoveSubscriptionInfo::default()
        }
        .into(),
        Advisory::ProducerStarted(producer) | Advisory::Producer(producer) => producer_info(producer).into(),
        Advisory::ProducerStopped(producer) => remove(ObjectId::ProducerId(producer_id(producer))),
        Advisory::Message { message, place } => {
            let mut message = wire(message)?;
            message.fields.destination = Some(wire_destination(place));
            message.fields.body = MessageBody::of(None, message.fields.body.properties());
            message.fields.compressed = false;
            Command::Message(Box::new(message))
        }
        Advisory::Broker => return Ok(None),
    }))
}

fn connection_id(name: &Arc<str>) -> ConnectionId {
    ConnectionId { value: Arc::clone(name) }
}

fn remove(object_id: ObjectId) -> Command {
    RemoveInfo { object_id: Some(object_id), ..RemoveInfo::default() }.into()
}

/// The password is there and empty, as Classic has it.
fn connection_info(facts: &ConnectionFacts) -> ConnectionInfo {
    ConnectionInfo {
        connection_id: Some(connection_id(&facts.name)),
        client_id: facts.client_id.clone(),
        password: Some(Secret::new("")),
        user_name: facts.user.clone(),
        client_ip: facts.peer.clone(),
        ..ConnectionInfo::default()
    }
}

fn destination_info(destination: &Destination, connection: Option<&Arc<str>>, operation_type: i8) -> DestinationInfo {
    DestinationInfo {
        connection_id: connection.map(connection_id),
        destination: Some(wire_destination(destination)),
        operation_type,
        ..DestinationInfo::default()
    }
}

fn consumer_id(facts: &ConsumerFacts) -> ConsumerId {
    let number = i64::from(facts.subscribe.subscription.0);
    wire_consumer(facts.subscribe.name.as_deref(), &facts.connection.name, number)
}

fn consumer_info(facts: &ConsumerFacts) -> ConsumerInfo {
    let subscribe = &facts.subscribe;
    let (browser, subscription_name) = match &subscribe.mode {
        SubscribeMode::Consume => (false, None),
        SubscribeMode::Browse => (true, None),
        SubscribeMode::Durable(name) | SubscribeMode::Shared(name) | SubscribeMode::SharedDurable(name) => {
            (false, Some(Arc::clone(name)))
        }
    };
    ConsumerInfo {
        consumer_id: Some(consumer_id(facts)),
        browser,
        destination: Some(wire_address(&subscribe.address)),
        prefetch_size: i32::try_from(subscribe.prefetch).unwrap_or(i32::MAX),
        maximum_pending_message_limit: subscribe
            .pending_limit
            .map_or(0, |limit| i32::try_from(limit).unwrap_or(i32::MAX)),
        dispatch_async: true,
        selector: subscribe.selector.clone(),
        client_id: facts.connection.client_id.clone(),
        subscription_name,
        no_local: subscribe.no_local,
        exclusive: subscribe.exclusive,
        retroactive: subscribe.retroactive,
        priority: i8::try_from(subscribe.priority.clamp(i16::from(i8::MIN), i16::from(i8::MAX))).unwrap_or(0),
        ..ConsumerInfo::default()
    }
}

fn producer_id(facts: &ProducerFacts) -> ProducerId {
    wire_producer(facts.name.as_deref(), &facts.connection.name)
}

fn producer_info(facts: &ProducerFacts) -> ProducerInfo {
    ProducerInfo {
        producer_id: Some(producer_id(facts)),
        destination: facts.destination.as_deref().map(wire_destination),
        ..ProducerInfo::default()
    }
}
