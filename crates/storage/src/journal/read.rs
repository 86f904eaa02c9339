//! Reads stored messages back, neighbours with one read.
//!
//! ```text
//!   wishes, by place:   a b     c   a a       d                     e
//!   segment       ──[a][b][·][c][·····][·][d]───── … ─────────────[e]──
//!   read              └──── one read ──────┘                       └ another
//! ```
//!
//! Invariants worth naming:
//! - Whoever asks has seen the record become durable. Nothing that was read for earlier wishes is used again, so what is
//!   found is never older than the wish.
//! - What cannot be read, or is not what was written, costs the wishes for that very message and no other.

use super::Location;
use super::layout::{self, RECORD_HEADER, RecordHeader, RecordStart, SegmentStart};
use super::scan::{read_padded, read_start};
use crate::disk::{Disk, DiskError};
use crate::record::decode::{Decoder, Payload, Stored};
use crate::record::{KIND_COUNTED, KIND_HELD, KIND_STORE, KIND_STORE_SCHEDULED, Placement, Record};
use bytes::Bytes;
use ferrymq_model::{Dialects, Message};
use std::sync::Arc;

/// Bytes that are read at a time. Records longer than half of it get a read and a buffer of their own.
const WINDOW: usize = 256 * 1024;
/// So much may lie between two records that are read together: reading over it costs no more than another read.
const GAP_MAX: u64 = 8 * 1024;
/// At least so much is read from the last record of a run on: its length is not known before.
const LAST_MIN: u64 = 4 * 1024;

/// A wish to have a stored message back in memory. Answered by [`Reader::read`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// Where it stands.
    pub placement: Placement,
    /// Where it lies.
    pub at: Location,
}

/// A wish with its message.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The wish.
    pub fetch: Fetch,
    /// The message, or why it cannot be read: the environment refused, or what is there is not the message that was
    /// written.
    pub message: Result<Arc<Message>, DiskError>,
}

/// Reads stored messages back.
#[derive(Debug)]
pub struct Reader {
    decoder: Decoder,
    window: Window,
    /// Bytes from the start of the record that was read last to the one behind it: the next is probably as long.
    extent: u64,
}

/// The segment that is being read, once its start was checked.
#[derive(Clone, Copy, Debug)]
struct Segment {
    number: u32,
    size: u64,
    seed: u32,
}

/// Some bytes of a segment.
#[derive(Debug, Default)]
struct Window {
    segment: Option<Segment>,
    /// As long as the longest read so far.
    buffer: Vec<u8>,
    start: u64,
    len: usize,
}

impl Reader {
    /// Wishes that are answered at a time: whoever takes the messages has a bounded piece of work.
    pub const FETCHES_MAX: usize = 256;
    /// Bytes of messages that are read at a time, beyond the first message.
    pub const BYTES_MAX: usize = 4 * 1024 * 1024;

    /// A reader of messages in these dialects.
    #[must_use]
    pub fn new(dialects: Dialects) -> Self {
        Self { decoder: Decoder::new(dialects), window: Window::default(), extent: 0 }
    }

    /// Takes wishes from `wanted`, those whose messages lie first, and answers them in `read`. What is beyond the limits
    /// stays; at least one is answered if there is one.
    pub fn read(&mut self, disk: &dyn Disk, wanted: &mut Vec<Fetch>, read: &mut Vec<Fetched>) {
        self.window.forget();
        wanted.sort_unstable_by_key(|fetch| (fetch.at, fetch.placement));
        let (mut answered, mut bytes) = (0, 0);
        while answered < wanted.len().min(Self::FETCHES_MAX) && bytes <= Self::BYTES_MAX {
            let fetch = wanted[answered];
            let before = read.last().filter(|before| answered > 0 && before.fetch.at == fetch.at);
            let message = match before {
                // One message that stands in several places.
                Some(before) => before.message.clone(),
                None => {
                    let message = self.read_first(disk, &wanted[answered..]);
                    bytes += message.as_ref().map_or(0, |message| message.bytes.len());
                    message
                }
            };
            read.push(Fetched { fetch, message });
            answered += 1;
        }
        wanted.drain(..answered);
    }

