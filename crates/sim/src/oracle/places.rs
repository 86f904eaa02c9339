//! Places that clients make and delete: the queues of virtual topics, shared and durable subscriptions, temporary queues.

use super::Oracle;
use super::copies::{CopyId, OperationId, Place, Possible};
use super::facts::{Due, Existence, Listening, Store, StoreKey, Subscription, is_queue, listens_to};
use crate::content::Wish;
use ferrymq_model::{Destination, RefusalKind, Seen, SessionId, SubscriptionId};
use std::sync::Arc;

/// What the names of virtual topics begin with, and what stands before those in the names of their queues.
const VIRTUAL: &str = "VirtualTopic.";
const GROUP: &str = "Consumer.";

/// The topics, maybe a pattern, that feed a queue; none for a queue that no virtual topic feeds.
fn fed_by(queue: &Destination) -> Option<Destination> {
    let (_, topics) = queue.name.strip_prefix(GROUP)?.split_once('.')?;
    let is_virtual = is_queue(queue.kind) && topics.starts_with(VIRTUAL);
    is_virtual.then(|| Destination { kind: ferrymq_model::DestinationKind::Topic, name: Arc::from(topics) })
}

impl Oracle {
    /// A consumer or a person makes queues of groups; they are there from now on.
    pub(super) fn open_group_queues(&mut self, id: SessionId, leaves: &[Arc<Destination>]) {
        for leaf in leaves.iter().filter(|leaf| fed_by(leaf).is_some()) {
            self.open_durable(id, &StoreKey::Queue(leaf.clone()), &[], None);
        }
    }

    /// The queues that get what is sent to a topic.
    pub(super) fn group_queues(&self, topic: &Destination) -> Vec<StoreKey> {
        let fed = |key: &StoreKey, store: &Store| match key {
            StoreKey::Queue(queue) => !store.deleting && fed_by(queue).is_some_and(|topics| listens_to(&topics, topic)),
            StoreKey::Durable(..) | StoreKey::Shared(_) | StoreKey::Topic(..) => false,
        };
        self.stores.iter().filter(|(key, store)| fed(key, store)).map(|(key, _)| key.clone()).collect()
    }

    /// A consumer comes to a shared subscription that ends with its last one.
    pub(super) fn open_shared(&mut self, key: &StoreKey, leaves: &[Arc<Destination>], chosen: Option<Wish>) {
        if self.stores.contains_key(key) {
            return;
        }
        // Where memory is short it may lose anything.
        let existence = if self.rules.is_short { Existence::Uncertain } else { Existence::Certain };
        let mut store = Store::new(existence);
        store.listens = leaves.to_vec();
        store.wish = chosen;
        self.stores.insert(key.clone(), store);
    }

    /// Whether anybody takes from a store.
    pub(super) fn has_consumers(&self, key: &StoreKey) -> bool {
        let takes = |listening: &Listening, leaves: &[Arc<Destination>]| match (listening, key) {
            (Listening::Queues, StoreKey::Queue(queue)) => leaves.iter().any(|pattern| listens_to(pattern, queue)),
            (Listening::Durable(other), _) => other == key,
            (Listening::Queues | Listening::Topic | Listening::Browser { .. }, _) => false,
        };
        let mut subscriptions = self.sessions.values().flat_map(|session| session.subscriptions.values());
        subscriptions.any(|it| takes(&it.listening, &it.leaves))
    }

    /// How a send to these places must be answered.
    pub(super) fn answer_of_send(&self, leaves: &[Arc<Destination>]) -> Due {
        let lives = |leaf: &Arc<Destination>| {
            !leaf.kind.is_temporary() || self.sessions.values().any(|session| session.temporaries.contains(leaf))
        };
        if leaves.iter().all(lives) { Due::Done } else { Due::Refused(RefusalKind::InvalidDestination) }
    }

    /// Whatever is in a store and was not decided otherwise goes with an operation.
    fn empty(&mut self, operation: OperationId, key: &StoreKey, also_held: bool) {
        let Some(store) = self.stores.get(key) else { return };
        for copy in store.copies.clone() {
            let it = &self.copies[copy.0];
            if it.possible() == Possible::GONE || (it.holder.is_some() && !also_held) {
                continue;
            }
            // What expired may have moved to the dead letters before; nobody was told.
            if self.facts[&it.message].is_expired(self.now.wall) && it.holder.is_none() {
                self.change_to(operation, copy, Possible::EITHER);
            } else {
                self.change(operation, copy, Place::Gone);
            }
        }
    }

