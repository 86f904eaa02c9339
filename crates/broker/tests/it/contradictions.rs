//! Journals that contradict themselves in what only the broker knows: refused, never a panic.

use crate::driver::{Bench, DIALECTS, xid};
use ferrymq_broker::{Broker, Settings};
use ferrymq_model::schedule::SCHEDULED_ID;
use ferrymq_model::{
    Annotations, DeliveryMode, Destination, DestinationKind, Message, MonoTime, Now, Schedule, Value, WallTime,
};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::{self, JournalOptions};
use ferrymq_storage::{Placement, Prepared, PreparedSend, Record, RecoverError, StoreDefinition, StoreId, Urgency};
use std::sync::Arc;

/// A seeded row of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn define(store: u32, next_sequence: u64) -> Record {
    let definition = StoreDefinition::Queue(Destination { kind: DestinationKind::Queue, name: "q".into() });
    Record::Define { store: StoreId(store), definition, next_sequence, delivered: 0 }
}

/// What recovery says to a journal with a queue, these records, and a message with number 3, twice.
fn with_message_twice(between: &[Record]) -> String {
    let mut disk = MemoryDisk::new();
    let options = || JournalOptions { segment_bytes: 1 << 20, ..JournalOptions::default() };
    let mut journal = journal::recover(&mut disk, DIALECTS, options(), &mut |_, _, _| Ok(())).unwrap();
    let mut message = Bench::new().message("/queue/q", "m");
    message.header.mode = DeliveryMode::Persistent;
    let mut unit = journal.begin();
    unit.add(&define(1, 1));
    unit.store(&message, &[Placement { store: StoreId(1), sequence: 3 }]);
    between.iter().for_each(|record| unit.add(record));
    unit.store(&message, &[Placement { store: StoreId(1), sequence: 3 }]);
    unit.commit(Urgency::Awaited);
    let mut batch = journal.take_batch().unwrap();
    journal::perform(&mut batch, &mut disk).unwrap();
    let mut broker = Broker::new(Settings::default());
    let recovered = journal::recover(&mut disk, DIALECTS, options(), &mut |record, at, released| {
        broker.restore(record, at, released)
    });
    match recovered {
        Ok(_) => "recovered".to_owned(),
        Err(error) => error.to_string().split_once(": ").unwrap().1.to_owned(),
    }
}

#[test]
fn a_message_that_is_in_its_queue_twice() {
    assert_eq!(with_message_twice(&[]), "message 3 of store 1 is there already");
}

#[test]
fn a_message_that_a_prepared_branch_has_locked_and_that_comes_again() {
    let settled = vec![Placement { store: StoreId(1), sequence: 3 }];
    let prepared = Prepared { branch: 1, xid: xid("x"), at: WallTime(1), sends: Vec::new(), settled };
    let between = [Record::Prepare(Box::new(prepared))];
    assert_eq!(with_message_twice(&between), "message 3 of store 1 is there already");
}

#[test]
fn a_message_that_left_may_come_under_its_number_again() {
    let between = [Record::Remove { store: StoreId(1), first: 3, last: 3 }];
    assert_eq!(with_message_twice(&between), "recovered");
}

/// A record about few things, so that records contradict each other often.
fn any_record(random: &mut Random, message: &Message) -> Record {
    let mut below = |end: u64| random.below(end);
    let store = StoreId(u32::try_from(below(4)).unwrap());
    let placements = vec![Placement { store, sequence: below(4) }];
    let branch = below(3);
    match below(9) {
        0 | 1 => {
            let named = |kind| Destination { kind, name: "q".into() };
            let definition = match below(5) {
                0 | 1 => StoreDefinition::Queue(named(DestinationKind::Queue)),
                2 => StoreDefinition::Queue(named(DestinationKind::TemporaryQueue)),
                3 => StoreDefinition::Schedule,
                _ => StoreDefinition::Durable {
                    client_id: "c".into(),
                    name: "d".into(),
                    topics: vec![named(DestinationKind::Topic), named(DestinationKind::Queue)],
                    selector: None,
                    selector_converts_text: false,
                    no_local: false,
                    shared: below(2) == 0,
                },
            };
            Record::Define { store, definition, next_sequence: below(5), delivered: below(5) }
        }
        2 => Record::Forget { store },
        3 | 4 => Record::Store { message: Arc::new(message.clone()), placements },
        5 => {
            let first = below(4);
            Record::Remove { store, first, last: first + below(3) }
        }
        6 => {
            let (at, xid) = (WallTime(1), xid(["x", "y"][usize::try_from(below(2)).unwrap()]));
            Record::Prepare(Box::new(Prepared { branch, xid, at, sends: Vec::new(), settled: placements }))
        }
        7 => {
            let leaves = vec![Destination { kind: DestinationKind::Queue, name: "q".into() }];
            let message = Arc::new(message.clone());
            Record::Held { branch, send: Box::new(PreparedSend { leaves, counted: false, message }) }
        }
        _ => Record::Dissolve { branch },
    }
}

#[test]
fn records_that_nobody_would_write_together_are_taken_or_refused() {
    let mut random = Random(0x5eed);
    let plain = Bench::new().message("/queue/q", "m");
    let mut later = plain.clone();
    later.header.annotations = Some(Box::new(Annotations {
        schedule: Some(Box::new(Schedule { due: WallTime(5), ..Schedule::default() })),
        added: vec![(SCHEDULED_ID.into(), Value::Text("ID:1".into()))],
        ..Annotations::default()
    }));
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..3000 {
        let mut disk = MemoryDisk::new();
        let options = || JournalOptions { segment_bytes: 1 << 16, ..JournalOptions::default() };
        let mut journal = journal::recover(&mut disk, DIALECTS, options(), &mut |_, _, _| Ok(())).unwrap();
        let mut held = Vec::new();
        for _ in 0..=random.below(12) {
            let message = if random.below(3) == 0 { &later } else { &plain };
            let record = any_record(&mut random, message);
            let mut unit = journal.begin();
            match &record {
                Record::Store { message, placements } => _ = unit.store(message, placements),
                Record::Held { branch, send } => {
                    held.push((*branch, unit.hold(*branch, &send.leaves, send.counted, &send.message)));
                }
                Record::Delivered { .. } => {}
                other => unit.add(other),
            }
            if let (Some((branch, held)), 0) = (held.last().copied(), random.below(4)) {
                unit.add(&Record::Place {
                    branch,
                    held,
                    placements: vec![Placement { store: StoreId(1), sequence: 2 }],
                });
            }
            unit.commit(Urgency::Awaited);
        }
        let mut batch = journal.take_batch().unwrap();
        journal::perform(&mut batch, &mut disk).unwrap();
        let mut broker = Broker::new(Settings::default());
        let now = Now { wall: WallTime(1), mono: MonoTime(1) };
        let recovered = journal::recover(&mut disk, DIALECTS, options(), &mut |record, at, released| {
            broker.restore(record, at, released)
        });
        match recovered {
            Ok(_) => {
                broker.restored(now);
                broker.check_invariants();
                taken += 1;
            }
            Err(error) => {
                assert!(matches!(error, RecoverError::Corrupt { .. }), "{error}");
                refused += 1;
            }
        }
    }
    assert!(taken > 300 && refused > 300, "{taken} taken, {refused} refused");
}
