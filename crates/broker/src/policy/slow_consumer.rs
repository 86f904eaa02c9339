//! A topic subscriber that does not keep up loses messages, so that nobody else waits for it.
//!
//! It may hold `pending_limit` messages beyond its prefetch, and `subscription_memory_limit_bytes` with those that it
//! has not settled. All of them together may hold half as many bytes as the broker's limit, besides those of queues;
//! when they do, each is left an equal share of that, so that who holds little loses nothing. Whoever holds nothing
//! may take one message of any size.

use crate::advisory::Kind;
use crate::broker::Broker;
use crate::subscription::Subscription;

/// The part of the broker's memory limit that topic messages take before their subscriptions share it.
const LIVE_PERCENT: usize = 50;

impl Broker {
    /// From so many bytes in all topic subscriptions on, each is left an equal share.
    pub(crate) fn live_memory_max(&self) -> usize {
        self.settings.memory_limit_bytes / 100 * LIVE_PERCENT
    }

    /// Drops the oldest messages that wait for a subscription until it may hold one more of `topic`. If that does not
    /// suffice, the new one is dropped: answers whether it may come.
    #[cold]
    pub(crate) fn make_room(&mut self, index: u32, topic: u32, bytes: usize) -> bool {
        let limit = self.settings.subscription_memory_limit_bytes;
        loop {
            let most = self.live_memory_max();
            let share = if self.live_memory < most { limit } else { limit.min(most / self.subscriptions.len()) };
            if self.subscriptions[index].has_room(bytes, share) {
                return true;
            }
            if self.subscriptions[index].pending.is_empty() {
                self.topics[topic].counters.discarded += 1;
                return false;
            }
            self.drop_oldest(index);
        }
    }

    /// Drops the oldest message that waits for a subscription.
    #[cold]
    pub(crate) fn drop_oldest(&mut self, index: u32) {
        let Some(pending) = self.subscriptions[index].pending.pop_front() else { return };
        self.topics[pending.topic].counters.discarded += 1;
        self.subscriptions[index].discarded += 1;
        self.note_live(Kind::MessageDiscarded, pending.topic, &pending.item, Some(index));
        self.release_live(index, pending.topic, pending.item.size as usize);
    }
}

impl Subscription {
    /// Whether it may hold so many more bytes of topic messages.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize, limit: usize) -> bool {
        self.held_bytes == 0 || self.held_bytes + bytes <= limit
    }
}
