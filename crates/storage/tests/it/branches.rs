//! What transactions leave in a journal outlives the segments that it was first written to, and nothing else does.

use crate::support::*;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{Disk, Outcome, Record, TransactionName};

fn outcome(branch: u64, outcome: Outcome) -> Record {
    Record::Outcome { name: TransactionName::Branch(xid(branch)), outcome }
}

/// Fills segments with messages that go at once.
fn churn(journal: &mut ferrymq_storage::Journal, state: &mut State, disk: &mut MemoryDisk, messages: u64) {
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
    write(&mut journal, &mut state, &[define(1), define(2), store(1, 1, 10), prepare(1, 1, 10)]);
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
    write(&mut journal, &mut state, &[define(1), define(2), prepare(1, 2, 100)]);
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
