//! Who drives the node: a lock that combines.
//!
//! ```text
//!   connection ──enter──► lock free? ── yes ─► step own requests and the inbox's ─► events to mailboxes ─► unlock ─► wake
//!                             └─ no ─► leave them in the bounded inbox, go on ──────────────▲ look at the inbox again
//!   journal's thread, reader's thread, the tick (`alarm.rs` says when) ──► wait for the lock, then the same
//!
//!   waking: from an I/O thread each task; from another thread one task for all (`bell.rs`), or, from the journal's
//!   with nothing else to do, none: it serves the few connections itself (`net/connection/task.rs`)
//! ```
//!
//! Invariants worth naming:
//! - Requests of one session are stepped in the order in which they entered: whoever has the lock steps the inbox
//!   before its own.
//! - Events of one session reach its mailbox in the order in which the node made them, so they are put there before
//!   unlocking; waking, which may be a system call, comes after.
//! - Nothing stays in the inbox: who put something in and did not get the lock left it to a holder that looks again
//!   after unlocking.
//! - In the steady state nothing here allocates: vectors are swapped, and empty queues come back with the next entry.

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::mailbox::{Mailbox, Sleeper};
use ferrymq_model::{Event, MonoTime, Now, Request, SessionId};
use ferrymq_node::{Effects, Input, Node, Rest};
use ferrymq_storage::Batch;
use ferrymq_storage::journal::{Fetch, Fetched};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread::Thread;
use std::time::Duration;

/// Requests that may wait in the inbox before it takes no further batch. A batch holds what four reads of a socket
/// gave, so that this bounds memory at a few hundred MiB in the worst case and is never seen in ordinary ones.
const INBOX_REQUESTS_MAX: usize = 16_384;
/// Connections that the journal's thread serves itself after a batch, if no other batch waits. More are woken: their
/// threads serve them while this one writes what comes next.
pub(crate) const SERVED_BY_JOURNAL_MAX: usize = 2;
/// The longest that the tick sleeps while the node rests. Milliseconds. The hour of the clock may be set: whoever waits for
/// one finds out as late as this.
const REST_MS_MAX: u64 = 10_000;
/// Empty event queues that are kept for reuse.
const SPARES_MAX: usize = 256;

/// The owner of the node, and the way to it.
#[derive(Debug)]
pub(crate) struct Core {
    owned: Mutex<Owned>,
    inbox: Mutex<Inbox>,
    /// Whether the inbox may hold something.
    inbox_waits: AtomicBool,
    journal_came_to_rest: Condvar,
    stage: AtomicU8,
    clock: Clock,
    alarm: Alarm,
    /// The journal's thread, to be unparked.
    journal: OnceLock<Thread>,
    /// Messages to be read back, and the thread that does it.
    fetches: Mutex<Vec<Fetch>>,
    reader: OnceLock<Thread>,
}

#[derive(Debug)]
struct Owned {
    node: Node,
    effects: Effects,
    sessions: Vec<Slot>,
    free: Vec<u32>,
    /// Whether the node took anything but a tick since the last tick.
    stirred: bool,
    /// Whether the journal's thread found nothing to do and parked.
    journal_idle: bool,
    /// Whether the disk refused.
    journal_broken: bool,
    spares: Vec<VecDeque<Event>>,
    /// Swapped with the inbox's.
    left: Vec<(SessionId, Vec<Request>)>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    mailbox: Option<Arc<Mailbox>>,
}

#[derive(Debug, Default)]
struct Inbox {
    batches: Vec<(SessionId, Vec<Request>)>,
    requests: usize,
    /// Connections that found it full.
    waiting: Vec<Waker>,
    /// Empty vectors in exchange for full ones.
    spares: Vec<Vec<Request>>,
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entered {
    /// Stepped, or left for whoever holds the lock.
    Taken,
    /// The inbox is full: the requests are still the caller's, who is woken when there is room.
    Full,
}

/// How far the server's end is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Stage {
    /// It works.
    Running,
    /// Nothing more is read from connections.
    Quiet,
    /// Connections end once their outbox is written.
    Closing,
    /// No connection is left: the store's threads end once nothing is left to flush.
    Ended,
}

