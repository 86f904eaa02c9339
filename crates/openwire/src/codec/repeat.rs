//! A frame that is like an earlier one of its type, but for some numbers, texts and the body.
//!
//! From one message of a producer to the next little changes. While a frame is read through its table, the rows that change
//! note where they lie; what is between them is kept, and compared as a whole with the next frame:
//!
//! ```text
//!   same ◄command id► same ◄sequence► same ◄timestamp► same ◄content► same ◄properties► same
//! ```
//!
//! Where it is the same, only the changing rows are read, over the last command. Their lengths are among what is compared: in
//! tight encoding the boolean stream says them. Whatever differs otherwise is read through the table, as if nothing had come
//! before: errors are made nowhere else. What was cached since makes the kept frame worthless.

use crate::codec::CodecError;
use crate::codec::message_body::MessageBody;
use crate::codec::reader::{Read, Reader, TextOctets};
use crate::codec::table::{Coded, Int, Kind, Structure, Text};
use crate::codec::writer::Writer;
use crate::limits::{REUSED_BYTES_MAX, REUSED_COMMANDS_MAX};
use bytes::Bytes;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// What lies where a row changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hole {
    /// A number of 0, 2 or 4 bytes without a sign, or of 8 with one.
    Number(usize),
    /// A length of 16 bits and text, one byte a character.
    SingleText,
    /// A length of 16 bits and text in modified UTF-8.
    ModifiedText,
    /// A length of 32 bits and octets: a message's content.
    Content,
    /// The same: its properties.
    Properties,
}

/// Where in its frame a row that changes was read.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) range: Range<usize>,
    pub(crate) hole: Hole,
}

/// A row that changes from one command to the next: as `K`.
#[derive(Debug)]
pub struct Changing<K>(PhantomData<K>);

impl<K: Kind> Kind for Changing<K> {
    type Value = K::Value;
}

impl Coded for Changing<Int> {
    #[inline(always)]
    fn read(value: &mut i32, reader: &mut Reader<'_>) -> Read<()> {
        let from = reader.position();
        *value = reader.int()?;
        reader.note(from, Hole::Number(size_of::<i32>()));
        Ok(())
    }

    #[inline(always)]
    fn write(value: &i32, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        Int::write(value, writer)
    }

    #[inline(always)]
    fn read_changed(value: &mut i32, again: &mut Again<'_>) -> Option<()> {
        *value = again.int()?;
        Some(())
    }
}

impl Coded for Changing<Text> {
    #[inline(always)]
    fn read(value: &mut Option<Arc<str>>, reader: &mut Reader<'_>) -> Read<()> {
        reader.changing_text_over(value)
    }

    #[inline(always)]
    fn write(value: &Option<Arc<str>>, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        Text::write(value, writer)
    }

    #[inline(always)]
    fn read_changed(value: &mut Option<Arc<str>>, again: &mut Again<'_>) -> Option<()> {
        match value {
            Some(text) => again.text(text),
            None => Some(()),
        }
    }
}

/// The last commands of a type, to be read over: one for each of a few senders that take turns.
#[derive(Debug)]
pub(crate) struct Lately<T> {
    lasts: Vec<Last<T>>,
    /// The one that was read last; the next in turn is behind it.
    at: usize,
    /// How many were handed out and not given back.
    out: u32,
    /// While a frame is read.
    notes: Vec<Note>,
}

/// A command of a type.
#[derive(Debug, Default)]
struct Last<T> {
    /// `None`: it was not given back.
    command: Option<Box<T>>,
    /// What its frame has in common with the next one.
    shape: Shape,
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self { lasts: Vec::new(), at: 0, out: 0, notes: Vec::new() }
    }
}

impl<T: Structure + Default> Lately<T> {
    /// The command in `frame`, if it is like one that was read lately.
    #[inline]
    pub(crate) fn again(&mut self, frame: &Bytes, version: u8, stores: u64) -> Option<Box<T>> {
        let count = self.lasts.len();
        for at in (self.at..count).chain(0..self.at.min(count)) {
            if let Some(command) = self.lasts[at].again(frame, version, stores) {
                self.at = at;
                self.out += 1;
                return Some(command);
            }
        }
        None
    }

    /// The command that follows its type code `code`, read over an old one, and where it ends.
    pub(crate) fn read(&mut self, code: u8, reader: Reader<'_>) -> Result<(Box<T>, usize), CodecError> {
        self.at = if self.lasts.len() < REUSED_COMMANDS_MAX {
            self.lasts.push(Last::default());
            self.lasts.len() - 1
        } else {
            (self.at + 1) % REUSED_COMMANDS_MAX
        };
        let last = &mut self.lasts[self.at];
        last.shape.is_usable = false;
        self.notes.clear();
        let (frame, stores) = (reader.frame(), reader.stores());
        let mut reader = reader.noting(&mut self.notes);
        let mut command = last.command.take().unwrap_or_default();
        command.read_over(code, &mut reader).map_err(|failed| reader.why(failed))?;
        let (end, stores_after) = (reader.position(), reader.stores());
        // What asks to be remembered does not come again.
        if end == frame.len() && stores == stores_after {
            last.shape.keep(frame, &self.notes, stores);
        }
        self.out = self.out.saturating_add(1);
        Ok((command, end))
    }

