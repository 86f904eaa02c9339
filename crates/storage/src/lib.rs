//! Remembers records in order and gives them back after any crash.
//!
//! ```text
//!  Record ──Unit──► Journal (a value: encodes, places, counts what lives) ──Batch──► perform(&mut dyn Disk)
//!                      ▲                                                                 │
//!                      └───────────────────────── flushed ◄──────────────────────────────┘
//! ```
//!
//! Invariants worth naming:
//! - A unit is all or nothing: recovery never shows a part of one.
//! - Log sequence numbers grow by exactly one a record; replaying a prefix always gives the state of that moment.
//! - A bad record is a torn tail only where nothing valid can follow it; anything else is corruption, and recovery
//!   stops instead of truncating.
//! - A failed write or sync is final: the journal accepts no batch after it.
//!
//! Not here: threads and files (`disk/os.rs` alone names `std::fs`), and what records mean (`broker`).
#![forbid(unsafe_code)]

pub mod disk;
pub mod inspect;
pub mod journal;
pub mod record;

pub use disk::{Disk, DiskError};
pub use journal::{Batch, Journal, JournalOptions, Location, Lsn, RecoverError, Unit, Urgency};
pub use journal::{Outcomes, ProducerSlot, Producers};
pub use record::{Outcome, Placement, Prepared, PreparedSend, Record, StoreDefinition, StoreId, TransactionName};
