//! A command that is written again and again with other numbers and another body.
//!
//! From one MessageDispatch of a consumer to the next little changes: some numbers and the body. So the frame is written once
//! through its table, which notes where those fields went; the next one is the same octets with other numbers in their places:
//!
//! ```text
//!   size type [boolean stream] consumer, destination, …  ◄ content ►  [1]  ◄ properties ►  …  times, counters
//!   ^                          ^ ^ places of numbers     content_at        properties_at      ^ ^
//! ```
//!
//! It holds while the numbers take as many bytes as before, which in tight encoding depends on their size, and while the
//! other side remembers what the frame names by its slot in the marshal cache.

use crate::codec::message_body::content_range;
use crate::codec::reader::{Read, Reader};
use crate::codec::repeat::{self, Hole};
use crate::codec::table::{Coded, Kind};
use crate::codec::writer::Writer;
use crate::codec::{CodecError, SIZE_BYTES};
use crate::limits::TEMPLATE_BYTES_MAX;
use bytes::Bytes;
use ferrymq_model::Outbox;
use ferrymq_model::limits::BODY_COPY_BYTES_MAX;
use std::ops::Range;

/// Which number of a dispatch.
pub(crate) const PRODUCER_SEQUENCE: usize = 0;
pub(crate) const BROKER_SEQUENCE: usize = 1;
pub(crate) const EXPIRATION: usize = 2;
pub(crate) const TIMESTAMP: usize = 3;
pub(crate) const ARRIVAL: usize = 4;
pub(crate) const BROKER_IN_TIME: usize = 5;
pub(crate) const BROKER_OUT_TIME: usize = 6;
const NUMBERS: usize = 7;
/// Those that brokers write are the same in all that comes from a client.
const CHANGES_IN_WHAT_COMES: [bool; NUMBERS] = [true, true, true, true, false, false, false];

/// Bytes of the length in front of content and properties.
const LENGTH_BYTES: usize = 4;

/// The numbers of one dispatch, each in its place.
pub(crate) type Numbers = [i64; NUMBERS];

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
    pub(crate) fn note_body(&mut self, at: usize) {
        self.body = at;
    }
}

/// Where in the form that is kept of it, see [`MessageBody`](crate::codec::message_body::MessageBody), a body's parts are.
#[derive(Debug)]
pub(crate) struct BodyParts<'m> {
    bytes: &'m Bytes,
    /// With its length in front.
    content: Option<Range<usize>>,
    properties: Option<Range<usize>>,
}

impl<'m> BodyParts<'m> {
    #[inline]
    pub(crate) fn new(bytes: &'m Bytes, properties_at: usize) -> Self {
        let properties_at = properties_at.min(bytes.len());
        Self {
            bytes,
            content: content_range(bytes, properties_at).map(|content| content.start - LENGTH_BYTES..content.end),
            properties: (properties_at < bytes.len()).then(|| properties_at..bytes.len()),
        }
    }

    #[inline]
    pub(crate) fn has_content(&self) -> bool {
        self.content.is_some()
    }

    #[inline]
    pub(crate) fn has_properties(&self) -> bool {
        self.properties.is_some()
    }

    /// What the frame has more than its template.
    #[inline]
    fn wire_len(&self) -> usize {
        self.content.as_ref().map_or(0, ExactSizeIterator::len)
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

/// A frame without content and properties.
#[derive(Debug)]
pub(crate) struct Template {
    frame: Vec<u8>,
    /// Bytes of the size in front, which it does not count.
    size_bytes: usize,
    places: [Option<Place>; NUMBERS],
    /// Which are in it.
    numbers: Numbers,
    is_tight: bool,
    content_at: usize,
    properties_at: usize,
    /// What the size in it says.
    size: usize,
    /// Of the marshal cache's evictions: what its slots say holds until the next.
    pub(crate) evictions: u64,
}

impl Template {
    /// Out of a frame that was written with `numbers`, and with empty content and properties where `body` has any; its
    /// data start at `data_at`.
    pub(crate) fn new(
        mut frame: Vec<u8>,
        (size_bytes, data_at): (usize, usize),
        places: &Places,
        numbers: &Numbers,
        body: &BodyParts<'_>,
        is_tight: bool,
    ) -> Self {
        // In loose encoding a byte says whether there is one.
        let flag = usize::from(!is_tight);
        let content_at = data_at + places.body + flag;
        let mut cut = 0;
        if body.content.is_some() {
            frame.drain(content_at..content_at + LENGTH_BYTES);
            cut += LENGTH_BYTES;
        }
        let properties_at = content_at + flag;
        if body.properties.is_some() {
            frame.drain(properties_at..properties_at + LENGTH_BYTES);
            cut += LENGTH_BYTES;
        }
        let moved = |place: Place| Place {
            at: data_at + if place.at <= places.body { place.at } else { place.at - cut },
            len: place.len,
        };
        Self {
            frame,
            size_bytes,
            places: places.numbers.map(|place| place.map(moved)),
            numbers: *numbers,
            is_tight,
            content_at,
            properties_at,
            size: 0,
            evictions: 0,
        }
    }

    /// Whether it is kept.
    pub(crate) fn is_small(&self) -> bool {
        self.frame.len() <= TEMPLATE_BYTES_MAX
    }

    /// Puts the frame with these numbers and this body into `out`.
    pub(crate) fn put(
        &mut self,
        numbers: &Numbers,
        body: &BodyParts<'_>,
        max_frame: usize,
        out: &mut Outbox,
    ) -> Result<Again, CodecError> {
        if self.fill(numbers) == Again::Stale {
            return Ok(Again::Stale);
        }
        let size = self.frame.len() - self.size_bytes + body.wire_len();
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
        out.put(&self.frame[..self.content_at]);
        if let Some(content) = &body.content {
            if content.len() < BODY_COPY_BYTES_MAX {
                out.put(&body.bytes[content.clone()]);
            } else {
                out.put_body(body.bytes.slice(content.clone()));
            }
        }
        if let Some(properties) = &body.properties {
            out.put(&self.frame[self.content_at..self.properties_at]);
            let properties = &body.bytes[properties.clone()];
            let len = i32::try_from(properties.len()).expect("it is shorter than the frame whose size was checked");
            out.put(&len.to_be_bytes());
            out.put(properties);
            out.put(&self.frame[self.properties_at..]);
        } else {
            out.put(&self.frame[self.content_at..]);
        }
        Ok(Again::Written)
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
