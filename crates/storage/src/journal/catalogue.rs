//! What every store is and how far it came, which branches are prepared, and what is remembered of producers and of
//! transactions: written at the head of each segment, so that older ones can go.

use super::outcomes::Outcomes;
use super::producers::Producers;
use crate::record::{Placement, Record, StoreDefinition, StoreId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) definition: StoreDefinition,
    pub(crate) next_sequence: u64,
    pub(crate) delivered: u64,
}

/// The stores, kept up to date from the records that pass.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    stores: FxHashMap<StoreId, Entry>,
    /// Prepared branches that are not decided, and the segment of each record that holds a part of one.
    pub(crate) branches: BTreeMap<u64, Vec<u32>>,
    pub(crate) producers: Producers,
    pub(crate) outcomes: Outcomes,
}

impl Catalogue {
    pub(crate) fn stored(&mut self, placements: &[Placement]) {
        for placement in placements {
            if let Some(entry) = self.stores.get_mut(&placement.store) {
                entry.next_sequence = entry.next_sequence.max(placement.sequence + 1);
            }
        }
    }

    pub(crate) fn see(&mut self, record: &Record) {
        match record {
            Record::Define { store, definition, next_sequence, delivered } => {
                let entry =
                    Entry { definition: definition.clone(), next_sequence: *next_sequence, delivered: *delivered };
                if let Some(known) = self.stores.insert(*store, entry) {
                    let entry = self.stores.get_mut(store).expect("it was inserted a line above");
                    entry.next_sequence = entry.next_sequence.max(known.next_sequence);
                    entry.delivered = entry.delivered.max(known.delivered);
                }
            }
            Record::Forget { store } => {
                self.stores.remove(store);
            }
            Record::Store { placements, .. } | Record::Place { placements, .. } => self.stored(placements),
            // The sequences were given out by `Store` records or by an earlier catalogue.
            Record::Remove { .. } => {}
            Record::Delivered { store, through } => {
                if let Some(entry) = self.stores.get_mut(store) {
                    entry.delivered = entry.delivered.max(*through);
                }
            }
            // Who places or reads these knows more of them: where they lie.
            Record::Prepare(_) | Record::Held { .. } | Record::Dissolve { .. } | Record::Outcome { .. } => {}
        }
    }

    /// `last`, or the last sequence that the store has given out where that is less: a removal says nothing about
    /// messages that come later.
    pub(crate) fn last_given(&self, store: StoreId, last: u64) -> u64 {
        self.stores.get(&store).map_or(last, |entry| last.min(entry.next_sequence.saturating_sub(1)))
    }

    /// Every store in ascending order of its number: the same records always give the same bytes.
    pub(crate) fn sorted(&self) -> Vec<(StoreId, Entry)> {
        let mut stores: Vec<_> = self.stores.iter().map(|(store, entry)| (*store, entry.clone())).collect();
        stores.sort_unstable_by_key(|(store, _)| *store);
        stores
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = StoreId> + '_ {
        self.stores.keys().copied()
    }
}
