//! Which destinations the connection sends to. STOMP has no producers; a bounded cache makes them.

use ferrymq_model::limits::PRODUCERS_PER_SESSION_MAX;
use ferrymq_model::{Destination, ProducerId, Request};
use std::collections::HashMap;
use std::sync::Arc;

/// One destination header that was used.
#[derive(Clone, Debug)]
pub(super) struct Producer {
    pub(super) id: ProducerId,
    /// The first leaf.
    pub(super) destination: Arc<Destination>,
}

#[derive(Debug)]
struct Slot {
    header: Box<[u8]>,
    producer: Producer,
    /// Used since the hand last passed.
    is_used: bool,
}

/// From a destination header's raw bytes to a producer. Full: the one that was not used for longest, roughly, goes.
#[derive(Debug, Default)]
pub(super) struct Producers {
    slots: Vec<Slot>,
    by_header: HashMap<Box<[u8]>, usize>,
    /// The slot used last: mostly the next one too.
    last: usize,
    /// Where the search for a slot to give up goes on.
    hand: usize,
    next_id: u32,
}

impl Producers {
    /// The producer of this header, if it is known.
    #[inline]
    pub(super) fn find(&mut self, header: &[u8]) -> Option<&Producer> {
        if self.slots.get(self.last).is_none_or(|slot| *slot.header != *header) {
            self.last = *self.by_header.get(header)?;
        }
        let slot = &mut self.slots[self.last];
        slot.is_used = true;
        Some(&slot.producer)
    }

    /// Makes a producer; the caller asks `AddProducer` for it after what is pushed here.
    pub(super) fn add(
        &mut self,
        header: &[u8],
        destination: Arc<Destination>,
        requests: &mut Vec<Request>,
    ) -> ProducerId {
        let id = ProducerId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let slot = Slot { header: Box::from(header), producer: Producer { id, destination }, is_used: true };
        let at = if self.slots.len() < PRODUCERS_PER_SESSION_MAX {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.victim();
            let old = std::mem::replace(&mut self.slots[at], slot);
            self.by_header.remove(&old.header);
            requests.push(Request::RemoveProducer { producer: old.producer.id });
            at
        };
        self.by_header.insert(Box::from(header), at);
        self.last = at;
        id
    }

    /// The broker refused a send of it: it is named anew next time.
    pub(super) fn forget(&mut self, producer: ProducerId, requests: &mut Vec<Request>) {
        let Some(at) = self.slots.iter().position(|slot| slot.producer.id == producer) else {
            return;
        };
        let old = self.slots.swap_remove(at);
        self.by_header.remove(&old.header);
        if let Some(moved) = self.slots.get(at) {
            self.by_header.insert(moved.header.clone(), at);
        }
        self.hand = 0;
        requests.push(Request::RemoveProducer { producer });
    }

    pub(super) fn forget_all(&mut self, requests: &mut Vec<Request>) {
        self.by_header.clear();
        self.hand = 0;
        requests.extend(self.slots.drain(..).map(|slot| Request::RemoveProducer { producer: slot.producer.id }));
    }

    /// The next slot that was not used since the hand passed it.
    fn victim(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            if !std::mem::replace(&mut self.slots[at].is_used, false) {
                return at;
            }
        }
    }
}
