//! Where the core puts a session's events and its connection takes them.

use crate::bell::Bell;
use ferrymq_model::{Event, MonoTime};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;

/// What [`Mailbox::set_deadline`] takes for "never".
pub(crate) const NEVER: MonoTime = MonoTime(u64::MAX);

/// A connection at rest that any thread may serve for a moment.
pub(crate) trait Serve: Send + Sync + Debug {
    /// Takes what is in the mailbox and writes it, as far as that needs no waiting. Whatever it leaves, it leaves to
    /// the connection's task, and wakes it.
    fn serve(&self, waker: Waker);
}

/// A connection that waited for events and has some now.
#[derive(Debug)]
pub(crate) struct Sleeper {
    waker: Waker,
    mailbox: Arc<Mailbox>,
}

/// The events of one session that its connection has not taken. Bounded by what the session asked for: deliveries by
/// its credit, answers by its requests, which are not read while the outbox is full.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// When the connection wants to be woken although nothing happened; milliseconds of the clock. The core's tick
    /// looks at it, so that no connection needs a timer of its own.
    deadline: AtomicU64,
    /// The connection, where others than its task may serve it.
    served_by: OnceLock<Weak<dyn Serve>>,
    /// Of the connection's thread.
    bell: Option<Arc<Bell>>,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    /// Present while the connection waits.
    waker: Option<Waker>,
    /// Whether events do not wake it: it could not take them.
    deaf: bool,
}

impl Mailbox {
    /// On the thread of its connection.
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner::default()),
            deadline: AtomicU64::new(NEVER.0),
            served_by: OnceLock::new(),
            bell: Bell::here(),
        }
    }

    /// Tells who may be asked to serve the connection instead of its task. Told once, before the first event.
    pub(crate) fn served_by(&self, connection: Weak<dyn Serve>) {
        assert!(self.served_by.set(connection).is_ok(), "a mailbox has one connection");
    }

    /// Puts events in, the first of which is given, while `next` has some. Says whom to wake afterwards.
    pub(crate) fn put(
        &self,
        event: Event,
        mut next: impl FnMut() -> Option<Event>,
        spares: &mut Vec<VecDeque<Event>>,
    ) -> Option<Waker> {
        let mut inner = self.inner.lock();
        if inner.events.capacity() == 0
            && let Some(spare) = spares.pop()
        {
            inner.events = spare;
        }
        inner.events.push_back(event);
        while let Some(event) = next() {
            inner.events.push_back(event);
        }
        if inner.deaf { None } else { inner.waker.take() }
    }

    /// Swaps what is there for the caller's empty queue, and stops waking the caller, who is awake.
    pub(crate) fn take(&self, into: &mut VecDeque<Event>) {
        let mut inner = self.inner.lock();
        inner.waker = None;
        if into.is_empty() && !inner.events.is_empty() {
            std::mem::swap(into, &mut inner.events);
        }
    }

    /// Asks to be woken; if `deaf`, by the deadline and by the server's end, but not by events. `false`: there is
    /// something already.
    pub(crate) fn wait(&self, waker: &Waker, deaf: bool) -> bool {
        let mut inner = self.inner.lock();
        if !deaf && !inner.events.is_empty() {
            return false;
        }
        inner.deaf = deaf;
        inner.waker = Some(waker.clone());
        true
    }

    /// Whom to wake for another reason than events.
    pub(crate) fn waker_if_waiting(&self) -> Option<Waker> {
        self.inner.lock().waker.take()
    }

    /// Sets when to wake the connection although nothing happened. For whoever runs the connection, through
    /// `Core::set_deadline`. Whether that is earlier than before.
    pub(crate) fn set_deadline(&self, at: MonoTime) -> bool {
        let before = self.deadline.load(Ordering::Relaxed);
        self.deadline.store(at.0, Ordering::Relaxed);
        at.0 < before
    }

    /// When to wake the connection although nothing happened.
    pub(crate) fn deadline(&self) -> MonoTime {
        MonoTime(self.deadline.load(Ordering::Relaxed))
    }
}

impl Sleeper {
    pub(crate) fn new(waker: Waker, mailbox: &Arc<Mailbox>) -> Self {
        Self { waker, mailbox: Arc::clone(mailbox) }
    }

    /// Leaves the waker to the connection's thread, where there are several to be woken. Says whom to wake for that.
    pub(crate) fn leave(self) -> Option<Waker> {
        match &self.mailbox.bell {
            Some(bell) => bell.leave(self.waker),
            None => Some(self.waker),
        }
    }

    /// Serves the connection on this thread, or wakes its task.
    pub(crate) fn serve(self) {
        match self.mailbox.served_by.get().and_then(Weak::upgrade) {
            Some(connection) => connection.serve(self.waker),
            None => self.waker.wake(),
        }
    }
}
