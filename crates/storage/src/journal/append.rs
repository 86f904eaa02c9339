//! Appending: records are encoded where they will be written from, and get their place at once.

use super::batch::Step;
use super::layout::{
    self, FLAG_BATCH_START, FLAG_UNIT_END, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SegmentHeader,
};
use super::producers::ProducerSlot;
use super::segments::refer;
use super::{Journal, Location, Lsn, Unit, Urgency};
use crate::record::{KIND_COUNTED, KIND_DEFINE, KIND_HELD, KIND_SEAL, Placement, Record, encode, store_kind};
use bytes::Bytes;
use ferrymq_model::{Destination, Message};
use std::borrow::Borrow;

/// A message's bytes from this size on are written from where they lie instead of being copied: a second write
/// costs about as much as copying this much.
const BODY_BY_REFERENCE_BYTES: usize = 64 * 1024;
/// With this much waiting, a flush is asked for even if nobody waits. Bytes.
pub(super) const PENDING_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How many segments behind the one that grows a held message may lie to be placed: the segments that one message which
/// nobody takes keeps beside its own.
const PLACED_BEHIND_MAX: u32 = 1;

/// A segment is at least so many times as long as its head with the tables.
const HEAD_PART: usize = 4;

/// The last record, until it is known whether the unit ends with it.
#[derive(Debug)]
pub(super) struct OpenRecord {
    /// Where its header lies in the buffer.
    start: usize,
    /// Where its payload ends in the buffer.
    end: usize,
    /// The rest of its payload.
    body: Option<Bytes>,
}

impl Unit<'_> {
    /// Adds a message with its places; the location is where a `Reader` finds it.
    pub fn store(&mut self, message: &Message, placements: &[Placement]) -> Location {
        self.store_as(message, placements, store_kind(message))
    }

    /// As `store`, and the message's sequence counts: none up to it is taken from this producer again.
    pub fn store_counted(&mut self, message: &Message, placements: &[Placement], producer: ProducerSlot) -> Location {
        let at = self.store_as(message, placements, KIND_COUNTED);
        let journal = &mut *self.journal;
        let lsn = journal.last_lsn();
        journal.catalogue.producers.store(producer, message.header.id.sequence, lsn);
        at
    }

    fn store_as(&mut self, message: &Message, placements: &[Placement], kind: u8) -> Location {
        let at = self.journal.append_message(kind, message, |out| {
            if kind == KIND_COUNTED {
                out.push(store_kind(message));
            }
            encode::store_head(message, placements, out);
        });
        let journal = &mut *self.journal;
        journal.catalogue.stored(placements);
        journal.segments.last_mut().live += placements.len() as u64;
        at
    }

    /// Adds a message that a prepared branch sends to these leaves if it commits. Behind the branch's `Record::Prepare`.
    pub fn hold(
        &mut self,
        branch: u64,
        leaves: &[impl Borrow<Destination>],
        counted: bool,
        message: &Message,
    ) -> Location {
        let at = self.journal.append_message(KIND_HELD, message, |out| {
            encode::held_head(branch, leaves.iter().map(Borrow::borrow), counted, message, out);
        });
        let journal = &mut *self.journal;
        journal.segments.last_mut().live += 1;
        journal.catalogue.branches.entry(branch).or_default().push(at.segment);
        at
    }

    /// Whether a held message may be placed. What is placed keeps the segment of the record that says so beside its own,
    /// so it must lie near: else it is stored again.
    #[must_use]
    pub fn can_place(&self, held: Location) -> bool {
        self.journal.tail.segment - held.segment <= PLACED_BEHIND_MAX
    }

    /// Gives a held message its places, before the `Record::Dissolve` of its branch. It stays where it is: that is where
    /// a `Reader` finds it, and what `Journal::released` must be told for each placement.
    pub fn place(&mut self, branch: u64, held: Location, placements: &[Placement]) {
        self.journal.append(&Record::Place { branch, held, placements: placements.to_vec() });
    }

    /// As `place`, and the message's sequence counts, as with `store_counted`.
    pub fn place_counted(
        &mut self,
        branch: u64,
        held: Location,
        placements: &[Placement],
        (producer, sequence): (ProducerSlot, u64),
    ) {
        self.place(branch, held, placements);
        let journal = &mut *self.journal;
        let lsn = journal.last_lsn();
        journal.catalogue.producers.store(producer, sequence, lsn);
        if !journal.placed_of.contains(&producer) {
            journal.placed_of.push(producer);
        }
    }

    /// Adds any other record. For a `Record::Remove` or `Record::Forget`, call `Journal::released` for each message
    /// that left, before the next batch is taken.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Store { message, placements } => {
                self.store(message, placements);
            }
            Record::Held { branch, send } => {
                self.hold(*branch, &send.leaves, send.counted, &send.message);
            }
            Record::Define { .. }
            | Record::Forget { .. }
            | Record::Remove { .. }
            | Record::Delivered { .. }
            | Record::Prepare(_)
            | Record::Place { .. }
            | Record::Dissolve { .. }
            | Record::Outcome { .. } => self.journal.append(record),
        }
    }

    /// Ends the unit. A unit that is dropped without this is a bug of the caller: the journal's next use panics.
    pub fn commit(self, urgency: Urgency) -> Lsn {
        let journal = self.journal;
        journal.append_counts();
        journal.finish_record(FLAG_UNIT_END);
        journal.unit_open = false;
        let due = journal.pending.bytes >= PENDING_BYTES_MAX;
        if journal.pending.records > 0 && (urgency == Urgency::Awaited || due) {
            journal.awaited = true;
        }
        journal.last_lsn()
    }
}

