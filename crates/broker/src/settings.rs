//! What may be set, with the defaults of `ferrymq.toml`.

use std::sync::Arc;

/// What is told on advisory topics beside the coming and going of connections, destinations, consumers and producers,
/// and of what expires or is buried. It costs something for each message where it is switched on and somebody listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advised {
    /// Whether anything is told at all.
    pub enabled: bool,
    /// A message that is not persistent came where nobody listens.
    pub no_consumer: bool,
    /// A topic subscription fell behind.
    pub slow_consumer: bool,
    /// A topic subscription lost a message.
    pub message_discarded: bool,
    /// A queue is full.
    pub full: bool,
    /// A message came to a queue or topic.
    pub message_delivered: bool,
    /// A message went to a consumer.
    pub message_dispatched: bool,
    /// A consumer is done with a message.
    pub message_consumed: bool,
}

impl Default for Advised {
    fn default() -> Self {
        Self {
            enabled: true,
            no_consumer: false,
            slow_consumer: false,
            message_discarded: false,
            full: false,
            message_delivered: false,
            message_dispatched: false,
            message_consumed: false,
        }
    }
}

/// What may be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What the broker calls itself.
    pub broker_name: Arc<str>,
    /// What no other broker calls itself.
    pub broker_id: Arc<str>,
    /// Where clients reach it.
    pub broker_url: Arc<str>,
    /// What is told on advisory topics.
    pub advisories: Advised,
    /// Messages that all queues and durable subscriptions together keep in memory before every producer waits. Bytes.
    /// Topic subscriptions hold up to half as many besides, and lose messages beyond that.
    pub memory_limit_bytes: usize,
    /// Messages that one queue or durable subscription keeps in memory before its producers wait. Bytes.
    pub destination_memory_limit_bytes: usize,
    /// How often a message is delivered again before it is dead: 6 means seven deliveries.
    pub redeliveries_max: u32,
    /// The queue that dead messages go to.
    pub dead_letter_queue: Arc<str>,
    /// Messages that may wait for a topic subscriber beyond its prefetch before its oldest are dropped.
    pub pending_limit: u32,
    /// Topic messages that one subscription holds, waiting or not settled, before it loses some. Bytes.
    pub subscription_memory_limit_bytes: usize,
    /// Whether a message of a higher priority overtakes the others of its queue.
    pub prioritized: bool,
    /// Destinations, durable subscriptions included, that may exist at a time.
    pub destinations_max: usize,
    /// Expired messages that one tick removes: bounds how long a tick takes.
    pub expirations_per_tick_max: usize,
    /// Messages that one dispatch examines for consumers with selectors before it goes on at the next tick.
    pub examined_per_dispatch_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            broker_name: Arc::from("ferrymq"),
            broker_id: Arc::from("ID:ferrymq"),
            broker_url: Arc::from("vm://ferrymq"),
            advisories: Advised::default(),
            memory_limit_bytes: 256 * 1024 * 1024,
            destination_memory_limit_bytes: 32 * 1024 * 1024,
            redeliveries_max: 6,
            dead_letter_queue: Arc::from("ActiveMQ.DLQ"),
            pending_limit: 1000,
            subscription_memory_limit_bytes: 8 * 1024 * 1024,
            prioritized: true,
            destinations_max: 100_000,
            expirations_per_tick_max: 1000,
            examined_per_dispatch_max: 50_000,
        }
    }
}
