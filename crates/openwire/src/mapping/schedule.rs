//! When a message shall be delivered: `AMQ_SCHEDULED_…` properties (apache/activemq, `SchedulerBroker.java`).

use super::incoming::InvalidMessage;
use super::property;
use ferrymq_model::Schedule;
use ferrymq_model::selector::Operand;
use memchr::memmem;

/// What all the names start with: a message whose properties do not hold it anywhere is not looked at closer.
const PREFIX: &[u8] = b"AMQ_SCHEDULED_";
const DELAY: &str = "AMQ_SCHEDULED_DELAY";
const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
const CRON: &str = "AMQ_SCHEDULED_CRON";
/// A message that was scheduled and comes back by another way is not scheduled again.
const JOB_ID: &str = "scheduledJobId";

/// What the marshalled properties ask for; `None`: deliver it at once.
pub(super) fn of(properties: &[u8]) -> Result<Option<Schedule>, InvalidMessage> {
    if properties.len() <= PREFIX.len() || memmem::find(properties, PREFIX).is_none() {
        return Ok(None);
    }
    let cron = match property::find(properties, CRON) {
        Operand::Null => None,
        Operand::Text(text) => Some(text),
        Operand::Bool(_) | Operand::Integer(_) | Operand::Double(_) => return Err(InvalidMessage::Schedule(CRON)),
    };
    let delay = whole(properties, DELAY)?;
    let period = whole(properties, PERIOD)?;
    if cron.is_none() && delay.is_none() && period.is_none() || property::find(properties, JOB_ID) != Operand::Null {
        return Ok(None);
    }
    let repeat = whole(properties, REPEAT)?.unwrap_or(0);
    let repeat = i32::try_from(repeat).map_err(|_| InvalidMessage::Schedule(REPEAT))?;
    let milliseconds = |value: Option<i64>| value.map_or(0, |value| u64::try_from(value).unwrap_or(0));
    let schedule = Schedule {
        delay_ms: milliseconds(delay),
        period_ms: milliseconds(period),
        repeat,
        cron: cron.filter(|text| !text.trim().is_empty()).map(|text| text.into()),
    };
    Ok((schedule != Schedule::default()).then_some(schedule))
}

/// A number, or text that is one.
fn whole(properties: &[u8], name: &'static str) -> Result<Option<i64>, InvalidMessage> {
    match property::find(properties, name) {
        Operand::Null => Ok(None),
        Operand::Integer(value) => Ok(Some(value)),
        Operand::Text(text) => text.trim().parse().map(Some).map_err(|_| InvalidMessage::Schedule(name)),
        Operand::Bool(_) | Operand::Double(_) => Err(InvalidMessage::Schedule(name)),
    }
}
