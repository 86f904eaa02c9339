//! What answers mean.

use super::Oracle;
use super::copies::{OperationId, Place};
use super::delivered::is_origin;
use super::facts::{Asked, Due, Existence, Fate, Listening, Promise, Store, StoreKey, Waiting};
use ferrymq_model::{Event, Message, Refusal, RefusalKind, Seen, SessionId, SubscriptionId, Token, event::Report};

impl Oracle {
    /// A session is told; in the order in which the node said it.
    pub fn told(&mut self, session: SessionId, event: &Event) {
        if !self.sessions.contains_key(&session) {
            // After its last request a session hears nothing.
            return self.accuse(Promise::Subscription, format!("{session:?} is gone and was told {event:?}"));
        }
        match event {
            Event::Confirmed { token } => self.confirmed(session, *token),
            Event::Refused { token, refusal } => self.refused(session, *token, refusal),
            Event::Deliver(delivery) => self.judge_delivery(session, delivery),
            Event::BrowseEnd { subscription } => self.browse_ended(session, *subscription),
            Event::SubscriptionEnded { subscription, .. } => {
                self.end_subscription(session, *subscription, Seen::Unknown);
            }
            Event::Pause | Event::Resume => {}
            Event::Closed { .. } | Event::Prepared { .. } | Event::InDoubt { .. } | Event::BranchEnded { .. } => {
                self.accuse(Promise::Confirmations, format!("nobody asked for {event:?}"));
            }
            Event::Inspected { token, report } => {
                let _ = self.query_answered(session, *token);
                self.judge_report(report);
            }
            Event::Purged { token, .. } => {
                if let Some(operation) = self.query_answered(session, *token) {
                    self.made_durable(operation);
                }
            }
        }
    }

    fn query_answered(&mut self, id: SessionId, token: Token) -> Option<OperationId> {
        let queries = &mut self.session(id).queries;
        let Some(at) = queries.iter().position(|(it, _)| *it == token) else {
            self.accuse(Promise::Confirmations, format!("an answer to token {} that was not asked", token.0));
            return None;
        };
        queries.remove(at).1
    }

    fn judge_report(&mut self, report: &Report) {
        if let Report::Broker(broker) = report {
            let limit = self.rules.memory_bytes_max;
            if broker.memory_bytes > limit {
                let text = format!("{} bytes of messages in memory, budget {limit}", broker.memory_bytes);
                self.accuse(Promise::Memory, text);
            }
        }
    }

    fn confirmed(&mut self, id: SessionId, token: Token) {
        let Some(waiting) = self.answer(id, token, true) else { return };
        let session = self.session(id);
        let newly = session.operations[session.durable.min(waiting.operations)..waiting.operations].to_vec();
        session.durable = session.durable.max(waiting.operations);
        for operation in newly {
            self.judge_durability(operation);
            self.made_durable(operation);
        }
        if let Due::Refused(kind) = waiting.answer {
            let text = format!("{id:?}: {:?} is confirmed where {kind:?} was due", waiting.what);
            self.accuse(Promise::Deletion, text);
        }
        match waiting.what {
            Asked::Subscribe(subscription) => {
                if let Some(it) = self.session(id).subscriptions.get_mut(&subscription) {
                    it.awaits = None;
                }
            }
            Asked::Delete(operation) => {
                self.stores.retain(|_, store| store.pending != Some(operation));
            }
            Asked::Connect | Asked::Send(_) | Asked::Other => {}
        }
    }

    /// I2: what is confirmed as placed was in a batch that has been performed.
    fn judge_durability(&mut self, operation: OperationId) {
        let it = &self.operations[operation.0];
        if it.durable || it.step <= self.flushed_step {
            return;
        }
        let early =
            it.effects.iter().map(|copy| &self.copies[copy.0]).find(|copy| {
                copy.persistent && copy.placed_by == operation && copy.is_here() && copy.moved_from.is_none()
            });
        if let Some(copy) = early {
            let text = format!("message {} for {} was confirmed before it was durable", copy.message, copy.store);
            self.accuse(Promise::ConfirmedWhenDurable, text);
        }
    }

