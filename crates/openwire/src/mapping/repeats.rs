//! Which dispatches repeat an earlier one but for what its template leaves open.
//!
//! Everything that their frames say otherwise is in the key: same key, same frame. Messages with headers that only they have
//! are not looked for.

use crate::codec::ids::ConsumerId;
use crate::codec::template::{Present, Template};
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
    present: Present,
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
    pub(super) fn new(delivery: &'d Delivery, consumer: &'d ConsumerId, present: Present) -> Option<Self> {
        let header = &delivery.message.header;
        if header.annotations.as_deref().is_some_and(is_singular) {
            return None;
        }
        let shape = Shape {
            mode: header.mode,
            priority: header.priority,
            redeliveries: delivery.redeliveries,
            first_of_group: delivery.first_of_group,
            present,
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
            && are_same(message.annotations(), key.annotations.as_deref())
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

/// Whether only this message has such annotations. The correlation id is left open.
fn is_singular(annotations: &Annotations) -> bool {
    let Annotations { group, schedule, advisory, added, .. } = annotations;
    group.is_some() || schedule.is_some() || advisory.is_some() || !added.is_empty()
}

/// Whether frames say the same of both, neither of which is singular, but for the correlation id.
#[inline]
fn are_same(some: Option<&Annotations>, others: Option<&Annotations>) -> bool {
    let (Some(some), Some(others)) = (some, others) else { return some.is_none() && others.is_none() };
    let Annotations {
        correlation_id: _,
        reply_to,
        kind,
        group: _,
        user,
        original_destination,
        transaction,
        schedule: _,
        advisory: _,
        added: _,
    } = some;
    *reply_to == others.reply_to
        && *kind == others.kind
        && *user == others.user
        && *original_destination == others.original_destination
        && *transaction == others.transaction
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

    /// Keeps one, in place of another with the same hash; `None`: for this dispatch there is none any more.
    pub(super) fn keep(&mut self, dispatch: Repeatable<'_>, template: Option<Template>) {
        let place = dispatch.place();
        if let Some(template) = template {
            self.slots.resize_with(TEMPLATES_MAX, || None);
            self.slots[place] = Some(Box::new((dispatch.to_key(), template)));
            self.last = place;
        } else if self.find(dispatch).is_some() {
            self.slots[place] = None;
        }
    }
}
