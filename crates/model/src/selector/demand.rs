//! What a selector demands: that a header or a property equals one of a few literals, whatever else it asks for.
//!
//! `kind = 7 AND price > 3` is true of no message whose `kind` is not 7. Many selectors can so be left out at a single
//! look at `kind`, see [`crate::selector::SelectorIndex`].

use crate::limits::SELECTOR_DEMANDED_VALUES_MAX;
use crate::message::Message;
use crate::selector::evaluate::{self, Number, number_of_text};
use crate::selector::node::{ComparisonOperator, Node};
use crate::selector::{Effort, Operand};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What every message has that a selector wants.
#[derive(Debug)]
pub(super) struct Demand<'n> {
    /// A header or a property,
    pub(super) subject: &'n Node,
    /// that equals one of these.
    pub(super) values: Vec<&'n Operand<'static>>,
}

/// A header or a property of which selectors demand something, and how they compare text.
#[derive(Clone, Debug)]
pub struct Subject {
    node: Node,
    converts_text: bool,
}

/// What stands for a value: values that a selector takes for equal have the same mark. The reverse need not hold, so that
/// marks have one size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark(Kind);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    /// A truth value.
    Truth(bool),
    /// A number, as the bits of the approximate one: where numbers are equal, so are these.
    Number(u64),
    /// The hash of a text. It is keyed with nothing: whoever finds texts that share one makes others evaluate more.
    Text(u64),
}

impl Subject {
    pub(super) fn new(node: Node, converts_text: bool) -> Self {
        Self { node, converts_text }
    }

    /// Whether it is this header or property, compared like this.
    pub(super) fn is(&self, node: &Node, converts_text: bool) -> bool {
        self.converts_text == converts_text && is_same(&self.node, node)
    }

    /// The mark of what a message has there; `None`: nothing that equals anything. `redeliveries`: how often it was
    /// delivered before.
    pub fn mark(&self, message: &Message, redeliveries: u32, effort: &mut Effort) -> Option<Mark> {
        Mark::of(&evaluate::look(&self.node, message, redeliveries, effort), self.converts_text)
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.node, other.converts_text)
    }
}

impl Mark {
    /// The mark of a value; `None`: it equals nothing.
    pub(super) fn of(value: &Operand<'_>, converts_text: bool) -> Option<Self> {
        match value {
            Operand::Null => None,
            Operand::Bool(value) => Some(Self(Kind::Truth(*value))),
            Operand::Integer(value) => Self::of_number(Number::Integer(*value)),
            Operand::Double(value) => Self::of_number(Number::Double(*value)),
            Operand::Text(text) if converts_text => Self::of_converted(text),
            Operand::Text(text) => Some(Self::of_text(text)),
        }
    }

    fn of_number(number: Number) -> Option<Self> {
        let value = number.approximate();
        // There are two zeros, and they are equal.
        let value = if value == 0.0 { 0.0 } else { value };
        (!value.is_nan()).then(|| Self(Kind::Number(value.to_bits())))
    }

    fn of_text(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(Kind::Text(hasher.finish()))
    }

    /// Of a text that may equal a number or a truth value: all that look like one share its mark.
    fn of_converted(text: &str) -> Option<Self> {
        if let Some(number) = number_of_text(text) {
            return Self::of_number(number);
        }
        Some(match text {
            _ if text.eq_ignore_ascii_case("true") => Self(Kind::Truth(true)),
            _ if text.eq_ignore_ascii_case("false") => Self(Kind::Truth(false)),
            _ => Self::of_text(text),
        })
    }
}

/// The demands of a condition: each of them holds wherever it is true.
pub(super) fn demands(condition: &Node) -> Vec<Demand<'_>> {
    let mut found = Vec::new();
    collect(condition, &mut found);
    found.retain(|demand| demand.values.len() <= SELECTOR_DEMANDED_VALUES_MAX);
    found
}

fn collect<'n>(node: &'n Node, found: &mut Vec<Demand<'n>>) {
    match node {
        Node::And(parts) => parts.iter().for_each(|part| collect(part, found)),
        Node::Or(parts) => collect_shared(parts, found),
        Node::Compare(comparison) if comparison.operator == ComparisonOperator::Equal => {
            match (&comparison.left, &comparison.right) {
                (subject @ (Node::Property(_) | Node::Header(_)), Node::Literal(value))
                | (Node::Literal(value), subject @ (Node::Property(_) | Node::Header(_))) => {
                    found.push(Demand { subject, values: vec![value] });
                }
                _ => {}
            }
        }
        Node::In(membership) if !membership.negated => {
            if let subject @ (Node::Property(_) | Node::Header(_)) = &membership.value {
                found.push(Demand { subject, values: membership.list.iter().collect() });
            }
        }
        Node::Compare(_)
        | Node::In(_)
        | Node::Literal(_)
        | Node::Header(_)
        | Node::Property(_)
        | Node::Negate(_)
        | Node::Arithmetic(..)
        | Node::Between(_)
        | Node::Like(_)
        | Node::IsNull(_)
        | Node::Not(_) => {}
    }
}

/// Of alternatives: what all of them demand of the same subject.
fn collect_shared<'n>(parts: &'n [Node], found: &mut Vec<Demand<'n>>) {
    let Some((first, rest)) = parts.split_first() else { return };
    let mut shared = Vec::new();
    collect(first, &mut shared);
    for part in rest {
        if shared.is_empty() {
            return;
        }
        let mut others = Vec::new();
        collect(part, &mut others);
        shared.retain_mut(|demand| {
            let other = others.iter().find(|other| is_same(demand.subject, other.subject));
            if let Some(other) = other {
                demand.values.extend_from_slice(&other.values);
            }
            other.is_some()
        });
    }
    found.append(&mut shared);
}

/// Whether two subjects are the same header or property.
fn is_same(one: &Node, other: &Node) -> bool {
    match (one, other) {
        (Node::Property(one), Node::Property(other)) => one == other,
        (Node::Header(one), Node::Header(other)) => one == other,
        _ => false,
    }
}
