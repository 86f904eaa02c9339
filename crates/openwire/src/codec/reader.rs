//! Reads the fields of one frame, in tight or loose encoding.
//!
//! Every length is compared with what is left of the frame before anything is made of it: octets become slices of the
//! frame, texts and arrays grow only by what was read.

use crate::codec::bits::BitReader;
use crate::codec::cache::DecodeCache;
use crate::codec::ids::Cacheable;
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

/// What is left of a frame.
pub(crate) struct Reader<'a> {
    frame: &'a Bytes,
    at: usize,
    /// In tight encoding.
    bits: Option<BitReader>,
    version: u8,
    stack_trace: bool,
    /// Where the cache is on.
    cache: Option<&'a mut DecodeCache>,
    depth_left: usize,
    structures_left: usize,
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
            at,
            bits,
            version: encoding.version,
            stack_trace: encoding.stack_trace,
            cache,
            depth_left: NESTING_DEPTH_MAX,
            structures_left: STRUCTURES_PER_FRAME_MAX,
        })
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

    /// What lies between two places of the frame that were passed already.
    #[inline]
    pub(crate) fn slice(&self, range: std::ops::Range<usize>) -> Bytes {
        self.frame.slice(range)
    }

    #[inline(always)]
    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let needed = self.at.saturating_add(len);
        let frame: &'a [u8] = self.frame;
        let taken = frame.get(self.at..needed).ok_or(CodecError::Truncated { needed })?;
        self.at = needed;
        Ok(taken)
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut octets = [0; N];
        octets.copy_from_slice(self.take(N)?);
        Ok(octets)
    }

    /// One bit, or one byte.
    #[inline(always)]
    pub(crate) fn boolean(&mut self) -> Result<bool, CodecError> {
        match &mut self.bits {
            Some(bits) => bits.next(self.frame),
            None => Ok(self.array::<1>()? != [0]),
        }
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Result<i8, CodecError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn short(&mut self) -> Result<i16, CodecError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    #[inline(always)]
    pub(crate) fn int(&mut self) -> Result<i32, CodecError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Tight: two bits tell whether none, two, four or eight bytes follow; less than eight are unsigned.
    #[inline(always)]
    pub(crate) fn long(&mut self) -> Result<i64, CodecError> {
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
    pub(crate) fn count(&mut self) -> Result<usize, CodecError> {
        let count = self.short()?;
        usize::try_from(count).map_err(|_| CodecError::NegativeLength(i32::from(count)))
    }

    pub(crate) fn text(&mut self) -> Result<Option<Arc<str>>, CodecError> {
        Ok(match self.text_octets()? {
            Some(octets) => Some(octets.to_text()?),
            None => None,
        })
    }

    /// Text that may be absent.
    #[inline]
    pub(crate) fn text_over(&mut self, text: &mut Option<Arc<str>>) -> Result<(), CodecError> {
        match (self.text_octets()?, &mut *text) {
            (None, _) => *text = None,
            (Some(octets), Some(text)) if octets.are(text) => {}
            (Some(octets), _) => *text = Some(octets.to_text()?),
        }
        Ok(())
    }

    /// Text that is not absent.
    #[inline]
    pub(crate) fn name_over(&mut self, name: &mut Arc<str>) -> Result<(), CodecError> {
        let octets = self.text_octets()?.ok_or(CodecError::Null("a name"))?;
        if !octets.are(name) {
            *name = octets.to_text()?;
        }
        Ok(())
    }

    #[inline]
    fn text_octets(&mut self) -> Result<Option<TextOctets<'a>>, CodecError> {
        if !self.boolean()? {
            return Ok(None);
        }
        if self.bits.is_some() && self.boolean()? {
            let len = self.count()?;
            return Ok(Some(TextOctets::Single(self.take(len)?)));
        }
        let len = u16::from_be_bytes(self.array()?);
        Ok(Some(TextOctets::Modified(self.take(usize::from(len))?)))
    }

    pub(crate) fn optional_octets(&mut self) -> Result<Option<Bytes>, CodecError> {
        Ok(self.optional_range()?.map(|range| self.frame.slice(range)))
    }

    /// Where in the frame the octets lie, if there are any; in front of them stands their length of 32 bits.
    #[inline]
    pub(crate) fn optional_range(&mut self) -> Result<Option<std::ops::Range<usize>>, CodecError> {
        if !self.boolean()? {
            return Ok(None);
        }
        let len = self.int()?;
        let len = usize::try_from(len).map_err(|_| CodecError::NegativeLength(len))?;
        let start = self.at;
        self.take(len)?;
        Ok(Some(start..self.at))
    }

    /// A structure with its type code in front, or nothing.
    #[inline]
    pub(crate) fn nested_over<T: Structure>(&mut self, value: &mut Option<T>) -> Result<(), CodecError> {
        if !self.boolean()? {
            *value = None;
            return Ok(());
        }
        let code = u8::from_be_bytes(self.array()?);
        if self.bits.is_some() && may_embed_a_form(code) && self.boolean()? {
            return Err(CodecError::EmbeddedForm);
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
    #[inline]
    pub(crate) fn cached_over<T: Cacheable>(&mut self, value: &mut Option<T>) -> Result<(), CodecError> {
        if self.cache.is_none() {
            return self.nested_over(value);
        }
        if self.boolean()? {
            return self.remembered_over(value);
        }
        let index = self.short()?;
        let Some(cache) = &self.cache else { return Ok(()) };
        match (cache.get(index)?, &mut *value) {
            (None, _) => *value = None,
            (Some(object), Some(value)) if value.is_object(object) => {}
            (Some(object), _) => {
                let wrong = CodecError::UnexpectedType { found: object.type_code(), wanted: T::NAME };
                *value = Some(T::from_object(object).ok_or(wrong)?);
            }
        }
        Ok(())
    }

    /// A structure that the cache shall remember.
    fn remembered_over<T: Cacheable>(&mut self, value: &mut Option<T>) -> Result<(), CodecError> {
        let index = self.short()?;
        self.nested_over(value)?;
        match &mut self.cache {
            Some(cache) => cache.store(index, value.as_ref().map(T::to_object)),
            None => Ok(()),
        }
    }

    /// Structures one after another. Null among them is refused: no client sends it.
    pub(crate) fn structures<T: Structure>(&mut self) -> Result<Option<Vec<T>>, CodecError> {
        if !self.boolean()? {
            return Ok(None);
        }
        let count = self.count()?;
        // Each has at least its type code: a larger count never comes true.
        if count > self.frame.len() - self.at {
            return Err(CodecError::Truncated { needed: self.at + count });
        }
        let mut structures = Vec::new();
        for _ in 0..count {
            let mut structure = None;
            self.nested_over::<T>(&mut structure)?;
            structures.push(structure.ok_or(CodecError::Null(T::NAME))?);
        }
        Ok(Some(structures))
    }

    /// Counts a structure and a level of nesting.
    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), CodecError> {
        self.count_structure()?;
        self.depth_left = self.depth_left.checked_sub(1).ok_or(CodecError::TooDeep)?;
        Ok(())
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth_left += 1;
    }

    /// Counts what takes memory like a structure.
    #[inline]
    pub(crate) fn count_structure(&mut self) -> Result<(), CodecError> {
        self.structures_left = self.structures_left.checked_sub(1).ok_or(CodecError::TooMany)?;
        Ok(())
    }
}

/// A text as it stands in the frame.
enum TextOctets<'a> {
    /// One byte a character.
    Single(&'a [u8]),
    /// Modified UTF-8.
    Modified(&'a [u8]),
}

impl TextOctets<'_> {
    /// Whether they are this text, as far as can be said without reading them: what is ASCII has but one form.
    #[inline]
    fn are(&self, text: &str) -> bool {
        let (Self::Single(octets) | Self::Modified(octets)) = *self;
        octets == text.as_bytes() && octets.is_ascii()
    }

    fn to_text(&self) -> Result<Arc<str>, CodecError> {
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
