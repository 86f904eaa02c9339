//! MessageAck.

use super::confirm::Reply;
use super::consumers::{Consumer, Count, Ledger};
use super::error::PeerError;
use super::{Context, Done, State};
use crate::codec::ids::MessageId;
use crate::codec::message_ack::MessageAck;
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement, SubscriptionId, TransactionId};
use std::sync::Arc;

/// `ackType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum AckType {
    Delivered,
    Poison,
    Standard,
    Redelivered,
    Individual,
    Unmatched,
    Expired,
}

impl AckType {
    fn of(code: i8) -> Result<Self, PeerError> {
        Ok(match code {
            0 => Self::Delivered,
            1 => Self::Poison,
            2 => Self::Standard,
            3 => Self::Redelivered,
            4 => Self::Individual,
            5 => Self::Unmatched,
            6 => Self::Expired,
            _ => return Err(PeerError::jms(format!("Invalid acknowledgment: type {code}"))),
        })
    }

    /// The application had the messages and is done with them.
    fn is_consumption(self) -> bool {
        match self {
            Self::Standard | Self::Individual | Self::Unmatched => true,
            Self::Delivered | Self::Poison | Self::Redelivered | Self::Expired => false,
        }
    }
}

/// What a poisoned message is said to have, where the client says nothing. Text in dead letters. Bytes.
const CAUSE_BYTES_MAX: usize = 4 * 1024;

impl State {
    pub(super) fn acknowledge(
        &mut self,
        cx: &mut Context<'_>,
        ack: &MessageAck,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let result = self.try_acknowledge(cx, ack, reply);
        if let (Err(error), Some(id), None) = (&result, &ack.transaction_id, reply) {
            self.transactions.doom(id, &error.text);
        }
        result
    }

    fn try_acknowledge(&mut self, cx: &mut Context<'_>, ack: &MessageAck, reply: Reply) -> Result<Done, PeerError> {
        let kind = AckType::of(ack.ack_type)?;
        let id = ack.consumer_id.as_ref().ok_or_else(|| PeerError::missing("MessageAck", "a consumer id"))?;
        self.check_connection(&id.connection_id)?;
        let transaction = match &ack.transaction_id {
            None => None,
            Some(_) if kind == AckType::Poison => return Err(PeerError::jms("Poison ack cannot be transacted")),
            Some(id) => Some(self.transactions.of(id)?),
        };
        // Of a consumer that is gone, or that got nothing yet on this connection: sent before the client knew.
        let has_delivered = |consumer: &&mut Consumer| !consumer.is_ended && consumer.has_delivered;
        let Some(consumer) = self.consumers.find((id.session_id, id.value)).filter(has_delivered) else {
            if let Some(id) = ack.transaction_id.as_ref().filter(|_| kind.is_consumption()) {
                // What it consumed goes to somebody again: committed, it would have been consumed twice.
                self.transactions.doom(id, "it acknowledged what was delivered before a failure");
            }
            return Ok(Done::Now);
        };
        let Some((deliveries, settlement, transaction)) = settle(consumer, ack, kind, transaction)? else {
            return Ok(Done::Now);
        };
        let (subscription, key) = (consumer.id, consumer.key);
        if let Some(transaction) = transaction.filter(|_| kind.is_consumption()) {
            self.restored.acknowledged(transaction, key);
        }
        let is_alone = reply.is_some() || transaction.is_some() || settlement != Settlement::Consumed;
        if !is_alone && extend(cx.requests, subscription, deliveries) {
            return Ok(Done::Later);
        }
        let confirm = self.confirm_if_asked(reply)?;
        cx.requests.push(Request::Settle { subscription, deliveries, settlement, transaction, confirm });
        Ok(Done::Later)
    }
}

/// Adds what was consumed to the last request, if that settles what comes just before: a client that acknowledges each
/// message by itself costs the broker one settlement for all that were read at once.
#[inline]
fn extend(requests: &mut [Request], subscription: SubscriptionId, more: Deliveries) -> bool {
    let Some(Request::Settle {
        subscription: of,
        deliveries,
        settlement: Settlement::Consumed,
        transaction: None,
        confirm: None,
    }) = requests.last_mut()
    else {
        return false;
    };
    if *of != subscription {
        return false;
    }
    let joined = match (*deliveries, more) {
        (Deliveries::Through(_), Deliveries::Through(last)) => Deliveries::Through(last),
        (Deliveries::One(first) | Deliveries::Range(first, _), Deliveries::One(next) | Deliveries::Range(next, _))
            if follows(*deliveries, next) =>
        {
            Deliveries::Range(first, last_of(more))
        }
        (Deliveries::One(_) | Deliveries::Through(_) | Deliveries::Range(..), _) => return false,
    };
    *deliveries = joined;
    true
}

fn last_of(deliveries: Deliveries) -> DeliveryId {
    match deliveries {
        Deliveries::One(last) | Deliveries::Through(last) | Deliveries::Range(_, last) => last,
    }
}

fn follows(deliveries: Deliveries, next: DeliveryId) -> bool {
    last_of(deliveries).0.checked_add(1) == Some(next.0)
}

type Settling = Option<(Deliveries, Settlement, Option<TransactionId>)>;

