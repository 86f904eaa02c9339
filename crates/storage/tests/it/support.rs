//! Messages, and a model of what a broker would know after a replay.

use bytes::Bytes;
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    DeliveryMode, Destination, DestinationKind, Dialect, Dialects, Header, MalformedMessage, Message, MessageId,
    Neutral, WallTime, Xid,
};
use ferrymq_storage::journal::{self, Fetch, JournalOptions, Reader, RecoverError};
use ferrymq_storage::{
    Disk, DiskError, Journal, Location, Placement, Prepared, PreparedSend, Record, StoreDefinition, StoreId, Urgency,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug)]
pub struct Plain;

impl Dialect for Plain {
    fn code(&self) -> u16 {
        7
    }

    fn property<'m>(&self, _message: &'m Message, _name: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _message: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("plain bytes have no neutral form".into()))
    }
}

pub static PLAIN: Plain = Plain;
pub static DIALECTS: Dialects = Dialects(&[&PLAIN]);

pub fn message(sequence: u64, body: Bytes) -> Message {
    let header = Header {
        id: MessageId { producer: "ID:test-1:1".into(), sequence },
        destination: Arc::new(Destination { kind: DestinationKind::Queue, name: "orders".into() }),
        mode: DeliveryMode::Persistent,
        priority: 4,
        timestamp: WallTime(1_700_000_000_000),
        expiration: None,
        annotations: None,
    };
    Message { header, dialect: &PLAIN, bytes: body, body_at: 0 }
}

/// Bytes that differ from message to message, without long runs of zeros.
pub fn body(sequence: u64, len: usize) -> Bytes {
    (0..len).map(|at| (at as u64 * 31 + sequence * 7 + 1) as u8 | 1).collect::<Vec<u8>>().into()
}

pub fn queue(name: &str) -> StoreDefinition {
    StoreDefinition::Queue(Destination { kind: DestinationKind::Queue, name: name.into() })
}

pub fn define(store: u32) -> Record {
    Record::Define { store: StoreId(store), definition: queue(&format!("q{store}")), next_sequence: 1, delivered: 0 }
}

pub fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 4096, new_store: [9; 16], epoch_min: 1 }
}

/// What a replay tells, as a broker would keep it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    pub stores: BTreeMap<u32, Store>,
    /// Prepared branches, and how many messages each sends.
    pub prepared: BTreeMap<u64, usize>,
    /// What they hold: their number, and the identity of the message.
    pub held: BTreeMap<Location, (u64, u64)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Store {
    pub next_sequence: u64,
    pub delivered: u64,
    /// Message identity and place by sequence.
    pub messages: BTreeMap<u64, (u64, Location)>,
}

impl State {
    pub fn apply(&mut self, record: Record, at: Location, released: &mut Vec<Location>) {
        match record {
            Record::Define { store, next_sequence, delivered, .. } => {
                let store = self.stores.entry(store.0).or_default();
                store.next_sequence = store.next_sequence.max(next_sequence);
                store.delivered = store.delivered.max(delivered);
            }
            Record::Forget { store } => {
                if let Some(store) = self.stores.remove(&store.0) {
                    released.extend(store.messages.values().map(|(_, at)| *at));
                }
            }
            Record::Store { message, placements } => {
                self.place(message.header.id.sequence, &placements, at);
            }
            Record::Remove { store, first, last } => {
                if let Some(store) = self.stores.get_mut(&store.0) {
                    let gone: Vec<u64> = store.messages.range(first..=last).map(|(sequence, _)| *sequence).collect();
                    for sequence in gone {
                        released.push(store.messages.remove(&sequence).expect("it was just there").1);
                    }
                }
            }
            Record::Delivered { store, through } => {
                if let Some(store) = self.stores.get_mut(&store.0) {
                    store.delivered = store.delivered.max(through);
                }
            }
            Record::Prepare(prepared) => {
                self.prepared.insert(prepared.branch, prepared.sends.len());
            }
            Record::Held { branch, send } => {
                // The record of a branch that is decided may be gone.
                if let Some(sends) = self.prepared.get_mut(&branch) {
                    *sends += 1;
                }
                self.held.insert(at, (branch, send.message.header.id.sequence));
            }
            Record::Place { branch, held, placements } => {
                let (of, message) = self.held[&held];
                assert_eq!(of, branch);
                self.place(message, &placements, held);
            }
            Record::Dissolve { branch } => {
                self.prepared.remove(&branch);
                self.held.retain(|_, (of, _)| *of != branch);
            }
            Record::Outcome { .. } => {}
        }
    }

