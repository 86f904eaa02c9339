//! A data directory that an earlier version wrote: its prepare records hold what their branches send, and its commits
//! wrote that again.
//!
//! Each of three branches takes one of `a`, `b`, `c` from `in`, and sends a counted message to `out`, one to `out` and
//! `other`, and one to `out` that is not persistent. One was committed, one rolled back; the third, which buries `d`, too,
//! is prepared.

use super::in_doubt;
use crate::driver::{Bench, token};
use ferrymq_model::BranchAction::{Commit, Rollback};
use ferrymq_storage::Disk;
use ferrymq_storage::disk::memory::MemoryDisk;

fn earlier() -> Bench {
    let digits: String = include_str!("../../golden/branches-v1-1.hex").split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    let mut disk = MemoryDisk::new();
    disk.create(1, 1 << 20).unwrap();
    disk.write(1, 0, &bytes).unwrap();
    let mut t = Bench::new();
    t.crash_to(disk);
    t
}

fn content(t: &mut Bench) -> [String; 4] {
    ["in", "out", "other", "ActiveMQ.DLQ"].map(|queue| t.bodies(queue))
}

#[test]
fn what_an_earlier_version_prepared_is_recovered_and_committed() {
    let mut t = earlier();
    for _ in 0..3 {
        assert_eq!(in_doubt(&mut t), "[doubtful]");
        assert_eq!(content(&mut t), ["b", "p1 both1", "both1", ""]);
        t.restart();
    }
    t.connect(0);
    t.branch(0, "doubtful", Commit, 4);
    t.flush();
    assert_eq!(content(&mut t), ["b", "p1 both1 p3 both3 passing3", "both1 both3", "d"]);
    t.restart();
    assert_eq!(in_doubt(&mut t), "[]");
    assert_eq!(content(&mut t), ["b", "p1 both1 p3 both3", "both1 both3", "d"]);
    t.connect(0);
    t.counted_producer(0, 1, "p", "out");
    t.send_counted(0, (1, "p", 3), "out", None, token(5));
    assert_eq!(content(&mut t), ["b", "p1 both1 p3 both3", "both1 both3", "d"]);
}

#[test]
fn what_an_earlier_version_prepared_is_rolled_back() {
    let mut t = earlier();
    t.connect(0);
    t.branch(0, "doubtful", Rollback, 4);
    t.flush();
    assert_eq!(content(&mut t), ["b c d", "p1 both1", "both1", ""]);
    t.restart();
    assert_eq!(in_doubt(&mut t), "[]");
    assert_eq!(content(&mut t), ["b c d", "p1 both1", "both1", ""]);
}
