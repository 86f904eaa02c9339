//! Bridges between brokers.

use crate::codec::consumer::ConsumerInfo;
use crate::codec::ids::BrokerId;
use crate::codec::table::{Array, Cached, Int, Nested, Text, structure};

structure! {
    /// What a bridge's consumer does not want: messages that have been at a broker, or came too far.
    NetworkBridgeFilter = 91 {
        /// Hops that messages and consumers may make. Count.
        network_ttl: Int, until 9;
        /// Messages that were at this broker stay away.
        network_broker_id: Cached<BrokerId>;
        /// Hops that messages may make. Count.
        message_ttl: Int, since 10;
        /// Hops that consumers may make. Count.
        consumer_ttl: Int, since 10;
    }
}

structure! {
    /// A broker tells another which durable subscriptions it has.
    BrokerSubscriptionInfo = 92 since 12 : Command {
        /// Which broker.
        broker_id: Nested<BrokerId>;
        /// Its name for people.
        broker_name: Text;
        /// The subscriptions.
        subscription_infos: Array<ConsumerInfo>;
    }
}

structure! {
    /// A broker was found or lost.
    DiscoveryEvent = 40 {
        /// Where it is reached.
        service_name: Text;
        /// Its name for people.
        broker_name: Text;
    }
}
