//! Measures the broker alone: nanoseconds a message, without sockets, codecs or a disk.
//!
//! `cargo run --release -p ferrymq-broker --example hot_path`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use ferrymq_broker::{Broker, Effects, Settings};
use ferrymq_model::request::{Settles, SubscribeMode};
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Address, Deliveries, DeliveryId, DeliveryMode, DestinationKind, Dialect, Dialects, Header, MalformedMessage,
    Message, MessageId, Neutral, Now, ProducerId, Request, SessionId, Settlement, Subscribe, SubscriptionId, Token,
    WallTime,
};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::{Journal, JournalOptions, journal};
use std::sync::Arc;
use std::time::Instant;

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

const MESSAGES: u64 = 4_000_000;

struct Bench {
    broker: Broker,
    journal: Journal,
    out: Effects,
    now: Now,
}

impl Bench {
    fn new(to: &str, subscribers: u32) -> Self {
        let journal = journal::recover(
            &mut MemoryDisk::new(),
            Dialects(&[]),
            JournalOptions { segment_bytes: 1 << 20, ..JournalOptions::default() },
            &mut |_, _, _| {},
        );
        let (broker, out) = (Broker::new(Settings::default()), Effects::default());
        let mut bench = Self { broker, journal: journal.unwrap(), out, now: Now::default() };
        let address = Arc::new(Address::parse(to, DestinationKind::Queue).unwrap());
        for slot in 0..=subscribers {
            bench.ask(slot, Request::Connect { client_id: None, user: None, confirm: Token(0) });
            if slot == 0 {
                bench.ask(0, Request::AddProducer { producer: ProducerId(1), address: Arc::clone(&address) });
                continue;
            }
            let subscribe = Subscribe {
                subscription: SubscriptionId(1),
                address: Arc::clone(&address),
                selector: None,
                selector_converts_text: true,
                mode: SubscribeMode::Consume,
                settles: Settles::WhenWritten,
                prefetch: 1000,
                no_local: false,
                exclusive: false,
                priority: 0,
                retroactive: false,
                pending_limit: None,
                confirm: None,
            };
            bench.ask(slot, Request::Subscribe(Box::new(subscribe)));
        }
        bench.out.events.clear();
        bench
    }

    fn ask(&mut self, slot: u32, request: Request) {
        let session = SessionId { slot, generation: 0 };
        self.broker.handle(self.now, session, request, &mut self.journal, &mut self.out);
    }

    /// Sends one message again and again, and settles every `batch`. Nanoseconds a delivery.
    fn run(&mut self, to: &str, subscribers: u32, batch: u64) -> f64 {
        let address = Address::parse(to, DestinationKind::Queue).unwrap();
        let message = Arc::new(Message {
            header: Header {
                id: MessageId { producer: "ID:bench".into(), sequence: 1 },
                destination: Arc::clone(&address.leaves[0]),
                mode: DeliveryMode::NonPersistent,
                priority: 4,
                timestamp: WallTime(0),
                expiration: None,
                annotations: None,
            },
            dialect: &Plain,
            bytes: vec![b'x'; 100].into(),
            body_at: 0,
        });
        let rounds = MESSAGES / u64::from(subscribers) / batch;
        let start = Instant::now();
        let mut delivered = 0;
        for round in 1..=rounds {
            for _ in 0..batch {
                let message = Arc::clone(&message);
                self.ask(0, Request::Send { producer: ProducerId(1), message, transaction: None, confirm: None });
            }
            delivered += self.out.events.len();
            self.out.events.clear();
            for slot in 1..=subscribers {
                self.ask(
                    slot,
                    Request::Settle {
                        subscription: SubscriptionId(1),
                        deliveries: Deliveries::Through(DeliveryId(round * batch)),
                        settlement: Settlement::Consumed,
                        transaction: None,
                        confirm: None,
                    },
                );
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let nanoseconds = start.elapsed().as_nanos() as f64 / delivered as f64;
        nanoseconds
    }
}

fn main() {
    for (to, subscribers, batch) in
        [("q", 1, 1), ("q", 1, 50), ("topic://t", 1, 50), ("topic://t", 10, 20), ("topic://t", 100, 20)]
    {
        let mut bench = Bench::new(to, subscribers);
        bench.run(to, subscribers, batch);
        let mut bench = Bench::new(to, subscribers);
        let nanoseconds = bench.run(to, subscribers, batch);
        println!("{to:<10} {subscribers:>3} subscribers, settled every {batch:>2}: {nanoseconds:6.1} ns a delivery");
    }
}
