//! From names to places: resolving addresses, making destinations, and carrying a message to every leaf.

use crate::broker::{Broker, Place, Step, journal_stopped, refusal};
use crate::queue::{Item, Queue, Role, band_of};
use crate::schedule::{NewJob, schedule_of};
use crate::topic::Topic;
use ferrymq_model::limits::{COMPOSITE_LEAVES_MAX, DESTINATION_NAME_BYTES_MAX};
use ferrymq_model::{Address, DeliveryMode, Destination, Message, Refusal, RefusalKind, SessionId};
use ferrymq_storage::{Journal, Location, Lsn, Placement, Record, StoreDefinition, StoreId, Unit, Urgency};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// A place with the leaf to show where that is not the message's own destination.
pub(crate) type Leaf = (Place, Option<Arc<Destination>>);

/// Where an address leads.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// To the one destination that messages name.
    One(Place),
    /// To several, or to others than messages name.
    Many(Arc<[Leaf]>),
    /// Nowhere, and why.
    Refused(Box<Refusal>),
    /// To the schedule: to see and change it.
    Management,
}

/// A message with its places in queues or in the schedule, before they have it.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Leaf, queue and sequence, in the order of the leaves.
    pub(crate) queues: Vec<(usize, u32, u64)>,
    /// Where the journal has it.
    pub(crate) stored: Option<Location>,
    /// Where the journal has it under another leaf's name, for durable subscriptions: they listen to many topics, and
    /// a restart learns from the stored message which one it was.
    pub(crate) stored_for_leaf: Vec<(usize, Location)>,
    /// What waits for its time instead.
    pub(crate) job: Option<NewJob>,
}

impl Planned {
    /// Of a message that goes nowhere.
    pub(crate) fn nothing() -> Self {
        Self { queues: Vec::new(), stored: None, stored_for_leaf: Vec::new(), job: None }
    }

    /// Where the journal has the message for a queue that it reaches by this leaf.
    fn stored_at(&self, leaf: usize, is_durable: bool) -> Option<Location> {
        let apart = self.stored_for_leaf.iter().find(|(index, _)| is_durable && *index == leaf);
        apart.map(|(_, at)| *at).or(self.stored)
    }
}

impl Broker {
    /// Resolves an address, making what is not there yet. A pattern leads to what exists now.
    pub(crate) fn resolve(&mut self, address: &Address) -> Route {
        if self.manages_schedule(address) {
            return Route::Management;
        }
        match self.resolve_leaves(address) {
            Err(refusal) => Route::Refused(Box::new(refusal)),
            Ok(leaves) => match leaves.as_slice() {
                [(place, None)] => Route::One(*place),
                _ => Route::Many(leaves.into()),
            },
        }
    }

    fn resolve_leaves(&mut self, address: &Address) -> Result<Vec<Leaf>, Refusal> {
        check_address(address)?;
        let mut leaves: Vec<Leaf> = Vec::with_capacity(address.leaves.len());
        for (index, leaf) in address.leaves.iter().enumerate() {
            if leaf.is_pattern() {
                for (name, place) in self.existing(leaf) {
                    self.add_leaf(place, Some(Arc::new(name.clone())), &name, &mut leaves);
                }
                continue;
            }
            let place = self.find_or_make(leaf)?;
            self.add_leaf(place, (index > 0).then(|| Arc::clone(leaf)), leaf, &mut leaves);
        }
        if leaves.len() > 1 {
            // What an address reaches by several ways gets one copy.
            let mut seen = FxHashSet::default();
            leaves.retain(|(place, _)| seen.insert(*place));
        }
        Ok(leaves)
    }

    /// Adds a place, and the queues that get a copy with it.
    pub(crate) fn add_leaf(
        &mut self,
        place: Place,
        shown: Option<Arc<Destination>>,
        name: &Destination,
        leaves: &mut Vec<Leaf>,
    ) {
        leaves.push((place, shown));
        self.add_virtual_queues(name, leaves);
    }

    /// Every destination that a pattern covers.
    pub(crate) fn existing(&self, pattern: &Destination) -> Vec<(Destination, Place)> {
        let covered = self.places.iter().filter(|(name, _)| pattern.covers(name));
        covered.map(|(name, place)| (name.clone(), *place)).collect()
    }

