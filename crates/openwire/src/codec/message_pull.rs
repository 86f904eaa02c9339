//! A consumer without prefetch asks for a message.

use crate::codec::destination::Destination;
use crate::codec::ids::{ConsumerId, MessageId};
use crate::codec::table::{Cached, Long, Nested, Text, structure};

structure! {
    /// Asks for one message.
    MessagePull = 20 since 2 : Command {
        /// Who asks.
        consumer_id: Cached<ConsumerId>;
        /// From where.
        destination: Cached<Destination>;
        /// How long to wait: −1 not at all, 0 for ever. Milliseconds.
        timeout: Long;
        /// Only a message with this correlation id.
        correlation_id: Text, since 3;
        /// Only this message.
        message_id: Nested<MessageId>, since 3;
    }
}
