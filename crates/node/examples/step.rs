//! Measures the core alone: messages a second that one core carries through `node::step`, fed with batches as
//! connections feed it. No socket, no codec; the journal's batches are performed on a disk in memory.
//!
//! `cargo run --release -p ferrymq-node --example step [part of a row's name [deliveries]]`. With both arguments the row
//! runs once, for a profiler that counts instructions.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program")]

mod plain;

use ferrymq_model::request::Settles;
use ferrymq_model::{
    Address, Deliveries, DeliveryId, DeliveryMode, Event, Message, Now, Request, SessionId, Settlement, Subscribe,
    SubscriptionId, Token,
};
use ferrymq_node::{Effects, Input, Node, Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{JournalOptions, journal};
use plain::{DIALECTS, PRODUCER};
use std::sync::Arc;
use std::time::Instant;

const DELIVERIES: u64 = 4_000_000;
/// Deliveries of one acknowledgement, for consumers that collect.
const COLLECTED: u64 = 50;
const BODY_BYTES: usize = 1024;
/// One way to load the core.
struct Load {
    name: &'static str,
    to: &'static str,
    subscribers: u32,
    /// Messages of one step.
    batch: u64,
    mode: DeliveryMode,
    settling: Settling,
    credit: Credit,
    wanting: Wanting,
}

/// Which messages a subscriber wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanting {
    All,
    /// Those of one kind; there are as many kinds as subscribers, which come in turn.
    OneKind,
}

/// How many deliveries a consumer may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credit {
    /// More than there are.
    Ample,
    /// One batch: each message waits in its queue until others were settled.
    OneBatch,
}

/// How consumers settle what was delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settling {
    /// By the session, once a batch, as soon as it is written.
    Written,
    /// As OpenWire's sessions do for queues: so many at a time.
    Acknowledged(u64),
    /// As OpenWire's sessions do for topics: written once a batch, then acknowledged so many at a time.
    Unreturned(u64),
}

