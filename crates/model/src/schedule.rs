//! When a message shall be delivered, if not at once.
//!
//! A producer asks with application properties, over every protocol the same:
//!
//! | property | what |
//! |---|---|
//! | `AMQ_SCHEDULED_DELAY` | so many milliseconds later; less than 0 is 0 |
//! | `AMQ_SCHEDULED_PERIOD` | milliseconds between deliveries, and before the first where there is no delay |
//! | `AMQ_SCHEDULED_REPEAT` | so many more deliveries after the first; -1: for ever |
//! | `AMQ_SCHEDULED_CRON` | minute, hour, day of month, month, day of week: see [`Cron`] |
//!
//! `AMQ_SCHEDULED_REPEAT` alone schedules nothing, and neither does any of them beside `scheduledJobId`: such a message
//! was scheduled already and is on its way (apache/activemq, `SchedulerBroker.java`).

mod cron;
#[cfg(test)]
mod tests;

pub use cron::{Cron, CronError};

use crate::message::Message;
use crate::selector::Operand;
use crate::time::WallTime;
use std::fmt;
use std::sync::Arc;

/// The property that asks for a delay.
pub const SCHEDULED_DELAY: &str = "AMQ_SCHEDULED_DELAY";
/// The property that asks for time between deliveries.
pub const SCHEDULED_PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
/// The property that asks for more deliveries.
pub const SCHEDULED_REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
/// The property that asks for deliveries by the calendar.
pub const SCHEDULED_CRON: &str = "AMQ_SCHEDULED_CRON";
/// The property that the broker adds: which job a message comes from.
pub const SCHEDULED_ID: &str = "scheduledJobId";

/// The time between deliveries that repeat without a period. Milliseconds.
pub const PERIOD_USUAL_MS: u64 = 1000;
/// The source of a cron schedule. Bytes; far more than all numbers of all five fields take.
pub const CRON_BYTES_MAX: usize = 1024;

/// What a producer asked, and what is left of it.
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
    /// It is a delivery delay of Jakarta Messaging: time to live runs from the send (3.1, section 7.8), where it starts
    /// with each delivery of any other schedule.
    pub is_delivery_delay: bool,
    /// The next delivery. Nobody's wish: the broker sets it when it takes the message.
    pub due: WallTime,
}

/// Why a schedule is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScheduleError {
    /// The property is not a whole number in its range.
    NotANumber(&'static str),
    /// The cron schedule cannot be read, or never comes.
    Cron(CronError),
    /// Every start of a cron schedule would begin a series without end.
    CronForEver,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber(name) => write!(f, "{name} is not a whole number in its range"),
            Self::Cron(error) => write!(f, "{SCHEDULED_CRON} {error}"),
            Self::CronForEver => {
                write!(f, "{SCHEDULED_CRON} and an {SCHEDULED_REPEAT} below 0 together would never end")
            }
        }
    }
}

impl std::error::Error for ScheduleError {}

impl From<CronError> for ScheduleError {
    fn from(error: CronError) -> Self {
        Self::Cron(error)
    }
}

impl Schedule {
    /// Reads what a message's application properties ask. `property` gives the value of a name, [`Operand::Null`] where
    /// there is none; text is read as the number that it stands for. `None`: the message is not scheduled.
    ///
    /// # Errors
    /// A value that is not what its property takes.
    pub fn from_properties<'m>(
        mut property: impl FnMut(&'static str) -> Operand<'m>,
    ) -> Result<Option<Self>, ScheduleError> {
        let delay = whole(SCHEDULED_DELAY, &property(SCHEDULED_DELAY))?;
        let period = whole(SCHEDULED_PERIOD, &property(SCHEDULED_PERIOD))?;
        let cron = match property(SCHEDULED_CRON) {
            Operand::Null => None,
            Operand::Text(text) => Some(text),
            Operand::Bool(_) | Operand::Integer(_) | Operand::Double(_) => return Err(CronError::Fields.into()),
        };
        if (delay.is_none() && period.is_none() && cron.is_none()) || property(SCHEDULED_ID) != Operand::Null {
            return Ok(None);
        }
        let repeat = whole(SCHEDULED_REPEAT, &property(SCHEDULED_REPEAT))?.unwrap_or(0);
        let repeat = i32::try_from(repeat).map_err(|_| ScheduleError::NotANumber(SCHEDULED_REPEAT))?.max(-1);
        let cron = cron.filter(|cron| !cron.trim().is_empty());
        if let Some(cron) = &cron {
            Cron::parse(cron)?;
            if repeat < 0 {
                return Err(ScheduleError::CronForEver);
            }
        }
        Ok(Some(Self {
            delay_ms: not_negative(delay),
            period_ms: not_negative(period),
            repeat,
            cron: cron.map(Arc::from),
            is_delivery_delay: false,
            due: WallTime(0),
        }))
    }

    /// A delivery delay of Jakarta Messaging; `None` for 0, which is no delay.
    #[must_use]
    pub fn delivery_delay(delay_ms: u64) -> Option<Self> {
        (delay_ms > 0).then(|| Self { delay_ms, is_delivery_delay: true, ..Self::default() })
    }

    /// Whether each start of a cron schedule is followed by a series of deliveries instead of being one.
    #[must_use]
    pub fn has_series(&self) -> bool {
        self.delay_ms > 0 || self.period_ms > 0 || self.repeat != 0
    }

    /// From a start to the first delivery. Milliseconds. Without a delay it is the period, as in ActiveMQ.
    #[must_use]
    pub fn first_ms(&self) -> u64 {
        match (self.delay_ms, self.repeat) {
            (0, 0) => self.period_ms,
            (0, _) => self.interval_ms(),
            (delay, _) => delay,
        }
    }

    /// From a delivery to the next. Milliseconds.
    #[must_use]
    pub fn interval_ms(&self) -> u64 {
        if self.period_ms == 0 { PERIOD_USUAL_MS } else { self.period_ms }
    }
}

/// Whether a message's property of this name is hidden: one of those that asked for a schedule, where that has brought
/// the message. What sees it must not schedule it again.
#[must_use]
pub fn is_hidden(message: &Message, name: &str) -> bool {
    matches!(name, SCHEDULED_DELAY | SCHEDULED_PERIOD | SCHEDULED_REPEAT | SCHEDULED_CRON) && is_spent(message)
}

/// Whether a schedule has brought this message.
#[must_use]
pub fn is_spent(message: &Message) -> bool {
    message.annotations().is_some_and(|annotations| {
        annotations.schedule.is_none() && annotations.added.iter().any(|(name, _)| **name == *SCHEDULED_ID)
    })
}

fn whole(name: &'static str, value: &Operand<'_>) -> Result<Option<i64>, ScheduleError> {
    match value {
        Operand::Null => Ok(None),
        Operand::Integer(number) => Ok(Some(*number)),
        Operand::Text(text) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(ScheduleError::NotANumber(name)),
        },
        Operand::Bool(_) | Operand::Double(_) => Err(ScheduleError::NotANumber(name)),
    }
}

fn not_negative(value: Option<i64>) -> u64 {
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0)
}
