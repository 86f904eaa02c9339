//! What a step owes the journal beside sends: removals and moves to the dead-letter queue, in one unit.

use crate::broker::{Broker, Place, Step};
use crate::queue::{Item, band_of};
use ferrymq_model::{Destination, DestinationKind, Message, SessionId};
use ferrymq_storage::{Location, Lsn, Placement, Record, StoreId, Unit, Urgency};
use std::sync::Arc;

/// Collected while a step decides, recorded before it ends.
#[derive(Debug, Default)]
pub(crate) struct Work {
    removals: Vec<(StoreId, u64, u64)>,
    released: Vec<Location>,
    dead: Vec<Arc<Message>>,
    forgotten: Vec<StoreId>,
}

/// Dead messages with their places in the dead-letter queue, before it has them.
pub(crate) type Placed = Vec<(u32, Item)>;

impl Work {
    /// Whether there is nothing to record.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.removals.is_empty() && self.dead.is_empty() && self.forgotten.is_empty() && self.released.is_empty()
    }

    /// Whether there is nothing, or nothing but messages that left: what can be recorded with more of the same.
    #[inline]
    pub(crate) fn is_only_removals(&self) -> bool {
        self.dead.is_empty() && self.forgotten.is_empty()
    }

    /// A message goes to the dead-letter queue.
    pub(crate) fn bury(&mut self, message: Arc<Message>) {
        self.dead.push(message);
    }

    /// A store is gone with all it held.
    pub(crate) fn forget(&mut self, store: StoreId, held: impl Iterator<Item = Location>) {
        self.forgotten.push(store);
        self.released.extend(held);
    }
}

impl Broker {
    /// A message left its queue for good: the journal shall know, if it has it.
    pub(crate) fn remove_stored(&mut self, index: u32, item: &Item) {
        let Some(location) = item.stored else { return };
        let queue = &mut self.queues[index];
        queue.stored -= 1;
        let store = queue.store.expect("a queue that stores is defined");
        self.work.released.push(location);
        match self.work.removals.last_mut() {
            Some((last_store, _, last)) if *last_store == store && *last + 1 == item.sequence => *last = item.sequence,
            _ => self.work.removals.push((store, item.sequence, item.sequence)),
        }
    }

    /// Records what was collected as one unit, and puts dead messages into their queue.
    pub(crate) fn record_work(&mut self, awaited: bool, session: Option<SessionId>, step: &mut Step<'_>) {
        while !self.work.is_empty() {
            let (placed, lsn) = if self.failed {
                self.work.removals.clear();
                self.work.forgotten.clear();
                self.work.released.clear();
                // What the session asked for will never be durable: none of its confirmations may come any more.
                (self.place_dead(None), Lsn(u64::MAX))
            } else {
                let mut unit = step.journal.begin();
                let placed = self.write_work(&mut unit);
                (placed, unit.commit(if awaited { Urgency::Awaited } else { Urgency::Lazy }))
            };
            if awaited && !self.failed {
                self.awaited = self.awaited.max(lsn);
            }
            if let Some(session) = session {
                self.note_lsn(session, lsn);
            }
            self.finish_work(placed, lsn, false, step);
        }
    }

    /// Puts what was collected into a unit.
    pub(crate) fn write_work(&mut self, unit: &mut Unit<'_>) -> Placed {
        let placed = self.place_dead(Some(&mut *unit));
        for (store, first, last) in self.work.removals.drain(..) {
            unit.add(&Record::Remove { store, first, last });
        }
        for store in self.work.forgotten.drain(..) {
            unit.add(&Record::Forget { store });
        }
        placed
    }

    /// After the unit: tells the journal what it may let go, and puts dead messages into their queue.
    pub(crate) fn finish_work(&mut self, placed: Placed, lsn: Lsn, held: bool, step: &mut Step<'_>) {
        for location in self.work.released.drain(..) {
            step.journal.released(location);
        }
        for (queue, item) in placed {
            let lsn = if item.stored.is_some() || held { lsn } else { Lsn(0) };
            self.enqueue(queue, Item { lsn, held, ..item }, step);
        }
    }

    fn place_dead(&mut self, mut unit: Option<&mut Unit<'_>>) -> Placed {
        if self.work.dead.is_empty() {
            return Vec::new();
        }
        let queue = self.dead_letter_queue();
        let mut placed = Vec::with_capacity(self.work.dead.len());
        for message in std::mem::take(&mut self.work.dead) {
            let band = band_of(message.header.priority, self.settings.prioritized);
            let sequence = self.queues[queue].take_sequence();
            let stored = unit.as_deref_mut().map(|unit| {
                let store = self.define(queue, unit);
                unit.store(&message, &[Placement { store, sequence }])
            });
            placed.push((queue, Item { sequence, stored, ..Item::new(message, band) }));
        }
        placed
    }

    /// The dead-letter queue; made beyond every limit, because dead messages must not get lost.
    pub(crate) fn dead_letter_queue(&mut self) -> u32 {
        let destination =
            Destination { kind: DestinationKind::Queue, name: Arc::clone(&self.settings.dead_letter_queue) };
        match self.places.get(&destination) {
            Some(Place::Queue(queue)) => *queue,
            Some(Place::Topic(_)) => unreachable!("a queue's name leads to a queue"),
            None => match self.make_at(&Arc::new(destination), None) {
                Place::Queue(queue) => queue,
                Place::Topic(_) => unreachable!("a queue's name leads to a queue"),
            },
        }
    }
}
