//! The last messages of a topic, for subscriptions that ask for what they missed (`retroactive`).
//!
//! Off unless `history_messages_max` is set: then each topic keeps so many messages, and not more than
//! `history_bytes_max`, and all of them together a tenth of the broker's memory. They are lost with the broker, but for what
//! durable subscriptions got of them: each gets its topics' past once, when it is made, into its own store.

use crate::advisory::is_advisory_topic;
use crate::broker::{Broker, Place, Step};
use crate::queue::Item;
use crate::router::no_space;
use crate::subscription::Pending;
use ferrymq_model::selector::Selector;
use ferrymq_model::{DeliveryMode, Message, Refusal, SessionId, Subscribe, WallTime};
use ferrymq_storage::{Journal, Lsn, Placement, Unit};
use std::collections::VecDeque;
use std::sync::Arc;

/// The part of the broker's memory limit that past messages of all topics may take.
const HISTORY_PERCENT: usize = 10;

/// What a topic keeps.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Who sent it, and the message; the oldest first.
    kept: VecDeque<(SessionId, Item)>,
    /// Bytes of these.
    bytes: usize,
}

impl Broker {
    /// Keeps a message that just came to a topic. Where that makes too much, the topic's oldest go; one that does not
    /// fit even so is not kept.
    pub(crate) fn remember(&mut self, topic: u32, from: SessionId, item: &Item, lsn: Lsn) {
        let known = &self.topics[topic];
        let Some(message) = &item.message else { return };
        if known.owner.is_some() || is_advisory_topic(&known.destination) {
            return;
        }
        let size = item.size as usize;
        let all = self.settings.memory_limit_bytes / 100 * HISTORY_PERCENT;
        while let Some(history) = &self.topics[topic].history
            && (history.kept.len() >= self.settings.history_messages_max as usize
                || history.bytes + size > self.settings.history_bytes_max
                || self.history_memory + size > all)
            && self.forget_oldest(topic)
        {}
        if size > self.settings.history_bytes_max || self.history_memory + size > all {
            return;
        }
        let kept = Item { leaf: item.leaf.clone(), message: Some(Arc::new(message.detached())), lsn, ..*item };
        let history = self.topics[topic].history.get_or_insert_default();
        history.kept.push_back((from, kept));
        history.bytes += size;
        self.history_memory += size;
    }

    /// What a new durable subscription gets: what its topics keep and it wants.
    pub(crate) fn past_for(
        &self,
        session: SessionId,
        subscribe: &Subscribe,
        selector: Option<&Selector>,
        now: WallTime,
    ) -> Vec<Item> {
        if self.settings.history_messages_max == 0 || !subscribe.retroactive {
            return Vec::new();
        }
        let mut topics = Vec::new();
        for place in self.places_of(subscribe.address.leaves.iter().map(|leaf| &**leaf)) {
            if let Place::Topic(topic) = place
                && !topics.contains(&topic)
            {
                topics.push(topic);
            }
        }
        let kept = topics.into_iter().filter_map(|topic| self.topics[topic].history.as_ref()).flat_map(|it| &it.kept);
        let wanted = kept.filter(|(from, item)| {
            let message = item.message.as_ref().expect("what is kept is here");
            let is_own = subscribe.no_local && *from == session;
            !is_own && selector.is_none_or(|selector| selector.matches(message, 0)) && !item.is_expired(now)
        });
        wanted.map(|(_, item)| item.clone()).collect()
    }

    /// Whether a new subscription may have so much.
    pub(crate) fn check_past(&self, past: &[Item], journal: &Journal) -> Result<(), Refusal> {
        if past.is_empty() {
            return Ok(());
        }
        self.check_memory()?;
        if past.iter().any(Item::is_persistent) && journal.is_short_of_space() {
            return Err(no_space());
        }
        Ok(())
    }

    /// Writes what a new durable subscription gets into the unit that makes it.
    pub(crate) fn store_past(&mut self, queue: u32, past: &mut [Item], unit: &mut Unit<'_>) {
        for item in past.iter_mut() {
            item.sequence = self.queues[queue].take_sequence();
        }
        let store = self.define(queue, unit);
        for item in past.iter_mut().filter(|item| item.is_persistent()) {
            let message = item.message.as_ref().expect("what is kept is here");
            let places = [Placement { store, sequence: item.sequence }];
            item.stored = Some(match &item.leaf {
                None => unit.store(message, &places),
                Some(leaf) => {
                    let mut named = Message::clone(message);
                    named.header.destination = Arc::clone(leaf);
                    unit.store(&named, &places)
                }
            });
        }
    }

    /// Puts what a new subscription gets into its store; the record that stores what is stored of it.
    pub(crate) fn enqueue_past(&mut self, queue: u32, past: Vec<Item>, stored: Lsn, step: &mut Step<'_>) {
        for item in past {
            let held = item.is_held(self.flushed);
            let lsn = if item.stored.is_some() { stored } else { item.lsn };
            self.enqueue(queue, Item { lsn, held, ..item }, step);
        }
    }

    fn forget_oldest(&mut self, topic: u32) -> bool {
        let Some(history) = &mut self.topics[topic].history else { return false };
        let Some((_, item)) = history.kept.pop_front() else { return false };
        history.bytes -= item.size as usize;
        self.history_memory -= item.size as usize;
        true
    }

    /// Forgets the past of a topic that is deleted.
    pub(crate) fn forget_history(&mut self, topic: u32) {
        if let Some(history) = self.topics[topic].history.take() {
            self.history_memory -= history.bytes;
        }
    }

    /// Gives a new subscription what its topics keep, before everything else, as far as it may hold so much.
    pub(crate) fn replay_history(&mut self, index: u32, step: &Step<'_>) {
        let room = self.settings.subscription_memory_limit_bytes;
        for topic in self.subscriptions[index].topics.clone() {
            let known = &mut self.topics[topic];
            let Some(history) = &known.history else { continue };
            for (from, item) in &history.kept {
                let subscription = &mut self.subscriptions[index];
                let message = item.message.as_ref().expect("what is kept is here");
                let is_own = subscription.not_from.is_some() && subscription.session == *from;
                let is_wanted = subscription.selector.as_ref().is_none_or(|selector| selector.matches(message, 0));
                if is_own || !is_wanted || item.is_expired(step.now.wall) {
                    continue;
                }
                let size = item.size as usize;
                if !subscription.has_room(size, room) {
                    known.counters.discarded += 1;
                    continue;
                }
                subscription.held_bytes += size;
                known.memory += size;
                self.live_memory += size;
                if item.is_held(self.flushed) {
                    self.held_subscriptions.push_back((item.lsn, index));
                }
                subscription.pending.push_back(Pending { topic, item: item.clone() });
            }
        }
    }
}

impl Item {
    fn is_persistent(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.header.mode == DeliveryMode::Persistent)
    }
}
