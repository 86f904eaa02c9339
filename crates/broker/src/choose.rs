//! Who gets a message of a queue: credit, turns, priorities, exclusiveness, selectors and groups.
//!
//! A queue whose consumers take whatever comes is *plain*: its first message goes to whose turn it is. One with
//! selectors or groups is *choosy*: each consumer remembers how far it has looked, and a message that comes in while
//! nobody has anything left to look at is shown to each of them once.

use crate::audience::{Member, in_turn};
use crate::broker::{Broker, Step};
use crate::queue::{Item, Queue};
use crate::slab::Slab;
use crate::subscription::Subscription;
use ferrymq_model::selector::Effort;
use std::cmp::Reverse;

/// No version of a queue.
const NEVER: u64 = 0;

/// What a look into a queue found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
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

/// Who gets a message that just came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// The consumer at this place.
    Consumer(usize),
    /// No consumer that has credit: it waits.
    Nobody,
    /// Other messages come first: it takes its place behind them.
    Later,
}

impl Broker {
    /// Gives a message to each consumer that has credit and finds one; tells whether there may be more to do.
    pub(crate) fn dispatch_choosy(&mut self, index: u32, budget: &mut usize, step: &mut Step<'_>) -> bool {
        let mut order = std::mem::take(&mut self.order);
        let strict = self.queues[index].candidates(&self.subscriptions, &mut order);
        let (mut gave, mut quiet) = (false, true);
        for &place in &order {
            let found = self.next_for(index, place, budget, step);
            match found {
                Found::At(band, position) => {
                    let item = self.take(index, band, position);
                    let subscription = self.queues[index].pass_turn(place);
                    let first_of_group = self.own_group(index, subscription, &item);
                    self.hand_over(index, subscription, item, first_of_group, step);
                    gave = true;
                }
                Found::Expired(band, position) => {
                    self.expire_at(index, band, position, step);
                    gave = true;
                }
                Found::Coming => quiet = false,
                Found::Nothing => {
                    let queue = &mut self.queues[index];
                    queue.consumers[place].idle_at = queue.version;
                }
                Found::Unfinished => {
                    if !std::mem::replace(&mut self.queues[index].unfinished, true) {
                        self.unfinished.push(index);
                    }
                    quiet = false;
                    gave = false;
                }
            }
            if found == Found::Unfinished || (gave && strict) {
                break;
            }
        }
        self.order = order;
        if !gave {
            let queue = &mut self.queues[index];
            // One that has more to look at is not to miss it when a message comes in that it does not want.
            queue.quiet_at = if quiet { queue.version } else { NEVER };
        }
        gave
    }
}

impl Queue {
    /// Whether which consumer gets a message depends on more than whose turn it is.
    #[inline]
    pub(crate) fn is_choosy(&self) -> bool {
        self.selective > 0 || self.grouped
    }

