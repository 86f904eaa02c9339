//! MessageDispatch.

use super::consumers::Ledger;
use super::{Context, Phase, State};
use crate::codec::message_dispatch::MessageDispatch;
use ferrymq_model::event::Delivery;
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement, SubscriptionId};
use std::sync::Arc;

impl State {
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, mut delivery: Delivery) {
        if self.phase != Phase::Open {
            return;
        }
        let (subscription, number) = (delivery.subscription, delivery.delivery);
        // Removed while the delivery was on its way: the broker takes it back.
        let Some(consumer) = self.consumers.get(subscription).filter(|consumer| !consumer.is_ended) else {
            return;
        };
        let is_pulled = consumer.pull.is_some();
        delivery.delivery = DeliveryId(consumer.broker_sequence(number));
        let put = self.outgoing.put(&mut self.encoder, &delivery, &consumer.wire, cx.now.wall, cx.out);
        if let Err(undeliverable) = put {
            // Nobody on this connection can ever read it: it would block the consumer.
            if let Ledger::Counted(_) = consumer.ledger {
                consumer.note_delivery(number, &delivery.message.header.id);
            }
            let poisoned = Settlement::Poisoned(Arc::from(undeliverable.to_string()));
            cx.requests.push(Request::settle(subscription, Deliveries::One(number), poisoned));
            return;
        }
        consumer.note_delivery(number, &delivery.message.header.id);
        if let Ledger::Counted(_) = consumer.ledger {
            self.consumers.note_unwritten(cx.out.put_total(), subscription, number);
        }
        if is_pulled {
            self.consumers.end_pull(subscription);
        }
    }

    /// A dispatch without a message: the queue was browsed to its end, or a pull waited in vain.
    pub(super) fn put_nothing(&mut self, cx: &mut Context<'_>, subscription: SubscriptionId) {
        let Some(consumer) = self.consumers.get(subscription) else { return };
        let dispatch = MessageDispatch {
            consumer_id: Some(consumer.wire.clone()),
            destination: Some(consumer.destination.clone()),
            ..MessageDispatch::default()
        };
        self.put(cx, &dispatch.into());
    }
}
