//! A subscription: its credit, and the deliveries that it has not settled.

use crate::broker::Effects;
use crate::browse::Browse;
use crate::counted::{Counted, Leaving};
use crate::queue::Item;
use ferrymq_model::event::Delivery;
use ferrymq_model::request::Settles;
use ferrymq_model::selector::{Effort, Selector};
use ferrymq_model::{Address, DeliveryId, Event, Message, SessionId, Settlement, Subscribe, SubscriptionId};
use std::collections::VecDeque;
use std::sync::Arc;

/// Steps of a selector's evaluation that count as one examined message.
const STEPS_PER_EXAMINED: u64 = 64;

/// One subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Whose.
    pub(crate) session: SessionId,
    /// Its number in the session.
    pub(crate) id: SubscriptionId,
    /// Whether deliveries may begin: it is confirmed, and it has not ended.
    pub(crate) started: bool,
    /// It ended; what is left waits for open transactions.
    pub(crate) ended: bool,
    /// Whether its queues count it among those with credit.
    pub(crate) eager: bool,
    /// How many deliveries may be outstanding.
    pub(crate) prefetch: u32,
    /// How many are.
    pub(crate) window: u32,
    /// How many it may have beyond its prefetch, because it pulled.
    pub(crate) pulled: u32,
    /// Deliveries before `unsettled` of which only the count is kept, in order.
    pub(crate) counted: VecDeque<Counted>,
    /// Those of them whose bytes have not left, and those that were settled before that was said.
    pub(crate) leaving: VecDeque<Leaving>,
    /// The delivery at the front of `unsettled`.
    pub(crate) first_delivery: u64,
    /// Deliveries in order; the front is not settled.
    pub(crate) unsettled: VecDeque<Unsettled>,
    /// In `unsettled`, no delivery before this one is open or worked on.
    pub(crate) undecided_from: u64,
    /// In `unsettled`, no delivery before this one is open.
    pub(crate) open_from: u64,
    /// Those of `counted` and `unsettled` that are not settled.
    pub(crate) live: usize,
    /// Which messages it wants.
    pub(crate) selector: Option<Selector>,
    /// The name of its own connection, if it does not want messages from there.
    pub(crate) not_from: Option<Arc<str>>,
    /// When its deliveries are settled.
    pub(crate) settles: Settles,
    /// Queue consumers with a higher one go first.
    pub(crate) priority: i16,
    /// Wants a queue for itself.
    pub(crate) exclusive: bool,
    /// Where it listens.
    pub(crate) address: Arc<Address>,
    /// Everything that was asked for.
    pub(crate) wishes: Arc<Subscribe>,
    /// Queues that it takes from.
    pub(crate) queues: Vec<u32>,
    /// Topics that it hears.
    pub(crate) topics: Vec<u32>,
    /// The backlog, for a durable one.
    pub(crate) durable: Option<u32>,
    /// How far it has read, for a browser.
    pub(crate) browse: Option<Box<Browse>>,
    /// Topic messages that wait for credit.
    pub(crate) pending: VecDeque<Pending>,
    /// How many may.
    pub(crate) pending_limit: u32,
    /// Bytes of topic messages that it has not settled or that wait for it.
    pub(crate) held_bytes: usize,
    /// Topic messages that it lost.
    pub(crate) discarded: u64,
    /// It fell behind, and those who watch know.
    pub(crate) slow: bool,
}

/// A topic message that waits for its subscriber.
#[derive(Debug)]
pub(crate) struct Pending {
    /// From which topic.
    pub(crate) topic: u32,
    /// The message.
    pub(crate) item: Item,
}

/// Where a delivery came from and goes back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// A queue.
    Queue(u32),
    /// A topic.
    Topic(u32),
    /// A look into a queue: nothing goes back.
    Browse,
}

/// A delivery that is not settled.
#[derive(Debug)]
pub(crate) struct Unsettled {
    /// Where it came from.
    pub(crate) source: Source,
    /// What was delivered.
    pub(crate) item: Item,
    /// Where it stands.
    pub(crate) status: Status,
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// Delivered; takes one of the window.
    Open,
    /// The consumer works on it; the window is open for another.
    Working,
    /// Settled in an open transaction, by the settlement of this number; takes none of the window.
    Held(u64),
    /// Settled, behind one that is not.
    Settled,
}

impl Subscription {
    /// Whether it takes one more delivery.
    #[inline]
    pub(crate) fn has_credit(&self) -> bool {
        self.started && (self.window < self.prefetch || self.pulled > 0)
    }

    /// Whether what it gets from topics never comes back: nobody will ask for the message again.
    #[inline]
    pub(crate) fn is_passing(&self) -> bool {
        match self.settles {
            Settles::WhenWritten | Settles::Unreturned => true,
            Settles::WhenAcknowledged => false,
        }
    }

    /// Whether a delivery from a topic is only counted now: those that are, come before all others.
    #[inline]
    pub(crate) fn counts_topics(&self) -> bool {
        self.unsettled.is_empty() && self.is_passing()
    }

    /// Whether it wants only some messages.
    #[inline]
    pub(crate) fn is_selective(&self) -> bool {
        self.selector.is_some() || self.not_from.is_some()
    }

