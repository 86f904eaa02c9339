//! Deliveries of topics that never come back, once their bytes have left: all that the broker keeps is how many they
//! are, because they take their place in the window until the consumer settles them.

use crate::broker::Broker;
use crate::slab::Key;
use crate::subscription::{Source, Status, Subscription};
use ferrymq_model::Settlement;
use ferrymq_model::request::Settles;
use std::collections::VecDeque;

/// A run of deliveries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// The first of them,
    pub(crate) first: u64,
    /// and the last.
    pub(crate) last: u64,
    /// Where they came from.
    pub(crate) topic: Key,
    /// Where they stand; never settled.
    pub(crate) status: Status,
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
            push(&mut subscription.written, Written { first: delivery, last: delivery, topic: topic_key, status });
            self.release_live(index, topic, size);
        }
    }

    /// Settles deliveries of which only the count is left; tells how many.
    pub(crate) fn settle_written(&mut self, index: u32, first: u64, last: u64, settlement: &Settlement) -> u64 {
        let fate = match settlement {
            Settlement::Written => Fate::Stays,
            Settlement::Delivered => Fate::Becomes(Status::Working),
            Settlement::Consumed | Settlement::Undelivered | Settlement::Expired | Settlement::Poisoned(_) => {
                Fate::Goes
            }
        };
        self.decide_written(index, first, last, settlement, |status| match status {
            Status::Open | Status::Working => Some(fate),
            Status::Held(_) | Status::Settled => None,
        })
    }

    /// Decides about deliveries of which only the count is left; tells how many it was asked about. `decide` says `None`
    /// to what is not concerned.
    pub(crate) fn decide_written(
        &mut self,
        index: u32,
        first: u64,
        last: u64,
        settlement: &Settlement,
        decide: impl Fn(Status) -> Option<Fate>,
    ) -> u64 {
        let subscription = &mut self.subscriptions[index];
        let mut place = subscription.written.partition_point(|run| run.last < first);
        let mut concerned = 0;
        while let Some(&run) = subscription.written.get(place) {
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
            place = subscription.replace_written(place, from, to, fate);
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
                    Settlement::Undelivered | Settlement::Poisoned(_) => {}
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
    /// Gives the part from `from` to `to` of a run its fate; tells where the next run is.
    fn replace_written(&mut self, place: usize, from: u64, to: u64, fate: Fate) -> usize {
        let run = self.written[place];
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
                Some(Written { first: from, last: to, status, ..run })
            }
            Fate::Stays => unreachable!("what stays is not replaced"),
        };
        let before = (run.first < from).then(|| Written { last: from - 1, ..run });
        let after = (to < run.last).then(|| Written { first: to + 1, ..run });
        self.written.remove(place);
        let mut next = place;
        for part in [before, become_as, after].into_iter().flatten() {
            if next > 0 && self.written[next - 1].continues_in(&part) {
                self.written[next - 1].last = part.last;
            } else {
                self.written.insert(next, part);
                next += 1;
            }
        }
        next
    }
}

impl Written {
    /// Whether another run goes on where this one ends, and differs in nothing else.
    fn continues_in(&self, next: &Self) -> bool {
        self.last + 1 == next.first && self.topic == next.topic && self.status == next.status
    }
}

/// Appends a run, to the last one where it continues it.
fn push(runs: &mut VecDeque<Written>, run: Written) {
    match runs.back_mut() {
        Some(back) if back.continues_in(&run) => back.last = run.last,
        _ => runs.push_back(run),
    }
}
