//! From bytes to records. Takes nothing for granted: a length is believed only as far as bytes are there.

use super::encode::{
    FLAG_ANNOTATIONS, FLAG_EXPIRES, FLAG_PERSISTENT, HAS_CORRELATION_ID, HAS_GROUP, HAS_KIND, HAS_ORIGINAL_DESTINATION,
    HAS_REPLY_TO, HAS_TRANSACTION, HAS_USER, SCHEDULE_HAS_CRON, SCHEDULE_IS_DELIVERY_DELAY,
};
use super::{
    KIND_CATALOGUE, KIND_CATALOGUE_BRANCHES, KIND_COUNTED, KIND_DEFINE, KIND_DELIVERED, KIND_DISSOLVE, KIND_DROPPED,
    KIND_FORGET, KIND_HELD, KIND_OUTCOME, KIND_OUTCOMES, KIND_PLACE, KIND_PREPARE, KIND_PRODUCERS, KIND_REMOVE,
    KIND_SEAL, KIND_STORE, KIND_STORE_SCHEDULED,
};
use super::{
    Outcome, Placement, Prepared, PreparedSend, Record, SegmentEnd, StoreDefinition, StoreId, TransactionName,
    VALUE_DEPTH_MAX,
};
use crate::journal::Location;
use bytes::Bytes;
use ferrymq_model::{
    Annotations, DeliveryMode, Destination, DestinationKind, Dialects, Group, Header, Message, MessageId, Schedule,
    Value, WallTime, Xid,
};
use std::fmt;
use std::sync::Arc;

/// A record as it lies in the journal: the broker's, or one of the journal's own.
#[derive(Debug)]
pub(crate) enum Stored {
    /// The broker's.
    Record(Record),
    /// The broker's: a message whose producer's sequence counts.
    Counted(Record),
    /// Opens a segment's catalogue: the segments that existed, how many `Define` records follow, and the branches that
    /// are prepared.
    Catalogue { segments: Vec<SegmentEnd>, stores: u32, branches: Vec<u64> },
    /// Part of a catalogue: producers whose sequences count, each with the one that comes next.
    Producers(Vec<(Arc<str>, u64)>),
    /// Part of a catalogue: how transactions ended, oldest first.
    Outcomes(Vec<(TransactionName, Outcome)>),
    /// These segments are about to be deleted.
    Dropped(Vec<u32>),
    /// Nothing but the fact that all before it was durable.
    Seal,
}

/// A record whose checksum is right and whose content is not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DecodeError {
    /// A kind or dialect of a later version.
    Newer(String),
    /// Not what the format says.
    Malformed(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(what) => f.write_str(what),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

/// The bytes of a payload.
#[derive(Clone, Debug)]
pub(crate) enum Payload<'a> {
    /// Inside a larger buffer: a message's bytes are copied out of it.
    Borrowed(&'a [u8]),
    /// A buffer of its own: a message's bytes stay in it.
    Owned(Bytes),
}

impl Payload<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    fn from(&self, at: usize) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(&bytes[at..]),
            Self::Owned(bytes) => bytes.slice(at..),
        }
    }

    /// Its last `len` bytes.
    fn last(&self, len: usize) -> Self {
        let at = self.as_slice().len() - len;
        match self {
            Self::Borrowed(bytes) => Self::Borrowed(&bytes[at..]),
            Self::Owned(bytes) => Self::Owned(bytes.slice(at..)),
        }
    }
}

/// Decodes payloads. Remembers the last names it saw, so that a million messages of one queue share one name.
#[derive(Debug)]
pub(crate) struct Decoder {
    dialects: Dialects,
    destination: Option<Arc<Destination>>,
    producer: Option<Arc<str>>,
}

impl Decoder {
    pub(crate) fn new(dialects: Dialects) -> Self {
        Self { dialects, destination: None, producer: None }
    }

