//! Subscriptions whose deliveries never come back: the bytes go when they are written, the count stays.

use crate::driver::{Bench, destination, token};
use ferrymq_model::request::Settles;
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement};

fn subscriber(to: &str, prefetch: u32) -> Bench {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, to, |s| {
        s.settles = Settles::Unreturned;
        s.prefetch = prefetch;
    });
    t
}

fn through(last: u64) -> Deliveries {
    Deliveries::Through(DeliveryId(last))
}

#[test]
fn what_was_written_holds_no_bytes_and_takes_its_place_in_the_window() {
    let mut t = subscriber("topic://t", 3);
    for body in ["a", "b", "c", "d", "e"] {
        t.send(0, "topic://t", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b\n0 s1 #3 c");
    let waiting = t.broker_memory() / 5 * 2;
    t.settle_in(0, 1, through(3), Settlement::Written, None, None);
    assert_eq!(t.broker_memory(), waiting);
    assert_eq!(t.events(), "");
    t.settle_in(0, 1, through(2), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 s1 #4 d\n0 s1 #5 e");
    t.settle(0, 1, 3, Settlement::Consumed);
    t.settle_in(0, 1, through(5), Settlement::Written, None, None);
    assert_eq!(t.broker_memory(), 0);
    t.settle(0, 1, 3, Settlement::Consumed);
    assert_eq!(t.events(), "0 refused Unknown: delivery 3 of subscription 1 is not unsettled");
    t.settle_in(0, 1, through(5), Settlement::Consumed, None, token(9));
    assert_eq!((t.events().as_str(), t.counts("t").as_str()), ("0 confirmed 9", "0/0/5/5"));
}

#[test]
fn what_the_consumer_settled_has_left() {
    let mut t = subscriber("topic://t", 10);
    for body in ["a", "b", "c", "d"] {
        t.send(0, "topic://t", body);
    }
    let (all, each) = (t.broker_memory(), t.broker_memory() / 4);
    t.settle_in(0, 1, through(1), Settlement::Consumed, None, None);
    assert_eq!(t.broker_memory(), all - each);
    // The session's word comes late for the first.
    t.settle_in(0, 1, through(3), Settlement::Written, None, None);
    assert_eq!(t.broker_memory(), each);
    t.settle_in(0, 1, through(3), Settlement::Consumed, None, None);
    t.unsubscribe(0, 1);
    assert_eq!((t.broker_memory(), t.counts("t").as_str()), (0, "0/0/4/3"));
}

#[test]
fn what_leaves_does_not_outlive_its_topic() {
    let mut t = subscriber("topic://t,topic://u", 10);
    t.begin(0, 7);
    for to in ["topic://t", "topic://u", "topic://t"] {
        t.send(0, to, "a");
    }
    t.settle_in(0, 1, through(1), Settlement::Consumed, Some(7), None);
    t.unsubscribe(0, 1);
    t.ask(0, Request::DeleteDestination { destination: destination("topic://t"), confirm: None });
    t.send(0, "topic://u", "b");
    t.commit(0, 7, token(1));
    assert_eq!((t.broker_memory(), t.events().lines().last().unwrap_or_default()), (0, "0 confirmed 1"));
}

#[test]
fn working_on_what_was_written_opens_the_window_once() {
    let mut t = subscriber("topic://t", 2);
    for body in ["a", "b", "c", "d", "e", "f"] {
        t.send(0, "topic://t", body);
    }
    t.settle_in(0, 1, through(2), Settlement::Written, None, None);
    t.events();
    t.settle(0, 1, 2, Settlement::Delivered);
    t.settle_in(0, 1, through(2), Settlement::Delivered, None, None);
    t.settle_in(0, 1, through(2), Settlement::Delivered, None, None);
    assert_eq!(t.events(), "0 s1 #3 c\n0 s1 #4 d");
    t.settle_in(0, 1, through(2), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "");
    t.settle_in(0, 1, through(4), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 s1 #5 e\n0 s1 #6 f");
}

#[test]
fn a_transaction_takes_what_was_written_and_gives_it_back() {
    let mut t = subscriber("topic://t", 3);
    for body in ["a", "b", "c", "d", "e", "f", "g"] {
        t.send(0, "topic://t", body);
    }
    t.settle_in(0, 1, through(3), Settlement::Written, None, None);
    t.events();
    t.begin(0, 7);
    let middle = Deliveries::Range(DeliveryId(2), DeliveryId(2));
    t.settle_in(0, 1, middle, Settlement::Consumed, Some(7), None);
    assert_eq!(t.events(), "0 s1 #4 d");
    t.rollback(0, 7);
    assert_eq!(t.events(), "");
    t.begin(0, 8);
    t.settle_in(0, 1, through(3), Settlement::Consumed, Some(8), None);
    assert_eq!(t.events(), "0 s1 #5 e\n0 s1 #6 f");
    t.commit(0, 8, None);
    assert_eq!(t.counts("t"), "0/0/7/3");
    t.unsubscribe(0, 1);
    assert_eq!(t.broker_memory(), 0);
}

#[test]
fn what_comes_from_queues_comes_back() {
    let mut t = subscriber("queue://q,topic://t", 10);
    t.send(0, "topic://t", "a");
    t.send(0, "q", "b");
    t.send(0, "topic://t", "c");
    t.settle_in(0, 1, through(3), Settlement::Written, None, None);
    t.unsubscribe(0, 1);
    assert_eq!(t.counts("q"), "1/0/1/0");
    t.events();
    t.subscribe(0, 2, "q");
    assert_eq!(t.events(), "0 s2 #1 b again 1");
}

#[test]
fn messages_of_other_subscriptions_are_not_concerned() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "topic://t");
    t.send(0, "topic://t", "a");
    t.settle_in(0, 1, through(1), Settlement::Written, None, token(1));
    t.settle(0, 1, 1, Settlement::Undelivered);
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 1\n0 s1 #2 a again 1");
}
