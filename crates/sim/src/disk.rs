//! A disk in memory that tears, reorders, forgets and fails as a real one may.
//!
//! Every segment has a live image (what a reader sees) and a durable one (what a power cut leaves for sure). A write
//! goes to the live image and waits in `unsynced`; `sync` moves it to the durable one. At a power cut each sector of
//! each waiting write survives or not on its own: writes are torn at sector boundaries and overtake each other. Every
//! writing operation has a number, and a planned fault strikes at one of them.

use crate::random::Random;
use ferrymq_storage::Disk;
use ferrymq_storage::disk::DiskError;
use std::cell::Cell;
use std::collections::BTreeMap;

/// What a drive writes whole or not at all. Bytes.
pub const SECTOR_BYTES: u64 = 512;

/// When a power cut strikes within an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nothing of the operation happened.
    Before,
    /// Any part of it may have happened.
    During,
    /// All of it happened, and nobody was told.
    After,
}

/// Every moment.
pub const MOMENTS: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power goes: this and every later operation fails until [`SimDisk::restart`].
    PowerCut(Moment),
    /// The operation fails with an input/output error; any part of it may have happened.
    InputOutput,
    /// The operation fails for want of space; nothing of it happened.
    Full,
}

/// Which unsynced sectors a power cut leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Survivors {
    /// None.
    None,
    /// All.
    All,
    /// In the order in which they were written, up to a random one.
    Prefix,
    /// Each on its own, this often in a hundred.
    Each(u64),
    /// All but one.
    AllButOne,
}

/// Every way of surviving that enumeration tries.
pub const SURVIVORS: [Survivors; 6] = [
    Survivors::None,
    Survivors::All,
    Survivors::Prefix,
    Survivors::Each(50),
    Survivors::AllButOne,
    Survivors::Each(10),
];

/// A defect of the disk itself, planted to prove that the oracle sees what follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiskDefect {
    /// None.
    #[default]
    None,
    /// Reports a sync that it did not do.
    SkipsSync,
    /// Every fourth write keeps its first half only.
    HalvesWrites,
}

/// The disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    segments: BTreeMap<u32, Segment>,
    operations: u64,
    planned: Option<(u64, Fault)>,
    state: State,
    defect: DiskDefect,
    short_reads: bool,
    reads: Cell<u64>,
    writes: u64,
    violation: Option<String>,
    random: Random,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Works,
    /// An error was reported: whoever writes again breaks the rule that errors are final.
    Failed,
    /// Without power.
    Off,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    size: u64,
    /// Both images end at the last byte ever written; zeros follow up to `size`.
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Piece>,
}

/// A part of a write that lies in one sector.
#[derive(Clone, Debug)]
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

impl SimDisk {
    /// An empty disk whose chances come from `random`.
    #[must_use]
    pub fn new(random: Random) -> Self {
        Self {
            segments: BTreeMap::new(),
            operations: 0,
            planned: None,
            state: State::Works,
            defect: DiskDefect::None,
            short_reads: false,
            reads: Cell::new(0),
            writes: 0,
            violation: None,
            random,
        }
    }

    /// Makes `fault` strike at the operation with this number, counted from 1 over the disk's life.
    pub fn plan(&mut self, operation: u64, fault: Fault) {
        self.planned = Some((operation, fault));
    }

    /// Plans nothing any more; what the disk does without a plan goes on.
    pub fn plan_nothing(&mut self) {
        self.planned = None;
    }

    /// Plans nothing any more and reads whole.
    pub fn heal(&mut self) {
        self.planned = None;
        self.short_reads = false;
    }

    /// Plants a defect.
    pub fn plant(&mut self, defect: DiskDefect) {
        self.defect = defect;
    }

    /// Makes every third read return at most half of what was asked, as POSIX allows.
    pub fn set_short_reads(&mut self, on: bool) {
        self.short_reads = on;
    }

