//! WireFormatInfo both ways: each side says at once what it can, and both take the least.

use super::options::SessionOptions;
use crate::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use crate::codec::{CodecError, CodecOptions};
use crate::limits::{CACHE_ENTRIES_MAX, VERSION_MAX};
use std::sync::Arc;

/// What both sides agreed to, and what the client says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Agreed {
    pub(super) codec: CodecOptions,
    /// The longest silence; 0: any. Milliseconds.
    pub(super) max_inactivity_ms: u64,
    /// Borne in addition at first. Milliseconds.
    pub(super) initial_delay_ms: u64,
    /// The client knows JMS's classes as `jakarta.jms`, not as `javax.jms`.
    pub(super) is_jakarta: bool,
}

/// What the broker says.
pub(super) fn offer(options: &SessionOptions) -> Result<WireFormatInfo, CodecError> {
    let milliseconds = |ms: u64| Some(i64::try_from(ms).unwrap_or(i64::MAX));
    WireFormatInfo::new(
        VERSION_MAX,
        &WireFormatProperties {
            cache_enabled: Some(true),
            cache_size: Some(i32::from(options.cache_offered())),
            tight_encoding_enabled: Some(true),
            size_prefix_disabled: Some(false),
            stack_trace_enabled: Some(true),
            tcp_no_delay_enabled: Some(true),
            max_inactivity_duration: milliseconds(options.max_inactivity_ms),
            max_inactivity_duration_initial_delay: milliseconds(options.max_inactivity_initial_delay_ms),
            max_frame_size: Some(i64::try_from(options.max_frame).unwrap_or(i64::MAX)),
            max_frame_size_enabled: None,
            host: None,
            provider_name: Some(Arc::from("FerryMQ")),
            provider_version: Some(Arc::from(env!("CARGO_PKG_VERSION"))),
            platform_details: None,
        },
    )
}

/// The least of what both said.
pub(super) fn agree(options: &SessionOptions, theirs: &WireFormatInfo) -> Result<Agreed, String> {
    let said = theirs.properties().map_err(|error| format!("the WireFormatInfo is malformed: {error}"))?;
    let version = match u8::try_from(theirs.version.min(i32::from(VERSION_MAX))) {
        Ok(version @ 1..) => version,
        Ok(0) | Err(_) => return Err(format!("OpenWire version {} does not exist", theirs.version)),
    };
    let cache = match (said.cache_enabled, said.cache_size.unwrap_or(0)) {
        (Some(true), 0) => Some(options.cache_offered().min(CACHE_ENTRIES_MAX)),
        (Some(true), size) => match u16::try_from(size) {
            Ok(size) => Some(size.min(options.cache_offered())),
            Err(_) if size > 0 => Some(options.cache_offered()),
            Err(_) => return Err(format!("CacheSize {size} is negative")),
        },
        (Some(false) | None, _) => None,
    };
    // Absent or 0 is no limit of theirs.
    let their_frame = said.max_frame_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let least = |ours: u64, theirs: Option<i64>| ours.min(theirs.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0));
    Ok(Agreed {
        codec: CodecOptions {
            version,
            tight: said.tight_encoding_enabled == Some(true),
            cache,
            size_prefix: true,
            stack_trace: said.stack_trace_enabled == Some(true),
            max_frame: their_frame.map_or(options.max_frame, |theirs| theirs.min(options.max_frame)),
        },
        max_inactivity_ms: least(options.max_inactivity_ms, said.max_inactivity_duration),
        initial_delay_ms: least(options.max_inactivity_initial_delay_ms, said.max_inactivity_duration_initial_delay),
        is_jakarta: said.provider_version.as_deref().is_some_and(speaks_jakarta),
    })
}

/// From its sixth version on the Java client has the classes of Jakarta. What does not say its version, or is not Java,
/// goes by the older names.
fn speaks_jakarta(version: &str) -> bool {
    let major = version.split(|letter: char| !letter.is_ascii_digit()).next();
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 6)
}
