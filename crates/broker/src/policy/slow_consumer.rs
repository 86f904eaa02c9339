//! A topic subscriber that does not keep up loses its oldest waiting messages, so that nobody else waits for it.

use crate::broker::{Broker, Step};

impl Broker {
    /// Drops the oldest message that waits for a subscription.
    pub(crate) fn drop_oldest(&mut self, index: u32, step: &mut Step<'_>) {
        let Some(pending) = self.subscriptions[index].pending.pop_front() else { return };
        self.topics[pending.topic].counters.discarded += 1;
        self.release_topic_memory(pending.topic, pending.item.size as usize, step);
    }
}
