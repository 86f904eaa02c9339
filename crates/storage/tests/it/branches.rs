//! What transactions leave in a journal outlives the segments that it was first written to, and nothing else does.

use crate::support::*;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{Disk, Journal, Location, Outcome, Placement, Record, StoreId, TransactionName, Urgency};

fn outcome(branch: u64, outcome: Outcome) -> Record {
    Record::Outcome { name: TransactionName::Branch(xid(branch)), outcome }
}

/// Fills segments with messages that go at once.
fn churn(journal: &mut Journal, state: &mut State, disk: &mut MemoryDisk, messages: u64) {
    for _ in 0..messages {
        let sequence = state.stores[&2].next_sequence;
        write(journal, state, &[store(2, sequence, 700)]);
        write(journal, state, &[remove(2, sequence, sequence)]);
        journal.flush_lazy();
        flush(journal, disk);
    }
}

/// The segment with the prepare stays for a message that nobody takes; the one with the decision goes. The branch must
/// not come back.
#[test]
fn a_decided_branch_does_not_come_back_when_only_its_decision_is_gone() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2), store(1, 1, 10)]);
    write(&mut journal, &mut state, &prepare(1, 1, 10));
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 20);
    write(&mut journal, &mut state, &[Record::Dissolve { branch: 1 }, outcome(1, Outcome::Committed)]);
    flush(&mut journal, &mut disk);
    let decided = *disk.list().unwrap().last().unwrap();
    churn(&mut journal, &mut state, &mut disk, 20);
    let segments = disk.list().unwrap();
    assert!(segments.contains(&1) && !segments.contains(&decided), "segments {segments:?}, decided in {decided}");
    for _ in 0..3 {
        let (again, found) = recover(&mut disk, small()).unwrap();
        assert_eq!(found.prepared.len(), 0);
        assert_eq!(found.ids(1).len(), 1);
        let known = again.outcomes().of(&TransactionName::Branch(xid(1)));
        assert_eq!(known.map(|(outcome, _)| outcome), Some(Outcome::Committed));
    }
}

/// As above: the segment with what a person did stays, the one in which that was forgotten goes.
#[test]
fn what_was_forgotten_does_not_come_back_when_only_the_forgetting_is_gone() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    let decided = outcome(1, Outcome::HeuristicallyCommitted);
    write(&mut journal, &mut state, &[define(1), define(2), store(1, 1, 10), decided]);
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 20);
    write(&mut journal, &mut state, &[outcome(1, Outcome::Forgotten)]);
    flush(&mut journal, &mut disk);
    let forgotten = *disk.list().unwrap().last().unwrap();
    churn(&mut journal, &mut state, &mut disk, 20);
    let segments = disk.list().unwrap();
    assert!(segments.contains(&1) && !segments.contains(&forgotten), "segments {segments:?}, forgotten in {forgotten}");
    let (again, _) = recover(&mut disk, small()).unwrap();
    assert_eq!(again.outcomes().heuristics().count(), 0);
}

#[test]
fn a_prepared_branch_holds_its_segment_until_it_is_decided() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    write(&mut journal, &mut state, &prepare(1, 2, 100));
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 30);
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    assert_eq!(state.prepared.get(&1), Some(&2));
    churn(&mut journal, &mut state, &mut disk, 30);
    assert!(disk.list().unwrap().contains(&1));
    write(&mut journal, &mut state, &[Record::Dissolve { branch: 1 }]);
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 5);
    assert!(!disk.list().unwrap().contains(&1));
    let (_, state) = recover(&mut disk, small()).unwrap();
    assert_eq!(state.prepared.len(), 0);
}

/// Tables larger than a segment make it longer, instead of taking all of it.
#[test]
fn large_tables_leave_room_for_records() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    let outcomes: Vec<Record> = (0..2_000).map(|branch| outcome(branch, Outcome::Committed)).collect();
    write(&mut journal, &mut state, &outcomes);
    flush(&mut journal, &mut disk);
    let before = *disk.list().unwrap().last().unwrap();
    churn(&mut journal, &mut state, &mut disk, 100);
    let after = *disk.list().unwrap().last().unwrap();
    assert!(after - before < 10, "{} segments for 100 messages", after - before);
    let (journal, _) = recover(&mut disk, small()).unwrap();
    let known = (0..2_000).filter(|branch| journal.outcomes().of(&TransactionName::Branch(xid(*branch))).is_some());
    assert_eq!(known.count(), 2_000);
}

/// Prepares a branch with one message in the first segment, which also has a message that nobody takes, and commits it
/// when another segment grows. Returns that.
fn commit_elsewhere(journal: &mut Journal, state: &mut State, disk: &mut MemoryDisk) -> u32 {
    write(journal, state, &[define(1), define(2), define(3)]);
    write(journal, state, &prepare(1, 1, 100));
    flush(journal, disk);
    while *disk.list().unwrap().last().unwrap() == 1 {
        churn(journal, state, disk, 1);
    }
    place_all(journal, state, 1, 3);
    flush(journal, disk);
    *disk.list().unwrap().last().unwrap()
}

