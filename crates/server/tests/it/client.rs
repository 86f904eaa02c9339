//! A STOMP client that blocks.

use bytes::BytesMut;
use ferrymq_server::Server;
use ferrymq_stomp::peer::{self, ServerFrame, ServerFrames};
use ferrymq_stomp::{Command, Version};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// So long a read may take before the test counts as failed.
pub(crate) const FAILURE_BOUND: Duration = Duration::from_secs(30);

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    frames: ServerFrames,
    receipts: u32,
}

impl Client {
    /// A TCP connection that has said nothing yet.
    pub(crate) fn silent(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(FAILURE_BOUND)).unwrap();
        Self { stream, input: BytesMut::new(), frames: ServerFrames::default(), receipts: 0 }
    }

    /// A connection that is logged in on the STOMP port.
    pub(crate) fn connect(server: &Server) -> Self {
        Self::connect_as(server.addresses().stomp.unwrap(), None)
    }

    /// A connection that is logged in.
    pub(crate) fn connect_as(at: SocketAddr, client_id: Option<&str>) -> Self {
        let mut client = Self::silent(at);
        client.write(|out| peer::connect(out, &peer::Connect { client_id, ..peer::Connect::default() }));
        let connected = client.frame();
        assert_eq!(connected.command, Command::Connected, "{connected:?}");
        client
    }

    /// Writes what `fill` puts into the buffer.
    pub(crate) fn write(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        fill(&mut out);
        self.stream.write_all(&out).unwrap();
    }

    /// Writes a frame with a receipt header, which `fill` adds, and reads up to the receipt.
    pub(crate) fn confirmed(&mut self, fill: impl FnOnce(&mut Vec<u8>, &str)) {
        self.receipts += 1;
        let receipt = format!("receipt-{}", self.receipts);
        self.write(|out| fill(out, &receipt));
        let frame = self.frame();
        assert_eq!(frame.command, Command::Receipt, "{frame:?}");
        assert_eq!(frame.header("receipt-id").as_deref(), Some(receipt.as_str()));
    }

    /// Subscribes, and waits until that is done.
    pub(crate) fn subscribe(&mut self, destination: &str, ack: &str) {
        self.confirmed(|out, receipt| {
            peer::subscribe(out, Version::V1_2, destination, destination, ack).header("receipt", receipt).end();
        });
    }

    /// Sends text, and waits until it is as durable as it asks to be.
    pub(crate) fn send_confirmed(&mut self, destination: &str, text: &str, persistent: bool) {
        self.confirmed(|out, receipt| {
            let persistent = if persistent { "true" } else { "false" };
            peer::send(out, Version::V1_2, destination)
                .header("persistent", persistent)
                .header("receipt", receipt)
                .text(text);
        });
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> ServerFrame {
        self.try_frame().unwrap().expect("the server closed the connection")
    }

    /// The next frame, which is a message with this body.
    pub(crate) fn expect_message(&mut self, body: &str) -> ServerFrame {
        let frame = self.frame();
        assert_eq!(frame.command, Command::Message, "{frame:?}");
        assert_eq!(String::from_utf8_lossy(frame.body()), body);
        frame
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) fn try_frame(&mut self) -> io::Result<Option<ServerFrame>> {
        loop {
            if let Some(frame) = self.frames.next(&mut self.input).unwrap() {
                return Ok(Some(frame));
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer)? {
                0 => return Ok(None),
                count => self.input.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// Reads until the server closes; gives the last frame before that.
    pub(crate) fn last_frame(&mut self) -> Option<ServerFrame> {
        let mut last = None;
        loop {
            match self.try_frame() {
                Ok(Some(frame)) => last = Some(frame),
                Ok(None) => return last,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return last,
                Err(error) => panic!("the server did not close the connection: {error}"),
            }
        }
    }
}
