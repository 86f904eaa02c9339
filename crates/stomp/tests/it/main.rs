//! Whole conversations: `tests/transcripts/*.txt`, and bytes that no peer should send.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod garbage;
mod render;
mod transcript;
