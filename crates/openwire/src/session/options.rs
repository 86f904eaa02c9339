//! What a session is made with.

use crate::limits::CACHE_ENTRIES_MAX;
use std::sync::Arc;

/// What a session is made with.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Unique over all brokers and restarts, for logs; the connection itself goes by the name that its client chose.
    pub session_name: Arc<str>,
    /// The broker's name for people, such as `localhost`.
    pub broker_name: Arc<str>,
    /// Unique over all brokers, the same over restarts or not: `ID:host-1a2b`.
    pub broker_id: Arc<str>,
    /// Where this broker is reached: `tcp://host:61616`.
    pub broker_url: Arc<str>,
    /// What clients of `failover:` are told to use, with commas between; `None`: what they have.
    pub connected_brokers: Option<Arc<str>>,
    /// Where the connection comes from, for people.
    pub peer: Option<Arc<str>>,
    /// The largest frame, without its size in front. Bytes.
    pub max_frame: usize,
    /// Entries of the marshal cache, 100 to [`CACHE_ENTRIES_MAX`]. Count.
    pub cache_size: u16,
    /// The longest silence that is borne; 0: any. Milliseconds.
    pub max_inactivity_ms: u64,
    /// How long a silence is borne at first, in addition. Milliseconds.
    pub max_inactivity_initial_delay_ms: u64,
    /// How long a connection may stay without a WireFormatInfo. Milliseconds.
    pub negotiation_timeout_ms: u64,
    /// How long a connection may stay without a ConnectionInfo. Milliseconds.
    pub login_timeout_ms: u64,
    /// What one connection may have.
    pub limits: SessionLimits,
}

/// What one connection may have at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    /// Sessions of JMS. Count.
    pub sessions_max: usize,
    /// Producers. Count.
    pub producers_max: usize,
    /// Consumers. Count.
    pub consumers_max: usize,
    /// Open transactions, local and of transaction managers. Count.
    pub transactions_max: usize,
    /// Requests whose answer the session waits for. Count.
    pub pending_max: usize,
    /// The largest frame of a connection that has not shown who it is. Bytes.
    pub login_frame_bytes_max: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            producers_max: 10_000,
            consumers_max: ferrymq_model::limits::SUBSCRIPTIONS_PER_SESSION_MAX,
            transactions_max: ferrymq_model::limits::TRANSACTIONS_PER_SESSION_MAX,
            pending_max: 65_536,
            login_frame_bytes_max: 64 * 1024,
        }
    }
}

impl SessionOptions {
    /// ActiveMQ's defaults, under this name.
    #[must_use]
    pub fn new(session_name: Arc<str>) -> Self {
        Self {
            session_name,
            broker_name: Arc::from("localhost"),
            broker_id: Arc::from("ID:localhost"),
            broker_url: Arc::from("tcp://localhost:61616"),
            connected_brokers: None,
            peer: None,
            max_frame: 100 * 1024 * 1024,
            cache_size: 1024,
            max_inactivity_ms: 30_000,
            max_inactivity_initial_delay_ms: 10_000,
            negotiation_timeout_ms: 10_000,
            login_timeout_ms: 10_000,
            limits: SessionLimits::default(),
        }
    }

    /// Entries of the marshal cache that are offered: with fewer than 100 Java's encoder never ends.
    pub(super) fn cache_offered(&self) -> u16 {
        self.cache_size.clamp(100, CACHE_ENTRIES_MAX)
    }
}
