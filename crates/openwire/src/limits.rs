//! Limits of the codec, each with its reason. What a server may set is in [`CodecOptions`](crate::CodecOptions).

/// The highest version of OpenWire that is spoken here.
pub const VERSION_MAX: u8 = 12;
/// A WireFormatInfo comes from somebody who has shown nothing yet: its properties are a few hundred bytes. Bytes.
pub const WIRE_FORMAT_INFO_BYTES_MAX: usize = 16 * 1024;
/// Structures inside structures, causes of throwables included. Honest frames reach five: a dispatch, its message, the
/// command of an advisory, a transaction id, a connection id. Levels.
pub const NESTING_DEPTH_MAX: usize = 32;
/// Structures, stack trace elements and throwables in one frame: what a frame of a few bytes an element may swell to in
/// memory. The largest honest frame is the answer to XA's recover, an array of up to 32,767. Count.
pub const STRUCTURES_PER_FRAME_MAX: usize = 65_536;
/// Elements of one array: its count is a signed 16-bit number.
pub const ARRAY_ELEMENTS_MAX: usize = i16::MAX as usize;
/// Stack trace elements of one throwable; Java itself collects no more than 1024. Count.
pub const STACK_TRACE_ELEMENTS_MAX: usize = 1024;
/// Entries of the marshal cache in each direction: what Java takes when none is agreed. Count.
pub const CACHE_ENTRIES_MAX: u16 = 16_383;
/// Java starts to reuse cache slots while this many are still free. A fact of the format: with a different number the
/// frames differ. Count.
pub const CACHE_FREE_ENTRIES: usize = 100;
/// What the objects that a peer asked us to remember may occupy. Entries are ids and destinations, 50 to 300 bytes each.
/// Bytes.
pub const DECODE_CACHE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A decoder reads a message or an acknowledgement over an earlier one, unless that took more than this beside its body: ids,
/// names and the usual headers take a few hundred. Bytes.
pub const REUSED_BYTES_MAX: usize = 2 * 1024;
/// Messages, and acknowledgements, of which a decoder reads the next ones over: one for each sender of a connection that takes
/// its turn. With more of them each is read from the beginning. Count.
pub const REUSED_COMMANDS_MAX: usize = 8;
/// An encoder keeps this much of its scratch buffer between frames; idle connections own little. Bytes.
pub const SCRATCH_KEEP_BYTES: usize = 16 * 1024;
/// A dispatch is kept, to be written again with another body, up to this size: twice what the longest usual names take. Bytes.
pub const TEMPLATE_BYTES_MAX: usize = 4 * 1024;
/// Dispatches that a connection keeps at a time: one for each pair of a producer and a consumer between which messages pass.
/// With more of them interleaved, each message is written from the beginning. Count.
pub const TEMPLATES_MAX: usize = 32;

/// What a compressed content may swell to for a consumer of another protocol: as much as Java's clients accept. Bytes.
pub const INFLATED_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Errors that wait to be written before a client that does not read them is given up. Bytes.
pub const ERROR_BACKLOG_BYTES_MAX: usize = 256 * 1024;

/// What a marshalled map or stream may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapLimits {
    /// Entries of the outermost map and of each inner one. Count.
    pub entries_max: usize,
    /// One name, text or octet string. Bytes.
    pub value_bytes_max: usize,
    /// Maps and lists inside one another. Levels.
    pub depth_max: usize,
    /// Values altogether. Count.
    pub values_max: usize,
}

/// Application properties and map bodies.
pub const MAP_LIMITS: MapLimits =
    MapLimits { entries_max: 65_536, value_bytes_max: usize::MAX, depth_max: 32, values_max: 1_000_000 };
/// Properties of a WireFormatInfo: as few and as small as Java itself accepts, and nothing inside them.
pub const WIRE_FORMAT_LIMITS: MapLimits =
    MapLimits { entries_max: 64, value_bytes_max: 512, depth_max: 0, values_max: 64 };

const _: () = assert!(CACHE_ENTRIES_MAX as usize <= i16::MAX as usize, "a cache index is a signed 16-bit number");
