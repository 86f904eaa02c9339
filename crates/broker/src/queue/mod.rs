//! What keeps messages until they are consumed: a queue, or a durable subscription's backlog.

mod entry;
mod fetch;
mod filed;
mod group;
mod keep;
mod page;

pub(crate) use entry::{Entry, EntryState, Item};
pub(crate) use filed::Filing;
pub(crate) use group::Groups;
pub(crate) use keep::{BANDS, Consumer, Counters, Durable, Queue, Role, band_of};