    /// Takes the request that an answer belongs to.
    fn answer(&mut self, id: SessionId, token: Token, in_order: bool) -> Option<Waiting> {
        let waiting = &mut self.session(id).waiting;
        let at = waiting.iter().position(|it| it.token == token);
        let found = at.and_then(|at| waiting.remove(at));
        match at {
            None => {
                let text = format!("{id:?} was answered for token {} that waits for nothing", token.0);
                self.accuse(Promise::Confirmations, text);
            }
            Some(at) if at > 0 && in_order => {
                let text = format!("{id:?}: token {} was confirmed before {at} earlier requests", token.0);
                self.accuse(Promise::Confirmations, text);
            }
            Some(_) => {}
        }
        found
    }

    fn refused(&mut self, id: SessionId, token: Option<Token>, refusal: &Refusal) {
        if let Some(operation) = token.and_then(|token| self.purge_refused(id, token, refusal)) {
            // As below: what was under way when the journal stopped may have happened.
            if refusal.kind != RefusalKind::StoreFailed || self.operations[operation.0].step == self.step {
                self.revoke(operation);
            }
            return;
        }
        let waiting = token.and_then(|token| self.answer(id, token, false));
        let expected = waiting.as_ref().is_some_and(|it| match it.answer {
            Due::Done => false,
            Due::Refused(kind) | Due::Either(kind) => kind == refusal.kind,
        });
        if expected {
            if let Some(Waiting { what: Asked::Delete(operation), answer, .. }) = waiting {
                if matches!(answer, Due::Either(_)) {
                    // It did not survive the crash.
                    self.stores.retain(|_, store| store.pending != Some(operation));
                }
                self.revoke_deletion(operation);
            }
            return;
        }
        // Whatever is refused after the journal stopped may follow from an earlier refusal.
        let excused = self.store_failed || refusal.kind == RefusalKind::StoreFailed;
        if token.is_none() && self.store_failed {
            self.revoke_step(id);
        }
        if !excused {
            self.accuse(Promise::Accepted, format!("{id:?} was refused: {:?}: {}", refusal.kind, refusal.text));
        }
        match waiting.map(|it| it.what) {
            // A journal that stopped may have kept what it could not promise any more; what was refused at once was
            // not carried out.
            Some(Asked::Send(Some(operation)))
                if refusal.kind != RefusalKind::StoreFailed || self.operations[operation.0].step == self.step =>
            {
                self.refuse_send(operation);
            }
            Some(Asked::Subscribe(subscription)) => self.unopen(id, subscription),
            Some(Asked::Delete(operation)) if refusal.kind != RefusalKind::StoreFailed => {
                self.revoke_deletion(operation);
            }
            Some(Asked::Connect | Asked::Delete(_) | Asked::Send(_) | Asked::Other) | None => {}
        }
    }

    /// A subscription was refused: nobody knows whether what it would have made is there.
    fn unopen(&mut self, id: SessionId, subscription: SubscriptionId) {
        let asked_in = self.session(id).subscriptions.get(&subscription).map(|it| it.asked_in);
        let operations = &self.operations;
        let made = |store: &Store| store.pending.is_some_and(|it| Some(operations[it.0].step) == asked_in);
        for store in self.stores.values_mut().filter(|store| made(store)) {
            store.pending = None;
            store.existence = Existence::Uncertain;
        }
        self.end_subscription(id, subscription, Seen::Unknown);
    }

    /// A purge of a queue that is not there: if it held something after all, that never comes.
    fn purge_refused(&mut self, id: SessionId, token: Token, refusal: &Refusal) -> Option<OperationId> {
        let queries = &mut self.session(id).queries;
        let at = queries.iter().position(|(it, operation)| *it == token && operation.is_some())?;
        let operation = queries.remove(at).1;
        if refusal.kind != RefusalKind::InvalidDestination && !self.store_failed {
            self.accuse(Promise::Accepted, format!("{id:?}: a purge was refused: {}", refusal.text));
        }
        operation
    }

