//! Local transactions of one session.
//!
//! A send is held with its address; a settlement marks its deliveries as held, which opens the window for others. A
//! commit first makes sure that every send can go where it wants, then records everything as one unit. What it sends
//! stands in its queues at once, so that later messages do not overtake it, but is delivered only when the unit is
//! durable.

use crate::broker::{Broker, Step, refusal};
use crate::router::{Leaf, Planned, Route, no_space};
use crate::session::Full;
use crate::settle::bounds;
use crate::slab::Key;
use crate::subscription::{Source, Status};
use crate::written::Fate;
use ferrymq_model::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX, TRANSACTIONS_PER_SESSION_MAX};
use ferrymq_model::{
    Address, Deliveries, DeliveryMode, Message, ProducerId, Refusal, RefusalKind, SessionId, Settlement,
    SubscriptionId, Token, TransactionId, WallTime,
};
use ferrymq_storage::{Journal, Lsn, Urgency};
use std::sync::Arc;

/// An open transaction.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    sends: Vec<(Arc<Address>, Arc<Message>)>,
    settlements: Vec<HeldSettlement>,
    bytes: usize,
}

/// A settlement that waits for the commit.
#[derive(Debug)]
struct HeldSettlement {
    number: u64,
    subscription: Key,
    first: u64,
    last: u64,
    settlement: Settlement,
}

/// A send on its way through a commit.
struct Sent {
    message: Arc<Message>,
    leaves: Arc<[Leaf]>,
}

impl Broker {
    /// Starts a transaction.
    pub(crate) fn begin(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        _name: Option<Arc<str>>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let transactions = &mut self.asking(session).transactions;
        if transactions.contains_key(&transaction.0) {
            let refusal = refusal(RefusalKind::Duplicate, format!("transaction {} is open", transaction.0));
            return self.refuse(session, confirm, refusal, step);
        }
        if transactions.len() >= TRANSACTIONS_PER_SESSION_MAX {
            let text = format!("a session has at most {TRANSACTIONS_PER_SESSION_MAX} open transactions");
            return self.refuse(session, confirm, refusal(RefusalKind::LimitReached, text), step);
        }
        transactions.insert(transaction.0, Transaction::default());
        self.confirm(session, confirm, step);
    }

