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
use crate::client::queue;
use crate::host::{self, Done, Host, Lost, consumed, number_of};
use bytes::Bytes;
use ferrymq_model::event::{Delivery, Vote};
use ferrymq_model::{
    BranchAction, Deliveries, DeliveryId, DeliveryMode, Event, Message, MessageId, MonoTime, Now, ProducerId, Request,
    SessionId, TransactionId, WallTime,
};
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

/// Runs so many rounds under a seed.
#[must_use]
pub fn run(seed: u64, rounds: u32, bug: Option<ManagedBug>) -> Managed {
    let mut campaign = Campaign::new(seed, bug);
    for _ in 0..rounds {
        let done = match campaign.host.random.below(3) {
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
    host: Host<ManagedBug>,
    committed: u32,
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

/// A delivery, and the number that its message says.
fn numbered(delivery: &Delivery) -> (DeliveryId, u64) {
    (delivery.delivery, number_of(&delivery.message))
}

impl Campaign {
    fn new(seed: u64, bug: Option<ManagedBug>) -> Self {
        let mut host = Host::new(seed, NOW, bug);
        host.plan_crash();
        Self {
            host,
            committed: 0,
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
        }
    }

    fn outcome(&self, violation: Option<String>) -> Managed {
        Managed { crashes: self.host.crashes, committed: self.committed, violation }
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
        self.host.restart()?;
        self.host.plan_crash();
        if self.host.bug == Some(ManagedBug::LosesPrepared) {
            self.host.disk.plan_nothing();
            for number in self.in_doubt().unwrap_or_default() {
                let _ = self.ask_branch(number, BranchAction::Rollback);
            }
            self.host.plan_crash();
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
        if self.host.random.percent(10) {
            // The manager comes back later than the others.
            for _ in 0..self.host.random.below(16) {
                self.produce()?;
            }
        }
        self.recover_branches()?;
        if let Some((name, number)) = self.asked.clone() {
            let session = self.host.connect()?;
            let name = Arc::from(name);
            let answer = self.host.ask(session, |confirm| Request::WasCommitted { name, confirm })?;
            if matches!(answer, Event::Confirmed { .. }) {
                self.moved.insert(number);
            }
            self.asked = None;
            self.host.leave(session)?;
        }
        Ok(())
    }

    fn produce(&mut self) -> Done<()> {
        self.produced += 1;
        self.unsure = true;
        self.send_next()?;
        if self.host.random.percent(30) {
            // The answer was lost on its way: only the connection, not the broker, is another.
            self.unsure = true;
            self.send_next()?;
        }
        Ok(())
    }

    fn send_next(&mut self) -> Done<()> {
        let session = self.host.connect()?;
        let (number, what) = (self.produced, format!("send {}", self.produced));
        self.host.send(session, &what, Some(PRODUCER), &self.message("IN", number))?;
        self.unsure = false;
        self.host.leave(session)
    }

    fn message(&self, to: &str, number: u64) -> Arc<Message> {
        self.message_of(PRODUCER, number, to, number)
    }

    fn message_of(&self, producer: &str, sequence: u64, to: &str, number: u64) -> Arc<Message> {
        let id = MessageId { producer: producer.into(), sequence };
        Arc::new(host::message(id, queue(to), number, 100, NOW.wall))
    }

    /// Takes a message of a queue in a transaction, and sends it on in the same.
    fn work(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        delivery: DeliveryId,
        message: Arc<Message>,
    ) -> Done<()> {
        let (producer, name) = (ProducerId(2), Some(&*message.header.id.producer));
        self.host.add_producer(session, producer, name, &message.header.destination)?;
        self.host.tell(session, consumed(Deliveries::One(delivery), Some(transaction), None))?;
        if self.host.random.percent(30) {
            self.lengthen(session, transaction)?;
        }
        self.host.tell(session, Request::Send { producer, message, transaction: Some(transaction), confirm: None })
    }

    /// Sends what no commit leaves where it was held, and what makes a transaction longer.
    fn lengthen(&mut self, session: SessionId, transaction: TransactionId) -> Done<()> {
        let producer = ProducerId(3);
        self.host.add_producer(session, producer, None, &queue("OTHER"))?;
        for number in 0..=self.host.random.below(2) {
            let mut other = Message::clone(&self.message_of("ID:other", number, "OTHER", number));
            other.header.mode = DeliveryMode::NonPersistent;
            other.bytes = Bytes::from(vec![b'x'; 1500]);
            let transaction = Some(transaction);
            self.host.tell(session, Request::Send { producer, message: other.into(), transaction, confirm: None })?;
        }
        Ok(())
    }

    /// Sends again what a transaction sent that happened: it is known, and taken no second time.
    fn send_again(&mut self, message: Arc<Message>) -> Done<()> {
        let session = self.host.connect()?;
        self.host.send(session, "sent again", Some(&message.header.id.producer), &message)?;
        self.host.leave(session)
    }

    /// Waits for a message of a queue; none: it is empty.
    fn take(&mut self, session: SessionId, from: &str) -> Done<Option<(DeliveryId, u64)>> {
        let delivered = self.host.subscribe(session, &queue(from), 1)?;
        Ok(delivered.last().map(numbered))
    }

    fn distributed(&mut self) -> Done<()> {
        let session = self.host.connect()?;
        let Some((delivery, row)) = self.take(session, "IN")? else { return self.host.leave(session) };
        let number = self.name_branch();
        let transaction = TransactionId(number);
        self.branch(session, number, BranchAction::Start(transaction))?;
        self.xid_names.begun = Some(number);
        let message = self.message_of(MOVERS[0], number, "OUT", row);
        self.work(session, transaction, delivery, Arc::clone(&message))?;
        self.branch(session, number, BranchAction::End)?;
        let vote = self.prepare(session, number)?;
        self.xid_names.begun = None;
        if self.host.random.percent(20) {
            // The connection is lost; what is prepared stays.
            self.host.leave(session)?;
        }
        if vote != Vote::Prepared {
            return Err(Lost::Broken(format!("branch {number} votes {vote:?}")));
        }
        self.prepared_rows.insert(number, row);
        if self.host.random.percent(10) {
            // The manager takes its time: what is prepared is left behind.
            for _ in 0..self.host.random.below(16) {
                self.produce()?;
            }
        }
        let decision = if self.host.random.percent(75) { Decision::Commit } else { Decision::Rollback };
        self.log.insert(number, decision);
        if self.rows.contains(&row) {
            return Err(Lost::Broken(format!("message {row} is taken a second time")));
        }
        if self.host.random.percent(20) {
            self.person_decides(number)?;
        }
        let outcome = self.decide(number, decision)?;
        if self.host.bug == Some(ManagedBug::CommitsTwice)
            && decision == Decision::Commit
            && self.host.random.percent(20)
        {
            let other = self.host.connect()?;
            let producer = ProducerId(2);
            self.host.add_producer(other, producer, None, &queue("OUT"))?;
            let message = self.message("OUT", row);
            self.host.tell(other, Request::Send { producer, message, transaction: None, confirm: None })?;
            self.host.leave(other)?;
        }
        self.finish(number, outcome);
        if outcome == Decision::Commit {
            self.sent_last = Some(message);
        }
        self.host.leave(session)
    }

    fn branch(&mut self, session: SessionId, number: u64, action: BranchAction) -> Done<()> {
        let xid = self.xid_names.xid(number);
        let what = format!("branch {number}, {action:?}");
        self.host.confirmed(session, &what, |confirm| Request::Branch { xid, action, confirm })
    }

    fn prepare(&mut self, session: SessionId, number: u64) -> Done<Vote> {
        let xid = self.xid_names.xid(number);
        let prepare = |confirm| Request::Branch { xid, action: BranchAction::Prepare, confirm };
        if self.host.bug == Some(ManagedBug::PreparesEarly) {
            // The manager believes it, and writes its decision down, before the disk has it.
            self.log.insert(number, Decision::Commit);
            self.prepared_rows.insert(number, 0);
        }
        match self.host.ask(session, prepare)? {
            Event::Prepared { vote, .. } => Ok(vote),
            other => Err(Lost::Broken(format!("branch {number}, prepare: {other:?}"))),
        }
    }

    fn local(&mut self) -> Done<()> {
        let session = self.host.connect()?;
        let Some((delivery, number)) = self.take(session, "OUT")? else { return self.host.leave(session) };
        self.names += 1;
        let (transaction, name) = (TransactionId(self.names), format!("ID:mover-1:{}", self.names));
        let begin = Request::Begin { transaction, name: Some(name.as_str().into()), confirm: None };
        self.host.tell(session, begin)?;
        let message = self.message_of(MOVERS[1], self.names, "DONE", number);
        self.work(session, transaction, delivery, message)?;
        self.asked = Some((name, number));
        let commit = |token| Request::Commit { transaction, confirm: Some(token) };
        self.host.confirmed(session, &format!("commit of {number}"), commit)?;
        self.asked = None;
        self.moved.insert(number);
        self.host.leave(session)
    }
}