    pub(super) fn purge(&mut self, id: SessionId, destination: &Arc<Destination>) -> OperationId {
        let operation = self.operate(Some(id), false);
        self.empty(operation, &StoreKey::Queue(destination.clone()), false);
        operation
    }

    pub(super) fn delete_destination(&mut self, id: SessionId, queue: &Arc<Destination>) -> (OperationId, Due) {
        let key = StoreKey::Queue(queue.clone());
        let operation = self.operate(Some(id), false);
        if self.has_consumers(&key) {
            let named = |it: &Subscription| matches!(it.listening, Listening::Queues) && it.leaves.contains(queue);
            let mut subscriptions = self.sessions.values().flat_map(|session| session.subscriptions.values());
            let holds =
                self.stores.get(&key).is_some_and(|it| it.copies.iter().any(|copy| self.copies[copy.0].is_here()));
            if holds || subscriptions.any(named) {
                return (operation, Due::Refused(RefusalKind::DurableInUse));
            }
            // Consumers by a pattern: perhaps there is no such queue yet.
            return (operation, Due::Either(RefusalKind::DurableInUse));
        }
        // A pattern is nothing that can be deleted, unless there is a queue of that name.
        let is_pattern = queue.name.split('.').any(|level| level == "*" || level == ">");
        let answer = match self.stores.get(&key) {
            Some(store) if !store.deleting && store.existence == Existence::Certain => Due::Done,
            Some(store) if !store.deleting && is_pattern => Due::Either(RefusalKind::InvalidDestination),
            Some(_) | None if is_pattern => Due::Refused(RefusalKind::InvalidDestination),
            Some(_) | None => Due::Done,
        };
        if !matches!(answer, Due::Refused(_)) {
            self.delete(operation, &key);
        }
        (operation, answer)
    }

    pub(super) fn delete_durable(&mut self, id: SessionId, name: &Arc<str>) -> (OperationId, Due) {
        let client = self.session(id).client_id.clone().unwrap_or_else(|| Arc::from(""));
        let key = StoreKey::Durable(client, name.clone());
        let operation = self.operate(Some(id), false);
        // Nobody without a client id knows a subscription that is not there as one of his.
        let none =
            if self.session(id).client_id.is_some() { RefusalKind::Unknown } else { RefusalKind::InvalidClientId };
        let answer = match self.stores.get(&key) {
            None => Due::Refused(none),
            Some(store) if store.deleting => Due::Refused(none),
            Some(_) if self.has_consumers(&key) => Due::Refused(RefusalKind::DurableInUse),
            Some(store) if store.existence == Existence::Uncertain => Due::Either(none),
            Some(_) => Due::Done,
        };
        if !matches!(answer, Due::Refused(_)) {
            self.delete(operation, &key);
        }
        (operation, answer)
    }

    /// A store goes with all it holds. A queue that no virtual topic feeds is there again as soon as it is used.
    fn delete(&mut self, operation: OperationId, key: &StoreKey) {
        self.empty(operation, key, true);
        self.groups.retain(|(store, _), _| store != key);
        let comes_back = matches!(key, StoreKey::Queue(queue) if fed_by(queue).is_none());
        if let Some(store) = self.stores.get_mut(key).filter(|_| !comes_back) {
            store.pending = Some(operation);
            store.deleting = true;
        }
    }

    pub(super) fn delete_temporary(&mut self, id: SessionId, destination: &Arc<Destination>) {
        self.session(id).temporaries.retain(|it| it != destination);
        let known = &self.session(id).subscriptions;
        let listening = known.iter().filter(|(_, it)| it.leaves.contains(destination));
        for subscription in listening.map(|(subscription, _)| *subscription).collect::<Vec<SubscriptionId>>() {
            self.end_subscription(id, subscription, Seen::Unknown);
        }
        self.end_temporary(destination);
    }

    pub(super) fn end_temporary(&mut self, destination: &Arc<Destination>) {
        if is_queue(destination.kind) {
            let operation = self.operate(None, false);
            let key = StoreKey::Queue(destination.clone());
            self.empty(operation, &key, true);
            self.stores.remove(&key);
        }
    }

    /// A shared subscription that is not durable ends with its last consumer.
    pub(super) fn end_shared_if_left(&mut self, key: &StoreKey) {
        if matches!(key, StoreKey::Shared(_)) && !self.has_consumers(key) {
            let operation = self.operate(None, false);
            self.empty(operation, key, true);
            self.stores.remove(key);
        }
    }

    /// Whether a copy went with its store: what is decided of it later means nothing.
    pub(super) fn went(&self, copy: CopyId) -> bool {
        self.copies[copy.0].possible() == Possible::GONE
    }
}
