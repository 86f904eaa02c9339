//! Branches of distributed transactions, as X/Open XA has them.
//!
//! ```text
//!            Start, End                     Prepare                      Commit, Rollback, Heuristic…
//!   nothing ───────────► active: work of ───────────► prepared: one unit ───────────► an outcome that is
//!      ▲                 one or several    durable    holds all          durable      remembered, so that the
//!      │                 sessions          record                        record       same answer comes again
//!      └── one of the sessions is gone ──┘              nothing but a decision ends it
//! ```
//!
//! A branch belongs to its name, not to a session. While it is active, the end of a session that worked on it rolls
//! all of it back, as Classic does; what is prepared stays whatever happens. When a branch is over its name may name
//! another: then what became of the old one is forgotten.

use crate::broker::{Broker, Step, refusal};
use crate::transaction::Transaction;
use crate::transaction::commit::Ending;
use crate::transaction::hold::HeldSend;
use crate::transaction::prepared::{PreparedBranch, stopped};
use ferrymq_model::event::Vote;
use ferrymq_model::limits::BRANCHES_MAX;
use ferrymq_model::xid::XID_PART_BYTES_MAX;
use ferrymq_model::{BranchAction, BranchError, Event, Refusal, RefusalKind, SessionId, Token, TransactionId, Xid};
use ferrymq_storage::{Location, Lsn, Outcome, TransactionName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every branch that is not over.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    /// Those that are worked on.
    pub(crate) active: BTreeMap<Arc<Xid>, ActiveBranch>,
    /// Those that wait for a decision.
    pub(crate) prepared: BTreeMap<Arc<Xid>, PreparedBranch>,
    /// The names of the latter by number: in the order in which they were prepared.
    pub(crate) numbers: BTreeMap<u64, Arc<Xid>>,
    /// The number of the last one.
    pub(crate) last_number: u64,
    /// During recovery: what prepared branches send, by their numbers and by the places in the journal.
    pub(crate) restoring: BTreeMap<u64, BTreeMap<Location, HeldSend>>,
    /// The last record about a branch: what is said of branches waits for it.
    pub(crate) lsn: Lsn,
}

/// A branch that is worked on.
#[derive(Debug, Default)]
pub(crate) struct ActiveBranch {
    /// Sessions that work on it now, each with its transaction.
    working: Vec<(SessionId, u64)>,
    /// Work that ended, each with who did it.
    done: Vec<(SessionId, Transaction)>,
}

/// Whether a client says something for the first time, or again, as after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saying {
    First,
    Again,
}

/// What there is by a name.
enum Stage {
    /// Work that is not prepared.
    Active,
    /// It waits for a decision.
    Prepared,
    /// It is over; the record that says so.
    Over(Outcome, Lsn),
    /// Nothing.
    Unknown,
}

impl Broker {
    /// Moves a branch on.
    pub(crate) fn branch(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        action: BranchAction,
        confirm: Token,
        step: &mut Step<'_>,
    ) {
        let done = match action {
            BranchAction::Start(transaction) => self.start_branch(session, xid, transaction, Saying::First, step),
            BranchAction::Resume(transaction) => self.start_branch(session, xid, transaction, Saying::Again, step),
            BranchAction::End => self.end_branch(session, xid, step),
            BranchAction::Prepare => return self.prepare_branch(session, xid, confirm, step),
            BranchAction::PrepareDoomed => return self.prepare_doomed(session, xid, confirm, step),
            BranchAction::CommitOnePhase => self.commit_one_phase(session, xid, step),
            BranchAction::CommitOnePhaseDoomed => {
                self.undo_if_active(session, xid, step).and_then(|()| self.commit_one_phase(session, xid, step))
            }
            BranchAction::Commit => self.commit_branch(session, xid, Outcome::Committed, step),
            BranchAction::Rollback => self.rollback_branch(session, xid, step),
            BranchAction::Forget => self.forget_branch(session, xid, step),
            BranchAction::HeuristicCommit => self.decide(session, xid, Outcome::HeuristicallyCommitted, step),
            BranchAction::HeuristicRollback => self.decide(session, xid, Outcome::HeuristicallyRolledBack, step),
        };
        match done {
            Ok(()) => self.confirm(session, Some(confirm), step),
            Err(refusal) => self.refuse(session, Some(confirm), refusal, step),
        }
    }

