//! What the sending half of a session costs: `cargo run --release -p ferrymq-openwire --example send`.
//!
//! Whole sessions without sockets: deliveries go in, bytes come out, acknowledgements come back. Each figure is the fastest
//! tenth of many short batches: the machine's noise only adds. With a case and a number of messages as arguments
//! (`send loose-deliver 100000`) that alone is done, for a program that counts instructions; what the same case costs with
//! 0 messages is to be taken off.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program prints its figures")]

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Annotations, Closing, DeliveryId, DeliveryMode, Destination, DestinationKind, Event, Header, Message, MessageId,
    MonoTime, Now, Outbox, Request, Session as _, SubscriptionId, Token, WallTime,
};
use ferrymq_openwire::codec::connection::ConnectionInfo;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::destination as wire;
use ferrymq_openwire::codec::ids;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::codec::session::SessionInfo;
use ferrymq_openwire::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use ferrymq_openwire::{CodecOptions, Command, DIALECTS, Encoder, Session, SessionOptions};
use std::sync::Arc;
use std::time::Instant;

/// Messages of one wake-up, about as many as a read buffer holds.
const BATCH: u64 = 60;
const BATCHES: usize = 20_000;
const NOW: Now = Now { wall: WallTime(1_700_000_000_123), mono: MonoTime(1000) };
const CONNECTION: &str = "ID:host-40123-1700000000000-1:1";
/// The code of the dialect of bytes messages.
const BYTES: u16 = 11;

/// A client with one consumer, and the session that serves it.
struct Peer {
    session: Session,
    encoder: Encoder,
    input: BytesMut,
    requests: Vec<Request>,
    out: Outbox,
    consumer: ids::ConsumerId,
    destination: wire::Destination,
    delivered: u64,
}

impl Peer {
    fn new(is_tight: bool, is_topic: bool, number: u32) -> Self {
        let name: Arc<str> = format!("{CONNECTION}{number}").into();
        let destination = wire::Destination {
            kind: if is_topic { wire::DestinationKind::Topic } else { wire::DestinationKind::Queue },
            physical_name: "bench.place".into(),
        };
        let mut peer = Self {
            session: Session::new(SessionOptions::new(Arc::from("ID:bench-1"))),
            encoder: Encoder::new(CodecOptions::before_negotiation(1 << 20)),
            input: BytesMut::new(),
            requests: Vec::new(),
            out: Outbox::default(),
            consumer: ids::ConsumerId { connection_id: Arc::clone(&name), session_id: 1, value: 1 },
            destination,
            delivered: 0,
        };
        let properties = WireFormatProperties {
            tight_encoding_enabled: Some(is_tight),
            cache_enabled: Some(is_tight),
            cache_size: Some(1024),
            size_prefix_disabled: Some(false),
            ..WireFormatProperties::default()
        };
        peer.say(WireFormatInfo::new(12, &properties).expect("it is short"));
        let cache = is_tight.then_some(1024);
        let max_frame = 1 << 20;
        let options =
            CodecOptions { version: 12, tight: is_tight, cache, size_prefix: true, stack_trace: false, max_frame };
        peer.encoder = Encoder::new(options);
        let connection_id = Some(ids::ConnectionId { value: Arc::clone(&name) });
        peer.say(ConnectionInfo { connection_id, client_id: Some(Arc::clone(&name)), ..ConnectionInfo::default() });
        let session_id = Some(ids::SessionId { connection_id: name, value: 1 });
        peer.say(SessionInfo { session_id, ..SessionInfo::default() });
        let (consumer_id, destination) = (Some(peer.consumer.clone()), Some(peer.destination.clone()));
        peer.say(ConsumerInfo { consumer_id, destination, prefetch_size: 1000, ..ConsumerInfo::default() });
        peer.empty();
        peer
    }

    /// A command of the client, and the broker's consent to whatever it asks for.
    fn say(&mut self, command: impl Into<Command>) {
        self.encoder.encode(&command.into(), &mut self.input).expect("a command");
        self.receive();
        for token in 0..8 {
            self.handle(Event::Confirmed { token: Token(token) });
        }
        self.requests.clear();
    }

    fn receive(&mut self) {
        let closing = self.session.receive(NOW, &mut self.input, &mut self.requests, &mut self.out);
        assert_eq!((closing, self.input.len()), (Closing::No, 0));
    }

    fn handle(&mut self, event: Event) {
        assert_eq!(self.session.handle(NOW, event, &mut self.requests, &mut self.out), Closing::No);
    }

    /// Writes what there is to nowhere.
    fn empty(&mut self) {
        while !self.out.is_empty() {
            let length = self.out.front().len();
            self.out.advance(length);
        }
        self.session.written(NOW, self.out.put_total(), &mut self.requests);
        self.requests.clear();
    }

    fn deliver(&mut self, message: &Arc<Message>) {
        self.delivered += 1;
        self.handle(Event::Deliver(Delivery {
            subscription: SubscriptionId(0),
            delivery: DeliveryId(self.delivered),
            redeliveries: 0,
            first_of_group: false,
            destination: None,
            message: Arc::clone(message),
        }));
    }

