//! What a received command costs, from the bytes of a frame to the request: feeds a session without sockets and broker.
//!
//! `cargo run --release -p ferrymq-openwire --example receive [CASE COUNT]` prints nanoseconds a command. On a machine that
//! does other things, too, instructions say more:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*::measured_receive*' target/release/examples/receive message-tight 20000
//! ```
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program prints its figures")]

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Closing, DeliveryId, Event, Message, Now, Outbox, Request, Session as _, SubscriptionId, Token, Value,
};
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::message::MessageKind;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::codec::properties::write_map;
use ferrymq_openwire::peer::{self, AckType, Peer, PeerOptions};
use ferrymq_openwire::{Command, Session, SessionOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the server reads at once, at most. Bytes.
const READ_BYTES: usize = 64 * 1024;
/// As many deliveries as a client's prefetch lets out.
const WINDOW: usize = 1000;
/// Producers that take turns.
const TURNS: i64 = 8;
const BODY_BYTES: usize = 1024;

/// One sort of traffic.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Tight and with a marshal cache, as Java's clients; else neither, as most others.
    is_tight: bool,
    traffic: Traffic,
}

#[derive(Clone, Copy)]
enum Traffic {
    Messages {
        has_properties: bool,
        is_persistent: bool,
    },
    /// Of several producers in turn.
    Alternating,
    Acks,
}

const fn messages(has_properties: bool, is_persistent: bool) -> Traffic {
    Traffic::Messages { has_properties, is_persistent }
}

const CASES: [Case; 9] = [
    Case { name: "message-tight", is_tight: true, traffic: messages(false, false) },
    Case { name: "message-loose", is_tight: false, traffic: messages(false, false) },
    Case { name: "persistent-tight", is_tight: true, traffic: messages(false, true) },
    Case { name: "properties-tight", is_tight: true, traffic: messages(true, false) },
    Case { name: "properties-loose", is_tight: false, traffic: messages(true, false) },
    Case { name: "alternating-tight", is_tight: true, traffic: Traffic::Alternating },
    Case { name: "alternating-loose", is_tight: false, traffic: Traffic::Alternating },
    Case { name: "ack-tight", is_tight: true, traffic: Traffic::Acks },
    Case { name: "ack-loose", is_tight: false, traffic: Traffic::Acks },
];

/// What is measured: bytes that one read brought become requests.
#[inline(never)]
fn measured_receive(session: &mut Session, input: &mut BytesMut, requests: &mut Vec<Request>, out: &mut Outbox) {
    let closing = session.receive(Now::default(), input, requests, out);
    assert_eq!(closing, Closing::No);
}

/// A session and the client at its other end.
struct Bench {
    session: Session,
    peer: Peer,
    input: BytesMut,
    requests: Vec<Request>,
    out: Outbox,
    spent: Duration,
}

impl Bench {
    /// Both sides are connected; the client has a JMS session and a producer.
    fn new(is_tight: bool) -> Self {
        let mut options = PeerOptions::new("ID:host-40123-1700000000000-1:1");
        options.tight = is_tight;
        options.cache = is_tight.then_some(1024);
        let mut bench = Self {
            session: Session::new(SessionOptions::new(Arc::from("bench"))),
            peer: Peer::new(options),
            input: BytesMut::new(),
            requests: Vec::new(),
            out: Outbox::default(),
            spent: Duration::ZERO,
        };
        let mut bytes = BytesMut::new();
        bench.peer.hello(&mut bytes).expect("a hello");
        bench.feed(&bytes);
        bench.read();
        bench.ask(|peer, out| peer.connect(Some("bench"), out).expect("a command"));
        bench.ask(|peer, out| peer.begin_session(1, out).expect("a command"));
        for producer in 1..=TURNS {
            bench.ask(|peer, out| peer.begin_producer(producer, out).expect("a command"));
        }
        bench
    }

    /// Sends a command and confirms what the session makes of it.
    fn ask(&mut self, write: impl FnOnce(&mut Peer, &mut BytesMut) -> i32) {
        let mut bytes = BytesMut::new();
        write(&mut self.peer, &mut bytes);
        self.feed(&bytes);
        self.confirm();
        self.read();
    }

    fn feed(&mut self, bytes: &[u8]) {
        for read in bytes.chunks(READ_BYTES) {
            self.input.reserve(READ_BYTES);
            self.input.extend_from_slice(read);
            let from = Instant::now();
            measured_receive(&mut self.session, &mut self.input, &mut self.requests, &mut self.out);
            self.spent += from.elapsed();
        }
        assert!(self.input.is_empty(), "whole frames were sent");
    }

    fn confirm(&mut self) {
        let mut requests = std::mem::take(&mut self.requests);
        for request in requests.drain(..) {
            if let Some(token) = token_of(&request) {
                self.handle(Event::Confirmed { token });
            }
        }
        if self.requests.is_empty() {
            self.requests = requests;
        }
    }

    fn handle(&mut self, event: Event) {
        let closing = self.session.handle(Now::default(), event, &mut self.requests, &mut self.out);
        assert_eq!(closing, Closing::No);
    }

