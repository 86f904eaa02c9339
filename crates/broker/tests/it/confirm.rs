//! Confirmations: durable first, and in order.

use crate::driver::{Bench, token};
use ferrymq_model::{Deliveries, DeliveryId, Request, Settlement, SubscriptionId, Token};

#[test]
fn a_persistent_message_is_delivered_before_it_is_durable_but_not_confirmed() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send_durably(0, "q", "a", token(1));
    assert_eq!(t.events(), "0 s1 #1 a");
    assert!(t.journal.wants_flush());
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
}

#[test]
fn confirmations_and_refusals_of_a_session_leave_in_order() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.send_durably(0, "q", "a", token(1));
    t.send_as(0, "q", "b", token(2), |_| {});
    t.commit(0, 9, token(3));
    t.send_as(1, "q", "c", token(4), |_| {});
    assert_eq!(t.events(), "1 confirmed 4");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 refused 3 Unknown: transaction 9 is not open");
}

#[test]
fn asking_for_a_confirmation_makes_what_was_sent_without_one_durable() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "q", "a", None);
    assert!(!t.journal.wants_flush());
    t.ask(0, Request::Confirm { confirm: Token(1) });
    assert_eq!(t.events(), "");
    assert!(t.journal.wants_flush());
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
}

#[test]
fn acknowledgements_that_follow_each_other_are_one_record_and_a_confirmation_after_them_waits_for_it() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    for body in ["a", "b", "c", "d"] {
        t.send_durably(0, "q", body, None);
    }
    t.tick(100);
    t.flush_all();
    t.events();
    let acknowledge = |delivery| Request::Settle {
        subscription: SubscriptionId(1),
        deliveries: Deliveries::One(DeliveryId(delivery)),
        settlement: Settlement::Consumed,
        transaction: None,
        confirm: None,
    };
    let before = t.journal.last_lsn();
    t.ask_all(0, vec![acknowledge(1), acknowledge(2), acknowledge(3)]);
    assert_eq!((t.journal.last_lsn().0 - before.0, t.events().as_str()), (1, ""));
    t.ask_all(0, vec![acknowledge(4), Request::Confirm { confirm: Token(5) }]);
    assert_eq!((t.journal.last_lsn().0 - before.0, t.events().as_str()), (2, ""));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 5");
    t.restart();
    assert_eq!(t.counts("q"), "0/0/0/0");
}

#[test]
fn deliveries_begin_after_the_confirmation_of_their_subscription() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "q", "a", token(1));
    t.subscribe_as(0, 1, "q", |s| s.confirm = token(2));
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 s1 #1 a");
}

#[test]
fn after_the_disk_failed_nothing_durable_is_promised() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "q", "a", token(1));
    t.broker.store_failed(t.now, &mut t.out);
    let stopped = "StoreFailed: the journal stopped: nothing more is made durable";
    assert_eq!(t.events(), format!("0 refused 1 {stopped}"));
    t.send_durably(0, "q", "b", token(2));
    assert_eq!(t.events(), format!("0 refused 2 {stopped}"));
    t.subscribe(0, 1, "topic://t");
    t.send(0, "topic://t", "c");
    assert_eq!(t.events(), "0 s1 #1 c");
    t.connect(1);
    t.send_as(1, "topic://t", "d", token(3), |_| {});
    assert_eq!(t.events(), "0 s1 #2 d\n1 confirmed 3");
}

#[test]
fn a_settlement_that_cannot_become_durable_is_not_confirmed() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.send_durably(0, "q", "a", token(1));
    t.flush();
    t.events();
    t.broker.store_failed(t.now, &mut t.out);
    let all = ferrymq_model::Deliveries::Through(ferrymq_model::DeliveryId(1));
    t.settle_in(0, 1, all, ferrymq_model::Settlement::Consumed, None, token(2));
    assert_eq!(t.events(), "0 refused 2 StoreFailed: the journal stopped: nothing more is made durable");
}

#[test]
fn a_send_that_could_never_be_confirmed_is_not_carried_out() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    t.subscribe(1, 1, "topic://t");
    t.send_durably(0, "q", "a", token(1));
    t.broker.store_failed(t.now, &mut t.out);
    t.events();
    t.send_as(0, "topic://t", "b", token(2), |_| {});
    assert_eq!(t.events(), "0 refused 2 StoreFailed: the journal stopped: nothing more is made durable");
}
