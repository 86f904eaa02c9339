//! Destinations that clients make and delete themselves.

use crate::driver::{Bench, destination, token};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{ProducerId, Request, Settlement};
use std::sync::Arc;

fn create(t: &mut Bench, name: &str, number: u64) -> String {
    t.ask(0, Request::CreateDestination { destination: destination(name), confirm: token(number) });
    t.flush();
    t.events()
}

fn delete(t: &mut Bench, name: &str, number: u64) -> String {
    t.ask(0, Request::DeleteDestination { destination: destination(name), confirm: token(number) });
    t.flush();
    t.events()
}

#[test]
fn a_queue_that_was_made_is_there_after_a_restart_until_it_is_deleted() {
    let mut t = Bench::new();
    t.connect(0);
    assert_eq!(create(&mut t, "q", 1), "0 confirmed 1");
    assert_eq!(create(&mut t, "q", 2), "0 confirmed 2");
    assert_eq!(create(&mut t, "topic://t", 3), "0 confirmed 3");
    assert_eq!(t.destinations(), 2);
    t.restart();
    assert_eq!(t.counts("q"), "0/0/0/0");
    t.connect(0);
    assert_eq!(delete(&mut t, "q", 4), "0 confirmed 4");
    t.restart();
    assert_eq!(t.destinations(), 0);
}

#[test]
fn what_a_deleted_queue_held_is_gone_for_good() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "q", "a", token(1));
    t.send(0, "q", "b");
    t.flush();
    t.events();
    assert_eq!(delete(&mut t, "q", 2), "0 confirmed 2");
    t.send_durably(0, "q", "new", token(3));
    t.flush();
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 s1 #1 new");
    assert_eq!(t.counts("q"), "1/1/0/0");
}

#[test]
fn whoever_listens_keeps_it() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.subscribe(0, 1, "q");
    t.subscribe(0, 2, "topic://*");
    t.subscribe_as(0, 3, "topic://d", |wishes| wishes.mode = SubscribeMode::Durable("d".into()));
    t.unsubscribe(0, 3);
    t.send(0, "topic://t", "a");
    t.flush();
    t.events();
    for name in ["queue://q", "topic://t", "topic://d"] {
        let refused = format!("0 refused 5 DurableInUse: Destination still has an active subscription: {name}");
        assert_eq!(delete(&mut t, name, 5), refused);
    }
    t.unsubscribe(0, 1);
    assert_eq!(delete(&mut t, "q", 6), "0 confirmed 6");
    assert_eq!(delete(&mut t, "q", 7), "0 confirmed 7", "it is gone already");
}

#[test]
fn temporary_destinations_and_patterns_are_not_made_or_deleted_so() {
    let mut t = Bench::new();
    t.connect(0);
    let refused = "0 refused 1 InvalidDestination: queue://a.* is no queue or topic that can be made or deleted";
    assert_eq!(create(&mut t, "a.*", 1), refused);
    assert_eq!(delete(&mut t, "a.*", 1), refused);
}

#[test]
fn a_producer_makes_it_again_and_what_a_transaction_holds_of_it_is_forgotten() {
    let mut t = Bench::new();
    t.connect(0);
    t.producer(0, 1, "q");
    t.subscribe(0, 1, "q");
    t.send(0, "q", "a");
    t.begin(0, 1);
    let all = ferrymq_model::Deliveries::Through(ferrymq_model::DeliveryId(9));
    t.settle_in(0, 1, all, Settlement::Consumed, Some(1), None);
    t.unsubscribe(0, 1);
    t.events();
    assert_eq!(delete(&mut t, "q", 2), "0 confirmed 2");
    t.commit(0, 1, token(3));
    let message = Arc::new(t.message("q", "b"));
    t.ask(0, Request::Send { producer: ProducerId(1), message, transaction: None, confirm: token(4) });
    assert_eq!(t.events(), "0 confirmed 3\n0 confirmed 4");
    assert_eq!(t.counts("q"), "1/0/1/0");
}

#[test]
fn a_browser_of_a_deleted_queue_ends() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    t.subscribe_as(0, 1, "q", |wishes| {
        wishes.mode = SubscribeMode::Browse;
        wishes.prefetch = 1;
    });
    assert_eq!(t.events(), "0 s1 #1 a");
    assert_eq!(delete(&mut t, "q", 1), "0 s1 end\n0 confirmed 1");
}

#[test]
fn every_message_says_who_sent_it_where_that_is_wished() {
    let settings = ferrymq_broker::Settings { populate_user_id: true, ..ferrymq_broker::Settings::default() };
    let mut t = Bench::with(settings);
    let connect = |t: &mut Bench, slot: u32, user: Option<&str>| {
        let (user, confirm) = (user.map(Arc::from), ferrymq_model::Token(0));
        t.ask(slot, Request::Connect { name: None, client_id: None, user, peer: None, confirm });
    };
    connect(&mut t, 0, Some("alice"));
    connect(&mut t, 1, None);
    t.subscribe_as(0, 1, "q", |wishes| wishes.selector = Some("JMSXUserID = 'alice'".into()));
    t.events();
    t.send(0, "q", "a");
    t.begin(0, 1);
    t.send_in(0, 1, "q", "b", ferrymq_model::DeliveryMode::NonPersistent);
    t.commit(0, 1, None);
    t.send_as(1, "q", "forged", None, |message| {
        message.header.annotations.get_or_insert_default().user = Some("alice".into());
    });
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b");
    assert_eq!(t.counts("q"), "3/2/3/0");
}
