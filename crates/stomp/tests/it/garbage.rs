//! Bytes that no peer should send, and frames cut at every place.

use bytes::BytesMut;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Request, Session as _, Token, WallTime};
use ferrymq_stomp::{Limits, Session, SessionOptions, peer};
use std::sync::Arc;

const NOW: Now = Now { wall: WallTime(1), mono: MonoTime(1) };

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }
}

struct Conversation {
    session: Session,
    input: BytesMut,
    out: Outbox,
    requests: Vec<Request>,
    closing: Closing,
}

impl Conversation {
    fn new() -> Self {
        let limits = Limits { body_bytes_max: 4096, headers_max: 20, ..Limits::default() };
        let session = Session::new(SessionOptions { limits, ..SessionOptions::new(Arc::from("ID:x-1")) });
        let (input, out) = (BytesMut::new(), Outbox::default());
        Self { session, input, out, requests: Vec::new(), closing: Closing::No }
    }

    fn connected() -> Self {
        let mut this = Self::new();
        this.feed(b"CONNECT\naccept-version:1.2\n\n\0");
        this.closing =
            this.session.handle(NOW, Event::Confirmed { token: Token(0) }, &mut this.requests, &mut this.out);
        this
    }

    fn feed(&mut self, bytes: &[u8]) {
        if self.closing == Closing::No {
            self.input.extend_from_slice(bytes);
            self.closing = self.session.receive(NOW, &mut self.input, &mut self.requests, &mut self.out);
        }
    }

    fn written(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.out.is_empty() {
            bytes.extend_from_slice(self.out.front());
            let length = self.out.front().len();
            self.out.advance(length);
        }
        bytes
    }
}

const WORDS: [&[u8]; 30] = [
    b"SEND\n",
    b"SUBSCRIBE\n",
    b"ACK\n",
    b"NACK\n",
    b"BEGIN\n",
    b"COMMIT\n",
    b"ABORT\n",
    b"UNSUBSCRIBE\n",
    b"\n",
    b"\r\n",
    b"\0",
    b"destination:/queue/a\n",
    b"destination:/temp-queue/a\n",
    b"destination:a,b,/topic/c\n",
    b"id:1\n",
    b"id:0-1\n",
    b"receipt:1\n",
    b"transaction:t\n",
    b"content-length:3\n",
    b"content-length:5000\n",
    b"content-length:-1\n",
    b"abc",
    b"k:v\n",
    b"k:\\c\n",
    b"k:\\x\n",
    b"ack:client\n",
    b"activemq.prefetchSize:1\n",
    b"priority:5\n",
    b"\xff",
    b":",
];

#[test]
fn no_bytes_make_a_session_panic() {
    for seed in 1..=3000_u64 {
        let mut random = Random(seed);
        let mut conversation = if seed % 4 == 0 { Conversation::new() } else { Conversation::connected() };
        for _ in 0..random.below(60) {
            if random.below(10) == 0 {
                let noise: Vec<u8> = (0..random.below(20)).map(|_| random.next() as u8).collect();
                conversation.feed(&noise);
            } else {
                conversation.feed(WORDS[random.below(WORDS.len())]);
            }
        }
        // Whatever was answered is STOMP.
        let mut answers = BytesMut::from(&conversation.written()[..]);
        let mut parser = peer::ServerFrames::default();
        while let Some(_frame) = parser.next(&mut answers).unwrap_or_else(|error| panic!("seed {seed}: {error}")) {}
        assert!(answers.is_empty(), "seed {seed}: half a frame was written");
    }
}

#[test]
fn an_incomplete_frame_is_read_to_its_end_however_it_is_cut() {
    let frames: &[u8] = b"\n\r\nSEND\ndestination:/queue/a\ncontent-length:5\nk:v\n\na\0b\nc\0\n\
        SEND\r\ndestination:/queue/b\r\nreceipt:7\r\n\r\ntext body\0\r\n\n\
        BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/a\ntransaction:t\npriority:9\n\n\0";
    let mut whole = Conversation::connected();
    whole.feed(frames);
    let expected = (format!("{:?}", whole.requests), whole.written());
    assert_eq!(whole.requests.len(), 1 + 6, "{:?}", whole.requests);

    let mut bytewise = Conversation::connected();
    for byte in frames {
        bytewise.feed(&[*byte]);
    }
    assert_eq!((format!("{:?}", bytewise.requests), bytewise.written()), expected);

    for cut in 0..frames.len() {
        let mut halves = Conversation::connected();
        halves.feed(&frames[..cut]);
        halves.feed(&frames[cut..]);
        assert_eq!((format!("{:?}", halves.requests), halves.written()), expected, "cut at {cut}");
    }
}

#[test]
fn endless_input_is_refused_before_it_is_kept() {
    let mut stranger = Conversation::new();
    let mut fed = 0;
    while stranger.closing == Closing::No {
        stranger.feed(b"kkkkkkkkkkkkkkkk");
        fed += 16;
        assert!(fed <= 2048, "a command line without end");
    }
    let mut stranger = Conversation::new();
    stranger.feed(b"CONNECT\n");
    let mut fed = 0;
    while stranger.closing == Closing::No {
        stranger.feed(b"key:value\n");
        fed += 10;
        assert!(fed <= 17 * 1024, "headers without end");
    }
    let mut known = Conversation::connected();
    known.feed(b"SEND\ndestination:/queue/a\n\n");
    let mut fed = 0;
    while known.closing == Closing::No {
        known.feed(&[b'x'; 512]);
        fed += 512;
        assert!(fed <= 8 * 1024, "a body without end");
    }
    let mut known = Conversation::connected();
    known.feed(b"SEND\ncontent-length:1000000000000\n\n");
    assert!(matches!(known.closing, Closing::PeerError(_)), "{:?}", known.closing);
    assert!(known.input.capacity() < 64 * 1024);
}

#[test]
fn a_client_that_reads_no_errors_is_given_up() {
    let mut conversation = Conversation::connected();
    let mut frames = 0;
    while conversation.closing == Closing::No {
        conversation.feed(b"SEND\ndestination:nowhere\n\n\0");
        frames += 1;
        assert!(frames < 100_000, "errors without end: {} bytes wait", conversation.out.len());
    }
    assert_eq!(conversation.closing, Closing::PeerError("too many errors that the client does not read".into()));
}

#[test]
fn many_destinations_keep_a_bounded_number_of_producers() {
    let mut conversation = Conversation::connected();
    for n in 0..3000 {
        conversation.feed(format!("SEND\ndestination:/queue/q{n}\n\n\0").as_bytes());
        // One stays in use all the time and must never be given up.
        conversation.feed(b"SEND\ndestination:/queue/hot\n\n\0");
    }
    let mut known = std::collections::BTreeSet::new();
    let mut hot = 0;
    for request in &conversation.requests {
        match request {
            Request::AddProducer { producer, address, .. } => {
                hot += usize::from(&*address.leaves[0].name == "hot");
                assert!(known.insert(*producer));
            }
            Request::RemoveProducer { producer } => assert!(known.remove(producer)),
            Request::Send { producer, .. } => assert!(known.contains(producer)),
            other => assert!(matches!(other, Request::Connect { .. }), "{other:?}"),
        }
    }
    assert_eq!(hot, 1);
    assert_eq!(known.len(), ferrymq_model::limits::PRODUCERS_PER_SESSION_MAX);
}
