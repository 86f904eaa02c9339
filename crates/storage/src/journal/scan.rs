//! Reads one segment record by record, and looks at what is where the records stop.

use super::layout::{
    self, FLAG_BATCH_START, RECORD_HEADER, RECORD_MAGIC, RecordHeader, RecordStart, SECTOR, SEGMENT_HEADER,
    SegmentHeader, SegmentStart,
};
use crate::disk::{Disk, DiskError};
use crate::record::decode::Payload;
use bytes::Bytes;

/// How much is read at a time. Payloads above half of it get a buffer of their own.
const WINDOW: usize = 256 * 1024;

/// Bytes of a segment through a window; behind its end there are zeros.
pub(crate) struct SegmentBytes<'d> {
    disk: &'d dyn Disk,
    segment: u32,
    window: Vec<u8>,
    /// Offset of the window's first byte.
    start: u64,
}

impl<'d> SegmentBytes<'d> {
    pub(crate) fn new(disk: &'d dyn Disk, segment: u32) -> Self {
        Self { disk, segment, window: Vec::new(), start: 0 }
    }

    /// `len` bytes from `offset`; at most a window.
    pub(crate) fn get(&mut self, offset: u64, len: usize) -> Result<&[u8], DiskError> {
        assert!(len <= WINDOW, "a window is asked for at most");
        let end = offset + len as u64;
        if offset < self.start || end > self.start + self.window.len() as u64 {
            self.window.resize(WINDOW, 0);
            read_padded(self.disk, self.segment, offset, &mut self.window)?;
            self.start = offset;
        }
        let at = usize::try_from(offset - self.start).expect("within the window");
        Ok(&self.window[at..at + len])
    }
}

