//! Written, read again, the same.

use crate::support::*;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::SEGMENT_BYTES_DEFAULT;
use ferrymq_storage::{Disk, Lsn, Placement, Record, StoreId, Urgency};

#[test]
fn an_empty_disk_gives_an_empty_journal_that_can_be_recovered_again() {
    let mut disk = MemoryDisk::new();
    let (journal, state) = recover(&mut disk, small()).unwrap();
    assert_eq!(state, State::default());
    assert_eq!(journal.epoch(), 1);
    assert_eq!(journal.last_lsn(), journal.flushed_lsn());
    let (journal, state) = recover(&mut disk, small()).unwrap();
    assert_eq!(state, State::default());
    assert_eq!(journal.epoch(), 2);
    assert_eq!(journal.store(), [9; 16]);
}

#[test]
fn what_was_flushed_comes_back_and_can_be_read() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    for sequence in 1..=100 {
        write(&mut journal, &mut state, &[store(1 + (sequence % 2) as u32, sequence, sequence as usize * 10)]);
        if sequence % 7 == 0 {
            flush(&mut journal, &mut disk);
        }
    }
    write(&mut journal, &mut state, &[remove(1, 0, 50), Record::Delivered { store: StoreId(1), through: 60 }]);
    flush(&mut journal, &mut disk);
    let (mut journal, again) = recover(&mut disk, small()).unwrap();
    assert_eq!(again, state);
    for (sequence, (id, at)) in &again.stores[&1].messages {
        let message = read(&disk, *at).unwrap();
        assert_eq!(message.header.id.sequence, *id);
        assert_eq!(message.bytes, body(*id, *sequence as usize * 10));
    }
    write(&mut journal, &mut state, &[store(1, 101, 10)]);
    flush(&mut journal, &mut disk);
    assert_eq!(recover(&mut disk, small()).unwrap().1.ids(1), state.ids(1));
}

#[test]
fn what_was_not_taken_does_not_come_back() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    flush(&mut journal, &mut disk);
    write(&mut journal, &mut state, &[store(1, 1, 10)]);
    assert!(recover(&mut disk, small()).unwrap().1.ids(1).is_empty());
}

#[test]
fn lsns_grow_by_one_and_urgency_decides_who_asks_for_a_flush() {
    let mut disk = MemoryDisk::new();
    let (mut journal, _) = recover(&mut disk, small()).unwrap();
    let before = journal.last_lsn();
    let mut unit = journal.begin();
    unit.add(&define(1));
    unit.add(&define(2));
    assert_eq!(unit.commit(Urgency::Lazy), Lsn(before.0 + 2));
    assert!(!journal.wants_flush());
    journal.flush_lazy();
    assert!(journal.wants_flush());
    let batch = journal.take_batch().unwrap();
    assert!(!journal.wants_flush());
    assert!(journal.take_batch().is_none());
    assert_eq!(batch.last_lsn(), journal.last_lsn());
    assert_eq!(journal.flushed_lsn(), before);
    let mut unit = journal.begin();
    unit.add(&define(3));
    unit.commit(Urgency::Awaited);
    assert!(journal.wants_flush() && journal.take_batch().is_none());
}

#[test]
fn a_large_body_and_a_message_larger_than_a_segment_come_back() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    for (sequence, len) in [(1, 65_536), (2, 65_537), (3, 100), (4, 1_000_003), (5, 65_543), (6, 4096)] {
        write(&mut journal, &mut state, &[store(1, sequence, len)]);
    }
    flush(&mut journal, &mut disk);
    let (_, again) = recover(&mut disk, small()).unwrap();
    assert_eq!(again, state);
    let (_, at) = again.stores[&1].messages[&4];
    assert_eq!(read(&disk, at).unwrap().bytes, body(4, 1_000_003));
}

#[test]
fn a_unit_of_many_segments_comes_back_whole() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    let mut records = vec![define(1)];
    records.extend((1..=60).map(|sequence| store(1, sequence, 500)));
    write(&mut journal, &mut state, &records);
    flush(&mut journal, &mut disk);
    assert!(disk.list().unwrap().len() > 5);
    assert_eq!(recover(&mut disk, small()).unwrap().1, state);
}

#[test]
fn segments_go_when_their_last_message_left_and_the_stores_stay_known() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2), define(3)]);
    write(&mut journal, &mut state, &[store(2, 1, 10)]);
    for sequence in 1..=200 {
        write(&mut journal, &mut state, &[store(1, sequence, 500)]);
        write(&mut journal, &mut state, &[remove(1, sequence, sequence)]);
        flush(&mut journal, &mut disk);
    }
    write(&mut journal, &mut state, &[Record::Forget { store: StoreId(3) }]);
    journal.flush_lazy();
    flush(&mut journal, &mut disk);
    assert!(disk.list().unwrap().len() <= 4, "{:?}", disk.list());
    let (_, again) = recover(&mut disk, small()).unwrap();
    assert_eq!(again, state);
    assert_eq!(again.stores[&1].next_sequence, 201);
    assert_eq!(again.ids(2), [1].into());
}

