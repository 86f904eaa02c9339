//! A command that is written again and again with other numbers and another body.
//!
//! From one MessageDispatch of a consumer to the next little changes: some numbers, a correlation id, the body. So the frame is
//! written once through its table, which notes where those fields went; the next one is the same octets with other numbers in
//! their places, and the rest between them:
//!
//! ```text
//!   size type [boolean stream] consumer, …, sequences, …  ◄ correlation id ► …  ◄ content ► [1] ◄ properties ► …  times
//!   ^                                       ^ ^ places of numbers                                                  ^ ^
//! ```
//!
//! It holds while the numbers take as many bytes as before, which in tight encoding depends on their size, and while the
//! other side remembers what the frame names by its slot in the marshal cache.

use crate::codec::message_body::content_range;
use crate::codec::reader::{Read, Reader};
use crate::codec::repeat::{self, Changing, Hole};
use crate::codec::table::{Coded, Kind, Text};
use crate::codec::text::Form;
use crate::codec::writer::Writer;
use crate::codec::{CodecError, SIZE_BYTES};
use crate::limits::TEMPLATE_BYTES_MAX;
use bytes::Bytes;
use ferrymq_model::Outbox;
use ferrymq_model::limits::BODY_COPY_BYTES_MAX;
use std::ops::Range;
use std::sync::Arc;

/// Which number of a dispatch.
pub(crate) const PRODUCER_SEQUENCE: usize = 0;
pub(crate) const BROKER_SEQUENCE: usize = 1;
pub(crate) const EXPIRATION: usize = 2;
pub(crate) const TIMESTAMP: usize = 3;
pub(crate) const ARRIVAL: usize = 4;
pub(crate) const BROKER_IN_TIME: usize = 5;
pub(crate) const BROKER_OUT_TIME: usize = 6;
const NUMBERS: usize = 7;

/// A longer correlation id is nothing usual. Bytes.
const CORRELATION_ID_BYTES_MAX: usize = 1024;
/// Those that brokers write are the same in all that comes from a client.
const CHANGES_IN_WHAT_COMES: [bool; NUMBERS] = [true, true, true, true, false, false, false];

/// Bytes of the length in front of content and properties.
const LENGTH_BYTES: usize = 4;
/// Bytes of the length in front of a text.
const TEXT_LENGTH_BYTES: usize = 2;

/// The numbers of one dispatch, each in its place.
pub(crate) type Numbers = [i64; NUMBERS];

/// As [`Text`]; where it is written is noted as the correlation id.
#[derive(Debug)]
pub struct CorrelationId;

impl Kind for CorrelationId {
    type Value = Option<Arc<str>>;
}

impl Coded for CorrelationId {
    #[inline(always)]
    fn read(value: &mut Option<Arc<str>>, reader: &mut Reader<'_>) -> Read<()> {
        Changing::<Text>::read(value, reader)
    }

    #[inline(always)]
    fn read_changed(value: &mut Option<Arc<str>>, again: &mut repeat::Again<'_>) -> Option<()> {
        Changing::<Text>::read_changed(value, again)
    }

    #[inline]
    fn write(value: &Option<Arc<str>>, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        writer.note_correlation_id();
        Text::write(value, writer)
    }
}

/// As [`Long`](crate::codec::table::Long); where it is written is noted as the number `WHICH`.
#[derive(Debug)]
pub struct Varying<const WHICH: usize>;

impl<const WHICH: usize> Kind for Varying<WHICH> {
    type Value = i64;
}

impl<const WHICH: usize> Coded for Varying<WHICH> {
    #[inline(always)]
    fn read(value: &mut i64, reader: &mut Reader<'_>) -> Read<()> {
        let from = reader.position();
        *value = reader.long()?;
        if CHANGES_IN_WHAT_COMES[WHICH] {
            reader.note(from, Hole::Number(reader.position() - from));
        }
        Ok(())
    }

    #[inline(always)]
    fn read_changed(value: &mut i64, again: &mut repeat::Again<'_>) -> Option<()> {
        if CHANGES_IN_WHAT_COMES[WHICH] {
            *value = again.long()?;
        }
        Some(())
    }

    #[inline]
    fn write(value: &i64, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        writer.varying(WHICH, *value);
        Ok(())
    }
}

