//! Marshalled maps and streams: message properties, map and stream bodies.
//!
//! ```text
//!   map:    count(4) { name(2 + n) primitive }*         count −1: no map
//!   stream: primitive*
//!   primitive: 0 null | 1 bool(1) | 2 byte(1) | 3 char(2) | 4 short(2) | 5 int(4) | 6 long(8) | 7 double(8)
//!            | 8 float(4) | 9 text(2 + n) | 10 octets(4 + n) | 11 map | 12 count(4) primitive* | 13 text(4 + n)
//! ```
//!
//! A message keeps its map marshalled. [`PrimitiveMap`] finds single entries without making values of the others.

use crate::codec::CodecError;
use crate::codec::text::{self, Form};
use crate::limits::MapLimits;
use bytes::Bytes;
use ferrymq_model::Value;
use ferrymq_model::selector::Operand;
use std::borrow::Cow;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Text of so many UTF-16 units and more is written with a length of 32 bits.
const BIG_TEXT_UNITS: usize = i16::MAX as usize / 4;
/// The least that an entry of a map takes: an empty name and null. Bytes.
const ENTRY_BYTES_MIN: usize = 3;

/// A marshalled map.
#[derive(Clone, Debug)]
pub struct PrimitiveMap {
    octets: Bytes,
    limits: MapLimits,
}

impl PrimitiveMap {
    /// The map in `octets`. Nothing is read yet.
    #[must_use]
    pub fn new(octets: Bytes, limits: MapLimits) -> Self {
        Self { octets, limits }
    }

    /// The last value named `name`, as Java's map would hold it; values passed over are not made.
    ///
    /// # Errors
    /// The map is malformed or beyond its limits.
    pub fn get(&self, name: &str) -> Result<Option<Value>, CodecError> {
        let mut input = Input::new(&self.octets, self.limits);
        let mut found = None;
        for _ in 0..input.map_count()? {
            if input.name()? == name {
                found = Some(input.value(0)?);
            } else {
                input.skip(0)?;
            }
        }
        Ok(found)
    }

    /// All entries in the order in which they were written.
    ///
    /// # Errors
    /// The map is malformed or beyond its limits.
    pub fn to_vec(&self) -> Result<Vec<(Arc<str>, Value)>, CodecError> {
        Input::new(&self.octets, self.limits).map(0)
    }
}

/// The first entry named `name`, for a selector: nothing is made of what is passed over, nor of what follows it. What has no
/// place in a selector is `Null`, as is what is absent.
///
/// # Errors
/// The map is malformed or beyond its limits up to that entry.
pub(crate) fn find_operand<'a>(octets: &'a [u8], name: &str, limits: MapLimits) -> Result<Operand<'a>, CodecError> {
    let mut input = Input { octets, owner: None, at: 0, limits, values_left: limits.values_max };
    let form = Form::of(name);
    let mut modified = Vec::new();
    let wanted = match form {
        Form::Ascii | Form::Plain => name.as_bytes(),
        Form::Modified(_) => {
            form.write(name, &mut modified);
            &modified[..]
        }
    };
    for _ in 0..input.map_count()? {
        let len = u16::from_be_bytes(input.array()?);
        if input.bounded(usize::from(len))? == wanted {
            return input.operand();
        }
        input.skip(0)?;
    }
    Ok(Operand::Null)
}

/// The primitives of a stream body in order.
///
/// # Errors
/// A primitive is malformed or beyond its limits.
pub fn read_stream(octets: &Bytes, limits: MapLimits) -> Result<Vec<Value>, CodecError> {
    let mut input = Input::new(octets, limits);
    let mut values = Vec::new();
    while input.at < octets.len() {
        values.push(input.value(0)?);
    }
    Ok(values)
}

/// A map of `entries`.
///
/// # Errors
/// A name is longer than its 16-bit length can say, or a value than 2 GiB.
pub fn write_map(entries: &[(Arc<str>, Value)]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    write_entries(entries, &mut out)?;
    Ok(out)
}

/// A stream of `values`.
///
/// # Errors
/// As for [`write_map`].
pub fn write_stream(values: &[Value]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    values.iter().try_for_each(|value| write_value(value, &mut out))?;
    Ok(out)
}

