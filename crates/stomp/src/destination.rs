//! Names of places as STOMP clients write them.
//!
//! `/queue/A`, `/topic/A`, `/temp-queue/A` (a name of this connection alone), `/remote-temp-queue/A` (the real name of
//! someone's temporary queue, as `reply-to` shows it), the same for topics, and `queue://A` as ActiveMQ's other
//! protocols write it. Commas make a composite; a leaf without prefix is of the first leaf's kind. Options behind a `?`
//! are the client's own and dropped.

use crate::codec::put_sanitized;
use crate::limits::QUOTE_BYTES_MAX;
use ferrymq_model::destination::{DestinationError, split_options};
use ferrymq_model::limits::COMPOSITE_LEAVES_MAX;
use ferrymq_model::{Destination, DestinationKind};
use std::fmt;

/// One leaf as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The place, or the connection's word for it.
    pub destination: Destination,
    /// Whether the name is the connection's own word for a temporary destination, not its real name.
    pub is_local: bool,
}

/// Why a header names no place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InvalidDestination {
    /// None of the prefixes; the name, sanitized.
    UnknownPrefix(String),
    /// What the prefix is followed by is no name.
    Name(DestinationError),
}

impl fmt::Display for InvalidDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPrefix(name) => write!(
                f,
                "illegal destination name [{name}]: it must begin with one of /queue/ /topic/ /temp-queue/ /temp-topic/"
            ),
            Self::Name(error) => error.fmt(f),
        }
    }
}

const PREFIXES: [(&str, DestinationKind, bool); 10] = [
    ("/queue/", DestinationKind::Queue, false),
    ("/topic/", DestinationKind::Topic, false),
    ("/temp-queue/", DestinationKind::TemporaryQueue, true),
    ("/temp-topic/", DestinationKind::TemporaryTopic, true),
    ("/remote-temp-queue/", DestinationKind::TemporaryQueue, false),
    ("/remote-temp-topic/", DestinationKind::TemporaryTopic, false),
    ("queue://", DestinationKind::Queue, false),
    ("topic://", DestinationKind::Topic, false),
    ("temp-queue://", DestinationKind::TemporaryQueue, false),
    ("temp-topic://", DestinationKind::TemporaryTopic, false),
];

/// The prefix that a MESSAGE frame shows for a destination of this kind.
#[must_use]
pub const fn prefix(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Queue => "/queue/",
        DestinationKind::Topic => "/topic/",
        DestinationKind::TemporaryQueue => "/remote-temp-queue/",
        DestinationKind::TemporaryTopic => "/remote-temp-topic/",
    }
}

/// The leaves of a destination header, never none. Empty ones are skipped, one written twice counts once.
///
/// # Errors
/// It names no place.
pub fn parse(text: &str) -> Result<Vec<Leaf>, InvalidDestination> {
    let (names, _options) = split_options(text);
    let mut leaves: Vec<Leaf> = Vec::new();
    for part in names.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let prefixed = PREFIXES
            .iter()
            .find_map(|&(prefix, kind, is_local)| part.strip_prefix(prefix).map(|name| (kind, is_local, name)));
        let (kind, is_local, name) = match (prefixed, leaves.first()) {
            (Some(prefixed), _) => prefixed,
            (None, Some(first)) if !part.starts_with('/') => (first.destination.kind, first.is_local, part),
            (None, Some(_) | None) => {
                let mut shown = String::new();
                put_sanitized(&mut shown, text, QUOTE_BYTES_MAX);
                return Err(InvalidDestination::UnknownPrefix(shown));
            }
        };
        let destination = Destination::new(kind, name).map_err(InvalidDestination::Name)?;
        let leaf = Leaf { destination, is_local };
        if leaves.contains(&leaf) {
            continue;
        }
        if leaves.len() == COMPOSITE_LEAVES_MAX {
            return Err(InvalidDestination::Name(DestinationError::TooManyLeaves));
        }
        leaves.push(leaf);
    }
    if leaves.is_empty() { Err(InvalidDestination::Name(DestinationError::Empty)) } else { Ok(leaves) }
}

#[cfg(test)]
mod tests {
    use super::{InvalidDestination, parse};
    use ferrymq_model::DestinationKind::{self, Queue, TemporaryQueue, TemporaryTopic, Topic};
    use ferrymq_model::destination::DestinationError;

    fn check(text: &str, expected: &[(DestinationKind, bool, &str)]) {
        let leaves = parse(text).unwrap();
        let seen: Vec<_> =
            leaves.iter().map(|leaf| (leaf.destination.kind, leaf.is_local, &*leaf.destination.name)).collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn every_prefix_names_its_kind() {
        check("/queue/a.b", &[(Queue, false, "a.b")]);
        check("/topic/a", &[(Topic, false, "a")]);
        check("/temp-queue/a", &[(TemporaryQueue, true, "a")]);
        check("/temp-topic/a", &[(TemporaryTopic, true, "a")]);
        check("/remote-temp-queue/ID:x:1", &[(TemporaryQueue, false, "ID:x:1")]);
        check("/remote-temp-topic/ID:x:1", &[(TemporaryTopic, false, "ID:x:1")]);
        check("queue://a", &[(Queue, false, "a")]);
        check("temp-topic://a", &[(TemporaryTopic, false, "a")]);
        check(" /queue/a/b ", &[(Queue, false, "a/b")]);
    }

    #[test]
    fn commas_make_a_composite() {
        check("/queue/a,/topic/b", &[(Queue, false, "a"), (Topic, false, "b")]);
        check("/queue/a,,b,/queue/a?consumer.prefetchSize=1", &[(Queue, false, "a"), (Queue, false, "b")]);
        check("/topic/a,b, topic://c", &[(Topic, false, "a"), (Topic, false, "b"), (Topic, false, "c")]);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        assert_eq!(parse("a"), Err(InvalidDestination::UnknownPrefix("a".into())));
        assert_eq!(parse("/exchange/a"), Err(InvalidDestination::UnknownPrefix("/exchange/a".into())));
        assert_eq!(parse("/queue/a,/b"), Err(InvalidDestination::UnknownPrefix("/queue/a,/b".into())));
        let refused = |text: &str, error| assert_eq!(parse(text), Err(InvalidDestination::Name(error)), "{text}");
        refused("", DestinationError::Empty);
        refused(",", DestinationError::Empty);
        refused("/queue/", DestinationError::Empty);
        refused("/queue/a\nb", DestinationError::ControlCharacter);
        refused(&format!("/queue/{}", "x".repeat(1025)), DestinationError::TooLong);
        let many: String = (0..65).map(|n| format!(",b{n}")).collect();
        refused(&format!("/queue/a{many}"), DestinationError::TooManyLeaves);
    }
}
