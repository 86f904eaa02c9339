//! Browsing.

use crate::driver::{Bench, destination};
use ferrymq_broker::Settings;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement, WallTime};

#[test]
fn a_browser_sees_the_snapshot_and_takes_nothing() {
    let mut t = Bench::new();
    t.connect(0);
    for (body, priority) in [("a", 4), ("color=red|b", 9), ("c", 4)] {
        t.send_as(0, "q", body, None, |m| m.header.priority = priority);
    }
    t.subscribe_as(0, 1, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.prefetch = 2;
    });
    t.send(0, "q", "later");
    assert_eq!(t.events(), "0 s1 #1 b\n0 s1 #2 a");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #3 c");
    t.settle(0, 1, 2, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 end");
    assert_eq!(t.counts("q"), "4/0/4/0");
    t.subscribe_as(0, 2, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.selector = Some("color = 'red'".into());
    });
    assert_eq!(t.events(), "0 s2 #1 b\n0 s2 end");
}

#[test]
fn a_browser_reads_what_is_paged_out() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..200 {
        t.send_durably(0, "q", &format!("{number}"), None);
        t.flush_all();
    }
    t.subscribe_as(0, 1, "q", |s| s.mode = SubscribeMode::Browse);
    let events = t.events();
    assert_eq!(events.lines().count(), 201);
    assert!(events.ends_with("0 s1 #200 199\n0 s1 end"));
}

#[test]
fn a_browser_goes_on_as_its_consumer_acknowledges_whichever_way() {
    let mut t = Bench::new();
    t.connect(0);
    for body in ["a", "b", "c", "d", "e"] {
        t.send(0, "q", body);
    }
    t.send_as(0, "q", "expired", None, |m| m.header.expiration = Some(WallTime(1_000_001)));
    t.tick(2);
    t.subscribe_as(0, 1, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.prefetch = 2;
    });
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b");
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(1)), Settlement::Delivered, None, None);
    assert_eq!(t.events(), "0 s1 #3 c");
    t.settle_in(0, 1, Deliveries::Range(DeliveryId(1), DeliveryId(2)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 s1 #4 d");
    t.begin(0, 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(3)), Settlement::Expired, Some(1), None);
    assert_eq!(t.events(), "0 s1 #5 e");
    t.commit(0, 1, None);
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(5)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 s1 end");
    t.unsubscribe(0, 1);
    assert_eq!(t.counts("q"), "5/0/6/0");
}

#[test]
fn a_browser_with_a_selector_looks_at_no_more_than_a_step_may() {
    let mut t = Bench::with(Settings { examined_per_dispatch_max: 10, ..Settings::default() });
    t.connect(0);
    for number in 0..25 {
        t.send(0, "q", &format!("number={number}|{number}"));
    }
    t.subscribe_as(0, 1, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.selector = Some("number = 24".into());
    });
    assert_eq!(t.events(), "");
    t.tick(1);
    assert_eq!(t.events(), "");
    t.tick(1);
    assert_eq!(t.events(), "0 s1 #1 24\n0 s1 end");
}

/// Its place in the broker's table may be another queue's by then.
#[test]
fn a_browser_ends_when_its_queue_dies() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(0, "temp-queue://x");
    t.send(0, "temp-queue://x", "a");
    t.send(0, "temp-queue://x", "b");
    t.subscribe_as(0, 1, "temp-queue://x", |s| {
        s.mode = SubscribeMode::Browse;
        s.prefetch = 1;
    });
    t.events();
    t.ask(0, Request::DeleteTemporary { destination: destination("temp-queue://x"), confirm: None });
    let events = t.events();
    assert!(events.lines().any(|line| line == "0 s1 end"), "{events}");
    t.send(1, "other", "secret");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "");
}

#[test]
fn a_browser_sees_what_consumers_have_in_its_place() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 3);
    for body in ["a", "b", "c", "d"] {
        t.send(0, "q", body);
    }
    t.send_as(0, "q", "urgent", None, |m| m.header.priority = 9);
    t.events();
    t.subscribe_as(1, 1, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.prefetch = 1;
    });
    assert_eq!(t.events(), "1 s1 #1 urgent");
    let mut shown = Vec::new();
    // The consumer works on what it has and gets the rest: it may be shown from there.
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(3)), Settlement::Delivered, None, None);
    assert_eq!(t.events(), "0 s1 #4 urgent\n0 s1 #5 d");
    for delivery in 1..=5 {
        t.settle(1, 1, delivery, Settlement::Consumed);
        shown.push(t.events());
    }
    assert_eq!(shown.join(" "), "1 s1 #2 a 1 s1 #3 b 1 s1 #4 c 1 s1 #5 d 1 s1 end");
    assert_eq!(t.counts("q"), "5/5/5/0");
}

#[test]
fn a_browser_does_not_see_what_a_transaction_has_settled() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    for body in ["a", "b", "color=red|c"] {
        t.send(0, "q", body);
    }
    t.begin(0, 7);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(7), None);
    t.settle(0, 1, 2, Settlement::Consumed);
    t.events();
    t.subscribe_as(0, 2, "q", |s| s.mode = SubscribeMode::Browse);
    assert_eq!(t.events(), "0 s2 #1 c\n0 s2 end");
    t.rollback(0, 7);
    t.subscribe_as(0, 3, "q", |s| s.mode = SubscribeMode::Browse);
    assert_eq!(t.events(), "0 s3 #1 a\n0 s3 #2 c\n0 s3 end");
    t.subscribe_as(0, 4, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.selector = Some("color = 'red'".into());
    });
    assert_eq!(t.events(), "0 s4 #1 c\n0 s4 end");
}
