//! Which dispatches repeat an earlier one but for numbers and body.
//!
//! Everything that their frames say otherwise is in the key: same key, same frame. Messages with headers of their own, such as
//! a correlation id, are not looked for: the next one has another.

use crate::codec::ids::ConsumerId;
use crate::codec::template::Template;
use crate::limits::TEMPLATES_MAX;
use ferrymq_model::event::Delivery;
use ferrymq_model::{Annotations, DeliveryMode, Destination, Dialect};
use std::sync::Arc;

/// What the frame of a dispatch says beside its numbers and its body.
#[derive(Clone, Debug)]
struct Key {
    consumer: ConsumerId,
    producer: Arc<str>,
    sent_to: Arc<Destination>,
    leaf: Option<Arc<Destination>>,
    dialect: &'static dyn Dialect,
    annotations: Option<Box<Annotations>>,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    mode: DeliveryMode,
    priority: u8,
    redeliveries: u32,
    first_of_group: bool,
    has_content: bool,
    has_properties: bool,
}

/// A dispatch that may repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeatable<'d> {
    delivery: &'d Delivery,
    consumer: &'d ConsumerId,
    shape: Shape,
}

impl<'d> Repeatable<'d> {
    /// `None`: it has headers that the next one will not have.
    #[inline]
    pub(super) fn new(
        delivery: &'d Delivery,
        consumer: &'d ConsumerId,
        has_content: bool,
        has_properties: bool,
    ) -> Option<Self> {
        let header = &delivery.message.header;
        if header.annotations.as_deref().is_some_and(is_singular) {
            return None;
        }
        let shape = Shape {
            mode: header.mode,
            priority: header.priority,
            redeliveries: delivery.redeliveries,
            first_of_group: delivery.first_of_group,
            has_content,
            has_properties,
        };
        Some(Self { delivery, consumer, shape })
    }

    fn to_key(self) -> Key {
        let header = &self.delivery.message.header;
        Key {
            consumer: self.consumer.clone(),
            producer: Arc::clone(&header.id.producer),
            sent_to: Arc::clone(&header.destination),
            leaf: self.delivery.destination.clone(),
            dialect: self.delivery.message.dialect,
            annotations: header.annotations.clone(),
            shape: self.shape,
        }
    }

    #[inline]
    fn has(self, key: &Key) -> bool {
        let message = &self.delivery.message;
        // Equal `Arc`s are told by their address first.
        self.shape == key.shape
            && std::ptr::addr_eq(message.dialect, key.dialect)
            && message.header.id.producer == key.producer
            && *self.consumer == key.consumer
            && message.header.destination == key.sent_to
            && self.delivery.destination == key.leaf
            && message.header.annotations == key.annotations
    }

    /// A place in the table, by who sends and who gets it.
    fn place(self) -> usize {
        let mut hash = self.consumer.value.cast_unsigned();
        for chunk in self.delivery.message.header.id.producer.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        (hash >> 32) as usize % TEMPLATES_MAX
    }
}

/// Whether the next message will have other annotations.
fn is_singular(annotations: &Annotations) -> bool {
    let Annotations {
        correlation_id,
        reply_to: _,
        kind: _,
        group,
        user: _,
        original_destination: _,
        transaction: _,
        schedule,
        advisory,
        added,
    } = annotations;
    correlation_id.is_some() || group.is_some() || schedule.is_some() || advisory.is_some() || !added.is_empty()
}

/// The templates of one connection.
#[derive(Debug, Default)]
pub(super) struct Templates {
    slots: Vec<Option<Box<(Key, Template)>>>,
    /// The slot that was used last: mostly it is used again.
    last: usize,
}

impl Templates {
    /// The one for this dispatch.
    #[inline]
    pub(super) fn find(&mut self, dispatch: Repeatable<'_>) -> Option<&mut Template> {
        let is_it = |slot: &Option<Box<(Key, Template)>>| slot.as_ref().is_some_and(|slot| dispatch.has(&slot.0));
        if !self.slots.get(self.last).is_some_and(is_it) {
            let place = dispatch.place();
            if !self.slots.get(place).is_some_and(is_it) {
                return None;
            }
            self.last = place;
        }
        self.slots[self.last].as_mut().map(|slot| &mut slot.1)
    }

    /// Keeps one, in place of another with the same hash; `None`: there is none any more.
    pub(super) fn keep(&mut self, dispatch: Repeatable<'_>, template: Option<Template>) {
        self.slots.resize_with(TEMPLATES_MAX, || None);
        self.last = dispatch.place();
        self.slots[self.last] = template.map(|template| Box::new((dispatch.to_key(), template)));
    }
}