    /// Nothing was deleted.
    fn revoke_deletion(&mut self, operation: OperationId) {
        for store in self.stores.values_mut().filter(|store| store.pending == Some(operation)) {
            store.pending = None;
            store.deleting = false;
        }
        self.revoke(operation);
    }

    /// Something without a token was refused in this step: which of the session's sends and durable subscriptions,
    /// nobody says.
    fn revoke_step(&mut self, id: SessionId) {
        let step = self.step;
        let known = &self.session(id).subscriptions;
        let refused = known.iter().filter(|(_, it)| it.asked_in == step && it.awaits.is_none() && it.is_durable());
        for subscription in refused.map(|(subscription, _)| *subscription).collect::<Vec<_>>() {
            self.end_subscription(id, subscription, Seen::Unknown);
        }
        let operations = self.session(id).operations.clone();
        for operation in operations.into_iter().rev() {
            let it = &self.operations[operation.0];
            if it.step < self.step {
                return;
            }
            let places = |copy: &super::CopyId| {
                let copy = &self.copies[copy.0];
                copy.placed_by == operation && copy.persistent && copy.is_here() && copy.moved_from.is_none()
            };
            if it.commit || it.effects.iter().any(places) {
                self.refuse_send(operation);
            }
        }
    }

    fn refuse_send(&mut self, operation: OperationId) {
        for copy in self.operations[operation.0].effects.clone() {
            let message = self.copies[copy.0].message.clone();
            if let Some(facts) = self.facts.get_mut(&message) {
                facts.fate = Fate::Refused;
            }
        }
        self.revoke(operation);
    }

    fn browse_ended(&mut self, id: SessionId, subscription: SubscriptionId) {
        let Some(it) = self.session(id).subscriptions.get_mut(&subscription) else {
            return self.accuse(Promise::Browse, format!("{id:?}: a browser that is not there ended"));
        };
        let Listening::Browser { due, shown, ended } = &mut it.listening else {
            return self.accuse(Promise::Browse, format!("{id:?}: a consumer ended as a browser"));
        };
        let twice = std::mem::replace(ended, true);
        let (due, shown) = (due.clone(), shown.clone());
        if twice {
            self.accuse(Promise::Browse, format!("{id:?}: a browser ended twice"));
        }
        for copy in due.into_iter().filter(|copy| !shown.contains(copy)) {
            let it = &self.copies[copy.0];
            let stayed = it.is_here() && it.holder.is_none() && it.deliveries == 0;
            if stayed && !self.facts[&it.message].is_expired(self.now.wall) {
                let text = format!("message {} stayed in {} and was not shown", it.message, it.store);
                self.accuse(Promise::Browse, text);
            }
        }
    }

    /// Where copies of a message may be in one store: to find the one that was delivered.
    pub(super) fn copies_in(&self, store: &StoreKey, message: &ferrymq_model::MessageId) -> Vec<super::CopyId> {
        let Some(store) = self.stores.get(store) else { return Vec::new() };
        store.copies.iter().copied().filter(|copy| self.copies[copy.0].message == *message).collect()
    }

    /// The dead letter of a message that expired, seen for the first time: the broker moved it by itself.
    pub(super) fn find_expired(&mut self, letter: &Message) -> Option<super::CopyId> {
        let message = &letter.header.id;
        let facts = self.facts.get(message)?;
        if !facts.is_expired(self.now.wall) || !facts.persistent {
            return None;
        }
        let at = self.copies.iter().position(|copy| {
            copy.message == *message
                && copy.possible().allows(Place::Here)
                && copy.holder.is_none()
                && copy.store != super::ended::dead_letters()
                && is_origin(letter, &copy.store)
                && !matches!(copy.store, StoreKey::Topic(..))
        })?;
        let operation = self.operate(None, false);
        self.bury(operation, super::CopyId(at));
        let letter = self.copies_in(&super::ended::dead_letters(), message).pop()?;
        // Nobody knows when it moved: perhaps it was delivered as a dead letter before a crash.
        self.copies[letter.0].born = u32::MAX;
        Some(letter)
    }
}
