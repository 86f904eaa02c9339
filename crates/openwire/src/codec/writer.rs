//! Writes the fields of one frame, in tight or loose encoding.

use crate::codec::CodecError;
use crate::codec::bits::BitWriter;
use crate::codec::cache::EncodeCache;
use crate::codec::ids::Cacheable;
use crate::codec::reader::{Encoding, may_embed_a_form};
use crate::codec::table::Structure;
use crate::codec::template::{Places, tight_len};
use crate::codec::text::Form;
use crate::limits::ARRAY_ELEMENTS_MAX;
use bytes::Bytes;

/// Octets from this size on are kept aside instead of being copied among the data. Bytes.
const ASIDE_BYTES_MIN: usize = 512;

/// Octets that belong into the data at a place, but are not copied there.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Where in the data they belong.
    pub(crate) at: usize,
    /// What belongs there.
    pub(crate) octets: Bytes,
}

/// Where a frame is written.
pub(crate) struct Writer<'a> {
    data: &'a mut Vec<u8>,
    /// In tight encoding.
    bits: Option<&'a mut BitWriter>,
    version: u8,
    stack_trace: bool,
    /// Where the cache is on.
    cache: Option<&'a mut EncodeCache>,
    /// One octet string of a frame may be kept aside.
    aside: &'a mut Option<Aside>,
    /// Where the fields are that a template changes.
    places: &'a mut Places,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        encoding: Encoding,
        data: &'a mut Vec<u8>,
        bits: &'a mut BitWriter,
        cache: Option<&'a mut EncodeCache>,
        aside: &'a mut Option<Aside>,
        places: &'a mut Places,
    ) -> Self {
        let bits = encoding.tight.then_some(bits);
        Self { data, bits, version: encoding.version, stack_trace: encoding.stack_trace, cache, aside, places }
    }

    #[inline]
    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    pub(crate) fn has_stack_traces(&self) -> bool {
        self.stack_trace
    }

    #[inline]
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.data.extend_from_slice(octets);
    }

    #[inline]
    pub(crate) fn boolean(&mut self, value: bool) {
        match &mut self.bits {
            Some(bits) => bits.push(value),
            None => self.data.push(u8::from(value)),
        }
    }

    #[inline]
    pub(crate) fn byte(&mut self, value: i8) {
        self.octets(&value.to_be_bytes());
    }

    #[inline]
    pub(crate) fn short(&mut self, value: i16) {
        self.octets(&value.to_be_bytes());
    }

    #[inline]
    pub(crate) fn int(&mut self, value: i32) {
        self.octets(&value.to_be_bytes());
    }

    #[inline]
    pub(crate) fn long(&mut self, value: i64) {
        if self.bits.is_none() {
            return self.octets(&value.to_be_bytes());
        }
        let octets = value.to_be_bytes();
        let len = tight_len(value);
        self.boolean(len >= 4);
        self.boolean(len == 2 || len == 8);
        self.octets(&octets[octets.len() - len..]);
    }

    /// As [`Self::long`]; it is the number `which` of a template.
    #[inline]
    pub(crate) fn varying(&mut self, which: usize, value: i64) {
        let at = self.data.len();
        self.long(value);
        self.places.note_number(which, at, self.data.len() - at);
    }

    /// The correlation id of a message comes next.
    #[inline]
    pub(crate) fn note_correlation_id(&mut self) {
        self.places.note_correlation_id(self.data.len());
    }

    /// The body of a message comes next.
    #[inline]
    pub(crate) fn note_body(&mut self) {
        self.places.note_body(self.data.len());
    }

    pub(crate) fn count(&mut self, count: usize) -> Result<(), CodecError> {
        debug_assert!(ARRAY_ELEMENTS_MAX == i16::MAX as usize);
        self.short(i16::try_from(count).map_err(|_| CodecError::TooLong(count))?);
        Ok(())
    }

    #[inline]
    pub(crate) fn text(&mut self, value: Option<&str>) -> Result<(), CodecError> {
        self.boolean(value.is_some());
        let Some(value) = value else { return Ok(()) };
        let form = Form::of(value);
        let len = form.len(value);
        let too_long = CodecError::TextTooLong(len);
        if self.bits.is_some() {
            // Java refuses one byte earlier than its 16-bit number would.
            if len >= usize::from(i16::MAX.unsigned_abs()) {
                return Err(too_long);
            }
            self.boolean(form == Form::Ascii);
        }
        let len = u16::try_from(len).map_err(|_| too_long)?;
        self.octets(&len.to_be_bytes());
        form.write(value, self.data);
        Ok(())
    }

    #[inline]
    pub(crate) fn optional_octets(&mut self, value: Option<&[u8]>) -> Result<(), CodecError> {
        self.boolean(value.is_some());
        let Some(value) = value else { return Ok(()) };
        self.int(i32::try_from(value.len()).map_err(|_| CodecError::TooLong(value.len()))?);
        self.octets(value);
        Ok(())
    }

    /// As [`Self::optional_octets`]; large ones, which `share` gives, are not copied.
    pub(crate) fn large_octets(
        &mut self,
        value: Option<&[u8]>,
        share: impl FnOnce() -> Option<Bytes>,
    ) -> Result<(), CodecError> {
        let Some(octets) = value.filter(|value| value.len() >= ASIDE_BYTES_MIN && self.aside.is_none()) else {
            return self.optional_octets(value);
        };
        self.boolean(true);
        self.int(i32::try_from(octets.len()).map_err(|_| CodecError::TooLong(octets.len()))?);
        match share() {
            Some(octets) => *self.aside = Some(Aside { at: self.data.len(), octets }),
            None => self.octets(octets),
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn nested<T: Structure>(&mut self, value: Option<&T>) -> Result<(), CodecError> {
        self.boolean(value.is_some());
        let Some(value) = value else { return Ok(()) };
        let code = value.type_code();
        self.octets(&[code]);
        if self.bits.is_some() && may_embed_a_form(code) {
            self.boolean(false);
        }
        value.write(self)
    }

    #[inline]
    pub(crate) fn cached<T: Cacheable>(&mut self, value: Option<&T>) -> Result<(), CodecError> {
        let Some(cache) = &mut self.cache else { return self.nested(value) };
        if let Some(index) = cache.find(value) {
            self.boolean(false);
            self.short(index);
            return Ok(());
        }
        let object = value.map(T::to_object);
        if self.bits.is_none() {
            let index = cache.add(object);
            self.boolean(true);
            self.short(index);
            return self.nested(value);
        }
        // Java makes tight frames in two passes and gives out the slots in the first one, after the object's own inner
        // objects; the number still stands in front of them.
        self.boolean(true);
        let at = self.data.len();
        self.short(0);
        self.nested(value)?;
        if let Some(cache) = &mut self.cache {
            self.data[at..at + 2].copy_from_slice(&cache.add(object).to_be_bytes());
        }
        Ok(())
    }

    pub(crate) fn structures<T: Structure>(&mut self, values: Option<&[T]>) -> Result<(), CodecError> {
        self.boolean(values.is_some());
        let Some(values) = values else { return Ok(()) };
        self.count(values.len())?;
        values.iter().try_for_each(|value| self.nested(Some(value)))
    }
}
