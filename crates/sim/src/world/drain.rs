//! The end: everything is healed, patient consumers take what is left, and the oracle judges what did not come.

use super::World;
use crate::client::{
    Cast, Client, DELAY_MS_MAX, REPEATS_MAX, Role, SHARED_DURABLE, SHARED_DURABLE_TOPIC, durable_topic, topic,
};
use crate::oracle::DEAD_LETTER_QUEUE;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{
    Address, Deliveries, Destination, Event, Request, SessionId, Settlement, Subscribe, SubscriptionId, Token,
};
use std::sync::Arc;

/// Rounds without a delivery after which nothing more is expected.
const QUIET_ROUNDS: u32 = 6;
/// Rounds at most, so that a broker that never stops delivering ends in a judgement.
const ROUNDS_MAX: u32 = 10_000;

impl World {
    /// Heals everything and takes what is left.
    pub(crate) fn drain(&mut self) {
        if !self.oracle.violations().is_empty() || self.node.is_none() {
            return;
        }
        self.note(|| "everything heals".to_owned());
        self.disk.heal();
        self.plan.restarts = false;
        self.end_wires();
        if !self.store_failed {
            self.satisfy_listeners();
        }
        if self.store_failed || self.random.percent(50) {
            self.die_in_peace();
        }
        for at in 0..self.clients.len() {
            if self.clients[at].is_connected() {
                self.disconnect(at);
            }
        }
        if !self.oracle.violations().is_empty() || self.node.is_none() {
            return;
        }
        let far = if self.random.percent(50) { 100_000 } else { DELAY_MS_MAX };
        self.tick(far);
        self.pump();
        // What is due may have to be read first, and again where it could not be.
        let repeats = if self.plan.cast == Cast::Routes { 3 * REPEATS_MAX } else { 0 };
        for _ in 0..5 + repeats {
            self.tick(500);
            self.pump();
        }
        let durables = self.oracle.durables();
        for (client, durable) in durables {
            self.drain_one(Drained::Durable(client, durable));
        }
        let (letters, queues): (Vec<_>, Vec<_>) =
            self.oracle.queues().into_iter().partition(|queue| &*queue.name == DEAD_LETTER_QUEUE);
        for queue in queues {
            self.drain_one(Drained::Queue(queue));
        }
        self.tick(100);
        self.pump();
        let letter = letters.into_iter().next().unwrap_or_else(|| crate::client::queue(DEAD_LETTER_QUEUE));
        self.drain_one(Drained::Queue(letter));
        if self.oracle.violations().is_empty() {
            self.oracle.finish();
        }
        self.judge_disk();
    }

    fn die_in_peace(&mut self) {
        if self.store_failed || self.random.percent(50) {
            self.disk.cut_power();
            self.power_cut();
        } else {
            self.stop();
        }
    }

    /// Everything that waits is written and read.
    pub(super) fn pump(&mut self) {
        for _ in 0..1000 {
            if self.fetches.is_empty() {
                break;
            }
            self.answer_fetches();
        }
        self.take_batch();
        self.perform_batch();
    }

    fn satisfy_listeners(&mut self) {
        let listeners: Vec<usize> = (0..self.clients.len())
            .filter(|at| self.clients[*at].role() == Role::Listener && self.clients[*at].is_connected())
            .collect();
        let mut quiet = 0;
        for _ in 0..ROUNDS_MAX {
            let before = self.oracle.deliveries();
            for at in &listeners {
                while self.clients[*at].receive() {}
                let session = self.clients[*at].session();
                self.clients[*at].settle_everything();
                let requests: Vec<Request> = self.clients[*at].outgoing.drain(..).collect();
                for request in requests {
                    self.ask(session, vec![request]);
                }
            }
            self.tick(1);
            self.pump();
            quiet = if self.oracle.deliveries() == before { quiet + 1 } else { 0 };
            if quiet >= QUIET_ROUNDS || !self.oracle.violations().is_empty() {
                break;
            }
        }
        if self.oracle.violations().is_empty() {
            self.oracle.listeners_done();
        }
    }

    fn drain_one(&mut self, what: Drained) {
        if !self.oracle.violations().is_empty() || self.node.is_none() {
            return;
        }
        let slot = u32::try_from(self.clients.len()).expect("a few clients");
        self.clients.push(Client::new(Role::Listener, self.plan.cast, slot, self.random.clone()));
        let session = SessionId { slot, generation: 0 };
        let subscription = SubscriptionId(1);
        let (client_id, subscribe) = what.subscribe(subscription);
        self.ask(session, vec![Request::Connect { client_id, user: None, name: None, peer: None, confirm: Token(1) }]);
        self.ask(session, vec![Request::Subscribe(Box::new(subscribe))]);
        let (mut quiet, mut token) = (0, 10);
        for _ in 0..ROUNDS_MAX {
            let mut delivered = Vec::new();
            while let Some(event) = self.clients[slot as usize].incoming.pop_front() {
                if let Event::Deliver(delivery) = event {
                    delivered.push(delivery.delivery);
                }
            }
            quiet = if delivered.is_empty() { quiet + 1 } else { 0 };
            if quiet > QUIET_ROUNDS || !self.oracle.violations().is_empty() {
                break;
            }
            if let Some(last) = delivered.last().copied() {
                token += 1;
                self.ask(
                    session,
                    vec![Request::Settle {
                        subscription,
                        deliveries: Deliveries::Through(last),
                        settlement: Settlement::Consumed,
                        transaction: None,
                        confirm: Some(Token(token)),
                    }],
                );
            }
            self.tick(1);
            self.pump();
        }
    }
}

/// What is drained.
enum Drained {
    Queue(Arc<Destination>),
    Durable(Arc<str>, Arc<str>),
}

impl Drained {
    fn subscribe(self, subscription: SubscriptionId) -> (Option<Arc<str>>, Subscribe) {
        let (client_id, leaf, mode) = match self {
            Self::Queue(queue) => (None, queue, SubscribeMode::Consume),
            Self::Durable(client, name) if client.is_empty() => {
                assert_eq!(&*name, SHARED_DURABLE, "there is one shared subscription that is durable");
                (None, topic(SHARED_DURABLE_TOPIC), SubscribeMode::SharedDurable(name))
            }
            Self::Durable(client, name) => {
                // The pattern that the client of this slot always uses.
                let even = client.bytes().last().is_some_and(|digit| digit.is_ascii_digit() && digit % 2 == 0);
                (Some(client), topic(durable_topic(even)), SubscribeMode::Durable(name))
            }
        };
        let subscribe = Subscribe {
            selector_converts_text: true,
            mode,
            confirm: Some(Token(2)),
            ..Subscribe::consumer(subscription, Arc::new(Address { leaves: vec![leaf] }), 100)
        };
        (client_id, subscribe)
    }
}
