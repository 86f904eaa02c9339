//! Temporary destinations.

use crate::driver::{Bench, destination, token};
use ferrymq_model::{Request, Settlement};

#[test]
fn only_its_owner_listens_and_anyone_sends() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(0, "temp-queue://0.1");
    t.subscribe(1, 1, "temp-queue://0.1");
    // As Classic says it; its clients look for the class and for these words.
    let refused = "subscribing to temp-queue://0.1 created by another connection is not permitted";
    assert_eq!(t.events(), format!("1 refused InvalidDestination: {refused}"));
    t.subscribe(0, 1, "temp-queue://0.1");
    t.send_durably(1, "temp-queue://0.1", "a", token(1));
    assert_eq!(t.events(), "0 s1 #1 a\n1 confirmed 1");
    t.ask(1, Request::DeleteTemporary { destination: destination("temp-queue://0.1"), confirm: token(2) });
    assert_eq!(t.events(), "1 refused 2 Denied: temp-queue://0.1 is no temporary destination of this connection");
}

/// Applications delete it in each of several places, as Classic lets them.
#[test]
fn one_that_is_gone_may_be_deleted_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.temporary(0, "temp-queue://0.1");
    for number in 1..=3 {
        t.ask(0, Request::DeleteTemporary { destination: destination("temp-queue://0.1"), confirm: token(number) });
    }
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 confirmed 3");
}

#[test]
fn it_dies_with_its_session() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(0, "temp-topic://0.1");
    t.producer(1, 1, "temp-topic://0.1");
    t.subscribe(0, 1, "temp-topic://0.1,q");
    t.disconnect(0);
    t.events();
    let message = t.message("temp-topic://0.1", "a").into();
    let producer = ferrymq_model::ProducerId(1);
    t.ask(1, Request::Send { producer, message, transaction: None, confirm: token(3) });
    assert_eq!(t.events(), "1 refused 3 InvalidDestination: Cannot publish to a deleted Destination: temp-topic://0.1");
}

#[test]
fn its_subscriptions_end_with_it() {
    let mut t = Bench::new();
    t.connect(0);
    t.temporary(0, "temp-queue://0.1");
    t.subscribe(0, 1, "q,temp-queue://0.1");
    t.send(0, "q", "kept");
    t.send(0, "temp-queue://0.1", "gone");
    t.events();
    t.ask(0, Request::DeleteTemporary { destination: destination("temp-queue://0.1"), confirm: token(1) });
    assert_eq!(t.events(), "0 s1 ended: temp-queue://0.1 was deleted\n0 confirmed 1");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 refused Unknown: subscription 1 is not known");
    assert_eq!(t.counts("q"), "1/0/1/0");
}

#[test]
fn a_transaction_is_told_at_once_that_it_was_deleted() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(0, "temp-queue://0.1");
    t.producer(1, 1, "temp-queue://0.1");
    t.ask(0, Request::DeleteTemporary { destination: destination("temp-queue://0.1"), confirm: None });
    t.begin(1, 5);
    let (producer, transaction) = (ferrymq_model::ProducerId(1), Some(ferrymq_model::TransactionId(5)));
    let message = t.message("temp-queue://0.1", "a").into();
    t.ask(1, Request::Send { producer, message, transaction, confirm: token(3) });
    let refused = "1 refused 3 InvalidDestination: Cannot publish to a deleted Destination: temp-queue://0.1";
    assert_eq!(t.events(), refused);
    t.commit(1, 5, token(4));
    assert_eq!(t.events(), "1 confirmed 4");
}
