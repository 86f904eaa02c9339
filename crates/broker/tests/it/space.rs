//! A disk without room: what can be refused is refused, what makes room is not.

use crate::driver::{Bench, token};
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement, TransactionId};

const FULL: &str = "the disk is full: no persistent message is taken until there is room again";

/// A queue with two stored messages that session 1 has, and a journal that knows that its disk is short of space.
fn short() -> Bench {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe(1, 1, "q");
    t.send_durably(0, "q", "a", None);
    t.short_of_space = true;
    t.send_durably(0, "q", "b", token(1));
    t.flush();
    assert_eq!(t.events(), "1 s1 #1 a\n1 s1 #2 b\n0 confirmed 1");
    assert!(t.journal.is_short_of_space());
    t
}

#[test]
fn without_room_persistent_messages_are_refused_and_others_are_not() {
    let mut t = short();
    t.send_durably(0, "q", "c", token(2));
    assert!(t.events().contains(FULL));
    t.send(0, "q", "d");
    t.send_durably(0, "topic://nobody.keeps.it", "e", token(3));
    assert_eq!(t.events(), "1 s1 #3 d\n0 confirmed 3");
}

#[test]
fn without_room_settlements_are_taken_and_sends_go_on_when_there_is_room() {
    let mut t = short();
    let both = Deliveries::Through(DeliveryId(2));
    t.settle_in(1, 1, both, Settlement::Consumed, None, token(2));
    t.flush();
    assert_eq!(t.events(), "1 confirmed 2");
    t.short_of_space = false;
    t.flush_all();
    t.send_durably(0, "q", "c", token(3));
    t.flush();
    assert_eq!(t.events(), "1 s1 #3 c\n0 confirmed 3");
    t.restart();
    assert_eq!(t.counts("q").split('/').next(), Some("1"));
}

#[test]
fn without_room_a_transaction_with_persistent_messages_stays_open_and_one_without_commits() {
    let mut t = short();
    for transaction in [1, 2] {
        t.ask(0, Request::Begin { transaction: TransactionId(transaction), name: None, confirm: None });
    }
    t.send_in(0, 1, "q", "c", Persistent);
    t.send_in(0, 2, "q", "d", NonPersistent);
    t.ask(0, Request::Commit { transaction: TransactionId(1), confirm: token(2) });
    assert!(t.events().contains(FULL));
    t.ask(0, Request::Commit { transaction: TransactionId(2), confirm: token(3) });
    t.flush();
    assert_eq!(t.events(), "1 s1 #3 d\n0 confirmed 3");
    t.short_of_space = false;
    t.flush_all();
    t.ask(0, Request::Commit { transaction: TransactionId(1), confirm: token(4) });
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4\n1 s1 #4 c");
}
