//! Ids both ways: three numbers and a name on the wire, one text inside the broker.

use crate::codec::ids::ConnectionId;
use crate::codec::ids::{ConsumerId, ProducerId};
use crate::codec::transaction::{LocalTransactionId, TransactionId, XaTransactionId};
use bytes::Bytes;
use ferrymq_model::Xid;
use ferrymq_model::limits::PRODUCERS_PER_SESSION_MAX;
use ferrymq_model::xid::XID_PART_BYTES_MAX;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// `conn:session:value`, as Java writes it.
#[must_use]
pub fn producer_text(id: &ProducerId) -> String {
    format!("{}:{}:{}", id.connection_id, id.session_id, id.value)
}

/// `conn:session:value`, as Java writes it.
#[must_use]
pub fn consumer_text(id: &ConsumerId) -> String {
    format!("{}:{}:{}", id.connection_id, id.session_id, id.value)
}

/// `conn:value`: what a local transaction's commit is remembered by.
#[must_use]
pub fn local_transaction_text(id: &LocalTransactionId) -> String {
    let connection = id.connection_id.as_ref().map_or("", |connection| &connection.value);
    format!("{connection}:{}", id.value)
}

const LOCAL_TRANSACTION: &str = "TX:";

/// A transaction as Java writes it; `None`: a branch whose parts cannot be a name's.
fn transaction_text(id: &TransactionId) -> Option<String> {
    match id {
        TransactionId::Local(id) => Some(format!("{LOCAL_TRANSACTION}{}", local_transaction_text(id))),
        TransactionId::Xa(id) => xid(id).ok().map(|xid| xid.to_string()),
    }
}

/// What `transaction_text` wrote; `None`: it is not that.
pub(super) fn wire_transaction(text: &str) -> Option<TransactionId> {
    let Some(local) = text.strip_prefix(LOCAL_TRANSACTION) else {
        return Xid::parse(text).map(|xid| TransactionId::Xa(wire_xid(&xid)));
    };
    let (connection, value) = local.rsplit_once(':')?;
    let connection_id = Some(ConnectionId { value: connection.into() });
    Some(TransactionId::Local(LocalTransactionId { value: number(value)?, connection_id }))
}

/// Places of [`Names::lately`].
const LATELY: usize = 16;

fn lately(id: &ProducerId) -> usize {
    id.value.wrapping_add(id.session_id).cast_unsigned() as usize % LATELY
}

/// The texts of one connection's producers, so that all messages of a producer share one.
#[derive(Debug, Default)]
pub struct Names {
    /// Those used lately, each in the place of its number: a connection has few. Empty until the first.
    lately: Vec<Option<(ProducerId, Arc<str>)>>,
    /// At most [`PRODUCERS_PER_SESSION_MAX`]; when full it starts anew.
    known: HashMap<ProducerId, Arc<str>>,
    transaction: Option<(TransactionId, Arc<str>)>,
}

impl Names {
    /// The text of a transaction, the same `Arc` while it is the same.
    pub(super) fn transaction(&mut self, id: &TransactionId) -> Option<Arc<str>> {
        match &self.transaction {
            Some((last, text)) if last == id => Some(Arc::clone(text)),
            Some(_) | None => {
                let text: Arc<str> = transaction_text(id)?.into();
                self.transaction = Some((id.clone(), Arc::clone(&text)));
                Some(text)
            }
        }
    }

    /// The text of a producer, the same `Arc` each time.
    pub fn producer(&mut self, id: &ProducerId) -> Arc<str> {
        let place = lately(id);
        if let Some(Some((known, text))) = self.lately.get(place)
            && known.is_same(id)
        {
            return Arc::clone(text);
        }
        if self.known.len() >= PRODUCERS_PER_SESSION_MAX && !self.known.contains_key(id) {
            self.known.clear();
        }
        let text = self.known.entry(id.clone()).or_insert_with(|| producer_text(id).into());
        self.lately.resize(LATELY, None);
        self.lately[place] = Some((id.clone(), Arc::clone(text)));
        Arc::clone(text)
    }

    /// The producer is gone.
    pub fn forget(&mut self, id: &ProducerId) {
        self.known.remove(id);
        if let Some(place) = self.lately.get_mut(lately(id))
            && place.as_ref().is_some_and(|(known, _)| known == id)
        {
            *place = None;
        }
    }
}

