//! The journal's own thread, and the one that reads messages back.
//!
//! ```text
//!   core ──unpark──► take batch ─► unlock ─► perform (write, sync) ─► enter the core: Flushed, next batch ─► …
//! ```
//!
//! Whatever is asked while a sync runs is the next batch; there is no timer. The thread enters the core itself
//! instead of waking somebody, and where that confirms a message or two and no other batch waits, it sends the
//! confirmations: two hand-overs less for every lone message. It never waits for a peer.
//!
//! Invariants worth naming:
//! - One batch at a time, in the order in which they were taken.
//! - After a failed write or sync no further batch is performed, and the process is told to end.

use crate::core::{Core, Scratch, Stage};
use crate::fail_point::{FailPoints, Point};
use ferrymq_model::Dialects;
use ferrymq_storage::disk::DiskError;
use ferrymq_storage::journal::{Fetch, Fetched, Reader};
use ferrymq_storage::{Batch, Disk, journal};
use std::thread;

/// How a thread of the store ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JournalEnd {
    /// Everything that was asked is durable.
    Drained,
    /// The disk refused; the log says how.
    Failed,
}

/// Performs batches until the server closes and nothing is left.
pub(crate) fn run(core: &Core, disk: &mut dyn Disk) -> JournalEnd {
    let mut scratch = Scratch::outside();
    let mut done = None;
    let fail_points = FailPoints::from_environment();
    loop {
        // Read before the batch is taken: what entered before the server's end is in that batch.
        let ending = core.stage() == Stage::Ended;
        let Some(mut batch) = core.flushed(done.take(), &mut scratch) else {
            if ending {
                return JournalEnd::Drained;
            }
            thread::park();
            continue;
        };
        fail_points.reached(Point::BeforeWrite);
        match perform(&mut batch, disk) {
            Ok(()) => {
                fail_points.reached(Point::AfterWrite);
                done = Some(batch);
            }
            Err(reason) => {
                tracing::error!(%reason, "the journal failed: nothing more is confirmed, the broker ends");
                core.store_failed(&mut scratch);
                return JournalEnd::Failed;
            }
        }
    }
}

fn perform(batch: &mut Batch, disk: &mut dyn Disk) -> Result<(), String> {
    journal::perform(batch, disk).map_err(|error| error.to_string())
}

/// Reads messages back until the server closes. How many may be asked for at a time is the broker's limit; how many
/// enter the core at a time, the reader's.
pub(crate) fn read_back(core: &Core, disk: &dyn Disk, dialects: Dialects) {
    let mut scratch = Scratch::outside();
    let mut reader = Reader::new(dialects);
    let mut wanted: Vec<Fetch> = Vec::new();
    let mut read: Vec<Fetched> = Vec::new();
    loop {
        let ending = core.stage() == Stage::Ended;
        // What is wanted later waits until all this is answered, wherever it lies.
        if wanted.is_empty() {
            core.take_fetches(&mut wanted);
        }
        if wanted.is_empty() {
            if ending {
                return;
            }
            thread::park();
            continue;
        }
        reader.read(disk, &mut wanted, &mut read);
        for Fetched { fetch, message } in &read {
            if let Err(reason) = message {
                tracing::error!(at = ?fetch.at, %reason, "a stored message cannot be read back");
            }
        }
        core.fetched(&mut read, &mut scratch);
    }
}

/// Keeps confirmations as quick as the operating system takes the bytes: the relaxed policy of the configuration.
#[derive(Debug)]
pub(crate) struct Unsynced<D>(pub(crate) D);

impl<D: Disk> Disk for Unsynced<D> {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        self.0.list()
    }
    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.0.create(segment, size)
    }
    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.write(segment, offset, bytes)
    }
    fn sync(&mut self, _segment: u32) -> Result<(), DiskError> {
        Ok(())
    }
    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.0.read(segment, offset, into)
    }
    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.0.size(segment)
    }
    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.0.delete(segment)
    }
}

#[cfg(test)]
mod tests;
