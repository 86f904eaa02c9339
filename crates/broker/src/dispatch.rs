//! Gives the messages of a queue to its consumers, as far as their credit goes.

use crate::advisory::Kind;
use crate::broker::{Broker, Step};
use crate::choose::{Choice, Found};
use crate::queue::{BANDS, EntryState, Item};
use crate::subscription::Source;
use ferrymq_model::request::Settles;

impl Broker {
    /// Takes a message into a queue: straight to a consumer where one waits for it, or into its band.
    pub(crate) fn enqueue(&mut self, index: u32, mut item: Item, step: &mut Step<'_>) {
        let flushed = self.flushed;
        let queue = &mut self.queues[index];
        if item.sequence == 0 {
            item.sequence = queue.take_sequence();
        }
        queue.counters.enqueued += 1;
        self.enqueued += 1;
        if self.is_arrival_watched() {
            self.note_arrival(index, &item);
        }
        let queue = &mut self.queues[index];
        if item.stored.is_some() {
            queue.stored += 1;
        } else if queue.durable().is_some() && queue.memory >= self.settings.destination_memory_limit_bytes {
            // A backlog that nobody reads must not stop the topic's producers for messages that may be lost.
            queue.counters.discarded += 1;
            return;
        }
        queue.memory += item.resident();
        self.memory += item.resident();
        let group =
            item.message.as_ref().is_some_and(|m| m.header.annotations.as_ref().is_some_and(|a| a.group.is_some()));
        queue.grouped |= group;
        if queue.eager == 0 {
            item.detach();
            self.keep(index, item);
            return;
        }
        let free = !self.closing && !item.is_held(flushed) && !item.is_expired(step.now.wall) && item.message.is_some();
        let choice =
            if free { queue.choose_at_once(&item, &self.subscriptions, &mut self.chosen) } else { Choice::Later };
        match choice {
            Choice::Consumer(place) => {
                let subscription = queue.pass_turn(place);
                let version = queue.version;
                let first_of_group = group && self.own_group(index, subscription, &item);
                if self.subscriptions[subscription].settles != Settles::WhenWritten {
                    item.detach();
                }
                self.hand_over(index, subscription, item, first_of_group, step);
                if self.queues[index].version != version {
                    // Its group has another owner now, or none.
                    self.dispatch(index, step);
                }
            }
            Choice::Nobody => {
                item.detach();
                let (band, sequence) = (usize::from(item.band), item.sequence);
                self.keep(index, item);
                self.queues[index].passed_by_all(band, sequence, &self.subscriptions);
            }
            Choice::Later => {
                item.detach();
                self.keep(index, item);
                self.dispatch(index, step);
            }
        }
    }

    /// Puts an item into its band, counted already.
    #[inline]
    pub(crate) fn keep(&mut self, index: u32, item: Item) {
        if let Some(at) = item.expiration {
            self.expirations.insert((at.0, index, item.sequence));
        }
        if item.is_held(self.flushed) {
            self.held_queues.push_back((item.lsn, index));
        }
        self.plan_page_out(index, &item);
        self.queues[index].insert(item);
    }

    /// Takes an item out of its band.
    #[inline]
    pub(crate) fn take(&mut self, index: u32, band: usize, position: usize) -> Item {
        let queue = &mut self.queues[index];
        let item = queue.take(band, position);
        if queue.ready == 0 && queue.groups.is_empty() {
            queue.grouped = false;
        }
        if let Some(at) = item.expiration {
            self.expirations.remove(&(at.0, index, item.sequence));
        }
        item
    }

    /// Gives a queue's messages to its consumers as far as their credit goes.
    pub(crate) fn dispatch(&mut self, index: u32, step: &mut Step<'_>) {
        let mut budget = self.settings.examined_per_dispatch_max;
        loop {
            let queue = &self.queues[index];
            if queue.ready == 0 || queue.eager == 0 || self.closing {
                return;
            }
            let went_on = if queue.is_choosy() {
                self.dispatch_choosy(index, &mut budget, step)
            } else {
                self.dispatch_plain(index, step)
            };
            if !went_on {
                return;
            }
        }
    }

    #[inline]
    fn dispatch_plain(&mut self, index: u32, step: &mut Step<'_>) -> bool {
        let Some(place) = self.queues[index].choose(&self.subscriptions) else { return false };
        match self.head(index, step) {
            Found::At(band, position) => {
                let item = self.take(index, band, position);
                let subscription = self.queues[index].pass_turn(place);
                self.hand_over(index, subscription, item, false, step);
                true
            }
            Found::Expired(band, position) => {
                self.expire_at(index, band, position, step);
                true
            }
            Found::Coming | Found::Nothing | Found::Unfinished => false,
        }
    }

    /// The first message. A band begins with one that is there.
    #[inline]
    fn head(&mut self, index: u32, step: &mut Step<'_>) -> Found {
        let flushed = self.flushed;
        let queue = &self.queues[index];
        for band in (0..BANDS).rev() {
            let Some(entry) = queue.bands[band].front() else { continue };
            if entry.item.is_held(flushed) {
                continue;
            }
            if entry.state == EntryState::Fetching || entry.item.message.is_none() {
                self.fetch_from(index, band, 0, step);
                return Found::Coming;
            }
            if entry.item.is_expired(step.now.wall) {
                return Found::Expired(band, 0);
            }
            return Found::At(band, 0);
        }
        Found::Nothing
    }

    /// Delivers an item of a queue, which is in no band.
    #[inline]
    pub(crate) fn hand_over(
        &mut self,
        index: u32,
        subscription: u32,
        item: Item,
        first_of_group: bool,
        step: &mut Step<'_>,
    ) {
        let queue = &mut self.queues[index];
        queue.in_flight += 1;
        if item.stored.is_some() && item.sequence > queue.delivered {
            if queue.delivered <= queue.delivered_recorded {
                self.unmarked.push(index);
            }
            queue.delivered = item.sequence;
        }
        self.note_item(Kind::MessageDispatched, index, &item, Some(subscription));
        let receiver = &mut self.subscriptions[subscription];
        receiver.deliver(Source::Queue(index), item, false, first_of_group, step.out);
        if receiver.window >= receiver.prefetch {
            self.refresh_credit(subscription);
        }
    }

    /// Tells a subscription's queues whether it has credit, where that changed.
    #[inline]
    pub(crate) fn refresh_credit(&mut self, index: u32) {
        let subscription = &mut self.subscriptions[index];
        let eager = subscription.has_credit() && subscription.browse.is_none();
        if eager == subscription.eager {
            return;
        }
        subscription.eager = eager;
        for &queue in &subscription.queues {
            let queue = &mut self.queues[queue];
            if eager {
                queue.eager += 1;
            } else {
                queue.eager -= 1;
            }
        }
    }
}