/// Slots of [`WireProducers`]: more producers than that, interleaved in what one consumer gets, are parsed again and again.
const WIRE_PRODUCERS: usize = 64;

/// Producers' texts as ids, for messages on their way out.
#[derive(Debug, Default)]
pub(super) struct WireProducers {
    /// By the address of the text, which the slot keeps alive.
    slots: Vec<Option<(Arc<str>, WireProducer)>>,
}

/// A producer on the wire.
#[derive(Clone, Debug)]
pub(super) enum WireProducer {
    /// Its text is an id of this protocol.
    Id(ProducerId),
    /// It is not: the id stands for the whole text, and messages show theirs as text.
    Foreign(ProducerId),
}

impl WireProducer {
    fn of(text: &Arc<str>) -> Self {
        match parse(text) {
            Some((connection_id, session_id, value)) => Self::Id(ProducerId { connection_id, value, session_id }),
            None => {
                Self::Foreign(ProducerId { connection_id: Arc::clone(text), value: 1, session_id: FOREIGN_SESSION })
            }
        }
    }
}

impl WireProducers {
    pub(super) fn get(&mut self, text: &Arc<str>) -> &WireProducer {
        if self.slots.is_empty() {
            self.slots.resize(WIRE_PRODUCERS, None);
        }
        // Allocations are 16 bytes apart at least.
        let slot = &mut self.slots[(text.as_ptr().addr() >> 4) % WIRE_PRODUCERS];
        if slot.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, text)) {
            *slot = None;
        }
        &slot.get_or_insert_with(|| (Arc::clone(text), WireProducer::of(text))).1
    }
}

/// The session of ids that this protocol did not make; Classic's other protocols use the same.
const FOREIGN_SESSION: i64 = -1;

/// Connection, session and value: the last two parts are numbers.
fn parse(text: &str) -> Option<(Arc<str>, i64, i64)> {
    let (rest, value) = text.rsplit_once(':')?;
    let (connection, session) = rest.rsplit_once(':')?;
    Some((connection.into(), number(session)?, number(value)?))
}

/// A number as it is written, so that it comes back as the same text.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.len() == 1 || !digits.starts_with('0') && !digits.starts_with('+');
    if is_plain && text != "-0" { text.parse().ok() } else { None }
}

/// The consumer `name` of `connection`; one that is no id of this protocol gets one of its `number`.
pub(super) fn wire_consumer(name: Option<&str>, connection: &Arc<str>, number: i64) -> ConsumerId {
    match name.and_then(parse) {
        Some((connection_id, session_id, value)) => ConsumerId { connection_id, session_id, value },
        None => ConsumerId { connection_id: Arc::clone(connection), session_id: FOREIGN_SESSION, value: number },
    }
}

/// The producer `name` of `connection`.
pub(super) fn wire_producer(name: Option<&str>, connection: &Arc<str>) -> ProducerId {
    match name.and_then(parse) {
        Some((connection_id, session_id, value)) => ProducerId { connection_id, value, session_id },
        None => ProducerId { connection_id: Arc::clone(connection), value: 1, session_id: FOREIGN_SESSION },
    }
}

/// A transaction manager's name for a branch has a part that is absent or too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidXid;

impl fmt::Display for InvalidXid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "an xid has a global id of 1 to {XID_PART_BYTES_MAX} and a branch id of up to {XID_PART_BYTES_MAX} bytes"
        )
    }
}

impl std::error::Error for InvalidXid {}

/// The branch of a distributed transaction.
///
/// # Errors
/// A part is absent or longer than X/Open allows.
pub fn xid(id: &XaTransactionId) -> Result<Xid, InvalidXid> {
    let part =
        |octets: &Option<Bytes>| octets.as_deref().filter(|octets| octets.len() <= XID_PART_BYTES_MAX).map(Box::from);
    let global: Box<[u8]> = part(&id.global_transaction_id).ok_or(InvalidXid)?;
    let branch = part(&id.branch_qualifier).ok_or(InvalidXid)?;
    if global.is_empty() { Err(InvalidXid) } else { Ok(Xid { format: id.format_id, global, branch }) }
}

/// A branch on the wire.
#[must_use]
pub fn wire_xid(xid: &Xid) -> XaTransactionId {
    XaTransactionId {
        format_id: xid.format,
        global_transaction_id: Some(Bytes::copy_from_slice(&xid.global)),
        branch_qualifier: Some(Bytes::copy_from_slice(&xid.branch)),
    }
}
