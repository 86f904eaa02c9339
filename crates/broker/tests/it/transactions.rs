//! Local transactions.

use crate::driver::{Bench, token};
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement};

#[test]
fn what_is_sent_in_a_transaction_comes_with_its_commit() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.begin(0, 1);
    t.send_in(0, 1, "q", "a", NonPersistent);
    t.send_in(0, 1, "q", "b", NonPersistent);
    assert_eq!(t.events(), "");
    t.commit(0, 1, token(2));
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b\n0 confirmed 2");
}

#[test]
fn a_persistent_commit_delivers_nothing_before_it_is_durable_and_keeps_its_place() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.subscribe(0, 2, "topic://t");
    t.begin(0, 1);
    t.send_in(0, 1, "q", "a", Persistent);
    t.send_in(0, 1, "topic://t", "b", NonPersistent);
    t.commit(0, 1, token(2));
    t.send(0, "q", "later");
    t.send(0, "topic://t", "later");
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 2\n0 s1 #1 a\n0 s1 #2 later\n0 s2 #1 b\n0 s2 #2 later");
}

#[test]
fn a_rollback_forgets_sends_and_leaves_deliveries_with_their_consumer() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    assert_eq!(t.events(), "0 s1 #1 a");
    t.begin(0, 1);
    t.send_in(0, 1, "q", "never", NonPersistent);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    // A transaction may span more than the window.
    assert_eq!(t.events(), "0 s1 #2 b");
    t.rollback(0, 1);
    assert_eq!(t.events(), "");
    assert_eq!(t.counts("q"), "2/2/2/0");
    t.settle_in(0, 1, Deliveries::Through(DeliveryId(2)), Settlement::Consumed, None, None);
    assert_eq!(t.counts("q"), "0/0/2/2");
}

#[test]
fn a_commit_consumes_and_sends_at_once_or_not_at_all() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe(0, 1, "in");
    t.send_durably(0, "in", "a", None);
    t.flush();
    t.temporary(1, "temp-queue://one.1");
    t.events();
    t.begin(0, 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.send_in(0, 1, "out", "b", Persistent);
    t.send_in(0, 1, "temp-queue://one.1", "c", NonPersistent);
    t.disconnect(1);
    t.commit(0, 1, token(5));
    assert_eq!(
        t.events(),
        "0 refused 5 InvalidDestination: Cannot publish to a deleted Destination: temp-queue://one.1"
    );
    assert_eq!(t.counts("in"), "1/1/1/0");
    t.rollback(0, 1);
    t.restart();
    assert_eq!(t.counts("in"), "1/0/0/0");
}

/// A client that sends without waiting for the answer asks for the commit in the same breath: the session that hears of the
/// refusal has passed the commit on already. So it is the broker that must not commit, and only what misses something.
#[test]
fn what_misses_something_that_nobody_waited_for_is_not_committed_and_nothing_else_is_touched() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.temporary(1, "temp-queue://one.1");
    t.subscribe(0, 1, "q");
    t.send(0, "q", "read");
    t.events();
    for transaction in [1, 2, 3] {
        t.begin(0, transaction);
        t.send_in(0, transaction, "out", &format!("of {transaction}"), Persistent);
    }
    t.disconnect(1);
    t.send_in(0, 1, "temp-queue://one.1", "lost", NonPersistent);
    t.settle_in(0, 9, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(2), None);
    // Of no transaction.
    t.send(0, "temp-queue://one.1", "lost, too");
    let gone = "Cannot publish to a deleted Destination: temp-queue://one.1";
    let lines = [
        format!("0 refused InvalidDestination: {gone}"),
        "0 refused Unknown: subscription 9 is not known".to_owned(),
        format!("0 refused InvalidDestination: {gone}"),
    ];
    assert_eq!(t.events(), lines.join("\n"));
    for transaction in [1, 2, 3] {
        t.commit(0, transaction, token(transaction));
    }
    t.flush();
    let lines = [
        format!("0 refused 1 InvalidDestination: something of the transaction was refused before: {gone}"),
        "0 refused 2 Unknown: something of the transaction was refused before: subscription 9 is not known".to_owned(),
        "0 confirmed 3".to_owned(),
    ];
    assert_eq!(t.events(), lines.join("\n"));
    assert_eq!(t.bodies("out"), "of 3");
}

/// Who asks for an answer hears of the refusal, and decides.
#[test]
fn what_was_refused_to_somebody_who_waited_is_no_part_of_the_transaction() {
    let mut t = Bench::new();
    t.connect(0);
    t.begin(0, 1);
    t.send_in(0, 1, "out", "a", NonPersistent);
    let message = t.message("temp-queue://gone", "b");
    t.send_message(0, "temp-queue://gone", message, Some(1), token(2));
    t.commit(0, 1, token(3));
    let gone = "Cannot publish to a deleted Destination: temp-queue://gone";
    assert_eq!(t.events(), format!("0 refused 2 InvalidDestination: {gone}\n0 confirmed 3"));
}

#[test]
fn a_commit_survives_whole() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "in");
    t.send_durably(0, "in", "a", None);
    t.flush();
    t.begin(0, 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.send_in(0, 1, "out", "b", Persistent);
    let before = t.disk.clone();
    t.commit(0, 1, token(5));
    t.flush();
    let after = t.disk.clone();
    t.crash_to(before);
    assert_eq!(t.counts("in"), "1/0/0/0");
    t.crash_to(after);
    assert_eq!((t.counts("in"), t.counts("out")), ("0/0/0/0".to_owned(), "1/0/0/0".to_owned()));
}

#[test]
fn an_open_transaction_keeps_deliveries_when_their_subscription_ends() {
    let mut t = Bench::new();
    t.connect(0);
    for body in ["a", "b", "c"] {
        t.send(0, "q", body);
    }
    t.subscribe(0, 1, "q");
    t.begin(0, 1);
    t.begin(0, 2);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(2)), Settlement::Consumed, Some(2), None);
    t.events();
    t.unsubscribe(0, 1);
    t.subscribe(0, 2, "q");
    assert_eq!(t.events(), "0 s2 #1 c again 1");
    t.commit(0, 1, None);
    t.rollback(0, 2);
    assert_eq!(t.events(), "0 s2 #2 b again 1");
    assert_eq!(t.counts("q"), "2/2/3/1");
}

#[test]
fn a_session_that_ends_rolls_back() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.send(1, "q", "a");
    t.subscribe(0, 1, "q");
    t.begin(0, 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, Some(1), None);
    t.send_in(0, 1, "q", "never", NonPersistent);
    t.events();
    t.ask(0, Request::Disconnect);
    t.subscribe(1, 1, "q");
    assert_eq!(t.events(), "1 s1 #1 a again 1");
}
