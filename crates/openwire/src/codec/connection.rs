//! Connections: how they begin, how they are steered, how their errors are told.

use crate::codec::ids::{BrokerId, ConnectionId};
use crate::codec::table::{Array, Boolean, Cached, Hidden, Nested, Octets, Text, structure};
use crate::codec::throwable::Throwable;

structure! {
    /// A client introduces itself.
    ConnectionInfo = 3 : Command {
        /// The connection's id, chosen by the client.
        connection_id: Cached<ConnectionId>;
        /// `clientID` of JMS.
        client_id: Text;
        /// Shown by nothing.
        password: Hidden;
        /// Who connects.
        user_name: Text;
        /// Brokers that it came through.
        broker_path: Array<BrokerId>;
        /// A slave connects to its master; long gone, still sent.
        broker_master_connector: Boolean;
        /// The client understands ConnectionControl.
        manageable: Boolean;
        /// The client is connected to a master.
        client_master: Boolean, since 2, or true;
        /// The client uses `failover:`.
        fault_tolerant: Boolean, since 6;
        /// The client has been connected before and replays its state.
        failover_reconnect: Boolean, since 6;
        /// The client's address, told by a broker in between.
        client_ip: Text, since 8;
    }
}

structure! {
    /// The broker steers a client's connection.
    ConnectionControl = 18 : Command {
        /// Close the connection.
        close: Boolean;
        /// End the program.
        exit: Boolean;
        /// Whether the broker has a standby.
        fault_tolerant: Boolean;
        /// Go on sending.
        resume: Boolean;
        /// Stop sending for now.
        suspend: Boolean;
        /// URIs of the brokers of the cluster, with commas between.
        connected_brokers: Text, since 6;
        /// URI of the broker to go to.
        reconnect_to: Text, since 6;
        /// The client should choose among the brokers anew.
        rebalance_connection: Boolean, since 6;
        /// Passed on untouched.
        token: Octets, since 8;
    }
}

structure! {
    /// Something failed that no response can tell.
    ConnectionError = 16 : Command {
        /// What failed.
        exception: Throwable;
        /// On which connection.
        connection_id: Nested<ConnectionId>;
    }
}
