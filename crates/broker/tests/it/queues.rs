//! Queues: each message to one consumer.

use crate::driver::{Bench, token};
use ferrymq_model::{Deliveries, DeliveryId, Request, Seen, Settlement, SubscriptionId, Token};

#[test]
fn a_message_waits_for_a_consumer() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    assert_eq!(t.events(), "");
    assert_eq!(t.counts("q"), "2/0/2/0");
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b");
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(2)), Settlement::Consumed, None, token(7));
    assert_eq!(t.events(), "0 confirmed 7");
    assert_eq!(t.counts("q"), "0/0/2/2");
}

#[test]
fn consumers_take_turns_as_far_as_their_credit_goes() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    t.subscribe_as(1, 1, "q", |s| s.prefetch = 2);
    for body in ["a", "b", "c", "d", "e"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n1 s1 #1 b\n1 s1 #2 c");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #2 d");
    // Work in progress opens the window without giving the message up.
    t.settle(1, 1, 1, Settlement::Delivered);
    assert_eq!(t.events(), "1 s1 #3 e");
    assert_eq!(t.counts("q"), "4/4/5/1");
}

#[test]
fn unsettled_messages_go_back_in_order_when_their_consumer_leaves() {
    let mut t = Bench::new();
    for slot in 0..2 {
        t.connect(slot);
    }
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 3);
    for body in ["a", "b", "c", "d"] {
        t.send(1, "q", body);
    }
    t.settle(0, 1, 2, Settlement::Consumed);
    t.events();
    t.disconnect(0);
    t.subscribe(1, 5, "q");
    assert_eq!(t.events(), "1 s5 #1 a again 1\n1 s5 #2 c again 1\n1 s5 #3 d again 1");
}

#[test]
fn an_undelivered_message_goes_to_the_head() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 2);
    for body in ["a", "b", "c"] {
        t.send(0, "q", body);
    }
    t.events();
    let range = Deliveries::Range(DeliveryId(1), DeliveryId(2));
    t.settle_in(0, 1, range, Settlement::Undelivered, None, None);
    assert_eq!(t.events(), "0 s1 #3 a again 1\n0 s1 #4 b again 1");
}

#[test]
fn higher_priorities_overtake_and_each_keeps_its_order() {
    let mut t = Bench::new();
    t.connect(0);
    for (body, priority) in [("a4", 4), ("b9", 9), ("c0", 0), ("d9", 9), ("e4", 4), ("f200", 200)] {
        t.send_as(0, "q", body, None, |m| m.header.priority = priority);
    }
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 s1 #1 b9\n0 s1 #2 d9\n0 s1 #3 f200\n0 s1 #4 a4\n0 s1 #5 e4\n0 s1 #6 c0");
}

#[test]
fn consumers_of_a_higher_priority_go_first() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 5);
    t.subscribe_as(0, 2, "q", |s| {
        s.prefetch = 1;
        s.priority = 3;
    });
    for body in ["a", "b"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "0 s2 #1 a\n0 s1 #1 b");
}

#[test]
fn an_exclusive_consumer_gets_everything_and_the_next_one_follows() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    for id in [2, 3] {
        t.subscribe_as(0, id, "q", |s| s.exclusive = true);
    }
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    assert_eq!(t.events(), "0 s2 #1 a\n0 s2 #2 b");
    t.unsubscribe(0, 2);
    assert_eq!(t.events(), "0 s3 #1 a again 1\n0 s3 #2 b again 1");
}

#[test]
fn a_composite_address_sends_to_all_and_listens_to_all() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "a,b");
    t.subscribe(0, 2, "topic://c");
    t.send(0, "a,b,topic://c", "x");
    assert_eq!(t.events(), "0 s1 #1 x\n0 s1 #2 x from queue://b\n0 s2 #1 x from topic://c");
}

#[test]
fn patterns_cover_queues_made_before_and_after() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "in.a", "1");
    t.subscribe(0, 1, "in.*");
    t.send(0, "in.b", "2");
    t.send(0, "in.b.c", "3");
    assert_eq!(t.events(), "0 s1 #1 1\n0 s1 #2 2");
    // A send to a pattern goes to what exists, and to what exists later through the same producer.
    t.producer(0, 1, "in.>");
    t.send(0, "in.d", "4");
    t.events();
    let message = t.message("in.>", "5").into();
    t.ask(0, Request::Send { producer: ferrymq_model::ProducerId(1), message, transaction: None, confirm: None });
    assert_eq!(t.events(), "0 s1 #4 5 from queue://in.a\n0 s1 #5 5 from queue://in.b\n0 s1 #6 5 from queue://in.d");
    assert_eq!(t.counts("in.b.c"), "2/0/2/0");
}

#[test]
fn purging_takes_what_no_consumer_holds() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    for body in ["a", "b", "c"] {
        t.send_durably(0, "q", body, None);
    }
    t.flush();
    t.events();
    let destination = crate::driver::destination("q");
    t.ask(0, Request::Purge { destination, token: Token(3) });
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 purged 3 2");
    assert_eq!(t.counts("q"), "1/1/3/0");
    t.restart();
    assert_eq!(t.counts("q"), "1/0/0/0");
}

#[test]
fn unknown_things_are_refused() {
    let mut t = Bench::new();
    t.ask(3, Request::Confirm { confirm: Token(1) });
    assert_eq!(t.events(), "3 refused 1 Unknown: the session is not connected");
    t.connect(0);
    t.settle_in(0, 9, Deliveries::One(DeliveryId(1)), Settlement::Consumed, None, token(2));
    assert_eq!(t.events(), "0 refused 2 Unknown: subscription 9 is not known");
    t.subscribe(0, 1, "q");
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 refused Duplicate: subscription 1 exists");
    t.settle(0, 1, 77, Settlement::Consumed);
    assert_eq!(t.events(), "0 refused Unknown: delivery 77 of subscription 1 is not unsettled");
    t.ask(0, Request::Unsubscribe { subscription: SubscriptionId(4), seen: Seen::Unknown, confirm: token(5) });
    assert_eq!(t.events(), "0 refused 5 Unknown: subscription 4 is not known");
    t.commit(0, 8, token(6));
    assert_eq!(t.events(), "0 refused 6 Unknown: transaction 8 is not open");
}
