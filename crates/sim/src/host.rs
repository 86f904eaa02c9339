//! What every campaign plays on: a machine whose power goes at any time, the node on it, and clients that wait for each answer.
//!
//! ```text
//!  client ──request──►┌─────────────┐──►┌──────┐──batch──►┌─────────┐
//!                     │ planted bug │   │ Node │          │ SimDisk │ the power goes within 25 operations
//!  client ◄──answer───└─────────────┘◄──└──────┘◄──read───└─────────┘
//! ```
//!
//! Not here: who asks for what, and what must be true at the end; a client that hears [`Lost::Power`] is the campaign's to
//! comfort, after a [`Host::restart`].

use crate::content::PLAIN;
use crate::disk::{Fault, MOMENTS, SURVIVORS, SimDisk};
use crate::random::Random;
use crate::rest::step_watched;
use crate::world::DIALECTS;
use bytes::Bytes;
use ferrymq_broker::{Effects, Settings};
use ferrymq_model::event::Delivery;
use ferrymq_model::request::GivesUp;
use ferrymq_model::{
    Address, Deliveries, DeliveryMode, Destination, Event, Header, Message, MessageId, Now, ProducerId, Request,
    SessionId, Settlement, Subscribe, SubscriptionId, Token, TransactionId, WallTime,
};
use ferrymq_node::{Input, Node};
use ferrymq_storage::journal::{JournalOptions, Reader, SEGMENT_BYTES_MIN, perform};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Operations of the disk within which the power goes.
const CRASH_WITHIN: u64 = 25;
/// How often time is told to have passed before an answer is missed.
const ANSWER_TICKS: usize = 3;
/// The one subscription of a session.
const SUBSCRIPTION: SubscriptionId = SubscriptionId(1);

/// Why a client cannot go on.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The power went.
    Power,
    /// A promise was broken.
    Broken(String),
}

pub(crate) type Done<T> = Result<T, Lost>;

/// A bug to plant around the node.
pub(crate) trait Defect: Copy {
    /// What the node hears instead of a request; `None`: nothing.
    fn on_request(self, request: Request, random: &mut Random) -> Option<Request>;

    /// What the clients hear instead of an event.
    fn on_event(self, _event: &mut Event) {}

    /// What becomes of the journal while the node is down.
    fn on_restart(self, _disk: &mut SimDisk) {}
}

/// The machine, the node on it, and what its clients heard.
pub(crate) struct Host<B> {
    pub(crate) random: Random,
    pub(crate) disk: SimDisk,
    pub(crate) now: Now,
    pub(crate) bug: Option<B>,
    /// Power cuts that struck.
    pub(crate) crashes: u32,
    node: Node,
    slot: u32,
    tokens: u64,
    answers: BTreeMap<u64, Event>,
    deliveries: Vec<Delivery>,
}

/// The journal of a small disk.
pub(crate) fn journal_options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() }
}

fn start(disk: &mut SimDisk, now: Now) -> Result<Node, String> {
    ferrymq_node::recover(disk, DIALECTS, journal_options(), Settings::default(), now)
        .map_err(|error| error.to_string())
}

/// A persistent message whose body says its number, and repeats a filling of so many bytes up to six times.
pub(crate) fn message(id: MessageId, to: Arc<Destination>, number: u64, filling: usize, at: WallTime) -> Message {
    let header = Header {
        id,
        destination: to,
        mode: DeliveryMode::Persistent,
        priority: 4,
        timestamp: at,
        expiration: None,
        annotations: None,
    };
    let body = format!("{number} {}", "x".repeat(usize::try_from(number % 7).unwrap_or(0) * filling));
    Message { header, dialect: &PLAIN, bytes: Bytes::from(body), body_at: 0 }
}

