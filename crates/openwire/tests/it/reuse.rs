//! What a decoder reads over a command that it took back is what it would have read without: of honest connections and of
//! damaged ones, error by error. The seed is fixed.

use crate::mutation::{Random, damage, repair_size};
use crate::runs::{buffer, runs};
use bytes::BytesMut;
use ferrymq_openwire::codec::destination::{Destination, DestinationKind};
use ferrymq_openwire::codec::ids::{BrokerId, ConnectionId, ConsumerId, MessageId, ProducerId};
use ferrymq_openwire::codec::message::{BlobFields, Message, MessageFields, MessageKind};
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::codec::transaction::{LocalTransactionId, TransactionId, XaTransactionId};
use ferrymq_openwire::{CodecError, CodecOptions, Command, Decoder, Encoder};
use std::sync::Arc;

/// Two decoders of the same connection: one makes each command anew, one gets back what was read.
struct Both {
    anew: Decoder,
    over: Decoder,
}

impl Both {
    fn new(options: &CodecOptions) -> Self {
        Self { anew: Decoder::new(options.clone()), over: Decoder::new(options.clone()) }
    }

    /// What both read in `octets`.
    fn decode(&mut self, octets: &[u8]) -> Result<Option<Command>, CodecError> {
        let (mut input, mut same) = (buffer(octets), buffer(octets));
        let read = self.anew.decode(&mut input);
        let over = self.over.decode(&mut same);
        assert_eq!(over, read, "in {octets:02x?}");
        assert_eq!(same, input);
        if let Ok(Some(command)) = over {
            self.over.reuse(command);
        }
        read
    }
}

#[test]
fn frames_of_java_mean_the_same_to_a_decoder_that_reuses_commands() {
    for run in runs() {
        let mut both = Both::new(&run.options);
        for golden in &run.frames {
            assert!(both.decode(&golden.octets).unwrap().is_some(), "{}", run.head);
        }
    }
}

fn pick<T: Clone>(values: &[T], random: &mut Random) -> T {
    values[random.below(values.len())].clone()
}

/// Mostly the first: what follows one another is mostly alike.
fn mostly<T: Clone>(values: &[T], random: &mut Random) -> T {
    if random.below(4) > 0 { values[0].clone() } else { pick(values, random) }
}

fn text(random: &mut Random) -> Option<Arc<str>> {
    mostly(
        &[None, Some("a".into()), Some("another one".into()), Some("größe".into()), Some("\u{1F600}\0".into())],
        random,
    )
}

fn number(random: &mut Random) -> i64 {
    pick(&[0, 1, 2, 300, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, 1_700_000_000_000, -1], random)
}

fn connection(random: &mut Random) -> Arc<str> {
    mostly(&["ID:host-1-2:1".into(), "ID:host-1-2:2".into(), "ID:höst".into()], random)
}

fn producer(random: &mut Random) -> Option<ProducerId> {
    let id = ProducerId { connection_id: connection(random), value: mostly(&[1, 2, 70_000], random), session_id: 1 };
    mostly(&[Some(id), None], random)
}

fn destination(random: &mut Random) -> Option<Destination> {
    let kind = mostly(&[DestinationKind::Queue, DestinationKind::Topic, DestinationKind::TempQueue], random);
    let destination = Destination { kind, physical_name: mostly(&["queue".into(), "another.queue".into()], random) };
    mostly(&[Some(destination), None], random)
}

fn transaction(random: &mut Random) -> Option<TransactionId> {
    let connection_id = mostly(&[Some(ConnectionId { value: connection(random) }), None], random);
    let local = TransactionId::Local(LocalTransactionId { value: number(random), connection_id });
    let branch = XaTransactionId { global_transaction_id: Some(vec![1, 2].into()), ..XaTransactionId::default() };
    mostly(&[None, Some(local), Some(TransactionId::Xa(branch))], random)
}

fn message_id(random: &mut Random) -> Option<MessageId> {
    let id = MessageId {
        text_view: mostly(&[None, text(random)], random),
        producer_id: producer(random),
        producer_sequence_id: number(random),
        broker_sequence_id: mostly(&[0, number(random)], random),
    };
    mostly(&[Some(id), None], random)
}

fn octets(random: &mut Random) -> Option<Vec<u8>> {
    mostly(&[Some(vec![7; 40]), Some(Vec::new()), Some(vec![8; 700]), None], random)
}