    /// Whether it wants a message.
    #[inline]
    pub(crate) fn wants(&self, message: &Message, redeliveries: u32, effort: &mut Effort) -> bool {
        self.accepts_sender(message)
            && self.selector.as_ref().is_none_or(|selector| selector.matches_within(message, redeliveries, effort))
    }

    /// Whether it wants what the sender of a message sends: all that `wants` asks beside the selector.
    #[inline]
    pub(crate) fn accepts_sender(&self, message: &Message) -> bool {
        self.not_from.as_ref().is_none_or(|connection| !is_from(message, connection))
    }

    /// As `wants`, taking what it costs from what one step may examine: one for a message whose selector is soon done.
    pub(crate) fn wants_within(&self, message: &Message, redeliveries: u32, budget: &mut usize) -> bool {
        let mut effort = Effort::default();
        let wanted = self.wants(message, redeliveries, &mut effort);
        *budget = budget.saturating_sub(cost_of(effort));
        wanted
    }

    /// Delivers. `passing`: nobody will ask for the message again, and its sender's buffer is free soon.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        source: Source,
        mut item: Item,
        passing: bool,
        first_of_group: bool,
        out: &mut Effects,
    ) {
        if self.window >= self.prefetch {
            self.pulled -= 1;
        }
        let delivery = DeliveryId(self.first_delivery + self.unsettled.len() as u64);
        let message = item.message.take().expect("a message that is delivered is here");
        if !passing {
            item.message = Some(Arc::clone(&message));
        }
        let event = Event::Deliver(Delivery {
            subscription: self.id,
            delivery,
            redeliveries: item.redeliveries,
            first_of_group,
            destination: item.leaf.clone(),
            message,
        });
        out.events.push((self.session, event));
        self.unsettled.push_back(Unsettled { source, item, status: Status::Open });
        self.window += 1;
        self.live += 1;
    }

    /// The places in `unsettled` from `first` to `last` of the deliveries that may be open or worked on; that may be
    /// open, if the consumer says that it works on them.
    #[inline]
    pub(crate) fn undecided(&self, first: u64, last: u64, settlement: &Settlement) -> std::ops::Range<usize> {
        let from = if *settlement == Settlement::Delivered { self.open_from } else { self.undecided_from };
        self.span(first.max(from), last)
    }

    /// The deliveries from `first` to `last` were settled, or are worked on: they need not be looked at again.
    #[inline]
    pub(crate) fn decided(&mut self, first: u64, last: u64, settlement: &Settlement) {
        let next = last.saturating_add(1).min(self.first_delivery + self.unsettled.len() as u64);
        if first <= self.open_from.max(self.first_delivery) {
            self.open_from = self.open_from.max(next);
        }
        if *settlement != Settlement::Delivered && first <= self.undecided_from.max(self.first_delivery) {
            self.undecided_from = self.undecided_from.max(next);
        }
    }

    /// A delivery of those from `first` on is open again.
    pub(crate) fn reopened(&mut self, first: u64) {
        self.open_from = self.open_from.min(first);
        self.undecided_from = self.undecided_from.min(first);
    }

    /// The places in `unsettled` of the deliveries from `first` to `last`.
    #[inline]
    pub(crate) fn span(&self, first: u64, last: u64) -> std::ops::Range<usize> {
        let end = last.saturating_add(1).saturating_sub(self.first_delivery);
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(self.unsettled.len());
        let start = usize::try_from(first.saturating_sub(self.first_delivery)).unwrap_or(usize::MAX).min(end);
        start..end
    }

    /// Forgets the deliveries at the front that are settled.
    #[inline]
    pub(crate) fn drop_settled(&mut self) {
        while self.unsettled.front().is_some_and(|front| front.status == Status::Settled) {
            self.unsettled.pop_front();
            self.first_delivery += 1;
        }
    }

    /// Takes the item of a delivery out and opens the window again where it was shut.
    #[inline]
    pub(crate) fn settle_at(&mut self, position: usize) -> (Source, Item) {
        let unsettled = &mut self.unsettled[position];
        match unsettled.status {
            Status::Open => self.window -= 1,
            Status::Working | Status::Held(_) => {}
            Status::Settled => panic!("a delivery is settled once"),
        }
        unsettled.status = Status::Settled;
        self.live -= 1;
        if position == 0 {
            let unsettled = self.unsettled.pop_front().expect("a position names a delivery");
            self.first_delivery += 1;
            self.drop_settled();
            return (unsettled.source, unsettled.item);
        }
        let gone = Item { message: None, leaf: None, ..unsettled.item };
        (unsettled.source, std::mem::replace(&mut unsettled.item, gone))
    }
}

/// What an evaluation costs, in examined messages: one where it is soon done.
pub(crate) fn cost_of(effort: Effort) -> usize {
    1 + usize::try_from(effort.steps() / STEPS_PER_EXAMINED).unwrap_or(usize::MAX)
}

/// Whether a message was sent through a connection: its producer's name begins with the connection's.
fn is_from(message: &Message, connection: &str) -> bool {
    let rest = message.header.id.producer.strip_prefix(connection);
    !connection.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}