/// Where in the data of a frame the last one of each went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    /// `None`: the version does not have it.
    numbers: [Option<Place>; NUMBERS],
    /// In front of the correlation id.
    correlation_id: usize,
    /// In front of the body.
    body: usize,
}

/// A number's.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    len: usize,
}

impl Places {
    #[inline]
    pub(crate) fn note_number(&mut self, which: usize, at: usize, len: usize) {
        self.numbers[which] = Some(Place { at, len });
    }

    #[inline]
    pub(crate) fn note_correlation_id(&mut self, at: usize) {
        self.correlation_id = at;
    }

    #[inline]
    pub(crate) fn note_body(&mut self, at: usize) {
        self.body = at;
    }
}

/// What a dispatch has beside its template and its numbers.
#[derive(Debug)]
pub(crate) struct Parts<'m> {
    correlation_id: Option<&'m str>,
    /// The body in the form that is kept of it, see [`MessageBody`](crate::codec::message_body::MessageBody).
    bytes: &'m Bytes,
    /// With its length in front.
    content: Option<Range<usize>>,
    properties: Option<Range<usize>>,
}

/// Which parts there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Present {
    pub(crate) correlation_id: bool,
    pub(crate) content: bool,
    pub(crate) properties: bool,
}

impl<'m> Parts<'m> {
    /// `None`: the correlation id is none that is written like any other.
    #[inline]
    pub(crate) fn new(correlation_id: Option<&'m str>, bytes: &'m Bytes, properties_at: usize) -> Option<Self> {
        if correlation_id.is_some_and(|id| id.len() > CORRELATION_ID_BYTES_MAX || Form::of(id) != Form::Ascii) {
            return None;
        }
        let properties_at = properties_at.min(bytes.len());
        Some(Self {
            correlation_id,
            bytes,
            content: content_range(bytes, properties_at).map(|content| content.start - LENGTH_BYTES..content.end),
            properties: (properties_at < bytes.len()).then(|| properties_at..bytes.len()),
        })
    }

    #[inline]
    pub(crate) fn present(&self) -> Present {
        Present {
            correlation_id: self.correlation_id.is_some(),
            content: self.content.is_some(),
            properties: self.properties.is_some(),
        }
    }

    /// What the frame has more than its template.
    #[inline]
    fn wire_len(&self) -> usize {
        self.correlation_id.map_or(0, |id| TEXT_LENGTH_BYTES + id.len())
            + self.content.as_ref().map_or(0, ExactSizeIterator::len)
            + self.properties.as_ref().map_or(0, |properties| LENGTH_BYTES + properties.len())
    }
}

/// Whether a template was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    /// The frame is in the outbox.
    Written,
    /// It does not hold any more; nothing was written.
    Stale,
}

/// A frame without correlation id, content and properties.
#[derive(Debug)]
pub(crate) struct Template {
    frame: Vec<u8>,
    /// Bytes of the size in front, which it does not count.
    size_bytes: usize,
    places: [Option<Place>; NUMBERS],
    /// Which are in it.
    numbers: Numbers,
    is_tight: bool,
    correlation_id_at: usize,
    content_at: usize,
    properties_at: usize,
    /// What the size in it says.
    size: usize,
    /// Of the marshal cache's evictions: what its slots say holds until the next.
    pub(crate) evictions: u64,
}

impl Template {
    /// Out of a frame that was written with `numbers`, and with something empty for each of the parts that are `present`; its
    /// data start at `data_at`.
    pub(crate) fn new(
        mut frame: Vec<u8>,
        (size_bytes, data_at): (usize, usize),
        places: &Places,
        numbers: &Numbers,
        present: Present,
        is_tight: bool,
    ) -> Self {
        let mut cuts = 0;
        let mut cut = |at: usize, is_present: bool, len: usize| {
            if is_present {
                frame.drain(at - cuts..at - cuts + len);
                cuts += len;
            }
        };
        // In loose encoding a byte says whether there is one.
        let flag = usize::from(!is_tight);
        let correlation_id_at = data_at + places.correlation_id + flag;
        cut(correlation_id_at, present.correlation_id, TEXT_LENGTH_BYTES);
        let content_at = data_at + places.body + flag;
        cut(content_at, present.content, LENGTH_BYTES);
        let properties_at = content_at + if present.content { LENGTH_BYTES } else { 0 } + flag;
        cut(properties_at, present.properties, LENGTH_BYTES);
        // Where something is that was at a place of the frame with all its lengths.
        let moved = |at: usize| {
            let before = |cut: usize, is_present: bool, len: usize| if is_present && cut < at { len } else { 0 };
            at - before(correlation_id_at, present.correlation_id, TEXT_LENGTH_BYTES)
                - before(content_at, present.content, LENGTH_BYTES)
                - before(properties_at, present.properties, LENGTH_BYTES)
        };
        let number = |place: Place| Place { at: moved(data_at + place.at), len: place.len };
        Self {
            places: places.numbers.map(|place| place.map(number)),
            numbers: *numbers,
            is_tight,
            correlation_id_at,
            content_at: moved(content_at),
            properties_at: moved(properties_at),
            frame,
            size_bytes,
            size: 0,
            evictions: 0,
        }
    }

