//! A client that speaks STOMP: bytes in pieces on both ways, in front of the session that a server would give it.
//!
//! ```text
//!  script ──frames──► bytes, cut anywhere ──► Session ──requests──► oracle and node
//!  script ◄─frames─── bytes, cut anywhere ◄── Session ◄──events──── oracle and node
//! ```
//!
//! The oracle judges between session and node as it does for every client. This judges the bytes end to end: each SEND
//! becomes one request with the same content, each delivery one MESSAGE, each receipt comes once and in order.

use crate::content::{COLORS, Properties, WISHES};
use crate::random::Random;
use bytes::{Buf, Bytes, BytesMut};
use ferrymq_model::{Closing, DeliveryMode, Event, Message, Now, Outbox, Request, Session as _, SessionId, WallTime};
use ferrymq_stomp::peer::{self, Connect, ServerFrame, ServerFrames};
use ferrymq_stomp::{Command, Session, SessionOptions, Version};
use std::collections::VecDeque;
use std::sync::Arc;

/// Slots of these clients start here, above every other client's.
pub const WIRE_SLOTS_FROM: u32 = 64;
/// How many there are.
pub const WIRES: u32 = 3;

const DESTINATIONS: [&str; 5] = ["/queue/Q.A", "/queue/Q.B", "/queue/Q.C", "/topic/T.X", "/topic/T.Y"];
const SOURCES: [&str; 5] = ["/queue/Q.A", "/queue/Q.B", "/queue/Q.*", "/queue/ActiveMQ.DLQ", "/topic/T.>"];

/// A SEND as the client wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Sent {
    body: Bytes,
    persistent: bool,
    priority: u8,
    expiration: Option<WallTime>,
    in_transaction: bool,
}

/// A MESSAGE that must come.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Due {
    body: Bytes,
    redelivered: bool,
}

/// The subscription as the client knows it.
#[derive(Debug)]
struct Listening {
    id: String,
    ack: &'static str,
    /// Frames to acknowledge, in order; those with true are acknowledged in the open transaction.
    unsettled: Vec<(ServerFrame, bool)>,
}

/// A client and the server's end of its connection.
#[derive(Debug)]
pub struct Wire {
    slot: u32,
    generation: u32,
    random: Random,
    session: Option<Session>,
    /// On the way to the server, and what the server read and did not use yet.
    to_server: BytesMut,
    input: BytesMut,
    outbox: Outbox,
    /// Bytes that left the server, and of those the ones that the session was told of.
    left: u64,
    reported: u64,
    /// What the client read and did not use yet.
    arrived: BytesMut,
    frames: ServerFrames,
    version: Version,
    connected: bool,
    paused: bool,
    ended: bool,
    /// On the way from the node.
    pub events: VecDeque<Event>,
    sent: VecDeque<Sent>,
    due: VecDeque<Due>,
    receipts: VecDeque<String>,
    numbered: u64,
    serial: u64,
    listening: Option<Listening>,
    transaction: Option<String>,
    store_failed: bool,
    /// A planted bug: bytes get lost.
    leaks: bool,
    complaints: Vec<String>,
}

impl Wire {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(slot: u32, random: Random) -> Self {
        Self {
            slot,
            generation: 0,
            random,
            session: None,
            to_server: BytesMut::new(),
            input: BytesMut::new(),
            outbox: Outbox::default(),
            left: 0,
            reported: 0,
            arrived: BytesMut::new(),
            frames: ServerFrames::default(),
            version: Version::V1_2,
            connected: false,
            paused: false,
            ended: false,
            events: VecDeque::new(),
            sent: VecDeque::new(),
            due: VecDeque::new(),
            receipts: VecDeque::new(),
            numbered: 0,
            serial: 0,
            listening: None,
            transaction: None,
            store_failed: false,
            leaks: false,
            complaints: Vec::new(),
        }
    }

    /// The session of its connection.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId { slot: self.slot, generation: self.generation }
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Whether the session ended the connection: the node must be told.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the journal stopped: then errors are the right answer.
    pub fn excuse(&mut self, store_failed: bool) {
        self.store_failed = store_failed;
    }

    /// Plants a bug: bytes get lost on the way to the client.
    pub fn leak(&mut self) {
        self.leaks = true;
    }

