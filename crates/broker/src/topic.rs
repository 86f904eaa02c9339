//! Topics: each message to every subscription, and to the backlog of every durable one.

use crate::advisory::Kind;
use crate::audience::Audience;
use crate::broker::{Broker, Place, Step};
use crate::history::History;
use crate::queue::{Counters, Durable, Item, Role};
use crate::subscription::{Pending, Source};
use ferrymq_model::{Destination, Message, SessionId};
use ferrymq_storage::Lsn;
use std::sync::Arc;

/// Priorities of consumers mean nothing on topics: everybody gets everything.
pub(crate) const ANY_PRIORITY: i16 = 0;

/// A topic.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Its name.
    pub(crate) destination: Arc<Destination>,
    /// The session that made it, for a temporary one.
    pub(crate) owner: Option<SessionId>,
    /// Subscriptions that are not durable, those with a pattern included.
    pub(crate) subscribers: Audience,
    /// Durable subscriptions, as queues.
    pub(crate) durables: Audience,
    /// Bytes on their way to subscribers, counted for each.
    pub(crate) memory: usize,
    /// Past messages, where they are kept.
    pub(crate) history: Option<Box<History>>,
    /// Counters.
    pub(crate) counters: Counters,
}

impl Topic {
    /// A topic without subscriptions.
    pub(crate) fn new(destination: Arc<Destination>, owner: Option<SessionId>) -> Self {
        Self {
            destination,
            owner,
            subscribers: Audience::default(),
            durables: Audience::default(),
            memory: 0,
            history: None,
            counters: Counters::default(),
        }
    }
}

impl Broker {
    /// Names the durable subscriptions of a topic that want a message.
    pub(crate) fn durables_wanting(&self, topic: u32, from: SessionId, message: &Message, mut found: impl FnMut(u32)) {
        for queue in self.topics[topic].durables.listeners(message, &mut Vec::new()).iter().map(|member| member.id) {
            let backlog = &self.queues[queue];
            let durable = backlog.durable().expect("topics feed durable subscriptions alone");
            if durable.no_local && self.is_own(durable, from) {
                continue;
            }
            found(queue);
        }
    }

    /// Whether a durable subscription's own connection sends. As in Classic that is the one that listens or listened last:
    /// what another connection of the same client id sends while nobody listens is kept, as from anyone.
    fn is_own(&self, durable: &Durable, from: SessionId) -> bool {
        let sender = self.session(from).and_then(|state| state.connection.client_id.as_deref());
        sender == Some(&*durable.client_id) && (durable.shared || durable.listener == Some(from))
    }

    /// Gives a message to every subscription that is not durable.
    pub(crate) fn publish_live(&mut self, topic: u32, from: SessionId, item: &Item, lsn: Lsn, step: &mut Step<'_>) {
        let message = item.message.as_ref().expect("a message that is sent is here");
        let held = item.held && lsn > self.flushed;
        let expired = item.is_expired(step.now.wall);
        let mut own: Option<Arc<Message>> = None;
        self.note_published(topic, item, expired);
        let listeners = self.topics[topic].subscribers.lend(message, &mut self.chosen);
        let is_dispatch_watched = self.is_watched(Kind::MessageDispatched);
        let (room_max, crowded) = (self.settings.subscription_memory_limit_bytes, self.live_memory_max());
        let key = self.topics.key(topic);
        let size = item.size as usize;
        for index in listeners.iter().map(|member| member.id) {
            let subscription = &mut self.subscriptions[index];
            let local = subscription.not_from.is_some() && subscription.session == from;
            if local || expired || !subscription.accepts_sender(message) {
                continue;
            }
            let roomy = self.live_memory < crowded && subscription.has_room(size, room_max);
            if !roomy && !self.make_room(index, topic, size) {
                self.subscriptions[index].discarded += 1;
                self.note_live(Kind::MessageDiscarded, topic, item, Some(index));
                continue;
            }
            let subscription = &mut self.subscriptions[index];
            subscription.held_bytes += size;
            self.live_memory += size;
            self.topics[topic].memory += size;
            if !held && subscription.has_credit() && subscription.pending.is_empty() {
                if subscription.counts_topics() {
                    subscription.deliver_counted(key, (message, item.size), item.leaf.as_ref(), step.out);
                } else if subscription.is_passing() {
                    let kept = Item { leaf: item.leaf.clone(), message: Some(Arc::clone(message)), ..*item };
                    subscription.deliver(Source::Topic(topic), kept, true, false, step.out);
                } else {
                    let own = own.get_or_insert_with(|| Arc::new(message.detached()));
                    let kept = Item { leaf: item.leaf.clone(), message: Some(Arc::clone(own)), ..*item };
                    subscription.deliver(Source::Topic(topic), kept, false, false, step.out);
                }
                if is_dispatch_watched {
                    self.note_live(Kind::MessageDispatched, topic, item, Some(index));
                }
                let subscription = &self.subscriptions[index];
                if subscription.window >= subscription.prefetch {
                    self.refresh_credit(index);
                }
                continue;
            }
            let own = own.get_or_insert_with(|| Arc::new(message.detached()));
            let kept = Item { leaf: item.leaf.clone(), message: Some(Arc::clone(own)), lsn, ..*item };
            subscription.pending.push_back(Pending { topic, item: kept });
            if held {
                self.held_subscriptions.push_back((lsn, index));
            } else if !std::mem::replace(&mut subscription.slow, true) && self.is_watched(Kind::SlowConsumer) {
                self.note_slow_consumer(topic, index);
            }
            let subscription = &self.subscriptions[index];
            if subscription.pending.len() > subscription.pending_limit as usize {
                self.drop_oldest(index);
            }
        }
        if self.settings.history_messages_max > 0 && !expired {
            self.remember(topic, from, item, lsn);
        }
        let topic = &mut self.topics[topic];
        topic.subscribers.take_back(listeners, &mut self.chosen);
        topic.counters.enqueued += 1;
        self.enqueued += 1;
    }

