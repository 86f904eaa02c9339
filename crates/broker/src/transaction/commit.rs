//! How work ends: all of it in one unit, or undone.
//!
//! A commit first makes sure that every send can go where it wants, then records everything as one unit. What it sends
//! stands in its queues at once, so that later messages do not overtake it, but is delivered only when the unit is
//! durable.

use crate::broker::{Broker, Step, refusal};
use crate::counted::Fate;
use crate::router::{Leaf, Planned, Route, no_space};
use crate::session::Full;
use crate::slab::Key;
use crate::subscription::{Source, Status};
use crate::transaction::Transaction;
use crate::transaction::hold::{HeldSend, HeldSettlement};
use ferrymq_model::{Address, DeliveryMode, Message, Refusal, RefusalKind, SessionId, Settlement, Token};
use ferrymq_storage::{Lsn, Outcome, Record, TransactionName, Urgency};
use std::sync::Arc;

/// A send on its way through a commit.
pub(crate) struct Sent {
    pub(crate) send: HeldSend,
    pub(crate) leaves: Arc<[Leaf]>,
}

impl Sent {
    /// A send that the schedule takes: another message than the one that was sent.
    pub(crate) fn to_schedule(send: &HeldSend, message: Arc<Message>) -> Self {
        Self { send: HeldSend { message, held: None, ..send.clone() }, leaves: Arc::from([]) }
    }
}

/// What a commit says of the transaction that it ends.
pub(crate) struct Ending {
    /// Remembered under this name.
    pub(crate) name: Option<TransactionName>,
    /// What is remembered.
    pub(crate) outcome: Outcome,
    /// The prepared branch that it decides.
    pub(crate) prepared: Option<u64>,
}

impl Broker {
    /// Whether work can be committed, and where each of its sends goes.
    pub(crate) fn check_commit(&mut self, work: &[Transaction], step: &Step<'_>) -> Result<Vec<Sent>, Refusal> {
        if let Some(missed) = work.iter().find_map(|work| work.misses.as_ref()) {
            let text = format!("something of the transaction was refused before: {}", missed.text);
            return Err(refusal(missed.kind, text));
        }
        let sends = || work.iter().flat_map(|work| &work.sends);
        let persistent = sends().any(|send| send.message.header.mode == DeliveryMode::Persistent);
        if self.failed && work.iter().any(|work| !work.is_empty()) {
            return Err(refusal(RefusalKind::StoreFailed, "the journal stopped: nothing more is made durable"));
        }
        if persistent && step.journal.is_short_of_space() {
            return Err(no_space());
        }
        let mut sent: Vec<Sent> = Vec::with_capacity(sends().count());
        let mut last: Option<(&Arc<Address>, Arc<[Leaf]>)> = None;
        for send in sends() {
            if self.is_for_schedule(&send.message, &send.address) {
                let later = self.for_schedule(&send.message, &send.address, step.now.wall, step.journal)?;
                sent.extend(later.into_iter().map(|message| Sent::to_schedule(send, message)));
                continue;
            }
            let leaves = match &last {
                Some((known, leaves)) if Arc::ptr_eq(known, &send.address) => Arc::clone(leaves),
                _ => match self.resolve(&send.address) {
                    Route::One(place) => Arc::from(vec![(place, None)]),
                    Route::Many(leaves) => leaves,
                    Route::Refused(refusal) => return Err(*refusal),
                    Route::Management => unreachable!("what is for the schedule was taken a line above"),
                },
            };
            self.check_room(&leaves)?;
            last = Some((&send.address, Arc::clone(&leaves)));
            sent.push(Sent { send: send.clone(), leaves });
        }
        Ok(sent)
    }

