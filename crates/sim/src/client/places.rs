//! Where clients send and listen, which differs between lives.

use super::{Client, QUEUES, REPEATS_MAX, Role, SCHEDULED_QUEUE, TOPICS, queue, topic};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Annotations, Destination, Group, Schedule};
use std::sync::Arc;

/// Who lives, and with what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cast {
    /// Queues, topics and durable subscriptions.
    Usual,
    /// Virtual topics, shared subscriptions, messages that repeat, temporary queues, and somebody who deletes.
    Routes,
    /// Message groups, exclusive consumers, and priorities, on queues.
    Turns,
}

/// One client each.
const USUAL: [Role; 11] = [
    Role::Producer,
    Role::Producer,
    Role::Producer,
    Role::Consumer,
    Role::Consumer,
    Role::Automatic,
    Role::Transfer,
    Role::Listener,
    Role::Durable,
    Role::Durable,
    Role::Browser,
];
const ROUTES: [Role; 12] = [
    Role::Producer,
    Role::Producer,
    Role::Producer,
    Role::Consumer,
    Role::Consumer,
    Role::Transfer,
    Role::Listener,
    Role::Member,
    Role::Member,
    Role::Member,
    Role::Owner,
    Role::Keeper,
];
const TURNS: [Role; 10] = [
    Role::Producer,
    Role::Producer,
    Role::Producer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Consumer,
    Role::Automatic,
    Role::Transfer,
    Role::Browser,
];
/// Message groups.
const GROUPS: [&str; 4] = ["g1", "g2", "g3", "g4"];

/// Topics that feed queues, and the queues.
const VIRTUAL_TOPICS: [&str; 2] = ["VirtualTopic.V", "VirtualTopic.W.X"];
pub(super) const GROUP_QUEUES: [&str; 4] = [
    "Consumer.A.VirtualTopic.V",
    "Consumer.B.VirtualTopic.V",
    "Consumer.B.VirtualTopic.W.X",
    // One queue of this name, for every virtual topic; its group has no other.
    "Consumer.C.VirtualTopic.>",
];
/// So many of them, from the first, may be declared; the others only a consumer makes.
pub(super) const GROUP_QUEUES_DECLARED: usize = 3;
/// Each shared subscription has a topic of its own, so that a dead letter tells by its origin which of them it is from.
pub const SHARED_DURABLE: &str = "pool";
/// What it listens to.
pub const SHARED_DURABLE_TOPIC: &str = "T.P";
const SHARED: &str = "crew";
const SHARED_TOPIC: &str = "T.C";
const SHARED_TOPICS: [&str; 2] = [SHARED_DURABLE_TOPIC, SHARED_TOPIC];

impl Cast {
    /// Whose life a seed is.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        // Three seeds each: every third of all lives has clients of another protocol, too.
        match (seed / 3) % 3 {
            0 => Self::Usual,
            1 => Self::Routes,
            _ => Self::Turns,
        }
    }

    /// Who takes part.
    #[must_use]
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Usual => &USUAL,
            Self::Routes => &ROUTES,
            Self::Turns => &TURNS,
        }
    }
}

impl Client {
    fn some_queue(&mut self) -> Arc<Destination> {
        queue(QUEUES[self.random.index(QUEUES.len())])
    }

    fn some_topic(&mut self) -> Arc<Destination> {
        topic(TOPICS[self.random.index(TOPICS.len())])
    }

    /// Where a new producer sends.
    pub(super) fn send_places(&mut self) -> Vec<Arc<Destination>> {
        match self.cast {
            Cast::Usual => match self.random.below(11) {
                0..5 => vec![self.some_queue()],
                10 => vec![queue(SCHEDULED_QUEUE)],
                5..8 => vec![self.some_topic()],
                _ => vec![self.some_queue(), self.some_topic()],
            },
            Cast::Turns => vec![self.some_queue()],
            Cast::Routes => match self.random.below(16) {
                0..3 => vec![self.some_queue()],
                3..7 => vec![topic(VIRTUAL_TOPICS[self.random.index(VIRTUAL_TOPICS.len())])],
                7 => vec![self.some_queue(), topic(VIRTUAL_TOPICS[0])],
                8..11 => vec![topic(SHARED_TOPICS[self.random.index(SHARED_TOPICS.len())])],
                11..14 => vec![queue(SCHEDULED_QUEUE)],
                _ => self.rumours.last().map_or_else(|| vec![queue(QUEUES[0])], |heard| vec![heard.clone()]),
            },
        }
    }

