//! Durable subscriptions: a backlog of its own, fed by its topics whether somebody listens or not.

use crate::broker::{Broker, Place, Step, journal_stopped, refusal};
use crate::queue::{Durable, Item, Queue, Role};
use crate::subscription::Source;
use crate::topic::ANY_PRIORITY;
use ferrymq_model::selector::Selector;
use ferrymq_model::{Destination, Refusal, RefusalKind, SessionId, Subscribe, Token};
use std::sync::Arc;

impl Broker {
    /// The backlog of a durable subscription, made if it is new or if its wishes changed.
    pub(crate) fn open_durable(
        &mut self,
        session: SessionId,
        name: &Arc<str>,
        subscribe: &Subscribe,
        selector: Option<Selector>,
        step: &mut Step<'_>,
    ) -> Result<u32, Refusal> {
        let key = (self.client_id(session)?, Arc::clone(name));
        let topics: Vec<Destination> = subscribe.address.leaves.iter().map(|leaf| (**leaf).clone()).collect();
        let known = self.durables.get(&key).copied();
        if let Some(queue) = known {
            let durable = self.queues[queue].durable().expect("durable subscriptions have a backlog");
            if durable.shared {
                let text = format!("durable subscription {name} exists and is shared");
                return Err(refusal(RefusalKind::DurableInUse, text));
            }
            if !self.queues[queue].consumers.is_empty() {
                let text = format!("Durable consumer is in use for client: {} and subscriptionName: {name}", key.0);
                return Err(refusal(RefusalKind::DurableInUse, text));
            }
            if durable.is_wished(&topics, subscribe) {
                self.await_definition(session, queue, subscribe.confirm.is_some());
                self.listens(session, queue);
                return Ok(queue);
            }
        }
        if self.failed {
            return Err(journal_stopped());
        }
        let past = self.make_way(session, subscribe, selector.as_ref(), known, step)?;
        let queue = self.add_durable(Durable::wished((key.0, key.1, false), topics, selector, subscribe));
        self.record_durable(session, queue, past, subscribe.confirm.is_some(), step);
        self.listens(session, queue);
        Ok(queue)
    }

    /// Before a subscription gets a store: there is room for one, its topics are there, and its earlier one is gone. What
    /// it gets of the past.
    pub(crate) fn make_way(
        &mut self,
        session: SessionId,
        subscribe: &Subscribe,
        selector: Option<&Selector>,
        earlier: Option<u32>,
        step: &Step<'_>,
    ) -> Result<Vec<Item>, Refusal> {
        if earlier.is_none() {
            self.check_destinations()?;
        }
        let past = self.past_for(session, subscribe, selector, step.now.wall);
        self.check_past(&past, step.journal)?;
        for leaf in subscribe.address.leaves.iter().filter(|leaf| !leaf.is_pattern()) {
            self.find_or_make(leaf)?;
        }
        if let Some(queue) = earlier {
            self.remove_durable(queue);
        }
        Ok(past)
    }

    fn listens(&mut self, session: SessionId, queue: u32) {
        if let Role::Durable(durable) = &mut self.queues[queue].role {
            durable.listener = Some(session);
        }
    }

    /// Deletes a durable subscription and what it holds.
    pub(crate) fn delete_durable(
        &mut self,
        session: SessionId,
        name: &Arc<str>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let key = (self.shared_client_id(session), Arc::clone(name));
        let known = self.durables.get(&key).copied();
        let known = known.map_or_else(|| self.client_id(session).map(|_| None), |queue| Ok(Some(queue)));
        let deleted = known.and_then(|known| {
            let text = format!("No durable subscription exists for clientID: {} and subscriptionName: {name}", key.0);
            let queue = known.ok_or_else(|| refusal(RefusalKind::Unknown, text))?;
            if self.queues[queue].consumers.is_empty() {
                return Ok(queue);
            }
            let text = "Durable consumer is in use".to_owned();
            Err(refusal(RefusalKind::DurableInUse, text))
        });
        match deleted {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(queue) => {
                let topics = self.queues[queue].durable().map(|durable| durable.topics.clone()).unwrap_or_default();
                self.remove_durable(queue);
                self.note_deleted_durable(session, name, &topics);
                self.record_work(confirm.is_some(), Some(session), step);
                self.confirm(session, confirm, step);
            }
        }
    }

