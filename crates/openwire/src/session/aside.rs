//! Deliveries that a client does not acknowledge as it does others: set aside until it is clear what becomes of them.
//!
//! After a failure a client compares what comes with what its connection had before. What comes again and is not expected
//! by an open transaction it refuses, one by one, as poisoned: `Suppressing duplicate delivery on connection` (`dispatch` of
//! Java's `ActiveMQMessageConsumer`, apache/activemq; C++ and .NET are the same). Of a consumer that acknowledges outside
//! of transactions such a message was processed: its acknowledgement was lost, and Classic and we make a dead letter of it.
//! In a transacted session it was not, or is not yet: nothing of it was committed. So there it
//!
//! - stays with its consumer, counts for no acknowledgement of a range and takes no room in the window;
//! - is consumed where the client acknowledges it by name, alone or as the first of a range: it had it all the time;
//! - else goes back to the queue, not counted as a redelivery: when the consumer has committed what was delivered later,
//!   when nothing was heard of its consumer for a while after the last transaction ended, or when its consumer ends.
//!
//! The client takes it then, for a rollback makes it forget what it had; or refuses it again.
//!
//! A client that gives up by its redelivery policy names the first and the last, and how many. Where those are fewer than
//! lie between its ends, nobody knows which: they stay with the consumer, in doubt. What it never had in its transaction it
//! acknowledges in time, and what is left over goes back as above.

use super::consumers::{Consumer, Key, Ledger, List};
use super::{Context, State};
use crate::codec::message_ack::MessageAck;
use ferrymq_model::{Deliveries, DeliveryId, MonoTime, Request, Settlement, SubscriptionId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the cause of a refusal begins, in Java, C++ and .NET.
const SUPPRESSED: &str = "Suppressing duplicate delivery on connection";
/// So long after a consumer's last acknowledgement, and after a moment at which no transaction of the connection was open,
/// what it refused goes back: longer than the second after which a Java client redelivers its own copies. Milliseconds.
const QUIET_MS: u64 = 2_000;
/// The same while there was no such moment, while nobody knows whether the consumer works in transactions, and for what is in
/// doubt. Milliseconds.
const LONG_QUIET_MS: u64 = 30_000;
/// A consumer's window opens for so many of them. Deliveries.
const WINDOW_EXTENSION_MAX: usize = 10_000;

/// How a consumer acknowledges, as far as it is known since the client is connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Manner {
    #[default]
    Unknown,
    /// In transactions.
    Transacted,
    /// Outside of them.
    Alone,
}

/// Why a delivery is set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Why {
    /// The client refused it with this cause.
    Suppressed(Arc<str>),
    /// The client may have given it up.
    Doubtful,
}

/// What is set aside of one consumer, all of it unsettled and in no transaction.
#[derive(Debug, Default)]
pub(super) struct Aside {
    deliveries: BTreeMap<DeliveryId, Why>,
    suppressed: usize,
}

