//! A transaction manager with two resources, the broker and a model of a database, while the power goes at any time.
//!
//! ```text
//!  counted producer ──► IN ──two-phase commit──► OUT ──named local commit──► DONE
//!                                │
//!                                └──► a row in the other resource
//! ```
//!
//! Sometimes a person decides before the manager does, rightly or not; the row then follows that.
//!
//! Whoever loses an answer asks again: the producer sends again, the manager recovers, the mover asks whether its commit
//! was one. Branches that are over lend their names to others. At the end each message is in one place, once, and the rows are those of the messages that left IN.

mod judge;
mod manager;
mod names;
mod planted;

pub use planted::{MANAGED_BUGS, ManagedBug};

use self::names::Names;
use crate::content::PLAIN;
use crate::disk::{Fault, Moment, SURVIVORS, SimDisk};
use crate::random::Random;
use crate::world::DIALECTS;
use bytes::Bytes;
use ferrymq_broker::{Effects, Settings};
use ferrymq_model::event::Vote;
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{
    Address, BranchAction, Deliveries, DeliveryMode, Destination, DestinationKind, Event, Header, Message, MessageId,
    MonoTime, Now, ProducerId, Request, SessionId, Settlement, Subscribe, SubscriptionId, Token, TransactionId,
    WallTime,
};
use ferrymq_node::{Input, Node};
use ferrymq_storage::journal::{JournalOptions, Reader, SEGMENT_BYTES_MIN, perform};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Managed {
    /// Power cuts that struck.
    pub crashes: u32,
    /// Branches that were committed.
    pub committed: u32,
    /// The first promise that was broken.
    pub violation: Option<String>,
}

/// Why a client cannot go on.
enum Lost {
    /// The power went.
    Power,
    /// A promise was broken.
    Broken(String),
}

type Done<T> = Result<T, Lost>;

/// Runs so many rounds under a seed.
#[must_use]
pub fn run(seed: u64, rounds: u32, bug: Option<ManagedBug>) -> Managed {
    let mut campaign = Campaign::new(seed, bug);
    for _ in 0..rounds {
        let done = match campaign.random.below(3) {
            0 => campaign.produce(),
            1 => campaign.distributed(),
            _ => campaign.local(),
        };
        if let Err(broken) = campaign.settle(done) {
            return campaign.outcome(Some(broken));
        }
    }
    let last = campaign.judge();
    campaign.outcome(last.err())
}

/// What the manager wrote down, and did not finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Decision {
    Commit,
    Rollback,
}

struct Campaign {
    random: Random,
    disk: SimDisk,
    node: Node,
    bug: Option<ManagedBug>,
    crashes: u32,
    committed: u32,
    slot: u32,
    tokens: u64,
    deliveries: Vec<(SubscriptionId, u64, u64)>,
    answers: BTreeMap<u64, Event>,
    produced: u64,
    /// A message that was sent, and whose answer did not come.
    unsure: bool,
    xids: u64,
    xid_names: Names,
    /// The manager's own log, which is durable.
    log: BTreeMap<u64, Decision>,
    /// The other resource: durable, too.
    prepared_rows: BTreeMap<u64, u64>,
    /// What the last branch sent that was committed.
    sent_last: Option<Arc<Message>>,
    /// Branches that a person decided, and whether that was confirmed.
    person: BTreeMap<u64, (Decision, bool)>,
    /// Those of them that the manager has heard of: it has the broker forget them.
    to_forget: BTreeSet<u64>,
    forgotten: BTreeSet<u64>,
    rows: BTreeSet<u64>,
    /// A named commit whose answer did not come, with the message that it moves.
    asked: Option<(String, u64)>,
    moved: BTreeSet<u64>,
    names: u64,
}

const NOW: Now = Now { wall: WallTime(1_000_000), mono: MonoTime(1) };
const PRODUCER: &str = "ID:producer-1:1:1";
/// Who sends on in branches, and in local transactions.
const MOVERS: [&str; 2] = ["ID:mover-1:1:1", "ID:mover-2:1:1"];