    /// Decodes a payload of this kind.
    pub(crate) fn decode(&mut self, kind: u8, payload: &Payload<'_>) -> Result<Stored, DecodeError> {
        let mut input = Input(payload.as_slice());
        let stored = match kind {
            KIND_STORE | KIND_STORE_SCHEDULED => return self.store(kind, payload).map(Stored::Record),
            KIND_COUNTED => {
                let kind = input.message_kind()?;
                return self.store(kind, &payload.last(input.0.len())).map(Stored::Counted);
            }
            KIND_HELD => return self.held(payload).map(Stored::Record),
            KIND_PLACE => Stored::Record(place(&mut input)?),
            KIND_PREPARE => Stored::Record(Record::Prepare(Box::new(self.prepare(&mut input)?))),
            KIND_DISSOLVE => Stored::Record(Record::Dissolve { branch: input.u64()? }),
            KIND_OUTCOME => {
                let (name, outcome) = outcome(&mut input)?;
                Stored::Record(Record::Outcome { name, outcome })
            }
            KIND_PRODUCERS => producers(&mut input)?,
            KIND_OUTCOMES => outcomes(&mut input)?,
            KIND_DEFINE => Stored::Record(define(&mut input)?),
            KIND_FORGET => Stored::Record(Record::Forget { store: StoreId(input.u32()?) }),
            KIND_REMOVE => Stored::Record(remove(&mut input)?),
            KIND_DELIVERED => Stored::Record(Record::Delivered { store: StoreId(input.u32()?), through: input.u64()? }),
            KIND_CATALOGUE | KIND_CATALOGUE_BRANCHES => catalogue(kind, &mut input)?,
            KIND_DROPPED => {
                let count = input.count(4)?;
                let mut segments = Vec::with_capacity(count);
                for _ in 0..count {
                    segments.push(input.u32()?);
                }
                Stored::Dropped(segments)
            }
            KIND_SEAL => Stored::Seal,
            unknown => return Err(DecodeError::Newer(format!("record kind {unknown} is not known"))),
        };
        if input.0.is_empty() { Ok(stored) } else { Err(DecodeError::Malformed("bytes are left over")) }
    }

    fn store(&mut self, kind: u8, payload: &Payload<'_>) -> Result<Record, DecodeError> {
        let (message, placements) = self.message(kind, payload)?;
        if placements.is_empty() {
            return Err(DecodeError::Malformed("a stored message stands nowhere"));
        }
        Ok(Record::Store { message, placements })
    }

    fn prepare(&mut self, input: &mut Input<'_>) -> Result<Prepared, DecodeError> {
        let branch = input.u64()?;
        let at = WallTime(input.u64()?);
        let xid = input.xid()?;
        let settled = input.placements()?;
        // Written by an earlier version; since then each send has a record of its own.
        let count = input.count(10)?;
        let mut sends = Vec::new();
        for _ in 0..count {
            let (leaves, flags, kind) = (input.leaves()?, input.u8()?, input.message_kind()?);
            let len = input.count(1)?;
            sends.push(self.prepared_send(leaves, flags, kind, &Payload::Borrowed(input.take(len)?))?);
        }
        Ok(Prepared { branch, xid, at, sends, settled })
    }

    fn held(&mut self, payload: &Payload<'_>) -> Result<Record, DecodeError> {
        let mut input = Input(payload.as_slice());
        let branch = input.u64()?;
        let (leaves, flags, kind) = (input.leaves()?, input.u8()?, input.message_kind()?);
        let send = self.prepared_send(leaves, flags, kind, &payload.last(input.0.len()))?;
        Ok(Record::Held { branch, send: Box::new(send) })
    }

    fn prepared_send(
        &mut self,
        leaves: Vec<Destination>,
        flags: u8,
        kind: u8,
        payload: &Payload<'_>,
    ) -> Result<PreparedSend, DecodeError> {
        let (message, placements) = self.message(kind, payload)?;
        if !placements.is_empty() {
            return Err(DecodeError::Malformed("a message that is not sent yet stands somewhere"));
        }
        if leaves.is_empty() {
            return Err(DecodeError::Malformed("a message is sent nowhere"));
        }
        Ok(PreparedSend { leaves, counted: flags & 1 != 0, message })
    }