    /// Tells what there is to tell of a message that comes to a topic.
    #[inline]
    fn note_published(&mut self, topic: u32, item: &Item, expired: bool) {
        if expired {
            self.note_live(Kind::Expired, topic, item, None);
        }
        self.note_live(Kind::MessageDelivered, topic, item, None);
        if self.is_watched(Kind::NoConsumer)
            && self.topics[topic].subscribers.is_empty()
            && self.topics[topic].durables.is_empty()
            && let Some(message) = &item.message
        {
            let place = Arc::clone(&self.topics[topic].destination);
            self.note_no_consumer(&place, message);
        }
    }

    /// Delivers what waits for a subscription of topics, as far as its credit goes.
    pub(crate) fn deliver_pending(&mut self, index: u32, step: &mut Step<'_>) {
        loop {
            let subscription = &mut self.subscriptions[index];
            if !subscription.has_credit() {
                return;
            }
            let Some(first) = subscription.pending.front() else { return };
            if first.item.is_held(self.flushed) {
                return;
            }
            let Pending { topic, item } = subscription.pending.pop_front().expect("there is a front");
            if item.is_expired(step.now.wall) {
                self.topics[topic].counters.expired += 1;
                self.note_live(Kind::Expired, topic, &item, None);
                self.release_live(index, topic, item.size as usize);
                continue;
            }
            subscription.slow &= !subscription.pending.is_empty();
            self.note_live(Kind::MessageDispatched, topic, &item, Some(index));
            let subscription = &mut self.subscriptions[index];
            match &item.message {
                Some(message) if subscription.counts_topics() => {
                    let key = self.topics.key(topic);
                    subscription.deliver_counted(key, (message, item.size), item.leaf.as_ref(), step.out);
                }
                Some(_) | None => {
                    let passing = subscription.is_passing();
                    subscription.deliver(Source::Topic(topic), item, passing, false, step.out);
                }
            }
        }
    }

    /// A subscription no longer holds a message of a topic.
    pub(crate) fn release_live(&mut self, subscription: u32, topic: u32, bytes: usize) {
        self.subscriptions[subscription].held_bytes -= bytes;
        self.topics[topic].memory -= bytes;
        self.live_memory -= bytes;
    }

    /// Gives a new topic the subscriptions whose patterns cover it.
    pub(crate) fn join_topic(&mut self, topic: u32) {
        let destination = Arc::clone(&self.topics[topic].destination);
        for &index in &self.patterns {
            let subscription = &mut self.subscriptions[index];
            if subscription.durable.is_none() && subscription.address.leaves.iter().any(|l| l.covers(&destination)) {
                subscription.topics.push(topic);
                self.topics[topic].subscribers.join(index, ANY_PRIORITY, subscription.selector.as_ref());
            }
        }
        for &queue in &self.durable_patterns {
            if let Role::Durable(durable) = &mut self.queues[queue].role
                && durable.topics.iter().any(|pattern| pattern.covers(&destination))
            {
                durable.attached.push(topic);
                self.topics[topic].durables.join(queue, ANY_PRIORITY, durable.selector.as_ref());
            }
        }
    }

    /// The places that the leaves mean and that exist.
    pub(crate) fn places_of<'a>(&self, leaves: impl IntoIterator<Item = &'a Destination>) -> Vec<Place> {
        let mut places = Vec::new();
        for leaf in leaves {
            if leaf.is_pattern() {
                places.extend(self.existing(leaf).into_iter().map(|(_, place)| place));
            } else {
                places.extend(self.places.get(leaf));
            }
        }
        places
    }
}
