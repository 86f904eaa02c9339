//! The client's side on the same codec: frames to send and an incremental parser of the server's frames.
//!
//! ```
//! use ferrymq_stomp::{Version, peer};
//! let mut out = Vec::new();
//! peer::connect(&mut out, &peer::Connect { host: "localhost", ..peer::Connect::default() });
//! peer::send(&mut out, Version::V1_2, "/queue/a").header("receipt", "1").text("hello");
//! ```

use crate::codec::{Command, Decoder, Frame, FrameBuilder, Known, KnownHeaders, MalformedFrame, Version, unescape};
use crate::limits::Limits;
use bytes::{Bytes, BytesMut};
use std::borrow::Cow;

/// What a CONNECT frame says.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// `accept-version`; empty: the header is left out, which means 1.0.
    pub versions: &'a [Version],
    /// `host`
    pub host: &'a str,
    /// `login`
    pub login: Option<&'a str>,
    /// `passcode`
    pub passcode: Option<&'a str>,
    /// `client-id`, which durable subscriptions need.
    pub client_id: Option<&'a str>,
    /// `heart-beat`: what the client can send and wants to get, in milliseconds; 0 is none.
    pub heart_beat: (u32, u32),
}

impl Default for Connect<'_> {
    fn default() -> Self {
        Self {
            versions: &Version::ALL,
            host: "localhost",
            login: None,
            passcode: None,
            client_id: None,
            heart_beat: (0, 0),
        }
    }
}

/// Appends a CONNECT frame.
pub fn connect(out: &mut Vec<u8>, connect: &Connect<'_>) {
    let versions = connect.versions.iter().map(|version| version.as_str()).collect::<Vec<_>>().join(",");
    let (can, wants) = connect.heart_beat;
    FrameBuilder::new(out, Version::V1_0, "CONNECT")
        .optional("accept-version", (!versions.is_empty()).then_some(versions.as_str()))
        .header("host", connect.host)
        .optional("login", connect.login)
        .optional("passcode", connect.passcode)
        .optional("client-id", connect.client_id)
        .header("heart-beat", &format!("{can},{wants}"))
        .end();
}

/// Starts a SEND frame: add headers, then end it with `text` or `body`.
pub fn send<'o>(out: &'o mut Vec<u8>, version: Version, destination: &str) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "SEND").header("destination", destination)
}

/// Starts a SUBSCRIBE frame: add `selector`, `browser`, `receipt`, `activemq.…`, then `end`.
/// `ack` is `auto`, `client` or `client-individual`.
pub fn subscribe<'o>(
    out: &'o mut Vec<u8>,
    version: Version,
    id: &str,
    destination: &str,
    ack: &str,
) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "SUBSCRIBE").header("id", id).header("destination", destination).header("ack", ack)
}

/// Starts an UNSUBSCRIBE frame.
pub fn unsubscribe<'o>(out: &'o mut Vec<u8>, version: Version, id: &str) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "UNSUBSCRIBE").header("id", id)
}

/// Starts an ACK frame for a MESSAGE frame, naming it as the version wants.
pub fn ack<'o>(out: &'o mut Vec<u8>, message: &ServerFrame) -> FrameBuilder<'o> {
    acknowledge(out, "ACK", message)
}

/// Starts a NACK frame for a MESSAGE frame.
pub fn nack<'o>(out: &'o mut Vec<u8>, message: &ServerFrame) -> FrameBuilder<'o> {
    acknowledge(out, "NACK", message)
}

fn acknowledge<'o>(out: &'o mut Vec<u8>, command: &str, message: &ServerFrame) -> FrameBuilder<'o> {
    let frame = FrameBuilder::new(out, message.version, command);
    match message.raw(Known::Ack) {
        Some(ack) => frame.raw("id", ack),
        None => {
            let frame = frame.raw("message-id", message.raw(Known::MessageId).unwrap_or_default());
            match message.raw(Known::Subscription) {
                Some(subscription) => frame.raw("subscription", subscription),
                None => frame,
            }
        }
    }
}

/// Starts a BEGIN frame.
pub fn begin<'o>(out: &'o mut Vec<u8>, version: Version, transaction: &str) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "BEGIN").header("transaction", transaction)
}

/// Starts a COMMIT frame.
pub fn commit<'o>(out: &'o mut Vec<u8>, version: Version, transaction: &str) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "COMMIT").header("transaction", transaction)
}

/// Starts an ABORT frame.
pub fn abort<'o>(out: &'o mut Vec<u8>, version: Version, transaction: &str) -> FrameBuilder<'o> {
    FrameBuilder::new(out, version, "ABORT").header("transaction", transaction)
}

/// Starts a DISCONNECT frame: with a `receipt` header the server answers once everything before is done.
pub fn disconnect(out: &mut Vec<u8>, version: Version) -> FrameBuilder<'_> {
    FrameBuilder::new(out, version, "DISCONNECT")
}

/// Appends a heart-beat.
pub fn heart_beat(out: &mut Vec<u8>) {
    out.push(b'\n');
}

/// A frame from the server, owning its bytes as a slice of the read buffer.
#[derive(Clone, Debug)]
pub struct ServerFrame {
    /// Its command.
    pub command: Command,
    version: Version,
    bytes: Bytes,
    body_at: u32,
    known: KnownHeaders,
}

impl ServerFrame {
    /// A header that STOMP or FerryMQ gives a meaning, as it came, escaped: the fast way.
    #[must_use]
    #[inline]
    pub fn raw(&self, header: Known) -> Option<&[u8]> {
        self.known.span(header).map(|span| &self.bytes[span])
    }

    /// Any header's value; of a repeated header the first.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(known) = Known::of(name.as_bytes()) {
            return self.raw(known).map(|raw| unescape(raw, self.version));
        }
        self.headers().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// Every header in the order in which it came.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        crate::codec::lines(&self.bytes[..self.body_at as usize], self.version)
            .map(|line| (unescape(line.name, self.version), unescape(line.value, self.version)))
    }

    /// The body.
    #[must_use]
    #[inline]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at as usize..]
    }

    /// The body, sharing the read buffer.
    #[must_use]
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.body_at as usize..)
    }

    /// The version it is written in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

/// Parses what a server sends. Learns the version from CONNECTED.
#[derive(Debug)]
pub struct ServerFrames {
    decoder: Decoder,
    version: Version,
}

impl Default for ServerFrames {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl ServerFrames {
    /// A parser that has seen nothing.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut decoder = Decoder::new(limits);
        decoder.set_connected();
        Self { decoder, version: Version::V1_0 }
    }

    /// The version that CONNECTED named; 1.0 before.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The next frame out of the read buffer, or `None` while it is not complete.
    ///
    /// # Errors
    /// The server does not speak STOMP; the parser must not be used again.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<ServerFrame>, MalformedFrame> {
        let Some(frame) = self.decoder.next(input)? else {
            return Ok(None);
        };
        let Frame { command, bytes, body_at, version, known, escaped: _, kept_from: _ } = frame;
        let frame = ServerFrame { command, version, bytes, body_at, known: known.clone() };
        if command == Command::Connected {
            self.version =
                frame.header("version").and_then(|version| Version::parse(&version)).unwrap_or(Version::V1_0);
            self.decoder.set_version(self.version);
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests;
