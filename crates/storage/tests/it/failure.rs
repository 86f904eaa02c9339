//! A disk that refuses: nothing is confirmed after that, and nothing that was confirmed is lost.

use crate::crash_disk::CrashDisk;
use crate::support::*;
use ferrymq_storage::{Disk, DiskError, journal};

#[test]
fn after_a_refusal_nothing_is_confirmed_and_nothing_confirmed_is_lost() {
    for error in [DiskError::Full, DiskError::Failed("input/output error".into())] {
        for fails_at in 4..120 {
            let mut disk = CrashDisk::default();
            let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
            disk.fails_at = Some((fails_at, error.clone()));
            let mut confirmed = state.clone();
            let mut failed = false;
            for sequence in 1..60 {
                if sequence == 1 {
                    write(&mut journal, &mut state, &[define(1)]);
                }
                write(&mut journal, &mut state, &[store(1, sequence, 700)]);
                write(&mut journal, &mut state, &[remove(1, sequence / 2, sequence / 2)]);
                let flushed = journal.flushed_lsn();
                let Some(mut batch) = journal.take_batch() else {
                    assert!(failed, "only after the failure is there no batch");
                    assert_eq!(journal.flushed_lsn(), flushed);
                    continue;
                };
                match journal::perform(&mut batch, &mut disk) {
                    Ok(()) => {
                        assert!(!failed, "nothing works after a failure");
                        journal.flushed(batch);
                        confirmed = state.clone();
                    }
                    Err(refusal) => {
                        assert_eq!(refusal, error);
                        failed = true;
                    }
                }
            }
            disk.fails_at = None;
            let (_, found) = recover(&mut disk, small()).unwrap();
            for (number, store) in &confirmed.stores {
                let after = &state.stores[number].messages;
                let found = &found.stores[number].messages;
                for sequence in store.messages.keys().filter(|sequence| after.contains_key(sequence)) {
                    assert!(found.contains_key(sequence), "message {sequence} was confirmed");
                }
            }
        }
    }
}

#[test]
fn a_recovery_that_fails_can_be_tried_again() {
    let mut disk = CrashDisk::default();
    let (mut journal, mut state) = recover(&mut disk, small()).unwrap();
    write(&mut journal, &mut state, &[define(1), store(1, 1, 300)]);
    flush(&mut journal, &mut disk);
    for further in 0..4 {
        disk.fails_at = Some((disk.log.len() + further, DiskError::Full));
        let _ = recover(&mut disk, small());
        disk.fails_at = None;
    }
    assert_eq!(recover(&mut disk, small()).unwrap().1, state);
    assert!(disk.list().unwrap().len() < 8);
}
