//! The format as files: what this version writes, byte by byte, and what it reads from them. A journal of an earlier
//! version must stay readable, so these files are only ever added to.

use crate::support::*;
use bytes::Bytes;
use ferrymq_model::{Annotations, DeliveryMode, Destination, DestinationKind, Group, Schedule, Value, WallTime};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::inspect::{Item, inspect};
use ferrymq_storage::{Disk, Outcome, Placement, Record, StoreDefinition, StoreId, TransactionName, Urgency};
use std::fmt::Write;
use std::sync::Arc;

fn destination(kind: DestinationKind, name: &str) -> Destination {
    Destination { kind, name: name.into() }
}

fn values() -> Vec<(Arc<str>, Value)> {
    let list = Value::List(vec![Value::Null, Value::Bool(true), Value::Byte(-1), Value::Short(-2), Value::Int(-3)]);
    let map = Value::Map(vec![
        ("long".into(), Value::Long(-4)),
        ("float".into(), Value::Float(0.5)),
        ("double".into(), Value::Double(-0.25)),
        ("char".into(), Value::Char(0x263A)),
        ("bytes".into(), Value::Bytes(Bytes::from_static(&[0, 255]))),
    ]);
    vec![("originalExpiration".into(), Value::Long(7)), ("list".into(), list), ("map".into(), map)]
}

