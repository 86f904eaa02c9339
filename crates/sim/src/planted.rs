//! Bugs that the harness plants between node and clients, or in the disk, to prove that the oracle sees them.
//!
//! None of them is in the product: a filter changes what the node hears or says, and the oracle must notice from what
//! clients ask and are told alone.

mod places;

use crate::disk::DiskDefect;
use crate::random::Random;
use ferrymq_model::{
    Deliveries, DeliveryMode, Event, Message, MessageId, Request, SessionId, Settlement, TransactionId, event::Report,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bug {
    /// Says that a persistent message is safe before it is.
    ConfirmsBeforeFlush,
    /// The disk reports syncs that it did not do.
    SkipsSync,
    /// The disk keeps half of some writes, so that units are partial after a crash.
    PartialUnit,
    /// After a restart some persistent messages are quietly consumed.
    LosesAfterRestart,
    /// Some sends are confirmed and dropped.
    DropsConfirmed,
    /// A delivery comes twice.
    DeliversTwice,
    /// What rolls back is committed instead.
    DeliversRolledBack,
    /// A transaction's send takes effect at once.
    LeaksFromTransaction,
    /// A transaction commits without one of its sends.
    BreaksTransaction,
    /// Redeliveries look like first deliveries.
    LosesRedelivered,
    /// Some first deliveries look like redeliveries.
    FalseRedelivered,
    /// Two neighbouring messages change places.
    Reorders,
    /// Some settlements never arrive, though they are confirmed.
    ResurrectsSettled,
    /// A queue's consumer gets more than its prefetch.
    ExceedsPrefetch,
    /// Selectors are ignored.
    IgnoresSelector,
    /// Selectors leave out some messages that they want.
    NarrowsSelector,
    /// Messages live for ever.
    IgnoresExpiry,
    /// Dead letters do not say why.
    LosesDeadLetterCause,
    /// What is poisoned is dropped.
    DropsDeadLetters,
    /// Two confirmations of a session change places.
    ReordersConfirmations,
    /// A confirmation comes twice.
    ConfirmsTwice,
    /// A message arrives with a changed body.
    ChangesBody,
    /// Memory is used beyond its limit.
    ExceedsMemory,
    /// Browsers miss some messages.
    HidesFromBrowser,
    /// A message that nobody sent.
    Invents,
    /// A STOMP connection loses a byte between two reads.
    LosesByte,
    /// A virtual topic's messages come to one group alone.
    FeedsOneGroup,
    /// Some of a virtual topic's messages come to its groups twice.
    FeedsGroupTwice,
    /// A restart forgets a group's queue with what it holds.
    ForgetsGroups,
    /// Each consumer of a shared subscription gets every message.
    SharesWithAll,
    /// A shared durable subscription ends with its last consumer.
    ForgetsShared,
    /// A message comes once more than it shall repeat.
    RepeatsOnceMore,
    /// A message comes once less than it shall repeat.
    RepeatsOnceLess,
    /// An occurrence that comes again comes as another one.
    RenamesOccurrences,
    /// A deletion is confirmed, and the queue stays with what it holds.
    KeepsDeleted,
    /// A purge is answered, and the messages stay.
    KeepsPurged,
    /// A temporary queue that is deleted stays.
    KeepsTemporary,
    /// Groups are ignored.
    SplitsGroups,
    /// Groups are never closed.
    KeepsGroups,
    /// Who gets a group is not told.
    LosesFirstOfGroup,
    /// Exclusive consumers share.
    SharesExclusive,
    /// Priorities are ignored.
    IgnoresPriority,
}

/// Every bug.
pub const BUGS: [Bug; 42] = [
    Bug::ConfirmsBeforeFlush,
    Bug::SkipsSync,
    Bug::PartialUnit,
    Bug::LosesAfterRestart,
    Bug::DropsConfirmed,
    Bug::DeliversTwice,
    Bug::DeliversRolledBack,
    Bug::LeaksFromTransaction,
    Bug::BreaksTransaction,
    Bug::LosesRedelivered,
    Bug::FalseRedelivered,
    Bug::Reorders,
    Bug::ResurrectsSettled,
    Bug::ExceedsPrefetch,
    Bug::IgnoresSelector,
    Bug::NarrowsSelector,
    Bug::IgnoresExpiry,
    Bug::LosesDeadLetterCause,
    Bug::DropsDeadLetters,
    Bug::ReordersConfirmations,
    Bug::ConfirmsTwice,
    Bug::ChangesBody,
    Bug::ExceedsMemory,
    Bug::HidesFromBrowser,
    Bug::Invents,
    Bug::LosesByte,
    Bug::FeedsOneGroup,
    Bug::FeedsGroupTwice,
    Bug::ForgetsGroups,
    Bug::SharesWithAll,
    Bug::ForgetsShared,
    Bug::RepeatsOnceMore,
    Bug::RepeatsOnceLess,
    Bug::RenamesOccurrences,
    Bug::KeepsDeleted,
    Bug::KeepsPurged,
    Bug::KeepsTemporary,
    Bug::SplitsGroups,
    Bug::KeepsGroups,
    Bug::LosesFirstOfGroup,
    Bug::SharesExclusive,
    Bug::IgnoresPriority,
];

/// The filter.
#[derive(Debug)]
pub struct Planted {
    bug: Option<Bug>,
    random: Random,
    restarted: bool,
    /// Transactions that lost a send.
    broken: BTreeSet<(SessionId, TransactionId)>,
}

impl Planted {
    /// A filter that plants one bug, or none.
    #[must_use]
    pub fn new(bug: Option<Bug>, random: Random) -> Self {
        Self { bug, random, restarted: false, broken: BTreeSet::new() }
    }

    /// What the disk must do for it.
    #[must_use]
    pub fn disk_defect(&self) -> DiskDefect {
        match self.bug {
            Some(Bug::SkipsSync) => DiskDefect::SkipsSync,
            Some(Bug::PartialUnit) => DiskDefect::HalvesWrites,
            Some(_) | None => DiskDefect::None,
        }
    }

    /// The node was started again.
    pub fn restarted(&mut self) {
        self.restarted = true;
    }

    /// What the node hears instead of a request, if anything. `early` takes events that are told at once.
    pub fn on_request(
        &mut self,
        session: SessionId,
        request: Request,
        early: &mut Vec<(SessionId, Event)>,
    ) -> Vec<Request> {
        let changed = self.change(session, request, early);
        changed.map_or_else(Vec::new, |request| self.misplace(session, request, early))
    }

    fn change(
        &mut self,
        session: SessionId,
        mut request: Request,
        early: &mut Vec<(SessionId, Event)>,
    ) -> Option<Request> {
        match (self.bug, &mut request) {
            (
                Some(Bug::ConfirmsBeforeFlush),
                Request::Send { confirm: confirm @ Some(_), message, transaction, .. },
            ) if message.header.mode == DeliveryMode::Persistent && transaction.is_none() => {
                early.extend(confirm.take().map(|token| (session, Event::Confirmed { token })));
            }
            (Some(Bug::DropsConfirmed), Request::Send { confirm: Some(token), transaction: None, .. })
                if self.random.percent(5) =>
            {
                return Some(Request::Confirm { confirm: *token });
            }
            (Some(Bug::LeaksFromTransaction), Request::Send { transaction, .. }) => *transaction = None,
            (Some(Bug::BreaksTransaction), Request::Send { transaction: Some(transaction), confirm, .. })
                if self.broken.insert((session, *transaction)) =>
            {
                return confirm.take().map(|confirm| Request::Confirm { confirm });
            }
            (Some(Bug::DeliversRolledBack), Request::Rollback { transaction, confirm }) => {
                return Some(Request::Commit { transaction: *transaction, confirm: *confirm });
            }
            (
                Some(Bug::ResurrectsSettled),
                Request::Settle { settlement: Settlement::Consumed, confirm, transaction: None, .. },
            ) if self.random.percent(10) => {
                return confirm.take().map(|confirm| Request::Confirm { confirm });
            }
            (Some(Bug::DropsDeadLetters), Request::Settle { settlement, .. })
                if matches!(settlement, Settlement::Poisoned(_)) =>
            {
                *settlement = Settlement::Consumed;
            }
            (Some(Bug::ExceedsPrefetch), Request::Subscribe(subscribe)) => subscribe.prefetch += 5,
            (Some(Bug::IgnoresSelector), Request::Subscribe(subscribe)) => subscribe.selector = None,
            (Some(Bug::NarrowsSelector), Request::Subscribe(subscribe)) => {
                subscribe.selector = subscribe.selector.take().map(|source| format!("({source}) AND n <> 4").into());
            }
            (Some(Bug::IgnoresExpiry), Request::Send { message, .. }) => {
                let mut changed = Message::clone(message);
                changed.header.expiration = None;
                *message = Arc::new(changed);
            }
            _ => {}
        }
        Some(request)
    }

    /// What clients are told instead of an event. `back` takes requests that the bug makes of its own.
    pub fn on_event(
        &mut self,
        session: SessionId,
        mut event: Event,
        told: &mut Vec<(SessionId, Event)>,
        back: &mut Vec<(SessionId, Request)>,
    ) {
        match (self.bug, &mut event) {
            (Some(Bug::LosesAfterRestart), Event::Deliver(delivery))
                if self.restarted
                    && delivery.message.header.mode == DeliveryMode::Persistent
                    && self.random.percent(10) =>
            {
                let one = Deliveries::One(delivery.delivery);
                return back.push((session, Request::settle(delivery.subscription, one, Settlement::Consumed)));
            }
            (Some(Bug::DeliversTwice), Event::Deliver(_)) if self.random.percent(5) => {
                told.push((session, event.clone()));
            }
            (Some(Bug::LosesFirstOfGroup), Event::Deliver(delivery)) => delivery.first_of_group = false,
            (Some(Bug::LosesRedelivered), Event::Deliver(delivery)) => delivery.redeliveries = 0,
            (Some(Bug::FalseRedelivered), Event::Deliver(delivery)) if self.random.percent(5) => {
                delivery.redeliveries += 1;
            }
            (Some(Bug::LosesDeadLetterCause), Event::Deliver(delivery)) => {
                change(&mut delivery.message, |message| {
                    if let Some(annotations) = &mut message.header.annotations {
                        annotations.added.clear();
                    }
                });
            }
            (Some(Bug::ChangesBody), Event::Deliver(delivery)) if self.random.percent(5) => {
                change(&mut delivery.message, |message| message.bytes = [&message.bytes[..], b"!"].concat().into());
            }
            (Some(Bug::RenamesOccurrences), Event::Deliver(delivery)) if delivery.redeliveries > 0 => {
                change(&mut delivery.message, places::rename_occurrence);
            }
            (Some(Bug::Invents), Event::Deliver(delivery)) if self.random.percent(5) => {
                change(&mut delivery.message, |message| {
                    message.header.id = MessageId { producer: Arc::from("ID:nobody"), sequence: 1 };
                });
            }
            (Some(Bug::ConfirmsTwice), Event::Confirmed { .. }) if self.random.percent(5) => {
                told.push((session, event.clone()));
            }
            (Some(Bug::ExceedsMemory), Event::Inspected { report, .. }) => {
                if let Report::Broker(report) = &mut **report {
                    report.memory_bytes += 1 << 40;
                }
            }
            _ => {}
        }
        told.push((session, event));
    }

    /// What becomes of a whole step's events.
    pub fn on_events(&mut self, told: &mut Vec<(SessionId, Event)>) {
        match self.bug {
            Some(Bug::Reorders) => {
                for at in 1..told.len() {
                    let (earlier, later) = told.split_at_mut(at);
                    let (Some((first, Event::Deliver(one))), (second, Event::Deliver(two))) =
                        (earlier.last_mut(), &mut later[0])
                    else {
                        continue;
                    };
                    if first == second && one.subscription == two.subscription {
                        std::mem::swap(&mut one.message, &mut two.message);
                        std::mem::swap(&mut one.redeliveries, &mut two.redeliveries);
                        std::mem::swap(&mut one.destination, &mut two.destination);
                    }
                }
            }
            Some(Bug::ReordersConfirmations) => {
                for at in 1..told.len() {
                    let same = told[at - 1].0 == told[at].0;
                    let both = [&told[at - 1].1, &told[at].1].map(|event| matches!(event, Event::Confirmed { .. }));
                    if same && both == [true, true] {
                        told.swap(at - 1, at);
                    }
                }
            }
            Some(Bug::HidesFromBrowser) => self.hide(told),
            Some(_) | None => {}
        }
    }

    /// Hides one message in front of the end of a browser, and numbers the rest as if it had not been.
    fn hide(&mut self, told: &mut Vec<(SessionId, Event)>) {
        let Some(end) = told.iter().position(|(_, event)| matches!(event, Event::BrowseEnd { .. })) else { return };
        let shown = told[..end].iter().rposition(|(_, event)| matches!(event, Event::Deliver(_)));
        if let Some(at) = shown {
            told.remove(at);
        }
    }
}

fn change(message: &mut Arc<Message>, how: impl FnOnce(&mut Message)) {
    let mut changed = Message::clone(message);
    how(&mut changed);
    *message = Arc::new(changed);
}