/// The number that a body says; 0 where it says none.
pub(crate) fn number_of(message: &Message) -> u64 {
    let body = String::from_utf8_lossy(&message.bytes);
    body.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A client has what was delivered to it.
pub(crate) fn consumed(deliveries: Deliveries, transaction: Option<TransactionId>, confirm: Option<Token>) -> Request {
    let settlement = Settlement::Consumed;
    Request::Settle { subscription: SUBSCRIPTION, deliveries, settlement, transaction, confirm }
}

fn address(of: &Arc<Destination>) -> Arc<Address> {
    Arc::new(Address { leaves: vec![Arc::clone(of)] })
}

impl<B: Defect> Host<B> {
    /// With an empty disk. The power stays until [`Self::plan_crash`].
    pub(crate) fn new(seed: u64, now: Now, bug: Option<B>) -> Self {
        let mut random = Random::new(seed);
        let mut disk = SimDisk::new(random.fork());
        let node = start(&mut disk, now).expect("an empty disk gives an empty node");
        Self {
            random,
            disk,
            now,
            bug,
            crashes: 0,
            node,
            slot: 0,
            tokens: 0,
            answers: BTreeMap::new(),
            deliveries: Vec::new(),
        }
    }

    /// The power goes soon.
    pub(crate) fn plan_crash(&mut self) {
        let at = self.disk.operations() + 1 + self.random.below(CRASH_WITHIN);
        let moment = *self.random.pick(&MOMENTS);
        self.disk.plan(at, Fault::PowerCut(moment));
    }

    /// The power comes back, and stays until [`Self::plan_crash`].
    ///
    /// # Errors
    /// The node does not start.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.crashes += 1;
        let survivors = *self.random.pick(&SURVIVORS);
        self.disk.restart(survivors);
        if let Some(bug) = self.bug {
            bug.on_restart(&mut self.disk);
        }
        self.node = start(&mut self.disk, self.now)?;
        self.node.broker().check_invariants();
        self.answers.clear();
        self.deliveries.clear();
        Ok(())
    }

    pub(crate) fn connect(&mut self) -> Done<SessionId> {
        self.slot += 1;
        let session = SessionId { slot: self.slot % 8, generation: self.slot };
        let connect = |confirm| Request::Connect { name: None, client_id: None, user: None, peer: None, confirm };
        self.ask(session, connect)?;
        Ok(session)
    }

    pub(crate) fn leave(&mut self, session: SessionId) -> Done<()> {
        self.tell(session, Request::Disconnect)
    }

    /// A request that is answered.
    pub(crate) fn ask(&mut self, session: SessionId, request: impl FnOnce(Token) -> Request) -> Done<Event> {
        self.tokens += 1;
        let token = self.tokens;
        self.tell(session, request(Token(token)))?;
        for _ in 0..ANSWER_TICKS {
            if let Some(answer) = self.answers.remove(&token) {
                return Ok(answer);
            }
            self.tick()?;
        }
        Err(Lost::Broken(format!("no answer to request {token}")))
    }

    /// A request that must not be refused; `what` names it where it is.
    pub(crate) fn confirmed(
        &mut self,
        session: SessionId,
        what: &str,
        request: impl FnOnce(Token) -> Request,
    ) -> Done<()> {
        match self.ask(session, request)? {
            Event::Confirmed { .. } => Ok(()),
            other => Err(Lost::Broken(format!("{what}: {other:?}"))),
        }
    }

    /// A request without an answer.
    pub(crate) fn tell(&mut self, session: SessionId, request: Request) -> Done<()> {
        let request = match self.bug {
            Some(bug) => bug.on_request(request, &mut self.random),
            None => Some(request),
        };
        self.input(Input::Requests { session, requests: &mut Vec::from_iter(request) })
    }

    /// A producer; the messages of one with a name count, and are not taken twice.
    pub(crate) fn add_producer(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        name: Option<&str>,
        to: &Arc<Destination>,
    ) -> Done<()> {
        let (skips_duplicates, name, address) = (name.is_some(), name.map(Arc::from), address(to));
        self.tell(session, Request::AddProducer { producer, name, skips_duplicates, address, confirm: None })
    }

    /// Sends a message by a producer of its own, outside any transaction; `what` names it where it is refused.
    pub(crate) fn send(
        &mut self,
        session: SessionId,
        what: &str,
        name: Option<&str>,
        message: &Arc<Message>,
    ) -> Done<()> {
        let (producer, message) = (ProducerId(1), Arc::clone(message));
        self.add_producer(session, producer, name, &message.header.destination)?;
        self.confirmed(session, what, |confirm| Request::Send {
            producer,
            message,
            transaction: None,
            confirm: Some(confirm),
        })
    }

    /// What a new consumer gets at once.
    pub(crate) fn subscribe(
        &mut self,
        session: SessionId,
        from: &Arc<Destination>,
        prefetch: u32,
    ) -> Done<Vec<Delivery>> {
        let consumer = Subscribe::consumer(SUBSCRIPTION, address(from), prefetch);
        let subscribe = Subscribe { gives_up: GivesUp::Consumer, ..consumer };
        self.delivered(session, Request::Subscribe(Box::new(subscribe)))
    }

    /// What a request brings at once.
    pub(crate) fn delivered(&mut self, session: SessionId, request: Request) -> Done<Vec<Delivery>> {
        self.deliveries.clear();
        self.tell(session, request)?;
        Ok(std::mem::take(&mut self.deliveries))
    }

    /// The node looks at the clock.
    pub(crate) fn tick(&mut self) -> Done<()> {
        self.input(Input::Tick)
    }

    fn input(&mut self, input: Input<'_>) -> Done<()> {
        let mut out = Effects::default();
        self.step(input, &mut out);
        while self.node.wants_flush() {
            let Some(mut batch) = self.node.take_batch() else { break };
            if perform(&mut batch, &mut self.disk).is_err() {
                return Err(Lost::Power);
            }
            self.step(Input::Flushed(batch), &mut out);
        }
        Ok(())
    }

    /// With everything that is read back for it.
    fn step(&mut self, input: Input<'_>, out: &mut Effects) {
        step_watched(&mut self.node, self.now, input, out);
        self.node.broker().check_invariants();
        loop {
            out.events.drain(..).for_each(|(_, event)| self.hear(event));
            if out.fetches.is_empty() {
                return;
            }
            let mut read = Vec::new();
            Reader::new(DIALECTS).read(&self.disk, &mut out.fetches, &mut read);
            self.node.step(self.now, Input::Fetched(&mut read), out);
        }
    }

    fn hear(&mut self, mut event: Event) {
        if let Some(bug) = self.bug {
            bug.on_event(&mut event);
        }
        match event {
            Event::Deliver(delivery) => self.deliveries.push(delivery),
            Event::Confirmed { token }
            | Event::Prepared { token, .. }
            | Event::InDoubt { token, .. }
            | Event::Refused { token: Some(token), .. } => {
                self.answers.insert(token.0, event);
            }
            Event::Refused { token: None, .. }
            | Event::BrowseEnd { .. }
            | Event::SubscriptionEnded { .. }
            | Event::Closed { .. }
            | Event::Pause
            | Event::Resume
            | Event::BranchEnded { .. }
            | Event::Inspected { .. }
            | Event::Purged { .. } => {}
        }
    }
}
