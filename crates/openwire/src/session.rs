//! The broker's side of one connection.
//!
//! ```text
//!   Fresh ──WireFormatInfo──► Agreed ──ConnectionInfo──► Connecting ──confirmed──► Open
//!                                       Open ──RemoveInfo(connection)──► Removed ──ShutdownInfo──► Closed
//!                                                     Connecting ◄──ConnectionInfo──┘
//! ```
//!
//! One file a family of commands; this one dispatches. The decoder stands beside the state, because a command's octets
//! are slices of what it read.

mod acknowledge;
mod answer;
mod aside;
mod confirm;
mod connection;
mod consumers;
mod control;
mod deliver;
mod destinations;
mod error;
mod inactivity;
mod negotiate;
mod options;
mod producers;
mod pull;
mod remove;
mod restored;
mod said_again;
mod send;
mod subscribe;
mod transaction;

use crate::codec::connection::ConnectionInfo;
use crate::codec::{CodecOptions, Command, Decoder, Encoder};
use crate::limits::WIRE_FORMAT_INFO_BYTES_MAX;
use crate::mapping::{BrokerFacts, Names, Outgoing};
use bytes::BytesMut;
use confirm::{Confirmations, Reply};
use consumers::Consumers;
use error::PeerError;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Request};
use inactivity::Inactivity;
use negotiate::Agreed;
pub use options::{SessionLimits, SessionOptions};
use producers::Producers;
use restored::Restored;
use said_again::SaidAgain;
use std::collections::HashSet;
use std::sync::Arc;
use transaction::Transactions;

/// With so much on its way to it a client is not read, and its silence means nothing. Bytes; at most where the server
/// stops reading.
const UNREAD_BYTES_MAX: usize = 1024 * 1024;

/// An OpenWire connection.
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
    /// WireFormatInfo has not come.
    Fresh,
    /// ConnectionInfo has not come.
    Agreed,
    /// The broker has not answered it.
    Connecting,
    /// It works.
    Open,
    /// The client took its connection back; the broker was told so or is being asked. The transport stays: a pool or a
    /// resource adapter introduces its next user on it.
    Removed,
    /// ShutdownInfo came: nothing more is read.
    Ending,
    /// Nothing more is read or written.
    Closed,
}

/// Everything but the decoder.
#[derive(Debug)]
struct State {
    options: SessionOptions,
    phase: Phase,
    agreed: Option<Agreed>,
    encoder: Encoder,
    /// Why the last command could not be written.
    unwritable: Option<String>,
    /// Who is connected, from its ConnectionInfo on until the broker forgot it.
    client: Option<Client>,
    /// When the last ConnectionInfo came.
    introduced: Option<MonoTime>,
    /// A client says BrokerInfo once at most.
    has_broker_info: bool,
    /// Sessions of JMS. −1, the one for advisories, is there without being introduced.
    sessions: HashSet<i64>,
    producers: Producers,
    consumers: Consumers,
    transactions: Transactions,
    restored: Restored,
    said_again: SaidAgain,
    confirmations: Confirmations,
    inactivity: Inactivity,
    names: Names,
    outgoing: Outgoing,
}

/// Who is connected.
#[derive(Debug)]
struct Client {
    /// The connection's id.
    name: Arc<str>,
    /// `clientID` of JMS.
    client_id: Option<Arc<str>>,
    /// It understands ConnectionControl.
    is_manageable: bool,
    /// It comes back after a failure and sends again what it does not know to have arrived.
    is_fault_tolerant: bool,
}

impl Client {
    fn new(name: Arc<str>, info: &ConnectionInfo) -> Self {
        Self {
            name,
            client_id: info.client_id.clone().filter(|id| !id.trim().is_empty()),
            is_manageable: info.manageable,
            is_fault_tolerant: info.fault_tolerant,
        }
    }
}

/// What a call may write to.
struct Context<'c> {
    now: Now,
    requests: &'c mut Vec<Request>,
    out: &'c mut Outbox,
}

/// What a command led to.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Done {
    /// It is done: answered at once if it asked for that.
    Now,
    /// Its answer comes later, or was written.
    Later,
    /// The connection ends.
    Closes(Closing),
}

