//! Drives one TCP connection: reads, steps, writes, once per wake-up.
//!
//! ```text
//!   wake-up: events ─► session ─► outbox          read ≤ 4 times ─► session ─► requests ─► core
//!                          own events ◄───────────────────────────────────────────┘
//!                          └─► outbox ─► write once ─► settled by writing ─► core
//! ```
//!
//! Invariants worth naming:
//! - Nothing is read while the broker asked to pause, while requests wait for room in the core, or while the outbox is
//!   above its high-water mark; above it events stay in the mailbox, where credit bounds them.
//! - The outbox is written once per wake-up, after everything that the wake-up put into it. Who wakes up is the task or,
//!   for a connection at rest, the journal's thread: see `task.rs`.
//! - An idle connection owns no buffer, and no timer: the core's tick wakes it at its deadline.
//! - A peer that only stopped sending is answered to the end, within a bound.
//! - The core hears of the end exactly once, whatever ends the connection.

mod task;

use super::detect::{self, Detected};
use super::pool::{Workshop, with_workshop};
use super::{Net, Place};
use crate::core::{Entered, Stage};
use crate::mailbox::{Mailbox, NEVER};
use bytes::BytesMut;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Request, Session, SessionId};
use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
pub(crate) use task::Task;
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Bytes that wait to be written before no more events are encoded and nothing more is read.
const HIGH_WATER_BYTES: usize = 1024 * 1024;
/// Reads of one wake-up, before others get their turn.
const READS_PER_WAKE_MAX: usize = 4;
/// Rounds of one wake-up, before others get their turn.
const ROUNDS_PER_WAKE_MAX: usize = 8;
/// How long the last bytes to a peer that broke the protocol may take, and how long its own are still read so that it
/// sees them: a socket that is closed over unread bytes is reset.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes of a peer that broke the protocol that are read and forgotten, so that it sees why.
const FAREWELL_BYTES_MAX: usize = 1024 * 1024;

/// How long a peer that will send nothing more is still answered: what it asked, and what was on its way to it.
const OWED: Duration = Duration::from_secs(10);

/// How often a connection that does not read looks whether its peer is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    net: Arc<Net>,
    place: Place,
    stream: TcpStream,
    peer: SocketAddr,
    phase: Phase,
    /// The place in the core, from accepting to the last byte.
    id: SessionId,
    mailbox: Arc<Mailbox>,
    /// Whether the node knows of the session: it asked something.
    known: bool,
    input: BytesMut,
    outbox: Outbox,
    /// Taken from the mailbox, not yet encoded.
    events: VecDeque<Event>,
    /// Refused by a full inbox.
    held: Vec<Request>,
    /// The broker asked to read no more.
    paused: bool,
    /// Ends the wait for the first bytes; `NEVER` once they told the protocol, whose session waits for the login.
    login_by: MonoTime,
    /// Ends the wait for a peer that takes nothing; `NEVER` while nothing waits.
    written_by: MonoTime,
    /// Ends the answers to a peer that will send nothing more; `NEVER` while it may.
    owed_by: MonoTime,
    /// Ends the wait for room of a peer that went away meanwhile; `NEVER` while it is there or is read.
    gone_by: MonoTime,
}

/// How far a connection is.
enum Phase {
    /// The first bytes have not told the protocol.
    Detecting,
    /// It works.
    Open(Box<dyn Session>),
    /// The last bytes are on their way; nothing more is asked of the broker after them.
    Finishing(Box<dyn Session>, MonoTime),
    /// Everything is written; the peer's own bytes are read and forgotten until it closes.
    Lingering { until: MonoTime, bytes_left: usize },
    /// The task ended.
    Over,
}

/// Whether a wake-up goes on.
#[derive(PartialEq, Eq)]
enum Round {
    /// Something changed: look again.
    Again,
    /// There is more, but others have their turn first.
    Yield,
    /// Nothing left to do.
    Idle,
    /// The connection is over.
    Over,
}

impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Detecting => "Detecting",
            Self::Open(_) => "Open",
            Self::Finishing(..) => "Finishing",
            Self::Lingering { .. } => "Lingering",
            Self::Over => "Over",
        })
    }
}

