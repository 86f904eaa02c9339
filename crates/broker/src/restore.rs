//! Recovery: the state from the journal's records, and the mark that tells what was delivered before a crash.

use crate::broker::{Broker, Place, Step};
use crate::queue::{Durable, Item, Role, band_of};
use crate::subscribe::parse_selector;
use ferrymq_model::{Message, Now};
use ferrymq_storage::{Location, Lsn, Placement, Record, StoreDefinition, StoreId};
use std::sync::Arc;

impl Broker {
    /// Recovery: takes a record. Messages in `released` left their store by it.
    ///
    /// # Errors
    /// Why it cannot be true after those before it. What the journal itself says of its records it has looked at.
    pub fn restore(&mut self, record: Record, at: Location, released: &mut Vec<Location>) -> Result<(), String> {
        match record {
            Record::Define { store, definition, next_sequence, delivered } => {
                if definition == StoreDefinition::Schedule {
                    self.next_store = self.next_store.max(store.0 + 1);
                    self.restore_schedule(store, next_sequence);
                } else {
                    self.restore_store(store, definition, next_sequence, delivered);
                }
            }
            Record::Forget { store } => self.restore_forget(store, released),
            Record::Store { message, placements } => self.restore_placed(&message, placements, at, released)?,
            Record::Remove { store, first, last } if Some(store) == self.jobs.store => {
                self.restore_jobs_removed(first, last, released);
            }
            Record::Remove { store, first, last } => self.restore_remove(store, first, last, released),
            Record::Delivered { store, through } => {
                if let Some(&index) = self.stores.get(&store.0) {
                    let queue = &mut self.queues[index];
                    queue.delivered = queue.delivered.max(through);
                    queue.delivered_recorded = queue.delivered;
                }
            }
            Record::Prepare(prepared) => self.restore_prepared(*prepared),
            Record::Held { branch, send } => self.restore_held(branch, at, *send),
            Record::Place { branch, held, placements } => {
                let sends = self.branches.restoring.get(&branch);
                match sends.and_then(|sends| sends.get(&held)).map(|send| Arc::clone(&send.message)) {
                    Some(message) => self.restore_placed(&message, placements, held, released)?,
                    None => released.extend(placements.iter().map(|_| held)),
                }
            }
            Record::Dissolve { branch } => self.restore_dissolved(branch),
            // The journal remembers these itself.
            Record::Outcome { .. } => {}
        }
        Ok(())
    }

    /// Recovery is over: what was delivered before counts as redelivered.
    pub fn restored(&mut self, _now: Now) {
        self.restored_schedule();
        self.restored_branches();
        self.advisories.forget_noted();
        for index in 0..self.queues.capacity() {
            if self.queues.get(index).is_none() {
                continue;
            }
            let queue = &mut self.queues[index];
            let delivered = queue.delivered;
            for entries in &mut queue.bands {
                for entry in entries.iter_mut().take_while(|entry| entry.item.sequence <= delivered) {
                    entry.item.redeliveries = entry.item.redeliveries.max(1);
                }
            }
        }
    }

    fn restore_store(&mut self, store: StoreId, definition: StoreDefinition, next_sequence: u64, delivered: u64) {
        let known = self.stores.get(&store.0).copied();
        let index = known.unwrap_or_else(|| {
            let index = self.restore_definition(definition);
            self.stores.insert(store.0, index);
            index
        });
        self.next_store = self.next_store.max(store.0 + 1);
        let queue = &mut self.queues[index];
        assert!(queue.store.is_none_or(|known| known == store), "store {} is defined under two numbers", store.0);
        queue.store = Some(store);
        queue.next_sequence = queue.next_sequence.max(next_sequence);
        queue.delivered = queue.delivered.max(delivered);
        queue.delivered_recorded = queue.delivered;
    }

    fn restore_definition(&mut self, definition: StoreDefinition) -> u32 {
        match definition {
            StoreDefinition::Queue(destination) => {
                let destination = Arc::new(destination);
                let place = self.places.get(&*destination).copied();
                match place.unwrap_or_else(|| self.make_at(&destination, None)) {
                    Place::Queue(queue) => queue,
                    Place::Topic(_) => unreachable!("a queue's name leads to a queue"),
                }
            }
            StoreDefinition::Schedule => unreachable!("the schedule is no queue"),
            StoreDefinition::Durable {
                client_id,
                name,
                topics,
                selector,
                selector_converts_text,
                no_local,
                shared,
            } => {
                for topic in topics.iter().filter(|topic| !topic.is_pattern()) {
                    if !self.places.contains_key(topic) {
                        self.make_at(&Arc::new(topic.clone()), None);
                    }
                }
                // A selector that this version cannot read any more selects everything: better than losing messages.
                let parsed = parse_selector(selector.as_deref(), selector_converts_text).ok().flatten();
                self.add_durable(Durable {
                    client_id,
                    name,
                    shared,
                    topics,
                    selector: parsed,
                    selector_source: selector,
                    selector_converts_text,
                    no_local,
                    listener: None,
                    attached: Vec::new(),
                })
            }
        }
    }

