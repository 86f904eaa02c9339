//! Random requests: nothing panics, every counter agrees after each step, and nothing confirmed is lost.

use crate::chance::Random;
use crate::driver::{Bench, address, destination, subscribe, token};
use ferrymq_broker::Settings;
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{
    Deliveries, DeliveryId, Event, ProducerId, Query, Request, Seen, Settlement, SubscriptionId, Token, TransactionId,
};
use std::collections::BTreeMap;

const PLACES: [&str; 12] = [
    "a",
    "b.x",
    "b.y",
    "b.*",
    ">",
    "a,b.x,topic://t.1",
    "topic://t.1",
    "topic://t.2",
    "topic://t.>",
    "temp-queue://0.1",
    "temp-topic://1.2",
    "a,topic://t.2",
];

const SELECTORS: [&str; 9] = [
    "color = 'red'",
    "color <> 'red'",
    "color = 'blue' AND JMSPriority > 3",
    "color IN ('blue', 'green') OR color = 'red' AND JMSRedelivered = TRUE",
    "JMSRedelivered = TRUE",
    "JMSXDeliveryCount IN (1, 2) AND color = 'red'",
    "JMSPriority = 4",
    "JMSXGroupID = 'g'",
    "((",
];

fn settlement(random: &mut Random) -> Settlement {
    match random.below(10) {
        8 | 9 => Settlement::Written,
        0 => Settlement::Undelivered,
        1 => Settlement::Delivered,
        2 => Settlement::Expired,
        3 => Settlement::Poisoned("bad".into()),
        _ => Settlement::Consumed,
    }
}

fn deliveries(random: &mut Random) -> Deliveries {
    let last = random.below(60);
    match random.below(3) {
        0 => Deliveries::One(DeliveryId(last)),
        1 => Deliveries::Through(DeliveryId(last)),
        _ => Deliveries::Range(DeliveryId(random.below(60)), DeliveryId(last)),
    }
}

fn seen(random: &mut Random) -> Seen {
    match random.below(3) {
        0 => Seen::Unknown,
        1 => Seen::None,
        _ => Seen::Through(DeliveryId(random.below(60))),
    }
}

fn wishes(random: &mut Random) -> ferrymq_model::Subscribe {
    let mut wishes = subscribe(random.small(4), random.pick(&PLACES));
    wishes.prefetch = random.small(6);
    wishes.no_local = random.chance(20);
    wishes.exclusive = random.chance(10);
    wishes.priority = i16::try_from(random.below(2)).unwrap();
    wishes.pending_limit = Some(random.small(5));
    wishes.settles = match random.below(3) {
        0 => Settles::WhenWritten,
        1 => Settles::WhenAcknowledged,
        _ => Settles::Unreturned,
    };
    wishes.gives_up = if random.chance(50) { GivesUp::Broker } else { GivesUp::Consumer };
    wishes.selector = random.chance(30).then(|| random.pick(&SELECTORS).into());
    wishes.mode = match random.below(6) {
        0 => SubscribeMode::Browse,
        1 => SubscribeMode::Durable(random.pick(&["d", "e"]).into()),
        _ => SubscribeMode::Consume,
    };
    wishes.confirm = random.chance(50).then(|| Token(random.below(1000)));
    wishes
}

fn send(t: &mut Bench, random: &mut Random, slot: u32) {
    let producer = ProducerId(random.small(4));
    let body = if random.chance(50) { "color=red|x" } else { "color=blue|yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" };
    let mut message = t.message("a", body);
    message.header.mode = if random.chance(50) { Persistent } else { NonPersistent };
    message.header.priority = u8::try_from(random.below(12)).unwrap();
    if random.chance(20) {
        message.header.expiration = Some(ferrymq_model::WallTime(t.now.wall.0 + random.below(300)));
    }
    if random.chance(25) {
        let sequence = i32::try_from(random.below(4)).unwrap() - 1;
        crate::driver::grouped(&mut message, random.pick(&["g", "h"]), sequence);
    }
    let transaction = random.chance(30).then(|| TransactionId(random.below(4)));
    let confirm = random.chance(50).then(|| Token(random.below(1000)));
    t.ask(slot, Request::Send { producer, message: message.into(), transaction, confirm });
}