    /// Puts the acknowledgement of `messages`, which were delivered last, into the input.
    fn acknowledge(&mut self, messages: &[Arc<Message>], producer: &ids::ProducerId) {
        let id = |message: &Message, delivery: u64| {
            Some(ids::MessageId {
                text_view: None,
                producer_id: Some(producer.clone()),
                producer_sequence_id: message.header.id.sequence.cast_signed(),
                broker_sequence_id: (delivery << 16).cast_signed(),
            })
        };
        let count = messages.len() as u64;
        let first = self.delivered - count + 1;
        let ack = MessageAck {
            destination: Some(self.destination.clone()),
            consumer_id: Some(self.consumer.clone()),
            ack_type: 2,
            first_message_id: id(&messages[0], first),
            last_message_id: id(&messages[messages.len() - 1], self.delivered),
            message_count: i32::try_from(count).expect("a short range"),
            ..MessageAck::default()
        };
        self.encoder.encode(&ack.into(), &mut self.input).expect("an acknowledgement");
    }
}

/// A message a place in a batch, of one producer; of questions each has an id and a place for its answer.
fn messages(size: usize, is_topic: bool, is_question: bool) -> (Vec<Arc<Message>>, ids::ProducerId) {
    let producer = ids::ProducerId { connection_id: CONNECTION.into(), value: 1, session_id: 1 };
    let text: Arc<str> = format!("{CONNECTION}:1:1").into();
    let kind = if is_topic { DestinationKind::Topic } else { DestinationKind::Queue };
    let destination = Arc::new(Destination { kind, name: "bench.place".into() });
    let dialect = *DIALECTS.iter().find(|dialect| dialect.code() == BYTES).expect("there are bytes messages");
    let message = |sequence: u64| {
        let body = MessageBody::of(Some(&vec![b'x'; size]), None);
        Arc::new(Message {
            header: Header {
                id: MessageId { producer: Arc::clone(&text), sequence },
                destination: Arc::clone(&destination),
                mode: DeliveryMode::NonPersistent,
                priority: 4,
                timestamp: WallTime(NOW.wall.0 - sequence % 3),
                expiration: None,
                annotations: is_question.then(|| {
                    Box::new(Annotations {
                        correlation_id: Some(format!("{CONNECTION}-{sequence}").into()),
                        reply_to: Some((*destination).clone()),
                        ..Annotations::default()
                    })
                }),
            },
            dialect,
            body_at: u32::try_from(body.properties_at()).expect("a short body"),
            bytes: body.into_bytes(),
        })
    };
    ((1..=BATCH).map(message).collect(), producer)
}

/// One batch; `None`: the case needs nothing prepared.
type Batch = Box<dyn FnMut()>;

/// The cases by name.
fn case(name: &str) -> Option<Batch> {
    let (form, what) = name.split_once('-')?;
    let is_tight = form == "tight";
    Some(match what {
        "deliver" | "deliver-100" | "deliver-question" | "acknowledge" | "acknowledge-50" => {
            let (messages, producer) =
                messages(if what == "deliver-100" { 100 } else { 1024 }, false, what == "deliver-question");
            let mut peer = Peer::new(is_tight, false, 1);
            let range = if what == "acknowledge-50" { 30 } else { 1 };
            let is_acknowledging = what.starts_with("acknowledge");
            Box::new(move || {
                for range in messages.chunks(range) {
                    range.iter().for_each(|message| peer.deliver(message));
                    if is_acknowledging {
                        peer.acknowledge(range, &producer);
                        peer.receive();
                    }
                }
                if !is_acknowledging {
                    // Elsewhere, so that what is unsettled stays small.
                    peer.acknowledge(&messages, &producer);
                    peer.receive();
                }
                peer.empty();
            })
        }
        // A question that is answered at once.
        "respond" => {
            let mut peer = Peer::new(is_tight, false, 1);
            let session_id = Some(ids::SessionId { connection_id: Arc::clone(&peer.consumer.connection_id), value: 1 });
            let question = SessionInfo { command_id: 7, response_required: true, session_id }.into();
            let mut frames = BytesMut::new();
            (0..BATCH).for_each(|_| peer.encoder.encode(&question, &mut frames).expect("a command"));
            Box::new(move || {
                peer.input.extend_from_slice(&frames);
                peer.receive();
                peer.empty();
            })
        }
        // As many deliveries as in the other cases, each to another connection.
        "fanout" => {
            let (messages, _) = messages(1024, true, false);
            let mut peers: Vec<Peer> = (0..BATCH).map(|number| Peer::new(is_tight, true, number as u32)).collect();
            let mut next = 0;
            Box::new(move || {
                next = (next + 1) % messages.len();
                for peer in &mut peers {
                    peer.deliver(&messages[next]);
                    peer.empty();
                }
            })
        }
        _ => return None,
    })
}

fn measure(name: &str) {
    let mut batch = case(name).expect("a known case");
    let mut times: Vec<u128> = (0..BATCHES)
        .map(|_| {
            let from = Instant::now();
            batch();
            from.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[BATCHES * part / 100] as f64 / BATCH as f64;
    println!("{name:24} {:7.1} ns a message (median {:.1})", at(10), at(50));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [name, count] = &arguments[..] {
        let mut batch = case(name).expect("a known case");
        for _ in 0..count.parse::<u64>().expect("a number of messages").div_ceil(BATCH) {
            batch();
        }
        return;
    }
    for form in ["loose", "tight"] {
        let cases =
            ["deliver", "deliver-100", "deliver-question", "acknowledge", "acknowledge-50", "respond", "fanout"];
        for what in cases {
            measure(&format!("{form}-{what}"));
        }
    }
}
