//! The client's consumers, and what each has not settled.
//!
//! Acknowledgements name messages, the broker wants deliveries. For queues and durable subscriptions the session keeps
//! the ids of what is unsettled, in order. What comes from topics alone is acknowledged by count: the first so many.

use super::aside::{self, Aside, Manner, Quiet};
use crate::codec::destination::Destination as WireDestination;
use crate::codec::ids::{ConsumerId, MessageId as WireMessageId, ProducerId as WireProducerId};
use ferrymq_model::{
    Deliveries, DeliveryId, MessageId, MonoTime, Request, Seen, Settlement, SubscriptionId, TransactionId,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Session and number: with the connection's id it is the consumer's id.
pub(super) type Key = (i64, i64);

/// A delivery that was not settled.
#[derive(Debug)]
struct Unsettled {
    delivery: DeliveryId,
    producer: Arc<str>,
    sequence: u64,
    /// The open transaction in which it was acknowledged.
    held_by: Option<TransactionId>,
}

/// What a consumer has not settled.
#[derive(Debug)]
pub(super) enum Ledger {
    /// Acknowledged by name.
    Listed(List),
    /// Acknowledged by count.
    Counted(Count),
}

/// By name.
#[derive(Debug, Default)]
pub(super) struct List {
    unsettled: VecDeque<Unsettled>,
    /// How many of them a transaction holds.
    held: usize,
    /// A producer's text and id that were compared before: mostly the next message is of the same.
    compared: Option<(Arc<str>, WireProducerId)>,
    /// What the client will not acknowledge as it does others. Seldom anything.
    aside: Option<Box<Aside>>,
}

/// By count.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Settled up to here.
    settled: u64,
    /// Said to be with the application up to here.
    opened: u64,
    /// Delivered up to here.
    delivered: u64,
    /// What open transactions hold; it comes before `settled` ends.
    held: Vec<(TransactionId, u64)>,
}

/// A pull that was not answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pull {
    /// The consumer's so many-th.
    pub(super) number: u64,
    /// When it ends; `None`: never, or at once.
    until: Option<MonoTime>,
}

#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) id: SubscriptionId,
    pub(super) key: Key,
    pub(super) wire: ConsumerId,
    pub(super) destination: WireDestination,
    /// The name of the durable subscription.
    pub(super) durable: Option<Arc<str>>,
    pub(super) ledger: Ledger,
    /// Nothing but what is pulled.
    pub(super) is_pulling: bool,
    pub(super) pull: Option<Pull>,
    pulls: u64,
    /// Something was delivered to it.
    pub(super) has_delivered: bool,
    /// As far as its acknowledgements tell.
    pub(super) manner: Manner,
    /// The broker ended it; the client was told and has not answered.
    pub(super) is_ended: bool,
    /// While what was written is settled: up to here.
    written_through: Option<DeliveryId>,
}

impl Consumer {
    pub(super) fn new(
        id: SubscriptionId,
        wire: ConsumerId,
        destination: WireDestination,
        durable: Option<Arc<str>>,
        is_counted: bool,
        is_pulling: bool,
    ) -> Self {
        Self {
            id,
            key: (wire.session_id, wire.value),
            wire,
            destination,
            durable,
            ledger: if is_counted { Ledger::Counted(Count::default()) } else { Ledger::Listed(List::default()) },
            is_pulling,
            pull: None,
            pulls: 0,
            has_delivered: false,
            manner: Manner::Unknown,
            is_ended: false,
            written_through: None,
        }
    }

    /// A message is on its way.
    #[inline]
    pub(super) fn note_delivery(&mut self, delivery: DeliveryId, message: &MessageId) {
        self.has_delivered = true;
        match &mut self.ledger {
            Ledger::Listed(list) => list.unsettled.push_back(Unsettled {
                delivery,
                producer: Arc::clone(&message.producer),
                sequence: message.sequence,
                held_by: None,
            }),
            Ledger::Counted(count) => count.delivered = delivery.0,
        }
    }
}

