//! Conversions between values.

use super::Value;
use crate::selector::Operand;
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

#[test]
fn values_as_text() {
    let rows = [
        (Value::Bool(true), "true"),
        (Value::Bool(false), "false"),
        (Value::Byte(-128), "-128"),
        (Value::Short(300), "300"),
        (Value::Int(-7), "-7"),
        (Value::Long(i64::MIN), "-9223372036854775808"),
        (Value::Char(0x41), "A"),
        (Value::Text(Arc::from("x")), "x"),
        (Value::Double(0.0), "0.0"),
        (Value::Double(-0.0), "-0.0"),
        (Value::Double(1.0), "1.0"),
        (Value::Double(-2.5), "-2.5"),
        (Value::Double(100.0), "100.0"),
        (Value::Double(123.456), "123.456"),
        (Value::Double(9_999_999.0), "9999999.0"),
        (Value::Double(1e7), "1.0E7"),
        (Value::Double(1.25e10), "1.25E10"),
        (Value::Double(0.001), "0.001"),
        (Value::Double(0.0125), "0.0125"),
        (Value::Double(0.5), "0.5"),
        (Value::Double(0.000_99), "9.9E-4"),
        (Value::Double(f64::MAX), "1.7976931348623157E308"),
        (Value::Double(f64::NAN), "NaN"),
        (Value::Double(f64::INFINITY), "Infinity"),
        (Value::Double(f64::NEG_INFINITY), "-Infinity"),
        (Value::Float(0.1), "0.1"),
        (Value::Float(16_777_216.0), "1.6777216E7"),
        (Value::Float(3.5), "3.5"),
    ];
    for (value, expected) in rows {
        assert_eq!(value.to_text().as_deref(), Some(expected), "{value:?}");
    }
}

#[test]
fn values_that_are_no_text() {
    let values =
        [Value::Null, Value::Bytes(Bytes::new()), Value::List(Vec::new()), Value::Map(Vec::new()), Value::Char(0xd800)];
    for value in values {
        assert_eq!(value.to_text(), None, "{value:?}");
        assert_eq!(Operand::from(&value), Operand::Null, "{value:?}");
    }
}

#[test]
fn values_in_selectors_are_widened() {
    let rows = [
        (Value::Bool(true), Operand::Bool(true)),
        (Value::Byte(-1), Operand::Integer(-1)),
        (Value::Short(-1), Operand::Integer(-1)),
        (Value::Int(-1), Operand::Integer(-1)),
        (Value::Long(-1), Operand::Integer(-1)),
        (Value::Float(0.5), Operand::Double(0.5)),
        (Value::Double(0.5), Operand::Double(0.5)),
        (Value::Char(0xe9), Operand::Text(Cow::Borrowed("é"))),
        (Value::Text(Arc::from("x")), Operand::Text(Cow::Borrowed("x"))),
    ];
    for (value, expected) in rows {
        assert_eq!(Operand::from(&value), expected, "{value:?}");
    }
}