/// What to tell the broker; `None`: nothing.
fn settle(
    consumer: &mut Consumer,
    ack: &MessageAck,
    kind: AckType,
    transaction: Option<TransactionId>,
) -> Result<Settling, PeerError> {
    let list = match &mut consumer.ledger {
        Ledger::Listed(list) => list,
        Ledger::Counted(counted) => return Ok(settle_counted(counted, ack, kind, transaction)),
    };
    let last = ack.last_message_id.as_ref().ok_or_else(|| PeerError::missing("MessageAck", "a last message id"))?;
    let count = usize::try_from(ack.message_count).unwrap_or(0);
    let probably = count.saturating_sub(1);
    let last_at = match kind {
        // What the application has opens the window; it may have consumed some of it, also the first and the last, by itself
        // in the meantime.
        AckType::Delivered => match list.end(last, probably) {
            Some(last_at) => last_at,
            None => return Ok(None),
        },
        _ => list.position(last, probably).ok_or_else(|| unmatched(ack, last, "end"))?,
    };
    let first_at = match (&ack.first_message_id, kind) {
        (_, AckType::Individual) => last_at,
        (_, AckType::Delivered) => 0,
        (None, AckType::Poison) => (last_at + 1).saturating_sub(count),
        (None, _) => 0,
        (Some(first), _) => match list.position(first, 0) {
            Some(first_at) => first_at,
            // The client gave up on all of these, and will not ask for any of them.
            None if kind == AckType::Poison => (last_at + 1).saturating_sub(count),
            None => return Err(unmatched(ack, first, "start")),
        },
    };
    if first_at > last_at {
        return Err(unmatched(ack, last, "end"));
    }
    let here = last_at - first_at + 1;
    let free = if kind == AckType::Individual { 1 } else { list.free(first_at, last_at) };
    if kind == AckType::Standard {
        // Fewer than there are: between its ends is what the application never had.
        let is_fewer = count < free && (transaction.is_none() || ack.first_message_id.is_some());
        if count > here || is_fewer {
            return Err(miscounted(ack, here));
        }
    }
    let (settlement, transaction) = match kind {
        AckType::Delivered => {
            let deliveries = list.deliveries(0, last_at);
            return Ok(deliveries.map(|deliveries| (deliveries, Settlement::Delivered, None)));
        }
        // The client gave it to the application again and counts that itself. As in Classic nothing is counted here: a
        // client that then closes the consumer says by its RemoveInfo that the message was seen, and that counts it.
        AckType::Redelivered => return Ok(None),
        // What the client failed at is not what was delivered: it has more, or between its ends is what it never had.
        AckType::Poison if count > here || count < free => (Settlement::Undelivered, None),
        AckType::Poison => (Settlement::Poisoned(cause(ack)), None),
        AckType::Expired => (Settlement::Expired, None),
        AckType::Standard | AckType::Individual | AckType::Unmatched => (Settlement::Consumed, transaction),
    };
    let deliveries = match transaction {
        None => list.settle(first_at, last_at),
        Some(transaction) => list.hold(first_at, last_at, transaction),
    };
    Ok(deliveries.map(|deliveries| (deliveries, settlement, transaction)))
}

/// The same for what came from topics alone.
fn settle_counted(
    counted: &mut Count,
    ack: &MessageAck,
    kind: AckType,
    transaction: Option<TransactionId>,
) -> Settling {
    let count = u64::try_from(ack.message_count).unwrap_or(0);
    let (deliveries, settlement, transaction) = match kind {
        AckType::Delivered => (counted.open(count), Settlement::Delivered, None),
        AckType::Redelivered => return None,
        AckType::Expired => (counted.settle(count, None), Settlement::Expired, None),
        // What came from a topic has no dead letters.
        AckType::Poison => (counted.settle(count, None), Settlement::Consumed, None),
        AckType::Standard | AckType::Individual | AckType::Unmatched => {
            (counted.settle(count, transaction), Settlement::Consumed, transaction)
        }
    };
    deliveries.map(|deliveries| (deliveries, settlement, transaction))
}

/// Why a message can never be consumed: what Java's exceptions say of themselves.
fn cause(ack: &MessageAck) -> Arc<str> {
    let Some(cause) = &ack.poison_cause else {
        return Arc::from("the consumer could not process it");
    };
    let class_name = cause.class_name.as_deref().unwrap_or("java.lang.Throwable");
    let mut text = match &cause.message {
        Some(message) => format!("{class_name}: {message}"),
        None => class_name.to_owned(),
    };
    if text.len() > CAUSE_BYTES_MAX {
        let mut end = CAUSE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    Arc::from(text)
}

fn unmatched(ack: &MessageAck, id: &MessageId, side: &str) -> PeerError {
    let producer = id.producer_id.as_ref();
    let name = producer.map_or_else(String::new, crate::mapping::producer_text);
    let sequence = id.producer_sequence_id;
    PeerError::jms(format!(
        "Unmatched acknowledge: MessageAck of type {}; Could not find Message-ID {name}:{sequence} in dispatched-list \
         ({side} of ack)",
        ack.ack_type
    ))
}

/// The client had other messages than were delivered on this connection. After a failure a Java client that rolled back
/// gives the application its own copies again, and then those that were delivered again: the same message twice in one
/// transaction.
fn miscounted(ack: &MessageAck, here: usize) -> PeerError {
    PeerError::jms(format!(
        "Unmatched acknowledge: MessageAck of type {}; Expected message count ({}) differs from count in dispatched-list \
         ({here})",
        ack.ack_type, ack.message_count
    ))
}
