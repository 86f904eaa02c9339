//! Bytes to commands.

use crate::codec::cache::DecodeCache;
use crate::codec::message::{MESSAGE_FIRST, MESSAGE_LAST, Message};
use crate::codec::message_ack::MessageAck;
use crate::codec::message_body::MessageBody;
use crate::codec::reader::{Encoding, Reader};
use crate::codec::repeat::Lately;
use crate::codec::table::Structure;
use crate::codec::wire_format_info::{MAGIC, WireFormatInfo};
use crate::codec::{CodecError, CodecOptions, Command, SIZE_BYTES};
use crate::limits::{REUSED_BYTES_MAX, WIRE_FORMAT_INFO_BYTES_MAX};
use bytes::{Buf, Bytes, BytesMut};

/// The reading half of one connection.
#[derive(Debug)]
pub struct Decoder {
    options: CodecOptions,
    cache: Option<DecodeCache>,
    /// Without sizes in front: how many bytes the next command takes at least.
    needed: usize,
    /// After an error nothing can be understood any more.
    poisoned: bool,
    /// What the last frame took beside the body of its message. Bytes.
    fields_len: usize,
    /// The next message is read over one of these, the next acknowledgement over one of those.
    messages: Lately<Message>,
    acks: Lately<MessageAck>,
}

impl Decoder {
    /// A decoder of what `options` say, with an empty cache.
    #[must_use]
    pub fn new(options: CodecOptions) -> Self {
        let cache = options.cache.map(DecodeCache::new);
        Self {
            options,
            cache,
            needed: 1,
            poisoned: false,
            fields_len: 0,
            messages: Lately::default(),
            acks: Lately::default(),
        }
    }

    /// What was agreed.
    #[must_use]
    pub fn options(&self) -> &CodecOptions {
        &self.options
    }

    /// Another limit for frames, in bytes; a server raises it when it knows who connects.
    pub fn set_max_frame(&mut self, max_frame: usize) {
        self.options.max_frame = max_frame;
    }

