//! Commands to bytes.

use crate::codec::bits::BitWriter;
use crate::codec::cache::EncodeCache;
use crate::codec::reader::Encoding;
use crate::codec::table::Structure;
use crate::codec::writer::Writer;
use crate::codec::{CodecError, CodecOptions, Command, SIZE_BYTES};
use crate::limits::SCRATCH_KEEP_BYTES;
use bytes::BytesMut;
use ferrymq_model::Outbox;

/// The writing half of one connection.
#[derive(Debug)]
pub struct Encoder {
    options: CodecOptions,
    cache: Option<EncodeCache>,
    /// The data of the frame at hand; its boolean stream, which goes before them, is complete only at the end.
    data: Vec<u8>,
    bits: BitWriter,
}

impl Encoder {
    /// An encoder of what `options` say, with an empty cache.
    #[must_use]
    pub fn new(options: CodecOptions) -> Self {
        let cache = options.cache.map(EncodeCache::new);
        Self { options, cache, data: Vec::new(), bits: BitWriter::default() }
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
        let tight = self.options.tight && !matches!(command, Command::WireFormatInfo(_));
        self.data.clear();
        self.bits.clear();
        if let Some(cache) = &mut self.cache {
            cache.begin_frame();
        }
        let result = self.write(command).and_then(|()| self.append(command.type_code(), tight, out));
        if let (Err(_), Some(cache)) = (&result, &mut self.cache) {
            cache.abandon_frame();
        }
        if self.data.capacity() > SCRATCH_KEEP_BYTES {
            self.data = Vec::new();
        }
        result
    }

    /// As [`Self::encode`], into an outbox.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn put(&mut self, command: &Command, out: &mut Outbox) -> Result<(), CodecError> {
        let mut frame = BytesMut::new();
        self.encode(command, &mut frame)?;
        out.put(&frame);
        Ok(())
    }

    fn write(&mut self, command: &Command) -> Result<(), CodecError> {
        let mut writer = match command {
            // Before anything was agreed, and in the same form ever since.
            Command::WireFormatInfo(_) => {
                let encoding = Encoding { version: 1, tight: false, stack_trace: false };
                Writer::new(encoding, &mut self.data, &mut self.bits, None)
            }
            _ => Writer::new(self.options.encoding(), &mut self.data, &mut self.bits, self.cache.as_mut()),
        };
        command.write(&mut writer)
    }

    /// Puts together what was written.
    fn append(&self, type_code: u8, tight: bool, out: &mut BytesMut) -> Result<(), CodecError> {
        let head = self.bits.head()?;
        let bits_len = if tight { head.as_slice().len() + self.bits.bytes().len() } else { 0 };
        let size = 1 + bits_len + self.data.len();
        let too_large = CodecError::FrameTooLarge { size: size as u64, max: self.options.max_frame as u64 };
        let announced = i32::try_from(size).map_err(|_| too_large)?;
        if size > self.options.max_frame {
            return Err(too_large);
        }
        out.reserve(SIZE_BYTES + size);
        if self.options.size_prefix {
            out.extend_from_slice(&announced.to_be_bytes());
        }
        out.extend_from_slice(&[type_code]);
        if tight {
            out.extend_from_slice(head.as_slice());
            out.extend_from_slice(self.bits.bytes());
        }
        out.extend_from_slice(&self.data);
        Ok(())
    }
}
