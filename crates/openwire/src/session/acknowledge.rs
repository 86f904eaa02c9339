//! MessageAck.

use super::aside::{self, Manner};
use super::confirm::Reply;
use super::consumers::{Consumer, Count, Ledger, List};
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
        let manner = if transaction.is_some() { Manner::Transacted } else { Manner::Alone };
        let is_telling = kind.is_consumption() || transaction.is_some();
        if is_telling && !self.consumers.quiet.is_empty() {
            self.heard(cx, (id.session_id, id.value), manner);
        }
        // Of a consumer that is gone, or that got nothing yet on this connection: sent before the client knew.
        let has_delivered = |consumer: &&mut Consumer| !consumer.is_ended && consumer.has_delivered;
        let Some(consumer) = self.consumers.find((id.session_id, id.value)).filter(has_delivered) else {
            if let Some(id) = ack.transaction_id.as_ref().filter(|_| kind.is_consumption()) {
                // What it consumed goes to somebody again: committed, it would have been consumed twice.
                self.transactions.doom(id, "it acknowledged what was delivered before a failure");
            }
            return Ok(Done::Now);
        };
        if kind == AckType::Poison && aside::is_suppressed(ack) && matches!(consumer.ledger, Ledger::Listed(_)) {
            return self.refused_copy(cx, ack, reply);
        }
        if is_telling {
            consumer.manner = manner;
        }
        let (subscription, key) = (consumer.id, consumer.key);
        let Some(Settling { deliveries, more, settlement, transaction }) = settle(consumer, ack, kind, transaction)?
        else {
            if kind == AckType::Poison {
                self.doubted(cx.now.mono, subscription);
            }
            return Ok(Done::Now);
        };
        for deliveries in more {
            let settlement = settlement.clone();
            cx.requests.push(Request::Settle { subscription, deliveries, settlement, transaction, confirm: None });
        }
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