/// What is left of a map or stream.
struct Input<'a> {
    octets: &'a [u8],
    /// What the octets are all of; octet strings become slices of it.
    owner: Option<&'a Bytes>,
    at: usize,
    limits: MapLimits,
    values_left: usize,
}

impl<'a> Input<'a> {
    fn new(octets: &'a Bytes, limits: MapLimits) -> Self {
        Self { octets, owner: Some(octets), at: 0, limits, values_left: limits.values_max }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let needed = self.at.saturating_add(len);
        let taken = self.octets.get(self.at..needed).ok_or(CodecError::Truncated { needed })?;
        self.at = needed;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut octets = [0; N];
        octets.copy_from_slice(self.take(N)?);
        Ok(octets)
    }

    /// A length or count of 32 bits, checked against what is left at `bytes_min` an element.
    fn length(&mut self, bytes_min: usize) -> Result<usize, CodecError> {
        let length = i32::from_be_bytes(self.array()?);
        let length = usize::try_from(length).map_err(|_| CodecError::NegativeLength(length))?;
        let needed = self.at.saturating_add(length.saturating_mul(bytes_min));
        if needed > self.octets.len() { Err(CodecError::Truncated { needed }) } else { Ok(length) }
    }

    /// Entries of the map that starts here; none where it says that there is no map.
    fn map_count(&mut self) -> Result<usize, CodecError> {
        if self.octets.get(self.at..self.at + 4) == Some(&[0xFF; 4]) {
            self.at += 4;
            return Ok(0);
        }
        let count = self.length(ENTRY_BYTES_MIN)?;
        if count > self.limits.entries_max { Err(CodecError::TooMany) } else { Ok(count) }
    }

    fn name(&mut self) -> Result<Cow<'a, str>, CodecError> {
        let len = u16::from_be_bytes(self.array()?);
        text::decode(self.bounded(usize::from(len))?)
    }

    fn bounded(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        if len > self.limits.value_bytes_max { Err(CodecError::TooLong(len)) } else { self.take(len) }
    }

    fn count_value(&mut self) -> Result<(), CodecError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(CodecError::TooMany)?;
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Result<usize, CodecError> {
        if depth >= self.limits.depth_max { Err(CodecError::TooDeep) } else { Ok(depth + 1) }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Arc<str>, Value)>, CodecError> {
        let mut entries = Vec::new();
        for _ in 0..self.map_count()? {
            let name = Arc::from(self.name()?);
            entries.push((name, self.value(depth)?));
        }
        Ok(entries)
    }

    fn value(&mut self, depth: usize) -> Result<Value, CodecError> {
        self.count_value()?;
        let [code] = self.array()?;
        Ok(match code {
            0 => Value::Null,
            1 => Value::Bool(self.array::<1>()? != [0]),
            2 => Value::Byte(i8::from_be_bytes(self.array()?)),
            3 => Value::Char(u16::from_be_bytes(self.array()?)),
            4 => Value::Short(i16::from_be_bytes(self.array()?)),
            5 => Value::Int(i32::from_be_bytes(self.array()?)),
            6 => Value::Long(i64::from_be_bytes(self.array()?)),
            7 => Value::Double(f64::from_be_bytes(self.array()?)),
            8 => Value::Float(f32::from_be_bytes(self.array()?)),
            9 | 13 => {
                let len = self.text_len(code)?;
                Value::Text(Arc::from(text::decode(self.bounded(len)?)?))
            }
            10 => {
                let len = self.length(1)?;
                let octets = self.bounded(len)?;
                let shared = self.owner.map(|owner| owner.slice(self.at - len..self.at));
                Value::Bytes(shared.unwrap_or_else(|| Bytes::copy_from_slice(octets)))
            }
            11 => {
                let depth = self.deeper(depth)?;
                Value::Map(self.map(depth)?)
            }
            12 => {
                let depth = self.deeper(depth)?;
                let mut values = Vec::new();
                for _ in 0..self.length(1)? {
                    values.push(self.value(depth)?);
                }
                Value::List(values)
            }
            _ => return Err(CodecError::UnknownPrimitive(code)),
        })
    }

    /// The value as a selector sees it.
    fn operand(&mut self) -> Result<Operand<'a>, CodecError> {
        let [code] = self.array()?;
        Ok(match code {
            1 => Operand::Bool(self.array::<1>()? != [0]),
            2 => Operand::Integer(i64::from(i8::from_be_bytes(self.array()?))),
            3 => {
                let unit = u32::from(u16::from_be_bytes(self.array()?));
                char::from_u32(unit).map_or(Operand::Null, |unit| Operand::Text(Cow::Owned(unit.to_string())))
            }
            4 => Operand::Integer(i64::from(i16::from_be_bytes(self.array()?))),
            5 => Operand::Integer(i64::from(i32::from_be_bytes(self.array()?))),
            6 => Operand::Integer(i64::from_be_bytes(self.array()?)),
            7 => Operand::Double(f64::from_be_bytes(self.array()?)),
            8 => Operand::Double(f64::from(f32::from_be_bytes(self.array()?))),
            9 | 13 => {
                let len = self.text_len(code)?;
                Operand::Text(text::decode(self.bounded(len)?)?)
            }
            // Null, octets, maps, lists.
            _ => Operand::Null,
        })
    }

    fn text_len(&mut self, code: u8) -> Result<usize, CodecError> {
        if code == 9 { Ok(usize::from(u16::from_be_bytes(self.array()?))) } else { self.length(1) }
    }

    /// Passes a value over.
    fn skip(&mut self, depth: usize) -> Result<(), CodecError> {
        self.count_value()?;
        let [code] = self.array()?;
        let len = match code {
            0 => 0,
            1 | 2 => 1,
            3 | 4 => 2,
            5 | 8 => 4,
            6 | 7 => 8,
            9 | 13 => self.text_len(code)?,
            10 => self.length(1)?,
            11 => {
                let depth = self.deeper(depth)?;
                for _ in 0..self.map_count()? {
                    let name_len = u16::from_be_bytes(self.array()?);
                    self.bounded(usize::from(name_len))?;
                    self.skip(depth)?;
                }
                0
            }
            12 => {
                let depth = self.deeper(depth)?;
                for _ in 0..self.length(1)? {
                    self.skip(depth)?;
                }
                0
            }
            _ => return Err(CodecError::UnknownPrimitive(code)),
        };
        self.bounded(len).map(|_| ())
    }
}

