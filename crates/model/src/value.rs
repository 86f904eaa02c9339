//! The neutral form: what JMS and AMQP can express, as types. It is never a wire format.

use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

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

impl Value {
    /// The value as text, as JMS converts properties and as Java writes them: `1.0`, `1.0E10`, `true`. `None` for what
    /// JMS does not convert: nothing, octets, lists, maps, and half of a surrogate pair.
    #[must_use]
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null | Self::Bytes(_) | Self::List(_) | Self::Map(_) => return None,
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Byte(value) => Cow::Owned(value.to_string()),
            Self::Short(value) => Cow::Owned(value.to_string()),
            Self::Int(value) => Cow::Owned(value.to_string()),
            Self::Long(value) => Cow::Owned(value.to_string()),
            Self::Float(value) => approximate_text(f64::from(*value), value),
            Self::Double(value) => approximate_text(*value, value),
            Self::Char(unit) => Cow::Owned(char::from_u32(u32::from(*unit))?.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        })
    }
}

/// Java's way of writing approximate numbers: plain from 1e-3 to below 1e7, else with an exponent; always a point.
/// `exact` has the shortest digits of its own width, `value` is the same number.
fn approximate_text(value: f64, exact: &dyn fmt::LowerExp) -> Cow<'static, str> {
    if value.is_nan() {
        return Cow::Borrowed("NaN");
    }
    if value.is_infinite() {
        return Cow::Borrowed(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let scientific = format!("{exact:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("LowerExp writes an exponent");
    let exponent: i32 = exponent.parse().expect("LowerExp writes a whole exponent");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    if value != 0.0 && !(-3..7).contains(&exponent) {
        let point = if mantissa.contains('.') { "" } else { ".0" };
        return Cow::Owned(format!("{sign}{mantissa}{point}E{exponent}"));
    }
    let digits = mantissa.replace('.', "");
    Cow::Owned(if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        format!("{sign}0.{zeros}{digits}")
    } else {
        let whole = exponent.unsigned_abs() as usize + 1;
        let padded = format!("{digits:0<whole$}");
        let (whole, fraction) = padded.split_at(whole);
        format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
    })
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
