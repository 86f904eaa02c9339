//! Where messages go that nobody can consume: the dead-letter queue, with the reason.
//!
//! A persistent message is moved: the copy keeps id, body and properties, names where it died, and gets the
//! properties `dlqDeliveryFailureCause` and, where it had an expiration, `originalExpiration`. A message that is not
//! persistent is discarded.

use crate::advisory::Kind;
use crate::broker::Broker;
use crate::queue::{Item, Role};
use ferrymq_model::{DeliveryMode, Destination, DestinationKind, Message, Value};
use std::sync::Arc;

impl Broker {
    /// Sends a message to the dead-letter queue if it is one that goes there. The caller removes the original.
    pub(crate) fn bury(&mut self, item: &Item, cause: &str) -> bool {
        let Some(message) = item.message.as_ref().filter(|message| message.header.mode == DeliveryMode::Persistent)
        else {
            return false;
        };
        let dead = self.dead(message, item.leaf.as_ref().unwrap_or(&message.header.destination), cause);
        self.work.bury(Arc::new(dead));
        true
    }

    /// What goes to the dead-letter queue if this message of a queue does, if anything.
    pub(crate) fn dead_copy(&self, index: u32, item: &Item, cause: &str) -> Option<Message> {
        let message = item.message.as_ref().filter(|message| message.header.mode == DeliveryMode::Persistent)?;
        let origin = item.leaf.as_ref().unwrap_or(&message.header.destination);
        (!self.is_dead_letter_queue(index)).then(|| self.dead(message, origin, cause))
    }

    /// Whether the queue is where dead messages go: they never go there twice.
    pub(crate) fn is_dead_letter_queue(&self, index: u32) -> bool {
        match &self.queues[index].role {
            Role::Queue(destination) => {
                destination.kind == DestinationKind::Queue && destination.name == self.settings.dead_letter_queue
            }
            Role::Durable(_) => false,
        }
    }

    /// Buries a queue's message and counts it.
    pub(crate) fn bury_from(&mut self, index: u32, item: &Item, cause: &str) -> bool {
        let buried = !self.is_dead_letter_queue(index) && self.bury(item, cause);
        let counters = &mut self.queues[index].counters;
        if buried {
            counters.dead_lettered += 1;
            self.note_item(Kind::MessageDlqd, index, item, None);
        } else {
            counters.discarded += 1;
        }
        buried
    }

    /// Buries a topic's message and counts it.
    pub(crate) fn bury_live(&mut self, topic: u32, item: &Item, cause: &str) {
        if self.bury(item, cause) {
            self.topics[topic].counters.dead_lettered += 1;
            self.note_live(Kind::MessageDlqd, topic, item, None);
        }
    }

    fn dead(&self, message: &Message, origin: &Arc<Destination>, cause: &str) -> Message {
        let mut dead = message.detached();
        let mut annotations = dead.header.annotations.take().unwrap_or_default();
        annotations.original_destination = Some(Arc::clone(origin));
        let mut add = |name: &str, value: Value| {
            annotations.added.retain(|(known, _)| **known != *name);
            annotations.added.push((Arc::from(name), value));
        };
        add("dlqDeliveryFailureCause", Value::Text(Arc::from(cause)));
        if let Some(expiration) = dead.header.expiration.take() {
            add("originalExpiration", Value::Long(i64::try_from(expiration.0).unwrap_or(i64::MAX)));
        }
        dead.header.annotations = Some(annotations);
        dead.header.mode = DeliveryMode::Persistent;
        dead.header.destination =
            Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::clone(&self.settings.dead_letter_queue) });
        dead
    }
}
