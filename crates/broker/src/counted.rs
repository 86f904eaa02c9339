//! Deliveries of topics that never come back: all that the broker keeps is how many they are, because they take their
//! place in the window until the consumer settles them, and how many bytes, until those have left.
//!
//! Deliveries that follow each other from one topic are one run, however many they are; of the same size, one of bytes.

use crate::broker::{Broker, Effects};
use crate::slab::Key;
use crate::subscription::{Source, Status, Subscription};
use ferrymq_model::event::Delivery;
use ferrymq_model::request::Settles;
use ferrymq_model::{DeliveryId, Destination, Event, Message, Settlement};
use std::collections::VecDeque;
use std::sync::Arc;

/// A run of deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    /// The first of them,
    pub(crate) first: u64,
    /// and the last.
    pub(crate) last: u64,
    /// Where they came from.
    pub(crate) topic: Key,
    /// Where they stand; never settled.
    pub(crate) status: Status,
}

/// Deliveries whose bytes have not left, as far as the broker was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    /// The first of them,
    pub(crate) first: u64,
    /// and the last.
    pub(crate) last: u64,
    /// Where they came from.
    pub(crate) topic: u32,
    /// Bytes of each.
    pub(crate) size: u32,
}

/// What becomes of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Nothing.
    Stays,
    /// It stands elsewhere now.
    Becomes(Status),
    /// It is settled.
    Goes,
}

impl Broker {
    /// The bytes of deliveries up to `last` have left: of those that came from topics and never come back, only the count
    /// is kept. Deliveries behind one from a queue keep theirs until that is settled.
    pub(crate) fn forget_written(&mut self, index: u32, last: u64) {
        if self.subscriptions[index].settles != Settles::Unreturned {
            return;
        }
        self.release_left(index, last);
        loop {
            let subscription = &mut self.subscriptions[index];
            if subscription.first_delivery > last {
                return;
            }
            let delivery = subscription.first_delivery;
            let Some(front) = subscription.unsettled.front() else { return };
            let (Source::Topic(topic), status) = (front.source, front.status) else { return };
            let size = front.item.size as usize;
            subscription.unsettled.pop_front();
            subscription.first_delivery += 1;
            subscription.drop_settled();
            let topic_key = self.topics.key(topic);
            let run = Counted { first: delivery, last: delivery, topic: topic_key, status };
            push(&mut self.subscriptions[index].counted, run);
            self.release_live(index, topic, size);
        }
    }

    /// The bytes of counted deliveries up to `last` have left: so the session says, or the consumer, who has them.
    #[inline]
    pub(crate) fn release_left(&mut self, index: u32, last: u64) {
        let subscription = &mut self.subscriptions[index];
        while let Some(front) = subscription.leaving.front_mut()
            && front.first <= last
        {
            let to = front.last.min(last);
            let count = usize::try_from(to - front.first + 1).expect("a window counts deliveries in 32 bits");
            let (topic, bytes) = (front.topic, count * front.size as usize);
            front.first = to + 1;
            if front.first > front.last {
                subscription.leaving.pop_front();
            }
            subscription.held_bytes -= bytes;
            self.topics[topic].memory -= bytes;
            self.live_memory -= bytes;
        }
    }

    /// The bytes of counted deliveries from a topic that dies are nobody's any more.
    pub(crate) fn forget_leaving(&mut self, index: u32, topic: u32) {
        let subscription = &mut self.subscriptions[index];
        let mut bytes = 0;
        subscription.leaving.retain(|run| {
            let dies = run.topic == topic;
            if dies {
                bytes += run.bytes();
            }
            !dies
        });
        self.release_live(index, topic, bytes);
    }

    /// Settles deliveries of which only the count is left; tells how many.
    pub(crate) fn settle_counted(&mut self, index: u32, first: u64, last: u64, settlement: &Settlement) -> u64 {
        let fate = match settlement {
            Settlement::Written => Fate::Stays,
            Settlement::Delivered => Fate::Becomes(Status::Working),
            Settlement::Consumed
            | Settlement::Undelivered
            | Settlement::Returned
            | Settlement::Expired
            | Settlement::Poisoned(_) => Fate::Goes,
        };
        self.decide_counted(index, first, last, settlement, |status| match status {
            Status::Open | Status::Working => Some(fate),
            Status::Held(_) | Status::Settled => None,
        })
    }

