//! Segments in memory: for tests, and for a broker that is meant to forget.

use super::{Disk, DiskError};
use std::collections::BTreeMap;

/// Segments in memory. Everything written is there at once; nothing survives the value.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    segments: BTreeMap<u32, Vec<u8>>,
}

impl MemoryDisk {
    /// A disk with nothing on it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A segment's bytes, to be looked at or damaged.
    pub fn segment_mut(&mut self, segment: u32) -> Option<&mut Vec<u8>> {
        self.segments.get_mut(&segment)
    }

    fn get(&self, segment: u32) -> Result<&Vec<u8>, DiskError> {
        self.segments.get(&segment).ok_or_else(|| missing(segment))
    }
}

fn missing(segment: u32) -> DiskError {
    DiskError::Failed(format!("segment {segment} does not exist"))
}

impl Disk for MemoryDisk {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        Ok(self.segments.keys().copied().collect())
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        let size = usize::try_from(size).map_err(|_| DiskError::Full)?;
        self.segments.insert(segment, vec![0; size]);
        Ok(())
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let target = self.segments.get_mut(&segment).ok_or_else(|| missing(segment))?;
        let offset = usize::try_from(offset).map_err(|_| DiskError::Full)?;
        let range = target.get_mut(offset..offset + bytes.len());
        range.ok_or_else(|| DiskError::Failed(format!("a write leaves segment {segment}")))?.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        self.get(segment).map(|_| ())
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let source = self.get(segment)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(source.len());
        let len = into.len().min(source.len() - start);
        into[..len].copy_from_slice(&source[start..start + len]);
        Ok(len)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.get(segment).map(|bytes| bytes.len() as u64)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.segments.remove(&segment).map(|_| ()).ok_or_else(|| missing(segment))
    }
}
