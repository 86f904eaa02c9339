//! Gives the messages of a queue to its consumers: credit, turns, priorities, exclusiveness, selectors and groups.

use crate::advisory::Kind;
use crate::broker::{Broker, Step};
use crate::queue::{BANDS, EntryState, Item, Queue};
use crate::slab::Slab;
use crate::subscription::{Source, Subscription};
use ferrymq_model::request::Settles;
use std::sync::Arc;

/// What a look into a queue found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// A message at this band and position.
    At(usize, usize),
    /// A worthless message at this band and position.
    Expired(usize, usize),
    /// The next message is paged out and comes soon.
    Coming,
    /// Nothing for now.
    Nothing,
    /// Nothing among as many as may be examined at once.
    Unfinished,
}

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
        if queue.eager > 0 && queue.ready == 0 && !queue.is_choosy() {
            let free = !item.is_held(flushed) && !item.is_expired(step.now.wall);
            if free && let Some(subscription) = queue.choose(&self.subscriptions) {
                if self.subscriptions[subscription].settles != Settles::WhenWritten
                    && let Some(message) = &item.message
                {
                    item.message = Some(Arc::new(message.detached()));
                }
                self.hand_over(index, subscription, item, step);
                return;
            }
        }
        if let Some(message) = &item.message {
            item.message = Some(Arc::new(message.detached()));
        }
        self.keep(index, item);
        if self.queues[index].eager > 0 {
            self.dispatch(index, step);
        }
    }

    /// Puts an item into its band, counted already.
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
            if queue.ready == 0 || queue.eager == 0 {
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

    fn dispatch_plain(&mut self, index: u32, step: &mut Step<'_>) -> bool {
        let Some(subscription) = self.queues[index].choose(&self.subscriptions) else { return false };
        match self.head(index, step) {
            Found::At(band, position) => {
                let item = self.take(index, band, position);
                self.hand_over(index, subscription, item, step);
                true
            }
            Found::Expired(band, position) => {
                self.expire_at(index, band, position, step);
                true
            }
            Found::Coming | Found::Nothing | Found::Unfinished => false,
        }
    }

    fn head(&mut self, index: u32, step: &mut Step<'_>) -> Found {
        let flushed = self.flushed;
        for band in (0..BANDS).rev() {
            let entries = &self.queues[index].bands[band];
            let Some(position) = entries.iter().position(crate::queue::Entry::is_live) else { continue };
            let entry = &entries[position];
            if entry.item.is_held(flushed) {
                continue;
            }
            if entry.state == EntryState::Fetching || entry.item.message.is_none() {
                self.fetch_from(index, band, position, step);
                return Found::Coming;
            }
            if entry.item.is_expired(step.now.wall) {
                return Found::Expired(band, position);
            }
            return Found::At(band, position);
        }
        Found::Nothing
    }

    fn dispatch_choosy(&mut self, index: u32, budget: &mut usize, step: &mut Step<'_>) -> bool {
        let consumers = self.queues[index].consumers.len();
        let turn = self.queues[index].turn;
        // Higher priorities first; among equals, from whose turn it is on.
        let mut order: Vec<usize> = (0..consumers).map(|offset| (turn + offset) % consumers).collect();
        order.sort_by_key(|&place| -i32::from(self.queues[index].consumers[place].priority));
        for place in order {
            let queue = &self.queues[index];
            let consumer = &queue.consumers[place];
            let subscription = consumer.subscription;
            let barred = queue.exclusive.is_some_and(|only| only != subscription);
            if barred || consumer.idle_at == queue.version || !self.subscriptions[subscription].has_credit() {
                continue;
            }
            match self.next_for(index, place, budget, step) {
                Found::At(band, position) => {
                    let item = self.take(index, band, position);
                    self.own_group(index, subscription, &item);
                    self.queues[index].turn = (place + 1) % consumers;
                    self.hand_over(index, subscription, item, step);
                    return true;
                }
                Found::Expired(band, position) => {
                    self.expire_at(index, band, position, step);
                    return true;
                }
                Found::Coming => {}
                Found::Nothing => {
                    let queue = &mut self.queues[index];
                    queue.consumers[place].idle_at = queue.version;
                }
                Found::Unfinished => {
                    if !std::mem::replace(&mut self.queues[index].unfinished, true) {
                        self.unfinished.push(index);
                    }
                    return false;
                }
            }
        }
        false
    }

    /// The next message for one consumer, remembering which are not for it.
    fn next_for(&mut self, index: u32, place: usize, budget: &mut usize, step: &mut Step<'_>) -> Found {
        let flushed = self.flushed;
        let page = self.is_paging(index);
        let mut coming = None;
        let mut blocked = false;
        'bands: for band in (0..BANDS).rev() {
            let queue = &mut self.queues[index];
            let consumer = &mut queue.consumers[place];
            let subscription = consumer.subscription;
            let selector = self.subscriptions[subscription].selector.as_ref();
            let entries = &mut queue.bands[band];
            let start = entries.partition_point(|e| e.item.sequence <= consumer.examined[band]);
            for (position, entry) in entries.iter_mut().enumerate().skip(start) {
                if !entry.is_live() {
                    continue;
                }
                let item = &mut entry.item;
                if item.is_held(flushed) {
                    blocked = true;
                    continue 'bands;
                }
                let Some(message) = item.message.as_ref().filter(|_| entry.state == EntryState::Ready) else {
                    coming = Some((band, position));
                    break 'bands;
                };
                if item.is_expired(step.now.wall) {
                    return Found::Expired(band, position);
                }
                if *budget == 0 {
                    return Found::Unfinished;
                }
                *budget -= 1;
                let wanted = selector.is_none_or(|selector| selector.matches(message, item.redeliveries));
                let group = message.annotations().and_then(|a| a.group.as_ref());
                let owned = group.and_then(|group| queue.groups.get(&group.id));
                if wanted && owned.is_none_or(|&owner| owner == subscription) {
                    return Found::At(band, position);
                }
                consumer.examined[band] = item.sequence;
                if page && item.stored.is_some() && item.lsn <= flushed {
                    queue.memory -= item.resident();
                    self.memory -= item.resident();
                    item.message = None;
                }
            }
        }
        if let Some((band, position)) = coming {
            self.fetch_from(index, band, position, step);
            return Found::Coming;
        }
        if blocked { Found::Coming } else { Found::Nothing }
    }

    /// Delivers an item of a queue, which is in no band.
    #[inline]
    pub(crate) fn hand_over(&mut self, index: u32, subscription: u32, item: Item, step: &mut Step<'_>) {
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
        receiver.deliver(Source::Queue(index), item, false, false, step.out);
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

impl Queue {
    /// The consumer whose turn it is, and passes the turn on.
    #[inline]
    pub(crate) fn choose(&mut self, subscriptions: &Slab<Subscription>) -> Option<u32> {
        let consumers = &self.consumers;
        if let Some(only) = self.exclusive {
            return subscriptions[only].has_credit().then_some(only);
        }
        let mut best: Option<usize> = None;
        for offset in 0..consumers.len() {
            let place = if self.turn + offset < consumers.len() {
                self.turn + offset
            } else {
                self.turn + offset - consumers.len()
            };
            let consumer = &consumers[place];
            if best.is_some_and(|best| consumers[best].priority >= consumer.priority) {
                continue;
            }
            if subscriptions[consumer.subscription].has_credit() {
                best = Some(place);
                if self.uniform {
                    break;
                }
            }
        }
        let place = best?;
        self.turn = if place + 1 < consumers.len() { place + 1 } else { 0 };
        Some(consumers[place].subscription)
    }
}
