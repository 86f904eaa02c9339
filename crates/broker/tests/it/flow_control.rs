//! Memory limits: producers of what must stay in memory wait, what is durable leaves it.

use crate::driver::{Bench, token};
use ferrymq_broker::Settings;
use ferrymq_model::event::Report;
use ferrymq_model::{Deliveries, DeliveryId, Query, Settlement};

fn small() -> Bench {
    Bench::with(Settings { destination_memory_limit_bytes: 10_000, ..Settings::default() })
}

#[test]
fn a_producer_waits_for_a_full_queue_until_seventy_percent() {
    let mut t = small();
    t.connect(0);
    t.connect(1);
    let body = "x".repeat(744);
    for _ in 0..9 {
        t.send(0, "q", &body);
    }
    assert_eq!(t.events(), "");
    t.send(0, "q", &body);
    t.send(0, "q", &body);
    assert_eq!(t.events(), "0 pause");
    t.subscribe(1, 1, "q");
    t.events();
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(3)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "");
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(4)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 resume");
}

#[test]
fn a_topic_with_a_subscriber_that_does_not_read_makes_its_producer_wait() {
    let mut t = small();
    t.connect(0);
    t.connect(1);
    t.subscribe(1, 1, "topic://t");
    t.send(0, "topic://t", &"x".repeat(10_000));
    assert!(t.events().ends_with("0 pause"));
    t.disconnect(1);
    assert_eq!(t.events(), "0 resume");
}

#[test]
fn durable_messages_leave_memory_and_come_back_in_order() {
    let mut t = small();
    t.connect(0);
    for number in 0..300 {
        t.send_durably(0, "q", &format!("{number:0500}"), token(1));
        t.flush();
    }
    assert!(!t.events().contains("pause"));
    let Report::Broker(report) = t.broker.inspect(&Query::Broker, &t.journal) else { panic!("asked for the broker") };
    assert!(report.memory_bytes < 8_000, "{}", report.memory_bytes);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 7);
    let mut expected = 0;
    while expected < 300 {
        let events = t.events();
        for line in events.lines() {
            assert!(line.ends_with(&format!("{expected:0500}")), "{line}");
            expected += 1;
        }
        t.settle_in(0, 1, Deliveries::Through(DeliveryId(expected)), Settlement::Consumed, None, None);
    }
    assert_eq!(t.counts("q"), "0/0/300/300");
}

#[test]
fn a_backlog_nobody_reads_discards_what_may_be_lost_instead_of_stopping_the_topic() {
    let mut t = small();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", |s| {
        s.mode = ferrymq_model::request::SubscribeMode::Durable("d".into());
    });
    t.unsubscribe(0, 1);
    for _ in 0..50 {
        t.send(0, "topic://t", &"x".repeat(744));
    }
    assert_eq!(t.events(), "");
    assert_eq!(t.counts("me:d"), "10/0/50/0");
}
