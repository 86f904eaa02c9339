//! What is wrong with a frame.

use std::fmt;

/// Why a frame cannot be read or written. After an error of the decoder the connection is over: where the next frame
/// starts and what the cache holds is unknown. After an error of the encoder nothing was written and it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodecError {
    /// A frame announces a negative size, or none.
    FrameSize(i32),
    /// A frame is larger than agreed.
    FrameTooLarge {
        /// Announced or needed. Bytes.
        size: u64,
        /// Agreed. Bytes.
        max: u64,
    },
    /// A field reaches beyond the end of its frame.
    Truncated {
        /// Bytes of frame that the field asks for, counted from the frame's start.
        needed: usize,
    },
    /// More bits are asked of the boolean stream than it holds, or its size is negative.
    Bits,
    /// The frame goes on after its command. Bytes left.
    TrailingBytes(usize),
    /// No structure of this version has this type code.
    UnknownType(u8),
    /// A structure stands where another one belongs.
    UnexpectedType {
        /// Its type code.
        found: u8,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The structure does not exist in the version that was agreed.
    NotInVersion(&'static str, u8),
    /// The first command does not carry OpenWire's magic.
    Magic,
    /// A cache index outside the agreed size, or one that was never filled.
    CacheIndex(i16),
    /// The peer asks to remember more bytes than the cache may hold.
    CacheFull,
    /// A negative length or count.
    NegativeLength(i32),
    /// Octets that are no modified UTF-8, or half of a surrogate pair.
    Text,
    /// Text that does not fit into its 16-bit length. Bytes.
    TextTooLong(usize),
    /// An array or octet string that does not fit into its length field. Count.
    TooLong(usize),
    /// Null where a structure cannot be without a value.
    Null(&'static str),
    /// Structures inside structures, deeper than the limit.
    TooDeep,
    /// More structures or values in one frame than the limit.
    TooMany,
    /// A primitive of a map or stream has an unknown type.
    UnknownPrimitive(u8),
    /// A property that has a fixed type has another one.
    PropertyType(&'static str),
    /// A tight frame claims to embed an already marshalled form, which no released client ever wrote.
    EmbeddedForm,
    /// An earlier frame of this connection was malformed.
    Poisoned,
}

impl fmt::Display for CodecError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameSize(size) => write!(out, "frame size {size} is not positive"),
            Self::FrameTooLarge { size, max } => write!(out, "frame size of {size} is larger than max allowed {max}"),
            Self::Truncated { needed } => write!(out, "a field reaches beyond its frame, to byte {needed}"),
            Self::Bits => out.write_str("the boolean stream is too short"),
            Self::TrailingBytes(count) => write!(out, "{count} bytes follow the command in its frame"),
            Self::UnknownType(code) => write!(out, "unknown data type {code}"),
            Self::UnexpectedType { found, wanted } => write!(out, "data type {found} where {wanted} belongs"),
            Self::NotInVersion(name, version) => write!(out, "{name} does not exist in version {version}"),
            Self::Magic => out.write_str("remote wire format magic is invalid"),
            Self::CacheIndex(index) => write!(out, "cache index {index} holds nothing"),
            Self::CacheFull => out.write_str("the cached objects are too large"),
            Self::NegativeLength(length) => write!(out, "length {length} is negative"),
            Self::Text => out.write_str("text is not modified utf-8"),
            Self::TextTooLong(length) => write!(out, "text of {length} bytes is too long to encode"),
            Self::TooLong(length) => write!(out, "{length} elements do not fit"),
            Self::Null(name) => write!(out, "{name} is null"),
            Self::TooDeep => out.write_str("structures are nested too deeply"),
            Self::TooMany => out.write_str("too many structures or values"),
            Self::UnknownPrimitive(code) => write!(out, "unknown primitive type {code}"),
            Self::PropertyType(name) => write!(out, "property {name} has another type than it must have"),
            Self::EmbeddedForm => out.write_str("embedded marshalled forms are not accepted"),
            Self::Poisoned => out.write_str("an earlier frame was malformed"),
        }
    }
}

impl std::error::Error for CodecError {}
