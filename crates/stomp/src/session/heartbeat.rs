//! Heart-beats both ways, and the time a stranger has for CONNECT.
//!
//! The broker takes whatever the client offers and wants, as ActiveMQ does: CONNECTED repeats the client's two numbers
//! swapped, not below [`HeartBeatOptions::interval_ms_min`]. It writes a line end a fifth of the interval before it
//! is due, so that the way over the network does not make it late.

use super::PeerError;
use ferrymq_model::MonoTime;

/// Heart-beats as configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeartBeatOptions {
    /// No heart-beat is more frequent, whatever the client wishes. Milliseconds.
    pub interval_ms_min: u32,
    /// A client without the header `heart-beat` is taken to have written this: what it sends and what it wants.
    /// Milliseconds, 0 is none.
    pub default: (u32, u32),
    /// A client is given up after so much of the agreed interval. Percent, at least 100.
    pub grace_percent: u32,
}

impl Default for HeartBeatOptions {
    fn default() -> Self {
        Self { interval_ms_min: 100, default: (0, 0), grace_percent: 200 }
    }
}

#[derive(Debug)]
pub(super) struct HeartBeat {
    options: HeartBeatOptions,
    login_timeout_ms: u64,
    /// Of the first call.
    started: Option<MonoTime>,
    /// What the broker sends; 0: nothing. Milliseconds.
    send_ms: u64,
    /// What the client sends; 0: nothing. Milliseconds.
    receive_ms: u64,
    last_written: MonoTime,
    last_heard: MonoTime,
    /// The connection is not read: silence means nothing.
    is_paused: bool,
}

impl HeartBeat {
    pub(super) fn new(options: HeartBeatOptions, login_timeout_ms: u64) -> Self {
        Self {
            options,
            login_timeout_ms,
            started: None,
            send_ms: 0,
            receive_ms: 0,
            last_written: MonoTime(0),
            last_heard: MonoTime(0),
            is_paused: false,
        }
    }

    /// The first call tells when the connection began.
    pub(super) fn start(&mut self, now: MonoTime) {
        self.started.get_or_insert(now);
    }

    /// When a stranger is given up; at once means "tell me what time it is".
    pub(super) fn login_until(&self) -> MonoTime {
        self.started.map_or(MonoTime(0), |started| MonoTime(started.0.saturating_add(self.login_timeout_ms)))
    }

    /// Takes the client's `heart-beat: <can send>,<wants to get>`.
    pub(super) fn negotiate(&mut self, header: Option<&str>) -> Result<(), PeerError> {
        let (can, wants) = match header {
            None => self.options.default,
            Some(header) => header
                .split_once(',')
                .and_then(|(can, wants)| Some((can.trim().parse().ok()?, wants.trim().parse().ok()?)))
                .ok_or_else(|| PeerError::fatal("the header heart-beat is not two numbers of milliseconds"))?,
        };
        let agreed = |ms: u32| if ms == 0 { 0 } else { u64::from(ms.max(self.options.interval_ms_min)) };
        self.receive_ms = agreed(can);
        self.send_ms = agreed(wants);
        Ok(())
    }

    /// What CONNECTED says: what the broker sends and what it wants.
    pub(super) fn negotiated(&self) -> (u64, u64) {
        (self.send_ms, self.receive_ms)
    }

    pub(super) fn open(&mut self, now: MonoTime) {
        self.last_heard = now;
        self.last_written = now;
    }

    pub(super) fn heard(&mut self, now: MonoTime) {
        self.last_heard = now;
    }

    pub(super) fn wrote(&mut self, now: MonoTime) {
        self.last_written = now;
    }

    pub(super) fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(super) fn resume(&mut self, now: MonoTime) {
        self.is_paused = false;
        self.last_heard = now;
    }

    /// How long the client has been silent, once that is too long. Milliseconds.
    pub(super) fn silent_for(&self, now: MonoTime) -> Option<u64> {
        let until = self.heard_until()?;
        (now >= until).then(|| now.0 - self.last_heard.0)
    }

    pub(super) fn is_due(&self, now: MonoTime) -> bool {
        self.write_at().is_some_and(|at| now >= at)
    }

    pub(super) fn next_tick(&self) -> Option<MonoTime> {
        self.write_at().into_iter().chain(self.heard_until()).min()
    }

    fn write_at(&self) -> Option<MonoTime> {
        (self.send_ms > 0).then(|| MonoTime(self.last_written.0 + self.send_ms - self.send_ms / 5))
    }

    fn heard_until(&self) -> Option<MonoTime> {
        let grace_ms = self.receive_ms * u64::from(self.options.grace_percent.max(100)) / 100;
        (self.receive_ms > 0 && !self.is_paused).then_some(MonoTime(self.last_heard.0 + grace_ms))
    }
}
