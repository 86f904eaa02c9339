//! Transactions: their ids, and the command that moves one on.

use crate::codec::CodecError;
use crate::codec::ids::ConnectionId;
use crate::codec::reader::{Read, Reader};
use crate::codec::table::{Byte, Cached, Int, Long, OwnOctets, Structure, structure};
use crate::codec::writer::Writer;

structure! {
    /// A transaction of one connection.
    #[derive(Hash)]
    LocalTransactionId = 111 {
        /// Which one of the connection.
        value: Long;
        /// Whose.
        connection_id: Cached<ConnectionId>;
    }
}

structure! {
    /// A branch of a distributed transaction, named by its transaction manager.
    #[derive(Hash)]
    XaTransactionId = 112 {
        /// How the manager forms its ids.
        format_id: Int;
        /// The transaction.
        global_transaction_id: OwnOctets;
        /// The branch of it.
        branch_qualifier: OwnOctets;
    }
}

/// A transaction of either sort.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TransactionId {
    /// Of one connection.
    Local(LocalTransactionId),
    /// Of a transaction manager.
    Xa(XaTransactionId),
}

impl TransactionId {
    /// What its texts and octets occupy in memory. Bytes.
    pub(crate) fn retained_bytes(&self) -> usize {
        let len = |octets: &Option<bytes::Bytes>| octets.as_ref().map_or(0, bytes::Bytes::len);
        match self {
            Self::Local(id) => id.connection_id.as_ref().map_or(0, |connection| connection.value.len()),
            Self::Xa(id) => len(&id.global_transaction_id) + len(&id.branch_qualifier),
        }
    }
}

impl Structure for TransactionId {
    const NAME: &'static str = "a transaction id";

    fn type_code(&self) -> u8 {
        match self {
            Self::Local(id) => id.type_code(),
            Self::Xa(id) => id.type_code(),
        }
    }

    fn read(code: u8, reader: &mut Reader<'_>) -> Read<Self> {
        match code {
            LocalTransactionId::TYPE_CODE => Structure::read(code, reader).map(Self::Local),
            XaTransactionId::TYPE_CODE => Structure::read(code, reader).map(Self::Xa),
            _ => reader.fail(CodecError::UnexpectedType { found: code, wanted: Self::NAME }),
        }
    }

    fn read_over(&mut self, code: u8, reader: &mut Reader<'_>) -> Read<()> {
        match (code, &mut *self) {
            (LocalTransactionId::TYPE_CODE, Self::Local(id)) => id.read_over(code, reader),
            (XaTransactionId::TYPE_CODE, Self::Xa(id)) => id.read_over(code, reader),
            _ => {
                *self = Self::read(code, reader)?;
                Ok(())
            }
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), CodecError> {
        match self {
            Self::Local(id) => id.write(writer),
            Self::Xa(id) => id.write(writer),
        }
    }
}

structure! {
    /// Moves a transaction on.
    TransactionInfo = 7 : Command {
        /// Who asks.
        connection_id: Cached<ConnectionId>;
        /// Which transaction; none when asking for all that are prepared.
        transaction_id: Cached<TransactionId>;
        /// 0 begin, 1 prepare, 2 commit in one phase, 3 commit in two, 4 roll back, 5 recover, 6 forget, 7 end.
        kind: Byte;
    }
}
