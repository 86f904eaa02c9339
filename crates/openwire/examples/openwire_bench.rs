//! What codec and mapping cost, in nanoseconds a message: `cargo run --release -p ferrymq-openwire --example openwire_bench`.
//!
//! `decode` is the frame alone; `incoming` the way from the read buffer to the broker's message; `outgoing` the way from a
//! delivery to bytes in the outbox. Each figure is the fastest tenth of many short batches: the machine's noise only adds.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program prints its figures")]

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{DeliveryId, Destination, DestinationKind, Message, Outbox, SubscriptionId, Value, WallTime};
use ferrymq_openwire::codec::destination as wire;
use ferrymq_openwire::codec::ids::{ConsumerId, MessageId, ProducerId};
use ferrymq_openwire::codec::message::{Message as WireMessage, MessageFields, MessageKind};
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::codec::properties::write_map;
use ferrymq_openwire::mapping::{Arrival, BrokerFacts, Names, Outgoing, incoming};
use ferrymq_openwire::{CodecOptions, Command, Decoder, Encoder};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// As many frames as a read buffer of 64 KiB holds at 1 KiB.
const BATCH: usize = 60;
const BATCHES: usize = 20_000;

/// Times `BATCHES` batches; `prepare` is not counted.
fn measure<T>(name: &str, mut prepare: impl FnMut() -> T, mut batch: impl FnMut(T)) {
    let mut times: Vec<u128> = (0..BATCHES)
        .map(|_| {
            let prepared = prepare();
            let from = Instant::now();
            batch(prepared);
            from.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[BATCHES * part / 100] as f64 / BATCH as f64;
    println!("{name:46} {:7.1} ns  (median {:.1})", at(10), at(50));
}

fn options(tight: bool) -> CodecOptions {
    let max_frame = 1 << 20;
    CodecOptions { version: 12, tight, cache: Some(1024), size_prefix: true, stack_trace: false, max_frame }
}

fn message(sequence: i64, body: usize, properties: bool) -> Command {
    let producer = ProducerId { connection_id: "ID:host-40123-1700000000000-1:1".into(), value: 1, session_id: 1 };
    let map = write_map(&[("colour".into(), Value::Text("red".into())), ("price".into(), Value::Int(7))]);
    let map = properties.then(|| map.expect("a short map"));
    let destination = wire::Destination { kind: wire::DestinationKind::Queue, physical_name: "bench.queue".into() };
    let fields = MessageFields {
        command_id: i32::try_from(sequence).unwrap_or(0),
        producer_id: Some(producer.clone()),
        destination: Some(destination),
        message_id: Some(MessageId {
            producer_id: Some(producer),
            producer_sequence_id: sequence,
            ..MessageId::default()
        }),
        persistent: true,
        priority: 4,
        timestamp: 1_700_000_000_000,
        body: MessageBody::of(Some(&vec![b'x'; body]), map.as_deref()),
        ..MessageFields::default()
    };
    Command::Message(Box::new(WireMessage { kind: MessageKind::Bytes, fields }))
}

fn frames(tight: bool, body: usize, properties: bool) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = Encoder::new(options(tight));
    let mut first = BytesMut::new();
    encoder.encode(&message(0, body, properties), &mut first).expect("a frame");
    let mut rest = BytesMut::new();
    for sequence in 0..BATCH {
        encoder.encode(&message(sequence as i64 + 1, body, properties), &mut rest).expect("a frame");
    }
    (first.to_vec(), rest.to_vec())
}

fn run(tight: bool, body: usize, properties: bool) {
    let form = format!(
        "{} {body} B{}",
        if tight { "tight" } else { "loose" },
        if properties { " with properties" } else { "" }
    );
    let (first, rest) = frames(tight, body, properties);
    let mut decoder = Decoder::new(options(tight));
    decoder.decode(&mut BytesMut::from(&first[..])).expect("a frame");
    measure(
        &format!("decode {form}"),
        || BytesMut::from(&rest[..]),
        |mut input| {
            while let Some(command) = decoder.decode(&mut input).expect("frames") {
                black_box(command);
            }
        },
    );
    let destination = Arc::new(Destination { kind: DestinationKind::Queue, name: "bench.queue".into() });
    let mut names = Names::default();
    let mut kept: Option<Arc<Message>> = None;
    measure(
        &format!("incoming {form}"),
        || BytesMut::from(&rest[..]),
        |mut input| {
            while let Some(command) = decoder.decode(&mut input).expect("frames") {
                let Command::Message(mut message) = command else { continue };
                let arrival = Arrival { destination: &destination, user: None };
                kept = Some(Arc::new(incoming(&mut message, arrival, &mut names).expect("a message")));
            }
        },
    );
    let delivery = Delivery {
        subscription: SubscriptionId(1),
        delivery: DeliveryId(1),
        redeliveries: 0,
        first_of_group: false,
        destination: None,
        message: kept.expect("a message"),
    };
    let (broker, mut encoder) = ("ID:broker".into(), Encoder::new(options(tight)));
    let mut outgoing = Outgoing::new(BrokerFacts { id: Arc::clone(&broker), name: Arc::clone(&broker), url: broker });
    let consumer = ConsumerId { connection_id: "ID:host-1-1:1".into(), session_id: 1, value: 1 };
    let mut out = Outbox::default();
    measure(
        &format!("outgoing {form}"),
        || (),
        |()| {
            for number in 0..BATCH {
                let delivery = Delivery { delivery: DeliveryId(number as u64), ..delivery.clone() };
                let now = WallTime(1_700_000_000_001);
                outgoing.put(&mut encoder, &delivery, &consumer, now, &mut out).expect("a dispatch");
            }
            while !out.is_empty() {
                let length = out.front().len();
                out.advance(length);
            }
        },
    );
}

fn main() {
    // With an argument one case alone, for a profiler.
    if std::env::args().len() > 1 {
        run(true, 1024, false);
        return;
    }
    for tight in [true, false] {
        run(tight, 100, false);
        run(tight, 1024, false);
        run(tight, 1024, true);
        run(tight, 64 * 1024, false);
    }
}
