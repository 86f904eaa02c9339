//! Message groups: the messages of a group go to one consumer, in order, until it leaves or the group is closed.

use crate::broker::Broker;
use crate::queue::Item;
use std::sync::Arc;

/// Groups that one queue remembers the consumer of. Beyond it the first by name is forgotten, which may then move
/// to another consumer.
const GROUPS_PER_QUEUE_MAX: usize = 100_000;

impl Broker {
    /// Gives a message's group to the consumer that gets the message. A negative sequence closes the group.
    pub(crate) fn own_group(&mut self, index: u32, subscription: u32, item: &Item) {
        let annotations = item.message.as_ref().and_then(|message| message.annotations());
        let Some(group) = annotations.and_then(|annotations| annotations.group.as_ref()) else { return };
        let queue = &mut self.queues[index];
        if group.sequence < 0 {
            if queue.groups.remove(&group.id).is_some() {
                queue.look_again();
            }
            return;
        }
        if queue.groups.contains_key(&group.id) {
            return;
        }
        if queue.groups.len() >= GROUPS_PER_QUEUE_MAX {
            queue.groups.pop_first();
            queue.look_again();
        }
        queue.groups.insert(Arc::clone(&group.id), subscription);
    }

    /// Frees the groups of a consumer that leaves.
    pub(crate) fn disown_groups(&mut self, index: u32, subscription: u32) {
        let queue = &mut self.queues[index];
        let before = queue.groups.len();
        queue.groups.retain(|_, owner| *owner != subscription);
        // Not without need: every consumer that stays would pass the whole queue again.
        if queue.groups.len() < before {
            queue.look_again();
        }
    }
}
