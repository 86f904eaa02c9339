//! Names of places as STOMP clients write them.
//!
//! `/queue/A`, `/topic/A`, `/temp-queue/A` (a name of this connection alone), `/remote-temp-queue/A` (the real name of
//! someone's temporary queue, as `reply-to` shows it), the same for topics, and `queue://A` as ActiveMQ's other
//! protocols write it. Commas make a composite; a leaf without prefix is of the first leaf's kind.

use crate::codec::put_sanitized;
use crate::limits::QUOTE_BYTES_MAX;
use ferrymq_model::DestinationKind;
use ferrymq_model::limits::{COMPOSITE_LEAVES_MAX, DESTINATION_NAME_BYTES_MAX};
use std::fmt;

/// One leaf as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf<'t> {
    /// Which kind.
    pub kind: DestinationKind,
    /// Whether `name` is the connection's own word for a temporary destination, not its real name.
    pub is_local: bool,
    /// Without prefix, trimmed.
    pub name: &'t str,
}

/// Why a name is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InvalidDestination {
    /// None of the prefixes; the name, sanitized.
    UnknownPrefix(String),
    /// Nothing after the prefix.
    Empty,
    /// Longer than [`DESTINATION_NAME_BYTES_MAX`].
    TooLong,
    /// More leaves than [`COMPOSITE_LEAVES_MAX`].
    TooManyLeaves,
    /// A control character in the name.
    ControlCharacter,
}

impl fmt::Display for InvalidDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPrefix(name) => write!(
                f,
                "illegal destination name [{name}]: it must begin with one of /queue/ /topic/ /temp-queue/ /temp-topic/"
            ),
            Self::Empty => f.write_str("the destination has no name"),
            Self::TooLong => write!(f, "the destination's name is longer than {DESTINATION_NAME_BYTES_MAX} bytes"),
            Self::TooManyLeaves => write!(f, "the destination has more than {COMPOSITE_LEAVES_MAX} parts"),
            Self::ControlCharacter => f.write_str("the destination's name contains a control character"),
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

/// The leaves of a destination header, never none.
///
/// # Errors
/// It names no place.
pub fn parse(text: &str) -> Result<Vec<Leaf<'_>>, InvalidDestination> {
    let mut leaves: Vec<Leaf<'_>> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        if leaves.len() == COMPOSITE_LEAVES_MAX {
            return Err(InvalidDestination::TooManyLeaves);
        }
        let prefixed = PREFIXES.iter().find_map(|&(prefix, kind, is_local)| {
            part.strip_prefix(prefix).map(|name| Leaf { kind, is_local, name: name.trim() })
        });
        let leaf = match (prefixed, leaves.first()) {
            (Some(leaf), _) => leaf,
            (None, Some(first)) if !part.starts_with('/') => Leaf { name: part, ..*first },
            (None, Some(_) | None) => {
                let mut shown = String::new();
                put_sanitized(&mut shown, text, QUOTE_BYTES_MAX);
                return Err(InvalidDestination::UnknownPrefix(shown));
            }
        };
        check_name(leaf.name)?;
        leaves.push(leaf);
    }
    Ok(leaves)
}

fn check_name(name: &str) -> Result<(), InvalidDestination> {
    if name.is_empty() {
        return Err(InvalidDestination::Empty);
    }
    if name.len() > DESTINATION_NAME_BYTES_MAX {
        return Err(InvalidDestination::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(InvalidDestination::ControlCharacter);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{InvalidDestination, parse};
    use ferrymq_model::DestinationKind::{self, Queue, TemporaryQueue, TemporaryTopic, Topic};

    fn check(text: &str, expected: &[(DestinationKind, bool, &str)]) {
        let leaves = parse(text).unwrap();
        let seen: Vec<_> = leaves.iter().map(|leaf| (leaf.kind, leaf.is_local, leaf.name)).collect();
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
        check("/topic/a,b, topic://c", &[(Topic, false, "a"), (Topic, false, "b"), (Topic, false, "c")]);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        assert_eq!(parse("a"), Err(InvalidDestination::UnknownPrefix("a".into())));
        assert_eq!(parse("/exchange/a"), Err(InvalidDestination::UnknownPrefix("/exchange/a".into())));
        assert_eq!(parse("/queue/a,/b"), Err(InvalidDestination::UnknownPrefix("/queue/a,/b".into())));
        assert_eq!(parse(""), Err(InvalidDestination::UnknownPrefix(String::new())));
        assert_eq!(parse("/queue/"), Err(InvalidDestination::Empty));
        assert_eq!(parse("/queue/a,,b"), Err(InvalidDestination::Empty));
        assert_eq!(parse("/queue/a\nb"), Err(InvalidDestination::ControlCharacter));
        assert_eq!(parse(&format!("/queue/{}", "x".repeat(1025))), Err(InvalidDestination::TooLong));
        assert_eq!(parse(&format!("/queue/a{}", ",b".repeat(64))), Err(InvalidDestination::TooManyLeaves));
    }
}
