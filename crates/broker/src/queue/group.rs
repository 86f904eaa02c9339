//! Message groups: the messages of a group go to one consumer, in order, until it leaves or the group is closed.
//!
//! The first message of a group gives it to a consumer; so does a message of sequence 1, whoever owned the group
//! before. A negative sequence closes it. The consumer is told with the message that made it the owner.

use crate::broker::Broker;
use crate::queue::{Item, Queue};
use ferrymq_model::Group;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Groups that one queue remembers the consumer of. Beyond it the first by name is forgotten, which may then move
/// to another consumer.
const GROUPS_PER_QUEUE_MAX: usize = 100_000;

/// The sequence of a group's first message.
const FIRST: i32 = 1;

/// Which subscription owns which group.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    owners: BTreeMap<Arc<str>, u32>,
}

impl Groups {
    /// The only subscription that may have a message of a group; `None`: any.
    pub(crate) fn owner(&self, group: &Group) -> Option<u32> {
        if group.sequence == FIRST {
            return None;
        }
        self.owners.get(&group.id).copied()
    }

    /// Whether nobody owns any.
    pub(crate) fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// How many groups a subscription owns: for checks.
    pub(crate) fn owned_by(&self, subscription: u32) -> usize {
        self.owners.values().filter(|owner| **owner == subscription).count()
    }
}

impl Broker {
    /// Gives a message's group to the consumer that gets the message; tells whether it did not own it before.
    pub(crate) fn own_group(&mut self, index: u32, subscription: u32, item: &Item) -> bool {
        let Some(group) = item.group() else { return false };
        let queue = &mut self.queues[index];
        if group.sequence < 0 {
            let owner = queue.groups.owners.remove(&group.id);
            if let Some(owner) = owner {
                queue.count_groups(owner, |groups| groups - 1);
                queue.look_again();
            }
            return owner.is_none();
        }
        if queue.groups.owner(group).is_some() {
            return false;
        }
        if queue.groups.owners.len() >= GROUPS_PER_QUEUE_MAX
            && let Some((_, owner)) = queue.groups.owners.pop_first()
        {
            queue.count_groups(owner, |groups| groups - 1);
            queue.look_again();
        }
        let before = queue.groups.owners.insert(Arc::clone(&group.id), subscription);
        queue.count_groups(subscription, |groups| groups + 1);
        if let Some(before) = before {
            queue.count_groups(before, |groups| groups - 1);
            if before != subscription {
                // Messages of the group that waited for the one before are the new owner's now.
                queue.look_again();
            }
        }
        true
    }

    /// Frees the groups of a consumer that leaves.
    pub(crate) fn disown_groups(&mut self, index: u32, subscription: u32) {
        let queue = &mut self.queues[index];
        let before = queue.groups.owners.len();
        queue.groups.owners.retain(|_, owner| *owner != subscription);
        // Not without need: every consumer that stays would pass the whole queue again.
        if queue.groups.owners.len() < before {
            queue.look_again();
        }
    }
}

impl Queue {
    fn count_groups(&mut self, subscription: u32, count: impl Fn(u32) -> u32) {
        if let Some(consumer) = self.consumers.iter_mut().find(|consumer| consumer.subscription == subscription) {
            consumer.groups = count(consumer.groups);
        }
    }
}