/// Bits of a `brokerSequenceId` that tell the consumer.
const CONSUMER_BITS: u32 = 16;

impl Consumer {
    /// The `brokerSequenceId` of a delivery. At the end of a session a client says the highest that it saw, over all
    /// consumers: whose it is must be told from it.
    #[inline]
    pub(super) fn broker_sequence(&self, delivery: DeliveryId) -> u64 {
        (delivery.0 << CONSUMER_BITS) | self.low_bits()
    }

    fn low_bits(&self) -> u64 {
        u64::from(self.id.0) & ((1 << CONSUMER_BITS) - 1)
    }

    /// Which of its unsettled deliveries the client saw, by what it says at the end. −1: none; anything else below 0: it
    /// does not know; another consumer's: none, as in ActiveMQ.
    pub(super) fn seen(&self, last_delivered_sequence_id: i64) -> Seen {
        match u64::try_from(last_delivered_sequence_id) {
            Ok(last) if last & ((1 << CONSUMER_BITS) - 1) == self.low_bits() => {
                Seen::Through(DeliveryId(last >> CONSUMER_BITS))
            }
            Ok(_) => Seen::None,
            Err(_) if last_delivered_sequence_id == -1 => Seen::None,
            Err(_) => Seen::Unknown,
        }
    }
}

impl List {
    /// Where a message is, looked for first where it probably is, then where its `brokerSequenceId`, which clients give
    /// back, says. Only what has neither is searched for, among no more than the consumer's unsettled deliveries.
    pub(super) fn position(&mut self, id: &WireMessageId, probably: usize) -> Option<usize> {
        let Self { unsettled, compared, .. } = self;
        let producer = id.producer_id.as_ref()?;
        let mut is_it = |unsettled: &Unsettled| {
            id.producer_sequence_id.cast_unsigned() == unsettled.sequence
                && is_same_producer(&unsettled.producer, producer, compared)
        };
        if unsettled.get(probably).is_some_and(&mut is_it) {
            return Some(probably);
        }
        let delivery = id.broker_sequence_id.cast_unsigned() >> CONSUMER_BITS;
        if let Ok(at) = unsettled.binary_search_by_key(&delivery, |unsettled| unsettled.delivery.0)
            && is_it(&unsettled[at])
        {
            return Some(at);
        }
        unsettled.iter().position(is_it)
    }

    /// Where the last is that was delivered no later than a message; `None`: nothing of it is unsettled, or the message says
    /// nothing of its place.
    pub(super) fn end(&mut self, id: &WireMessageId, probably: usize) -> Option<usize> {
        if let Some(at) = self.position(id, probably) {
            return Some(at);
        }
        let delivery = u64::try_from(id.broker_sequence_id).ok()? >> CONSUMER_BITS;
        self.unsettled.partition_point(|unsettled| unsettled.delivery.0 <= delivery).checked_sub(1)
    }

    pub(super) fn delivery(&self, at: usize) -> DeliveryId {
        self.unsettled[at].delivery
    }

    pub(super) fn is_held(&self, at: usize) -> bool {
        self.unsettled[at].held_by.is_some()
    }

    pub(super) fn aside(&self) -> Option<&Aside> {
        self.aside.as_deref()
    }

    pub(super) fn aside_mut(&mut self) -> &mut Aside {
        self.aside.get_or_insert_default()
    }

    /// Takes one out that no transaction holds.
    pub(super) fn remove(&mut self, delivery: DeliveryId) {
        if let Ok(at) = self.unsettled.binary_search_by_key(&delivery, |unsettled| unsettled.delivery) {
            self.unsettled.remove(at);
        }
    }

