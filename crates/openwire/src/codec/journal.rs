//! What ActiveMQ's stores write in OpenWire. Never on a connection; needed to read such stores.

use crate::codec::destination::Destination;
use crate::codec::ids::MessageId;
use crate::codec::message_ack::MessageAck;
use crate::codec::table::{Boolean, Byte, Cached, Long, Nested, Text, structure};
use crate::codec::transaction::TransactionId;

structure! {
    /// A durable subscription has consumed a message.
    JournalTopicAck = 50 {
        /// Of which topic.
        destination: Nested<Destination>;
        /// Which message.
        message_id: Nested<MessageId>;
        /// Its number in the store.
        message_sequence_id: Long;
        /// The subscription's name.
        subscription_name: Text;
        /// Whose subscription.
        client_id: Text;
        /// In which transaction.
        transaction_id: Nested<TransactionId>;
    }
}

structure! {
    /// A message of a queue was consumed.
    JournalQueueAck = 52 {
        /// Of which queue.
        destination: Nested<Destination>;
        /// How.
        message_ack: Nested<Box<MessageAck>>;
    }
}

structure! {
    /// A note.
    JournalTrace = 53 {
        /// What it says.
        message: Text;
    }
}

structure! {
    /// The outcome of a transaction.
    JournalTransaction = 54 {
        /// Which one.
        transaction_id: Nested<TransactionId>;
        /// 1 prepared, 2 committed, 3 rolled back; 4 and 5 the same for local ones.
        kind: Byte;
        /// Whether it was prepared before.
        was_prepared: Boolean;
    }
}

structure! {
    /// A durable subscription.
    SubscriptionInfo = 55 {
        /// Whose.
        client_id: Text;
        /// The topic that messages come from.
        destination: Cached<Destination>;
        /// Which messages.
        selector: Text;
        /// Its name.
        subscription_name: Text;
        /// What was subscribed: a wildcard, or the topic.
        subscribed_destination: Nested<Destination>, since 3;
        /// Not the messages of its own connection.
        no_local: Boolean, since 11;
    }
}
