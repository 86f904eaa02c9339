//! The plainest messages and the first requests of a session, for programs that measure the core alone.

use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Address, DeliveryMode, DestinationKind, Dialect, Dialects, Header, MalformedMessage, Message, MessageId, Neutral,
    ProducerId, Request, Token, WallTime,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the body starts in messages with a kind.
pub(crate) const KIND_BYTES: u32 = 8;
/// The producer of [`begin`].
pub(crate) const PRODUCER: ProducerId = ProducerId(1);
/// Properties that selectors asked for.
pub(crate) static ASKED: AtomicU64 = AtomicU64::new(0);
pub(crate) static DIALECTS: Dialects = Dialects(&[&PLAIN]);

static PLAIN: Plain = Plain;

#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn code(&self) -> u16 {
        900
    }

    /// One property, `kind`, a number of 64 bits before the body: found as fast as any dialect may.
    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        // One thread asks: two plain instructions, so that counting does not show in what is measured.
        ASKED.store(ASKED.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        match message.bytes.first_chunk().filter(|_| name == "kind" && message.body_at == KIND_BYTES) {
            Some(kind) => Operand::Integer(i64::from_be_bytes(*kind)),
            None => Operand::Null,
        }
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("never asked here".to_owned()))
    }
}

pub(crate) fn address(text: &str) -> Arc<Address> {
    Arc::new(Address::parse(text, DestinationKind::Queue).expect("a valid name"))
}

/// A message with or without a kind, and so many bytes after it.
pub(crate) fn message(
    producer: &str,
    to: &Address,
    mode: DeliveryMode,
    kind: Option<u64>,
    body_bytes: usize,
) -> Message {
    let mut bytes = kind.map_or(Vec::new(), |kind| kind.to_be_bytes().to_vec());
    bytes.resize(bytes.len() + body_bytes, b'x');
    Message {
        header: Header {
            id: MessageId { producer: producer.into(), sequence: 1 },
            destination: Arc::clone(&to.leaves[0]),
            mode,
            priority: 4,
            timestamp: WallTime(0),
            expiration: None,
            annotations: None,
        },
        dialect: &PLAIN,
        bytes: bytes.into(),
        body_at: if kind.is_some() { KIND_BYTES } else { 0 },
    }
}

pub(crate) fn connect() -> Request {
    Request::Connect { client_id: None, user: None, name: None, peer: None, confirm: Token(0) }
}

/// The messages of one with a name are counted.
pub(crate) fn add_producer(name: Option<Arc<str>>, address: Arc<Address>) -> Request {
    let skips_duplicates = name.is_some();
    Request::AddProducer { producer: PRODUCER, name, skips_duplicates, address, confirm: None }
}
