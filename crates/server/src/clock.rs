//! The one place that reads the clocks: about 30 ns each, so once a batch.

use ferrymq_model::{MonoTime, Now, WallTime};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: Self::wall(), mono: self.mono() }
    }

    /// Milliseconds since the start. Starts at 1, so that 0 can mean "never".
    pub(crate) fn mono(&self) -> MonoTime {
        MonoTime(millis(self.started.elapsed().as_millis()) + 1)
    }

    fn wall() -> WallTime {
        // A clock before 1970 is a clock that was never set; 0 makes nothing expire.
        WallTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| millis(since.as_millis())))
    }
}

fn millis(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
