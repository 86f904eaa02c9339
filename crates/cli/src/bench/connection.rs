//! One non-blocking connection of the generator: opened and introduced while it still blocks, then driven by batches.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::openwire;
use super::wire::{Answer, Protocol, Scanned};
use crate::address::{BrokerArgs, Target};
use crate::output::Failure;

/// Bytes of the input buffer at first; it grows to twice the largest frame.
const INPUT_BYTES: usize = 128 * 1024;
/// Reads for one wake-up.
const READS_PER_WAKE: usize = 4;
/// Bytes of a frame that is answered to the generator, far above any body it sends.
const FRAME_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// How long the broker may take to answer CONNECT and SUBSCRIBE.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);

/// Bytes that came and were not yet understood.
struct Input {
    buffer: Vec<u8>,
    filled: usize,
}

/// A connection that was introduced to the broker but waits for its thread's runtime.
pub(super) struct Introduced {
    protocol: Protocol,
    /// What it is called, where the protocol wants it to have a name.
    pub(super) identity: String,
    stream: BlockingStream,
    input: Input,
}

/// A connection and its two buffers.
pub(super) struct Connection {
    protocol: Protocol,
    pub(super) stream: TcpStream,
    input: Input,
    /// Frames to write: append here.
    pub(super) out: Vec<u8>,
    written: usize,
}

/// Whom a connection serves.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    Producer {
        destination: &'a Target,
    },
    Consumer {
        destination: &'a Target,
        /// STOMP's word for it.
        acknowledge: &'a str,
    },
}

impl Introduced {
    /// Connects and introduces itself and, for a consumer, its subscription, and waits until the broker has confirmed
    /// all of it.
    pub(super) fn open(protocol: Protocol, broker: &BrokerArgs, role: Role<'_>) -> Result<Introduced, Failure> {
        let stream = broker.url.connect()?;
        let failed = |error: io::Error| Failure::because("the broker does not answer", error);
        stream.set_read_timeout(Some(HANDSHAKE_WAIT)).map_err(failed)?;
        let identity = identity();
        let mut introduced =
            Introduced { protocol, identity, stream, input: Input { buffer: vec![0; INPUT_BYTES], filled: 0 } };
        match protocol {
            Protocol::Stomp => introduced.stomp(broker, role)?,
            Protocol::Openwire => introduced.openwire(broker, role)?,
        }
        Ok(introduced)
    }

    fn openwire(&mut self, broker: &BrokerArgs, role: Role<'_>) -> Result<(), Failure> {
        let role = match role {
            Role::Producer { destination } => openwire::Role::Producer(destination),
            Role::Consumer { destination, .. } => openwire::Role::Consumer(destination),
        };
        let answered = openwire::introduce(&mut self.stream, broker, &self.identity, role);
        let left = answered.map_err(|error| Failure::because("the broker does not answer", error))??;
        while self.input.buffer.len() < left.len() {
            self.input.buffer.resize(self.input.buffer.len() * 2, 0);
        }
        self.input.buffer[..left.len()].copy_from_slice(&left);
        self.input.filled = left.len();
        Ok(())
    }

    fn stomp(&mut self, broker: &BrokerArgs, role: Role<'_>) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::because("the broker does not answer", error);
        let mut connect =
            format!("CONNECT\naccept-version:1.2\nhost:{}\nheart-beat:0,0\n", broker.url.host().replace(':', "\\c"));
        for (name, value) in [("login", &broker.user), ("passcode", &broker.password)] {
            if let Some(value) = value {
                // CONNECT knows no escapes, so a line end cannot be said.
                if value.contains(['\n', '\r', '\0']) {
                    return Err(Failure::Usage(format!("the {name} holds an end of line")));
                }
                connect.push_str(&format!("{name}:{value}\n"));
            }
        }
        connect.push_str("\n\0");
        self.ask(connect.as_bytes(), &Answer::Connected).map_err(failed)??;
        if let Role::Consumer { destination, acknowledge } = role {
            let destination = destination.stomp();
            let frame = format!("SUBSCRIBE\nid:0\ndestination:{destination}\nack:{acknowledge}\nreceipt:1\n\n\0");
            self.ask(frame.as_bytes(), &Answer::Receipt(1)).map_err(failed)??;
        }
        Ok(())
    }

