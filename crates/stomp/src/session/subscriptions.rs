//! The connection's subscriptions and what is delivered to them and not settled.

use ferrymq_model::{
    Deliveries, DeliveryId, Destination, MessageId, Request, Settlement, SubscriptionId, TransactionId,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// STOMP's three acknowledgement modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AckMode {
    /// Settled when written.
    Auto,
    /// An ACK settles everything up to it.
    Client,
    /// An ACK settles one.
    ClientIndividual,
}

/// A delivery that waits for ACK or NACK.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) delivery: DeliveryId,
    pub(super) message: MessageId,
    /// The open transaction that acknowledged it.
    pub(super) held_by: Option<TransactionId>,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: SubscriptionId,
    /// The header `id`, raw; `None` in STOMP 1.0.
    pub(super) name: Option<Box<[u8]>>,
    /// The header `destination`, raw.
    pub(super) header: Box<[u8]>,
    pub(super) ack_mode: AckMode,
    pub(super) durable: Option<Arc<str>>,
    /// In the client modes: in order of delivery. As long as the prefetch allows, longer by what transactions hold.
    pub(super) unsettled: VecDeque<Unsettled>,
    /// From message id to delivery; made by the first ACK that names a message id.
    by_message: Option<HashMap<MessageId, DeliveryId>>,
    /// How many of `unsettled` transactions hold.
    held: usize,
    /// Up to here transactions hold everything, in client mode.
    held_through: Option<DeliveryId>,
    /// In auto mode: the last delivery of `Subscriptions::unwritten` that was found written in a call.
    written_through: Option<DeliveryId>,
    /// Of the last destination: the first lines of a MESSAGE frame.
    pub(super) prefix: Vec<u8>,
    pub(super) prefix_of: Option<Arc<Destination>>,
}

impl Subscription {
    pub(super) fn new(
        id: SubscriptionId,
        name: Option<&[u8]>,
        header: &[u8],
        ack_mode: AckMode,
        durable: Option<Arc<str>>,
    ) -> Self {
        Self {
            id,
            name: name.map(Box::from),
            header: Box::from(header),
            ack_mode,
            durable,
            unsettled: VecDeque::new(),
            by_message: None,
            held: 0,
            held_through: None,
            written_through: None,
            prefix: Vec::new(),
            prefix_of: None,
        }
    }

    pub(super) fn note_unsettled(&mut self, delivery: DeliveryId, message: &MessageId) {
        if let Some(index) = &mut self.by_message {
            index.insert(message.clone(), delivery);
        }
        self.unsettled.push_back(Unsettled { delivery, message: message.clone(), held_by: None });
    }

    /// Where a delivery stands in `unsettled`.
    pub(super) fn position(&self, delivery: DeliveryId) -> Option<usize> {
        self.unsettled.binary_search_by_key(&delivery, |unsettled| unsettled.delivery).ok()
    }

    /// The delivery of a message.
    pub(super) fn delivery_of(&mut self, message: &MessageId) -> Option<DeliveryId> {
        let index = self.by_message.get_or_insert_with(|| {
            self.unsettled.iter().map(|unsettled| (unsettled.message.clone(), unsettled.delivery)).collect()
        });
        index.get(message).copied()
    }

    /// A delivery is acknowledged, in client mode with everything before it that no transaction holds: they are
    /// forgotten. What to settle.
    pub(super) fn settle(&mut self, delivery: DeliveryId) -> Deliveries {
        if self.ack_mode != AckMode::Client {
            if let Some(at) = self.position(delivery) {
                self.forget(at..at + 1);
            }
            return Deliveries::One(delivery);
        }
        if self.held == 0 {
            let through = self.unsettled.partition_point(|unsettled| unsettled.delivery <= delivery);
            self.forget(0..through);
        } else {
            self.forget_where(|unsettled| unsettled.delivery <= delivery && unsettled.held_by.is_none());
        }
        Deliveries::Through(delivery)
    }

    /// The same in a transaction, which holds them until it ends. What to settle.
    pub(super) fn hold(&mut self, delivery: DeliveryId, transaction: TransactionId) -> Deliveries {
        let Some(at) = self.position(delivery) else {
            return Deliveries::One(delivery);
        };
        let from = if self.ack_mode == AckMode::Client { self.free_from(at) } else { at };
        let first = self.unsettled[from].delivery;
        for unsettled in self.unsettled.range_mut(from..=at).filter(|unsettled| unsettled.held_by.is_none()) {
            unsettled.held_by = Some(transaction);
            self.held += 1;
        }
        if self.ack_mode != AckMode::Client {
            return Deliveries::One(delivery);
        }
        self.held_through = Some(delivery);
        Deliveries::Range(first, delivery)
    }

    /// The first delivery up to `at` that no transaction holds. What the last cumulative acknowledgement held is not
    /// looked at again, so that a transaction of many acknowledgements costs no more than their number.
    fn free_from(&self, at: usize) -> usize {
        let from = self
            .held_through
            .map_or(0, |through| self.unsettled.partition_point(|unsettled| unsettled.delivery <= through));
        self.unsettled
            .range(from.min(at)..=at)
            .position(|it| it.held_by.is_none())
            .map_or(at, |found| from.min(at) + found)
    }

    fn forget(&mut self, range: std::ops::Range<usize>) {
        for unsettled in self.unsettled.drain(range) {
            if let Some(index) = &mut self.by_message {
                index.remove(&unsettled.message);
            }
        }
    }

