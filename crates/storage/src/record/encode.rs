//! From records to bytes: little-endian, lengths before texts, a message's bytes last.

use super::{
    KIND_CATALOGUE, KIND_CATALOGUE_BRANCHES, KIND_DEFINE, KIND_DELIVERED, KIND_DISSOLVE, KIND_DROPPED, KIND_FORGET,
    KIND_HELD, KIND_OUTCOME, KIND_OUTCOMES, KIND_PLACE, KIND_PREPARE, KIND_PRODUCERS, KIND_REMOVE, store_kind,
};
use super::{
    Outcome, Placement, Prepared, Record, SegmentEnd, StoreDefinition, StoreId, TransactionName, VALUE_DEPTH_MAX,
};
use ferrymq_model::{Annotations, DeliveryMode, Destination, DestinationKind, Message, Schedule, Value, Xid};
use std::sync::Arc;

pub(crate) const FLAG_PERSISTENT: u8 = 1;
pub(crate) const FLAG_EXPIRES: u8 = 2;
pub(crate) const FLAG_ANNOTATIONS: u8 = 4;

pub(crate) const HAS_CORRELATION_ID: u8 = 1;
pub(crate) const HAS_REPLY_TO: u8 = 2;
pub(crate) const HAS_KIND: u8 = 4;
pub(crate) const HAS_GROUP: u8 = 8;
pub(crate) const HAS_USER: u8 = 16;
pub(crate) const HAS_ORIGINAL_DESTINATION: u8 = 32;
pub(crate) const HAS_TRANSACTION: u8 = 64;

pub(crate) const SCHEDULE_HAS_CRON: u8 = 1;
pub(crate) const SCHEDULE_IS_DELIVERY_DELAY: u8 = 2;

/// Writes everything of a `Store` record of the kind [`store_kind`] except the message's bytes, which follow it
/// immediately.
pub(crate) fn store_head(message: &Message, placements: &[Placement], out: &mut Vec<u8>) {
    assert!(!placements.is_empty(), "a stored message stands somewhere");
    message_head(message, placements, out);
}

/// As `store_head`, also for a message that stands nowhere yet.
fn message_head(message: &Message, placements: &[Placement], out: &mut Vec<u8>) {
    if let Some(schedule) = message.annotations().and_then(|annotations| annotations.schedule.as_deref()) {
        put_schedule(schedule, out);
    }
    put_placements(placements, out);
    let header = &message.header;
    let mut flags = 0;
    if header.mode == DeliveryMode::Persistent {
        flags |= FLAG_PERSISTENT;
    }
    if header.expiration.is_some() {
        flags |= FLAG_EXPIRES;
    }
    if header.annotations.is_some() {
        flags |= FLAG_ANNOTATIONS;
    }
    out.extend_from_slice(&message.dialect.code().to_le_bytes());
    out.extend_from_slice(&[flags, header.priority]);
    out.extend_from_slice(&header.timestamp.0.to_le_bytes());
    if let Some(expiration) = header.expiration {
        out.extend_from_slice(&expiration.0.to_le_bytes());
    }
    put_text(&header.id.producer, out);
    out.extend_from_slice(&header.id.sequence.to_le_bytes());
    put_destination(&header.destination, out);
    if let Some(annotations) = header.annotations.as_deref() {
        put_annotations(annotations, out);
    }
    out.extend_from_slice(&message.body_at.to_le_bytes());
}

/// Writes everything of a `Held` record except the message's bytes, which follow it immediately.
pub(crate) fn held_head<'d>(
    branch: u64,
    leaves: impl ExactSizeIterator<Item = &'d Destination>,
    counted: bool,
    message: &Message,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&branch.to_le_bytes());
    put_len(leaves.len(), out);
    for leaf in leaves {
        put_destination(leaf, out);
    }
    out.push(u8::from(counted));
    out.push(store_kind(message));
    message_head(message, &[], out);
}

/// Writes the payload of any record but `Store`, and returns its kind.
pub(crate) fn record(record: &Record, out: &mut Vec<u8>) -> u8 {
    match record {
        Record::Define { store, definition, next_sequence, delivered } => {
            define(*store, definition, *next_sequence, *delivered, out);
            KIND_DEFINE
        }
        Record::Forget { store } => {
            out.extend_from_slice(&store.0.to_le_bytes());
            KIND_FORGET
        }
        Record::Store { message, placements } => {
            store_head(message, placements, out);
            out.extend_from_slice(&message.bytes);
            store_kind(message)
        }
        Record::Remove { store, first, last } => {
            out.extend_from_slice(&store.0.to_le_bytes());
            out.extend_from_slice(&first.to_le_bytes());
            out.extend_from_slice(&last.to_le_bytes());
            KIND_REMOVE
        }
        Record::Delivered { store, through } => {
            out.extend_from_slice(&store.0.to_le_bytes());
            out.extend_from_slice(&through.to_le_bytes());
            KIND_DELIVERED
        }
        Record::Prepare(prepared) => {
            prepare(prepared, out);
            KIND_PREPARE
        }
        Record::Held { branch, send } => {
            held_head(*branch, send.leaves.iter(), send.counted, &send.message, out);
            out.extend_from_slice(&send.message.bytes);
            KIND_HELD
        }
        Record::Place { branch, held, placements } => {
            assert!(!placements.is_empty(), "a placed message stands somewhere");
            out.extend_from_slice(&branch.to_le_bytes());
            out.extend_from_slice(&held.segment.to_le_bytes());
            out.extend_from_slice(&held.offset.to_le_bytes());
            put_placements(placements, out);
            KIND_PLACE
        }
        Record::Dissolve { branch } => {
            out.extend_from_slice(&branch.to_le_bytes());
            KIND_DISSOLVE
        }
        Record::Outcome { name, outcome } => {
            put_outcome(name, *outcome, out);
            KIND_OUTCOME
        }
    }
}