    /// Where a new subscription of somebody who takes at leisure listens.
    pub(super) fn take_places(&mut self) -> (Vec<Arc<Destination>>, SubscribeMode) {
        match self.role {
            Role::Durable => {
                let name = durable_topic(self.slot.is_multiple_of(2));
                return (vec![topic(name)], SubscribeMode::Durable("durable".into()));
            }
            Role::Member if self.random.percent(60) => {
                return (vec![topic(SHARED_DURABLE_TOPIC)], SubscribeMode::SharedDurable(SHARED_DURABLE.into()));
            }
            Role::Member => return (vec![topic(SHARED_TOPIC)], SubscribeMode::Shared(SHARED.into())),
            Role::Owner => {
                let own = self.temporary.clone().expect("it listens when it has one");
                return (vec![own], SubscribeMode::Consume);
            }
            Role::Producer
            | Role::Consumer
            | Role::Automatic
            | Role::Transfer
            | Role::Listener
            | Role::Browser
            | Role::Keeper => {}
        }
        let leaves = match (self.cast, self.random.below(10)) {
            (_, 0) => vec![queue("Q.*")],
            (_, 1) => vec![queue("Q.A"), queue("Q.B")],
            (_, 2) => vec![queue("ActiveMQ.DLQ")],
            (_, 3) => vec![queue(SCHEDULED_QUEUE)],
            (Cast::Routes, 4..9) => vec![queue(GROUP_QUEUES[self.random.index(GROUP_QUEUES.len())])],
            (Cast::Usual | Cast::Routes | Cast::Turns, _) => vec![self.some_queue()],
        };
        (leaves, SubscribeMode::Consume)
    }

    /// What somebody listens to who wants what comes now.
    pub(super) fn listened_topic(&mut self) -> &'static str {
        let names = match self.cast {
            Cast::Usual | Cast::Turns => ["T.X", "T.Y", "T.>"],
            Cast::Routes => ["VirtualTopic.V", "VirtualTopic.>", SHARED_TOPIC],
        };
        names[self.random.index(names.len())]
    }

    /// Lets a scheduled message come several times.
    pub(super) fn repeated(&mut self, schedule: Schedule, annotations: &mut Annotations) -> Schedule {
        if self.cast != Cast::Routes || self.random.percent(30) {
            return schedule;
        }
        let id = ferrymq_model::MessageId { producer: self.sender_name(), sequence: self.sent };
        annotations.correlation_id = Some(Arc::from(crate::oracle::series_name(&id)));
        let repeat = i32::try_from(1 + self.random.below(REPEATS_MAX)).expect("a few");
        let period_ms = if self.random.percent(20) { 0 } else { 20 + self.random.below(600) };
        Schedule { repeat, period_ms, ..schedule }
    }

    /// The group of a message, if it has one. Some begin or close it.
    pub(super) fn some_group(&mut self) -> Option<Group> {
        if self.cast != Cast::Turns || self.random.percent(40) {
            return None;
        }
        let id = Arc::from(GROUPS[self.random.index(GROUPS.len())]);
        let sequence = match self.random.below(10) {
            0 => 1,
            1 => -1,
            _ => 2 + i32::try_from(self.random.below(50)).expect("small"),
        };
        Some(Group { id, sequence })
    }

    /// Whether a new subscription wants its queues for itself.
    pub(super) fn wants_alone(&mut self) -> bool {
        self.cast == Cast::Turns && self.role == Role::Consumer && self.random.percent(30)
    }

    /// Hears of a temporary queue.
    pub fn learn(&mut self, queue: &Arc<Destination>) {
        self.rumours = vec![queue.clone()];
    }
}

/// What the durable subscription of an even or an odd client listens to: not the same, so that a dead letter tells by
/// its origin which of them it comes from.
#[must_use]
pub fn durable_topic(even: bool) -> &'static str {
    if even { "T.X.>" } else { "T.Y" }
}
