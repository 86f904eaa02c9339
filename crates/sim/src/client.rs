//! Virtual clients: each asks what a real session of its role would ask, and lives with what it is told.

mod keep;
mod places;

pub use places::{Cast, SHARED_DURABLE, SHARED_DURABLE_TOPIC, durable_topic};

use crate::content::{COLORS, PLAIN, Properties, WISHES};
use crate::random::Random;
use bytes::Bytes;
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{
    Address, Annotations, Deliveries, DeliveryId, DeliveryMode, Destination, DestinationKind, Event, Header, Message,
    MessageId, ProducerId, Query, Request, Schedule, Seen, SessionId, Settlement, Subscribe, SubscriptionId, Token,
    TransactionId, WallTime,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// What a client does for a living.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Sends, alone and in transactions.
    Producer,
    /// Takes from queues and settles at leisure.
    Consumer,
    /// Takes from queues; each delivery is settled when it was written.
    Automatic,
    /// Takes in transactions and sends what it took on.
    Transfer,
    /// Listens to topics while it is there.
    Listener,
    /// Listens to topics also while it is away.
    Durable,
    /// Looks into queues, and asks for figures.
    Browser,
    /// Shares a subscription to a topic with others.
    Member,
    /// Has a temporary queue.
    Owner,
    /// Makes, purges and deletes what others use.
    Keeper,
}

const QUEUES: [&str; 3] = ["Q.A", "Q.B", "Q.C"];
/// A queue that gets nothing but scheduled messages: they come in the order in which they are due.
const SCHEDULED_QUEUE: &str = "S.A";
/// The longest delay of a message, in milliseconds.
pub const DELAY_MS_MAX: u64 = 2000;
/// The most that a message repeats.
pub const REPEATS_MAX: u64 = 3;
const TOPICS: [&str; 2] = ["T.X", "T.Y"];

/// A client.
#[derive(Debug)]
pub struct Client {
    role: Role,
    cast: Cast,
    slot: u32,
    generation: u32,
    connected: bool,
    random: Random,
    /// On the way to the node.
    pub outgoing: VecDeque<Request>,
    /// On the way from the node.
    pub incoming: VecDeque<Event>,
    tokens: u64,
    sent: u64,
    producers: Vec<(ProducerId, Arc<Address>)>,
    subscription: Option<SubscriptionId>,
    subscriptions: u32,
    /// Deliveries to settle, in order.
    unsettled: Vec<DeliveryId>,
    /// Those whose window was opened already.
    extended: Vec<DeliveryId>,
    transaction: Option<TransactionId>,
    transactions: u64,
    in_transaction: Vec<DeliveryId>,
    /// Nothing is asked before this is answered.
    awaited: Option<Token>,
    /// The durable subscription was ended and may be deleted.
    deletable: bool,
    settles: Settles,
    /// Its subscription has no prefetch: it gets what it asks for.
    pulls: bool,
    paused: bool,
    /// Temporary queues that it heard of, the last ones.
    rumours: Vec<Arc<Destination>>,
    /// Its own temporary queue.
    temporary: Option<Arc<Destination>>,
    temporaries: u32,
}

impl Client {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(role: Role, cast: Cast, slot: u32, random: Random) -> Self {
        Self {
            role,
            cast,
            slot,
            generation: 0,
            connected: false,
            random,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            tokens: 0,
            sent: 0,
            producers: Vec::new(),
            subscription: None,
            subscriptions: 0,
            unsettled: Vec::new(),
            extended: Vec::new(),
            transaction: None,
            transactions: 0,
            in_transaction: Vec::new(),
            awaited: None,
            deletable: false,
            settles: Settles::WhenAcknowledged,
            pulls: false,
            paused: false,
            rumours: Vec::new(),
            temporary: None,
            temporaries: 0,
        }
    }

    /// What it does.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether its connection is read.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Its session while it is connected.
    #[must_use]
    pub fn session(&self) -> SessionId {
        SessionId { slot: self.slot, generation: self.generation }
    }

    /// Whether it has a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// The connection is gone: what was on its way is lost, and the next session is another one.
    pub fn cut(&mut self) {
        self.connected = false;
        self.generation += 1;
        self.outgoing.clear();
        self.incoming.clear();
        self.producers.clear();
        self.subscription = None;
        self.unsettled.clear();
        self.extended.clear();
        self.transaction = None;
        self.in_transaction.clear();
        self.awaited = None;
        self.deletable = false;
        self.paused = false;
        self.temporary = None;
    }