    /// Takes `first..=last` out. What to settle; `None`: a transaction holds them all.
    pub(super) fn settle(&mut self, first: usize, last: usize) -> Option<Deliveries> {
        let deliveries = self.deliveries(first, last)?;
        self.forget_aside(first, last);
        if self.held == 0 && last == 0 {
            self.unsettled.pop_front();
        } else if self.held == 0 {
            self.unsettled.drain(first..=last);
        } else {
            let mut kept: VecDeque<Unsettled> = self.unsettled.split_off(first);
            let rest = kept.split_off(last - first + 1);
            kept.retain(|unsettled| unsettled.held_by.is_some());
            self.unsettled.append(&mut kept);
            self.unsettled.extend(rest);
        }
        Some(deliveries)
    }

    /// Gives `first..=last` to a transaction until it ends. What to settle in it; `None`: one holds them all.
    pub(super) fn hold(&mut self, first: usize, last: usize, transaction: TransactionId) -> Option<Deliveries> {
        let deliveries = self.deliveries(first, last)?;
        self.forget_aside(first, last);
        for unsettled in self.unsettled.range_mut(first..=last).filter(|unsettled| unsettled.held_by.is_none()) {
            unsettled.held_by = Some(transaction);
            self.held += 1;
        }
        Some(deliveries)
    }

    #[inline]
    fn forget_aside(&mut self, first: usize, last: usize) {
        if let Some(aside) = &mut self.aside {
            aside.forget(self.unsettled[first].delivery, self.unsettled[last].delivery);
        }
    }

    /// Those of `first..=last` that no transaction holds, at least from the first to the last of them.
    pub(super) fn deliveries(&self, first: usize, last: usize) -> Option<Deliveries> {
        let (from, to) = if self.held == 0 {
            (self.unsettled.get(first)?.delivery, self.unsettled.get(last)?.delivery)
        } else {
            let mut free = self.unsettled.range(first..=last).filter(|unsettled| unsettled.held_by.is_none());
            let from = free.next()?.delivery;
            (from, free.next_back().map_or(from, |unsettled| unsettled.delivery))
        };
        Some(if from == to { Deliveries::One(from) } else { Deliveries::Range(from, to) })
    }

    /// How many of `first..=last` no transaction holds.
    pub(super) fn free(&self, first: usize, last: usize) -> usize {
        if self.held == 0 {
            return last + 1 - first;
        }
        self.unsettled.range(first..=last).filter(|unsettled| unsettled.held_by.is_none()).count()
    }

    /// Forgets what was committed. What was passed over and goes back, in order.
    fn forget_held(&mut self, transaction: TransactionId) -> Vec<DeliveryId> {
        let mut passed_over = Vec::new();
        if self.held > 0 {
            if let Some(aside) = self.aside.as_mut().filter(|aside| !aside.is_empty())
                && let Some(last) = self.unsettled.iter().rfind(|unsettled| unsettled.held_by == Some(transaction))
            {
                passed_over = aside.passed_over(last.delivery);
            }
            for delivery in &passed_over {
                self.remove(*delivery);
            }
            let before = self.unsettled.len();
            self.unsettled.retain(|unsettled| unsettled.held_by != Some(transaction));
            self.held -= before - self.unsettled.len();
        }
        passed_over
    }

    fn release_held(&mut self, transaction: TransactionId) {
        if self.held > 0 {
            for unsettled in self.unsettled.iter_mut().filter(|unsettled| unsettled.held_by == Some(transaction)) {
                unsettled.held_by = None;
                self.held -= 1;
            }
        }
    }
}

impl Count {
    /// Takes the first `count` out. What to settle; `None`: nothing is there.
    pub(super) fn settle(&mut self, count: u64, transaction: Option<TransactionId>) -> Option<Deliveries> {
        let from = self.settled + 1;
        let to = self.settled.saturating_add(count).min(self.delivered);
        if to < from {
            return None;
        }
        self.settled = to;
        self.opened = self.opened.max(to);
        if let Some(transaction) = transaction {
            match self.held.last_mut() {
                Some((last, held)) if *last == transaction => *held += to - from + 1,
                Some(_) | None => self.held.push((transaction, to - from + 1)),
            }
            return Some(Deliveries::Range(DeliveryId(from), DeliveryId(to)));
        }
        Some(Deliveries::Through(DeliveryId(to)))
    }