    /// The next command, or `None` while it has not arrived whole. Its octets are slices of the frame.
    ///
    /// # Errors
    /// The frame is malformed or too large. Then the connection is over.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Command>, CodecError> {
        if self.poisoned {
            return Err(CodecError::Poisoned);
        }
        let result = if self.options.size_prefix { self.decode_sized(input) } else { self.decode_unsized(input) };
        self.poisoned = result.is_err();
        result
    }

    /// Takes a command back that nobody needs any more, as it was decoded but for the body of a message: the next of its
    /// type is read over it, and makes only what is different. What is large is not kept, and nothing that pins a frame.
    pub fn reuse(&mut self, command: Command) {
        let is_small = self.fields_len <= REUSED_BYTES_MAX;
        match command {
            Command::Message(mut message) if is_small && message.fields.data_structure.is_none() => {
                message.fields.body = MessageBody::default();
                self.messages.keep(message);
            }
            Command::Message(_) => self.messages.forget(),
            Command::MessageAck(ack) if is_small => self.acks.keep(ack),
            Command::MessageAck(_) => self.acks.forget(),
            _ => {}
        }
    }

    fn decode_sized(&mut self, input: &mut BytesMut) -> Result<Option<Command>, CodecError> {
        let Some(head) = input.first_chunk::<SIZE_BYTES>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*head);
        let size = usize::try_from(announced).map_err(|_| CodecError::FrameSize(announced))?;
        if size == 0 {
            return Err(CodecError::FrameSize(announced));
        }
        let max = self.max_frame(input.get(SIZE_BYTES).copied());
        if size > max {
            return Err(too_large(size, max));
        }
        if input.len() - SIZE_BYTES < size {
            return Ok(None);
        }
        input.advance(SIZE_BYTES);
        let frame = input.split_to(size).freeze();
        let (command, end) = match self.again(&frame) {
            Some(command) => (command, size),
            None => self.read(&frame)?,
        };
        let body_len = if let Command::Message(message) = &command { message.fields.body.bytes().len() } else { 0 };
        self.fields_len = frame.len().saturating_sub(body_len);
        if end < frame.len() {
            return Err(CodecError::TrailingBytes(frame.len() - end));
        }
        Ok(Some(command))
    }

    /// Without a size in front the end of a command is known when it was read. This costs a copy and perhaps several
    /// attempts; it is meant for datagrams, where each holds one frame.
    fn decode_unsized(&mut self, input: &mut BytesMut) -> Result<Option<Command>, CodecError> {
        if input.len() < self.needed {
            return Ok(None);
        }
        let max = self.max_frame(input.first().copied());
        let frame = Bytes::copy_from_slice(&input[..input.len().min(max)]);
        match self.read(&frame) {
            Ok((command, end)) => {
                input.advance(end);
                self.needed = 1;
                Ok(Some(command))
            }
            Err(CodecError::Truncated { needed }) if needed > max => Err(too_large(needed, max)),
            Err(CodecError::Truncated { needed }) => {
                self.needed = needed;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn max_frame(&self, type_code: Option<u8>) -> usize {
        if type_code == Some(WireFormatInfo::TYPE_CODE) {
            self.options.max_frame.min(WIRE_FORMAT_INFO_BYTES_MAX)
        } else {
            self.options.max_frame
        }
    }

    /// The command in `frame`, if that is like an earlier one of its type.
    #[inline]
    pub(crate) fn again(&mut self, frame: &Bytes) -> Option<Command> {
        let (version, stores) = (self.options.version, self.stores());
        match *frame.first()? {
            MESSAGE_FIRST..=MESSAGE_LAST => self.messages.again(frame, version, stores).map(Command::Message),
            MessageAck::TYPE_CODE => self.acks.again(frame, version, stores).map(Command::MessageAck),
            _ => None,
        }
    }

    fn stores(&self) -> u64 {
        self.cache.as_ref().map_or(0, DecodeCache::stores)
    }

    /// The command at the start of `frame`, and where it ends.
    fn read(&mut self, frame: &Bytes) -> Result<(Command, usize), CodecError> {
        let &type_code = frame.first().ok_or(CodecError::Truncated { needed: 1 })?;
        if type_code == WireFormatInfo::TYPE_CODE {
            return read_wire_format_info(frame);
        }
        let reader = Reader::open(frame, 1, self.options.encoding(), self.cache.as_mut())?;
        match type_code {
            MESSAGE_FIRST..=MESSAGE_LAST => {
                let (message, end) = self.messages.read(type_code, reader)?;
                Ok((Command::Message(message), end))
            }
            MessageAck::TYPE_CODE => {
                let (ack, end) = self.acks.read(type_code, reader)?;
                Ok((Command::MessageAck(ack), end))
            }
            _ => {
                let mut reader = reader;
                match Command::read(type_code, &mut reader) {
                    Ok(command) => Ok((command, reader.position())),
                    Err(failed) => Err(reader.why(failed)),
                }
            }
        }
    }
}

fn too_large(size: usize, max: usize) -> CodecError {
    CodecError::FrameTooLarge { size: size as u64, max: max as u64 }
}

/// Always loose, uncached and the same in every version.
fn read_wire_format_info(frame: &Bytes) -> Result<(Command, usize), CodecError> {
    // The magic first: somebody who speaks another protocol should be told so, not of some wrong length.
    let magic = &frame[1..frame.len().min(1 + MAGIC.len())];
    if !MAGIC.starts_with(magic) {
        return Err(CodecError::Magic);
    }
    let mut reader = Reader::open(frame, 1, Encoding { version: 1, tight: false, stack_trace: false }, None)?;
    let read = WireFormatInfo::read(WireFormatInfo::TYPE_CODE, &mut reader);
    let info = read.map_err(|failed| reader.why(failed))?;
    Ok((info.into(), reader.position()))
}