    /// Writes a frame and reads up to the answer; messages that overtake it are dropped, they belong to no run.
    fn ask(&mut self, frame: &[u8], expected: &Answer<'_>) -> io::Result<Result<(), Failure>> {
        self.stream.write_all(frame)?;
        loop {
            match self.protocol.scan(&self.input.buffer[..self.input.filled]) {
                Scanned::Frame(Answer::Error(words), _) => {
                    return Ok(Err(Failure::Failed(format!("the broker refuses: {words}"))));
                }
                Scanned::Frame(answer, length) => {
                    let found = answer == *expected;
                    self.input.consume(length);
                    if found {
                        return Ok(Ok(()));
                    }
                }
                Scanned::Incomplete => {
                    let free = self.input.room()?;
                    let count = self.stream.read(free)?;
                    if count == 0 {
                        return Err(closed());
                    }
                    self.input.filled += count;
                }
                Scanned::Nonsense => return Err(nonsense(self.protocol)),
            }
        }
    }

    /// Hands the connection to the runtime of this thread.
    pub(super) fn enter(self) -> io::Result<Connection> {
        self.stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(self.stream)?;
        Ok(Connection { protocol: self.protocol, stream, input: self.input, out: Vec::new(), written: 0 })
    }
}

impl Input {
    /// The free end of the buffer, at least half of it.
    fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.filled > self.buffer.len() / 2 {
            if self.buffer.len() >= FRAME_BYTES_MAX {
                return Err(io::Error::new(ErrorKind::InvalidData, "the broker sends a frame without end"));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        Ok(&mut self.buffer[self.filled..])
    }

    fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

impl Connection {
    /// Whether something waits to be written.
    pub(super) fn is_writing(&self) -> bool {
        self.written < self.out.len()
    }

    /// Writes as much as the socket takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.is_writing() {
            match self.stream.try_write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there, up to a few buffers, and shows each whole frame with the moment at which it was read.
    /// `understand` may append answers.
    pub(super) fn receive(
        &mut self,
        clock: impl Fn() -> u64,
        mut understand: impl FnMut(Answer<'_>, u64, &mut Vec<u8>),
    ) -> io::Result<()> {
        for _ in 0..READS_PER_WAKE {
            let free = self.input.room()?;
            let size = free.len();
            let count = match self.stream.try_read(free) {
                Ok(0) => return Err(closed()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            self.input.filled += count;
            let now = clock();
            self.scan_all(|answer, out| understand(answer, now, out))?;
            if count < size {
                self.mark_drained();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells tokio that the socket is empty, which a short read proves, so that nobody asks the kernel again.
    fn mark_drained(&self) {
        let empty = self.stream.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        debug_assert!(empty.is_err());
    }

    fn scan_all(&mut self, mut understand: impl FnMut(Answer<'_>, &mut Vec<u8>)) -> io::Result<()> {
        let mut taken = 0;
        loop {
            match self.protocol.scan(&self.input.buffer[taken..self.input.filled]) {
                Scanned::Frame(answer, length) => {
                    understand(answer, &mut self.out);
                    taken += length;
                }
                Scanned::Incomplete => break,
                Scanned::Nonsense => return Err(nonsense(self.protocol)),
            }
        }
        self.input.consume(taken);
        Ok(())
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the broker closed the connection")
}

fn nonsense(protocol: Protocol) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the broker does not speak {}", protocol.name()))
}

/// A name that no other connection has, here or elsewhere.
fn identity() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    format!("ID:bench-{}-{now}:{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
