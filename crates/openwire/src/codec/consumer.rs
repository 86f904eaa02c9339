//! Consumers: how they begin, and how their prefetch changes.

use crate::codec::destination::Destination;
use crate::codec::ids::{BrokerId, ConsumerId};
use crate::codec::network::NetworkBridgeFilter;
use crate::codec::table::{Array, Boolean, Byte, Cached, Int, Nested, Text, structure};

structure! {
    /// A consumer begins.
    ConsumerInfo = 5 : Command {
        /// Which one.
        consumer_id: Cached<ConsumerId>;
        /// Only looks: messages stay where they are.
        browser: Boolean;
        /// What it consumes.
        destination: Cached<Destination>;
        /// Messages that it takes before acknowledging any. Count.
        prefetch_size: Int;
        /// Messages of a topic that may wait for it. Count.
        maximum_pending_message_limit: Int;
        /// Whether the broker dispatches from another thread than the producer's.
        dispatch_async: Boolean;
        /// Which messages it wants.
        selector: Text;
        /// `clientID` of JMS.
        client_id: Text, since 10;
        /// The name of a durable subscription.
        subscription_name: Text;
        /// Not the messages of its own connection.
        no_local: Boolean;
        /// It alone of all consumers of its queue.
        exclusive: Boolean;
        /// Older messages of a topic first.
        retroactive: Boolean;
        /// Higher goes first, 0 to 127; negative for bridges.
        priority: Byte;
        /// Brokers that it came through.
        broker_path: Array<BrokerId>;
        /// What a bridge does not want to see again.
        additional_predicate: Nested<NetworkBridgeFilter>;
        /// It belongs to a bridge.
        network_subscription: Boolean;
        /// It acknowledges many messages at a time.
        optimized_acknowledge: Boolean;
        /// It acknowledges no ranges.
        no_range_acks: Boolean;
        /// Consumers of other brokers that it stands for.
        network_consumer_path: Array<ConsumerId>, since 4;
    }
}

structure! {
    /// Changes a consumer's prefetch, or closes it.
    ConsumerControl = 17 : Command {
        /// What it consumes.
        destination: Nested<Destination>, since 6;
        /// Close it.
        close: Boolean;
        /// Which one.
        consumer_id: Nested<ConsumerId>;
        /// Messages that it takes before acknowledging any. Count.
        prefetch: Int;
        /// Send what waits.
        flush: Boolean, since 2;
        /// Go on.
        start: Boolean, since 2;
        /// Stop for now.
        stop: Boolean, since 2;
    }
}
