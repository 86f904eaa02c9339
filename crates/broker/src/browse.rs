//! Browsing: a look at the messages in queues, without taking them: those that wait, and those that consumers have and did
//! not settle. In order, as if all waited.

use crate::broker::{Broker, Step};
use crate::queue::{BANDS, EntryState, Item};
use crate::slab::Key;
use crate::subscription::{Source, Status};
use ferrymq_model::{Event, Message};
use ferrymq_storage::Lsn;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

/// How far a browser has read.
#[derive(Debug)]
pub(crate) struct Browse {
    /// Queues still to read, each with the first sequence that came after the snapshot.
    queues: VecDeque<(Key, u64)>,
    /// The band being read,
    band: usize,
    /// and the last sequence read in it.
    after: u64,
    /// Nothing more comes.
    done: bool,
}

impl Browse {
    /// A browser of these queues.
    pub(crate) fn new(queues: Vec<(Key, u64)>) -> Self {
        Self { queues: queues.into(), band: BANDS - 1, after: 0, done: false }
    }

    fn next_queue(&mut self) {
        self.queues.pop_front();
        self.band = BANDS - 1;
        self.after = 0;
    }

    /// Whether it has seen the whole snapshot.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

impl Browse {
    /// Takes a queue that dies out of what is still to read; tells whether it was there.
    pub(crate) fn forget(&mut self, queue: Key) -> bool {
        let before = self.queues.len();
        if self.queues.front().is_some_and(|(first, _)| *first == queue) {
            (self.band, self.after) = (BANDS - 1, 0);
        }
        self.queues.retain(|(known, _)| *known != queue);
        self.queues.len() < before
    }
}

/// A message that a consumer has: by its place in the queue, the highest band first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    band: Reverse<usize>,
    sequence: u64,
    /// The consumer, and which of its deliveries it is.
    subscription: u32,
    position: usize,
}

/// What consumers of one queue have, in order. It holds as long as nothing but the browser moves.
#[derive(Debug, Default)]
struct Taken {
    queue: Option<Key>,
    places: VecDeque<Place>,
}

enum Seen {
    Message(Item),
    Paged {
        band: usize,
        position: usize,
    },
    /// As many as one step may examine, and nothing to show: it goes on with the next tick.
    Unfinished,
    Nothing,
}

impl Broker {
    /// Shows a browser more messages, as far as its credit goes.
    pub(crate) fn browse_on(&mut self, index: u32, step: &mut Step<'_>) {
        let mut budget = self.settings.examined_per_dispatch_max;
        let mut taken = Taken::default();
        loop {
            let subscription = &self.subscriptions[index];
            let Some(browse) = subscription.browse.as_deref() else { return };
            if browse.done || !subscription.started {
                return;
            }
            let Some(&(key, _)) = browse.queues.front() else {
                let event = Event::BrowseEnd { subscription: subscription.id };
                step.out.events.push((subscription.session, event));
                if let Some(browse) = &mut self.subscriptions[index].browse {
                    browse.done = true;
                }
                return;
            };
            if !subscription.has_credit() {
                return;
            }
            let Some(queue) = self.queues.find(key) else {
                self.skip_queue(index);
                continue;
            };
            if taken.queue != Some(key) {
                taken = self.taken(index, key, queue);
            }
            match self.look(index, &mut taken.places, &mut budget, step) {
                Seen::Message(item) => self.subscriptions[index].deliver(Source::Browse, item, true, false, step.out),
                Seen::Paged { band, position } => {
                    self.fetch_from(queue, band, position, step);
                    return self.wake_later(queue, index);
                }
                Seen::Unfinished => {
                    if !std::mem::replace(&mut self.queues[queue].unfinished, true) {
                        self.unfinished.push(queue);
                    }
                    return self.wake_later(queue, index);
                }
                Seen::Nothing => {}
            }
        }
    }

    /// The front queue of a browser is gone.
    fn skip_queue(&mut self, index: u32) {
        if let Some(browse) = &mut self.subscriptions[index].browse {
            browse.next_queue();
        }
    }

    fn wake_later(&mut self, queue: u32, browser: u32) {
        let waiting = &mut self.queues[queue].browsers;
        if !waiting.contains(&browser) {
            waiting.push(browser);
        }
    }