fn start(disk: &mut SimDisk) -> Result<Node, String> {
    let options = JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
    ferrymq_node::recover(disk, DIALECTS, options, Settings::default(), NOW).map_err(|error| error.to_string())
}

fn queue(name: &str) -> Arc<Address> {
    let leaf = Destination { kind: DestinationKind::Queue, name: name.into() };
    Arc::new(Address { leaves: vec![Arc::new(leaf)] })
}

impl Campaign {
    fn new(seed: u64, bug: Option<ManagedBug>) -> Self {
        let mut random = Random::new(seed);
        let mut disk = SimDisk::new(random.fork());
        let node = start(&mut disk).expect("an empty disk gives an empty node");
        let mut campaign = Self {
            random,
            disk,
            node,
            bug,
            crashes: 0,
            committed: 0,
            slot: 0,
            tokens: 0,
            deliveries: Vec::new(),
            answers: BTreeMap::new(),
            produced: 0,
            unsure: false,
            xids: 0,
            xid_names: Names::default(),
            log: BTreeMap::new(),
            prepared_rows: BTreeMap::new(),
            sent_last: None,
            person: BTreeMap::new(),
            to_forget: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            rows: BTreeSet::new(),
            asked: None,
            moved: BTreeSet::new(),
            names: 0,
        };
        campaign.plan_crash();
        campaign
    }

    fn outcome(&self, violation: Option<String>) -> Managed {
        Managed { crashes: self.crashes, committed: self.committed, violation }
    }

    fn plan_crash(&mut self) {
        let at = self.disk.operations() + 1 + self.random.below(25);
        let moment = *self.random.pick(&[Moment::Before, Moment::During, Moment::After]);
        self.disk.plan(at, Fault::PowerCut(moment));
    }

    /// After a round: the power comes back, and everybody asks for what they do not know.
    fn settle(&mut self, done: Done<()>) -> Result<(), String> {
        let mut done = done;
        loop {
            match done {
                Ok(()) => return Ok(()),
                Err(Lost::Broken(what)) => return Err(what),
                Err(Lost::Power) => {
                    self.restart()?;
                    done = self.ask_again();
                }
            }
        }
    }

    fn restart(&mut self) -> Result<(), String> {
        self.crashes += 1;
        let survivors = *self.random.pick(&SURVIVORS);
        self.disk.restart(survivors);
        if let Some(bug) = self.bug {
            bug.on_restart(&mut self.disk);
        }
        self.node = start(&mut self.disk)?;
        self.node.broker().check_invariants();
        self.answers.clear();
        self.deliveries.clear();
        self.plan_crash();
        if self.bug == Some(ManagedBug::LosesPrepared) {
            self.disk.plan_nothing();
            for number in self.in_doubt().unwrap_or_default() {
                let _ = self.ask_branch(number, BranchAction::Rollback);
            }
            self.plan_crash();
        }
        Ok(())
    }

    fn ask_again(&mut self) -> Done<()> {
        if self.unsure {
            self.send_next()?;
        }
        if let Some(message) = self.sent_last.clone() {
            self.send_again(message)?;
        }
        if self.random.percent(10) {
            // The manager comes back later than the others.
            for _ in 0..self.random.below(16) {
                self.produce()?;
            }
        }
        self.recover_branches()?;
        if let Some((name, number)) = self.asked.clone() {
            let session = self.connect()?;
            let answer = self.ask(session, |confirm| Request::WasCommitted { name: name.as_str().into(), confirm })?;
            if matches!(answer, Event::Confirmed { .. }) {
                self.moved.insert(number);
            }
            self.asked = None;
            self.leave(session)?;
        }
        Ok(())
    }

    fn produce(&mut self) -> Done<()> {
        self.produced += 1;
        self.unsure = true;
        self.send_next()?;
        if self.random.percent(30) {
            // The answer was lost on its way: only the connection, not the broker, is another.
            self.unsure = true;
            self.send_next()?;
        }
        Ok(())
    }

