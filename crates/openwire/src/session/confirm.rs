//! What the session waits for: answers of the broker that become responses.

use super::error::PeerError;
use crate::codec::transaction::XaTransactionId;
use ferrymq_model::{Awaited, BranchAction, ProducerId, SubscriptionId, Token, TransactionId};

/// The command that waits for a response: its `command_id`, which the response names. `None`: it asked for none.
pub(super) type Reply = Option<i32>;

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// ConnectionInfo.
    Connect,
    /// RemoveInfo of the connection: all before is done.
    RemoveConnection,
    /// ShutdownInfo, or the end of the input.
    Shutdown,
    /// A message by this route.
    Send(ProducerId),
    /// A message of a client's producer that is paced by ProducerAck.
    Paced {
        /// By this route.
        route: ProducerId,
        /// The client's producer.
        session: i64,
        /// The client's producer.
        value: i64,
        /// What it counts. Bytes.
        size: i32,
    },
    /// ConsumerInfo.
    Subscribe(SubscriptionId),
    /// ProducerInfo, for this route.
    AddProducer(ProducerId),
    /// DestinationInfo that makes a temporary destination.
    CreateTemporary,
    /// RemoveSubscriptionInfo.
    DeleteDurable,
    /// TransactionInfo of a local transaction.
    Commit(TransactionId),
    /// Commit of a transaction that this connection does not know.
    WasCommitted(Box<str>),
    /// TransactionInfo of a branch.
    Branch(Box<XaTransactionId>, BranchAction),
    /// Which branches are in doubt.
    Recover,
    /// A pull that does not wait, the consumer's so many-th.
    PullNow(SubscriptionId, u64),
    /// The end of a pull.
    PullEnd(SubscriptionId, u64),
    /// Nothing but the response depends on it.
    Plain,
}

#[derive(Debug)]
pub(super) struct Confirmation {
    pub(super) purpose: Purpose,
    pub(super) reply: Reply,
}

#[derive(Debug, Default)]
pub(super) struct Confirmations {
    awaited: Awaited<Confirmation>,
}

impl Confirmations {
    /// A token for a request.
    pub(super) fn expect(&mut self, max: usize, reply: Reply, purpose: Purpose) -> Result<Token, PeerError> {
        if self.awaited.window() >= max {
            return Err(
                PeerError::limit(format!("more than {max} commands of the connection wait for their end")).fatal()
            );
        }
        Ok(self.awaited.expect(Confirmation { purpose, reply }))
    }

    /// What the token was given for; `None`: it was answered before.
    pub(super) fn take(&mut self, token: Token) -> Option<Confirmation> {
        self.awaited.take(token)
    }
}
