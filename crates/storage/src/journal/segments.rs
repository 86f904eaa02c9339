//! Which segments exist, what lives in each, and which may go.

use super::removals::Removals;
use crate::record::{SegmentEnd, StoreId};

/// Saying a segment's removals again may take this part of its length, or a small segment's worth in any case.
const REPEATED_PART: u32 = 8;
/// Bytes of a `Remove` record, rounded up.
const REMOVE_BYTES: usize = 64;

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) size: u32,
    /// Where its last record that counts ends.
    pub(crate) end: u32,
    /// Placements of messages here that have not left their stores, and records of prepared branches that are not
    /// decided.
    pub(crate) live: u64,
    /// Earlier segments that hold messages whose places stand here: while something lives in them, this one stays.
    pub(crate) places: Vec<u32>,
    /// Older segments that hold messages whose removal stands here. They must be gone before this one, or the removals
    /// said again.
    pub(crate) refers: Vec<u32>,
    /// Those removals.
    pub(crate) removals: Removals,
    /// Its deletion is on its way.
    pub(crate) dropping: bool,
}

/// What may be deleted.
#[derive(Debug, Default)]
pub(crate) struct Deletable {
    pub(crate) segments: Vec<u32>,
    /// Removals in them that are still needed,
    pub(crate) removals: Vec<(StoreId, u64, u64)>,
    /// because of messages in these segments.
    pub(crate) refers: Vec<u32>,
}

/// All segments, ascending; the last one is the one that grows.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    list: Vec<Segment>,
    /// Something changed that could have made a segment deletable.
    look: bool,
}

impl Segments {
    pub(crate) fn push(&mut self, number: u32, size: u32) {
        assert!(self.list.last().is_none_or(|last| last.number < number), "segments are made in ascending order");
        self.list.push(Segment {
            number,
            size,
            end: 0,
            live: 0,
            places: Vec::new(),
            refers: Vec::new(),
            removals: Removals::default(),
            dropping: false,
        });
        self.look = true;
    }

    pub(crate) fn last_mut(&mut self) -> &mut Segment {
        self.list.last_mut().expect("a journal has a segment")
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Segment> {
        if self.list.last().is_some_and(|last| last.number == number) {
            return self.list.last_mut();
        }
        let index = self.list.binary_search_by_key(&number, |segment| segment.number).ok()?;
        Some(&mut self.list[index])
    }

    pub(crate) fn exists(&self, number: u32) -> bool {
        self.list.binary_search_by_key(&number, |segment| segment.number).is_ok()
    }

    fn stays(&self, number: u32) -> bool {
        let found = self.list.binary_search_by_key(&number, |segment| segment.number);
        found.is_ok_and(|index| !self.list[index].dropping)
    }

    fn lives(&self, number: u32) -> bool {
        let found = self.list.binary_search_by_key(&number, |segment| segment.number);
        found.is_ok_and(|index| self.list[index].live > 0)
    }

    /// One placement less in `of`; the segments from `first` on may hold the record that says so.
    pub(crate) fn release(&mut self, of: u32, first: u32) {
        let segment = self.get_mut(of).expect("a released location is in a segment that exists");
        assert!(segment.live > 0, "no more is released than was stored in segment {of}");
        segment.live -= 1;
        if segment.live == 0 {
            self.look = true;
        }
        for holder in self.list.iter_mut().rev().take_while(|segment| segment.number >= first) {
            refer(holder, of);
        }
    }

    /// A record in the segment `by` placed a message that is held in `of`; whether that is still there. If it is not,
    /// the message has left every place.
    pub(crate) fn place(&mut self, of: u32, placements: usize, by: u32) -> bool {
        let Some(segment) = self.get_mut(of) else { return false };
        segment.live += placements as u64;
        let holder = self.get_mut(by).expect("a record is in a segment that exists");
        if of != by && !holder.places.contains(&of) {
            holder.places.push(of);
        }
        true
    }

    /// A branch that was prepared in these segments is decided. The record that says so need not outlive them: a branch
    /// that a later catalogue does not name was decided.
    pub(crate) fn dissolve(&mut self, records: &[u32]) {
        for of in records {
            let segment = self.get_mut(*of).expect("a prepared branch is in segments that exist");
            assert!(segment.live > 0, "what is prepared in segment {of} lives there");
            segment.live -= 1;
            if segment.live == 0 {
                self.look = true;
            }
        }
    }

    /// Notes `refers` for every segment from `first` on.
    pub(crate) fn refer_from(&mut self, first: u32, refers: &[u32]) {
        for holder in self.list.iter_mut().rev().take_while(|segment| segment.number >= first) {
            for of in refers {
                refer(holder, *of);
            }
        }
    }

    /// Segments that may go now, ascending, and what must be said again for it. Marks them.
    pub(crate) fn take_deletable(&mut self) -> Deletable {
        let mut deletable = Deletable::default();
        if !std::mem::take(&mut self.look) {
            return deletable;
        }
        let tail = self.list.len().saturating_sub(1);
        for index in 0..tail {
            let segment = &self.list[index];
            if segment.dropping || segment.live > 0 || segment.places.iter().any(|of| self.lives(*of)) {
                continue;
            }
            // What goes in the same batch goes first.
            let refers: Vec<u32> = segment.refers.iter().copied().filter(|number| self.stays(*number)).collect();
            let segment = &mut self.list[index];
            if !refers.is_empty() {
                let room = (segment.size / REPEATED_PART).max(1024) as usize;
                if segment.removals.len().is_none_or(|count| count * REMOVE_BYTES > room) {
                    continue;
                }
                deletable.removals.extend(segment.removals.take().unwrap_or_default());
                deletable.refers.extend(refers);
            }
            segment.dropping = true;
            deletable.segments.push(segment.number);
        }
        deletable
    }

    /// Whether `take_deletable` could find something.
    pub(crate) fn may_have_deletable(&self) -> bool {
        self.look
    }

    /// The segment is gone from the disk.
    pub(crate) fn remove(&mut self, number: u32) {
        if let Ok(index) = self.list.binary_search_by_key(&number, |segment| segment.number) {
            self.list.remove(index);
            self.look = true;
        }
    }

    /// What a catalogue says.
    pub(crate) fn ends(&self) -> Vec<SegmentEnd> {
        let kept = self.list.iter().filter(|segment| !segment.dropping);
        kept.map(|segment| SegmentEnd { segment: segment.number, end: segment.end }).collect()
    }

    pub(crate) fn footprint(&self) -> (u64, u32) {
        let bytes = self.list.iter().map(|segment| u64::from(segment.size)).sum();
        (bytes, u32::try_from(self.list.len()).expect("segments are numbered with 32 bits"))
    }
}

/// Notes that `holder` must outlive `of`.
pub(crate) fn refer(holder: &mut Segment, of: u32) {
    if holder.number != of && holder.refers.last() != Some(&of) && !holder.refers.contains(&of) {
        holder.refers.push(of);
    }
}