impl Aside {
    fn insert(&mut self, delivery: DeliveryId, why: Why) {
        self.suppressed += usize::from(why != Why::Doubtful);
        if let Some(before) = self.deliveries.insert(delivery, why) {
            self.suppressed -= usize::from(before != Why::Doubtful);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    fn remove(&mut self, delivery: DeliveryId) {
        if let Some(why) = self.deliveries.remove(&delivery) {
            self.suppressed -= usize::from(why != Why::Doubtful);
        }
    }

    fn take(&mut self, is_meant: impl Fn(DeliveryId, &Why) -> bool) -> Vec<(DeliveryId, Why)> {
        let taken: Vec<_> = self.deliveries.extract_if(.., |delivery, why| is_meant(*delivery, why)).collect();
        self.suppressed -= taken.iter().filter(|(_, why)| *why != Why::Doubtful).count();
        taken
    }

    /// Those are settled, or held by a transaction.
    pub(super) fn forget(&mut self, first: DeliveryId, last: DeliveryId) {
        for (_, why) in self.deliveries.extract_if(first..=last, |_, _| true) {
            self.suppressed -= usize::from(why != Why::Doubtful);
        }
    }

    pub(super) fn is_suppressed(&self, delivery: DeliveryId) -> bool {
        matches!(self.deliveries.get(&delivery), Some(Why::Suppressed(_)))
    }

    pub(super) fn suppressed_between(&self, first: DeliveryId, last: DeliveryId) -> usize {
        if self.suppressed == 0 {
            return 0;
        }
        self.deliveries.range(first..=last).filter(|(_, why)| **why != Why::Doubtful).count()
    }

    /// What comes before `last`, which was acknowledged and committed: the client has none of it any more.
    pub(super) fn passed_over(&mut self, last: DeliveryId) -> Vec<DeliveryId> {
        self.take(|delivery, _| delivery < last).into_iter().map(|(delivery, _)| delivery).collect()
    }
}

/// Whether a refusal says that the client has seen the message before on its connection.
pub(super) fn is_suppressed(ack: &MessageAck) -> bool {
    let cause = ack.poison_cause.as_ref().and_then(|cause| cause.message.as_deref());
    cause.is_some_and(|text| text.starts_with(SUPPRESSED))
}

impl List {
    /// Sets a delivery aside that the client refused; whether the window is to open for it.
    fn suppress(&mut self, at: usize, cause: Arc<str>) -> bool {
        let delivery = self.delivery(at);
        let aside = self.aside_mut();
        aside.insert(delivery, Why::Suppressed(cause));
        aside.suppressed <= WINDOW_EXTENSION_MAX
    }

    /// The client may have given up some of `first..=last`.
    pub(super) fn doubt(&mut self, first: usize, last: usize) {
        for at in first..=last {
            let delivery = self.delivery(at);
            if !self.is_held(at) && !self.is_suppressed(at) {
                self.aside_mut().insert(delivery, Why::Doubtful);
            }
        }
    }

    pub(super) fn is_suppressed(&self, at: usize) -> bool {
        self.aside().is_some_and(|aside| aside.is_suppressed(self.delivery(at)))
    }

    /// How many of `first..=last` the client refused.
    #[inline]
    pub(super) fn suppressed(&self, first: usize, last: usize) -> usize {
        self.aside().map_or(0, |aside| aside.suppressed_between(self.delivery(first), self.delivery(last)))
    }

    /// The client has it after all.
    pub(super) fn take_back(&mut self, at: usize) {
        let delivery = self.delivery(at);
        self.aside_mut().remove(delivery);
    }

    /// The parts of `first..=last` between what the client refused, from the last to the first.
    pub(super) fn parts(&self, first: usize, last: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let mut end = None;
        for at in (first..=last).rev() {
            match (self.is_suppressed(at), end) {
                (false, None) => end = Some(at),
                (true, Some(last)) => {
                    parts.push((at + 1, last));
                    end = None;
                }
                (true, None) | (false, Some(_)) => {}
            }
        }
        if let Some(last) = end {
            parts.push((first, last));
        }
        parts
    }
}

/// What was last heard of a consumer that has something aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    at: MonoTime,
    /// When it refused something for the last time, or since, the client had no transaction open.
    has_ended: bool,
}

/// The consumers that have something aside.
pub(super) type Quiet = BTreeMap<SubscriptionId, Heard>;

impl State {
    /// The client refused one that it has seen before. What to tell the broker; `None`: nothing.
    pub(super) fn suppress(
        &mut self,
        now: MonoTime,
        ack: &MessageAck,
        cause: Arc<str>,
    ) -> Option<(SubscriptionId, Deliveries, Settlement)> {
        let id = ack.consumer_id.as_ref()?;
        let key = (id.session_id, id.value);
        let (is_used, has_ended) = (self.transactions.is_used(), !self.transactions.is_any_open());
        let consumer = self.consumers.find(key)?;
        let manner = manner(consumer, is_used);
        let (subscription, is_pulling) = (consumer.id, consumer.is_pulling);
        let Ledger::Listed(list) = &mut consumer.ledger else { return None };
        // It may be settled or acknowledged already.
        let at = list.position(ack.last_message_id.as_ref()?, 0).filter(|at| !list.is_held(*at))?;
        if manner == Manner::Alone {
            let deliveries = list.settle(at, at)?;
            return Some((subscription, deliveries, Settlement::Poisoned(cause)));
        }
        let opens = list.suppress(at, cause) && !is_pulling;
        let delivery = list.delivery(at);
        self.consumers.quiet.insert(subscription, Heard { at: now, has_ended });
        opens.then_some((subscription, Deliveries::One(delivery), Settlement::Delivered))
    }

    /// A consumer acknowledged something, as it does.
    pub(super) fn heard(&mut self, cx: &mut Context<'_>, key: Key, manner: Manner) {
        let Some(consumer) = self.consumers.find(key) else { return };
        let subscription = consumer.id;
        if manner == Manner::Alone {
            settle_aside(consumer, cx.requests, |why| *why != Why::Doubtful, true);
        }
        if let Some(heard) = self.consumers.quiet.get_mut(&subscription) {
            heard.at = cx.now.mono;
        }
    }

    /// A transaction ended: what was passed over goes back, and the client may take what it refused before.
    pub(super) fn after_transactions(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.consumers.has_ended_transaction) {
            cx.requests.append(&mut self.consumers.returned);
            let has_ended = !self.transactions.is_any_open();
            for heard in self.consumers.quiet.values_mut() {
                heard.at = cx.now.mono;
                heard.has_ended |= has_ended;
            }
        }
    }

