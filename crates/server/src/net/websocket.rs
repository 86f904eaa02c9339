//! STOMP in WebSocket messages, for browsers: the same session behind another frame.
//!
//! What the session writes for one event leaves as one message, text where it is UTF-8 and binary where not. What
//! arrives may be cut anywhere: messages are taken as a stream of bytes.

use super::detect::{self, Protocol};
use super::stranger::{Budget, Stranger};
use super::{Net, Place};
use crate::core::{Entered, Scratch, Stage};
use crate::mailbox::{Mailbox, NEVER};
use bytes::{Bytes, BytesMut};
use ferrymq_model::{Closing, Event, Now, Outbox, Request, Session, SessionId};
use futures_util::{Sink, SinkExt, Stream};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

/// Sub-protocols that are spoken, the best first. The version is agreed by CONNECT all the same.
const SUBPROTOCOLS: [&str; 4] = ["v12.stomp", "v11.stomp", "v10.stomp", "stomp"];
/// One WebSocket frame or message beyond the largest body: a STOMP frame's headers. Bytes.
const HEADROOM_BYTES: usize = 1024 * 1024;
/// What a WebSocket's buffers start with. Bytes.
const BUFFER_BYTES: usize = 16 * 1024;
/// Events that are handled before what they gave is flushed.
const EVENTS_PER_FLUSH_MAX: usize = 256;
/// How long closing may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves one connection from its handshake to its end.
pub(crate) async fn serve(net: Arc<Net>, place: Place, stream: TcpStream, peer: SocketAddr) {
    let most = net.message_bytes_max + HEADROOM_BYTES;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let (stream, budget) = Stranger::new(stream);
    let handshake = accept_hdr_async_with_config(stream, choose_subprotocol, Some(config));
    let socket = match tokio::time::timeout(net.login_timeout, handshake).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return net.log_peer(peer, &format!("no WebSocket handshake: {error}")),
        Err(_elapsed) => return net.log_peer(peer, "no WebSocket handshake before the login timeout"),
    };
    let mut connection = Connection::new(net, place, peer, budget);
    if let Err(reason) = connection.drive(socket).await {
        connection.net.log_peer(peer, &reason);
    }
}

#[expect(clippy::result_large_err, reason = "the library's signature")]
fn choose_subprotocol(upgrade: &Upgrade, mut response: Response) -> Result<Response, ErrorResponse> {
    let header = "sec-websocket-protocol";
    let offers = upgrade.headers().get_all(header).iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<&str> = offers.flat_map(|value| value.split(',')).map(str::trim).collect();
    if offered.is_empty() {
        return Ok(response);
    }
    match SUBPROTOCOLS.iter().find(|wanted| offered.contains(*wanted)) {
        Some(chosen) => {
            response.headers_mut().insert(header, HeaderValue::from_static(chosen));
            Ok(response)
        }
        None => {
            let mut refusal =
                ErrorResponse::new(Some(format!("none of the sub-protocols {SUBPROTOCOLS:?} was offered")));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            Err(refusal)
        }
    }
}

struct Connection {
    net: Arc<Net>,
    /// Held for its end, which frees it.
    _place: Place,
    peer: SocketAddr,
    /// What is read before the login was answered.
    budget: Budget,
    id: SessionId,
    mailbox: Arc<Mailbox>,
    session: Box<dyn Session>,
    input: BytesMut,
    outbox: Outbox,
    events: VecDeque<Event>,
    requests: Vec<Request>,
    scratch: Scratch,
    known: bool,
    paused: bool,
}

/// Why the connection has something to do.
enum Woken {
    Events,
    Time,
    Message(Option<Result<Message, tungstenite::Error>>),
}

/// Whether it goes on.
#[derive(PartialEq, Eq)]
enum Going {
    On,
    Ending,
}

impl Connection {
    fn new(net: Arc<Net>, place: Place, peer: SocketAddr, budget: Budget) -> Self {
        let (id, mailbox) = net.core.open();
        let session = detect::session(Protocol::Stomp, &net.sessions, place.number, peer);
        Self {
            net,
            _place: place,
            peer,
            budget,
            id,
            mailbox,
            session,
            input: BytesMut::new(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            requests: Vec::new(),
            scratch: Scratch::default(),
            known: false,
            paused: false,
        }
    }

    /// Until the end. An error is what the log says about the peer.
    async fn drive<S>(&mut self, mut socket: S) -> Result<(), String>
    where
        S: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        loop {
            let woken = poll_fn(|context| self.poll_woken(context, &mut socket)).await;
            let now = self.net.core.clock().now();
            let going = match woken {
                Woken::Events => self.handle_events(now, &mut socket).await?,
                Woken::Time if self.net.core.stage() >= Stage::Closing => Going::Ending,
                Woken::Time => {
                    let closing = self.session.tick(now, &mut self.requests, &mut self.outbox);
                    self.heed(&closing)
                }
                Woken::Message(None) => return Ok(()),
                Woken::Message(Some(Err(error))) => return Err(format!("connection lost: {error}")),
                Woken::Message(Some(Ok(message))) => self.receive(now, &message),
            };
            self.enter().await;
            self.write(&mut socket).await?;
            if going == Going::Ending {
                let closed = tokio::time::timeout(FAREWELL, socket.close()).await;
                return closed.map_or(Ok(()), |closed| closed.map_err(|error| format!("connection lost: {error}")));
            }
        }
    }

