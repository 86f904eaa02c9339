//! JMS selectors: which messages a subscription wants.

use std::borrow::Cow;

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