impl Session {
    /// A connection on which nothing was read yet.
    #[must_use]
    pub fn new(options: SessionOptions) -> Self {
        let codec = CodecOptions::before_negotiation(WIRE_FORMAT_INFO_BYTES_MAX);
        let outgoing = Outgoing::new(BrokerFacts {
            id: Arc::clone(&options.broker_id),
            name: Arc::clone(&options.broker_name),
            url: Arc::clone(&options.broker_url),
        });
        let state = State {
            phase: Phase::Fresh,
            agreed: None,
            encoder: Encoder::new(codec.clone()),
            unwritable: None,
            client: None,
            introduced: None,
            has_broker_info: false,
            sessions: HashSet::new(),
            producers: Producers::default(),
            consumers: Consumers::default(),
            transactions: Transactions::default(),
            restored: Restored::default(),
            said_again: SaidAgain::default(),
            confirmations: Confirmations::default(),
            inactivity: Inactivity::default(),
            names: Names::default(),
            outgoing,
            options,
        };
        Self { decoder: Decoder::new(codec), state, left: 0 }
    }

    /// Does something and looks at what it wrote.
    fn step(
        &mut self,
        now: Now,
        requests: &mut Vec<Request>,
        out: &mut Outbox,
        act: impl FnOnce(&mut Decoder, &mut State, &mut Context<'_>) -> Closing,
    ) -> Closing {
        let before = out.put_total();
        let mut cx = Context { now, requests, out };
        if self.state.inactivity.start(now.mono) {
            self.state.offer(&mut cx);
        }
        let closing = act(&mut self.decoder, &mut self.state, &mut cx);
        self.state.after_transactions(&mut cx);
        if out.put_total() != before {
            self.state.inactivity.wrote(now.mono);
        }
        match self.state.unwritable.take() {
            Some(text) if closing == Closing::No => {
                self.state.phase = Phase::Closed;
                Closing::PeerError(text)
            }
            Some(_) | None => closing,
        }
    }
}

impl ferrymq_model::Session for Session {
    fn receive(&mut self, now: Now, input: &mut BytesMut, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        if input.len() > self.left {
            self.state.inactivity.heard(now.mono);
        }
        let closing = self.step(now, requests, out, |decoder, state, cx| receive(decoder, state, cx, input));
        self.left = input.len();
        closing
    }

    fn handle(&mut self, now: Now, event: Event, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.step(now, requests, out, |decoder, state, cx| {
            let was = state.phase;
            let closing = state.handle(cx, event);
            if was == Phase::Connecting
                && state.phase == Phase::Open
                && let Some(agreed) = &state.agreed
            {
                decoder.set_max_frame(agreed.codec.max_frame);
            }
            closing
        })
    }

    fn input_ended(&mut self, now: Now, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.step(now, requests, out, |_, state, cx| state.input_ended(cx))
    }

    fn written(&mut self, _now: Now, total: u64, requests: &mut Vec<Request>) {
        self.state.consumers.tell_written(total, requests);
    }

    fn tick(&mut self, now: Now, requests: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        self.step(now, requests, out, |_, state, cx| state.tick(cx))
    }

    fn next_tick(&self) -> Option<MonoTime> {
        self.state.next_tick()
    }
}

/// Takes every complete frame out of `input`.
fn receive(decoder: &mut Decoder, state: &mut State, cx: &mut Context<'_>, input: &mut BytesMut) -> Closing {
    loop {
        if matches!(state.phase, Phase::Ending | Phase::Closed) {
            input.clear();
            return Closing::No;
        }
        let mut command = match decoder.decode(input) {
            Ok(Some(command)) => command,
            Ok(None) => return Closing::No,
            Err(malformed) => {
                input.clear();
                return state.malformed(cx, &malformed.to_string());
            }
        };
        let closing = if let (Phase::Fresh, Command::WireFormatInfo(info)) = (state.phase, &command) {
            let closing = state.agree(cx, info);
            if let Some(agreed) = &state.agreed {
                let mut codec = agreed.codec.clone();
                codec.max_frame = codec.max_frame.min(state.options.limits.login_frame_bytes_max);
                *decoder = Decoder::new(codec);
            }
            closing
        } else {
            let closing = state.command(cx, &mut command);
            decoder.reuse(command);
            closing
        };
        if closing != Closing::No {
            input.clear();
            return closing;
        }
    }
}

impl State {
    /// Carries a command out and answers it.
    fn command(&mut self, cx: &mut Context<'_>, command: &mut Command) -> Closing {
        let reply = reply_of(command);
        let result = match self.phase {
            Phase::Fresh => Err(PeerError::state("the first command is not a WireFormatInfo").fatal()),
            Phase::Agreed | Phase::Removed => self.command_of_stranger(cx, command, reply),
            Phase::Connecting | Phase::Open => self.command_of_client(cx, command, reply),
            Phase::Ending | Phase::Closed => Ok(Done::Later),
        };
        match result {
            Ok(Done::Now) => {
                self.respond(cx, reply);
                Closing::No
            }
            Ok(Done::Later) => Closing::No,
            Ok(Done::Closes(closing)) => closing,
            Err(error) => self.answer_error(cx, reply, &error),
        }
    }

