//! Whole conversations: `tests/transcripts/*.txt`, and bytes that no peer should send.

mod garbage;
mod render;
mod transcript;
