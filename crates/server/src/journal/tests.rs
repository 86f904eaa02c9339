use super::*;
use crate::clock::Clock;
use crate::core::{Entered, SERVED_BY_JOURNAL_MAX};
use crate::mailbox::{Mailbox, Serve};
use bytes::Bytes;
use ferrymq_model::{
    Address, DeliveryMode, Destination, DestinationKind, Event, Header, Message, MessageId, Now, ProducerId,
    RefusalKind, Request, SessionId, Token,
};
use ferrymq_node::{Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::JournalOptions;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

/// A disk that takes writes and then cannot make them durable.
struct NeverDurable(MemoryDisk);

impl Disk for NeverDurable {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        self.0.list()
    }
    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.0.create(segment, size)
    }
    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.write(segment, offset, bytes)
    }
    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        Err(DiskError::Failed(format!("syncing segment {segment}: input/output error")))
    }
    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.0.read(segment, offset, into)
    }
    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.0.size(segment)
    }
    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.0.delete(segment)
    }
}

fn persistent_message(destination: &Arc<Destination>) -> Message {
    Message {
        header: Header {
            id: MessageId { producer: Arc::from("ID:test-1"), sequence: 1 },
            destination: Arc::clone(destination),
            mode: DeliveryMode::Persistent,
            priority: 4,
            timestamp: ferrymq_model::WallTime(1),
            expiration: None,
            annotations: None,
        },
        dialect: DIALECT,
        bytes: Bytes::from_static(b"body"),
        body_at: 0,
    }
}

const DIALECT: &dyn ferrymq_model::Dialect = crate::net::detect::DIALECTS.0[0];

/// The events that are there without waiting.
fn confirmed_and_refused(events: VecDeque<Event>) -> (Vec<Token>, Vec<(Option<Token>, RefusalKind)>) {
    let (mut confirmed, mut refused) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Confirmed { token } => confirmed.push(token),
            Event::Refused { token, refusal } => refused.push((token, refusal.kind)),
            other => panic!("{other:?}"),
        }
    }
    (confirmed, refused)
}

fn empty() -> (Core, MemoryDisk) {
    let mut disk = MemoryDisk::default();
    let options = JournalOptions::default();
    let dialects = crate::net::detect::DIALECTS;
    let node = recover(&mut disk, dialects, options, Settings::default(), Now::default()).unwrap();
    (Core::new(node, Clock::start()), disk)
}

#[test]
fn a_disk_that_cannot_sync_ends_the_journal_and_what_waited_is_refused() {
    let (core, disk) = empty();
    let (session, mailbox) = core.open();
    let destination = Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from("a") });
    let address = Arc::new(Address { leaves: vec![Arc::clone(&destination)] });
    let producer = ProducerId(1);
    let message = Arc::new(persistent_message(&destination));
    let mut requests = vec![
        Request::Connect { client_id: None, user: None, name: None, peer: None, confirm: Token(1) },
        Request::AddProducer { producer, name: None, skips_duplicates: false, address, confirm: None },
        Request::Send { producer, message, transaction: None, confirm: Some(Token(2)) },
    ];
    let mut scratch = Scratch::default();
    assert_eq!(core.enter(session, &mut requests, &mut scratch, Waker::noop()), Entered::Taken);

    assert_eq!(run(&core, &mut NeverDurable(disk)), JournalEnd::Failed);

    let mut events = VecDeque::new();
    mailbox.take(&mut events);
    let (confirmed, refused) = confirmed_and_refused(events);
    assert_eq!(confirmed, [Token(1)]);
    assert_eq!(refused, [(Some(Token(2)), RefusalKind::StoreFailed)]);
    // And nothing that comes later is confirmed either.
    let producer = ProducerId(1);
    let message = Arc::new(persistent_message(&destination));
    let mut requests = vec![Request::Send { producer, message, transaction: None, confirm: Some(Token(3)) }];
    core.enter(session, &mut requests, &mut scratch, Waker::noop());
    let mut events = VecDeque::new();
    mailbox.take(&mut events);
    let (confirmed, refused) = confirmed_and_refused(events);
    assert_eq!(confirmed, []);
    assert_eq!(refused, [(Some(Token(3)), RefusalKind::StoreFailed)]);
}

