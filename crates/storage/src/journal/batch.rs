//! What a disk must do next, and how it is done.

use super::Lsn;
use crate::disk::{Disk, DiskError};
use bytes::Bytes;

/// Buffers larger than this are given back after a burst instead of being kept. Bytes.
const BUFFER_KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a disk must do next: writes, creations, deletions and syncs in order. Buffers inside are reused.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) steps: Vec<Step>,
    pub(crate) buffer: Vec<u8>,
    /// Segments that are deleted once the rest is durable.
    pub(crate) deletions: Vec<u32>,
    /// The last record in it.
    pub(crate) last: Lsn,
    /// Records in it.
    pub(crate) records: u64,
    /// Bytes in it, with the bodies that lie outside the buffer.
    pub(crate) bytes: u64,
    /// What the disk said about space.
    pub(crate) short_of_space: bool,
    pub(crate) performed: bool,
}

#[derive(Debug)]
pub(crate) enum Step {
    Create {
        segment: u32,
        size: u32,
    },
    /// Bytes `from..to` of the buffer.
    Write {
        segment: u32,
        offset: u32,
        from: usize,
        to: usize,
    },
    /// A large body, from where it lies.
    Body {
        segment: u32,
        offset: u32,
        body: Bytes,
    },
    Sync {
        segment: u32,
    },
}

impl Batch {
    /// The last record that is durable once this is performed.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        self.last
    }

    /// Bytes to write.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records to write.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Notes that buffer bytes `from..to` go to `offset`; joins what is contiguous.
    pub(crate) fn write(&mut self, at_segment: u32, at: u32, start: usize, end: usize) {
        if let Some(Step::Write { segment, offset, from, to }) = self.steps.last_mut()
            && *segment == at_segment
            && *to == start
            && *offset as usize + (*to - *from) == at as usize
        {
            *to = end;
        } else {
            self.steps.push(Step::Write { segment: at_segment, offset: at, from: start, to: end });
        }
        self.bytes += (end - start) as u64;
    }

    /// Makes it empty, keeping its buffers where they are not oversized.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.deletions.clear();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES_MAX);
        self.records = 0;
        self.bytes = 0;
        self.performed = false;
    }
}

/// Carries a batch out on a disk. After an error the disk must not be used again.
///
/// # Errors
/// The environment refused.
pub fn perform(batch: &mut Batch, disk: &mut dyn Disk) -> Result<(), DiskError> {
    for step in &batch.steps {
        match step {
            Step::Create { segment, size } => disk.create(*segment, u64::from(*size))?,
            Step::Write { segment, offset, from, to } => {
                disk.write(*segment, u64::from(*offset), &batch.buffer[*from..*to])?;
            }
            Step::Body { segment, offset, body } => disk.write(*segment, u64::from(*offset), body)?,
            Step::Sync { segment } => disk.sync(*segment)?,
        }
    }
    for segment in &batch.deletions {
        disk.delete(*segment)?;
    }
    batch.short_of_space = disk.is_short_of_space();
    batch.performed = true;
    Ok(())
}
