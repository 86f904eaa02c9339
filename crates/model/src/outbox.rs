//! Bytes on their way out of a connection: small pieces copied together, large bodies by reference.
//!
//! ```text
//!   small:   written │ pieces │ pieces │ pieces        one buffer, used from its beginning again once all is written
//!                  start      ▲        ▲
//!   bodies:                  body     body             each with its place between the pieces
//! ```

use crate::limits::BODY_COPY_BYTES_MAX;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;

#[cfg(test)]
mod tests;

/// What a session writes and a connection sends. Grows only by what credit allows; the connection stops encoding
/// events while `len` is above its high-water mark.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Where small writes go.
    small: Vec<u8>,
    /// Bytes of `small` that were written.
    start: usize,
    /// In order.
    bodies: VecDeque<Body>,
    /// Bytes in `bodies`.
    bodies_len: usize,
    /// Every byte ever put in.
    put_total: u64,
}

/// A body that was not copied.
#[derive(Debug)]
struct Body {
    /// Where in `small` it belongs.
    at: usize,
    /// What is left of it.
    bytes: Bytes,
}

impl Outbox {
    /// Appends a copy.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if self.small.capacity() - self.small.len() < bytes.len() {
            self.make_room();
        }
        self.small.extend_from_slice(bytes);
        self.put_total += bytes.len() as u64;
    }

    /// Appends a body: copied while small, by reference from [`BODY_COPY_BYTES_MAX`] on.
    pub fn put_body(&mut self, body: Bytes) {
        if body.len() < BODY_COPY_BYTES_MAX {
            self.put(&body);
            return;
        }
        self.put_total += body.len() as u64;
        self.bodies_len += body.len();
        self.bodies.push_back(Body { at: self.small.len(), bytes: body });
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies_len + self.small.len() - self.start
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every byte ever put in: a session notes it after each delivery and learns from `Session::written` which left.
    #[must_use]
    pub fn put_total(&self) -> u64 {
        self.put_total
    }

    /// The next contiguous bytes to write; empty when nothing waits.
    #[must_use]
    pub fn front(&self) -> &[u8] {
        match self.bodies.front() {
            Some(body) if body.at == self.start => &body.bytes,
            Some(body) => &self.small[self.start..body.at],
            None => &self.small[self.start..],
        }
    }

    /// Forgets `count` bytes of `front`, which were written.
    ///
    /// # Panics
    /// If `count` is more than `front` holds: the caller's bug.
    pub fn advance(&mut self, count: usize) {
        let end = match self.bodies.front_mut() {
            Some(body) if body.at == self.start => {
                body.bytes.advance(count);
                self.bodies_len -= count;
                if body.bytes.is_empty() {
                    self.bodies.pop_front();
                }
                return self.rewind();
            }
            Some(body) => body.at,
            None => self.small.len(),
        };
        assert!(count <= end - self.start, "{count} bytes of {} were written", end - self.start);
        self.start += count;
        self.rewind();
    }

    /// Gives the small writes' buffer back when nothing waits, so that an idle connection owns none.
    pub fn release_buffer(&mut self) -> Vec<u8> {
        debug_assert!(self.is_empty());
        std::mem::take(&mut self.small)
    }

    /// Lends an empty buffer for small writes, from the pool.
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty());
        if self.small.capacity() == 0 {
            self.small = buffer;
        }
    }

    /// Once all is written the buffer is used from its beginning: what was written last is what the processor's caches hold.
    #[inline]
    fn rewind(&mut self) {
        if self.is_empty() {
            self.small.clear();
            self.start = 0;
        }
    }

    /// Overwrites what was written, when that is at least half of the buffer: so every byte moves once at most.
    #[cold]
    fn make_room(&mut self) {
        if self.start < self.small.len() - self.start {
            return;
        }
        self.small.drain(..self.start);
        for body in &mut self.bodies {
            body.at -= self.start;
        }
        self.start = 0;
    }
}