    /// A message with its places.
    fn message(&mut self, kind: u8, payload: &Payload<'_>) -> Result<(Arc<Message>, Vec<Placement>), DecodeError> {
        let bytes = payload.as_slice();
        let mut input = Input(bytes);
        let schedule = if kind == KIND_STORE_SCHEDULED { Some(Box::new(schedule(&mut input)?)) } else { None };
        let placements = input.placements()?;
        let code = input.u16()?;
        let dialect = self
            .dialects
            .find(code)
            .ok_or_else(|| DecodeError::Newer(format!("message dialect {code} is not known")))?;
        let flags = input.u8()?;
        let priority = input.u8()?;
        let timestamp = WallTime(input.u64()?);
        let expiration = if flags & FLAG_EXPIRES != 0 { Some(WallTime(input.u64()?)) } else { None };
        let producer = self.producer(input.text()?);
        let sequence = input.u64()?;
        let destination = self.destination(&mut input)?;
        let mut annotations =
            if flags & FLAG_ANNOTATIONS != 0 { Some(Box::new(annotations(&mut input)?)) } else { None };
        if let Some(schedule) = schedule {
            annotations.get_or_insert_default().schedule = Some(schedule);
        }
        let body_at = input.u32()?;
        if body_at as usize > input.0.len() {
            return Err(DecodeError::Malformed("a message's body starts behind its end"));
        }
        let mode = if flags & FLAG_PERSISTENT != 0 { DeliveryMode::Persistent } else { DeliveryMode::NonPersistent };
        let header = Header {
            id: MessageId { producer, sequence },
            destination,
            mode,
            priority,
            timestamp,
            expiration,
            annotations,
        };
        let own = payload.from(bytes.len() - input.0.len());
        Ok((Arc::new(Message { header, dialect, bytes: own, body_at }), placements))
    }

    fn producer(&mut self, name: &str) -> Arc<str> {
        match &self.producer {
            Some(last) if **last == *name => last.clone(),
            _ => self.producer.insert(name.into()).clone(),
        }
    }

    fn destination(&mut self, input: &mut Input<'_>) -> Result<Arc<Destination>, DecodeError> {
        let (kind, name) = input.destination_parts()?;
        Ok(match &self.destination {
            Some(last) if last.kind == kind && *last.name == *name => last.clone(),
            _ => self.destination.insert(Arc::new(Destination { kind, name: name.into() })).clone(),
        })
    }
}

fn remove(input: &mut Input<'_>) -> Result<Record, DecodeError> {
    let (store, first, last) = (StoreId(input.u32()?), input.u64()?, input.u64()?);
    if first > last {
        return Err(DecodeError::Malformed("a range of messages ends before it begins"));
    }
    Ok(Record::Remove { store, first, last })
}

fn define(input: &mut Input<'_>) -> Result<Record, DecodeError> {
    let store = StoreId(input.u32()?);
    let next_sequence = input.u64()?;
    let delivered = input.u64()?;
    let definition = match input.u8()? {
        1 => StoreDefinition::Queue(input.destination()?),
        2 => {
            let client_id = input.text()?.into();
            let name = input.text()?.into();
            let count = input.count(5)?;
            let mut topics = Vec::with_capacity(count);
            for _ in 0..count {
                topics.push(input.destination()?);
            }
            let flags = input.u8()?;
            let selector = if flags & 1 != 0 { Some(input.text()?.into()) } else { None };
            StoreDefinition::Durable {
                client_id,
                name,
                topics,
                selector,
                selector_converts_text: flags & 2 != 0,
                no_local: flags & 4 != 0,
                shared: flags & 8 != 0,
            }
        }
        3 => StoreDefinition::Schedule,
        unknown => return Err(DecodeError::Newer(format!("store kind {unknown} is not known"))),
    };
    Ok(Record::Define { store, definition, next_sequence, delivered })
}