/// A connection that counts how often it is served where it rests, and how often it is woken.
#[derive(Debug)]
struct Resting {
    session: SessionId,
    mailbox: Arc<Mailbox>,
    served: AtomicUsize,
    woken: AtomicUsize,
}

impl Serve for Resting {
    fn serve(&self, _waker: Waker) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for Resting {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Resting {
    /// Connects, and rests.
    fn connect(core: &Core) -> Arc<Self> {
        let (session, mailbox) = core.open();
        let connection =
            Arc::new(Self { session, mailbox, served: AtomicUsize::default(), woken: AtomicUsize::default() });
        let weak: Weak<Self> = Arc::downgrade(&connection);
        connection.mailbox.served_by(weak);
        let name = Destination { kind: DestinationKind::Queue, name: Arc::from("a") };
        let address = Arc::new(Address { leaves: vec![Arc::new(name)] });
        connection.enter(
            core,
            vec![
                Request::Connect { client_id: None, user: None, name: None, peer: None, confirm: Token(1) },
                Request::AddProducer {
                    producer: ProducerId(1),
                    name: None,
                    skips_duplicates: false,
                    address,
                    confirm: None,
                },
            ],
        );
        connection.rest();
        connection
    }

    fn enter(&self, core: &Core, mut requests: Vec<Request>) {
        let entered = core.enter(self.session, &mut requests, &mut Scratch::default(), Waker::noop());
        assert_eq!(entered, Entered::Taken);
    }

    fn send(&self, core: &Core, token: u64) {
        let destination = Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from("a") });
        let message = Arc::new(persistent_message(&destination));
        let confirm = Some(Token(token));
        self.enter(core, vec![Request::Send { producer: ProducerId(1), message, transaction: None, confirm }]);
    }

    fn rest(self: &Arc<Self>) {
        self.mailbox.take(&mut VecDeque::new());
        assert!(self.mailbox.wait(&Waker::from(Arc::clone(self)), false));
    }

    fn served_and_woken(&self) -> (usize, usize) {
        (self.served.load(Ordering::Relaxed), self.woken.load(Ordering::Relaxed))
    }
}

#[test]
fn a_lone_confirmation_is_served_by_the_thread_that_made_it_durable() {
    let (core, mut disk) = empty();
    let connection = Resting::connect(&core);
    connection.send(&core, 2);
    let mut scratch = Scratch::outside();
    let mut batch = core.flushed(None, &mut scratch).unwrap();
    perform(&mut batch, &mut disk).unwrap();
    assert_eq!(connection.served_and_woken(), (0, 0));

    assert!(core.flushed(Some(batch), &mut scratch).is_none());
    assert_eq!(connection.served_and_woken(), (1, 0));
}

#[test]
fn with_another_batch_to_write_the_connection_is_woken_instead() {
    let (core, mut disk) = empty();
    let connection = Resting::connect(&core);
    connection.send(&core, 2);
    let mut scratch = Scratch::outside();
    let mut batch = core.flushed(None, &mut scratch).unwrap();
    connection.send(&core, 3);
    perform(&mut batch, &mut disk).unwrap();

    assert!(core.flushed(Some(batch), &mut scratch).is_some());
    assert_eq!(connection.served_and_woken(), (0, 1));
}

#[test]
fn more_connections_than_one_thread_should_serve_are_all_woken() {
    let (core, mut disk) = empty();
    let connections: Vec<_> = (0..=SERVED_BY_JOURNAL_MAX).map(|_| Resting::connect(&core)).collect();
    connections.iter().for_each(|connection| connection.send(&core, 2));
    let mut scratch = Scratch::outside();
    let mut batch = core.flushed(None, &mut scratch).unwrap();
    perform(&mut batch, &mut disk).unwrap();

    assert!(core.flushed(Some(batch), &mut scratch).is_none());
    for connection in &connections {
        assert_eq!(connection.served_and_woken(), (0, 1));
    }
}
