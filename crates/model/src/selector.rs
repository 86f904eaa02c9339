//! JMS selectors: which messages a subscription wants.

use crate::message::Message;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

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

/// A selector, parsed.
#[derive(Clone, PartialEq, Debug)]
pub struct Selector {
    source: Arc<str>,
    converts_text: bool,
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
    /// Reads a selector. An empty source matches every message.
    ///
    /// # Errors
    /// The source is not a selector, or larger or deeper than the limits.
    pub fn parse(source: &str, converts_text: bool) -> Result<Self, SelectorError> {
        Ok(Self { source: Arc::from(source), converts_text })
    }

    /// What was parsed, as it was written.
    #[must_use]
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// Whether the message is wanted. `redeliveries`: how often it was delivered before.
    #[must_use]
    pub fn matches(&self, message: &Message, redeliveries: u32) -> bool {
        let _ = (message, redeliveries, self.converts_text);
        todo!()
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {} of the selector)", self.text, self.at)
    }
}
