//! The power is cut at every operation of a trace, and every flushed unit is there afterwards, whole.

use crate::crash_disk::{CrashDisk, Cuts, Random};
use crate::support::*;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{Disk, Location, Placement, Record, StoreId, Urgency};

/// What a broker did, and what it knew after each unit.
pub struct Trace {
    pub disk: CrashDisk,
    /// After each unit, from the empty state on.
    pub states: Vec<State>,
    /// Length of the disk's log when a flush ended, and how many units were flushed then.
    pub flushes: Vec<(usize, usize)>,
    /// Length of the disk's log when a unit was begun.
    pub begins: Vec<usize>,
}

struct Broker {
    journal: ferrymq_storage::Journal,
    state: State,
    random: Random,
    next_message: u64,
    next_store: u32,
    next_branch: u64,
}

fn places_in(record: &Record, store: u32) -> bool {
    matches!(record, Record::Place { placements, .. } | Record::Store { placements, .. } if placements.iter().any(|place| place.store.0 == store))
}

impl Broker {
    fn store_record(&mut self, stores: &[u32]) -> Record {
        self.next_message += 1;
        let len = match self.random.below(20) {
            0 => 1_200 + self.random.below(5_000),
            1 => 66_000,
            _ => 10 + self.random.below(500),
        };
        let mut placements = Vec::new();
        for store in stores {
            let sequence = self.state.stores[store].next_sequence;
            placements.push(Placement { store: StoreId(*store), sequence });
        }
        let message = message(self.next_message, body(self.next_message, len as usize));
        Record::Store { message: message.into(), placements }
    }

    fn unit(&mut self) -> Vec<Record> {
        let stores: Vec<u32> = self.state.stores.keys().copied().collect();
        if stores.len() < 2 || self.random.below(30) == 0 {
            self.next_store += 1;
            return vec![define(self.next_store)];
        }
        let pick = stores[self.random.below(stores.len() as u64) as usize];
        let first = self.state.stores[&pick].messages.keys().next().copied().unwrap_or(1);
        match self.random.below(12) {
            0 if stores.len() > 3 => vec![Record::Forget { store: StoreId(pick) }],
            0..=2 => vec![remove(pick, first, first + self.random.below(6))],
            3 => vec![Record::Delivered { store: StoreId(pick), through: first }],
            4 => vec![self.store_record(&stores[..2])],
            7 => {
                self.next_branch += 1;
                let sends = self.random.below(4);
                prepare(self.next_branch, sends, self.random.below(1_500) as usize)
            }
            8 if !self.state.prepared.is_empty() => {
                let which = self.random.below(self.state.prepared.len() as u64) as usize;
                let branch = self.state.prepared.keys().nth(which).copied().expect("one of them");
                // A commit: what it sends, and what it takes. Some of what it holds goes nowhere, some to two stores.
                let mut records = Vec::new();
                let held: Vec<Location> =
                    self.state.held.iter().filter(|(_, (of, _))| *of == branch).map(|(at, _)| *at).collect();
                for (number, held) in (0..).zip(held) {
                    let stores = [pick, *stores.iter().find(|store| **store != pick).expect("there are several")];
                    let placement = |store: &u32| {
                        let sequence = self.state.stores[store].next_sequence + number;
                        Placement { store: StoreId(*store), sequence }
                    };
                    let count = self.random.below(3) as usize;
                    let placements: Vec<Placement> = stores.iter().take(count).map(placement).collect();
                    if placements.is_empty() {
                        continue;
                    }
                    let unit = self.journal.begin();
                    let can_place = unit.can_place(held);
                    unit.commit(Urgency::Lazy);
                    records.push(if can_place {
                        Record::Place { branch, held, placements }
                    } else {
                        let Record::Store { message, .. } = self.store_record(&[pick]) else { unreachable!() };
                        Record::Store { message, placements }
                    });
                }
                records.extend([Record::Dissolve { branch }, remove(pick, first, first)]);
                if self.random.below(3) == 0 {
                    // With something that is another message by now: behind, as the sequences are.
                    let other = stores.iter().find(|store| !records.iter().any(|record| places_in(record, **store)));
                    records.extend(other.map(|store| self.store_record(&[*store])));
                }
                records
            }
            // A move: a message in one store, out of another.
            5 => vec![self.store_record(&[pick]), remove(pick, first, first)],
            6 => {
                // A transaction, each message in a store of its own so that sequences stay simple.
                let records = stores.iter().take(4).map(|store| self.store_record(&[*store]));
                records.collect()
            }
            _ => vec![self.store_record(&[pick])],
        }
    }
}

