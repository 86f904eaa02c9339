//! How transactions ended, for those who lost the answer. The table is written at the head of each segment, so that it
//! outlives the records that it is made of.

use super::Lsn;
use crate::record::{Outcome, TransactionName};
use ferrymq_model::Xid;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Outcomes that are remembered, the latest: a table of about 3 MB, repeated in each segment. Decisions that a person
/// made are beside it: they are remembered until they are forgotten on purpose.
pub const OUTCOMES_MAX: usize = 32_768;
/// Decisions of persons that are remembered; while there are so many, none more is taken.
pub const HEURISTICS_MAX: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Ended {
    outcome: Outcome,
    lsn: Lsn,
    order: u64,
}

/// Outcomes by name.
#[derive(Debug, Default)]
pub struct Outcomes {
    ended: BTreeMap<TransactionName, Ended>,
    /// Oldest first; those that were noted again are in it twice, with another order.
    oldest: VecDeque<(u64, TransactionName)>,
    heuristics: BTreeMap<u64, Arc<Xid>>,
    clock: u64,
}

impl Outcomes {
    /// How a transaction ended, and the record that says so.
    #[must_use]
    pub fn of(&self, name: &TransactionName) -> Option<(Outcome, Lsn)> {
        self.ended.get(name).map(|ended| (ended.outcome, ended.lsn))
    }

    /// Branches that a person decided, in that order.
    pub fn heuristics(&self) -> impl Iterator<Item = &Arc<Xid>> {
        self.heuristics.values()
    }

    /// Whether a person may decide no more before some of what was decided is forgotten.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.heuristics.len() >= HEURISTICS_MAX
    }

    /// Notes an outcome: with its record, or for this process alone.
    pub fn note(&mut self, name: &TransactionName, outcome: Outcome, lsn: Lsn) {
        if let Some(known) = self.ended.remove(name) {
            self.heuristics.remove(&known.order);
        }
        self.clock += 1;
        match (outcome, name) {
            (Outcome::Forgotten, _) => return,
            (Outcome::HeuristicallyCommitted | Outcome::HeuristicallyRolledBack, TransactionName::Branch(xid)) => {
                self.heuristics.insert(self.clock, Arc::clone(xid));
            }
            (Outcome::HeuristicallyCommitted | Outcome::HeuristicallyRolledBack, TransactionName::Local(_))
            | (Outcome::Committed | Outcome::RolledBack, _) => self.oldest.push_back((self.clock, name.clone())),
        }
        self.ended.insert(name.clone(), Ended { outcome, lsn, order: self.clock });
        while self.oldest.len() > OUTCOMES_MAX {
            let Some((order, name)) = self.oldest.pop_front() else { return };
            if self.ended.get(&name).is_some_and(|ended| ended.order == order) {
                self.ended.remove(&name);
            }
        }
    }

    /// Recovery: a segment begins, and its table says everything that was remembered. What was forgotten before must not
    /// come back from an older segment, though the record of its end is gone.
    pub(crate) fn clear(&mut self) {
        self.ended.clear();
        self.oldest.clear();
        self.heuristics.clear();
    }

    /// Everything, oldest first.
    pub(crate) fn all(&self) -> Vec<(&TransactionName, Outcome)> {
        let mut all: Vec<_> = self.ended.iter().collect();
        all.sort_unstable_by_key(|(_, ended)| ended.order);
        all.into_iter().map(|(name, ended)| (name, ended.outcome)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(number: usize) -> TransactionName {
        TransactionName::Local(format!("t{number}").into())
    }

    fn branch(number: u8) -> TransactionName {
        TransactionName::Branch(Arc::new(Xid { format: 1, global: [number].into(), branch: [].into() }))
    }

    #[test]
    fn the_oldest_is_forgotten_but_never_what_a_person_decided() {
        let mut outcomes = Outcomes::default();
        outcomes.note(&branch(1), Outcome::HeuristicallyCommitted, Lsn(1));
        for number in 0..=OUTCOMES_MAX {
            outcomes.note(&local(number), Outcome::Committed, Lsn(2));
        }
        assert_eq!(outcomes.of(&branch(1)), Some((Outcome::HeuristicallyCommitted, Lsn(1))));
        assert_eq!(outcomes.of(&local(0)), None);
        assert_eq!(outcomes.of(&local(1)), Some((Outcome::Committed, Lsn(2))));
        assert_eq!(outcomes.all().len(), OUTCOMES_MAX + 1);
        outcomes.note(&branch(1), Outcome::Forgotten, Lsn(3));
        assert_eq!((outcomes.of(&branch(1)), outcomes.heuristics().count()), (None, 0));
    }

    #[test]
    fn an_outcome_that_is_noted_again_is_young_again() {
        let mut outcomes = Outcomes::default();
        outcomes.note(&local(0), Outcome::Committed, Lsn(1));
        for number in 1..OUTCOMES_MAX {
            outcomes.note(&local(number), Outcome::Committed, Lsn(1));
        }
        outcomes.note(&local(0), Outcome::Committed, Lsn(2));
        outcomes.note(&local(OUTCOMES_MAX), Outcome::Committed, Lsn(2));
        assert!(outcomes.of(&local(0)).is_some());
        assert!(outcomes.of(&local(1)).is_none());
    }
}
