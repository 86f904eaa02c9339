//! Modified UTF-8, as Java writes text: NUL takes two bytes, characters beyond U+FFFF are two halves of three bytes.

use crate::codec::CodecError;
use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// The first byte of UTF-8's four-byte sequences, which modified UTF-8 does not have.
const FOUR_BYTES: u8 = 0xF0;

/// The text in `octets`. Borrowed where modified and plain UTF-8 agree, which is nearly always.
///
/// # Errors
/// [`CodecError::Text`] for what Java refuses, and for halves of surrogate pairs: they have no form in any other
/// protocol.
pub fn decode(octets: &[u8]) -> Result<Cow<'_, str>, CodecError> {
    match std::str::from_utf8(octets) {
        Ok(text) if octets.is_ascii() || !octets.iter().any(|byte| *byte >= FOUR_BYTES) => Ok(Cow::Borrowed(text)),
        Ok(_) => Err(CodecError::Text),
        Err(_) => decode_units(octets).map(Cow::Owned),
    }
}

fn decode_units(octets: &[u8]) -> Result<String, CodecError> {
    let mut units = Units { octets, at: 0 };
    let mut text = String::with_capacity(octets.len());
    while let Some(unit) = units.next()? {
        let character = match unit {
            0xD800..=0xDBFF => match units.next()? {
                Some(low @ 0xDC00..=0xDFFF) => 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00),
                _ => return Err(CodecError::Text),
            },
            unit => unit,
        };
        text.push(char::from_u32(character).ok_or(CodecError::Text)?);
    }
    Ok(text)
}

/// UTF-16 code units out of modified UTF-8. Overlong forms are accepted, as Java does; the text that comes out has none.
struct Units<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Units<'_> {
    fn next(&mut self) -> Result<Option<u32>, CodecError> {
        let Some(&first) = self.octets.get(self.at) else { return Ok(None) };
        self.at += 1;
        let unit = match first {
            0x00..=0x7F => u32::from(first),
            0xC0..=0xDF => (u32::from(first & 0x1F) << 6) | self.continuation()?,
            0xE0..=0xEF => {
                let high = (u32::from(first & 0x0F) << 12) | (self.continuation()? << 6);
                high | self.continuation()?
            }
            0x80..=0xBF | 0xF0..=0xFF => return Err(CodecError::Text),
        };
        Ok(Some(unit))
    }

    fn continuation(&mut self) -> Result<u32, CodecError> {
        match self.octets.get(self.at) {
            Some(byte) if byte & 0xC0 == 0x80 => {
                self.at += 1;
                Ok(u32::from(byte & 0x3F))
            }
            Some(_) | None => Err(CodecError::Text),
        }
    }
}

/// What Java writes for a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// One byte a character and no NUL: what Java marks as ASCII. The text's own bytes.
    Ascii,
    /// The text's own bytes, as in plain UTF-8.
    Plain,
    /// Other bytes than in plain UTF-8, and how many.
    Modified(usize),
}

impl Form {
    /// The form of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let octets = text.as_bytes();
        // Without an early end, so that many are looked at in one step.
        if octets.iter().fold(true, |is_ascii, byte| is_ascii & matches!(byte, 1..=0x7F)) {
            return Self::Ascii;
        }
        let nul = octets.contains(&0);
        if !nul && !octets.iter().any(|byte| *byte >= FOUR_BYTES) {
            Self::Plain
        } else {
            // NUL takes two bytes; a sequence of four becomes two halves of three.
            let more = |byte: &u8| usize::from(*byte == 0) + 2 * usize::from(*byte >= FOUR_BYTES);
            Self::Modified(octets.len() + octets.iter().map(more).sum::<usize>())
        }
    }

    /// How many bytes `text`, whose form this is, takes.
    pub(crate) fn len(self, text: &str) -> usize {
        match self {
            Self::Ascii | Self::Plain => text.len(),
            Self::Modified(len) => len,
        }
    }

    /// Appends `text`, whose form this is.
    pub(crate) fn write(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Ascii | Self::Plain => out.extend_from_slice(text.as_bytes()),
            Self::Modified(_) => text.encode_utf16().for_each(|unit| write_unit(unit, out)),
        }
    }
}

fn write_unit(unit: u16, out: &mut Vec<u8>) {
    let low = |shift: u16| 0x80 | ((unit >> shift) & 0x3F) as u8;
    match unit {
        1..=0x7F => out.push(unit as u8),
        0 | 0x80..=0x7FF => out.extend_from_slice(&[0xC0 | (unit >> 6) as u8, low(0)]),
        0x800..=0xFFFF => out.extend_from_slice(&[0xE0 | (unit >> 12) as u8, low(6), low(0)]),
    }
}