fn catalogue(kind: u8, input: &mut Input<'_>) -> Result<Stored, DecodeError> {
    let count = input.count(8)?;
    let mut segments = Vec::with_capacity(count);
    for _ in 0..count {
        segments.push(SegmentEnd { segment: input.u32()?, end: input.u32()? });
    }
    let stores = input.u32()?;
    let mut branches = Vec::new();
    if kind == KIND_CATALOGUE_BRANCHES {
        for _ in 0..input.count(8)? {
            branches.push(input.u64()?);
        }
    }
    Ok(Stored::Catalogue { segments, stores, branches })
}

fn producers(input: &mut Input<'_>) -> Result<Stored, DecodeError> {
    let count = input.count(12)?;
    let mut producers = Vec::with_capacity(count);
    for _ in 0..count {
        producers.push((input.text()?.into(), input.u64()?));
    }
    Ok(Stored::Producers(producers))
}

fn outcomes(input: &mut Input<'_>) -> Result<Stored, DecodeError> {
    let count = input.count(6)?;
    let mut outcomes = Vec::with_capacity(count);
    for _ in 0..count {
        outcomes.push(outcome(input)?);
    }
    Ok(Stored::Outcomes(outcomes))
}

fn outcome(input: &mut Input<'_>) -> Result<(TransactionName, Outcome), DecodeError> {
    let name = match input.u8()? {
        1 => TransactionName::Local(input.text()?.into()),
        2 => TransactionName::Branch(input.xid()?),
        unknown => return Err(DecodeError::Newer(format!("transaction kind {unknown} is not known"))),
    };
    let outcome = match input.u8()? {
        1 => Outcome::Committed,
        2 => Outcome::RolledBack,
        3 => Outcome::HeuristicallyCommitted,
        4 => Outcome::HeuristicallyRolledBack,
        5 => Outcome::Forgotten,
        unknown => return Err(DecodeError::Newer(format!("outcome {unknown} is not known"))),
    };
    Ok((name, outcome))
}

fn place(input: &mut Input<'_>) -> Result<Record, DecodeError> {
    let branch = input.u64()?;
    let held = Location { segment: input.u32()?, offset: input.u32()? };
    let placements = input.placements()?;
    if placements.is_empty() {
        return Err(DecodeError::Malformed("a placed message stands nowhere"));
    }
    Ok(Record::Place { branch, held, placements })
}

fn schedule(input: &mut Input<'_>) -> Result<Schedule, DecodeError> {
    let due = WallTime(input.u64()?);
    let (delay_ms, period_ms) = (input.u64()?, input.u64()?);
    let repeat = i32::from_le_bytes(input.array()?);
    let flags = input.u8()?;
    let cron = if flags & SCHEDULE_HAS_CRON != 0 { Some(input.text()?.into()) } else { None };
    let is_delivery_delay = flags & SCHEDULE_IS_DELIVERY_DELAY != 0;
    Ok(Schedule { delay_ms, period_ms, repeat, cron, is_delivery_delay, due })
}

fn annotations(input: &mut Input<'_>) -> Result<Annotations, DecodeError> {
    let present = input.u8()?;
    let mut annotations = Annotations::default();
    if present & HAS_CORRELATION_ID != 0 {
        annotations.correlation_id = Some(input.text()?.into());
    }
    if present & HAS_REPLY_TO != 0 {
        annotations.reply_to = Some(input.destination()?);
    }
    if present & HAS_KIND != 0 {
        annotations.kind = Some(input.text()?.into());
    }
    if present & HAS_GROUP != 0 {
        let id = input.text()?.into();
        annotations.group = Some(Group { id, sequence: i32::from_le_bytes(input.array()?) });
    }
    if present & HAS_USER != 0 {
        annotations.user = Some(input.text()?.into());
    }
    if present & HAS_ORIGINAL_DESTINATION != 0 {
        annotations.original_destination = Some(Arc::new(input.destination()?));
    }
    if present & HAS_TRANSACTION != 0 {
        annotations.transaction = Some(input.text()?.into());
    }
    let count = input.count(5)?;
    for _ in 0..count {
        let name = input.text()?.into();
        annotations.added.push((name, value(input, 0)?));
    }
    Ok(annotations)
}

