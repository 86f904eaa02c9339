//! Drives a broker with a journal on a disk in memory, and prints what comes out, one line an event.

use ferrymq_broker::{Broker, Effects, Rest, Settings};
use ferrymq_model::event::Report;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Address, Annotations, BranchAction, Deliveries, DeliveryId, DeliveryMode, Destination, DestinationKind, Dialect,
    Dialects, Event, Header, MalformedMessage, Message, MessageId, MonoTime, Neutral, Now, ProducerId, Query, Request,
    Schedule, Seen, SessionId, Settlement, Subscribe, SubscriptionId, Token, TransactionId, WallTime, Xid,
};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::{Fetch, Reader};
use ferrymq_storage::{Disk, DiskError, Journal, JournalOptions, journal};
use std::cell::Cell;
use std::sync::Arc;

/// Bytes are `name=value,name=value|body`.
#[derive(Debug)]
struct Plain;

thread_local! {
    /// How often a selector asked a message for a property.
    static PROPERTIES_ASKED: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn properties_asked() -> usize {
    PROPERTIES_ASKED.get()
}

static PLAIN: Plain = Plain;
pub(crate) static DIALECTS: Dialects = Dialects(&[&PLAIN]);

impl Dialect for Plain {
    fn code(&self) -> u16 {
        900
    }

    fn property<'m>(&self, message: &'m Message, name: &str) -> Operand<'m> {
        PROPERTIES_ASKED.set(PROPERTIES_ASKED.get() + 1);
        let text = std::str::from_utf8(&message.bytes).unwrap();
        let properties = text.split_once('|').map_or("", |(properties, _)| properties);
        let found = properties.split(',').filter_map(|p| p.split_once('=')).find(|(known, _)| *known == name);
        found.map_or(Operand::Null, |(_, value)| Operand::Text(value.into()))
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("never asked here".to_owned()))
    }
}

pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) journal: Journal,
    pub(crate) disk: MemoryDisk,
    pub(crate) out: Effects,
    pub(crate) now: Now,
    settings: Settings,
    sent: u64,
    /// Whether paged-out messages come back at once.
    pub(crate) fetches: bool,
    /// Whether the disk says that it has no room for another segment.
    pub(crate) short_of_space: bool,
    pub(crate) fetched: usize,
}

pub(crate) fn session(slot: u32) -> SessionId {
    SessionId { slot, generation: 0 }
}

pub(crate) fn address(text: &str) -> Arc<Address> {
    Arc::new(Address::parse(text, DestinationKind::Queue).unwrap())
}

pub(crate) fn destination(text: &str) -> Arc<Destination> {
    Arc::clone(&address(text).leaves[0])
}

pub(crate) fn xid(name: &str) -> Arc<Xid> {
    Arc::new(Xid { format: 7, global: name.as_bytes().into(), branch: [1].into() })
}

pub(crate) fn token(number: u64) -> Option<Token> {
    Some(Token(number))
}

pub(crate) fn subscribe(id: u32, to: &str) -> Subscribe {
    Subscribe { selector_converts_text: true, ..Subscribe::consumer(SubscriptionId(id), address(to), 1000) }
}

/// A disk in memory that says whether it is short of space.
struct SmallDisk<'a> {
    disk: &'a mut MemoryDisk,
    short_of_space: bool,
}

impl Disk for SmallDisk<'_> {
    fn list(&mut self) -> Result<Vec<u32>, DiskError> {
        self.disk.list()
    }

    fn create(&mut self, segment: u32, size: u64) -> Result<(), DiskError> {
        self.disk.create(segment, size)
    }

    fn write(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.write(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u32) -> Result<(), DiskError> {
        self.disk.sync(segment)
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.disk.read(segment, offset, into)
    }

    fn size(&self, segment: u32) -> Result<u64, DiskError> {
        self.disk.size(segment)
    }

    fn delete(&mut self, segment: u32) -> Result<(), DiskError> {
        self.disk.delete(segment)
    }

    fn is_short_of_space(&self) -> bool {
        self.short_of_space
    }
}

