//! Messages ⇄ frames.
//!
//! A SEND frame becomes a message whose bytes are the frame's header block, from the first line on that a message needs,
//! and its body, untouched, in the dialect of the connection's version. On the way out the property lines of a message of the same dialect are copied raw; those of
//! another STOMP version are escaped anew; those of another protocol come through the neutral form.

mod advisory;
mod dialect;
mod json;
mod outgoing;

pub use dialect::{DIALECTS, STOMP_1_0, STOMP_1_1, STOMP_1_2, StompDialect};
pub(crate) use outgoing::{Encoder, Envelope, show};

#[cfg(test)]
mod tests;
