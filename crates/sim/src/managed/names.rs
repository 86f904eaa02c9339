//! The names of branches: one that is over lends its name to another.

use super::{Campaign, Done, Lost};
use ferrymq_model::{BranchAction, BranchError, Event, RefusalKind, Xid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who has which name. A name is the number of the branch that had it first.
#[derive(Default)]
pub(super) struct Names {
    of: BTreeMap<u64, u64>,
    /// The branch that has a name, or had it last.
    last: BTreeMap<u64, u64>,
    /// A branch whose begin was confirmed, and whose prepare was not.
    pub(super) begun: Option<u64>,
}

impl Names {
    pub(super) fn xid(&self, number: u64) -> Arc<Xid> {
        let name = self.of.get(&number).copied().unwrap_or(number);
        Arc::new(Xid { format: 1, global: name.to_be_bytes().into(), branch: [0].into() })
    }

    pub(super) fn number(&self, xid: &Xid) -> u64 {
        let name = u64::from_be_bytes(xid.global[..8].try_into().expect("eight bytes"));
        self.last.get(&name).copied().unwrap_or(name)
    }
}

impl Campaign {
    /// The number of a new branch, which sometimes has a name that another had.
    pub(super) fn name_branch(&mut self) -> u64 {
        self.xids += 1;
        let number = self.xids;
        let over = |number: &u64| {
            let undecided = self.log.contains_key(number) || self.prepared_rows.contains_key(number);
            let told = self.person.contains_key(number) && !self.forgotten.contains(number);
            !undecided && !told && !self.to_forget.contains(number)
        };
        let free: Vec<u64> = self.xid_names.last.iter().filter(|(_, last)| over(last)).map(|(name, _)| *name).collect();
        let name =
            if !free.is_empty() && self.host.random.percent(40) { *self.host.random.pick(&free) } else { number };
        self.xid_names.of.insert(number, name);
        self.xid_names.last.insert(name, number);
        number
    }

    /// After a failure: of a branch that was begun, and not prepared, nobody hears that it happened, whatever the one before
    /// it under that name came to.
    pub(super) fn ask_for_begun(&mut self) -> Done<()> {
        let Some(number) = self.xid_names.begun else { return Ok(()) };
        let action =
            *self.host.random.pick(&[BranchAction::Commit, BranchAction::CommitOnePhase, BranchAction::Rollback]);
        let answer = self.ask_branch(number, action)?;
        let is_right = match &answer {
            Event::Confirmed { .. } => action == BranchAction::Rollback,
            Event::Refused { refusal, .. } => matches!(
                refusal.kind,
                RefusalKind::Branch(BranchError::Unknown) | RefusalKind::Branch(BranchError::RolledBack)
            ),
            _ => false,
        };
        if !is_right {
            return Err(Lost::Broken(format!("branch {number} was begun, {action:?}: {answer:?}")));
        }
        self.xid_names.begun = None;
        Ok(())
    }
}
