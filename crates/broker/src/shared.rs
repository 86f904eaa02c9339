//! Shared subscriptions: one store that topics feed, and several consumers that take turns (Jakarta Messaging 3.1,
//! sections 8.3.2 and 8.3.3).
//!
//! Both kinds go by the client id of the session and a name, or by the name alone where the session has no client id.
//! A durable one is stored, shares its names with the durable subscriptions that are not shared, and stays when nobody
//! listens; the other lives in memory, has names of its own, and ends with its last consumer.

use crate::broker::{Broker, Step, journal_stopped, refusal};
use crate::queue::{Durable, Item};
use ferrymq_model::selector::Selector;
use ferrymq_model::{Destination, Refusal, RefusalKind, SessionId, Subscribe};
use ferrymq_storage::{Lsn, Urgency};
use std::sync::Arc;

/// Whom a shared subscription that is not durable belongs to, so that nothing of it is stored: no session.
const CONSUMERS: SessionId = SessionId { slot: u32::MAX, generation: 0 };

impl Broker {
    /// The store of a shared subscription, made if it is new, or if nobody uses it and its wishes changed.
    pub(crate) fn open_shared(
        &mut self,
        session: SessionId,
        (name, durable): (&Arc<str>, bool),
        subscribe: &Subscribe,
        selector: Option<Selector>,
        step: &mut Step<'_>,
    ) -> Result<u32, Refusal> {
        let key = (self.shared_client_id(session), Arc::clone(name));
        let topics: Vec<Destination> = subscribe.address.leaves.iter().map(|leaf| (**leaf).clone()).collect();
        let known = if durable { self.durables.get(&key) } else { self.shared.get(&key) }.copied();
        if let Some(queue) = known {
            let of = self.queues[queue].durable().expect("subscriptions with stores are of this role");
            if !of.shared {
                let text = format!("durable subscription {name} exists and is not shared");
                return Err(refusal(RefusalKind::DurableInUse, text));
            }
            if of.is_wished(&topics, subscribe) {
                self.await_definition(session, queue, subscribe.confirm.is_some());
                return Ok(queue);
            }
            if !self.queues[queue].consumers.is_empty() {
                let text = format!("shared subscription {name} is in use with another topic or selector");
                return Err(refusal(RefusalKind::DurableInUse, text));
            }
        }
        if durable && self.failed {
            return Err(journal_stopped());
        }
        let past = self.make_way(session, subscribe, selector.as_ref(), known, step)?;
        let made = Durable::wished((key.0, key.1, true), topics, selector, subscribe);
        if durable {
            let queue = self.add_durable(made);
            self.record_durable(session, queue, past, subscribe.confirm.is_some(), step);
            return Ok(queue);
        }
        let queue = self.add_fed(made, Some(CONSUMERS));
        self.enqueue_past(queue, past, Lsn(0), step);
        Ok(queue)
    }

    /// The client id that shared subscriptions of a session go by; empty without one.
    pub(crate) fn shared_client_id(&self, session: SessionId) -> Arc<str> {
        let client_id = self.session(session).and_then(|state| state.connection.client_id.clone());
        client_id.unwrap_or_default()
    }

    /// Ends a shared subscription that is not durable if its last consumer left. Tells whether it did.
    pub(crate) fn end_shared_if_left(&mut self, queue: u32) -> bool {
        let known = &self.queues[queue];
        let is_left = known.consumers.is_empty() && known.durable().is_some() && known.owner == Some(CONSUMERS);
        if is_left {
            self.remove_durable(queue);
        }
        is_left
    }

    /// Tells the journal of a new subscription with what it gets of the past, and of one that it replaces.
    pub(crate) fn record_durable(
        &mut self,
        session: SessionId,
        queue: u32,
        mut past: Vec<Item>,
        awaited: bool,
        step: &mut Step<'_>,
    ) {
        let mut unit = step.journal.begin();
        let placed = self.write_work(&mut unit);
        self.store_past(queue, &mut past, &mut unit);
        let lsn = unit.commit(if awaited { Urgency::Awaited } else { Urgency::Lazy });
        self.queues[queue].defined = lsn;
        self.note_lsn(session, lsn);
        self.finish_work(placed, lsn, false, step);
        self.enqueue_past(queue, past, lsn, step);
    }

    /// Whoever comes to what another session has just made is confirmed when that is durable, and no earlier.
    pub(crate) fn await_definition(&mut self, session: SessionId, queue: u32, awaited: bool) {
        let lsn = self.queues[queue].defined;
        if lsn > self.flushed {
            self.note_lsn(session, lsn);
            if awaited {
                self.awaited = self.awaited.max(lsn);
            }
        }
    }
}

impl Durable {
    /// A subscription as it is asked for: client id, name, and whether it is shared.
    pub(crate) fn wished(
        (client_id, name, shared): (Arc<str>, Arc<str>, bool),
        topics: Vec<Destination>,
        selector: Option<Selector>,
        subscribe: &Subscribe,
    ) -> Self {
        Self {
            client_id,
            name,
            shared,
            topics,
            selector,
            selector_source: subscribe.selector.clone(),
            selector_converts_text: subscribe.selector_converts_text,
            no_local: subscribe.no_local,
            listener: None,
            attached: Vec::new(),
        }
    }

    /// Whether it is what is asked for.
    pub(crate) fn is_wished(&self, topics: &[Destination], subscribe: &Subscribe) -> bool {
        self.topics == topics
            && self.selector_source == subscribe.selector
            && self.selector_converts_text == subscribe.selector_converts_text
            && self.no_local == subscribe.no_local
    }
}
