//! Ends: of subscriptions, sessions, the node, and the simulation.

use super::copies::{CopyId, OperationId, Place, Possible};
use super::facts::{Existence, Fate, Held, Listening, Promise, StoreKey};
use super::{DEAD_LETTER_QUEUE, Oracle};
use ferrymq_model::request::GivesUp;
use ferrymq_model::{Destination, DestinationKind, Seen, SessionId, SubscriptionId};
use std::sync::Arc;

impl Oracle {
    /// Deliveries go back to their store, or to the dead letters when they went back too often.
    pub(super) fn give_back(&mut self, id: SessionId, deliveries: &[Held]) {
        for held in deliveries {
            if self.went(held.copy) {
                continue;
            }
            if held.gives_up == GivesUp::Broker && held.redeliveries >= self.rules.redeliveries_max {
                let operation = self.operate(Some(id), false);
                self.bury(operation, held.copy);
            } else {
                self.copies[held.copy.0].holder = None;
            }
        }
    }

    /// Deliveries go back to their queue, and do not count.
    pub(super) fn take_back(&mut self, deliveries: &[Held]) {
        for held in deliveries {
            if !self.went(held.copy) {
                let copy = &mut self.copies[held.copy.0];
                copy.holder = None;
                copy.unseen += 1;
            }
        }
    }

    /// A copy becomes a dead letter, or nothing where dead letters are not kept.
    pub(super) fn bury(&mut self, operation: OperationId, copy: CopyId) {
        if self.went(copy) {
            return;
        }
        self.change(operation, copy, Place::Gone);
        let it = self.copies[copy.0].clone();
        let persistent = self.facts[&it.message].persistent;
        let store = dead_letters();
        // What a topic's subscriber rejects is a dead letter too: the message is persistent, though its place was not.
        if persistent && it.store != store {
            let letter = self.place(operation, it.message, &store, true);
            self.copies[letter.0].moved_from = Some(it.store);
        }
    }

    pub(super) fn end_subscription(&mut self, id: SessionId, subscription: SubscriptionId, seen: Seen) {
        let Some(ended) = self.session(id).subscriptions.remove(&subscription) else { return };
        self.groups.retain(|_, owner| *owner != (id, subscription));
        match &ended.listening {
            Listening::Queues | Listening::Durable(_) => {
                let free = ended.held.iter().copied().filter(|held| held.transaction.is_none());
                let (seen, unseen): (Vec<Held>, Vec<Held>) = free.partition(|held| match seen {
                    Seen::Unknown => true,
                    Seen::None => false,
                    Seen::Through(last) => held.delivery <= last,
                });
                self.give_back(id, &seen);
                for held in unseen {
                    let copy = &mut self.copies[held.copy.0];
                    copy.holder = None;
                    copy.unseen += 1;
                }
                if let Listening::Durable(key) = &ended.listening {
                    self.end_shared_if_left(key);
                }
            }
            Listening::Topic => {
                self.stores.remove(&StoreKey::Topic(id, subscription));
            }
            Listening::Browser { .. } => {}
        }
    }

    pub(super) fn disconnect(&mut self, id: SessionId) {
        let subscriptions: Vec<SubscriptionId> = self.session(id).subscriptions.keys().copied().collect();
        let transactions = std::mem::take(&mut self.session(id).transactions);
        let mut released = Vec::new();
        for (_, open) in transactions {
            for send in open.sends {
                if let Some(facts) = self.facts.get_mut(&send.message.header.id) {
                    facts.fate = Fate::RolledBack;
                }
            }
            for settled in open.settlements {
                match self.session(id).subscriptions.get_mut(&settled.subscription) {
                    Some(it) => it.held.iter_mut().for_each(|held| held.transaction = None),
                    None => released.push(settled.held),
                }
            }
        }
        self.give_back(id, &released);
        for subscription in subscriptions {
            self.end_subscription(id, subscription, Seen::Unknown);
        }
        for destination in std::mem::take(&mut self.session(id).temporaries) {
            self.end_temporary(&destination);
        }
        self.sessions.remove(&id);
    }