    /// Tells the branches that wait for a decision, and those that a person decided.
    pub(crate) fn recover_branches(&mut self, session: SessionId, token: Token, step: &mut Step<'_>) {
        let prepared = self.branches.numbers.values();
        let xids: Vec<_> = prepared.chain(step.journal.outcomes().heuristics()).cloned().collect();
        // A branch that is not told any more is one that no crash brings back.
        self.note_lsn(session, self.branches.lsn);
        self.answer(session, Event::InDoubt { token, xids }, None, step);
    }

    /// A session is gone: what it worked on and did not prepare is undone as a whole, also what others did for it.
    pub(crate) fn leave_branches(&mut self, session: SessionId, step: &mut Step<'_>) {
        let left: Vec<_> = self.branches.active.iter().filter(|(_, branch)| branch.has(session)).collect();
        let left: Vec<Arc<Xid>> = left.into_iter().map(|(xid, _)| Arc::clone(xid)).collect();
        for xid in left {
            self.undo_active(session, &xid, step);
        }
    }

    fn stage(&self, xid: &Arc<Xid>, step: &Step<'_>) -> Stage {
        if self.branches.active.contains_key(xid) {
            return Stage::Active;
        }
        if self.branches.prepared.contains_key(xid) {
            return Stage::Prepared;
        }
        match step.journal.outcomes().of(&TransactionName::Branch(Arc::clone(xid))) {
            Some((outcome, lsn)) => Stage::Over(outcome, lsn),
            None => Stage::Unknown,
        }
    }

    fn start_branch(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        transaction: TransactionId,
        saying: Saying,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let named = (1..=XID_PART_BYTES_MAX).contains(&xid.global.len()) && xid.branch.len() <= XID_PART_BYTES_MAX;
        if !named {
            return Err(wrong(BranchError::Failed, format!("branch {xid} has a name that is too long or empty")));
        }
        let stage = self.stage(xid, step);
        self.check_name(xid, &stage, saying)?;
        if self.branches.active.len() + self.branches.prepared.len() >= BRANCHES_MAX {
            let text = format!("at most {BRANCHES_MAX} branches are open or wait for a decision");
            return Err(wrong(BranchError::Failed, text));
        }
        if self.branches.active.get(xid).is_some_and(|branch| branch.is_working(session)) {
            return Err(wrong(BranchError::Protocol, format!("the session works on branch {xid} already")));
        }
        let worker = Some((session, transaction));
        let begun = Transaction { branch: Some(Arc::clone(xid)), worker, ..Transaction::default() };
        self.try_begin(session, transaction, begun)?;
        match stage {
            Stage::Active | Stage::Prepared | Stage::Unknown => {}
            // After a crash it is as if this one had been rolled back: no record is needed.
            Stage::Over(Outcome::RolledBack, _) => note(xid, Outcome::Forgotten, step),
            Stage::Over(..) => self.forget_outcome(session, xid, step),
        }
        let branch = self.branches.active.entry(Arc::clone(xid)).or_default();
        branch.working.push((session, transaction.0));
        Ok(())
    }

    /// Whether work may begin under a name.
    fn check_name(&self, xid: &Xid, stage: &Stage, saying: Saying) -> Result<(), Refusal> {
        match stage {
            // Nothing of what was rolled back happened: whoever starts it again begins anew.
            Stage::Active | Stage::Unknown | Stage::Over(Outcome::RolledBack, _) => Ok(()),
            Stage::Prepared => Err(wrong(BranchError::Protocol, format!("branch {xid} is prepared"))),
            Stage::Over(Outcome::Committed, _) if saying == Saying::First && self.failed => {
                Err(stopped(BranchError::Unavailable, xid))
            }
            Stage::Over(Outcome::Committed, _) if saying == Saying::First => Ok(()),
            Stage::Over(..) => Err(wrong(BranchError::Duplicate, format!("branch {xid} is over"))),
        }
    }

