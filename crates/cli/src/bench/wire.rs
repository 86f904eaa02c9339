//! What the generator's protocols have in common: what it hears from a broker, and how it finds that in the bytes.

use clap::ValueEnum;
use serde::Serialize;

use super::{openwire, stomp};
use crate::address::Target;

/// What the generator speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// STOMP 1.2
    Stomp,
    /// OpenWire 12, loosely encoded, without marshal cache
    Openwire,
}

/// What a broker says to the generator.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// A message, with what an acknowledgement names it by, if it can be acknowledged.
    Message {
        /// STOMP: the value of the `ack` header. OpenWire: the message's id as it stands in frames.
        ack: Option<&'a [u8]>,
        /// The body.
        body: &'a [u8],
    },
    /// A confirmation, with the number of [`Template::append`].
    Receipt(u64),
    /// The answer to CONNECT.
    Connected,
    /// A refusal: the broker's words.
    Error(String),
    /// Anything else.
    Other,
}

/// How far the scanner came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned<'a> {
    /// A whole frame and the bytes it took, the end of lines before it included.
    Frame(Answer<'a>, usize),
    /// More bytes are needed.
    Incomplete,
    /// This is not the protocol.
    Nonsense,
}

impl Protocol {
    /// Reads the first frame of the bytes, if it is whole.
    pub(super) fn scan(self, bytes: &[u8]) -> Scanned<'_> {
        match self {
            Protocol::Stomp => stomp::scan(bytes),
            Protocol::Openwire => openwire::scan(bytes),
        }
    }

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Stomp => "STOMP",
            Protocol::Openwire => "OpenWire",
        }
    }
}

/// What every message of a producer has in common.
pub(super) struct Sending<'a> {
    pub(super) destination: &'a Target,
    /// Bytes of a body, which begins with the time stamp and the run.
    pub(super) size: usize,
    pub(super) persistent: bool,
    pub(super) receipts: bool,
    pub(super) run: u64,
}

/// The bytes of a body before its stamp is written: printable, and they do not repeat at once, so that nothing on the
/// way can profit from zeros.
pub(super) fn body(size: usize, run: u64) -> Vec<u8> {
    let mut body: Vec<u8> = (0..size).map(|index| b'a' + ((index * 7 + index / 26) % 26) as u8).collect();
    body[8..16].copy_from_slice(&run.to_le_bytes());
    body
}

/// A frame whose time stamp and numbers are written over for each message.
pub(super) enum Template {
    Stomp(stomp::Template),
    Openwire(openwire::Template),
}

impl Template {
    /// `identity` is what the connection was introduced by.
    pub(super) fn new(protocol: Protocol, identity: &str, sending: &Sending<'_>) -> Template {
        match protocol {
            Protocol::Stomp => Template::Stomp(stomp::Template::new(sending)),
            Protocol::Openwire => Template::Openwire(openwire::Template::new(identity, sending)),
        }
    }

    /// Bytes of one frame.
    pub(super) fn len(&self) -> usize {
        match self {
            Template::Stomp(template) => template.len(),
            Template::Openwire(template) => template.len(),
        }
    }

    /// Appends one message.
    pub(super) fn append(&mut self, out: &mut Vec<u8>, sent_at: u64, receipt: u64) {
        match self {
            Template::Stomp(template) => template.append(out, sent_at, receipt),
            Template::Openwire(template) => template.append(out, sent_at, receipt),
        }
    }
}

/// Says what was consumed, every so many messages.
pub(super) struct Acknowledger {
    every: u32,
    unacknowledged: u32,
    form: Form,
}

enum Form {
    Stomp,
    Openwire(openwire::Range),
}

impl Acknowledger {
    pub(super) fn new(protocol: Protocol, every: u32, identity: &str, destination: &Target) -> Acknowledger {
        let form = match protocol {
            Protocol::Stomp => Form::Stomp,
            Protocol::Openwire => Form::Openwire(openwire::Range::new(identity, destination)),
        };
        Acknowledger { every, unacknowledged: 0, form }
    }

    /// One more message was consumed.
    pub(super) fn consumed(&mut self, ack: &[u8], out: &mut Vec<u8>) {
        if let Form::Openwire(range) = &mut self.form
            && self.unacknowledged == 0
        {
            range.begin(ack);
        }
        self.unacknowledged += 1;
        if self.unacknowledged < self.every {
            return;
        }
        match &self.form {
            Form::Stomp => {
                out.extend_from_slice(b"ACK\nid:");
                out.extend_from_slice(ack);
                out.extend_from_slice(b"\n\n\0");
            }
            Form::Openwire(range) => range.end(ack, self.unacknowledged, out),
        }
        self.unacknowledged = 0;
    }
}
