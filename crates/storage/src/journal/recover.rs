//! From a disk to a journal: replays what is complete, and stops where something that was durable is not there.

use super::batch::{Step, perform};
use super::catalogue::Catalogue;
use super::judge::Judge;
use super::layout::{self, FLAG_BATCH_START, FLAG_UNIT_END, SegmentHeader, SegmentStart};
use super::scan::{Expected, Found, SegmentBytes, SegmentScan, Unfinished, find_proof, read_start};
use super::segments::Segments;
use super::{Batch, Journal, JournalOptions, Location, Lsn, SEGMENT_BYTES_MIN, Tail};
use crate::disk::{Disk, DiskError};
use crate::inspect::{Item, RecordItem, SegmentItem};
use crate::record::decode::{DecodeError, Decoder, Stored};
use crate::record::{Record, SegmentEnd, StoreId};
use ferrymq_model::Dialects;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// The number of a segment's first record: its others are numbered after it, and it holds fewer than its bytes.
const LSN_FIRST_MAX: u64 = u64::MAX - 2 * u32::MAX as u64;

/// Why there is no journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoverError {
    /// The environment refused.
    Disk(DiskError),
    /// Something that was durable is not there any more. Nothing was changed.
    Corrupt {
        /// In which segment.
        segment: u32,
        /// From which byte on.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// Written by a later version. Nothing was changed.
    Newer {
        /// In which segment.
        segment: u32,
        /// At which byte.
        offset: u64,
        /// What is not known.
        what: String,
    },
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "the journal cannot be read: {error}"),
            Self::Corrupt { segment, offset, what } => {
                write!(f, "the journal is damaged in segment {segment} at byte {offset}: {what}")
            }
            Self::Newer { segment, offset, what } => {
                write!(f, "segment {segment} was written by a later version (byte {offset}: {what})")
            }
        }
    }
}

impl From<DiskError> for RecoverError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Takes every record of every complete unit, in order, with its place. Pushes the place of each message that left a
/// store by it, once for each placement. The error says why the record cannot be true after those before it.
pub type Apply<'a> = dyn FnMut(Record, Location, &mut Vec<Location>) -> Result<(), String> + 'a;

/// Reads the journal, hands every complete record to `apply`, and starts a new epoch in a new segment. An unfinished
/// tail is left out, never overwritten, and deleted only once the new epoch is durable. An empty disk gives an empty
/// journal.
///
/// # Errors
/// The disk refused, or the journal is damaged in a way that is not an unfinished tail.
pub fn recover(
    disk: &mut dyn Disk,
    dialects: Dialects,
    options: JournalOptions,
    apply: &mut Apply<'_>,
) -> Result<Journal, RecoverError> {
    assert!(options.segment_bytes >= SEGMENT_BYTES_MIN, "a segment is at least {SEGMENT_BYTES_MIN} bytes long");
    let numbers = disk.list()?;
    if let Some(last) = numbers.last().copied().filter(|last| *last == u32::MAX) {
        return Err(corrupt(last, 0, "it has the last number there is"));
    }
    let mut unseen = |_: Item<'_>| {};
    let mut replay = Replay::new(dialects, apply, &mut unseen, numbers.clone());
    replay.all(disk)?;
    let journal = replay.into_journal(options);
    start_epoch(journal, disk, &numbers)
}

