//! Against real files, in the build's own directory for temporary files.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes with the value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ferrymq-os-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SIZE: u32 = 4 * 1024 * 1024;

#[test]
fn a_second_broker_is_told_who_has_the_directory() {
    let directory = Directory::new();
    let disk = OsDisk::open(&directory.0, SIZE).unwrap();
    let error = OsDisk::open(&directory.0, SIZE).unwrap_err();
    assert!(error.to_string().ends_with(&format!("in use by another broker (process {})", std::process::id())));
    drop(disk);
    OsDisk::open(&directory.0, SIZE).unwrap();
}

#[test]
fn what_is_written_is_read_by_the_disk_by_readers_and_after_a_restart() {
    let directory = Directory::new();
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    disk.create(1, u64::from(SIZE)).unwrap();
    disk.create(2, 10_000).unwrap();
    // Right at the start, across what is zeroed at first, and far ahead of it.
    for offset in [0, 1024 * 1024 - 3, 3 * 1024 * 1024] {
        disk.write(1, offset, b"ferry").unwrap();
    }
    disk.sync(1).unwrap();
    let check = |disk: &dyn Disk| {
        for offset in [0, 1024 * 1024 - 3, 3 * 1024 * 1024] {
            let mut bytes = [1; 7];
            assert_eq!(disk.read(1, offset, &mut bytes).unwrap(), 7);
            assert_eq!(&bytes, b"ferry\0\0");
        }
        assert_eq!(disk.size(1).unwrap(), u64::from(SIZE));
        assert_eq!(disk.read(2, 9_999, &mut [0; 7]).unwrap(), 1);
    };
    check(&disk);
    check(&disk.reader());
    check(&OsDiskReader::open(&directory.0).unwrap());
    drop(disk);
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    assert_eq!(disk.list().unwrap(), [1, 2]);
    check(&disk);
    let reader = disk.reader();
    disk.delete(1).unwrap();
    assert_eq!(disk.list().unwrap(), [2]);
    assert!(reader.read(1, 0, &mut [0]).is_err());
}

#[test]
fn a_spare_is_made_and_becomes_the_next_segment() {
    let directory = Directory::new();
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    disk.create(1, u64::from(SIZE)).unwrap();
    // Dropping waits for the thread, which has finished what it was asked for.
    drop(disk);
    assert_eq!(fs::metadata(directory.0.join(SPARE)).unwrap().len(), u64::from(SIZE));
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    disk.create(2, u64::from(SIZE)).unwrap();
    let mut bytes = vec![1; SIZE as usize];
    assert_eq!(disk.read(2, 0, &mut bytes).unwrap(), SIZE as usize);
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn a_failure_is_final() {
    let directory = Directory::new();
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    disk.create(1, 10_000).unwrap();
    assert!(disk.write(1, 9_999, b"too long").is_err());
    assert!(disk.write(1, 0, b"ok").is_err());
    assert!(disk.sync(1).is_err());
}

#[test]
fn a_reader_cannot_write() {
    let directory = Directory::new();
    let mut disk = OsDisk::open(&directory.0, SIZE).unwrap();
    disk.create(1, 10_000).unwrap();
    let mut reader = OsDiskReader::open(&directory.0).unwrap();
    assert!(reader.write(1, 0, b"x").is_err() && reader.delete(1).is_err() && reader.create(2, 1).is_err());
}