    fn end_branch(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            Stage::Active => {}
            Stage::Prepared => return Err(wrong(BranchError::Protocol, format!("branch {xid} is prepared"))),
            Stage::Over(outcome, lsn) => return self.over(session, xid, outcome, lsn, None),
            Stage::Unknown => return Err(unknown(xid)),
        }
        if !self.branches.active.get(xid).is_some_and(|branch| branch.has(session)) {
            return Err(wrong(BranchError::Protocol, format!("the session does not work on branch {xid}")));
        }
        self.end_work(session, xid);
        Ok(())
    }

    /// Ends a session's work on an active branch. Where several parts of a client work on it, each ends it.
    fn end_work(&mut self, session: SessionId, xid: &Arc<Xid>) {
        let branch = self.branches.active.get_mut(xid).expect("it is active");
        let Some(place) = branch.working.iter().position(|(worker, _)| *worker == session) else { return };
        let (_, transaction) = branch.working.remove(place);
        let known = self.asking(session).transactions.remove(&transaction);
        let known = known.expect("a session's work on a branch is one of its transactions");
        let branch = self.branches.active.get_mut(xid).expect("it is active");
        branch.done.push((session, known));
    }

    /// Whether nobody works on an active branch any more. Who asks for its end has ended its own work by that.
    fn check_ended(&mut self, session: SessionId, xid: &Arc<Xid>) -> Result<(), Refusal> {
        self.end_work(session, xid);
        if self.branches.active.get(xid).is_some_and(|branch| branch.working.is_empty()) {
            return Ok(());
        }
        Err(wrong(BranchError::Protocol, format!("branch {xid} is still worked on")))
    }

    fn prepare_branch(&mut self, session: SessionId, xid: &Arc<Xid>, token: Token, step: &mut Step<'_>) {
        match self.try_prepare(session, xid, step) {
            Ok(vote) => self.answer(session, Event::Prepared { token, vote }, None, step),
            Err(refusal) => self.refuse(session, Some(token), refusal, step),
        }
    }

    fn prepare_doomed(&mut self, session: SessionId, xid: &Arc<Xid>, token: Token, step: &mut Step<'_>) {
        match self.undo_if_active(session, xid, step) {
            Ok(()) => self.prepare_branch(session, xid, token, step),
            Err(refusal) => self.refuse(session, Some(token), refusal, step),
        }
    }

    /// Rolls back what is not whole, unless it was prepared, or is over.
    fn undo_if_active(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<(), Refusal> {
        if !matches!(self.stage(xid, step), Stage::Active) {
            return Ok(());
        }
        self.undo_active(session, xid, step);
        Err(rolled_back(xid))
    }

    fn try_prepare(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<Vote, Refusal> {
        match self.stage(xid, step) {
            Stage::Active => self.check_ended(session, xid)?,
            Stage::Prepared => {
                // Somebody lost the answer.
                self.note_lsn(session, self.branches.lsn);
                return Ok(Vote::Prepared);
            }
            Stage::Over(Outcome::RolledBack, _) => return Err(rolled_back(xid)),
            Stage::Over(..) => return Err(wrong(BranchError::Protocol, format!("branch {xid} is over"))),
            Stage::Unknown => return Err(unknown(xid)),
        }
        if self.failed {
            return Err(wrong(
                BranchError::Unavailable,
                "the journal stopped: nothing more is made durable".to_owned(),
            ));
        }
        let branch = self.branches.active.get(xid).expect("it is active");
        if branch.done.iter().all(|(_, work)| work.is_empty()) {
            let work = self.take_work(xid);
            self.tell_workers(session, &work, false, step);
            return Ok(Vote::ReadOnly);
        }
        let work = self.take_work(xid);
        if let Err(refusal) = self.check_commit(&work, step) {
            return Err(self.refuse_work(session, xid, work, &refusal, step));
        }
        self.record_prepare(session, xid, work, step);
        Ok(Vote::Prepared)
    }

    /// Takes all work of an active branch, which is then no branch any more.
    fn take_work(&mut self, xid: &Arc<Xid>) -> Vec<Transaction> {
        let branch = self.branches.active.remove(xid).expect("it is active");
        assert!(branch.working.is_empty(), "work that goes on is not taken");
        branch.done.into_iter().map(|(_, work)| work).collect()
    }

    /// What cannot happen is rolled back: then the manager knows where it stands.
    fn refuse_work(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        work: Vec<Transaction>,
        why: &Refusal,
        step: &mut Step<'_>,
    ) -> Refusal {
        self.tell_workers(session, &work, false, step);
        for work in work.into_iter().rev() {
            self.undo_work(work, None, step);
        }
        note(xid, Outcome::RolledBack, step);
        wrong(BranchError::RolledBack, format!("branch {xid} was rolled back: {}", why.text))
    }

    fn commit_one_phase(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            Stage::Active => self.check_ended(session, xid)?,
            // Whoever prepared it meant two: ActiveMQ's client for C++ never says so, and Classic does not mind.
            Stage::Prepared => return self.commit_prepared(session, xid, Outcome::Committed, step),
            Stage::Over(outcome, lsn) => return self.over(session, xid, outcome, lsn, Some(Outcome::Committed)),
            Stage::Unknown => return Err(unknown(xid)),
        }
        if self.failed {
            return Err(wrong(
                BranchError::Unavailable,
                "the journal stopped: nothing more is made durable".to_owned(),
            ));
        }
        let work = self.take_work(xid);
        let sent = match self.check_commit(&work, step) {
            Err(refusal) => return Err(self.refuse_work(session, xid, work, &refusal, step)),
            Ok(sent) => sent,
        };
        let name = Some(TransactionName::Branch(Arc::clone(xid)));
        let ending = Ending { name, outcome: Outcome::Committed, prepared: None };
        self.tell_workers(session, &work, true, step);
        self.commit_work(session, work, &sent, &ending, None, step);
        self.branches.lsn = step.journal.last_lsn();
        Ok(())
    }

    fn rollback_branch(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            Stage::Active => {
                self.undo_active(session, xid, step);
                Ok(())
            }
            Stage::Prepared => self.undo_prepared(session, xid, Outcome::RolledBack, step),
            Stage::Over(outcome, lsn) => self.over(session, xid, outcome, lsn, Some(Outcome::RolledBack)),
            Stage::Unknown => Err(unknown(xid)),
        }
    }

    fn commit_branch(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        outcome: Outcome,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            Stage::Active => Err(wrong(BranchError::Protocol, format!("branch {xid} is not prepared"))),
            Stage::Prepared => self.commit_prepared(session, xid, outcome, step),
            Stage::Over(known, lsn) => self.over(session, xid, known, lsn, Some(outcome)),
            Stage::Unknown => Err(unknown(xid)),
        }
    }

    /// A person decides a prepared branch.
    fn decide(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        outcome: Outcome,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            Stage::Active => Err(wrong(BranchError::Protocol, format!("branch {xid} is not prepared"))),
            Stage::Prepared if step.journal.outcomes().is_full() => {
                let text = "too many decisions were made and not forgotten".to_owned();
                Err(wrong(BranchError::Retry, text))
            }
            Stage::Prepared if outcome == Outcome::HeuristicallyCommitted => {
                self.commit_prepared(session, xid, outcome, step)
            }
            Stage::Prepared => self.undo_prepared(session, xid, outcome, step),
            Stage::Over(known, lsn) => self.over(session, xid, known, lsn, Some(outcome)),
            Stage::Unknown => Err(unknown(xid)),
        }
    }

    fn forget_branch(&mut self, session: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) -> Result<(), Refusal> {
        match self.stage(xid, step) {
            // As Classic does: nothing of it was promised.
            Stage::Active => {
                self.undo_active(session, xid, step);
                Ok(())
            }
            Stage::Prepared => Err(wrong(BranchError::Protocol, format!("branch {xid} was not decided"))),
            Stage::Over(Outcome::HeuristicallyCommitted | Outcome::HeuristicallyRolledBack, _) => {
                self.record_forget(session, xid, step)
            }
            Stage::Over(Outcome::Committed | Outcome::RolledBack | Outcome::Forgotten, _) | Stage::Unknown => {
                Err(unknown(xid))
            }
        }
    }

    /// The answer to whoever asks for what is over: yes, where it ended as it is `wanted`.
    fn over(
        &mut self,
        session: SessionId,
        xid: &Arc<Xid>,
        outcome: Outcome,
        lsn: Lsn,
        wanted: Option<Outcome>,
    ) -> Result<(), Refusal> {
        if wanted == Some(outcome) {
            self.note_lsn(session, lsn);
            return Ok(());
        }
        Err(match outcome {
            Outcome::Committed => wrong(BranchError::Protocol, format!("branch {xid} was committed")),
            Outcome::RolledBack => rolled_back(xid),
            Outcome::HeuristicallyCommitted => {
                wrong(BranchError::HeuristicallyCommitted, format!("a person committed branch {xid}"))
            }
            Outcome::HeuristicallyRolledBack => {
                wrong(BranchError::HeuristicallyRolledBack, format!("a person rolled branch {xid} back"))
            }
            Outcome::Forgotten => unknown(xid),
        })
    }

    /// Tells every session that worked on a branch that it is over, but for the one that ends it.
    pub(crate) fn tell_workers(
        &self,
        ending: SessionId,
        work: &[Transaction],
        is_committed: bool,
        step: &mut Step<'_>,
    ) {
        for (session, transaction) in work.iter().filter_map(|work| work.worker) {
            if session != ending && self.session(session).is_some() {
                step.out.events.push((session, Event::BranchEnded { transaction, is_committed }));
            }
        }
    }

    /// Undoes an active branch as a whole.
    fn undo_active(&mut self, ending: SessionId, xid: &Arc<Xid>, step: &mut Step<'_>) {
        let Some(branch) = self.branches.active.remove(xid) else { return };
        note(xid, Outcome::RolledBack, step);
        for (session, transaction) in branch.working {
            let state = self.session_mut(session);
            let work = state.and_then(|state| state.transactions.remove(&transaction));
            if let Some(work) = work {
                self.tell_workers(ending, std::slice::from_ref(&work), false, step);
                self.undo_work(work, None, step);
            }
        }
        for (_, work) in branch.done.into_iter().rev() {
            self.tell_workers(ending, std::slice::from_ref(&work), false, step);
            self.undo_work(work, None, step);
        }
    }
}