    fn forget_where(&mut self, is_gone: impl Fn(&Unsettled) -> bool) {
        let (index, held) = (&mut self.by_message, &mut self.held);
        self.unsettled.retain(|unsettled| {
            let gone = is_gone(unsettled);
            if gone {
                *held -= usize::from(unsettled.held_by.is_some());
                if let Some(index) = index {
                    index.remove(&unsettled.message);
                }
            }
            !gone
        });
    }

    fn release(&mut self, transaction: TransactionId) {
        if self.held == 0 {
            return;
        }
        for unsettled in self.unsettled.iter_mut().filter(|it| it.held_by == Some(transaction)) {
            unsettled.held_by = None;
            self.held -= 1;
        }
        self.held_through = None;
    }
}

/// A delivery in auto mode whose bytes are in the outbox.
#[derive(Debug)]
struct Unwritten {
    /// The outbox's total behind its last byte.
    total: u64,
    subscription: SubscriptionId,
    delivery: DeliveryId,
}

/// All of them. Ids grow, so that the list is sorted.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    list: Vec<Subscription>,
    by_name: HashMap<Box<[u8]>, SubscriptionId>,
    next: u32,
    unwritten: VecDeque<Unwritten>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn next_id(&mut self) -> SubscriptionId {
        let id = SubscriptionId(self.next);
        self.next += 1;
        id
    }

    pub(super) fn add(&mut self, subscription: Subscription) {
        if let Some(name) = &subscription.name {
            self.by_name.insert(name.clone(), subscription.id);
        }
        self.list.push(subscription);
    }

    #[inline]
    pub(super) fn get(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let at = self.list.binary_search_by_key(&id, |subscription| subscription.id).ok()?;
        Some(&mut self.list[at])
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<SubscriptionId> {
        self.by_name.get(name).copied()
    }

    /// The subscription without id to this destination header first, then any to it.
    pub(super) fn find_by_destination(&self, header: &[u8]) -> Option<SubscriptionId> {
        let mut matching = self.list.iter().filter(|subscription| *subscription.header == *header);
        let first = matching.clone().next();
        matching.find(|subscription| subscription.name.is_none()).or(first).map(|subscription| subscription.id)
    }

    pub(super) fn find_durable(&self, name: &str) -> Option<SubscriptionId> {
        self.list
            .iter()
            .find(|subscription| subscription.durable.as_deref() == Some(name))
            .map(|subscription| subscription.id)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Subscription> {
        self.list.iter_mut()
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) {
        let Ok(at) = self.list.binary_search_by_key(&id, |subscription| subscription.id) else {
            return;
        };
        let subscription = self.list.remove(at);
        if let Some(name) = &subscription.name {
            self.by_name.remove(name);
        }
    }

    /// A delivery in auto mode was encoded.
    #[inline]
    pub(super) fn note_unwritten(&mut self, total: u64, subscription: SubscriptionId, delivery: DeliveryId) {
        self.unwritten.push_back(Unwritten { total, subscription, delivery });
    }

    /// Settles what was written, one request a subscription.
    pub(super) fn settle_written(&mut self, total: u64, requests: &mut Vec<Request>) {
        let mut last: Option<(SubscriptionId, DeliveryId)> = None;
        let mut others: Vec<SubscriptionId> = Vec::new();
        while let Some(front) = self.unwritten.front()
            && front.total <= total
        {
            let (subscription, delivery) = (front.subscription, front.delivery);
            self.unwritten.pop_front();
            match &mut last {
                Some((same, through)) if *same == subscription => *through = delivery,
                _ => {
                    if let Some((other, through)) = last.replace((subscription, delivery)) {
                        self.note_written_through(other, through, &mut others);
                    }
                }
            }
        }
        let Some((subscription, through)) = last else {
            return;
        };
        if others.is_empty() {
            if self.get(subscription).is_some() {
                requests.push(consumed_through(subscription, through));
            }
            return;
        }
        self.note_written_through(subscription, through, &mut others);
        for id in others {
            if let Some(through) = self.get(id).and_then(|subscription| subscription.written_through.take()) {
                requests.push(consumed_through(id, through));
            }
        }
    }

    fn note_written_through(&mut self, id: SubscriptionId, through: DeliveryId, others: &mut Vec<SubscriptionId>) {
        if let Some(subscription) = self.get(id)
            && subscription.written_through.replace(through).is_none()
        {
            others.push(id);
        }
    }

    /// Settles what was encoded for a subscription in auto mode, written or not.
    pub(super) fn settle_encoded(&mut self, id: SubscriptionId, requests: &mut Vec<Request>) {
        let last = self.unwritten.iter().rev().find(|unwritten| unwritten.subscription == id);
        if let Some(unwritten) = last {
            requests.push(consumed_through(id, unwritten.delivery));
            self.unwritten.retain(|unwritten| unwritten.subscription != id);
        }
    }

    /// A transaction was committed: what it acknowledged is gone.
    pub(super) fn forget_held(&mut self, transaction: TransactionId) {
        for subscription in self.list.iter_mut().filter(|subscription| subscription.held > 0) {
            subscription.forget_where(|unsettled| unsettled.held_by == Some(transaction));
        }
    }

    /// A transaction was rolled back: what it acknowledged may be acknowledged again.
    pub(super) fn release_held(&mut self, transaction: TransactionId) {
        for subscription in &mut self.list {
            subscription.release(transaction);
        }
    }
}

fn consumed_through(subscription: SubscriptionId, delivery: DeliveryId) -> Request {
    Request::settle(subscription, Deliveries::Through(delivery), Settlement::Consumed)
}
