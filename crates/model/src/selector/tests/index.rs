//! The index finds what evaluating every selector alone finds, whatever came and went before.

use super::chance::Random;
use super::{annotated, message};
use crate::message::Message;
use crate::selector::{Effort, Selector, SelectorIndex};

/// Values that equal each other over their types, or do not although they look alike.
const LITERALS: &[&str] = &[
    "1",
    "1.0",
    "'1'",
    "'1.0'",
    "'01'",
    "-7",
    "'-7'",
    "0",
    "-0.0",
    "0.0",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "1e400",
    "TRUE",
    "FALSE",
    "'true'",
    "'TRUE'",
    "'red'",
    "'Red'",
    "''",
    "'invoice'",
    "'PERSISTENT'",
    "4",
];
const NAMES: &[&str] =
    &["a", "b", "c", "absent", "JMSType", "JMSPriority", "JMSDeliveryMode", "JMSRedelivered", "JMSXDeliveryCount"];
const VALUES: &[&str] = &[
    "i:1",
    "d:1.0",
    "s:1",
    "s:1.0",
    "s:01",
    "i:-7",
    "s:-7",
    "i:0",
    "d:-0.0",
    "d:0.0",
    "i:9007199254740992",
    "i:9007199254740993",
    "d:9007199254740992",
    "s:9007199254740993",
    "d:NaN",
    "d:inf",
    "s:1e400",
    "b:true",
    "b:false",
    "s:true",
    "s:TRUE",
    "s:red",
    "s:Red",
    "s:",
    "i:4",
];

fn comparison(random: &mut Random) -> String {
    let (name, literal) = (random.pick(NAMES), random.pick(LITERALS));
    match random.below(8) {
        0..=3 => format!("{name} = {literal}"),
        4 => format!("{literal} = {name}"),
        5 => format!("{name} <> {literal}"),
        6 => format!("{name} IS NOT NULL"),
        _ => {
            let list: Vec<&str> = (0..=random.below(4)).map(|_| random.pick(&LITERALS[..13])).collect();
            let not = random.pick(&["", "", "NOT "]);
            format!("{name} {not}IN ({})", list.join(", "))
        }
    }
}

fn condition(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 1 } else { 8 }) {
        0..=2 => comparison(random),
        3..=5 => format!("{} AND ({})", comparison(random), condition(random, depth - 1)),
        6 => format!("({}) OR ({})", condition(random, depth - 1), condition(random, depth - 1)),
        _ => format!("NOT ({})", condition(random, depth - 1)),
    }
}

/// A condition that parses: `IN` lists no truth values, and numbers do not stand where texts must.
fn selector(random: &mut Random) -> Selector {
    loop {
        let converts_text = random.below(2) == 0;
        if let Ok(selector) = Selector::parse(&condition(random, 2), converts_text) {
            return selector;
        }
    }
}

fn random_message(random: &mut Random) -> Message {
    let mut properties = String::new();
    for name in ["a", "b", "c"] {
        if random.below(6) > 0 {
            properties += &format!("{name}={}\n", random.pick(VALUES));
        }
    }
    if random.below(2) == 0 { message(&properties) } else { annotated(&properties) }
}

fn found(index: &SelectorIndex, message: &Message, redeliveries: u32) -> Vec<u32> {
    let mut found = Vec::new();
    index.wanting(message, redeliveries, &mut Effort::default(), |number| found.push(number));
    found.sort_unstable();
    found
}

fn run(seed: u64) -> usize {
    let mut random = Random(seed);
    let mut index = SelectorIndex::default();
    let mut present: Vec<(u32, Selector)> = Vec::new();
    let mut wanted = 0;
    for _ in 0..300 {
        match random.below(4) {
            0 => {
                let number = random.below(present.len() + 1);
                if number < present.len() {
                    index.remove(present.swap_remove(number).0);
                }
            }
            1 | 2 => {
                let again = present.get(random.below(2 * present.len() + 1)).map(|(_, selector)| selector.clone());
                let selector = again.unwrap_or_else(|| selector(&mut random));
                present.push((index.insert(&selector), selector));
            }
            _ => {}
        }
        let (message, redeliveries) = (random_message(&mut random), u32::try_from(random.below(3)).unwrap());
        let alone = present.iter().filter(|(_, selector)| selector.matches(&message, redeliveries));
        let mut alone: Vec<u32> = alone.map(|(number, _)| *number).collect();
        alone.sort_unstable();
        alone.dedup();
        assert_eq!(found(&index, &message, redeliveries), alone, "of {present:?} with {message:?}");
        wanted += alone.len();
    }
    for (number, _) in present {
        index.remove(number);
    }
    assert!(index.is_empty() && found(&index, &message("a=i:1"), 0).is_empty());
    wanted
}

#[test]
fn the_index_finds_what_evaluating_every_selector_alone_finds() {
    for seed in 1..=60 {
        let wanted = std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|_| panic!("seed {seed}"));
        assert!(wanted > 300, "seed {seed} compares next to nothing: {wanted} matches");
    }
}

/// How many evaluations an index takes, in steps of one node each.
fn steps(sources: &[String], properties: &str) -> u64 {
    let mut index = SelectorIndex::default();
    for source in sources {
        index.insert(&Selector::parse(source, false).unwrap());
    }
    let mut effort = Effort::default();
    index.wanting(&message(properties), 0, &mut effort, |_| {});
    effort.steps()
}

#[test]
fn a_message_costs_those_alone_that_demand_its_value() {
    let kinds = |condition: &str| (0..1000).map(|kind| condition.replace('#', &kind.to_string())).collect::<Vec<_>>();
    for condition in [
        "kind = #",
        "# = kind",
        "kind = # AND price > 3",
        "price > 3 AND (type = 'order' AND kind = #)",
        "kind IN (#, -1)",
        "kind = # OR kind = -1 AND price > 3",
        "JMSPriority = #",
    ] {
        let steps = steps(&kinds(condition), "kind=i:7\nprice=i:4\ntype=s:order");
        assert!(steps < 20, "{condition} takes {steps} steps");
    }
    for condition in ["kind <> #", "NOT kind = #", "kind = # OR price > 3", "kind = # + 0"] {
        let steps = steps(&kinds(condition), "kind=i:7\nprice=i:4");
        assert!(steps >= 1000, "{condition} is evaluated for every message");
    }
}

#[test]
fn equal_selectors_are_evaluated_once_and_long_lists_are_not_filed() {
    assert_eq!(steps(&vec!["price > 3".to_owned(); 100], "price=i:4"), 1);
    let list = (0..100).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    let long: Vec<String> = (0..10).map(|price| format!("kind IN ({list}) AND price = {price}")).collect();
    assert!(steps(&long, "kind=i:1\nprice=i:4") < 200, "the other demand is looked up");
    let mut index = SelectorIndex::default();
    let selector = Selector::parse("kind = 1", false).unwrap();
    assert_eq!(index.insert(&selector), index.insert(&selector.clone()));
    let converting = Selector::parse("kind = 1", true).unwrap();
    assert_ne!(index.find(&selector), index.find(&converting));
}
