//! What the broker tells on the topics `ActiveMQ.Advisory.*`, for those who watch it.
//!
//! A fact is noted where it happens, if somebody listens to its kind, and published before the step ends. Who listens
//! to nothing costs a look at a counter. A name that only wildcards cover needs no topic of its own: one topic that has
//! no name carries all those.

mod note;
mod replay;

use crate::audience::Audience;
use crate::broker::{Broker, Place, Step};
use crate::queue::{Item, Role, band_of};
use crate::topic::ANY_PRIORITY;
use ferrymq_model::advisory::{ADVISORY, ADVISORY_TYPE};
use ferrymq_model::{
    Advisory, Annotations, DeliveryMode, Destination, DestinationKind, Header, Message, MessageId, Now, SessionId,
    Value, WallTime,
};
use std::sync::Arc;

/// Who publishes advisories: no session ever has this number.
const BROKER: SessionId = SessionId { slot: u32::MAX, generation: u32::MAX };

/// What advisories are about: the third level of their topics' names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Connections.
    Connection,
    /// Queues.
    Queue,
    /// Topics.
    Topic,
    /// Temporary queues.
    TempQueue,
    /// Temporary topics.
    TempTopic,
    /// Consumers.
    Consumer,
    /// Producers.
    Producer,
    /// Messages that expired.
    Expired,
    /// Messages that went to the dead-letter queue.
    MessageDlqd,
    /// Messages that nobody was there for.
    NoConsumer,
    /// Topic subscriptions that do not keep up.
    SlowConsumer,
    /// Messages that a slow subscription lost.
    MessageDiscarded,
    /// Queues whose producers wait.
    Full,
    /// Producers that send faster than their queue is emptied.
    FastProducer,
    /// Messages that came to a destination.
    MessageDelivered,
    /// Messages that a consumer is done with.
    MessageConsumed,
    /// Messages that went to a consumer.
    MessageDispatched,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Connection,
        Self::Queue,
        Self::Topic,
        Self::TempQueue,
        Self::TempTopic,
        Self::Consumer,
        Self::Producer,
        Self::Expired,
        Self::MessageDlqd,
        Self::NoConsumer,
        Self::SlowConsumer,
        Self::MessageDiscarded,
        Self::Full,
        Self::FastProducer,
        Self::MessageDelivered,
        Self::MessageConsumed,
        Self::MessageDispatched,
    ];

    /// The level of the name, as ActiveMQ writes it.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Queue => "Queue",
            Self::Topic => "Topic",
            Self::TempQueue => "TempQueue",
            Self::TempTopic => "TempTopic",
            Self::Consumer => "Consumer",
            Self::Producer => "Producer",
            Self::Expired => "Expired",
            Self::MessageDlqd => "MessageDLQd",
            Self::NoConsumer => "NoConsumer",
            Self::SlowConsumer => "SlowConsumer",
            Self::MessageDiscarded => "MessageDiscarded",
            Self::Full => "FULL",
            Self::FastProducer => "FastProducer",
            Self::MessageDelivered => "MessageDelivered",
            Self::MessageConsumed => "MessageConsumed",
            Self::MessageDispatched => "MessageDispatched",
        }
    }

    /// What tells of destinations of a kind.
    pub(crate) fn of(kind: DestinationKind) -> Self {
        match kind {
            DestinationKind::Queue => Self::Queue,
            DestinationKind::Topic => Self::Topic,
            DestinationKind::TemporaryQueue => Self::TempQueue,
            DestinationKind::TemporaryTopic => Self::TempTopic,
        }
    }
}

/// What is known about who listens, and what is to be told.
#[derive(Debug, Default)]
pub(crate) struct Advisories {
    /// For each kind, how many leaves of subscriptions may hear it. A kind that is switched off has none.
    watchers: [u32; Kind::ALL.len()],
    /// Facts of this step, published at its end.
    noted: Vec<Message>,
    /// Carries what only wildcards cover.
    carrier: Option<u32>,
    /// The first part of the messages' ids; from when the first one was published.
    producer: Option<Arc<str>>,
    /// The last part of the last message's id.
    sequence: u64,
}

impl Advisories {
    /// Whether something waits to be told.
    pub(crate) fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// Nothing of recovery is told: it was told when it happened.
    pub(crate) fn forget_noted(&mut self) {
        self.noted.clear();
    }
}

