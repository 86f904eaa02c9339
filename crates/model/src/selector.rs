//! JMS selectors: which messages a subscription wants.
//!
//! The language is the conditional subset of SQL-92 that Jakarta Messaging 3.1, section 3.8.1 defines. A selector is
//! parsed once into a tree whose depth is limited; evaluating it allocates nothing, unless it names `JMSMessageID`,
//! `JMSDestination` or `JMSReplyTo`, whose text is put together for the comparison.
//!
//! ```text
//!   source ──lexer──► tokens ──parser──► tree ──evaluate(message)──► true, false or unknown
//! ```
//!
//! Where many selectors are shown the same messages, a [`SelectorIndex`] evaluates those alone that may be true.
//!
//! Where the specification leaves a choice:
//! - Unlike types: the comparison is false, `<>` too. A missing property: it is unknown. Only what is true is wanted.
//! - Whole numbers are 64 bits wide. What overflows, and what is divided by a whole zero, is unknown, as if it were missing.
//! - A whole number beside an approximate one is compared as an approximate one, as Java does.
//! - `%` is the remainder, and comparisons do not chain: `(a = b) = TRUE` needs its parentheses.

mod demand;
mod evaluate;
mod index;
mod lexer;
mod like;
mod node;
mod parser;
#[cfg(test)]
mod tests;

pub use demand::{Mark, Subject};
pub use index::SelectorIndex;

use crate::limits::{SELECTOR_STEPS_LEAST, SELECTOR_STEPS_MAX, SELECTOR_STEPS_SHARED_MAX};
use crate::message::Message;
use crate::value::Value;
use node::Node;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Classic's mark in front of a selector that says that text which looks like a number compares as one.
const CONVERTS_TEXT_PREFIX: &str = "convert_string_expressions:";

/// A value in a selector's evaluation. Numbers are widened: selectors compare by value, not by width.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand<'m> {
    /// Absent: every comparison with it is unknown.
    Null,
    /// A truth value.
    Bool(bool),
    /// An exact number.
    Integer(i64),
    /// An approximate number.
    Double(f64),
    /// Text.
    Text(Cow<'m, str>),
}

impl<'m> From<&'m Value> for Operand<'m> {
    /// Octets, lists and maps have no place in a selector: they are as absent.
    fn from(value: &'m Value) -> Self {
        match value {
            Value::Null | Value::Bytes(_) | Value::List(_) | Value::Map(_) => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Byte(value) => Self::Integer(i64::from(*value)),
            Value::Short(value) => Self::Integer(i64::from(*value)),
            Value::Int(value) => Self::Integer(i64::from(*value)),
            Value::Long(value) => Self::Integer(*value),
            Value::Float(value) => Self::Double(f64::from(*value)),
            Value::Double(value) => Self::Double(*value),
            Value::Char(_) => value.to_text().map_or(Self::Null, Self::Text),
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
        }
    }
}

/// A selector, parsed.
#[derive(Clone, Debug)]
pub struct Selector {
    source: Arc<str>,
    converts_text: bool,
    /// `None`: every message.
    condition: Option<Arc<Node>>,
}

impl PartialEq for Selector {
    /// Two selectors are equal when they were written alike and convert alike.
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.converts_text == other.converts_text
    }
}

/// What was spent on selectors that are evaluated at a time, so that many slow ones cannot hold everybody else up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    steps: u64,
}

impl Effort {
    /// Steps so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Steps that the next evaluation may take.
    fn allowance(&self) -> u32 {
        if self.steps < SELECTOR_STEPS_SHARED_MAX { SELECTOR_STEPS_MAX } else { SELECTOR_STEPS_LEAST }
    }
}

/// Why a selector's source is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SelectorError {
    /// Where in the source. Bytes.
    pub at: usize,
    /// A sentence: lowercase, no full stop.
    pub text: String,
}

impl Selector {
    /// Reads a selector. A source of nothing but white space and comments wants every message.
    ///
    /// `converts_text`: text that looks like a number compares with numbers as one, and `true` and `false` as truth
    /// values. The prefix `convert_string_expressions:` in the source asks for the same.
    ///
    /// # Errors
    /// The source is not a selector, has more than [`crate::limits::SELECTOR_BYTES_MAX`] bytes, nests deeper than
    /// [`crate::limits::SELECTOR_DEPTH_MAX`], or uses one of Classic's functions.
    pub fn parse(source: &str, converts_text: bool) -> Result<Self, SelectorError> {
        let (condition, prefixed) = match source.strip_prefix(CONVERTS_TEXT_PREFIX) {
            Some(condition) => (condition, true),
            None => (source, false),
        };
        let converts_text = converts_text || prefixed;
        let parsed = parser::parse(condition, converts_text)
            .map_err(|error| SelectorError { at: error.at + source.len() - condition.len(), text: error.text })?;
        Ok(Self { source: Arc::from(source), converts_text, condition: parsed.map(Arc::new) })
    }

    /// What was parsed, as it was written.
    #[must_use]
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// Whether text that looks like a number compares as one.
    #[must_use]
    pub fn converts_text(&self) -> bool {
        self.converts_text
    }

    /// Whether the message is wanted. `redeliveries`: how often it was delivered before.
    #[must_use]
    pub fn matches(&self, message: &Message, redeliveries: u32) -> bool {
        self.matches_within(message, redeliveries, &mut Effort::default())
    }

    /// Whether the message is wanted, as one of many selectors that are evaluated at a time.
    pub fn matches_within(&self, message: &Message, redeliveries: u32, effort: &mut Effort) -> bool {
        match &self.condition {
            Some(condition) => evaluate::wants(condition, message, redeliveries, self.converts_text, effort),
            None => true,
        }
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the selector)", self.text, self.at)
    }
}

impl std::error::Error for SelectorError {}
