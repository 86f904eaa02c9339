//! Frames on the wire: decoding without copying the body, encoding, header escapes.

mod encode;
mod frame;
mod header;
mod scan;

pub use encode::FrameBuilder;
pub(crate) use encode::{put_number, put_sanitized};
pub use frame::{Command, Decoder, Frame, MalformedFrame};
pub(crate) use header::{Expressible, Line, escape_into, lines, unescape};
pub use header::{Known, KnownHeaders, Version};

#[cfg(test)]
mod tests;
