//! Decoding one frame at a time out of a read buffer.
//!
//! ```text
//!   SEND ⏎ destination:/queue/a ⏎ receipt:1 ⏎ ⏎ body ␀
//!          └──────── header block ──────────┘   │
//!          └──────────── Frame::bytes ──────────┘ (the body starts at Frame::body_at)
//! ```
//!
//! One pass over the header lines: known headers are noted as spans, and only a block with a byte beyond ASCII or a
//! backslash in it is looked at again. An incomplete frame stays in the buffer and the scan goes on where it stopped, so that feeding byte by
//! byte costs no more than feeding at once.

use crate::codec::header::{Known, KnownHeaders, Version, escapes_are_valid, lines, trim, unescape};
use crate::codec::scan;
use crate::limits::Limits;
use bytes::{Buf, Bytes, BytesMut};
use std::borrow::Cow;
use std::fmt;

/// What a frame asks or tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `CONNECT`
    Connect,
    /// `STOMP`, the same since 1.1.
    Stomp,
    /// `SEND`
    Send,
    /// `SUBSCRIBE`, also `SUB`.
    Subscribe,
    /// `UNSUBSCRIBE`, also `UNSUB`.
    Unsubscribe,
    /// `ACK`
    Ack,
    /// `NACK`
    Nack,
    /// `BEGIN`
    Begin,
    /// `COMMIT`
    Commit,
    /// `ABORT`
    Abort,
    /// `DISCONNECT`
    Disconnect,
    /// `CONNECTED`, from a server.
    Connected,
    /// `MESSAGE`, from a server.
    Message,
    /// `RECEIPT`, from a server.
    Receipt,
    /// `ERROR`, from a server.
    Error,
}

impl Command {
    /// The command of this name, exactly.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"SEND" => Self::Send,
            b"ACK" => Self::Ack,
            b"MESSAGE" => Self::Message,
            b"CONNECT" => Self::Connect,
            b"STOMP" => Self::Stomp,
            b"SUBSCRIBE" | b"SUB" => Self::Subscribe,
            b"UNSUBSCRIBE" | b"UNSUB" => Self::Unsubscribe,
            b"NACK" => Self::Nack,
            b"BEGIN" => Self::Begin,
            b"COMMIT" => Self::Commit,
            b"ABORT" => Self::Abort,
            b"DISCONNECT" => Self::Disconnect,
            b"CONNECTED" => Self::Connected,
            b"RECEIPT" => Self::Receipt,
            b"ERROR" => Self::Error,
            _ => return None,
        })
    }

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Stomp => "STOMP",
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Abort => "ABORT",
            Self::Disconnect => "DISCONNECT",
            Self::Connected => "CONNECTED",
            Self::Message => "MESSAGE",
            Self::Receipt => "RECEIPT",
            Self::Error => "ERROR",
        }
    }
}

/// Bytes that are not a frame. Nothing after them can be understood: the connection must end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MalformedFrame {
    /// The command line is longer than the limit. Bytes.
    CommandTooLong(usize),
    /// No such command; sanitized text.
    UnknownCommand(String),
    /// A header line is longer than the limit. Bytes.
    HeaderTooLong(usize),
    /// More header lines than the limit.
    TooManyHeaders(usize),
    /// A header line without a colon, or with nothing before it.
    HeaderWithoutName,
    /// A NUL before the blank line.
    EndsInHeaders,
    /// A header name or value is not UTF-8.
    HeaderNotUtf8,
    /// A backslash that starts no escape of the version.
    UndefinedEscape,
    /// `content-length` is not a number.
    ContentLengthInvalid,
    /// The body is, or claims to be, longer than the limit. Bytes.
    BodyTooLong(usize),
    /// The frame is longer than allowed before the session is connected. Bytes.
    TooLongBeforeConnect(usize),
    /// `content-length` bytes are not followed by a NUL.
    NoNulAfterBody,
}