fn recover(disk: &mut MemoryDisk, settings: &Settings, now: Now) -> (Broker, Journal) {
    let mut broker = Broker::new(settings.clone());
    let options = JournalOptions { segment_bytes: 1 << 20, ..JournalOptions::default() };
    let journal =
        journal::recover(disk, DIALECTS, options, &mut |record, at, released| broker.restore(record, at, released))
            .unwrap();
    broker.restored(now);
    broker.check_invariants();
    (broker, journal)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let now = Now { wall: WallTime(1_000_000), mono: MonoTime(0) };
        let mut disk = MemoryDisk::new();
        let (broker, journal) = recover(&mut disk, &settings, now);
        Self {
            broker,
            journal,
            disk,
            out: Effects::default(),
            now,
            settings,
            sent: 0,
            fetches: true,
            short_of_space: false,
            fetched: 0,
        }
    }

    /// Stops and starts again with what is on the disk.
    pub(crate) fn restart(&mut self) {
        self.crash_to(self.disk.clone());
    }

    /// Starts again with this disk.
    pub(crate) fn crash_to(&mut self, disk: MemoryDisk) {
        self.disk = disk;
        self.out = Effects::default();
        (self.broker, self.journal) = recover(&mut self.disk, &self.settings, self.now);
    }

    pub(crate) fn ask(&mut self, slot: u32, request: Request) {
        self.ask_all(slot, vec![request]);
    }

    /// Asks for all of this in one step.
    pub(crate) fn ask_all(&mut self, slot: u32, mut requests: Vec<Request>) {
        self.broker.handle(self.now, session(slot), &mut requests, &mut self.journal, &mut self.out);
        self.broker.check_invariants();
        self.fetch();
    }

    fn fetch(&mut self) {
        while self.fetches && !self.out.fetches.is_empty() {
            self.fetch_but(|_| false);
        }
    }

    /// Answers wishes to read messages back, in one step, some with an error; tells how many there were.
    pub(crate) fn fetch_but(&mut self, fails: impl Fn(&Fetch) -> bool) -> usize {
        let mut read = Vec::new();
        Reader::new(DIALECTS).read(&self.disk, &mut self.out.fetches, &mut read);
        let count = read.len();
        for fetched in read.iter_mut().filter(|fetched| fails(&fetched.fetch)) {
            fetched.message = Err(DiskError::Failed("input/output error".to_owned()));
        }
        self.fetched += count;
        self.broker.fetched(self.now, &mut read, &mut self.journal, &mut self.out);
        self.broker.check_invariants();
        assert!(read.is_empty());
        count
    }

    /// Makes everything durable.
    pub(crate) fn flush(&mut self) {
        while let Some(mut batch) = self.journal.take_batch() {
            let disk = &mut SmallDisk { disk: &mut self.disk, short_of_space: self.short_of_space };
            journal::perform(&mut batch, disk).unwrap();
            let lsn = self.journal.flushed(batch);
            self.broker.flushed(self.now, lsn, &mut self.journal, &mut self.out);
            self.broker.check_invariants();
            self.fetch();
        }
    }

    /// The same, and what nobody waits for, too.
    pub(crate) fn flush_all(&mut self) {
        self.journal.flush_lazy();
        self.flush();
    }

    /// Stops and starts again so often; then the session is there again.
    pub(crate) fn restart_times(&mut self, restarts: usize, slot: u32) {
        for _ in 0..restarts {
            self.restart();
        }
        if restarts > 0 {
            self.connect(slot);
        }
    }

    pub(crate) fn tick(&mut self, later_ms: u64) {
        self.now.wall.0 += later_ms;
        self.now.mono.0 += later_ms;
        let before = (self.journal.last_lsn(), self.out.events.len(), self.out.fetches.len());
        let rest = self.broker.rest();
        self.broker.tick(self.now, &mut self.journal, &mut self.out);
        let may_be_left_out = match rest {
            Rest::No => false,
            Rest::Until(at) => at > self.now.wall,
            Rest::Endless => true,
        };
        if may_be_left_out {
            let after = (self.journal.last_lsn(), self.out.events.len(), self.out.fetches.len());
            assert_eq!((before, rest), (after, self.broker.rest()), "a tick at rest did something");
        }
        self.broker.check_invariants();
        self.fetch();
    }

    pub(crate) fn connect(&mut self, slot: u32) {
        self.connect_as(slot, None);
    }

    pub(crate) fn connect_as(&mut self, slot: u32, client_id: Option<&str>) {
        let client_id = client_id.map(Arc::from);
        self.ask(slot, Request::Connect { client_id, user: None, name: None, peer: None, confirm: Token(0) });
        assert_eq!(self.events(), format!("{slot} confirmed 0"));
    }

    pub(crate) fn disconnect(&mut self, slot: u32) {
        self.ask(slot, Request::Disconnect);
    }

    pub(crate) fn producer(&mut self, slot: u32, producer: u32, to: &str) {
        self.ask(
            slot,
            Request::AddProducer {
                producer: ProducerId(producer),
                name: None,
                skips_duplicates: false,
                address: address(to),
                confirm: None,
            },
        );
    }

    pub(crate) fn message(&mut self, to: &str, body: &str) -> Message {
        self.sent += 1;
        let body_at = body.find('|').map_or(0, |at| at + 1);
        Message {
            header: Header {
                id: MessageId { producer: "ID:test".into(), sequence: self.sent },
                destination: destination(to),
                mode: DeliveryMode::NonPersistent,
                priority: 4,
                timestamp: self.now.wall,
                expiration: None,
                annotations: None,
            },
            dialect: &PLAIN,
            bytes: body.to_owned().into(),
            body_at: u32::try_from(body_at).unwrap(),
        }
    }

    /// Sends a persistent message that is delivered later.
    pub(crate) fn schedule(&mut self, slot: u32, to: &str, body: &str, confirm: Option<Token>, schedule: Schedule) {
        self.send_as(slot, to, body, confirm, |message| {
            message.header.mode = DeliveryMode::Persistent;
            message.header.annotations.get_or_insert_default().schedule = Some(Box::new(schedule));
        });
    }

    /// Sends a message as it is after `change`, through a producer of its own.
    pub(crate) fn send_as(
        &mut self,
        slot: u32,
        to: &str,
        body: &str,
        confirm: Option<Token>,
        change: impl FnOnce(&mut Message),
    ) {
        let mut message = self.message(to, body);
        change(&mut message);
        self.send_message(slot, to, message, None, confirm);
    }

    pub(crate) fn send_message(
        &mut self,
        slot: u32,
        to: &str,
        message: Message,
        transaction: Option<u64>,
        confirm: Option<Token>,
    ) {
        let producer = ProducerId(999);
        self.ask(
            slot,
            Request::AddProducer { producer, name: None, skips_duplicates: false, address: address(to), confirm: None },
        );
        let transaction = transaction.map(TransactionId);
        self.ask(slot, Request::Send { producer, message: Arc::new(message), transaction, confirm });
        self.ask(slot, Request::RemoveProducer { producer });
    }

    pub(crate) fn send(&mut self, slot: u32, to: &str, body: &str) {
        self.send_as(slot, to, body, None, |_| {});
    }

    pub(crate) fn send_durably(&mut self, slot: u32, to: &str, body: &str, confirm: Option<Token>) {
        self.send_as(slot, to, body, confirm, |message| message.header.mode = DeliveryMode::Persistent);
    }

    pub(crate) fn send_in(&mut self, slot: u32, transaction: u64, to: &str, body: &str, mode: DeliveryMode) {
        let mut message = self.message(to, body);
        message.header.mode = mode;
        self.send_message(slot, to, message, Some(transaction), None);
    }

    /// A producer whose messages are counted under a name.
    pub(crate) fn counted_producer(&mut self, slot: u32, producer: u32, name: &str, to: &str) {
        let producer = ProducerId(producer);
        let name = Some(name.into());
        self.ask(
            slot,
            Request::AddProducer { producer, name, skips_duplicates: true, address: address(to), confirm: None },
        );
    }

    /// Sends a message of a counted producer.
    pub(crate) fn send_counted(
        &mut self,
        slot: u32,
        (producer, name, sequence): (u32, &str, u64),
        to: &str,
        transaction: Option<u64>,
        confirm: Option<Token>,
    ) {
        self.send_counted_as(slot, (producer, name, sequence), to, DeliveryMode::Persistent, transaction, confirm);
    }

    pub(crate) fn send_counted_as(
        &mut self,
        slot: u32,
        (producer, name, sequence): (u32, &str, u64),
        to: &str,
        mode: DeliveryMode,
        transaction: Option<u64>,
        confirm: Option<Token>,
    ) {
        let mut message = self.message(to, &format!("{name}{sequence}"));
        message.header.id = MessageId { producer: name.into(), sequence };
        message.header.mode = mode;
        let (producer, transaction) = (ProducerId(producer), transaction.map(TransactionId));
        self.ask(slot, Request::Send { producer, message: Arc::new(message), transaction, confirm });
    }

    /// Moves a branch on; the answer carries `token`.
    pub(crate) fn branch(&mut self, slot: u32, name: &str, action: BranchAction, token: u64) {
        self.ask(slot, Request::Branch { xid: xid(name), action, confirm: Token(token) });
    }

    /// Bodies of all that is ready in a queue, by a look that takes nothing.
    pub(crate) fn bodies(&mut self, queue: &str) -> String {
        self.events();
        self.connect(7);
        self.subscribe_as(7, 1, queue, |s| s.mode = SubscribeMode::Browse);
        let events = self.take_events();
        let bodies: Vec<String> = events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::Deliver(delivery) => Some(body(&delivery.message).to_owned()),
                _ => None,
            })
            .collect();
        self.disconnect(7);
        bodies.join(" ")
    }

    pub(crate) fn subscribe(&mut self, slot: u32, id: u32, to: &str) {
        self.ask(slot, Request::Subscribe(Box::new(subscribe(id, to))));
    }

    pub(crate) fn subscribe_as(&mut self, slot: u32, id: u32, to: &str, change: impl FnOnce(&mut Subscribe)) {
        let mut wishes = subscribe(id, to);
        change(&mut wishes);
        self.ask(slot, Request::Subscribe(Box::new(wishes)));
    }

    pub(crate) fn unsubscribe(&mut self, slot: u32, id: u32) {
        self.ask(slot, Request::Unsubscribe { subscription: SubscriptionId(id), seen: Seen::Unknown, confirm: None });
    }

    /// Bytes that the broker says it holds.
    pub(crate) fn broker_memory(&self) -> u64 {
        let report = self.broker.inspect(&Query::Broker, &self.journal);
        let Report::Broker(report) = report else { panic!("asked for the broker") };
        report.memory_bytes
    }

    pub(crate) fn settle(&mut self, slot: u32, id: u32, delivery: u64, settlement: Settlement) {
        self.settle_in(slot, id, Deliveries::One(DeliveryId(delivery)), settlement, None, None);
    }

    pub(crate) fn settle_in(
        &mut self,
        slot: u32,
        id: u32,
        deliveries: Deliveries,
        settlement: Settlement,
        transaction: Option<u64>,
        confirm: Option<Token>,
    ) {
        let transaction = transaction.map(TransactionId);
        let subscription = SubscriptionId(id);
        self.ask(slot, Request::Settle { subscription, deliveries, settlement, transaction, confirm });
    }

    pub(crate) fn begin(&mut self, slot: u32, transaction: u64) {
        self.ask(slot, Request::Begin { transaction: TransactionId(transaction), name: None, confirm: None });
    }

    pub(crate) fn commit(&mut self, slot: u32, transaction: u64, confirm: Option<Token>) {
        self.ask(slot, Request::Commit { transaction: TransactionId(transaction), confirm });
    }

    pub(crate) fn rollback(&mut self, slot: u32, transaction: u64) {
        self.ask(slot, Request::Rollback { transaction: TransactionId(transaction), confirm: None });
    }

    pub(crate) fn temporary(&mut self, slot: u32, name: &str) {
        self.ask(slot, Request::CreateTemporary { destination: destination(name), confirm: None });
    }

    /// `depth/in flight/enqueued/dequeued` of a destination.
    pub(crate) fn counts(&self, name: &str) -> String {
        let Report::Destinations(rows) = self.broker.inspect(&Query::Destinations(">".into()), &self.journal) else {
            panic!("asked for destinations");
        };
        let row = rows.iter().find(|row| &*row.name == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"));
        format!("{}/{}/{}/{}", row.depth, row.in_flight, row.enqueued, row.dequeued)
    }

    /// Whether there is a destination of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let report = self.broker.inspect(&Query::Destinations(name.into()), &self.journal);
        matches!(report, Report::Destinations(rows) if !rows.is_empty())
    }

    /// How many destinations there are.
    pub(crate) fn destinations(&self) -> u32 {
        let report = self.broker.inspect(&Query::Broker, &self.journal);
        let Report::Broker(report) = report else { panic!("asked for the broker") };
        report.destinations
    }

    /// What came out since the last time, one line an event: session, kind, details.
    pub(crate) fn events(&mut self) -> String {
        let lines: Vec<String> = self.out.events.drain(..).map(|(to, event)| line(to, &event)).collect();
        lines.join("\n")
    }

    pub(crate) fn take_events(&mut self) -> Vec<(SessionId, Event)> {
        std::mem::take(&mut self.out.events)
    }
}

