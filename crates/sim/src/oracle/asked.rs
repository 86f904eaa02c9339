//! What requests mean.

use super::Oracle;
use super::copies::{CopyId, OperationId, Place, Possible};
use super::facts::{
    Asked, Due, Existence, Facts, Fate, Held, HeldSend, HeldSettlement, Listening, Session, Store, StoreKey,
    Subscription, Transaction, Waiting, is_queue, listens_to,
};
use crate::content::wish;
use ferrymq_model::{
    Deliveries, Destination, Message, Request, SessionId, Settlement, Subscribe, SubscriptionId, Token, TransactionId,
    WallTime, request::SubscribeMode,
};
use std::sync::Arc;

impl Oracle {
    pub(super) fn judge_request(&mut self, id: SessionId, request: &Request) {
        match request {
            Request::Connect { client_id, confirm, .. } => {
                self.sessions.insert(id, Session { client_id: client_id.clone(), ..Session::default() });
                self.await_answer(id, Some(*confirm), Asked::Connect);
            }
            Request::AddProducer { producer, address, .. } => {
                let leaves = address.leaves.clone();
                self.session(id).producers.insert(*producer, leaves);
            }
            Request::RemoveProducer { producer } => {
                self.session(id).producers.remove(producer);
            }
            Request::Send { producer, message, transaction, confirm } => {
                let leaves = self.session(id).producers.get(producer).cloned().unwrap_or_default();
                let answer = self.answer_of_send(&leaves);
                let operation = self.send(id, message, leaves, *transaction);
                self.await_as(id, *confirm, Asked::Send(operation), answer);
            }
            Request::Subscribe(subscribe) => {
                self.subscribe(id, subscribe);
                self.await_answer(id, subscribe.confirm, Asked::Subscribe(subscribe.subscription));
            }
            Request::Unsubscribe { subscription, seen, confirm } => {
                self.end_subscription(id, *subscription, *seen);
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::Settle { subscription, deliveries, settlement, transaction, confirm } => {
                self.settle(id, *subscription, *deliveries, settlement, *transaction);
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::Begin { transaction, confirm, .. } => self.begin(id, *transaction, *confirm),
            Request::Commit { transaction, confirm } => {
                let operation = self.commit(id, *transaction);
                self.await_answer(id, *confirm, Asked::Send(operation));
            }
            Request::Rollback { transaction, confirm } => {
                self.roll_back(id, *transaction);
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::SetPrefetch { subscription, prefetch } => {
                self.change_credit(id, *subscription, |known| known.prefetch = *prefetch);
            }
            Request::Pull { subscription, messages, confirm } => {
                self.change_credit(id, *subscription, |known| known.pulled = *messages);
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::Confirm { confirm } => self.await_answer(id, Some(*confirm), Asked::Other),
            Request::Disconnect => self.disconnect(id),
            Request::CreateTemporary { .. }
            | Request::DeleteTemporary { .. }
            | Request::CreateDestination { .. }
            | Request::DeleteDestination { .. }
            | Request::DeleteDurable { .. }
            | Request::Purge { .. }
            | Request::Inspect { .. } => self.judge_keeping(id, request),
            Request::WasCommitted { .. } | Request::Branch { .. } | Request::Recover { .. } => {
                unreachable!("no client of the simulator asks this here")
            }
        }
    }

    /// What makes, empties and deletes places, or looks at them.
    fn judge_keeping(&mut self, id: SessionId, request: &Request) {
        match request {
            Request::CreateTemporary { destination, confirm } => self.create_temporary(id, destination, *confirm),
            Request::DeleteTemporary { destination, confirm } => {
                self.delete_temporary(id, destination);
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::DeleteDurable { name, confirm } => {
                let (operation, answer) = self.delete_durable(id, name);
                self.await_as(id, *confirm, Asked::Delete(operation), answer);
            }
            Request::CreateDestination { destination, confirm } => {
                self.open_group_queues(id, std::slice::from_ref(destination));
                self.await_answer(id, *confirm, Asked::Other);
            }
            Request::DeleteDestination { destination, confirm } => {
                let (operation, answer) = self.delete_destination(id, destination);
                self.await_as(id, *confirm, Asked::Delete(operation), answer);
            }
            Request::Inspect { token, .. } => self.session(id).queries.push((*token, None)),
            Request::Purge { destination, token } => {
                let operation = self.purge(id, destination);
                self.session(id).queries.push((*token, Some(operation)));
            }
            Request::Connect { .. }
            | Request::AddProducer { .. }
            | Request::RemoveProducer { .. }
            | Request::Send { .. }
            | Request::Subscribe(_)
            | Request::Unsubscribe { .. }
            | Request::SetPrefetch { .. }
            | Request::Pull { .. }
            | Request::Settle { .. }
            | Request::Begin { .. }
            | Request::WasCommitted { .. }
            | Request::Branch { .. }
            | Request::Recover { .. }
            | Request::Commit { .. }
            | Request::Rollback { .. }
            | Request::Confirm { .. }
            | Request::Disconnect => unreachable!("it keeps no place"),
        }
    }

    fn begin(&mut self, id: SessionId, transaction: TransactionId, confirm: Option<Token>) {
        self.session(id).transactions.insert(transaction, Transaction::default());
        self.await_answer(id, confirm, Asked::Other);
    }

    fn create_temporary(&mut self, id: SessionId, destination: &Arc<Destination>, confirm: Option<Token>) {
        self.session(id).temporaries.push(destination.clone());
        self.await_answer(id, confirm, Asked::Other);
    }

    fn change_credit(&mut self, id: SessionId, subscription: SubscriptionId, change: impl FnOnce(&mut Subscription)) {
        if let Some(known) = self.session(id).subscriptions.get_mut(&subscription) {
            change(known);
        }
    }

    pub(super) fn session(&mut self, id: SessionId) -> &mut Session {
        self.sessions.entry(id).or_default()
    }

    pub(super) fn store_mut(&mut self, key: &StoreKey) -> &mut Store {
        self.stores.entry(key.clone()).or_insert_with(|| Store::new(Existence::Certain))
    }

    fn await_answer(&mut self, id: SessionId, token: Option<Token>, what: Asked) {
        self.await_as(id, token, what, Due::Done);
    }

    fn await_as(&mut self, id: SessionId, token: Option<Token>, what: Asked, answer: Due) {
        let session = self.session(id);
        if let Some(token) = token {
            let operations = session.operations.len();
            session.waiting.push_back(Waiting { token, what, operations, answer });
        }
    }

    fn send(
        &mut self,
        id: SessionId,
        message: &Arc<Message>,
        leaves: Vec<Arc<Destination>>,
        transaction: Option<TransactionId>,
    ) -> Option<OperationId> {
        let fate = if transaction.is_some() { Fate::Held } else { Fate::Sent };
        let facts = Facts::of(message, id, fate)?;
        self.facts.insert(message.header.id.clone(), facts);
        match transaction.and_then(|it| self.session(id).transactions.get_mut(&it)) {
            Some(open) => {
                open.sends.push(HeldSend { message: message.clone(), leaves });
                None
            }
            None => {
                let operation = self.operate(Some(id), false);
                self.publish(id, operation, message, &leaves);
                Some(operation)
            }
        }
    }

    /// Places a message wherever it belongs now.
    fn publish(&mut self, id: SessionId, operation: OperationId, message: &Message, leaves: &[Arc<Destination>]) {
        let now = self.now.wall;
        let facts = self.facts.get_mut(&message.header.id).expect("it was noted when it was sent");
        facts.due = facts.delay_ms.map(|delay_ms| WallTime(now.0 + delay_ms));
        let facts = facts.clone();
        if let Some((repeats, every_ms)) = facts.repeats {
            return self.publish_series(operation, &message.header.id, &facts, leaves, (repeats, every_ms));
        }
        if self.answer_of_send(leaves) != Due::Done {
            self.facts.get_mut(&message.header.id).expect("it was noted when it was sent").fate = Fate::Refused;
            return;
        }
        for leaf in leaves {
            if is_queue(leaf.kind) {
                let store = StoreKey::Queue(leaf.clone());
                let persistent = facts.persistent && !leaf.kind.is_temporary();
                self.place(operation, message.header.id.clone(), &store, persistent);
                continue;
            }
            for queue in self.group_queues(leaf) {
                self.place(operation, message.header.id.clone(), &queue, facts.persistent);
            }
            for (key, persistent) in self.listeners(id, leaf, &facts) {
                self.place(operation, message.header.id.clone(), &key, persistent);
            }
        }
    }

    /// The topic subscriptions that get a message, and whether they keep it over a crash.
    fn listeners(&self, sender: SessionId, leaf: &Destination, facts: &Facts) -> Vec<(StoreKey, bool)> {
        let mut found = Vec::new();
        for (key, store) in &self.stores {
            let wanted = store.wish.is_none_or(|wish| (wish.accepts)(facts.properties, facts.priority));
            if !wanted || store.deleting || !store.listens.iter().any(|pattern| listens_to(pattern, leaf)) {
                continue;
            }
            match key {
                StoreKey::Queue(_) => {}
                StoreKey::Durable(..) => found.push((key.clone(), facts.persistent)),
                StoreKey::Shared(_) => found.push((key.clone(), false)),
                StoreKey::Topic(session, subscription) => {
                    let deaf = self
                        .sessions
                        .get(session)
                        .is_none_or(|session| session.subscriptions.get(subscription).is_none_or(|it| it.no_local));
                    if !(deaf && *session == sender) {
                        found.push((key.clone(), false));
                    }
                }
            }
        }
        found
    }

    fn subscribe(&mut self, id: SessionId, subscribe: &Subscribe) {
        let leaves = subscribe.address.leaves.clone();
        let chosen = subscribe.selector.as_ref().and_then(|source| wish(source));
        let listening = match &subscribe.mode {
            SubscribeMode::Browse => {
                Listening::Browser { due: self.browsable(&leaves, chosen), shown: Vec::new(), ended: false }
            }
            SubscribeMode::Durable(name) => {
                let client = self.session(id).client_id.clone().unwrap_or_else(|| Arc::from(""));
                let key = StoreKey::Durable(client, name.clone());
                self.open_durable(id, &key, &leaves, chosen);
                Listening::Durable(key)
            }
            SubscribeMode::SharedDurable(name) => {
                let key = StoreKey::Durable(Arc::from(""), name.clone());
                self.open_durable(id, &key, &leaves, chosen);
                Listening::Durable(key)
            }
            SubscribeMode::Shared(name) => {
                let key = StoreKey::Shared(name.clone());
                self.open_shared(&key, &leaves, chosen);
                Listening::Durable(key)
            }
            SubscribeMode::Consume if leaves.iter().all(|leaf| is_queue(leaf.kind)) => {
                self.open_group_queues(id, &leaves);
                Listening::Queues
            }
            SubscribeMode::Consume => {
                let mut store = Store::new(Existence::Certain);
                store.listens = leaves.clone();
                store.wish = chosen;
                self.stores.insert(StoreKey::Topic(id, subscribe.subscription), store);
                Listening::Topic
            }
        };
        let subscription = Subscription {
            listening,
            leaves,
            wish: chosen,
            prefetch: subscribe.prefetch,
            pulled: 0,
            no_local: subscribe.no_local,
            awaits: subscribe.confirm,
            asked_in: self.step,
            last_delivery: 0,
            held: Vec::new(),
            gives_up: subscribe.gives_up,
            exclusive: subscribe.exclusive,
            priority: subscribe.priority,
        };
        self.session(id).subscriptions.insert(subscribe.subscription, subscription);
    }

    pub(super) fn open_durable(
        &mut self,
        id: SessionId,
        key: &StoreKey,
        leaves: &[Arc<Destination>],
        chosen: Option<crate::content::Wish>,
    ) {
        let operation = self.operate(Some(id), false);
        // What another session has just made is as durable as this one's confirmation says.
        if let Some(Store { pending: Some(made), deleting: false, .. }) = self.stores.get(key) {
            let made = *made;
            self.session(id).operations.push(made);
        }
        let is_new = !self.stores.contains_key(key);
        let store = self.store_mut(key);
        store.listens = leaves.to_vec();
        store.wish = chosen;
        // Its deletion may be on the way, asked by a session that went without the answer: this one comes after it.
        let returns = std::mem::replace(&mut store.deleting, false);
        if is_new || returns || store.existence == Existence::Uncertain {
            store.existence = Existence::Certain;
            store.pending = Some(operation);
        }
    }

    /// Copies that a browser started now must show if they stay.
    fn browsable(&self, leaves: &[Arc<Destination>], chosen: Option<crate::content::Wish>) -> Vec<CopyId> {
        let mut due = Vec::new();
        for (key, store) in &self.stores {
            let StoreKey::Queue(destination) = key else { continue };
            if !leaves.iter().any(|pattern| listens_to(pattern, destination)) {
                continue;
            }
            due.extend(store.copies.iter().copied().filter(|copy| {
                let it = &self.copies[copy.0];
                let facts = &self.facts[&it.message];
                it.is_here()
                    && it.holder.is_none()
                    && self.is_visible(it.placed_by)
                    && !facts.is_expired(self.now.wall)
                    && chosen.is_none_or(|wish| (wish.accepts)(facts.properties, facts.priority))
            }));
        }
        due
    }

    /// Whether what an operation placed may be delivered for sure: a transaction's only when it is durable.
    pub(super) fn is_visible(&self, operation: OperationId) -> bool {
        let operation = &self.operations[operation.0];
        !operation.commit || operation.durable || !operation.effects.iter().any(|copy| self.copies[copy.0].persistent)
    }

    /// Whether it is a commit with something to write for sure that is not promised durable yet.
    pub(super) fn waits_for_disk(&self, operation: OperationId) -> bool {
        let operation = &self.operations[operation.0];
        // A copy for a durable subscription that may not exist is no reason to wait.
        let writes = || {
            let mut copies = operation.effects.iter().map(|copy| &self.copies[copy.0]);
            copies.any(|copy| copy.persistent && copy.possible() != Possible::EITHER)
        };
        operation.commit && !operation.durable && writes()
    }

    fn settle(
        &mut self,
        id: SessionId,
        subscription: SubscriptionId,
        deliveries: Deliveries,
        settlement: &Settlement,
        transaction: Option<TransactionId>,
    ) {
        let Some(it) = self.session(id).subscriptions.get_mut(&subscription) else { return };
        let meant = |held: &Held| {
            let in_range = match deliveries {
                Deliveries::One(one) => held.delivery == one,
                Deliveries::Through(last) => held.delivery <= last,
                Deliveries::Range(first, last) => held.delivery >= first && held.delivery <= last,
            };
            in_range && held.transaction.is_none()
        };
        if *settlement == Settlement::Delivered {
            for held in it.held.iter_mut().filter(|held| meant(held)) {
                held.extends = true;
            }
            return;
        }
        if let Some(transaction) = transaction {
            let mut settled = Vec::new();
            for held in it.held.iter_mut().filter(|held| meant(held)) {
                held.transaction = Some(transaction);
                settled.push(HeldSettlement { subscription, held: *held, settlement: settlement.clone() });
            }
            if let Some(open) = self.session(id).transactions.get_mut(&transaction) {
                open.settlements.append(&mut settled);
            }
            return;
        }
        let settled: Vec<Held> = it.held.extract_if(.., |held| meant(held)).collect();
        match settlement {
            Settlement::Undelivered => self.give_back(id, &settled),
            Settlement::Returned => self.take_back(&settled),
            Settlement::Consumed
            | Settlement::Expired
            | Settlement::Poisoned(_)
            | Settlement::Delivered
            | Settlement::Written => {
                for held in settled {
                    let operation = self.operate(Some(id), false);
                    self.apply(operation, held, settlement);
                }
            }
        }
    }

    /// Carries a settlement out that ends a delivery for good.
    fn apply(&mut self, operation: OperationId, held: Held, settlement: &Settlement) {
        match settlement {
            Settlement::Consumed => self.change(operation, held.copy, Place::Gone),
            Settlement::Expired | Settlement::Poisoned(_) => self.bury(operation, held.copy),
            Settlement::Undelivered | Settlement::Returned | Settlement::Delivered | Settlement::Written => {}
        }
    }

    fn commit(&mut self, id: SessionId, transaction: TransactionId) -> Option<OperationId> {
        let open = self.session(id).transactions.remove(&transaction)?;
        let operation = self.operate(Some(id), true);
        for send in open.sends {
            if let Some(facts) = self.facts.get_mut(&send.message.header.id) {
                facts.fate = Fate::Sent;
            }
            self.publish(id, operation, &send.message, &send.leaves);
        }
        for settled in open.settlements {
            if let Some(it) = self.session(id).subscriptions.get_mut(&settled.subscription) {
                it.held.retain(|held| held.delivery != settled.held.delivery);
            }
            self.apply(operation, settled.held, &settled.settlement);
        }
        Some(operation)
    }

    fn roll_back(&mut self, id: SessionId, transaction: TransactionId) {
        let Some(open) = self.session(id).transactions.remove(&transaction) else { return };
        for send in open.sends {
            if let Some(facts) = self.facts.get_mut(&send.message.header.id) {
                facts.fate = Fate::RolledBack;
            }
        }
        let mut orphans = Vec::new();
        for settled in open.settlements {
            match self.session(id).subscriptions.get_mut(&settled.subscription) {
                Some(it) => it.held.iter_mut().filter(|held| held.delivery == settled.held.delivery).for_each(|held| {
                    held.transaction = None;
                }),
                None => orphans.push(settled.held),
            }
        }
        self.give_back(id, &orphans);
    }
}
