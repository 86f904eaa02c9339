//! Consumers that do not want what their own connection sent.

use crate::driver::Bench;
use ferrymq_model::{Request, Settlement, Token};

fn connect(t: &mut Bench, slot: u32, name: &str) {
    let name = Some(name.into());
    t.ask(slot, Request::Connect { name, client_id: None, user: None, peer: None, confirm: Token(1) });
    t.events();
}

/// Sends as OpenWire does: the producer's name is the connection's with more behind it.
fn send(t: &mut Bench, to: &str, producer: &str, body: &str) {
    t.send_as(9, to, body, None, |message| message.header.id.producer = producer.into());
}

#[test]
fn a_queue_keeps_what_the_only_consumer_sent_itself() {
    let mut t = Bench::new();
    t.connect(9);
    connect(&mut t, 0, "ID:a-1");
    t.subscribe_as(0, 1, "q", |s| s.no_local = true);
    send(&mut t, "q", "ID:a-1:1:1", "own");
    send(&mut t, "q", "ID:a-11:1:1", "of another with a longer name");
    send(&mut t, "q", "ID:a-1", "own, too");
    assert_eq!(t.events(), "0 s1 #1 of another with a longer name");
    assert_eq!(t.counts("q"), "3/1/3/0");
    t.subscribe(9, 1, "q");
    assert_eq!(t.events(), "9 s1 #1 own\n9 s1 #2 own, too");
    t.settle(0, 1, 1, Settlement::Consumed);
}

#[test]
fn a_topic_subscription_gets_what_others_sent() {
    let mut t = Bench::new();
    t.connect(9);
    connect(&mut t, 0, "ID:a-1");
    t.subscribe_as(0, 1, "topic://t", |s| s.no_local = true);
    send(&mut t, "topic://t", "ID:a-1:1:1", "own");
    send(&mut t, "topic://t", "ID:b-1:1:1", "other");
    assert_eq!(t.events(), "0 s1 #1 other");
}
