//! Redelivery and the dead-letter queue.

use crate::driver::{Bench, destination, token};
use ferrymq_broker::Settings;
use ferrymq_model::{DeliveryMode, Event, Settlement, Value};

#[test]
fn a_poisoned_persistent_message_moves_with_the_reason() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send_as(0, "q", "a", None, |m| {
        m.header.mode = DeliveryMode::Persistent;
        m.header.expiration = Some(ferrymq_model::WallTime(2_000_000));
    });
    t.flush();
    t.events();
    t.settle(0, 1, 1, Settlement::Poisoned("cannot parse".into()));
    t.subscribe(0, 2, "ActiveMQ.DLQ");
    let events = t.take_events();
    let [(_, Event::Deliver(dead))] = &events[..] else { panic!("{events:?}") };
    let header = &dead.message.header;
    let annotations = header.annotations.as_ref().unwrap();
    assert_eq!(annotations.original_destination, Some(destination("q")));
    assert_eq!(header.destination, destination("ActiveMQ.DLQ"));
    assert_eq!(header.expiration, None);
    assert_eq!(
        annotations.added,
        [
            ("dlqDeliveryFailureCause".into(), Value::Text("cannot parse".into())),
            ("originalExpiration".into(), Value::Long(2_000_000))
        ]
    );
    assert_eq!(crate::driver::body(&dead.message), "a");
    t.flush_all();
    t.restart();
    assert_eq!((t.counts("q"), t.counts("ActiveMQ.DLQ")), ("0/0/0/0".to_owned(), "1/0/0/0".to_owned()));
}

#[test]
fn after_the_last_redelivery_a_message_is_dead() {
    let mut t = Bench::with(Settings { redeliveries_max: 2, ..Settings::default() });
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send_durably(0, "q", "a", token(1));
    t.flush();
    for delivery in 1..=3 {
        t.settle(0, 1, delivery, Settlement::Undelivered);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 1\n0 s1 #2 a again 1\n0 s1 #3 a again 2");
    assert_eq!(t.counts("ActiveMQ.DLQ"), "1/0/1/0");
}

#[test]
fn a_message_that_is_not_persistent_is_discarded() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send(0, "q", "a");
    t.settle(0, 1, 1, Settlement::Poisoned("x".into()));
    assert_eq!(t.counts("q"), "0/0/1/0");
    t.subscribe(0, 2, ">");
    assert_eq!(t.events(), "0 s1 #1 a");
}

#[test]
fn nothing_dies_twice() {
    let mut t = Bench::with(Settings { redeliveries_max: 1, ..Settings::default() });
    t.connect(0);
    t.subscribe(0, 1, "ActiveMQ.DLQ");
    t.send_durably(0, "ActiveMQ.DLQ", "a", None);
    for delivery in 1..=3 {
        t.settle(0, 1, delivery, Settlement::Undelivered);
    }
    assert_eq!(t.counts("ActiveMQ.DLQ"), "1/1/1/0");
    t.settle(0, 1, 4, Settlement::Poisoned("x".into()));
    assert_eq!(t.counts("ActiveMQ.DLQ"), "0/0/1/0");
}

#[test]
fn a_message_delivered_before_a_crash_counts_as_redelivered() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "q", "a", None);
    t.send_durably(0, "q", "b", None);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    t.tick(1);
    t.flush();
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 s1 #1 a again 1\n0 s1 #2 b");
}