pub fn trace(units: usize, seed: u64) -> Trace {
    let mut disk = CrashDisk::default();
    let (journal, state) = recover(&mut disk, small()).unwrap();
    let mut broker = Broker { journal, state, random: Random(seed), next_message: 0, next_store: 0, next_branch: 0 };
    let mut trace = Trace { disk, states: vec![State::default()], flushes: Vec::new(), begins: Vec::new() };
    for number in 0..units {
        trace.begins.push(trace.disk.log.len());
        let records = broker.unit();
        write(&mut broker.journal, &mut broker.state, &records);
        trace.states.push(broker.state.clone());
        if broker.random.below(3) == 0 {
            flush(&mut broker.journal, &mut trace.disk);
            trace.flushes.push((trace.disk.log.len(), number + 1));
        }
        if broker.random.below(10) == 0 {
            broker.journal.flush_lazy();
            flush(&mut broker.journal, &mut trace.disk);
            trace.flushes.push((trace.disk.log.len(), number + 1));
        }
        if number == units / 2 {
            flush(&mut broker.journal, &mut trace.disk);
            let (journal, state) = recover(&mut trace.disk, small()).unwrap();
            assert_eq!(state, broker.state, "seed {seed}");
            broker.journal = journal;
            trace.flushes.push((trace.disk.log.len(), number + 1));
        }
    }
    flush(&mut broker.journal, &mut trace.disk);
    trace.flushes.push((trace.disk.log.len(), units));
    broker.journal.flush_lazy();
    flush(&mut broker.journal, &mut trace.disk);
    trace
}

/// The units that must and that may be there after the first `operations` of the log.
fn bounds(trace: &Trace, operations: usize) -> (usize, usize) {
    let flushed = trace.flushes.iter().filter(|(at, _)| *at <= operations).map(|(_, units)| *units).max();
    (flushed.unwrap_or(0), trace.begins.iter().filter(|at| **at <= operations).count())
}

/// Recovers, and returns how many units are there.
fn check(trace: &Trace, disk: &mut dyn Disk, (least, most): (usize, usize), story: &str) -> usize {
    let (_, state) = recover(disk, small()).unwrap_or_else(|error| panic!("{story}: {error}"));
    // Some units change nothing: the last that fits is meant.
    let found = (least..=most).rev().find(|units| trace.states[*units] == state);
    found.unwrap_or_else(|| panic!("{story}: not a state between units {least} and {most}: {state:?}"))
}

fn cut_everywhere(trace: &Trace, seed: u64) -> usize {
    let mut random = Random(seed);
    let mut cuts = Cuts::new(MemoryDisk::new(), &trace.disk.log);
    let mut images = 0;
    for operations in 0.. {
        let bounds = bounds(trace, operations);
        for (number, image) in cuts.cut().images(&mut random).into_iter().enumerate() {
            images += 1;
            let story = format!("seed {seed}, cut after operation {operations}, image {number}");
            let mut disk = CrashDisk::on(image.clone());
            let units = check(trace, &mut disk, bounds, &story);
            // And again, with the power cut during that recovery, too. What was found once stays.
            let mut again = Cuts::new(image, &disk.log);
            for second in 0.. {
                let cut = again.cut();
                let half: Vec<bool> = cut.loose.iter().map(|_| random.below(2) == 1).collect();
                let story = format!("{story}, and in its recovery after {second}");
                check(trace, &mut cut.image(|index| half[index]), (units, units), &story);
                if !again.step() {
                    break;
                }
            }
            check(trace, &mut disk.live, (units, units), &format!("{story}, recovered twice"));
        }
        if !cuts.step() {
            return images;
        }
    }
    unreachable!("the loop ends with the log")
}

#[test]
fn every_flushed_unit_survives_a_power_cut_at_every_operation() {
    let trace = trace(200, 1);
    assert!(trace.disk.log.iter().any(|operation| matches!(operation, crate::crash_disk::Operation::Delete(_))));
    assert!(cut_everywhere(&trace, 1) > 1_000);
}

#[test]
fn short_traces_of_many_kinds_survive_a_power_cut_at_every_operation() {
    for seed in 2..12 {
        cut_everywhere(&trace(25, seed), seed);
    }
}

/// An unfinished unit leaves segments of its own. The power may go again while a recovery deletes them.
#[test]
fn an_unfinished_unit_of_several_segments_is_gone_wherever_the_power_goes() {
    let mut disk = CrashDisk::default();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    let mut trace = Trace { disk, states: vec![state.clone()], flushes: Vec::new(), begins: Vec::new() };
    let long = (1..=6).map(|sequence| store(1, sequence, 3_000)).collect();
    for (number, records) in [vec![define(1)], long].iter().enumerate() {
        trace.begins.push(trace.disk.log.len());
        write(&mut journal, &mut state, records);
        trace.states.push(state.clone());
        flush(&mut journal, &mut trace.disk);
        trace.flushes.push((trace.disk.log.len(), number + 1));
    }
    cut_everywhere(&trace, 1);
}

#[test]
fn long_traces_come_back_and_their_space_is_bounded() {
    for seed in 100..110 {
        let mut trace = trace(1_500, seed);
        let end = trace.states.len() - 1;
        let (journal, state) = recover(&mut trace.disk, small()).unwrap();
        assert_eq!(state, trace.states[end], "seed {seed}");
        let messages: usize = state.stores.values().map(|store| store.messages.len()).sum();
        let live = messages + state.prepared.len() + state.held.len();
        let (_, segments) = journal.footprint();
        assert!(segments as usize <= live + 20, "seed {seed}: {segments} segments for {live} records");
    }
}