    /// Reads the first of these, and into the window what lies beside it and is wanted, too.
    fn read_first(&mut self, disk: &dyn Disk, wanted: &[Fetch]) -> Result<Arc<Message>, DiskError> {
        let at = wanted[0].at;
        let damaged = |what: &str| {
            DiskError::Failed(format!("no message at segment {} offset {}: {what}", at.segment, at.offset))
        };
        let Some(segment) = self.window.open(disk, at.segment)? else {
            return Err(damaged("the segment has no valid header"));
        };
        let offset = u64::from(at.offset);
        let Some(head) = self.window.get(disk, (offset, RECORD_HEADER), wanted, self.extent)? else {
            return Err(damaged("there is no record"));
        };
        let head: [u8; RECORD_HEADER] = head.try_into().expect("as many bytes as asked");
        let RecordStart::Header(header, crc) = RecordHeader::decode(&head, segment.seed) else {
            return Err(damaged("there is no record"));
        };
        let is_message = matches!(header.kind, KIND_STORE | KIND_STORE_SCHEDULED | KIND_COUNTED | KIND_HELD);
        if !is_message || offset + header.extent() as u64 > segment.size {
            return Err(damaged("another kind of record is there"));
        }
        self.extent = header.extent() as u64;
        let (offset, len) = (offset + RECORD_HEADER as u64, header.len as usize);
        let payload = if len > WINDOW / 2 {
            let mut own = vec![0; len];
            read_padded(disk, segment.number, offset, &mut own)?;
            Payload::Owned(Bytes::from(own))
        } else {
            let bytes = self.window.get(disk, (offset, len), wanted, self.extent)?;
            Payload::Borrowed(bytes.ok_or_else(|| damaged("there is no record"))?)
        };
        if crc32c::crc32c_append(layout::header_crc(&head, segment.seed), payload.as_slice()) != crc {
            return Err(damaged("the record's checksum is wrong"));
        }
        match self.decoder.decode(header.kind, &payload) {
            Ok(Stored::Record(Record::Store { message, .. }) | Stored::Counted(Record::Store { message, .. })) => {
                Ok(message)
            }
            Ok(Stored::Record(Record::Held { send, .. })) => Ok(send.message),
            Ok(_) => Err(damaged("another kind of record is there")),
            Err(error) => Err(damaged(&error.to_string())),
        }
    }
}

impl Window {
    /// What is there may have been written since.
    fn forget(&mut self) {
        self.segment = None;
        self.len = 0;
    }

    /// Goes on in a segment; `None`: it has no valid header.
    fn open(&mut self, disk: &dyn Disk, number: u32) -> Result<Option<Segment>, DiskError> {
        if self.segment.is_none_or(|segment| segment.number != number) {
            self.forget();
            let SegmentStart::Header(header) = read_start(disk, number)? else { return Ok(None) };
            let seed = layout::seed(&header.store);
            self.segment = Some(Segment { number, size: u64::from(header.size), seed });
        }
        Ok(self.segment)
    }

    /// `len` bytes from `offset` of the segment; with them are read the records that are wanted next. `None`: the segment
    /// ends before.
    fn get(
        &mut self,
        disk: &dyn Disk,
        (offset, len): (u64, usize),
        wanted: &[Fetch],
        extent: u64,
    ) -> Result<Option<&[u8]>, DiskError> {
        let segment = self.segment.expect("a segment is opened first");
        if offset + len as u64 > segment.size {
            return Ok(None);
        }
        if offset < self.start || offset + len as u64 > self.start + self.len as u64 {
            let ahead = end_of_run(wanted, extent).min(segment.size) - offset;
            let ahead = usize::try_from(ahead).unwrap_or(WINDOW).clamp(len, WINDOW);
            // What comes after it may be unreadable; that is for those who want it.
            if self.fill(disk, offset, ahead).is_err() {
                self.fill(disk, offset, len)?;
            }
        }
        let at = usize::try_from(offset - self.start).expect("within the window");
        Ok(Some(&self.buffer[at..at + len]))
    }

    fn fill(&mut self, disk: &dyn Disk, offset: u64, len: usize) -> Result<(), DiskError> {
        let segment = self.segment.expect("a segment is opened first");
        self.len = 0;
        if self.buffer.len() < len {
            self.buffer.resize(len.next_power_of_two(), 0);
        }
        read_padded(disk, segment.number, offset, &mut self.buffer[..len])?;
        (self.start, self.len) = (offset, len);
        Ok(())
    }
}

/// Where the last of the records ends, as far as can be told, that are to be read with the first of these. Each is taken
/// to be as long as the one that was read last.
fn end_of_run(wanted: &[Fetch], extent: u64) -> u64 {
    let first = wanted[0].at;
    let mut last = u64::from(first.offset);
    for Fetch { at, .. } in &wanted[1..] {
        let offset = u64::from(at.offset);
        let is_near = offset <= last + extent + GAP_MAX && offset < u64::from(first.offset) + WINDOW as u64;
        if at.segment != first.segment || !is_near {
            break;
        }
        last = offset;
    }
    last + extent.max(LAST_MIN)
}
