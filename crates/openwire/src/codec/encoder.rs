//! Commands to bytes.

use crate::codec::bits::BitWriter;
use crate::codec::cache::EncodeCache;
use crate::codec::reader::Encoding;
use crate::codec::table::Structure;
use crate::codec::template::{Again, Numbers, Parts, Places, Template};
use crate::codec::writer::{Aside, Writer};
use crate::codec::{CodecError, CodecOptions, Command, SIZE_BYTES};
use crate::limits::SCRATCH_KEEP_BYTES;
use bytes::{Bytes, BytesMut};
use ferrymq_model::Outbox;

/// The writing half of one connection.
#[derive(Debug)]
pub struct Encoder {
    options: CodecOptions,
    cache: Option<EncodeCache>,
    /// The data of the frame at hand; its boolean stream, which goes before them, is complete only at the end.
    data: Vec<u8>,
    bits: BitWriter,
    /// Octets of the frame that are not copied into its data.
    aside: Option<Aside>,
    /// Size, type code and boolean stream of the frame at hand.
    head: Vec<u8>,
    /// Where in its data the fields are that a template changes.
    places: Places,
}

impl Encoder {
    /// An encoder of what `options` say, with an empty cache.
    #[must_use]
    pub fn new(options: CodecOptions) -> Self {
        let cache = options.cache.map(EncodeCache::new);
        Self {
            options,
            cache,
            data: Vec::new(),
            bits: BitWriter::default(),
            aside: None,
            head: Vec::new(),
            places: Places::default(),
        }
    }

    /// What was agreed.
    #[must_use]
    pub fn options(&self) -> &CodecOptions {
        &self.options
    }

    /// Appends the frame of `command` to `out`.
    ///
    /// # Errors
    /// The command does not exist in this version, a field is longer than the format allows, or the frame is larger
    /// than agreed. Then `out` and the cache are as before.
    pub fn encode(&mut self, command: &Command, out: &mut BytesMut) -> Result<(), CodecError> {
        let frame = self.frame(command)?;
        out.reserve(frame.len());
        out.extend_from_slice(frame.head);
        let (before, octets, after) = frame.data();
        out.extend_from_slice(before);
        if let Some(octets) = octets {
            out.extend_from_slice(&octets);
            out.extend_from_slice(after);
        }
        self.forget_large();
        Ok(())
    }