impl Journal {
    /// Any record without a message.
    pub(super) fn append(&mut self, record: &Record) {
        let start = self.start_record();
        let kind = encode::record(record, &mut self.pending.buffer);
        let at = self.place_record(kind, start, None);
        self.catalogue.see(record);
        match record {
            Record::Remove { store, first, last } => {
                let last = self.catalogue.last_given(*store, *last);
                self.segments.last_mut().removals.add(*store, *first, last);
            }
            Record::Prepare(prepared) => {
                self.segments.last_mut().live += 1;
                self.catalogue.branches.entry(prepared.branch).or_default().push(at.segment);
            }
            Record::Place { held, placements, .. } => {
                let is_there = self.segments.place(held.segment, placements.len(), at.segment);
                assert!(is_there, "what a prepared branch holds is in a segment that exists");
            }
            Record::Dissolve { branch } => {
                self.segments.dissolve(&self.catalogue.branches.remove(branch).unwrap_or_default());
            }
            Record::Outcome { name, outcome } => {
                let lsn = self.last_lsn();
                self.catalogue.outcomes.note(name, *outcome, lsn);
            }
            Record::Store { .. } | Record::Held { .. } => unreachable!("a record with a message is appended with it"),
            Record::Define { .. } | Record::Forget { .. } | Record::Delivered { .. } => {}
        }
    }

    /// A record that ends with a message.
    fn append_message(&mut self, kind: u8, message: &Message, head: impl FnOnce(&mut Vec<u8>)) -> Location {
        let start = self.start_record();
        head(&mut self.pending.buffer);
        let body = if message.bytes.len() >= BODY_BY_REFERENCE_BYTES {
            Some(message.bytes.clone())
        } else {
            self.pending.buffer.extend_from_slice(&message.bytes);
            None
        };
        self.place_record(kind, start, body)
    }

    /// How far the producers came whose messages the unit placed: a record of a placement does not name them.
    fn append_counts(&mut self) {
        if self.placed_of.is_empty() {
            return;
        }
        let producers = std::mem::take(&mut self.placed_of);
        let start = self.start_record();
        let known = producers.iter().map(|producer| self.catalogue.producers.stored_of(*producer));
        let kind = encode::producers(known, &mut self.pending.buffer);
        self.place_record(kind, start, None);
    }

