//! What the broker knows of a session: its producers, subscriptions, transactions and temporary destinations.

use crate::broker::{Broker, Step, refusal};
use crate::confirm::Waiting;
use crate::producer::Producer;
use crate::transaction::Transaction;
use ferrymq_model::advisory::ConnectionFacts;
use ferrymq_model::{Destination, Event, RefusalKind, Seen, SessionId, Token};
use ferrymq_storage::Lsn;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// One session.
#[derive(Debug)]
pub(crate) struct SessionState {
    /// Which use of its slot it is.
    pub(crate) generation: u32,
    /// Its name, the client id that it holds, its user.
    pub(crate) connection: ConnectionFacts,
    /// Its producers. The session chooses the numbers, so a fast hash is safe.
    pub(crate) producers: FxHashMap<u32, Producer>,
    /// Its subscriptions, as indexes.
    pub(crate) subscriptions: FxHashMap<u32, u32>,
    /// Its open transactions.
    pub(crate) transactions: FxHashMap<u64, Transaction>,
    /// Its temporary destinations.
    pub(crate) temporaries: Vec<Arc<Destination>>,
    /// The last record that it caused.
    pub(crate) last_lsn: Lsn,
    /// Its answers that wait.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Full places that it sent to.
    pub(crate) pauses: Vec<Full>,
}

/// A place that is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// The broker.
    Broker,
    /// A queue.
    Queue(u32),
    /// What waits for its time.
    Schedule,
}

impl Broker {
    /// The session, if it is connected.
    #[inline]
    pub(crate) fn session(&self, session: SessionId) -> Option<&SessionState> {
        let state = self.sessions.get(session.slot as usize)?.as_deref()?;
        (state.generation == session.generation).then_some(state)
    }

    /// The session, if it is connected.
    #[inline]
    pub(crate) fn session_mut(&mut self, session: SessionId) -> Option<&mut SessionState> {
        let state = self.sessions.get_mut(session.slot as usize)?.as_deref_mut()?;
        (state.generation == session.generation).then_some(state)
    }

    /// The session that asks.
    #[inline]
    pub(crate) fn asking(&mut self, session: SessionId) -> &mut SessionState {
        self.session_mut(session).expect("requests of unknown sessions are refused before")
    }

    /// Opens a session. Whatever used the slot before is gone; whatever held the connection's name is told to go, so
    /// that a client that comes back before its old connection was seen to be dead finds everything free.
    pub(crate) fn connect(
        &mut self,
        session: SessionId,
        connection: ConnectionFacts,
        confirm: Token,
        step: &mut Step<'_>,
    ) {
        let slot = session.slot as usize;
        if let Some(Some(old)) = self.sessions.get(slot) {
            let old = SessionId { slot: session.slot, generation: old.generation };
            self.disconnect(old, step);
        }
        if let Some(&old) = self.names.get(&connection.name) {
            let text = format!("the client came back as connection {}", connection.name);
            step.out.events.push((old, Event::Closed { refusal: refusal(RefusalKind::Duplicate, text) }));
            self.disconnect(old, step);
        }
        if let Some(id) = &connection.client_id {
            if let Some(&other) = self.client_ids.get(id) {
                let refusal = refusal(RefusalKind::InvalidClientId, self.already_connected(id, other));
                step.out.events.push((session, Event::Refused { token: Some(confirm), refusal }));
                return;
            }
            self.client_ids.insert(Arc::clone(id), session);
        }
        if !connection.name.is_empty() {
            self.names.insert(Arc::clone(&connection.name), session);
        }
        if self.sessions.len() <= slot {
            self.sessions.resize_with(slot + 1, || None);
        }
        self.sessions[slot] = Some(Box::new(SessionState {
            generation: session.generation,
            connection,
            producers: FxHashMap::default(),
            subscriptions: FxHashMap::default(),
            transactions: FxHashMap::default(),
            temporaries: Vec::new(),
            last_lsn: Lsn(0),
            waiting: VecDeque::new(),
            pauses: Vec::new(),
        }));
        self.sessions_open += 1;
        self.note_connection(session, true);
        step.out.events.push((session, Event::Confirmed { token: confirm }));
    }

    /// Ends a session: transactions roll back, subscriptions end, temporary destinations die.
    pub(crate) fn disconnect(&mut self, session: SessionId, step: &mut Step<'_>) {
        let state = self.asking(session);
        let mut transactions: Vec<u64> = state.transactions.keys().copied().collect();
        let mut subscriptions: Vec<u32> = state.subscriptions.values().copied().collect();
        let temporaries = std::mem::take(&mut state.temporaries);
        transactions.sort_unstable();
        subscriptions.sort_unstable();
        // All leave before what they had is given to others: none of it may go to a sister that is leaving, too.
        for &subscription in &subscriptions {
            self.stop_subscription(subscription);
        }
        self.leave_branches(session, step);
        for transaction in transactions {
            self.undo_transaction(session, transaction, step);
        }
        // A queue is looked through once, however many of its consumers leave: each look passes all that stay.
        let mut queues: Vec<u32> = Vec::new();
        for subscription in subscriptions {
            queues.append(&mut self.leave_queues(subscription, Seen::Unknown, step));
        }
        queues.sort_unstable();
        queues.dedup();
        // A shared subscription ended with its last consumer.
        for queue in queues.into_iter().filter(|queue| self.queues.get(*queue).is_some()).collect::<Vec<_>>() {
            self.dispatch(queue, step);
        }
        for destination in temporaries {
            self.kill_temporary(&destination, step);
        }
        self.forget_producers(session, step);
        self.note_connection(session, false);
        let Some(state) = self.sessions[session.slot as usize].take() else { return };
        self.sessions_open -= 1;
        for full in &state.pauses {
            self.forget_pause(session, *full);
        }
        self.waiting.retain(|waiting| *waiting != session);
        if let Some(id) = &state.connection.client_id {
            self.client_ids.remove(id);
        }
        self.names.remove(&state.connection.name);
    }

    /// Why a client id is refused, in the words that clients of Classic look for.
    fn already_connected(&self, client_id: &str, other: SessionId) -> String {
        let peer = self.session(other).and_then(|state| state.connection.peer.as_deref()).unwrap_or("elsewhere");
        let broker = &self.settings.broker_name;
        format!("Broker: {broker} - Client: {client_id} already connected from {peer}")
    }

    /// Notes that the session caused a record.
    pub(crate) fn note_lsn(&mut self, session: SessionId, lsn: Lsn) {
        if let Some(state) = self.session_mut(session) {
            state.last_lsn = state.last_lsn.max(lsn);
        }
    }
}
