use ferrymq_model::{Destination, DestinationKind};
use ferrymq_sim::disk::{Fault, Moment, SimDisk, Survivors};
use ferrymq_sim::{Random, world::DIALECTS};
use ferrymq_storage::journal::{self, JournalOptions, SEGMENT_BYTES_MIN, perform};
use ferrymq_storage::{Journal, Record, StoreDefinition, StoreId, Urgency};

fn recover(disk: &mut SimDisk) -> (Journal, usize) {
    let options = JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
    let mut records = 0;
    let journal = journal::recover(disk, DIALECTS, options, &mut |_, _, _| {
        records += 1;
        Ok(())
    });
    (journal.unwrap_or_else(|error| panic!("{error}")), records)
}

/// A process was killed between a write and its sync, the next one read the write out of the system's cache and built
/// on it, and then the power went: the second start must not have relied on what was never durable.
#[test]
fn what_a_start_builds_on_survives_a_power_cut_after_it() {
    let mut disk = SimDisk::new(Random::new(3));
    let (mut journal, _) = recover(&mut disk);
    let queue = Destination { kind: DestinationKind::Queue, name: "Q".into() };
    let definition = StoreDefinition::Queue(queue);
    let mut unit = journal.begin();
    unit.add(&Record::Define { store: StoreId(1), definition, next_sequence: 1, delivered: 0 });
    unit.commit(Urgency::Awaited);
    let mut batch = journal.take_batch().unwrap();
    let syncs_at = disk.operations() + 2;
    disk.plan(syncs_at, Fault::PowerCut(Moment::Before));
    assert!(perform(&mut batch, &mut disk).is_err(), "the write is done, the sync is not");
    disk.reopen();
    let (_, seen) = recover(&mut disk);
    assert_eq!(seen, 1, "the write is in the cache");
    disk.cut_power();
    disk.restart(Survivors::None);
    let (_, seen) = recover(&mut disk);
    assert!(seen >= 1, "what was seen is gone");
}
