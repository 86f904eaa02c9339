//! One vocabulary for every protocol's acknowledgement.

use crate::id::DeliveryId;
use std::sync::Arc;

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// The consumer is done with it: it leaves the queue.
    Consumed,
    /// The consumer has it and is still working: it stays unsettled, and the prefetch window opens by one for it.
    Delivered,
    /// The bytes have left: for a message of a topic that never comes back, all but the count is forgotten. It stays
    /// unsettled and takes its place in the window. Nothing for others.
    Written,
    /// It goes back to the head of its queue, counted as one more redelivery; where the broker gives up
    /// (`GivesUp::Broker`) and it was one too many, to the dead-letter queue.
    Undelivered,
    /// It goes back to the head of its queue as it came: the consumer did nothing with it, and no redelivery is counted.
    Returned,
    /// The consumer found it expired.
    Expired,
    /// It can never be consumed: to the dead-letter queue, with the cause.
    Poisoned(Arc<str>),
}

/// Which deliveries of a subscription are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deliveries {
    /// One.
    One(DeliveryId),
    /// Every unsettled one up to and including this.
    Through(DeliveryId),
    /// Every unsettled one from the first to the second, both included.
    Range(DeliveryId, DeliveryId),
}