    /// What was wrong with the bytes, once.
    pub fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// The connection is gone, perhaps within a frame: the next one is new in everything but its numbers.
    pub fn cut(&mut self) {
        let fresh = Self::new(self.slot, self.random.fork());
        let serial = self.serial;
        let generation = self.generation + 1;
        let complaints = std::mem::take(&mut self.complaints);
        let store_failed = self.store_failed;
        *self = Self { generation, serial, complaints, store_failed, leaks: self.leaks, ..fresh };
    }

    /// Writes a frame, if there is anything to say now.
    pub fn act(&mut self, wall: WallTime) {
        if self.session.is_none() {
            return self.connect();
        }
        if !self.connected || self.ended || self.to_server.len() > 8192 {
            return;
        }
        match self.random.below(100) {
            0..35 => self.send(wall),
            35..70 => self.acknowledge(),
            70..80 => self.transact(),
            80..97 if self.listening.is_none() => self.subscribe(),
            80..84 => self.unsubscribe(),
            97..98 if self.transaction.is_none() => self.say_goodbye(),
            _ => {}
        }
    }

    fn connect(&mut self) {
        // No number is used twice, in any incarnation of the node.
        let name = format!("ID:wire-{}-{}", self.slot, self.generation);
        self.session = Some(Session::new(SessionOptions::new(Arc::from(name))));
        self.version = *self.random.pick(&Version::ALL);
        let mut out = Vec::new();
        peer::connect(&mut out, &Connect { versions: &[self.version], ..Connect::default() });
        self.to_server.extend_from_slice(&out);
    }

    fn receipt(&mut self, chance: u64) -> Option<String> {
        self.random.percent(chance).then(|| {
            self.numbered += 1;
            let receipt = format!("r:{}", self.numbered);
            self.receipts.push_back(receipt.clone());
            receipt
        })
    }

    fn send(&mut self, wall: WallTime) {
        self.serial += 1;
        let color = self.random.percent(80).then(|| *self.random.pick(&COLORS));
        let properties = Properties { n: self.random.below(10).cast_signed(), color };
        let fill = if self.random.percent(10) { self.random.index(3000) } else { self.random.index(60) };
        let body = properties.body(self.serial, fill);
        let priority = *self.random.pick(&[4, 4, 4, 0, 9]);
        let expiration = self.random.percent(8).then(|| WallTime(wall.0 + 50 + self.random.below(3000)));
        let persistent = self.random.percent(75);
        let destination = *self.random.pick(&DESTINATIONS);
        let in_transaction = self.transaction.is_some() && self.random.percent(80);
        let receipt = self.receipt(50);
        let mut out = Vec::new();
        let frame = peer::send(&mut out, self.version, destination)
            .header("n", &properties.n.to_string())
            .optional("color", color)
            .header("priority", &priority.to_string())
            .optional("persistent", persistent.then_some("true"))
            .optional("expires", expiration.map(|at| at.0.to_string()).as_deref())
            .optional("transaction", self.transaction.as_deref().filter(|_| in_transaction))
            .optional("receipt", receipt.as_deref());
        if self.random.percent(50) {
            frame.text(&body)
        } else {
            frame.body(body.as_bytes())
        }
        self.to_server.extend_from_slice(&out);
        self.sent.push_back(Sent { body: Bytes::from(body), persistent, priority, expiration, in_transaction });
    }

    fn subscribe(&mut self) {
        self.numbered += 1;
        let id = format!("sub {}", self.numbered);
        let ack = *self.random.pick(&["auto", "client", "client-individual"]);
        let source = *self.random.pick(&SOURCES);
        let selector = self.random.percent(30).then(|| self.random.pick(&WISHES).source);
        let prefetch = (1 + self.random.below(10)).to_string();
        let receipt = self.receipt(40);
        let mut out = Vec::new();
        peer::subscribe(&mut out, self.version, &id, source, ack)
            .optional("selector", selector)
            .header("activemq.prefetchSize", &prefetch)
            .header("activemq.maximumPendingMessageLimit", "100000")
            .optional("receipt", receipt.as_deref())
            .end();
        self.to_server.extend_from_slice(&out);
        self.listening = Some(Listening { id, ack, unsettled: Vec::new() });
    }

    fn unsubscribe(&mut self) {
        let Some(listening) = self.listening.take() else { return };
        let receipt = self.receipt(50);
        let mut out = Vec::new();
        peer::unsubscribe(&mut out, self.version, &listening.id).optional("receipt", receipt.as_deref()).end();
        self.to_server.extend_from_slice(&out);
    }