impl State {
    /// The client refused what it has seen before on its connection.
    fn refused_copy(&mut self, cx: &mut Context<'_>, ack: &MessageAck, reply: Reply) -> Result<Done, PeerError> {
        let Some((subscription, deliveries, settlement)) = self.suppress(cx.now.mono, ack, cause(ack)) else {
            return Ok(Done::Now);
        };
        let confirm = self.confirm_if_asked(reply)?;
        cx.requests.push(Request::Settle { subscription, deliveries, settlement, transaction: None, confirm });
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

/// What to tell the broker.
struct Settling {
    deliveries: Deliveries,
    /// The same of these, where something between them is set aside. Mostly none.
    more: Vec<Deliveries>,
    settlement: Settlement,
    transaction: Option<TransactionId>,
}

/// What to tell the broker; `None`: nothing.
fn settle(
    consumer: &mut Consumer,
    ack: &MessageAck,
    kind: AckType,
    transaction: Option<TransactionId>,
) -> Result<Option<Settling>, PeerError> {
    let is_alone = consumer.manner == Manner::Alone;
    let list = match &mut consumer.ledger {
        Ledger::Listed(list) => list,
        Ledger::Counted(counted) => return Ok(settle_counted(counted, ack, kind, transaction)),
    };
    let Some((first_at, last_at)) = ends(list, ack, kind)? else { return Ok(None) };
    let range = Range::of(list, ack, kind, first_at, last_at);
    let (settlement, transaction) = match kind {
        AckType::Delivered => {
            let (settlement, more) = (Settlement::Delivered, Vec::new());
            let deliveries = list.deliveries(first_at, last_at);
            return Ok(deliveries.map(|deliveries| Settling { deliveries, more, settlement, transaction: None }));
        }
        // The client gave it to the application again and counts that itself. As in Classic nothing is counted here: a
        // client that then closes the consumer says by its RemoveInfo that the message was seen, and that counts it.
        AckType::Redelivered => return Ok(None),
        AckType::Standard if range.is_other(transaction.is_some()) => return Err(miscounted(ack, range.here)),
        // It has more than was delivered: all of it comes again.
        AckType::Poison if range.count > range.here => {
            let more = Vec::new();
            let deliveries = list.settle(first_at, last_at);
            let settlement = Settlement::Undelivered;
            return Ok(deliveries.map(|deliveries| Settling { deliveries, more, settlement, transaction: None }));
        }
        // Between its ends is what it never failed at.
        AckType::Poison if range.is_other(false) && is_alone => (Settlement::Undelivered, None),
        AckType::Poison if range.is_other(false) => {
            list.doubt(first_at, last_at);
            return Ok(None);
        }
        AckType::Poison => (Settlement::Poisoned(cause(ack)), None),
        AckType::Expired => (Settlement::Expired, None),
        AckType::Standard | AckType::Individual | AckType::Unmatched => (Settlement::Consumed, transaction),
    };
    if range.begins_aside {
        list.take_back(first_at);
    }
    let parts = if range.stepped_over > 0 { list.parts(first_at, last_at) } else { Vec::new() };
    let mut settle = |first, last| match transaction {
        None => list.settle(first, last),
        Some(transaction) => list.hold(first, last, transaction),
    };
    if range.stepped_over == 0 {
        let deliveries = settle(first_at, last_at);
        let more = Vec::new();
        return Ok(deliveries.map(|deliveries| Settling { deliveries, more, settlement, transaction }));
    }
    let mut more: Vec<Deliveries> = parts.into_iter().filter_map(|(first, last)| settle(first, last)).collect();
    more.reverse();
    Ok(more.pop().map(|deliveries| Settling { deliveries, more, settlement, transaction }))
}

/// As `settle`, of what is acknowledged by count.
fn settle_counted(
    counted: &mut Count,
    ack: &MessageAck,
    kind: AckType,
    transaction: Option<TransactionId>,
) -> Option<Settling> {
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
    deliveries.map(|deliveries| Settling { deliveries, more: Vec::new(), settlement, transaction })
}

/// Where the deliveries are that an acknowledgement names; `None`: nothing of them is left whose window is to be opened.
fn ends(list: &mut List, ack: &MessageAck, kind: AckType) -> Result<Option<(usize, usize)>, PeerError> {
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
    Ok(Some((first_at, last_at)))
}

/// What lies between the ends of an acknowledgement, and what the client says of it.
struct Range {
    /// How many the client means.
    count: usize,
    /// How many there are,
    here: usize,
    /// and in no transaction.
    free: usize,
    /// Neither with what is set aside: so many.
    stepped_over: usize,
    /// But with the first, which is, too: the client names it, so it has had it all the time.
    begins_aside: bool,
    /// The last one is set aside: what else it had, and when, cannot be told.
    ends_aside: bool,
    has_first: bool,
}

impl Range {
    fn of(list: &List, ack: &MessageAck, kind: AckType, first: usize, last: usize) -> Self {
        let mut range = Self {
            count: usize::try_from(ack.message_count).unwrap_or(0),
            here: last - first + 1,
            free: if kind == AckType::Individual { 1 } else { list.free(first, last) },
            stepped_over: 0,
            begins_aside: false,
            ends_aside: false,
            has_first: ack.first_message_id.is_some(),
        };
        if first < last && matches!(kind, AckType::Standard | AckType::Poison) {
            let suppressed = list.suppressed(first, last);
            if suppressed > 0 {
                range.ends_aside = list.is_suppressed(last);
                range.begins_aside = range.has_first && list.is_suppressed(first);
                range.stepped_over = suppressed - usize::from(range.begins_aside);
                range.here -= range.stepped_over;
                range.free -= range.stepped_over;
            }
        }
        range
    }

    /// Fewer are meant than there are, so that between the ends is what the application never had; or more.
    fn is_other(&self, is_transacted: bool) -> bool {
        let is_fewer = self.count < self.free && (!is_transacted || self.has_first);
        self.count > self.here || is_fewer || self.ends_aside
    }
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
