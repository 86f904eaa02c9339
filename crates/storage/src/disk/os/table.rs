//! The segments' files: which exist, how long they are, and handles to some of them.

use super::super::DiskError;
use super::{failed, write_zeros};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are kept open at a time: a journal may have more segments than a process may have files.
const OPEN_FILES_MAX: usize = 64;
/// How much is zeroed at a time. Bytes.
pub(super) const ZERO_STEP: u64 = 1024 * 1024;

/// An open segment.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    size: u64,
    /// Zeros are on the disk, or will be with the next sync, up to here. Changes under `zeroing` alone.
    zeroed: AtomicU64,
    zeroing: Mutex<()>,
}

impl SegmentFile {
    /// A file that needs no preparation.
    pub(super) fn prepared(file: File, size: u64) -> Self {
        Self { file, size, zeroed: AtomicU64::new(size), zeroing: Mutex::new(()) }
    }

    /// A new file with its space reserved and its first bytes zeroed.
    pub(super) fn reserve(path: &Path, size: u64) -> Result<Self, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| failed("making", path, &error))?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size) {
            Ok(()) => {}
            // The file system cannot reserve: the file is as long, and its space is found when it is written.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                file.set_len(size).map_err(|error| failed("making", path, &error))?;
            }
            Err(error) => return Err(failed("making", path, &error.into())),
        }
        let reserved = Self { file, size, zeroed: AtomicU64::new(0), zeroing: Mutex::new(()) };
        reserved.zero_step().map_err(|error| failed("zeroing", path, &error))?;
        Ok(reserved)
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Zeroes a little more; says whether there is more to do.
    pub(super) fn zero_step(&self) -> io::Result<bool> {
        let _guard = lock(&self.zeroing);
        let from = self.zeroed.load(Ordering::Acquire);
        self.zero_to((from + ZERO_STEP).min(self.size))
    }

    /// With `zeroing` held.
    fn zero_to(&self, to: u64) -> io::Result<bool> {
        let from = self.zeroed.load(Ordering::Acquire);
        if from < to {
            write_zeros(&self.file, from, to)?;
            self.zeroed.store(to, Ordering::Release);
        }
        Ok(to < self.size)
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        if end > self.size {
            return Err(io::Error::other("a write leaves its segment"));
        }
        // Zeroing behind this write would destroy it: overtaken, the writer zeroes for itself first.
        if end > self.zeroed.load(Ordering::Acquire) {
            let _guard = lock(&self.zeroing);
            self.zero_to((end.div_ceil(ZERO_STEP) * ZERO_STEP).min(self.size))?;
        }
        self.file.write_all_at(bytes, offset)
    }
}

#[derive(Debug)]
struct Entry {
    size: u64,
    file: Option<Arc<SegmentFile>>,
}

/// The segments of a directory.
#[derive(Debug)]
pub(super) struct Table {
    directory: PathBuf,
    /// Open, so that making names durable needs no further file handle.
    opened: File,
    writable: bool,
    entries: Mutex<BTreeMap<u32, Entry>>,
}

impl Table {
    pub(super) fn open(directory: &Path, writable: bool) -> Result<Self, DiskError> {
        let fail = |error: io::Error| failed("listing", directory, &error);
        let mut entries = BTreeMap::new();
        for entry in fs::read_dir(directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if let Some(number) = entry.file_name().to_str().and_then(number) {
                let size = entry.metadata().map_err(fail)?.len();
                entries.insert(number, Entry { size, file: None });
            }
        }
        let opened = File::open(directory).map_err(fail)?;
        Ok(Self { directory: directory.to_path_buf(), opened, writable, entries: Mutex::new(entries) })
    }

    /// Makes names durable.
    pub(super) fn sync_names(&self) -> Result<(), DiskError> {
        self.opened.sync_all().map_err(|error| failed("syncing", &self.directory, &error))
    }

    pub(super) fn path(&self, segment: u32) -> PathBuf {
        self.directory.join(format!("journal-{segment:08}.log"))
    }

    pub(super) fn list(&self) -> Vec<u32> {
        lock(&self.entries).keys().copied().collect()
    }

    pub(super) fn insert(&self, segment: u32, file: Arc<SegmentFile>) {
        let mut entries = lock(&self.entries);
        entries.insert(segment, Entry { size: file.size, file: Some(file) });
        close_some(&mut entries, segment);
    }

    pub(super) fn remove(&self, segment: u32) {
        lock(&self.entries).remove(&segment);
    }

    pub(super) fn size(&self, segment: u32) -> Result<u64, DiskError> {
        lock(&self.entries).get(&segment).map(|entry| entry.size).ok_or_else(|| missing(segment))
    }

    pub(super) fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let file = self.get(segment)?;
        let read = loop {
            match file.file.read_at(into, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        read.map_err(|error| failed("reading", &self.path(segment), &error))
    }

    /// An open handle.
    pub(super) fn get(&self, segment: u32) -> Result<Arc<SegmentFile>, DiskError> {
        let mut entries = lock(&self.entries);
        let entry = entries.get_mut(&segment).ok_or_else(|| missing(segment))?;
        if let Some(file) = &entry.file {
            return Ok(file.clone());
        }
        let path = self.path(segment);
        let file = OpenOptions::new().read(true).write(self.writable).open(&path);
        let file = file.map_err(|error| failed("opening", &path, &error))?;
        let file = Arc::new(SegmentFile::prepared(file, entry.size));
        entry.file = Some(file.clone());
        close_some(&mut entries, segment);
        Ok(file)
    }
}

/// Closes the oldest files above the limit, except this one.
fn close_some(entries: &mut BTreeMap<u32, Entry>, keep: u32) {
    let open = entries.values().filter(|entry| entry.file.is_some()).count();
    if open <= OPEN_FILES_MAX {
        return;
    }
    // The newest segment is being written: it comes last.
    let oldest = entries.iter_mut().find(|(number, entry)| **number != keep && entry.file.is_some());
    if let Some((_, entry)) = oldest {
        entry.file = None;
    }
}

fn missing(segment: u32) -> DiskError {
    DiskError::Failed(format!("segment {segment} does not exist"))
}

/// The number in a segment's file name.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".log")?;
    if digits.len() < 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) { None } else { digits.parse().ok() }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here panics halfway through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