impl Connection {
    /// A connection that was just accepted. `protocol` is `None` where the first bytes choose it.
    pub(crate) fn new(
        net: Arc<Net>,
        place: Place,
        stream: TcpStream,
        peer: SocketAddr,
        protocol: Option<detect::Protocol>,
    ) -> Self {
        let login_by = after(net.core.clock().mono(), net.login_timeout);
        let (id, mailbox) = net.core.open();
        let mut connection = Self {
            net,
            place,
            stream,
            peer,
            phase: Phase::Detecting,
            id,
            mailbox,
            known: false,
            input: BytesMut::new(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            held: Vec::new(),
            paused: false,
            login_by,
            written_by: NEVER,
            owed_by: NEVER,
            gone_by: NEVER,
        };
        if let Some(protocol) = protocol {
            connection.open(protocol);
        }
        connection
    }

    fn open(&mut self, protocol: detect::Protocol) {
        let session = detect::session(protocol, &self.net.sessions, self.place.number, self.peer);
        // From here on the session itself waits for the login.
        self.login_by = NEVER;
        self.phase = Phase::Open(session);
    }

    fn round(&mut self, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        let now = self.net.core.clock().now();
        match self.phase {
            Phase::Detecting => self.detect(now, shop, context),
            Phase::Open(_) => self.work(now, shop, context),
            Phase::Finishing(..) => self.finish(now, shop, context),
            Phase::Lingering { .. } => self.linger(now, shop, context),
            Phase::Over => Round::Over,
        }
    }

    fn detect(&mut self, now: Now, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        if now.mono >= self.login_by || self.net.core.stage() != Stage::Running {
            self.log_peer("said nothing before the login timeout");
            return Round::Over;
        }
        match self.read(shop, context) {
            Read::Bytes => {}
            Read::Nothing => return Round::Idle,
            Read::End | Read::Failed => return Round::Over,
        }
        match detect::detect(&self.input) {
            Detected::Protocol(protocol) => {
                self.open(protocol);
                self.receive(now, shop);
                self.enter_from_shop(shop, context.waker());
                Round::Again
            }
            Detected::NeedMore => Round::Again,
            Detected::Unknown => {
                self.log_peer("speaks no protocol that is served here (STOMP and OpenWire are)");
                Round::Over
            }
        }
    }

    /// One round of an open connection.
    fn work(&mut self, now: Now, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        if self.enter(&mut Vec::new(), shop, context.waker()) == Entered::Full {
            return self.write(now, shop, context);
        }
        self.look_for_peer(now, context);
        if let Some(over) = self.check_time(now, shop) {
            return over;
        }
        self.handle_events(now, shop, HIGH_WATER_BYTES);
        let mut reads = 0;
        let mut waits_for_input = false;
        while matches!(self.phase, Phase::Open(_)) && reads < READS_PER_WAKE_MAX && self.may_read() {
            match self.read(shop, context) {
                Read::Bytes => {
                    reads += 1;
                    self.receive(now, shop);
                }
                Read::Nothing => {
                    waits_for_input = true;
                    break;
                }
                Read::End => self.end_input(now, shop),
                Read::Failed => {
                    // What came before the end still counts.
                    self.enter_from_shop(shop, context.waker());
                    return Round::Over;
                }
            }
        }
        self.enter_from_shop(shop, context.waker());
        if self.held.is_empty() {
            self.handle_events(now, shop, HIGH_WATER_BYTES);
            self.enter_from_shop(shop, context.waker());
        }
        match self.write(now, shop, context) {
            Round::Idle if matches!(self.phase, Phase::Finishing(..)) => Round::Again,
            Round::Idle if reads == READS_PER_WAKE_MAX => Round::Yield,
            // What kept it from reading is gone: nobody would wake it for what came meanwhile.
            Round::Idle if !waits_for_input && self.may_read() => Round::Again,
            round => round,
        }
    }

    /// Whether the bytes of the peer may be read now.
    fn may_read(&self) -> bool {
        !self.paused
            && self.owed_by == NEVER
            && self.held.is_empty()
            && self.events.is_empty()
            && self.outbox.len() < HIGH_WATER_BYTES
            && self.net.core.stage() == Stage::Running
    }

    /// Timeouts, heart-beats and the server's end. `Some`: the round is over.
    fn check_time(&mut self, now: Now, shop: &mut Workshop) -> Option<Round> {
        if now.mono >= self.written_by {
            self.log_peer("took nothing of what waits for it before the write-stall timeout");
            return Some(Round::Over);
        }
        if now.mono >= self.owed_by {
            return Some(Round::Over);
        }
        if now.mono >= self.gone_by {
            self.log_peer("went away while flow control held it back, and there was no room for the rest in time");
            return Some(Round::Over);
        }
        if self.net.core.stage() >= Stage::Closing {
            self.finish_by(now, Duration::from_secs(1));
            return Some(Round::Again);
        }
        let Phase::Open(session) = &mut self.phase else { return None };
        if session.next_tick().is_some_and(|at| at <= now.mono) {
            let closing = session.tick(now, &mut shop.requests, &mut self.outbox);
            self.heed(closing, now);
        }
        None
    }

    /// Who is paused does not read, and so would not see that its peer left; what it holds as a consumer might be
    /// just what makes the room that it waits for. What the peer sent before it left may still find room for a while.
    fn look_for_peer(&mut self, now: Now, context: &mut Context<'_>) {
        if !self.paused || self.owed_by != NEVER {
            self.gone_by = NEVER;
        } else if self.gone_by == NEVER
            && let Poll::Ready(Ok(ready)) = pin!(self.stream.ready(Interest::READABLE)).poll(context)
            && ready.is_read_closed()
        {
            self.gone_by = after(now.mono, self.net.write_stall_timeout);
        }
    }

    /// Lets the session take what is in the input.
    fn receive(&mut self, now: Now, shop: &mut Workshop) {
        self.lend_output(shop);
        if let Phase::Open(session) = &mut self.phase {
            let closing = session.receive(now, &mut self.input, &mut shop.requests, &mut self.outbox);
            self.heed(closing, now);
        }
    }

    /// The peer shut down its side, or is gone: which of the two only writing tells.
    fn end_input(&mut self, now: Now, shop: &mut Workshop) {
        self.owed_by = after(now.mono, OWED);
        self.lend_output(shop);
        if let Phase::Open(session) = &mut self.phase {
            let closing = session.input_ended(now, &mut shop.requests, &mut self.outbox);
            self.heed(closing, now);
        }
    }

    /// Encodes events until `bytes_max` wait to be written.
    fn handle_events(&mut self, now: Now, shop: &mut Workshop, bytes_max: usize) {
        while let Phase::Open(session) | Phase::Finishing(session, _) = &mut self.phase {
            if self.events.is_empty() {
                self.mailbox.take(&mut self.events);
                if self.events.is_empty() {
                    break;
                }
                if self.outbox.is_empty() {
                    self.outbox.lend_buffer(shop.take_output());
                }
            }
            if self.outbox.len() >= bytes_max {
                break;
            }
            let Some(event) = self.events.pop_front() else { break };
            match event {
                Event::Pause => self.paused = true,
                Event::Resume => self.paused = false,
                _ => {}
            }
            let closing = session.handle(now, event, &mut shop.requests, &mut self.outbox);
            if closing != Closing::No {
                self.heed(closing, now);
            }
        }
    }

    /// Steps what the session asked.
    fn enter_from_shop(&mut self, shop: &mut Workshop, waker: &Waker) {
        let mut requests = std::mem::take(&mut shop.requests);
        self.enter(&mut requests, shop, waker);
        shop.requests = requests;
    }

    /// Steps what an earlier entry left over, then `requests`; what the core has no room for is held.
    fn enter(&mut self, requests: &mut Vec<Request>, shop: &mut Workshop, waker: &Waker) -> Entered {
        self.known |= !requests.is_empty();
        if !self.held.is_empty() {
            self.held.append(requests);
            let entered = self.net.core.enter(self.id, &mut self.held, &mut shop.scratch, waker);
            if entered == Entered::Taken {
                self.held = Vec::new();
            }
            return entered;
        }
        if requests.is_empty() {
            return Entered::Taken;
        }
        let entered = self.net.core.enter(self.id, requests, &mut shop.scratch, waker);
        if entered == Entered::Full {
            self.held.append(requests);
        }
        entered
    }

    /// Writes what waits, and settles what is settled by that.
    fn write(&mut self, now: Now, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        if self.outbox.is_empty() {
            return Round::Idle;
        }
        let before = self.outbox.len();
        loop {
            if self.outbox.is_empty() {
                self.written_by = NEVER;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(context, self.outbox.front()) {
                Poll::Ready(Ok(count)) if count > 0 => self.outbox.advance(count),
                Poll::Ready(Ok(_)) => return Round::Over,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(peer = %self.peer, %error, "connection lost while writing");
                    return Round::Over;
                }
                Poll::Pending => {
                    if self.outbox.len() < before || self.written_by == NEVER {
                        self.written_by = after(now.mono, self.net.write_stall_timeout);
                    }
                    break;
                }
            }
        }
        if self.outbox.len() == before {
            return Round::Idle;
        }
        self.settle_written(now, shop, context.waker());
        // Below the mark again: what stayed in the mailbox goes on.
        if self.events.is_empty() { Round::Idle } else { Round::Again }
    }

    /// Tells the session how much has left, and the core what that settles.
    fn settle_written(&mut self, now: Now, shop: &mut Workshop, waker: &Waker) {
        let written = self.outbox.put_total() - self.outbox.len() as u64;
        if let Phase::Open(session) | Phase::Finishing(session, _) = &mut self.phase {
            session.written(now, written, &mut shop.requests);
        }
        self.enter_from_shop(shop, waker);
    }

    fn heed(&mut self, closing: Closing, now: Now) {
        match closing {
            Closing::No => {}
            Closing::AfterFlush => self.finish_by(now, self.net.write_stall_timeout),
            Closing::PeerError(reason) => {
                self.log_peer(&reason);
                self.finish_by(now, FAREWELL);
            }
        }
    }

    fn finish_by(&mut self, now: Now, within: Duration) {
        match std::mem::replace(&mut self.phase, Phase::Detecting) {
            Phase::Open(session) => self.phase = Phase::Finishing(session, after(now.mono, within)),
            other => self.phase = other,
        }
    }

    fn finish(&mut self, now: Now, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        let Phase::Finishing(_, until) = self.phase else { return Round::Again };
        if self.net.core.stage() >= Stage::Closing {
            // The journal came to rest before this stage: confirmations that were waited for are in the mailbox.
            self.handle_events(now, shop, HIGH_WATER_BYTES);
        }
        self.enter_from_shop(shop, context.waker());
        if self.write(now, shop, context) == Round::Over || now.mono >= until {
            return Round::Over;
        }
        if !self.outbox.is_empty() {
            return Round::Idle;
        }
        self.leave_core(shop);
        // A TCP socket is shut down at once.
        if Pin::new(&mut self.stream).poll_shutdown(context).is_pending() {
            return Round::Over;
        }
        self.phase = Phase::Lingering { until: after(now.mono, FAREWELL), bytes_left: FAREWELL_BYTES_MAX };
        Round::Again
    }

    fn linger(&mut self, now: Now, shop: &mut Workshop, context: &mut Context<'_>) -> Round {
        let Phase::Lingering { until, bytes_left } = &mut self.phase else { return Round::Over };
        if now.mono >= *until || *bytes_left == 0 || self.net.core.stage() != Stage::Running {
            return Round::Over;
        }
        *bytes_left = bytes_left.saturating_sub(self.input.len());
        self.input.clear();
        match self.read(shop, context) {
            Read::Bytes => Round::Again,
            Read::Nothing => Round::Idle,
            Read::End | Read::Failed => Round::Over,
        }
    }

    fn read(&mut self, shop: &mut Workshop, context: &mut Context<'_>) -> Read {
        shop.provide_input(&mut self.input);
        // Through poll_read and not try_read: after a read that did not fill the buffer it knows that the socket is
        // empty, which saves the system call that would say so.
        match pin!(self.stream.read_buf(&mut self.input)).poll(context) {
            Poll::Ready(Ok(0)) => Read::End,
            Poll::Ready(Ok(_)) => Read::Bytes,
            Poll::Ready(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "connection lost while reading");
                Read::Failed
            }
            Poll::Pending => Read::Nothing,
        }
    }

