//! One message of a queue, and its place in it.

use ferrymq_model::{Destination, Group, Message, WallTime};
use ferrymq_storage::{Location, Lsn};
use std::sync::Arc;

/// A message on its way through a queue: the same value while it is ready, while it is unsettled, and when it returns.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Its number in the queue; 0 for a message that no queue keeps.
    pub(crate) sequence: u64,
    /// The message; `None` while it is paged out, or where nobody will ask for it again.
    pub(crate) message: Option<Arc<Message>>,
    /// Where the journal has it.
    pub(crate) stored: Option<Location>,
    /// The record that stores it, or the commit that it waits for.
    pub(crate) lsn: Lsn,
    /// When it becomes worthless.
    pub(crate) expiration: Option<WallTime>,
    /// The leaf it was sent to where that is not the message's own destination.
    pub(crate) leaf: Option<Arc<Destination>>,
    /// How often it was delivered before.
    pub(crate) redeliveries: u32,
    /// Bytes of memory it holds while its message is here.
    pub(crate) size: u32,
    /// The band of its priority.
    pub(crate) band: u8,
    /// Not to be delivered before `lsn` is durable.
    pub(crate) held: bool,
}

impl Item {
    /// A message that was just sent and that nothing stores.
    pub(crate) fn new(message: Arc<Message>, band: u8) -> Self {
        Self {
            sequence: 0,
            size: u32::try_from(message.retained_size()).unwrap_or(u32::MAX),
            expiration: message.header.expiration,
            message: Some(message),
            stored: None,
            lsn: Lsn(0),
            leaf: None,
            redeliveries: 0,
            band,
            held: false,
        }
    }

    /// The group that it belongs to, while its message is here.
    #[inline]
    pub(crate) fn group(&self) -> Option<&Group> {
        self.message.as_ref()?.annotations()?.group.as_ref()
    }

    /// Gives its message bytes of its own: one that stays must not pin the buffer that it came in.
    pub(crate) fn detach(&mut self) {
        if let Some(message) = &mut self.message {
            match Arc::get_mut(message) {
                Some(alone) => alone.detach(),
                None => *message = Arc::new(message.detached()),
            }
        }
    }

    /// Whether it may not be delivered yet.
    pub(crate) fn is_held(&self, flushed: Lsn) -> bool {
        self.held && self.lsn > flushed
    }

    /// Whether it is worthless.
    pub(crate) fn is_expired(&self, now: WallTime) -> bool {
        self.expiration.is_some_and(|at| at <= now)
    }

    /// Bytes that count against memory limits right now.
    pub(crate) fn resident(&self) -> usize {
        if self.message.is_some() { self.size as usize } else { 0 }
    }
}

/// A place in a band.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The message.
    pub(crate) item: Item,
    /// What is the matter with it.
    pub(crate) state: EntryState,
}

/// What is the matter with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EntryState {
    /// Waits for a consumer; its message is here or paged out.
    Ready,
    /// Waits for a consumer and for its message, which is being read.
    Fetching,
    /// Left; the place is kept so that the band stays in order without moving the others.
    Gone,
}

impl Entry {
    /// Whether it still waits for a consumer.
    pub(crate) fn is_live(&self) -> bool {
        match self.state {
            EntryState::Ready | EntryState::Fetching => true,
            EntryState::Gone => false,
        }
    }
}
