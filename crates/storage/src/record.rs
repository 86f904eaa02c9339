//! What the journal holds. Disk types: not the wire's, not the broker's; versioned, with golden files.

pub(crate) mod decode;
pub(crate) mod encode;

use crate::journal::Location;
use ferrymq_model::{Annotations, Destination, Message, WallTime, Xid};
use std::sync::Arc;

// The numbers of the kinds on disk. A kind whose payload changes gets a new number; none is ever reused.
pub(crate) const KIND_DEFINE: u8 = 1;
pub(crate) const KIND_FORGET: u8 = 2;
pub(crate) const KIND_STORE: u8 = 3;
pub(crate) const KIND_REMOVE: u8 = 4;
pub(crate) const KIND_DELIVERED: u8 = 5;
/// As `KIND_STORE`, of a message with a schedule, which stands before the rest.
pub(crate) const KIND_STORE_SCHEDULED: u8 = 6;
/// A message whose producer's sequence counts: another kind of message record with one byte, its number, before it.
pub(crate) const KIND_COUNTED: u8 = 7;
pub(crate) const KIND_PREPARE: u8 = 8;
pub(crate) const KIND_DISSOLVE: u8 = 9;
pub(crate) const KIND_OUTCOME: u8 = 10;
/// A message that a prepared branch sends: its branch and its leaves before another kind of message record.
pub(crate) const KIND_HELD: u8 = 11;
pub(crate) const KIND_PLACE: u8 = 12;
pub(crate) const KIND_CATALOGUE: u8 = 16;
pub(crate) const KIND_DROPPED: u8 = 17;
pub(crate) const KIND_SEAL: u8 = 18;
/// As `KIND_CATALOGUE`, while branches are prepared: their numbers stand behind the rest.
pub(crate) const KIND_CATALOGUE_BRANCHES: u8 = 19;
pub(crate) const KIND_PRODUCERS: u8 = 20;
pub(crate) const KIND_OUTCOMES: u8 = 21;

/// How deep lists and maps in a property that the broker added may nest: bounds the decoder's stack.
pub(crate) const VALUE_DEPTH_MAX: usize = 32;

/// A segment that existed when a catalogue was written, and where its last record that counts ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentEnd {
    pub(crate) segment: u32,
    pub(crate) end: u32,
}

/// A place that keeps messages: a queue, a durable subscription or the schedule. The broker numbers them; never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StoreId(pub u32);

/// Where one copy of a message stands: the store, and the number in it. Sequences of a store only grow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Placement {
    /// Which store.
    pub store: StoreId,
    /// Which place in it.
    pub sequence: u64,
}

/// What a store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreDefinition {
    /// A queue.
    Queue(Destination),
    /// A durable subscription.
    Durable {
        /// Whose.
        client_id: Arc<str>,
        /// Its name.
        name: Arc<str>,
        /// The topics (leaves, maybe patterns).
        topics: Vec<Destination>,
        /// The selector's source.
        selector: Option<Arc<str>>,
        /// How the selector compares text that looks like a number.
        selector_converts_text: bool,
        /// Not the messages of the same client id.
        no_local: bool,
        /// Whether it may have several consumers at a time.
        shared: bool,
    },
    /// Messages that are not due yet. There is at most one.
    Schedule,
}

/// The kind of a record that stores a message.
pub(crate) fn store_kind(message: &Message) -> u8 {
    match message.annotations() {
        Some(Annotations { schedule: Some(_), .. }) => KIND_STORE_SCHEDULED,
        Some(_) | None => KIND_STORE,
    }
}

/// One record.
#[derive(Clone, Debug)]
pub enum Record {
    /// A store exists. Written when it is made, and again at the head of every later segment.
    Define {
        /// Its number.
        store: StoreId,
        /// What it is.
        definition: StoreDefinition,
        /// The sequence that the next message gets: at least this.
        next_sequence: u64,
        /// Messages up to this sequence were delivered to somebody at least once; 0: none.
        delivered: u64,
    },
    /// A store is gone with all it held.
    Forget {
        /// Which.
        store: StoreId,
    },
    /// A message, once, and everywhere it stands.
    Store {
        /// The message.
        message: Arc<Message>,
        /// Its places; never empty.
        placements: Vec<Placement>,
    },
    /// Messages left a store.
    Remove {
        /// Which store.
        store: StoreId,
        /// From this sequence,
        first: u64,
        /// to this, both included; numbers between them that are not there any more are skipped.
        last: u64,
    },
    /// Messages of a store up to here were delivered at least once: after a crash they count as redelivered.
    Delivered {
        /// Which store.
        store: StoreId,
        /// The highest sequence that was delivered.
        through: u64,
    },
    /// A branch of a distributed transaction is prepared. What it sends is held by the records behind it.
    Prepare(Box<Prepared>),
    /// A message that a prepared branch sends: nowhere to be seen, until it is placed or its branch is decided.
    Held {
        /// The branch's number.
        branch: u64,
        /// The message, and where it goes.
        send: Box<PreparedSend>,
    },
    /// A held message stands somewhere: its branch commits, which the unit says behind this.
    Place {
        /// The branch's number.
        branch: u64,
        /// Where the message is held.
        held: Location,
        /// Its places; never empty.
        placements: Vec<Placement>,
    },
    /// A prepared branch is decided: what it settled is no longer locked, and what it sent and was not placed is
    /// forgotten. What became of it stands beside it.
    Dissolve {
        /// Its number.
        branch: u64,
    },
    /// How a transaction ended.
    Outcome {
        /// Which.
        name: TransactionName,
        /// How.
        outcome: Outcome,
    },
}

/// A prepared branch.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The broker numbers them, ascending; never reused.
    pub branch: u64,
    /// Its name.
    pub xid: Arc<Xid>,
    /// When it was prepared.
    pub at: WallTime,
    /// What it sends, in order, where an earlier version wrote it; now each has a record of its own.
    pub sends: Vec<PreparedSend>,
    /// What it takes out of stores, if it commits.
    pub settled: Vec<Placement>,
}

/// A message that is sent if its branch commits.
#[derive(Clone, Debug)]
pub struct PreparedSend {
    /// Where it goes: the leaves of an address.
    pub leaves: Vec<Destination>,
    /// Whether its producer's sequence counts.
    pub counted: bool,
    /// The message.
    pub message: Arc<Message>,
}

/// What a transaction is known by when it is over.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TransactionName {
    /// A local one.
    Local(Arc<str>),
    /// A branch.
    Branch(Arc<Xid>),
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened.
    Committed,
    /// It did not.
    RolledBack,
    /// A person made it happen.
    HeuristicallyCommitted,
    /// A person undid it.
    HeuristicallyRolledBack,
    /// Its manager knows: nothing is remembered of it any more.
    Forgotten,
}