    fn command_of_client(
        &mut self,
        cx: &mut Context<'_>,
        command: &mut Command,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        if self.restored.is_listening() {
            self.restored.hear(command, number_of(command).map_or(0, |(number, _)| number));
        }
        self.said_again.hear(command);
        match command {
            Command::Message(message) => self.send(cx, message, reply),
            Command::MessageAck(ack) => self.acknowledge(cx, ack, reply),
            Command::MessagePull(pull) => self.pull(cx, pull),
            Command::TransactionInfo(info) => self.transaction(cx, info, reply),
            Command::SessionInfo(info) => self.add_session(info),
            Command::ProducerInfo(info) => self.add_producer(cx, info, reply),
            Command::ConsumerInfo(info) => self.subscribe(cx, std::mem::take(info), reply),
            Command::RemoveInfo(info) => self.remove(cx, info, reply),
            Command::RemoveSubscriptionInfo(info) => self.remove_subscription(cx, info, reply),
            Command::DestinationInfo(info) => self.destination(cx, info, reply),
            Command::ConsumerControl(control) => self.consumer_control(cx, control),
            Command::FlushCommand(_) => self.flush(cx, reply),
            Command::ConnectionInfo(info) => Err(self.connected_already(info)),
            other => self.command_of_stranger(cx, other, reply),
        }
    }

