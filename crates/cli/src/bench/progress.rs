//! What the two threads of a run and the one that measures them tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::workload::{Pace, Workload};
use crate::output::Failure;

/// A counter on a cache line of its own: each is written by one thread and read by the others.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::AcqRel);
    }
}

/// The state of one run.
pub(super) struct Progress {
    origin: Instant,
    /// In every body, so that what an earlier run left behind is not counted.
    pub(super) run: u64,
    fan_out: u64,
    /// Deliveries that may be under way; none: as many as the sockets take.
    window: Option<u64>,
    /// Messages to send; none: until the time is over.
    limit: Option<u64>,
    /// Messages appended to an output buffer.
    pub(super) sent: Counter,
    /// Receipts that came.
    pub(super) confirmed: Counter,
    /// Messages of this run that came.
    pub(super) received: Counter,
    /// Messages that came and belong to no message of this run.
    pub(super) foreign: Counter,
    /// Whether latencies are recorded.
    pub(super) measuring: AtomicBool,
    /// Producers send nothing more.
    pub(super) sending_over: AtomicBool,
    producers_wait: AtomicBool,
    /// Wakes producers when the window has room, or when sending is over.
    pub(super) room: Notify,
    /// Ends both threads.
    over: tokio::sync::watch::Sender<bool>,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl Progress {
    pub(super) fn new(workload: &Workload, run: u64, limit: Option<u64>) -> Progress {
        let fan_out = workload.fan_out();
        let window = match workload.pace {
            Pace::Window(messages) => Some(messages * fan_out),
            Pace::Rate(_) | Pace::Flood => None,
        };
        Progress {
            origin: Instant::now(),
            run,
            fan_out,
            window,
            limit,
            sent: Counter::default(),
            confirmed: Counter::default(),
            received: Counter::default(),
            foreign: Counter::default(),
            measuring: AtomicBool::new(false),
            sending_over: AtomicBool::new(false),
            producers_wait: AtomicBool::new(false),
            room: Notify::new(),
            over: tokio::sync::watch::Sender::new(false),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// Nanoseconds since the run began.
    pub(super) fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// Deliveries that were sent for and have not come.
    pub(super) fn missing(&self) -> u64 {
        let received = self.received.get();
        (self.sent.get() * self.fan_out).saturating_sub(received)
    }

    /// Messages that may be sent now, for the producers' thread alone. A window that is nearly full counts as full:
    /// one large batch costs less than many small ones.
    pub(super) fn allowance(&self) -> u64 {
        if self.sending_over.load(Ordering::Acquire) {
            return 0;
        }
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.sent.get()));
        let Some(window) = self.window else { return left };
        if self.has_room(window) {
            return left.min(self.room_of(window));
        }
        self.producers_wait.store(true, Ordering::SeqCst);
        // Once more, for what came between the look and the mark.
        if self.has_room(window) { left.min(self.room_of(window)) } else { 0 }
    }

    fn room_of(&self, window: u64) -> u64 {
        window.saturating_sub(self.missing()) / self.fan_out
    }

    fn has_room(&self, window: u64) -> bool {
        let messages = window / self.fan_out;
        self.room_of(window) >= (messages / 4).max(1)
    }

    /// Counts what a consumer read, and wakes the producers when that made room.
    pub(super) fn count_received(&self, count: u64) {
        self.received.0.fetch_add(count, Ordering::SeqCst);
        let Some(window) = self.window else { return };
        if self.producers_wait.load(Ordering::SeqCst) && self.has_room(window) {
            self.producers_wait.store(false, Ordering::SeqCst);
            self.room.notify_waiters();
        }
    }

    /// Whether all messages that were to be sent have been.
    pub(super) fn is_all_sent(&self) -> bool {
        self.limit.is_some_and(|limit| self.sent.get() >= limit)
    }

    /// Producers send nothing more.
    pub(super) fn end_sending(&self) {
        self.sending_over.store(true, Ordering::SeqCst);
        self.room.notify_waiters();
    }

    /// Messages sent whose receipt has not come, in a run with receipts.
    pub(super) fn unconfirmed(&self, receipts: bool) -> u64 {
        if !receipts {
            return 0;
        }
        let confirmed = self.confirmed.get();
        self.sent.get().saturating_sub(confirmed)
    }

    /// Ends both threads.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Waits for [`Progress::end`].
    pub(super) async fn ended(&self) {
        // The sender lives as long as `self`.
        let _alive = self.over.subscribe().wait_for(|over| *over).await.is_ok();
    }

    /// Whether a connection failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Keeps the first failure of a connection.
    pub(super) fn fail(&self, failure: Failure) {
        self.failed.store(true, Ordering::Release);
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    /// Takes the failure, if there was one.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(window: u64, consumers: usize, limit: Option<u64>) -> Progress {
        let kind = super::super::workload::DestinationKind::Topic;
        let workload = Workload { kind, consumers, pace: Pace::Window(window), ..Workload::custom() };
        Progress::new(&workload, 1, limit)
    }

    #[test]
    fn a_window_counts_messages_until_all_their_deliveries_came() {
        let progress = progress(8, 10, None);
        assert_eq!(progress.allowance(), 8);
        progress.sent.add(8);
        assert_eq!(progress.allowance(), 0);
        progress.count_received(19);
        assert_eq!(progress.allowance(), 0, "room for one message is too little to start a batch");
        progress.count_received(1);
        assert_eq!(progress.allowance(), 2);
        assert_eq!(progress.missing(), 60);
    }

    #[test]
    fn the_last_messages_of_a_count_are_allowed_whatever_room_there_is() {
        let progress = progress(100, 1, Some(103));
        progress.sent.add(100);
        assert_eq!(progress.allowance(), 0);
        progress.count_received(100);
        assert_eq!(progress.allowance(), 3);
        progress.sent.add(3);
        assert!(progress.is_all_sent());
        assert_eq!(progress.allowance(), 0);
    }

    #[test]
    fn nothing_is_allowed_when_sending_is_over() {
        let progress = progress(100, 1, None);
        progress.end_sending();
        assert_eq!(progress.allowance(), 0);
    }
}