pub(crate) fn body(message: &Message) -> &str {
    std::str::from_utf8(&message.bytes[message.body_at as usize..]).unwrap()
}

fn line(to: SessionId, event: &Event) -> String {
    let rest = match event {
        Event::Confirmed { token } => format!("confirmed {}", token.0),
        Event::Refused { token, refusal } => match token {
            Some(token) => format!("refused {} {:?}: {}", token.0, refusal.kind, refusal.text),
            None => format!("refused {:?}: {}", refusal.kind, refusal.text),
        },
        Event::Deliver(delivery) => {
            let mut text = format!("s{} #{} {}", delivery.subscription.0, delivery.delivery.0, body(&delivery.message));
            if delivery.redeliveries > 0 {
                text.push_str(&format!(" again {}", delivery.redeliveries));
            }
            if delivery.first_of_group {
                text.push_str(" first of group");
            }
            if let Some(leaf) = &delivery.destination {
                text.push_str(&format!(" from {leaf}"));
            }
            text
        }
        Event::BrowseEnd { subscription } => format!("s{} end", subscription.0),
        Event::SubscriptionEnded { subscription, refusal } => format!("s{} ended: {}", subscription.0, refusal.text),
        Event::Pause => "pause".to_owned(),
        Event::Resume => "resume".to_owned(),
        Event::Inspected { token, .. } => format!("inspected {}", token.0),
        Event::Purged { token, messages } => format!("purged {} {messages}", token.0),
        Event::Closed { refusal } => format!("closed: {}", refusal.text),
        Event::Prepared { token, vote } => format!("prepared {} {vote:?}", token.0),
        Event::BranchEnded { transaction, is_committed: true } => format!("t{} committed", transaction.0),
        Event::BranchEnded { transaction, is_committed: false } => format!("t{} rolled back", transaction.0),
        Event::InDoubt { token, xids } => {
            let names: Vec<_> = xids.iter().map(|xid| String::from_utf8_lossy(&xid.global)).collect();
            format!("in doubt {} [{}]", token.0, names.join(" "))
        }
    };
    format!("{} {rest}", to.slot)
}

/// A message of a group.
pub(crate) fn grouped(message: &mut Message, id: &str, sequence: i32) {
    let group = ferrymq_model::Group { id: id.into(), sequence };
    message.header.annotations = Some(Box::new(Annotations { group: Some(group), ..Annotations::default() }));
}