    /// Writing operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Whether a planned power cut has struck.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state == State::Off
    }

    /// Whether somebody used the disk after an error, which is forbidden.
    #[must_use]
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Cuts the power now.
    pub fn cut_power(&mut self) {
        self.state = State::Off;
    }

    /// The power is back: what was durable is there, and of the rest what `survivors` says. Everything that is there
    /// now is durable.
    pub fn restart(&mut self, survivors: Survivors) {
        let total = self.segments.values().map(|segment| segment.unsynced.len()).sum::<usize>();
        let chosen = self.random.index(total.max(1));
        let mut number = 0;
        for segment in self.segments.values_mut() {
            let unsynced = std::mem::take(&mut segment.unsynced);
            for piece in unsynced {
                let survives = match survivors {
                    Survivors::None => false,
                    Survivors::All => true,
                    Survivors::Prefix => number < chosen,
                    Survivors::Each(chance) => self.random.percent(chance),
                    Survivors::AllButOne => number != chosen,
                };
                number += 1;
                if survives {
                    put(&mut segment.durable, piece.offset, &piece.bytes);
                }
            }
            segment.live = segment.durable.clone();
        }
        self.state = State::Works;
        self.planned = None;
    }

    /// The process ends without a power cut and starts again: the system's cache keeps what was written.
    pub fn reopen(&mut self) {
        self.state = State::Works;
        self.planned = None;
    }

    /// Turns one bit of what is stored, live and durable.
    ///
    /// # Panics
    /// If there is no such segment: the caller's bug.
    pub fn flip_bit(&mut self, segment: u32, offset: u64, bit: u8) {
        let segment = self.segments.get_mut(&segment).expect("the caller names a segment that is there");
        for image in [&mut segment.live, &mut segment.durable] {
            let at = position(offset);
            if image.len() <= at {
                image.resize(at + 1, 0);
            }
            image[at] ^= 1 << (bit % 8);
        }
    }

    /// Every segment with the number of bytes that were ever written to it.
    #[must_use]
    pub fn written(&self) -> Vec<(u32, u64)> {
        self.segments.iter().map(|(number, segment)| (*number, segment.live.len() as u64)).collect()
    }

    /// Overwrites stored bytes, live and durable: for fuzzing recovery.
    pub fn overwrite(&mut self, segment: u32, offset: u64, bytes: &[u8]) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            let fits = segment.size.saturating_sub(offset).min(bytes.len() as u64);
            let bytes = &bytes[..position(fits)];
            put(&mut segment.live, offset, bytes);
            put(&mut segment.durable, offset, bytes);
        }
    }

    /// Counts an operation and says what strikes it.
    fn begin(&mut self, what: &str) -> Result<Option<Fault>, DiskError> {
        match self.state {
            State::Works => {}
            State::Failed => {
                self.violation = Some(format!("{what} after an error was reported"));
                return Err(DiskError::Failed(format!("{what}: the disk failed before")));
            }
            State::Off => return Err(power_cut()),
        }
        self.operations += 1;
        Ok(self.planned.filter(|(at, _)| *at == self.operations).map(|(_, fault)| fault))
    }

    /// Ends an operation that was struck.
    fn struck(&mut self, what: &str, fault: Fault) -> DiskError {
        match fault {
            Fault::PowerCut(_) => {
                self.state = State::Off;
                power_cut()
            }
            Fault::InputOutput => {
                self.state = State::Failed;
                DiskError::Failed(format!("{what}: input/output error"))
            }
            Fault::Full => {
                self.state = State::Failed;
                DiskError::Full
            }
        }
    }

    fn segment(&self, number: u32) -> Result<&Segment, DiskError> {
        self.segments.get(&number).ok_or_else(|| missing(number))
    }

    /// Whether an interrupted operation without parts happened.
    fn happened(&mut self, fault: Option<Fault>) -> bool {
        match fault {
            None | Some(Fault::PowerCut(Moment::After)) => true,
            Some(Fault::PowerCut(Moment::Before) | Fault::Full) => false,
            Some(Fault::PowerCut(Moment::During) | Fault::InputOutput) => self.random.percent(50),
        }
    }
}

