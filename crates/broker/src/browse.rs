//! Browsing: a look at the messages that wait in queues, without taking them.

use crate::broker::{Broker, Step};
use crate::queue::{BANDS, EntryState, Item};
use crate::subscription::Source;
use ferrymq_model::Event;
use ferrymq_storage::Lsn;
use std::collections::VecDeque;

/// How far a browser has read.
#[derive(Debug)]
pub(crate) struct Browse {
    /// Queues still to read, each with the first sequence that came after the snapshot.
    queues: VecDeque<(u32, u64)>,
    /// The band being read,
    band: usize,
    /// and the last sequence read in it.
    after: u64,
    /// Nothing more comes.
    done: bool,
}

impl Browse {
    /// A browser of these queues.
    pub(crate) fn new(queues: Vec<(u32, u64)>) -> Self {
        Self { queues: queues.into(), band: BANDS - 1, after: 0, done: false }
    }

    /// Whether it has seen the whole snapshot.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }
}

impl Browse {
    /// Takes a queue that dies out of what is still to read; tells whether it was there.
    pub(crate) fn forget(&mut self, queue: u32) -> bool {
        let before = self.queues.len();
        if self.queues.front().is_some_and(|(first, _)| *first == queue) {
            (self.band, self.after) = (BANDS - 1, 0);
        }
        self.queues.retain(|(known, _)| *known != queue);
        self.queues.len() < before
    }
}

enum Seen {
    Message(Item),
    Paged { band: usize, position: usize },
    Nothing,
}

impl Broker {
    /// Shows a browser more messages, as far as its credit goes.
    pub(crate) fn browse_on(&mut self, index: u32, step: &mut Step<'_>) {
        loop {
            let subscription = &self.subscriptions[index];
            let Some(browse) = subscription.browse.as_deref() else { return };
            if browse.done || !subscription.started {
                return;
            }
            let Some(&(queue, _)) = browse.queues.front() else {
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
            match self.look(index, step) {
                Seen::Message(item) => self.subscriptions[index].deliver(Source::Browse, item, true, false, step.out),
                Seen::Paged { band, position } => {
                    self.fetch_from(queue, band, position, step);
                    if !self.queues[queue].browsers.contains(&index) {
                        self.queues[queue].browsers.push(index);
                    }
                    return;
                }
                Seen::Nothing => {}
            }
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

    /// The next message that a browser has not seen and wants; `Nothing` after the last of a queue.
    fn look(&mut self, index: u32, step: &Step<'_>) -> Seen {
        let subscription = &mut self.subscriptions[index];
        let mut browse = subscription.browse.take().expect("only browsers look");
        let seen = self.look_with(index, &mut browse, step);
        self.subscriptions[index].browse = Some(browse);
        seen
    }

    fn look_with(&self, index: u32, browse: &mut Browse, step: &Step<'_>) -> Seen {
        let subscription = &self.subscriptions[index];
        let Some(&(queue, end)) = browse.queues.front() else { return Seen::Nothing };
        let bands = self.queues.get(queue).map(|queue| &queue.bands);
        while let Some(bands) = bands {
            let entries = &bands[browse.band];
            let start = entries.partition_point(|entry| entry.item.sequence <= browse.after);
            for (position, entry) in entries.iter().enumerate().skip(start) {
                let item = &entry.item;
                if item.sequence >= end {
                    break;
                }
                if !entry.is_live() || item.is_held(self.flushed) || item.is_expired(step.now.wall) {
                    continue;
                }
                let Some(message) = item.message.as_ref().filter(|_| entry.state == EntryState::Ready) else {
                    return Seen::Paged { band: browse.band, position };
                };
                browse.after = item.sequence;
                if subscription.wants(message, item.redeliveries) {
                    return Seen::Message(Item { stored: None, lsn: Lsn(0), ..item.clone() });
                }
            }
            browse.after = 0;
            if browse.band == 0 {
                break;
            }
            browse.band -= 1;
        }
        browse.queues.pop_front();
        browse.band = BANDS - 1;
        browse.after = 0;
        Seen::Nothing
    }
}
