//! Whose turn it is at a queue: message groups and exclusive consumers.

use super::Oracle;
use super::copies::CopyId;
use super::facts::{Facts, Listening, Promise, StoreKey, listens_to};
use ferrymq_model::event::Delivery;
use ferrymq_model::{SessionId, SubscriptionId};
use std::cmp::Reverse;
use std::sync::Arc;

/// The sequence of a group's first message: it goes to anybody, whoever had the group.
const FIRST: i32 = 1;

impl Oracle {
    /// The group of a copy: its store and name.
    pub(super) fn group_of(&self, copy: CopyId) -> Option<(StoreKey, Arc<str>)> {
        let it = &self.copies[copy.0];
        let group = self.facts[&it.message].group.as_ref()?;
        Some((it.store.clone(), group.id.clone()))
    }

    /// Whether a consumer may have a copy as far as groups go.
    pub(super) fn may_have(&self, consumer: (SessionId, SubscriptionId), copy: CopyId) -> bool {
        let it = &self.copies[copy.0];
        let is_first = self.facts[&it.message].group.as_ref().is_some_and(|group| group.sequence == FIRST);
        let owner = self.group_of(copy).and_then(|group| self.groups.get(&group));
        is_first || owner.is_none_or(|owner| *owner == consumer)
    }

    /// A message of a group goes to the one who has the group, or gives it to somebody.
    pub(super) fn judge_group(&mut self, id: SessionId, delivery: &Delivery, copy: CopyId, facts: &Facts) {
        let consumer = (id, delivery.subscription);
        let Some(group) = self.group_of(copy).filter(|(store, _)| matches!(store, StoreKey::Queue(_))) else {
            if delivery.first_of_group {
                let text = format!("message {} is the first of no group", self.copies[copy.0].message);
                self.accuse(Promise::Group, text);
            }
            return;
        };
        let sequence = facts.group.as_ref().map_or(0, |group| group.sequence);
        let owner = self.groups.get(&group).copied();
        if !self.may_have(consumer, copy) {
            let text = format!(
                "message {} of group {} went to {consumer:?} while {owner:?} had the group",
                self.copies[copy.0].message, group.1
            );
            self.accuse(Promise::Group, text);
        }
        let is_first = owner.is_none() || sequence == FIRST;
        if delivery.first_of_group != is_first {
            let text = format!(
                "message {} of group {} with sequence {sequence}, first for its consumer: {}, after {owner:?}",
                self.copies[copy.0].message, group.1, delivery.first_of_group
            );
            self.accuse(Promise::Group, text);
        }
        if sequence < 0 {
            self.groups.remove(&group);
        } else {
            self.groups.insert(group, consumer);
        }
    }

    /// A queue with exclusive consumers gives only to one: of the highest priority, among equals the first.
    pub(super) fn judge_exclusive(&mut self, id: SessionId, delivery: &Delivery, copy: CopyId) {
        let StoreKey::Queue(queue) = &self.copies[copy.0].store else { return };
        let mut best = None;
        for (session, known) in &self.sessions {
            for (subscription, it) in &known.subscriptions {
                let listens = it.leaves.iter().any(|pattern| listens_to(pattern, queue));
                if it.exclusive && listens && matches!(it.listening, Listening::Queues) {
                    let rank = (it.priority, Reverse(it.asked_in));
                    best = best.max(Some((rank, *session, *subscription)));
                }
            }
        }
        if let Some((_, session, subscription)) = best
            && (session, subscription) != (id, delivery.subscription)
        {
            let text = format!(
                "message {} went to {id:?} while {session:?} is the exclusive consumer of {queue}",
                self.copies[copy.0].message
            );
            self.accuse(Promise::Exclusive, text);
        }
    }
}
