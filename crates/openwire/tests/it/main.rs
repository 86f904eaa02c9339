//! The codec against frames of the Java client, against hostile frames, and against chance.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;
mod hostile;
mod mapping;
mod mutation;
mod peer;
mod repeats;
mod reuse;
mod runs;
mod session;
mod surface;
