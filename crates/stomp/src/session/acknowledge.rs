//! ACK and NACK.
//!
//! STOMP 1.2 names a delivery by the header `id`, which is MESSAGE's `ack`: `<subscription>-<delivery>`. 1.0 and 1.1
//! name it by `message-id` and `subscription`, 1.0 may leave the latter out.

use super::confirm::Purpose;
use super::subscriptions::AckMode;
use super::{Context, PeerError, State};
use crate::codec::{Command, Frame, Known};
use ferrymq_model::{DeliveryId, MessageId, Request, Settlement, SubscriptionId, Token, TransactionId};
use std::sync::Arc;

/// What goes to the dead-letter queue as the cause.
const NACK_CAUSE: &str = "the consumer rejected it with NACK";

impl State {
    pub(super) fn acknowledge(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let transaction = self.transaction(frame)?;
        let (subscription, delivery) = self.acknowledged(frame)?;
        let confirm = self.receipt(frame, Purpose::Plain)?;
        let settlement = match frame.command {
            Command::Nack => Settlement::Poisoned(Arc::from(NACK_CAUSE)),
            _ => Settlement::Consumed,
        };
        match transaction {
            None => self.settle(cx, subscription, delivery, settlement, confirm),
            Some(transaction) => self.settle_in(cx, transaction, subscription, delivery, settlement, confirm),
        }
        Ok(())
    }

    /// Which delivery the frame means. It is unsettled, and no transaction holds it.
    fn acknowledged(&mut self, frame: &Frame<'_>) -> Result<(SubscriptionId, DeliveryId), PeerError> {
        let found = match (frame.raw(Known::Id), frame.raw(Known::MessageId)) {
            (Some(id), _) if self.version == crate::Version::V1_2 => parse_ack_id(id),
            (_, Some(_)) => self.find_by_message(frame),
            (_, None) => {
                let header = if self.version == crate::Version::V1_2 { Known::Id } else { Known::MessageId };
                return Err(PeerError::missing(frame.command, header));
            }
        };
        let unknown = || {
            PeerError::new(format!("{} for a message that is not waiting for acknowledgement", frame.command.as_str()))
        };
        let (id, delivery) = found.ok_or_else(unknown)?;
        let subscription = self.subscriptions.get(id).ok_or_else(unknown)?;
        let at = subscription.position(delivery).ok_or_else(unknown)?;
        match subscription.unsettled[at].held_by {
            None => Ok((id, delivery)),
            Some(_) => Err(PeerError::new("the message is already acknowledged in a transaction")),
        }
    }

    fn find_by_message(&mut self, frame: &Frame<'_>) -> Option<(SubscriptionId, DeliveryId)> {
        let text = frame.get(Known::MessageId)?;
        let (producer, sequence) = text.rsplit_once(':')?;
        let message = MessageId { producer: Arc::from(producer), sequence: sequence.parse().ok()? };
        match frame.raw(Known::Subscription) {
            Some(name) => {
                let id = self.subscriptions.find(name)?;
                Some((id, self.subscriptions.get(id)?.delivery_of(&message)?))
            }
            None => self
                .subscriptions
                .iter_mut()
                .filter(|subscription| subscription.ack_mode != AckMode::Auto)
                .find_map(|subscription| Some((subscription.id, subscription.delivery_of(&message)?))),
        }
    }

    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        id: SubscriptionId,
        delivery: DeliveryId,
        settlement: Settlement,
        confirm: Option<Token>,
    ) {
        let Some(subscription) = self.subscriptions.get(id) else {
            return;
        };
        let deliveries = subscription.settle(delivery);
        cx.requests.push(Request::Settle { subscription: id, deliveries, settlement, transaction: None, confirm });
    }

    /// In a transaction the deliveries stay until it ends, and each lets the next one come: a transaction may be
    /// larger than the prefetch.
    fn settle_in(
        &mut self,
        cx: &mut Context<'_>,
        transaction: TransactionId,
        id: SubscriptionId,
        delivery: DeliveryId,
        settlement: Settlement,
        confirm: Option<Token>,
    ) {
        let Some(subscription) = self.subscriptions.get(id) else {
            return;
        };
        let deliveries = subscription.hold(delivery, transaction);
        cx.requests.push(Request::settle(id, deliveries, Settlement::Delivered));
        cx.requests.push(Request::Settle {
            subscription: id,
            deliveries,
            settlement,
            transaction: Some(transaction),
            confirm,
        });
    }
}

/// `<subscription>-<delivery>`
fn parse_ack_id(id: &[u8]) -> Option<(SubscriptionId, DeliveryId)> {
    let (subscription, delivery) = std::str::from_utf8(id).ok()?.split_once('-')?;
    Some((SubscriptionId(subscription.parse().ok()?), DeliveryId(delivery.parse().ok()?)))
}
