//! The marshal cache: ids and destinations that were sent once are named by a number afterwards.
//!
//! Each direction has its own. The writer gives out slots round robin and frees the oldest before a frame when fewer
//! than [`CACHE_FREE_ENTRIES`] are left; the reader stores what it is told to. Null is an object like any other.

use crate::codec::CodecError;
use crate::codec::ids::{Cacheable, ObjectId};
use crate::codec::table::Structure;
use crate::limits::{CACHE_ENTRIES_MAX, CACHE_FREE_ENTRIES, DECODE_CACHE_BYTES_MAX};
use std::collections::{HashMap, VecDeque};

#[cfg(test)]
mod tests;

/// What one slot of the reader holds.
#[derive(Clone, Debug, Default)]
enum Slot {
    #[default]
    Never,
    Holds(Option<ObjectId>),
}

/// The reader's side.
#[derive(Debug)]
pub(crate) struct DecodeCache {
    size: usize,
    /// Grows to the highest slot that was used.
    slots: Vec<Slot>,
    retained_bytes: usize,
    /// How often something was stored: until the next time every slot holds what it held. Count.
    stores: u64,
}

impl DecodeCache {
    pub(crate) fn new(size: u16) -> Self {
        Self { size: usize::from(size.min(CACHE_ENTRIES_MAX)), slots: Vec::new(), retained_bytes: 0, stores: 0 }
    }

    /// Remembers `object` in slot `index`; −1 says that the writer had none free.
    pub(crate) fn store(&mut self, index: i16, object: Option<ObjectId>) -> Result<(), CodecError> {
        self.stores += 1;
        if index == -1 {
            return Ok(());
        }
        let at = usize::try_from(index).map_err(|_| CodecError::CacheIndex(index))?;
        if at >= self.size {
            return Err(CodecError::CacheIndex(index));
        }
        if at >= self.slots.len() {
            self.slots.resize(at + 1, Slot::Never);
        }
        let before = std::mem::take(&mut self.slots[at]);
        self.retained_bytes -= cost(&before);
        let after = Slot::Holds(object);
        self.retained_bytes += cost(&after);
        if self.retained_bytes > DECODE_CACHE_BYTES_MAX {
            return Err(CodecError::CacheFull);
        }
        self.slots[at] = after;
        Ok(())
    }

    pub(crate) fn stores(&self) -> u64 {
        self.stores
    }

    /// What slot `index` holds.
    pub(crate) fn get(&self, index: i16) -> Result<&Option<ObjectId>, CodecError> {
        let slot = usize::try_from(index).ok().and_then(|at| self.slots.get(at));
        match slot {
            Some(Slot::Holds(object)) => Ok(object),
            Some(Slot::Never) | None => Err(CodecError::CacheIndex(index)),
        }
    }
}

fn cost(slot: &Slot) -> usize {
    match slot {
        Slot::Never | Slot::Holds(None) => 0,
        Slot::Holds(Some(object)) => object.retained_bytes(),
    }
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct EncodeCache {
    size: usize,
    index: HashMap<ObjectId, i16>,
    /// Live entries in the order of their slots: the front one is freed next.
    oldest: VecDeque<Option<ObjectId>>,
    /// The slot given out next.
    next: usize,
    /// Entries of the frame that is being written, to take back if it cannot be.
    added: usize,
    /// What was found last of each type, by [`memo_place`]: a connection mostly repeats itself.
    memo: Vec<Option<(ObjectId, i16)>>,
    /// The slot of null, which most fields of most commands are.
    null: Option<i16>,
    /// How many entries were forgotten: until the next one every slot holds what it held. Count.
    evictions: u64,
}

/// Type codes of cached objects have each a place of their own.
fn memo_place(type_code: u8) -> usize {
    usize::from(type_code) % MEMO_PLACES
}

const MEMO_PLACES: usize = 16;

impl EncodeCache {
    pub(crate) fn new(size: u16) -> Self {
        let size = usize::from(size.min(CACHE_ENTRIES_MAX));
        let (index, oldest) = (HashMap::new(), VecDeque::new());
        Self { size, index, oldest, next: 0, added: 0, memo: Vec::new(), null: None, evictions: 0 }
    }

    /// Before each frame: frees the oldest slots.
    pub(crate) fn begin_frame(&mut self) {
        self.added = 0;
        while self.oldest.len() > self.size.saturating_sub(CACHE_FREE_ENTRIES) {
            if let Some(object) = self.oldest.pop_front() {
                self.forget(&object);
            }
        }
    }

    /// The slot that the reader has for `value`.
    pub(crate) fn find<T: Cacheable>(&mut self, value: Option<&T>) -> Option<i16> {
        let Some(value) = value else { return self.null };
        let place = memo_place(value.type_code());
        if let Some(Some((object, slot))) = self.memo.get(place)
            && value.is_object(object)
        {
            return Some(*slot);
        }
        let object = value.to_object();
        let slot = *self.index.get(&object)?;
        self.memo.resize(MEMO_PLACES, None);
        self.memo[place] = Some((object, slot));
        Some(slot)
    }

    /// A new slot for `object`, or −1 when all are taken.
    pub(crate) fn add(&mut self, object: Option<ObjectId>) -> i16 {
        if self.oldest.len() >= self.size {
            return -1;
        }
        let slot = i16::try_from(self.next).expect("the size of the cache is bounded by i16::MAX");
        self.next = (self.next + 1) % self.size;
        match &object {
            None => self.null = Some(slot),
            Some(id) => drop(self.index.insert(id.clone(), slot)),
        }
        self.oldest.push_back(object);
        self.added += 1;
        slot
    }

    /// The frame was not written: the reader never saw its objects.
    pub(crate) fn abandon_frame(&mut self) {
        for _ in 0..self.added {
            let object = self.oldest.pop_back().expect("the frame's entries are the newest ones");
            self.forget(&object);
            self.next = (self.next + self.size - 1) % self.size;
        }
        self.added = 0;
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Whether the frame at hand told the reader of new objects.
    pub(crate) fn has_added(&self) -> bool {
        self.added > 0
    }

    fn forget(&mut self, object: &Option<ObjectId>) {
        self.evictions += 1;
        let Some(id) = object else {
            self.null = None;
            return;
        };
        self.index.remove(id);
        if let Some(memo) = self.memo.get_mut(memo_place(Structure::type_code(id)))
            && memo.as_ref().is_some_and(|(known, _)| known == id)
        {
            *memo = None;
        }
    }
}