impl fmt::Display for MalformedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandTooLong(max) => write!(f, "the command is longer than {max} bytes"),
            Self::UnknownCommand(name) => write!(f, "unknown command {name}"),
            Self::HeaderTooLong(max) => write!(f, "a header line is longer than {max} bytes"),
            Self::TooManyHeaders(max) => write!(f, "the frame has more than {max} headers"),
            Self::HeaderWithoutName => f.write_str("a header line is not name:value"),
            Self::EndsInHeaders => f.write_str("the frame ends before the blank line after its headers"),
            Self::HeaderNotUtf8 => f.write_str("a header is not valid UTF-8"),
            Self::UndefinedEscape => f.write_str("a header contains an undefined escape sequence"),
            Self::ContentLengthInvalid => f.write_str("the header content-length is not a number of bytes"),
            Self::BodyTooLong(max) => write!(f, "the body is longer than {max} bytes"),
            Self::TooLongBeforeConnect(max) => write!(f, "the frame before CONNECTED is longer than {max} bytes"),
            Self::NoNulAfterBody => f.write_str("content-length bytes are not followed by a NUL"),
        }
    }
}

impl std::error::Error for MalformedFrame {}

/// One decoded frame.
#[derive(Debug)]
pub struct Frame<'d> {
    /// Its command.
    pub command: Command,
    /// Header block, blank line and body: a slice of the read buffer.
    pub bytes: Bytes,
    /// Where the body starts in `bytes`.
    pub body_at: u32,
    /// The version its headers are written in.
    pub version: Version,
    /// Where its known headers stand.
    pub known: &'d KnownHeaders,
    /// Whether any header is escaped.
    pub escaped: bool,
    /// Where in `bytes` the first header line stands that a message must keep: a property, or what tells text from
    /// bytes. The blank line where there is none.
    pub kept_from: u32,
}

impl Frame<'_> {
    /// A known header's value as it came, escaped.
    #[must_use]
    #[inline]
    pub fn raw(&self, header: Known) -> Option<&[u8]> {
        self.known.span(header).map(|span| &self.bytes[span])
    }

    /// A known header's value.
    #[must_use]
    pub fn get(&self, header: Known) -> Option<Cow<'_, str>> {
        self.raw(header).map(|raw| unescape(raw, self.version))
    }

    /// Any header's value; of a repeated header the first.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        lines(&self.bytes[..self.body_at as usize], self.version)
            .find(|line| line.name == name.as_bytes() || unescape(line.name, self.version) == name)
            .map(|line| unescape(line.value, self.version))
    }

    /// Every header in the order in which it came.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        lines(&self.bytes[..self.body_at as usize], self.version)
            .map(|line| (unescape(line.name, self.version), unescape(line.value, self.version)))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at as usize..]
    }
}

/// Where the scan of the frame at the front of the buffer stands. Positions count from the frame's first byte.
#[derive(Clone, Copy, Debug)]
enum Scan {
    /// Between frames: line ends are skipped.
    Between,
    /// In the command line.
    Command,
    /// In the header line that starts here.
    Header { line_at: usize },
    /// In a body of announced length.
    Counted { body_at: usize, length: usize },
    /// In a body that ends with the first NUL.
    Open { body_at: usize },
}

/// Takes frames out of a read buffer. The buffer belongs to the caller and must be the same from call to call.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    version: Version,
    connected: bool,
    scan: Scan,
    /// No line end or NUL before here.
    scanned: usize,
    command: Command,
    /// Where the header block starts.
    head_at: usize,
    headers: usize,
    known: KnownHeaders,
    escaped: bool,
    /// The first colon of an incomplete header line.
    colon: Option<usize>,
    /// The header block may contain bytes beyond ASCII or escapes.
    is_odd: bool,
    /// `Frame::kept_from` once it is known.
    kept_from: Option<u32>,
    /// The blank line's length: 1, or 2 with a CR.
    blank_bytes: u32,
}

