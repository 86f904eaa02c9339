//! Turns STOMP bytes into requests and events into STOMP bytes, exactly as the specification says.
//!
//! ```text
//!             codec/frame ── Frame ──► session/* ── Request ──►
//!   bytes ◄──►                            │                     broker
//!             codec/encode ◄── mapping ◄──┴────────── Event ◄──
//! ```
//!
//! [`Session`] is the broker's side of one connection, [`peer`] the client's side on the same codec. STOMP 1.0, 1.1
//! and 1.2 are spoken, with ActiveMQ's extensions; `docs/conformance/stomp.md` tells row by row what is done and
//! which transcript in `tests/transcripts` shows it.
//!
//! Invariants worth naming:
//! - A body is never copied on the way in: a message's bytes are a slice of the read buffer. Its header block is kept
//!   raw beside it and copied raw to subscribers of the same STOMP version.
//! - Once the decoder handed out a frame, its header block is valid UTF-8 with valid escapes and without NUL.
//! - A header that the broker owns (`destination`, `message-id`, `ack`, …) is never taken over from a producer's frame.
//! - A RECEIPT leaves only for an `Event::Confirmed`.
//! - What a peer announces never sizes an allocation; every table has a limit in [`limits`].
//!
//! Not here: sockets and timers (`server`), the decision where a message goes (`broker`). A session never asks
//! `Request::Disconnect`: whoever owns the connection does, when it is over for whatever reason.
#![forbid(unsafe_code)]

pub mod codec;
pub mod destination;
pub mod detect;
pub mod limits;
pub mod mapping;
pub mod peer;
pub mod session;

pub use codec::{Command, Decoder, Frame, MalformedFrame, Version};
pub use detect::{Detection, is_stomp};
pub use limits::Limits;
pub use mapping::{DIALECTS, STOMP_1_0, STOMP_1_1, STOMP_1_2};
pub use session::{HeartBeatOptions, Session, SessionOptions};
