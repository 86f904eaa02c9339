//! What the journal holds. Disk types: not the wire's, not the broker's; versioned, with golden files.

pub(crate) mod decode;
pub(crate) mod encode;

use ferrymq_model::{Annotations, Destination, Message};
use std::sync::Arc;

// The numbers of the kinds on disk. A kind whose payload changes gets a new number; none is ever reused.
pub(crate) const KIND_DEFINE: u8 = 1;
pub(crate) const KIND_FORGET: u8 = 2;
pub(crate) const KIND_STORE: u8 = 3;
pub(crate) const KIND_REMOVE: u8 = 4;
pub(crate) const KIND_DELIVERED: u8 = 5;
/// As `KIND_STORE`, of a message with a schedule, which stands before the rest.
pub(crate) const KIND_STORE_SCHEDULED: u8 = 6;
pub(crate) const KIND_CATALOGUE: u8 = 16;
pub(crate) const KIND_DROPPED: u8 = 17;
pub(crate) const KIND_SEAL: u8 = 18;

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
}
