//! Measures the journal alone: `cargo run --release -p ferrymq-storage --example journal_bench [DIRECTORY]`.
#![allow(clippy::print_stdout)]

use bytes::Bytes;
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    DeliveryMode, Destination, DestinationKind, Dialect, Dialects, Header, MalformedMessage, Message, MessageId,
    Neutral, WallTime,
};
use ferrymq_storage::disk::os::OsDisk;
use ferrymq_storage::journal::{SEGMENT_BYTES_DEFAULT, perform, recover};
use ferrymq_storage::{
    Disk, DiskError, Journal, JournalOptions, Location, Placement, Record, StoreDefinition, StoreId, Urgency,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn code(&self) -> u16 {
        1
    }

    fn property<'m>(&self, _message: &'m Message, _name: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _message: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("plain".into()))
    }
}

static DIALECTS: Dialects = Dialects(&[&Plain]);

fn message(bytes: usize) -> Message {
    let header = Header {
        id: MessageId { producer: "ID:bench-1:1".into(), sequence: 1 },
        destination: Arc::new(Destination { kind: DestinationKind::Queue, name: "bench".into() }),
        mode: DeliveryMode::Persistent,
        priority: 4,
        timestamp: WallTime(1_700_000_000_000),
        expiration: None,
        annotations: None,
    };
    Message { header, dialect: &Plain, bytes: Bytes::from(vec![7; bytes]), body_at: 0 }
}

fn start(disk: &mut dyn Disk, apply: &mut dyn FnMut(Record, Location)) -> Journal {
    let options = JournalOptions { new_store: [1; 16], ..JournalOptions::default() };
    let take = &mut |record, at, _: &mut Vec<Location>| {
        apply(record, at);
        Ok(())
    };
    recover(disk, DIALECTS, options, take).expect("the journal is sound")
}

fn define(journal: &mut Journal) {
    let definition = StoreDefinition::Queue(Destination { kind: DestinationKind::Queue, name: "bench".into() });
    let mut unit = journal.begin();
    unit.add(&Record::Define { store: StoreId(1), definition, next_sequence: 1, delivered: 0 });
    unit.commit(Urgency::Lazy);
}

/// Takes everything and keeps nothing.
#[derive(Default)]
struct Nowhere(Vec<u32>);

impl Disk for Nowhere {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        Ok(self.0.clone())
    }

    fn create(&mut self, segment: u32, _size: u64) -> Result<(), DiskError> {
        self.0.push(segment);
        Ok(())
    }

    fn write(&mut self, _segment: u32, _offset: u64, _bytes: &[u8]) -> Result<(), DiskError> {
        Ok(())
    }

    fn sync(&mut self, _segment: u32) -> Result<(), DiskError> {
        Ok(())
    }

    fn read(&self, _segment: u32, _offset: u64, _into: &mut [u8]) -> Result<usize, DiskError> {
        Ok(0)
    }

    fn size(&self, _segment: u32) -> Result<u64, DiskError> {
        Ok(0)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.0.retain(|number| *number != segment);
        Ok(())
    }
}

/// What this thread has spent on a processor, in nanoseconds: waiting for one does not count.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    text.split_whitespace().next().and_then(|first| first.parse().ok()).expect("a number")
}

/// The journal's own work, from unit to flushed batch, without a disk.
fn encode(bytes: usize, batch: usize) {
    let mut disk = Nowhere::default();
    let mut journal = start(&mut disk, &mut |_, _| {});
    define(&mut journal);
    let message = message(bytes);
    let (mut sequence, begin, started) = (0_u64, processor_time(), Instant::now());
    let mut locations = VecDeque::new();
    while started.elapsed() < Duration::from_millis(700) {
        for _ in 0..batch {
            sequence += 1;
            let mut unit = journal.begin();
            locations.push_back(unit.store(&message, &[Placement { store: StoreId(1), sequence }]));
            unit.commit(Urgency::Awaited);
        }
        let mut unit = journal.begin();
        unit.add(&Record::Remove { store: StoreId(1), first: 0, last: sequence });
        unit.commit(Urgency::Lazy);
        for at in locations.drain(..) {
            journal.released(at);
        }
        let mut taken = journal.take_batch().expect("there is something");
        perform(&mut taken, &mut disk).expect("nowhere is patient");
        journal.flushed(taken);
    }
    println!("store {bytes} B, {batch} a batch: {} ns a message", (processor_time() - begin) / sequence);
}

/// Batches on a real disk, each of `batch` messages of 1 KiB.
fn flush(disk: &mut OsDisk, journal: &mut Journal, sequence: &mut u64, batch: usize) {
    let message = message(1024);
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        for _ in 0..batch {
            *sequence += 1;
            let mut unit = journal.begin();
            let at = unit.store(&message, &[Placement { store: StoreId(1), sequence: *sequence }]);
            unit.commit(Urgency::Awaited);
            let mut unit = journal.begin();
            unit.add(&Record::Remove { store: StoreId(1), first: *sequence, last: *sequence });
            unit.commit(Urgency::Lazy);
            journal.released(at);
        }
        let once = Instant::now();
        let mut taken = journal.take_batch().expect("there is something");
        perform(&mut taken, disk).expect("the disk works");
        times.push(once.elapsed());
        journal.flushed(taken);
    }
    times.sort_unstable();
    let count = times.len();
    println!(
        "flush of {batch} x 1 KiB: {:.0} batches/s, {:.0} messages/s, p50 {:?}, p99 {:?}, max {:?}",
        count as f64 / begin.elapsed().as_secs_f64(),
        (count * batch) as f64 / begin.elapsed().as_secs_f64(),
        times[count / 2],
        times[count * 99 / 100],
        times[count - 1],
    );
}

fn main() {
    for (bytes, batch) in [(1024, 1), (1024, 64), (100, 64), (16 * 1024, 16), (256 * 1024, 4)] {
        encode(bytes, batch);
    }
    let directory = std::env::args().nth(1).map_or_else(
        || std::env::temp_dir().join(format!("ferrymq-journal-bench-{}", std::process::id())),
        std::path::PathBuf::from,
    );
    let begin = Instant::now();
    let mut disk = OsDisk::open(&directory, SEGMENT_BYTES_DEFAULT).expect("the directory is free");
    let mut journal = start(&mut disk, &mut |_, _| {});
    println!("first start: {:?}", begin.elapsed());
    define(&mut journal);
    let mut sequence = 0;
    for batch in [1, 16, 64, 256] {
        flush(&mut disk, &mut journal, &mut sequence, batch);
    }
    println!("left: {:?} bytes and segments", journal.footprint());
    // A backlog, to be recovered.
    let message = message(1024);
    for _ in 0..300 {
        for _ in 0..1000 {
            sequence += 1;
            let mut unit = journal.begin();
            unit.store(&message, &[Placement { store: StoreId(1), sequence }]);
            unit.commit(Urgency::Awaited);
        }
        let mut taken = journal.take_batch().expect("there is something");
        perform(&mut taken, &mut disk).expect("the disk works");
        journal.flushed(taken);
    }
    drop(disk);
    let begin = Instant::now();
    let mut disk = OsDisk::open(&directory, SEGMENT_BYTES_DEFAULT).expect("the directory is free");
    let mut records = 0_u64;
    let journal = start(&mut disk, &mut |_, _| records += 1);
    println!("recovery of {records} records, {:?} bytes and segments: {:?}", journal.footprint(), begin.elapsed());
}
