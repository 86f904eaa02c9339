//! When a message shall be delivered, if not at once.

use std::sync::Arc;

/// What a producer asked: `AMQ_SCHEDULED_DELAY`, `_PERIOD`, `_REPEAT` and `_CRON`, or a JMS delivery delay
/// (apache/activemq, `ScheduledMessage.java`; Jakarta Messaging 3.1, section 7.9).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Schedule {
    /// How long to wait before the first delivery. Milliseconds.
    pub delay_ms: u64,
    /// How long to wait between deliveries. Milliseconds; 0: one second where it repeats.
    pub period_ms: u64,
    /// How often to deliver again after the first time; -1: for ever.
    pub repeat: i32,
    /// When to start, again and again: minute, hour, day of month, month, day of week. With `delay_ms`, `period_ms` or
    /// `repeat` each start is followed by such a series.
    pub cron: Option<Arc<str>>,
}