    fn send_next(&mut self) -> Done<()> {
        let session = self.connect()?;
        let (number, to) = (self.produced, queue("IN"));
        let producer = ProducerId(1);
        let name = Some(PRODUCER.into());
        let add = Request::AddProducer { producer, name, skips_duplicates: true, address: to, confirm: None };
        self.tell(session, add)?;
        let message = self.message("IN", number);
        let send = |token| Request::Send { producer, message, transaction: None, confirm: Some(token) };
        let answer = self.ask(session, send)?;
        if !matches!(answer, Event::Confirmed { .. }) {
            return Err(Lost::Broken(format!("send {number}: {answer:?}")));
        }
        self.unsure = false;
        self.leave(session)
    }

    fn message(&self, to: &str, number: u64) -> Arc<Message> {
        self.message_of(PRODUCER, number, to, number)
    }

    fn message_of(&self, producer: &str, sequence: u64, to: &str, number: u64) -> Arc<Message> {
        let header = Header {
            id: MessageId { producer: producer.into(), sequence },
            destination: Arc::clone(&queue(to).leaves[0]),
            mode: DeliveryMode::Persistent,
            priority: 4,
            timestamp: NOW.wall,
            expiration: None,
            annotations: None,
        };
        let body = format!("{number} {}", "x".repeat(usize::try_from(number % 7).unwrap_or(0) * 100));
        Arc::new(Message { header, dialect: &PLAIN, bytes: Bytes::from(body), body_at: 0 })
    }

    /// Takes a message of a queue in a transaction, and sends it on in the same.
    fn work(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        delivery: u64,
        message: Arc<Message>,
    ) -> Done<()> {
        let producer = self.add_mover(session, &message)?;
        let deliveries = Deliveries::One(ferrymq_model::DeliveryId(delivery));
        let (subscription, settlement) = (SubscriptionId(1), Settlement::Consumed);
        let within = Some(transaction);
        let settle = Request::Settle { subscription, deliveries, settlement, transaction: within, confirm: None };
        self.tell(session, settle)?;
        if self.random.percent(30) {
            self.lengthen(session, transaction)?;
        }
        self.tell(session, Request::Send { producer, message, transaction: Some(transaction), confirm: None })
    }

    /// Sends what no commit leaves where it was held, and what makes a transaction longer.
    fn lengthen(&mut self, session: SessionId, transaction: TransactionId) -> Done<()> {
        let producer = ProducerId(3);
        let (name, address) = (None, queue("OTHER"));
        self.tell(session, Request::AddProducer { producer, name, skips_duplicates: false, address, confirm: None })?;
        for number in 0..=self.random.below(2) {
            let mut other = Message::clone(&self.message_of("ID:other", number, "OTHER", number));
            other.header.mode = DeliveryMode::NonPersistent;
            other.bytes = Bytes::from(vec![b'x'; 1500]);
            let transaction = Some(transaction);
            self.tell(session, Request::Send { producer, message: other.into(), transaction, confirm: None })?;
        }
        Ok(())
    }

    /// A producer whose messages count, as the one of this message.
    fn add_mover(&mut self, session: SessionId, message: &Message) -> Done<ProducerId> {
        let producer = ProducerId(2);
        let name = Some(Arc::clone(&message.header.id.producer));
        let address = queue(&message.header.destination.name);
        self.tell(session, Request::AddProducer { producer, name, skips_duplicates: true, address, confirm: None })?;
        Ok(producer)
    }

    /// Sends again what a transaction sent that happened: it is known, and taken no second time.
    fn send_again(&mut self, message: Arc<Message>) -> Done<()> {
        let session = self.connect()?;
        let producer = self.add_mover(session, &message)?;
        let send = |token| Request::Send { producer, message, transaction: None, confirm: Some(token) };
        let answer = self.ask(session, send)?;
        if !matches!(answer, Event::Confirmed { .. }) {
            return Err(Lost::Broken(format!("sent again: {answer:?}")));
        }
        self.leave(session)
    }

