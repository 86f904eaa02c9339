//! The boolean stream: in tight encoding every truth value of a command is one bit in front of its data.
//!
//! Bits fill a byte from the lowest up. The stream starts with its size in bytes: one byte up to 63, `C0` and one byte
//! up to 255, `80` and two bytes beyond.

use crate::codec::CodecError;

const SIZE_IN_ONE_BYTE: u8 = 0xC0;
const SIZE_IN_TWO_BYTES: u8 = 0x80;

/// Where in a frame its boolean stream is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BitReader {
    /// The next bits, the lowest first.
    window: u64,
    /// How many of them are left.
    left: u32,
    /// The byte behind those in the window, counted from the frame's start.
    byte: usize,
    /// Past the last byte.
    end: usize,
}

impl BitReader {
    /// The stream that starts at `at` in `frame`, and where the data behind it start.
    pub(crate) fn open(frame: &[u8], at: usize) -> Result<(Self, usize), CodecError> {
        let byte = |at: usize| frame.get(at).copied().ok_or(CodecError::Truncated { needed: at + 1 });
        let (size, start) = match byte(at)? {
            SIZE_IN_ONE_BYTE => (usize::from(byte(at + 1)?), at + 2),
            SIZE_IN_TWO_BYTES => {
                let size = i16::from_be_bytes([byte(at + 1)?, byte(at + 2)?]);
                (usize::try_from(size).map_err(|_| CodecError::Bits)?, at + 3)
            }
            size => (usize::from(size), at + 1),
        };
        let end = start + size;
        if end > frame.len() {
            return Err(CodecError::Truncated { needed: end });
        }
        Ok((Self { window: 0, left: 0, byte: start, end }, end))
    }

    /// The next bit; `None`: there is none left.
    #[inline(always)]
    pub(crate) fn next(&mut self, frame: &[u8]) -> Option<bool> {
        if self.left == 0 && !self.fill(frame) {
            return None;
        }
        let value = self.window & 1 != 0;
        self.window >>= 1;
        self.left -= 1;
        Some(value)
    }

    /// Takes the next bytes of the stream into the window. Whether there are any.
    #[inline(never)]
    fn fill(&mut self, frame: &[u8]) -> bool {
        let len = (self.end - self.byte).min(size_of::<u64>());
        if len == 0 {
            return false;
        }
        let mut octets = [0; size_of::<u64>()];
        octets[..len].copy_from_slice(&frame[self.byte..self.byte + len]);
        self.window = u64::from_le_bytes(octets);
        self.left = 8 * len as u32;
        self.byte += len;
        true
    }
}

/// A boolean stream being written.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// The byte that is being filled.
    filling: u8,
    /// Bits used of it.
    bit: u8,
}

impl BitWriter {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.filling = 0;
        self.bit = 0;
    }

    #[inline]
    pub(crate) fn push(&mut self, value: bool) {
        self.filling |= u8::from(value) << self.bit;
        self.bit += 1;
        if self.bit == 8 {
            self.end_byte();
        }
    }

    /// No more bits: what is left of the last byte is 0. Before [`Self::head`] and [`Self::bytes`].
    pub(crate) fn finish(&mut self) {
        if self.bit > 0 {
            self.end_byte();
        }
    }

    fn end_byte(&mut self) {
        self.bytes.push(self.filling);
        self.filling = 0;
        self.bit = 0;
    }

    /// The size, as it stands in front of the stream.
    pub(crate) fn head(&self) -> Result<BitsHead, CodecError> {
        let len = self.bytes.len();
        let too_long = |_| CodecError::TooLong(len);
        Ok(match len {
            0..64 => BitsHead { octets: [u8::try_from(len).map_err(too_long)?, 0, 0], len: 1 },
            64..256 => BitsHead { octets: [SIZE_IN_ONE_BYTE, u8::try_from(len).map_err(too_long)?, 0], len: 2 },
            _ => {
                let [high, low] = i16::try_from(len).map_err(too_long)?.to_be_bytes();
                BitsHead { octets: [SIZE_IN_TWO_BYTES, high, low], len: 3 }
            }
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One to three bytes.
pub(crate) struct BitsHead {
    octets: [u8; 3],
    len: usize,
}

impl BitsHead {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::{BitReader, BitWriter};
    use crate::codec::CodecError;

    #[test]
    fn bits_come_back_in_order_with_sizes_of_every_form() {
        for count in [0, 1, 7, 8, 9, 63 * 8, 63 * 8 + 1, 255 * 8, 255 * 8 + 1, 5000] {
            let mut writer = BitWriter::default();
            (0..count).for_each(|n| writer.push(n % 3 == 0));
            writer.finish();
            let frame = [writer.head().unwrap().as_slice(), writer.bytes()].concat();
            let (mut reader, end) = BitReader::open(&frame, 0).unwrap();
            assert_eq!(end, frame.len());
            for n in 0..count {
                assert_eq!(reader.next(&frame), Some(n % 3 == 0));
            }
            let spare = (8 - count % 8) % 8;
            for _ in 0..spare {
                assert_eq!(reader.next(&frame), Some(false));
            }
            assert_eq!(reader.next(&frame), None);
        }
    }

    #[test]
    fn a_stream_longer_than_its_frame_is_refused() {
        for frame in [&b""[..], b"\x01", b"\xC0", b"\xC0\x02\x00", b"\x80\x01\x00", b"\x80\x01"] {
            assert!(matches!(BitReader::open(frame, 0), Err(CodecError::Truncated { .. })), "{frame:x?}");
        }
        assert_eq!(BitReader::open(b"\x80\xFF\xFF", 0).err(), Some(CodecError::Bits));
    }
}
