//! Branches of distributed transactions.

use crate::broker::{Broker, Step, refusal};
use ferrymq_model::{BranchAction, BranchError, Event, RefusalKind, SessionId, Token, Xid};
use std::sync::Arc;

impl Broker {
    /// Moves a branch on.
    pub(crate) fn branch(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        _action: BranchAction,
        confirm: Token,
        step: &mut Step<'_>,
    ) {
        let refusal = refusal(RefusalKind::Branch(BranchError::Unknown), format!("transaction {xid} is not known"));
        self.refuse(session, Some(confirm), refusal, step);
    }

    /// Tells the branches that wait for a decision.
    pub(crate) fn recover_branches(&mut self, session: SessionId, token: Token, step: &mut Step<'_>) {
        self.answer(session, Event::InDoubt { token, xids: Vec::new() }, None, step);
    }
}