/// Writes the payload of a `Define` record.
pub(crate) fn define(
    store: StoreId,
    definition: &StoreDefinition,
    next_sequence: u64,
    delivered: u64,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&store.0.to_le_bytes());
    out.extend_from_slice(&next_sequence.to_le_bytes());
    out.extend_from_slice(&delivered.to_le_bytes());
    match definition {
        StoreDefinition::Queue(destination) => {
            out.push(1);
            put_destination(destination, out);
        }
        StoreDefinition::Durable { client_id, name, topics, selector, selector_converts_text, no_local, shared } => {
            out.push(2);
            put_text(client_id, out);
            put_text(name, out);
            put_len(topics.len(), out);
            for topic in topics {
                put_destination(topic, out);
            }
            let flags = u8::from(selector.is_some())
                | u8::from(*selector_converts_text) << 1
                | u8::from(*no_local) << 2
                | u8::from(*shared) << 3;
            out.push(flags);
            if let Some(selector) = selector {
                put_text(selector, out);
            }
        }
        StoreDefinition::Schedule => out.push(3),
    }
}

fn prepare(prepared: &Prepared, out: &mut Vec<u8>) {
    out.extend_from_slice(&prepared.branch.to_le_bytes());
    out.extend_from_slice(&prepared.at.0.to_le_bytes());
    put_xid(&prepared.xid, out);
    put_placements(&prepared.settled, out);
    assert!(prepared.sends.is_empty(), "what a branch sends has records of its own");
    put_len(0, out);
}

/// Writes the payload of a table of producers: for each its name and the sequence that comes next.
pub(crate) fn producers<'p>(producers: impl Iterator<Item = (&'p Arc<str>, u64)>, out: &mut Vec<u8>) -> u8 {
    let producers: Vec<_> = producers.collect();
    put_len(producers.len(), out);
    for (name, next) in producers {
        put_text(name, out);
        out.extend_from_slice(&next.to_le_bytes());
    }
    KIND_PRODUCERS
}

/// Writes the payload of a table of outcomes, oldest first.
pub(crate) fn outcomes<'o>(outcomes: impl Iterator<Item = (&'o TransactionName, Outcome)>, out: &mut Vec<u8>) -> u8 {
    let outcomes: Vec<_> = outcomes.collect();
    put_len(outcomes.len(), out);
    for (name, outcome) in outcomes {
        put_outcome(name, outcome, out);
    }
    KIND_OUTCOMES
}

/// Writes the payload of a catalogue's head: the segments that exist, how many `Define` records follow, and the
/// branches that are prepared.
pub(crate) fn catalogue(segments: &[SegmentEnd], stores: usize, branches: &[u64], out: &mut Vec<u8>) -> u8 {
    put_len(segments.len(), out);
    for segment in segments {
        out.extend_from_slice(&segment.segment.to_le_bytes());
        out.extend_from_slice(&segment.end.to_le_bytes());
    }
    put_len(stores, out);
    if branches.is_empty() {
        return KIND_CATALOGUE;
    }
    put_len(branches.len(), out);
    for branch in branches {
        out.extend_from_slice(&branch.to_le_bytes());
    }
    KIND_CATALOGUE_BRANCHES
}

/// Writes the payload of a record that announces deletions.
pub(crate) fn dropped(segments: &[u32], out: &mut Vec<u8>) -> u8 {
    put_len(segments.len(), out);
    for segment in segments {
        out.extend_from_slice(&segment.to_le_bytes());
    }
    KIND_DROPPED
}

fn put_schedule(schedule: &Schedule, out: &mut Vec<u8>) {
    out.extend_from_slice(&schedule.due.0.to_le_bytes());
    out.extend_from_slice(&schedule.delay_ms.to_le_bytes());
    out.extend_from_slice(&schedule.period_ms.to_le_bytes());
    out.extend_from_slice(&schedule.repeat.to_le_bytes());
    let mut flags = 0;
    if schedule.cron.is_some() {
        flags |= SCHEDULE_HAS_CRON;
    }
    if schedule.is_delivery_delay {
        flags |= SCHEDULE_IS_DELIVERY_DELAY;
    }
    out.push(flags);
    if let Some(cron) = &schedule.cron {
        put_text(cron, out);
    }
}