    /// A record of the journal's own, which ends a unit.
    pub(super) fn append_own(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> u8) {
        let start = self.start_record();
        let kind = encode(&mut self.pending.buffer);
        self.place_record(kind, start, None);
        self.finish_record(FLAG_UNIT_END);
    }

    /// Appends nothing but the fact that all before is durable. Only where that is so.
    pub(super) fn append_seal(&mut self) {
        self.append_own(|_| KIND_SEAL);
        self.sealed = true;
    }

    /// Makes room for a header. The caller appends the payload to the buffer.
    fn start_record(&mut self) -> usize {
        self.finish_record(0);
        let start = self.pending.buffer.len();
        self.pending.buffer.extend_from_slice(&[0; RECORD_HEADER]);
        start
    }

    /// Gives the record in `buffer[start..]` its number and its place.
    fn place_record(&mut self, kind: u8, start: usize, body: Option<Bytes>) -> Location {
        let in_buffer = self.pending.buffer.len() - start;
        let total = layout::aligned(in_buffer + body.as_ref().map_or(0, Bytes::len));
        let fits = total <= (self.tail.size - self.tail.offset) as usize;
        if fits {
            return self.write_record(kind, start, body);
        }
        let record = self.pending.buffer.split_off(start);
        self.roll(total);
        // The catalogue's last record is not the unit's last.
        self.finish_record(0);
        let start = self.pending.buffer.len();
        self.pending.buffer.extend_from_slice(&record);
        self.write_record(kind, start, body)
    }

    fn write_record(&mut self, kind: u8, start: usize, body: Option<Bytes>) -> Location {
        assert!(self.open_record.is_none(), "a record is finished before the next is written");
        let end = self.pending.buffer.len();
        let body_len = body.as_ref().map_or(0, Bytes::len);
        let len = end - start - RECORD_HEADER + body_len;
        let total = layout::aligned(RECORD_HEADER + len);
        assert!(total <= (self.tail.size - self.tail.offset) as usize, "a record fits its segment");
        let header = RecordHeader {
            kind,
            flags: if self.pending.records == 0 { FLAG_BATCH_START } else { 0 },
            len: u32::try_from(len).expect("a record is shorter than its segment"),
            epoch: self.epoch,
            lsn: self.next_lsn,
        };
        header.encode(&mut self.pending.buffer[start..start + RECORD_HEADER]);
        let padding = total - RECORD_HEADER - len;
        self.pending.buffer.extend_from_slice(&[0; layout::ALIGNMENT][..padding]);
        let at = Location { segment: self.tail.segment, offset: self.tail.offset };
        let padded_end = self.pending.buffer.len();
        match &body {
            None => self.pending.write(at.segment, at.offset, start, padded_end),
            Some(body) => {
                let body_offset = at.offset + u32_of(end - start);
                self.pending.write(at.segment, at.offset, start, end);
                let step = Step::Body { segment: at.segment, offset: body_offset, body: body.clone() };
                self.pending.steps.push(step);
                self.pending.bytes += body_len as u64;
                if padding > 0 {
                    self.pending.write(at.segment, body_offset + u32_of(body_len), end, padded_end);
                }
            }
        }
        self.open_record = Some(OpenRecord { start, end, body });
        self.pending.records += 1;
        self.next_lsn += 1;
        self.sealed = false;
        self.tail.offset += u32_of(total);
        self.segments.last_mut().end = self.tail.offset;
        at
    }

    /// Writes the last record's checksums, now that its flags are known.
    fn finish_record(&mut self, flags: u8) {
        let Some(OpenRecord { start, end, body }) = self.open_record.take() else { return };
        let record = &mut self.pending.buffer[start..end];
        record[11] |= flags;
        let header_crc = layout::header_crc(record, self.seed);
        record[8..10].copy_from_slice(&layout::check(header_crc).to_le_bytes());
        let mut crc = crc32c::crc32c_append(header_crc, &record[RECORD_HEADER..]);
        if let Some(body) = body {
            crc = crc32c::crc32c_append(crc, &body);
        }
        record[4..8].copy_from_slice(&crc.to_le_bytes());
        self.tail.last_crc = crc;
    }

