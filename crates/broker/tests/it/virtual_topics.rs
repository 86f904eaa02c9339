//! Topics whose messages go to queues, too.

use crate::driver::{Bench, token};
use ferrymq_broker::{Settings, VirtualTopic};
use ferrymq_model::event::Delivery;
use ferrymq_model::{DeliveryMode, Event, ProducerId, Request};
use ferrymq_storage::Disk;
use std::sync::Arc;

fn deliveries(t: &mut Bench) -> Vec<Delivery> {
    let delivered = |event| match event {
        Event::Deliver(delivery) => Some(delivery),
        _ => None,
    };
    t.take_events().into_iter().filter_map(|(_, event)| delivered(event)).collect()
}

#[test]
fn each_group_gets_a_copy_and_shares_it_among_its_consumers() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    t.subscribe(0, 2, "Consumer.A.VirtualTopic.X");
    t.subscribe(0, 3, "Consumer.B.VirtualTopic.X");
    t.subscribe(0, 4, "topic://VirtualTopic.X");
    t.subscribe(0, 5, "Consumer.A.VirtualTopic.Y");
    t.send(0, "topic://VirtualTopic.X", "a");
    t.send(0, "topic://VirtualTopic.X", "b");
    let expected = ["0 s4 #1 a", "0 s1 #1 a", "0 s3 #1 a", "0 s4 #2 b", "0 s2 #1 b", "0 s3 #2 b"];
    let shown: Vec<String> = t.events().lines().map(|line| line.split(" from").next().unwrap().to_owned()).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_copy_names_its_queue_and_where_it_was_sent() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    t.send_durably(0, "topic://VirtualTopic.X", "a", None);
    let shows = |delivery: &Delivery| {
        assert_eq!(delivery.destination.as_ref().unwrap().to_string(), "queue://Consumer.A.VirtualTopic.X");
        assert_eq!(delivery.message.header.destination.to_string(), "topic://VirtualTopic.X");
    };
    shows(&deliveries(&mut t)[0]);
    t.flush();
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    shows(&deliveries(&mut t)[0]);
}

#[test]
fn a_message_for_many_groups_is_stored_once() {
    let grown = |groups: u32| {
        let mut t = Bench::new();
        t.connect(0);
        for group in 0..groups {
            t.subscribe(0, group, &format!("Consumer.{group}.VirtualTopic.X"));
        }
        t.send_durably(0, "topic://VirtualTopic.X", &"x".repeat(10_000), token(1));
        t.flush();
        let segments = t.disk.list().unwrap();
        let bodies = |segment| t.disk.segment_mut(segment).unwrap().iter().filter(|byte| **byte == b'x').count();
        segments.into_iter().map(bodies).sum::<usize>()
    };
    assert!(grown(50) < 11_000, "one body, not fifty");
}

#[test]
fn a_group_that_came_later_gets_what_comes_then() {
    let mut t = Bench::new();
    t.connect(0);
    t.producer(0, 1, "topic://VirtualTopic.X");
    let send = |t: &mut Bench, body: &str| {
        let message = Arc::new(t.message("topic://VirtualTopic.X", body));
        t.ask(0, Request::Send { producer: ProducerId(1), message, transaction: None, confirm: None });
    };
    send(&mut t, "lost");
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    send(&mut t, "kept");
    assert_eq!(crate::driver::body(&deliveries(&mut t)[0].message), "kept");
    assert_eq!(t.counts("Consumer.A.VirtualTopic.X"), "1/1/1/0");
}

#[test]
fn a_group_that_nothing_was_sent_to_yet_is_there_after_a_restart() {
    for queue in ["Consumer.A.VirtualTopic.X", "Consumer.A.VirtualTopic.>"] {
        let mut t = Bench::new();
        t.connect(0);
        t.subscribe(0, 1, queue);
        t.flush();
        t.restart();
        t.connect(0);
        t.send_durably(0, "topic://VirtualTopic.X", "kept", None);
        t.subscribe(0, 1, queue);
        let bodies: Vec<_> = deliveries(&mut t).iter().map(|it| crate::driver::body(&it.message).to_owned()).collect();
        assert_eq!(bodies, ["kept"], "{queue}");
    }
}

#[test]
fn in_a_transaction_it_comes_to_all_groups_with_the_commit() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    t.subscribe(0, 2, "Consumer.B.VirtualTopic.X");
    t.begin(0, 1);
    t.send_in(0, 1, "topic://VirtualTopic.X", "a", DeliveryMode::Persistent);
    assert_eq!(t.events(), "");
    t.commit(0, 1, None);
    t.flush();
    assert_eq!(deliveries(&mut t).len(), 2);
    t.begin(0, 2);
    t.send_in(0, 2, "topic://VirtualTopic.X", "b", DeliveryMode::Persistent);
    t.rollback(0, 2);
    assert_eq!(deliveries(&mut t).len(), 0);
}

#[test]
fn a_group_of_many_topics_is_one_queue() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.ORDERS.>");
    t.unsubscribe(0, 1);
    t.send(0, "topic://VirtualTopic.ORDERS.EU", "a");
    t.send(0, "topic://VirtualTopic.ORDERS.US", "b");
    t.send(0, "topic://VirtualTopic.NEWS", "c");
    assert_eq!(t.counts("Consumer.A.VirtualTopic.ORDERS.>"), "2/0/2/0");
    let before = t.destinations();
    t.subscribe(0, 2, "Consumer.>");
    t.subscribe(0, 3, "Consumer.*.VirtualTopic.NEWS");
    assert_eq!(t.destinations(), before, "one that looks at all groups is no group");
}

#[test]
fn what_an_address_reaches_by_two_ways_gets_one_copy() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    t.send(0, "topic://VirtualTopic.X,queue://Consumer.A.VirtualTopic.X,queue://q", "a");
    t.send(0, "topic://VirtualTopic.*", "b");
    assert_eq!(t.counts("Consumer.A.VirtualTopic.X"), "2/2/2/0");
    assert_eq!(t.counts("q"), "1/0/1/0");
}

#[test]
fn a_rule_may_name_other_topics_and_look_at_selectors() {
    let rule =
        VirtualTopic { name: "EVENTS.*".into(), prefix: "".into(), postfix: ".for.*".into(), selector_aware: true };
    let mut t = Bench::with(Settings { virtual_topics: vec![rule], ..Settings::default() });
    t.connect(0);
    t.subscribe_as(0, 1, "EVENTS.A.for.me", |wishes| wishes.selector = Some("colour = 'red'".into()));
    t.subscribe(0, 2, "Consumer.A.VirtualTopic.X");
    t.send(0, "topic://VirtualTopic.X", "unknown");
    t.send(0, "topic://EVENTS.A", "colour=red|a");
    t.send(0, "topic://EVENTS.A", "colour=blue|b");
    t.send(0, "EVENTS.A.for.me", "colour=blue|c");
    assert_eq!(t.counts("EVENTS.A.for.me"), "2/1/2/0");
    assert_eq!(t.counts("Consumer.A.VirtualTopic.X"), "0/0/0/0");
    t.unsubscribe(0, 1);
    t.send(0, "topic://EVENTS.A", "colour=red|d");
    assert_eq!(t.counts("EVENTS.A.for.me"), "2/0/2/0");
}