    /// Asks for something, if there is anything to ask now.
    pub fn act(&mut self, wall: WallTime) {
        if self.awaited.is_some() || self.outgoing.len() > 20 {
            return;
        }
        if !self.connected {
            return self.connect();
        }
        match self.role {
            Role::Producer => self.produce(wall),
            Role::Consumer | Role::Transfer | Role::Durable | Role::Member => self.consume(wall),
            Role::Owner => self.own(wall),
            Role::Keeper => self.keep(),
            Role::Automatic | Role::Listener => self.listen(),
            Role::Browser => self.browse(),
        }
    }

    /// Takes the next event; false when there is none.
    pub fn receive(&mut self) -> bool {
        let Some(event) = self.incoming.pop_front() else { return false };
        match event {
            Event::Confirmed { token } => self.answered(token),
            Event::Refused { token, .. } => {
                if let Some(token) = token {
                    self.answered(token);
                }
            }
            Event::Deliver(delivery) if self.subscription == Some(delivery.subscription) => {
                self.unsettled.push(delivery.delivery);
                if self.settles == Settles::WhenWritten && self.role != Role::Browser {
                    self.settle_written();
                }
            }
            Event::BrowseEnd { subscription } => {
                self.unsettled.clear();
                self.subscription = None;
                self.outgoing.push_back(Request::Unsubscribe { subscription, seen: Seen::Unknown, confirm: None });
            }
            Event::SubscriptionEnded { subscription, .. } if self.subscription == Some(subscription) => {
                self.subscription = None;
            }
            Event::Pause => self.paused = true,
            Event::Resume => self.paused = false,
            Event::Deliver(_)
            | Event::SubscriptionEnded { .. }
            | Event::Inspected { .. }
            | Event::Purged { .. }
            | Event::Closed { .. }
            | Event::Prepared { .. }
            | Event::InDoubt { .. }
            | Event::BranchEnded { .. } => {}
        }
        true
    }