fn message(random: &mut Random) -> Command {
    let blob = BlobFields { remote_blob_url: text(random), ..BlobFields::default() };
    let (content, properties) = (octets(random), octets(random));
    let fields = MessageFields {
        command_id: number(random) as i32,
        response_required: mostly(&[false, true], random),
        producer_id: producer(random),
        destination: destination(random),
        transaction_id: transaction(random),
        message_id: message_id(random),
        correlation_id: text(random),
        persistent: mostly(&[true, false], random),
        expiration: number(random),
        priority: mostly(&[4, 9], random),
        reply_to: mostly(&[None, destination(random)], random),
        timestamp: number(random),
        jms_type: text(random),
        body: MessageBody::of(content.as_deref(), properties.as_deref()),
        data_structure: mostly(&[None, Some(Box::new(Command::from(Message::default())))], random),
        target_consumer_id: mostly(&[None, Some(consumer(random))], random),
        compressed: mostly(&[false, true], random),
        broker_path: mostly(&[None, Some(vec![BrokerId { value: connection(random) }])], random),
        arrival: mostly(&[0, number(random)], random),
        ..MessageFields::default()
    };
    let kind = mostly(&[MessageKind::Bytes, MessageKind::Text, MessageKind::Blob(Box::new(blob))], random);
    Message { kind, fields }.into()
}

/// The same with other numbers, texts and body, as it mostly is.
fn vary(command: &mut Command, random: &mut Random) {
    let vary_id = |id: &mut Option<MessageId>, random: &mut Random| {
        if let Some(id) = id {
            id.producer_sequence_id = number(random);
        }
    };
    match command {
        Command::Message(message) => {
            let fields = &mut message.fields;
            fields.command_id = number(random) as i32;
            vary_id(&mut fields.message_id, random);
            fields.timestamp = number(random);
            if fields.correlation_id.is_some() {
                fields.correlation_id = text(random);
            }
            fields.body = MessageBody::of(octets(random).as_deref(), fields.body.properties());
        }
        Command::MessageAck(ack) => {
            ack.command_id = number(random) as i32;
            ack.message_count = pick(&[1, 2, 3], random);
            vary_id(&mut ack.first_message_id, random);
            vary_id(&mut ack.last_message_id, random);
        }
        _ => {}
    }
}

fn consumer(random: &mut Random) -> ConsumerId {
    ConsumerId { connection_id: connection(random), session_id: 1, value: mostly(&[1, 2], random) }
}

fn ack(random: &mut Random) -> Command {
    MessageAck {
        command_id: number(random) as i32,
        destination: destination(random),
        transaction_id: transaction(random),
        consumer_id: mostly(&[Some(consumer(random)), None], random),
        ack_type: mostly(&[2, 0, 4], random),
        first_message_id: mostly(&[None, message_id(random)], random),
        last_message_id: message_id(random),
        message_count: mostly(&[1, 500], random),
        ..MessageAck::default()
    }
    .into()
}

/// What else goes over a connection, through the same cache.
fn other(random: &mut Random) -> Command {
    ferrymq_openwire::codec::message_pull::MessagePull {
        consumer_id: Some(consumer(random)),
        destination: destination(random),
        message_id: message_id(random),
        ..Default::default()
    }
    .into()
}

#[test]
fn connections_honest_and_damaged_mean_the_same_to_a_decoder_that_reuses_commands() {
    let mut random = Random(0x0F3E_77A1_0000_0003);
    let (mut read, mut refused) = (0, 0);
    for round in 0..4000_u32 {
        let options = CodecOptions {
            version: mostly(&[12, 9, 2], &mut random),
            tight: round % 2 == 0,
            // A small one is soon full, and its slots are given out again.
            cache: [None, Some(1024), Some(103)][random.below(3)],
            size_prefix: round % 16 != 0,
            stack_trace: round % 7 < 4,
            max_frame: 1 << 20,
        };
        let mut encoder = Encoder::new(options.clone());
        let mut both = Both::new(&options);
        let mut lately = [message(&mut random), ack(&mut random)];
        for _ in 0..20 {
            let command = match random.below(16) {
                0 => message(&mut random),
                1 => ack(&mut random),
                2 => other(&mut random),
                which => {
                    let command = &mut lately[which % 2];
                    vary(command, &mut random);
                    command.clone()
                }
            };
            let mut frame = BytesMut::new();
            if encoder.encode(&command, &mut frame).is_err() {
                continue;
            }
            let mut octets = frame.to_vec();
            if random.below(24) == 0 {
                damage(&mut octets, &mut random);
                repair_size(&mut octets, &options);
            }
            match both.decode(&octets) {
                Ok(Some(_)) => read += 1,
                Ok(None) | Err(_) => {
                    refused += 1;
                    break;
                }
            }
        }
    }
    assert!(read > 20_000 && refused > 500, "{read} read, {refused} refused");
}