    /// Waits for a message of a queue; none: it is empty.
    fn take(&mut self, session: SessionId, from: &str) -> Done<Option<(u64, u64)>> {
        let subscribe = Subscribe {
            subscription: SubscriptionId(1),
            name: None,
            address: queue(from),
            selector: None,
            selector_converts_text: false,
            mode: SubscribeMode::Consume,
            settles: Settles::WhenAcknowledged,
            gives_up: GivesUp::Consumer,
            prefetch: 1,
            no_local: false,
            exclusive: false,
            priority: 0,
            retroactive: false,
            pending_limit: None,
            confirm: None,
        };
        self.deliveries.clear();
        self.tell(session, Request::Subscribe(Box::new(subscribe)))?;
        Ok(self.deliveries.pop().map(|(_, delivery, number)| (delivery, number)))
    }

    fn distributed(&mut self) -> Done<()> {
        let session = self.connect()?;
        let Some((delivery, row)) = self.take(session, "IN")? else { return self.leave(session) };
        let number = self.name_branch();
        let transaction = TransactionId(number);
        self.branch(session, number, BranchAction::Start(transaction))?;
        self.xid_names.begun = Some(number);
        let message = self.message_of(MOVERS[0], number, "OUT", row);
        self.work(session, transaction, delivery, Arc::clone(&message))?;
        self.branch(session, number, BranchAction::End)?;
        let vote = self.prepare(session, number)?;
        self.xid_names.begun = None;
        if self.random.percent(20) {
            // The connection is lost; what is prepared stays.
            self.leave(session)?;
        }
        if vote != Vote::Prepared {
            return Err(Lost::Broken(format!("branch {number} votes {vote:?}")));
        }
        self.prepared_rows.insert(number, row);
        if self.random.percent(10) {
            // The manager takes its time: what is prepared is left behind.
            for _ in 0..self.random.below(16) {
                self.produce()?;
            }
        }
        let decision = if self.random.percent(75) { Decision::Commit } else { Decision::Rollback };
        self.log.insert(number, decision);
        if self.rows.contains(&row) {
            return Err(Lost::Broken(format!("message {row} is taken a second time")));
        }
        if self.random.percent(20) {
            self.person_decides(number)?;
        }
        let outcome = self.decide(number, decision)?;
        if self.bug == Some(ManagedBug::CommitsTwice) && decision == Decision::Commit && self.random.percent(20) {
            let other = self.connect()?;
            let producer = ProducerId(2);
            let address = queue("OUT");
            let add = Request::AddProducer { producer, name: None, skips_duplicates: false, address, confirm: None };
            self.tell(other, add)?;
            let message = self.message("OUT", row);
            self.tell(other, Request::Send { producer, message, transaction: None, confirm: None })?;
            self.leave(other)?;
        }
        self.finish(number, outcome);
        if outcome == Decision::Commit {
            self.sent_last = Some(message);
        }
        self.leave(session)
    }

    fn branch(&mut self, session: SessionId, number: u64, action: BranchAction) -> Done<()> {
        let xid = self.xid_names.xid(number);
        let answer = self.ask(session, |confirm| Request::Branch { xid, action, confirm })?;
        if matches!(answer, Event::Confirmed { .. }) {
            return Ok(());
        }
        Err(Lost::Broken(format!("branch {number}, {action:?}: {answer:?}")))
    }

    fn prepare(&mut self, session: SessionId, number: u64) -> Done<Vote> {
        let xid = self.xid_names.xid(number);
        let prepare = |confirm| Request::Branch { xid, action: BranchAction::Prepare, confirm };
        if self.bug == Some(ManagedBug::PreparesEarly) {
            // The manager believes it, and writes its decision down, before the disk has it.
            self.log.insert(number, Decision::Commit);
            self.prepared_rows.insert(number, 0);
        }
        match self.ask(session, prepare)? {
            Event::Prepared { vote, .. } => Ok(vote),
            other => Err(Lost::Broken(format!("branch {number}, prepare: {other:?}"))),
        }
    }

