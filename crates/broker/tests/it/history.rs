//! The past that new durable and shared subscriptions get of topics that keep one.

use crate::driver::{Bench, destination, token};
use ferrymq_broker::Settings;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{DeliveryMode, Event, Settlement, Subscribe};

fn keeping(messages: u32) -> Bench {
    let mut t = Bench::with(Settings { history_messages_max: messages, ..Settings::default() });
    t.connect_as(0, Some("me"));
    t.connect(1);
    t
}

fn retroactive(s: &mut Subscribe) {
    s.mode = SubscribeMode::Durable("d".into());
    s.retroactive = true;
    s.confirm = token(1);
}

fn flushed(t: &mut Bench) -> String {
    t.flush();
    t.events()
}

#[test]
fn a_new_durable_subscription_gets_what_its_topic_keeps_and_has_it_for_good() {
    let mut t = keeping(2);
    for body in ["a", "b", "c"] {
        t.send_durably(1, "topic://t", body, None);
    }
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert_eq!(t.events(), "", "it is not on disk");
    t.send_durably(1, "topic://t", "d", None);
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s1 #1 b\n0 s1 #2 c\n0 s1 #3 d");
    t.settle(0, 1, 1, Settlement::Consumed);
    t.journal.flush_lazy();
    t.flush();
    t.restart();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert_eq!(t.events(), "0 confirmed 1\n0 s1 #1 c again 1\n0 s1 #2 d again 1");
}

#[test]
fn one_that_is_there_gets_no_past_when_its_client_comes_back() {
    let mut t = keeping(9);
    t.send_durably(1, "topic://t", "a", None);
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s1 #1 a");
    t.settle(0, 1, 1, Settlement::Consumed);
    t.unsubscribe(0, 1);
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert_eq!(flushed(&mut t), "0 confirmed 1");
}

#[test]
fn other_wishes_make_it_anew_with_the_past_that_it_wants() {
    let mut t = keeping(9);
    for body in ["colour=red|a", "colour=blue|b"] {
        t.send_durably(1, "topic://t", body, None);
    }
    t.send_durably(0, "topic://t", "colour=red|own", None);
    t.subscribe_as(0, 1, "topic://t", |s| {
        retroactive(s);
        s.no_local = true;
    });
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s1 #1 a\n0 s1 #2 b");
    t.unsubscribe(0, 1);
    t.subscribe_as(0, 1, "topic://t", |s| {
        retroactive(s);
        s.selector = Some("colour = 'red'".into());
    });
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s1 #1 a\n0 s1 #2 own");
}

#[test]
fn who_does_not_ask_gets_none() {
    let mut t = keeping(9);
    t.send_durably(1, "topic://t", "a", None);
    t.subscribe_as(0, 1, "topic://t", |s| {
        retroactive(s);
        s.retroactive = false;
    });
    assert_eq!(flushed(&mut t), "0 confirmed 1");
}

#[test]
fn what_is_not_persistent_comes_too_and_is_gone_with_the_broker() {
    let mut t = keeping(9);
    t.send(1, "topic://t", "light");
    t.send_durably(1, "topic://t", "heavy", None);
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s1 #1 light\n0 s1 #2 heavy");
    t.restart();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert!(t.events().contains("#1 heavy"));
}

#[test]
fn a_pattern_gets_the_past_of_every_topic_and_what_a_composite_sent_keeps_its_names() {
    let mut t = keeping(9);
    t.send_durably(1, "topic://t.a", "a", None);
    t.send_durably(1, "q,topic://t.b", "b", None);
    t.subscribe_as(0, 1, "topic://t.>", retroactive);
    t.flush();
    t.restart();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t.>", retroactive);
    let mut names = Vec::new();
    for (_, event) in t.take_events() {
        if let Event::Deliver(delivery) = event {
            let from = delivery.destination.unwrap_or(delivery.message.header.destination.clone());
            let original = delivery.message.annotations().and_then(|it| it.original_destination.clone());
            names.push((from, original));
        }
    }
    names.sort();
    let (a, b) = (destination("topic://t.a"), destination("topic://t.b"));
    let composite =
        ferrymq_model::Destination { kind: ferrymq_model::DestinationKind::Queue, name: "q,topic://t.b".into() };
    assert_eq!(names, [(a, None), (b, Some(composite.into()))]);
}

#[test]
fn nothing_of_a_transaction_comes_before_its_commit_is_durable() {
    let mut t = keeping(9);
    t.subscribe(1, 9, "q");
    t.begin(1, 1);
    t.send_in(1, 1, "topic://t", "a", DeliveryMode::NonPersistent);
    t.send_in(1, 1, "q", "b", DeliveryMode::Persistent);
    t.commit(1, 1, None);
    t.subscribe_as(0, 1, "topic://t", |s| {
        retroactive(s);
        s.confirm = None;
    });
    assert_eq!(t.events(), "");
    let events = flushed(&mut t);
    assert!(events.contains("0 s1 #1 a") && events.contains("1 s9 #1 b"), "{events}");
}

#[test]
fn without_room_on_disk_a_past_that_must_be_stored_is_refused_and_another_is_not() {
    let mut t = keeping(9);
    t.send_durably(1, "q", "x", None);
    t.send_durably(1, "topic://t", "a", None);
    t.send(1, "topic://u", "light");
    t.short_of_space = true;
    t.send_durably(1, "q", "y", None);
    t.flush();
    assert!(t.journal.is_short_of_space());
    t.subscribe_as(0, 1, "topic://t", retroactive);
    assert!(t.events().contains("the disk is full"));
    t.subscribe_as(0, 2, "topic://u", retroactive);
    assert_eq!(flushed(&mut t), "0 confirmed 1\n0 s2 #1 light");
}

#[test]
fn shared_subscriptions_get_it_once_for_all_of_their_consumers() {
    for mode in [SubscribeMode::Shared("s".into()), SubscribeMode::SharedDurable("s".into())] {
        let mut t = keeping(9);
        t.send_durably(1, "topic://t", "a", None);
        for id in [1, 2] {
            t.subscribe_as(1, id, "topic://t", |s| {
                s.mode = mode.clone();
                s.retroactive = true;
            });
        }
        assert_eq!(flushed(&mut t), "1 s1 #1 a");
    }
}
