//! What a segment's `Remove` records say, as ranges: enough to say it again elsewhere, so that one message that stays
//! does not hold every later segment.

use crate::record::StoreId;
use rustc_hash::FxHashMap;

/// Ranges that are remembered for a segment; with more, it waits until the segments it refers to are gone. They take
/// about 100 KB of memory, and 230 KB of the journal when they are said again.
const RANGES_MAX: usize = 4096;

/// Ranges of sequences that left their stores.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    stores: FxHashMap<StoreId, Vec<(u64, u64)>>,
    ranges: usize,
    too_many: bool,
}

impl Removals {
    pub(crate) fn add(&mut self, store: StoreId, first: u64, last: u64) {
        if self.too_many || first > last {
            return;
        }
        let ranges = self.stores.entry(store).or_default();
        if let Some(latest) = ranges.last_mut()
            && latest.1.checked_add(1) == Some(first)
        {
            latest.1 = last;
            return;
        }
        ranges.push((first, last));
        self.ranges += 1;
        if self.ranges > RANGES_MAX {
            self.merge();
            // Merging again and again for little would cost more than it gains.
            if self.ranges > RANGES_MAX / 2 {
                *self = Self { too_many: true, ..Self::default() };
            }
        }
    }

    /// Every range, merged and in order; `None`: there were too many.
    pub(crate) fn take(&mut self) -> Option<Vec<(StoreId, u64, u64)>> {
        if self.too_many {
            return None;
        }
        self.merge();
        let mut all: Vec<_> = std::mem::take(&mut self.stores)
            .into_iter()
            .flat_map(|(store, ranges)| ranges.into_iter().map(move |(first, last)| (store, first, last)))
            .collect();
        all.sort_unstable();
        self.ranges = 0;
        Some(all)
    }

    /// How many records it takes to say it again; `None`: there were too many.
    pub(crate) fn len(&mut self) -> Option<usize> {
        if self.too_many {
            return None;
        }
        self.merge();
        Some(self.ranges)
    }

    fn merge(&mut self) {
        self.ranges = 0;
        for ranges in self.stores.values_mut() {
            ranges.sort_unstable();
            ranges.dedup_by(|next, kept| {
                let joins = next.0 <= kept.1.saturating_add(1);
                if joins {
                    kept.1 = kept.1.max(next.1);
                }
                joins
            });
            self.ranges += ranges.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let mut removals = Removals::default();
        for (store, first, last) in [(1, 5, 6), (2, 1, 1), (1, 1, 2), (1, 3, 4), (1, 9, 9), (1, 5, 5), (2, 2, 2)] {
            removals.add(StoreId(store), first, last);
        }
        assert_eq!(removals.len(), Some(3));
        assert_eq!(removals.take(), Some(vec![(StoreId(1), 1, 6), (StoreId(1), 9, 9), (StoreId(2), 1, 2)]));
    }

    #[test]
    fn too_many_ranges_are_given_up() {
        let mut removals = Removals::default();
        for sequence in 0..=RANGES_MAX as u64 {
            removals.add(StoreId(1), sequence * 2, sequence * 2);
        }
        assert_eq!(removals.take(), None);
    }

    #[test]
    fn what_comes_out_of_order_is_merged_when_it_gets_long() {
        let mut removals = Removals::default();
        for pair in 0..100_000 {
            removals.add(StoreId(1), pair * 2 + 1, pair * 2 + 1);
            removals.add(StoreId(1), pair * 2, pair * 2);
        }
        assert_eq!(removals.take(), Some(vec![(StoreId(1), 0, 199_999)]));
    }
}
