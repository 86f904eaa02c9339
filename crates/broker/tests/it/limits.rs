//! Limits have answers.

use crate::driver::{Bench, address, token};
use ferrymq_broker::Settings;
use ferrymq_model::DeliveryMode::NonPersistent;
use ferrymq_model::limits::{PRODUCERS_PER_SESSION_MAX, TRANSACTIONS_PER_SESSION_MAX};
use ferrymq_model::{Event, ProducerId, RefusalKind, Request, TransactionId};

fn limit_reached(t: &mut Bench) -> bool {
    let events = t.take_events();
    let [.., (_, Event::Refused { refusal, .. })] = &events[..] else { return false };
    refusal.kind == RefusalKind::LimitReached
}

#[test]
fn destinations() {
    let mut t = Bench::with(Settings { destinations_max: 2, ..Settings::default() });
    t.connect(0);
    t.send(0, "a", "");
    t.subscribe(0, 1, "topic://b");
    assert!(!limit_reached(&mut t));
    t.subscribe(0, 2, "c");
    assert!(limit_reached(&mut t));
    t.send_as(0, "d", "", token(1), |_| {});
    assert!(limit_reached(&mut t));
}

#[test]
fn producers_and_transactions() {
    let mut t = Bench::new();
    t.connect(0);
    for number in 0..=u32::try_from(PRODUCERS_PER_SESSION_MAX).unwrap() {
        assert!(!limit_reached(&mut t));
        t.ask(
            0,
            Request::AddProducer {
                producer: ProducerId(number),
                name: None,
                skips_duplicates: false,
                address: address("q"),
                confirm: None,
            },
        );
    }
    assert!(limit_reached(&mut t));
    for number in 0..=TRANSACTIONS_PER_SESSION_MAX as u64 {
        assert!(!limit_reached(&mut t));
        t.ask(0, Request::Begin { transaction: TransactionId(number), name: None, confirm: None });
    }
    assert!(limit_reached(&mut t));
}

#[test]
fn bytes_of_open_transactions() {
    let mut t = Bench::with(Settings { memory_limit_bytes: 10_000, ..Settings::default() });
    t.connect(0);
    t.begin(0, 1);
    t.send_in(0, 1, "q", &"x".repeat(6_000), NonPersistent);
    assert!(!limit_reached(&mut t));
    t.send_in(0, 1, "q", &"x".repeat(6_000), NonPersistent);
    assert!(limit_reached(&mut t));
    t.rollback(0, 1);
    t.begin(0, 2);
    t.send_in(0, 2, "q", &"x".repeat(6_000), NonPersistent);
    assert!(!limit_reached(&mut t));
}
