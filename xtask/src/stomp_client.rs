//! A tiny STOMP 1.2 client over a blocking socket: an independent second reading of the specification.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A broker that says nothing for this long where an answer is due has stalled.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Bytes of one frame; the campaigns send small ones.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A frame as it was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) command: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// The header, or the empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A connection after its handshake.
pub(crate) struct Client {
    socket: TcpStream,
    received: Vec<u8>,
    /// Bytes of `received` that were given away.
    used: usize,
    outgoing: Vec<u8>,
}

impl Client {
    /// Connects and shakes hands. A client id makes durable subscriptions possible.
    pub(crate) fn connect(address: SocketAddr, client_id: Option<&str>) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        socket.set_write_timeout(Some(SILENCE_MAX))?;
        let mut client = Self { socket, received: Vec::new(), used: 0, outgoing: Vec::new() };
        let mut headers = vec![("accept-version", "1.2"), ("host", "localhost"), ("heart-beat", "0,0")];
        headers.extend(client_id.map(|id| ("client-id", id)));
        client.send("CONNECT", &headers, b"")?;
        let answer = client.receive()?;
        if answer.command == "CONNECTED" { Ok(client) } else { Err(unexpected(&answer)) }
    }

    /// Puts a frame behind those not yet flushed.
    pub(crate) fn queue(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) {
        self.outgoing.extend_from_slice(command.as_bytes());
        for (name, value) in headers {
            self.outgoing.push(b'\n');
            self.outgoing.extend_from_slice(name.as_bytes());
            self.outgoing.push(b':');
            self.outgoing.extend_from_slice(value.as_bytes());
        }
        self.outgoing.extend_from_slice(b"\n\n");
        self.outgoing.extend_from_slice(body);
        self.outgoing.push(0);
    }

    /// Writes what was queued.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.socket.write_all(&self.outgoing)?;
        self.outgoing.clear();
        Ok(())
    }

    /// Writes a frame.
    pub(crate) fn send(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        self.queue(command, headers, body);
        self.flush()
    }

    /// The next frame; an error at the end of the connection, after a long silence, or for an ERROR frame.
    pub(crate) fn receive(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.parse()? {
                return if frame.command == "ERROR" { Err(unexpected(&frame)) } else { Ok(frame) };
            }
            self.read_more()?;
        }
    }

    /// Whether a whole frame was already read.
    pub(crate) fn has_frame(&self) -> bool {
        let rest = &self.received[self.used..];
        rest.contains(&0)
    }

    /// Asks for a receipt and passes over everything until it comes; for use before deliveries begin.
    pub(crate) fn confirmed(&mut self, command: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let mut headers = headers.to_vec();
        headers.push(("receipt", "confirmed"));
        self.send(command, &headers, body)?;
        let answer = self.receive()?;
        let fits = answer.command == "RECEIPT" && answer.header("receipt-id") == "confirmed";
        if fits { Ok(()) } else { Err(unexpected(&answer)) }
    }

    fn read_more(&mut self) -> Result<()> {
        self.received.drain(..self.used);
        self.used = 0;
        let length = self.received.len();
        if length > FRAME_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidData, "a frame without end"));
        }
        self.received.resize(length + 64 * 1024, 0);
        let outcome = self.socket.read(&mut self.received[length..]);
        self.received.truncate(length + *outcome.as_ref().unwrap_or(&0));
        match outcome? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the broker closed the connection")),
            _ => Ok(()),
        }
    }

    /// One frame out of what was read, if it is whole.
    fn parse(&mut self) -> Result<Option<Frame>> {
        while self.received.get(self.used).is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.used += 1;
        }
        let rest = &self.received[self.used..];
        let Some(end) = rest.windows(2).position(|two| two == b"\n\n") else { return Ok(None) };
        let text = std::str::from_utf8(&rest[..end]).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let mut lines = text.split('\n');
        let command = lines.next().unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            headers.entry(unescaped(name)).or_insert_with(|| unescaped(value));
        }
        let body = end + 2;
        let length = match headers.get("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => length,
            None => match rest[body..].iter().position(|&byte| byte == 0) {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        match rest.get(body + length) {
            None => Ok(None),
            Some(0) => {
                let frame = Frame { command, headers, body: rest[body..body + length].to_vec() };
                self.used += body + length + 1;
                Ok(Some(frame))
            }
            Some(_) => Err(Error::new(ErrorKind::InvalidData, "a body longer than its content-length")),
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let meant = match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('c') => ':',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        };
        plain.push(meant);
    }
    plain
}

fn unexpected(frame: &Frame) -> Error {
    let body = String::from_utf8_lossy(&frame.body);
    Error::other(format!("unexpected {}: {} {}", frame.command, frame.header("message"), body.trim()))
}
