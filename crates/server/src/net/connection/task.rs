//! Who runs a connection: its task, and for what the journal's thread has for it, that thread.
//!
//! ```text
//!   I/O thread:      wake-up ──► lock ─► rounds: events, read, step, write ─► rest ─► unlock
//!   journal's thread: durable ─► try lock ─► events ─► write what the socket takes ─► rest ─► unlock
//!                                    └─ the task has it, or it is not at rest, or something is left: wake the task
//! ```
//!
//! Invariants worth naming:
//! - The journal's thread never waits for a connection: not for its lock, not for its peer, and it writes a bounded
//!   number of bytes. It reads nothing.
//! - It serves only a connection at rest, whose outbox is empty: bytes leave in the order in which they were encoded.
//! - Whatever it does not finish, it leaves to the task, and wakes it.
//! - The task does not wait for it either: it comes back when it is woken.
//! - A panic costs the connection, on whichever thread it happens.

use super::{Connection, Phase, ROUNDS_PER_WAKE_MAX, Round};
use crate::core::Stage;
use crate::mailbox::{NEVER, Serve};
use crate::net::pool::{Workshop, with_workshop};
use parking_lot::{Mutex, MutexGuard};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

/// Bytes that another thread encodes for a connection before it leaves the rest to the task.
const SERVED_BYTES_MAX: usize = 16 * 1024;

/// The task of a connection.
#[derive(Debug)]
pub(crate) struct Task(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: Mutex<Connection>,
    /// Whether the task was woken while another thread served the connection.
    missed: AtomicBool,
}

impl Task {
    /// The task that runs this connection to its end.
    pub(crate) fn new(connection: Connection) -> Self {
        let mailbox = Arc::clone(&connection.mailbox);
        let shared = Arc::new(Shared { connection: Mutex::new(connection), missed: AtomicBool::new(false) });
        let weak: Weak<Shared> = Arc::downgrade(&shared);
        mailbox.served_by(weak);
        Self(shared)
    }
}

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = &*self.0;
        let Some(mut connection) = shared.enter() else { return Poll::Pending };
        with_workshop(|shop| connection.run(shop, context))
    }
}

impl Shared {
    /// The connection, for its task. `None`: another thread has it and wakes the task when it leaves.
    fn enter(&self) -> Option<MutexGuard<'_, Connection>> {
        self.connection.try_lock().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            // Pairs with the fence in `serve`: either who serves sees the mark, or the lock is seen free.
            fence(Ordering::SeqCst);
            self.connection.try_lock()
        })
    }
}

impl Serve for Shared {
    fn serve(&self, waker: Waker) {
        let served = match self.connection.try_lock() {
            Some(mut connection) => {
                let serving = AssertUnwindSafe(|| with_workshop(|shop| connection.serve(shop, &waker)));
                catch_unwind(serving).unwrap_or_else(|_| {
                    tracing::error!(peer = %connection.peer, "a connection panicked: this is a bug of the broker");
                    connection.phase = Phase::Over;
                    false
                })
            }
            None => false,
        };
        // Pairs with the one in `enter`.
        fence(Ordering::SeqCst);
        if self.missed.swap(false, Ordering::SeqCst) || !served {
            waker.wake();
        }
    }
}

impl Connection {
    fn run(&mut self, shop: &mut Workshop, context: &mut Context<'_>) -> Poll<()> {
        debug_assert!(shop.requests.is_empty(), "every round steps what it asked");
        // Were it not so, another session's requests would be stepped as this one's.
        shop.requests.clear();
        for _ in 0..ROUNDS_PER_WAKE_MAX {
            let stage = self.net.core.stage();
            match self.round(shop, context) {
                Round::Again => {}
                Round::Yield => break,
                Round::Idle => {
                    if self.rest(shop, context.waker(), stage) {
                        return Poll::Pending;
                    }
                }
                Round::Over => {
                    self.leave_core(shop);
                    self.phase = Phase::Over;
                    return Poll::Ready(());
                }
            }
        }
        // Others have their turn first.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes and writes what the mailbox holds, on another thread than the task's. `false`: the task is to go on.
    fn serve(&mut self, shop: &mut Workshop, waker: &Waker) -> bool {
        // Left over by a panic: they were another session's.
        shop.requests.clear();
        let stage = self.net.core.stage();
        if stage != Stage::Running || !self.is_at_rest() {
            return false;
        }
        let now = self.net.core.clock().now();
        self.handle_events(now, shop, SERVED_BYTES_MAX);
        self.enter_from_shop(shop, waker);
        if !self.write_at_once() {
            return false;
        }
        self.settle_written(now, shop, waker);
        self.is_at_rest() && self.rest(shop, waker, stage)
    }

    /// Whether nothing is under way but the wait for the peer's bytes and for events.
    fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
            && !self.paused
            && self.held.is_empty()
            && self.events.is_empty()
            && self.outbox.is_empty()
            && self.owed_by == NEVER
            && self.gone_by == NEVER
    }

    /// Writes without leaving word who is to be woken. `false`: something is left.
    fn write_at_once(&mut self) -> bool {
        while !self.outbox.is_empty() {
            match self.stream.try_write(self.outbox.front()) {
                Ok(count) if count > 0 => self.outbox.advance(count),
                // A peer that takes no more, or that is gone: the task meets it again.
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
