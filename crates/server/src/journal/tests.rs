use super::*;
use crate::clock::Clock;
use crate::core::Entered;
use bytes::Bytes;
use ferrymq_model::{
    Address, DeliveryMode, Destination, DestinationKind, Event, Header, Message, MessageId, Now, ProducerId,
    RefusalKind, Request, Token,
};
use ferrymq_node::{Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::JournalOptions;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

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

#[test]
fn a_disk_that_cannot_sync_ends_the_journal_and_what_waited_is_refused() {
    let mut disk = MemoryDisk::default();
    let options = JournalOptions::default();
    let dialects = crate::net::detect::DIALECTS;
    let node = recover(&mut disk, dialects, options, Settings::default(), Now::default()).unwrap();
    let core = Core::new(node, Clock::start());
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
