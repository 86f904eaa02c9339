//! The broker's side of one connection.
//!
//! One file a family of frames; this one dispatches. The decoder stands beside the state so that a frame may borrow
//! from it while the state changes.

mod acknowledge;
mod confirm;
mod connect;
mod deliver;
mod heartbeat;
mod producers;
mod send;
mod subscribe;
mod subscriptions;
mod temporaries;
mod transaction;

use crate::codec::{Command, Decoder, Frame, FrameBuilder, Known, Version};
use crate::limits::{ERROR_BACKLOG_BYTES_MAX, Limits};
use crate::mapping::Encoder;
use bytes::BytesMut;
use confirm::{Confirmations, Purpose};
use connect::Connecting;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Refusal, RefusalKind, Request, Token};
use heartbeat::HeartBeat;
pub use heartbeat::HeartBeatOptions;
use producers::Producers;
use std::sync::Arc;
use subscriptions::Subscriptions;
use temporaries::Temporaries;
use transaction::Transactions;

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Unique over all brokers and restarts, such as `ID:host-1a2b-3`: message ids and temporary names start with it.
    pub session_name: Arc<str>,
    /// The header `server` of CONNECTED, such as `FerryMQ/0.1.0`.
    pub server: Arc<str>,
    /// What the decoder accepts.
    pub limits: Limits,
    /// Heart-beats.
    pub heart_beat: HeartBeatOptions,
    /// How long a connection may stay without CONNECT. Milliseconds.
    pub login_timeout_ms: u64,
}

impl SessionOptions {
    /// The defaults, under this name.
    #[must_use]
    pub fn new(session_name: Arc<str>) -> Self {
        Self {
            session_name,
            server: Arc::from(concat!("FerryMQ/", env!("CARGO_PKG_VERSION"))),
            limits: Limits::default(),
            heart_beat: HeartBeatOptions::default(),
            login_timeout_ms: 10_000,
        }
    }
}

/// A STOMP connection.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    state: State,
    /// Bytes that `receive` left in the input: more than those means that the peer is alive.
    left: usize,
}

/// How far the connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// CONNECT has not come.
    Fresh,
    /// The broker has not answered CONNECT.
    Connecting,
    /// CONNECTED was written.
    Open,
    /// DISCONNECT came: nothing more is read.
    Ending,
    /// Nothing more is read or written.
    Closed,
}

/// Everything but the decoder.
#[derive(Debug)]
struct State {
    options: SessionOptions,
    version: Version,
    phase: Phase,
    has_client_id: bool,
    connecting: Connecting,
    /// The last message's number.
    sequence: u64,
    producers: Producers,
    temporaries: Temporaries,
    subscriptions: Subscriptions,
    transactions: Transactions,
    confirmations: Confirmations,
    heart_beat: HeartBeat,
    encoder: Encoder,
    scratch: Vec<u8>,
}

/// What a call may write to.
struct Context<'c> {
    now: Now,
    requests: &'c mut Vec<Request>,
    out: &'c mut Outbox,
}

/// The peer asked for what cannot be. Becomes an ERROR frame.
#[derive(Debug)]
struct PeerError {
    text: String,
    /// Whether the connection ends with it.
    is_fatal: bool,
}

impl PeerError {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fatal: false }
    }

    fn fatal(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fatal: true }
    }

    fn missing(command: Command, header: Known) -> Self {
        Self::new(format!("{} without the header {}", command.as_str(), header.name()))
    }
}

impl Session {
    /// A connection on which nothing was read yet.
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        let decoder = Decoder::new(options.limits.clone());
        let state = State {
            version: Version::V1_0,
            phase: Phase::Fresh,
            has_client_id: false,
            connecting: Connecting::default(),
            sequence: 0,
            producers: Producers::default(),
            temporaries: Temporaries::default(),
            subscriptions: Subscriptions::default(),
            transactions: Transactions::default(),
            confirmations: Confirmations::default(),
            heart_beat: HeartBeat::new(options.heart_beat, options.login_timeout_ms),
            encoder: Encoder::new(Version::V1_0),
            scratch: Vec::new(),
            options,
        };
        Self { decoder, state, left: 0 }
    }
}

impl ferrymq_model::Session for Session {
    fn receive(&mut self, now: Now, input: &mut BytesMut, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.state.heart_beat.start(now.mono);
        if input.len() > self.left {
            self.state.heart_beat.heard(now.mono);
        }
        let before = out.put_total();
        let closing = self.receive_frames(now, input, requests, out);
        self.left = input.len();
        self.state.note_written(before, out, now);
        closing
    }

    fn handle(&mut self, now: Now, event: Event, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        let before = out.put_total();
        let mut cx = Context { now, requests, out };
        let closing = self.state.handle(&mut cx, event);
        if self.state.phase == Phase::Open {
            self.decoder.set_connected();
        }
        self.state.note_written(before, out, now);
        closing
    }

