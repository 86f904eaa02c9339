//! Copies of messages, the operations that move them, and what a crash leaves possible.

use super::Oracle;
use super::facts::{Promise, StoreKey};
use ferrymq_model::{DeliveryId, MessageId, SessionId, SubscriptionId};

/// A copy's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct CopyId(pub(super) usize);

/// An operation's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct OperationId(pub(super) usize);

/// Where a copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In its store.
    Here,
    /// Not, or not any more.
    Gone,
}

/// Where a copy may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Possible {
    pub(super) here: bool,
    pub(super) gone: bool,
}

impl Possible {
    pub(super) const HERE: Self = Self { here: true, gone: false };
    pub(super) const GONE: Self = Self { here: false, gone: true };
    pub(super) const EITHER: Self = Self { here: true, gone: true };

    pub(super) fn only(place: Place) -> Self {
        match place {
            Place::Here => Self::HERE,
            Place::Gone => Self::GONE,
        }
    }

    pub(super) fn allows(self, place: Place) -> bool {
        match place {
            Place::Here => self.here,
            Place::Gone => self.gone,
        }
    }

    fn or(self, other: Self) -> Self {
        Self { here: self.here || other.here, gone: self.gone || other.gone }
    }
}

/// Something that happens whole or not at all.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// The step in which it was asked.
    pub(super) step: u64,
    pub(super) durable: bool,
    /// Whether it is a transaction's commit: its sends are seen only after it is durable.
    pub(super) commit: bool,
    pub(super) effects: Vec<CopyId>,
}

/// A message in one store.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) message: MessageId,
    pub(super) store: StoreKey,
    /// Position in its store.
    pub(super) index: usize,
    /// Whether it must survive a crash.
    pub(super) persistent: bool,
    /// The incarnation in which it was placed.
    pub(super) born: u32,
    /// The operation that placed it.
    pub(super) placed_by: OperationId,
    /// For a dead letter: the store it comes from.
    pub(super) moved_from: Option<StoreKey>,
    /// Who has it.
    pub(super) holder: Option<(SessionId, SubscriptionId, DeliveryId)>,
    /// Deliveries in this incarnation, and the count that the first of them carried.
    pub(super) deliveries: u32,
    pub(super) first_redeliveries: u32,
    /// Of its deliveries in this life of the node, those that came back unseen: they count for nothing.
    pub(super) unseen: u32,
    /// The step of the first delivery in this incarnation.
    pub(super) delivered_step: u64,
    /// A crash cannot have forgotten that it was delivered.
    pub(super) must_be_redelivered: bool,
    /// What is durable.
    base: Possible,
    /// Since then, in order.
    changes: Vec<(OperationId, Possible)>,
    /// What the last crash left open.
    open: Option<Open>,
}

/// States that a crash may have left: before the first operation, after it, after the second and so on. Those from
/// `low` to `high` are still possible.
#[derive(Clone, Debug)]
struct Open {
    states: Vec<Possible>,
    operations: Vec<OperationId>,
    low: usize,
    high: usize,
    /// The copy itself was seen or proven missing.
    resolved: bool,
}

impl Copy {
    /// Where it may be now.
    pub(super) fn possible(&self) -> Possible {
        self.changes.last().map_or(self.base, |(_, possible)| *possible)
    }

    /// Whether it is in its store for sure.
    pub(super) fn is_here(&self) -> bool {
        self.possible() == Possible::HERE
    }

    /// Whether a crash left its place open and nothing has been seen of it since.
    pub(super) fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.resolved)
    }

    /// Whether any operation changed it since the last crash.
    pub(super) fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    fn settle_durably(&mut self, operation: OperationId) {
        if let Some(at) = self.changes.iter().position(|(id, _)| *id == operation) {
            self.base = self.changes[at].1;
            self.changes.drain(..=at);
            // Where it is now says nothing any more about what an earlier crash left open.
            if let Some(open) = &mut self.open {
                open.resolved = true;
            }
        }
    }

    fn revoke(&mut self, operation: OperationId) {
        self.changes.retain(|(id, _)| *id != operation);
    }

    fn crash(&mut self) {
        let mut states = vec![self.base];
        let mut operations = Vec::new();
        for (operation, possible) in std::mem::take(&mut self.changes) {
            operations.push(operation);
            states.push(possible);
        }
        if !self.persistent {
            // A crash may lose it whatever was confirmed; it cannot bring back what is gone for good.
            if self.base != Possible::GONE || !operations.is_empty() {
                self.base = Possible::EITHER;
            }
            self.open = None;
            return;
        }
        if operations.is_empty() {
            return;
        }
        self.base = states.iter().copied().fold(Possible::default(), Possible::or);
        let high = operations.len();
        self.open = Some(Open { states, operations, low: 0, high, resolved: false });
    }
}

impl Oracle {
    /// Starts an operation of a session (or of the broker itself) without effects.
    pub(super) fn operate(&mut self, session: Option<SessionId>, commit: bool) -> OperationId {
        let id = OperationId(self.operations.len());
        self.operations.push(Operation { step: self.step, durable: false, commit, effects: Vec::new() });
        if let Some(session) = session.and_then(|id| self.sessions.get_mut(&id)) {
            session.operations.push(id);
        }
        id
    }

