//! Turns OpenWire bytes into commands and commands into OpenWire bytes, versions 1 to 12, exactly as Java clients do.
//!
//! ```text
//!            Decoder ─── Reader ──┐                       ┌── tight or loose
//!   bytes ◄──►                    ├── tables (codec/*.rs) ┤── cached or not
//!            Encoder ─── Writer ──┘                       └── version 1 … 12
//! ```
//!
//! Each command is one table of fields in the order of the wire, each field with its kind and the version that brought
//! it (`codec/table.rs` explains the tables). Reading and writing go through the same table; the four encodings are the
//! business of the reader and the writer beneath it. `docs/internals/openwire-codec.md` tells what is not obvious.
//!
//! Invariants worth naming:
//! - What a peer announces never sizes an allocation; every length, count, depth and table has a limit in [`limits`].
//! - The content of a message and its properties are slices of its frame, neither copied nor understood.
//! - An object that the marshal cache remembers has bytes of its own: it never pins a frame.
//! - What Java's encoders write is written here byte for byte, cache slots included; `tests/golden` proves it.
//! - The class name in an exception is text. Nothing is ever made of it, nor of the content of an object message.
//! - What is read over an earlier command, or out of a frame that is like an earlier one, is what its table would have read.
//! - After an error the decoder reads nothing more. After an error the encoder is as it was before.
//!
//! Above the codec stand the [`mapping`] of messages, ids and destinations to the broker's own, and the [`session`]: the
//! broker's side of one connection, commands to requests and events to commands.
//!
//! Not here: sockets and timers, bridges between brokers, who may do what.
#![forbid(unsafe_code)]

pub mod codec;
pub mod detect;
pub mod limits;
pub mod mapping;
pub mod peer;
pub mod session;

pub use codec::{CodecError, CodecOptions, Command, Decoder, Encoder};
pub use detect::{Detection, is_openwire};
pub use mapping::DIALECTS;
pub use session::{Session, SessionLimits, SessionOptions};
