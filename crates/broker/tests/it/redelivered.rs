//! Which deliveries count as redeliveries: those that their consumer saw, and who decides that there were too many.

use crate::driver::Bench;
use ferrymq_broker::Settings;
use ferrymq_model::request::GivesUp;
use ferrymq_model::{Deliveries, DeliveryId, Request, Seen, Settlement, SubscriptionId};

fn consumer_of_three() -> Bench {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe(0, 1, "q");
    for body in ["a", "b", "c"] {
        t.send(1, "q", body);
    }
    t.events();
    t
}

fn leave(t: &mut Bench, seen: Seen) {
    t.ask(0, Request::Unsubscribe { subscription: SubscriptionId(1), seen, confirm: None });
    t.subscribe(1, 2, "q");
}

#[test]
fn what_the_consumer_saw_is_redelivered() {
    let mut t = consumer_of_three();
    leave(&mut t, Seen::Through(DeliveryId(2)));
    assert_eq!(t.events(), "1 s2 #1 a again 1\n1 s2 #2 b again 1\n1 s2 #3 c");
}

#[test]
fn what_the_consumer_did_not_see_is_delivered_for_the_first_time() {
    let mut t = consumer_of_three();
    leave(&mut t, Seen::None);
    assert_eq!(t.events(), "1 s2 #1 a\n1 s2 #2 b\n1 s2 #3 c");
}

#[test]
fn what_a_dead_connection_held_may_have_been_seen() {
    let mut t = consumer_of_three();
    t.disconnect(0);
    t.subscribe(1, 2, "q");
    assert_eq!(t.events(), "1 s2 #1 a again 1\n1 s2 #2 b again 1\n1 s2 #3 c again 1");
}

#[test]
fn unseen_messages_go_to_no_dead_letter_queue_however_often_they_come_back() {
    let mut t = Bench::with(Settings { redeliveries_max: 1, ..Settings::default() });
    t.connect(0);
    t.send_durably(0, "q", "a", None);
    for _ in 0..5 {
        t.subscribe(0, 1, "q");
        assert_eq!(t.events(), "0 s1 #1 a");
        t.ask(0, Request::Unsubscribe { subscription: SubscriptionId(1), seen: Seen::None, confirm: None });
    }
}

/// The broker gives up after one redelivery, but not for the consumers of connection 0.
fn consumer_that_gives_up_itself() -> Bench {
    let mut t = Bench::with(Settings { redeliveries_max: 1, ..Settings::default() });
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.gives_up = GivesUp::Consumer);
    t.send_durably(0, "q", "a", None);
    t
}

#[test]
fn where_the_consumer_gives_up_a_message_comes_again_as_often_as_it_goes_back() {
    let mut t = consumer_that_gives_up_itself();
    for delivery in 1..=4 {
        t.settle(0, 1, delivery, Settlement::Undelivered);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 a again 1\n0 s1 #3 a again 2\n0 s1 #4 a again 3\n0 s1 #5 a again 4");
    t.settle(0, 1, 5, Settlement::Poisoned("too often".into()));
    assert_eq!((t.counts("q").as_str(), t.counts("ActiveMQ.DLQ").as_str()), ("0/0/1/0", "1/0/1/0"));
}

#[test]
fn connections_that_die_bury_nothing_where_the_consumer_gives_up() {
    let mut t = consumer_that_gives_up_itself();
    for _ in 0..7 {
        t.disconnect(0);
        t.events();
        t.connect(0);
        t.subscribe_as(0, 1, "q", |s| s.gives_up = GivesUp::Consumer);
    }
    assert_eq!(t.events(), "0 s1 #1 a again 7");
}

#[test]
fn a_rolled_back_transaction_of_a_consumer_that_left_buries_nothing_where_the_consumer_gives_up() {
    let mut t = consumer_that_gives_up_itself();
    for transaction in 1..=3 {
        t.begin(0, transaction);
        t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(transaction), None);
        t.ask(0, Request::Unsubscribe { subscription: SubscriptionId(1), seen: Seen::Unknown, confirm: None });
        t.rollback(0, transaction);
        t.subscribe_as(0, 1, "q", |s| s.gives_up = GivesUp::Consumer);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #1 a again 1\n0 s1 #1 a again 2\n0 s1 #1 a again 3");
}

#[test]
fn a_broker_that_gives_up_counts_what_other_consumers_gave_back() {
    let mut t = consumer_that_gives_up_itself();
    t.settle(0, 1, 1, Settlement::Undelivered);
    t.events();
    t.disconnect(0);
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.settle(0, 1, 1, Settlement::Undelivered);
    assert_eq!((t.counts("q").as_str(), t.counts("ActiveMQ.DLQ").as_str()), ("0/0/1/0", "1/0/1/0"));
}

#[test]
fn at_the_end_nothing_goes_to_those_who_are_left() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe(0, 1, "q");
    t.send_durably(1, "q", "a", None);
    assert_eq!(t.events(), "0 s1 #1 a");
    t.subscribe(1, 1, "q");
    t.broker.close();
    t.disconnect(0);
    assert_eq!(t.events(), "");
    assert_eq!(t.counts("q"), "1/0/1/0");
}

#[test]
fn what_is_returned_comes_again_as_it_came_however_often() {
    let mut t = Bench::with(Settings { redeliveries_max: 1, ..Settings::default() });
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send_durably(0, "q", "a", None);
    t.send_durably(0, "q", "b", None);
    t.events();
    for number in 0..5 {
        let deliveries = Deliveries::Range(DeliveryId(2 * number + 1), DeliveryId(2 * number + 2));
        let (subscription, settlement) = (SubscriptionId(1), Settlement::Returned);
        t.ask(0, Request::settle(subscription, deliveries, settlement));
        let next = 2 * number + 3;
        assert_eq!(t.events(), format!("0 s1 #{next} a\n0 s1 #{} b", next + 1));
    }
}