    /// So many more are with the application.
    pub(super) fn open(&mut self, count: u64) -> Option<Deliveries> {
        let from = self.opened.max(self.settled);
        let to = from.saturating_add(count).min(self.delivered);
        self.opened = to;
        (to > from).then_some(Deliveries::Through(DeliveryId(to)))
    }

    fn end_held(&mut self, transaction: TransactionId, is_released: bool) {
        let held = &mut self.held;
        let mut released = 0;
        held.retain(|(by, count)| {
            if *by == transaction {
                released += count;
            }
            *by != transaction
        });
        if is_released {
            self.settled -= released;
        }
    }
}

/// As [`is_producer`], which is not asked again for what was `compared` last.
#[inline]
fn is_same_producer(
    text: &Arc<str>,
    producer: &WireProducerId,
    compared: &mut Option<(Arc<str>, WireProducerId)>,
) -> bool {
    if let Some((known, id)) = compared
        && Arc::ptr_eq(known, text)
        && id == producer
    {
        return true;
    }
    let is_same = is_producer(text, producer);
    if is_same {
        *compared = Some((Arc::clone(text), producer.clone()));
    }
    is_same
}

/// Whether `text` is the id `producer`, or the text of a message that came by another protocol and has this id for it.
fn is_producer(text: &str, producer: &WireProducerId) -> bool {
    let Some(rest) = text.strip_prefix(&*producer.connection_id) else {
        return false;
    };
    if rest.is_empty() {
        return producer.session_id == 0 && producer.value == 0;
    }
    let mut numbers = rest.strip_prefix(':').into_iter().flat_map(|rest| rest.split(':'));
    let mut is_next = |number: i64| numbers.next().is_some_and(|text| text.parse() == Ok(number));
    is_next(producer.session_id) && is_next(producer.value) && numbers.next().is_none()
}

/// A delivery whose bytes are in the outbox.
#[derive(Debug)]
struct Unwritten {
    /// The outbox's total behind its last byte.
    total: u64,
    subscription: SubscriptionId,
    delivery: DeliveryId,
}

/// All of them. Ids grow, so that the list is sorted.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    list: Vec<Consumer>,
    by_key: HashMap<Key, SubscriptionId>,
    /// The place in `list` of the one that was found last: mostly it is the next one, too.
    found: usize,
    next: u32,
    unwritten: VecDeque<Unwritten>,
    /// Pulls that end.
    deadlines: BTreeSet<(MonoTime, SubscriptionId)>,
    /// Those that have something aside.
    pub(super) quiet: Quiet,
    /// What was passed over by transactions that ended.
    pub(super) returned: Vec<Request>,
    pub(super) has_ended_transaction: bool,
}

impl Consumers {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn next_id(&mut self) -> SubscriptionId {
        let id = SubscriptionId(self.next);
        self.next += 1;
        id
    }

    pub(super) fn add(&mut self, consumer: Consumer) {
        self.by_key.insert(consumer.key, consumer.id);
        self.list.push(consumer);
    }

    #[inline]
    pub(super) fn get(&mut self, id: SubscriptionId) -> Option<&mut Consumer> {
        let at = self.list.binary_search_by_key(&id, |consumer| consumer.id).ok()?;
        Some(&mut self.list[at])
    }

