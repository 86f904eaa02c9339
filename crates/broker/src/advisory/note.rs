//! The facts, one function each: called where they happen, told only where somebody listens.

use super::{Kind, is_advisory_topic};
use crate::broker::{Broker, Place};
use crate::queue::Item;
use crate::session::Full;
use ferrymq_model::advisory::{ADVISORY_PREFIX, ConnectionFacts, ConsumerFacts, ProducerFacts};
use ferrymq_model::{Address, Advisory, DeliveryMode, Destination, Message, ProducerId, SessionId, Subscribe, Value};
use std::sync::Arc;

/// Stands for a comma in a topic's name.
const COMMA: &str = "&sbquo;";

/// The topic on which something of a kind is told about a destination.
pub(super) fn topic_about(kind: Kind, place: &Destination) -> String {
    let class = if place.kind.is_queue() { "Queue" } else { "Topic" };
    format!("{ADVISORY_PREFIX}{}.{class}.{}", kind.level(), place.name.replace(',', COMMA))
}

/// The topic on which consumers of an address are told: one for all its leaves.
pub(super) fn topic_about_consumer(address: &Address) -> String {
    let first = &address.leaves[0];
    let mut topic = topic_about(Kind::Consumer, first);
    for leaf in &address.leaves[1..] {
        topic.push_str(COMMA);
        if leaf.kind != first.kind {
            topic.push_str(leaf.kind.prefix());
        }
        topic.push_str(&leaf.name.replace(',', COMMA));
    }
    topic
}

/// The topic on which destinations like this one are told.
pub(super) fn topic_about_destination(destination: &Destination) -> String {
    format!("{ADVISORY_PREFIX}{}", Kind::of(destination.kind).level())
}

impl Broker {
    /// What is told about a session's connection; `None` for one of the broker's own, which has no name.
    pub(super) fn connection_facts(&self, session: SessionId) -> Option<ConnectionFacts> {
        let connection = &self.session(session)?.connection;
        (!connection.name.is_empty()).then(|| connection.clone())
    }

