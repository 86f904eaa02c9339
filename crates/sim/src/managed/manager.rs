//! The transaction manager, and the person who decides in its place.

use super::{Campaign, Decision, Done, Lost};
use ferrymq_model::{BranchAction, BranchError, Event, RefusalKind, Request};

impl Campaign {
    /// The manager finishes what it wrote down, and rolls back what it did not.
    pub(super) fn recover_branches(&mut self) -> Done<()> {
        for number in self.to_forget.clone() {
            self.forget(number, true)?;
        }
        for number in self.in_doubt()? {
            if self.forgotten.contains(&number) {
                return Err(Lost::Broken(format!("branch {number} is told though it was to be forgotten")));
            }
            let decision = self.log.get(&number).copied().unwrap_or(Decision::Rollback);
            let outcome = self.decide(number, decision)?;
            if outcome != decision {
                self.finish(number, outcome);
            }
        }
        for (number, decision) in self.log.clone() {
            // Decided before, or a moment ago: the answer is the same.
            let outcome = self.decide(number, decision)?;
            self.finish(number, outcome);
        }
        self.prepared_rows.clear();
        self.ask_for_begun()
    }

    pub(super) fn in_doubt(&mut self) -> Done<Vec<u64>> {
        let session = self.host.connect()?;
        let answer = self.host.ask(session, |token| Request::Recover { token })?;
        self.host.leave(session)?;
        let Event::InDoubt { xids, .. } = answer else { return Err(Lost::Broken(format!("recover: {answer:?}"))) };
        Ok(xids.iter().map(|xid| self.xid_names.number(xid)).collect())
    }

    pub(super) fn ask_branch(&mut self, number: u64, action: BranchAction) -> Done<Event> {
        let xid = self.xid_names.xid(number);
        let session = self.host.connect()?;
        let answer = self.host.ask(session, |confirm| Request::Branch { xid, action, confirm })?;
        self.host.leave(session)?;
        Ok(answer)
    }

    /// Tells the broker the manager's decision; what the branch came to, which is another where a person was faster.
    pub(super) fn decide(&mut self, number: u64, decision: Decision) -> Done<Decision> {
        let action = match decision {
            Decision::Commit => BranchAction::Commit,
            Decision::Rollback => BranchAction::Rollback,
        };
        let answer = self.ask_branch(number, action)?;
        let person = self.person.get(&number).copied();
        let kind = match &answer {
            Event::Refused { refusal, .. } => Some(refusal.kind),
            _ => None,
        };
        let heard = match kind {
            Some(RefusalKind::Branch(BranchError::HeuristicallyCommitted)) => Some(Decision::Commit),
            Some(RefusalKind::Branch(BranchError::HeuristicallyRolledBack)) => Some(Decision::Rollback),
            _ => None,
        };
        let is_done = matches!(answer, Event::Confirmed { .. });
        // One that was never prepared for good.
        let is_gone = kind == Some(RefusalKind::Branch(BranchError::Unknown)) && decision == Decision::Rollback;
        match (person, heard) {
            (Some((wish, _)), Some(outcome)) if wish == outcome => {
                self.to_forget.insert(number);
                self.finish(number, outcome);
                self.forget(number, false)?;
                Ok(outcome)
            }
            // Nobody decided, or the power went before the broker knew of it.
            (None | Some((_, false)), None) if is_done || is_gone => Ok(decision),
            _ => Err(Lost::Broken(format!("branch {number}, {action:?} after {person:?}: {answer:?}"))),
        }
    }

    /// A person decides a prepared branch, as the manager did or not.
    pub(super) fn person_decides(&mut self, number: u64) -> Done<()> {
        let (wish, action) = if self.host.random.percent(50) {
            (Decision::Commit, BranchAction::HeuristicCommit)
        } else {
            (Decision::Rollback, BranchAction::HeuristicRollback)
        };
        self.person.insert(number, (wish, false));
        let answer = self.ask_branch(number, action)?;
        if !matches!(answer, Event::Confirmed { .. }) {
            return Err(Lost::Broken(format!("branch {number}, {action:?}: {answer:?}")));
        }
        self.person.insert(number, (wish, true));
        if !self.in_doubt()?.contains(&number) {
            return Err(Lost::Broken(format!("branch {number} is not told though a person decided it")));
        }
        Ok(())
    }

    /// The manager knows what a person did: the broker need not know it any longer.
    fn forget(&mut self, number: u64, again: bool) -> Done<()> {
        match self.ask_branch(number, BranchAction::Forget)? {
            Event::Confirmed { .. } => {}
            // The answer was lost; it is gone, which is as well.
            Event::Refused { refusal, .. } if again && refusal.kind == RefusalKind::Branch(BranchError::Unknown) => {}
            answer => return Err(Lost::Broken(format!("branch {number}, forget: {answer:?}"))),
        }
        self.to_forget.remove(&number);
        self.forgotten.insert(number);
        if self.in_doubt()?.contains(&number) {
            return Err(Lost::Broken(format!("branch {number} is told though it was forgotten")));
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, number: u64, outcome: Decision) {
        if let (Some(row), Decision::Commit) = (self.prepared_rows.remove(&number), outcome) {
            self.rows.insert(row);
            self.committed += 1;
        }
        self.log.remove(&number);
    }
}