    fn place(&mut self, message: u64, placements: &[Placement], at: Location) {
        for placement in placements {
            let store = self.stores.get_mut(&placement.store.0).expect("a store is defined before it is used");
            store.next_sequence = store.next_sequence.max(placement.sequence + 1);
            store.messages.insert(placement.sequence, (message, at));
        }
    }

    /// The identities of the messages of a store.
    pub fn ids(&self, store: u32) -> BTreeSet<u64> {
        let store = self.stores.get(&store);
        store.map(|store| store.messages.values().map(|(id, _)| *id).collect()).unwrap_or_default()
    }
}

pub fn recover(disk: &mut dyn Disk, options: JournalOptions) -> Result<(Journal, State), RecoverError> {
    let mut state = State::default();
    let journal = journal::recover(disk, DIALECTS, options, &mut |record, at, released| {
        state.apply(record, at, released);
        Ok(())
    })?;
    Ok((journal, state))
}

/// Reads a stored message back.
pub fn read(disk: &dyn Disk, at: Location) -> Result<Arc<Message>, DiskError> {
    let (mut wanted, mut read) = (vec![fetch(1, at)], Vec::new());
    Reader::new(DIALECTS).read(disk, &mut wanted, &mut read);
    read.pop().expect("at least one wish is answered").message
}

/// A wish of a store.
pub fn fetch(store: u32, at: Location) -> Fetch {
    Fetch { placement: Placement { store: StoreId(store), sequence: 1 }, at }
}

/// Performs everything that is pending.
pub fn flush(journal: &mut Journal, disk: &mut dyn Disk) {
    while let Some(mut batch) = journal.take_batch() {
        journal::perform(&mut batch, disk).expect("the disk is healthy");
        journal.flushed(batch);
    }
}

/// A broker in small: what it writes to the journal it also applies to its own state.
pub fn write(journal: &mut Journal, state: &mut State, records: &[Record]) {
    let mut unit = journal.begin();
    let mut released = Vec::new();
    for record in records {
        match record {
            Record::Store { message, placements } => {
                let at = unit.store(message, placements);
                state.apply(record.clone(), at, &mut released);
            }
            Record::Held { branch, send } => {
                let at = unit.hold(*branch, &send.leaves, send.counted, &send.message);
                state.apply(record.clone(), at, &mut released);
            }
            _ => {
                unit.add(record);
                state.apply(record.clone(), Location { segment: 0, offset: 0 }, &mut released);
            }
        }
    }
    unit.commit(Urgency::Awaited);
    for at in released {
        journal.released(at);
    }
}

pub fn store(store: u32, sequence: u64, len: usize) -> Record {
    Record::Store {
        message: Arc::new(message(sequence, body(sequence, len))),
        placements: vec![Placement { store: StoreId(store), sequence }],
    }
}

pub fn remove(store: u32, first: u64, last: u64) -> Record {
    Record::Remove { store: StoreId(store), first, last }
}

pub fn xid(branch: u64) -> Arc<Xid> {
    Arc::new(Xid { format: 7, global: branch.to_le_bytes().into(), branch: [1, 2].into() })
}

/// A branch that is prepared, and what it sends.
pub fn prepare(branch: u64, sends: u64, len: usize) -> Vec<Record> {
    let settled = vec![Placement { store: StoreId(1), sequence: branch }];
    let at = WallTime(1_700_000_000_001);
    let prepared = Record::Prepare(Box::new(Prepared { branch, xid: xid(branch), at, sends: Vec::new(), settled }));
    let held = (1..=sends).map(|sequence| {
        let send = PreparedSend {
            leaves: vec![Destination { kind: DestinationKind::Queue, name: "orders".into() }],
            counted: sequence == 1,
            message: Arc::new(message(sequence, body(sequence, len))),
        };
        Record::Held { branch, send: Box::new(send) }
    });
    std::iter::once(prepared).chain(held).collect()
}
