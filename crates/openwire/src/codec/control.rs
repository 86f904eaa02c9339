//! Commands about the conversation itself.

use crate::codec::table::{Text, structure};

structure! {
    /// Still here.
    KeepAliveInfo = 10 : Command {}
}

structure! {
    /// The connection ends as it should.
    ShutdownInfo = 11 : Command {}
}

structure! {
    /// Asks the broker to do something by name. `shutdown` among them, which nobody may ask by this way here.
    ControlCommand = 14 : Command {
        /// What to do.
        command: Text;
    }
}

structure! {
    /// Asks for a response when everything before it was done.
    FlushCommand = 15 : Command {}
}
