//! The seam below the journal: numbered segments of bytes. `os.rs` keeps them in files, the simulator in memory.

pub mod memory;
pub mod os;

use std::fmt;

/// Segments by number. Every method is synchronous; whoever calls may block.
pub trait Disk {
    /// Every segment that exists, ascending.
    ///
    /// # Errors
    /// The environment refused.
    fn list(&mut self) -> Result<Vec<u32>, DiskError>;

    /// Makes a segment of `size` zero bytes. It and its name are durable when this returns.
    ///
    /// # Errors
    /// The environment refused; nothing is there, or something that `list` shows and recovery recognises as empty.
    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError>;

    /// Writes within a segment. Not durable before `sync`; after a crash any part of it may be there.
    ///
    /// # Errors
    /// The environment refused: what is there now is not known.
    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes every write to a segment durable.
    ///
    /// # Errors
    /// The environment refused: final, never tried again.
    fn sync(&mut self, segment: u32) -> Result<(), DiskError>;

    /// Reads up to `into.len()` bytes; fewer at the end of the segment.
    ///
    /// # Errors
    /// The environment refused.
    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError>;

    /// A segment's length in bytes.
    ///
    /// # Errors
    /// The environment refused.
    fn size(&self, segment: u32) -> Result<u64, DiskError>;

    /// Deletes a segment, durably.
    ///
    /// # Errors
    /// The environment refused.
    fn delete(&mut self, segment: u32) -> Result<(), DiskError>;

    /// Whether the next `create` may find no space. What can still be written is what was reserved for emergencies.
    fn is_short_of_space(&self) -> bool {
        false
    }
}

/// An environment error of the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// No space left.
    Full,
    /// Anything else, in the system's words with the operation and the segment.
    Failed(String),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no space left on the disk"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}
