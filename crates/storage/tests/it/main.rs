//! What the journal promises, seen from outside.
#![allow(missing_docs)]

mod roundtrip;
mod support;
