//! Names the things: messages, destinations, selectors, requests, events, settlements, limits.
//!
//! ```text
//!   bytes ──protocol──► Request ──broker──► Event ──protocol──► bytes
//!                          └─────── Message, Destination, Value, Settlement ───────┘
//! ```
//!
//! Every other crate speaks with these words. The crate has no logic beyond matching and comparing.
//!
//! Invariants worth naming:
//! - Nothing here waits, reads a clock, or knows a protocol, a socket or a file.
//! - A [`Message`] is immutable once it is shared; what changes with a delivery (redelivery count, the leaf
//!   destination) travels in the [`Event::Deliver`] beside it.
//! - A message keeps the bytes it arrived in; another encoding is made only when a consumer speaks another protocol.
//!
//! Not here: encodings on the wire (the protocol crates) and on disk (`storage/record.rs`).
#![forbid(unsafe_code)]

pub mod advisory;
pub mod awaited;
pub mod destination;
pub mod dialect;
pub mod event;
pub mod id;
pub mod limits;
pub mod message;
pub mod outbox;
pub mod request;
pub mod schedule;
pub mod selector;
pub mod session;
pub mod settlement;
pub mod time;
pub mod value;
pub mod xid;

pub use advisory::Advisory;
pub use awaited::Awaited;
pub use destination::{Address, Destination, DestinationError, DestinationKind};
pub use dialect::{Dialect, Dialects, MalformedMessage};
pub use event::{BranchError, Event, Refusal, RefusalKind, Vote};
pub use id::{DeliveryId, MessageId, ProducerId, SessionId, SubscriptionId, Token, TransactionId};
pub use message::{Annotations, DeliveryMode, Group, Header, Message};
pub use outbox::Outbox;
pub use request::{BranchAction, Query, Request, Seen, Subscribe};
pub use schedule::{Schedule, ScheduleError};
pub use selector::{Operand, Selector, SelectorError};
pub use session::{Closing, Session};
pub use settlement::{Deliveries, Settlement};
pub use time::{MonoTime, Now, WallTime};
pub use value::{Body, Neutral, Value};
pub use xid::Xid;
