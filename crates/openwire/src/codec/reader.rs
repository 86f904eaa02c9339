//! Reads the fields of one frame, in tight or loose encoding.
//!
//! Every length is compared with what is left of the frame before anything is made of it: octets become slices of the
//! frame, texts and arrays grow only by what was read.

use crate::codec::bits::BitReader;
use crate::codec::cache::DecodeCache;
use crate::codec::ids::Cacheable;
use crate::codec::repeat::{Hole, Note};
use crate::codec::table::Structure;
use crate::codec::{CodecError, text};
use crate::limits::{NESTING_DEPTH_MAX, STRUCTURES_PER_FRAME_MAX};
use bytes::Bytes;
use std::sync::Arc;

/// How a frame is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoding {
    pub(crate) version: u8,
    pub(crate) tight: bool,
    pub(crate) stack_trace: bool,
}

/// What a reading function gives.
pub(crate) type Read<T> = Result<T, Failed>;

/// Why nothing could be read is noted in the reader ([`Reader::why`]): so what a field's reading gives fits into registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failed(());

/// What is left of a frame.
pub(crate) struct Reader<'a> {
    frame: &'a Bytes,
    /// The same.
    octets: &'a [u8],
    at: usize,
    /// In tight encoding.
    bits: Option<BitReader>,
    version: u8,
    stack_trace: bool,
    /// Where the cache is on.
    cache: Option<&'a mut DecodeCache>,
    depth_left: usize,
    structures_left: usize,
    /// Why something could not be read.
    failure: Option<CodecError>,
    /// Where the rows are noted that change, if that is wanted.
    notes: Option<&'a mut Vec<Note>>,
}

impl<'a> Reader<'a> {
    /// Starts behind the type code. In tight encoding the boolean stream comes first.
    pub(crate) fn open(
        frame: &'a Bytes,
        at: usize,
        encoding: Encoding,
        cache: Option<&'a mut DecodeCache>,
    ) -> Result<Self, CodecError> {
        let (bits, at) = if encoding.tight {
            let (bits, at) = BitReader::open(frame, at)?;
            (Some(bits), at)
        } else {
            (None, at)
        };
        Ok(Self {
            frame,
            octets: frame,
            at,
            bits,
            version: encoding.version,
            stack_trace: encoding.stack_trace,
            cache,
            depth_left: NESTING_DEPTH_MAX,
            structures_left: STRUCTURES_PER_FRAME_MAX,
            failure: None,
            notes: None,
        })
    }

    /// Notes in `notes` where the rows are that change.
    pub(crate) fn noting(mut self, notes: &'a mut Vec<Note>) -> Self {
        self.notes = Some(notes);
        self
    }

    /// The frame cannot be read.
    #[cold]
    pub(crate) fn fail<T>(&mut self, error: CodecError) -> Read<T> {
        self.failure = Some(error);
        Err(Failed(()))
    }

    /// Why the frame could not be read.
    pub(crate) fn why(&self, _: Failed) -> CodecError {
        self.failure.expect("nothing fails but by `fail`")
    }

    #[inline]
    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    pub(crate) fn has_stack_traces(&self) -> bool {
        self.stack_trace
    }

    /// Where the next field starts, counted from the frame's start.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// How often something was cached. Count.
    pub(crate) fn stores(&self) -> u64 {
        self.cache.as_ref().map_or(0, |cache| cache.stores())
    }