    /// The place of a name; made if it is not there. Temporary destinations are made by their owner alone.
    pub(crate) fn find_or_make(&mut self, destination: &Arc<Destination>) -> Result<Place, Refusal> {
        if let Some(place) = self.places.get(&**destination) {
            return Ok(*place);
        }
        if destination.kind.is_temporary() {
            let text = format!("Cannot publish to a deleted Destination: {destination}");
            return Err(refusal(RefusalKind::InvalidDestination, text));
        }
        self.make(destination, None)
    }

    /// Makes a destination.
    pub(crate) fn make(&mut self, destination: &Arc<Destination>, owner: Option<SessionId>) -> Result<Place, Refusal> {
        self.check_destinations()?;
        Ok(self.make_at(destination, owner))
    }

    /// Makes a destination beyond every limit.
    pub(crate) fn make_at(&mut self, destination: &Arc<Destination>, owner: Option<SessionId>) -> Place {
        let place = if destination.kind.is_topic() {
            let topic = self.topics.insert(Topic::new(Arc::clone(destination), owner));
            self.join_topic(topic);
            Place::Topic(topic)
        } else {
            let queue = self.queues.insert(Queue::new(Role::Queue(Arc::clone(destination)), owner));
            self.join_queue(queue);
            Place::Queue(queue)
        };
        self.places.insert((**destination).clone(), place);
        self.routes_version += 1;
        self.note_destination(destination, owner, true);
        place
    }

    /// Whether one more destination or durable subscription may exist.
    pub(crate) fn check_destinations(&self) -> Result<(), Refusal> {
        if self.queues.len() + self.topics.len() < self.settings.destinations_max {
            return Ok(());
        }
        let text = format!("the broker has its limit of {} destinations", self.settings.destinations_max);
        Err(refusal(RefusalKind::LimitReached, text))
    }

    /// Carries a message to the one destination that it names.
    pub(crate) fn publish_to(
        &mut self,
        session: SessionId,
        message: Arc<Message>,
        place: Place,
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let band = band_of(message.header.priority, self.settings.prioritized);
        match place {
            Place::Queue(queue) => {
                self.check_memory()?;
                self.check_room_of(queue)?;
                let is_stored = message.header.mode == DeliveryMode::Persistent && self.queues[queue].owner.is_none();
                let item = match is_stored {
                    true => self.store_in(session, queue, Item::new(message, band), awaited, step)?,
                    false => Item::new(message, band),
                };
                self.enqueue(queue, item, step);
                Ok(())
            }
            Place::Topic(topic) if self.topics[topic].durables.is_empty() => {
                self.check_memory()?;
                self.publish_live(topic, session, &Item::new(message, band), Lsn(0), step);
                Ok(())
            }
            Place::Topic(_) => self.publish(session, &message, &[(place, None)], awaited, step),
        }
    }

    /// Records a message that one queue keeps.
    fn store_in(
        &mut self,
        session: SessionId,
        queue: u32,
        mut item: Item,
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<Item, Refusal> {
        self.check_journal(step.journal)?;
        item.sequence = self.queues[queue].take_sequence();
        let mut unit = step.journal.begin();
        let placement = Placement { store: self.define(queue, &mut unit), sequence: item.sequence };
        let message = item.message.as_ref().expect("a message that is sent is here");
        item.stored = Some(self.put(message, &[placement], &mut unit));
        item.lsn = self.commit_send(session, unit, awaited);
        Ok(item)
    }

    /// Whether something may be made durable.
    pub(crate) fn check_journal(&self, journal: &Journal) -> Result<(), Refusal> {
        if self.failed {
            return Err(journal_stopped());
        }
        if journal.is_short_of_space() {
            return Err(no_space());
        }
        Ok(())
    }

    /// Ends the unit of what a session sent.
    fn commit_send(&mut self, session: SessionId, unit: Unit<'_>, awaited: bool) -> Lsn {
        let lsn = unit.commit(if awaited { Urgency::Awaited } else { Urgency::Lazy });
        self.note_lsn(session, lsn);
        if awaited {
            self.awaited = self.awaited.max(lsn);
        }
        lsn
    }

    /// Carries a message to every leaf, storing it once for all that must keep it.
    pub(crate) fn publish(
        &mut self,
        session: SessionId,
        message: &Arc<Message>,
        leaves: &[Leaf],
        awaited: bool,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        self.check_room(leaves)?;
        let mut unit = None;
        let planned = self.plan(session, message, leaves, &mut unit, step.journal)?;
        let lsn = unit.map(|unit| self.commit_send(session, unit, awaited));
        self.carry(session, message, leaves, &planned, (lsn.unwrap_or_default(), false), step);
        Ok(())
    }

    /// Gives a message its places and, where some of them are durable, puts it into the unit.
    pub(crate) fn plan<'j>(
        &mut self,
        session: SessionId,
        message: &Arc<Message>,
        leaves: &[Leaf],
        unit: &mut Option<Unit<'j>>,
        journal: &'j mut Journal,
    ) -> Result<Planned, Refusal> {
        let mut begun = Some(journal);
        self.plan_in(session, message, leaves, unit, &mut begun)
    }

