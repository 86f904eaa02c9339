//! Messages that are read back together: as few reads as their places allow, and each for itself where one is bad.

use crate::support::*;
use ferrymq_model::Message;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::{Fetch, Fetched, JournalOptions, Reader};
use ferrymq_storage::{Disk, DiskError, Location};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// A disk in memory that counts what is read, and cannot read some of it.
#[derive(Default)]
struct Watched {
    disk: MemoryDisk,
    /// Segment, offset and bytes of each read.
    reads: RefCell<Vec<(u32, u64, usize)>>,
    /// Bytes of segment 1 that cannot be read.
    bad: Option<Range<u64>>,
    /// A read that reaches them gives what stands before, as a system's does, and not nothing.
    gives_part: bool,
}

impl Disk for Watched {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        self.disk.list()
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.disk.create(segment, size)
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.write(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        self.disk.sync(segment)
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        let mut len = into.len();
        if let Some(bad) = self.bad.as_ref().filter(|_| segment == 1)
            && offset < bad.end
            && offset + len as u64 > bad.start
        {
            if !self.gives_part || offset >= bad.start {
                return Err(DiskError::Failed("input/output error".to_owned()));
            }
            len = usize::try_from(bad.start - offset).unwrap();
        }
        self.reads.borrow_mut().push((segment, offset, len));
        self.disk.read(segment, offset, &mut into[..len])
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.disk.size(segment)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.disk.delete(segment)
    }
}

impl Watched {
    /// A journal with messages of these lengths in one queue, and their places.
    fn holding(lens: &[usize], segment_bytes: u32) -> (Self, Vec<Location>) {
        let mut disk = Self::default();
        let options = JournalOptions { segment_bytes, ..small() };
        let (mut journal, mut state) = recover(&mut disk, options).unwrap();
        write(&mut journal, &mut state, &[define(1)]);
        for (sequence, &len) in (1..).zip(lens) {
            write(&mut journal, &mut state, &[store(1, sequence, len)]);
        }
        flush(&mut journal, &mut disk);
        disk.reads.borrow_mut().clear();
        let places = state.stores[&1].messages.values().map(|(_, at)| *at).collect();
        (disk, places)
    }

    /// How many reads there were since the last look, and how many bytes they gave.
    fn reads(&self) -> (usize, usize) {
        let reads = std::mem::take(&mut *self.reads.borrow_mut());
        (reads.len(), reads.iter().map(|(_, _, len)| len).sum())
    }
}

const LARGE: u32 = 4 * 1024 * 1024;

/// What a reader finds at these places, in their order.
fn read_all(reader: &mut Reader, disk: &Watched, places: &[Location]) -> Vec<Result<Arc<Message>, DiskError>> {
    let mut wanted: Vec<Fetch> = places.iter().map(|at| fetch(1, *at)).collect();
    let mut read = Vec::new();
    while !wanted.is_empty() {
        reader.read(disk, &mut wanted, &mut read);
    }
    let found = |at| read.iter().find(|fetched: &&Fetched| fetched.fetch.at == at).unwrap().message.clone();
    places.iter().map(|at| found(*at)).collect()
}

/// The messages of these numbers and lengths.
fn check_bodies<'l>(found: &[Result<Arc<Message>, DiskError>], expected: impl Iterator<Item = (u64, &'l usize)>) {
    let mut count = 0;
    for (message, (sequence, len)) in found.iter().zip(expected) {
        assert_eq!(message.as_ref().unwrap().bytes, body(sequence, *len), "message {sequence}");
        count += 1;
    }
    assert_eq!(count, found.len());
}

#[test]
fn neighbours_are_read_together_whatever_the_order_of_the_wishes() {
    let lens = [1000; 100];
    let (disk, places) = Watched::holding(&lens, LARGE);
    let mut shuffled: Vec<Location> = (0..100).map(|number| places[number * 37 % 100]).collect();
    let mut reader = Reader::new(DIALECTS);
    read_all(&mut reader, &disk, &shuffled);
    assert_eq!(disk.reads().0, 2, "the segment's start, and all records");
    shuffled.reverse();
    let found = read_all(&mut reader, &disk, &shuffled);
    assert_eq!(disk.reads().0, 2);
    check_bodies(&found, (0..100).rev().map(|number| (number * 37 % 100 + 1, &1000)));
}

