//! The neutral form: what JMS and AMQP can express, as types. It is never a wire format.

use bytes::Bytes;
use std::sync::Arc;

/// A property value or an element of a structured body.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Absent or null.
    Null,
    /// A truth value.
    Bool(bool),
    /// 8 bits, signed.
    Byte(i8),
    /// 16 bits, signed.
    Short(i16),
    /// 32 bits, signed.
    Int(i32),
    /// 64 bits, signed.
    Long(i64),
    /// 32-bit floating point.
    Float(f32),
    /// 64-bit floating point.
    Double(f64),
    /// A UTF-16 code unit.
    Char(u16),
    /// Text.
    Text(Arc<str>),
    /// Octets.
    Bytes(Bytes),
    /// Values in order.
    List(Vec<Value>),
    /// Named values in order.
    Map(Vec<(Arc<str>, Value)>),
}

/// The body of a message in neutral form.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// A text message.
    Text(Arc<str>),
    /// A bytes message.
    Bytes(Bytes),
    /// A map message.
    Map(Vec<(Arc<str>, Value)>),
    /// A stream message or an AMQP list.
    List(Vec<Value>),
    /// A serialised object: opaque, never instantiated.
    Object(Bytes),
}

/// Application properties and body of a message, out of its dialect.
#[derive(Clone, PartialEq, Debug)]
pub struct Neutral {
    /// Application properties in the order in which they were written.
    pub properties: Vec<(Arc<str>, Value)>,
    /// The body.
    pub body: Body,
}
