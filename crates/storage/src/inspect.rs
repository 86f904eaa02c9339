//! Looks at a journal without changing it: what `ferrymq journal check` and `ferrymq journal print` show.
//!
//! Works on any [`Disk`], such as an `OsDiskReader` that holds no lock. While a broker writes, what is seen is a
//! moment of its journal: a verdict then counts only if it is good.

use crate::disk::{Disk, DiskError};
use crate::journal::{Location, Lsn, RecoverError, check};
use crate::record::decode::Stored;
use crate::record::{Outcome, Placement, Record, StoreDefinition, TransactionName};
use ferrymq_model::{Dialects, Message};
use std::fmt;

/// Something that is seen, in the order of the journal.
#[derive(Debug)]
pub enum Item<'a> {
    /// A segment begins.
    Segment(SegmentItem),
    /// A segment without a header: prepared, or never finished.
    Blank {
        /// Its number.
        segment: u32,
    },
    /// A record with a right checksum, in its place in the order.
    Record(RecordItem<'a>),
    /// A segment's records end.
    Stop {
        /// Which segment.
        segment: u32,
        /// Where.
        offset: u32,
        /// What is there; `None`: nothing but zeros. Whether that is damage, the verdict tells.
        what: Option<&'static str>,
    },
}

/// A segment's header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentItem {
    /// Its number.
    pub segment: u32,
    /// Its length in bytes.
    pub size: u32,
    /// The store's name.
    pub store: [u8; 16],
    /// The epoch in which it was written.
    pub epoch: u64,
    /// The first record in it.
    pub first_lsn: Lsn,
    /// The segment before it; 0: none.
    pub previous: u32,
}

/// A record.
#[derive(Debug)]
pub struct RecordItem<'a> {
    /// Where it lies.
    pub at: Location,
    /// Its number.
    pub lsn: Lsn,
    /// Bytes with header and padding.
    pub bytes: u32,
    /// Whether its unit ends with it.
    pub ends_unit: bool,
    /// Whether it was the first of a batch.
    pub starts_batch: bool,
    stored: &'a Stored,
}

impl<'a> RecordItem<'a> {
    pub(crate) fn new(
        at: Location,
        lsn: Lsn,
        bytes: u32,
        (ends_unit, starts_batch): (bool, bool),
        stored: &'a Stored,
    ) -> Self {
        Self { at, lsn, bytes, ends_unit, starts_batch, stored }
    }

    /// The record, unless it is one of the journal's own.
    #[must_use]
    pub fn record(&self) -> Option<&'a Record> {
        match self.stored {
            Stored::Record(record) | Stored::Counted(record) => Some(record),
            Stored::Catalogue { .. }
            | Stored::Producers(_)
            | Stored::Outcomes(_)
            | Stored::Dropped(_)
            | Stored::Seal => None,
        }
    }

    /// The kind in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.stored {
            Stored::Record(record) | Stored::Counted(record) => match record {
                Record::Define { .. } => "define",
                Record::Forget { .. } => "forget",
                Record::Store { .. } => "store",
                Record::Remove { .. } => "remove",
                Record::Delivered { .. } => "delivered",
                Record::Prepare(_) => "prepare",
                Record::Held { .. } => "held",
                Record::Place { .. } => "place",
                Record::Dissolve { .. } => "dissolve",
                Record::Outcome { .. } => "outcome",
            },
            Stored::Catalogue { .. } => "catalogue",
            Stored::Producers(_) => "producers",
            Stored::Outcomes(_) => "outcomes",
            Stored::Dropped(_) => "dropped",
            Stored::Seal => "seal",
        }
    }
}

impl fmt::Display for RecordItem<'_> {
    /// What it says, in a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stored {
            Stored::Record(record) => summary(record, f),
            Stored::Counted(record) => {
                summary(record, f)?;
                f.write_str(", its producer's sequence counts")
            }
            Stored::Catalogue { segments, stores, branches } => {
                write!(f, "{} earlier segments, {stores} stores follow", segments.len())?;
                if !branches.is_empty() {
                    write!(f, ", branches {branches:?} are prepared")?;
                }
                Ok(())
            }
            Stored::Producers(producers) => write!(f, "sequences of {} producers", producers.len()),
            Stored::Outcomes(outcomes) => write!(f, "outcomes of {} transactions", outcomes.len()),
            Stored::Dropped(segments) => write!(f, "segments {segments:?} are deleted"),
            Stored::Seal => f.write_str("everything before is durable"),
        }
    }
}

