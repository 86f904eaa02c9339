//! Producers: how they begin, and how they are paced.

use crate::codec::destination::Destination;
use crate::codec::ids::{BrokerId, ProducerId};
use crate::codec::table::{Array, Boolean, Cached, Int, Nested, structure};

structure! {
    /// A producer begins.
    ProducerInfo = 6 : Command {
        /// Which one.
        producer_id: Cached<ProducerId>;
        /// Where it sends; none: each message says.
        destination: Cached<Destination>;
        /// Brokers that it came through.
        broker_path: Array<BrokerId>;
        /// Whether the broker dispatches from another thread than the producer's.
        dispatch_async: Boolean, since 2;
        /// Bytes that it sends before waiting for a ProducerAck; 0: it never waits.
        window_size: Int, since 3;
    }
}

structure! {
    /// Opens a producer's window again.
    ProducerAck = 19 since 3 : Command {
        /// Whose.
        producer_id: Nested<ProducerId>;
        /// By how much. Bytes.
        size: Int;
    }
}
