//! The journal as a value: encodes records, places them in segments, and counts what still lives in each.

use crate::disk::{Disk, DiskError};
use crate::record::{Placement, Record};
use ferrymq_model::{Dialects, Message};
use std::sync::Arc;

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

/// The journal.
#[derive(Debug)]
pub struct Journal {}

/// Records that become durable together or not at all. Contiguous in the journal; may span segments.
#[derive(Debug)]
pub struct Unit<'j> {
    journal: &'j mut Journal,
}

/// What a disk must do next: writes, creations, deletions and syncs in order. Buffers inside are reused.
#[derive(Debug)]
pub struct Batch {}

impl Journal {
    /// Starts a unit.
    pub fn begin(&mut self) -> Unit<'_> {
        Unit { journal: self }
    }

    /// The last record appended.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        todo!()
    }

    /// Every record up to this one is durable.
    #[must_use]
    pub fn flushed_lsn(&self) -> Lsn {
        todo!()
    }

    /// Whether somebody waits for records that are in no batch yet.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        todo!()
    }

    /// Everything appended and not yet taken. `None` while a batch is out, or when there is nothing.
    pub fn take_batch(&mut self) -> Option<Batch> {
        todo!()
    }

    /// The batch was performed: returns the new `flushed_lsn`, and keeps the batch's buffers.
    pub fn flushed(&mut self, batch: Batch) -> Lsn {
        let _ = batch;
        todo!()
    }

    /// Something that stood at this location left its store. When the last thing in a segment did, the segment is
    /// deleted by a later batch.
    pub fn released(&mut self, at: Location) {
        let _ = at;
        todo!()
    }

    /// Bytes and number of segments.
    #[must_use]
    pub fn footprint(&self) -> (u64, u32) {
        todo!()
    }
}

impl Unit<'_> {
    /// Adds a message with its places; the location is where `read_message` finds it.
    pub fn store(&mut self, message: &Message, placements: &[Placement]) -> Location {
        let _ = (&self.journal, message, placements);
        todo!()
    }

    /// Adds any other record. For a `Record::Remove`, call `Journal::released` for each message that left.
    pub fn add(&mut self, record: &Record) {
        let _ = record;
        todo!()
    }

    /// Ends the unit. A unit that is dropped without this is a bug of the caller and panics.
    pub fn commit(self, urgency: Urgency) -> Lsn {
        let _ = urgency;
        todo!()
    }
}

/// Carries a batch out on a disk. After an error the disk must not be used again.
///
/// # Errors
/// The environment refused.
pub fn perform(batch: &mut Batch, disk: &mut dyn Disk) -> Result<(), DiskError> {
    let _ = (batch, disk);
    todo!()
}

/// Reads a stored message back.
///
/// # Errors
/// The environment refused, or what is there is not the message that was written.
pub fn read_message(disk: &dyn Disk, at: Location, dialects: Dialects) -> Result<Arc<Message>, DiskError> {
    let _ = (disk, at, dialects);
    todo!()
}
