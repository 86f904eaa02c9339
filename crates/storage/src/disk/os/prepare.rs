//! The thread that makes the spare segment and zeroes ahead of the writer.

use super::super::DiskError;
use super::table::SegmentFile;
use super::{SPARE, SPARE_UNFINISHED, failed, sync_directory};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

// Whether there is a spare.
const NONE: u8 = 0;
const ASKED: u8 = 1;
const READY: u8 = 2;
const NO_SPACE: u8 = 3;

#[derive(Debug)]
enum Work {
    /// Zero this file to its end.
    ZeroAhead(Arc<SegmentFile>),
    /// Make a spare.
    Spare,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    size: u64,
    spare: AtomicU8,
    failure: OnceLock<DiskError>,
}

/// The writer's end.
#[derive(Debug)]
pub(super) struct Preparer {
    shared: Arc<Shared>,
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Preparer {
    pub(super) fn start(directory: PathBuf, size: u64) -> Result<Self, DiskError> {
        // A spare got its name after it was finished; one of another length is of no use.
        let spare = directory.join(SPARE);
        let state = match fs::metadata(&spare) {
            Ok(found) if found.len() == size => READY,
            Ok(_) => {
                fs::remove_file(&spare).map_err(|error| failed("deleting", &spare, &error))?;
                NONE
            }
            Err(_) => NONE,
        };
        let shared = Arc::new(Shared { directory, size, spare: AtomicU8::new(state), failure: OnceLock::new() });
        let (work, todo) = channel();
        let theirs = shared.clone();
        let thread = Builder::new()
            .name("journal-prepare".to_owned())
            .spawn(move || run(&theirs, &todo))
            .map_err(|error| DiskError::Failed(format!("starting a thread: {error}")))?;
        Ok(Self { shared, work: Some(work), thread: Some(thread) })
    }

    /// The spare under its new name, if there is one of this length.
    pub(super) fn take_spare(&self, size: u64, path: &Path) -> Result<Option<File>, DiskError> {
        if size != self.shared.size || self.shared.spare.load(Ordering::Acquire) != READY {
            return Ok(None);
        }
        let spare = self.shared.directory.join(SPARE);
        fs::rename(&spare, path).map_err(|error| failed("renaming", &spare, &error))?;
        self.shared.spare.store(NONE, Ordering::Release);
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map(Some).map_err(|error| failed("opening", path, &error))
    }

    /// A segment was made: what it still needs is done, and the next one is prepared.
    pub(super) fn made(&self, file: Arc<SegmentFile>) {
        self.send(Work::ZeroAhead(file));
        self.ask_for_spare();
    }

    pub(super) fn healthy(&self) -> Result<(), DiskError> {
        self.shared.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Tries again each time it is asked while there is no space.
    pub(super) fn is_short_of_space(&self) -> bool {
        let short = self.shared.spare.load(Ordering::Acquire) == NO_SPACE;
        if short {
            self.ask_for_spare();
        }
        short
    }

    fn ask_for_spare(&self) {
        let spare = &self.shared.spare;
        for state in [NONE, NO_SPACE] {
            if spare.compare_exchange(state, ASKED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                self.send(Work::Spare);
                return;
            }
        }
    }

    fn send(&self, work: Work) {
        let sender = self.work.as_ref().expect("the thread is stopped by drop alone");
        // The thread ends early only after it noted a failure, which `healthy` reports.
        let _ = sender.send(work);
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was a bug, already on standard error; nothing is left to do for it here.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, todo: &Receiver<Work>) {
    while let Ok(work) = todo.recv() {
        let done = match work {
            Work::ZeroAhead(file) => zero_ahead(shared, &file),
            Work::Spare => match make_spare(shared) {
                Ok(()) => {
                    shared.spare.store(READY, Ordering::Release);
                    Ok(())
                }
                Err(DiskError::Full) => {
                    shared.spare.store(NO_SPACE, Ordering::Release);
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        if let Err(error) = done {
            let _ = shared.failure.set(error);
            return;
        }
    }
}

fn zero_ahead(shared: &Shared, file: &SegmentFile) -> Result<(), DiskError> {
    let fail = |error| failed("zeroing a segment in", &shared.directory, &error);
    // Synced step by step: a sync of the writer never has to carry more than one.
    while file.zero_step().map_err(fail)? {
        file.file().sync_data().map_err(fail)?;
    }
    Ok(())
}

fn make_spare(shared: &Shared) -> Result<(), DiskError> {
    let unfinished = shared.directory.join(SPARE_UNFINISHED);
    let made = SegmentFile::reserve(&unfinished, shared.size).and_then(|file| {
        zero_ahead(shared, &file)?;
        file.file().sync_all().map_err(|error| failed("syncing", &unfinished, &error))
    });
    if let Err(error) = made {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    let spare = shared.directory.join(SPARE);
    fs::rename(&unfinished, &spare).map_err(|error| failed("renaming", &unfinished, &error))?;
    sync_directory(&shared.directory)
}