/// What an entering thread brings along and keeps.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    wakers: Vec<Waker>,
    /// Whether this thread is none of those that wait on sockets, so that each waking costs a system call.
    outside: bool,
    /// Connections that this thread serves itself, and how many it would.
    sleepers: Vec<Sleeper>,
    sleepers_max: usize,
    /// Empty queues for the core's spares.
    pub(crate) emptied: Vec<VecDeque<Event>>,
}

/// When the tick comes again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pause {
    /// As usual.
    Usual,
    /// At this time, or as usual once the alarm was rung.
    Until(MonoTime),
}

/// Whom to unpark or to ring after unlocking.
#[derive(Debug, Default)]
struct Bells {
    tick: bool,
    journal: bool,
    reader: bool,
}

impl Scratch {
    /// For a thread of the store.
    pub(crate) fn outside() -> Self {
        Self { outside: true, ..Self::default() }
    }

    /// Notes a connection that waited for events: to be served by this thread, or to be woken.
    fn has_events(&mut self, waker: Waker, mailbox: &Arc<Mailbox>) {
        if !self.outside {
            self.wakers.push(waker);
            return;
        }
        let sleeper = Sleeper::new(waker, mailbox);
        if self.sleepers.len() < self.sleepers_max {
            self.sleepers.push(sleeper);
            return;
        }
        // Too many for one thread: their own serve them all.
        self.sleepers_max = 0;
        self.wakers.extend(self.sleepers.drain(..).chain([sleeper]).filter_map(Sleeper::leave));
    }
}

