//! What a caller may rely on beyond the frames themselves.

use crate::runs::{buffer, runs};
use bytes::BytesMut;
use ferrymq_openwire::codec::connection::ConnectionInfo;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::control::KeepAliveInfo;
use ferrymq_openwire::codec::datagram::PartialCommand;
use ferrymq_openwire::codec::ids::{ConsumerId, ProducerId};
use ferrymq_openwire::codec::message::{Message, MessageFields};
use ferrymq_openwire::codec::producer::{ProducerAck, ProducerInfo};
use ferrymq_openwire::codec::table::Secret;
use ferrymq_openwire::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use ferrymq_openwire::limits::NESTING_DEPTH_MAX;
use ferrymq_openwire::{CodecError, CodecOptions, Command, Decoder, Detection, Encoder, is_openwire};

fn options(tight: bool) -> CodecOptions {
    CodecOptions { version: 12, tight, cache: Some(1024), size_prefix: true, stack_trace: false, max_frame: 64 * 1024 }
}

fn encode(encoder: &mut Encoder, command: impl Into<Command>) -> Result<BytesMut, CodecError> {
    let mut out = BytesMut::from(&b"before"[..]);
    let result = encoder.encode(&command.into(), &mut out);
    let frame = out.split_off(b"before".len());
    assert_eq!(out, b"before"[..], "what was there stays");
    assert!(result.is_ok() || frame.is_empty(), "a frame that fails leaves nothing behind");
    result.map(|()| frame)
}

fn producer(number: i64, name: &str) -> ProducerInfo {
    let producer_id = Some(ProducerId { connection_id: name.into(), value: number, session_id: 1 });
    ProducerInfo { producer_id, ..ProducerInfo::default() }
}

