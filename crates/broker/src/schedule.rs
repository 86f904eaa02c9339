//! Scheduled and delayed delivery: messages that are not due yet, and what brings them to their destinations.
//!
//! ```text
//!   send with a schedule ──► take ──► index: due time → place in the journal ──tick, flush──► due ──► its destination
//!                                        ▲                                                    │
//!                                        └────────────────────── again ◄─────────────────────┘
//! ```
//!
//! Every job is in the journal, whatever its message's mode: a message that waits for hours shall survive a restart in
//! between, and what is not persistent becomes so again only when it leaves. The journal has them in a store of their
//! own. In memory there is an entry of about a hundred bytes for each, and the message only while there is room.
//!
//! A job that is due leaves in one unit: its message stored where it goes, its next occurrence stored, itself removed.
//! The message is delivered when that unit is durable, so that no crash brings an occurrence twice.
//!
//! Due times are wall-clock times. Where the clock jumps forward, what is due is delivered at once, each occurrence
//! once; where it jumps back, everything waits longer. Nothing comes before its time by the broker's clock. What was
//! due while the broker was down comes once, at the start, and the occurrences that were missed beside it do not come
//! (apache/activemq, `JobSchedulerImpl.mainLoop`).
//!
//! One job is a message with `scheduledJobId` among the properties that the broker added, and with its schedule. An
//! occurrence has the property and no schedule. The journal gets each further occurrence as a new message, so that a
//! job that lives for years keeps no old segment.

mod browse;
mod due;
mod manage;
mod page;
mod restore;
mod take;

use crate::broker::Place;
use ferrymq_model::{Message, SessionId, WallTime};
use ferrymq_storage::{Journal, Location, Lsn, Placement, StoreId};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub(crate) use browse::Browse;
pub(crate) use manage::MANAGEMENT;
pub(crate) use take::{NewJob, schedule_of};

/// Who sends what is due: no session.
pub(crate) const NOBODY: SessionId = SessionId { slot: u32::MAX, generation: 0 };

/// When a job is due, in milliseconds, and its number: its place in the index.
pub(crate) type DueKey = (u64, u64);

/// Everything that waits for its time.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    /// Its number in the journal, once it was defined there.
    pub(crate) store: Option<StoreId>,
    /// The sequence of the next job or occurrence; a job's number is the first that it had.
    next_sequence: u64,
    /// How job ids of this store begin.
    prefix: Option<Arc<str>>,
    /// What is due first comes first.
    index: BTreeMap<DueKey, Job>,
    /// When a job is due, by its number.
    due_of: FxHashMap<u64, u64>,
    /// What is being read, by sequence.
    fetching: FxHashMap<u64, DueKey>,
    /// Jobs that leave memory as soon as they are durable.
    page_out: VecDeque<(Lsn, DueKey)>,
    /// Bytes of messages in memory.
    pub(crate) memory: usize,
    /// Sessions that wait for memory here.
    pub(crate) paused: Vec<SessionId>,
    /// Destinations that got something which no flush has made durable yet.
    filled: Vec<Place>,
    /// Answers that are under way.
    browses: Vec<Browse>,
    /// The number of the last message of an answer.
    last_answer: u64,
    /// During recovery: jobs by sequence.
    restoring: BTreeMap<u64, Restoring>,
    /// Messages that were taken since the process started.
    taken: u64,
    /// Occurrences that left since the process started.
    left: u64,
}

/// What recovery knows of a message in the schedule that no record has removed so far.
#[derive(Clone, Copy, Debug)]
enum Restoring {
    /// It waits for its time.
    Waiting(DueKey),
    /// Its next occurrence is there already; the record that removes it follows.
    Followed(Location),
}

/// A job in the index.
#[derive(Debug)]
struct Job {
    /// Its number in the store; each occurrence has one of its own.
    sequence: u64,
    /// Where the journal has it.
    stored: Location,
    /// The record that stores it.
    lsn: Lsn,
    /// The message; `None` while it is paged out.
    message: Option<Arc<Message>>,
    /// Bytes of memory it holds while its message is here.
    size: u32,
}

impl Job {
    /// Bytes that count against memory limits right now.
    fn resident(&self) -> usize {
        if self.message.is_some() { self.size as usize } else { 0 }
    }

    fn placement(&self, store: StoreId) -> Placement {
        Placement { store, sequence: self.sequence }
    }
}

impl Jobs {
    /// How many messages wait for their time.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Messages that came, and occurrences that left, since the process started.
    pub(crate) fn passed(&self) -> (u64, u64) {
        (self.taken, self.left)
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence = self.next_sequence.max(1);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// `ID:<the store's name>-schedule`: unique among all brokers, and of the form of a connection's id, so that ids
    /// of jobs and occurrences have the form of message ids.
    fn prefix(&mut self, journal: &Journal) -> Arc<str> {
        let prefix = self.prefix.get_or_insert_with(|| {
            let name = u64::from_be_bytes(journal.store_name()[..8].try_into().expect("8 of 16 bytes"));
            Arc::from(format!("ID:{name:016x}-schedule"))
        });
        Arc::clone(prefix)
    }

    /// The number of the job with this id, if it is one of this store's.
    fn number_of(&mut self, id: &str, journal: &Journal) -> Option<u64> {
        let prefix = self.prefix(journal);
        id.strip_prefix(&*prefix)?.strip_prefix(":1:1:")?.parse().ok()
    }

    fn insert(&mut self, key: DueKey, job: Job) {
        self.memory += job.resident();
        let known = self.due_of.insert(key.1, key.0);
        assert!(known.is_none(), "job {} is scheduled twice", key.1);
        self.index.insert(key, job);
    }

    fn remove(&mut self, key: DueKey) -> Option<Job> {
        let job = self.index.remove(&key)?;
        self.due_of.remove(&key.1);
        self.fetching.remove(&job.sequence);
        self.memory -= job.resident();
        Some(job)
    }

    /// When the first of them is due.
    pub(crate) fn next_due(&self) -> Option<WallTime> {
        self.index.first_key_value().map(|(&(due, _), _)| WallTime(due))
    }

    /// Whether an answer about them goes on with the next tick.
    pub(crate) fn is_browsed(&self) -> bool {
        !self.browses.is_empty()
    }

    /// Whether something is due.
    pub(crate) fn has_due(&self, now: WallTime) -> bool {
        self.index.first_key_value().is_some_and(|(&(due, _), _)| due <= now.0)
    }

    /// Checks that counters agree with what they count; the bytes in memory.
    pub(crate) fn check_invariants(&self) -> usize {
        assert_eq!(self.due_of.len(), self.index.len(), "every job has a number");
        for (&(due, number), job) in &self.index {
            assert_eq!(self.due_of.get(&number), Some(&due), "when job {number} is due");
            assert!(job.sequence >= number && job.sequence < self.next_sequence, "the sequence of job {number}");
        }
        for (sequence, key) in &self.fetching {
            assert_eq!(self.index.get(key).map(|job| job.sequence), Some(*sequence), "a job that is being read");
        }
        assert_eq!(self.memory, self.index.values().map(Job::resident).sum::<usize>(), "memory of the schedule");
        self.memory
    }
}

/// The id of the job with this number.
fn job_id(prefix: &str, number: u64) -> Arc<str> {
    Arc::from(format!("{prefix}:1:1:{number}"))
}