impl Core {
    pub(crate) fn new(node: Node, clock: Clock) -> Self {
        let owned = Owned {
            node,
            effects: Effects::default(),
            sessions: Vec::new(),
            free: Vec::new(),
            stirred: true,
            journal_idle: false,
            journal_broken: false,
            spares: Vec::new(),
            left: Vec::new(),
        };
        Self {
            owned: Mutex::new(owned),
            inbox: Mutex::default(),
            inbox_waits: AtomicBool::new(false),
            journal_came_to_rest: Condvar::new(),
            stage: AtomicU8::new(Stage::Running as u8),
            clock,
            alarm: Alarm::default(),
            journal: OnceLock::new(),
            fetches: Mutex::default(),
            reader: OnceLock::new(),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Tells whom to unpark when there is something to flush or to read. Each is told once, at the start.
    pub(crate) fn attach(&self, journal: Thread, reader: Thread) {
        assert!(self.journal.set(journal).is_ok() && self.reader.set(reader).is_ok(), "threads are attached once");
    }

    /// A session's place. Its first request is to be `Connect`.
    pub(crate) fn open(&self) -> (SessionId, Arc<Mailbox>) {
        let mailbox = Arc::new(Mailbox::new());
        let mut owned = self.owned.lock();
        let slot = owned.free.pop().unwrap_or_else(|| {
            owned.sessions.push(Slot::default());
            u32::try_from(owned.sessions.len() - 1).expect("connections are limited far below this")
        });
        let place = &mut owned.sessions[slot as usize];
        assert!(place.mailbox.is_none(), "slot {slot} is in use");
        place.mailbox = Some(Arc::clone(&mailbox));
        let session = SessionId { slot, generation: place.generation };
        drop(owned);
        (session, mailbox)
    }

    /// Steps the last requests of a session, waiting for the lock: nothing is left in the inbox after it.
    pub(crate) fn depart(&self, session: SessionId, last: &mut Vec<Request>, scratch: &mut Scratch) {
        let mut owned = self.owned.lock();
        self.step_inbox(&mut owned, scratch);
        owned.step_requests(&self.clock, session, last);
        self.leave(owned, scratch);
    }

    /// Gives a place back, after `depart` where the node knows the session. What is on the way to it is dropped.
    pub(crate) fn close(&self, session: SessionId) {
        let mut owned = self.owned.lock();
        let place = &mut owned.sessions[session.slot as usize];
        assert_eq!(place.generation, session.generation, "a session is closed once");
        place.mailbox = None;
        place.generation = place.generation.wrapping_add(1);
        owned.free.push(session.slot);
    }

    /// Steps a session's requests, or leaves them for whoever does.
    pub(crate) fn enter(
        &self,
        session: SessionId,
        requests: &mut Vec<Request>,
        scratch: &mut Scratch,
        waker: &Waker,
    ) -> Entered {
        if let Some(mut owned) = self.owned.try_lock() {
            self.step_inbox(&mut owned, scratch);
            owned.step_requests(&self.clock, session, requests);
            self.leave(owned, scratch);
            return Entered::Taken;
        }
        {
            let mut inbox = self.inbox.lock();
            if inbox.requests >= INBOX_REQUESTS_MAX {
                inbox.waiting.push(waker.clone());
                return Entered::Full;
            }
            inbox.requests += requests.len();
            let spare = inbox.spares.pop().unwrap_or_default();
            inbox.batches.push((session, std::mem::replace(requests, spare)));
        }
        self.inbox_waits.store(true, Ordering::SeqCst);
        // Pairs with the fence in `leave`: either the holder sees the mark, or `try_lock` sees the lock free.
        fence(Ordering::SeqCst);
        if let Some(owned) = self.owned.try_lock() {
            self.leave(owned, scratch);
        }
        Entered::Taken
    }

    /// Time passes: for the node, and for connections whose deadline is there. `usual_ms` is how often, unless there is
    /// nothing to do.
    pub(crate) fn tick(&self, usual_ms: u64, scratch: &mut Scratch) -> Pause {
        self.tick_at(|| self.clock.now(), usual_ms, scratch)
    }

    fn tick_at(&self, clock: impl FnOnce() -> Now, usual_ms: u64, scratch: &mut Scratch) -> Pause {
        let mut owned = self.owned.lock();
        self.alarm.clear();
        self.step_inbox(&mut owned, scratch);
        let now = clock();
        owned.step(now, Input::Tick);
        let due = owned.mailboxes().filter(|mailbox| mailbox.deadline() <= now.mono);
        scratch.wakers.extend(due.filter_map(|mailbox| mailbox.waker_if_waiting()));
        let stirred = std::mem::replace(&mut owned.stirred, false);
        let pause =
            if stirred || self.stage() != Stage::Running { Pause::Usual } else { self.plan(&owned, now, usual_ms) };
        self.leave(owned, scratch);
        pause
    }

    /// How long nothing is due, under the lock that keeps it so.
    fn plan(&self, owned: &Owned, now: Now, usual_ms: u64) -> Pause {
        let rest_ms = match owned.node.rest() {
            Rest::No => 0,
            Rest::Until(at) => at.0.saturating_sub(now.wall.0).min(REST_MS_MAX),
            Rest::Endless => REST_MS_MAX,
        };
        if rest_ms <= usual_ms {
            return Pause::Usual;
        }
        let at = MonoTime(now.mono.0 + rest_ms);
        self.alarm.plan(at);
        // Also one that is over: its connection was not waiting yet when it was to be woken.
        let at = owned.mailboxes().map(|mailbox| mailbox.deadline()).fold(at, MonoTime::min);
        if at.0 <= now.mono.0 + usual_ms {
            self.alarm.clear();
            return Pause::Usual;
        }
        // Not earlier than any deadline that was read, so that nobody who was overlooked is now.
        self.alarm.plan(at);
        Pause::Until(at)
    }

    /// Sets when to wake a connection although nothing happened.
    pub(crate) fn set_deadline(&self, mailbox: &Mailbox, at: MonoTime) {
        if mailbox.set_deadline(at) {
            self.alarm.comes_before(at);
        }
    }

    /// Waits until the tick has to come before its time.
    pub(crate) async fn rung(&self) {
        self.alarm.rung().await;
    }

    /// The journal's thread: a batch is durable (`None`: none was out). Gives the next one, or `None` and counts on
    /// being unparked.
    pub(crate) fn flushed(&self, batch: Option<Batch>, scratch: &mut Scratch) -> Option<Batch> {
        let mut owned = self.owned.lock();
        // What others left meanwhile rides with the next batch.
        self.step_inbox(&mut owned, scratch);
        if let Some(batch) = batch {
            owned.step(self.clock.now(), Input::Flushed(batch));
        }
        // At the end everything goes, also what nobody waits for.
        let wants = owned.node.wants_flush() || self.stage() != Stage::Running;
        let next = if wants { owned.node.take_batch() } else { None };
        owned.journal_idle = next.is_none();
        if owned.journal_idle && self.stage() != Stage::Running {
            self.journal_came_to_rest.notify_all();
        }
        // With nothing to write and sync, this thread is as good as any for what it has just confirmed.
        scratch.sleepers_max = if next.is_none() { SERVED_BY_JOURNAL_MAX } else { 0 };
        self.leave(owned, scratch);
        scratch.sleepers_max = 0;
        scratch.sleepers.drain(..).for_each(Sleeper::serve);
        next
    }

    /// The journal's thread: the disk refused. Nothing durable is ever confirmed again.
    pub(crate) fn store_failed(&self, scratch: &mut Scratch) {
        let mut owned = self.owned.lock();
        self.step_inbox(&mut owned, scratch);
        owned.step(self.clock.now(), Input::StoreFailed);
        owned.journal_broken = true;
        self.journal_came_to_rest.notify_all();
        self.leave(owned, scratch);
    }

    /// The reader's thread: what there is to read back.
    pub(crate) fn take_fetches(&self, into: &mut Vec<Fetch>) {
        into.append(&mut self.fetches.lock());
    }

    /// The reader's thread: messages are back, or cannot be read.
    pub(crate) fn fetched(&self, read: &mut Vec<Fetched>, scratch: &mut Scratch) {
        let mut owned = self.owned.lock();
        self.step_inbox(&mut owned, scratch);
        owned.step(self.clock.now(), Input::Fetched(read));
        self.leave(owned, scratch);
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Running,
            1 => Stage::Quiet,
            2 => Stage::Closing,
            _ => Stage::Ended,
        }
    }

    /// Moves on towards the end and tells every connection and the journal's thread.
    pub(crate) fn set_stage(&self, stage: Stage) {
        let mut owned = self.owned.lock();
        self.stage.store(stage as u8, Ordering::Release);
        if stage != Stage::Running {
            owned.node.close();
        }
        // Until its thread has looked: what nobody waited for is to be flushed as well now.
        owned.journal_idle = false;
        let wakers: Vec<Waker> = owned.mailboxes().filter_map(|mailbox| mailbox.waker_if_waiting()).collect();
        drop(owned);
        wakers.into_iter().for_each(Waker::wake);
        self.ring(&Bells { tick: true, journal: true, reader: true });
    }

    /// Waits until everything that entered is durable, or the journal is broken, or the time is over. For the end:
    /// only from [`Stage::Quiet`] on does the journal's thread tell.
    pub(crate) fn wait_until_flushed(&self, at_most: Duration) {
        let mut owned = self.owned.lock();
        self.journal_came_to_rest.wait_while_for(
            &mut owned,
            |owned| !owned.journal_idle && !owned.journal_broken,
            at_most,
        );
    }

    fn step_inbox(&self, owned: &mut Owned, scratch: &mut Scratch) {
        if !self.inbox_waits.load(Ordering::Acquire) {
            return;
        }
        {
            let mut inbox = self.inbox.lock();
            self.inbox_waits.store(false, Ordering::Release);
            inbox.requests = 0;
            std::mem::swap(&mut inbox.batches, &mut owned.left);
            scratch.wakers.append(&mut inbox.waiting);
        }
        let mut left = std::mem::take(&mut owned.left);
        for (session, requests) in &mut left {
            owned.step_requests(&self.clock, *session, requests);
        }
        let mut inbox = self.inbox.lock();
        let room = SPARES_MAX.saturating_sub(inbox.spares.len());
        inbox.spares.extend(left.drain(..).map(|(_, empty)| empty).take(room));
        owned.left = left;
    }

    /// Puts events into mailboxes and collects whom to wake.
    fn distribute(&self, owned: &mut Owned, scratch: &mut Scratch) -> Bells {
        let Owned { node, effects, sessions, spares, stirred, journal_idle, .. } = owned;
        let room = SPARES_MAX.saturating_sub(spares.len());
        spares.extend(scratch.emptied.drain(..).take(room));
        let mut events = effects.events.drain(..).peekable();
        while let Some((session, event)) = events.next() {
            let mut next = || events.next_if(|(other, _)| *other == session).map(|(_, event)| event);
            let place = sessions.get(session.slot as usize).filter(|place| place.generation == session.generation);
            match place.and_then(|place| place.mailbox.as_ref()) {
                Some(mailbox) => {
                    if let Some(waker) = mailbox.put(event, next, spares) {
                        scratch.has_events(waker, mailbox);
                    }
                }
                // Its connection is gone, and the node knows or is about to.
                None => while next().is_some() {},
            }
        }
        drop(events);
        let reader = !effects.fetches.is_empty();
        if reader {
            self.fetches.lock().append(&mut effects.fetches);
        }
        let journal = *journal_idle && node.wants_flush();
        *journal_idle &= !journal;
        let tick = *stirred && self.alarm.is_planned();
        if tick {
            self.alarm.clear();
        }
        Bells { tick, journal, reader }
    }

    /// Distributes, unlocks, wakes, and goes round again for what was left in the inbox meanwhile.
    fn leave<'o>(&'o self, mut owned: MutexGuard<'o, Owned>, scratch: &mut Scratch) {
        loop {
            self.step_inbox(&mut owned, scratch);
            let bells = self.distribute(&mut owned, scratch);
            drop(owned);
            self.ring(&bells);
            scratch.wakers.drain(..).for_each(Waker::wake);
            // Pairs with the fence in `enter`.
            fence(Ordering::SeqCst);
            if !self.inbox_waits.load(Ordering::SeqCst) {
                return;
            }
            match self.owned.try_lock() {
                Some(again) => owned = again,
                // Whoever holds it looks at the inbox after unlocking.
                None => return,
            }
        }
    }

    fn ring(&self, bells: &Bells) {
        if bells.tick {
            self.alarm.ring();
        }
        if bells.journal
            && let Some(journal) = self.journal.get()
        {
            journal.unpark();
        }
        if bells.reader
            && let Some(reader) = self.reader.get()
        {
            reader.unpark();
        }
    }
}

/// A node that panicked in the middle of a step may say anything, and what it says would be confirmed and written. A
/// panic anywhere else costs one connection; this one ends the process, and the journal is as good as after a crash.
struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the broker panicked while it decided: this is a bug; the process ends");
            std::process::abort();
        }
    }
}

impl Owned {
    fn mailboxes(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.sessions.iter().filter_map(|slot| slot.mailbox.as_ref())
    }

    fn step(&mut self, now: Now, input: Input<'_>) {
        self.stirred |= !matches!(input, Input::Tick);
        let guard = EndOnPanic;
        self.node.step(now, input, &mut self.effects);
        drop(guard);
    }

    fn step_requests(&mut self, clock: &Clock, session: SessionId, requests: &mut Vec<Request>) {
        if !requests.is_empty() {
            self.step(clock.now(), Input::Requests { session, requests });
        }
    }
}

#[cfg(test)]
mod tests;