/// Whether a leaf, maybe a pattern, may hear advisories of a kind.
fn may_hear(leaf: &Destination, kind: Kind) -> bool {
    if leaf.kind != DestinationKind::Topic {
        return false;
    }
    let mut levels = leaf.name.split('.');
    for wanted in ["ActiveMQ", "Advisory", kind.level()] {
        match levels.next() {
            Some(">") => return true,
            Some(level) if level == "*" || level == wanted => {}
            Some(_) | None => return false,
        }
    }
    true
}

/// Whether a name is one of advisories: nothing is told about these.
pub(crate) fn is_advisory_topic(destination: &Destination) -> bool {
    destination.kind == DestinationKind::Topic && Advisory::is_topic_name(&destination.name)
}

impl Broker {
    /// Counts a subscription's leaves among those that listen, or takes them out.
    pub(crate) fn watch<'a>(&mut self, leaves: impl IntoIterator<Item = &'a Destination>, begins: bool) {
        for leaf in leaves {
            for kind in Kind::ALL {
                if !may_hear(leaf, kind) || !self.tells(kind) {
                    continue;
                }
                let watchers = &mut self.advisories.watchers[kind as usize];
                *watchers = if begins { *watchers + 1 } else { *watchers - 1 };
            }
        }
    }

    /// Whether a kind is told at all.
    fn tells(&self, kind: Kind) -> bool {
        let settings = &self.settings.advisories;
        settings.enabled
            && match kind {
                Kind::Connection
                | Kind::Queue
                | Kind::Topic
                | Kind::TempQueue
                | Kind::TempTopic
                | Kind::Consumer
                | Kind::Producer
                | Kind::Expired
                | Kind::MessageDlqd => true,
                Kind::NoConsumer => settings.no_consumer,
                Kind::SlowConsumer => settings.slow_consumer,
                Kind::MessageDiscarded => settings.message_discarded,
                Kind::Full => settings.full,
                Kind::FastProducer => settings.fast_producer,
                Kind::MessageDelivered => settings.message_delivered,
                Kind::MessageConsumed => settings.message_consumed,
                Kind::MessageDispatched => settings.message_dispatched,
            }
    }

    /// Whether somebody may hear a kind: the one check where nobody listens.
    #[inline]
    pub(crate) fn is_watched(&self, kind: Kind) -> bool {
        self.advisories.watchers[kind as usize] > 0
    }

    /// The topic of this name, if somebody hears it.
    fn heard(&self, name: String) -> Option<Arc<Destination>> {
        let topic = Destination { kind: DestinationKind::Topic, name: Arc::from(name) };
        let heard = match self.places.get(&topic) {
            Some(Place::Topic(index)) => {
                let known = &self.topics[*index];
                !known.subscribers.is_empty() || !known.durables.is_empty()
            }
            Some(Place::Queue(_)) => unreachable!("a topic's name leads to a topic"),
            None => self.wild_subscribers(&topic).next().is_some() || self.wild_durables(&topic).next().is_some(),
        };
        heard.then(|| Arc::new(topic))
    }

    fn wild_subscribers<'a>(&'a self, topic: &'a Destination) -> impl Iterator<Item = u32> + 'a {
        let covers = |index: &u32| self.subscriptions[*index].address.leaves.iter().any(|leaf| leaf.covers(topic));
        self.patterns.iter().copied().filter(covers)
    }

    fn wild_durables<'a>(&'a self, topic: &'a Destination) -> impl Iterator<Item = u32> + 'a {
        let covers = |queue: &u32| {
            let durable = self.queues[*queue].durable().expect("durable patterns are durable subscriptions");
            durable.topics.iter().any(|pattern| pattern.covers(topic))
        };
        self.durable_patterns.iter().copied().filter(covers)
    }

    /// A message on an advisory topic; it has no time yet.
    fn advisory(&mut self, topic: Arc<Destination>, told: Advisory, added: Vec<(&'static str, Value)>) -> Message {
        let settings = &self.settings;
        let origin = [
            ("originBrokerId", &settings.broker_id),
            ("originBrokerName", &settings.broker_name),
            ("originBrokerURL", &settings.broker_url),
        ];
        let origin = origin.map(|(name, text)| (Arc::from(name), Value::Text(Arc::clone(text))));
        let added = added.into_iter().map(|(name, value)| (Arc::from(name), value));
        let annotations = Annotations {
            kind: Some(Arc::from(ADVISORY_TYPE)),
            advisory: Some(Arc::new(told)),
            added: added.chain(origin).collect(),
            ..Annotations::default()
        };
        self.advisories.sequence += 1;
        Message {
            header: Header {
                id: MessageId { producer: Arc::from(""), sequence: self.advisories.sequence },
                destination: topic,
                mode: DeliveryMode::NonPersistent,
                priority: 0,
                timestamp: WallTime(0),
                expiration: None,
                annotations: Some(Box::new(annotations)),
            },
            dialect: &ADVISORY,
            bytes: bytes::Bytes::new(),
            body_at: 0,
        }
    }

    /// Gives an advisory its time and the rest of its id.
    fn date(&mut self, message: &mut Message, now: Now) {
        let id = &self.settings.broker_id;
        // Unique over restarts: the broker's id says which broker, the time when it first told something.
        let producer = self.advisories.producer.get_or_insert_with(|| Arc::from(format!("{id}:{}:0", now.wall.0)));
        if message.header.annotations.as_ref().is_some_and(|annotations| annotations.advisory.is_some()) {
            message.header.id.producer = Arc::clone(producer);
            message.header.timestamp = now.wall;
        }
    }

    /// Publishes what this step noted.
    #[inline]
    pub(crate) fn publish_advisories(&mut self, step: &mut Step<'_>) {
        if !self.advisories.noted.is_empty() {
            self.publish_noted(step);
        }
    }

    #[cold]
    fn publish_noted(&mut self, step: &mut Step<'_>) {
        // Nothing is told about advisories, so nothing new is noted here.
        for mut message in std::mem::take(&mut self.advisories.noted) {
            self.date(&mut message, step.now);
            let (topic, is_carried) = self.advisory_topic(&message.header.destination);
            let leaves = [(Place::Topic(topic), None)];
            if self.publish(BROKER, &Arc::new(message), &leaves, false, step).is_err() {
                // No room, or the journal stopped: what is told gets lost, like anything that is not persistent.
                self.topics[topic].counters.discarded += 1;
            }
            if is_carried {
                self.topics[topic].subscribers = Audience::default();
                self.topics[topic].durables = Audience::default();
            }
        }
    }

    /// The topic that an advisory goes to: the one of its name, or the carrier with everybody whose wildcards cover it.
    fn advisory_topic(&mut self, name: &Destination) -> (u32, bool) {
        if let Some(Place::Topic(topic)) = self.places.get(name) {
            return (*topic, false);
        }
        let (mut subscribers, mut durables) = (Audience::default(), Audience::default());
        for index in self.wild_subscribers(name) {
            subscribers.join(index, ANY_PRIORITY, self.subscriptions[index].selector.as_ref());
        }
        for queue in self.wild_durables(name) {
            let selector = self.queues[queue].durable().and_then(|durable| durable.selector.as_ref());
            durables.join(queue, ANY_PRIORITY, selector);
        }
        let carrier = self.advisory_carrier();
        self.topics[carrier].subscribers = subscribers;
        self.topics[carrier].durables = durables;
        (carrier, true)
    }

    fn advisory_carrier(&mut self) -> u32 {
        match self.advisories.carrier {
            Some(carrier) => carrier,
            None => {
                let name = Destination { kind: DestinationKind::Topic, name: Arc::from("ActiveMQ.Advisory") };
                let carrier = self.topics.insert(crate::topic::Topic::new(Arc::new(name), None));
                self.advisories.carrier = Some(carrier);
                carrier
            }
        }
    }

    /// An advisory for one subscription alone.
    fn replay_to(&mut self, index: u32, mut message: Message, now: Now) {
        let topic = match self.places.get(&*message.header.destination) {
            Some(Place::Topic(topic)) => *topic,
            Some(Place::Queue(_)) | None => self.advisory_carrier(),
        };
        self.date(&mut message, now);
        let subscription = &mut self.subscriptions[index];
        if subscription.selector.as_ref().is_some_and(|selector| !selector.matches(&message, 0)) {
            return;
        }
        let item = Item::new(Arc::new(message), band_of(4, self.settings.prioritized));
        let size = item.size as usize;
        if !subscription.has_room(size, self.settings.subscription_memory_limit_bytes) {
            self.topics[topic].counters.discarded += 1;
            return;
        }
        subscription.held_bytes += size;
        self.live_memory += size;
        self.topics[topic].memory += size;
        subscription.pending.push_back(crate::subscription::Pending { topic, item });
    }

    /// What a queue's messages are said to be in: its name, or the topic of a durable subscription.
    fn place_of(&self, index: u32, item: &Item) -> Option<Arc<Destination>> {
        let message = item.message.as_ref()?;
        Some(match &self.queues[index].role {
            Role::Queue(destination) => Arc::clone(destination),
            Role::Durable(_) => Arc::clone(item.leaf.as_ref().unwrap_or(&message.header.destination)),
        })
    }
}