fn value(input: &mut Input<'_>, depth: usize) -> Result<Value, DecodeError> {
    if depth >= VALUE_DEPTH_MAX {
        return Err(DecodeError::Malformed("a value is nested too deep"));
    }
    Ok(match input.u8()? {
        0 => Value::Null,
        1 => Value::Bool(input.u8()? != 0),
        2 => Value::Byte(i8::from_le_bytes(input.array()?)),
        3 => Value::Short(i16::from_le_bytes(input.array()?)),
        4 => Value::Int(i32::from_le_bytes(input.array()?)),
        5 => Value::Long(i64::from_le_bytes(input.array()?)),
        6 => Value::Float(f32::from_le_bytes(input.array()?)),
        7 => Value::Double(f64::from_le_bytes(input.array()?)),
        8 => Value::Char(input.u16()?),
        9 => Value::Text(input.text()?.into()),
        10 => {
            let len = input.count(1)?;
            Value::Bytes(Bytes::copy_from_slice(input.take(len)?))
        }
        11 => {
            let count = input.count(1)?;
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(value(input, depth + 1)?);
            }
            Value::List(values)
        }
        12 => {
            let count = input.count(5)?;
            let mut entries = Vec::new();
            for _ in 0..count {
                let name = input.text()?.into();
                entries.push((name, value(input, depth + 1)?));
            }
            Value::Map(entries)
        }
        unknown => return Err(DecodeError::Newer(format!("value tag {unknown} is not known"))),
    })
}

/// What is left of a payload.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Malformed("a record ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returns as many bytes as asked"))
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of things that follow, each at least this long.
    fn count(&mut self, bytes_each_min: usize) -> Result<usize, DecodeError> {
        let count = self.u32()? as usize;
        if count > self.0.len() / bytes_each_min {
            return Err(DecodeError::Malformed("a count is larger than its record"));
        }
        Ok(count)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.u32()? as usize;
        std::str::from_utf8(self.take(len)?).map_err(|_| DecodeError::Malformed("a text is not UTF-8"))
    }

    /// The kind of a message inside another record.
    fn message_kind(&mut self) -> Result<u8, DecodeError> {
        match self.u8()? {
            kind @ (KIND_STORE | KIND_STORE_SCHEDULED) => Ok(kind),
            unknown => Err(DecodeError::Newer(format!("message kind {unknown} is not known"))),
        }
    }

    fn placements(&mut self) -> Result<Vec<Placement>, DecodeError> {
        let count = self.count(12)?;
        let mut placements = Vec::with_capacity(count);
        for _ in 0..count {
            let placement = Placement { store: StoreId(self.u32()?), sequence: self.u64()? };
            if matches!(placement.sequence, 0 | u64::MAX) {
                return Err(DecodeError::Malformed("a message has a number that none has"));
            }
            placements.push(placement);
        }
        Ok(placements)
    }

    fn leaves(&mut self) -> Result<Vec<Destination>, DecodeError> {
        let count = self.count(5)?;
        (0..count).map(|_| self.destination()).collect()
    }

    fn xid(&mut self) -> Result<Arc<Xid>, DecodeError> {
        let format = i32::from_le_bytes(self.array()?);
        let mut part = || -> Result<Box<[u8]>, DecodeError> {
            let len = self.u8()?;
            Ok(self.take(usize::from(len))?.into())
        };
        Ok(Arc::new(Xid { format, global: part()?, branch: part()? }))
    }

    fn destination_parts(&mut self) -> Result<(DestinationKind, &'a str), DecodeError> {
        let kind = match self.u8()? {
            1 => DestinationKind::Queue,
            2 => DestinationKind::Topic,
            3 => DestinationKind::TemporaryQueue,
            4 => DestinationKind::TemporaryTopic,
            unknown => return Err(DecodeError::Newer(format!("destination kind {unknown} is not known"))),
        };
        Ok((kind, self.text()?))
    }

    fn destination(&mut self) -> Result<Destination, DecodeError> {
        let (kind, name) = self.destination_parts()?;
        Ok(Destination { kind, name: name.into() })
    }
}
