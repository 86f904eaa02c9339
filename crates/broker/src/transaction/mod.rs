//! Transactions: what is sent and settled in one happens when it commits, all of it or nothing.

mod local;

pub(crate) use local::Transaction;
