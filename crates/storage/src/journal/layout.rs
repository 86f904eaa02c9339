//! The two headers, byte by byte, and their checksums. docs/internals/journal.md shows them as tables.

/// First bytes of a written segment.
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"FERRYMQJ";
/// Version of the segment header and of the record header.
pub(crate) const VERSION: u16 = 1;
/// Length of a segment header. Smaller than a sector, so that it is written whole or not at all.
pub(crate) const SEGMENT_HEADER: usize = 64;
/// First bytes of a record.
pub(crate) const RECORD_MAGIC: u32 = 0x314A_5146; // "FQJ1"
/// Length of a record header.
pub(crate) const RECORD_HEADER: usize = 32;
/// Records start at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;
/// What a disk writes whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// The unit ends with this record.
pub(crate) const FLAG_UNIT_END: u8 = 1;
/// Everything before this record was durable before this record was written.
pub(crate) const FLAG_BATCH_START: u8 = 2;

const _: () = assert!(SEGMENT_HEADER.is_multiple_of(ALIGNMENT) && RECORD_HEADER.is_multiple_of(ALIGNMENT));
const _: () = assert!(SEGMENT_HEADER <= SECTOR);

/// The next multiple of [`ALIGNMENT`].
pub(crate) const fn aligned(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

/// A segment header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) segment: u32,
    pub(crate) store: [u8; 16],
    pub(crate) epoch: u64,
    pub(crate) first_lsn: u64,
    /// The segment that held the last record that counts before this one; 0: none.
    pub(crate) previous: u32,
    /// The checksum of that record.
    pub(crate) previous_crc: u32,
    /// Bytes in the segment.
    pub(crate) size: u32,
}

/// What the first bytes of a segment say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SegmentStart {
    /// Nothing but zeros.
    Blank,
    /// A header.
    Header(SegmentHeader),
    /// A header of a later version.
    Newer(u16),
    /// Neither.
    Bad(&'static str),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[0..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.store);
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.first_lsn.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.previous.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.previous_crc.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.size.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> SegmentStart {
        if bytes.iter().all(|byte| *byte == 0) {
            return SegmentStart::Blank;
        }
        if bytes[0..8] != SEGMENT_MAGIC {
            return SegmentStart::Bad("the segment's first bytes are not a journal's");
        }
        if u32_at(bytes, 60) != crc32c::crc32c(&bytes[..60]) {
            return SegmentStart::Bad("the segment header's checksum is wrong");
        }
        let version = u16_at(bytes, 8);
        if version != VERSION {
            return SegmentStart::Newer(version);
        }
        let mut store = [0; 16];
        store.copy_from_slice(&bytes[16..32]);
        SegmentStart::Header(Self {
            segment: u32_at(bytes, 12),
            store,
            epoch: u64_at(bytes, 32),
            first_lsn: u64_at(bytes, 40),
            previous: u32_at(bytes, 48),
            previous_crc: u32_at(bytes, 52),
            size: u32_at(bytes, 56),
        })
    }
}

/// Where the checksums of a store's records start: nobody who does not know the store's name can forge a record
/// inside a message's body, and a segment of another store is not read by mistake.
pub(crate) fn seed(store: &[u8; 16]) -> u32 {
    crc32c::crc32c(store)
}

/// A record header without its checksums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// Bytes of payload.
    pub(crate) len: u32,
    pub(crate) epoch: u64,
    pub(crate) lsn: u64,
}

/// A record header as read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecordStart {
    /// Nothing but zeros.
    Blank,
    /// A header whose own check is right, and the checksum that header and payload must have.
    Header(RecordHeader, u32),
    /// Neither.
    Bad,
}

impl RecordHeader {
    /// Writes everything but the two checksums.
    pub(crate) fn encode(&self, bytes: &mut [u8]) {
        bytes[0..4].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
        bytes[10] = self.kind;
        bytes[11] = self.flags;
        bytes[12..16].copy_from_slice(&self.len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.lsn.to_le_bytes());
    }

    pub(crate) fn decode(bytes: &[u8; RECORD_HEADER], seed: u32) -> RecordStart {
        if bytes.iter().all(|byte| *byte == 0) {
            return RecordStart::Blank;
        }
        if u32_at(bytes, 0) != RECORD_MAGIC || u16_at(bytes, 8) != check(header_crc(bytes, seed)) {
            return RecordStart::Bad;
        }
        let header = Self {
            kind: bytes[10],
            flags: bytes[11],
            len: u32_at(bytes, 12),
            epoch: u64_at(bytes, 16),
            lsn: u64_at(bytes, 24),
        };
        RecordStart::Header(header, u32_at(bytes, 4))
    }

    /// Bytes from the start of this record to the start of the next.
    pub(crate) fn extent(&self) -> usize {
        aligned(RECORD_HEADER + self.len as usize)
    }
}

/// The checksum of the fields of a header; the payload's continues it.
pub(crate) fn header_crc(header: &[u8], seed: u32) -> u32 {
    crc32c::crc32c_append(seed, &header[10..RECORD_HEADER])
}

/// The header's own check: tells a damaged header from a damaged payload, so that a length can be believed.
pub(crate) fn check(header_crc: u32) -> u16 {
    header_crc.to_le_bytes()[0] as u16 | (header_crc.to_le_bytes()[1] as u16) << 8
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
