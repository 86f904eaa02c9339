//! The journal as a value: encodes records, places them in segments, and counts what still lives in each.

mod append;
mod batch;
mod catalogue;
mod judge;
pub(crate) mod layout;
mod outcomes;
mod producers;
mod read;
mod recover;
mod removals;
pub(crate) mod scan;
mod segments;

use crate::record::{Record, encode};
use append::OpenRecord;
use catalogue::Catalogue;
use segments::{Deletable, Segments};

pub use batch::{Batch, perform};
pub use outcomes::{HEURISTICS_MAX, OUTCOMES_MAX, Outcomes};
pub use producers::{PRODUCERS_MAX, ProducerSlot, Producers, ProducersFull};
pub use read::{Fetch, Fetched, Reader};
pub(crate) use recover::check;
pub use recover::{Apply, RecoverError, recover};

/// Log sequence number of a record: 1 is the first ever, then exactly one more each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lsn(pub u64);

/// Where a `Record::Store` lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Location {
    /// Segment number.
    pub segment: u32,
    /// Byte offset of the record in it.
    pub offset: u32,
}

/// Whether somebody waits for a unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// Somebody waits: the journal asks to be flushed.
    Awaited,
    /// Nobody waits: it rides with the next batch, at the latest with the next tick.
    Lazy,
}

/// How a journal is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalOptions {
    /// Bytes of a segment; one that must hold a larger message is larger. At least [`SEGMENT_BYTES_MIN`].
    pub segment_bytes: u32,
    /// The name that a new, empty store gets: unique and not guessable. One that exists keeps its own.
    pub new_store: [u8; 16],
    /// The epoch is one more than the last one on the disk, and at least this.
    pub epoch_min: u64,
}

/// Bytes of a segment unless something else is asked for.
pub const SEGMENT_BYTES_DEFAULT: u32 = 32 * 1024 * 1024;
/// The smallest segment, for tests that want many.
pub const SEGMENT_BYTES_MIN: u32 = 4096;

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT, new_store: [0; 16], epoch_min: 1 }
    }
}

/// The journal. Made by [`recover()`], from an empty disk too.
#[derive(Debug)]
pub struct Journal {
    options: JournalOptions,
    store: [u8; 16],
    seed: u32,
    epoch: u64,
    next_lsn: u64,
    flushed: Lsn,
    tail: Tail,
    segments: Segments,
    catalogue: Catalogue,
    /// What no batch has yet.
    pending: Batch,
    open_record: Option<OpenRecord>,
    unit_open: bool,
    /// Somebody waits for what is pending.
    awaited: bool,
    /// The last record says that all before it was durable.
    sealed: bool,
    /// A batch is out.
    out: bool,
    /// The last batch's buffers.
    spare: Batch,
    /// The segment in which the first pending record stands: every release since the last batch is noted from here on.
    pending_first_segment: u32,
    /// Segments from which something was released since the last batch.
    recently_released: Vec<u32>,
    short_of_space: bool,
    /// Producers of what the open unit placed and counts.
    placed_of: Vec<ProducerSlot>,
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    segment: u32,
    offset: u32,
    size: u32,
    last_crc: u32,
}

/// Records that become durable together or not at all. Contiguous in the journal; may span segments.
#[derive(Debug)]
pub struct Unit<'j> {
    journal: &'j mut Journal,
}

