//! Frames to commands and back: [`Decoder`] and [`Encoder`], one of each per connection.
//!
//! ```text
//!   frame:  size(4) type(1) [boolean stream, tight only] data
//! ```

pub mod broker_info;
pub mod command;
pub mod connection;
pub mod consumer;
pub mod control;
pub mod datagram;
pub mod destination;
pub mod ids;
pub mod journal;
pub mod message;
pub mod message_ack;
pub mod message_body;
pub mod message_dispatch;
pub mod message_pull;
pub mod network;
pub mod producer;
pub mod properties;
pub mod response;
pub mod session;
pub mod throwable;
pub mod transaction;
pub mod wire_format_info;

mod bits;
mod cache;
mod decoder;
mod encoder;
mod error;
mod reader;
mod repeat;
pub mod table;
pub(crate) mod template;
pub mod text;
mod writer;

pub use command::Command;
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::CodecError;

use reader::Encoding;

/// What both sides agreed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodecOptions {
    /// 1 to 12.
    pub version: u8,
    /// Tight encoding: truth values are bits, small numbers are short.
    pub tight: bool,
    /// Slots of the marshal cache; `None`: it is off. At most [`CACHE_ENTRIES_MAX`](crate::limits::CACHE_ENTRIES_MAX).
    /// Java's own encoder hangs with less than 100.
    pub cache: Option<u16>,
    /// A size in front of each frame.
    pub size_prefix: bool,
    /// Exceptions carry stack traces and causes.
    pub stack_trace: bool,
    /// The largest frame, without its size in front. Bytes.
    pub max_frame: usize,
}

impl CodecOptions {
    /// Before anything was agreed: what a WireFormatInfo is sent in. A server lowers `max_frame` until it knows who
    /// connects.
    #[must_use]
    pub fn before_negotiation(max_frame: usize) -> Self {
        Self { version: 1, tight: false, cache: None, size_prefix: true, stack_trace: false, max_frame }
    }

    /// Of the size in front of a frame.
    fn size_bytes(&self) -> usize {
        if self.size_prefix { SIZE_BYTES } else { 0 }
    }

    fn encoding(&self) -> Encoding {
        Encoding { version: self.version, tight: self.tight, stack_trace: self.stack_trace }
    }
}

/// Bytes of the size in front of a frame.
const SIZE_BYTES: usize = 4;
