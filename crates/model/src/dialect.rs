//! A message's original encoding, and how to look inside it without converting it.

use crate::message::Message;
use crate::selector::Operand;
use crate::value::Neutral;
use std::fmt;

/// The form in which a message arrived. Each protocol implements it once per form, as a `static`.
pub trait Dialect: Send + Sync + fmt::Debug {
    /// The number that names this dialect in the journal. Never reused for another meaning.
    fn code(&self) -> u16;

    /// The application property `name` for a selector; `Operand::Null` where it is absent. Headers (`JMS…`) are not
    /// asked here: the selector reads them from [`crate::Header`].
    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m>;

    /// Bytes that the search for an application property passes, at most: what is before the body, unless the dialect
    /// puts it elsewhere.
    fn search_length(&self, message: &Message) -> usize {
        message.body_at as usize
    }

    /// Application properties and body in neutral form, for a consumer that speaks another dialect.
    ///
    /// # Errors
    /// The bytes are not what the dialect's encoding allows. The message is then not deliverable to other dialects.
    fn to_neutral(&self, message: &Message) -> Result<Neutral, MalformedMessage>;
}

/// The message's bytes do not follow its dialect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MalformedMessage(pub String);

impl fmt::Display for MalformedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message: {}", self.0)
    }
}

/// Every dialect the process knows; the journal finds a stored message's dialect here by its code.
#[derive(Clone, Copy, Debug)]
pub struct Dialects(pub &'static [&'static dyn Dialect]);

impl Dialects {
    /// The dialect with this code, or `None`: the journal was written by a newer version.
    #[must_use]
    pub fn find(self, code: u16) -> Option<&'static dyn Dialect> {
        self.0.iter().copied().find(|dialect| dialect.code() == code)
    }
}
