//! What a transaction holds until it ends: sends with their addresses, and settlements.
//!
//! A settlement marks its deliveries as held, which opens the window for others.

use crate::broker::{Broker, Step, refusal};
use crate::counted::Fate;
use crate::router::Route;
use crate::settle::bounds;
use crate::slab::Key;
use crate::subscription::Status;
use ferrymq_model::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX};
use ferrymq_model::{
    Address, Deliveries, Message, ProducerId, Refusal, RefusalKind, SessionId, Settlement, SubscriptionId, Token,
    TransactionId, Xid,
};
use ferrymq_storage::{Location, Lsn, ProducerSlot};
use std::sync::Arc;

/// Work that waits for its end: a local transaction, or what one session did for a branch.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// What its client calls it.
    pub(crate) name: Option<Arc<str>>,
    /// The branch that it belongs to.
    pub(crate) branch: Option<Arc<Xid>>,
    /// The session that does it for the branch, and what that calls it; none for a local one and after a restart.
    pub(crate) worker: Option<(SessionId, TransactionId)>,
    /// In order.
    pub(crate) sends: Vec<HeldSend>,
    /// In order.
    pub(crate) settlements: Vec<HeldSettlement>,
    /// Bytes of the messages that it sends.
    pub(crate) bytes: usize,
    /// Why it must not be committed: something of it was refused, and nobody waited for the answer.
    pub(crate) misses: Option<Refusal>,
}

/// A send that waits for the commit.
#[derive(Clone, Debug)]
pub(crate) struct HeldSend {
    /// Who sent it.
    pub(crate) session: SessionId,
    /// Where it goes.
    pub(crate) address: Arc<Address>,
    /// The message.
    pub(crate) message: Arc<Message>,
    /// Its producer, if its sequence counts; held in use.
    pub(crate) producer: Option<ProducerSlot>,
    /// Its sequence counts. Without a `producer`, that is found by its name.
    pub(crate) counted: bool,
    /// Where the journal holds it, once its branch is prepared.
    pub(crate) held: Option<Location>,
}

/// A settlement that waits for the commit.
#[derive(Debug)]
pub(crate) struct HeldSettlement {
    /// Marks its deliveries.
    pub(crate) number: u64,
    /// Whose deliveries.
    pub(crate) subscription: Key,
    /// From this delivery,
    pub(crate) first: u64,
    /// to this.
    pub(crate) last: u64,
    /// What becomes of them.
    pub(crate) settlement: Settlement,
}

/// What became of a send.
enum Held {
    /// It waits for the commit.
    Kept,
    /// It was taken before, by this record.
    Before(Lsn),
}

impl Transaction {
    fn check_room(&self) -> Result<(), Refusal> {
        if self.sends.len() + self.settlements.len() < TRANSACTION_OPERATIONS_MAX {
            return Ok(());
        }
        let text = format!("a transaction holds at most {TRANSACTION_OPERATIONS_MAX} sends and settlements");
        Err(refusal(RefusalKind::LimitReached, text))
    }

    /// Whether nothing was sent or settled, or was to be.
    pub(crate) fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.settlements.is_empty() && self.misses.is_none()
    }
}

impl Broker {
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
        if let Err(refusal) = self.check_refusing(session, producer, &message) {
            return self.refuse_held(session, transaction, confirm, refusal, step);
        }
        match self.try_hold_send(session, producer, message, transaction, step) {
            Err(refusal) => self.refuse_held(session, transaction, confirm, refusal, step),
            Ok(held) => {
                if let Held::Before(lsn) = held {
                    self.note_lsn(session, lsn);
                }
                self.confirm(session, confirm, step);
            }
        }
    }

    fn try_hold_send(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        message: Arc<Message>,
        transaction: TransactionId,
        step: &mut Step<'_>,
    ) -> Result<Held, Refusal> {
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
        let producer = known.counts(&message);
        let message = known.named(message);
        let Some(open) = state.transactions.get_mut(&transaction.0) else {
            return Err(unknown(transaction));
        };
        let producers = step.journal.producers_mut();
        if let Some(before) = producer.and_then(|slot| producers.taken(slot, message.header.id.sequence)) {
            return Ok(Held::Before(before));
        }
        let size = message.retained_size();
        open.check_room()?;
        if open.bytes + size > TRANSACTION_BYTES_MAX || total + size > limit {
            let text = "open transactions hold as many bytes of messages as they may";
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        open.bytes += size;
        if let Some(slot) = producer {
            producers.share(slot);
        }
        let (message, counted) = (Arc::new(message.detached()), producer.is_some());
        open.sends.push(HeldSend { session, address, message, producer, counted, held: None });
        self.transactions_bytes += size;
        Ok(Held::Kept)
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
            Err(refusal) => self.refuse_held(session, transaction, confirm, refusal, step),
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
            Settlement::Consumed
            | Settlement::Delivered
            | Settlement::Undelivered
            | Settlement::Returned
            | Settlement::Expired
            | Settlement::Poisoned(_) => {}
        }
        let number = self.holds + 1;
        let mut held = self.decide_counted(index, first, last, &settlement, |status| match status {
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

    /// Refuses what a transaction was to hold. Who does not wait for the answer may have asked for the commit already: the
    /// transaction must not happen without it.
    fn refuse_held(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        confirm: Option<Token>,
        refusal: Refusal,
        step: &mut Step<'_>,
    ) {
        if confirm.is_none() {
            let misses = match self.asking(session).transactions.get_mut(&transaction.0) {
                Some(open) => Some(&mut open.misses),
                None => self.branches.ended_work((session, transaction)).map(|work| &mut work.misses),
            };
            if let Some(misses) = misses {
                misses.get_or_insert_with(|| refusal.clone());
            }
        }
        self.refuse(session, confirm, refusal, step);
    }
}

/// The answer to whoever names a transaction that is not open.
pub(crate) fn unknown(transaction: TransactionId) -> Refusal {
    refusal(RefusalKind::Unknown, format!("transaction {} is not open", transaction.0))
}
