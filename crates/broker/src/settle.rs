//! Settlements outside of transactions, and what each outcome does to a message.

use crate::advisory::Kind;
use crate::broker::{Broker, Step, refusal, unknown_subscription};
use crate::queue::Item;
use crate::subscription::{Pending, Source, Status, Unsettled};
use ferrymq_model::{Deliveries, RefusalKind, SessionId, Settlement, SubscriptionId, Token};

impl Broker {
    /// Settles deliveries.
    pub(crate) fn settle(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        deliveries: Deliveries,
        settlement: &Settlement,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let Some(&index) = self.asking(session).subscriptions.get(&subscription.0) else {
            // What was written before its subscription ended is settled too late, and nobody waits for an answer.
            let late = confirm.is_none() && matches!(deliveries, Deliveries::Through(_));
            if !late {
                self.refuse(session, confirm, unknown_subscription(subscription), step);
            }
            return;
        };
        let (first, last) = bounds(deliveries);
        if matches!(settlement, Settlement::Written) {
            self.forget_written(index, last);
            self.confirm(session, confirm, step);
            return;
        }
        let mut settled = self.settle_counted(index, first, last, settlement);
        settled += self.settle_unsettled(index, first, last, settlement, step);
        if settled == 0
            && let Deliveries::One(delivery) = deliveries
        {
            let text = format!("delivery {} of subscription {} is not unsettled", delivery.0, subscription.0);
            self.refuse(session, confirm, refusal(RefusalKind::Unknown, text), step);
            return;
        }
        if confirm.is_some() || !self.work.is_only_removals() {
            self.record_work(confirm.is_some(), Some(session), step);
        }
        self.confirm(session, confirm, step);
        self.go_on(index, step);
    }

    /// Settles deliveries that are not settled or only written; tells how many.
    pub(crate) fn settle_unsettled(
        &mut self,
        index: u32,
        first: u64,
        last: u64,
        settlement: &Settlement,
        step: &mut Step<'_>,
    ) -> u64 {
        let mut settled = 0;
        if matches!(settlement, Settlement::Consumed) {
            settled = self.consume_front(index, first, last, step);
            if self.subscriptions[index].first_delivery > last {
                self.subscriptions[index].decided(first, last, settlement);
                return settled;
            }
        }
        let span = self.subscriptions[index].undecided(first, last, settlement);
        let base = self.subscriptions[index].first_delivery;
        if matches!(settlement, Settlement::Undelivered | Settlement::Returned) {
            // From the last to the first: each goes to the head.
            for position in span.rev() {
                settled += u64::from(self.settle_delivery(index, base + position as u64, settlement, step));
            }
        } else {
            for position in span {
                settled += u64::from(self.settle_delivery(index, base + position as u64, settlement, step));
            }
        }
        self.subscriptions[index].decided(first, last, settlement);
        settled
    }

    /// Settles as consumed, from the oldest on, what was delivered and no transaction holds: what consumers nearly always
    /// do. Tells how many.
    #[inline]
    fn consume_front(&mut self, index: u32, first: u64, last: u64, step: &mut Step<'_>) -> u64 {
        let mut settled = 0;
        loop {
            let subscription = &mut self.subscriptions[index];
            let Some(front) = subscription.unsettled.front() else { return settled };
            if !(first..=last).contains(&subscription.first_delivery) {
                return settled;
            }
            match front.status {
                Status::Open => subscription.window -= 1,
                Status::Working => {}
                Status::Held(_) => return settled,
                Status::Settled => unreachable!("the front is not settled"),
            }
            let Some(Unsettled { source, item, status: _ }) = subscription.unsettled.pop_front() else {
                return settled;
            };
            subscription.first_delivery += 1;
            subscription.live -= 1;
            subscription.drop_settled();
            settled += 1;
            match source {
                Source::Queue(queue) => {
                    self.queues[queue].in_flight -= 1;
                    self.consumed(queue, &item, step);
                }
                Source::Topic(topic) => self.apply_to_topic(index, topic, item, &Settlement::Consumed),
                Source::Browse => {}
            }
        }
    }

    #[inline]
    fn settle_delivery(&mut self, index: u32, delivery: u64, settlement: &Settlement, step: &mut Step<'_>) -> bool {
        let subscription = &mut self.subscriptions[index];
        let Some(position) = delivery.checked_sub(subscription.first_delivery) else { return false };
        let position = usize::try_from(position).expect("an unsettled delivery is in memory");
        let Some(unsettled) = subscription.unsettled.get_mut(position) else { return false };
        match unsettled.status {
            Status::Held(_) | Status::Settled => return false,
            Status::Open if *settlement == Settlement::Delivered => {
                unsettled.status = Status::Working;
                subscription.window -= 1;
                return true;
            }
            Status::Working if *settlement == Settlement::Delivered => return true,
            Status::Open | Status::Working => {}
        }
        let (source, item) = subscription.settle_at(position);
        self.apply(index, source, item, settlement, step);
        true
    }