impl Journal {
    /// Starts a unit.
    pub fn begin(&mut self) -> Unit<'_> {
        assert!(!self.unit_open, "the unit before was not committed");
        self.unit_open = true;
        Unit { journal: self }
    }

    /// What this store is called, for ever: unique among all stores.
    #[must_use]
    pub fn store_name(&self) -> [u8; 16] {
        self.store
    }

    /// The last record appended.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        Lsn(self.next_lsn - 1)
    }

    /// Every record up to this one is durable.
    #[must_use]
    pub fn flushed_lsn(&self) -> Lsn {
        self.flushed
    }

    /// Up to which sequence messages of producers were taken.
    #[must_use]
    pub fn producers(&self) -> &Producers {
        &self.catalogue.producers
    }

    /// As `producers`, for those who come, go, and send what is not stored.
    pub fn producers_mut(&mut self) -> &mut Producers {
        &mut self.catalogue.producers
    }

    /// How transactions ended.
    #[must_use]
    pub fn outcomes(&self) -> &Outcomes {
        &self.catalogue.outcomes
    }

    /// As `outcomes`, for those that no record tells of.
    pub fn outcomes_mut(&mut self) -> &mut Outcomes {
        &mut self.catalogue.outcomes
    }

    /// The epoch: one more with each recovery.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The store's name.
    #[must_use]
    pub fn store(&self) -> [u8; 16] {
        self.store
    }

    /// Whether somebody waits for records that are in no batch yet.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.awaited
    }

    /// Whether the disk may have no room for another segment. Removals still find some; what can be refused should be.
    #[must_use]
    pub fn is_short_of_space(&self) -> bool {
        self.short_of_space
    }

    /// Time passed: what nobody waits for is asked to be flushed now. When the journal has come to rest, it is sealed
    /// with a last record, so that damage to what was written before can be told from an unfinished write.
    pub fn flush_lazy(&mut self) {
        assert!(!self.unit_open, "the unit before was not committed");
        if self.pending.records > 0 || self.segments.may_have_deletable() {
            self.awaited = true;
        } else if !self.out && (!self.sealed || self.short_of_space) {
            // While space is short, this also asks the disk again.
            self.append_seal();
            self.awaited = true;
        }
    }

    /// Whether `flush_lazy` has nothing to do until something is appended or released.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.pending.records == 0
            && !self.segments.may_have_deletable()
            && !self.out
            && self.sealed
            && !self.short_of_space
    }

    /// Everything appended and not yet taken. `None` while a batch is out, or when there is nothing.
    pub fn take_batch(&mut self) -> Option<Batch> {
        assert!(!self.unit_open, "the unit before was not committed");
        if self.out {
            return None;
        }
        let deletions = self.drop_segments();
        self.awaited = false;
        if self.pending.records == 0 {
            return None;
        }
        self.pending.steps.push(batch::Step::Sync { segment: self.tail.segment });
        self.pending.deletions = deletions;
        self.pending.last = self.last_lsn();
        self.out = true;
        self.pending_first_segment = self.tail.segment;
        self.recently_released.clear();
        Some(std::mem::replace(&mut self.pending, std::mem::take(&mut self.spare)))
    }

    /// The batch was performed: returns the new `flushed_lsn`, and keeps the batch's buffers.
    pub fn flushed(&mut self, mut batch: Batch) -> Lsn {
        assert!(self.out && batch.performed, "only a batch that is out and was performed is flushed");
        self.out = false;
        self.flushed = batch.last;
        self.short_of_space = batch.short_of_space;
        for segment in &batch.deletions {
            self.segments.remove(*segment);
        }
        batch.clear();
        self.spare = batch;
        self.flushed
    }

    /// Something that stood at this location left its store: once for each placement, in the same step as the record
    /// that says so, and before the next batch is taken. When the last thing in a segment did, the segment is deleted
    /// by a later batch.
    pub fn released(&mut self, at: Location) {
        self.segments.release(at.segment, self.pending_first_segment);
        if self.recently_released.last() != Some(&at.segment) && !self.recently_released.contains(&at.segment) {
            self.recently_released.push(at.segment);
        }
    }

    /// Bytes and number of segments.
    #[must_use]
    pub fn footprint(&self) -> (u64, u32) {
        self.segments.footprint()
    }

    /// Announces which segments go, and says again what is still needed of them.
    fn drop_segments(&mut self) -> Vec<u32> {
        let Deletable { segments, removals, refers } = self.segments.take_deletable();
        if segments.is_empty() {
            return segments;
        }
        let first = self.tail.segment;
        for (store, first, last) in removals {
            self.append(&Record::Remove { store, first, last });
        }
        self.append_own(|out| encode::dropped(&segments, out));
        self.segments.refer_from(first, &refers);
        segments
    }
}
