//! How many lines of the log peers may cause.

use ferrymq_model::MonoTime;
use parking_lot::Mutex;

/// Lines a second: a person still reads them, and a million bad connections do not fill the disk.
const LINES_PER_SECOND_MAX: u32 = 20;

/// Counts lines within one second.
#[derive(Debug, Default)]
pub(crate) struct LogQuota {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    second: u64,
    lines: u32,
    suppressed: u64,
}

impl LogQuota {
    /// Whether a line may be written now. Says how many were not since the last one.
    pub(crate) fn take(&self, now: MonoTime) -> Option<u64> {
        let mut state = self.state.lock();
        let second = now.0 / 1000;
        if state.second != second {
            state.second = second;
            state.lines = 0;
        }
        if state.lines == LINES_PER_SECOND_MAX {
            state.suppressed += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_lines_than_the_quota_are_counted_instead_of_written() {
        let quota = LogQuota::default();
        let written = (0..LINES_PER_SECOND_MAX + 5).filter(|_| quota.take(MonoTime(1500)).is_some()).count();
        assert_eq!(written, LINES_PER_SECOND_MAX as usize);
        assert_eq!(quota.take(MonoTime(2000)), Some(5));
        assert_eq!(quota.take(MonoTime(2001)), Some(0));
    }
}