/// What is deleted and made again has another number. Whoever replays must hear first that the old one is gone, even where
/// the segment that said so is gone, too.
#[test]
fn a_store_that_was_made_again_is_told_after_the_end_of_the_old_one() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2), define(3), store(1, 1, 10)]);
    flush(&mut journal, &mut disk);
    let mut churn = |journal: &mut ferrymq_storage::Journal, disk: &mut MemoryDisk| {
        for _ in 0..20 {
            let sequence = state.stores[&2].next_sequence;
            write(journal, &mut state, &[store(2, sequence, 700)]);
            write(journal, &mut state, &[remove(2, sequence, sequence)]);
            journal.flush_lazy();
            flush(journal, disk);
        }
    };
    churn(&mut journal, &mut disk);
    let again = Record::Define { store: StoreId(4), definition: queue("q3"), next_sequence: 1, delivered: 0 };
    write(&mut journal, &mut State::default(), &[Record::Forget { store: StoreId(3) }, again]);
    flush(&mut journal, &mut disk);
    let said = *disk.list().unwrap().last().unwrap();
    churn(&mut journal, &mut disk);
    let segments = disk.list().unwrap();
    assert!(segments.contains(&1) && !segments.contains(&said), "segments {segments:?}, it was said in {said}");
    let mut told = Vec::new();
    let mut note = |record, _, _: &mut Vec<ferrymq_storage::Location>| {
        match record {
            Record::Forget { store } => told.push(format!("forget {}", store.0)),
            Record::Define { store, .. } if store.0 > 2 => told.push(format!("define {}", store.0)),
            _ => {}
        }
        Ok(())
    };
    ferrymq_storage::journal::recover(&mut disk, DIALECTS, small(), &mut note).unwrap();
    told.dedup();
    assert_eq!(told[..3], ["define 3", "forget 3", "define 4"], "{told:?}");
}

#[test]
fn a_message_with_two_places_lives_until_both_let_go() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    let Record::Store { message, .. } = store(1, 1, 100) else { unreachable!() };
    let placements = [1, 2].map(|store| Placement { store: StoreId(store), sequence: 1 }).to_vec();
    write(&mut journal, &mut state, &[Record::Store { message, placements }]);
    for sequence in 2..60 {
        write(&mut journal, &mut state, &[store(1, sequence, 500), remove(1, sequence, sequence)]);
        flush(&mut journal, &mut disk);
    }
    write(&mut journal, &mut state, &[remove(1, 1, 1)]);
    flush(&mut journal, &mut disk);
    flush(&mut journal, &mut disk);
    assert_eq!(recover(&mut disk.clone(), small()).unwrap().1, state);
    let before = disk.list().unwrap().len();
    write(&mut journal, &mut state, &[remove(2, 1, 1)]);
    flush(&mut journal, &mut disk);
    assert!(disk.list().unwrap().len() < before);
    assert_eq!(recover(&mut disk, small()).unwrap().1, state);
}

#[test]
fn a_unit_whose_end_was_deleted_still_counts() {
    // The unit's second message was consumed, and its segment with the unit's end is gone; the first one stays.
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    write(&mut journal, &mut state, &[store(1, 1, 3_000), store(2, 1, 3_000)]);
    flush(&mut journal, &mut disk);
    write(&mut journal, &mut state, &[remove(2, 1, 1)]);
    for sequence in 2..10 {
        write(&mut journal, &mut state, &[store(2, sequence, 900), remove(2, sequence, sequence)]);
        flush(&mut journal, &mut disk);
    }
    let segments = disk.list().unwrap();
    assert!(segments.contains(&1) && !segments.contains(&2), "{segments:?}");
    for _ in 0..2 {
        let (_, again) = recover(&mut disk, small()).unwrap();
        assert_eq!(again, state);
    }
}

#[test]
fn a_purge_of_everything_does_not_reach_what_comes_later() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2), store(2, 1, 10)]);
    for sequence in 1..10 {
        write(&mut journal, &mut state, &[store(1, sequence, 900)]);
    }
    write(&mut journal, &mut state, &[remove(1, 0, u64::MAX)]);
    for sequence in 10..30 {
        write(&mut journal, &mut state, &[store(1, sequence, 900)]);
        write(&mut journal, &mut state, &[remove(1, sequence - 2, sequence - 2)]);
        flush(&mut journal, &mut disk);
    }
    // Its segment went, and what it said was said again.
    assert!(disk.list().unwrap().len() < 8);
    assert_eq!(recover(&mut disk, small()).unwrap().1.ids(1), [28, 29].into());
}

#[test]
fn the_default_segment_holds_many_messages() {
    let mut disk = MemoryDisk::new();
    let options = ferrymq_storage::JournalOptions::default();
    let (journal, _) = recover(&mut disk, options).unwrap();
    assert_eq!(journal.footprint(), (u64::from(SEGMENT_BYTES_DEFAULT), 1));
}