    /// Goes on in a new segment, which starts with the catalogue and has room for a record of `room` bytes after it.
    fn roll(&mut self, room: usize) {
        let old = self.tail.segment;
        let wrote =
            self.pending.steps.iter().rev().any(
                |step| matches!(step, Step::Write { segment, .. } | Step::Body { segment, .. } if *segment == old),
            );
        if wrote {
            // Whatever is valid in the new segment proves that the old one is complete.
            self.pending.steps.push(Step::Sync { segment: old });
        }
        self.open_segment(old + 1, old, self.tail.last_crc, room);
        for released in &self.recently_released {
            refer(self.segments.last_mut(), *released);
        }
    }

    /// Starts a segment with header and catalogue.
    pub(super) fn open_segment(&mut self, segment: u32, previous: u32, previous_crc: u32, room: usize) {
        let (catalogue, extents) = self.head();
        let needed = SEGMENT_HEADER + catalogue.len() + extents.len() * layout::ALIGNMENT + room;
        // A large head must not be repeated for every few records.
        let needed = needed.max(catalogue.len() * HEAD_PART);
        let size = self.options.segment_bytes.max(u32::try_from(needed.next_multiple_of(4096)).expect("below 4 GiB"));
        let header = SegmentHeader {
            segment,
            store: self.store,
            epoch: self.epoch,
            first_lsn: self.next_lsn,
            previous,
            previous_crc,
            size,
        };
        self.segments.push(segment, size);
        self.pending.steps.push(Step::Create { segment, size });
        let start = self.pending.buffer.len();
        self.pending.buffer.extend_from_slice(&header.encode());
        self.pending.write(segment, 0, start, start + SEGMENT_HEADER);
        self.tail.segment = segment;
        self.tail.offset = u32_of(SEGMENT_HEADER);
        self.tail.size = size;
        let mut from = 0;
        for (kind, to) in extents {
            self.finish_record(0);
            let start = self.pending.buffer.len();
            self.pending.buffer.extend_from_slice(&catalogue[from..to]);
            self.write_record(kind, start, None);
            from = to;
        }
    }

    /// What a segment starts with, each record behind room for its header, and the kind and end of each.
    fn head(&self) -> (Vec<u8>, Vec<(u8, usize)>) {
        let stores = self.catalogue.sorted();
        let branches: Vec<u64> = self.catalogue.branches.keys().copied().collect();
        let mut bytes = Vec::new();
        let mut extents = Vec::new();
        let mut add = |encode: &mut dyn FnMut(&mut Vec<u8>) -> u8| {
            bytes.extend_from_slice(&[0; RECORD_HEADER]);
            let kind = encode(&mut bytes);
            extents.push((kind, bytes.len()));
        };
        add(&mut |out| encode::catalogue(&self.segments.ends(), stores.len(), &branches, out));
        for (store, entry) in &stores {
            add(&mut |out| {
                encode::define(*store, &entry.definition, entry.next_sequence, entry.delivered, out);
                KIND_DEFINE
            });
        }
        if self.catalogue.producers.stored().next().is_some() {
            add(&mut |out| encode::producers(self.catalogue.producers.stored(), out));
        }
        let outcomes = self.catalogue.outcomes.all();
        if !outcomes.is_empty() {
            add(&mut |out| encode::outcomes(outcomes.iter().copied(), out));
        }
        (bytes, extents)
    }

    pub(super) fn finish_unit(&mut self) {
        self.finish_record(FLAG_UNIT_END);
    }
}

fn u32_of(len: usize) -> u32 {
    u32::try_from(len).expect("offsets within a segment fit 32 bits")
}