    /// Whether it is kept.
    pub(crate) fn is_small(&self) -> bool {
        self.frame.len() <= TEMPLATE_BYTES_MAX
    }

    /// Puts the frame with these numbers and parts into `out`.
    pub(crate) fn put(
        &mut self,
        numbers: &Numbers,
        parts: &Parts<'_>,
        max_frame: usize,
        out: &mut Outbox,
    ) -> Result<Again, CodecError> {
        if self.fill(numbers) == Again::Stale {
            return Ok(Again::Stale);
        }
        let size = self.frame.len() - self.size_bytes + parts.wire_len();
        if size != self.size {
            let too_large = CodecError::FrameTooLarge { size: size as u64, max: max_frame as u64 };
            let announced = match i32::try_from(size) {
                Ok(announced) if size <= max_frame => announced,
                Ok(_) | Err(_) => return Err(too_large),
            };
            if self.size_bytes == SIZE_BYTES {
                self.frame[..SIZE_BYTES].copy_from_slice(&announced.to_be_bytes());
            }
            self.size = size;
        }
        self.put_parts(parts, out);
        Ok(Again::Written)
    }

    #[inline]
    fn put_parts(&self, parts: &Parts<'_>, out: &mut Outbox) {
        const CHECKED: &str = "it is shorter than what was checked";
        let mut done = 0;
        if let Some(id) = parts.correlation_id {
            out.put(&self.frame[..self.correlation_id_at]);
            out.put(&u16::try_from(id.len()).expect(CHECKED).to_be_bytes());
            out.put(id.as_bytes());
            done = self.correlation_id_at;
        }
        out.put(&self.frame[done..self.content_at]);
        done = self.content_at;
        if let Some(content) = &parts.content {
            if content.len() < BODY_COPY_BYTES_MAX {
                out.put(&parts.bytes[content.clone()]);
            } else {
                out.put_body(parts.bytes.slice(content.clone()));
            }
        }
        if let Some(properties) = &parts.properties {
            let properties = &parts.bytes[properties.clone()];
            out.put(&self.frame[done..self.properties_at]);
            out.put(&i32::try_from(properties.len()).expect(CHECKED).to_be_bytes());
            out.put(properties);
            done = self.properties_at;
        }
        out.put(&self.frame[done..]);
    }

    /// Writes the numbers that changed into their places.
    #[inline]
    fn fill(&mut self, numbers: &Numbers) -> Again {
        for (which, number) in numbers.iter().enumerate() {
            if self.numbers[which] == *number {
                continue;
            }
            self.numbers[which] = *number;
            let Some(Place { at, len }) = self.places[which] else { continue };
            if self.is_tight && tight_len(*number) != len {
                return Again::Stale;
            }
            if let Some(octets) = self.frame[at..].first_chunk_mut::<8>().filter(|_| len == 8) {
                *octets = number.to_be_bytes();
            } else {
                self.frame[at..at + len].copy_from_slice(&number.to_be_bytes()[8 - len..]);
            }
        }
        Again::Written
    }
}

/// Bytes that a number takes in tight encoding, beside its two bits.
#[inline]
pub(crate) fn tight_len(number: i64) -> usize {
    match number.cast_unsigned() {
        0 => 0,
        1..=0xFFFF => 2,
        0x1_0000..=0xFFFF_FFFF => 4,
        _ => 8,
    }
}
