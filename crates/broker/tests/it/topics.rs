//! Topics: each message to every subscription.

use crate::driver::{Bench, token};
use ferrymq_model::request::Settles;
use ferrymq_model::{Deliveries, DeliveryId, DeliveryMode, Request, Settlement};

#[test]
fn every_subscription_gets_every_message_from_now_on() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.send(0, "topic://t", "lost");
    t.subscribe(0, 1, "topic://t");
    t.subscribe(1, 1, "topic://t");
    t.send(0, "topic://t", "a");
    assert_eq!(t.events(), "0 s1 #1 a\n1 s1 #1 a");
    t.unsubscribe(1, 1);
    t.send(0, "topic://t", "b");
    assert_eq!(t.events(), "0 s1 #2 b");
}

#[test]
fn a_subscription_may_refuse_its_own_messages() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe_as(0, 1, "topic://t", |s| s.no_local = true);
    t.send(0, "topic://t", "own");
    t.send(1, "topic://t", "other");
    assert_eq!(t.events(), "0 s1 #1 other");
}

#[test]
fn patterns_cover_topics_made_before_and_after() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "topic://p.a", "");
    t.subscribe(0, 1, "topic://p.>");
    t.subscribe(0, 2, "topic://p.*.x");
    t.send(0, "topic://p.a", "1");
    t.send(0, "topic://p.b.x", "2");
    t.send(0, "topic://q", "3");
    assert_eq!(t.events(), "0 s1 #1 1\n0 s1 #2 2\n0 s2 #1 2");
}

#[test]
fn a_slow_subscriber_loses_its_oldest_messages_and_nobody_waits() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe_as(0, 1, "topic://t", |s| {
        s.prefetch = 1;
        s.pending_limit = Some(2);
    });
    t.subscribe_as(1, 1, "topic://t", |s| s.settles = Settles::WhenWritten);
    for body in ["a", "b", "c", "d"] {
        t.send(1, "topic://t", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n1 s1 #1 a\n1 s1 #2 b\n1 s1 #3 c\n1 s1 #4 d");
    t.settle(0, 1, 1, Settlement::Consumed);
    t.settle(0, 1, 2, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #2 c\n0 s1 #3 d");
}

#[test]
fn an_undelivered_topic_message_comes_again_to_the_same_subscription() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "topic://t", |s| s.prefetch = 2);
    for body in ["a", "b", "c"] {
        t.send(0, "topic://t", body);
    }
    t.events();
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(2)), Settlement::Undelivered, None, None);
    assert_eq!(t.events(), "0 s1 #3 a again 1\n0 s1 #4 b again 1");
}

#[test]
fn a_persistent_message_for_a_topic_without_durable_subscriptions_is_confirmed_at_once() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "topic://t");
    let confirm = crate::driver::token(4);
    t.send_as(0, "topic://t", "a", confirm, |m| m.header.mode = DeliveryMode::Persistent);
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 4");
}

fn keeping(messages: u32, bytes: usize) -> Bench {
    let settings = ferrymq_broker::Settings {
        history_messages_max: messages,
        history_bytes_max: bytes,
        ..ferrymq_broker::Settings::default()
    };
    Bench::with(settings)
}

#[test]
fn a_retroactive_subscription_gets_the_last_messages_of_its_topic_first() {
    let mut t = keeping(2, 10_000);
    t.connect(0);
    for body in ["a", "b", "c"] {
        t.send(0, "topic://t", body);
    }
    t.send_as(0, "topic://t", "colour=red|d", None, |_| {});
    t.subscribe(0, 1, "topic://t");
    t.subscribe_as(0, 2, "topic://t,topic://u", |wishes| {
        wishes.retroactive = true;
        wishes.confirm = token(1);
    });
    t.send(0, "topic://t", "e");
    assert_eq!(t.events(), "0 confirmed 1\n0 s2 #1 c\n0 s2 #2 d\n0 s1 #1 e\n0 s2 #3 e");
    t.subscribe_as(0, 3, "topic://t", |wishes| {
        wishes.retroactive = true;
        wishes.selector = Some("colour = 'red'".into());
    });
    t.subscribe_as(0, 4, "topic://>", |wishes| {
        wishes.retroactive = true;
        wishes.no_local = true;
    });
    assert_eq!(t.events(), "0 s3 #1 d");
}

#[test]
fn what_topics_keep_is_bounded_in_bytes_and_goes_with_them() {
    let mut t = keeping(100, 700);
    t.connect(0);
    let before = t.broker_memory();
    for body in ["a", "b", "c"] {
        t.send(0, "topic://t", body);
    }
    t.send(0, "topic://t", &"x".repeat(1000));
    assert!(t.broker_memory() - before <= 700);
    t.temporary(0, "temp-topic://0.1");
    t.send(0, "temp-topic://0.1", "kept by nobody");
    t.subscribe_as(0, 1, "topic://t,temp-topic://0.1", |wishes| wishes.retroactive = true);
    t.unsubscribe(0, 1);
    t.ask(0, Request::DeleteDestination { destination: crate::driver::destination("topic://t"), confirm: None });
    assert_eq!(t.broker_memory(), before);
}

#[test]
fn a_topic_keeps_nothing_of_a_transaction_before_its_commit_is_durable() {
    let mut t = keeping(10, 10_000);
    t.connect_as(0, Some("me"));
    t.subscribe(0, 9, "q");
    t.begin(0, 1);
    t.send_in(0, 1, "topic://t", "a", ferrymq_model::DeliveryMode::Persistent);
    t.send_in(0, 1, "q", "b", ferrymq_model::DeliveryMode::Persistent);
    t.commit(0, 1, None);
    t.subscribe_as(0, 1, "topic://t", |wishes| wishes.retroactive = true);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 s9 #1 b\n0 s1 #1 a");
}