    /// Decides about deliveries of which only the count is left; tells how many it was asked about. `decide` says `None`
    /// to what is not concerned.
    pub(crate) fn decide_counted(
        &mut self,
        index: u32,
        first: u64,
        last: u64,
        settlement: &Settlement,
        decide: impl Fn(Status) -> Option<Fate>,
    ) -> u64 {
        if self.subscriptions[index].counted.is_empty() {
            return 0;
        }
        // Who settles them has them.
        self.release_left(index, last);
        let subscription = &mut self.subscriptions[index];
        let mut place = subscription.counted.partition_point(|run| run.last < first);
        let mut concerned = 0;
        while let Some(&run) = subscription.counted.get(place) {
            if run.first > last {
                break;
            }
            let (from, to) = (run.first.max(first), run.last.min(last));
            let count = to - from + 1;
            let Some(fate) = decide(run.status) else {
                place += 1;
                continue;
            };
            concerned += count;
            if fate == Fate::Stays || fate == Fate::Becomes(run.status) {
                place += 1;
                continue;
            }
            place = subscription.replace_counted(place, from, to, fate);
            if fate == Fate::Goes
                && let Some(topic) = self.topics.find(run.topic)
            {
                let counters = &mut self.topics[topic].counters;
                match settlement {
                    Settlement::Consumed => {
                        counters.dequeued += count;
                        self.dequeued += count;
                    }
                    Settlement::Expired => counters.expired += count,
                    // Nothing of it is left to come back or to be buried.
                    Settlement::Undelivered | Settlement::Returned | Settlement::Poisoned(_) => {}
                    Settlement::Delivered | Settlement::Written => {
                        unreachable!("such a delivery stays unsettled")
                    }
                }
            }
        }
        concerned
    }
}

impl Subscription {
    /// Delivers a message of a topic that nobody will ask for again.
    #[inline]
    pub(crate) fn deliver_counted(
        &mut self,
        topic: Key,
        (message, size): (&Arc<Message>, u32),
        leaf: Option<&Arc<Destination>>,
        out: &mut Effects,
    ) {
        debug_assert!(self.unsettled.is_empty());
        if self.window >= self.prefetch {
            self.pulled -= 1;
        }
        let delivery = self.first_delivery;
        let event = Event::Deliver(Delivery {
            subscription: self.id,
            delivery: DeliveryId(delivery),
            redeliveries: 0,
            first_of_group: false,
            destination: leaf.cloned(),
            message: Arc::clone(message),
        });
        out.events.push((self.session, event));
        push(&mut self.counted, Counted { first: delivery, last: delivery, topic, status: Status::Open });
        match self.leaving.back_mut() {
            Some(back) if (back.topic, back.size, back.last + 1) == (topic.index(), size, delivery) => {
                back.last = delivery;
            }
            Some(_) | None => {
                self.leaving.push_back(Leaving { first: delivery, last: delivery, topic: topic.index(), size });
            }
        }
        self.first_delivery += 1;
        self.window += 1;
        self.live += 1;
    }

    /// Gives the part from `from` to `to` of a run its fate; tells where the next run is.
    fn replace_counted(&mut self, place: usize, from: u64, to: u64, fate: Fate) -> usize {
        let run = self.counted[place];
        let count = u32::try_from(to - from + 1).expect("a window counts deliveries in 32 bits");
        if run.status == Status::Open {
            self.window -= count;
        }
        let become_as = match fate {
            Fate::Goes => {
                self.live -= count as usize;
                None
            }
            Fate::Becomes(status) => {
                if status == Status::Open {
                    self.window += count;
                }
                Some(Counted { first: from, last: to, status, ..run })
            }
            Fate::Stays => unreachable!("what stays is not replaced"),
        };
        if become_as.is_none() && from == run.first && to < run.last {
            // The usual case: those that came first.
            self.counted[place].first = to + 1;
            return place + 1;
        }
        let before = (run.first < from).then(|| Counted { last: from - 1, ..run });
        let after = (to < run.last).then(|| Counted { first: to + 1, ..run });
        self.counted.remove(place);
        let mut next = place;
        for part in [before, become_as, after].into_iter().flatten() {
            if next > 0 && self.counted[next - 1].continues_in(&part) {
                self.counted[next - 1].last = part.last;
            } else {
                self.counted.insert(next, part);
                next += 1;
            }
        }
        next
    }
}

impl Leaving {
    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> usize {
        usize::try_from(self.last - self.first + 1).expect("a window counts deliveries in 32 bits") * self.size as usize
    }
}

impl Counted {
    /// Whether another run goes on where this one ends, and differs in nothing else.
    fn continues_in(&self, next: &Self) -> bool {
        self.last + 1 == next.first && self.topic == next.topic && self.status == next.status
    }
}

/// Appends a run, to the last one where it continues it.
#[inline]
fn push(runs: &mut VecDeque<Counted>, run: Counted) {
    match runs.back_mut() {
        Some(back) if back.continues_in(&run) => back.last = run.last,
        _ => runs.push_back(run),
    }
}