    /// Holds a send until its transaction commits.
    pub(crate) fn hold_send(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        message: Arc<Message>,
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let message = self.signed(session, message);
        self.refresh_route(session, producer);
        match self.try_hold_send(session, producer, message, transaction) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(()) => self.confirm(session, confirm, step),
        }
    }

    fn try_hold_send(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        message: Arc<Message>,
        transaction: TransactionId,
    ) -> Result<(), Refusal> {
        let total = self.transactions_bytes;
        let limit = self.settings.memory_limit_bytes;
        let state = self.asking(session);
        let Some(known) = state.producers.get(&producer.0) else {
            return Err(refusal(RefusalKind::Unknown, format!("producer {} is not known", producer.0)));
        };
        if let Route::Refused(refusal) = &known.route {
            return Err((**refusal).clone());
        }
        let address = Arc::clone(&known.address);
        let Some(open) = state.transactions.get_mut(&transaction.0) else {
            return Err(unknown(transaction));
        };
        let size = message.retained_size();
        open.check_room()?;
        if open.bytes + size > TRANSACTION_BYTES_MAX || total + size > limit {
            let text = "open transactions hold as many bytes of messages as they may";
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        open.bytes += size;
        open.sends.push((address, Arc::new(message.detached())));
        self.transactions_bytes += size;
        Ok(())
    }

    /// Holds a settlement until its transaction commits.
    pub(crate) fn hold_settle(
        &mut self,
        session: SessionId,
        (subscription, deliveries, settlement): (SubscriptionId, Deliveries, Settlement),
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        match self.try_hold_settle(session, subscription, deliveries, settlement, transaction) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(index) => {
                self.confirm(session, confirm, step);
                self.go_on(index, step);
            }
        }
    }

    fn try_hold_settle(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        deliveries: Deliveries,
        settlement: Settlement,
        transaction: TransactionId,
    ) -> Result<u32, Refusal> {
        let state = self.asking(session);
        let Some(&index) = state.subscriptions.get(&subscription.0) else {
            return Err(refusal(RefusalKind::Unknown, format!("subscription {} is not known", subscription.0)));
        };
        let Some(open) = state.transactions.get(&transaction.0) else { return Err(unknown(transaction)) };
        open.check_room()?;
        let (first, last) = bounds(deliveries);
        match settlement {
            // It concerns memory alone, not the outcome.
            Settlement::Written => {
                self.forget_written(index, last);
                return Ok(index);
            }
            // They stay as they are, and are counted when the transaction commits.
            Settlement::Redelivered => {
                let held =
                    HeldSettlement { number: 0, subscription: self.subscriptions.key(index), first, last, settlement };
                let open = self.asking(session).transactions.get_mut(&transaction.0).expect("it was open a moment ago");
                open.settlements.push(held);
                return Ok(index);
            }
            Settlement::Consumed
            | Settlement::Delivered
            | Settlement::Undelivered
            | Settlement::Expired
            | Settlement::Poisoned(_) => {}
        }
        let number = self.holds + 1;
        let mut held = self.decide_written(index, first, last, &settlement, |status| match status {
            Status::Open | Status::Working => Some(Fate::Becomes(Status::Held(number))),
            Status::Held(_) | Status::Settled => None,
        });
        let known = &mut self.subscriptions[index];
        for position in known.undecided(first, last, &Settlement::Consumed) {
            let status = &mut known.unsettled[position].status;
            match status {
                Status::Open => known.window -= 1,
                Status::Working => {}
                Status::Held(_) | Status::Settled => continue,
            }
            *status = Status::Held(number);
            held += 1;
        }
        known.decided(first, last, &Settlement::Consumed);
        if held == 0 && matches!(deliveries, Deliveries::One(_)) {
            let text = format!("the delivery of subscription {} is not unsettled", subscription.0);
            return Err(refusal(RefusalKind::Unknown, text));
        }
        self.holds = number;
        let subscription = self.subscriptions.key(index);
        let open = self.asking(session).transactions.get_mut(&transaction.0).expect("it was open a moment ago");
        open.settlements.push(HeldSettlement { number, subscription, first, last, settlement });
        Ok(index)
    }

    /// Makes everything of a transaction happen, or refuses and changes nothing.
    pub(crate) fn commit(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let sent = match self.check_commit(session, transaction, step.now.wall, step.journal) {
            Err(refusal) => return self.refuse(session, confirm, refusal, step),
            Ok(sent) => sent,
        };
        let known = self.asking(session).transactions.remove(&transaction.0).expect("it was checked");
        self.transactions_bytes -= known.bytes;
        let mut touched = Vec::new();
        for held in &known.settlements {
            self.apply_held(held, &mut touched, step);
        }
        let (planned, placed, lsn) = self.record_commit(session, &sent, step);
        let held = lsn.is_some();
        let lsn = lsn.unwrap_or_default();
        for (sent, planned) in sent.iter().zip(planned) {
            self.carry(session, &sent.message, &sent.leaves, &planned, (lsn, held), step);
        }
        self.finish_work(placed, lsn, held, step);
        for sent in &sent {
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

    /// Whether a transaction can commit, and where each of its sends goes.
    fn check_commit(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        now: WallTime,
        journal: &Journal,
    ) -> Result<Vec<Sent>, Refusal> {
        let Some(open) = self.asking(session).transactions.get(&transaction.0) else {
            return Err(unknown(transaction));
        };
        let sends = open.sends.clone();
        let dead = open.settlements.iter().any(|held| matches!(held.settlement, Settlement::Poisoned(_)));
        let persistent = sends.iter().any(|(_, message)| message.header.mode == DeliveryMode::Persistent);
        if self.failed && (persistent || dead || !open_is_empty(self.session(session), transaction)) {
            return Err(refusal(RefusalKind::StoreFailed, "the journal stopped: nothing more is made durable"));
        }
        if persistent && journal.is_short_of_space() {
            return Err(no_space());
        }
        let mut sent: Vec<Sent> = Vec::with_capacity(sends.len());
        let mut last: Option<(Arc<Address>, Arc<[Leaf]>)> = None;
        for (address, message) in sends {
            if self.is_for_schedule(&message, &address) {
                let later = self.for_schedule(&message, &address, now, journal)?.into_iter();
                sent.extend(later.map(|message| Sent { message, leaves: Arc::from([]) }));
                continue;
            }
            let leaves = match &last {
                Some((known, leaves)) if Arc::ptr_eq(known, &address) => Arc::clone(leaves),
                _ => match self.resolve(&address) {
                    Route::One(place) => Arc::from(vec![(place, None)]),
                    Route::Many(leaves) => leaves,
                    Route::Refused(refusal) => return Err(*refusal),
                    Route::Management => unreachable!("what is for the schedule was taken a line above"),
                },
            };
            self.check_room(&leaves)?;
            last = Some((address, Arc::clone(&leaves)));
            sent.push(Sent { message, leaves });
        }
        Ok(sent)
    }

    fn apply_held(&mut self, held: &HeldSettlement, touched: &mut Vec<Key>, step: &mut Step<'_>) {
        let Some(index) = self.subscriptions.find(held.subscription) else { return };
        if !touched.contains(&held.subscription) {
            touched.push(held.subscription);
        }
        if held.settlement == Settlement::Redelivered {
            self.settle_unsettled(index, held.first, held.last, &held.settlement, step);
            return;
        }
        self.decide_written(index, held.first, held.last, &held.settlement, |status| {
            match (status, &held.settlement) {
                (Status::Held(number), _) if number != held.number => None,
                (Status::Held(_), Settlement::Delivered) => Some(Fate::Becomes(Status::Working)),
                (Status::Held(_), _) => Some(Fate::Goes),
                (Status::Open | Status::Working | Status::Settled, _) => None,
            }
        });
        let base = self.subscriptions[index].first_delivery;
        let span = self.subscriptions[index].span(held.first, held.last);
        let backwards = held.settlement == Settlement::Undelivered;
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

    /// Records the sends and what the settlements collected as one unit.
    fn record_commit(
        &mut self,
        session: SessionId,
        sent: &[Sent],
        step: &mut Step<'_>,
    ) -> (Vec<Planned>, crate::work::Placed, Option<Lsn>) {
        let mut unit = None;
        let mut journal = Some(&mut *step.journal);
        let mut planned = Vec::with_capacity(sent.len());
        for sent in sent {
            let plan = self.plan_in(session, &sent.message, &sent.leaves, &mut unit, &mut journal);
            planned.push(plan.expect("a commit is refused before it begins, if the journal stopped"));
        }
        if !self.work.is_empty()
            && let Some(journal) = journal.take()
        {
            unit = Some(journal.begin());
        }
        let Some(mut unit) = unit else { return (planned, Vec::new(), None) };
        let placed = self.write_work(&mut unit);
        // Even where nobody asked for a confirmation, consumers wait for what was sent.
        let lsn = unit.commit(Urgency::Awaited);
        self.note_lsn(session, lsn);
        self.awaited = self.awaited.max(lsn);
        (planned, placed, Some(lsn))
    }

    /// Forgets everything of a transaction: its deliveries are unsettled again.
    pub(crate) fn rollback(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        if !self.asking(session).transactions.contains_key(&transaction.0) {
            return self.refuse(session, confirm, unknown(transaction), step);
        }
        self.undo_transaction(session, transaction.0, step);
        self.record_work(confirm.is_some(), Some(session), step);
        self.confirm(session, confirm, step);
    }

    /// Takes a transaction away and gives its deliveries back to whom they were delivered; if it is gone, to the queue.
    pub(crate) fn undo_transaction(&mut self, session: SessionId, transaction: u64, step: &mut Step<'_>) {
        let Some(open) = self.asking(session).transactions.remove(&transaction) else { return };
        self.transactions_bytes -= open.bytes;
        let mut touched = Vec::new();
        for held in open.settlements.iter().rev() {
            let Some(index) = self.subscriptions.find(held.subscription) else { continue };
            if self.subscriptions[index].ended {
                let back = HeldSettlement { settlement: Settlement::Undelivered, ..*held };
                self.apply_held(&back, &mut touched, step);
                continue;
            }
            if held.settlement == Settlement::Redelivered {
                continue;
            }
            self.decide_written(index, held.first, held.last, &held.settlement, |status| match status {
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

impl Transaction {
    fn check_room(&self) -> Result<(), Refusal> {
        if self.sends.len() + self.settlements.len() < TRANSACTION_OPERATIONS_MAX {
            return Ok(());
        }
        let text = format!("a transaction holds at most {TRANSACTION_OPERATIONS_MAX} sends and settlements");
        Err(refusal(RefusalKind::LimitReached, text))
    }

    fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.settlements.is_empty()
    }
}

fn open_is_empty(session: Option<&crate::session::SessionState>, transaction: TransactionId) -> bool {
    session.and_then(|state| state.transactions.get(&transaction.0)).is_none_or(Transaction::is_empty)
}

fn unknown(transaction: TransactionId) -> Refusal {
    refusal(RefusalKind::Unknown, format!("transaction {} is not open", transaction.0))
}
