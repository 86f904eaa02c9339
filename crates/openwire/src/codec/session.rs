//! Sessions, and the end of anything that was introduced.

use crate::codec::ids::{ConnectionId, ObjectId, SessionId};
use crate::codec::table::{Cached, Long, Text, structure};

structure! {
    /// A session begins.
    SessionInfo = 4 : Command {
        /// Which one.
        session_id: Cached<SessionId>;
    }
}

structure! {
    /// A connection, session, consumer or producer ends.
    RemoveInfo = 12 : Command {
        /// Which one.
        object_id: Cached<ObjectId>;
        /// The last message that a consumer has seen; −1: none, −2: unknown.
        last_delivered_sequence_id: Long, since 5, or -2;
    }
}

structure! {
    /// A durable subscription ends for good.
    RemoveSubscriptionInfo = 9 : Command {
        /// Who asks.
        connection_id: Cached<ConnectionId>;
        /// The subscription's name.
        subscription_name: Text;
        /// Whose subscription.
        client_id: Text;
    }
}