    fn poll_woken<S>(&mut self, context: &mut Context<'_>, socket: &mut S) -> Poll<Woken>
    where
        S: Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    {
        loop {
            self.mailbox.take(&mut self.events);
            if !self.events.is_empty() {
                return Poll::Ready(Woken::Events);
            }
            let stage = self.net.core.stage();
            let due = self.session.next_tick().is_some_and(|at| at <= self.net.core.clock().mono());
            if due || stage >= Stage::Closing {
                return Poll::Ready(Woken::Time);
            }
            if !self.paused
                && stage == Stage::Running
                && let Poll::Ready(message) = Pin::new(&mut *socket).poll_next(context)
            {
                return Poll::Ready(Woken::Message(message));
            }
            self.net.core.set_deadline(&self.mailbox, self.session.next_tick().unwrap_or(NEVER));
            if self.mailbox.wait(context.waker(), false) && self.net.core.stage() == stage {
                return Poll::Pending;
            }
        }
    }

    fn receive(&mut self, now: Now, message: &Message) -> Going {
        let bytes: &[u8] = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            // Pings are answered by the library, and a close is followed by the stream's end.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return Going::On,
        };
        self.input.extend_from_slice(bytes);
        let closing = self.session.receive(now, &mut self.input, &mut self.requests, &mut self.outbox);
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.heed(&closing)
    }

    async fn handle_events<S>(&mut self, now: Now, socket: &mut S) -> Result<Going, String>
    where
        S: Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        // The first event is the answer to the login.
        self.budget.admit();
        for _ in 0..EVENTS_PER_FLUSH_MAX {
            let Some(event) = self.events.pop_front() else { break };
            match event {
                Event::Pause => self.paused = true,
                Event::Resume => self.paused = false,
                _ => {}
            }
            let closing = self.session.handle(now, event, &mut self.requests, &mut self.outbox);
            self.feed(socket).await?;
            if self.heed(&closing) == Going::Ending {
                return Ok(Going::Ending);
            }
        }
        Ok(Going::On)
    }

    fn heed(&mut self, closing: &Closing) -> Going {
        match closing {
            Closing::No => Going::On,
            Closing::AfterFlush => Going::Ending,
            Closing::PeerError(reason) => {
                self.net.log_peer(self.peer, reason);
                Going::Ending
            }
        }
    }

    /// Steps what the session asked; waits while the core has no room.
    async fn enter(&mut self) {
        poll_fn(|context| {
            if self.requests.is_empty() {
                return Poll::Ready(());
            }
            self.known = true;
            match self.net.core.enter(self.id, &mut self.requests, &mut self.scratch, context.waker()) {
                Entered::Taken => Poll::Ready(()),
                Entered::Full => Poll::Pending,
            }
        })
        .await;
    }

    /// Puts what the session wrote into one message.
    async fn feed<S>(&mut self, socket: &mut S) -> Result<(), String>
    where
        S: Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let mut frame = Vec::with_capacity(self.outbox.len());
        while !self.outbox.is_empty() {
            let piece = self.outbox.front();
            let length = piece.len();
            frame.extend_from_slice(piece);
            self.outbox.advance(length);
        }
        let bytes = Bytes::from(frame);
        let message = Utf8Bytes::try_from(bytes.clone()).map_or_else(|_| Message::Binary(bytes), Message::Text);
        self.in_time(socket.feed(message)).await
    }

    /// Lets everything leave, and settles what is settled by that.
    async fn write<S>(&mut self, socket: &mut S) -> Result<(), String>
    where
        S: Sink<Message, Error = tungstenite::Error> + Unpin,
    {
        self.feed(socket).await?;
        self.in_time(socket.flush()).await?;
        let now = self.net.core.clock().now();
        self.session.written(now, self.outbox.put_total(), &mut self.requests);
        self.enter().await;
        Ok(())
    }

    async fn in_time(&mut self, writing: impl Future<Output = Result<(), tungstenite::Error>>) -> Result<(), String> {
        match tokio::time::timeout(self.net.write_stall_timeout, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("connection lost: {error}")),
            Err(_elapsed) => Err("took nothing of what waits for it before the write-stall timeout".to_owned()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut last = std::mem::take(&mut self.requests);
        if self.known || !last.is_empty() {
            last.push(Request::Disconnect);
            self.net.core.depart(self.id, &mut last, &mut self.scratch);
        }
        self.net.core.close(self.id);
    }
}
