//! Measures the core alone: messages a second that one core carries through `node::step`, fed with batches as
//! connections feed it. No socket, no codec; the journal's batches are performed on a disk in memory.
//!
//! `cargo run --release -p ferrymq-node --example step`
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program")]

use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Address, Deliveries, DeliveryId, DeliveryMode, DestinationKind, Dialect, Dialects, Event, Header, MalformedMessage,
    Message, MessageId, Neutral, Now, ProducerId, Request, SessionId, Settlement, Subscribe, SubscriptionId, Token,
    WallTime,
};
use ferrymq_node::{Effects, Input, Node, Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{JournalOptions, journal};
use std::sync::Arc;
use std::time::Instant;

const DELIVERIES: u64 = 4_000_000;

#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn code(&self) -> u16 {
        900
    }
    fn property<'m>(&self, _: &'m Message, _: &str) -> Operand<'m> {
        Operand::Null
    }
    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        Err(MalformedMessage("never asked here".to_owned()))
    }
}

static PLAIN: Plain = Plain;

/// One way to load the core.
struct Load {
    name: &'static str,
    to: &'static str,
    subscribers: u32,
    /// Messages of one step.
    batch: u64,
    mode: DeliveryMode,
}

struct Bench {
    node: Node,
    disk: MemoryDisk,
    out: Effects,
    requests: Vec<Request>,
}

impl Bench {
    fn new(load: &Load) -> Self {
        let mut disk = MemoryDisk::new();
        let options = JournalOptions::default();
        let node = recover(&mut disk, Dialects(&[]), options, Settings::default(), Now::default());
        let node = node.expect("an empty disk gives an empty node");
        let mut bench = Self { node, disk, out: Effects::default(), requests: Vec::new() };
        let address = Arc::new(Address::parse(load.to, DestinationKind::Queue).expect("a valid name"));
        for slot in 0..=load.subscribers {
            bench.requests.push(Request::Connect {
                client_id: None,
                user: None,
                name: None,
                peer: None,
                confirm: Token(0),
            });
            bench.requests.push(if slot == 0 {
                Request::AddProducer {
                    producer: ProducerId(1),
                    name: None,
                    skips_duplicates: false,
                    address: Arc::clone(&address),
                    confirm: None,
                }
            } else {
                Request::Subscribe(Box::new(subscribe(&address)))
            });
            bench.step(slot);
        }
        bench
    }

    fn step(&mut self, slot: u32) {
        let session = SessionId { slot, generation: 0 };
        self.node.step(Now::default(), Input::Requests { session, requests: &mut self.requests }, &mut self.out);
    }

    /// What the journal's thread does, with a disk that costs nothing.
    fn flush(&mut self) {
        while self.node.wants_flush() {
            let mut batch = self.node.take_batch().expect("no batch is out");
            journal::perform(&mut batch, &mut self.disk).expect("memory takes everything");
            self.node.step(Now::default(), Input::Flushed(batch), &mut self.out);
        }
    }

    /// Nanoseconds a delivery.
    fn run(&mut self, load: &Load) -> f64 {
        let message = message(load);
        let rounds = DELIVERIES / u64::from(load.subscribers) / load.batch;
        let mut delivered = 0_u64;
        let start = Instant::now();
        for round in 1..=rounds {
            for number in 0..load.batch {
                let message = Arc::clone(&message);
                let confirm = (load.mode == DeliveryMode::Persistent).then_some(Token(number));
                self.requests.push(Request::Send { producer: ProducerId(1), message, transaction: None, confirm });
            }
            self.step(0);
            self.flush();
            delivered +=
                self.out.events.drain(..).filter(|(_, event)| matches!(event, Event::Deliver(_))).count() as u64;
            for slot in 1..=load.subscribers {
                self.requests.push(Request::Settle {
                    subscription: SubscriptionId(1),
                    deliveries: Deliveries::Through(DeliveryId(round * load.batch)),
                    settlement: Settlement::Consumed,
                    transaction: None,
                    confirm: None,
                });
                self.step(slot);
            }
        }
        assert_eq!(delivered, rounds * load.batch * u64::from(load.subscribers), "every message reached everyone");
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let nanoseconds = start.elapsed().as_nanos() as f64 / delivered as f64;
        nanoseconds
    }
}

fn subscribe(address: &Arc<Address>) -> Subscribe {
    Subscribe {
        subscription: SubscriptionId(1),
        name: None,
        address: Arc::clone(address),
        selector: None,
        selector_converts_text: true,
        mode: SubscribeMode::Consume,
        settles: Settles::WhenWritten,
        gives_up: GivesUp::Broker,
        prefetch: 1000,
        no_local: false,
        exclusive: false,
        priority: 0,
        retroactive: false,
        pending_limit: None,
        confirm: None,
    }
}

fn message(load: &Load) -> Arc<Message> {
    let address = Address::parse(load.to, DestinationKind::Queue).expect("a valid name");
    Arc::new(Message {
        header: Header {
            id: MessageId { producer: "ID:bench".into(), sequence: 1 },
            destination: Arc::clone(&address.leaves[0]),
            mode: load.mode,
            priority: 4,
            timestamp: WallTime(0),
            expiration: None,
            annotations: None,
        },
        dialect: &PLAIN,
        bytes: vec![b'x'; 1024].into(),
        body_at: 0,
    })
}

fn main() {
    use DeliveryMode::{NonPersistent, Persistent};
    let load = |name, to, subscribers, batch, mode| Load { name, to, subscribers, batch, mode };
    let loads = [
        load("queue 1 to 1", "q", 1, 50, NonPersistent),
        load("topic 1 to 1", "topic://t", 1, 50, NonPersistent),
        load("topic 1 to 100", "topic://t", 100, 20, NonPersistent),
        load("persistent queue, confirmed", "q", 1, 50, Persistent),
    ];
    for load in &loads {
        Bench::new(load).run(load);
        let mut runs: Vec<f64> = (0..3).map(|_| Bench::new(load).run(load)).collect();
        runs.sort_by(f64::total_cmp);
        let rate = 1000.0 / runs[1];
        println!(
            "{:<28} {:6.1} / {:6.1} / {:6.1} ns a delivery (min/median/max of 3), {rate:5.2} M a second on one core",
            load.name, runs[0], runs[1], runs[2]
        );
    }
}
