//! Encoding and decoding are each other's inverse.

use super::{Command, Decoder, FrameBuilder, Known, MalformedFrame, Version, unescape};
use crate::limits::Limits;
use bytes::BytesMut;

fn decoder(version: Version) -> Decoder {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(version);
    decoder.set_connected();
    decoder
}

type Decoded = (Vec<(String, String)>, Vec<u8>);

fn decode_one(version: Version, bytes: &[u8]) -> Result<Decoded, MalformedFrame> {
    let mut input = BytesMut::from(bytes);
    let mut decoder = decoder(version);
    let frame = decoder.next(&mut input)?.expect("a whole frame");
    let headers = frame.headers().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let body = frame.body().to_vec();
    assert!(input.is_empty(), "left: {input:?}");
    Ok((headers, body))
}

#[test]
fn what_is_encoded_is_decoded() {
    let values = ["plain", "", "a:b", "back\\slash", "\\n", "line\nend", "ümläut ✓"];
    for version in [Version::V1_1, Version::V1_2] {
        for value in values {
            let mut bytes = Vec::new();
            FrameBuilder::new(&mut bytes, version, "SEND").header("na:me\\", value).body(b"a\0b");
            let (headers, body) = decode_one(version, &bytes).unwrap();
            assert_eq!(headers[0], ("na:me\\".to_owned(), value.to_owned()), "{version}");
            assert_eq!(headers[1], ("content-length".to_owned(), "3".to_owned()));
            assert_eq!(body, b"a\0b");
        }
    }
    let mut bytes = Vec::new();
    FrameBuilder::new(&mut bytes, Version::V1_2, "SEND").header("cr", "a\r\nb").text("t");
    assert_eq!(bytes, b"SEND\ncr:a\\r\\nb\n\nt\0");
}

#[test]
fn what_a_version_cannot_express_is_left_out() {
    let mut bytes = Vec::new();
    FrameBuilder::new(&mut bytes, Version::V1_0, "SEND")
        .header("lines", "a\nb")
        .header("na:me", "x")
        .header("nul", "\0")
        .header("value", "a:b\\")
        .end();
    assert_eq!(bytes, b"SEND\nvalue:a:b\\\n\n\0");
    bytes.clear();
    FrameBuilder::new(&mut bytes, Version::V1_2, "SEND").header("nul", "\0").end();
    assert_eq!(bytes, b"SEND\n\n\0");
}

#[test]
fn a_text_with_a_nul_gets_a_length() {
    let mut bytes = Vec::new();
    FrameBuilder::new(&mut bytes, Version::V1_2, "SEND").text("a\0b");
    assert_eq!(bytes, b"SEND\namq-msg-type:text\ncontent-length:3\n\na\0b\0");
}

#[test]
fn known_headers_are_found_by_their_exact_names() {
    let mut input = BytesMut::from(&b"SEND\nDestination:x\ndestination:a\ndestination:b\nid:7\n\n\0"[..]);
    let mut decoder = decoder(Version::V1_1);
    let frame = decoder.next(&mut input).unwrap().unwrap();
    assert_eq!(frame.command, Command::Send);
    assert_eq!(frame.raw(Known::Destination), Some(&b"a"[..]));
    assert_eq!(frame.raw(Known::Id), Some(&b"7"[..]));
    assert_eq!(frame.raw(Known::Receipt), None);
    assert_eq!(frame.header("Destination").as_deref(), Some("x"));
    assert_eq!(Known::of(b""), None);
    assert_eq!(Known::of(b"x"), None);
    for name in ["destination", "id", "JMSXGroupSeq", "passcode", "receipt-id", "request-id"] {
        assert_eq!(Known::of(name.as_bytes()).unwrap().name(), name);
    }
}

#[test]
fn values_are_trimmed_as_the_version_says() {
    let value = |version| {
        let (headers, _) = decode_one(version, b"SEND\r\nk: v \r\n\r\n\0").unwrap();
        headers[0].1.clone()
    };
    assert_eq!(value(Version::V1_0), "v");
    assert_eq!(value(Version::V1_1), " v \r");
    assert_eq!(value(Version::V1_2), " v ");
    let mut input = BytesMut::from(&b"SEND\ndestination:  /queue/a \n\n\0"[..]);
    let mut decoder = decoder(Version::V1_0);
    let frame = decoder.next(&mut input).unwrap().unwrap();
    assert_eq!(frame.raw(Known::Destination), Some(&b"/queue/a"[..]));
}

#[test]
fn a_body_is_a_slice_of_the_buffer() {
    let mut input = BytesMut::from(&b"SEND\nk:v\n\nbody\0SEND\n\nnext\0"[..]);
    let at = input.as_ptr() as usize;
    let mut decoder = decoder(Version::V1_2);
    let frame = decoder.next(&mut input).unwrap().unwrap();
    assert_eq!(frame.body().as_ptr() as usize, at + 10);
    assert_eq!(frame.bytes, &b"k:v\n\nbody"[..]);
    let next = decoder.next(&mut input).unwrap().unwrap();
    assert_eq!(next.body(), b"next");
}

#[test]
fn a_raw_text_without_escapes_is_borrowed() {
    assert!(matches!(unescape(b"a:b", Version::V1_2), std::borrow::Cow::Borrowed("a:b")));
    assert_eq!(unescape(b"a\\cb\\\\n", Version::V1_2), "a:b\\n");
    assert_eq!(unescape(b"a\\cb", Version::V1_0), "a\\cb");
}

#[test]
fn a_message_keeps_what_follows_the_frame_s_own_headers() {
    let kept = |head: &str| {
        let mut input = BytesMut::from(format!("SEND\n{head}\nbody\0").as_bytes());
        let mut decoder = decoder(Version::V1_2);
        let frame = decoder.next(&mut input).unwrap().unwrap();
        String::from_utf8(frame.bytes[frame.kept_from as usize..].to_vec()).unwrap()
    };
    assert_eq!(kept("destination:a\nreceipt:1\n"), "\nbody");
    assert_eq!(kept("destination:a\r\nreceipt:1\r\n\r"), "\r\nbody");
    assert_eq!(kept("destination:a\ncontent-length:4\nreceipt:1\n"), "content-length:4\nreceipt:1\n\nbody");
    assert_eq!(kept("destination:a\nk:v\n"), "k:v\n\nbody");
    assert_eq!(kept("reply-to:a\nk:v\n"), "reply-to:a\nk:v\n\nbody");
}