#[test]
fn what_nobody_wants_is_read_over_where_it_is_short() {
    let lens: Vec<usize> = (0..40).map(|number| if number % 2 == 0 { 500 } else { 3000 }).collect();
    let (disk, places) = Watched::holding(&lens, LARGE);
    let every_second: Vec<Location> = places.iter().step_by(2).copied().collect();
    let found = read_all(&mut Reader::new(DIALECTS), &disk, &every_second);
    check_bodies(&found, (1..).zip(&lens).step_by(2));
    assert_eq!(disk.reads().0, 2);
}

#[test]
fn what_lies_far_apart_is_not_read_together() {
    let mut lens = [400; 200];
    lens[100] = 100_000;
    let (disk, places) = Watched::holding(&lens, LARGE);
    let found = read_all(&mut Reader::new(DIALECTS), &disk, &[places[99], places[101]]);
    check_bodies(&found, [(100, &400), (102, &400)].into_iter());
    let (reads, bytes) = disk.reads();
    assert_eq!(reads, 3);
    assert!(bytes < 10_000, "{bytes} bytes");
}

#[test]
fn a_message_that_several_want_is_read_and_held_once() {
    let (disk, places) = Watched::holding(&[1000, 1000], LARGE);
    let mut wanted: Vec<Fetch> = (1..=5).map(|store| fetch(store, places[usize::from(store % 2 == 0)])).collect();
    let mut read = Vec::new();
    Reader::new(DIALECTS).read(&disk, &mut wanted, &mut read);
    let stores: Vec<u32> = read.iter().map(|fetched| fetched.fetch.placement.store.0).collect();
    assert_eq!(stores, [1, 3, 5, 2, 4]);
    let messages: Vec<&Arc<Message>> = read.iter().map(|fetched| fetched.message.as_ref().unwrap()).collect();
    assert!(Arc::ptr_eq(messages[0], messages[1]) && Arc::ptr_eq(messages[1], messages[2]));
    assert!(Arc::ptr_eq(messages[3], messages[4]) && !Arc::ptr_eq(messages[0], messages[3]));
    assert_eq!(disk.reads().0, 2);
}

/// Around half of the window and the whole of it, where records get a read of their own, and around its end.
#[test]
fn messages_of_all_lengths_come_back() {
    const WINDOW: usize = 256 * 1024;
    let mut lens = vec![100, WINDOW * 2 + 5, 200, 0, 1, 4096];
    lens.extend((0..100).map(|number| WINDOW / 2 - 120 + number));
    lens.extend([WINDOW - 1, WINDOW, 77, 3 * WINDOW, 78]);
    lens.extend((0..40).map(|number| 10_000 + 997 * number));
    let (disk, places) = Watched::holding(&lens, LARGE);
    let found = read_all(&mut Reader::new(DIALECTS), &disk, &places);
    check_bodies(&found, (1..).zip(&lens));
    let (reads, bytes) = disk.reads();
    let stored: usize = lens.iter().sum();
    assert!(bytes < stored * 2, "{bytes} bytes in {reads} reads for {stored}");
}

#[test]
fn messages_of_many_segments_come_back() {
    let lens = [700; 60];
    let (disk, places) = Watched::holding(&lens, 4096);
    assert!(places.last().unwrap().segment > 8);
    let found = read_all(&mut Reader::new(DIALECTS), &disk, &places);
    check_bodies(&found, (1..).zip(&lens));
}

