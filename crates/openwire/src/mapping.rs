//! Messages, destinations and ids ⇄ the broker's own.
//!
//! ```text
//!   codec::Message ──incoming──► model::Message ──Outgoing──► codec::MessageDispatch
//!                     │               │              │
//!                     └── bytes: a slice of the frame ┴── the same bytes, or through the neutral form
//! ```
//!
//! A message keeps content and properties as they came ([`MessageBody`](crate::codec::message_body::MessageBody)); which of
//! the seven types it is, and whether it is compressed, is its dialect. Everything else is in header and annotations.

mod advisory;
mod destination;
mod dialect;
mod ids;
mod incoming;
mod inflate;
mod neutral;
mod outgoing;
mod property;
mod repeats;
mod schedule;

pub use destination::{address, destination, wire_address, wire_destination};
pub use dialect::{DIALECTS, Kind, OpenWireDialect};
pub use ids::{InvalidXid, Names, consumer_text, local_transaction_text, producer_text, wire_xid, xid};
pub use incoming::{Arrival, InvalidMessage, incoming};
pub use outgoing::{BrokerFacts, Outgoing, Undeliverable};