impl Decoder {
    /// A decoder that has seen nothing, speaking 1.0 until it is told otherwise.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            version: Version::V1_0,
            connected: false,
            scan: Scan::Between,
            scanned: 0,
            command: Command::Connect,
            head_at: 0,
            headers: 0,
            known: KnownHeaders::default(),
            escaped: false,
            colon: None,
            is_odd: false,
            kept_from: None,
            blank_bytes: 1,
        }
    }

    /// From the next frame on headers are written in this version.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// From the next frame on the strict limit for strangers does not hold.
    pub fn set_connected(&mut self) {
        self.connected = true;
    }

    /// The next frame, or `None` while it is not complete.
    ///
    /// # Errors
    /// The bytes are not a frame; the decoder must not be used again.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Frame<'_>>, MalformedFrame> {
        if matches!(self.scan, Scan::Between) && !self.start(input) {
            return Ok(None);
        }
        if matches!(self.scan, Scan::Command) && !self.read_command(input)? {
            return Ok(None);
        }
        while let Scan::Header { line_at } = self.scan {
            if !self.read_header(input, line_at)? {
                return Ok(None);
            }
        }
        let Some((body_at, body_end)) = self.find_body(input)? else {
            return Ok(None);
        };
        self.scan = Scan::Between;
        let mut bytes = input.split_to(body_end + 1).freeze();
        bytes.advance(self.head_at);
        bytes.truncate(body_end - self.head_at);
        Ok(Some(Frame {
            command: self.command,
            bytes,
            body_at: (body_at - self.head_at) as u32,
            version: self.version,
            known: &self.known,
            escaped: self.escaped,
            kept_from: self.kept_from.unwrap_or(body_at as u32 - self.head_at as u32 - self.blank_bytes),
        }))
    }

    /// Skips the line ends between frames: heart-beats. Whether a frame starts.
    fn start(&mut self, input: &mut BytesMut) -> bool {
        let mut at = 0;
        loop {
            match &input[at..] {
                [b'\n', ..] => at += 1,
                [b'\r', b'\n', ..] => at += 2,
                [] | [b'\r'] => {
                    input.advance(at);
                    return false;
                }
                _ => break,
            }
        }
        if at > 0 {
            input.advance(at);
        }
        self.scan = Scan::Command;
        self.scanned = 0;
        self.headers = 0;
        self.known.clear();
        self.escaped = false;
        self.colon = None;
        self.is_odd = false;
        self.kept_from = None;
        true
    }

    fn read_command(&mut self, input: &[u8]) -> Result<bool, MalformedFrame> {
        let max = self.limits.command_bytes_max;
        let Some(end) = self.line_end(input)? else {
            return if input.len() > max { Err(MalformedFrame::CommandTooLong(max)) } else { Ok(false) };
        };
        if end > max {
            return Err(MalformedFrame::CommandTooLong(max));
        }
        let name = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        self.command = match Command::parse(name).or_else(|| Command::parse(name.trim_ascii())) {
            Some(command) => command,
            None => {
                let mut shown = String::new();
                super::put_sanitized(&mut shown, &String::from_utf8_lossy(name), crate::limits::QUOTE_BYTES_MAX);
                return Err(MalformedFrame::UnknownCommand(shown));
            }
        };
        self.head_at = end + 1;
        self.scanned = end + 1;
        self.scan = Scan::Header { line_at: end + 1 };
        Ok(true)
    }

    fn read_header(&mut self, input: &[u8], line_at: usize) -> Result<bool, MalformedFrame> {
        let max = self.limits.header_line_bytes_max;
        let scan = scan::line(input, self.scanned, self.colon);
        self.is_odd |= scan.is_odd;
        let Some(end) = scan.end else {
            self.colon = scan.colon;
            self.scanned = input.len();
            self.check_stranger(input.len())?;
            return if input.len() - line_at > max { Err(MalformedFrame::HeaderTooLong(max)) } else { Ok(false) };
        };
        if input[end] == 0 {
            return Err(MalformedFrame::EndsInHeaders);
        }
        self.check_stranger(end)?;
        self.scanned = end + 1;
        self.colon = None;
        let line = &input[line_at..end];
        if line.is_empty() || line == b"\r" {
            self.blank_bytes = line.len() as u32 + 1;
            self.end_headers(input, line_at, end + 1)?;
            return Ok(true);
        }
        if line.len() > max {
            return Err(MalformedFrame::HeaderTooLong(max));
        }
        self.headers += 1;
        if self.headers > self.limits.headers_max {
            return Err(MalformedFrame::TooManyHeaders(self.limits.headers_max));
        }
        let colon = match scan.colon.map(|at| at - line_at) {
            Some(0) | None => return Err(MalformedFrame::HeaderWithoutName),
            Some(colon) => colon,
        };
        let known = Known::of(&line[..colon]);
        if let Some(known) = known {
            self.note(known, line_at + colon + 1, &line[colon + 1..]);
        }
        if self.kept_from.is_none() && known.is_none_or(Known::is_kept) {
            self.kept_from = Some((line_at - self.head_at) as u32);
        }
        self.scan = Scan::Header { line_at: end + 1 };
        Ok(true)
    }

    /// Notes where a known header's value stands; `untrimmed` starts at `from`.
    #[inline]
    fn note(&mut self, known: Known, from: usize, untrimmed: &[u8]) {
        let value = trim(untrimmed, self.version);
        let lead = match self.version {
            Version::V1_0 if !value.is_empty() => untrimmed.len() - untrimmed.trim_ascii_start().len(),
            Version::V1_0 | Version::V1_1 | Version::V1_2 => 0,
        };
        let from = from - self.head_at + lead;
        self.known.note(known, from as u32, (from + value.len()) as u32);
    }

    /// The blank line was found: checks the whole block and learns how long the body is.
    fn end_headers(&mut self, input: &[u8], block_end: usize, body_at: usize) -> Result<(), MalformedFrame> {
        let block = &input[self.head_at..block_end];
        if self.is_odd {
            if std::str::from_utf8(block).is_err() {
                return Err(MalformedFrame::HeaderNotUtf8);
            }
            self.escaped = self.version != Version::V1_0 && memchr::memchr(b'\\', block).is_some();
            if self.escaped && !escapes_are_valid(block, self.version) {
                return Err(MalformedFrame::UndefinedEscape);
            }
        }
        self.scan = match self.known.span(Known::ContentLength) {
            None => Scan::Open { body_at },
            Some(span) => {
                let length = parse_length(&block[span])?;
                let max = self.limits.body_bytes_max;
                if length > max as u64 {
                    return Err(MalformedFrame::BodyTooLong(max));
                }
                Scan::Counted { body_at, length: length as usize }
            }
        };
        Ok(())
    }

    /// Start and end of the body once it is complete.
    fn find_body(&mut self, input: &[u8]) -> Result<Option<(usize, usize)>, MalformedFrame> {
        let (body_at, found, length_so_far) = match self.scan {
            Scan::Counted { body_at, length } => {
                let end = body_at + length;
                let found = (input.len() > end).then_some(end);
                if found.is_some_and(|end| input[end] != 0) {
                    return Err(MalformedFrame::NoNulAfterBody);
                }
                (body_at, found, length)
            }
            Scan::Open { body_at } => {
                let found = memchr::memchr(0, &input[self.scanned..]).map(|at| self.scanned + at);
                self.scanned = found.unwrap_or(input.len());
                (body_at, found, self.scanned - body_at)
            }
            Scan::Between | Scan::Command | Scan::Header { .. } => return Ok(None),
        };
        if length_so_far > self.limits.body_bytes_max {
            return Err(MalformedFrame::BodyTooLong(self.limits.body_bytes_max));
        }
        self.check_stranger(body_at + length_so_far)?;
        Ok(found.map(|end| (body_at, end)))
    }

    /// The end of the line at hand. A NUL before it means that the frame ends where it must not.
    #[inline]
    fn line_end(&mut self, input: &[u8]) -> Result<Option<usize>, MalformedFrame> {
        match memchr::memchr2(b'\n', 0, &input[self.scanned..]) {
            Some(at) if input[self.scanned + at] == 0 => Err(MalformedFrame::EndsInHeaders),
            Some(at) => {
                self.check_stranger(self.scanned + at)?;
                Ok(Some(self.scanned + at))
            }
            None => {
                self.scanned = input.len();
                self.check_stranger(input.len())?;
                Ok(None)
            }
        }
    }

    #[inline]
    fn check_stranger(&self, bytes: usize) -> Result<(), MalformedFrame> {
        let max = self.limits.unconnected_frame_bytes_max;
        if !self.connected && bytes > max { Err(MalformedFrame::TooLongBeforeConnect(max)) } else { Ok(()) }
    }
}

/// A number of bytes: digits, with spaces around them as some clients write.
fn parse_length(raw: &[u8]) -> Result<u64, MalformedFrame> {
    let digits = raw.trim_ascii();
    if digits.is_empty() {
        return Err(MalformedFrame::ContentLengthInvalid);
    }
    let mut length = 0_u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return Err(MalformedFrame::ContentLengthInvalid);
        }
        // A number beyond 64 bits is beyond every limit as well.
        length = length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    }
    Ok(length)
}
