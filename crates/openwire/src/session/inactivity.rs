//! KeepAliveInfo both ways, and the time a stranger has to introduce itself.
//!
//! Both sides agree on the longest silence. Each writes something within a third of it, and gives the other up after the
//! whole of it.

use ferrymq_model::MonoTime;

/// Time of one connection.
#[derive(Debug, Default)]
pub(super) struct Inactivity {
    /// Of the first call.
    started: Option<MonoTime>,
    /// The longest silence; 0: any. Milliseconds.
    max_ms: u64,
    /// Silence before this means nothing.
    initial_until: MonoTime,
    last_heard: MonoTime,
    last_written: MonoTime,
    /// The connection is not read: silence means nothing.
    is_paused: bool,
}

impl Inactivity {
    /// The first call tells when the connection began. Whether this was the first.
    pub(super) fn start(&mut self, now: MonoTime) -> bool {
        let is_first = self.started.is_none();
        self.started.get_or_insert(now);
        is_first
    }

    pub(super) fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// So long after the start.
    pub(super) fn since_start(&self, ms: u64) -> MonoTime {
        self.started.map_or(MonoTime(0), |started| MonoTime(started.0.saturating_add(ms)))
    }

    /// Both sides agreed.
    pub(super) fn agree(&mut self, now: MonoTime, max_ms: u64, initial_delay_ms: u64) {
        self.max_ms = max_ms;
        self.initial_until = MonoTime(now.0.saturating_add(initial_delay_ms));
        self.last_heard = now;
        self.last_written = now;
    }

    pub(super) fn heard(&mut self, now: MonoTime) {
        self.last_heard = now;
    }

    #[allow(dead_code, reason = "not used before the connection opens")]
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

    /// The longest silence, once it has lasted that long. Milliseconds.
    pub(super) fn silent_for(&self, now: MonoTime) -> Option<u64> {
        let until = self.heard_until()?;
        (now >= until).then_some(self.max_ms)
    }

    /// Whether something must be written.
    pub(super) fn is_due(&self, now: MonoTime) -> bool {
        self.write_at().is_some_and(|at| now >= at)
    }

    pub(super) fn next_tick(&self) -> Option<MonoTime> {
        self.write_at().into_iter().chain(self.heard_until()).min()
    }

    fn write_at(&self) -> Option<MonoTime> {
        let interval_ms = if self.max_ms > 3 { self.max_ms / 3 } else { self.max_ms };
        (self.max_ms > 0).then(|| MonoTime(self.last_written.0.saturating_add(interval_ms)))
    }

    fn heard_until(&self) -> Option<MonoTime> {
        let since = self.last_heard.max(self.initial_until);
        (self.max_ms > 0 && !self.is_paused).then(|| MonoTime(since.0.saturating_add(self.max_ms)))
    }
}