    /// A consumer has something in doubt.
    pub(super) fn doubted(&mut self, now: MonoTime, subscription: SubscriptionId) {
        let has_ended = !self.transactions.is_any_open();
        self.consumers.quiet.insert(subscription, Heard { at: now, has_ended });
    }

    /// When to look again at what is aside.
    pub(super) fn next_quiet(&self) -> Option<MonoTime> {
        let ends = |(subscription, heard): (&SubscriptionId, &Heard)| {
            let wait_ms = self.consumers.get_ref(*subscription).map_or(0, |consumer| self.wait_ms(consumer, *heard));
            MonoTime(heard.at.0.saturating_add(wait_ms))
        };
        self.consumers.quiet.iter().map(ends).min()
    }

    /// How long nothing is to be heard of a consumer. Milliseconds.
    fn wait_ms(&self, consumer: &Consumer, heard: Heard) -> u64 {
        let is_transacted = manner(consumer, self.transactions.is_used()) == Manner::Transacted;
        let has_ended = heard.has_ended || !self.transactions.is_any_open();
        if is_transacted && has_suppressed(consumer) && has_ended { QUIET_MS } else { LONG_QUIET_MS }
    }

    /// Gives back what nothing is heard of any more.
    pub(super) fn end_quiet(&mut self, cx: &mut Context<'_>) {
        let now = cx.now.mono;
        let is_used = self.transactions.is_used();
        let quiet: Vec<(SubscriptionId, Heard)> = self.consumers.quiet.iter().map(|(id, at)| (*id, *at)).collect();
        for (subscription, heard) in quiet {
            let Some(consumer) = self.consumers.get_ref(subscription) else {
                self.consumers.quiet.remove(&subscription);
                continue;
            };
            if now.0 < heard.at.0.saturating_add(self.wait_ms(consumer, heard)) {
                continue;
            }
            let is_long = now.0 >= heard.at.0.saturating_add(LONG_QUIET_MS);
            let Some(consumer) = self.consumers.get(subscription) else { continue };
            // Whoever has begun no transaction for so long works without.
            let is_dead = manner(consumer, is_used) != Manner::Transacted;
            settle_aside(consumer, cx.requests, |why| is_long || *why != Why::Doubtful, is_dead);
            if is_long || consumer.is_ended || !has_aside(consumer) {
                self.consumers.quiet.remove(&subscription);
            }
        }
    }
}

/// Of a client that uses transactions a consumer works in them, unless it was seen to work without.
fn manner(consumer: &Consumer, is_used: bool) -> Manner {
    match consumer.manner {
        Manner::Unknown if is_used => Manner::Transacted,
        manner @ (Manner::Unknown | Manner::Transacted | Manner::Alone) => manner,
    }
}

fn has_aside(consumer: &Consumer) -> bool {
    matches!(&consumer.ledger, Ledger::Listed(list) if list.aside().is_some_and(|aside| !aside.is_empty()))
}

fn has_suppressed(consumer: &Consumer) -> bool {
    matches!(&consumer.ledger, Ledger::Listed(list) if list.aside().is_some_and(|aside| aside.suppressed > 0))
}

/// Settles those that are meant: what was refused as poisoned where it `is_dead`, all else as returned.
fn settle_aside(consumer: &mut Consumer, requests: &mut Vec<Request>, is_meant: impl Fn(&Why) -> bool, is_dead: bool) {
    let subscription = consumer.id;
    let Ledger::Listed(list) = &mut consumer.ledger else { return };
    if list.aside().is_none() || consumer.is_ended {
        return;
    }
    let mut returned = Vec::new();
    for (delivery, why) in list.aside_mut().take(|_, why| is_meant(why)) {
        list.remove(delivery);
        match why {
            Why::Suppressed(cause) if is_dead => {
                let deliveries = Deliveries::Range(delivery, delivery);
                requests.push(Request::settle(subscription, deliveries, Settlement::Poisoned(cause)));
            }
            Why::Suppressed(_) | Why::Doubtful => returned.push(delivery),
        }
    }
    give_back(subscription, &returned, requests);
}

/// Gives deliveries back, in their order; what lies together in one request, so that it is back before any is delivered.
pub(super) fn give_back(subscription: SubscriptionId, deliveries: &[DeliveryId], requests: &mut Vec<Request>) {
    for together in deliveries.chunk_by(|before, next| before.0 + 1 == next.0) {
        if let [first, ..] = together
            && let [.., last] = together
        {
            requests.push(Request::settle(subscription, Deliveries::Range(*first, *last), Settlement::Returned));
        }
    }
}
