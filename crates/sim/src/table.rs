//! One node in memory and sessions of every protocol around it, without time and without failures: for tests of what one
//! protocol's clients see of another's, and for fuzzing sessions with a broker behind them that answers truly.

use crate::world::DIALECTS;
use bytes::BytesMut;
use ferrymq_model::{Closing, Event, Now, Outbox, Request, Session, SessionId};
use ferrymq_node::{Effects, Input, Node, Settings, recover};
use ferrymq_storage::JournalOptions;
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::{Reader, SEGMENT_BYTES_MIN, perform};

/// Rounds of requests and events that one input may cause: a session and a broker that never come to rest are a bug.
const ROUNDS_MAX: usize = 100_000;

/// A node with sessions around it.
#[derive(Debug)]
pub struct Table {
    node: Node,
    disk: MemoryDisk,
    effects: Effects,
    now: Now,
    seats: Vec<Seat>,
}

/// One session.
struct Seat {
    session: Box<dyn Session>,
    input: BytesMut,
    requests: Vec<Request>,
    out: Outbox,
    closing: Closing,
    /// The node was told that it is over.
    left: bool,
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seat({:?})", self.closing)
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Table {
    /// An empty node.
    ///
    /// # Panics
    /// If an empty disk cannot be recovered: a bug.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut disk = MemoryDisk::new();
        let options = JournalOptions { segment_bytes: SEGMENT_BYTES_MIN, ..JournalOptions::default() };
        let node = recover(&mut disk, DIALECTS, options, settings, Now::default());
        let node = node.expect("an empty disk gives an empty node");
        Self { node, disk, effects: Effects::default(), now: Now::default(), seats: Vec::new() }
    }

    /// A session takes a seat. Returns which.
    pub fn sit(&mut self, session: Box<dyn Session>) -> usize {
        let (requests, out) = (Vec::new(), Outbox::default());
        let input = BytesMut::new();
        self.seats.push(Seat { session, input, requests, out, closing: Closing::No, left: false });
        self.seats.len() - 1
    }

    /// The peer of a seat sends bytes; everything that follows from them happens. Whether the session goes on.
    pub fn receive(&mut self, seat: usize, bytes: &[u8]) -> Closing {
        let now = self.now;
        let at = &mut self.seats[seat];
        if at.closing == Closing::No {
            at.input.extend_from_slice(bytes);
            at.closing = at.session.receive(now, &mut at.input, &mut at.requests, &mut at.out);
        }
        self.settle();
        self.seats[seat].closing.clone()
    }

    /// What the peer of a seat gets.
    pub fn take(&mut self, seat: usize) -> BytesMut {
        let at = &mut self.seats[seat];
        let mut bytes = BytesMut::new();
        while !at.out.is_empty() {
            bytes.extend_from_slice(at.out.front());
            at.out.advance(at.out.front().len());
        }
        at.session.written(self.now, at.out.put_total(), &mut at.requests);
        self.settle();
        bytes
    }

    /// Time passes.
    pub fn tick(&mut self, milliseconds: u64) {
        self.now.wall.0 += milliseconds;
        self.now.mono.0 += milliseconds;
        for at in &mut self.seats {
            if at.closing == Closing::No {
                at.closing = at.session.tick(self.now, &mut at.requests, &mut at.out);
            }
        }
        self.node.step(self.now, Input::Tick, &mut self.effects);
        self.settle();
    }

    /// Until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut idle = true;
            for (slot, at) in self.seats.iter_mut().enumerate() {
                if at.closing != Closing::No && !at.left {
                    at.requests.push(Request::Disconnect);
                    at.left = true;
                } else if at.left {
                    at.requests.clear();
                }
                if !at.requests.is_empty() {
                    idle = false;
                    let session = id(slot);
                    self.node.step(
                        self.now,
                        Input::Requests { session, requests: &mut at.requests },
                        &mut self.effects,
                    );
                }
            }
            while let Some(mut batch) = self.node.take_batch() {
                idle = false;
                perform(&mut batch, &mut self.disk).expect("memory takes everything");
                self.node.step(self.now, Input::Flushed(batch), &mut self.effects);
            }
            while !self.effects.fetches.is_empty() {
                idle = false;
                let mut read = Vec::new();
                Reader::new(DIALECTS).read(&self.disk, &mut self.effects.fetches, &mut read);
                self.node.step(self.now, Input::Fetched(&mut read), &mut self.effects);
            }
            for (session, event) in std::mem::take(&mut self.effects.events) {
                idle = false;
                self.tell(session, event);
            }
            if idle {
                return;
            }
        }
        panic!("sessions and broker do not come to rest");
    }

    fn tell(&mut self, session: SessionId, event: Event) {
        let Some(at) = self.seats.get_mut(session.slot as usize) else { return };
        if at.closing == Closing::No {
            at.closing = at.session.handle(self.now, event, &mut at.requests, &mut at.out);
            // A session stops reading at some events and goes on at others.
            if at.closing == Closing::No {
                at.closing = at.session.receive(self.now, &mut at.input, &mut at.requests, &mut at.out);
            }
        }
    }
}

fn id(slot: usize) -> SessionId {
    SessionId { slot: u32::try_from(slot).expect("few seats"), generation: 0 }
}