/// Fills `into`; what lies behind the segment's end stays zero.
pub(crate) fn read_padded(disk: &dyn Disk, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
    let mut filled = 0;
    while filled < into.len() {
        let read = disk.read(segment, offset + filled as u64, &mut into[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    into[filled..].fill(0);
    Ok(filled)
}

/// What a segment starts with.
pub(crate) fn read_start(disk: &dyn Disk, segment: u32) -> Result<SegmentStart, DiskError> {
    let mut bytes = [0; SEGMENT_HEADER];
    read_padded(disk, segment, 0, &mut bytes)?;
    let start = SegmentHeader::decode(&bytes);
    if let SegmentStart::Header(header) = &start {
        if header.segment != segment {
            return Ok(SegmentStart::Bad("the segment's header names another number"));
        }
        if disk.size(segment)? < u64::from(header.size) {
            return Ok(SegmentStart::Bad("the segment is shorter than its header says"));
        }
    }
    Ok(start)
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// The record that is expected.
    Record { header: RecordHeader, crc: u32, at: u32, payload: Payload<'a> },
    /// Nothing but zeros where a header would be, or no room for one.
    Blank { at: u32 },
    /// Something else.
    Bad { at: u32, what: &'static str, unfinished: Unfinished },
}

/// Whether damage can be what an interrupted write leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unfinished {
    /// At least one sector of it was never written.
    Possible,
    /// Every sector of it was written, and what stands there was never written like this.
    Impossible,
}

/// Reads the records of a segment in order.
pub(crate) struct SegmentScan<'d> {
    bytes: SegmentBytes<'d>,
    size: u64,
    seed: u32,
    epoch: u64,
    next_lsn: u64,
    offset: u64,
}

impl<'d> SegmentScan<'d> {
    /// From the first record on.
    pub(crate) fn new(disk: &'d dyn Disk, header: &SegmentHeader) -> Self {
        Self {
            bytes: SegmentBytes::new(disk, header.segment),
            size: u64::from(header.size),
            seed: layout::seed(&header.store),
            epoch: header.epoch,
            next_lsn: header.first_lsn,
            offset: SEGMENT_HEADER as u64,
        }
    }

    /// From where the records stopped.
    pub(crate) fn at(disk: &'d dyn Disk, header: &SegmentHeader, offset: u32, next_lsn: u64) -> Self {
        Self { offset: u64::from(offset), next_lsn, ..Self::new(disk, header) }
    }

    /// The next record; after anything else, the same again.
    pub(crate) fn next(&mut self) -> Result<Found<'_>, DiskError> {
        let at = u32::try_from(self.offset).expect("a segment is at most 4 GiB long");
        if self.offset + RECORD_HEADER as u64 > self.size {
            return Ok(Found::Blank { at });
        }
        let seed = self.seed;
        let head: [u8; RECORD_HEADER] =
            self.bytes.get(self.offset, RECORD_HEADER)?.try_into().expect("as many bytes as asked");
        let (header, crc) = match RecordHeader::decode(&head, seed) {
            RecordStart::Blank => return Ok(Found::Blank { at }),
            RecordStart::Bad => {
                let unfinished = self.unfinished(RECORD_HEADER)?;
                return Ok(Found::Bad { at, what: "the record's header is damaged", unfinished });
            }
            RecordStart::Header(header, crc) => (header, crc),
        };
        let impossible = |what| Ok(Found::Bad { at, what, unfinished: Unfinished::Impossible });
        if header.epoch != self.epoch || header.lsn != self.next_lsn {
            return impossible("the record is not the one that follows");
        }
        if self.offset + header.extent() as u64 > self.size {
            return impossible("the record is longer than its segment");
        }
        let offset = self.offset + RECORD_HEADER as u64;
        let len = header.len as usize;
        let header_crc = layout::header_crc(&head, seed);
        let large = len > WINDOW / 2;
        let mut own = Vec::new();
        if large {
            own.resize(len, 0);
            read_padded(self.bytes.disk, self.bytes.segment, offset, &mut own)?;
        }
        let payload = if large { &own[..] } else { self.bytes.get(offset, len)? };
        if crc32c::crc32c_append(header_crc, payload) != crc {
            let unfinished = self.unfinished(RECORD_HEADER + len)?;
            return Ok(Found::Bad { at, what: "the record's checksum is wrong", unfinished });
        }
        self.offset += header.extent() as u64;
        self.next_lsn += 1;
        let payload =
            if large { Payload::Owned(Bytes::from(own)) } else { Payload::Borrowed(self.bytes.get(offset, len)?) };
        Ok(Found::Record { header, crc, at, payload })
    }

    /// Whether one of the sectors of a record of `len` bytes at the present place is still as it was made: zeros.
    fn unfinished(&mut self, len: usize) -> Result<Unfinished, DiskError> {
        let end = self.offset + len as u64;
        let mut at = self.offset;
        while at < end {
            let sector_end = (at / SECTOR as u64 + 1) * SECTOR as u64;
            let part = usize::try_from(sector_end.min(end) - at).expect("at most a sector");
            if self.bytes.get(at, part)?.iter().all(|byte| *byte == 0) {
                return Ok(Unfinished::Possible);
            }
            at = sector_end;
        }
        Ok(Unfinished::Impossible)
    }

    /// Where a valid record stands behind the present place that proves that everything before it was durable.
    pub(crate) fn later_proof(&mut self) -> Result<Option<u32>, DiskError> {
        let (from, expected) = (self.offset, Expected { epoch: self.epoch, lsn_min: self.next_lsn + 1 });
        find_proof(&mut self.bytes, from, self.size, self.seed, expected)
    }
}

/// Which records count as a proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) epoch: u64,
    pub(crate) lsn_min: u64,
}

/// The first valid record from `from` on that starts a batch of this epoch or a later one.
pub(crate) fn find_proof(
    bytes: &mut SegmentBytes<'_>,
    from: u64,
    size: u64,
    seed: u32,
    expected: Expected,
) -> Result<Option<u32>, DiskError> {
    let mut at = from.next_multiple_of(layout::ALIGNMENT as u64);
    while at + RECORD_HEADER as u64 <= size {
        let magic = RECORD_MAGIC.to_le_bytes();
        let ahead = usize::try_from((size - at).min(64 * 1024)).expect("at most 64 KiB");
        let window = bytes.get(at, ahead)?;
        let skipped = window.chunks(layout::ALIGNMENT).take_while(|chunk| !chunk.starts_with(&magic)).count();
        if skipped > 0 {
            at += (skipped * layout::ALIGNMENT) as u64;
            continue;
        }
        if is_proof(bytes, at, size, seed, expected)? {
            return Ok(Some(u32::try_from(at).expect("a segment is at most 4 GiB long")));
        }
        at += layout::ALIGNMENT as u64;
    }
    Ok(None)
}

fn is_proof(
    bytes: &mut SegmentBytes<'_>,
    at: u64,
    size: u64,
    seed: u32,
    expected: Expected,
) -> Result<bool, DiskError> {
    let head: [u8; RECORD_HEADER] = bytes.get(at, RECORD_HEADER)?.try_into().expect("as many bytes as asked");
    let RecordStart::Header(header, crc) = RecordHeader::decode(&head, seed) else { return Ok(false) };
    if header.flags & FLAG_BATCH_START == 0
        || header.epoch < expected.epoch
        || header.lsn < expected.lsn_min
        || at + header.extent() as u64 > size
    {
        return Ok(false);
    }
    let mut actual = layout::header_crc(&head, seed);
    let mut offset = at + RECORD_HEADER as u64;
    let end = offset + u64::from(header.len);
    while offset < end {
        let part = usize::try_from((end - offset).min(WINDOW as u64)).expect("at most a window");
        actual = crc32c::crc32c_append(actual, bytes.get(offset, part)?);
        offset += part as u64;
    }
    Ok(actual == crc)
}
