//! What selectors accept, refuse and want.

mod chance;
mod index;
mod random;
mod refused;
mod table;

use crate::destination::{Destination, DestinationKind};
use crate::dialect::{Dialect, MalformedMessage};
use crate::id::MessageId;
use crate::message::{Annotations, DeliveryMode, Group, Header, Message};
use crate::selector::{Operand, Selector};
use crate::time::WallTime;
use crate::value::{Neutral, Value};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// Properties as lines `name=kind:value`, the kind one of `b`, `i`, `d`, `s`.
#[derive(Debug)]
struct Lines;

static LINES: Lines = Lines;

impl Dialect for Lines {
    fn code(&self) -> u16 {
        0xffff
    }

    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        let text = std::str::from_utf8(&message.bytes).expect("test messages are text");
        for line in text.lines() {
            let (found, value) = line.split_once('=').expect("a line has a name");
            if found == name {
                let (kind, value) = value.split_once(':').expect("a value has a kind");
                return match kind {
                    "b" => Operand::Bool(value == "true"),
                    "i" => Operand::Integer(value.parse().expect("a whole number")),
                    "d" => Operand::Double(value.parse().expect("a number")),
                    _ => Operand::Text(Cow::Borrowed(value)),
                };
            }
        }
        Operand::Null
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("not needed here".to_owned()))
    }
}

fn destination(kind: DestinationKind, name: &str) -> Destination {
    Destination::new(kind, name).expect("a valid name")
}

/// A bare message with these properties.
fn message(properties: &str) -> Message {
    Message {
        header: Header {
            id: MessageId { producer: Arc::from("ID:host-1:2"), sequence: 7 },
            destination: Arc::new(destination(DestinationKind::Queue, "ORDERS.EU")),
            mode: DeliveryMode::Persistent,
            priority: 4,
            timestamp: WallTime(1_700_000_000_000),
            expiration: None,
            annotations: None,
        },
        dialect: &LINES,
        bytes: Bytes::copy_from_slice(properties.as_bytes()),
        body_at: 0,
    }
}

/// The same with every header set.
fn annotated(properties: &str) -> Message {
    let mut message = message(properties);
    message.header.expiration = Some(WallTime(1_700_000_060_000));
    message.header.annotations = Some(Box::new(Annotations {
        correlation_id: Some(Arc::from("c-1")),
        reply_to: Some(destination(DestinationKind::TemporaryQueue, "answers")),
        kind: Some(Arc::from("invoice")),
        group: Some(Group { id: Arc::from("g"), sequence: 3 }),
        user: Some(Arc::from("ann")),
        original_destination: Some(Arc::new(destination(DestinationKind::Topic, "FIRST"))),
        transaction: None,
        schedule: None,
        advisory: None,
        added: vec![(Arc::from("cause"), Value::Text(Arc::from("late"))), (Arc::from("n"), Value::Long(99))],
    }));
    message
}

/// `T`, `F` or `U`(nknown): the selector and its negation are asked.
fn outcome(message: &Message, source: &str, converts_text: bool, redeliveries: u32) -> char {
    let parse = |source: &str| match Selector::parse(source, converts_text) {
        Ok(selector) => selector,
        Err(error) => panic!("{source}: {error}"),
    };
    let wanted = parse(source).matches(message, redeliveries);
    let negated = parse(&format!("NOT ({source}\n)")).matches(message, redeliveries);
    match (wanted, negated) {
        (true, false) => 'T',
        (false, true) => 'F',
        (false, false) => 'U',
        (true, true) => panic!("{source}: true and false at a time"),
    }
}
