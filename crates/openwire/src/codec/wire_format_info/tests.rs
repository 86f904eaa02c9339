use super::{WireFormatInfo, WireFormatProperties};
use crate::codec::CodecError;
use crate::codec::properties::write_map;
use ferrymq_model::Value;
use std::sync::Arc;

fn read(entries: &[(Arc<str>, Value)]) -> Result<WireFormatProperties, CodecError> {
    let marshalled_properties = Some(write_map(entries).unwrap().into());
    WireFormatInfo { marshalled_properties, ..WireFormatInfo::default() }.properties()
}

#[test]
fn properties_go_both_ways() {
    let properties = WireFormatProperties {
        cache_enabled: Some(true),
        cache_size: Some(1024),
        tight_encoding_enabled: Some(false),
        max_inactivity_duration: Some(30_000),
        max_inactivity_duration_initial_delay: Some(10_000),
        max_frame_size: Some(10 << 20),
        provider_name: Some("FerryMQ".into()),
        ..WireFormatProperties::default()
    };
    assert_eq!(WireFormatInfo::new(12, &properties).unwrap().properties(), Ok(properties));
    assert_eq!(WireFormatInfo::default().properties(), Ok(WireFormatProperties::default()));
}

#[test]
fn the_initial_delay_has_two_spellings() {
    for name in ["MaxInactivityDurationInitalDelay", "MaxInactivityDurationInitialDelay"] {
        let properties = read(&[(name.into(), Value::Long(5))]).unwrap();
        assert_eq!(properties.max_inactivity_duration_initial_delay, Some(5));
    }
}

#[test]
fn a_property_has_one_type() {
    assert_eq!(read(&[("CacheSize".into(), Value::Long(5))]), Err(CodecError::PropertyType("CacheSize")));
    assert_eq!(read(&[("Host".into(), Value::Null)]), Ok(WireFormatProperties::default()));
    assert_eq!(read(&[("Unknown".into(), Value::Short(5))]), Ok(WireFormatProperties::default()));
}
