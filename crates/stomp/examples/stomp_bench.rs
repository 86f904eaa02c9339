//! What the codec and the session cost, in nanoseconds a message: `cargo run --release --example stomp_bench`.
//!
//! `decode` is the frame alone; `receive` the way from the read buffer to a `Request::Send`; `deliver` the way from an
//! `Event::Deliver` to bytes in the outbox, with its settlement. Each figure is the fastest tenth of many short batches:
//! the machine's noise only adds.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program prints its figures")]

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{DeliveryId, Event, Message, Now, Outbox, Request, Session as _, SubscriptionId, Token};
use ferrymq_stomp::{Decoder, Limits, Session, SessionOptions, Version, peer};
use std::cell::RefCell;
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

fn session(version: Version) -> (Session, Outbox) {
    let mut session = Session::new(SessionOptions::new(Arc::from("ID:bench-1a2b-1")));
    let (mut requests, mut out, mut bytes) = (Vec::new(), Outbox::default(), Vec::new());
    peer::connect(&mut bytes, &peer::Connect { versions: &[version], ..peer::Connect::default() });
    peer::subscribe(&mut bytes, version, "1", "/queue/bench", "auto").end();
    session.receive(Now::default(), &mut BytesMut::from(&bytes[..]), &mut requests, &mut out);
    for token in [0, 1] {
        session.handle(Now::default(), Event::Confirmed { token: Token(token) }, &mut requests, &mut out);
    }
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

fn decode(name: &str, version: Version, bytes: &[u8]) {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(version);
    decoder.set_connected();
    measure(
        name,
        || BytesMut::from(bytes),
        |mut input| {
            while let Some(frame) = decoder.next(&mut input).expect("frames") {
                black_box(frame.body_at);
            }
        },
    );
}

fn receive(name: &str, version: Version, bytes: &[u8]) {
    let (session, out) = session(version);
    let state = RefCell::new((session, out));
    let requests: RefCell<Vec<Request>> = RefCell::default();
    let prepare = || {
        // What a broker would have done long ago: confirm and drop.
        let (session, out) = &mut *state.borrow_mut();
        for request in std::mem::take(&mut *requests.borrow_mut()) {
            if let Request::Send { confirm: Some(token), .. } = request {
                session.handle(Now::default(), Event::Confirmed { token }, &mut Vec::new(), out);
            }
        }
        drain(out);
        requests.borrow_mut().reserve(BATCH + 1);
        BytesMut::from(bytes)
    };
    measure(name, prepare, |mut input| {
        let (session, out) = &mut *state.borrow_mut();
        session.receive(Now::default(), &mut input, &mut requests.borrow_mut(), out);
    });
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

fn deliver(name: &str, version: Version, message: &Arc<Message>) {
    let (mut session, _) = session(version);
    let out = RefCell::new(Outbox::default());
    let requests: RefCell<Vec<Request>> = RefCell::default();
    let mut next = 1;
    let prepare = || {
        requests.borrow_mut().clear();
        // A buffer as the server's pool lends it, large enough for the batch.
        let mut fresh = Outbox::default();
        fresh.lend_buffer(Vec::with_capacity(100 * 1024));
        *out.borrow_mut() = fresh;
    };
    measure(name, prepare, |()| {
        let (requests, out) = (&mut *requests.borrow_mut(), &mut *out.borrow_mut());
        for _ in 0..BATCH {
            let delivery = Delivery {
                first_of_group: false,
                subscription: SubscriptionId(0),
                delivery: DeliveryId(next),
                redeliveries: 0,
                destination: None,
                message: Arc::clone(message),
            };
            next += 1;
            session.handle(Now::default(), Event::Deliver(delivery), requests, out);
        }
        session.written(Now::default(), out.put_total(), requests);
    });
}

fn copy(name: &str, size: usize) {
    let body = vec![b'x'; size];
    let mut out = Vec::with_capacity(size * BATCH);
    measure(
        name,
        || (),
        |()| {
            out.clear();
            for _ in 0..BATCH {
                out.extend_from_slice(black_box(&body));
            }
            black_box(out.len());
        },
    );
}

fn main() {
    let version = Version::V1_2;
    let few: &[(&str, &str)] = &[];
    let receipt: &[(&str, &str)] = &[("persistent", "true"), ("receipt", "1234")];
    let many: &[(&str, &str)] = &[("colour", "red"), ("weight", "12"), ("content-type", "text/plain"), ("tenant", "a")];
    for (name, headers) in [("2 headers", few), ("4 headers", receipt), ("6 headers, 4 properties", many)] {
        let bytes = frames(version, 1024, headers);
        decode(&format!("decode  1 KiB, {name}"), version, &bytes);
        receive(&format!("receive 1 KiB, {name}"), version, &bytes);
        deliver(&format!("deliver 1 KiB, {name}"), version, &message(version, &bytes));
    }
    let old = message(Version::V1_1, &frames(Version::V1_1, 1024, many));
    deliver("deliver 1 KiB, 4 properties, from 1.1 to 1.2", version, &old);
    copy("memcpy  1 KiB", 1024);
}
