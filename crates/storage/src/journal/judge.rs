//! Whether a record can be true after those before it. A checksum says that a record was written like this; a journal
//! that contradicts itself is damaged all the same, and nobody behind it has to cope with that.

use super::Location;
use crate::record::{Record, StoreDefinition, StoreId};
use ferrymq_model::{Destination, Xid};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Judge {
    queues: FxHashMap<Destination, StoreId>,
    numbers: FxHashMap<StoreId, Kind>,
    schedule: Option<StoreId>,
    prepared: BTreeMap<u64, Arc<Xid>>,
    xids: FxHashMap<Arc<Xid>, u64>,
    /// Branches that hold messages and that no record prepared so far, with the first of their messages.
    unknown: BTreeMap<u64, Location>,
}

/// What a store is for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Queue(Destination),
    /// Which one may change: it can be defined anew, under another number, before the unit that forgets it.
    Durable,
    Schedule,
}

impl Judge {
    /// Looks at the next record. The error says what is wrong with it.
    pub(super) fn see(&mut self, record: &Record, at: Location) -> Result<(), String> {
        match record {
            Record::Define { store, definition, next_sequence, .. } => self.define(*store, definition, *next_sequence),
            Record::Forget { store } => {
                if self.schedule == Some(*store) {
                    return Err("the schedule's store is forgotten".to_owned());
                }
                if let Some(Kind::Queue(queue)) = self.numbers.remove(store) {
                    self.queues.remove(&queue);
                }
                Ok(())
            }
            Record::Prepare(prepared) => self.prepare(prepared.branch, &prepared.xid),
            Record::Held { branch, .. } => {
                if !self.prepared.contains_key(branch) {
                    self.unknown.entry(*branch).or_insert(at);
                }
                Ok(())
            }
            Record::Dissolve { branch } => {
                self.unknown.remove(branch);
                if let Some(xid) = self.prepared.remove(branch) {
                    self.xids.remove(&xid);
                }
                Ok(())
            }
            Record::Store { .. }
            | Record::Place { .. }
            | Record::Remove { .. }
            | Record::Delivered { .. }
            | Record::Outcome { .. } => Ok(()),
        }
    }

    /// All records were seen. What a decided branch held may be left; what is held for one that is not decided belongs to
    /// one that was prepared.
    pub(super) fn end(&self) -> Result<(), (Location, String)> {
        match self.unknown.first_key_value() {
            None => Ok(()),
            Some((branch, at)) => {
                Err((*at, format!("a message is held for branch {branch}, which was never prepared")))
            }
        }
    }

    fn define(&mut self, store: StoreId, definition: &StoreDefinition, next_sequence: u64) -> Result<(), String> {
        if store.0 == u32::MAX || next_sequence == u64::MAX {
            return Err(format!("store {} is defined with the last number there is", store.0));
        }
        let (kind, known) = match definition {
            StoreDefinition::Queue(queue) if queue.kind.is_topic() => {
                return Err(format!("store {} is defined as a queue, and topic {} is none", store.0, queue.name));
            }
            StoreDefinition::Queue(queue) => (Kind::Queue(queue.clone()), self.queues.get(queue).copied()),
            StoreDefinition::Durable { .. } => (Kind::Durable, None),
            StoreDefinition::Schedule => (Kind::Schedule, self.schedule),
        };
        if let Some(known) = known.filter(|known| *known != store) {
            return Err(format!("{kind} is defined as store {} and as store {}", known.0, store.0));
        }
        match &kind {
            Kind::Queue(queue) => _ = self.queues.insert(queue.clone(), store),
            Kind::Durable => {}
            Kind::Schedule => self.schedule = Some(store),
        }
        match self.numbers.insert(store, kind.clone()) {
            Some(known) if known != kind => Err(format!("store {} is defined as {known} and as {kind}", store.0)),
            Some(_) | None => Ok(()),
        }
    }

    fn prepare(&mut self, branch: u64, xid: &Arc<Xid>) -> Result<(), String> {
        if branch == u64::MAX {
            return Err(format!("branch {xid} is prepared with the last number there is"));
        }
        match self.prepared.entry(branch) {
            Entry::Occupied(known) => {
                return Err(format!("branch {xid} is prepared as number {branch}, and so is branch {}", known.get()));
            }
            Entry::Vacant(vacant) => vacant.insert(Arc::clone(xid)),
        };
        if let Some(known) = self.xids.insert(Arc::clone(xid), branch) {
            return Err(format!("branch {xid} is prepared twice, as number {known} and {branch}"));
        }
        self.unknown.remove(&branch);
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {}", queue.name),
            Self::Durable => f.write_str("a durable subscription"),
            Self::Schedule => f.write_str("the schedule"),
        }
    }
}