    /// The node stopped without warning: what no confirmation promised may have happened or not.
    pub fn crashed(&mut self) {
        for session in self.sessions.values() {
            for open in session.transactions.values() {
                for send in &open.sends {
                    if let Some(facts) = self.facts.get_mut(&send.message.header.id) {
                        facts.fate = Fate::RolledBack;
                    }
                }
            }
        }
        self.crash_copies();
        let lost: Vec<StoreKey> = self
            .stores
            .keys()
            .filter(|key| match key {
                StoreKey::Topic(..) | StoreKey::Shared(_) => true,
                StoreKey::Queue(it) => it.kind == DestinationKind::TemporaryQueue,
                StoreKey::Durable(..) => false,
            })
            .cloned()
            .collect();
        for key in lost {
            self.stores.remove(&key);
        }
        let operations = &self.operations;
        for store in self.stores.values_mut() {
            store.deleting = false;
            if store.pending.take().is_some_and(|it| !operations[it.0].durable) {
                store.existence = Existence::Uncertain;
            }
        }
        self.sessions.clear();
        self.groups.clear();
        self.incarnation += 1;
        self.store_failed = false;
        self.flushed_step = self.step;
        self.marked_step = self.step;
        self.marking_step = self.step;
    }

    /// The node stopped in peace, with every batch performed: everything that was asked is durable.
    pub fn stopped(&mut self) {
        for at in 0..self.operations.len() {
            self.made_durable(OperationId(at));
        }
        // A deletion whose session went before its confirmation is as durable as everything else.
        self.stores.retain(|_, store| !store.deleting);
        self.flushed_step = self.step;
        self.marked_step = self.step + 1;
        self.crashed();
    }

    /// Listeners had time and room for everything: judges what did not come to them.
    pub fn listeners_done(&mut self) {
        for at in 0..self.copies.len() {
            let copy = &self.copies[at];
            let live = matches!(copy.store, StoreKey::Topic(..)) && self.stores.contains_key(&copy.store);
            let due = live && copy.is_here() && copy.holder.is_none();
            if due && !self.facts[&copy.message].is_expired(self.now.wall) {
                let text = format!("message {} never came to {}", copy.message, copy.store);
                self.accuse(Promise::NothingLost, text);
            }
        }
    }

    /// Everything that is left has been delivered to patient consumers: judges what did not come.
    pub fn finish(&mut self) {
        let silent: Vec<String> = self
            .sessions
            .iter()
            .filter_map(|(id, session)| {
                let token =
                    session.waiting.front().map(|it| it.token).or(session.queries.first().map(|(token, _)| *token))?;
                Some(format!("{id:?}: token {} was never answered", token.0))
            })
            .collect();
        for text in silent {
            self.accuse(Promise::Confirmations, text);
        }
        for at in 0..self.copies.len() {
            let copy = &self.copies[at];
            if !self.stores.contains_key(&copy.store) {
                continue;
            }
            let facts = &self.facts[&copy.message];
            let certain = copy.is_here() && self.stores[&copy.store].existence == Existence::Certain;
            if certain && copy.persistent | !facts.is_expired(self.now.wall) {
                let text = format!(
                    "message {} in {} never came (copy {at}, placed in step {}, holder {:?})",
                    copy.message, copy.store, self.operations[copy.placed_by.0].step, copy.holder
                );
                self.accuse(Promise::NothingLost, text);
            } else if copy.is_open() && !copy.is_changed() && copy.possible() != Possible::HERE {
                self.seen(CopyId(at), Place::Gone);
            }
        }
    }
}

/// The dead-letter queue's key.
pub(super) fn dead_letters() -> StoreKey {
    StoreKey::Queue(Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from(DEAD_LETTER_QUEUE) }))
}
