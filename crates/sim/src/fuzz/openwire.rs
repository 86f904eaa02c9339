//! OpenWire: whole connections against a broker that answers, and single frames of Java's through codec and mapping.

use super::{Tried, mutate};
use crate::random::Random;
use crate::table::Table;
use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Closing, DeliveryId, Destination, DestinationKind, Message as ModelMessage, Outbox, SubscriptionId, WallTime,
};
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::ids::ObjectId;
use ferrymq_openwire::codec::message::MessageKind;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::mapping::{Arrival, BrokerFacts, Names, Outgoing, incoming};
use ferrymq_openwire::peer::{self, AckType, Peer, PeerOptions, TransactionStep};
use ferrymq_openwire::{CodecError, CodecOptions, Command, Decoder, Encoder, SessionOptions};
use std::sync::{Arc, LazyLock};

/// Frames that Java's marshallers wrote, without their sizes.
static GOLDEN: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| include_str!("../../../openwire/tests/golden/frames.txt").lines().map(octets).collect());

/// What breaks lengths, counts, types and text.
const WORDS: [&str; 10] = [
    "\0\0\0\0",
    "\x7F\x7F\x7F\x7F",
    "\0\x01",
    "\x01",
    "\x17",
    "\x1C",
    "ID:",
    "\u{e9}",
    ":-1:1",
    "\0\0\0\x04\0\x01a\x0B",
];
/// What a peer may make a session keep for it, where it reads nothing and sends less than this. Bytes.
const OWED_BYTES_MAX: usize = 4 << 20;

fn octets(line: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map_or(0, |digit| digit.to_le_bytes()[0]);
    line.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn peer_options(random: &mut Random) -> PeerOptions {
    PeerOptions {
        version: 1 + u8::try_from(random.below(12)).expect("below 12"),
        tight: random.percent(50),
        cache: random.percent(50).then_some(1024),
        ..PeerOptions::new("ID:fuzz-1-2:1")
    }
}

/// A connection whose every frame may be changed. A second one beside it must go on.
pub(super) fn session(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let mut table = Table::default();
    let (mut bystander, other) = enter(&mut table, PeerOptions::new("ID:bystander-1-2:1"));
    let (mut peer, seat) = enter(&mut table, peer_options(&mut random));
    tried.inputs += 1;
    for frame in dialogue(&mut random, &mut peer) {
        let Ok(frame) = frame else { continue };
        let mut frame = if random.percent(30) { mutate(&mut random, &frame, &WORDS) } else { frame.to_vec() };
        if frame.len() > 4 && random.percent(80) {
            let size = u32::try_from(frame.len() - 4).expect("a short frame").to_be_bytes();
            frame[..4].copy_from_slice(&size);
        }
        let (before, after) = frame.split_at(random.index(frame.len() + 1));
        if table.receive(seat, before) != Closing::No || table.receive(seat, after) != Closing::No {
            break;
        }
        tried.accepted += 1;
    }
    table.tick(100);
    assert!(table.take(seat).len() < OWED_BYTES_MAX);
    let mut out = BytesMut::new();
    bystander.begin_producer(1, &mut out).expect("a short frame");
    assert_eq!(table.receive(other, &out), Closing::No, "somebody else's connection ended");
    assert!(!table.take(other).is_empty(), "somebody else was not answered");
}

/// A connection with a session.
fn enter(table: &mut Table, options: PeerOptions) -> (Peer, usize) {
    let seat = table.sit(Box::new(ferrymq_openwire::Session::new(SessionOptions::new(Arc::from("ID:fuzz-1")))));
    let mut peer = Peer::new(options);
    let mut out = BytesMut::new();
    peer.hello(&mut out).expect("a short frame");
    table.receive(seat, &out);
    let mut input = table.take(seat);
    while peer.next(&mut input).expect("the broker speaks OpenWire").is_some() {}
    out.clear();
    let client_id = peer.connection_id().value;
    peer.connect(Some(&client_id), &mut out).expect("a short frame");
    peer.begin_session(1, &mut out).expect("a short frame");
    assert_eq!(table.receive(seat, &out), Closing::No);
    table.take(seat);
    (peer, seat)
}

/// One frame after another of what clients do, and of what Java wrote.
fn dialogue(random: &mut Random, peer: &mut Peer) -> Vec<Result<BytesMut, CodecError>> {
    let destinations = [peer::queue("Q"), peer::topic("T.>"), peer::queue("A,topic://B"), peer::queue("Q?a=b")];
    let mut frames = Vec::new();
    let mut dispatch = MessageDispatch { consumer_id: Some(peer.consumer_id(1)), ..MessageDispatch::default() };
    for number in 0..4 + random.below(12) {
        let destination = random.pick(&destinations).clone();
        let mut out = BytesMut::new();
        let value = i64::try_from(random.below(3)).expect("below 3");
        let transaction = random.percent(30).then_some(value);
        let result = match random.below(10) {
            0 => peer.begin_producer(value, &mut out),
            1 => {
                let prefetch_size = i32::try_from(random.below(3)).expect("below 3");
                let info = ConsumerInfo { prefetch_size, browser: random.percent(20), ..ConsumerInfo::default() };
                peer.begin_consumer(value, &destination, info, &mut out)
            }
            2..5 => {
                let message = random_message(random);
                dispatch.message = Some(Box::new(message.clone()));
                peer.send(1, &destination, message, transaction, &mut out)
            }
            5 => {
                let kind = *random.pick(&[AckType::Standard, AckType::Individual, AckType::Poison, AckType::Delivered]);
                peer.ack(kind, (&dispatch, &dispatch, 1), transaction, &mut out)
            }
            6 => peer.pull(value, &destination, *random.pick(&[-1, 0, 5]), &mut out),
            7 => {
                let step = *random.pick(&[
                    TransactionStep::Begin,
                    TransactionStep::CommitOnePhase,
                    TransactionStep::Rollback,
                    TransactionStep::Prepare,
                    TransactionStep::Recover,
                    TransactionStep::End,
                ]);
                peer.transaction(step, value, &mut out)
            }
            8 => {
                let objects =
                    [ObjectId::ConsumerId(peer.consumer_id(value)), ObjectId::ProducerId(peer.producer_id(value))];
                peer.remove(random.pick(&objects).clone(), value - 2, &mut out)
            }
            _ => {
                let golden = random.pick(&GOLDEN);
                out.extend_from_slice(&u32::try_from(golden.len()).expect("a short frame").to_be_bytes());
                out.extend_from_slice(golden);
                Ok(0)
            }
        };
        if number == 0 {
            // So that something is there to talk about.
            let mut first = BytesMut::new();
            frames.push(peer.begin_producer(1, &mut first).map(|_| first));
        }
        frames.push(result.map(|_| out));
    }
    frames
}

fn random_message(random: &mut Random) -> ferrymq_openwire::codec::message::Message {
    let mut message = match random.below(4) {
        0 => peer::text("hello"),
        1 => peer::message(MessageKind::Map, Some(b"\0\0\0\x01\0\x01a\x05\0\0\0\x07"), None),
        2 => peer::message(
            MessageKind::Bytes,
            Some(b"x"),
            Some(b"\0\0\0\x01\0\x13AMQ_SCHEDULED_DELAY\x06\0\0\0\0\0\0\0\x05"),
        ),
        _ => peer::octets(&[0; 600]),
    };
    message.fields.persistent = random.percent(50);
    message.fields.group_id = random.percent(10).then(|| Arc::from("g"));
    message
}

/// What Java wrote, changed, is read or refused, and what was read can be shown to others.
pub(super) fn codec(seed: u64, tried: &mut Tried) {
    let mut random = Random::new(seed);
    let frame = random.pick(&GOLDEN).clone();
    let frame = mutate(&mut random, &frame, &WORDS);
    let mut input = BytesMut::from(&u32::try_from(frame.len()).expect("a short frame").to_be_bytes()[..]);
    input.extend_from_slice(&frame);
    let options = CodecOptions {
        version: 1 + u8::try_from(random.below(12)).expect("below 12"),
        tight: random.percent(50),
        cache: random.percent(50).then_some(1024),
        size_prefix: true,
        stack_trace: random.percent(50),
        max_frame: 1 << 20,
    };
    tried.inputs += 1;
    let Ok(Some(command)) = Decoder::new(options.clone()).decode(&mut input) else { return };
    tried.accepted += 1;
    read_over(&mut random, &frame, &options);
    let Command::Message(mut message) = command else { return };
    let destination = Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from("Q") });
    let arrival = Arrival { destination: &destination, user: None };
    if let Ok(message) = incoming(&mut message, arrival, &mut Names::default()) {
        show(message, options);
    }
}