    /// Makes the backlog and connects it to its topics. Does not tell the journal.
    pub(crate) fn add_durable(&mut self, durable: Durable) -> u32 {
        self.add_fed(durable, None)
    }

    /// Makes a store that topics feed; one that belongs to somebody is never in the journal.
    pub(crate) fn add_fed(&mut self, durable: Durable, owner: Option<SessionId>) -> u32 {
        let key = (Arc::clone(&durable.client_id), Arc::clone(&durable.name));
        let topics = durable.topics.clone();
        let queue = self.queues.insert(Queue::new(Role::Durable(Box::new(durable)), owner));
        let mut attached = Vec::new();
        for place in self.places_of(&topics) {
            if let Place::Topic(topic) = place
                && !attached.contains(&topic)
            {
                attached.push(topic);
                let selector = self.queues[queue].durable().and_then(|durable| durable.selector.as_ref());
                self.topics[topic].durables.join(queue, ANY_PRIORITY, selector);
            }
        }
        if let Role::Durable(durable) = &mut self.queues[queue].role {
            durable.attached = attached;
        }
        self.watch(&topics, true);
        if topics.iter().any(Destination::is_pattern) {
            self.durable_patterns.push(queue);
        }
        match owner {
            None => self.durables.insert(key, queue),
            Some(_) => self.shared.insert(key, queue),
        };
        queue
    }

    /// Takes a durable subscription away; the journal is told with the step's other work.
    pub(crate) fn remove_durable(&mut self, queue: u32) {
        let Role::Durable(durable) = &self.queues[queue].role else {
            unreachable!("only durable subscriptions are removed here")
        };
        let key = (Arc::clone(&durable.client_id), Arc::clone(&durable.name));
        match self.queues[queue].owner {
            None => self.durables.remove(&key),
            Some(_) => self.shared.remove(&key),
        };
        for &topic in &durable.attached {
            self.topics[topic].durables.part(queue, durable.selector.as_ref());
        }
        let topics = durable.topics.clone();
        self.watch(&topics, false);
        self.durable_patterns.retain(|pattern| *pattern != queue);
        self.remove_queue(queue);
    }

    /// Takes a queue away with all it holds. Nobody consumes from it any more.
    pub(crate) fn remove_queue(&mut self, index: u32) {
        let mut unsettled = Vec::new();
        if self.queues[index].in_flight > 0 {
            for (_, subscription) in self.subscriptions.iter() {
                let held = subscription.unsettled.iter();
                let held = held.filter(|delivery| delivery.source == Source::Queue(index));
                unsettled.extend(held.filter_map(|delivery| delivery.item.stored.map(|at| (delivery.status, at))));
            }
            unsettled.retain(|(status, _)| *status != crate::subscription::Status::Settled);
            self.forget_source(Source::Queue(index));
        }
        let queue = self.queues.remove(index);
        self.memory -= queue.memory;
        self.routes_version += 1;
        self.unmarked.retain(|unmarked| *unmarked != index);
        self.unfinished.retain(|unfinished| *unfinished != index);
        self.held_queues.retain(|(_, held)| *held != index);
        self.page_out.retain(|(_, out, _, _)| *out != index);
        let live = || queue.bands.iter().flatten().filter(|entry| entry.is_live());
        for entry in live() {
            if let Some(at) = entry.item.expiration {
                self.expirations.remove(&(at.0, index, entry.item.sequence));
            }
        }
        if let Some(store) = queue.store {
            self.stores.remove(&store.0);
            let waiting = live().filter_map(|entry| entry.item.stored);
            self.work.forget(store, waiting.chain(unsettled.into_iter().map(|(_, at)| at)));
        }
    }

    fn client_id(&self, session: SessionId) -> Result<Arc<str>, Refusal> {
        let client_id = self.session(session).and_then(|state| state.connection.client_id.clone());
        client_id.ok_or_else(|| {
            refusal(RefusalKind::InvalidClientId, "a durable subscription needs a connection with a client id")
        })
    }
}
