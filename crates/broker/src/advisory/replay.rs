//! What is there already, told to a subscription that just began to listen, and to nobody else.
//!
//! As in ActiveMQ this needs a subscription that names what it wants to hear: `ActiveMQ.Advisory.Consumer.>` does,
//! `ActiveMQ.Advisory.>` does not.

use super::note::{topic_about, topic_about_consumer, topic_about_destination};
use super::{Kind, may_hear};
use crate::broker::{Broker, Place, Step};
use ferrymq_model::advisory::ADVISORY_PREFIX;
use ferrymq_model::{Address, Advisory, Destination, DestinationKind, SessionId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a leaf asks for the present state of a kind.
fn asks_for(leaf: &Destination, kind: Kind) -> bool {
    let named = leaf.name.strip_prefix(ADVISORY_PREFIX).and_then(|rest| rest.split('.').next());
    named == Some(kind.level()) && may_hear(leaf, kind)
}

impl Broker {
    /// Puts what is there before everything else that a new subscription of advisories will hear.
    pub(crate) fn replay_state(&mut self, index: u32, step: &mut Step<'_>) {
        let address = Arc::clone(&self.subscriptions[index].address);
        let wants = |kind: Kind| address.leaves.iter().any(|leaf| asks_for(leaf, kind));
        let mut told = Vec::new();
        if wants(Kind::Connection) && self.is_watched(Kind::Connection) {
            self.tell_connections(&mut told);
        }
        for kind in DestinationKind::ALL {
            if wants(Kind::of(kind)) && self.is_watched(Kind::of(kind)) {
                self.tell_destinations(kind, &mut told);
            }
        }
        if wants(Kind::Producer) && self.is_watched(Kind::Producer) {
            self.tell_producers(&address, &mut told);
        }
        if wants(Kind::Consumer) && self.is_watched(Kind::Consumer) {
            self.tell_consumers(&address, &mut told);
        }
        for (topic, advisory, added) in told {
            let topic = Destination { kind: DestinationKind::Topic, name: Arc::from(topic) };
            let message = self.advisory(Arc::new(topic), advisory, added);
            self.replay_to(index, message, step.now);
        }
    }

    fn open_sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        let slots = (0_u32..).zip(&self.sessions);
        slots.filter_map(|(slot, state)| state.as_ref().map(|state| SessionId { slot, generation: state.generation }))
    }

    fn tell_connections(&self, told: &mut Vec<Told>) {
        for session in self.open_sessions() {
            if let Some(facts) = self.connection_facts(session) {
                let topic = format!("{ADVISORY_PREFIX}{}", Kind::Connection.level());
                told.push((topic, Advisory::ConnectionStarted(facts), Vec::new()));
            }
        }
    }

    fn tell_destinations(&self, kind: DestinationKind, told: &mut Vec<Told>) {
        let first = Destination { kind, name: Arc::from("") };
        for (destination, place) in self.places.range(first..).take_while(|(known, _)| known.kind == kind) {
            if super::is_advisory_topic(destination) {
                continue;
            }
            let owner = match *place {
                Place::Queue(queue) => self.queues[queue].owner,
                Place::Topic(topic) => self.topics[topic].owner,
            };
            let connection = owner.and_then(|owner| self.connection_facts(owner)).map(|facts| facts.name);
            let advisory = Advisory::DestinationCreated { destination: Arc::new(destination.clone()), connection };
            told.push((topic_about_destination(destination), advisory, Vec::new()));
        }
    }

    fn tell_producers(&self, address: &Address, told: &mut Vec<Told>) {
        let mut counts: BTreeMap<&Destination, i32> = BTreeMap::new();
        let producers = self.sessions.iter().flatten().flat_map(|session| session.producers.values());
        for leaf in producers.flat_map(|producer| producer.address.leaves.iter()) {
            *counts.entry(leaf).or_insert(0) += 1;
        }
        for session in self.open_sessions() {
            let state = self.session(session).expect("it is open");
            let mut producers: Vec<_> = state.producers.iter().collect();
            producers.sort_unstable_by_key(|(number, _)| **number);
            for (_, producer) in producers {
                for leaf in &producer.address.leaves {
                    let topic = topic_about(Kind::Producer, leaf);
                    if !hears(address, &topic) {
                        continue;
                    }
                    if let Some(facts) = self.producer_facts(session, producer.name.as_ref(), leaf) {
                        let count = Value::Int(counts.get(&**leaf).copied().unwrap_or(0));
                        told.push((topic, Advisory::ProducerStarted(facts), vec![("producerCount", count)]));
                    }
                }
            }
        }
    }

    fn tell_consumers(&self, address: &Address, told: &mut Vec<Told>) {
        for (index, subscription) in self.subscriptions.iter().filter(|(_, subscription)| !subscription.ended) {
            let topic = topic_about_consumer(&subscription.address);
            if !hears(address, &topic) {
                continue;
            }
            if let Some(facts) = self.consumer_facts(index) {
                let added = self.consumer_count(&subscription.address);
                told.push((topic, Advisory::ConsumerStarted(facts), added));
            }
        }
    }
}

/// What is told: on which topic, what, and with which properties.
type Told = (String, Advisory, Vec<(&'static str, Value)>);

fn hears(address: &Address, topic: &str) -> bool {
    let leaves = address.leaves.iter().filter(|leaf| leaf.kind == DestinationKind::Topic);
    leaves.into_iter().any(|leaf| ferrymq_model::destination::matches(&leaf.name, topic))
}
