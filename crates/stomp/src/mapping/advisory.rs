//! The body of an advisory for a STOMP client: a JSON object with one member, named as ActiveMQ names the structure.

use super::json;
use super::outgoing::show;
use ferrymq_model::advisory::{ConnectionFacts, ConsumerFacts, ProducerFacts};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Address, Advisory, DeliveryMode, Destination, Message, Value};
use std::sync::Arc;

/// Members of an object, those that are not there left out.
#[derive(Default)]
struct Members(Vec<(Arc<str>, Value)>);

impl Members {
    fn with(mut self, name: &str, value: Value) -> Self {
        if value != Value::Null {
            self.0.push((Arc::from(name), value));
        }
        self
    }

    fn text(self, name: &str, text: impl AsRef<str>) -> Self {
        self.with(name, Value::Text(Arc::from(text.as_ref())))
    }

    fn named(self, structure: &str) -> String {
        json::map(&[(Arc::from(structure), Value::Map(self.0))])
    }
}

/// The body's text; empty where the topic and the properties tell everything.
pub(super) fn text(told: &Advisory) -> String {
    match told {
        Advisory::ConnectionStarted(facts) => connection(facts),
        Advisory::ConnectionStopped(facts) => Members::default().text("objectId", &facts.name).named("RemoveInfo"),
        Advisory::DestinationCreated { destination, connection } => {
            destination_info(destination, connection.as_ref(), 0)
        }
        Advisory::DestinationDeleted { destination, connection } => {
            destination_info(destination, connection.as_ref(), 1)
        }
        Advisory::ConsumerStarted(facts) | Advisory::Consumer(facts) => consumer(facts),
        Advisory::ConsumerStopped(facts) => removed(facts.subscribe.name.as_ref()),
        Advisory::SubscriptionDeleted { connection, name } => Members::default()
            .text("connectionId", &connection.name)
            .with("clientId", optional(connection.client_id.as_ref()))
            .text("subscriptionName", name)
            .named("RemoveSubscriptionInfo"),
        Advisory::ProducerStarted(facts) | Advisory::Producer(facts) => producer(facts),
        Advisory::ProducerStopped(facts) => removed(facts.name.as_ref()),
        Advisory::Message { message, place } => message_facts(message, place),
        Advisory::Broker => String::new(),
    }
}

fn optional(text: Option<&Arc<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(Arc::clone(text)))
}

fn removed(name: Option<&Arc<str>>) -> String {
    Members::default().with("objectId", optional(name)).named("RemoveInfo")
}

fn connection(facts: &ConnectionFacts) -> String {
    Members::default()
        .text("connectionId", &facts.name)
        .with("clientId", optional(facts.client_id.as_ref()))
        .with("clientIp", optional(facts.peer.as_ref()))
        .with("userName", optional(facts.user.as_ref()))
        .named("ConnectionInfo")
}

fn destination_info(destination: &Destination, connection: Option<&Arc<str>>, operation: i8) -> String {
    Members::default()
        .with("connectionId", optional(connection))
        .text("destination", show(destination))
        .with("operationType", Value::Byte(operation))
        .named("DestinationInfo")
}

fn consumer(facts: &ConsumerFacts) -> String {
    let subscribe = &facts.subscribe;
    let name = match &subscribe.mode {
        SubscribeMode::Consume | SubscribeMode::Browse => None,
        SubscribeMode::Durable(name) | SubscribeMode::Shared(name) | SubscribeMode::SharedDurable(name) => Some(name),
    };
    let mut members = Members::default()
        .with("consumerId", optional(subscribe.name.as_ref()))
        .text("destination", shown(&subscribe.address))
        .with("prefetchSize", Value::Long(i64::from(subscribe.prefetch)))
        .with("browser", Value::Bool(subscribe.mode == SubscribeMode::Browse))
        .with("selector", optional(subscribe.selector.as_ref()))
        .with("clientId", optional(facts.connection.client_id.as_ref()))
        .with("subscriptionName", optional(name));
    for (option, is_set) in
        [("noLocal", subscribe.no_local), ("exclusive", subscribe.exclusive), ("retroactive", subscribe.retroactive)]
    {
        members = members.with(option, Value::Bool(is_set));
    }
    members.with("priority", Value::Short(subscribe.priority)).named("ConsumerInfo")
}

fn producer(facts: &ProducerFacts) -> String {
    let destination = facts.destination.as_ref().map_or(Value::Null, |to| Value::Text(Arc::from(show(to))));
    Members::default()
        .with("producerId", optional(facts.name.as_ref()))
        .with("destination", destination)
        .named("ProducerInfo")
}

fn message_facts(message: &Message, place: &Destination) -> String {
    let header = &message.header;
    let expiration = header.expiration.map_or(0, |at| i64::try_from(at.0).unwrap_or(i64::MAX));
    Members::default()
        .text("messageId", header.id.to_string())
        .text("destination", show(place))
        .with("persistent", Value::Bool(header.mode == DeliveryMode::Persistent))
        .with("priority", Value::Short(i16::from(header.priority)))
        .with("timestamp", Value::Long(i64::try_from(header.timestamp.0).unwrap_or(i64::MAX)))
        .with("expiration", Value::Long(expiration))
        .named("Message")
}

fn shown(address: &Address) -> String {
    let leaves: Vec<String> = address.leaves.iter().map(|leaf| show(leaf)).collect();
    leaves.join(",")
}