/// Commits a branch: everything that it holds stands in a store.
fn place_all(journal: &mut Journal, state: &mut State, branch: u64, store: u32) {
    let held: Vec<Location> = state.held.iter().filter(|(_, (of, _))| *of == branch).map(|(at, _)| *at).collect();
    let first = state.stores[&store].next_sequence;
    let place = |(sequence, held)| Record::Place {
        branch,
        held,
        placements: vec![Placement { store: StoreId(store), sequence }],
    };
    let mut records: Vec<Record> = (first..).zip(held).map(place).collect();
    records.extend([Record::Dissolve { branch }, outcome(branch, Outcome::Committed)]);
    write(journal, state, &records);
}

#[test]
fn a_placed_message_keeps_its_segment_and_the_one_that_places_it_until_it_left() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    let placed_in = commit_elsewhere(&mut journal, &mut state, &mut disk);
    for _ in 0..3 {
        churn(&mut journal, &mut state, &mut disk, 20);
        let segments = disk.list().unwrap();
        assert!(segments.contains(&1) && segments.contains(&placed_in), "segments {segments:?}");
        assert!(segments.len() <= 5, "segments {segments:?}");
        (journal, state) = recover(&mut disk, small()).unwrap();
        let at = state.stores[&3].messages[&1].1;
        assert_eq!(at.segment, 1);
        assert_eq!(read(&disk, at).unwrap().bytes, body(1, 100));
    }
    write(&mut journal, &mut state, &[remove(3, 1, 1)]);
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 20);
    let segments = disk.list().unwrap();
    assert!(!segments.contains(&1) && !segments.contains(&placed_in), "segments {segments:?}");
    let (_, state) = recover(&mut disk, small()).unwrap();
    assert_eq!((state.ids(3).len(), state.held.len()), (0, 0));
}

/// One message that nobody takes keeps the segment that places it, but not what came after: what a later commit took out
/// of a segment that stays says nothing when all of it left.
#[test]
fn what_left_every_place_keeps_no_segment_that_placed_it() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    commit_elsewhere(&mut journal, &mut state, &mut disk);
    for branch in 2..60 {
        write(&mut journal, &mut state, &prepare(branch, 2, 500));
        churn(&mut journal, &mut state, &mut disk, 3);
        place_all(&mut journal, &mut state, branch, 1);
        let last = state.stores[&1].next_sequence - 1;
        write(&mut journal, &mut state, &[remove(1, last - 1, last)]);
        flush(&mut journal, &mut disk);
    }
    let segments = disk.list().unwrap();
    assert!(segments.len() <= 8, "segments {segments:?}");
    let (_, again) = recover(&mut disk, small()).unwrap();
    assert_eq!(again, state);
}

/// The record of a branch, and some of what it sends, may be gone while a message of it is still there.
#[test]
fn a_placed_message_outlives_the_record_of_its_branch() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2), define(3)]);
    churn(&mut journal, &mut state, &mut disk, 1);
    write(&mut journal, &mut state, &prepare(1, 8, 1_000));
    flush(&mut journal, &mut disk);
    place_all(&mut journal, &mut state, 1, 3);
    write(&mut journal, &mut state, &[remove(3, 1, 7)]);
    flush(&mut journal, &mut disk);
    churn(&mut journal, &mut state, &mut disk, 30);
    let segments = disk.list().unwrap();
    assert!(!segments.contains(&1) && !segments.contains(&2), "segments {segments:?}");
    for _ in 0..2 {
        let (_, again) = recover(&mut disk, small()).unwrap();
        assert_eq!((again.ids(3), again.prepared.len(), again.held.len()), ([8].into(), 0, 0));
    }
}

#[test]
fn what_was_held_too_long_ago_is_not_placed() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), define(2)]);
    write(&mut journal, &mut state, &prepare(1, 1, 100));
    let held = *state.held.keys().next().unwrap();
    for (churned, expected) in [(0, true), (4, true), (20, false)] {
        churn(&mut journal, &mut state, &mut disk, churned);
        let unit = journal.begin();
        assert_eq!(unit.can_place(held), expected, "after {churned}");
        unit.commit(Urgency::Lazy);
    }
}

#[test]
fn the_sequence_of_a_placed_message_counts_when_it_is_placed() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    write(&mut journal, &mut state, &prepare(1, 2, 100));
    flush(&mut journal, &mut disk);
    let taken = |journal: &mut Journal, sequence| {
        let producer = journal.producers_mut().open(&"ID:test-1:1".into()).unwrap();
        journal.producers().taken(producer, sequence).is_some()
    };
    let (mut journal, state) = recover(&mut disk, small()).unwrap();
    assert!(!taken(&mut journal, 1));
    let producer = journal.producers_mut().open(&"ID:test-1:1".into()).unwrap();
    let mut unit = journal.begin();
    for (sequence, held) in (1..).zip(state.held.keys()) {
        unit.place_counted(1, *held, &[Placement { store: StoreId(1), sequence }], (producer, sequence));
    }
    unit.add(&Record::Dissolve { branch: 1 });
    unit.commit(Urgency::Awaited);
    flush(&mut journal, &mut disk);
    let (mut journal, state) = recover(&mut disk, small()).unwrap();
    assert!(taken(&mut journal, 2) && !taken(&mut journal, 3));
    assert_eq!(state.ids(1).len(), 2);
}
