//! Local transactions of one session.

use crate::broker::{Broker, Step, refusal};
use crate::transaction::Transaction;
use crate::transaction::commit::Ending;
use crate::transaction::hold::unknown;
use ferrymq_model::limits::TRANSACTIONS_PER_SESSION_MAX;
use ferrymq_model::{Refusal, RefusalKind, SessionId, Token, TransactionId};
use ferrymq_storage::{Outcome, TransactionName};
use std::sync::Arc;

impl Broker {
    /// Starts a transaction.
    pub(crate) fn begin(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        name: Option<Arc<str>>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let begun = Transaction { name, ..Transaction::default() };
        match self.try_begin(session, transaction, begun) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(()) => self.confirm(session, confirm, step),
        }
    }

    /// Opens a transaction of a session.
    pub(crate) fn try_begin(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        begun: Transaction,
    ) -> Result<(), Refusal> {
        let transactions = &mut self.asking(session).transactions;
        if transactions.contains_key(&transaction.0) {
            return Err(refusal(RefusalKind::Duplicate, format!("transaction {} is open", transaction.0)));
        }
        if transactions.len() >= TRANSACTIONS_PER_SESSION_MAX {
            let text = format!("a session has at most {TRANSACTIONS_PER_SESSION_MAX} open transactions");
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        transactions.insert(transaction.0, begun);
        Ok(())
    }

    /// Makes everything of a transaction happen, or refuses and changes nothing.
    pub(crate) fn commit(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        if let Err(refusal) = self.check_local(session, transaction) {
            return self.refuse(session, confirm, refusal, step);
        }
        let known = self.asking(session).transactions.remove(&transaction.0).expect("it was checked");
        let work = std::slice::from_ref(&known);
        let sent = match self.check_commit(work, step) {
            Err(refusal) => {
                self.asking(session).transactions.insert(transaction.0, known);
                return self.refuse(session, confirm, refusal, step);
            }
            Ok(sent) => sent,
        };
        let name = known.name.clone().map(TransactionName::Local);
        let ending = Ending { name, outcome: Outcome::Committed, prepared: None };
        self.commit_work(session, vec![known], &sent, &ending, confirm, step);
    }

    /// Forgets everything of a transaction: its deliveries are unsettled again.
    pub(crate) fn rollback(
        &mut self,
        session: SessionId,
        transaction: TransactionId,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        if let Err(refusal) = self.check_local(session, transaction) {
            return self.refuse(session, confirm, refusal, step);
        }
        self.undo_transaction(session, transaction.0, step);
        self.record_work(confirm.is_some(), Some(session), step);
        self.confirm(session, confirm, step);
    }

    /// Takes a session's transaction away, and undoes it.
    pub(crate) fn undo_transaction(&mut self, session: SessionId, transaction: u64, step: &mut Step<'_>) {
        let Some(open) = self.asking(session).transactions.remove(&transaction) else { return };
        self.undo_work(open, None, step);
    }

    /// Whether a session may end a transaction by itself.
    fn check_local(&self, session: SessionId, transaction: TransactionId) -> Result<(), Refusal> {
        let state = self.session(session).expect("requests of unknown sessions are refused before");
        match state.transactions.get(&transaction.0) {
            None => Err(unknown(transaction)),
            Some(Transaction { branch: Some(xid), .. }) => {
                Err(refusal(RefusalKind::Denied, format!("transaction {} belongs to branch {xid}", transaction.0)))
            }
            Some(Transaction { branch: None, .. }) => Ok(()),
        }
    }
}