    /// Adds an effect to an operation.
    pub(super) fn change(&mut self, operation: OperationId, copy: CopyId, place: Place) {
        self.change_to(operation, copy, Possible::only(place));
    }

    /// Adds an effect whose outcome is not known.
    pub(super) fn change_to(&mut self, operation: OperationId, copy: CopyId, possible: Possible) {
        self.operations[operation.0].effects.push(copy);
        let copy = &mut self.copies[copy.0];
        copy.changes.push((operation, possible));
        if possible == Possible::GONE {
            copy.holder = None;
        }
    }

    /// Places a new copy.
    pub(super) fn place(
        &mut self,
        operation: OperationId,
        message: MessageId,
        store: &StoreKey,
        persistent: bool,
    ) -> CopyId {
        let id = CopyId(self.copies.len());
        let uncertain = self.stores.get(store).is_some_and(|it| it.existence == super::facts::Existence::Uncertain);
        let copies = &mut self.store_mut(store).copies;
        let index = copies.len();
        copies.push(id);
        self.copies.push(Copy {
            message,
            store: store.clone(),
            index,
            persistent,
            born: self.incarnation,
            placed_by: operation,
            moved_from: None,
            holder: None,
            deliveries: 0,
            first_redeliveries: 0,
            unseen: 0,
            delivered_step: 0,
            must_be_redelivered: false,
            base: Possible::GONE,
            changes: Vec::new(),
            open: None,
        });
        self.change_to(operation, id, if uncertain { Possible::EITHER } else { Possible::HERE });
        id
    }

    /// The operation is durable: its effects survive every crash.
    pub(super) fn made_durable(&mut self, operation: OperationId) {
        if std::mem::replace(&mut self.operations[operation.0].durable, true) {
            return;
        }
        for copy in self.operations[operation.0].effects.clone() {
            self.copies[copy.0].settle_durably(operation);
        }
    }

    /// The operation was refused: it has no effects.
    pub(super) fn revoke(&mut self, operation: OperationId) {
        for copy in std::mem::take(&mut self.operations[operation.0].effects) {
            self.copies[copy.0].revoke(operation);
        }
    }

    /// The node is gone: whatever was not promised may have happened or not.
    pub(super) fn crash_copies(&mut self) {
        let marked_step = self.marked_step;
        for copy in &mut self.copies {
            copy.crash();
            copy.holder = None;
            if copy.deliveries > 0 {
                copy.must_be_redelivered |= copy.delivered_step < marked_step;
                if let Some(store) = self.stores.get_mut(&copy.store) {
                    store.delivered_before = store.delivered_before.max(copy.index + 1);
                }
                copy.deliveries = 0;
                copy.unseen = 0;
            }
        }
    }

    /// A copy was seen in its store, or is proven not to be there. Narrows what the last crash left open, here and in
    /// everything that must have happened together with it.
    pub(super) fn seen(&mut self, copy: CopyId, place: Place) {
        let it = &mut self.copies[copy.0];
        if let Some(open) = it.open.as_mut().filter(|open| !open.resolved) {
            let fits = |at: &usize| open.states[*at].allows(place);
            let low = (open.low..=open.high).find(fits);
            let high = (open.low..=open.high).rev().find(fits);
            let (Some(low), Some(high)) = (low, high) else {
                let text = format!("message {} in {} contradicts the rest of its unit", it.message, it.store);
                return self.accuse(Promise::WholeUnits, text);
            };
            (open.low, open.high, open.resolved) = (low, high, true);
            let happened = open.operations[..low].to_vec();
            let missed = open.operations[high..].to_vec();
            it.base = Possible::only(place);
            for operation in happened {
                self.proven(operation, true);
            }
            for operation in missed {
                self.proven(operation, false);
            }
        } else if let Some((_, possible)) = it.changes.last_mut() {
            *possible = Possible::only(place);
        } else {
            it.base = Possible::only(place);
        }
    }

    /// An operation that a crash left open is proven to have happened or not.
    fn proven(&mut self, operation: OperationId, happened: bool) {
        for copy in self.operations[operation.0].effects.clone() {
            let it = &mut self.copies[copy.0];
            let Some(open) = &mut it.open else { continue };
            let Some(at) = open.operations.iter().position(|id| *id == operation) else { continue };
            let before = (open.low, open.high);
            if happened {
                open.low = open.low.max(at + 1);
            } else {
                open.high = open.high.min(at);
            }
            if open.low > open.high {
                (open.low, open.high) = before;
                let text = format!("only a part of a unit happened: message {} in {}", it.message, it.store);
                self.accuse(Promise::WholeUnits, text);
                continue;
            }
            if (open.low, open.high) == before {
                continue;
            }
            let possible = open.states[open.low..=open.high].iter().copied().fold(Possible::default(), Possible::or);
            let (earlier, later) = (open.operations[..open.low].to_vec(), open.operations[open.high..].to_vec());
            if it.changes.is_empty() && it.base == Possible::EITHER {
                it.base = possible;
            }
            for operation in earlier {
                self.proven(operation, true);
            }
            for operation in later {
                self.proven(operation, false);
            }
        }
    }
}
