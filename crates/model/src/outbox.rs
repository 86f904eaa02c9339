//! Bytes on their way out of a connection: small pieces copied together, large bodies by reference.

use crate::limits::BODY_COPY_BYTES_MAX;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

#[cfg(test)]
mod tests;

/// What a session writes and a connection sends. Grows only by what credit allows; the connection stops encoding
/// events while `len` is above its high-water mark.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Full pieces before `tail`.
    pieces: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    pieces_len: usize,
    /// Where small writes go.
    tail: BytesMut,
    /// Every byte ever put in.
    put_total: u64,
}

impl Outbox {
    /// Appends a copy.
    pub fn put(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.put_total += bytes.len() as u64;
    }

    /// Appends a body: copied while small, by reference from [`BODY_COPY_BYTES_MAX`] on.
    pub fn put_body(&mut self, body: Bytes) {
        if body.len() < BODY_COPY_BYTES_MAX {
            self.put(&body);
            return;
        }
        self.put_total += body.len() as u64;
        self.seal_tail();
        self.pieces_len += body.len();
        self.pieces.push_back(body);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces_len + self.tail.len()
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
        self.pieces.front().map_or(&self.tail[..], |piece| &piece[..])
    }

    /// Forgets `count` bytes of `front`, which were written.
    ///
    /// # Panics
    /// If `count` is more than `front` holds: the caller's bug.
    pub fn advance(&mut self, count: usize) {
        let Some(piece) = self.pieces.front_mut() else {
            self.tail.advance(count);
            return;
        };
        piece.advance(count);
        self.pieces_len -= count;
        if piece.is_empty() {
            self.pieces.pop_front();
        }
    }

    /// Gives the small writes' buffer back when nothing waits, so that an idle connection owns none.
    pub fn release_buffer(&mut self) -> BytesMut {
        debug_assert!(self.is_empty());
        std::mem::take(&mut self.tail)
    }

    /// Lends a buffer for small writes, from the pool.
    pub fn lend_buffer(&mut self, buffer: BytesMut) {
        if self.tail.capacity() == 0 {
            self.tail = buffer;
        }
    }

    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            let sealed = self.tail.split().freeze();
            self.pieces_len += sealed.len();
            self.pieces.push_back(sealed);
        }
    }
}