    fn handle(&mut self, cx: &mut Context<'_>, event: Event) -> Closing {
        if self.phase == Phase::Closed {
            return Closing::No;
        }
        match event {
            Event::Deliver(delivery) => self.deliver(cx, delivery),
            Event::Confirmed { token } => return self.confirmed(cx, token),
            Event::Refused { token, refusal } => return self.refused(cx, token, &refusal),
            Event::BrowseEnd { subscription } => self.put_nothing(cx, subscription),
            Event::SubscriptionEnded { subscription, refusal: _ } => self.subscription_ended(cx, subscription),
            Event::Prepared { token, vote } => return self.prepared(cx, token, vote),
            Event::InDoubt { token, xids } => self.in_doubt(cx, token, &xids),
            Event::BranchEnded { transaction, is_committed } => self.branch_ended(transaction, is_committed),
            Event::Pause => self.inactivity.pause(),
            Event::Resume => self.inactivity.resume(cx.now.mono),
            Event::Closed { refusal } => {
                self.phase = Phase::Closed;
                return Closing::PeerError(refusal.text);
            }
            // No command of OpenWire asks for these.
            Event::Inspected { .. } | Event::Purged { .. } => {}
        }
        Closing::No
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> Closing {
        let now = cx.now.mono;
        match self.phase {
            Phase::Fresh if now >= self.inactivity.since_start(self.options.negotiation_timeout_ms) => {
                self.phase = Phase::Closed;
                return Closing::PeerError("wire format negotiation timeout: peer did not send its wire format".into());
            }
            Phase::Agreed | Phase::Connecting if now >= self.login_until() => {
                let text = format!("no ConnectionInfo within {} ms", self.options.login_timeout_ms);
                return self.fail(cx, None, &PeerError::state(text));
            }
            Phase::Fresh | Phase::Agreed | Phase::Connecting => {}
            // It is not read before it reads; whoever takes nothing at all is the server's to end.
            Phase::Open | Phase::Removed if cx.out.len() >= UNREAD_BYTES_MAX => self.inactivity.heard(now),
            Phase::Open | Phase::Removed => {
                if let Some(max_ms) = self.inactivity.silent_for(now) {
                    self.phase = Phase::Closed;
                    return Closing::PeerError(format!("channel was inactive for too (>{max_ms}) long"));
                }
            }
            Phase::Ending | Phase::Closed => return Closing::No,
        }
        if self.inactivity.is_due(now) {
            self.put_keep_alive(cx, 0);
        }
        self.end_quiet(cx);
        self.end_overdue_pulls(cx)
    }

    fn next_tick(&self) -> Option<MonoTime> {
        if !self.inactivity.is_started() {
            // At once: our WireFormatInfo waits for nothing.
            return Some(MonoTime(0));
        }
        match self.phase {
            Phase::Fresh => Some(self.inactivity.since_start(self.options.negotiation_timeout_ms)),
            Phase::Agreed | Phase::Connecting => Some(self.login_until()),
            Phase::Open | Phase::Removed => {
                let deadlines = self.consumers.next_deadline().into_iter().chain(self.next_quiet());
                self.inactivity.next_tick().into_iter().chain(deadlines).min()
            }
            Phase::Ending | Phase::Closed => None,
        }
    }

    fn login_until(&self) -> MonoTime {
        match (self.phase, self.introduced) {
            (Phase::Connecting, Some(introduced)) => {
                MonoTime(introduced.0.saturating_add(self.options.login_timeout_ms))
            }
            _ => self.inactivity.since_start(self.options.login_timeout_ms),
        }
    }
}

/// The response that a command waits for.
fn reply_of(command: &Command) -> Reply {
    number_of(command).and_then(|(number, is_asked)| is_asked.then_some(number))
}

/// The number that the client gave a command, and whether it waits for a response.
#[inline]
fn number_of(command: &Command) -> Option<(i32, bool)> {
    Some(match command {
        Command::Message(it) => (it.fields.command_id, it.fields.response_required),
        Command::MessageAck(it) => (it.command_id, it.response_required),
        Command::MessagePull(it) => (it.command_id, it.response_required),
        Command::TransactionInfo(it) => (it.command_id, it.response_required),
        Command::SessionInfo(it) => (it.command_id, it.response_required),
        Command::ProducerInfo(it) => (it.command_id, it.response_required),
        Command::ConsumerInfo(it) => (it.command_id, it.response_required),
        Command::RemoveInfo(it) => (it.command_id, it.response_required),
        Command::RemoveSubscriptionInfo(it) => (it.command_id, it.response_required),
        Command::DestinationInfo(it) => (it.command_id, it.response_required),
        Command::ConsumerControl(it) => (it.command_id, it.response_required),
        Command::ConnectionInfo(it) => (it.command_id, it.response_required),
        Command::ConnectionControl(it) => (it.command_id, it.response_required),
        Command::ConnectionError(it) => (it.command_id, it.response_required),
        Command::ControlCommand(it) => (it.command_id, it.response_required),
        Command::FlushCommand(it) => (it.command_id, it.response_required),
        Command::ShutdownInfo(it) => (it.command_id, it.response_required),
        Command::BrokerInfo(it) => (it.command_id, it.response_required),
        Command::ProducerAck(it) => (it.command_id, it.response_required),
        Command::MessageDispatch(it) => (it.command_id, it.response_required),
        Command::MessageDispatchNotification(it) => (it.command_id, it.response_required),
        Command::BrokerSubscriptionInfo(it) => (it.command_id, it.response_required),
        Command::ReplayCommand(it) => (it.command_id, it.response_required),
        // It is answered by its like, not by a response.
        Command::KeepAliveInfo(_)
        // Nobody answers answers.
        | Command::Response(_)
        | Command::ExceptionResponse(_)
        | Command::DataResponse(_)
        | Command::DataArrayResponse(_)
        | Command::IntegerResponse(_)
        // These have no number.
        | Command::WireFormatInfo(_)
        | Command::DiscoveryEvent(_)
        | Command::JournalTopicAck(_)
        | Command::JournalQueueAck(_)
        | Command::JournalTrace(_)
        | Command::JournalTransaction(_)
        | Command::SubscriptionInfo(_)
        | Command::PartialCommand(_)
        | Command::LastPartialCommand(_)
        | Command::NetworkBridgeFilter(_)
        | Command::MessageId(_)
        | Command::Object(_) => return None,
    })
}
