//! A disk that remembers every operation, so that the power can be cut anywhere afterwards.

use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{Disk, DiskError};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
pub enum Operation {
    Create(u32, u64),
    Write(u32, u64, Vec<u8>),
    Sync(u32),
    Delete(u32),
}

/// Works like a healthy disk and keeps a log. With `fails_at`, that operation and every later one fail.
#[derive(Clone, Debug, Default)]
pub struct CrashDisk {
    pub live: MemoryDisk,
    pub log: Vec<Operation>,
    pub fails_at: Option<(usize, DiskError)>,
}

impl CrashDisk {
    pub fn on(live: MemoryDisk) -> Self {
        Self { live, ..Self::default() }
    }

    fn check(&self) -> Result<(), DiskError> {
        match &self.fails_at {
            Some((at, error)) if self.log.len() >= *at => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl Disk for CrashDisk {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        self.live.list()
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.check()?;
        self.log.push(Operation::Create(segment, size));
        self.live.create(segment, size)
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check()?;
        self.log.push(Operation::Write(segment, offset, bytes.to_vec()));
        self.live.write(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        self.check()?;
        self.log.push(Operation::Sync(segment));
        self.live.sync(segment)
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.live.read(segment, offset, into)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.live.size(segment)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.check()?;
        self.log.push(Operation::Delete(segment));
        self.live.delete(segment)
    }
}

/// A part of a write within one sector: it is on the disk or not.
type Piece = (u32, u64, Vec<u8>);

/// What is certainly on the disk after the first operations of a log, and the pieces that may be.
pub struct Cut {
    pub durable: MemoryDisk,
    pub loose: Vec<Piece>,
}

/// Replays a log step by step.
pub struct Cuts<'l> {
    log: &'l [Operation],
    cut: Cut,
    next: usize,
}

impl<'l> Cuts<'l> {
    pub fn new(start: MemoryDisk, log: &'l [Operation]) -> Self {
        Self { log, cut: Cut { durable: start, loose: Vec::new() }, next: 0 }
    }

    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Goes one operation further.
    pub fn step(&mut self) -> bool {
        let Some(operation) = self.log.get(self.next) else { return false };
        self.next += 1;
        match operation {
            Operation::Create(segment, size) => self.cut.durable.create(*segment, *size).unwrap(),
            Operation::Write(segment, offset, bytes) => self.cut.loose.extend(pieces(*segment, *offset, bytes)),
            Operation::Sync(segment) => {
                let durable = &mut self.cut.durable;
                self.cut.loose.retain(|(of, offset, bytes)| {
                    if of == segment {
                        durable.write(*of, *offset, bytes).unwrap();
                    }
                    of != segment
                });
            }
            Operation::Delete(segment) => {
                self.cut.durable.delete(*segment).unwrap();
                self.cut.loose.retain(|(of, _, _)| of != segment);
            }
        }
        true
    }
}

fn pieces(segment: u32, offset: u64, bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let place = offset as usize + at;
        let len = (SECTOR - place % SECTOR).min(bytes.len() - at);
        pieces.push((segment, place as u64, bytes[at..at + len].to_vec()));
        at += len;
    }
    pieces
}

impl Cut {
    /// The disk with the pieces that `survives` picks.
    pub fn image(&self, survives: impl Fn(usize) -> bool) -> MemoryDisk {
        let mut disk = self.durable.clone();
        for (index, (segment, offset, bytes)) in self.loose.iter().enumerate() {
            if survives(index) {
                disk.write(*segment, *offset, bytes).unwrap();
            }
        }
        disk
    }

    /// Every subset of the loose pieces where there are few; otherwise none, all, each prefix, each one missing, each
    /// one alone, and some at random.
    pub fn images(&self, random: &mut Random) -> Vec<MemoryDisk> {
        let count = self.loose.len();
        if count <= 6 {
            return (0..1_u32 << count).map(|set| self.image(|index| set >> index & 1 == 1)).collect();
        }
        let mut images = vec![self.image(|_| false), self.image(|_| true)];
        let step = count.div_ceil(8);
        for at in (0..count).step_by(step) {
            images.push(self.image(|index| index < at));
            images.push(self.image(|index| index != at));
            images.push(self.image(|index| index == at));
        }
        for _ in 0..8 {
            let bits: Vec<bool> = (0..count).map(|_| random.below(2) == 1).collect();
            images.push(self.image(|index| bits[index]));
        }
        images
    }
}

/// The same numbers every time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
