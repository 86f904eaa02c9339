//! Connections: from accepting them to their last byte.
//!
//! ```text
//!   listener ─► detect ─► connection (raw TCP) ─┐
//!          └───────────► websocket ─────────────┴─► Box<dyn Session> ◄──► core
//! ```

pub(crate) mod connection;
pub(crate) mod detect;
pub(crate) mod listener;
pub(crate) mod pool;
pub(crate) mod quota;
mod stranger;
pub(crate) mod websocket;

use crate::core::Core;
use quota::LogQuota;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What every connection needs to know.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) core: Arc<Core>,
    pub(crate) connections_max: usize,
    pub(crate) login_timeout: Duration,
    pub(crate) write_stall_timeout: Duration,
    /// The largest body. Bytes.
    pub(crate) message_bytes_max: usize,
    pub(crate) sessions: detect::SessionTemplates,
    /// Open now.
    connections: AtomicUsize,
    /// Ever opened: makes each connection's name unique.
    numbers: AtomicU64,
    /// Peers may cause so many lines a second.
    pub(crate) peer_log: LogQuota,
}

/// One place among the connections; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    net: Arc<Net>,
    /// Which connection since the start.
    pub(crate) number: u64,
}

impl Net {
    pub(crate) fn new(core: Arc<Core>, config: &crate::Config, sessions: detect::SessionTemplates) -> Self {
        Self {
            core,
            connections_max: config.connections.max,
            login_timeout: config.connections.login_timeout.duration(),
            write_stall_timeout: config.connections.write_stall_timeout.duration(),
            message_bytes_max: config.stomp.body_max.bytes(),
            sessions,
            connections: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            peer_log: LogQuota::default(),
        }
    }

    /// A place for one more connection, or `None`: the limit is reached.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= self.connections_max {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Place { net: Arc::clone(self), number: self.numbers.fetch_add(1, Ordering::Relaxed) + 1 })
    }

    /// Writes a line about a peer, unless peers caused too many.
    pub(crate) fn log_peer(&self, peer: std::net::SocketAddr, what: &str) {
        if let Some(suppressed) = self.peer_log.take(self.core.clock().mono()) {
            tracing::info!(%peer, suppressed, "peer closed: {what}");
        }
    }

    /// Connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.net.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
