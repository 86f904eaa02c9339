//! The thread that makes the spare segment and zeroes ahead of the writer.

use super::super::DiskError;
use super::table::{SegmentFile, lock};
use super::{SPARE, SPARE_UNFINISHED, failed};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Whether there is a spare.
#[derive(Debug)]
enum Spare {
    /// Nobody asked for one yet.
    None,
    /// It is being made.
    Asked,
    /// Ready; open, so that taking it cannot fail for want of a file handle.
    Ready(File),
    /// It could not be made: no space, most likely. Not fatal as long as the present segment lasts.
    Refused,
}

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
    spare: Mutex<Spare>,
    /// Told when a spare was made or refused.
    settled: Condvar,
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
        let path = directory.join(SPARE);
        let fail = |error| failed("opening", &path, &error);
        let spare = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) if file.metadata().map_err(fail)?.len() == size => Spare::Ready(file),
            Ok(_) => {
                fs::remove_file(&path).map_err(fail)?;
                Spare::None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Spare::None,
            Err(error) => return Err(fail(error)),
        };
        let shared = Arc::new(Shared {
            directory,
            size,
            spare: Mutex::new(spare),
            settled: Condvar::new(),
            failure: OnceLock::new(),
        });
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
        let mut spare = lock(&self.shared.spare);
        if size != self.shared.size || !matches!(*spare, Spare::Ready(_)) {
            return Ok(None);
        }
        let from = self.shared.directory.join(SPARE);
        fs::rename(&from, path).map_err(|error| failed("renaming", &from, &error))?;
        let Spare::Ready(file) = std::mem::replace(&mut *spare, Spare::None) else {
            unreachable!("looked at above, under the same lock");
        };
        Ok(Some(file))
    }

    /// A segment was made: what it still needs is done, and the next one is prepared.
    pub(super) fn made(&self, file: Arc<SegmentFile>) {
        self.send(Work::ZeroAhead(file));
        self.ask_for_spare();
    }

    pub(super) fn healthy(&self) -> Result<(), DiskError> {
        self.shared.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Waits until no spare is being made.
    pub(super) fn wait_for_spare(&self) {
        let mut spare = lock(&self.shared.spare);
        while matches!(*spare, Spare::Asked) && self.shared.failure.get().is_none() {
            spare = self.shared.settled.wait(spare).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tries again each time it is asked while there is no space.
    pub(super) fn is_short_of_space(&self) -> bool {
        let short = matches!(*lock(&self.shared.spare), Spare::Refused);
        if short {
            self.ask_for_spare();
        }
        short
    }

    fn ask_for_spare(&self) {
        let mut spare = lock(&self.shared.spare);
        if matches!(*spare, Spare::None | Spare::Refused) {
            *spare = Spare::Asked;
            self.send(Work::Spare);
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
            Work::Spare => {
                let made = make_spare(shared);
                *lock(&shared.spare) = made.map_or(Spare::Refused, Spare::Ready);
                shared.settled.notify_all();
                Ok(())
            }
        };
        if let Err(error) = done {
            let _ = shared.failure.set(error);
            // Under the lock, so that whoever is about to wait sees the failure or is woken.
            drop(lock(&shared.spare));
            shared.settled.notify_all();
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

fn make_spare(shared: &Shared) -> Result<File, DiskError> {
    let unfinished = shared.directory.join(SPARE_UNFINISHED);
    let made = SegmentFile::reserve(&unfinished, shared.size).and_then(|file| {
        zero_ahead(shared, &file)?;
        file.file().sync_all().map_err(|error| failed("syncing", &unfinished, &error))?;
        Ok(file)
    });
    let file = match made {
        Ok(file) => file.into_file(),
        Err(error) => {
            // What cannot be deleted now is deleted by the next attempt or the next start.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
    };
    let spare = shared.directory.join(SPARE);
    fs::rename(&unfinished, &spare).map_err(|error| failed("renaming", &unfinished, &error))?;
    // Its name need not be durable: it is found again or made again.
    Ok(file)
}
