//! Commands over datagrams: pieces of large ones, and requests to send again.

use crate::codec::table::{Int, Octets, structure};

structure! {
    /// A piece of a command.
    PartialCommand = 60 {
        /// Which command.
        command_id: Int;
        /// The piece.
        data: Octets;
    }
}

structure! {
    /// The last piece of a command.
    LastPartialCommand = 61 {
        /// Which command.
        command_id: Int;
        /// The piece.
        data: Octets;
    }
}

structure! {
    /// Asks to send commands again.
    ReplayCommand = 65 : Command {
        /// From this number.
        first_nak_number: Int;
        /// To this number.
        last_nak_number: Int;
    }
}
