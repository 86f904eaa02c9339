//! Names of places: queues, topics, temporary ones, patterns over them, and composites.

use std::fmt;
use std::sync::Arc;

/// The four kinds of place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DestinationKind {
    /// Each message to one consumer.
    Queue,
    /// Each message to every subscription.
    Topic,
    /// A queue that lives as long as the connection that made it.
    TemporaryQueue,
    /// A topic that lives as long as the connection that made it.
    TemporaryTopic,
}

/// One place, or a pattern over places of one kind: `.` separates levels, `*` stands for one level, `>` for the rest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Destination {
    /// Which kind.
    pub kind: DestinationKind,
    /// The name without prefix: at most [`crate::limits::DESTINATION_NAME_BYTES_MAX`] bytes, no control characters.
    pub name: Arc<str>,
}

/// Where a producer sends or a subscription listens: one destination or several (`A,B,topic://C`).
/// Never empty, at most [`crate::limits::COMPOSITE_LEAVES_MAX`] leaves.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// The leaves in the order in which they were written.
    pub leaves: Vec<Arc<Destination>>,
}

impl fmt::Display for Destination {
    /// Writes `queue://name`, `topic://name`, `temp-queue://name` or `temp-topic://name`, as ActiveMQ does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            DestinationKind::Queue => "queue",
            DestinationKind::Topic => "topic",
            DestinationKind::TemporaryQueue => "temp-queue",
            DestinationKind::TemporaryTopic => "temp-topic",
        };
        write!(f, "{scheme}://{}", self.name)
    }
}
