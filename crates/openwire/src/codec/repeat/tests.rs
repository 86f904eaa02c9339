use crate::codec::destination::Destination;
use crate::codec::ids::{MessageId, ProducerId};
use crate::codec::message::{Message, MessageFields, MessageKind};
use crate::codec::message_body::MessageBody;
use crate::codec::{CodecOptions, Decoder, Encoder};
use crate::limits::REUSED_COMMANDS_MAX;
use bytes::BytesMut;

/// What one connection's both ends hold.
struct Wire {
    encoder: Encoder,
    decoder: Decoder,
}

impl Wire {
    fn new(tight: bool, cache: Option<u16>) -> Self {
        let options =
            CodecOptions { version: 12, tight, cache, size_prefix: true, stack_trace: false, max_frame: 1 << 20 };
        Self { encoder: Encoder::new(options.clone()), decoder: Decoder::new(options) }
    }

    /// Whether the message was read as one like the last.
    fn is_again(&mut self, message: &Message) -> bool {
        let mut frame = BytesMut::new();
        self.encoder.encode(&message.clone().into(), &mut frame).unwrap();
        if let Some(command) = self.decoder.again(&frame.clone().split_off(4).freeze()) {
            assert_eq!(command, message.clone().into());
            self.decoder.reuse(command);
            return true;
        }
        let command = self.decoder.decode(&mut frame).unwrap().unwrap();
        assert_eq!(command, message.clone().into());
        self.decoder.reuse(command);
        false
    }
}

fn message(number: i64) -> Message {
    let producer_id = ProducerId { connection_id: "ID:a-1:1".into(), value: 1, session_id: 1 };
    let id = MessageId { producer_id: Some(producer_id.clone()), producer_sequence_id: number, ..MessageId::default() };
    let fields = MessageFields {
        command_id: number as i32,
        producer_id: Some(producer_id),
        destination: Some(Destination { physical_name: "Q".into(), ..Destination::default() }),
        message_id: Some(id),
        correlation_id: Some(format!("correlation {number}").into()),
        timestamp: 1_700_000_000_000 + number,
        body: MessageBody::of(Some(&vec![7; number as usize]), Some(&vec![8; number as usize])),
        ..MessageFields::default()
    };
    Message { kind: MessageKind::Bytes, fields }
}

#[test]
fn messages_of_one_producer_are_read_as_one_like_the_last() {
    for tight in [true, false] {
        for cache in [None, Some(1024)] {
            let mut wire = Wire::new(tight, cache);
            // The first makes the encoder tell of its ids, the second is the first without them.
            wire.is_again(&message(1));
            wire.is_again(&message(2));
            for number in 3..300 {
                assert!(wire.is_again(&message(number)), "message {number}, tight {tight}, cache {cache:?}");
            }
        }
    }
}

#[test]
fn a_few_producers_may_take_turns() {
    for tight in [true, false] {
        let mut wire = Wire::new(tight, Some(1024));
        let of = |producer: i64, number: i64| {
            let mut message = message(number);
            message.fields.producer_id.as_mut().unwrap().value = producer;
            message
        };
        let count = REUSED_COMMANDS_MAX as i64;
        for number in 0..100 {
            for producer in 0..count {
                let is_again = wire.is_again(&of(producer, 300 + number));
                // The first round fills the cache; in the second nothing new is cached.
                assert!(is_again || number < 2, "message {number} of producer {producer}, tight {tight}");
            }
        }
        // One more than there is room for: each is read from the beginning, and right.
        assert!(!wire.is_again(&of(count, 400)));
    }
}

#[test]
fn what_differs_in_anything_else_is_read_by_its_table() {
    for tight in [true, false] {
        let mut wire = Wire::new(tight, None);
        let changes: [fn(&mut MessageFields); 6] = [
            |fields| fields.priority = 9,
            |fields| fields.persistent = true,
            |fields| fields.correlation_id = None,
            |fields| fields.destination = None,
            |fields| fields.redelivery_counter = 1,
            |fields| fields.body = MessageBody::of(Some(&[1]), None),
        ];
        for change in changes {
            wire.is_again(&message(1));
            assert!(wire.is_again(&message(2)));
            let mut other = message(3);
            change(&mut other.fields);
            assert!(!wire.is_again(&other));
        }
    }
}

#[test]
fn what_was_cached_since_makes_a_frame_worthless() {
    let mut wire = Wire::new(true, Some(1024));
    wire.is_again(&message(1));
    wire.is_again(&message(2));
    assert!(wire.is_again(&message(3)));
    let mut other = message(4);
    other.fields.destination = Some(Destination { physical_name: "another".into(), ..Destination::default() });
    wire.is_again(&other);
    assert!(!wire.is_again(&message(5)));
}

#[test]
fn of_two_commands_that_are_out_none_is_read_over() {
    let mut wire = Wire::new(false, None);
    let mut frames = BytesMut::new();
    for number in [1, 2] {
        wire.encoder.encode(&message(number).into(), &mut frames).unwrap();
    }
    let first = wire.decoder.decode(&mut frames).unwrap().unwrap();
    let second = wire.decoder.decode(&mut frames).unwrap().unwrap();
    // The other way round: the first is not the one whose frame was kept.
    wire.decoder.reuse(second);
    wire.decoder.reuse(first);
    assert!(!wire.is_again(&message(3)));
    assert!(wire.is_again(&message(4)));
}