    /// All of it.
    #[inline]
    pub(crate) fn frame(&self) -> &'a Bytes {
        self.frame
    }

    /// A row that changes was read; it began at `from`.
    #[inline(always)]
    pub(crate) fn note(&mut self, from: usize, hole: Hole) {
        if let Some(notes) = &mut self.notes {
            notes.push(Note { range: from..self.at, hole });
        }
    }

    #[inline(always)]
    fn take(&mut self, len: usize) -> Read<&'a [u8]> {
        match self.octets.get(self.at..).and_then(|rest| rest.get(..len)) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => self.truncated(len),
        }
    }

    #[cold]
    fn truncated<T>(&mut self, len: usize) -> Read<T> {
        self.fail(CodecError::Truncated { needed: self.at.saturating_add(len) })
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        match self.octets.get(self.at..).and_then(<[u8]>::first_chunk) {
            Some(octets) => {
                self.at += N;
                Ok(*octets)
            }
            None => self.truncated(N),
        }
    }

    /// One bit, or one byte.
    #[inline(always)]
    pub(crate) fn boolean(&mut self) -> Read<bool> {
        match &mut self.bits {
            Some(bits) => match bits.next(self.octets) {
                Some(bit) => Ok(bit),
                None => self.fail(CodecError::Bits),
            },
            None => Ok(self.array::<1>()? != [0]),
        }
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Read<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn short(&mut self) -> Read<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn int(&mut self) -> Read<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Tight: two bits tell whether none, two, four or eight bytes follow; less than eight are unsigned.
    #[inline(always)]
    pub(crate) fn long(&mut self) -> Read<i64> {
        if self.bits.is_none() {
            return Ok(i64::from_be_bytes(self.array()?));
        }
        Ok(match (self.boolean()?, self.boolean()?) {
            (false, false) => 0,
            (false, true) => i64::from(u16::from_be_bytes(self.array()?)),
            (true, false) => i64::from(u32::from_be_bytes(self.array()?)),
            (true, true) => i64::from_be_bytes(self.array()?),
        })
    }

    /// A count or length of 16 bits, which Java reads as a signed number.
    #[inline]
    pub(crate) fn count(&mut self) -> Read<usize> {
        let count = self.short()?;
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => self.fail(CodecError::NegativeLength(i32::from(count))),
        }
    }

    pub(crate) fn text(&mut self) -> Read<Option<Arc<str>>> {
        let mut text = None;
        self.text_over(&mut text)?;
        Ok(text)
    }

    /// Text that may be absent.
    #[inline(always)]
    pub(crate) fn text_over(&mut self, text: &mut Option<Arc<str>>) -> Read<()> {
        if self.boolean()? {
            return self.present_text_over(text);
        }
        forget(text);
        Ok(())
    }

    /// As [`Self::text_over`], for a row that changes.
    pub(crate) fn changing_text_over(&mut self, text: &mut Option<Arc<str>>) -> Read<()> {
        if !self.boolean()? {
            forget(text);
            return Ok(());
        }
        let from = self.at;
        let octets = self.text_octets()?;
        self.note(from, octets.hole());
        if !text.as_deref().is_some_and(|text| octets.are(text)) {
            *text = Some(self.made_of(&octets)?);
        }
        Ok(())
    }

    fn present_text_over(&mut self, text: &mut Option<Arc<str>>) -> Read<()> {
        let octets = self.text_octets()?;
        if !text.as_deref().is_some_and(|text| octets.are(text)) {
            *text = Some(self.made_of(&octets)?);
        }
        Ok(())
    }

    /// Text that is not absent.
    pub(crate) fn name_over(&mut self, name: &mut Arc<str>) -> Read<()> {
        if !self.boolean()? {
            return self.fail(CodecError::Null("a name"));
        }
        let octets = self.text_octets()?;
        if !octets.are(name) {
            *name = self.made_of(&octets)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn text_octets(&mut self) -> Read<TextOctets<'a>> {
        if self.bits.is_some() && self.boolean()? {
            let len = self.count()?;
            return Ok(TextOctets::Single(self.take(len)?));
        }
        let len = u16::from_be_bytes(self.array()?);
        Ok(TextOctets::Modified(self.take(usize::from(len))?))
    }

    fn made_of(&mut self, octets: &TextOctets<'_>) -> Read<Arc<str>> {
        match octets.to_text() {
            Ok(text) => Ok(text),
            Err(error) => self.fail(error),
        }
    }

    pub(crate) fn optional_octets(&mut self) -> Read<Option<Bytes>> {
        Ok(self.optional_range()?.map(|range| self.frame.slice(range)))
    }

    /// Where in the frame the octets lie, if there are any; in front of them stands their length of 32 bits.
    #[inline(always)]
    pub(crate) fn optional_range(&mut self) -> Read<Option<std::ops::Range<usize>>> {
        if !self.boolean()? {
            return Ok(None);
        }
        let len = self.int()?;
        let Ok(len) = usize::try_from(len) else { return self.fail(CodecError::NegativeLength(len)) };
        let start = self.at;
        self.take(len)?;
        Ok(Some(start..self.at))
    }

    /// A structure with its type code in front, or nothing.
    #[inline(always)]
    pub(crate) fn nested_over<T: Structure>(&mut self, value: &mut Option<T>) -> Read<()> {
        if self.boolean()? {
            return self.present_over(value);
        }
        forget(value);
        Ok(())
    }

    fn present_over<T: Structure>(&mut self, value: &mut Option<T>) -> Read<()> {
        let code = u8::from_be_bytes(self.array()?);
        if self.bits.is_some() && may_embed_a_form(code) && self.boolean()? {
            return self.fail(CodecError::EmbeddedForm);
        }
        self.enter()?;
        match value {
            Some(value) => value.read_over(code, self)?,
            None => *value = Some(T::read(code, self)?),
        }
        self.leave();
        Ok(())
    }

    /// As [`Self::nested_over`], through the cache where it is on.
    #[inline(always)]
    pub(crate) fn cached_over<T: Cacheable>(&mut self, value: &mut Option<T>) -> Read<()> {
        if self.cache.is_none() {
            return self.nested_over(value);
        }
        if self.boolean()? {
            return self.remembered_over(value);
        }
        let index = self.short()?;
        let Some(cache) = &self.cache else { return Ok(()) };
        match (cache.get(index), &mut *value) {
            (Ok(None), _) => forget(value),
            (Ok(Some(object)), Some(value)) if value.is_object(object) => {}
            (Ok(Some(object)), _) => {
                *value = T::from_object(object);
                if value.is_none() {
                    let found = object.type_code();
                    return self.fail(CodecError::UnexpectedType { found, wanted: T::NAME });
                }
            }
            (Err(error), _) => return self.fail(error),
        }
        Ok(())
    }

    /// A structure that the cache shall remember.
    fn remembered_over<T: Cacheable>(&mut self, value: &mut Option<T>) -> Read<()> {
        let index = self.short()?;
        self.nested_over(value)?;
        let Some(cache) = &mut self.cache else { return Ok(()) };
        match cache.store(index, value.as_ref().map(T::to_object)) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    /// Structures one after another. Null among them is refused: no client sends it.
    #[inline(always)]
    pub(crate) fn structures_over<T: Structure>(&mut self, structures: &mut Option<Vec<T>>) -> Read<()> {
        forget(structures);
        if self.boolean()? {
            *structures = Some(self.structures()?);
        }
        Ok(())
    }

    #[inline(never)]
    fn structures<T: Structure>(&mut self) -> Read<Vec<T>> {
        let count = self.count()?;
        // Each has at least its type code: a larger count never comes true.
        if count > self.frame.len() - self.at {
            return self.truncated(count);
        }
        let mut structures = Vec::new();
        for _ in 0..count {
            let mut structure = None;
            self.nested_over::<T>(&mut structure)?;
            match structure {
                Some(structure) => structures.push(structure),
                None => return self.fail(CodecError::Null(T::NAME)),
            }
        }
        Ok(structures)
    }

    /// Counts a structure and a level of nesting.
    #[inline]
    pub(crate) fn enter(&mut self) -> Read<()> {
        self.count_structure()?;
        let Some(left) = self.depth_left.checked_sub(1) else { return self.fail(CodecError::TooDeep) };
        self.depth_left = left;
        Ok(())
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth_left += 1;
    }

    /// Counts what takes memory like a structure.
    #[inline]
    pub(crate) fn count_structure(&mut self) -> Read<()> {
        let Some(left) = self.structures_left.checked_sub(1) else { return self.fail(CodecError::TooMany) };
        self.structures_left = left;
        Ok(())
    }
}

/// Mostly there is nothing to forget.
#[inline(always)]
fn forget<T>(value: &mut Option<T>) {
    if value.is_some() {
        *value = None;
    }
}

/// A text as it stands in the frame.
pub(crate) enum TextOctets<'a> {
    /// One byte a character.
    Single(&'a [u8]),
    /// Modified UTF-8.
    Modified(&'a [u8]),
}

impl TextOctets<'_> {
    /// Whether they are this text, as far as can be said without reading them: what is ASCII has but one form.
    #[inline]
    pub(crate) fn are(&self, text: &str) -> bool {
        let (Self::Single(octets) | Self::Modified(octets)) = *self;
        octets == text.as_bytes() && octets.is_ascii()
    }

    fn hole(&self) -> Hole {
        match self {
            Self::Single(_) => Hole::SingleText,
            Self::Modified(_) => Hole::ModifiedText,
        }
    }

    pub(crate) fn to_text(&self) -> Result<Arc<str>, CodecError> {
        match self {
            Self::Single(octets) => Ok(single_bytes(octets)),
            Self::Modified(octets) => Ok(Arc::from(text::decode(octets)?)),
        }
    }
}

/// Structures of these types have one more bit in tight encoding: whether an already marshalled form follows.
pub(crate) fn may_embed_a_form(code: u8) -> bool {
    matches!(code, 1 | 23..=29)
}

/// Text with one byte a character. Java makes Latin-1 of bytes that are no ASCII, although none are written.
fn single_bytes(octets: &[u8]) -> Arc<str> {
    match std::str::from_utf8(octets) {
        Ok(text) if text.is_ascii() => Arc::from(text),
        Ok(_) | Err(_) => octets.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}
