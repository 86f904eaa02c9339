//! The last messages of a topic, for subscriptions that ask for what they missed (`retroactive`).
//!
//! Off unless `history_messages_max` is set: then each topic keeps so many messages, and not more than
//! `history_bytes_max`, and all of them together a tenth of the broker's memory. They are lost with the broker.

use crate::advisory::is_advisory_topic;
use crate::broker::{Broker, Step};
use crate::queue::Item;
use crate::subscription::Pending;
use ferrymq_model::SessionId;
use ferrymq_storage::Lsn;
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
