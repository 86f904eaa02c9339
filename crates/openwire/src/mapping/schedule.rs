//! When a message shall be delivered: `AMQ_SCHEDULED_…` properties.

use super::incoming::InvalidMessage;
use super::property;
use ferrymq_model::Schedule;
use memchr::memmem;

/// What all the names start with: a message whose properties do not hold it anywhere is not looked at closer.
const PREFIX: &[u8] = b"AMQ_SCHEDULED_";

/// What the marshalled properties ask for; `None`: deliver it at once.
pub(super) fn of(properties: &[u8]) -> Result<Option<Schedule>, InvalidMessage> {
    if properties.len() <= PREFIX.len() || memmem::find(properties, PREFIX).is_none() {
        return Ok(None);
    }
    Schedule::from_properties(|name| property::find(properties, name)).map_err(InvalidMessage::Schedule)
}