    fn restore_forget(&mut self, store: StoreId, released: &mut Vec<Location>) {
        let Some(index) = self.stores.get(&store.0).copied() else { return };
        let entries = self.queues[index].bands.iter().flatten().filter(|entry| entry.is_live());
        released.extend(entries.filter_map(|entry| entry.item.stored));
        self.restore_remove_locked(index, 0, u64::MAX, released);
        match &self.queues[index].role {
            Role::Durable(_) => self.remove_durable(index),
            Role::Queue(destination) => {
                self.places.remove(&**destination);
                self.remove_queue(index);
            }
        }
        // The records are there already.
        self.work = crate::work::Work::default();
    }

    fn restore_placed(
        &mut self,
        message: &Arc<Message>,
        placements: Vec<Placement>,
        at: Location,
        released: &mut Vec<Location>,
    ) -> Result<(), String> {
        for placement in placements {
            if Some(placement.store) == self.jobs.store {
                self.restore_job(message, placement.sequence, at, released);
            } else {
                self.restore_message(message, placement, at, released)?;
            }
        }
        Ok(())
    }

    fn restore_message(
        &mut self,
        message: &Arc<Message>,
        placement: Placement,
        at: Location,
        released: &mut Vec<Location>,
    ) -> Result<(), String> {
        let Some(index) = self.stores.get(&placement.store.0).copied() else {
            released.push(at);
            return Ok(());
        };
        if placement.sequence < self.queues[index].next_sequence && self.is_restored(index, placement.sequence) {
            return Err(format!("message {} of store {} is there already", placement.sequence, placement.store.0));
        }
        let mut item = Item::new(Arc::clone(message), band_of(message.header.priority, self.settings.prioritized));
        item.sequence = placement.sequence;
        item.stored = Some(at);
        item.lsn = Lsn(0);
        let queue = &self.queues[index];
        if let Role::Queue(destination) = &queue.role
            && **destination != *message.header.destination
        {
            item.leaf = Some(Arc::clone(destination));
        }
        if !self.keeps_restored(index) {
            item.message = None;
        }
        let resident = item.resident();
        let queue = &mut self.queues[index];
        queue.next_sequence = queue.next_sequence.max(item.sequence + 1);
        queue.stored += 1;
        queue.grouped |= message.annotations().is_some_and(|annotations| annotations.group.is_some());
        queue.memory += resident;
        self.memory += resident;
        if let Some(expiration) = item.expiration {
            self.expirations.insert((expiration.0, index, item.sequence));
        }
        self.queues[index].insert(item);
        Ok(())
    }

    /// Whether a queue, or a prepared branch, has a message of this number.
    fn is_restored(&self, queue: u32, sequence: u64) -> bool {
        self.queues[queue].find(sequence).is_some() || self.is_locked_restored(queue, sequence)
    }

    fn restore_remove(&mut self, store: StoreId, first: u64, last: u64, released: &mut Vec<Location>) {
        let Some(index) = self.stores.get(&store.0).copied() else { return };
        for band in 0..crate::queue::BANDS {
            loop {
                let entries = &self.queues[index].bands[band];
                let Some(front) = entries.front() else { break };
                // The oldest goes first, nearly always.
                let start = match front.item.sequence >= first {
                    true => 0,
                    false => entries.partition_point(|entry| entry.item.sequence < first),
                };
                let found = entries.iter().enumerate().skip(start).find(|(_, entry)| entry.is_live());
                let Some((position, _)) = found.filter(|(_, entry)| entry.item.sequence <= last) else { break };
                let item = self.take(index, band, position);
                let queue = &mut self.queues[index];
                queue.stored -= 1;
                queue.memory -= item.resident();
                self.memory -= item.resident();
                released.extend(item.stored);
            }
        }
        self.restore_remove_locked(index, first, last, released);
    }

    /// Tells the journal up to where queues delivered, for what is still in them.
    pub(crate) fn mark_delivered(&mut self, step: &mut Step<'_>) {
        if self.unmarked.is_empty() || self.failed {
            return;
        }
        let mut unit = None;
        let mut journal = Some(&mut *step.journal);
        for index in self.unmarked.drain(..) {
            let queue = &mut self.queues[index];
            queue.delivered_recorded = queue.delivered;
            let (Some(store), true) = (queue.store, queue.stored > 0) else { continue };
            if let Some(journal) = journal.take() {
                unit = Some(journal.begin());
            }
            let unit = unit.as_mut().expect("it was begun when the journal was taken");
            unit.add(&Record::Delivered { store, through: queue.delivered });
        }
        if let Some(unit) = unit {
            unit.commit(ferrymq_storage::Urgency::Lazy);
        }
    }
}
