//! The broker hands a message to a consumer.

use crate::codec::destination::Destination;
use crate::codec::ids::{ConsumerId, MessageId};
use crate::codec::message::Message;
use crate::codec::table::{Cached, Int, Long, Nested, structure};

structure! {
    /// A message for a consumer. Without one: the queue was browsed to its end, or a pull waited in vain.
    MessageDispatch = 21 : Command {
        /// For whom.
        consumer_id: Cached<ConsumerId>;
        /// From where.
        destination: Cached<Destination>;
        /// The message.
        message: Nested<Box<Message>>;
        /// How often it was delivered before. Count.
        redelivery_counter: Int;
    }
}

structure! {
    /// A broker tells its standby that a message was dispatched.
    MessageDispatchNotification = 90 : Command {
        /// To whom.
        consumer_id: Cached<ConsumerId>;
        /// From where.
        destination: Cached<Destination>;
        /// The dispatch's number.
        delivery_sequence_id: Long;
        /// Which message.
        message_id: Nested<MessageId>;
    }
}
