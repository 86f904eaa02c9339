//! MESSAGE.

use super::subscriptions::{AckMode, Subscription};
use super::{Context, Phase, State};
use crate::codec::{FrameBuilder, Known, Version, escape_into};
use crate::mapping::{Envelope, show};
use ferrymq_model::event::Delivery;
use ferrymq_model::{Deliveries, Destination, Request, Settlement, SubscriptionId};
use std::borrow::Cow;
use std::sync::Arc;

impl State {
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, delivery: &Delivery) {
        if self.phase != Phase::Open {
            return;
        }
        // Unsubscribed while the delivery was on its way: the broker takes it back.
        let Some(subscription) = self.subscriptions.get(delivery.subscription) else {
            return;
        };
        let message = &delivery.message;
        let destination = delivery.destination.as_ref().unwrap_or(&message.header.destination);
        if !subscription.prefix_of.as_ref().is_some_and(|known| Arc::ptr_eq(known, destination) || known == destination)
        {
            let shown = match self.temporaries.word(destination) {
                Some(word) => Cow::Borrowed(word),
                None => Cow::Owned(show(destination)),
            };
            put_prefix(subscription, destination, &shown, self.version);
        }
        let ack_mode = subscription.ack_mode;
        let reply_to = message.annotations().and_then(|annotations| annotations.reply_to.as_ref());
        let envelope = Envelope {
            prefix: &subscription.prefix,
            ack: (ack_mode != AckMode::Auto && self.version == Version::V1_2)
                .then_some((delivery.subscription.0, delivery.delivery.0)),
            redeliveries: delivery.redeliveries,
            sent_to: delivery.destination.as_ref().map(|_| &*message.header.destination),
            reply_to: reply_to.and_then(|reply_to| self.temporaries.word(reply_to)),
        };
        if let Err(malformed) = self.encoder.put(envelope, message, cx.out) {
            // Nobody on this protocol can ever read it: it would block the subscription.
            let poisoned = Settlement::Poisoned(Arc::from(malformed.to_string()));
            cx.requests.push(Request::settle(delivery.subscription, Deliveries::One(delivery.delivery), poisoned));
            return;
        }
        match ack_mode {
            AckMode::Auto => {
                self.subscriptions.note_unwritten(cx.out.put_total(), delivery.subscription, delivery.delivery);
            }
            AckMode::Client | AckMode::ClientIndividual => {
                subscription.note_unsettled(delivery.delivery, &message.header.id);
            }
        }
    }

    /// ActiveMQ's sign that a browser has seen everything: an empty MESSAGE with `browser:end`.
    pub(super) fn browse_end(&mut self, cx: &mut Context<'_>, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.get(id).filter(|_| self.phase == Phase::Open) else {
            return;
        };
        self.scratch.clear();
        let frame = FrameBuilder::new(&mut self.scratch, self.version, "MESSAGE");
        let frame = match &subscription.name {
            Some(name) => frame.raw("subscription", name),
            None => frame,
        };
        frame.raw("destination", &subscription.header).header("message-id", "0").header("browser", "end").end();
        cx.out.put(&self.scratch);
    }
}

/// Makes the lines that are the same for every message of one destination.
fn put_prefix(subscription: &mut Subscription, destination: &Arc<Destination>, shown: &str, version: Version) {
    let prefix = &mut subscription.prefix;
    prefix.clear();
    prefix.extend_from_slice(b"MESSAGE\n");
    if let Some(name) = &subscription.name {
        prefix.extend_from_slice(Known::Subscription.name().as_bytes());
        prefix.push(b':');
        prefix.extend_from_slice(name);
        prefix.push(b'\n');
    }
    prefix.extend_from_slice(b"destination:");
    // Names have no control characters: every version can express them.
    let _ = escape_into(prefix, shown, version, false);
    prefix.push(b'\n');
    subscription.prefix_of = Some(Arc::clone(destination));
}
