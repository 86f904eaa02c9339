//! The sections about topics: advisories, virtual topics, and what topics keep.

use super::Size;
use ferrymq_node::{Advised, VirtualTopic};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the broker tells on the topics `ActiveMQ.Advisory.*`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Advisories {
    /// Whether anything is told.
    pub enabled: bool,
    /// A message that is not persistent came where nobody listens.
    pub no_consumer: bool,
    /// A topic subscription fell behind.
    pub slow_consumer: bool,
    /// A topic subscription lost a message.
    pub message_discarded: bool,
    /// A queue is full.
    pub full: bool,
    /// A producer sends faster than its queue is emptied.
    pub fast_producer: bool,
    /// A message came to a queue or topic.
    pub message_delivered: bool,
    /// A message went to a consumer.
    pub message_dispatched: bool,
    /// A consumer is done with a message.
    pub message_consumed: bool,
}

/// Topics whose messages go to queues, too.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VirtualTopics {
    /// Which, as patterns; none: no topic is virtual.
    pub names: Vec<String>,
    /// What stands before the topic's name in the queues' names; `*` for the group.
    pub prefix: String,
    /// What stands behind it.
    pub postfix: String,
    /// Whether a queue gets only what the selector of one of its consumers wants.
    pub selector_aware: bool,
}

/// What topics keep.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Past messages of each topic, for retroactive subscriptions.
    pub history_messages: u32,
    /// Bytes of those.
    pub history_bytes: Size,
}

impl Default for Advisories {
    fn default() -> Self {
        let told = Advised::default();
        Self {
            enabled: told.enabled,
            no_consumer: told.no_consumer,
            slow_consumer: told.slow_consumer,
            message_discarded: told.message_discarded,
            full: told.full,
            fast_producer: told.fast_producer,
            message_delivered: told.message_delivered,
            message_dispatched: told.message_dispatched,
            message_consumed: told.message_consumed,
        }
    }
}

impl Default for VirtualTopics {
    fn default() -> Self {
        Self {
            names: vec!["VirtualTopic.>".to_owned()],
            prefix: "Consumer.*.".to_owned(),
            postfix: String::new(),
            selector_aware: false,
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self { history_messages: 0, history_bytes: Size::mebibytes(1) }
    }
}

impl Advisories {
    /// As the broker takes it.
    #[must_use]
    pub fn settings(&self) -> Advised {
        Advised {
            enabled: self.enabled,
            no_consumer: self.no_consumer,
            slow_consumer: self.slow_consumer,
            message_discarded: self.message_discarded,
            full: self.full,
            fast_producer: self.fast_producer,
            message_delivered: self.message_delivered,
            message_dispatched: self.message_dispatched,
            message_consumed: self.message_consumed,
        }
    }
}

impl VirtualTopics {
    /// As the broker takes it.
    #[must_use]
    pub fn settings(&self) -> Vec<VirtualTopic> {
        let rule = |name: &String| VirtualTopic {
            name: Arc::from(name.as_str()),
            prefix: Arc::from(self.prefix.as_str()),
            postfix: Arc::from(self.postfix.as_str()),
            selector_aware: self.selector_aware,
        };
        self.names.iter().map(rule).collect()
    }
}
