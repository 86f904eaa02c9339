//! Every command in every version and encoding, both ways.

use crate::runs::{buffer, describe, from_hex, runs};
use bytes::{Bytes, BytesMut};
use ferrymq_model::Value;
use ferrymq_openwire::codec::properties::{self, PrimitiveMap};
use ferrymq_openwire::limits::MAP_LIMITS;
use ferrymq_openwire::{CodecOptions, Command, Decoder, Encoder};
use std::collections::BTreeSet;

#[test]
fn frames_of_java_mean_what_java_reads_in_them() {
    for run in runs() {
        let mut decoder = Decoder::new(run.options.clone());
        for golden in &run.frames {
            let mut input = buffer(&golden.octets);
            let command = decoder.decode(&mut input).unwrap_or_else(|error| {
                panic!("{}: {error} in {:02x?}\n{}", run.head, golden.octets, golden.value);
            });
            assert_eq!(describe(&command.unwrap()), golden.value, "{}", run.head);
            assert!(input.is_empty());
        }
    }
}

#[test]
fn what_was_read_is_written_as_java_wrote_it() {
    for run in runs() {
        let mut decoder = Decoder::new(run.options.clone());
        let mut encoder = Encoder::new(run.options.clone());
        for golden in &run.frames {
            let command = decoder.decode(&mut buffer(&golden.octets)).unwrap().unwrap();
            let mut out = BytesMut::new();
            encoder.encode(&command, &mut out).unwrap();
            assert_eq!(out, golden.octets, "{}: {}", run.head, golden.value);
        }
    }
}

#[test]
fn every_version_encoding_and_type_is_among_the_frames() {
    let mut ways = BTreeSet::new();
    let mut types = BTreeSet::new();
    for run in runs() {
        let options = &run.options;
        ways.insert((options.version, options.tight, options.cache == Some(1024)));
        let type_at = if options.size_prefix { 4 } else { 0 };
        types.extend(run.frames.iter().map(|golden| (options.version, golden.octets[type_at])));
    }
    for version in 1..=12 {
        for (tight, cache) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(ways.contains(&(version, tight, cache)), "{version} {tight} {cache}");
        }
        let found: Vec<u8> = types.iter().filter(|(of, _)| *of == version).map(|(_, code)| *code).collect();
        // WireFormatInfo comes before any version; the others are the types of the version.
        let expected: Vec<u8> = (2..=12)
            .chain(14..=18)
            .chain((version >= 3).then_some(19))
            .chain((version >= 2).then_some(20))
            .chain(21..=28)
            .chain((version >= 3).then_some(29))
            .chain([30, 31, 32, 33, 34, 40, 50, 52, 53, 54, 55, 60, 61, 65, 90, 91])
            .chain((version == 12).then_some(92))
            .chain([100, 101, 102, 103, 110, 111, 112, 120, 121, 122, 123, 124])
            .collect();
        assert_eq!(found.iter().copied().filter(|code| *code != 1).collect::<Vec<_>>(), expected, "version {version}");
    }
}

#[test]
fn a_connection_may_deliver_its_bytes_one_by_one() {
    for run in runs().iter().filter(|run| run.options.version == 12) {
        let mut decoder = Decoder::new(run.options.clone());
        let mut input = BytesMut::new();
        for golden in &run.frames {
            let mut decoded = None;
            for byte in &golden.octets {
                assert_eq!(decoded, None, "{}: a command before its last byte", run.head);
                input.extend_from_slice(&[*byte]);
                decoded = decoder.decode(&mut input).unwrap();
            }
            assert_eq!(describe(&decoded.unwrap()), golden.value, "{}", run.head);
        }
    }
}

#[test]
fn a_whole_connection_may_come_at_once() {
    for run in runs() {
        let mut decoder = Decoder::new(run.options.clone());
        let all: Vec<u8> = run.frames.iter().flat_map(|golden| golden.octets.clone()).collect();
        let mut input = buffer(&all);
        let mut count = 0;
        while let Some(command) = decoder.decode(&mut input).unwrap() {
            assert_eq!(describe(&command), run.frames[count].value, "{}", run.head);
            count += 1;
        }
        assert_eq!(count, run.frames.len(), "{}", run.head);
    }
}

#[test]
fn the_first_frame_of_real_clients_tells_what_they_can_do() {
    let mut seen = Vec::new();
    for run in runs() {
        let mut decoder = Decoder::new(CodecOptions::before_negotiation(64 * 1024));
        let Some(golden) = run.frames.first().filter(|golden| golden.octets.get(4) == Some(&1)) else { continue };
        let Ok(Some(Command::WireFormatInfo(info))) = decoder.decode(&mut buffer(&golden.octets)) else {
            panic!("{}", run.head)
        };
        let properties = info.properties().unwrap();
        assert_eq!(info.version, 12);
        assert_eq!(properties.tight_encoding_enabled, Some(true));
        assert_eq!(properties.cache_enabled, Some(true));
        assert_eq!(properties.cache_size, Some(1024));
        assert_eq!(properties.max_inactivity_duration, Some(30_000));
        assert_eq!(properties.max_inactivity_duration_initial_delay, Some(10_000));
        assert_eq!(properties.max_frame_size, Some(i64::MAX));
        assert_eq!(properties.provider_name.as_deref(), Some("ActiveMQ"));
        seen.push(properties.provider_version.unwrap());
    }
    seen.sort();
    assert_eq!(seen.iter().map(|version| &**version).collect::<Vec<_>>(), ["5.19.9", "6.3.1"]);
}

#[test]
fn a_map_of_java_is_read_and_written_alike() {
    let octets = Bytes::from(from_hex(include_str!("../golden/map.txt").trim()));
    let map = PrimitiveMap::new(octets.clone(), MAP_LIMITS);
    let entries = map.to_vec().unwrap();
    let expected = [
        ("null", Value::Null),
        ("bool", Value::Bool(true)),
        ("byte", Value::Byte(-7)),
        ("char", Value::Char(0xE9)),
        ("short", Value::Short(-300)),
        ("int", Value::Int(1 << 30)),
        ("long", Value::Long(i64::MIN)),
        ("float", Value::Float(1.5)),
        ("double", Value::Double(-0.25)),
        ("text", Value::Text("größe \u{1F600} \0".into())),
        ("octets", Value::Bytes(Bytes::from_static(&[0, 1, 0xFF]))),
        ("big", Value::Text("x".repeat(8191).into())),
        ("list", Value::List(vec![Value::Int(1), Value::Text("two".into()), Value::List(vec![Value::Byte(3)])])),
        ("map", Value::Map(vec![("inner".into(), Value::Long(4))])),
    ];
    assert_eq!(entries, expected.clone().map(|(name, value)| (name.into(), value)));
    for (name, value) in expected {
        assert_eq!(map.get(name), Ok(Some(value)));
    }
    assert_eq!(map.get("absent"), Ok(None));
    assert_eq!(properties::write_map(&entries).unwrap(), octets);
}
