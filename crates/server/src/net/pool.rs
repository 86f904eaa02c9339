//! Buffers of one I/O thread: lent to a connection while it works, so that an idle one owns none.

use crate::core::Scratch;
use bytes::BytesMut;
use ferrymq_model::{Event, Request};
use std::cell::RefCell;
use std::collections::VecDeque;

/// What one read may bring. Measured: 8 KiB is 2.5 times slower; above 64 KiB nothing is gained. Bytes.
pub(crate) const READ_BUFFER_BYTES: usize = 64 * 1024;
/// An output buffer that grew beyond this is not kept. Bytes.
const WRITE_BUFFER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What an output buffer starts with. Bytes.
const WRITE_BUFFER_BYTES_MIN: usize = 16 * 1024;
/// Buffers of each kind that are kept.
const KEPT_MAX: usize = 16;

/// What a connection borrows for the time of one wake-up.
#[derive(Debug, Default)]
pub(crate) struct Workshop {
    pub(crate) requests: Vec<Request>,
    pub(crate) scratch: Scratch,
    reads: Vec<BytesMut>,
    writes: Vec<Vec<u8>>,
}

thread_local! {
    static WORKSHOP: RefCell<Workshop> = RefCell::default();
}

/// Borrows the thread's workshop. One task runs at a time on a thread, so it is always there; a nested call gets an
/// empty one.
pub(crate) fn with_workshop<T>(work: impl FnOnce(&mut Workshop) -> T) -> T {
    WORKSHOP.with(|cell| match cell.try_borrow_mut() {
        Ok(mut workshop) => work(&mut workshop),
        Err(_) => work(&mut Workshop::default()),
    })
}

impl Workshop {
    /// Makes room for one read behind what `input` holds.
    pub(crate) fn provide_input(&mut self, input: &mut BytesMut) {
        if input.capacity() - input.len() >= READ_BUFFER_BYTES / 2 {
            return;
        }
        if input.len() <= READ_BUFFER_BYTES / 2
            && input.capacity() < READ_BUFFER_BYTES
            && let Some(mut pooled) = self.reads.pop()
        {
            pooled.extend_from_slice(input);
            *input = pooled;
            return;
        }
        input.reserve(READ_BUFFER_BYTES);
    }

    /// Takes back what an idle connection does not need; a rest that is small against its buffer moves to a buffer of
    /// its own size.
    pub(crate) fn reclaim_input(&mut self, input: &mut BytesMut) {
        if input.capacity() == 0 || input.len() >= input.capacity() / 2 {
            return;
        }
        let rest = if input.is_empty() { BytesMut::new() } else { BytesMut::from(&input[..]) };
        let mut buffer = std::mem::replace(input, rest);
        buffer.clear();
        // Messages on their way may still hold a part of it: then it goes when they do.
        if self.reads.len() < KEPT_MAX && buffer.try_reclaim(READ_BUFFER_BYTES) {
            self.reads.push(buffer);
        }
    }

    /// A buffer for small writes.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        self.writes.pop().unwrap_or_else(|| Vec::with_capacity(WRITE_BUFFER_BYTES_MIN))
    }

    /// Takes an empty output buffer back.
    pub(crate) fn reclaim_output(&mut self, buffer: Vec<u8>) {
        let is_useful = (WRITE_BUFFER_BYTES_MIN..=WRITE_BUFFER_BYTES_MAX).contains(&buffer.capacity());
        if self.writes.len() < KEPT_MAX && is_useful {
            self.writes.push(buffer);
        }
    }

    /// Takes an empty queue of events back.
    pub(crate) fn reclaim_events(&mut self, events: &mut VecDeque<Event>) {
        if events.capacity() > 0 && self.scratch.emptied.len() < KEPT_MAX {
            self.scratch.emptied.push(std::mem::take(events));
        } else if events.capacity() > 0 {
            *events = VecDeque::new();
        }
    }
}
