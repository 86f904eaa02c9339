//! Measures how consumers with selectors find their messages in a long queue: properties that were looked up, and
//! milliseconds. 100 000 messages of 100 kinds wait; of those 1 % match any consumer.
//!
//! `cargo run --release -p ferrymq-node --example backlog`
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measuring program")]

mod plain;

use ferrymq_model::request::GivesUp;
use ferrymq_model::{
    Address, Deliveries, DeliveryId, DeliveryMode, Event, MonoTime, Now, Request, Seen, SessionId, Settlement,
    Subscribe, SubscriptionId,
};
use ferrymq_node::{Effects, Input, Node, Settings, recover};
use ferrymq_storage::JournalOptions;
use ferrymq_storage::disk::memory::MemoryDisk;
use plain::{ASKED, DIALECTS, PRODUCER};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

const MESSAGES: u64 = 100_000;
const KINDS: u64 = 100;

const SESSION: SessionId = SessionId { slot: 0, generation: 0 };

fn subscription(kind: u64) -> SubscriptionId {
    SubscriptionId(u32::try_from(kind).expect("kinds are few"))
}

struct Bench {
    node: Node,
    out: Effects,
    address: Arc<Address>,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        let settings =
            Settings { memory_limit_bytes: 1 << 30, destination_memory_limit_bytes: 1 << 29, ..Settings::default() };
        let node = recover(&mut MemoryDisk::new(), DIALECTS, JournalOptions::default(), settings, Now::default());
        let node = node.expect("an empty disk gives an empty node");
        let mut bench = Self { node, out: Effects::default(), address: plain::address("q"), now: Now::default() };
        bench.ask(plain::connect());
        bench.ask(plain::add_producer(None, Arc::clone(&bench.address)));
        for number in 0..MESSAGES {
            bench.send(number % KINDS);
        }
        bench
    }

    fn ask(&mut self, request: Request) {
        let requests = &mut vec![request];
        self.node.step(self.now, Input::Requests { session: SESSION, requests }, &mut self.out);
    }

    fn send(&mut self, kind: u64) {
        let message = plain::message("ID:bench", &self.address, DeliveryMode::NonPersistent, Some(kind), 0).into();
        self.ask(Request::Send { producer: PRODUCER, message, transaction: None, confirm: None });
    }

    fn subscribe(&mut self, kind: u64, prefetch: u32) {
        self.ask(Request::Subscribe(Box::new(Subscribe {
            selector: Some(format!("kind = {kind}").into()),
            gives_up: GivesUp::Consumer,
            ..Subscribe::consumer(subscription(kind), Arc::clone(&self.address), prefetch)
        })));
    }

    fn settle(&mut self, kind: u64, delivery: u64, settlement: Settlement) {
        self.ask(Request::settle(subscription(kind), Deliveries::One(DeliveryId(delivery)), settlement));
    }

    fn unsubscribe(&mut self, kind: u64) {
        let subscription = subscription(kind);
        self.ask(Request::Unsubscribe { subscription, seen: Seen::Unknown, confirm: None });
    }

    /// Lets time pass until so many deliveries came.
    fn await_deliveries(&mut self, mut wanted: usize) {
        for _ in 0..10_000 {
            let came = self.out.events.drain(..).filter(|(_, event)| matches!(event, Event::Deliver(_))).count();
            wanted = wanted.checked_sub(came).expect("no more than was asked for");
            if wanted == 0 {
                return;
            }
            self.now.mono = MonoTime(self.now.mono.0 + 100);
            self.node.step(self.now, Input::Tick, &mut self.out);
        }
        panic!("{wanted} deliveries did not come");
    }

    fn quiet(&mut self) {
        for _ in 0..3 * KINDS {
            self.node.step(self.now, Input::Tick, &mut self.out);
        }
    }
}

fn measure(name: &str, times: u64, run: impl FnOnce()) {
    let (asked, start) = (ASKED.load(Ordering::Relaxed), Instant::now());
    run();
    let each = (ASKED.load(Ordering::Relaxed) - asked) / times;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0 / times as f64;
    println!("{name:<54} {each:8} properties, {milliseconds:8.3} ms each");
}

fn main() {
    let mut bench = Bench::new();
    for kind in KINDS..2 * KINDS {
        bench.send(kind);
    }
    measure("a consumer comes, takes the one at the end and leaves", KINDS, || {
        for kind in KINDS..2 * KINDS {
            bench.subscribe(kind, 1);
            bench.await_deliveries(1);
            bench.settle(kind, 1, Settlement::Consumed);
            bench.unsubscribe(kind);
        }
    });
    let mut bench = Bench::new();
    measure("a consumer comes and gets a hundred", KINDS, || {
        for kind in 0..KINDS {
            bench.subscribe(kind, 100);
            bench.await_deliveries(100);
        }
    });
    let mut bench = Bench::new();
    for kind in KINDS..2 * KINDS {
        bench.subscribe(kind, 10);
    }
    bench.quiet();
    bench.send(KINDS);
    bench.await_deliveries(1);
    measure("one of a hundred idle consumers gives a message back", 50, || {
        for delivery in 1..=50 {
            bench.settle(KINDS, delivery, Settlement::Undelivered);
            bench.await_deliveries(1);
            bench.quiet();
        }
    });
    let mut bench = Bench::new();
    bench.subscribe(0, 1);
    bench.await_deliveries(1);
    for kind in KINDS..2 * KINDS {
        bench.subscribe(kind, 10);
    }
    bench.quiet();
    measure("another gives the oldest message back", 50, || {
        for delivery in 1..=50 {
            bench.settle(0, delivery, Settlement::Undelivered);
            bench.await_deliveries(1);
            bench.quiet();
        }
    });
}