    /// Does to a message what its settlement says; it is unsettled no more. Delivers nothing.
    #[inline]
    pub(crate) fn apply(
        &mut self,
        subscription: u32,
        source: Source,
        item: Item,
        settlement: &Settlement,
        step: &mut Step<'_>,
    ) {
        match source {
            Source::Queue(queue) => {
                self.queues[queue].in_flight -= 1;
                match settlement {
                    Settlement::Consumed => self.consumed(queue, &item, step),
                    Settlement::Delivered | Settlement::Written => {
                        unreachable!("such a delivery stays unsettled")
                    }
                    Settlement::Undelivered => {
                        self.give_back(queue, item, self.subscriptions[subscription].wishes.gives_up, step)
                    }
                    Settlement::Returned => self.put_back(queue, item),
                    Settlement::Expired => self.expired(queue, &item, step),
                    Settlement::Poisoned(cause) => self.poisoned(queue, &item, cause, step),
                }
            }
            Source::Topic(topic) => self.apply_to_topic(subscription, topic, item, settlement),
            Source::Browse => {}
        }
    }

    #[inline]
    fn consumed(&mut self, queue: u32, item: &Item, step: &mut Step<'_>) {
        self.queues[queue].counters.dequeued += 1;
        self.dequeued += 1;
        self.note_item(Kind::MessageConsumed, queue, item, None);
        self.leave(queue, item, step);
    }

    /// A message left a queue for good.
    #[inline]
    pub(crate) fn leave(&mut self, queue: u32, item: &Item, step: &mut Step<'_>) {
        self.remove_stored(queue, item);
        self.release_queue_memory(queue, item.resident(), step);
    }

    fn apply_to_topic(&mut self, subscription: u32, topic: u32, mut item: Item, settlement: &Settlement) {
        match settlement {
            Settlement::Consumed => {
                self.topics[topic].counters.dequeued += 1;
                self.dequeued += 1;
                self.note_live(Kind::MessageConsumed, topic, &item, None);
            }
            Settlement::Delivered | Settlement::Written => {
                unreachable!("such a delivery stays unsettled")
            }
            Settlement::Expired => self.topics[topic].counters.expired += 1,
            Settlement::Undelivered => {
                item.redeliveries = item.redeliveries.saturating_add(1);
                let ended = self.subscriptions[subscription].ended;
                let is_dead = self.is_too_often(item.redeliveries, self.subscriptions[subscription].wishes.gives_up);
                // What never comes back is no more to be had.
                if !ended && item.message.is_some() && !is_dead {
                    self.subscriptions[subscription].pending.push_front(Pending { topic, item });
                    return;
                }
                if !ended && is_dead {
                    self.bury_live(topic, &item, "the redelivery limit was reached");
                }
            }
            Settlement::Returned => {
                if !self.subscriptions[subscription].ended && item.message.is_some() {
                    self.subscriptions[subscription].pending.push_front(Pending { topic, item });
                    return;
                }
            }
            Settlement::Poisoned(cause) => {
                self.bury_live(topic, &item, cause);
            }
        }
        self.release_live(subscription, topic, item.size as usize);
    }

    /// Goes on delivering to a subscription whose credit or sources changed.
    pub(crate) fn go_on(&mut self, index: u32, step: &mut Step<'_>) {
        self.refresh_credit(index);
        let subscription = &self.subscriptions[index];
        if !subscription.pending.is_empty() {
            self.deliver_pending(index, step);
            self.refresh_credit(index);
        }
        let subscription = &self.subscriptions[index];
        if subscription.browse.is_some() {
            self.browse_on(index, step);
            return;
        }
        for place in 0..subscription.queues.len() {
            let queue = self.subscriptions[index].queues[place];
            if self.queues[queue].ready > 0 {
                self.dispatch(queue, step);
            }
        }
    }
}

/// The first and the last delivery that are meant.
pub(crate) fn bounds(deliveries: Deliveries) -> (u64, u64) {
    match deliveries {
        Deliveries::One(delivery) => (delivery.0, delivery.0),
        Deliveries::Through(last) => (0, last.0),
        Deliveries::Range(first, last) => (first.0, last.0),
    }
}