/// The frame once more, changed: what a decoder that reads it over the first reads is what one reads that does not.
fn read_over(random: &mut Random, frame: &[u8], options: &CodecOptions) {
    let (mut anew, mut over) = (Decoder::new(options.clone()), Decoder::new(options.clone()));
    let sized = |frame: &[u8]| {
        let mut input = BytesMut::from(&u32::try_from(frame.len()).expect("a short frame").to_be_bytes()[..]);
        input.extend_from_slice(frame);
        input
    };
    for _ in 0..6 {
        let mut next = frame.to_vec();
        // Little, so that it stays like the one before.
        for _ in 0..random.below(3) {
            let at = random.index(next.len());
            next[at] = next[at].wrapping_add(1);
        }
        let read = over.decode(&mut sized(&next));
        assert_eq!(read, anew.decode(&mut sized(&next)));
        if let Ok(Some(command)) = read {
            over.reuse(command);
        }
    }
}

fn show(message: ModelMessage, options: CodecOptions) {
    let _ = (message.dialect.property(&message, "a"), message.dialect.to_neutral(&message));
    let facts = BrokerFacts { id: Arc::from("ID:b"), name: Arc::from("b"), url: Arc::from("tcp://b") };
    let consumer = Peer::new(PeerOptions::new("ID:c:1")).consumer_id(1);
    let delivery = Delivery {
        subscription: SubscriptionId(1),
        delivery: DeliveryId(1),
        redeliveries: 0,
        first_of_group: false,
        destination: None,
        message: Arc::new(message),
    };
    let mut out = Outbox::default();
    let shown = Outgoing::new(facts).put(&mut Encoder::new(options), &delivery, &consumer, WallTime(1), &mut out);
    assert_eq!(shown.is_ok(), !out.is_empty(), "half a frame was written");
}
