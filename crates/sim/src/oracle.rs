//! The judge: sees every request that enters a node and every event that leaves it, and knows what was promised.
//!
//! It stands where sessions stand, so it needs no trust in anything below. For each copy of a message (a message in one
//! store) it keeps where the copy may be; a crash widens that to every state that was not yet promised, and what is
//! seen later narrows it again. Operations that must happen whole (a transaction, a move to the dead-letter queue, a
//! message with several places) are narrowed together: two sightings that cannot both be true are a torn unit.

mod asked;
mod copies;
mod delivered;
mod ended;
mod facts;
mod places;
mod series;
mod told;
mod turns;

pub use facts::{Promise, Violation};
pub use series::series_name;

use copies::{Copy, CopyId, Operation};
use facts::{Facts, Session, Store, StoreKey};
use ferrymq_model::{MessageId, Now, Request, SessionId, SubscriptionId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where dead letters go.
pub const DEAD_LETTER_QUEUE: &str = "ActiveMQ.DLQ";

/// How many violations are kept; the first one is what matters.
const VIOLATIONS_MAX: usize = 20;

/// What the oracle must know of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A message is delivered again at most this often before it is a dead letter.
    pub redeliveries_max: u32,
    /// The broker's limit of memory, with what may be under way when it is reached. Bytes.
    pub memory_bytes_max: u64,
    /// Memory is so small that shared subscriptions lose what is not stored.
    pub is_short: bool,
}

/// How far a batch reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    step: u64,
    marking_step: u64,
}

/// The judge of one simulation.
#[derive(Clone, Debug)]
pub struct Oracle {
    rules: Rules,
    now: Now,
    /// Counts steps of the node. What is asked and told in one step has one number.
    step: u64,
    /// Everything asked up to this step is in performed batches.
    flushed_step: u64,
    /// Deliveries before this step are marked in performed batches.
    marked_step: u64,
    /// The last step in which the node notes what it delivered.
    marking_step: u64,
    /// Counts starts of the node.
    incarnation: u32,
    facts: BTreeMap<MessageId, Facts>,
    /// Which of a series' occurrences, by the ids that the broker gave them.
    occurrences: BTreeMap<MessageId, MessageId>,
    /// Who has which group of which store.
    groups: BTreeMap<(StoreKey, Arc<str>), (SessionId, SubscriptionId)>,
    copies: Vec<Copy>,
    stores: BTreeMap<StoreKey, Store>,
    operations: Vec<Operation>,
    sessions: BTreeMap<SessionId, Session>,
    violations: Vec<Violation>,
    deliveries: u64,
    /// The disk reported an error: until the next start the node refuses what it cannot make durable.
    store_failed: bool,
}

impl Oracle {
    /// A judge before the first start.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: Now::default(),
            step: 0,
            flushed_step: 0,
            marked_step: 0,
            marking_step: 0,
            incarnation: 0,
            facts: BTreeMap::new(),
            occurrences: BTreeMap::new(),
            groups: BTreeMap::new(),
            copies: Vec::new(),
            stores: BTreeMap::new(),
            operations: Vec::new(),
            sessions: BTreeMap::new(),
            violations: Vec::new(),
            deliveries: 0,
            store_failed: false,
        }
    }

    /// A step of the node begins.
    pub fn begin_step(&mut self, now: Now) {
        self.now = now;
        self.step += 1;
    }

    /// The step that began is one in which the node notes what was delivered before it: a flush or a tick.
    pub fn marks_deliveries(&mut self) {
        self.marking_step = self.step;
    }

    /// What a batch that is taken now holds: remember it until the batch was performed.
    #[must_use]
    pub fn taken(&self) -> Taken {
        Taken { step: self.step, marking_step: self.marking_step }
    }

    /// The batch could not be performed: the journal stopped.
    pub fn store_failed(&mut self) {
        self.store_failed = true;
    }

    /// The batch has been performed.
    pub fn flushed(&mut self, taken: Taken) {
        self.flushed_step = self.flushed_step.max(taken.step);
        self.marked_step = self.marked_step.max(taken.marking_step);
    }

    /// What was broken, in the order of its discovery.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Deliveries judged.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Messages known.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.facts.len()
    }

    /// Says that something outside the sessions broke a promise.
    pub fn accuse(&mut self, promise: Promise, text: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation { promise, step: self.step, text });
        }
    }

    /// The stores that exist or may exist, for whoever drains them.
    #[must_use]
    pub fn durables(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.stores
            .keys()
            .filter_map(|key| match key {
                StoreKey::Durable(client, name) => Some((client.clone(), name.clone())),
                StoreKey::Queue(_) | StoreKey::Topic(..) | StoreKey::Shared(_) => None,
            })
            .collect()
    }

    /// Every queue that ever held something.
    #[must_use]
    pub fn queues(&self) -> Vec<Arc<ferrymq_model::Destination>> {
        self.stores
            .keys()
            .filter_map(|key| match key {
                StoreKey::Queue(destination) => Some(destination.clone()),
                StoreKey::Durable(..) | StoreKey::Topic(..) | StoreKey::Shared(_) => None,
            })
            .collect()
    }

    /// A session asks; told before the node sees it.
    pub fn asked(&mut self, session: SessionId, request: &Request) {
        self.judge_request(session, request);
    }
}
