//! Destinations, and the command that makes and removes them.

use crate::codec::CodecError;
use crate::codec::ids::{BrokerId, ConnectionId};
use crate::codec::reader::{Read, Reader};
use crate::codec::table::{Array, Byte, Cached, Coded, Long, Name, Structure, structure};
use crate::codec::writer::Writer;
use std::sync::Arc;

/// The four kinds of destination, each with a type code of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum DestinationKind {
    /// Type 100.
    #[default]
    Queue,
    /// Type 101.
    Topic,
    /// Type 102: lives as long as its connection.
    TempQueue,
    /// Type 103: lives as long as its connection.
    TempTopic,
}

/// A destination as it stands on the wire: options, composites and wildcards are still in its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Destination {
    /// Which of the four.
    pub kind: DestinationKind,
    /// Its name; a temporary one is its connection's id, a colon and a number.
    pub physical_name: Arc<str>,
}

impl Structure for Destination {
    const NAME: &'static str = "a destination";

    fn type_code(&self) -> u8 {
        match self.kind {
            DestinationKind::Queue => 100,
            DestinationKind::Topic => 101,
            DestinationKind::TempQueue => 102,
            DestinationKind::TempTopic => 103,
        }
    }

    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
        let mut destination = Self::default();
        destination.read_over(code, reader)?;
        Ok(destination)
    }

    fn read_over(&mut self, code: u8, reader: &mut Reader<'_>) -> Read<()> {
        self.kind = match code {
            100 => DestinationKind::Queue,
            101 => DestinationKind::Topic,
            102 => DestinationKind::TempQueue,
            103 => DestinationKind::TempTopic,
            _ => return reader.fail(CodecError::UnexpectedType { found: code, wanted: Self::NAME }),
        };
        Name::read(&mut self.physical_name, reader)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        Name::write(&self.physical_name, writer)
    }
}

structure! {
    /// Makes or removes a destination.
    DestinationInfo = 8 : Command {
        /// Who asks; temporary destinations belong to it.
        connection_id: Cached<ConnectionId>;
        /// Which one.
        destination: Cached<Destination>;
        /// 0 makes it, 1 removes it.
        operation_type: Byte;
        /// How long to wait for its subscriptions to end. Milliseconds.
        timeout: Long;
        /// Brokers that it came through.
        broker_path: Array<BrokerId>;
    }
}