    /// The client reads everything that was written for it.
    fn read(&mut self) -> Vec<MessageDispatch> {
        let mut written = BytesMut::new();
        while !self.out.is_empty() {
            let front = self.out.front();
            written.extend_from_slice(front);
            let len = front.len();
            self.out.advance(len);
        }
        let mut dispatches = Vec::new();
        while let Some(command) = self.peer.next(&mut written).expect("the session's frames") {
            if let Command::MessageDispatch(dispatch) = command {
                dispatches.push(*dispatch);
            }
        }
        dispatches
    }

    /// Frames of `count` messages.
    fn messages(&mut self, producers: i64, count: usize, has_properties: bool, is_persistent: bool) -> BytesMut {
        let properties = [("colour".into(), Value::Text("red".into())), ("price".into(), Value::Int(7))];
        let properties = has_properties.then(|| write_map(&properties).expect("a short map"));
        let mut bytes = BytesMut::new();
        for number in 0..count as i64 {
            let mut message = peer::message(MessageKind::Bytes, Some(&[7; BODY_BYTES]), properties.as_deref());
            message.fields.timestamp = 1_700_000_000_000;
            message.fields.persistent = is_persistent;
            self.peer
                .send(1 + number % producers, &peer::queue("bench.queue"), message, None, &mut bytes)
                .expect("a message");
        }
        bytes
    }

    fn send(&mut self, producers: i64, count: usize, has_properties: bool, is_persistent: bool) {
        let bytes = self.messages(producers, count, has_properties, is_persistent);
        for read in bytes.chunks(READ_BYTES) {
            self.input.reserve(READ_BYTES);
            self.input.extend_from_slice(read);
            let from = Instant::now();
            measured_receive(&mut self.session, &mut self.input, &mut self.requests, &mut self.out);
            self.spent += from.elapsed();
            self.confirm();
        }
        self.read();
    }

    /// Delivers `count` messages and acknowledges each.
    fn acknowledge(&mut self, message: &Arc<Message>, before: u64, count: usize) {
        for number in 0..count as u64 {
            let delivery = before + number + 1;
            // As many messages, each of its own number.
            let mut message = Message::clone(message);
            message.header.id.sequence = delivery;
            self.handle(Event::Deliver(Delivery {
                subscription: SubscriptionId(0),
                delivery: DeliveryId(delivery),
                redeliveries: 0,
                first_of_group: false,
                destination: None,
                message: Arc::new(message),
            }));
        }
        let mut bytes = BytesMut::new();
        for dispatch in self.read() {
            let range = (&dispatch, &dispatch, 1);
            self.peer.ack(AckType::Standard, range, None, &mut bytes).expect("an acknowledgement");
        }
        self.feed(&bytes);
        let settles = self.requests.drain(..).filter(|request| matches!(request, Request::Settle { .. })).count();
        assert!(settles > 0, "the messages were acknowledged");
    }
}

fn token_of(request: &Request) -> Option<Token> {
    match request {
        Request::Connect { confirm, .. } => Some(*confirm),
        Request::AddProducer { confirm, .. } | Request::Send { confirm, .. } => *confirm,
        Request::Subscribe(subscribe) => subscribe.confirm,
        _ => None,
    }
}

/// What is measured a second time tells how long `count` commands took.
fn run(case: Case, count: usize) {
    let mut bench = Bench::new(case.is_tight);
    match case.traffic {
        Traffic::Messages { has_properties, is_persistent } => {
            bench.send(1, 1, has_properties, is_persistent);
            bench.spent = Duration::ZERO;
            for _ in 0..count.div_ceil(WINDOW) {
                bench.send(1, WINDOW, has_properties, is_persistent);
            }
        }
        Traffic::Alternating => {
            bench.send(TURNS, TURNS as usize, false, false);
            bench.spent = Duration::ZERO;
            for _ in 0..count.div_ceil(WINDOW) {
                bench.send(TURNS, WINDOW, false, false);
            }
        }
        Traffic::Acks => {
            let bytes = bench.messages(1, 1, false, false);
            bench.feed(&bytes);
            let sent = bench.requests.drain(..).find_map(|request| match request {
                Request::Send { message, .. } => Some(Arc::new(message.detached())),
                _ => None,
            });
            let message = sent.expect("a message was sent");
            bench.ask(|peer, out| {
                let info = ConsumerInfo { prefetch_size: 1000, ..ConsumerInfo::default() };
                peer.begin_consumer(1, &peer::queue("bench.queue"), info, out).expect("a command")
            });
            bench.spent = Duration::ZERO;
            for window in 0..count.div_ceil(WINDOW) {
                bench.acknowledge(&message, (window * WINDOW) as u64, WINDOW);
            }
        }
    }
    let commands = count.div_ceil(WINDOW) * WINDOW;
    println!("{:18} {commands} commands, {:.1} ns each", case.name, bench.spent.as_nanos() as f64 / commands as f64);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.get(1).map_or(1_000_000, |count| count.parse().expect("a count"));
    let chosen = CASES.iter().filter(|case| arguments.first().is_none_or(|name| name == case.name));
    chosen.for_each(|case| run(*case, count));
}
