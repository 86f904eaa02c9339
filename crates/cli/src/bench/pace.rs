//! Scheduled moments that do not come late: tokio's timers count whole milliseconds, the messages of an open loop
//! are due every few microseconds.

use std::time::Duration;

/// A timer of the operating system that is ready when the time has come.
#[cfg(target_os = "linux")]
pub(super) struct Alarm {
    timer: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Alarm {
    /// A timer that is not set. Call it inside a runtime.
    pub(super) fn new() -> std::io::Result<Alarm> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "sound for an OwnedFd, which always gives the descriptor that it owns")]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Alarm { timer })
    }

    /// Waits so long, to a few microseconds. Dropping the future is harmless: the next wait sets the timer anew.
    pub(super) async fn wait(&self, duration: Duration) -> std::io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Zero would disarm the timer.
        let nanoseconds = duration.as_nanos().clamp(1, u128::from(u32::MAX)) as i64;
        let value = Timespec { tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value: value })?;
        // Setting a timer makes its file unreadable again, so what was seen before does not count.
        self.timer.readable().await?.clear_ready();
        Ok(())
    }
}

/// Elsewhere tokio's timers must do: moments come up to a millisecond late, and the percentiles say so.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    /// A timer that is not set.
    pub(super) fn new() -> std::io::Result<Alarm> {
        Ok(Alarm)
    }

    /// Waits so long, to a millisecond.
    pub(super) async fn wait(&self, duration: Duration) -> std::io::Result<()> {
        tokio::time::sleep(duration).await;
        Ok(())
    }
}

/// When the messages of one producer are due: a line of evenly spaced moments, in nanoseconds of the run's clock.
pub(super) struct Schedule {
    start: u64,
    /// Between two messages of this producer.
    interval: f64,
    /// Messages given out so far.
    given: u64,
    alarm: Alarm,
}

impl Schedule {
    /// Producer `index` of `producers` that together send `rate` messages a second, interleaved, from `start` on.
    pub(super) fn new(rate: f64, index: usize, producers: usize, start: u64) -> std::io::Result<Schedule> {
        let interval = 1e9 / rate * producers as f64;
        let offset = interval * index as f64 / producers as f64;
        Ok(Schedule { start: start + offset as u64, interval, given: 0, alarm: Alarm::new()? })
    }

    /// The moment of the next message.
    pub(super) fn due(&self) -> u64 {
        self.start + (self.given as f64 * self.interval) as u64
    }

    /// The next message was sent.
    pub(super) fn advance(&mut self) {
        self.given += 1;
    }

    /// Waits for the moment of the next message.
    pub(super) async fn wait(&self, now: u64) -> std::io::Result<()> {
        self.alarm.wait(Duration::from_nanos(self.due().saturating_sub(now))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_interleave_evenly() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let mut first = Schedule::new(1000.0, 0, 2, 500).expect("a timer");
        let second = Schedule::new(1000.0, 1, 2, 500).expect("a timer");
        assert_eq!((first.due(), second.due()), (500, 1_000_500));
        first.advance();
        assert_eq!(first.due(), 2_000_500);
    }
}
