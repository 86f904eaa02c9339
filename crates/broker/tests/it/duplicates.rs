//! What a client sends again after it lost the answer is taken once.

use crate::driver::{Bench, token};
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::{ProducerId, Request};
use ferrymq_storage::journal::PRODUCERS_MAX;

#[test]
fn what_is_sent_again_is_confirmed_and_forgotten() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.send_counted(0, (1, "p", 1), "q", None, token(1));
    t.send_counted(0, (1, "p", 2), "q", None, token(2));
    t.send_counted(0, (1, "p", 1), "q", None, token(3));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 confirmed 3");
    t.send_counted(0, (1, "p", 2), "q", None, token(4));
    t.send_counted(0, (1, "p", 3), "q", None, token(5));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 4\n0 confirmed 5");
    assert_eq!(t.bodies("q"), "p1 p2 p3");
}

#[test]
fn a_repeated_send_is_confirmed_only_when_the_first_is_durable() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.counted_producer(0, 1, "p", "q");
    t.send_counted(0, (1, "p", 1), "q", None, None);
    // The client came back on another connection before the journal was written.
    t.disconnect(0);
    t.counted_producer(1, 1, "p", "q");
    t.send_counted(1, (1, "p", 1), "q", None, token(2));
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "1 confirmed 2");
    assert_eq!(t.counts("q"), "1/0/1/0");
}

#[test]
fn what_was_taken_is_known_after_a_restart_also_when_it_was_consumed() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.counted_producer(0, 2, "n", "q");
    t.send_counted(0, (1, "p", 7), "q", None, token(1));
    // Not persistent: known to this process alone.
    t.send_counted_as(0, (2, "n", 7), "q", NonPersistent, None, None);
    t.flush();
    t.subscribe(0, 1, "q");
    t.settle_in(
        0,
        1,
        ferrymq_model::Deliveries::Through(ferrymq_model::DeliveryId(2)),
        ferrymq_model::Settlement::Consumed,
        None,
        token(2),
    );
    t.flush();
    for _ in 0..3 {
        // Each start writes a new segment with the table, and deletes the one before.
        t.restart();
        t.flush_all();
    }
    t.events();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.counted_producer(0, 2, "n", "q");
    t.send_counted(0, (1, "p", 7), "q", None, token(3));
    t.send_counted_as(0, (2, "n", 7), "q", Persistent, None, token(4));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 3\n0 confirmed 4");
    assert_eq!(t.bodies("q"), "n7");
}

#[test]
fn a_message_that_was_refused_may_be_sent_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.short_of_space = true;
    t.send_counted(0, (1, "p", 1), "q", None, token(1));
    t.flush();
    t.send_counted(0, (1, "p", 2), "q", None, token(2));
    t.short_of_space = false;
    t.flush_all();
    t.send_counted(0, (1, "p", 2), "q", None, token(3));
    t.flush();
    let refused =
        "0 refused 2 LimitReached: the disk is full: no persistent message is taken until there is room again";
    assert_eq!(t.events(), format!("0 confirmed 1\n{refused}\n0 confirmed 3"));
    assert_eq!(t.bodies("q"), "p1 p2");
}

#[test]
fn a_replayed_transaction_happens_once() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    for attempt in 1..=2 {
        t.begin(0, attempt);
        for sequence in 1..=3 {
            t.send_counted(0, (1, "p", sequence), "q", Some(attempt), None);
        }
        t.commit(0, attempt, token(attempt));
    }
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2");
    assert_eq!(t.bodies("q"), "p1 p2 p3");
}

#[test]
fn what_a_transaction_sent_counts_only_with_its_commit() {
    let mut t = Bench::new();
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    t.begin(0, 1);
    t.send_counted(0, (1, "p", 1), "q", Some(1), None);
    t.rollback(0, 1);
    t.begin(0, 2);
    t.send_counted(0, (1, "p", 1), "q", Some(2), None);
    t.commit(0, 2, token(1));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
    assert_eq!(t.bodies("q"), "p1");
}

#[test]
fn a_producer_that_does_not_ask_for_it_may_send_what_it_wants() {
    let mut t = Bench::new();
    t.connect(0);
    t.producer(0, 1, "q");
    for _ in 0..2 {
        t.send_counted(0, (1, "p", 1), "q", None, None);
    }
    t.flush();
    assert_eq!(t.bodies("q"), "p1 p1");
    assert!(t.journal.producers().is_empty());
}

#[test]
fn more_producers_than_are_remembered_are_refused_while_all_are_open() {
    let mut t = Bench::new();
    for number in 0..PRODUCERS_MAX {
        let session = u32::try_from(number / 1000).unwrap();
        if number % 1000 == 0 {
            t.journal.producers_mut();
        }
        t.journal.producers_mut().open(&format!("{session}:{number}").into()).unwrap();
    }
    t.connect(0);
    t.counted_producer(0, 1, "p", "q");
    assert_eq!(
        t.events(),
        "0 refused LimitReached: at most 65536 producers whose messages are counted are open at a time"
    );
    t.ask(0, Request::RemoveProducer { producer: ProducerId(1) });
    assert_eq!(t.events(), "0 refused Unknown: producer 1 is not known");
}

#[test]
fn a_commit_that_is_asked_for_again_was_committed() {
    let mut t = Bench::new();
    t.connect(0);
    let begin = |transaction| Request::Begin {
        transaction: ferrymq_model::TransactionId(transaction),
        name: Some(format!("c:{transaction}").into()),
        confirm: None,
    };
    let ask = |t: &mut Bench, name: &str, number| {
        t.ask(0, Request::WasCommitted { name: name.into(), confirm: ferrymq_model::Token(number) });
    };
    for transaction in 1..=3 {
        t.ask(0, begin(transaction));
        t.send_in(0, transaction, "q", "m", Persistent);
    }
    t.commit(0, 1, None);
    t.rollback(0, 2);
    ask(&mut t, "c:1", 1);
    assert_eq!(t.events(), "");
    t.flush();
    ask(&mut t, "c:2", 2);
    ask(&mut t, "c:3", 3);
    let unknown = |name: &str, number| format!("0 refused {number} Unknown: transaction {name} is not known");
    assert_eq!(t.events(), format!("0 confirmed 1\n{}\n{}", unknown("c:2", 2), unknown("c:3", 3)));
    for _ in 0..3 {
        t.restart();
    }
    t.connect(0);
    ask(&mut t, "c:1", 1);
    ask(&mut t, "c:3", 3);
    assert_eq!(t.events(), format!("0 confirmed 1\n{}", unknown("c:3", 3)));
}
