//! What the journal promises, seen from outside.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod branches;
mod contradictions;
mod crash;
mod crash_disk;
mod damage;
mod failure;
mod golden;
mod read;
mod roundtrip;
mod support;
