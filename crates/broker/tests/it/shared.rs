//! Shared subscriptions.

use crate::driver::{Bench, token};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Request, Settlement, Subscribe};

fn shared(t: &mut Bench, slot: u32, id: u32, to: &str, name: &str, change: impl FnOnce(&mut Subscribe)) {
    t.subscribe_as(slot, id, to, |wishes| {
        wishes.mode = SubscribeMode::Shared(name.into());
        change(wishes);
    });
}

fn durable(t: &mut Bench, slot: u32, id: u32, to: &str, name: &str) {
    t.subscribe_as(slot, id, to, |wishes| wishes.mode = SubscribeMode::SharedDurable(name.into()));
}

#[test]
fn its_consumers_take_turns_over_connections() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    shared(&mut t, 0, 1, "topic://t", "w", |_| {});
    shared(&mut t, 1, 1, "topic://t", "w", |_| {});
    shared(&mut t, 1, 2, "topic://t", "other", |_| {});
    for body in ["a", "b"] {
        t.send(0, "topic://t", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n1 s2 #1 a\n1 s1 #1 b\n1 s2 #2 b");
}

#[test]
fn what_one_consumer_leaves_another_gets_and_with_the_last_it_ends() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    shared(&mut t, 0, 1, "topic://t", "w", |_| {});
    t.send_durably(0, "topic://t", "a", None);
    assert_eq!(t.events(), "0 s1 #1 a");
    shared(&mut t, 1, 1, "topic://t", "w", |_| {});
    t.disconnect(0);
    assert_eq!(t.events(), "1 s1 #1 a again 1");
    t.disconnect(1);
    t.connect(0);
    t.send(0, "topic://t", "nobody");
    shared(&mut t, 0, 1, "topic://t", "w", |_| {});
    t.flush();
    assert_eq!(t.events(), "");
    t.restart();
    assert_eq!(t.destinations(), 0, "nothing of it is stored");
}

#[test]
fn who_comes_second_is_confirmed_no_earlier_than_it_is_durable() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.flush();
    t.take_events();
    durable(&mut t, 0, 1, "topic://t", "w");
    t.subscribe_as(1, 1, "topic://t", |wishes| {
        wishes.mode = SubscribeMode::SharedDurable("w".into());
        wishes.confirm = token(7);
    });
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "1 confirmed 7");
}

#[test]
fn several_consumers_of_one_connection_leave_together() {
    let mut t = Bench::new();
    t.connect(0);
    for id in 1..4 {
        shared(&mut t, 0, id, "topic://t,topic://u.>", "w", |_| {});
    }
    t.send(0, "topic://u.x", "a");
    t.begin(0, 1);
    t.settle_in(
        0,
        1,
        ferrymq_model::Deliveries::Through(ferrymq_model::DeliveryId(1)),
        Settlement::Consumed,
        Some(1),
        None,
    );
    t.disconnect(0);
    t.events();
    t.connect(1);
    shared(&mut t, 1, 1, "topic://t", "w", |_| {});
    t.send(1, "topic://t", "b");
    assert_eq!(t.events(), "1 s1 #1 b");
}

#[test]
fn topic_and_selector_are_the_same_for_all_who_use_it_at_a_time() {
    let mut t = Bench::new();
    t.connect(0);
    let red = |wishes: &mut Subscribe| wishes.selector = Some("colour = 'red'".into());
    shared(&mut t, 0, 1, "topic://t", "w", red);
    shared(&mut t, 0, 2, "topic://t", "w", |_| {});
    shared(&mut t, 0, 3, "topic://u", "w", red);
    let refused = "0 refused DurableInUse: shared subscription w is in use with another topic or selector";
    assert_eq!(t.events(), format!("{refused}\n{refused}"));
    t.send(0, "topic://t", "colour=blue|a");
    t.send(0, "topic://t", "colour=red|b");
    assert_eq!(t.events(), "0 s1 #1 b");
    t.unsubscribe(0, 1);
    shared(&mut t, 0, 2, "topic://t", "w", |_| {});
    t.send(0, "topic://t", "colour=blue|c");
    assert_eq!(t.events(), "0 s2 #1 c");
}

#[test]
fn a_durable_one_keeps_and_survives() {
    let mut t = Bench::new();
    t.connect(0);
    durable(&mut t, 0, 1, "topic://t", "w");
    durable(&mut t, 0, 2, "topic://t", "w");
    t.send_durably(0, "topic://t", "a", token(1));
    t.flush();
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 1");
    t.disconnect(0);
    t.connect(1);
    t.send_durably(1, "topic://t", "b", token(2));
    t.flush();
    t.restart();
    t.connect(0);
    durable(&mut t, 0, 1, "topic://t", "w");
    assert_eq!(t.events(), "0 s1 #1 a again 1\n0 s1 #2 b");
    durable(&mut t, 0, 2, "topic://t", "w");
    assert_eq!(t.events(), "", "it is shared after the restart, too");
    let delete = |t: &mut Bench, number| t.ask(0, Request::DeleteDurable { name: "w".into(), confirm: token(number) });
    delete(&mut t, 3);
    assert_eq!(t.events(), "0 refused 3 DurableInUse: Durable consumer is in use");
    t.unsubscribe(0, 1);
    t.unsubscribe(0, 2);
    delete(&mut t, 4);
    t.flush();
    assert_eq!(t.events(), "0 s2 #1 a again 2\n0 s2 #2 b again 1\n0 confirmed 4");
    t.restart();
    t.connect(0);
    durable(&mut t, 0, 1, "topic://t", "w");
    assert_eq!(t.events(), "");
}

#[test]
fn names_go_with_the_client_id_and_are_shared_or_not() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.connect(1);
    durable(&mut t, 0, 1, "topic://t", "w");
    durable(&mut t, 1, 1, "topic://u", "w");
    t.subscribe_as(0, 2, "topic://t", |wishes| wishes.mode = SubscribeMode::Durable("w".into()));
    assert_eq!(t.events(), "0 refused DurableInUse: durable subscription w exists and is shared");
    t.subscribe_as(0, 3, "topic://t", |wishes| wishes.mode = SubscribeMode::Durable("d".into()));
    durable(&mut t, 0, 4, "topic://t", "d");
    assert_eq!(t.events(), "0 refused DurableInUse: durable subscription d exists and is not shared");
    shared(&mut t, 0, 5, "topic://t", "d", |_| {});
    t.send(1, "topic://u", "a");
    assert_eq!(t.events(), "1 s1 #1 a");
}