    fn note(&mut self, topic: String, told: Advisory, added: Vec<(&'static str, Value)>) {
        if let Some(topic) = self.heard(topic) {
            let message = self.advisory(topic, told, added);
            self.advisories.noted.push(message);
        }
    }

    /// A connection came or goes.
    pub(crate) fn note_connection(&mut self, session: SessionId, started: bool) {
        if !self.is_watched(Kind::Connection) {
            return;
        }
        let Some(connection) = self.connection_facts(session) else { return };
        let told = match started {
            true => Advisory::ConnectionStarted(connection),
            false => Advisory::ConnectionStopped(connection),
        };
        self.note(format!("{ADVISORY_PREFIX}{}", Kind::Connection.level()), told, Vec::new());
    }

    /// A destination came or goes.
    pub(crate) fn note_destination(&mut self, destination: &Arc<Destination>, owner: Option<SessionId>, created: bool) {
        if !self.is_watched(Kind::of(destination.kind)) || is_advisory_topic(destination) {
            return;
        }
        let connection = owner.and_then(|owner| self.connection_facts(owner)).map(|facts| facts.name);
        let destination = Arc::clone(destination);
        let topic = topic_about_destination(&destination);
        let told = match created {
            true => Advisory::DestinationCreated { destination, connection },
            false => Advisory::DestinationDeleted { destination, connection },
        };
        self.note(topic, told, Vec::new());
    }

    /// A consumer came or goes. Called while its session is there.
    pub(crate) fn note_consumer(&mut self, index: u32, started: bool) {
        if !self.is_watched(Kind::Consumer) {
            return;
        }
        let Some(facts) = self.consumer_facts(index) else { return };
        let leaves = &facts.subscribe.address.leaves;
        // Of a temporary destination that is gone nobody needs to know who left it.
        if !started && leaves.iter().any(|leaf| leaf.kind.is_temporary() && !self.places.contains_key(&**leaf)) {
            return;
        }
        let topic = topic_about_consumer(&facts.subscribe.address);
        let added = self.consumer_count(&facts.subscribe.address);
        let told = match started {
            true => Advisory::ConsumerStarted(facts),
            false => Advisory::ConsumerStopped(facts),
        };
        self.note(topic, told, added);
    }

    /// What is told about a consumer; `None` for those of advisories, and of the broker itself.
    pub(super) fn consumer_facts(&self, index: u32) -> Option<ConsumerFacts> {
        let subscription = &self.subscriptions[index];
        if subscription.address.leaves.iter().all(|leaf| is_advisory_topic(leaf)) {
            return None;
        }
        let connection = self.connection_facts(subscription.session)?;
        let subscribe = match &subscription.wishes.name {
            Some(_) => Arc::clone(&subscription.wishes),
            None => {
                let name = Some(format!("{}:-1:{}", connection.name, subscription.id.0).into());
                Arc::new(Subscribe { name, ..(*subscription.wishes).clone() })
            }
        };
        Some(ConsumerFacts { connection, subscribe })
    }

    fn consumer_name(&self, index: u32) -> Option<Arc<str>> {
        self.consumer_facts(index).and_then(|facts| facts.subscribe.name.clone())
    }

    /// `consumerCount`: all that the destinations of an address have.
    pub(super) fn consumer_count(&self, address: &Address) -> Vec<(&'static str, Value)> {
        let places = self.places_of(address.leaves.iter().map(|leaf| &**leaf));
        let count: usize = places.into_iter().map(|place| self.consumers_at(place)).sum();
        vec![("consumerCount", Value::Int(i32::try_from(count).unwrap_or(i32::MAX)))]
    }

    fn consumers_at(&self, place: Place) -> usize {
        match place {
            Place::Queue(queue) => self.queues[queue].consumers.len(),
            Place::Topic(topic) => {
                let topic = &self.topics[topic];
                let durable = topic.durables.ids().filter(|&queue| !self.queues[queue].consumers.is_empty());
                topic.subscribers.len() + durable.count()
            }
        }
    }

    /// A durable subscription was deleted.
    pub(crate) fn note_deleted_durable(&mut self, session: SessionId, name: &Arc<str>, topics: &[Destination]) {
        if !self.is_watched(Kind::Consumer) {
            return;
        }
        let Some(connection) = self.connection_facts(session) else { return };
        let leaves: Vec<_> = topics.iter().map(|topic| Arc::new(topic.clone())).collect();
        let address = Address { leaves };
        if address.leaves.is_empty() || address.leaves.iter().all(|leaf| is_advisory_topic(leaf)) {
            return;
        }
        let added = self.consumer_count(&address);
        let told = Advisory::SubscriptionDeleted { connection, name: Arc::clone(name) };
        self.note(topic_about_consumer(&address), told, added);
    }

    /// A producer came or goes: one advisory for each place that it names.
    pub(crate) fn note_producer(&mut self, session: SessionId, name: Option<&Arc<str>>, to: &Address, started: bool) {
        if !self.is_watched(Kind::Producer) {
            return;
        }
        for leaf in &to.leaves {
            let gone = leaf.kind.is_temporary() && !self.places.contains_key(&**leaf);
            let Some(facts) = self.producer_facts(session, name, leaf).filter(|_| started || !gone) else { continue };
            let added = self.producer_count(leaf);
            let told = match started {
                true => Advisory::ProducerStarted(facts),
                false => Advisory::ProducerStopped(facts),
            };
            self.note(topic_about(Kind::Producer, leaf), told, added);
        }
    }

    /// What is told about a producer; `None` for one without a name, which a session keeps for itself.
    pub(super) fn producer_facts(
        &self,
        session: SessionId,
        name: Option<&Arc<str>>,
        leaf: &Arc<Destination>,
    ) -> Option<ProducerFacts> {
        let name = Some(Arc::clone(name?));
        let connection = self.connection_facts(session).filter(|_| !is_advisory_topic(leaf))?;
        Some(ProducerFacts { connection, name, destination: Some(Arc::clone(leaf)) })
    }

    /// `producerCount`: all that name this destination.
    pub(super) fn producer_count(&self, leaf: &Destination) -> Vec<(&'static str, Value)> {
        let producers = self.sessions.iter().flatten().flat_map(|session| session.producers.values());
        let count = producers.filter(|producer| producer.address.leaves.iter().any(|to| **to == *leaf)).count();
        vec![("producerCount", Value::Int(i32::try_from(count).unwrap_or(i32::MAX)))]
    }

    #[cold]
    fn note_item_at(&mut self, kind: Kind, queue: u32, item: &Item, by: Option<u32>) {
        if let Some(place) = self.place_of(queue, item) {
            self.note_message(kind, &place, item, by);
        }
    }

    /// Something happened to a message in a queue or in a durable subscription.
    #[inline]
    pub(crate) fn note_item(&mut self, kind: Kind, queue: u32, item: &Item, by: Option<u32>) {
        if self.is_watched(kind) {
            self.note_item_at(kind, queue, item, by);
        }
    }

    /// Whether a message that comes to a queue is of interest to anybody.
    #[inline]
    pub(crate) fn is_arrival_watched(&self) -> bool {
        self.is_watched(Kind::MessageDelivered) || self.is_watched(Kind::NoConsumer)
    }

    /// A message came to a queue.
    pub(crate) fn note_arrival(&mut self, queue: u32, item: &Item) {
        self.note_item(Kind::MessageDelivered, queue, item, None);
        let known = &self.queues[queue];
        if let (crate::queue::Role::Queue(place), true, Some(message)) =
            (&known.role, known.consumers.is_empty(), &item.message)
        {
            let place = Arc::clone(place);
            self.note_no_consumer(&place, message);
        }
    }

    /// Something happened to a message on a topic.
    #[inline]
    pub(crate) fn note_live(&mut self, kind: Kind, topic: u32, item: &Item, by: Option<u32>) {
        if self.is_watched(kind) {
            self.note_live_at(kind, topic, item, by);
        }
    }

    #[cold]
    fn note_live_at(&mut self, kind: Kind, topic: u32, item: &Item, by: Option<u32>) {
        let place = Arc::clone(&self.topics[topic].destination);
        self.note_message(kind, &place, item, by);
    }

    /// Something happened to a message. A message that is not in memory is not told about.
    fn note_message(&mut self, kind: Kind, place: &Arc<Destination>, item: &Item, by: Option<u32>) {
        let Some(message) = &item.message else { return };
        if is_advisory_topic(place) || message.annotations().is_some_and(|a| a.advisory.is_some()) {
            return;
        }
        let Some(topic) = self.heard(topic_about(kind, place)) else { return };
        let mut added = vec![("orignalMessageId", Value::Text(message.header.id.to_string().into()))];
        if kind == Kind::MessageDlqd {
            added.clear();
        } else if kind != Kind::Expired {
            added.push(("orignalDestination", Value::Text(place.to_string().into())));
        }
        if let Some(consumer) = by.filter(|_| kind != Kind::MessageConsumed) {
            if let Some(name) = self.consumer_name(consumer) {
                added.push(("consumerId", Value::Text(name)));
            }
            if kind == Kind::MessageDiscarded {
                let discarded = i32::try_from(self.subscriptions[consumer].discarded).unwrap_or(i32::MAX);
                added.push(("discardedCount", Value::Int(discarded)));
            }
        }
        let told = Advisory::Message { message: Arc::new(message.detached()), place: Arc::clone(place) };
        let message = self.advisory(topic, told, added);
        self.advisories.noted.push(message);
    }

    /// A message that may get lost came where nobody listens: it is sent on itself, to the advisory's topic.
    #[inline]
    pub(crate) fn note_no_consumer(&mut self, place: &Arc<Destination>, message: &Message) {
        if !self.is_watched(Kind::NoConsumer)
            || message.header.mode == DeliveryMode::Persistent
            || is_advisory_topic(place)
        {
            return;
        }
        let Some(topic) = self.heard(topic_about(Kind::NoConsumer, place)) else { return };
        let mut message = message.detached();
        message.header.destination = topic;
        self.advisories.noted.push(message);
    }

    /// A topic subscription fell behind.
    pub(crate) fn note_slow_consumer(&mut self, topic: u32, index: u32) {
        let place = Arc::clone(&self.topics[topic].destination);
        if is_advisory_topic(&place) {
            return;
        }
        let Some(facts) = self.consumer_facts(index) else { return };
        let added = facts.subscribe.name.iter().map(|name| ("consumerId", Value::Text(Arc::clone(name)))).collect();
        self.note(topic_about(Kind::SlowConsumer, &place), Advisory::Consumer(facts), added);
    }

    /// A producer sends faster than the queue is emptied: it waits from now on, or is refused.
    pub(crate) fn note_fast_producer(&mut self, session: SessionId, producer: ProducerId, full: Full) {
        if !self.is_watched(Kind::FastProducer) {
            return;
        }
        let Full::Queue(queue) = full else { return };
        let crate::queue::Role::Queue(destination) = &self.queues[queue].role else { return };
        let destination = Arc::clone(destination);
        let known = self.session(session).and_then(|state| state.producers.get(&producer.0));
        let name = known.and_then(|known| known.name.clone());
        let Some(facts) = self.producer_facts(session, name.as_ref(), &destination) else { return };
        let added = facts.name.iter().map(|name| ("producerId", Value::Text(Arc::clone(name)))).collect();
        self.note(topic_about(Kind::FastProducer, &destination), Advisory::Producer(facts), added);
    }

    /// A queue is full: its producers wait from now on, or are refused.
    pub(crate) fn note_full(&mut self, queue: u32) {
        let crate::queue::Role::Queue(destination) = &self.queues[queue].role else { return };
        if !self.is_watched(Kind::Full) {
            return;
        }
        let used = i64::try_from(self.queues[queue].memory).unwrap_or(i64::MAX);
        let added = vec![("usageName", Value::Text(Arc::from("memory"))), ("usageCount", Value::Long(used))];
        self.note(topic_about(Kind::Full, destination), Advisory::Broker, added);
    }
}