    fn acknowledge(&mut self) {
        let rejects = self.transaction.is_none() && self.random.percent(15);
        let in_transaction = self.transaction.is_some() && self.random.percent(70);
        let Some(listening) = &mut self.listening else { return };
        let waiting: Vec<usize> = (0..listening.unsettled.len()).filter(|at| !listening.unsettled[*at].1).collect();
        if waiting.is_empty() {
            return;
        }
        let at = *self.random.pick(&waiting);
        let frame = listening.unsettled[at].0.clone();
        let first = if listening.ack == "client" { 0 } else { at };
        if in_transaction {
            listening.unsettled[first..=at].iter_mut().for_each(|(_, held)| *held = true);
        } else {
            let mut number = 0;
            listening.unsettled.retain(|(_, held)| {
                let meant = number >= first && number <= at && !held;
                number += 1;
                !meant
            });
        }
        let receipt = self.receipt(40);
        let mut out = Vec::new();
        let answer = if rejects { peer::nack(&mut out, &frame) } else { peer::ack(&mut out, &frame) };
        answer
            .optional("transaction", self.transaction.as_deref().filter(|_| in_transaction))
            .optional("receipt", receipt.as_deref())
            .end();
        self.to_server.extend_from_slice(&out);
    }

    fn transact(&mut self) {
        let mut out = Vec::new();
        match self.transaction.take() {
            None => {
                self.numbered += 1;
                let name = format!("tx\\{}", self.numbered);
                let receipt = self.receipt(20);
                peer::begin(&mut out, self.version, &name).optional("receipt", receipt.as_deref()).end();
                self.transaction = Some(name);
            }
            Some(name) if self.random.percent(70) => {
                let receipt = self.receipt(80);
                peer::commit(&mut out, self.version, &name).optional("receipt", receipt.as_deref()).end();
                if let Some(listening) = &mut self.listening {
                    listening.unsettled.retain(|(_, held)| !held);
                }
            }
            Some(name) => {
                let receipt = self.receipt(50);
                peer::abort(&mut out, self.version, &name).optional("receipt", receipt.as_deref()).end();
                if let Some(listening) = &mut self.listening {
                    listening.unsettled.iter_mut().for_each(|(_, held)| *held = false);
                }
            }
        }
        self.to_server.extend_from_slice(&out);
    }

    fn say_goodbye(&mut self) {
        let receipt = self.receipt(100);
        let mut out = Vec::new();
        peer::disconnect(&mut out, self.version).optional("receipt", receipt.as_deref()).end();
        self.to_server.extend_from_slice(&out);
        // Nothing is said after it.
        self.connected = false;
    }

    /// Some bytes reach the server's session; returns what it asks.
    pub fn reach_server(&mut self, now: Now, all: bool) -> Vec<Request> {
        let mut requests = Vec::new();
        if self.paused || self.ended {
            return requests;
        }
        let most = self.to_server.len();
        let count = if all { most } else { piece(&mut self.random, most) };
        let Some(session) = &mut self.session else { return requests };
        self.input.extend_from_slice(&self.to_server.split_to(count));
        let closing = session.receive(now, &mut self.input, &mut requests, &mut self.outbox);
        self.note_closing(closing);
        self.judge_requests(&requests);
        requests
    }

    /// The session handles what the node said; returns what it asks in turn.
    pub fn handle_events(&mut self, now: Now, most: usize) -> Vec<Request> {
        let mut requests = Vec::new();
        for _ in 0..most {
            let Some(event) = self.events.pop_front() else { break };
            match &event {
                Event::Pause => self.paused = true,
                Event::Resume => self.paused = false,
                _ => {}
            }
            let due = match &event {
                Event::Deliver(it) => Some(Due { body: body(&it.message), redelivered: it.redeliveries > 0 }),
                _ => None,
            };
            let Some(session) = &mut self.session else { break };
            let before = self.outbox.put_total();
            let closing = session.handle(now, event, &mut requests, &mut self.outbox);
            // What is for a subscription that ended meanwhile is not written.
            if self.outbox.put_total() > before {
                self.due.extend(due);
            }
            self.note_closing(closing);
        }
        requests
    }