#[test]
fn a_damaged_record_costs_the_wishes_for_it_alone() {
    let lens = [1000; 20];
    let (mut disk, places) = Watched::holding(&lens, LARGE);
    let at = places[9];
    let mut shared = places.clone();
    shared.push(at);
    // The record's mark, the length of its payload, its kind, and its payload.
    for damaged in [0, 10, 12, 14, 700] {
        let flip = |disk: &mut Watched| disk.disk.segment_mut(at.segment).unwrap()[at.offset as usize + damaged] ^= 1;
        flip(&mut disk);
        let mut found = read_all(&mut Reader::new(DIALECTS), &disk, &shared);
        for twice in [found.pop().unwrap(), found.remove(9)] {
            let error = twice.unwrap_err().to_string();
            assert!(error.contains(&format!("segment {} offset {}", at.segment, at.offset)), "{error}");
        }
        check_bodies(&found, (1..).zip(&lens).filter(|(sequence, _)| *sequence != 10));
        flip(&mut disk);
    }
}

#[test]
fn what_the_disk_cannot_read_costs_the_wishes_for_it_alone() {
    for gives_part in [false, true] {
        for (lens, bad) in [([1000; 20], 300), ([1000; 20], 10), ([150_000; 20], 70_000)] {
            let (mut disk, places) = Watched::holding(&lens, LARGE);
            let start = u64::from(places[9].offset) + bad;
            (disk.bad, disk.gives_part) = (Some(start..start + 20), gives_part);
            let mut found = read_all(&mut Reader::new(DIALECTS), &disk, &places);
            assert_eq!(found.remove(9).unwrap_err(), DiskError::Failed("input/output error".to_owned()));
            check_bodies(&found, (1..).zip(&lens).filter(|(sequence, _)| *sequence != 10));
        }
    }
}

#[test]
fn a_segment_that_is_gone_costs_the_wishes_for_it_alone() {
    let lens = [700; 20];
    let (mut disk, places) = Watched::holding(&lens, 4096);
    let gone = places[10].segment;
    disk.disk.delete(gone).unwrap();
    let found = read_all(&mut Reader::new(DIALECTS), &disk, &places);
    for ((found, at), sequence) in found.iter().zip(&places).zip(1..) {
        match found {
            Ok(message) => assert_eq!(message.bytes, body(sequence, 700)),
            Err(error) => assert_eq!((at.segment, error.to_string()), (gone, format!("segment {gone} does not exist"))),
        }
        assert_eq!(found.is_err(), at.segment == gone);
    }
}

#[test]
fn a_record_written_after_its_neighbour_was_read_is_found() {
    let mut disk = MemoryDisk::new();
    let options = JournalOptions { segment_bytes: LARGE, ..small() };
    let (mut journal, mut state) = recover(&mut disk, options).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    let mut reader = Reader::new(DIALECTS);
    for sequence in 1..50 {
        write(&mut journal, &mut state, &[store(1, sequence, 100)]);
        flush(&mut journal, &mut disk);
        let (_, at) = state.stores[&1].messages[&sequence];
        let (mut wanted, mut read) = (vec![fetch(1, at)], Vec::new());
        reader.read(&disk, &mut wanted, &mut read);
        assert_eq!(read[0].message.as_ref().unwrap().bytes, body(sequence, 100));
    }
}

#[test]
fn no_more_is_read_at_a_time_than_the_limits_say() {
    let (disk, places) = Watched::holding(&[1_000_000; 12], 32 * 1024 * 1024);
    let mut reader = Reader::new(DIALECTS);
    let mut wanted: Vec<Fetch> = places.iter().map(|at| fetch(1, *at)).collect();
    let mut read = Vec::new();
    reader.read(&disk, &mut wanted, &mut read);
    assert_eq!((read.len(), wanted.len()), (5, 7), "until more than 4 MiB are read");
    wanted = (1..=1000).map(|store| fetch(store, places[0])).collect();
    read.clear();
    reader.read(&disk, &mut wanted, &mut read);
    assert_eq!(read.len(), 256, "what several want is held once");
    let (disk, places) = Watched::holding(&[10; 1000], LARGE);
    wanted = places.iter().map(|at| fetch(1, *at)).collect();
    for left in [744, 488, 232, 0] {
        read.clear();
        reader.read(&disk, &mut wanted, &mut read);
        assert_eq!(wanted.len(), left);
    }
    read.clear();
    reader.read(&disk, &mut wanted, &mut read);
    assert!(read.is_empty());
}
