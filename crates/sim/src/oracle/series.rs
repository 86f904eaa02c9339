//! Messages that come several times: each occurrence is a message of its own, which comes once.
//!
//! The broker gives an occurrence an id that nobody knows before. Its correlation id names the message that was sent; an
//! id that is seen for the first time is the next occurrence of that message.

use super::Oracle;
use super::copies::OperationId;
use super::facts::{Facts, Promise, StoreKey, is_queue};
use ferrymq_model::event::Delivery;
use ferrymq_model::{Destination, Message, MessageId, Schedule, WallTime};
use std::sync::Arc;

/// Between occurrences where the producer named no period. Milliseconds.
const PERIOD_USUAL_MS: u64 = 1000;

/// From the send to the first occurrence, in milliseconds.
pub(super) fn first_ms(schedule: &Schedule) -> u64 {
    match (schedule.delay_ms, repeats(schedule)) {
        (0, None) => schedule.period_ms,
        (0, Some((_, every_ms))) => every_ms,
        (delay_ms, _) => delay_ms,
    }
}

/// How often it comes after the first time, and how many milliseconds are between; none for what comes once.
pub(super) fn repeats(schedule: &Schedule) -> Option<(u64, u64)> {
    let repeats = u64::try_from(schedule.repeat).ok().filter(|repeats| *repeats > 0)?;
    Some((repeats, if schedule.period_ms == 0 { PERIOD_USUAL_MS } else { schedule.period_ms }))
}

/// What the oracle calls an occurrence.
fn occurrence(of: &MessageId, number: u64) -> MessageId {
    MessageId { producer: Arc::from(format!("{}#{number}", of.producer)), sequence: of.sequence }
}

/// How the correlation id of a message that repeats names it.
#[must_use]
pub fn series_name(of: &MessageId) -> String {
    format!("{}@{}", of.producer, of.sequence)
}

fn series_of(message: &Message) -> Option<MessageId> {
    let (producer, sequence) = message.annotations()?.correlation_id.as_ref()?.split_once('@')?;
    Some(MessageId { producer: Arc::from(producer), sequence: sequence.parse().ok()? })
}

impl Oracle {
    /// Places all occurrences of a message: it is promised that each comes.
    pub(super) fn publish_series(
        &mut self,
        operation: OperationId,
        message: &MessageId,
        facts: &Facts,
        leaves: &[Arc<Destination>],
        (repeats, every_ms): (u64, u64),
    ) {
        let first = facts.due.expect("what repeats is due some time");
        for number in 0..=repeats {
            let id = occurrence(message, number);
            let due = Some(WallTime(first.0 + number * every_ms));
            self.facts.insert(id.clone(), Facts { due, repeats: None, ..facts.clone() });
            for leaf in leaves {
                assert!(is_queue(leaf.kind), "simulated series go to queues");
                // What waits for its time survives whatever its mode.
                self.place(operation, id.clone(), &StoreKey::Queue(leaf.clone()), facts.persistent);
            }
        }
    }

    /// The delivery of an occurrence under the oracle's own name for it; `None`: it is no occurrence.
    pub(super) fn occurred(&mut self, delivery: &Delivery) -> Option<Delivery> {
        let id = &delivery.message.header.id;
        let series = series_of(&delivery.message)?;
        let (repeats, _) = self.facts.get(&series)?.repeats?;
        let known = self.occurrences.get(id).cloned();
        let name = known.unwrap_or_else(|| {
            let taken = |number: &u64| self.occurrences.values().any(|other| *other == occurrence(&series, *number));
            let number = (0..).find(|number| !taken(number)).expect("numbers do not end");
            let name = occurrence(&series, number);
            self.occurrences.insert(id.clone(), name.clone());
            if number > repeats {
                let text = format!("message {series} came {} times, of {} promised", number + 1, repeats + 1);
                self.accuse(Promise::Schedule, text);
            }
            name
        });
        let mut message = Message::clone(&delivery.message);
        message.header.id = name;
        Some(Delivery { message: Arc::new(message), ..delivery.clone() })
    }
}