    /// Some bytes reach the client. The session is told of some of those that left, now or later.
    pub fn reach_client(&mut self, now: Now, all: bool) -> Vec<Request> {
        let mut wanted = if all { self.outbox.len() } else { piece(&mut self.random, self.outbox.len()) };
        while wanted > 0 {
            let front = self.outbox.front();
            let count = front.len().min(wanted);
            let lost = usize::from(self.leaks && self.random.percent(5));
            self.arrived.extend_from_slice(&front[lost..count]);
            self.outbox.advance(count);
            self.left += count as u64;
            wanted -= count;
        }
        let mut requests = Vec::new();
        if all || self.random.percent(60) {
            let late = if all { 0 } else { self.random.below(self.left - self.reported + 1) };
            self.reported = self.left - late;
            if let Some(session) = &mut self.session {
                session.written(now, self.reported, &mut requests);
            }
        }
        self.read_frames();
        requests
    }

    fn note_closing(&mut self, closing: Closing) {
        match closing {
            Closing::No => {}
            Closing::AfterFlush => self.ended = true,
            Closing::PeerError(text) => {
                self.ended = true;
                self.complain(format!("the session takes its client's bytes for an error: {text}"));
            }
        }
    }

    fn complain(&mut self, text: String) {
        if !self.store_failed {
            self.complaints.push(format!("s{}.{}: {text}", self.slot, self.generation));
        }
    }

    /// Each SEND frame is one request, in order and with the same content.
    fn judge_requests(&mut self, requests: &[Request]) {
        for request in requests {
            let Request::Send { message, transaction, .. } = request else { continue };
            let header = &message.header;
            let found = Sent {
                body: body(message),
                persistent: header.mode == DeliveryMode::Persistent,
                priority: header.priority,
                expiration: header.expiration,
                in_transaction: transaction.is_some(),
            };
            let expected = self.sent.pop_front();
            if expected.as_ref() != Some(&found) {
                self.complain(format!("sent {expected:?}, the session asks for {found:?}"));
            }
        }
    }

    fn read_frames(&mut self) {
        loop {
            match self.frames.next(&mut self.arrived) {
                Ok(Some(frame)) => self.read_frame(frame),
                Ok(None) => return,
                Err(malformed) => return self.complain(format!("the server's bytes are no STOMP: {malformed}")),
            }
        }
    }

    fn read_frame(&mut self, frame: ServerFrame) {
        match frame.command {
            Command::Connected => self.connected = true,
            Command::Receipt => {
                let expected = self.receipts.pop_front();
                let found = frame.header("receipt-id").map(|it| it.into_owned());
                if expected != found {
                    self.complain(format!("receipt {found:?} where {expected:?} was next"));
                }
            }
            Command::Message => self.read_message(frame),
            other => {
                let text = frame.header("message").map(|it| it.into_owned());
                self.complain(format!("the server says {} {text:?}", other.as_str()));
            }
        }
    }

    fn read_message(&mut self, frame: ServerFrame) {
        let redelivered = frame.header("redelivered").is_some_and(|it| it == "true");
        let found = Due { body: frame.body_bytes(), redelivered };
        let expected = self.due.pop_front();
        if expected.as_ref() != Some(&found) {
            self.complain(format!("{expected:?} was due and {found:?} came"));
        }
        let named = frame.header("subscription").map(|it| it.into_owned());
        if let Some(listening) = &mut self.listening
            && named.as_deref() == Some(&listening.id)
            && listening.ack != "auto"
        {
            listening.unsettled.push((frame, false));
        }
    }

    /// Everything had time to arrive: judges what did not.
    pub fn judge_silence(&mut self) {
        if self.paused || !self.is_open() {
            return;
        }
        if let Some(receipt) = self.receipts.front().cloned() {
            self.complain(format!("receipt {receipt} never came"));
        }
        if !self.due.is_empty() || !self.sent.is_empty() || self.input.has_remaining() {
            let text = format!("{} sends and {} messages never came", self.sent.len(), self.due.len());
            self.complain(text);
        }
    }
}

/// A cut anywhere: often within a frame, at times the whole.
fn piece(random: &mut Random, most: usize) -> usize {
    if random.percent(20) { most } else { random.index(most + 1).min(1 + random.index(400)) }
}

fn body(message: &Message) -> Bytes {
    message.bytes.slice(message.body_at as usize..)
}
