//! Expiry, and messages that stay.

use super::{DeliveryMode, Header, MESSAGE_OVERHEAD, Message};
use crate::destination::{Destination, DestinationKind};
use crate::dialect::{Dialect, Dialects, MalformedMessage};
use crate::id::MessageId;
use crate::selector::Operand;
use crate::time::WallTime;
use crate::value::Neutral;
use bytes::Bytes;
use std::sync::Arc;

/// A dialect without properties, of this code.
#[derive(Debug)]
struct Plain(u16);

impl Dialect for Plain {
    fn code(&self) -> u16 {
        self.0
    }

    fn property<'m>(&self, _: &'m Message, _: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("plain".to_owned()))
    }
}

static DIALECTS: Dialects = Dialects(&[&Plain(1), &Plain(7)]);

fn message(bytes: Bytes, expiration: Option<WallTime>) -> Message {
    let destination = Destination::new(DestinationKind::Queue, "A").expect("a valid name");
    Message {
        header: Header {
            id: MessageId { producer: Arc::from("ID:p"), sequence: 1 },
            destination: Arc::new(destination),
            mode: DeliveryMode::Persistent,
            priority: 4,
            timestamp: WallTime(0),
            expiration,
            annotations: None,
        },
        dialect: DIALECTS.find(7).expect("a known dialect"),
        bytes,
        body_at: 0,
    }
}

#[test]
fn a_message_is_worthless_from_its_expiration_on() {
    let expiring = message(Bytes::new(), Some(WallTime(100)));
    assert!(!expiring.is_expired(WallTime(99)));
    assert!(expiring.is_expired(WallTime(100)));
    assert!(!message(Bytes::new(), None).is_expired(WallTime(u64::MAX)));
}

#[test]
fn a_detached_message_has_bytes_of_its_own() {
    let block = Bytes::from(vec![b'x'; 1000]);
    let passing = message(block.slice(10..20), None);
    assert!(!block.is_unique());
    let staying = passing.detached();
    drop(passing);
    assert!(block.is_unique(), "the read block is free again");
    assert_eq!(staying.bytes, vec![b'x'; 10]);
    assert_eq!(staying.retained_size(), 10 + MESSAGE_OVERHEAD);
}

#[test]
fn a_dialect_is_found_by_its_code() {
    assert_eq!(DIALECTS.find(1).map(Dialect::code), Some(1));
    assert_eq!(DIALECTS.find(7).map(Dialect::code), Some(7));
    assert!(DIALECTS.find(2).is_none());
}

#[test]
fn an_identity_is_written_as_producer_and_sequence() {
    assert_eq!(message(Bytes::new(), None).header.id.to_string(), "ID:p:1");
}