    /// Where the consumer is whose turn it is, in a plain queue.
    #[inline]
    pub(crate) fn choose(&self, subscriptions: &Slab<Subscription>) -> Option<usize> {
        let consumers = &self.consumers;
        if let [alone] = consumers.as_slice() {
            return subscriptions[alone.subscription].has_credit().then_some(0);
        }
        if let Some(only) = self.exclusive {
            let place = consumers.iter().position(|consumer| consumer.subscription == only)?;
            return subscriptions[only].has_credit().then_some(place);
        }
        let mut best: Option<usize> = None;
        for place in (self.turn..consumers.len()).chain(0..self.turn) {
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
        best
    }

    /// Who gets a new message, in a choosy queue. Among equals, that with the fewest groups.
    fn choose_for(&self, item: &Item, subscriptions: &Slab<Subscription>, chosen: &mut Vec<Member>) -> Choice {
        let Some(message) = item.message.as_ref() else { return Choice::Later };
        let Some(turn) = self.consumers.get(self.turn) else { return Choice::Nobody };
        let group = item.group();
        let owner = group.and_then(|group| self.groups.owner(group));
        self.audience.select(message, item.redeliveries, &mut Effort::default(), chosen);
        let mut best: Option<(usize, _)> = None;
        for member in in_turn(self.audience.open(), chosen, turn.standing) {
            let subscription = &subscriptions[member.id];
            let barred = self.is_barred(member.id) || owner.is_some_and(|owner| owner != member.id);
            if barred || !subscription.has_credit() {
                continue;
            }
            let place = self.place_of(member);
            let consumer = &self.consumers[place];
            if self.ready > 0 && consumer.idle_at != self.version {
                return Choice::Later;
            }
            let rank = (Reverse(consumer.priority), if group.is_some() { consumer.groups } else { 0 });
            if best.is_some_and(|(_, best)| best <= rank) || !subscription.accepts_sender(message) {
                continue;
            }
            best = Some((place, rank));
            if self.uniform && group.is_none() {
                break;
            }
        }
        best.map_or(Choice::Nobody, |(place, _)| Choice::Consumer(place))
    }

    /// Where a member of its audience is among its consumers.
    fn place_of(&self, member: Member) -> usize {
        let place = self.consumers.binary_search_by_key(&member.standing, |consumer| consumer.standing);
        place.expect("the audience of a queue are its consumers")
    }

    /// Who gets a message that just came in, without looking at what waits.
    #[inline]
    pub(crate) fn choose_at_once(
        &self,
        item: &Item,
        subscriptions: &Slab<Subscription>,
        chosen: &mut Vec<Member>,
    ) -> Choice {
        if self.is_choosy() {
            return match self.ready == 0 || self.is_quiet() {
                true => self.choose_for(item, subscriptions, chosen),
                false => Choice::Later,
            };
        }
        match self.ready == 0 {
            true => self.choose(subscriptions).map_or(Choice::Nobody, Choice::Consumer),
            false => Choice::Later,
        }
    }

    /// The consumers that may find something, in their order. Tells whether the order must be found again after each
    /// message; else each of them may have one.
    fn candidates(&self, subscriptions: &Slab<Subscription>, order: &mut Vec<usize>) -> bool {
        order.clear();
        for place in (self.turn..self.consumers.len()).chain(0..self.turn) {
            let consumer = &self.consumers[place];
            let idle = consumer.idle_at == self.version || self.is_barred(consumer.subscription);
            if !idle && subscriptions[consumer.subscription].has_credit() {
                order.push(place);
            }
        }
        let strict = !self.uniform || self.grouped;
        if strict {
            order.sort_by_key(|&place| (Reverse(self.consumers[place].priority), self.consumers[place].groups));
        }
        strict
    }

    /// Whether no consumer with credit has anything left to look at.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_at == self.version
    }

    pub(crate) fn is_barred(&self, subscription: u32) -> bool {
        self.exclusive.is_some_and(|only| only != subscription)
    }

    /// Passes the turn on from a consumer, and tells which subscription it is.
    #[inline]
    pub(crate) fn pass_turn(&mut self, place: usize) -> u32 {
        self.turn = if place + 1 < self.consumers.len() { place + 1 } else { 0 };
        self.consumers[place].subscription
    }

    /// A message that just took its place was shown to every consumer with credit, and nobody wanted it.
    pub(crate) fn passed_by_all(&mut self, band: usize, sequence: u64, subscriptions: &Slab<Subscription>) {
        if !self.is_choosy() {
            return;
        }
        self.quiet_at = self.version;
        self.looked[band] = self.looked[band].max(sequence);
        let exclusive = self.exclusive;
        for consumer in &mut self.consumers {
            let barred = exclusive.is_some_and(|only| only != consumer.subscription);
            if !barred && subscriptions[consumer.subscription].has_credit() {
                consumer.examined[band] = sequence;
                consumer.idle_at = self.version;
            }
        }
    }
}
