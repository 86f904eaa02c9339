//! JSON text of structured bodies, for STOMP clients that receive a map or stream message.

use ferrymq_model::Value;
use std::fmt::Write;

/// `{"name":value,…}`
pub(crate) fn map(entries: &[(std::sync::Arc<str>, Value)]) -> String {
    let mut out = String::new();
    put_map(&mut out, entries);
    out
}

/// `[value,…]`
pub(crate) fn list(values: &[Value]) -> String {
    let mut out = String::new();
    put_list(&mut out, values);
    out
}

fn put_map(out: &mut String, entries: &[(std::sync::Arc<str>, Value)]) {
    out.push('{');
    for (at, (name, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_text(out, name);
        out.push(':');
        put_value(out, value);
    }
    out.push('}');
}

fn put_list(out: &mut String, values: &[Value]) {
    out.push('[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_value(out, value);
    }
    out.push(']');
}

fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Text(text) => put_text(out, text),
        Value::Char(unit) => put_text(out, &String::from_utf16_lossy(&[*unit])),
        Value::Bytes(bytes) => {
            out.push('"');
            for byte in bytes {
                put(out, format_args!("{byte:02x}"));
            }
            out.push('"');
        }
        Value::List(values) => put_list(out, values),
        Value::Map(entries) => put_map(out, entries),
        Value::Float(number) => put_float(out, f64::from(*number), &plain(value)),
        Value::Double(number) => put_float(out, *number, &plain(value)),
        Value::Bool(_) | Value::Byte(_) | Value::Short(_) | Value::Int(_) | Value::Long(_) => {
            out.push_str(&plain(value));
        }
    }
}

/// JSON knows no infinities and no NaN.
fn put_float(out: &mut String, number: f64, text: &str) {
    out.push_str(if number.is_finite() { text } else { "null" });
}

fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => put(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String does not fail");
}

/// A property's value as a header shows it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        // As Java puts null together with text, and Classic its headers.
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Byte(value) => value.to_string(),
        Value::Short(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Float(_) | Value::Double(_) => value.to_text().map_or_else(String::new, Into::into),
        Value::Char(unit) => String::from_utf16_lossy(&[*unit]),
        Value::Text(text) => text.to_string(),
        Value::List(values) => list(values),
        Value::Map(entries) => map(entries),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
