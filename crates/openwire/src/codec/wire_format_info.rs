//! The first command of each side: which formats it can speak.
//!
//! It is always written loose, uncached and with a size in front, whatever was agreed, and has had the same form in
//! every version. It comes before anybody has shown who they are, so its limits are its own.

use crate::codec::CodecError;
use crate::codec::properties::{self, PrimitiveMap};
use crate::codec::table::{EightOctets, Int, Octets, structure};
use crate::limits::WIRE_FORMAT_LIMITS;
use bytes::Bytes;
use ferrymq_model::Value;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// What every WireFormatInfo starts with.
pub const MAGIC: [u8; 8] = *b"ActiveMQ";

structure! {
    /// Which formats a side can speak.
    WireFormatInfo = 1 {
        /// [`MAGIC`].
        magic: EightOctets;
        /// The highest version.
        version: Int;
        /// The rest, see [`WireFormatProperties`].
        marshalled_properties: Octets;
    }
}

macro_rules! properties {
    ($($(#[$doc:meta])* $field:ident: $variant:ident($value:ty) = $key:literal $(| $alias:literal)?;)*) => {
        /// The properties of a WireFormatInfo. None: the side did not say.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct WireFormatProperties {
            $($(#[$doc])* pub $field: Option<$value>,)*
        }

        impl WireFormatProperties {
            /// Takes one over. Those with unknown names are passed over.
            fn set(&mut self, name: &str, value: Value) -> Result<(), CodecError> {
                match (name, value) {
                    $(($key $(| $alias)?, Value::$variant(value)) => self.$field = Some(value),
                    ($key $(| $alias)?, Value::Null) => self.$field = None,
                    ($key $(| $alias)?, _) => return Err(CodecError::PropertyType($key)),)*
                    _ => {}
                }
                Ok(())
            }

            /// As entries of a marshalled map, under the names that Java gives them.
            #[must_use]
            pub fn entries(&self) -> Vec<(Arc<str>, Value)> {
                let mut entries = Vec::new();
                $(if let Some(value) = &self.$field {
                    entries.push(($key.into(), Value::$variant(value.clone())));
                })*
                entries
            }
        }
    };
}

properties! {
    /// The marshal cache.
    cache_enabled: Bool(bool) = "CacheEnabled";
    /// Entries of the marshal cache; 0: as many as Java takes.
    cache_size: Int(i32) = "CacheSize";
    /// Tight encoding.
    tight_encoding_enabled: Bool(bool) = "TightEncodingEnabled";
    /// No size in front of frames.
    size_prefix_disabled: Bool(bool) = "SizePrefixDisabled";
    /// Stack traces and causes in exceptions.
    stack_trace_enabled: Bool(bool) = "StackTraceEnabled";
    /// Small packets are sent at once.
    tcp_no_delay_enabled: Bool(bool) = "TcpNoDelayEnabled";
    /// The longest silence that is borne; 0: any. Milliseconds.
    max_inactivity_duration: Long(i64) = "MaxInactivityDuration";
    /// How long silence is borne at first. Milliseconds. Java's name is misspelled, .NET's is not.
    max_inactivity_duration_initial_delay: Long(i64) =
        "MaxInactivityDurationInitalDelay" | "MaxInactivityDurationInitialDelay";
    /// The largest frame. Bytes.
    max_frame_size: Long(i64) = "MaxFrameSize";
    /// Whether the side checks it.
    max_frame_size_enabled: Bool(bool) = "MaxFrameSizeEnabled";
    /// The host name that the client connected to.
    host: Text(Arc<str>) = "Host";
    /// The client library or broker.
    provider_name: Text(Arc<str>) = "ProviderName";
    /// Its version.
    provider_version: Text(Arc<str>) = "ProviderVersion";
    /// What it runs on.
    platform_details: Text(Arc<str>) = "PlatformDetails";
}

impl WireFormatInfo {
    /// What to say first: the highest version and `properties`.
    ///
    /// # Errors
    /// A text of `properties` is too long.
    pub fn new(version: u8, properties: &WireFormatProperties) -> Result<Self, CodecError> {
        let marshalled_properties = Some(Bytes::from(properties::write_map(&properties.entries())?));
        Ok(Self { magic: MAGIC, version: i32::from(version), marshalled_properties })
    }

    /// The properties.
    ///
    /// # Errors
    /// The map is malformed or larger than [`WIRE_FORMAT_LIMITS`], or a property has a wrong type.
    pub fn properties(&self) -> Result<WireFormatProperties, CodecError> {
        let mut properties = WireFormatProperties::default();
        let Some(marshalled) = &self.marshalled_properties else { return Ok(properties) };
        for (name, value) in PrimitiveMap::new(marshalled.clone(), WIRE_FORMAT_LIMITS).to_vec()? {
            properties.set(&name, value)?;
        }
        Ok(properties)
    }
}