impl Branches {
    /// What a session did for an active branch as this transaction, if it has ended that work.
    pub(crate) fn ended_work(&mut self, worker: (SessionId, TransactionId)) -> Option<&mut Transaction> {
        let mut ended = self.active.values_mut().flat_map(|branch| &mut branch.done);
        ended.find(|(_, work)| work.worker == Some(worker)).map(|(_, work)| work)
    }
}

impl ActiveBranch {
    fn is_working(&self, session: SessionId) -> bool {
        self.working.iter().any(|(worker, _)| *worker == session)
    }

    fn has(&self, session: SessionId) -> bool {
        self.is_working(session) || self.done.iter().any(|(worker, _)| *worker == session)
    }
}

/// Remembers, for this process, how a branch ended that no record tells of.
fn note(xid: &Arc<Xid>, outcome: Outcome, step: &mut Step<'_>) {
    step.journal.outcomes_mut().note(&TransactionName::Branch(Arc::clone(xid)), outcome, Lsn(0));
}

/// A refusal with an XA kind.
pub(crate) fn wrong(kind: BranchError, text: String) -> Refusal {
    refusal(RefusalKind::Branch(kind), text)
}

fn unknown(xid: &Arc<Xid>) -> Refusal {
    wrong(BranchError::Unknown, format!("branch {xid} is not known"))
}

fn rolled_back(xid: &Arc<Xid>) -> Refusal {
    wrong(BranchError::RolledBack, format!("branch {xid} was rolled back"))
}
