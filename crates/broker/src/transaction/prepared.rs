//! Prepared branches: their one unit, their decision, and their return after a restart.
//!
//! What a branch sends is written once, when it is prepared, as a record that holds the message. A commit only says where
//! it stands now. What is another message by then is stored as ever: what the schedule takes, what a durable subscription
//! gets under another topic's name, and what is buried. So is what was prepared long ago.
//!
//! What a branch settled stays unsettled with the subscription that got it, marked as held. After a restart that is one
//! that has ended already, made for the purpose: so a commit and a rollback know one way only.
//!
//! The record is first everywhere: memory follows what the journal was told, and the answer waits until that is durable.

use crate::broker::{Broker, Step};
use crate::router::{Leaf, Route, no_space};
use crate::slab::Key;
use crate::subscription::{Source, Status, Subscription, Unsettled};
use crate::transaction::Transaction;
use crate::transaction::branch::wrong;
use crate::transaction::commit::{Ending, Sent};
use crate::transaction::hold::{HeldSend, HeldSettlement};
use ferrymq_model::event::{BranchReport, BranchState};
use ferrymq_model::request::{GivesUp, Settles};
use ferrymq_model::{
    Address, BranchError, DeliveryMode, Destination, DestinationKind, Message, Refusal, SessionId, Settlement,
    Subscribe, SubscriptionId, WallTime, Xid,
};
use ferrymq_storage::{
    Journal, Location, Lsn, Outcome, Placement, Prepared, PreparedSend, Record, StoreId, TransactionName, Urgency,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Whose deliveries are after a restart: no session has this number.
const NOBODY: SessionId = SessionId { slot: u32::MAX, generation: u32::MAX };

/// A branch that waits for its decision.
#[derive(Debug)]
pub(crate) struct PreparedBranch {
    /// Its number in the journal.
    pub(crate) number: u64,
    /// When it was prepared.
    pub(crate) at: WallTime,
    /// What each session did for it.
    pub(crate) work: Vec<Transaction>,
    /// After a restart: what holds the deliveries.
    keeper: Option<Key>,
}

impl Broker {
    /// Facts about the branches that are prepared, and about those that a person decided.
    pub(crate) fn report_branches(&self, journal: &Journal) -> Vec<BranchReport> {
        let mut rows = Vec::new();
        for xid in self.branches.numbers.values() {
            let branch = &self.branches.prepared[xid];
            let sends = branch.work.iter().map(|work| work.sends.len() as u64).sum();
            let held = branch.work.iter().flat_map(|work| &work.settlements);
            let settlements = held.map(|held| self.count_held(held)).sum();
            let (state, prepared_at) = (BranchState::Prepared, Some(branch.at));
            rows.push(BranchReport { xid: Arc::clone(xid), state, prepared_at, sends, settlements });
        }
        for xid in journal.outcomes().heuristics() {
            let state = match journal.outcomes().of(&TransactionName::Branch(Arc::clone(xid))) {
                Some((Outcome::HeuristicallyCommitted, _)) => BranchState::HeuristicallyCommitted,
                Some((Outcome::HeuristicallyRolledBack, _)) => BranchState::HeuristicallyRolledBack,
                Some((Outcome::Committed | Outcome::RolledBack | Outcome::Forgotten, _)) | None => continue,
            };
            let xid = Arc::clone(xid);
            rows.push(BranchReport { xid, state, prepared_at: None, sends: 0, settlements: 0 });
        }
        rows
    }

    /// Whether prepared branches hold messages of a queue.
    pub(crate) fn is_locked(&self, queue: u32) -> bool {
        if self.queues[queue].in_flight == 0 {
            return false;
        }
        let mut held = self.branches.prepared.values().flat_map(|branch| &branch.work).flat_map(|w| &w.settlements);
        held.any(|held| {
            let Some(index) = self.subscriptions.find(held.subscription) else { return false };
            let mut unsettled = self.subscriptions[index].unsettled.iter();
            unsettled.any(|it| it.source == Source::Queue(queue) && it.status == Status::Held(held.number))
        })
    }

    /// Deliveries that a settlement holds.
    fn count_held(&self, held: &HeldSettlement) -> u64 {
        let Some(index) = self.subscriptions.find(held.subscription) else { return 0 };
        let subscription = &self.subscriptions[index];
        let span = subscription.span(held.first, held.last);
        span.filter(|position| subscription.unsettled[*position].status == Status::Held(held.number)).count() as u64
    }

    /// Records a branch as prepared.
    pub(crate) fn record_prepare(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        mut work: Vec<Transaction>,
        step: &mut Step<'_>,
    ) {
        let number = self.branches.last_number + 1;
        let at = step.now.wall;
        let (mut settled, mut dead) = (Vec::new(), Vec::new());
        for held in work.iter().flat_map(|work| &work.settlements) {
            self.prepare_settlement(held, &mut settled, &mut dead);
        }
        let prepared = Prepared { branch: number, xid: Arc::clone(xid), at, sends: Vec::new(), settled };
        let mut unit = step.journal.begin();
        unit.add(&Record::Prepare(Box::new(prepared)));
        for message in dead {
            unit.hold(number, std::slice::from_ref(&message.header.destination), false, &message);
        }
        for send in work.iter_mut().flat_map(|work| &mut work.sends) {
            send.held = Some(unit.hold(number, &send.address.leaves, send.counted, &send.message));
        }
        let lsn = unit.commit(Urgency::Awaited);
        self.branch_recorded(session, lsn);
        self.branches.last_number = number;
        self.branches.numbers.insert(number, Arc::clone(xid));
        self.branches.prepared.insert(Arc::clone(xid), PreparedBranch { number, at, work, keeper: None });
    }

    /// Adds what the journal knows of a held settlement. A message that a commit buries is one that it sends, if that
    /// comes after a restart.
    fn prepare_settlement(&self, held: &HeldSettlement, settled: &mut Vec<Placement>, dead: &mut Vec<Message>) {
        let Some(index) = self.subscriptions.find(held.subscription) else { return };
        let subscription = &self.subscriptions[index];
        let cause = match &held.settlement {
            Settlement::Consumed => None,
            Settlement::Expired => Some("the message expired"),
            Settlement::Poisoned(cause) => Some(&**cause),
            Settlement::Delivered | Settlement::Written | Settlement::Undelivered | Settlement::Returned => return,
        };
        for position in subscription.span(held.first, held.last) {
            let unsettled = &subscription.unsettled[position];
            let (Source::Queue(queue), true) = (unsettled.source, unsettled.status == Status::Held(held.number)) else {
                continue;
            };
            dead.extend(cause.and_then(|cause| self.dead_copy(queue, &unsettled.item, cause)));
            if unsettled.item.stored.is_some() {
                let store = self.queues[queue].store.expect("a queue that stores is defined");
                settled.push(Placement { store, sequence: unsettled.item.sequence });
            }
        }
    }

    /// Makes a prepared branch happen. Nothing changes unless the journal takes it.
    pub(crate) fn commit_prepared(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        outcome: Outcome,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        self.check_decision(xid, step)?;
        let mut branch = self.branches.prepared.remove(xid).expect("it is prepared");
        let sent = match self.prepared_sends(&mut branch.work, step) {
            Ok(sent) => sent,
            Err(refusal) => {
                self.branches.prepared.insert(Arc::clone(xid), branch);
                let text = format!("branch {xid} stays prepared: {}", refusal.text);
                return Err(wrong(BranchError::Retry, text));
            }
        };
        self.branches.numbers.remove(&branch.number);
        let name = Some(TransactionName::Branch(Arc::clone(xid)));
        let ending = Ending { name, outcome, prepared: Some(branch.number) };
        self.tell_workers(session, &branch.work, true, step);
        self.commit_work(session, branch.work, &sent, &ending, None, step);
        self.branch_recorded(session, step.journal.last_lsn());
        Ok(())
    }

    /// Undoes a prepared branch. Nothing changes unless the journal takes it.
    pub(crate) fn undo_prepared(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        outcome: Outcome,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        if self.failed {
            return Err(stopped(BranchError::Unavailable, xid));
        }
        let branch = self.branches.prepared.remove(xid).expect("it is prepared");
        self.branches.numbers.remove(&branch.number);
        let name = TransactionName::Branch(Arc::clone(xid));
        let mut unit = step.journal.begin();
        unit.add(&Record::Dissolve { branch: branch.number });
        unit.add(&Record::Outcome { name, outcome });
        let lsn = unit.commit(Urgency::Awaited);
        self.branch_recorded(session, lsn);
        self.tell_workers(session, &branch.work, false, step);
        for work in branch.work.into_iter().rev() {
            self.undo_work(work, Some(lsn), step);
        }
        Ok(())
    }

    /// Forgets what a person decided.
    pub(crate) fn record_forget(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        if self.failed {
            return Err(stopped(BranchError::Unavailable, xid));
        }
        self.forget_outcome(session, xid, step);
        Ok(())
    }

    /// The same, where the journal is known to work.
    pub(crate) fn forget_outcome(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) {
        let mut unit = step.journal.begin();
        let name = TransactionName::Branch(Arc::clone(xid));
        unit.add(&Record::Outcome { name, outcome: Outcome::Forgotten });
        let lsn = unit.commit(Urgency::Awaited);
        self.branch_recorded(session, lsn);
    }

    fn branch_recorded(&mut self, session: SessionId, lsn: Lsn) {
        self.note_lsn(session, lsn);
        self.awaited = self.awaited.max(lsn);
        self.branches.lsn = lsn;
    }

    /// Whether the journal can take the commit of a prepared branch now.
    fn check_decision(&self, xid: &Arc<Xid>, step: &Step<'_>) -> Result<(), Refusal> {
        if self.failed {
            return Err(stopped(BranchError::Retry, xid));
        }
        let sends = self.branches.prepared[xid].work.iter().flat_map(|work| &work.sends);
        let persistent = sends.into_iter().any(|send| send.message.header.mode == DeliveryMode::Persistent);
        if persistent && step.journal.is_short_of_space() {
            return Err(wrong(BranchError::Retry, format!("branch {xid} stays prepared: {}", no_space().text)));
        }
        Ok(())
    }

    /// Where the sends of a prepared branch go. It was promised that it can commit: what is not there any more is made
    /// beyond every limit; what was sent to a temporary destination that died is gone with it. What the schedule has no
    /// room for has to wait.
    fn prepared_sends(&mut self, work: &mut [Transaction], step: &mut Step<'_>) -> Result<Vec<Sent>, Refusal> {
        let mut sent = Vec::new();
        for send in work.iter_mut().flat_map(|work| &mut work.sends) {
            if send.counted && send.producer.is_none() {
                // Where every remembered producer is in use the commit goes on without: it was promised, and all that is
                // lost is to know this send again.
                send.producer = step.journal.producers_mut().open(&send.message.header.id.producer).ok();
            }
            if self.is_for_schedule(&send.message, &send.address) {
                let later = self.for_schedule(&send.message, &send.address, step.now.wall, step.journal)?;
                sent.extend(later.into_iter().map(|message| Sent::to_schedule(send, message)));
                continue;
            }
            let leaves: Arc<[Leaf]> = match self.resolve(&send.address) {
                Route::One(place) => Arc::from(vec![(place, None)]),
                Route::Many(leaves) => leaves,
                Route::Refused(_) => self.leaves_beyond_limits(&send.address).into(),
                Route::Management => unreachable!("what is for the schedule was taken a line above"),
            };
            if !leaves.is_empty() {
                sent.push(Sent { send: send.clone(), leaves });
            }
        }
        Ok(sent)
    }

    fn leaves_beyond_limits(&mut self, address: &Address) -> Vec<Leaf> {
        let mut leaves: Vec<Leaf> = Vec::new();
        for (index, leaf) in address.leaves.iter().enumerate() {
            if leaf.is_pattern() {
                for (name, place) in self.existing(leaf) {
                    self.add_leaf(place, Some(Arc::new(name.clone())), &name, &mut leaves);
                }
                continue;
            }
            let known = self.places.get(&**leaf).copied();
            if known.is_none() && leaf.kind.is_temporary() {
                continue;
            }
            let place = known.unwrap_or_else(|| self.make_at(leaf, None));
            self.add_leaf(place, (index > 0).then(|| Arc::clone(leaf)), leaf, &mut leaves);
        }
        leaves
    }

    /// Recovery: a branch is prepared. What it settled leaves its queues' bands.
    pub(crate) fn restore_prepared(&mut self, prepared: Prepared) {
        let Prepared { branch: number, xid, at, sends, settled } = prepared;
        self.branches.last_number = self.branches.last_number.max(number);
        let index = self.subscriptions.insert(Subscription::keeper());
        self.holds += 1;
        let hold = self.holds;
        for Placement { store, sequence } in settled {
            self.lock_restored(index, hold, store, sequence);
        }
        let mut work = Transaction::default();
        let keeper = (self.subscriptions[index].live > 0).then(|| self.subscriptions.key(index));
        match keeper {
            None => {
                self.subscriptions.remove(index);
            }
            Some(subscription) => {
                let last = self.subscriptions[index].unsettled.len() as u64;
                let settlement = Settlement::Consumed;
                work.settlements.push(HeldSettlement { number: hold, subscription, first: 1, last, settlement });
            }
        }
        for send in sends {
            work.bytes += send.message.retained_size();
            work.sends.push(restored_send(send, None));
        }
        self.transactions_bytes += work.bytes;
        self.branches.numbers.insert(number, Arc::clone(&xid));
        self.branches.prepared.insert(xid, PreparedBranch { number, at, work: vec![work], keeper });
    }

    /// Recovery: a message that a prepared branch sends. The branch may be known no more, if it is decided.
    pub(crate) fn restore_held(&mut self, number: u64, at: Location, send: PreparedSend) {
        self.branches.restoring.entry(number).or_default().insert(at, restored_send(send, Some(at)));
    }

    /// Recovery is over: what branches still hold waits with them for their decision.
    pub(crate) fn restored_branches(&mut self) {
        for (number, sends) in std::mem::take(&mut self.branches.restoring) {
            // The journal gives a held message only with the prepare of its branch, or else with its decision.
            let xid = self.branches.numbers.get(&number).expect("what is held is held by a prepared branch");
            let branch = self.branches.prepared.get_mut(xid).expect("a number leads to a prepared branch");
            let work = &mut branch.work[0];
            let bytes: usize = sends.values().map(|send| send.message.retained_size()).sum();
            work.bytes += bytes;
            self.transactions_bytes += bytes;
            work.sends.extend(sends.into_values());
        }
    }

    fn lock_restored(&mut self, keeper: u32, hold: u64, store: StoreId, sequence: u64) {
        let Some(&queue) = self.stores.get(&store.0) else { return };
        let Some((band, position)) = self.queues[queue].find(sequence) else { return };
        let mut item = self.take(queue, band, position);
        item.redeliveries = item.redeliveries.max(1);
        self.queues[queue].in_flight += 1;
        let keeper = &mut self.subscriptions[keeper];
        keeper.unsettled.push_back(Unsettled { source: Source::Queue(queue), item, status: Status::Held(hold) });
        keeper.live += 1;
    }

    /// Recovery: whether a prepared branch has locked a message of this number.
    pub(crate) fn is_locked_restored(&self, queue: u32, sequence: u64) -> bool {
        let keepers = self.branches.prepared.values().filter_map(|branch| branch.keeper);
        let mut locked = keepers.filter_map(|key| self.subscriptions.find(key));
        self.queues[queue].in_flight > 0
            && locked.any(|index| {
                let mut unsettled = self.subscriptions[index].unsettled.iter();
                unsettled.any(|it| {
                    it.source == Source::Queue(queue) && it.item.sequence == sequence && it.status != Status::Settled
                })
            })
    }

    /// Recovery: a branch is decided. What it had locked is in its place again, until a record takes it away.
    pub(crate) fn restore_dissolved(&mut self, number: u64) {
        self.branches.restoring.remove(&number);
        let Some(xid) = self.branches.numbers.remove(&number) else { return };
        let branch = self.branches.prepared.remove(&xid).expect("a number leads to a prepared branch");
        self.transactions_bytes -= branch.work.iter().map(|work| work.bytes).sum::<usize>();
        let Some(index) = branch.keeper.and_then(|key| self.subscriptions.find(key)) else { return };
        for unsettled in self.subscriptions.remove(index).unsettled {
            let (Source::Queue(queue), Status::Held(_)) = (unsettled.source, unsettled.status) else { continue };
            let item = unsettled.item;
            if let Some(expiration) = item.expiration {
                self.expirations.insert((expiration.0, queue, item.sequence));
            }
            self.queues[queue].in_flight -= 1;
            self.queues[queue].insert(item);
        }
    }

    /// Recovery: messages left a store that prepared branches had locked.
    pub(crate) fn restore_remove_locked(&mut self, queue: u32, first: u64, last: u64, released: &mut Vec<Location>) {
        if self.queues[queue].in_flight == 0 {
            return;
        }
        let keepers: Vec<Key> = self.branches.prepared.values().filter_map(|branch| branch.keeper).collect();
        for index in keepers.into_iter().filter_map(|key| self.subscriptions.find(key)).collect::<Vec<_>>() {
            let keeper = &mut self.subscriptions[index];
            for position in (0..keeper.unsettled.len()).rev() {
                let unsettled = &keeper.unsettled[position];
                let here = unsettled.source == Source::Queue(queue) && unsettled.status != Status::Settled;
                if !here || !(first..=last).contains(&unsettled.item.sequence) {
                    continue;
                }
                let (_, item) = keeper.settle_at(position);
                let known = &mut self.queues[queue];
                known.in_flight -= 1;
                known.stored -= 1;
                known.memory -= item.resident();
                self.memory -= item.resident();
                released.extend(item.stored);
            }
            if self.subscriptions[index].live == 0 {
                self.subscriptions.remove(index);
            }
        }
    }
}

fn restored_send(send: PreparedSend, held: Option<Location>) -> HeldSend {
    let PreparedSend { leaves, counted, message } = send;
    let address = Arc::new(Address { leaves: leaves.into_iter().map(Arc::new).collect() });
    HeldSend { session: NOBODY, address, message, producer: None, counted, held }
}

/// A commit may be asked for again, says XA; of anything else nothing is known.
pub(crate) fn stopped(kind: BranchError, xid: &Xid) -> Refusal {
    let text = format!("branch {xid} stays as it is: the journal stopped, nothing more is made durable");
    wrong(kind, text)
}

impl Subscription {
    /// One that has ended and that no session had: it keeps deliveries of a time before a restart.
    fn keeper() -> Self {
        let leaf = Destination { kind: DestinationKind::Queue, name: Arc::from("") };
        let address = Arc::new(Address { leaves: vec![Arc::new(leaf)] });
        let wishes = Subscribe {
            // Who counted is forgotten: what nobody may see for years is not buried for it.
            gives_up: GivesUp::Consumer,
            ..Subscribe::consumer(SubscriptionId(0), Arc::clone(&address), 0)
        };
        Self {
            session: NOBODY,
            id: SubscriptionId(0),
            started: false,
            ended: true,
            eager: false,
            prefetch: 0,
            window: 0,
            pulled: 0,
            counted: VecDeque::new(),
            leaving: VecDeque::new(),
            first_delivery: 1,
            unsettled: VecDeque::new(),
            undecided_from: 1,
            open_from: 1,
            live: 0,
            selector: None,
            not_from: None,
            settles: Settles::WhenAcknowledged,
            priority: 0,
            exclusive: false,
            address,
            wishes: Arc::new(wishes),
            queues: Vec::new(),
            topics: Vec::new(),
            durable: None,
            browse: None,
            pending: VecDeque::new(),
            pending_limit: 0,
            held_bytes: 0,
            discarded: 0,
            slow: false,
        }
    }
}
