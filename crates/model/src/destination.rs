//! Names of places: queues, topics, temporary ones, patterns over them, and composites.
//!
//! A name has levels, separated by `.`. A pattern is a name with `*` (exactly one level, any) or `>` (every level from
//! here on, none included) as a level of its own: `PRICE.*.EUR`, `PRICE.>`. A composite names several places in one
//! text: `A,B,topic://C`. A consumer may use both; what a producer may do with a pattern is the broker's to decide.

use crate::limits::{COMPOSITE_LEAVES_MAX, DESTINATION_NAME_BYTES_MAX};
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

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

impl DestinationKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Topic, Self::TemporaryQueue, Self::TemporaryTopic];

    /// Whether each message goes to every subscription.
    #[must_use]
    pub fn is_topic(self) -> bool {
        match self {
            Self::Topic | Self::TemporaryTopic => true,
            Self::Queue | Self::TemporaryQueue => false,
        }
    }

    /// Whether each message goes to one consumer.
    #[must_use]
    pub fn is_queue(self) -> bool {
        !self.is_topic()
    }

    /// Whether it dies with the connection that made it.
    #[must_use]
    pub fn is_temporary(self) -> bool {
        match self {
            Self::TemporaryQueue | Self::TemporaryTopic => true,
            Self::Queue | Self::Topic => false,
        }
    }

    /// What stands before the name: `queue://`, `topic://`, `temp-queue://` or `temp-topic://`.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Queue => "queue://",
            Self::Topic => "topic://",
            Self::TemporaryQueue => "temp-queue://",
            Self::TemporaryTopic => "temp-topic://",
        }
    }
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

/// Why a name or an address is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DestinationError {
    /// Nothing but white space, or nothing after the prefix.
    Empty,
    /// More than [`DESTINATION_NAME_BYTES_MAX`] bytes.
    TooLong,
    /// A control character (U+0000 to U+001F, U+007F to U+009F) in the name.
    ControlCharacter,
    /// More than [`COMPOSITE_LEAVES_MAX`] leaves.
    TooManyLeaves,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the destination name is empty"),
            Self::TooLong => write!(f, "the destination name has more than {DESTINATION_NAME_BYTES_MAX} bytes"),
            Self::ControlCharacter => write!(f, "the destination name contains a control character"),
            Self::TooManyLeaves => write!(f, "the composite destination has more than {COMPOSITE_LEAVES_MAX} parts"),
        }
    }
}

impl std::error::Error for DestinationError {}

impl Destination {
    /// A destination of this name. White space around the name is not part of it.
    ///
    /// # Errors
    /// The name is empty, too long or contains control characters.
    pub fn new(kind: DestinationKind, name: &str) -> Result<Self, DestinationError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(DestinationError::Empty);
        }
        if name.len() > DESTINATION_NAME_BYTES_MAX {
            return Err(DestinationError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(DestinationError::ControlCharacter);
        }
        Ok(Self { kind, name: Arc::from(name) })
    }

    /// One destination with or without prefix (`queue://A`, `A`); commas have no meaning here.
    ///
    /// # Errors
    /// As [`Destination::new`].
    pub fn parse(text: &str, default_kind: DestinationKind) -> Result<Self, DestinationError> {
        let text = text.trim();
        for kind in DestinationKind::ALL {
            if let Some(name) = text.strip_prefix(kind.prefix()) {
                return Self::new(kind, name);
            }
        }
        Self::new(default_kind, text)
    }

    /// Whether the name stands for other names: it has a level `*` or `>`.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        is_pattern(&self.name)
    }

    /// Whether this destination, taken as a pattern, covers `other`: same kind, and [`matches()`] holds for the names.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind && matches(&self.name, &other.name)
    }
}

impl fmt::Display for Destination {
    /// Writes `queue://name`, `topic://name`, `temp-queue://name` or `temp-topic://name`, as ActiveMQ does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.prefix(), self.name)
    }
}

impl Address {
    /// The address of one place.
    #[must_use]
    pub fn single(destination: Arc<Destination>) -> Self {
        Self { leaves: vec![destination] }
    }

    /// Reads `A,B,topic://C`: leaves without a prefix are of `default_kind`, empty ones are skipped, one written twice
    /// counts once. What follows a `?` is options for clients and not part of the address (see [`split_options`]).
    ///
    /// # Errors
    /// No leaf, too many, or one of them is no valid name.
    pub fn parse(text: &str, default_kind: DestinationKind) -> Result<Self, DestinationError> {
        let (names, _options) = split_options(text);
        let mut leaves: Vec<Arc<Destination>> = Vec::new();
        for leaf in names.split(',') {
            if leaf.trim().is_empty() {
                continue;
            }
            let leaf = Destination::parse(leaf, default_kind)?;
            if leaves.iter().any(|known| **known == leaf) {
                continue;
            }
            if leaves.len() == COMPOSITE_LEAVES_MAX {
                return Err(DestinationError::TooManyLeaves);
            }
            leaves.push(Arc::new(leaf));
        }
        if leaves.is_empty() { Err(DestinationError::Empty) } else { Ok(Self { leaves }) }
    }

    /// The whole of it as one name, `A,B,topic://C`: of the first leaf's kind, the others with a prefix where they are of
    /// another. It may be longer than a destination's name is.
    #[must_use]
    pub fn to_name(&self) -> Destination {
        let mut leaves = self.leaves.iter();
        let first = leaves.next().expect("an address is never empty");
        let mut name = String::from(&*first.name);
        for leaf in leaves {
            name.push(',');
            if leaf.kind != first.kind {
                name.push_str(leaf.kind.prefix());
            }
            name.push_str(&leaf.name);
        }
        Destination { kind: first.kind, name: name.into() }
    }

    /// Whether there is more than one leaf.
    #[must_use]
    pub fn is_composite(&self) -> bool {
        self.leaves.len() > 1
    }
}

/// Splits `Q?consumer.prefetchSize=1` at the first `?` into the name and, where there are any, the options.
#[must_use]
pub fn split_options(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((name, options)) => (name, Some(options)),
        None => (text, None),
    }
}

/// Whether the name has a level `*` or `>`.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name.split('.').any(|level| level == "*" || level == ">")
}

/// Whether `pattern` covers `name`. `*` covers exactly one level; `>` covers every level from its place on, none
/// included (`A.>` covers `A`, `A.B` and `A.B.C`), and what a pattern has after a `>` has no meaning. Without either
/// the names must be equal. Linear in the shorter of the two; no allocation.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut levels = name.split('.');
    for wanted in pattern.split('.') {
        if wanted == ">" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "*" || wanted == level => {}
            Some(_) | None => return false,
        }
    }
    levels.next().is_none()
}