#[test]
fn passwords_are_read_and_never_shown() {
    let info = ConnectionInfo { password: Some(Secret::new("sesame")), ..ConnectionInfo::default() };
    let frame = encode(&mut Encoder::new(options(true)), info).unwrap();
    let Ok(Some(Command::ConnectionInfo(info))) = Decoder::new(options(true)).decode(&mut buffer(&frame)) else {
        panic!("what was written is read")
    };
    assert_eq!(info.password.as_ref().map(Secret::expose), Some("sesame"));
    assert!(!format!("{info:?}").contains("sesame"));
    // Java's too.
    let mut seen = 0;
    for run in runs() {
        let mut decoder = Decoder::new(run.options);
        for golden in run.frames {
            let command = decoder.decode(&mut buffer(&golden.octets)).unwrap().unwrap();
            if let Command::ConnectionInfo(info) = command
                && let Some(password) = &info.password
                && password.expose().starts_with("password-")
            {
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_command_that_cannot_be_written_leaves_the_encoder_as_it_was() {
    for tight in [false, true] {
        let mut encoder = Encoder::new(options(tight));
        let mut decoder = Decoder::new(options(tight));
        // The consumer's id gets a slot before the selector turns out too long.
        let consumer_id = Some(ConsumerId { connection_id: "c".into(), session_id: 1, value: 1 });
        let selector = Some("x".repeat(70_000).into());
        let consumer = ConsumerInfo { consumer_id: consumer_id.clone(), selector, ..ConsumerInfo::default() };
        assert_eq!(encode(&mut encoder, consumer), Err(CodecError::TextTooLong(70_000)));
        let large = PartialCommand { data: Some(vec![0; 64 * 1024].into()), ..PartialCommand::default() };
        assert!(matches!(encode(&mut encoder, large), Err(CodecError::FrameTooLarge { .. })));
        // The peer never saw that slot: the next frame must not name it.
        for command in [ConsumerInfo { consumer_id, ..ConsumerInfo::default() }.into(), producer(1, "p").into()] {
            let command: Command = command;
            let mut frame = encode(&mut encoder, command.clone()).unwrap();
            assert_eq!(decoder.decode(&mut frame), Ok(Some(command)));
        }
    }
}

#[test]
fn a_command_of_a_later_version_is_not_written() {
    let mut encoder = Encoder::new(CodecOptions { version: 2, ..options(true) });
    assert_eq!(encode(&mut encoder, ProducerAck::default()), Err(CodecError::NotInVersion("ProducerAck", 2)));
}

#[test]
fn the_first_command_has_one_form_whatever_was_agreed() {
    let properties = WireFormatProperties { cache_enabled: Some(true), ..WireFormatProperties::default() };
    let info = WireFormatInfo::new(12, &properties).unwrap();
    let mut frames = Vec::new();
    for version in 1..=12 {
        for tight in [false, true] {
            let agreed = CodecOptions { version, ..options(tight) };
            let frame = encode(&mut Encoder::new(agreed.clone()), info.clone()).unwrap();
            assert_eq!(is_openwire(&frame), Detection::Yes);
            let mut decoder = Decoder::new(agreed);
            assert_eq!(decoder.decode(&mut buffer(&frame)), Ok(Some(info.clone().into())));
            frames.push(frame);
        }
    }
    assert!(frames.iter().all(|frame| *frame == frames[0]));
}

#[test]
fn small_caches_and_full_ones_stay_in_step() {
    for (tight, size) in [(false, 1), (true, 2), (false, 99), (true, 100), (true, 101), (false, 150), (true, 16_383)] {
        let agreed = CodecOptions { cache: Some(size), ..options(tight) };
        let (mut encoder, mut decoder) = (Encoder::new(agreed.clone()), Decoder::new(agreed));
        for number in 0..500 {
            let command: Command = producer(number % 130, "p").into();
            let mut frame = encode(&mut encoder, command.clone()).unwrap();
            assert_eq!(decoder.decode(&mut frame), Ok(Some(command)), "{size}");
        }
    }
}

#[test]
fn messages_within_messages_are_read_as_deep_as_allowed() {
    // The largest structure there is, in each level of nesting: this must fit a thread's stack.
    for tight in [false, true] {
        let mut message = Message::default();
        for _ in 0..NESTING_DEPTH_MAX {
            let data_structure = Some(Box::new(message.into()));
            message =
                Message { fields: MessageFields { data_structure, ..MessageFields::default() }, ..Message::default() };
        }
        let command: Command = message.into();
        let mut frame = encode(&mut Encoder::new(options(tight)), command.clone()).unwrap();
        assert_eq!(Decoder::new(options(tight)).decode(&mut frame), Ok(Some(command.clone())));
        let data_structure = Some(Box::new(command));
        let deeper = MessageFields { data_structure, ..MessageFields::default() };
        let deeper = Message { fields: deeper, ..Message::default() };
        let mut frame = encode(&mut Encoder::new(options(tight)), deeper).unwrap();
        assert_eq!(Decoder::new(options(tight)).decode(&mut frame), Err(CodecError::TooDeep));
    }
}

#[test]
fn frames_without_sizes_are_bounded_too() {
    let agreed = CodecOptions { size_prefix: false, cache: None, max_frame: 1000, ..options(false) };
    let mut decoder = Decoder::new(agreed.clone());
    let mut input = buffer(&[60, 0, 0, 0, 1, 1]);
    assert_eq!(decoder.decode(&mut input), Ok(None));
    input.extend_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF]);
    let expected = CodecError::FrameTooLarge { size: 10 + 0x7FFF_FFFF, max: 1000 };
    assert_eq!(decoder.decode(&mut input), Err(expected));
    // Two in one buffer come one after the other.
    let mut encoder = Encoder::new(agreed.clone());
    let frame = encode(&mut encoder, KeepAliveInfo::default()).unwrap();
    let mut input = buffer(&[&frame[..], &frame[..]].concat());
    let mut decoder = Decoder::new(agreed);
    for _ in 0..2 {
        assert_eq!(decoder.decode(&mut input), Ok(Some(KeepAliveInfo::default().into())));
    }
    assert_eq!(decoder.decode(&mut input), Ok(None));
}