    fn local(&mut self) -> Done<()> {
        let session = self.connect()?;
        let Some((delivery, number)) = self.take(session, "OUT")? else { return self.leave(session) };
        self.names += 1;
        let (transaction, name) = (TransactionId(self.names), format!("ID:mover-1:{}", self.names));
        let begin = Request::Begin { transaction, name: Some(name.as_str().into()), confirm: None };
        self.tell(session, begin)?;
        let message = self.message_of(MOVERS[1], self.names, "DONE", number);
        self.work(session, transaction, delivery, message)?;
        self.asked = Some((name, number));
        let answer = self.ask(session, |token| Request::Commit { transaction, confirm: Some(token) })?;
        if !matches!(answer, Event::Confirmed { .. }) {
            return Err(Lost::Broken(format!("commit of {number}: {answer:?}")));
        }
        self.asked = None;
        self.moved.insert(number);
        self.leave(session)
    }

    fn connect(&mut self) -> Done<SessionId> {
        self.slot += 1;
        let session = SessionId { slot: self.slot % 8, generation: self.slot };
        let connect = |confirm| Request::Connect { name: None, client_id: None, user: None, peer: None, confirm };
        self.ask(session, connect)?;
        Ok(session)
    }

    fn leave(&mut self, session: SessionId) -> Done<()> {
        self.tell(session, Request::Disconnect)
    }

    fn ask(&mut self, session: SessionId, request: impl FnOnce(Token) -> Request) -> Done<Event> {
        self.tokens += 1;
        let token = self.tokens;
        self.tell(session, request(Token(token)))?;
        for _ in 0..3 {
            if let Some(answer) = self.answers.remove(&token) {
                return Ok(answer);
            }
            self.input(Input::Tick)?;
        }
        Err(Lost::Broken(format!("no answer to request {token}")))
    }

    fn tell(&mut self, session: SessionId, request: Request) -> Done<()> {
        let request = match self.bug {
            Some(bug) => bug.on_request(request, &mut self.random),
            None => Some(request),
        };
        let mut requests = Vec::from_iter(request);
        self.input(Input::Requests { session, requests: &mut requests })
    }

    fn input(&mut self, input: Input<'_>) -> Done<()> {
        let mut out = Effects::default();
        self.node.step(NOW, input, &mut out);
        self.node.broker().check_invariants();
        self.hear(&mut out);
        while self.node.wants_flush() {
            let Some(mut batch) = self.node.take_batch() else { break };
            if perform(&mut batch, &mut self.disk).is_err() {
                return Err(Lost::Power);
            }
            self.node.step(NOW, Input::Flushed(batch), &mut out);
            self.node.broker().check_invariants();
            self.hear(&mut out);
        }
        Ok(())
    }

    fn hear(&mut self, out: &mut Effects) {
        loop {
            for (_, mut event) in out.events.drain(..) {
                if let Some(bug) = self.bug {
                    bug.on_event(&mut event);
                }
                match event {
                    Event::Deliver(delivery) => {
                        let text = String::from_utf8_lossy(&delivery.message.bytes).into_owned();
                        let number = text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
                        self.deliveries.push((delivery.subscription, delivery.delivery.0, number));
                    }
                    Event::Confirmed { token } | Event::Prepared { token, .. } | Event::InDoubt { token, .. } => {
                        self.answers.insert(token.0, event);
                    }
                    Event::Refused { token: Some(token), .. } => {
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
            if out.fetches.is_empty() {
                return;
            }
            let mut read = Vec::new();
            Reader::new(DIALECTS).read(&self.disk, &mut out.fetches, &mut read);
            self.node.step(NOW, Input::Fetched(&mut read), out);
        }
    }
}