    /// Makes work happen that was checked, and answers.
    pub(crate) fn commit_work(
        &mut self,
        session: SessionId,
        work: Vec<Transaction>,
        sent: &[Sent],
        ending: &Ending,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let mut touched = Vec::new();
        for work in &work {
            self.transactions_bytes -= work.bytes;
            for held in &work.settlements {
                self.apply_held(held, &mut touched, step);
            }
        }
        let (planned, placed, lsn) = self.record_commit(session, sent, ending, step);
        let held = lsn.is_some();
        let lsn = lsn.unwrap_or_default();
        for (Sent { send, leaves }, planned) in sent.iter().zip(planned) {
            self.carry(send.session, &send.message, leaves, &planned, (lsn, held), step);
            if let Some(slot) = send.producer {
                step.journal.producers_mut().take(slot, send.message.header.id.sequence);
            }
        }
        for slot in work.iter().flat_map(|work| &work.sends).filter_map(|send| send.producer) {
            step.journal.producers_mut().close(slot);
        }
        self.finish_work(placed, lsn, held, step);
        for sent in sent {
            for (place, _) in sent.leaves.iter() {
                self.pause_if_full(session, *place, step);
            }
        }
        self.pause_if_schedule_is_full(session, step);
        if self.memory >= self.settings.memory_limit_bytes {
            self.pause(session, Full::Broker, step);
        }
        self.confirm(session, confirm, step);
        self.go_on_touched(&touched, step);
    }

    fn apply_held(&mut self, held: &HeldSettlement, touched: &mut Vec<Key>, step: &mut Step<'_>) {
        let Some(index) = self.subscriptions.find(held.subscription) else { return };
        if !touched.contains(&held.subscription) {
            touched.push(held.subscription);
        }
        self.decide_counted(index, held.first, held.last, &held.settlement, |status| {
            match (status, &held.settlement) {
                (Status::Held(number), _) if number != held.number => None,
                (Status::Held(_), Settlement::Delivered) => Some(Fate::Becomes(Status::Working)),
                (Status::Held(_), _) => Some(Fate::Goes),
                (Status::Open | Status::Working | Status::Settled, _) => None,
            }
        });
        let base = self.subscriptions[index].first_delivery;
        let span = self.subscriptions[index].span(held.first, held.last);
        let backwards = matches!(held.settlement, Settlement::Undelivered | Settlement::Returned);
        for offset in 0..span.len() {
            let position = if backwards { span.end - 1 - offset } else { span.start + offset };
            let subscription = &mut self.subscriptions[index];
            let Some(position) = (base + position as u64).checked_sub(subscription.first_delivery) else { continue };
            let position = usize::try_from(position).expect("an unsettled delivery is in memory");
            let Some(unsettled) = subscription.unsettled.get_mut(position) else { continue };
            if unsettled.status != Status::Held(held.number) {
                continue;
            }
            if held.settlement == Settlement::Delivered {
                unsettled.status = Status::Working;
                subscription.undecided_from = subscription.undecided_from.min(held.first);
                continue;
            }
            let ended = subscription.ended;
            let (source, item) = subscription.settle_at(position);
            if ended && let Source::Queue(queue) = source {
                self.returned.push(queue);
            }
            self.apply(index, source, item, &held.settlement, step);
        }
    }

    /// Records the sends, what the settlements collected, and what became of the transaction as one unit.
    fn record_commit(
        &mut self,
        session: SessionId,
        sent: &[Sent],
        ending: &Ending,
        step: &mut Step<'_>,
    ) -> (Vec<Planned>, crate::work::Placed, Option<Lsn>) {
        let mut unit = None;
        let mut journal = Some(&mut *step.journal);
        let mut planned = Vec::with_capacity(sent.len());
        for Sent { send, leaves } in sent {
            self.counting = send.producer;
            self.holding = ending.prepared.zip(send.held);
            let plan = self.plan_in(send.session, &send.message, leaves, &mut unit, &mut journal);
            planned.push(plan.expect("a commit is refused before it begins, if the journal stopped"));
        }
        (self.counting, self.holding) = (None, None);
        if (!self.work.is_empty() || ending.prepared.is_some())
            && let Some(journal) = journal.take()
        {
            unit = Some(journal.begin());
        }
        let Some(mut unit) = unit else {
            if let Some(name) = &ending.name {
                // Nothing of it outlives this process, and nobody asks later whether it happened.
                step.journal.outcomes_mut().note(name, ending.outcome, Lsn(0));
            }
            return (planned, Vec::new(), None);
        };
        if let Some(branch) = ending.prepared {
            // Behind what stays where the branch held it. Before the rest: what the branch had locked is in its place
            // again when what follows takes it away.
            unit.add(&Record::Dissolve { branch });
        }
        let placed = self.write_work(&mut unit);
        if let Some(name) = &ending.name {
            unit.add(&Record::Outcome { name: name.clone(), outcome: ending.outcome });
        }
        // Even where nobody asked for a confirmation, consumers wait for what was sent.
        let lsn = unit.commit(Urgency::Awaited);
        self.note_lsn(session, lsn);
        self.awaited = self.awaited.max(lsn);
        (planned, placed, Some(lsn))
    }

