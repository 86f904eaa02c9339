//! One connection to a broker for the commands that send and receive a few messages: it blocks, with deadlines.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ferrymq_stomp::Version;
use ferrymq_stomp::codec::Command;
use ferrymq_stomp::limits::Limits;
use ferrymq_stomp::peer::{self, ServerFrame, ServerFrames};

use crate::address::BrokerArgs;
use crate::output::Failure;

/// How long the broker may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How long to listen after a write failed.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);
/// Bytes that are gathered before they are written.
const BATCH_BYTES: usize = 64 * 1024;
/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;
/// The receipt that ends a connection; the other receipts are numbers.
const GOODBYE: &str = "goodbye";

/// An introduced connection.
pub(crate) struct Client {
    stream: TcpStream,
    frames: ServerFrames,
    input: BytesMut,
    out: Vec<u8>,
    chunk: Vec<u8>,
}

impl Client {
    /// Connects and waits for CONNECTED.
    pub(crate) fn connect(broker: &BrokerArgs, client_id: Option<&str>) -> Result<Client, Failure> {
        let stream = broker.url.connect()?;
        let write_wait = stream.set_write_timeout(Some(ANSWER_WAIT));
        write_wait.map_err(|error| Failure::because("cannot set up the connection", error))?;
        let limits = Limits { body_bytes_max: usize::MAX / 4, ..Limits::default() };
        let mut client = Client {
            stream,
            frames: ServerFrames::new(limits),
            input: BytesMut::new(),
            out: Vec::new(),
            chunk: vec![0; READ_BYTES],
        };
        let connect = peer::Connect {
            host: broker.url.host(),
            login: broker.user.as_deref(),
            passcode: broker.password.as_deref(),
            client_id,
            ..peer::Connect::default()
        };
        peer::connect(&mut client.out, &connect);
        match client.next(Some(Instant::now() + ANSWER_WAIT))? {
            Some(frame) if frame.command == Command::Connected => Ok(client),
            Some(_) => Err(Failure::Failed("the broker answers CONNECT with something else".to_string())),
            None => Err(Failure::Failed("the broker does not answer CONNECT".to_string())),
        }
    }

    /// The version that was agreed on.
    pub(crate) fn version(&self) -> Version {
        self.frames.version()
    }

    /// Where frames are appended; they leave with [`Client::flush`] or the next wait.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Writes what was appended.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = self.stream.write_all(&self.out);
        self.out.clear();
        let Err(error) = written else { return Ok(()) };
        // A broker that refuses says why before it closes the connection: that says more than the failed write.
        let deadline = Some(Instant::now() + LAST_WORDS_WAIT);
        while self.next(deadline)?.is_some() {}
        Err(Failure::because("cannot write to the broker", error))
    }

    /// Writes when there is enough to be worth it.
    pub(crate) fn flush_large(&mut self) -> Result<(), Failure> {
        if self.out.len() >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// The next frame, or none when the deadline is over. A refusal of the broker is a failure.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Option<ServerFrame>, Failure> {
        self.flush()?;
        loop {
            let nonsense = |error| Failure::because("the broker does not speak STOMP", error);
            if let Some(frame) = self.frames.next(&mut self.input).map_err(nonsense)? {
                if frame.command == Command::Error {
                    return Err(Failure::Failed(format!("the broker refuses: {}", refusal(&frame))));
                }
                return Ok(Some(frame));
            }
            let left = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Ok(None),
                left => left,
            };
            let read = self.stream.set_read_timeout(left).and_then(|()| self.stream.read(&mut self.chunk));
            match read {
                Ok(0) => return Err(Failure::Failed("the broker closed the connection".to_string())),
                Ok(count) => self.input.extend_from_slice(&self.chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::because("cannot read from the broker", error)),
            }
        }
    }

    /// Waits for a receipt and gives its name.
    pub(crate) fn receipt(&mut self) -> Result<String, Failure> {
        let deadline = Instant::now() + ANSWER_WAIT;
        loop {
            let Some(frame) = self.next(Some(deadline))? else {
                let seconds = ANSWER_WAIT.as_secs();
                return Err(Failure::Failed(format!("the broker confirmed nothing for {seconds} seconds")));
            };
            if frame.command == Command::Receipt {
                return Ok(frame.header("receipt-id").unwrap_or_default().into_owned());
            }
        }
    }

    /// Says DISCONNECT and waits until the broker has done everything before it.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let version = self.version();
        peer::disconnect(&mut self.out, version).header("receipt", GOODBYE).end();
        while self.receipt()? != GOODBYE {}
        Ok(())
    }
}

/// The broker's words, in one line.
fn refusal(frame: &ServerFrame) -> String {
    match frame.header("message") {
        Some(message) => message.lines().next().unwrap_or_default().to_string(),
        None => String::from_utf8_lossy(frame.body()).lines().next().unwrap_or("without a word").to_string(),
    }
}