impl Settling {
    fn settles(self) -> Settles {
        match self {
            Self::Written => Settles::WhenWritten,
            Self::Acknowledged(_) => Settles::WhenAcknowledged,
            Self::Unreturned(_) => Settles::Unreturned,
        }
    }
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
        let node = recover(&mut disk, DIALECTS, options, Settings::default(), Now::default());
        let node = node.expect("an empty disk gives an empty node");
        let mut bench = Self { node, disk, out: Effects::default(), requests: Vec::new() };
        let address = plain::address(load.to);
        for slot in 0..=load.subscribers {
            bench.requests.push(plain::connect());
            bench.requests.push(if slot == 0 {
                plain::add_producer(None, Arc::clone(&address))
            } else {
                Request::Subscribe(Box::new(subscribe(&address, load, slot)))
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

    /// A batch.
    fn send(&mut self, load: &Load, messages: &[Message]) {
        for number in 0..load.batch {
            // As a session makes them: each a value of its own, all of them with the same buffer.
            // Not in the order of the subscribers: else it is always the turn of who wants it.
            let kind = usize::try_from(number * 37).expect("a batch is small") % messages.len();
            let message = Arc::new(messages[kind].clone());
            let confirm = (load.mode == DeliveryMode::Persistent).then_some(Token(number));
            self.requests.push(Request::Send { producer: PRODUCER, message, transaction: None, confirm });
        }
        self.step(0);
    }

    /// Nanoseconds a delivery.
    fn run(&mut self, load: &Load, deliveries: u64) -> f64 {
        let messages = messages(load);
        let each = match load.wanting {
            Wanting::All => load.batch,
            Wanting::OneKind => load.batch / u64::from(load.subscribers),
        };
        let rounds = deliveries / u64::from(load.subscribers) / each;
        let mut delivered = 0_u64;
        match load.credit {
            Credit::Ample => {}
            Credit::OneBatch => self.send(load, &messages),
        }
        let start = Instant::now();
        for round in 1..=rounds {
            self.send(load, &messages);
            self.flush();
            delivered +=
                self.out.events.drain(..).filter(|(_, event)| matches!(event, Event::Deliver(_))).count() as u64;
            for slot in 1..=load.subscribers {
                self.settle(load, round, each);
                self.step(slot);
            }
        }
        assert_eq!(delivered, rounds * each * u64::from(load.subscribers), "every message reached everyone");
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let nanoseconds = start.elapsed().as_nanos() as f64 / delivered as f64;
        nanoseconds
    }
}

impl Bench {
    /// What a consumer's session says about a round's deliveries.
    fn settle(&mut self, load: &Load, round: u64, each: u64) {
        let (first, last) = ((round - 1) * each + 1, round * each);
        let through = Deliveries::Through(DeliveryId(last));
        let at_a_time = match load.settling {
            Settling::Written => return self.requests.push(settle(through, Settlement::Consumed)),
            Settling::Acknowledged(at_a_time) => at_a_time,
            Settling::Unreturned(at_a_time) => {
                self.requests.push(settle(through, Settlement::Written));
                at_a_time
            }
        };
        let mut from = first;
        while from <= last {
            let to = (from + at_a_time - 1).min(last);
            let deliveries = match load.settling {
                Settling::Unreturned(_) => Deliveries::Through(DeliveryId(to)),
                _ if from == to => Deliveries::One(DeliveryId(to)),
                _ => Deliveries::Range(DeliveryId(from), DeliveryId(to)),
            };
            self.requests.push(settle(deliveries, Settlement::Consumed));
            from = to + 1;
        }
    }
}

fn settle(deliveries: Deliveries, settlement: Settlement) -> Request {
    Request::settle(SubscriptionId(1), deliveries, settlement)
}

fn subscribe(address: &Arc<Address>, load: &Load, slot: u32) -> Subscribe {
    let prefetch = match load.credit {
        Credit::Ample => 1000,
        Credit::OneBatch => u32::try_from(load.batch).expect("a batch is small"),
    };
    Subscribe {
        selector: match load.wanting {
            Wanting::All => None,
            Wanting::OneKind => Some(format!("kind = {}", slot - 1).into()),
        },
        settles: load.settling.settles(),
        ..Subscribe::consumer(SubscriptionId(1), Arc::clone(address), prefetch)
    }
}

/// One message, or one of each kind.
fn messages(load: &Load) -> Vec<Message> {
    let to = plain::address(load.to);
    let message = |kind| plain::message("ID:bench", &to, load.mode, kind, BODY_BYTES);
    match load.wanting {
        Wanting::All => vec![message(None)],
        Wanting::OneKind => (0..u64::from(load.subscribers)).map(|kind| message(Some(kind))).collect(),
    }
}

fn main() {
    use DeliveryMode::{NonPersistent, Persistent};
    let load = |name, to, subscribers, batch, mode, settling| {
        let credit = Credit::Ample;
        Load { name, to, subscribers, batch, mode, settling, credit, wanting: Wanting::All }
    };
    let selecting = |name, to, subscribers, settling| Load {
        wanting: Wanting::OneKind,
        ..load(name, to, subscribers, 100, NonPersistent, settling)
    };
    let loads = [
        load("queue 1 to 1", "q", 1, 50, NonPersistent, Settling::Written),
        load("queue, each acknowledged", "q", 1, 50, NonPersistent, Settling::Acknowledged(1)),
        load("queue, acknowledged by 50", "q", 1, 50, NonPersistent, Settling::Acknowledged(COLLECTED)),
        Load {
            credit: Credit::OneBatch,
            ..load("queue, beyond the prefetch", "q", 1, 50, NonPersistent, Settling::Acknowledged(1))
        },
        load("topic 1 to 1 written", "topic://t", 1, 50, NonPersistent, Settling::Written),
        load("topic, unreturned, each", "topic://t", 1, 50, NonPersistent, Settling::Unreturned(1)),
        load("topic, unreturned, by 50", "topic://t", 1, 50, NonPersistent, Settling::Unreturned(COLLECTED)),
        load("topic 1 to 100", "topic://t", 100, 20, NonPersistent, Settling::Written),
        load("topic 1 to 100, unreturned", "topic://t", 100, 20, NonPersistent, Settling::Unreturned(COLLECTED)),
        load("persistent queue, confirmed", "q", 1, 50, Persistent, Settling::Written),
        load("persistent, each acknowledged", "q", 1, 50, Persistent, Settling::Acknowledged(1)),
        selecting("topic, 1 selector", "topic://t", 1, Settling::Unreturned(1)),
        selecting("topic, 10 selectors", "topic://t", 10, Settling::Unreturned(1)),
        selecting("topic, 100 selectors", "topic://t", 100, Settling::Unreturned(1)),
        selecting("queue, 1 selector", "q", 1, Settling::Acknowledged(1)),
        selecting("queue, 10 selectors", "q", 10, Settling::Acknowledged(1)),
        selecting("queue, 100 selectors", "q", 100, Settling::Acknowledged(1)),
    ];
    let mut arguments = std::env::args().skip(1);
    let (wanted, deliveries) = (arguments.next().unwrap_or_default(), arguments.next());
    for load in loads.iter().filter(|load| load.name.contains(&wanted)) {
        if let Some(deliveries) = &deliveries {
            Bench::new(load).run(load, deliveries.parse().expect("a number of deliveries"));
            continue;
        }
        Bench::new(load).run(load, DELIVERIES);
        let mut runs: Vec<f64> = (0..3).map(|_| Bench::new(load).run(load, DELIVERIES)).collect();
        runs.sort_by(f64::total_cmp);
        let rate = 1000.0 / runs[1];
        println!(
            "{:<30} {:6.1} / {:6.1} / {:6.1} ns a delivery (min/median/max of 3), {rate:5.2} M a second on one core",
            load.name, runs[0], runs[1], runs[2]
        );
    }
}
