//! Names, composites and patterns.

use super::{Address, Destination, DestinationError, DestinationKind, matches, split_options};
use crate::limits::{COMPOSITE_LEAVES_MAX, DESTINATION_NAME_BYTES_MAX};

/// The leaves as text.
fn leaves(text: &str, default_kind: DestinationKind) -> Result<String, DestinationError> {
    let address = Address::parse(text, default_kind)?;
    let leaves: Vec<String> = address.leaves.iter().map(ToString::to_string).collect();
    Ok(leaves.join(" "))
}

#[test]
fn addresses() {
    let rows = [
        ("A", "queue://A"),
        ("  A  ", "queue://A"),
        ("A.B-c_d/e:f", "queue://A.B-c_d/e:f"),
        ("queue://A", "queue://A"),
        ("topic://A", "topic://A"),
        ("temp-queue://A", "temp-queue://A"),
        ("temp-topic://A", "temp-topic://A"),
        ("topic:// A ", "topic://A"),
        ("A,B", "queue://A queue://B"),
        ("A , B,", "queue://A queue://B"),
        (",,A,,B", "queue://A queue://B"),
        ("A,B,topic://C,queue://D", "queue://A queue://B topic://C queue://D"),
        ("topic://A,B", "topic://A queue://B"),
        ("A,B,A", "queue://A queue://B"),
        ("A,queue://A,topic://A", "queue://A topic://A"),
        ("A.>,B.*", "queue://A.> queue://B.*"),
        ("A?consumer.prefetchSize=1", "queue://A"),
        ("A,B?consumer.exclusive=true,C", "queue://A queue://B"),
        ("topic://queue://A", "topic://queue://A"),
        ("QUEUE://A", "queue://QUEUE://A"),
        ("höhe😀", "queue://höhe😀"),
        ("two words", "queue://two words"),
    ];
    for (text, expected) in rows {
        assert_eq!(leaves(text, DestinationKind::Queue).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(leaves("A,queue://B", DestinationKind::Topic).as_deref(), Ok("topic://A queue://B"));
}

#[test]
fn names_that_are_refused() {
    let long = "x".repeat(DESTINATION_NAME_BYTES_MAX);
    assert!(Destination::new(DestinationKind::Queue, &long).is_ok());
    let long = long + "x";
    let rows = [
        ("", DestinationError::Empty),
        ("   ", DestinationError::Empty),
        (",", DestinationError::Empty),
        ("topic://", DestinationError::Empty),
        ("A,topic:// ,B", DestinationError::Empty),
        ("?x=1", DestinationError::Empty),
        ("A\nB", DestinationError::ControlCharacter),
        ("A\u{0}", DestinationError::ControlCharacter),
        ("A\u{85}B", DestinationError::ControlCharacter),
        ("A,B\tC", DestinationError::ControlCharacter),
        (&long, DestinationError::TooLong),
    ];
    for (text, expected) in rows {
        assert_eq!(leaves(text, DestinationKind::Queue), Err(expected), "{text:?}");
    }
}

#[test]
fn a_composite_has_a_limit() {
    let names = |count: usize| (0..count).map(|n| format!("Q{n}")).collect::<Vec<_>>().join(",");
    let kind = DestinationKind::Queue;
    assert_eq!(Address::parse(&names(COMPOSITE_LEAVES_MAX), kind).unwrap().leaves.len(), COMPOSITE_LEAVES_MAX);
    assert_eq!(Address::parse(&names(COMPOSITE_LEAVES_MAX + 1), kind), Err(DestinationError::TooManyLeaves));
    let repeated = vec!["A"; 1000].join(",");
    assert_eq!(leaves(&repeated, kind).as_deref(), Ok("queue://A"), "what is written twice counts once");
}

#[test]
fn patterns() {
    let rows = [
        ("A", "A", true),
        ("A", "B", false),
        ("A", "a", false),
        ("A", "A.B", false),
        ("A.B", "A", false),
        ("A.B", "A.B", true),
        ("*", "A", true),
        ("*", "A.B", false),
        ("A.*", "A.B", true),
        ("A.*", "A", false),
        ("A.*", "A.B.C", false),
        ("*.B", "A.B", true),
        ("*.B", "A.C", false),
        ("A.*.C", "A.B.C", true),
        ("A.*.C", "A.B.D", false),
        ("A.*.C", "A.C", false),
        ("*.*", "A.B", true),
        ("*.*", "A", false),
        (">", "A", true),
        (">", "A.B.C", true),
        (">", "ActiveMQ.Advisory.Connection", true),
        ("ActiveMQ.Advisory.>", "ActiveMQ.Advisory.Connection", true),
        ("A.>", "A", true),
        ("A.>", "A.B", true),
        ("A.>", "A.B.C", true),
        ("A.>", "AB", false),
        ("A.>", "B.A", false),
        ("A.B.>", "A", false),
        ("A.B.>", "A.B", true),
        ("A.*.>", "A", false),
        ("A.*.>", "A.B", true),
        ("A.*.>", "A.B.C.D", true),
        ("*.B.>", "A.B.C", true),
        ("A.>.>", "A.B", true),
        ("A.>.C", "A.B.C", true),
        ("A.>.C", "A.B.D", true),
        ("A*", "AB", false),
        ("A*", "A*", true),
        ("A>", "AB", false),
        ("A..B", "A..B", true),
        ("A.*.B", "A..B", true),
    ];
    for (pattern, name, expected) in rows {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn what_is_a_pattern() {
    for (name, expected) in [
        ("A", false),
        ("A.B", false),
        ("*", true),
        (">", true),
        ("A.*", true),
        ("A.>.B", true),
        ("A*", false),
        ("A>B", false),
    ] {
        let destination = Destination::new(DestinationKind::Topic, name).unwrap();
        assert_eq!(destination.is_pattern(), expected, "{name}");
    }
}

#[test]
fn a_pattern_covers_its_own_kind_only() {
    let parse = |text| Destination::parse(text, DestinationKind::Queue).unwrap();
    assert!(parse("topic://A.>").covers(&parse("topic://A.B")));
    assert!(!parse("topic://A.>").covers(&parse("queue://A.B")));
    assert!(!parse("queue://>").covers(&parse("temp-queue://A")));
}

#[test]
fn kinds() {
    for (kind, topic, temporary) in [
        (DestinationKind::Queue, false, false),
        (DestinationKind::Topic, true, false),
        (DestinationKind::TemporaryQueue, false, true),
        (DestinationKind::TemporaryTopic, true, true),
    ] {
        assert_eq!((kind.is_topic(), kind.is_queue(), kind.is_temporary()), (topic, !topic, temporary), "{kind:?}");
        let text = format!("{}A", kind.prefix());
        let parsed = Destination::parse(&text, DestinationKind::Queue).unwrap();
        assert_eq!((parsed.kind, parsed.to_string()), (kind, text));
    }
}

#[test]
fn options_follow_the_first_question_mark() {
    assert_eq!(split_options("A"), ("A", None));
    assert_eq!(split_options("A?"), ("A", Some("")));
    assert_eq!(split_options("A?b=c?d"), ("A", Some("b=c?d")));
}
