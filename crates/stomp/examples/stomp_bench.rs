//! What the codec and the session cost, in nanoseconds a message: `cargo run --release --example stomp_bench`.
//!
//! `decode` is the frame alone; `receive` the way from the read buffer to a `Request::Send`; `deliver` the way from an
//! `Event::Deliver` to bytes in the outbox, with its settlement. Best of several rounds: the machine's noise only adds.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program prints its figures")]

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{DeliveryId, Event, Message, Now, Outbox, Request, Session as _, SubscriptionId, Token};
use ferrymq_stomp::{Decoder, Limits, Session, SessionOptions, Version, peer};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 15;
/// As many frames as a read buffer of 64 KiB holds at 1 KiB.
const BATCH: usize = 60;
const BATCHES: usize = 2000;

fn best(name: &str, mut round: impl FnMut() -> f64) {
    let nanoseconds = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    println!("{name:44} {nanoseconds:7.1} ns");
}

fn session(version: Version) -> (Session, Outbox) {
    let mut session = Session::new(SessionOptions::new(Arc::from("ID:bench-1a2b-1")));
    let (mut requests, mut out, mut bytes) = (Vec::new(), Outbox::default(), Vec::new());
    peer::connect(&mut bytes, &peer::Connect { versions: &[version], ..peer::Connect::default() });
    peer::subscribe(&mut bytes, version, "1", "/queue/bench", "auto").end();
    session.receive(Now::default(), &mut BytesMut::from(&bytes[..]), &mut requests, &mut out);
    session.handle(Now::default(), Event::Confirmed { token: Token(0) }, &mut requests, &mut out);
    drain(&mut out);
    (session, out)
}

fn drain(out: &mut Outbox) {
    while !out.is_empty() {
        let length = out.front().len();
        out.advance(length);
    }
}

fn frames(version: Version, body: usize, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..BATCH {
        let mut frame = peer::send(&mut bytes, version, "/queue/bench");
        for (name, value) in headers {
            frame = frame.header(name, value);
        }
        frame.body(&vec![b'x'; body]);
    }
    bytes
}

fn decode(version: Version, bytes: &[u8]) -> f64 {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(version);
    decoder.set_connected();
    let mut spent = 0;
    for _ in 0..BATCHES {
        let mut input = BytesMut::from(bytes);
        let from = Instant::now();
        while let Some(frame) = decoder.next(&mut input).expect("frames") {
            black_box(frame.body_at);
        }
        spent += from.elapsed().as_nanos();
    }
    spent as f64 / (BATCH * BATCHES) as f64
}

fn receive(version: Version, bytes: &[u8]) -> f64 {
    let (mut session, mut out) = session(version);
    let mut requests: Vec<Request> = Vec::new();
    let mut spent = 0;
    for _ in 0..BATCHES {
        let mut input = BytesMut::from(bytes);
        let from = Instant::now();
        session.receive(Now::default(), &mut input, &mut requests, &mut out);
        spent += from.elapsed().as_nanos();
        black_box(requests.len());
        requests.clear();
    }
    spent as f64 / (BATCH * BATCHES) as f64
}

fn message(version: Version, bytes: &[u8]) -> Arc<Message> {
    let (mut session, mut out) = session(version);
    let mut requests = Vec::new();
    session.receive(Now::default(), &mut BytesMut::from(bytes), &mut requests, &mut out);
    let sent = requests.into_iter().find_map(|request| match request {
        Request::Send { message, .. } => Some(message),
        _ => None,
    });
    sent.expect("a message was sent")
}

fn deliver(version: Version, message: &Arc<Message>) -> f64 {
    let (mut session, mut out) = session(version);
    let mut requests = Vec::new();
    let mut spent = 0;
    let mut next = 1;
    for _ in 0..BATCHES {
        let from = Instant::now();
        for _ in 0..BATCH {
            let delivery = Delivery {
                subscription: SubscriptionId(0),
                delivery: DeliveryId(next),
                redeliveries: 0,
                destination: None,
                message: Arc::clone(message),
            };
            next += 1;
            session.handle(Now::default(), Event::Deliver(delivery), &mut requests, &mut out);
        }
        session.written(Now::default(), out.put_total(), &mut requests);
        spent += from.elapsed().as_nanos();
        drain(&mut out);
        requests.clear();
    }
    spent as f64 / (BATCH * BATCHES) as f64
}

fn copy(size: usize) -> f64 {
    let body = vec![b'x'; size];
    let mut out = Vec::with_capacity(size * BATCH);
    let mut spent = 0;
    for _ in 0..BATCHES {
        out.clear();
        let from = Instant::now();
        for _ in 0..BATCH {
            out.extend_from_slice(black_box(&body));
        }
        spent += from.elapsed().as_nanos();
        black_box(out.len());
    }
    spent as f64 / (BATCH * BATCHES) as f64
}

fn main() {
    let version = Version::V1_2;
    let few: &[(&str, &str)] = &[];
    let receipt: &[(&str, &str)] = &[("persistent", "true"), ("receipt", "1234")];
    let many: &[(&str, &str)] = &[("colour", "red"), ("weight", "12"), ("content-type", "text/plain"), ("tenant", "a")];
    for (name, headers) in [("2 headers", few), ("4 headers", receipt), ("6 headers, 4 properties", many)] {
        let bytes = frames(version, 1024, headers);
        best(&format!("decode  1 KiB, {name}"), || decode(version, &bytes));
        best(&format!("receive 1 KiB, {name}"), || receive(version, &bytes));
        let message = message(version, &bytes);
        best(&format!("deliver 1 KiB, {name}"), || deliver(version, &message));
    }
    let old = message(Version::V1_1, &frames(Version::V1_1, 1024, many));
    best("deliver 1 KiB, 4 properties, from 1.1 to 1.2", || deliver(version, &old));
    best("memcpy  1 KiB", || copy(1024));
}