    fn input_ended(&mut self, now: Now, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        let before = out.put_total();
        let closing = self.state.input_ended(&mut Context { now, requests, out });
        self.state.note_written(before, out, now);
        closing
    }

    fn written(&mut self, _now: Now, total: u64, requests: &mut Vec<Request>) {
        self.state.subscriptions.settle_written(total, requests);
    }

    fn tick(&mut self, now: Now, _requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.state.tick(now, out)
    }

    fn next_tick(&self) -> Option<MonoTime> {
        match self.state.phase {
            Phase::Fresh | Phase::Connecting => Some(self.state.heart_beat.login_until()),
            Phase::Open => self.state.heart_beat.next_tick(),
            Phase::Ending | Phase::Closed => None,
        }
    }
}

impl Session {
    fn receive_frames(
        &mut self,
        now: Now,
        input: &mut BytesMut,
        requests: &mut Vec<Request>,
        out: &mut Outbox,
    ) -> Closing {
        let mut cx = Context { now, requests, out };
        loop {
            if matches!(self.state.phase, Phase::Ending | Phase::Closed) {
                input.clear();
                return Closing::No;
            }
            let mut frame = match self.decoder.next(input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Closing::No,
                Err(malformed) => {
                    input.clear();
                    return self.state.fail(&mut cx, &malformed.to_string(), None);
                }
            };
            let result = self.state.frame(&mut cx, &mut frame);
            let closing = match result {
                Ok(closing) => closing,
                Err(error) => self.state.answer_error(&mut cx, &error, frame.raw(Known::Receipt)),
            };
            if closing != Closing::No {
                input.clear();
                return closing;
            }
            if matches!(self.state.phase, Phase::Connecting) {
                self.decoder.set_version(self.state.version);
            }
        }
    }
}

impl State {
    fn frame(&mut self, cx: &mut Context<'_>, frame: &mut Frame<'_>) -> Result<Closing, PeerError> {
        if matches!(self.phase, Phase::Fresh) {
            return match frame.command {
                Command::Connect | Command::Stomp => self.connect(cx, frame),
                other => Err(PeerError::fatal(format!("{} before CONNECT", other.as_str()))),
            };
        }
        match frame.command {
            Command::Send => self.send(cx, frame)?,
            Command::Ack | Command::Nack => self.acknowledge(cx, frame)?,
            Command::Subscribe => self.subscribe(cx, frame)?,
            Command::Unsubscribe => self.unsubscribe(cx, frame)?,
            Command::Begin => self.begin(cx, frame)?,
            Command::Commit => self.commit(cx, frame)?,
            Command::Abort => self.abort(cx, frame)?,
            Command::Disconnect => return self.disconnect(cx, frame),
            Command::Connect | Command::Stomp => return Err(PeerError::new("already connected")),
            Command::Connected | Command::Message | Command::Receipt | Command::Error => {
                return Err(PeerError::fatal(format!("{} is not a client's command", frame.command.as_str())));
            }
        }
        Ok(Closing::No)
    }

    fn handle(&mut self, cx: &mut Context<'_>, event: Event) -> Closing {
        if self.phase == Phase::Closed {
            return Closing::No;
        }
        match event {
            Event::Deliver(delivery) => self.deliver(cx, &delivery),
            Event::Confirmed { token } => return self.confirmed(cx, token),
            Event::Refused { token, refusal } => return self.refused(cx, token, &refusal),
            Event::BrowseEnd { subscription } => self.browse_end(cx, subscription),
            Event::SubscriptionEnded { subscription, refusal } => {
                self.subscriptions.remove(subscription);
                return self.answer_error(cx, &PeerError::new(refusal.text), None);
            }
            Event::Pause => self.heart_beat.pause(),
            Event::Resume => self.heart_beat.resume(cx.now.mono),
            Event::Closed { refusal } => {
                self.phase = Phase::Closed;
                return Closing::PeerError(refusal.text);
            }
            // No frame of STOMP asks for these.
            Event::Inspected { .. }
            | Event::Purged { .. }
            | Event::Prepared { .. }
            | Event::InDoubt { .. }
            | Event::BranchEnded { .. } => {}
        }
        Closing::No
    }

    /// An ERROR frame, after which the connection ends if the error says so or if nobody reads the errors.
    fn answer_error(&mut self, cx: &mut Context<'_>, error: &PeerError, receipt: Option<&[u8]>) -> Closing {
        if error.is_fatal {
            return self.fail(cx, &error.text, receipt);
        }
        if cx.out.len() > ERROR_BACKLOG_BYTES_MAX {
            return self.fail(cx, "too many errors that the client does not read", receipt);
        }
        self.put_error(cx, &error.text, receipt);
        Closing::No
    }

    /// An ERROR frame and the end.
    fn fail(&mut self, cx: &mut Context<'_>, text: &str, receipt: Option<&[u8]>) -> Closing {
        self.put_error(cx, text, receipt);
        self.phase = Phase::Closed;
        Closing::PeerError(text.to_owned())
    }