fn write_entries(entries: &[(Arc<str>, Value)], out: &mut Vec<u8>) -> Result<(), CodecError> {
    write_length(entries.len(), out)?;
    entries.iter().try_for_each(|(name, value)| {
        write_short_text(name, out)?;
        write_value(value, out)
    })
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => tagged(1, &[u8::from(*value)], out),
        Value::Byte(value) => tagged(2, &value.to_be_bytes(), out),
        Value::Char(value) => tagged(3, &value.to_be_bytes(), out),
        Value::Short(value) => tagged(4, &value.to_be_bytes(), out),
        Value::Int(value) => tagged(5, &value.to_be_bytes(), out),
        Value::Long(value) => tagged(6, &value.to_be_bytes(), out),
        Value::Double(value) => tagged(7, &value.to_be_bytes(), out),
        Value::Float(value) => tagged(8, &value.to_be_bytes(), out),
        Value::Text(value) if value.encode_utf16().count() < BIG_TEXT_UNITS => {
            out.push(9);
            write_short_text(value, out)?;
        }
        Value::Text(value) => {
            out.push(13);
            let form = Form::of(value);
            write_length(form.len(value), out)?;
            form.write(value, out);
        }
        Value::Bytes(value) => {
            out.push(10);
            write_length(value.len(), out)?;
            out.extend_from_slice(value);
        }
        Value::Map(entries) => {
            out.push(11);
            write_entries(entries, out)?;
        }
        Value::List(values) => {
            out.push(12);
            write_length(values.len(), out)?;
            values.iter().try_for_each(|value| write_value(value, out))?;
        }
    }
    Ok(())
}

fn tagged(code: u8, octets: &[u8], out: &mut Vec<u8>) {
    out.push(code);
    out.extend_from_slice(octets);
}

fn write_length(length: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let length = i32::try_from(length).map_err(|_| CodecError::TooLong(length))?;
    out.extend_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Text with a length of 16 bits.
fn write_short_text(value: &str, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let form = Form::of(value);
    let len = form.len(value);
    let short = u16::try_from(len).map_err(|_| CodecError::TextTooLong(len))?;
    out.extend_from_slice(&short.to_be_bytes());
    form.write(value, out);
    Ok(())
}
