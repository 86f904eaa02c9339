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
    /// A producer sends faster than its queue is emptied.
    pub fast_producer: bool,
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
            fast_producer: false,
            message_delivered: false,
            message_dispatched: false,
            message_consumed: false,
        }
    }
}

/// A rule that sends what comes to topics to queues, too: `prefix`, the topic's name and `postfix` together are a
/// pattern over queues.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VirtualTopic {
    /// The topics, maybe a pattern.
    pub name: Arc<str>,
    /// Before the topic's name; a `*` in it stands for the groups.
    pub prefix: Arc<str>,
    /// Behind the topic's name.
    pub postfix: Arc<str>,
    /// Whether a queue gets only what the selector of one of its consumers wants, and nothing while it has none.
    pub selector_aware: bool,
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
    /// Topics whose messages go to queues, too. The first rule that leads to a queue counts.
    pub virtual_topics: Vec<VirtualTopic>,
    /// Whether every message says who sent it: the user of its connection, whatever the sender wrote.
    pub populate_user_id: bool,
    /// Messages that all queues and durable subscriptions together keep in memory before every producer waits. Bytes.
    /// Topic subscriptions hold up to half as many besides, and lose messages beyond that.
    pub memory_limit_bytes: usize,
    /// Messages that one queue or durable subscription keeps in memory before its producers wait. Bytes.
    pub destination_memory_limit_bytes: usize,
    /// How long producers wait where one of these limits is reached, before what they send is refused; 0: not at all;
    /// `None`: as long as it takes. Milliseconds.
    pub producer_wait_ms_max: Option<u64>,
    /// How often a message is delivered again before it is dead: 6 means seven deliveries.
    pub redeliveries_max: u32,
    /// The queue that dead messages go to.
    pub dead_letter_queue: Arc<str>,
    /// Messages that may wait for a topic subscriber beyond its prefetch before its oldest are dropped.
    pub pending_limit: u32,
    /// Topic messages that one subscription holds, waiting or not settled, before it loses some. Bytes.
    pub subscription_memory_limit_bytes: usize,
    /// Messages that each topic keeps for subscriptions that want past ones; 0: none.
    pub history_messages_max: u32,
    /// Bytes of those, for each topic.
    pub history_bytes_max: usize,
    /// Whether a message of a higher priority overtakes the others of its queue.
    pub prioritized: bool,
    /// Destinations, durable subscriptions included, that may exist at a time.
    pub destinations_max: usize,
    /// Expired messages that one tick removes: bounds how long a tick takes.
    pub expirations_per_tick_max: usize,
    /// Messages that one dispatch examines for consumers with selectors before it goes on at the next tick.
    pub examined_per_dispatch_max: usize,
    /// Messages that were examined before from which on who would examine them again files them by what it demands.
    pub filed_from: usize,
    /// Scheduled and delayed delivery.
    pub schedule: ScheduleSettings,
}

/// What may be set about scheduled and delayed delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScheduleSettings {
    /// Whether scheduled messages are taken, and those that wait brought. What waits is kept.
    pub enabled: bool,
    /// How often a delivery may repeat, unless it repeats for ever.
    pub repeats_max: u32,
    /// The longest delay or period. Milliseconds.
    pub delay_ms_max: u64,
    /// Messages that may wait for their time: each takes about a hundred bytes of memory.
    pub jobs_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            broker_name: Arc::from("ferrymq"),
            broker_id: Arc::from("ID:ferrymq"),
            broker_url: Arc::from("vm://ferrymq"),
            advisories: Advised::default(),
            virtual_topics: vec![VirtualTopic {
                name: Arc::from("VirtualTopic.>"),
                prefix: Arc::from("Consumer.*."),
                postfix: Arc::from(""),
                selector_aware: false,
            }],
            populate_user_id: false,
            memory_limit_bytes: 256 * 1024 * 1024,
            destination_memory_limit_bytes: 32 * 1024 * 1024,
            producer_wait_ms_max: None,
            redeliveries_max: 6,
            dead_letter_queue: Arc::from("ActiveMQ.DLQ"),
            pending_limit: 1000,
            subscription_memory_limit_bytes: 8 * 1024 * 1024,
            history_messages_max: 0,
            history_bytes_max: 1024 * 1024,
            prioritized: true,
            destinations_max: 100_000,
            expirations_per_tick_max: 1000,
            examined_per_dispatch_max: 50_000,
            filed_from: 64,
            schedule: ScheduleSettings::default(),
        }
    }
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self { enabled: true, repeats_max: 1000, delay_ms_max: 10 * 366 * 24 * 3_600_000, jobs_max: 1_000_000 }
    }
}
