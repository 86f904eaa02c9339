//! What the session waits for: answers of the broker that become responses.

use super::error::PeerError;
use crate::codec::transaction::XaTransactionId;
use ferrymq_model::{BranchAction, ProducerId, SubscriptionId, Token, TransactionId};
use std::collections::VecDeque;

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

/// Tokens are given in order and mostly come back in order: a window over them.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    /// The token of the front.
    first: u64,
    window: VecDeque<Option<Confirmation>>,
}

impl Confirmations {
    /// A token for a request.
    pub(super) fn expect(&mut self, max: usize, reply: Reply, purpose: Purpose) -> Result<Token, PeerError> {
        if self.window.len() >= max {
            return Err(
                PeerError::limit(format!("more than {max} commands of the connection wait for their end")).fatal()
            );
        }
        let token = Token(self.first + self.window.len() as u64);
        self.window.push_back(Some(Confirmation { purpose, reply }));
        Ok(token)
    }

    /// What the token was given for; `None`: it was answered before.
    pub(super) fn take(&mut self, token: Token) -> Option<Confirmation> {
        let at = usize::try_from(token.0.checked_sub(self.first)?).ok()?;
        let confirmation = self.window.get_mut(at)?.take();
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        confirmation
    }
}