    fn answered(&mut self, token: Token) {
        if self.awaited == Some(token) {
            self.awaited = None;
        }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn maybe_token(&mut self, chance: u64) -> Option<Token> {
        self.random.percent(chance).then(|| self.token())
    }

    fn sender_name(&self) -> Arc<str> {
        Arc::from(format!("ID:sim-{}", self.slot))
    }

    fn client_id(&self) -> Arc<str> {
        Arc::from(format!("client-{}", self.slot))
    }

    fn connect(&mut self) {
        self.connected = true;
        let token = self.token();
        self.awaited = Some(token);
        let client_id = (self.role == Role::Durable).then(|| self.client_id());
        self.outgoing.push_back(Request::Connect { client_id, user: None, name: None, peer: None, confirm: token });
    }

    fn produce(&mut self, wall: WallTime) {
        match self.transaction {
            None if self.random.percent(15) => self.begin(),
            None => {
                let burst = if self.random.percent(20) { 1 + self.random.below(8) } else { 1 };
                for _ in 0..burst {
                    self.send(wall, None);
                }
            }
            Some(transaction) if self.random.percent(60) => self.send(wall, Some(transaction)),
            Some(transaction) => self.end_transaction(transaction),
        }
    }

    fn begin(&mut self) {
        self.transactions += 1;
        let transaction = TransactionId(self.transactions);
        self.transaction = Some(transaction);
        let confirm = self.maybe_token(20);
        self.outgoing.push_back(Request::Begin { transaction, name: None, confirm });
    }

    fn end_transaction(&mut self, transaction: TransactionId) {
        self.transaction = None;
        let held = std::mem::take(&mut self.in_transaction);
        if self.random.percent(75) {
            let confirm = self.maybe_token(80);
            self.outgoing.push_back(Request::Commit { transaction, confirm });
        } else {
            let confirm = self.maybe_token(50);
            self.outgoing.push_back(Request::Rollback { transaction, confirm });
            if self.subscription.is_some() {
                self.unsettled.extend(held);
                self.unsettled.sort_unstable();
            }
        }
    }

    fn producer(&mut self) -> (ProducerId, Arc<Address>) {
        if self.producers.is_empty() || (self.producers.len() < 4 && self.random.percent(30)) {
            let leaves = self.send_places();
            let producer = ProducerId(u32::try_from(self.producers.len()).expect("a few producers"));
            let address = Arc::new(Address { leaves });
            self.producers.push((producer, address.clone()));
            self.outgoing.push_back(Request::AddProducer {
                producer,
                name: None,
                skips_duplicates: false,
                address,
                confirm: None,
            });
        }
        self.random.pick(&self.producers).clone()
    }

    fn send(&mut self, wall: WallTime, transaction: Option<TransactionId>) {
        let (producer, address) = self.producer();
        let is_temporary = address.leaves[0].kind.is_temporary();
        if is_temporary && transaction.is_some() {
            // It may be gone when the transaction commits, which would be refused whole.
            return;
        }
        self.sent += 1;
        let color = self.random.percent(80).then(|| *self.random.pick(&COLORS));
        let properties = Properties { n: self.random.below(10).cast_signed(), color };
        let fill = if self.random.percent(10) { self.random.index(3000) } else { self.random.index(60) };
        let body = Bytes::from(properties.body(self.sent, fill));
        let is_scheduled = &*address.leaves[0].name == SCHEDULED_QUEUE;
        let expires = self.random.percent(8) && !is_scheduled;
        let expiration = expires.then(|| WallTime(wall.0 + 50 + self.random.below(3000)));
        let group = self.some_group();
        let grouped = group.map(|group| Box::new(Annotations { group: Some(group), ..Annotations::default() }));
        let annotations = is_scheduled.then(|| {
            let delay_ms = if self.random.percent(20) { 0 } else { self.random.below(DELAY_MS_MAX) };
            let schedule = Schedule { delay_ms, ..Schedule::default() };
            let mut annotations = Annotations::default();
            annotations.schedule = Some(Box::new(self.repeated(schedule, &mut annotations)));
            Box::new(annotations)
        });
        let persistent = self.random.percent(75) || is_scheduled;
        let message = Message {
            header: Header {
                id: MessageId { producer: self.sender_name(), sequence: self.sent },
                destination: address.leaves[0].clone(),
                mode: if persistent { DeliveryMode::Persistent } else { DeliveryMode::NonPersistent },
                priority: if self.random.percent(80) { 4 } else { *self.random.pick(&[0, 5, 9]) },
                timestamp: wall,
                expiration,
                annotations: annotations.or(grouped),
            },
            dialect: &PLAIN,
            bytes: body,
            body_at: 0,
        };
        let chance = if is_temporary { 100 } else { 60 };
        let confirm = self.maybe_token(if transaction.is_some() { 10 } else { chance });
        self.outgoing.push_back(Request::Send { producer, message: Arc::new(message), transaction, confirm });
    }

    fn consume(&mut self, wall: WallTime) {
        let Some(subscription) = self.subscription else {
            return self.start_consuming();
        };
        if let Some(transaction) = self.transaction {
            match self.random.below(10) {
                0..3 => self.end_transaction(transaction),
                3..6 if self.role == Role::Transfer => self.send(wall, Some(transaction)),
                _ => self.settle(subscription),
            }
        } else if self.random.percent(if self.role == Role::Transfer { 60 } else { 10 }) {
            self.begin();
        } else if self.random.percent(4) {
            self.end_consuming(subscription);
        } else {
            self.settle(subscription);
        }
        if self.pulls && self.subscription == Some(subscription) && self.random.percent(50) {
            self.pull(subscription);
        }
    }

    fn pull(&mut self, subscription: SubscriptionId) {
        let confirm = self.maybe_token(60);
        let few = u32::try_from(self.random.below(4)).expect("small");
        if self.random.percent(5) {
            self.outgoing.push_back(Request::SetPrefetch { subscription, prefetch: few });
        }
        self.outgoing.push_back(Request::Pull { subscription, messages: few, confirm });
    }

    fn start_consuming(&mut self) {
        if self.deletable && self.random.percent(20) {
            self.deletable = false;
            let token = self.token();
            self.awaited = Some(token);
            let name = Arc::from("durable");
            return self.outgoing.push_back(Request::DeleteDurable { name, confirm: Some(token) });
        }
        let (leaves, mode) = self.take_places();
        let chance = if mode == SubscribeMode::Consume && self.role != Role::Owner { 40 } else { 0 };
        self.subscribe(leaves, mode, Settles::WhenAcknowledged, chance);
    }

    fn subscribe(&mut self, leaves: Vec<Arc<Destination>>, mode: SubscribeMode, settles: Settles, wish: u64) {
        self.subscriptions += 1;
        let subscription = SubscriptionId(self.subscriptions);
        self.subscription = Some(subscription);
        self.settles = settles;
        self.unsettled.clear();
        self.extended.clear();
        let selector = self.random.percent(wish).then(|| Arc::from(self.random.pick(&WISHES).source));
        let browses = mode == SubscribeMode::Browse;
        self.pulls =
            !browses && settles == Settles::WhenAcknowledged && self.role != Role::Listener && self.random.percent(20);
        let gives_up = if self.random.percent(30) { GivesUp::Consumer } else { GivesUp::Broker };
        let prefetch = 1 + u32::try_from(self.random.below(10)).expect("small");
        let exclusive = !browses && self.wants_alone();
        let confirm = self.maybe_token(60);
        self.outgoing.push_back(Request::Subscribe(Box::new(Subscribe {
            subscription,
            name: None,
            address: Arc::new(Address { leaves }),
            selector,
            // Messages of STOMP clients have numbers as text.
            selector_converts_text: true,
            mode,
            settles,
            gives_up,
            prefetch: if browses { 10_000 } else { prefetch * u32::from(!self.pulls) },
            no_local: self.role == Role::Listener,
            exclusive,
            priority: *self.random.pick(&[0, 0, 0, 1]),
            retroactive: false,
            pending_limit: Some(100_000),
            confirm,
        })));
    }

    fn end_consuming(&mut self, subscription: SubscriptionId) {
        let token = self.token();
        self.awaited = Some(token);
        self.subscription = None;
        let seen = match self.random.below(3) {
            0 => Seen::Unknown,
            1 => Seen::None,
            _ => self.unsettled.first().map_or(Seen::None, |first| Seen::Through(*first)),
        };
        self.unsettled.clear();
        self.deletable = self.role == Role::Durable;
        self.outgoing.push_back(Request::Unsubscribe { subscription, seen, confirm: Some(token) });
    }

    fn settle(&mut self, subscription: SubscriptionId) {
        if self.unsettled.is_empty() {
            return;
        }
        let at = self.random.index(self.unsettled.len());
        let chosen = self.unsettled[at];
        let consumed = self.transaction.is_some() || self.random.percent(70);
        let settlement = if consumed {
            Settlement::Consumed
        } else {
            match self.random.below(10) {
                0..5 => Settlement::Undelivered,
                5 => Settlement::Returned,
                6..8 => Settlement::Poisoned(Arc::from("the simulated consumer cannot take it")),
                _ if self.extended.contains(&chosen) => Settlement::Consumed,
                _ => {
                    self.extended.push(chosen);
                    let deliveries = Deliveries::One(chosen);
                    return self.push_settle(subscription, deliveries, Settlement::Delivered);
                }
            }
        };
        let (first, deliveries) = match self.random.below(4) {
            0 => (0, Deliveries::Through(chosen)),
            1 => {
                let first = self.random.index(at + 1);
                (first, Deliveries::Range(self.unsettled[first], chosen))
            }
            _ => (at, Deliveries::One(chosen)),
        };
        let settled: Vec<DeliveryId> = self.unsettled.drain(first..=at).collect();
        if self.transaction.is_some() {
            self.in_transaction.extend(settled);
        }
        self.push_settle(subscription, deliveries, settlement);
    }

    fn push_settle(&mut self, subscription: SubscriptionId, deliveries: Deliveries, settlement: Settlement) {
        let confirm = self.maybe_token(40);
        let transaction = if settlement == Settlement::Delivered { None } else { self.transaction };
        self.outgoing.push_back(Request::Settle { subscription, deliveries, settlement, transaction, confirm });
    }

    fn listen(&mut self) {
        match self.subscription {
            None if self.role == Role::Listener => {
                let name = self.listened_topic();
                let settles = *self.random.pick(&[Settles::WhenWritten, Settles::WhenAcknowledged]);
                self.subscribe(vec![topic(name)], SubscribeMode::Consume, settles, 30);
            }
            None => {
                let name = QUEUES[self.random.index(QUEUES.len())];
                self.subscribe(vec![queue(name)], SubscribeMode::Consume, Settles::WhenWritten, 20);
            }
            Some(subscription) if self.random.percent(3) => self.end_consuming(subscription),
            Some(_) => self.settle_written(),
        }
    }

    fn settle_written(&mut self) {
        let (Some(subscription), Some(last)) = (self.subscription, self.unsettled.last().copied()) else { return };
        self.unsettled.clear();
        self.outgoing.push_back(Request::settle(subscription, Deliveries::Through(last), Settlement::Consumed));
    }

    /// Settles everything it has: for the end.
    pub fn settle_everything(&mut self) {
        self.settle_written();
    }

    fn browse(&mut self) {
        if self.random.percent(30) {
            let token = self.token();
            self.outgoing.push_back(Request::Inspect { query: Query::Broker, token });
        } else if self.subscription.is_none() {
            let name = QUEUES[self.random.index(QUEUES.len())];
            self.subscribe(vec![queue(name)], SubscribeMode::Browse, Settles::WhenWritten, 30);
        }
    }
}

/// A queue by name.
#[must_use]
pub fn queue(name: &str) -> Arc<Destination> {
    Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from(name) })
}

/// A topic by name.
#[must_use]
pub fn topic(name: &str) -> Arc<Destination> {
    Arc::new(Destination { kind: DestinationKind::Topic, name: Arc::from(name) })
}
