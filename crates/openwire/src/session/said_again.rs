//! Begins of branches that a client of `failover:` says a second time.
//!
//! Such a client comes back with all that it said of its branches, up to the decision whose answer it lost. The name of a
//! branch that was committed may begin another one as well, and both begins look alike. So until something came that is
//! never said again, the begin of a branch is the one that was said before, unless a decision about it came behind it.

use crate::codec::Command;
use crate::codec::ids::ObjectId;
use crate::codec::transaction::XaTransactionId;
use std::collections::HashSet;

/// `type` of the TransactionInfo that are not said again: a commit in one phase, recover, forget.
const NEW_KINDS: [i8; 3] = [2, 5, 6];
/// Branches whose decision came while the client may still be saying things again. The names of any more are taken for old
/// ones.
const DECIDED_MAX: usize = 1000;

/// What is known of it. Nothing for a client that did not come back.
#[derive(Debug, Default)]
pub(super) struct SaidAgain {
    /// While it goes on: the branches whose decision came.
    decided: Option<HashSet<XaTransactionId>>,
}

impl SaidAgain {
    /// The client says that it comes back.
    pub(super) fn begin(&mut self) {
        self.decided = Some(HashSet::new());
    }

    #[inline]
    pub(super) fn hear(&mut self, command: &Command) {
        if self.decided.is_some() && is_new(command) {
            self.decided = None;
        }
    }

    /// A decision about a branch is asked for.
    pub(super) fn decided(&mut self, id: &XaTransactionId) {
        if let Some(decided) = self.decided.as_mut().filter(|decided| decided.len() < DECIDED_MAX) {
            decided.insert(id.clone());
        }
    }

    /// Whether the begin of a branch is one that was said before.
    pub(super) fn is_begun_again(&self, id: &XaTransactionId) -> bool {
        self.decided.as_ref().is_some_and(|decided| !decided.contains(id))
    }
}

/// Whether a client says this only when it has said everything again.
fn is_new(command: &Command) -> bool {
    match command {
        Command::Message(message) => message.fields.transaction_id.is_none(),
        Command::MessageAck(ack) => ack.transaction_id.is_none(),
        Command::TransactionInfo(info) => NEW_KINDS.contains(&info.kind),
        // A producer that was gone is made again for the messages that are said again.
        Command::RemoveInfo(info) => !matches!(info.object_id, Some(ObjectId::ProducerId(_))),
        Command::RemoveSubscriptionInfo(_) => true,
        _ => false,
    }
}