/// Reads like [`recover`], shows everything on the way, and changes nothing. Returns the last record that counts, and
/// how many behind it do not.
pub(crate) fn check(
    disk: &dyn Disk,
    dialects: Dialects,
    numbers: Vec<u32>,
    visit: &mut dyn FnMut(Item<'_>),
) -> Result<(Lsn, u64), RecoverError> {
    let mut ignore = |_: Record, _: Location, _: &mut Vec<Location>| Ok(());
    let mut replay = Replay::new(dialects, &mut ignore, visit, numbers);
    replay.all(disk)?;
    Ok((Lsn(replay.complete.lsn), replay.unit.len() as u64))
}

/// The store that a record defines, if it defines one.
fn defined(stored: &Stored) -> Option<StoreId> {
    match stored {
        Stored::Record(Record::Define { store, .. }) => Some(*store),
        Stored::Record(_)
        | Stored::Counted(_)
        | Stored::Producers(_)
        | Stored::Outcomes(_)
        | Stored::Catalogue { .. }
        | Stored::Dropped(_)
        | Stored::Seal => None,
    }
}

fn corrupt(segment: u32, offset: u32, what: &str) -> RecoverError {
    RecoverError::Corrupt { segment, offset: u64::from(offset), what: what.to_owned() }
}

/// The last record of the last complete unit.
#[derive(Clone, Copy, Default, Debug)]
struct Complete {
    segment: u32,
    crc: u32,
    lsn: u64,
}

/// The segment that was read last.
#[derive(Clone, Debug)]
struct Last {
    header: SegmentHeader,
    /// Where its records stop,
    stop: u32,
    /// with what; `None`: zeros.
    bad: Option<(&'static str, Unfinished)>,
    next_lsn: u64,
    /// The last record's checksum.
    crc: u32,
}

/// A record of a unit whose end was not seen yet.
#[derive(Debug)]
struct Waiting {
    stored: Stored,
    at: Location,
    end: u32,
}

struct Replay<'a, 'f> {
    decoder: Decoder,
    apply: &'a mut Apply<'f>,
    visit: &'a mut dyn FnMut(Item<'_>),
    numbers: Vec<u32>,
    last: Option<Last>,
    complete: Complete,
    unit: Vec<Waiting>,
    /// Segments between the last one and the one that is about to be read were deleted.
    gap: bool,
    epoch_max: u64,
    segments: Segments,
    catalogue: Catalogue,
    judge: Judge,
    /// Segments that must exist, and where their records end at least.
    live: BTreeMap<u32, u32>,
    /// Where reading stopped in each segment.
    stops: BTreeMap<u32, u32>,
    released: Vec<Location>,
}

impl<'a, 'f> Replay<'a, 'f> {
    fn new(
        dialects: Dialects,
        apply: &'a mut Apply<'f>,
        visit: &'a mut dyn FnMut(Item<'_>),
        numbers: Vec<u32>,
    ) -> Self {
        Self {
            decoder: Decoder::new(dialects),
            apply,
            visit,
            numbers,
            last: None,
            complete: Complete::default(),
            unit: Vec::new(),
            gap: false,
            epoch_max: 0,
            segments: Segments::default(),
            catalogue: Catalogue::default(),
            judge: Judge::default(),
            live: BTreeMap::new(),
            stops: BTreeMap::new(),
            released: Vec::new(),
        }
    }

    /// Every segment in order, then the judgement about what is not there.
    fn all(&mut self, disk: &dyn Disk) -> Result<(), RecoverError> {
        let mut blank = Vec::new();
        for number in self.numbers.clone() {
            match read_start(disk, number)? {
                SegmentStart::Blank => {
                    (self.visit)(Item::Blank { segment: number });
                    blank.push(number);
                }
                SegmentStart::Newer(version) => {
                    let what = format!("segment version {version}");
                    return Err(RecoverError::Newer { segment: number, offset: 0, what });
                }
                SegmentStart::Bad(what) => return Err(corrupt(number, 0, what)),
                SegmentStart::Header(header) => {
                    (self.visit)(Item::Segment(SegmentItem {
                        segment: number,
                        size: header.size,
                        store: header.store,
                        epoch: header.epoch,
                        first_lsn: Lsn(header.first_lsn),
                        previous: header.previous,
                    }));
                    self.join(&header)?;
                    self.segment(disk, &header)?;
                }
            }
        }
        self.judge_tail(disk)?;
        self.judge_blank(disk, &blank)?;
        self.judge_live()?;
        self.judge.end().map_err(|(at, what)| corrupt(at.segment, at.offset, &what))
    }

    fn exists(&self, segment: u32) -> bool {
        self.numbers.binary_search(&segment).is_ok()
    }

    /// Whether this segment follows what was read so far.
    fn join(&mut self, header: &SegmentHeader) -> Result<(), RecoverError> {
        let here = header.segment;
        if header.epoch == u64::MAX || header.first_lsn > LSN_FIRST_MAX {
            return Err(corrupt(here, 0, "it begins with the last numbers there are"));
        }
        let before = Complete {
            segment: header.previous,
            crc: header.previous_crc,
            lsn: header.first_lsn.checked_sub(1).ok_or_else(|| corrupt(here, 0, "the first record has no number"))?,
        };
        self.epoch_max = self.epoch_max.max(header.epoch);
        let gap = !self.exists(header.previous);
        let Some(last) = &self.last else {
            if !gap {
                return Err(corrupt(header.previous, 0, "the segment is blank, and a later one follows it"));
            }
            self.complete = before;
            return Ok(());
        };
        let stop = |what: &str| Err(corrupt(last.header.segment, last.stop, what));
        if header.store != last.header.store {
            return Err(corrupt(here, 0, "the segment belongs to another store"));
        }
        if header.epoch < last.header.epoch {
            return Err(corrupt(here, 0, "the segment is of an earlier epoch than the one before"));
        }
        if header.epoch == last.header.epoch {
            if header.previous == last.header.segment {
                if header.first_lsn != last.next_lsn || header.previous_crc != last.crc {
                    return stop(last.bad.map_or("records are missing", |(what, _)| what));
                }
                return Ok(());
            }
            if !gap || header.first_lsn < last.next_lsn {
                return stop("the segment that follows was made after another one");
            }
        } else if header.previous == self.complete.segment {
            if (before.lsn, before.crc) != (self.complete.lsn, self.complete.crc) {
                return stop(last.bad.map_or("records are missing", |(what, _)| what));
            }
        } else if !gap || before.lsn < self.complete.lsn {
            return stop("the segment that follows was made after another one");
        }
        if gap {
            self.gap = true;
        } else {
            // What is left of a unit was found unfinished by the recovery that made this segment.
            self.unit.clear();
        }
        self.complete = before;
        Ok(())
    }

    fn segment(&mut self, disk: &dyn Disk, header: &SegmentHeader) -> Result<(), RecoverError> {
        let number = header.segment;
        self.segments.push(number, header.size);
        let mut scan = SegmentScan::new(disk, header);
        let mut last =
            Last { header: header.clone(), stop: 0, bad: None, next_lsn: header.first_lsn, crc: header.previous_crc };
        loop {
            match scan.next()? {
                Found::Record { header, crc, at, payload } => {
                    let stored = self.decoder.decode(header.kind, &payload).map_err(|error| match error {
                        DecodeError::Newer(what) => {
                            RecoverError::Newer { segment: number, offset: u64::from(at), what }
                        }
                        DecodeError::Malformed(what) => corrupt(number, at, what),
                    })?;
                    let bytes = u32::try_from(header.extent()).expect("within the segment");
                    let end = at + bytes;
                    let place = Location { segment: number, offset: at };
                    let marks = (header.flags & FLAG_UNIT_END != 0, header.flags & FLAG_BATCH_START != 0);
                    (self.visit)(Item::Record(RecordItem::new(place, Lsn(header.lsn), bytes, marks, &stored)));
                    last.next_lsn = header.lsn + 1;
                    last.crc = crc;
                    if std::mem::take(&mut self.gap) {
                        self.bridge(&stored)?;
                    }
                    self.unit.push(Waiting { stored, at: place, end });
                    if header.flags & FLAG_UNIT_END != 0 {
                        self.complete = Complete { segment: number, crc, lsn: header.lsn };
                        self.unit_complete()?;
                    }
                }
                Found::Blank { at } => {
                    last.stop = at;
                    break;
                }
                Found::Bad { at, what, unfinished } => {
                    last.stop = at;
                    last.bad = Some((what, unfinished));
                    break;
                }
            }
        }
        let what = last.bad.map(|(what, _)| what);
        (self.visit)(Item::Stop { segment: number, offset: last.stop, what });
        if std::mem::take(&mut self.gap) {
            self.unit.clear();
        }
        self.stops.insert(number, last.stop);
        self.last = Some(last);
        Ok(())
    }

    /// Segments between the last one and this one were deleted, maybe with the end of a unit that began before. Then
    /// the unit was complete, and its records that are left count. The catalogue behind the gap tells.
    fn bridge(&mut self, first: &Stored) -> Result<(), RecoverError> {
        if let Stored::Catalogue { segments, .. } = first {
            let counts = |waiting: &Waiting| {
                segments.iter().any(|end| end.segment == waiting.at.segment && waiting.end <= end.end)
            };
            self.unit.retain(counts);
            return self.unit_complete();
        }
        self.unit.clear();
        Ok(())
    }

    fn unit_complete(&mut self) -> Result<(), RecoverError> {
        let unit = std::mem::take(&mut self.unit);
        let unit_segment = unit.first().map_or(0, |waiting| waiting.at.segment);
        let mut defined: VecDeque<StoreId> = unit.iter().filter_map(|waiting| defined(&waiting.stored)).collect();
        for Waiting { stored, at, end } in unit {
            let segment = self.segments.get_mut(at.segment).expect("it was noted when it was opened");
            segment.end = end;
            match stored {
                Stored::Record(record) => {
                    if let Record::Define { .. } = record {
                        defined.pop_front();
                    }
                    self.take(record, at)?;
                }
                Stored::Counted(record) => {
                    if let Record::Store { message, .. } = &record {
                        let id = &message.header.id;
                        self.catalogue.producers.restore(&id.producer, id.sequence.saturating_add(1));
                    }
                    self.take(record, at)?;
                }
                Stored::Producers(producers) => {
                    for (name, next) in &producers {
                        self.catalogue.producers.restore(name, *next);
                    }
                }
                Stored::Outcomes(outcomes) => {
                    for (name, outcome) in &outcomes {
                        self.catalogue.outcomes.note(name, *outcome, Lsn(0));
                    }
                }
                Stored::Catalogue { segments, stores, branches } => {
                    self.dissolve_others(&branches, at)?;
                    self.forget_others(stores, &defined, at)?;
                    self.catalogue.outcomes.clear();
                    self.live = segments.iter().map(|SegmentEnd { segment, end }| (*segment, *end)).collect();
                    self.live.insert(at.segment, 0);
                }
                Stored::Dropped(segments) => {
                    for segment in segments {
                        self.live.remove(&segment);
                        // The removals in it were said again in this unit.
                        if let Some(dropped) = self.segments.get_mut(segment) {
                            let refers = std::mem::take(&mut dropped.refers);
                            self.segments.refer_from(unit_segment, &refers);
                        }
                    }
                }
                Stored::Seal => {}
            }
        }
        Ok(())
    }

    /// What a catalogue does not name was forgotten, even if the record that said so is gone. `next`: the stores that the
    /// records behind the catalogue define, its own first. Those must come later: what is defined again, under a new
    /// number, is not what was forgotten.
    fn forget_others(&mut self, named: u32, next: &VecDeque<StoreId>, at: Location) -> Result<(), RecoverError> {
        let named = named as usize;
        if next.len() < named {
            return Ok(());
        }
        let is_named = |store: &StoreId| next.iter().take(named).any(|other| other == store);
        let mut forgotten: Vec<_> = self.catalogue.ids().filter(|store| !is_named(store)).collect();
        forgotten.sort_unstable();
        for store in forgotten {
            self.take(Record::Forget { store }, at)?;
        }
        Ok(())
    }

    /// A prepared branch that a catalogue does not name was decided, even if the record that said so is gone.
    fn dissolve_others(&mut self, named: &[u64], at: Location) -> Result<(), RecoverError> {
        let known = self.catalogue.branches.keys().copied();
        let others: Vec<u64> = known.filter(|branch| !named.contains(branch)).collect();
        for branch in others {
            self.take(Record::Dissolve { branch }, at)?;
        }
        Ok(())
    }

    fn take(&mut self, record: Record, at: Location) -> Result<(), RecoverError> {
        self.judge.see(&record, at).map_err(|what| corrupt(at.segment, at.offset, &what))?;
        self.catalogue.see(&record);
        let segment = self.segments.get_mut(at.segment).expect("it was noted when it was opened");
        match &record {
            Record::Store { placements, .. } => segment.live += placements.len() as u64,
            Record::Remove { store, first, last } => {
                let last = self.catalogue.last_given(*store, *last);
                segment.removals.add(*store, *first, last);
            }
            Record::Prepare(prepared) => {
                segment.live += 1;
                self.catalogue.branches.entry(prepared.branch).or_default().push(at.segment);
            }
            Record::Held { branch, .. } => {
                segment.live += 1;
                self.catalogue.branches.entry(*branch).or_default().push(at.segment);
            }
            Record::Place { held, placements, .. } => {
                if !self.segments.place(held.segment, placements.len(), at.segment) {
                    return Ok(());
                }
            }
            Record::Dissolve { branch } => {
                self.segments.dissolve(&self.catalogue.branches.remove(branch).unwrap_or_default());
            }
            Record::Outcome { name, outcome } => self.catalogue.outcomes.note(name, *outcome, Lsn(0)),
            Record::Define { .. } | Record::Forget { .. } | Record::Delivered { .. } => {}
        }
        (self.apply)(record, at, &mut self.released).map_err(|what| corrupt(at.segment, at.offset, &what))?;
        for released in self.released.drain(..) {
            self.segments.release(released.segment, at.segment);
        }
        Ok(())
    }

    /// Whether what stands behind the last record is what an unfinished write leaves.
    fn judge_tail(&mut self, disk: &dyn Disk) -> Result<(), RecoverError> {
        let Some(last) = &self.last else { return Ok(()) };
        let (segment, stop) = (last.header.segment, last.stop);
        if let Some((what, Unfinished::Impossible)) = last.bad {
            return Err(corrupt(segment, stop, what));
        }
        let mut scan = SegmentScan::at(disk, &last.header, stop, last.next_lsn);
        match scan.later_proof()? {
            None => Ok(()),
            Some(proof) => {
                let found = last.bad.map_or("there is no record", |(what, _)| what);
                let what = format!("{found}, and a record at byte {proof} was written after it was durable");
                Err(corrupt(segment, stop, &what))
            }
        }
    }

    /// Segments without a header are prepared ones, or those of an unfinished start; nothing in them was durable.
    fn judge_blank(&mut self, disk: &dyn Disk, blank: &[u32]) -> Result<(), RecoverError> {
        let Some(last) = &self.last else { return Ok(()) };
        let seed = layout::seed(&last.header.store);
        let expected = Expected { epoch: last.header.epoch, lsn_min: last.next_lsn + 1 };
        for number in blank.iter().copied().filter(|number| *number > last.header.segment) {
            let size = disk.size(number)?;
            let mut bytes = SegmentBytes::new(disk, number);
            if let Some(proof) = find_proof(&mut bytes, 0, size, seed, expected)? {
                let what = format!("the header is gone, and a record at byte {proof} was written after it was durable");
                return Err(corrupt(number, 0, &what));
            }
        }
        Ok(())
    }

    /// Whether every segment that must exist does, as long as it was.
    fn judge_live(&mut self) -> Result<(), RecoverError> {
        for (number, end) in &self.live {
            match self.stops.get(number) {
                None => return Err(corrupt(*number, 0, "the segment is missing")),
                Some(stop) if stop < end => {
                    let what = format!("records up to byte {end} were durable and are not there");
                    return Err(corrupt(*number, *stop, &what));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn into_journal(mut self, options: JournalOptions) -> Journal {
        let store = self.last.as_ref().map_or(options.new_store, |last| last.header.store);
        for number in self.stops.keys().filter(|number| !self.live.contains_key(number)) {
            self.segments.remove(*number);
        }
        Journal {
            options,
            store,
            seed: layout::seed(&store),
            epoch: (self.epoch_max + 1).max(options.epoch_min),
            next_lsn: self.complete.lsn + 1,
            flushed: Lsn(self.complete.lsn),
            tail: Tail { segment: self.complete.segment, offset: 0, size: 0, last_crc: self.complete.crc },
            segments: self.segments,
            catalogue: self.catalogue,
            pending: Batch::default(),
            open_record: None,
            unit_open: false,
            awaited: false,
            sealed: false,
            out: false,
            spare: Batch::default(),
            pending_first_segment: 0,
            recently_released: Vec::new(),
            short_of_space: false,
            placed_of: Vec::new(),
        }
    }
}

/// Makes the new epoch durable, then deletes what is neither live nor needed to tell.
fn start_epoch(mut journal: Journal, disk: &mut dyn Disk, numbers: &[u32]) -> Result<Journal, RecoverError> {
    let first = numbers.last().copied().unwrap_or(0) + 1;
    let (previous, crc) = (journal.tail.segment, journal.tail.last_crc);
    let leftovers = numbers.iter().copied().filter(|number| !journal.segments.exists(*number));
    // What an unfinished unit left goes from its end: at any moment the rest follows what is there.
    let (mut leftovers, unfinished): (Vec<u32>, Vec<u32>) = leftovers.partition(|number| *number <= previous);
    leftovers.extend(unfinished.iter().rev());
    // A process that was killed between a write and its sync leaves what only the system's cache holds. The new epoch
    // builds on everything that was read, so all of it becomes durable before the new segment names it.
    for number in numbers.iter().filter(|number| journal.segments.exists(**number)) {
        disk.sync(*number)?;
    }
    journal.open_segment(first, previous, crc, 0);
    journal.finish_unit();
    journal.pending.steps.push(Step::Sync { segment: first });
    journal.pending.last = journal.last_lsn();
    journal.pending.deletions = leftovers;
    journal.pending_first_segment = first;
    let mut batch = std::mem::take(&mut journal.pending);
    perform(&mut batch, disk)?;
    journal.out = true;
    journal.flushed(batch);
    journal.sealed = true;
    Ok(journal)
}
