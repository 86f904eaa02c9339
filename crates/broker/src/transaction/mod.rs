//! Transactions: what is sent and settled in one happens when it commits, all of it or nothing.

mod branch;
mod local;
mod outcome;

pub(crate) use local::Transaction;