    fn put_error(&mut self, cx: &mut Context<'_>, text: &str, receipt: Option<&[u8]>) {
        self.scratch.clear();
        let frame = FrameBuilder::new(&mut self.scratch, self.version, "ERROR")
            .header("message", text)
            .header("content-type", "text/plain");
        let frame = match receipt {
            Some(receipt) => frame.raw("receipt-id", receipt),
            None => frame,
        };
        frame.body(text.as_bytes());
        cx.out.put(&self.scratch);
    }

    fn put_receipt(&mut self, cx: &mut Context<'_>, receipt: &[u8]) {
        self.scratch.clear();
        FrameBuilder::new(&mut self.scratch, self.version, "RECEIPT").raw("receipt-id", receipt).end();
        cx.out.put(&self.scratch);
    }

    fn confirmed(&mut self, cx: &mut Context<'_>, token: Token) -> Closing {
        let Some(confirmation) = self.confirmations.take(token) else {
            return Closing::No;
        };
        if confirmation.purpose == Purpose::Connect {
            self.connected(cx);
            return Closing::No;
        }
        if let Some(receipt) = &confirmation.receipt {
            self.put_receipt(cx, receipt);
        }
        match confirmation.purpose {
            Purpose::Commit(transaction) => self.subscriptions.forget_held(transaction),
            Purpose::Disconnect => {
                self.phase = Phase::Closed;
                return Closing::AfterFlush;
            }
            Purpose::Connect | Purpose::Plain | Purpose::Send(_) | Purpose::Subscribe(_) | Purpose::Temporary(_) => {}
        }
        Closing::No
    }

    fn refused(&mut self, cx: &mut Context<'_>, token: Option<Token>, refusal: &Refusal) -> Closing {
        let confirmation = token.and_then(|token| self.confirmations.take(token));
        let receipt = confirmation.as_ref().and_then(|confirmation| confirmation.receipt.clone());
        match confirmation.map(|confirmation| confirmation.purpose) {
            Some(Purpose::Connect) => return self.fail(cx, &refusal.text, receipt.as_deref()),
            Some(Purpose::Send(producer)) => self.producers.forget(producer, cx.requests),
            Some(Purpose::Subscribe(subscription)) => self.subscriptions.remove(subscription),
            Some(Purpose::Temporary(destination)) => {
                self.temporaries.forget(&destination);
                self.producers.forget_all(cx.requests);
            }
            Some(Purpose::Commit(transaction)) => {
                // Nothing of it happened. It is over all the same: what it held may be acknowledged again.
                self.subscriptions.release_held(transaction);
                cx.requests.push(Request::Rollback { transaction, confirm: None });
            }
            Some(Purpose::Disconnect) => {
                self.put_error(cx, &refusal.text, receipt.as_deref());
                self.phase = Phase::Closed;
                return Closing::AfterFlush;
            }
            Some(Purpose::Plain) => {}
            None => {
                // It may have been any producer: each is named anew when it is used next.
                if matches!(refusal.kind, RefusalKind::InvalidDestination | RefusalKind::Denied) {
                    self.producers.forget_all(cx.requests);
                }
            }
        }
        self.answer_error(cx, &PeerError::new(refusal.text.clone()), receipt.as_deref())
    }

    /// The token for a request that the frame wants a receipt for; `None` where it does not.
    fn receipt(&mut self, frame: &Frame<'_>, purpose: Purpose) -> Result<Option<Token>, PeerError> {
        match frame.raw(Known::Receipt) {
            Some(receipt) => self.confirmations.expect(Some(receipt), purpose).map(Some),
            None => Ok(None),
        }
    }

    /// The token for a request whose end the session must know, with or without a receipt.
    fn confirmation(&mut self, frame: &Frame<'_>, purpose: Purpose) -> Result<Token, PeerError> {
        self.confirmations.expect(frame.raw(Known::Receipt), purpose)
    }

    fn tick(&mut self, now: Now, out: &mut Outbox) -> Closing {
        self.heart_beat.start(now.mono);
        let mut requests = Vec::new();
        let mut cx = Context { now, requests: &mut requests, out };
        match self.phase {
            Phase::Fresh | Phase::Connecting => {
                if now.mono >= self.heart_beat.login_until() {
                    let text = format!("no CONNECT within {} ms", self.options.login_timeout_ms);
                    return self.fail(&mut cx, &text, None);
                }
            }
            Phase::Open => {
                if let Some(silence_ms) = self.heart_beat.silent_for(now.mono) {
                    return self.fail(&mut cx, &format!("no heart-beat for {silence_ms} ms"), None);
                }
                if self.heart_beat.is_due(now.mono) {
                    cx.out.put(b"\n");
                    self.heart_beat.wrote(now.mono);
                }
            }
            Phase::Ending | Phase::Closed => {}
        }
        Closing::No
    }

    fn note_written(&mut self, before: u64, out: &Outbox, now: Now) {
        if out.put_total() != before {
            self.heart_beat.wrote(now.mono);
        }
    }
}
