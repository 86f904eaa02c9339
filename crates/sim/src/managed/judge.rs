//! What must be true when all is over.

use super::{Campaign, Done, Lost, numbered};
use crate::host::consumed;
use ferrymq_model::Deliveries;
use std::collections::{BTreeMap, BTreeSet};

impl Campaign {
    /// What is where at the end.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        self.host.disk.plan_nothing();
        let recovered = self.recover_branches();
        self.settle(recovered)?;
        let mut places = BTreeMap::new();
        for name in ["IN", "OUT", "DONE"] {
            let content = match self.drain(name) {
                Ok(content) => content,
                Err(Lost::Broken(what)) => return Err(what),
                Err(Lost::Power) => return Err("the power went though nothing was planned".to_owned()),
            };
            for number in &content {
                if let Some(other) = places.insert(*number, name) {
                    return Err(format!("message {number} is in {other} and in {name}"));
                }
            }
        }
        let all: BTreeSet<u64> = (1..=self.produced).collect();
        let found: BTreeSet<u64> = places.keys().copied().collect();
        if found != all {
            return Err(format!("missing {:?}", all.difference(&found).collect::<Vec<_>>()));
        }
        let left: BTreeSet<u64> = places.iter().filter(|(_, at)| **at != "IN").map(|(number, _)| *number).collect();
        if left != self.rows {
            return Err(format!(
                "the resources differ: {:?}",
                left.symmetric_difference(&self.rows).collect::<Vec<_>>()
            ));
        }
        let done: BTreeSet<u64> = places.iter().filter(|(_, at)| **at == "DONE").map(|(number, _)| *number).collect();
        if done != self.moved {
            let differ: Vec<_> = done.symmetric_difference(&self.moved).collect();
            return Err(format!("what was said of commits differs from what happened: {differ:?}"));
        }
        Ok(())
    }

    fn drain(&mut self, name: &str) -> Done<Vec<u64>> {
        let session = self.host.connect()?;
        let mut content = Vec::new();
        let mut next = self.take(session, name)?;
        while let Some((delivery, number)) = next {
            content.push(number);
            let settle = consumed(Deliveries::One(delivery), None, None);
            next = self.host.delivered(session, settle)?.last().map(numbered);
        }
        self.host.leave(session)?;
        Ok(content)
    }
}