    pub(super) fn get_ref(&self, id: SubscriptionId) -> Option<&Consumer> {
        let at = self.list.binary_search_by_key(&id, |consumer| consumer.id).ok()?;
        Some(&self.list[at])
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    #[inline]
    pub(super) fn find(&mut self, key: Key) -> Option<&mut Consumer> {
        if self.list.get(self.found).is_none_or(|consumer| consumer.key != key) {
            let id = *self.by_key.get(&key)?;
            self.found = self.list.binary_search_by_key(&id, |consumer| consumer.id).ok()?;
        }
        self.list.get_mut(self.found)
    }

    /// The consumers of a session.
    pub(super) fn keys_of(&self, session: i64) -> Vec<Key> {
        self.list.iter().map(|consumer| consumer.key).filter(|key| key.0 == session).collect()
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<Consumer> {
        let at = self.list.binary_search_by_key(&id, |consumer| consumer.id).ok()?;
        self.end_pull(id);
        self.quiet.remove(&id);
        let consumer = self.list.remove(at);
        self.by_key.remove(&consumer.key);
        Some(consumer)
    }

    /// A pull takes the place of any before. Its number.
    pub(super) fn start_pull(&mut self, id: SubscriptionId, until: Option<MonoTime>) -> u64 {
        self.end_pull(id);
        let Some(consumer) = self.get(id) else { return 0 };
        consumer.pulls += 1;
        let number = consumer.pulls;
        consumer.pull = Some(Pull { number, until });
        if let Some(until) = until {
            self.deadlines.insert((until, id));
        }
        number
    }

    /// The pull was answered, or another took its place.
    pub(super) fn end_pull(&mut self, id: SubscriptionId) {
        let Some(consumer) = self.get(id) else { return };
        if let Some(Pull { until: Some(until), .. }) = consumer.pull.take() {
            self.deadlines.remove(&(until, id));
        }
    }

    /// When the next pull ends.
    pub(super) fn next_deadline(&self) -> Option<MonoTime> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// A pull whose time is over; it is still unanswered.
    pub(super) fn overdue(&mut self, now: MonoTime) -> Option<(SubscriptionId, u64)> {
        let (until, id) = *self.deadlines.first()?;
        if until > now {
            return None;
        }
        self.deadlines.pop_first();
        let pull = self.get(id)?.pull?;
        Some((id, pull.number))
    }

    /// A delivery that is forgotten when it is written was encoded.
    #[inline]
    pub(super) fn note_unwritten(&mut self, total: u64, subscription: SubscriptionId, delivery: DeliveryId) {
        self.unwritten.push_back(Unwritten { total, subscription, delivery });
    }

    /// Tells the broker what was written, one request a consumer.
    pub(super) fn tell_written(&mut self, total: u64, requests: &mut Vec<Request>) {
        let mut told: Vec<SubscriptionId> = Vec::new();
        while let Some(front) = self.unwritten.front()
            && front.total <= total
        {
            let (id, delivery) = (front.subscription, front.delivery);
            self.unwritten.pop_front();
            if let Some(consumer) = self.get(id)
                && consumer.written_through.replace(delivery).is_none()
            {
                told.push(id);
            }
        }
        for id in told {
            if let Some(through) = self.get(id).and_then(|consumer| consumer.written_through.take()) {
                requests.push(Request::settle(id, Deliveries::Through(through), Settlement::Written));
            }
        }
    }

    /// A transaction was committed: what it acknowledged is gone.
    pub(super) fn forget_held(&mut self, transaction: TransactionId) {
        self.has_ended_transaction = true;
        for consumer in &mut self.list {
            match &mut consumer.ledger {
                Ledger::Listed(list) => {
                    let passed_over = list.forget_held(transaction);
                    if !consumer.is_ended {
                        aside::give_back(consumer.id, &passed_over, &mut self.returned);
                    }
                }
                Ledger::Counted(count) => count.end_held(transaction, false),
            }
        }
    }

    /// A transaction was rolled back: what it acknowledged may be acknowledged again.
    pub(super) fn release_held(&mut self, transaction: TransactionId) {
        self.has_ended_transaction = true;
        for consumer in &mut self.list {
            match &mut consumer.ledger {
                Ledger::Listed(list) => list.release_held(transaction),
                Ledger::Counted(count) => count.end_held(transaction, true),
            }
        }
    }
}
