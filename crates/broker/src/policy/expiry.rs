//! Messages that became worthless: found when they would be delivered, and by every tick.

use crate::advisory::Kind;
use crate::broker::{Broker, Step};
use crate::queue::Item;
use ferrymq_model::DeliveryMode;

impl Broker {
    /// Removes a worthless message from its band.
    pub(crate) fn expire_at(&mut self, index: u32, band: usize, position: usize, step: &mut Step<'_>) {
        let item = self.take(index, band, position);
        self.expired(index, &item, step);
    }

    /// A message that is in no band any more expired: a persistent one goes to the dead-letter queue.
    pub(crate) fn expired(&mut self, index: u32, item: &Item, step: &mut Step<'_>) {
        self.queues[index].counters.expired += 1;
        self.note_item(Kind::Expired, index, item, None);
        if let Some(message) = &item.message
            && message.header.mode == DeliveryMode::Persistent
        {
            self.bury_from(index, item, "the message expired");
        }
        self.leave(index, item, step);
    }

    /// Removes messages that expired by now, at most as many as a tick may.
    pub(crate) fn expire_due(&mut self, step: &mut Step<'_>) {
        for _ in 0..self.settings.expirations_per_tick_max {
            let Some(&(at, index, sequence)) = self.expirations.first() else { return };
            if at > step.now.wall.0 {
                return;
            }
            self.expirations.pop_first();
            let Some((band, position)) = self.queues[index].find(sequence) else { continue };
            let item = &self.queues[index].bands[band][position].item;
            if item.is_held(self.flushed) {
                self.expirations.insert((at, index, sequence));
                return;
            }
            if item.message.is_some() {
                self.expire_at(index, band, position, step);
            } else if !self.fetch_one(index, sequence, step) {
                self.expirations.insert((at, index, sequence));
                return;
            }
        }
    }
}
