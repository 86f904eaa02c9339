//! How transactions ended, for those who lost the answer.

use crate::broker::{Broker, Step, refusal};
use ferrymq_model::{RefusalKind, SessionId, Token};
use ferrymq_storage::TransactionName;
use std::sync::Arc;

impl Broker {
    /// Whether a named local transaction was committed.
    pub(crate) fn was_committed(&mut self, session: SessionId, name: &Arc<str>, confirm: Token, step: &mut Step<'_>) {
        match step.journal.outcomes().of(&TransactionName::Local(Arc::clone(name))) {
            Some((_, lsn)) => {
                self.note_lsn(session, lsn);
                self.confirm(session, Some(confirm), step);
            }
            None => {
                let refusal = refusal(RefusalKind::Unknown, format!("transaction {name} is not known"));
                self.refuse(session, Some(confirm), refusal, step);
            }
        }
    }
}
