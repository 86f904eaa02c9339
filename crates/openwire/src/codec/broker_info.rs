//! What a broker says of itself.

use crate::codec::ids::BrokerId;
use crate::codec::table::{Array, Boolean, Cached, Long, Text, structure};

structure! {
    /// The broker introduces itself. Java clients wait for it before they ask for advisories or temporary destinations.
    BrokerInfo = 2 : Command {
        /// Which broker.
        broker_id: Cached<BrokerId>;
        /// Where it is reached.
        broker_url: Text;
        /// Brokers that it is connected to.
        peer_broker_infos: Array<BrokerInfo>;
        /// Its name for people.
        broker_name: Text;
        /// A slave of a pair that shares nothing; long gone, still sent.
        slave_broker: Boolean;
        /// A master of such a pair.
        master_broker: Boolean;
        /// Whether such a pair is configured.
        fault_tolerant_configuration: Boolean;
        /// A bridge asks to be used in both directions.
        duplex_connection: Boolean, since 2;
        /// The connection is a bridge.
        network_connection: Boolean, since 2;
        /// The broker's count of the connection.
        connection_id: Long, since 2;
        /// Where large messages are uploaded to.
        broker_upload_url: Text, since 3;
        /// How the bridge of a duplex connection is configured.
        network_properties: Text, since 3;
    }
}