    /// Gives the deliveries of work back to whom they were delivered; if that is gone, to the queue, and to others only
    /// when the record `decided` is durable.
    pub(crate) fn undo_work(&mut self, work: Transaction, decided: Option<Lsn>, step: &mut Step<'_>) {
        self.transactions_bytes -= work.bytes;
        for slot in work.sends.iter().filter_map(|send| send.producer) {
            step.journal.producers_mut().close(slot);
        }
        let mut touched = Vec::new();
        for held in work.settlements.iter().rev() {
            let Some(index) = self.subscriptions.find(held.subscription) else { continue };
            let subscription = &mut self.subscriptions[index];
            let span = subscription.span(held.first, held.last);
            if subscription.ended {
                for position in span {
                    let unsettled = &mut subscription.unsettled[position];
                    if let Some(lsn) = decided.filter(|_| unsettled.status == Status::Held(held.number)) {
                        unsettled.item.held = true;
                        unsettled.item.lsn = lsn;
                    }
                }
                let back = HeldSettlement { settlement: Settlement::Undelivered, ..*held };
                self.apply_held(&back, &mut touched, step);
                continue;
            }
            self.decide_counted(index, held.first, held.last, &held.settlement, |status| match status {
                Status::Held(number) if number == held.number => Some(Fate::Becomes(Status::Open)),
                Status::Held(_) | Status::Open | Status::Working | Status::Settled => None,
            });
            let subscription = &mut self.subscriptions[index];
            subscription.reopened(held.first);
            for position in subscription.span(held.first, held.last) {
                let status = &mut subscription.unsettled[position].status;
                if *status == Status::Held(held.number) {
                    *status = Status::Open;
                    subscription.window += 1;
                }
            }
            self.refresh_credit(index);
        }
        self.go_on_touched(&touched, step);
    }

    /// Goes on with subscriptions whose deliveries a transaction settled, and forgets those that had ended.
    fn go_on_touched(&mut self, touched: &[Key], step: &mut Step<'_>) {
        for &key in touched {
            let Some(index) = self.subscriptions.find(key) else { continue };
            let subscription = &self.subscriptions[index];
            if !subscription.ended {
                self.go_on(index, step);
            } else if subscription.live == 0 {
                self.subscriptions.remove(index);
            }
        }
        // What came back of an ended subscription may go to others: its queues are no longer known by it.
        for queue in std::mem::take(&mut self.returned) {
            if self.queues.get(queue).is_some() {
                self.dispatch(queue, step);
            }
        }
    }

    /// Delivers what waited for a commit to be durable.
    pub(crate) fn release_held(&mut self, step: &mut Step<'_>) {
        while let Some(&(lsn, queue)) = self.held_queues.front() {
            if lsn > self.flushed {
                break;
            }
            self.held_queues.pop_front();
            if self.queues.get(queue).is_some_and(|queue| queue.ready > 0) {
                self.queues[queue].version += 1;
                self.dispatch(queue, step);
            }
        }
        while let Some(&(lsn, subscription)) = self.held_subscriptions.front() {
            if lsn > self.flushed {
                return;
            }
            self.held_subscriptions.pop_front();
            if self.subscriptions.get(subscription).is_some_and(|subscription| !subscription.pending.is_empty()) {
                self.go_on(subscription, step);
            }
        }
    }
}
