//! Journals whose checksums are right and whose records cannot all be true: refused with a sentence, never a panic.

use crate::support::*;
use ferrymq_model::{Destination, DestinationKind};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::inspect::{Verdict, inspect};
use ferrymq_storage::journal::RecoverError;
use ferrymq_storage::{Disk, Record, StoreDefinition, StoreId, Urgency};

/// Why a journal of these records, each a unit, is refused.
fn refused(records: &[Record]) -> String {
    let mut disk = MemoryDisk::new();
    let (mut journal, _) = recover(&mut disk, small()).unwrap();
    for record in records {
        let mut unit = journal.begin();
        match record {
            Record::Store { message, placements } => _ = unit.store(message, placements),
            Record::Held { branch, send } => _ = unit.hold(*branch, &send.leaves, send.counted, &send.message),
            other => unit.add(other),
        }
        unit.commit(Urgency::Awaited);
    }
    flush(&mut journal, &mut disk);
    let before = disk.list().unwrap();
    let error = recover(&mut disk, small()).map(|_| ()).expect_err("it contradicts itself");
    assert_eq!(disk.list().unwrap(), before, "nothing is changed by a journal that is refused");
    assert_eq!(inspect(&mut disk, DIALECTS, &mut |_| {}), Ok(Verdict::Stopped(error.clone())));
    match error {
        RecoverError::Corrupt { what, .. } => what,
        RecoverError::Disk(_) | RecoverError::Newer { .. } => panic!("{error}"),
    }
}

fn named(store: u32, definition: StoreDefinition) -> Record {
    Record::Define { store: StoreId(store), definition, next_sequence: 1, delivered: 0 }
}

fn renumbered(mut records: Vec<Record>, number: u64) -> Vec<Record> {
    for record in &mut records {
        match record {
            Record::Prepare(prepared) => prepared.branch = number,
            Record::Held { branch, .. } => *branch = number,
            _ => {}
        }
    }
    records
}

#[test]
fn a_message_that_is_held_for_a_branch_nobody_prepared() {
    let held = prepare(7, 1, 10).pop().unwrap();
    assert_eq!(refused(&[define(1), held]), "a message is held for branch 7, which was never prepared");
}

#[test]
fn a_branch_that_is_prepared_twice() {
    let twice = [vec![define(1)], prepare(1, 0, 0), renumbered(prepare(1, 0, 0), 2)].concat();
    assert_eq!(refused(&twice), format!("branch {} is prepared twice, as number 1 and 2", xid(1)));
}

#[test]
fn a_number_that_two_branches_have() {
    let twice = [vec![define(1)], prepare(1, 0, 0), renumbered(prepare(2, 0, 0), 1)].concat();
    assert_eq!(refused(&twice), format!("branch {} is prepared as number 1, and so is branch {}", xid(2), xid(1)));
}

#[test]
fn a_branch_that_was_decided_may_be_prepared_again() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    write(&mut journal, &mut state, &prepare(1, 1, 10));
    write(&mut journal, &mut state, &[Record::Dissolve { branch: 1 }]);
    write(&mut journal, &mut state, &renumbered(prepare(1, 1, 10), 2));
    flush(&mut journal, &mut disk);
    let (_, found) = recover(&mut disk, small()).unwrap();
    assert_eq!(found.prepared.into_iter().collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn a_queue_with_two_numbers() {
    let twice = [named(1, queue("q")), named(2, queue("q"))];
    assert_eq!(refused(&twice), "queue q is defined as store 1 and as store 2");
}

#[test]
fn a_number_for_two_queues() {
    let twice = [named(1, queue("q")), named(1, queue("r"))];
    assert_eq!(refused(&twice), "store 1 is defined as queue q and as queue r");
}

#[test]
fn a_topic_that_is_a_queue() {
    let topic = StoreDefinition::Queue(Destination { kind: DestinationKind::Topic, name: "t".into() });
    assert_eq!(refused(&[named(1, topic)]), "store 1 is defined as a queue, and topic t is none");
}

#[test]
fn a_second_schedule() {
    let twice = [named(1, StoreDefinition::Schedule), named(2, StoreDefinition::Schedule)];
    assert_eq!(refused(&twice), "the schedule is defined as store 1 and as store 2");
}

#[test]
fn a_schedule_that_is_forgotten() {
    let records = [named(1, StoreDefinition::Schedule), Record::Forget { store: StoreId(1) }];
    assert_eq!(refused(&records), "the schedule's store is forgotten");
}

#[test]
fn a_removal_that_ends_before_it_begins() {
    assert_eq!(refused(&[define(1), remove(1, 5, 3)]), "a range of messages ends before it begins");
}

#[test]
fn a_message_that_is_sent_nowhere() {
    let mut records = [vec![define(1)], prepare(1, 1, 10)].concat();
    if let Some(Record::Held { send, .. }) = records.last_mut() {
        send.leaves.clear();
    }
    assert_eq!(refused(&records), "a message is sent nowhere");
}

#[test]
fn numbers_behind_which_there_is_none() {
    let Record::Define { store, definition, delivered, .. } = define(1) else { unreachable!("it defines") };
    let last = Record::Define { store, definition, next_sequence: u64::MAX, delivered };
    assert_eq!(refused(&[last]), "store 1 is defined with the last number there is");
    let mut disk = MemoryDisk::new();
    disk.create(u32::MAX, 4096).unwrap();
    let error = recover(&mut disk, small()).map(|_| ()).expect_err("there is no next segment");
    assert!(error.to_string().contains("the last number there is"), "{error}");
}