    /// As [`Self::encode`], into an outbox: a large content goes in by reference.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn put(&mut self, command: &Command, out: &mut Outbox) -> Result<(), CodecError> {
        let frame = self.frame(command)?;
        out.put(frame.head);
        let (before, octets, after) = frame.data();
        out.put(before);
        if let Some(octets) = octets {
            out.put_body(octets);
            out.put(after);
        }
        self.forget_large();
        Ok(())
    }

    /// As [`Self::put`] with what `template` holds, and these numbers and parts.
    ///
    /// # Errors
    /// As [`Self::encode`].
    #[inline]
    pub(crate) fn put_again(
        &mut self,
        template: &mut Template,
        numbers: &Numbers,
        parts: &Parts<'_>,
        out: &mut Outbox,
    ) -> Result<Again, CodecError> {
        if let Some(cache) = &mut self.cache {
            cache.begin_frame();
            if cache.evictions() != template.evictions {
                return Ok(Again::Stale);
            }
        }
        template.put(numbers, parts, self.options.max_frame, out)
    }

    /// As [`Self::put`]; `command` has these numbers, and something empty for each of the parts. What of the frame can be
    /// used again, unless it is large or told the reader of new objects.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn put_first(
        &mut self,
        command: &Command,
        numbers: &Numbers,
        parts: &Parts<'_>,
        out: &mut Outbox,
    ) -> Result<Option<Template>, CodecError> {
        self.places = Places::default();
        let frame = self.frame(command)?;
        let (octets, data_at) = (frame.to_vec(), frame.head.len());
        let size_bytes = self.options.size_bytes();
        let mut template =
            Template::new(octets, (size_bytes, data_at), &self.places, numbers, parts.present(), self.options.tight);
        if let Err(error) = template.put(numbers, parts, self.options.max_frame, out) {
            self.cache.iter_mut().for_each(EncodeCache::abandon_frame);
            return Err(error);
        }
        if let Some(cache) = &self.cache {
            template.evictions = cache.evictions();
            if cache.has_added() {
                return Ok(None);
            }
        }
        Ok(template.is_small().then_some(template))
    }

    /// Writes the command and puts the frame's head together.
    fn frame(&mut self, command: &Command) -> Result<Frame<'_>, CodecError> {
        let tight = self.options.tight && !matches!(command, Command::WireFormatInfo(_));
        self.data.clear();
        self.bits.clear();
        self.aside = None;
        self.head.clear();
        if let Some(cache) = &mut self.cache {
            cache.begin_frame();
        }
        let result = self.write(command).and_then(|()| self.finish(command.type_code(), tight));
        match (result, &mut self.cache) {
            (Err(error), cache) => {
                if let Some(cache) = cache {
                    cache.abandon_frame();
                }
                self.forget_large();
                Err(error)
            }
            (Ok(()), _) => Ok(Frame { head: &self.head, data: &self.data, aside: self.aside.take() }),
        }
    }

    /// A buffer that grew with one large frame is not kept.
    fn forget_large(&mut self) {
        if self.data.capacity() > SCRATCH_KEEP_BYTES {
            self.data = Vec::new();
        }
    }

    fn write(&mut self, command: &Command) -> Result<(), CodecError> {
        let (encoding, cache) = match command {
            // Before anything was agreed, and in the same form ever since.
            Command::WireFormatInfo(_) => (Encoding { version: 1, tight: false, stack_trace: false }, None),
            _ => (self.options.encoding(), self.cache.as_mut()),
        };
        command.write(&mut Writer::new(
            encoding,
            &mut self.data,
            &mut self.bits,
            cache,
            &mut self.aside,
            &mut self.places,
        ))
    }

    /// Size, type code and boolean stream, which stand in front of the data.
    fn finish(&mut self, type_code: u8, tight: bool) -> Result<(), CodecError> {
        let size_bytes = self.options.size_bytes();
        self.head.extend_from_slice(&[0; SIZE_BYTES][..size_bytes]);
        self.head.push(type_code);
        if tight {
            self.bits.finish();
            self.head.extend_from_slice(self.bits.head()?.as_slice());
            self.head.extend_from_slice(self.bits.bytes());
        }
        let aside = self.aside.as_ref().map_or(0, |aside| aside.octets.len());
        let size = self.head.len() - size_bytes + self.data.len() + aside;
        let too_large = CodecError::FrameTooLarge { size: size as u64, max: self.options.max_frame as u64 };
        let announced = i32::try_from(size).map_err(|_| too_large)?;
        if size > self.options.max_frame {
            return Err(too_large);
        }
        self.head[..size_bytes].copy_from_slice(&announced.to_be_bytes()[..size_bytes]);
        Ok(())
    }
}

/// A frame in pieces, in their order.
struct Frame<'e> {
    /// Size, type code and boolean stream.
    head: &'e [u8],
    data: &'e [u8],
    aside: Option<Aside>,
}

impl<'e> Frame<'e> {
    fn len(&self) -> usize {
        self.head.len() + self.data.len() + self.aside.as_ref().map_or(0, |aside| aside.octets.len())
    }

    /// All of it, of a frame that keeps nothing aside.
    fn to_vec(&self) -> Vec<u8> {
        debug_assert!(self.aside.is_none(), "large octets were not expected");
        [self.head, self.data].concat()
    }

    /// What comes before the octets that were not copied, these, and what comes after them.
    fn data(self) -> (&'e [u8], Option<Bytes>, &'e [u8]) {
        match self.aside {
            Some(Aside { at, octets }) => (&self.data[..at], Some(octets), &self.data[at..]),
            None => (self.data, None, &[]),
        }
    }
}
