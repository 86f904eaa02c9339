//! Writing frames.

use crate::codec::header::{Expressible, Version, escape_into};

/// Writes one frame, header by header. A header that the version cannot express (NUL in its text; a line feed in
/// STOMP 1.0) is left out: it would break the framing.
#[derive(Debug)]
#[must_use = "a frame ends with `end`, `text` or `body`"]
pub struct FrameBuilder<'o> {
    out: &'o mut Vec<u8>,
    version: Version,
}

impl<'o> FrameBuilder<'o> {
    /// Starts a frame. `command` is written as it is.
    pub fn new(out: &'o mut Vec<u8>, version: Version, command: &str) -> Self {
        // CONNECT and CONNECTED are not escaped (STOMP 1.2, "Value Encoding").
        let version = if matches!(command, "CONNECT" | "STOMP" | "CONNECTED") { Version::V1_0 } else { version };
        out.extend_from_slice(command.as_bytes());
        out.push(b'\n');
        Self { out, version }
    }

    /// Adds a header, escaped.
    pub fn header(self, name: &str, value: &str) -> Self {
        let start = self.out.len();
        let named = escape_into(self.out, name, self.version, true);
        self.out.push(b':');
        let valued = escape_into(self.out, value, self.version, false);
        if named == Expressible::Yes && valued == Expressible::Yes {
            self.out.push(b'\n');
        } else {
            self.out.truncate(start);
        }
        self
    }

    /// Adds a header where there is a value.
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds a header with a number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        put_number(self.out, value);
        self.out.push(b'\n');
        self
    }

    /// Adds a header whose value is already escaped for the version, such as one that the peer sent.
    pub(crate) fn raw(self, name: &str, value: &[u8]) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(value);
        self.out.push(b'\n');
        self
    }

    /// Ends a frame without a body.
    pub fn end(self) {
        self.out.extend_from_slice(b"\n\0");
    }

    /// Ends the frame with a body that follows without `content-length`: a text message. A body with a NUL in it gets
    /// the header all the same, or its frame would end there.
    pub fn text(self, body: &str) {
        if memchr::memchr(0, body.as_bytes()).is_some() {
            return self.header("amq-msg-type", "text").body(body.as_bytes());
        }
        self.out.push(b'\n');
        self.out.extend_from_slice(body.as_bytes());
        self.out.push(0);
    }

    /// Ends the frame with `content-length` and a body: a bytes message.
    pub fn body(self, body: &[u8]) {
        let this = self.number("content-length", body.len() as u64);
        this.out.push(b'\n');
        this.out.extend_from_slice(body);
        this.out.push(0);
    }
}

/// Appends a decimal number.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// `text` shortened to `limit` bytes and without control characters, for sentences that repeat what a peer wrote.
pub(crate) fn put_sanitized(out: &mut String, text: &str, limit: usize) {
    let mut left = limit;
    for character in text.chars() {
        let character = if character.is_control() { ' ' } else { character };
        let Some(rest) = left.checked_sub(character.len_utf8()) else {
            out.push('…');
            return;
        };
        left = rest;
        out.push(character);
    }
}