fn request(t: &mut Bench, random: &mut Random, slot: u32) -> Request {
    let confirm = random.chance(50).then(|| Token(random.below(1000)));
    let subscription = SubscriptionId(random.small(5));
    let transaction = TransactionId(random.below(4));
    let client_id = random.chance(60).then(|| random.pick(&["one", "two"]).into());
    match random.below(45) {
        0 => {
            let name = random.chance(50).then(|| random.pick(&["n", "m"]).into());
            Request::Connect { client_id, user: None, name, peer: None, confirm: Token(1) }
        }
        1..=4 => Request::AddProducer {
            producer: ProducerId(random.small(4)),
            name: None,
            skips_duplicates: false,
            address: address(random.pick(&PLACES)),
            confirm: None,
        },
        5 => Request::RemoveProducer { producer: ProducerId(random.small(4)) },
        6..=10 => Request::Subscribe(Box::new(wishes(random))),
        11..=12 => Request::Unsubscribe { subscription, seen: seen(random), confirm },
        13 => Request::DeleteDurable { name: random.pick(&["d", "e"]).into(), confirm },
        14..=25 => Request::Settle {
            subscription,
            deliveries: deliveries(random),
            settlement: settlement(random),
            transaction: random.chance(30).then_some(transaction),
            confirm,
        },
        26..=28 => Request::Begin { transaction, name: None, confirm },
        29..=31 => Request::Commit { transaction, confirm },
        32 => Request::Rollback { transaction, confirm },
        33..=34 => {
            let name = if slot == 0 { "temp-queue://0.1" } else { "temp-topic://1.2" };
            Request::CreateTemporary { destination: destination(name), confirm }
        }
        35 => Request::DeleteTemporary { destination: destination(random.pick(&PLACES[9..11])), confirm },
        36 => Request::Inspect { query: Query::Destinations(">".into()), token: Token(5) },
        37 => {
            t.tick(random.below(100));
            Request::Purge { destination: destination(random.pick(&PLACES[..4])), token: Token(6) }
        }
        39..=41 => Request::Pull { subscription, messages: random.small(4), confirm },
        42..=43 => Request::SetPrefetch { subscription, prefetch: random.small(4) },
        38 => Request::Confirm { confirm: Token(7) },
        _ => Request::Disconnect,
    }
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let mut t = Bench::with(Settings {
        memory_limit_bytes: 20_000,
        // Two or three messages fill a queue in every other run.
        destination_memory_limit_bytes: if seed.is_multiple_of(2) { 5_000 } else { 900 },
        subscription_memory_limit_bytes: 3_000,
        producer_wait_ms_max: [None, Some(0), Some(50)][usize::try_from(seed % 3).unwrap()],
        redeliveries_max: 2,
        destinations_max: 12,
        expirations_per_tick_max: 3,
        examined_per_dispatch_max: 5,
        filed_from: 1,
        ..Settings::default()
    });
    for step in 0..600 {
        let slot = random.small(3);
        t.fetches = random.chance(80);
        if step % 3 == 0 {
            send(&mut t, &mut random, slot);
        } else {
            let request = request(&mut t, &mut random, slot);
            t.ask(slot, request);
        }
        t.broker.check_nothing_waits(t.now.wall);
        if random.chance(15) {
            t.flush();
        }
        t.broker.check_nothing_waits(t.now.wall);
        if random.chance(1) {
            t.restart();
        }
        assert!(t.out.events.len() < 100_000, "events without end");
        t.events();
    }
    t.fetches = true;
    t.flush();
    for slot in 0..3 {
        t.disconnect(slot);
    }
    t.tick(10_000);
}

#[test]
fn random_requests_never_panic_and_counters_always_agree() {
    for seed in 0..25 {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "seed {seed}");
    }
}

/// Every persistent message whose confirmation came is in its queue after a crash, unless a confirmed settlement took
/// it; and nothing whose settlement was confirmed comes back.
fn crash(seed: u64) {
    let mut random = Random(seed);
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 5);
    let mut sent: BTreeMap<u64, String> = BTreeMap::new();
    let mut settled: BTreeMap<u64, String> = BTreeMap::new();
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for step in 0..80_u64 {
        let body = format!("m{step}");
        t.send_durably(0, "q", &body, token(step));
        sent.insert(step, body);
        if random.chance(30) {
            t.flush();
        }
        for (_, event) in t.take_events() {
            match event {
                Event::Deliver(delivery) if random.chance(70) => {
                    let token = 1000 + step * 10 + delivery.delivery.0 % 10;
                    settled.insert(token, crate::driver::body(&delivery.message).to_owned());
                    let one = Deliveries::One(delivery.delivery);
                    t.settle_in(0, 1, one, Settlement::Consumed, None, Some(Token(token)));
                }
                Event::Confirmed { token } => {
                    there.extend(sent.remove(&token.0));
                    gone.extend(settled.remove(&token.0));
                }
                _ => {}
            }
        }
    }
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "q");
    let left = t.events();
    let left: Vec<&str> = left.lines().filter_map(|line| line.split(' ').nth(3)).collect();
    for body in &gone {
        assert!(!left.contains(&body.as_str()), "{body} came back");
    }
    let undecided: Vec<&String> = settled.values().collect();
    for body in &there {
        let known = left.contains(&body.as_str()) || gone.contains(body) || undecided.contains(&body);
        assert!(known, "{body} is lost");
    }
}

#[test]
fn a_crash_loses_nothing_confirmed_and_brings_nothing_settled_back() {
    for seed in 0..40 {
        let result = std::panic::catch_unwind(|| crash(seed));
        assert!(result.is_ok(), "seed {seed}");
    }
}
