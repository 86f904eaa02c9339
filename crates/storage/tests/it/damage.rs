//! Bits that flip, pages that vanish, files that are cut: found, or without consequence, never a silent loss.

use crate::crash::trace;
use crate::support::*;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::inspect::{Item, Verdict, inspect};
use ferrymq_storage::journal::RecoverError;
use ferrymq_storage::{Disk, Record, StoreId};

/// A journal of several segments, epochs and batches, and what it says.
fn sealed() -> (MemoryDisk, State) {
    let trace = trace(60, 42);
    let state = trace.states.last().unwrap().clone();
    (trace.disk.live, state)
}

/// The last segment, and where its records end.
fn end(disk: &mut MemoryDisk) -> (u32, usize) {
    let mut end = (0, 0);
    let verdict = inspect(disk, DIALECTS, &mut |item| {
        if let Item::Stop { segment, offset, .. } = item {
            end = (segment, offset as usize);
        }
    });
    assert!(matches!(verdict, Ok(Verdict::Sound { .. })));
    end
}

fn harmless_or_found(mut disk: MemoryDisk, state: &State, story: &str) -> bool {
    let verdict = inspect(&mut disk, DIALECTS, &mut |_| {}).unwrap();
    match recover(&mut disk, small()) {
        Ok((_, found)) => {
            assert!(matches!(verdict, Verdict::Sound { .. }), "{story}: {verdict:?}");
            assert_eq!(found, *state, "{story}: a silent loss");
            false
        }
        Err(error @ RecoverError::Corrupt { .. }) => {
            assert_eq!(verdict, Verdict::Stopped(error), "{story}");
            true
        }
        Err(error @ (RecoverError::Disk(_) | RecoverError::Newer { .. })) => panic!("{story}: {error}"),
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_or_harmless() {
    let (mut disk, state) = sealed();
    let (mut found, mut tried) = (0, 0);
    for segment in disk.list().unwrap() {
        for at in (0..disk.size(segment).unwrap() as usize).step_by(11) {
            let mut copy = disk.clone();
            copy.segment_mut(segment).unwrap()[at] ^= 1 << (at / 11 % 8);
            tried += 1;
            found += u32::from(harmless_or_found(copy, &state, &format!("segment {segment} byte {at}")));
        }
    }
    assert!(found > tried / 2, "{found} of {tried}");
}

#[test]
fn a_flipped_bit_in_the_last_batch_is_no_torn_tail() {
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    flush(&mut journal, &mut disk);
    write(&mut journal, &mut state, &[store(1, 1, 900), store(1, 2, 300)]);
    let offset = state.stores[&1].messages[&1].1.offset as usize;
    flush(&mut journal, &mut disk);
    for at in offset..offset + 1_300 {
        for bit in 0..8 {
            let mut copy = disk.clone();
            copy.segment_mut(1).unwrap()[at] ^= 1 << bit;
            harmless_or_found(copy, &state, &format!("byte {at} bit {bit}"));
        }
    }
}

#[test]
fn a_vanished_sector_or_page_is_found_or_harmless() {
    let (mut disk, state) = sealed();
    // Where everything up to the very end vanishes, the seal with it, nothing is left to tell.
    let (last, end) = end(&mut disk);
    for segment in disk.list().unwrap() {
        let size = disk.size(segment).unwrap() as usize;
        for (length, step) in [(512, 512), (4096, 4096)] {
            for at in (0..size).step_by(step) {
                if segment == last && (at..at + length).contains(&(end - 1)) {
                    continue;
                }
                let mut copy = disk.clone();
                copy.segment_mut(segment).unwrap()[at..(at + length).min(size)].fill(0);
                harmless_or_found(copy, &state, &format!("segment {segment} zeroed from {at} for {length}"));
            }
        }
    }
}

#[test]
fn a_segment_that_was_cut_or_is_gone_is_found() {
    let (mut disk, state) = sealed();
    let segments = disk.list().unwrap();
    for (index, segment) in segments.iter().enumerate() {
        for length in [0, 1, 63, 64, 100, 4095] {
            let mut copy = disk.clone();
            if index + 1 == segments.len() && length == 0 {
                // The same as one that is being made.
                continue;
            }
            copy.segment_mut(*segment).unwrap().truncate(length);
            let found = harmless_or_found(copy, &state, &format!("segment {segment} cut to {length}"));
            assert!(found, "segment {segment} cut to {length}");
        }
        let mut copy = disk.clone();
        copy.delete(*segment).unwrap();
        // That the last one was ever there, nothing says.
        if index + 1 < segments.len() {
            assert!(harmless_or_found(copy, &state, &format!("segment {segment} is gone")));
        }
    }
}

#[test]
fn a_segment_of_another_store_is_found() {
    let (mut disk, state) = sealed();
    let mut other = MemoryDisk::new();
    let options = ferrymq_storage::JournalOptions { new_store: [8; 16], ..small() };
    recover(&mut other, options).unwrap();
    let last = *disk.list().unwrap().last().unwrap();
    let foreign = other.segment_mut(1).unwrap().clone();
    *disk.segment_mut(last).unwrap() = foreign;
    assert!(harmless_or_found(disk, &state, "a segment of another store"));
}

#[test]
fn a_body_that_looks_like_records_is_only_a_body() {
    // Whoever sends messages must not be able to make a recovery believe in records, or stop at them.
    let mut disk = MemoryDisk::new();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1)]);
    flush(&mut journal, &mut disk);
    let mut other = MemoryDisk::new();
    let options = ferrymq_storage::JournalOptions { new_store: [8; 16], ..small() };
    let (mut forged, mut ignored) = recover(&mut other, options).unwrap();
    for sequence in 0..40 {
        write(&mut forged, &mut ignored, &[Record::Forget { store: StoreId(sequence) }]);
        flush(&mut forged, &mut other);
    }
    let body = other.segment_mut(1).unwrap()[64..3000].to_vec();
    let before = state.clone();
    let message = message(1, body.into());
    let placements = vec![ferrymq_storage::Placement { store: StoreId(1), sequence: 1 }];
    write(&mut journal, &mut state, &[Record::Store { message: message.into(), placements }]);
    let (_, at) = state.stores[&1].messages[&1];
    flush(&mut journal, &mut disk);
    assert_eq!(recover(&mut disk.clone(), small()).unwrap().1, state);
    // The first sector of the message was never written.
    let sector = at.offset as usize / 512 * 512;
    let zero_from = at.offset as usize;
    disk.segment_mut(at.segment).unwrap()[zero_from..sector + 512].fill(0);
    assert_eq!(recover(&mut disk, small()).unwrap().1, before);
}