fn summary(record: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match record {
        Record::Define { store, definition, next_sequence, delivered } => {
            write!(f, "store {} is ", store.0)?;
            match definition {
                StoreDefinition::Queue(destination) => write!(f, "{destination}")?,
                StoreDefinition::Schedule => f.write_str("the schedule")?,
                StoreDefinition::Durable { client_id, name, topics, selector, shared, .. } => {
                    let kind = if *shared { "shared durable" } else { "durable" };
                    write!(f, "{kind} subscription {client_id}:{name} to")?;
                    for topic in topics {
                        write!(f, " {topic}")?;
                    }
                    if let Some(selector) = selector {
                        write!(f, " where {selector}")?;
                    }
                }
            }
            write!(f, ", next sequence {next_sequence}, delivered {delivered}")
        }
        Record::Forget { store } => write!(f, "store {} is gone", store.0),
        Record::Store { message, placements } => {
            describe(message, f)?;
            f.write_str(", in")?;
            write_placements(placements, f)
        }
        Record::Remove { store, first, last } => write!(f, "{first} to {last} left store {}", store.0),
        Record::Delivered { store, through } => write!(f, "store {} was delivered up to {through}", store.0),
        Record::Prepare(prepared) => {
            write!(f, "branch {} {} takes {}", prepared.branch, prepared.xid, prepared.settled.len())?;
            match prepared.sends.len() {
                0 => Ok(()),
                sends => write!(f, ", sends {sends} messages"),
            }
        }
        Record::Held { branch, send } => {
            describe(&send.message, f)?;
            write!(f, ", held for branch {branch}")
        }
        Record::Place { branch, held, placements } => {
            write!(f, "branch {branch}: the message held in segment {} at {} is in", held.segment, held.offset)?;
            write_placements(placements, f)
        }
        Record::Dissolve { branch } => write!(f, "branch {branch} is decided"),
        Record::Outcome { name, outcome } => {
            match name {
                TransactionName::Local(name) => write!(f, "transaction {name} ")?,
                TransactionName::Branch(xid) => write!(f, "branch {xid} ")?,
            }
            f.write_str(match outcome {
                Outcome::Committed => "was committed",
                Outcome::RolledBack => "was rolled back",
                Outcome::HeuristicallyCommitted => "was committed by a person",
                Outcome::HeuristicallyRolledBack => "was rolled back by a person",
                Outcome::Forgotten => "is forgotten",
            })
        }
    }
}

fn describe(message: &Message, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let header = &message.header;
    write!(f, "message {} to {}, {} bytes", header.id, header.destination, message.bytes.len())
}

fn write_placements(placements: &[Placement], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for placement in placements {
        write!(f, " {}:{}", placement.store.0, placement.sequence)?;
    }
    Ok(())
}

/// What a recovery would find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Everything that was durable is there.
    Sound {
        /// The last record that counts.
        last: Lsn,
        /// Records of a unit that was never finished; they do not count.
        unfinished: u64,
    },
    /// A recovery would stop with this.
    Stopped(RecoverError),
}

/// Reads a whole journal, shows everything to `visit`, and says what a recovery would find. Changes nothing.
///
/// # Errors
/// The environment refused to list the segments; any later refusal is in the verdict.
pub fn inspect(disk: &mut dyn Disk, dialects: Dialects, visit: &mut dyn FnMut(Item<'_>)) -> Result<Verdict, DiskError> {
    let numbers = disk.list()?;
    Ok(match check(disk, dialects, numbers, visit) {
        Ok((last, unfinished)) => Verdict::Sound { last, unfinished },
        Err(error) => Verdict::Stopped(error),
    })
}

/// Bytes in all segments: the whole of a progress bar whose part is the place of the latest item.
///
/// # Errors
/// The environment refused.
pub fn total_bytes(disk: &mut dyn Disk) -> Result<u64, DiskError> {
    let mut total = 0;
    for segment in disk.list()? {
        total += disk.size(segment)?;
    }
    Ok(total)
}