/// One of everything.
fn records() -> Vec<Record> {
    let mut rich = message(8, Bytes::from_static(b"head body"));
    rich.body_at = 5;
    rich.header.mode = DeliveryMode::NonPersistent;
    rich.header.priority = 9;
    rich.header.expiration = Some(WallTime(1_800_000_000_000));
    rich.header.destination = Arc::new(destination(DestinationKind::Topic, "prices.é"));
    rich.header.annotations = Some(Box::new(Annotations {
        correlation_id: Some("c-1".into()),
        reply_to: Some(destination(DestinationKind::TemporaryQueue, "ID:x:1")),
        kind: Some("quote".into()),
        group: Some(Group { id: "g".into(), sequence: -1 }),
        user: Some("ada".into()),
        original_destination: Some(Arc::new(destination(DestinationKind::TemporaryTopic, "ID:x:2"))),
        transaction: None,
        schedule: None,
        advisory: None,
        added: values(),
    }));
    let durable = StoreDefinition::Durable {
        client_id: "client".into(),
        name: "sub".into(),
        topics: vec![destination(DestinationKind::Topic, "prices.*"), destination(DestinationKind::Topic, "news.>")],
        selector: Some("price > 3".into()),
        selector_converts_text: true,
        no_local: true,
        shared: false,
    };
    let place = |store, sequence| Placement { store: StoreId(store), sequence };
    vec![
        Record::Define { store: StoreId(1), definition: queue("orders"), next_sequence: 1, delivered: 0 },
        Record::Define { store: StoreId(2), definition: durable, next_sequence: 40, delivered: 39 },
        Record::Store { message: message(7, Bytes::from_static(b"hello")).into(), placements: vec![place(1, 1)] },
        Record::Store { message: rich.into(), placements: vec![place(1, 2), place(2, 40)] },
        Record::Delivered { store: StoreId(2), through: 40 },
        Record::Remove { store: StoreId(1), first: 1, last: 2 },
        Record::Forget { store: StoreId(2) },
    ]
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// What is in a journal, a line a record.
fn described(disk: &mut MemoryDisk) -> String {
    let mut text = String::new();
    let verdict = inspect(disk, DIALECTS, &mut |item| match item {
        Item::Record(record) => {
            writeln!(text, "{} {} {} {record}", record.lsn.0, record.at.offset, record.kind()).unwrap();
            if let Some(record) = record.record() {
                writeln!(text, "    {record:?}").unwrap();
            }
        }
        other => writeln!(text, "{other:?}").unwrap(),
    });
    writeln!(text, "{verdict:?}").unwrap();
    text
}

/// Messages that are not due yet.
fn scheduled() -> Vec<Record> {
    let place = |sequence| vec![Placement { store: StoreId(3), sequence }];
    let mut delayed = message(9, Bytes::from_static(b"later"));
    let delay = Schedule { delay_ms: 5000, is_delivery_delay: true, due: WallTime(7), ..Schedule::default() };
    delayed.header.annotations = Some(Box::new(Annotations { schedule: Some(delay.into()), ..Annotations::default() }));
    let mut repeated = message(10, Bytes::from_static(b"again"));
    let series = Schedule {
        delay_ms: 1,
        period_ms: 2,
        repeat: -1,
        cron: Some("5 0 * * *".into()),
        is_delivery_delay: false,
        due: WallTime(1_800_000_000_000),
    };
    repeated.header.annotations = Some(Box::new(Annotations {
        kind: Some("k".into()),
        schedule: Some(series.into()),
        added: vec![("scheduledJobId".into(), Value::Text("ID:x".into()))],
        ..Annotations::default()
    }));
    vec![
        Record::Define { store: StoreId(3), definition: StoreDefinition::Schedule, next_sequence: 1, delivered: 0 },
        Record::Store { message: delayed.into(), placements: place(1) },
        Record::Store { message: repeated.into(), placements: place(2) },
        Record::Remove { store: StoreId(3), first: 1, last: 1 },
    ]
}

fn check(records: &[Record], golden_hex: &str, golden_text: &str) {
    let mut disk = MemoryDisk::new();
    let (mut journal, _) = recover(&mut disk, small()).unwrap();
    let mut unit = journal.begin();
    for record in records {
        unit.add(record);
    }
    unit.commit(Urgency::Awaited);
    flush(&mut journal, &mut disk);
    journal.flush_lazy();
    flush(&mut journal, &mut disk);
    let segment = disk.segment_mut(1).unwrap();
    let end = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert_eq!(hex(&segment[..end]), golden_hex, "the format changed");

    let mut golden = MemoryDisk::new();
    golden.create(1, 4096).unwrap();
    golden.write(1, 0, &unhex(golden_hex)).unwrap();
    assert_eq!(described(&mut golden), golden_text, "what is read changed");
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    check(&records(), include_str!("../golden/journal-v1.hex"), include_str!("../golden/journal-v1.txt"));
}

#[test]
fn scheduled_messages_are_written_and_read_as_ever() {
    check(&scheduled(), include_str!("../golden/schedule-v1.hex"), include_str!("../golden/schedule-v1.txt"));
}

#[test]
fn the_transaction_that_a_message_was_sent_in_is_written_and_read_as_ever() {
    let mut sent = message(11, Bytes::from_static(b"sent"));
    let transaction = Some("TX:ID:c-1:7".into());
    sent.header.annotations = Some(Box::new(Annotations { transaction, ..Annotations::default() }));
    let records = [
        Record::Define { store: StoreId(1), definition: queue("orders"), next_sequence: 1, delivered: 0 },
        Record::Store { message: sent.into(), placements: vec![place(1, 1)] },
    ];
    check(&records, include_str!("../golden/sent-in-v1.hex"), include_str!("../golden/sent-in-v1.txt"));
}

/// A journal of several segments, from its files.
fn golden(files: &[&str]) -> MemoryDisk {
    let mut golden = MemoryDisk::new();
    for (number, file) in (1..).zip(files) {
        golden.create(number, 4096).unwrap();
        golden.write(number, 0, &unhex(file)).unwrap();
    }
    golden
}

/// What transactions leave in the first segment, and what the second repeats of it.
fn transactions() -> MemoryDisk {
    let mut disk = MemoryDisk::new();
    let (mut journal, _) = recover(&mut disk, small()).unwrap();
    let producer = journal.producers_mut().open(&"ID:test-1:1".into()).unwrap();
    let mut unit = journal.begin();
    unit.add(&define(1));
    unit.store_counted(&message(7, Bytes::from_static(b"counted")), &[place(1, 1)], producer);
    let mut later = message(8, Bytes::from_static(b"later"));
    let schedule = Schedule { delay_ms: 1, due: WallTime(9), ..Schedule::default() };
    later.header.annotations =
        Some(Box::new(Annotations { schedule: Some(schedule.into()), ..Annotations::default() }));
    unit.store_counted(&later, &[place(1, 2)], producer);
    let mut held = Vec::new();
    for record in [prepare(1, 2, 3), prepare(2, 1, 3)].concat() {
        match record {
            Record::Held { branch, send } => {
                held.push(unit.hold(branch, &send.leaves, send.counted, &send.message));
            }
            record => unit.add(&record),
        }
    }
    let leaves = [destination(DestinationKind::Queue, "a"), destination(DestinationKind::Topic, "b")];
    unit.hold(2, &leaves, true, &later);
    unit.commit(Urgency::Awaited);
    let mut unit = journal.begin();
    unit.place_counted(1, held[0], &[place(1, 3), place(1, 4)], (producer, 9));
    unit.place(1, held[1], &[place(1, 5)]);
    unit.add(&Record::Dissolve { branch: 1 });
    let outcome = |name, outcome| Record::Outcome { name, outcome };
    unit.add(&outcome(TransactionName::Branch(xid(1)), Outcome::Committed));
    unit.add(&outcome(TransactionName::Branch(xid(3)), Outcome::RolledBack));
    unit.add(&outcome(TransactionName::Branch(xid(4)), Outcome::HeuristicallyCommitted));
    unit.add(&outcome(TransactionName::Branch(xid(5)), Outcome::HeuristicallyRolledBack));
    unit.add(&outcome(TransactionName::Local("ID:c:1".into()), Outcome::Committed));
    unit.add(&outcome(TransactionName::Branch(xid(5)), Outcome::Forgotten));
    unit.commit(Urgency::Awaited);
    flush(&mut journal, &mut disk);
    recover(&mut disk, small()).unwrap();
    disk
}

fn place(store: u32, sequence: u64) -> Placement {
    Placement { store: StoreId(store), sequence }
}

#[test]
fn transactions_are_written_and_read_as_ever() {
    let mut disk = transactions();
    let files = [include_str!("../golden/held-v1-1.hex"), include_str!("../golden/held-v1-2.hex")];
    for (number, file) in (1..).zip(files) {
        let segment = disk.segment_mut(number).unwrap();
        let end = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert_eq!(hex(&segment[..end]), file, "the format changed");
    }
    assert_eq!(described(&mut golden(&files)), include_str!("../golden/held-v1.txt"), "what is read changed");
}

#[test]
fn what_prepare_records_held_themselves_is_read_as_ever() {
    // No version writes that any more.
    let files = [include_str!("../golden/transactions-v1-1.hex"), include_str!("../golden/transactions-v1-2.hex")];
    assert_eq!(described(&mut golden(&files)), include_str!("../golden/transactions-v1.txt"), "what is read changed");
}