    /// The one that was read last comes back.
    pub(crate) fn keep(&mut self, command: Box<T>) {
        if self.out == 1
            && let Some(last) = self.lasts.get_mut(self.at)
        {
            last.command = Some(command);
            self.out = 0;
        } else {
            self.forget();
        }
    }

    /// It comes back, but is not kept: so if it is small, because of several that are out nobody knows which one this is.
    pub(crate) fn forget(&mut self) {
        self.out = self.out.saturating_sub(1);
        if let Some(last) = self.lasts.get_mut(self.at) {
            last.shape.is_usable = false;
        }
    }
}

impl<T: Structure> Last<T> {
    #[inline]
    fn again(&mut self, frame: &Bytes, version: u8, stores: u64) -> Option<Box<T>> {
        let command = self.command.as_mut()?;
        let mut again = self.shape.again(frame, version, stores)?;
        command.read_changed(&mut again)?;
        again.is_at_end().then_some(())?;
        self.command.take()
    }
}

/// What frames have in common.
#[derive(Debug, Default)]
struct Shape {
    is_usable: bool,
    /// What is the same, put together.
    same: Vec<u8>,
    /// How many bytes of it lie before each hole, counted from the hole before.
    holes: Vec<(usize, Hole)>,
    /// What the cache had stored when it was read. Count.
    stores: u64,
}

impl Shape {
    fn keep(&mut self, frame: &[u8], notes: &[Note], stores: u64) {
        self.same.clear();
        self.holes.clear();
        let mut at = 0;
        let varying: usize = notes.iter().map(|note| note.range.len()).sum();
        if frame.len().saturating_sub(varying) > REUSED_BYTES_MAX {
            return;
        }
        for note in notes {
            self.same.extend_from_slice(&frame[at..note.range.start]);
            self.holes.push((note.range.start - at, note.hole));
            at = note.range.end;
        }
        self.same.extend_from_slice(&frame[at..]);
        self.stores = stores;
        self.is_usable = true;
    }

    #[inline]
    fn again<'a>(&'a self, frame: &'a Bytes, version: u8, stores: u64) -> Option<Again<'a>> {
        let is_same = self.is_usable && self.stores == stores;
        is_same.then_some(Again { frame, rest: frame, same: &self.same, holes: &self.holes, version })
    }
}

/// A frame on its way past the last one of its type. `None`: it is not like that.
pub(crate) struct Again<'a> {
    frame: &'a Bytes,
    /// What was not read of it.
    rest: &'a [u8],
    /// What must be the same as there.
    same: &'a [u8],
    holes: &'a [(usize, Hole)],
    version: u8,
}

impl<'a> Again<'a> {
    #[inline]
    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    /// What lies in the next hole, after what is the same before it.
    #[inline]
    fn hole(&mut self) -> Option<Hole> {
        let ((same, hole), holes) = self.holes.split_first()?;
        self.pass(*same)?;
        self.holes = holes;
        Some(*hole)
    }

    #[inline]
    fn pass(&mut self, len: usize) -> Option<()> {
        let (wanted, same) = self.same.split_at_checked(len)?;
        self.same = same;
        (len == 0 || self.take(len)? == wanted).then_some(())
    }

    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }

    fn int(&mut self) -> Option<i32> {
        match self.hole()? {
            Hole::Number(4) => Some(i32::from_be_bytes(self.array()?)),
            _ => None,
        }
    }

    pub(crate) fn long(&mut self) -> Option<i64> {
        Some(match self.hole()? {
            Hole::Number(0) => 0,
            Hole::Number(2) => i64::from(u16::from_be_bytes(self.array()?)),
            Hole::Number(4) => i64::from(u32::from_be_bytes(self.array()?)),
            Hole::Number(8) => i64::from_be_bytes(self.array()?),
            _ => return None,
        })
    }

    fn text(&mut self, text: &mut Arc<str>) -> Option<()> {
        let hole = self.hole()?;
        let len = u16::from_be_bytes(self.array()?);
        let octets = self.take(usize::from(len))?;
        let octets = match hole {
            // Its length has a sign.
            Hole::SingleText if len <= i16::MAX.unsigned_abs() => TextOctets::Single(octets),
            Hole::ModifiedText => TextOctets::Modified(octets),
            _ => return None,
        };
        if !octets.are(text) {
            *text = octets.to_text().ok()?;
        }
        Some(())
    }

    /// Content and properties, each where the last frame had it.
    pub(crate) fn body(&mut self) -> Option<MessageBody> {
        let content = self.octets(Hole::Content)?;
        let properties = self.octets(Hole::Properties)?;
        Some(MessageBody::within(self.frame, content, properties))
    }

    /// Where in the frame these octets lie. The inner `None`: there are none.
    fn octets(&mut self, wanted: Hole) -> Option<Option<Range<usize>>> {
        if !self.holes.first().is_some_and(|(_, hole)| *hole == wanted) {
            return Some(None);
        }
        self.hole()?;
        let len = usize::try_from(i32::from_be_bytes(self.array()?)).ok()?;
        let start = self.frame.len() - self.rest.len();
        self.take(len)?;
        Some(Some(start..start + len))
    }

    fn is_at_end(&self) -> bool {
        self.holes.is_empty() && self.rest == self.same
    }
}