impl Disk for SimDisk {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        if self.state == State::Off {
            return Err(power_cut());
        }
        Ok(self.segments.keys().copied().collect())
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        let fault = self.begin("create")?;
        if self.segments.contains_key(&segment) {
            return Err(DiskError::Failed(format!("create segment {segment}: exists")));
        }
        if self.happened(fault) {
            // An interrupted creation may leave a name with a part of the length.
            let partial = fault.is_some() && fault != Some(Fault::PowerCut(Moment::After));
            let size = if partial { self.random.below(size + 1) } else { size };
            self.segments.insert(segment, Segment { size, ..Segment::default() });
        }
        fault.map_or(Ok(()), |fault| Err(self.struck("create", fault)))
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let fault = self.begin("write")?;
        self.writes += 1;
        let halved = self.defect == DiskDefect::HalvesWrites && self.writes.is_multiple_of(4);
        let bytes = if halved { &bytes[..bytes.len() / 2] } else { bytes };
        let size = self.segment(segment)?.size;
        if offset + bytes.len() as u64 > size {
            return Err(DiskError::Failed(format!("write segment {segment}: beyond its end")));
        }
        let nothing = matches!(fault, Some(Fault::PowerCut(Moment::Before) | Fault::Full));
        if !nothing {
            let partial = fault == Some(Fault::InputOutput);
            let mut random = self.random.fork();
            let target = self.segments.get_mut(&segment).expect("looked up above");
            for piece in pieces(offset, bytes) {
                if partial && random.percent(50) {
                    continue;
                }
                put(&mut target.live, piece.offset, &piece.bytes);
                target.unsynced.push(piece);
            }
        }
        fault.map_or(Ok(()), |fault| Err(self.struck("write", fault)))
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        let fault = self.begin("sync")?;
        self.segment(segment)?;
        let mut random = self.random.fork();
        let lies = self.defect == DiskDefect::SkipsSync;
        let target = self.segments.get_mut(&segment).expect("looked up above");
        let whole = matches!(fault, None | Some(Fault::PowerCut(Moment::After))) && !lies;
        let nothing = lies || matches!(fault, Some(Fault::PowerCut(Moment::Before) | Fault::Full));
        if !nothing {
            let waiting = std::mem::take(&mut target.unsynced);
            for piece in waiting {
                if whole || random.percent(50) {
                    put(&mut target.durable, piece.offset, &piece.bytes);
                } else {
                    target.unsynced.push(piece);
                }
            }
        }
        fault.map_or(Ok(()), |fault| Err(self.struck("sync", fault)))
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        if self.state == State::Off {
            return Err(power_cut());
        }
        let segment = self.segment(segment)?;
        let mut count = segment.size.saturating_sub(offset).min(into.len() as u64);
        self.reads.set(self.reads.get() + 1);
        if self.short_reads && self.reads.get().is_multiple_of(3) && count > 1 {
            count /= 2;
        }
        let (start, count) = (position(offset).min(segment.live.len()), position(count));
        let stored = &segment.live[start..(start + count).min(segment.live.len())];
        into[..stored.len()].copy_from_slice(stored);
        into[stored.len()..count].fill(0);
        Ok(count)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        if self.state == State::Off {
            return Err(power_cut());
        }
        Ok(self.segment(segment)?.size)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        let fault = self.begin("delete")?;
        self.segment(segment)?;
        if self.happened(fault) {
            self.segments.remove(&segment);
        }
        fault.map_or(Ok(()), |fault| Err(self.struck("delete", fault)))
    }
}

fn pieces(offset: u64, bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let fits = position((SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len() as u64));
        let (piece, after) = rest.split_at(fits);
        pieces.push(Piece { offset: at, bytes: piece.to_vec() });
        at += fits as u64;
        rest = after;
    }
    pieces
}

fn put(image: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = position(offset);
    let end = start + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(bytes);
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated disk fits memory")
}

fn power_cut() -> DiskError {
    DiskError::Failed("the power is off".to_owned())
}

fn missing(segment: u32) -> DiskError {
    DiskError::Failed(format!("segment {segment}: no such segment"))
}

#[cfg(test)]
mod tests;