    fn lend_output(&mut self, shop: &mut Workshop) {
        if self.outbox.is_empty() {
            self.outbox.lend_buffer(shop.take_output());
        }
    }

    /// Tells the node that the session is over, unless it never knew or was told.
    fn leave_core(&mut self, shop: &mut Workshop) {
        let mut last = std::mem::take(&mut self.held);
        last.append(&mut shop.requests);
        if self.known || !last.is_empty() {
            self.known = false;
            last.push(Request::Disconnect);
            self.net.core.depart(self.id, &mut last, &mut shop.scratch);
        }
    }

    /// Asks to be woken and gives buffers back. `false`: there is something to do already.
    fn rest(&mut self, shop: &mut Workshop, waker: &Waker, stage: Stage) -> bool {
        let mut deadline = self.login_by.min(self.written_by).min(self.owed_by).min(self.gone_by);
        if self.paused && self.gone_by == NEVER {
            deadline = deadline.min(after(self.net.core.clock().mono(), LOOK_EVERY));
        }
        match &self.phase {
            Phase::Open(session) => deadline = session.next_tick().map_or(deadline, |at| at.min(deadline)),
            Phase::Finishing(_, until) | Phase::Lingering { until, .. } => deadline = deadline.min(*until),
            Phase::Detecting | Phase::Over => {}
        }
        self.net.core.set_deadline(&self.mailbox, deadline);
        let deaf = self.outbox.len() >= HIGH_WATER_BYTES || !self.held.is_empty();
        // The stage is looked at after the waker is there: whoever changes it wakes who waits.
        if !self.mailbox.wait(waker, deaf) || self.net.core.stage() != stage {
            return false;
        }
        shop.reclaim_input(&mut self.input);
        if self.outbox.is_empty() {
            shop.reclaim_output(self.outbox.release_buffer());
        }
        if self.events.is_empty() {
            shop.reclaim_events(&mut self.events);
        }
        true
    }

    fn log_peer(&self, what: &str) {
        self.net.log_peer(self.peer, what);
    }
}

/// What a read gave.
enum Read {
    Bytes,
    Nothing,
    End,
    Failed,
}

impl Drop for Connection {
    /// For a task that is dropped with its runtime.
    fn drop(&mut self) {
        with_workshop(|shop| self.leave_core(shop));
        self.net.core.close(self.id);
    }
}

fn after(now: MonoTime, span: Duration) -> MonoTime {
    MonoTime(now.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
