//! Transactions: what is sent and settled in one happens when it commits, all of it or nothing.

mod branch;
mod commit;
mod hold;
mod local;
mod outcome;
mod prepared;

pub(crate) use branch::Branches;
pub(crate) use hold::Transaction;