fn put_annotations(annotations: &Annotations, out: &mut Vec<u8>) {
    let mark = |present: bool, flag: u8| if present { flag } else { 0 };
    out.push(
        mark(annotations.correlation_id.is_some(), HAS_CORRELATION_ID)
            | mark(annotations.reply_to.is_some(), HAS_REPLY_TO)
            | mark(annotations.kind.is_some(), HAS_KIND)
            | mark(annotations.group.is_some(), HAS_GROUP)
            | mark(annotations.user.is_some(), HAS_USER)
            | mark(annotations.original_destination.is_some(), HAS_ORIGINAL_DESTINATION)
            | mark(annotations.transaction.is_some(), HAS_TRANSACTION),
    );
    if let Some(correlation_id) = &annotations.correlation_id {
        put_text(correlation_id, out);
    }
    if let Some(reply_to) = &annotations.reply_to {
        put_destination(reply_to, out);
    }
    if let Some(kind) = &annotations.kind {
        put_text(kind, out);
    }
    if let Some(group) = &annotations.group {
        put_text(&group.id, out);
        out.extend_from_slice(&group.sequence.to_le_bytes());
    }
    if let Some(user) = &annotations.user {
        put_text(user, out);
    }
    if let Some(original) = &annotations.original_destination {
        put_destination(original, out);
    }
    if let Some(transaction) = &annotations.transaction {
        put_text(transaction, out);
    }
    put_len(annotations.added.len(), out);
    for (name, value) in &annotations.added {
        put_text(name, out);
        put_value(value, 0, out);
    }
}

fn put_value(value: &Value, depth: usize, out: &mut Vec<u8>) {
    assert!(depth < VALUE_DEPTH_MAX, "a property added by the broker is nested at most {VALUE_DEPTH_MAX} deep");
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
        Value::Byte(value) => out.extend_from_slice(&[2, value.to_le_bytes()[0]]),
        Value::Short(value) => put_number(3, &value.to_le_bytes(), out),
        Value::Int(value) => put_number(4, &value.to_le_bytes(), out),
        Value::Long(value) => put_number(5, &value.to_le_bytes(), out),
        Value::Float(value) => put_number(6, &value.to_le_bytes(), out),
        Value::Double(value) => put_number(7, &value.to_le_bytes(), out),
        Value::Char(value) => put_number(8, &value.to_le_bytes(), out),
        Value::Text(text) => {
            out.push(9);
            put_text(text, out);
        }
        Value::Bytes(bytes) => {
            out.push(10);
            put_len(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Value::List(values) => {
            out.push(11);
            put_len(values.len(), out);
            for value in values {
                put_value(value, depth + 1, out);
            }
        }
        Value::Map(entries) => {
            out.push(12);
            put_len(entries.len(), out);
            for (name, value) in entries {
                put_text(name, out);
                put_value(value, depth + 1, out);
            }
        }
    }
}

fn put_outcome(name: &TransactionName, outcome: Outcome, out: &mut Vec<u8>) {
    match name {
        TransactionName::Local(name) => {
            out.push(1);
            put_text(name, out);
        }
        TransactionName::Branch(xid) => {
            out.push(2);
            put_xid(xid, out);
        }
    }
    out.push(match outcome {
        Outcome::Committed => 1,
        Outcome::RolledBack => 2,
        Outcome::HeuristicallyCommitted => 3,
        Outcome::HeuristicallyRolledBack => 4,
        Outcome::Forgotten => 5,
    });
}

fn put_xid(xid: &Xid, out: &mut Vec<u8>) {
    out.extend_from_slice(&xid.format.to_le_bytes());
    for part in [&xid.global, &xid.branch] {
        out.push(u8::try_from(part.len()).expect("a part of a branch's name has at most 64 bytes"));
        out.extend_from_slice(part);
    }
}

fn put_placements(placements: &[Placement], out: &mut Vec<u8>) {
    put_len(placements.len(), out);
    for placement in placements {
        out.extend_from_slice(&placement.store.0.to_le_bytes());
        out.extend_from_slice(&placement.sequence.to_le_bytes());
    }
}

fn put_number(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn put_destination(destination: &Destination, out: &mut Vec<u8>) {
    out.push(match destination.kind {
        DestinationKind::Queue => 1,
        DestinationKind::Topic => 2,
        DestinationKind::TemporaryQueue => 3,
        DestinationKind::TemporaryTopic => 4,
    });
    put_text(&destination.name, out);
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_len(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn put_len(len: usize, out: &mut Vec<u8>) {
    let len = u32::try_from(len).expect("a record is shorter than 4 GiB: MESSAGE_BYTES_MAX holds everywhere");
    out.extend_from_slice(&len.to_le_bytes());
}
