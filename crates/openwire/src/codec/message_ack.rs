//! A consumer says what became of messages.

use crate::codec::destination::Destination;
use crate::codec::ids::{ConsumerId, MessageId};
use crate::codec::repeat::Changing;
use crate::codec::table::{Byte, Cached, Int, Nested, structure};
use crate::codec::throwable::Throwable;
use crate::codec::transaction::TransactionId;

structure! {
    /// Settles a range of messages.
    MessageAck = 22 : Command {
        /// Where they were.
        destination: Cached<Destination>;
        /// In which transaction they are settled.
        transaction_id: Cached<TransactionId>;
        /// Who settles.
        consumer_id: Cached<ConsumerId>;
        /// 0 delivered, 1 poison, 2 consumed, 3 to be redelivered, 4 this one alone, 5 unmatched, 6 expired.
        ack_type: Byte;
        /// The first of the range; none: from the beginning.
        first_message_id: Nested<MessageId>;
        /// The last of the range.
        last_message_id: Nested<MessageId>;
        /// How many.
        message_count: Changing<Int>;
        /// Why a message is poison.
        poison_cause: Throwable, since 7;
    }
}
