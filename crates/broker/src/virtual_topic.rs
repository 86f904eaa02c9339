//! Virtual topics: a topic whose messages also go to queues named after it, one queue for each group of consumers.
//!
//! With ActiveMQ's default a message to the topic `VirtualTopic.ORDERS` reaches the topic's subscribers and every queue
//! `Consumer.<group>.VirtualTopic.ORDERS` that exists; a consumer that subscribes to such a queue makes it. The queues
//! are leaves of the topic's route, so a persistent message is one record however many groups there are, and in a
//! transaction it comes to all of them or to none.

use crate::broker::{Broker, Place};
use crate::router::Leaf;
use crate::settings::VirtualTopic;
use ferrymq_model::destination::{is_pattern, matches};
use ferrymq_model::{Destination, DestinationKind, Message};
use std::sync::Arc;

impl Broker {
    /// Adds to a topic's route the queues that get what is sent to it.
    pub(crate) fn add_virtual_queues(&mut self, topic: &Destination, leaves: &mut Vec<Leaf>) {
        if topic.kind != DestinationKind::Topic {
            return;
        }
        let mut selective = Vec::new();
        for rule in &self.settings.virtual_topics {
            if !matches(&rule.name, &topic.name) {
                continue;
            }
            let pattern = format!("{}{}{}", rule.prefix, topic.name, rule.postfix);
            let first = Destination { kind: DestinationKind::Queue, name: Arc::from(fixed(&pattern)) };
            let candidates = self.places.range(first.clone()..);
            let candidates =
                candidates.take_while(|(name, _)| name.kind == first.kind && name.name.starts_with(&*first.name));
            for (name, place) in candidates {
                let Place::Queue(queue) = *place else { continue };
                if overlap(&pattern, &name.name) {
                    leaves.push((*place, Some(Arc::new(name.clone()))));
                    selective.push((queue, rule.selector_aware));
                }
            }
        }
        for (queue, is_selective) in selective {
            self.queues[queue].fed_by_selectors = is_selective;
        }
    }

    /// Whether a queue gets a message that was sent to a virtual topic: one that looks at selectors gets only what one
    /// of its consumers wants.
    #[inline]
    pub(crate) fn is_fed(&self, queue: u32, message: &Message) -> bool {
        let known = &self.queues[queue];
        !known.fed_by_selectors || message.header.destination.kind.is_queue() || known.audience.is_wanted(message)
    }

    /// Whether a queue is one that some virtual topic feeds. It must outlive a restart from its first consumer on: what is
    /// sent before that consumer is back would else miss the group.
    pub(crate) fn is_of_group(&self, queue: &Destination) -> bool {
        let feeds =
            |rule: &VirtualTopic| overlap(&format!("{}{}{}", rule.prefix, rule.name, rule.postfix), &queue.name);
        queue.kind == DestinationKind::Queue && self.settings.virtual_topics.iter().any(feeds)
    }

    /// Whether a pattern names one group's share of several virtual topics: `Consumer.A.VirtualTopic.>`. It is then a
    /// queue, too: one that takes what is sent to any of them.
    pub(crate) fn is_group_of_many(&self, leaf: &Destination) -> bool {
        let covers = |rule: &VirtualTopic| {
            let levels = rule.prefix.trim_end_matches('.').split('.').filter(|level| !level.is_empty()).count();
            let mut rest = &*leaf.name;
            for _ in 0..levels {
                match rest.split_once('.') {
                    Some((level, after)) if level != "*" && level != ">" => rest = after,
                    Some(_) | None => return false,
                }
            }
            let group = &leaf.name[..leaf.name.len() - rest.len()];
            matches(rule.prefix.trim_end_matches('.'), group.trim_end_matches('.'))
                && is_pattern(rest)
                && rest.split('.').next() != Some(">")
                && overlap(&rule.name, rest)
        };
        leaf.kind == DestinationKind::Queue && leaf.is_pattern() && self.settings.virtual_topics.iter().any(covers)
    }
}

/// What every name that a pattern covers begins with.
fn fixed(pattern: &str) -> &str {
    let mut end = 0;
    for level in pattern.split_inclusive('.') {
        if matches!(level.trim_end_matches('.'), "*" | ">") {
            return &pattern[..end];
        }
        end += level.len();
    }
    pattern
}

/// Whether two patterns, or a pattern and a name, may mean the same name.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (Some(">"), _) | (_, Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            (Some(_), Some(_) | None) | (None, Some(_)) => return false,
            (None, None) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{fixed, overlap};

    #[test]
    fn names_are_searched_from_what_they_have_in_common() {
        for (pattern, begins) in [("Consumer.*.V.X", "Consumer."), ("*.V.X", ""), ("V.X.group", "V.X.group")] {
            assert_eq!(fixed(pattern), begins);
        }
    }

    #[test]
    fn patterns_overlap_where_one_name_fits_both() {
        for (one, other, expected) in [
            ("Consumer.*.V.X", "Consumer.A.V.X", true),
            ("Consumer.*.V.X", "Consumer.A.V.>", true),
            ("Consumer.*.V.X", "Consumer.A.V.*", true),
            ("Consumer.*.V.X.Y", "Consumer.A.V.*", false),
            ("Consumer.*.V.X", "Consumer.A.W.>", false),
            ("Consumer.*.V.X", "Consumer.A.V", false),
        ] {
            assert_eq!(overlap(one, other), expected, "{one} and {other}");
        }
    }
}