    /// As `plan`, for several messages of one unit: the journal is taken when the first of them needs it.
    pub(crate) fn plan_in<'j>(
        &mut self,
        session: SessionId,
        message: &Arc<Message>,
        leaves: &[Leaf],
        unit: &mut Option<Unit<'j>>,
        journal: &mut Option<&'j mut Journal>,
    ) -> Result<Planned, Refusal> {
        if leaves.is_empty() && schedule_of(message).is_some() {
            if let Some(journal) = journal.take() {
                *unit = Some(journal.begin());
            }
            let unit = unit.as_mut().expect("it was begun when the journal was taken");
            return Ok(Planned { job: Some(self.store_job(message, unit)), ..Planned::nothing() });
        }
        let persistent = message.header.mode == DeliveryMode::Persistent;
        let mut queues: Vec<(usize, u32, u64)> = Vec::new();
        for (leaf, (place, _)) in leaves.iter().enumerate() {
            match *place {
                Place::Queue(queue) if !self.is_fed(queue, message) => {}
                Place::Queue(queue) => queues.push((leaf, queue, 0)),
                Place::Topic(topic) => self.durables_wanting(topic, session, message, |queue| {
                    queues.push((leaf, queue, 0));
                }),
            }
        }
        let must_store = persistent && queues.iter().any(|&(_, queue, _)| self.queues[queue].owner.is_none());
        if must_store && self.failed {
            return Err(journal_stopped());
        }
        if must_store && journal.as_ref().is_some_and(|journal| journal.is_short_of_space()) {
            return Err(no_space());
        }
        for (_, queue, sequence) in &mut queues {
            *sequence = self.queues[*queue].take_sequence();
        }
        let mut planned = Planned { queues, ..Planned::nothing() };
        if must_store {
            if let Some(journal) = journal.take() {
                *unit = Some(journal.begin());
            }
            let unit = unit.as_mut().expect("it was begun when the journal was taken");
            self.store(message, leaves, &mut planned, unit);
        }
        Ok(planned)
    }

    /// Puts a message with its durable places into the unit.
    fn store(&mut self, message: &Arc<Message>, leaves: &[Leaf], planned: &mut Planned, unit: &mut Unit<'_>) {
        let mut placements = Vec::with_capacity(planned.queues.len());
        let mut apart: Vec<(usize, Vec<Placement>)> = Vec::new();
        for &(leaf, queue, sequence) in &planned.queues {
            if self.queues[queue].owner.is_some() {
                continue;
            }
            let placement = Placement { store: self.define(queue, unit), sequence };
            if leaves[leaf].1.is_none() || matches!(self.queues[queue].role, Role::Queue(_)) {
                placements.push(placement);
            } else if let Some((_, placements)) = apart.iter_mut().find(|(index, _)| *index == leaf) {
                placements.push(placement);
            } else {
                apart.push((leaf, vec![placement]));
            }
        }
        if !placements.is_empty() {
            planned.stored = Some(self.place(message, &placements, unit));
        }
        for (leaf, placements) in apart {
            let mut named = Message::clone(message);
            named.header.destination = leaves[leaf].1.clone().expect("only leaves with a name of their own are apart");
            planned.stored_for_leaf.push((leaf, self.put(&named, &placements, unit)));
        }
    }

    /// Puts a message into the unit; one that a prepared branch sends is there already, unless that was long ago.
    fn place(&self, message: &Message, placements: &[Placement], unit: &mut Unit<'_>) -> Location {
        let Some((branch, held)) = self.holding.filter(|(_, held)| unit.can_place(*held)) else {
            return self.put(message, placements, unit);
        };
        match self.counting {
            Some(producer) => {
                unit.place_counted(branch, held, placements, (producer, message.header.id.sequence));
            }
            None => unit.place(branch, held, placements),
        }
        held
    }

    /// Puts a message into the unit; with its producer's sequence where that counts.
    pub(crate) fn put(&self, message: &Message, placements: &[Placement], unit: &mut Unit<'_>) -> Location {
        match self.counting {
            Some(producer) => unit.store_counted(message, placements, producer),
            None => unit.store(message, placements),
        }
    }

    /// Carries a planned message to every leaf. `held`: not to be delivered before the record is durable.
    pub(crate) fn carry(
        &mut self,
        session: SessionId,
        message: &Arc<Message>,
        leaves: &[Leaf],
        planned: &Planned,
        (lsn, held): (Lsn, bool),
        step: &mut Step<'_>,
    ) {
        if leaves.is_empty() {
            return self.carry_to_schedule(session, message, planned, lsn, step);
        }
        let mut item = Item::new(Arc::clone(message), band_of(message.header.priority, self.settings.prioritized));
        item.held = held;
        let mut planned_queues = planned.queues.iter().copied().peekable();
        for (index, (place, leaf)) in leaves.iter().enumerate() {
            item.leaf.clone_from(leaf);
            while let Some((_, queue, sequence)) = planned_queues.next_if(|&(leaf, _, _)| leaf == index) {
                let is_durable = matches!(self.queues[queue].role, Role::Durable(_));
                self.carry_one(queue, sequence, &item, planned.stored_at(index, is_durable), lsn, step);
            }
            match *place {
                Place::Queue(_) => {}
                Place::Topic(topic) => self.publish_live(topic, session, &item, lsn, step),
            }
        }
    }

    fn carry_one(
        &mut self,
        queue: u32,
        sequence: u64,
        item: &Item,
        stored: Option<Location>,
        lsn: Lsn,
        step: &mut Step<'_>,
    ) {
        let stored = stored.filter(|_| self.queues[queue].owner.is_none());
        let lsn = if stored.is_some() || item.held { lsn } else { Lsn(0) };
        self.enqueue(queue, Item { sequence, stored, lsn, ..item.clone() }, step);
    }

    /// The number of a queue in the journal, defining it there if it is new to it.
    pub(crate) fn define(&mut self, queue: u32, unit: &mut Unit<'_>) -> StoreId {
        let known = &mut self.queues[queue];
        if let Some(store) = known.store {
            return store;
        }
        let store = StoreId(self.next_store);
        self.next_store += 1;
        known.store = Some(store);
        let definition = match &known.role {
            Role::Queue(destination) => StoreDefinition::Queue((**destination).clone()),
            Role::Durable(durable) => StoreDefinition::Durable {
                client_id: Arc::clone(&durable.client_id),
                name: Arc::clone(&durable.name),
                shared: durable.shared,
                topics: durable.topics.clone(),
                selector: durable.selector_source.clone(),
                selector_converts_text: durable.selector_converts_text,
                no_local: durable.no_local,
            },
        };
        let (next_sequence, delivered) = (known.next_sequence, known.delivered_recorded);
        unit.add(&Record::Define { store, definition, next_sequence, delivered });
        self.stores.insert(store.0, queue);
        store
    }
}

/// The answer to persistent messages while the disk has no room for them. Settlements still find some, and make room.
pub(crate) fn no_space() -> Refusal {
    let text = "the disk is full: no persistent message is taken until there is room again";
    refusal(RefusalKind::LimitReached, text)
}

/// Whether an address keeps its limits.
pub(crate) fn check_address(address: &Address) -> Result<(), Refusal> {
    if address.leaves.is_empty() {
        return Err(refusal(RefusalKind::InvalidDestination, "an address needs a destination"));
    }
    if address.leaves.len() > COMPOSITE_LEAVES_MAX {
        let text = format!("an address has at most {COMPOSITE_LEAVES_MAX} destinations");
        return Err(refusal(RefusalKind::LimitReached, text));
    }
    match address.leaves.iter().find(|leaf| leaf.name.is_empty() || leaf.name.len() > DESTINATION_NAME_BYTES_MAX) {
        None => Ok(()),
        Some(_) => {
            let text = format!("a destination's name has 1 to {DESTINATION_NAME_BYTES_MAX} bytes");
            Err(refusal(RefusalKind::InvalidDestination, text))
        }
    }
}
