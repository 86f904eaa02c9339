//! What the journal promises, seen from outside.
#![allow(missing_docs, unreachable_pub)]

mod crash;
mod crash_disk;
mod damage;
mod failure;
mod roundtrip;
mod support;
