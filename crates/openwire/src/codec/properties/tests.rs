use super::{PrimitiveMap, read_stream, write_map, write_stream};
use crate::codec::CodecError;
use crate::limits::{MAP_LIMITS, MapLimits};
use bytes::Bytes;
use ferrymq_model::Value;

fn read(octets: &'static [u8]) -> Result<usize, CodecError> {
    let map = PrimitiveMap::new(Bytes::from_static(octets), MAP_LIMITS);
    let entries = map.to_vec();
    // Finding and reading agree on what is malformed.
    assert_eq!(map.get("\u{1}absent").map(|_| ()), entries.clone().map(|_| ()));
    entries.map(|entries| entries.len())
}

#[test]
fn no_map_and_an_empty_one_have_no_entries() {
    assert_eq!(read(b"\xFF\xFF\xFF\xFF"), Ok(0));
    assert_eq!(read(b"\0\0\0\0"), Ok(0));
}

#[test]
fn the_last_value_of_a_name_counts_as_in_javas_map() {
    let entries = [("a".into(), Value::Int(1)), ("b".into(), Value::Null), ("a".into(), Value::Int(2))];
    let map = PrimitiveMap::new(write_map(&entries).unwrap().into(), MAP_LIMITS);
    assert_eq!(map.get("a"), Ok(Some(Value::Int(2))));
    assert_eq!(map.get("b"), Ok(Some(Value::Null)));
    assert_eq!(map.get("c"), Ok(None));
}

#[test]
fn lengths_and_counts_end_where_the_bytes_end() {
    assert_eq!(read(b"\0\0"), Err(CodecError::Truncated { needed: 4 }));
    assert_eq!(read(b"\x7F\xFF\xFF\xFF\0\0\0"), Err(CodecError::Truncated { needed: 4 + 3 * 0x7FFF_FFFF }));
    assert_eq!(read(b"\0\0\0\x01\xFF\xFFa"), Err(CodecError::Truncated { needed: 6 + 65_535 }));
    assert_eq!(read(b"\0\0\0\x01\0\x01a\x0A\x7F\xFF\xFF\xFF"), Err(CodecError::Truncated { needed: 12 + 0x7FFF_FFFF }));
    assert_eq!(read(b"\0\0\0\x01\0\x01a\x0A\xFF\xFF\xFF\xFE"), Err(CodecError::NegativeLength(-2)));
    assert_eq!(read(b"\0\0\0\x01\0\x01a\x0D\xFF\xFF\xFF\xFF"), Err(CodecError::NegativeLength(-1)));
    assert_eq!(read(b"\x80\0\0\0"), Err(CodecError::NegativeLength(i32::MIN)));
    assert_eq!(read(b"\0\0\0\x01\0\x01a\x0E"), Err(CodecError::UnknownPrimitive(14)));
}

#[test]
fn nesting_counts_and_sizes_are_bounded() {
    let limits = MapLimits { entries_max: 3, value_bytes_max: 4, depth_max: 2, values_max: 5 };
    let read = |value: Value| {
        let octets = write_map(&[("n".into(), value)]).unwrap();
        let map = PrimitiveMap::new(octets.into(), limits);
        let outcome = map.to_vec().map(|_| ());
        assert_eq!(map.get("other").map(|_| ()), outcome, "passing over is bounded alike");
        outcome
    };
    let list = |values: Vec<Value>| Value::List(values);
    assert_eq!(read(list(vec![list(vec![])])), Ok(()));
    assert_eq!(read(list(vec![list(vec![list(vec![])])])), Err(CodecError::TooDeep));
    assert_eq!(read(list(vec![Value::Null; 4])), Ok(()));
    assert_eq!(read(list(vec![Value::Null; 5])), Err(CodecError::TooMany));
    assert_eq!(read(Value::Text("four".into())), Ok(()));
    assert_eq!(read(Value::Text("fives".into())), Err(CodecError::TooLong(5)));
    assert_eq!(read(Value::Bytes(Bytes::from_static(b"fives"))), Err(CodecError::TooLong(5)));
    let entries = |count| (0..count).map(|_| ("n".into(), Value::Null)).collect::<Vec<_>>();
    assert_eq!(read(Value::Map(entries(3))), Ok(()));
    assert_eq!(read(Value::Map(entries(4))), Err(CodecError::TooMany));
}

#[test]
fn deep_nesting_ends_before_the_stack_does() {
    let mut octets = b"\0\0\0\x01\0\x01a".to_vec();
    octets.extend(b"\x0C\0\0\0\x01".repeat(200_000));
    let map = PrimitiveMap::new(octets.into(), MAP_LIMITS);
    assert_eq!(map.to_vec(), Err(CodecError::TooDeep));
    assert_eq!(map.get("b"), Err(CodecError::TooDeep));
}

#[test]
fn a_stream_is_primitives_to_the_end() {
    let values =
        vec![Value::Int(1), Value::Text("two".into()), Value::Bytes(Bytes::from_static(b"three")), Value::Null];
    let octets = Bytes::from(write_stream(&values).unwrap());
    assert_eq!(read_stream(&octets, MAP_LIMITS), Ok(values));
    let cut = octets.slice(..octets.len() - 2);
    assert!(matches!(read_stream(&cut, MAP_LIMITS), Err(CodecError::Truncated { .. })));
}

#[test]
fn a_name_that_does_not_fit_is_refused() {
    assert_eq!(write_map(&[("n".repeat(65_536).into(), Value::Null)]), Err(CodecError::TextTooLong(65_536)));
}
