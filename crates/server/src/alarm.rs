//! Who wakes the tick when it sleeps longer than usual.
//!
//! ```text
//!   tick ─► nothing happened since the last one, and the node rests ─► plan: when the next is due ─► sleep
//!                                                                              ▲ rung by: any step of the node but a tick,
//!                                                                              │ an earlier deadline, the server's end
//! ```
//!
//! No wake-up is lost:
//! - What the node has to do changes with its inputs alone, and each of them is stepped under the core's lock, as the
//!   plan is made under it. Whoever steps after the plan sees it, and rings.
//! - A connection sets its deadline without that lock. It writes the deadline and then reads the plan; the tick writes
//!   the plan and then reads the deadlines, each with a fence between the two: one of them sees the other's. A deadline
//!   that moves further away needs no look: the plan is not later than it was.
//! - A ring that finds the tick awake is kept, and ends its next sleep at once.

use ferrymq_model::MonoTime;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use tokio::sync::Notify;

/// The plan of the tick.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// When the tick comes by itself, in milliseconds of the clock; 0: as usual, which is soon enough for everybody.
    planned: AtomicU64,
    bell: Notify,
}

impl Alarm {
    /// The tick sleeps until then. Deadlines are to be read after it.
    pub(crate) fn plan(&self, at: MonoTime) {
        self.planned.store(at.0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The tick comes as usual.
    pub(crate) fn clear(&self) {
        self.planned.store(0, Ordering::Relaxed);
    }

    /// Whether the tick sleeps longer than usual.
    pub(crate) fn is_planned(&self) -> bool {
        self.planned.load(Ordering::Relaxed) != 0
    }

    /// A deadline was set, earlier than the one before.
    pub(crate) fn comes_before(&self, deadline: MonoTime) {
        fence(Ordering::SeqCst);
        if deadline.0 < self.planned.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Ends the sleep.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until it is rung.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}
