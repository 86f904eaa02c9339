//! Segments in files: `journal-NNNNNNNN.log` in one directory that one process may write.
//!
//! ```text
//!   lock            held exclusively while a broker runs; says its process id
//!   journal-*.log   segments
//!   spare.log       a segment that is ready: full length, zeros on stable storage
//!   spare.new       one that is being made; deleted at the next start
//! ```
//!
//! Overwriting zeros that are already on the disk makes a sync about twice as fast as growing a file, so a thread
//! prepares the next segment while this one fills. The very first segment does not wait for that: its space is
//! reserved, a little of it is zeroed, and the thread zeroes ahead of the writer. The spare is also the space for
//! emergencies: when it was taken and no other can be made, `is_short_of_space` says so, and what is left of the
//! present segment is there for removals.

mod prepare;
mod table;

use super::{Disk, DiskError};
use prepare::Preparer;
use rustix::fs::FlockOperation;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};
use table::{SegmentFile, Table};

const LOCK: &str = "lock";
const SPARE: &str = "spare.log";
const SPARE_UNFINISHED: &str = "spare.new";

/// Why a directory cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another broker has it.
    InUse {
        /// Which directory.
        directory: PathBuf,
        /// Its process, where it says so.
        process: Option<u32>,
    },
    /// The environment refused.
    Disk(DiskError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { directory, process } => {
                write!(f, "the journal in {} is in use by another broker", directory.display())?;
                process.map_or(Ok(()), |process| write!(f, " (process {process})"))
            }
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// A directory of segments, open for writing. One per directory, in all processes.
#[derive(Debug)]
pub struct OsDisk {
    table: Arc<Table>,
    preparer: Preparer,
    /// After a failed write or sync nothing is known any more: every later call fails with this.
    poison: Option<String>,
    /// Keeps the lock.
    _lock: File,
}

impl OsDisk {
    /// Opens a directory, making it where it is missing. `segment_bytes` is the length of the spare that is kept
    /// ready: the journal's option of the same name.
    ///
    /// # Errors
    /// Another broker has it, or the environment refused.
    pub fn open(directory: &Path, segment_bytes: u32) -> Result<Self, OpenError> {
        fs::create_dir_all(directory).map_err(|error| failed("making", directory, &error))?;
        let lock = take_lock(directory)?;
        let unfinished = directory.join(SPARE_UNFINISHED);
        match fs::remove_file(&unfinished) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("deleting", &unfinished, &error).into()),
        }
        let table = Arc::new(Table::open(directory, true)?);
        let preparer = Preparer::start(directory.to_path_buf(), u64::from(segment_bytes))?;
        Ok(Self { table, preparer, poison: None, _lock: lock })
    }

    /// A handle for reading from any thread while this one writes.
    #[must_use]
    pub fn reader(&self) -> OsDiskReader {
        OsDiskReader { table: self.table.clone() }
    }

    fn healthy(&self) -> Result<(), DiskError> {
        if let Some(poison) = &self.poison {
            return Err(DiskError::Failed(format!("the disk is not used any more: {poison}")));
        }
        self.preparer.healthy()
    }

    fn poisoned<T>(&mut self, result: Result<T, DiskError>) -> Result<T, DiskError> {
        if let Err(error) = &result {
            self.poison = Some(error.to_string());
        }
        result
    }

    fn reserve(&self, size: u64, path: &Path) -> Result<SegmentFile, DiskError> {
        match SegmentFile::reserve(path, size) {
            Ok(file) => {
                file.file().sync_all().map_err(|error| failed("syncing", path, &error))?;
                Ok(file)
            }
            Err(DiskError::Full) => {
                // The spare that is being made may have taken the last space: then it is the segment.
                fs::remove_file(path).map_err(|error| failed("deleting", path, &error))?;
                self.preparer.wait_for_spare();
                let spare = self.preparer.take_spare(size, path)?.ok_or(DiskError::Full)?;
                Ok(SegmentFile::prepared(spare, size))
            }
            Err(error) => Err(error),
        }
    }

    fn create_file(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        let path = self.table.path(segment);
        if path.exists() {
            return Err(DiskError::Failed(format!("segment {segment} is to be made and exists")));
        }
        let file = match self.preparer.take_spare(size, &path)? {
            Some(file) => SegmentFile::prepared(file, size),
            None => self.reserve(size, &path)?,
        };
        self.table.sync_names()?;
        let file = Arc::new(file);
        self.table.insert(segment, file.clone());
        self.preparer.made(file);
        Ok(())
    }
}

impl Disk for OsDisk {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        Ok(self.table.list())
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.healthy()?;
        let result = self.create_file(segment, size);
        self.poisoned(result)
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.healthy()?;
        let result = self.table.get(segment).and_then(|file| {
            file.write(offset, bytes).map_err(|error| failed("writing", &self.table.path(segment), &error))
        });
        self.poisoned(result)
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        self.healthy()?;
        let result = self.table.get(segment).and_then(|file| {
            file.file().sync_data().map_err(|error| failed("syncing", &self.table.path(segment), &error))
        });
        self.poisoned(result)
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.table.read(segment, offset, into)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.table.size(segment)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.healthy()?;
        let path = self.table.path(segment);
        let result = fs::remove_file(&path)
            .map_err(|error| failed("deleting", &path, &error))
            .and_then(|()| self.table.sync_names());
        self.poisoned(result)?;
        self.table.remove(segment);
        Ok(())
    }

    fn is_short_of_space(&self) -> bool {
        self.preparer.is_short_of_space()
    }
}

/// Segments in files, for reading only: beside a writing [`OsDisk`], or of a directory that nobody locks.
#[derive(Clone, Debug)]
pub struct OsDiskReader {
    table: Arc<Table>,
}

impl OsDiskReader {
    /// Opens a directory without its lock. A broker may be writing: what is read then is a moment of it.
    ///
    /// # Errors
    /// The environment refused.
    pub fn open(directory: &Path) -> Result<Self, DiskError> {
        Ok(Self { table: Arc::new(Table::open(directory, false)?) })
    }
}

fn read_only<T>() -> Result<T, DiskError> {
    Err(DiskError::Failed("the journal is open for reading only".to_owned()))
}

impl Disk for OsDiskReader {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        Ok(self.table.list())
    }

    fn create(&mut self, _segment: u32, _size: u64) -> Result<(), DiskError> {
        read_only()
    }

    fn write(&mut self, _segment: u32, _offset: u64, _bytes: &[u8]) -> Result<(), DiskError> {
        read_only()
    }

    fn sync(&mut self, _segment: u32) -> Result<(), DiskError> {
        read_only()
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.table.read(segment, offset, into)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.table.size(segment)
    }

    fn delete(&mut self, _segment: u32) -> Result<(), DiskError> {
        read_only()
    }
}

fn take_lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed("opening", &path, &error))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let process = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            return Err(OpenError::InUse { directory: directory.to_path_buf(), process });
        }
        Err(error) => return Err(failed("locking", &path, &error.into()).into()),
    }
    let noted = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
    noted.map_err(|error| failed("writing", &path, &error))?;
    Ok(file)
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskError::Full,
        _ => DiskError::Failed(format!("{doing} {}: {error}", path.display())),
    }
}

fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut at = from;
    while at < to {
        let len = usize::try_from((to - at).min(ZEROS.len() as u64)).expect("at most 64 KiB");
        file.write_all_at(&ZEROS[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