    /// Goes on with the browsers that waited for a message of a queue.
    pub(crate) fn wake_browsers(&mut self, queue: u32, step: &mut Step<'_>) {
        for browser in std::mem::take(&mut self.queues[queue].browsers) {
            // The index may be another's by now; then going on does it no harm.
            if self.subscriptions.get(browser).is_some_and(|subscription| !subscription.ended) {
                self.browse_on(browser, step);
            }
        }
    }

    /// What consumers of a queue have and a browser did not see. As many are looked at as they have: with a browser that
    /// has little credit, again and again. What an open transaction settled counts as gone, as does what nobody would
    /// give back.
    fn taken(&self, index: u32, key: Key, queue: u32) -> Taken {
        let Some(browse) = self.subscriptions[index].browse.as_deref() else { return Taken::default() };
        let seen = (Reverse(browse.band), browse.after);
        let mut places = Vec::new();
        if self.queues[queue].in_flight > 0 {
            for consumer in &self.queues[queue].consumers {
                let subscription = consumer.subscription;
                for (position, delivery) in self.subscriptions[subscription].unsettled.iter().enumerate() {
                    let (band, sequence) = (Reverse(usize::from(delivery.item.band)), delivery.item.sequence);
                    let is_open = matches!(delivery.status, Status::Open | Status::Working);
                    if is_open && delivery.source == Source::Queue(queue) && (band, sequence) > seen {
                        places.push(Place { band, sequence, subscription, position });
                    }
                }
            }
        }
        places.sort_unstable();
        Taken { queue: Some(key), places: places.into() }
    }

    /// The next message that a browser has not seen and wants; `Nothing` after the last of a queue.
    fn look(&mut self, index: u32, taken: &mut VecDeque<Place>, budget: &mut usize, step: &Step<'_>) -> Seen {
        let subscription = &mut self.subscriptions[index];
        let mut browse = subscription.browse.take().expect("only browsers look");
        let seen = self.look_with(index, &mut browse, taken, budget, step);
        self.subscriptions[index].browse = Some(browse);
        seen
    }

    fn look_with(
        &self,
        index: u32,
        browse: &mut Browse,
        taken: &mut VecDeque<Place>,
        budget: &mut usize,
        step: &Step<'_>,
    ) -> Seen {
        let subscription = &self.subscriptions[index];
        let Some(&(queue, end)) = browse.queues.front() else { return Seen::Nothing };
        let bands = self.queues.find(queue).map(|queue| &self.queues[queue].bands);
        while let Some(bands) = bands {
            let entries = &bands[browse.band];
            let mut position = entries.partition_point(|entry| entry.item.sequence <= browse.after);
            loop {
                let waiting = entries.get(position).filter(|entry| entry.item.sequence < end);
                let before = waiting.map_or(end, |entry| entry.item.sequence);
                let (item, message) = if let Some(found) = self.next_taken(taken, browse.band, before, step) {
                    found
                } else {
                    let Some(entry) = waiting else { break };
                    let item = &entry.item;
                    if !entry.is_live() || item.is_held(self.flushed) || item.is_expired(step.now.wall) {
                        position += 1;
                        continue;
                    }
                    let Some(message) = item.message.as_ref().filter(|_| entry.state == EntryState::Ready) else {
                        return Seen::Paged { band: browse.band, position };
                    };
                    position += 1;
                    (item, message)
                };
                if *budget == 0 {
                    return Seen::Unfinished;
                }
                browse.after = item.sequence;
                if subscription.wants_within(message, item.redeliveries, budget) {
                    return Seen::Message(Item { stored: None, lsn: Lsn(0), ..item.clone() });
                }
            }
            browse.after = 0;
            if browse.band == 0 {
                break;
            }
            browse.band -= 1;
        }
        browse.next_queue();
        Seen::Nothing
    }

    /// The next message of a band that a consumer has, if it comes before a sequence.
    fn next_taken(
        &self,
        taken: &mut VecDeque<Place>,
        band: usize,
        before: u64,
        step: &Step<'_>,
    ) -> Option<(&Item, &Arc<Message>)> {
        while let Some(place) = taken.pop_front_if(|place| place.band == Reverse(band) && place.sequence < before) {
            let item = &self.subscriptions[place.subscription].unsettled[place.position].item;
            if let Some(message) = item.message.as_ref().filter(|_| !item.is_expired(step.now.wall)) {
                return Some((item, message));
            }
        }
        None
    }
}
