//! Which deliveries count as redeliveries: those that their consumer saw, and those that it gave again itself.

use crate::driver::Bench;
use ferrymq_broker::Settings;
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

#[test]
fn redeliveries_in_the_consumer_are_remembered_when_a_message_goes_back() {
    let mut t = consumer_of_three();
    let first_two = Deliveries::Range(DeliveryId(1), DeliveryId(2));
    t.settle_in(0, 1, first_two, Settlement::Redelivered, None, None);
    t.settle_in(0, 1, first_two, Settlement::Redelivered, None, None);
    assert_eq!((t.events().as_str(), t.counts("q").as_str()), ("", "3/3/3/0"));
    leave(&mut t, Seen::Through(DeliveryId(1)));
    assert_eq!(t.events(), "1 s2 #1 a again 3\n1 s2 #2 b again 2\n1 s2 #3 c");
}

#[test]
fn redeliveries_in_a_transaction_count_when_it_commits() {
    let mut t = consumer_of_three();
    t.begin(0, 1);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Redelivered, Some(1), None);
    t.rollback(0, 1);
    t.begin(0, 2);
    t.settle_in(0, 1, Deliveries::One(DeliveryId(2)), Settlement::Redelivered, Some(2), None);
    t.commit(0, 2, None);
    leave(&mut t, Seen::None);
    assert_eq!(t.events(), "1 s2 #1 a\n1 s2 #2 b again 1\n1 s2 #3 c");
}
