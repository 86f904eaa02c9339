//! Bugs of transactions, to prove that the campaign sees them.
//!
//! Most change what the node hears or says, as a wrong node would; a few need the campaign to do more.

use crate::disk::SimDisk;
use crate::host::{Defect, journal_options};
use crate::random::Random;
use crate::world::DIALECTS;
use ferrymq_model::{BranchAction, Event, Request};
use ferrymq_storage::journal::{Journal, perform, recover};
use ferrymq_storage::{Disk, Outcome, Record, Urgency};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A bug.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ManagedBug {
    /// A prepare is answered before it is durable.
    PreparesEarly,
    /// A prepared branch is forgotten by a restart.
    LosesPrepared,
    /// A commit happens twice.
    CommitsTwice,
    /// What a transaction settled is not locked.
    ForgetsLock,
    /// What a transaction settles is settled at once.
    SettlesEarly,
    /// What a transaction sends is there at once.
    SendsEarly,
    /// A message that was not sent before is taken for one that was.
    DropsNew,
    /// A message that was sent before is taken again.
    TakesAgain,
    /// Whether a named commit happened is not known.
    ForgetsOutcome,
    /// A decision to commit rolls back.
    TurnsCommit,
    /// A decision to roll back commits.
    TurnsRollback,
    /// What is in doubt is not told.
    HidesInDoubt,
    /// A person's decision becomes the other one.
    TurnsHeuristic,
    /// A person's decision is confirmed and not taken.
    DropsHeuristic,
    /// What is to be forgotten stays.
    NeverForgets,
    /// What a commit left where it was held is gone after a restart, as if nothing had kept it.
    LosesPlaced,
    /// What a branch came to is known again after a restart, though its name was given to another.
    RemembersOld,
    /// A segment is deleted in which a message is held that was committed.
    DeletesHeld,
}

/// Every such bug.
pub const MANAGED_BUGS: [ManagedBug; 18] = [
    ManagedBug::PreparesEarly,
    ManagedBug::LosesPrepared,
    ManagedBug::CommitsTwice,
    ManagedBug::ForgetsLock,
    ManagedBug::SettlesEarly,
    ManagedBug::SendsEarly,
    ManagedBug::DropsNew,
    ManagedBug::TakesAgain,
    ManagedBug::ForgetsOutcome,
    ManagedBug::TurnsCommit,
    ManagedBug::TurnsRollback,
    ManagedBug::HidesInDoubt,
    ManagedBug::TurnsHeuristic,
    ManagedBug::DropsHeuristic,
    ManagedBug::NeverForgets,
    ManagedBug::LosesPlaced,
    ManagedBug::RemembersOld,
    ManagedBug::DeletesHeld,
];

impl ManagedBug {
    fn turned(self, action: BranchAction) -> BranchAction {
        match (self, action) {
            (Self::TurnsCommit, BranchAction::Commit) => BranchAction::Rollback,
            (Self::TurnsRollback, BranchAction::Rollback) => BranchAction::Commit,
            (Self::TurnsHeuristic, BranchAction::HeuristicCommit) => BranchAction::HeuristicRollback,
            (Self::TurnsHeuristic, BranchAction::HeuristicRollback) => BranchAction::HeuristicCommit,
            _ => action,
        }
    }
}

impl Defect for ManagedBug {
    fn on_request(self, mut request: Request, random: &mut Random) -> Option<Request> {
        match (self, &mut request) {
            (Self::ForgetsLock, Request::Settle { transaction: Some(_), .. }) => return None,
            (Self::SettlesEarly, Request::Settle { transaction, .. })
            | (Self::SendsEarly, Request::Send { transaction, .. }) => *transaction = None,
            (Self::DropsNew, Request::Send { confirm: Some(confirm), .. }) if random.percent(10) => {
                return Some(Request::Confirm { confirm: *confirm });
            }
            (Self::ForgetsOutcome, Request::WasCommitted { name, .. }) => *name = Arc::from("ID:nobody"),
            (Self::TakesAgain, Request::AddProducer { skips_duplicates, .. }) => *skips_duplicates = false,
            (
                Self::DropsHeuristic,
                Request::Branch {
                    action: BranchAction::HeuristicCommit | BranchAction::HeuristicRollback,
                    confirm,
                    ..
                },
            )
            | (Self::NeverForgets, Request::Branch { action: BranchAction::Forget, confirm, .. }) => {
                return Some(Request::Confirm { confirm: *confirm });
            }
            (_, Request::Branch { action, .. }) => *action = self.turned(*action),
            _ => {}
        }
        Some(request)
    }

    fn on_restart(self, disk: &mut SimDisk) {
        let is_loser = match self {
            Self::LosesPlaced => true,
            Self::DeletesHeld => false,
            Self::RemembersOld => return remember_old(disk),
            _ => return,
        };
        let mut placed = BTreeMap::new();
        let journal = recover(disk, DIALECTS, journal_options(), &mut |record, _, _| {
            match record {
                Record::Place { held, placements, .. } => {
                    placed.extend(placements.iter().map(|place| ((place.store, place.sequence), held.segment)));
                }
                Record::Remove { store, first, last } => {
                    placed.retain(|(of, sequence), _| *of != store || !(first..=last).contains(sequence));
                }
                _ => {}
            }
            Ok(())
        });
        let Ok(mut journal) = journal else { return };
        let Some((&(store, sequence), segment)) = placed.first_key_value() else { return };
        if !is_loser {
            disk.delete(*segment).expect("a disk that works");
            return;
        }
        let mut unit = journal.begin();
        unit.add(&Record::Remove { store, first: sequence, last: sequence });
        unit.commit(Urgency::Awaited);
        write(&mut journal, disk);
    }

    fn on_event(self, event: &mut Event) {
        if let (Self::HidesInDoubt, Event::InDoubt { xids, .. }) = (self, event) {
            xids.clear();
        }
    }
}

fn write(journal: &mut Journal, disk: &mut SimDisk) {
    let mut batch = journal.take_batch().expect("something was appended");
    perform(&mut batch, disk).expect("a disk that works");
}

/// Notes the commit of a branch that was forgotten when another began.
fn remember_old(disk: &mut SimDisk) {
    let mut committed = BTreeSet::new();
    let mut forgotten = BTreeSet::new();
    let journal = recover(disk, DIALECTS, journal_options(), &mut |record, _, _| {
        let Record::Outcome { name, outcome } = record else { return Ok(()) };
        match outcome {
            Outcome::Committed => _ = committed.insert(name.clone()),
            Outcome::Forgotten if committed.remove(&name) => _ = forgotten.insert(name.clone()),
            Outcome::Forgotten => {}
            Outcome::RolledBack | Outcome::HeuristicallyCommitted | Outcome::HeuristicallyRolledBack => {
                forgotten.remove(&name);
                committed.remove(&name);
            }
        }
        Ok(())
    });
    let Ok(mut journal) = journal else { return };
    if forgotten.is_subset(&committed) {
        return;
    }
    let mut unit = journal.begin();
    for name in forgotten.difference(&committed) {
        unit.add(&Record::Outcome { name: name.clone(), outcome: Outcome::Committed });
    }
    unit.commit(Urgency::Awaited);
    write(&mut journal, disk);
}
