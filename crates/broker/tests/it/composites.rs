//! What copies of a message say of the composite that it was sent to.

use crate::driver::{Bench, destination, token};
use ferrymq_broker::Settings;
use ferrymq_model::BranchAction::{Commit, End, Prepare, Start};
use ferrymq_model::DeliveryMode::Persistent;
use ferrymq_model::{Event, Settlement, TransactionId};

/// What a consumer of this place gets first: the message's body, where it is from and where it was sent.
fn got(t: &mut Bench, from: &str) -> String {
    t.take_events();
    t.connect(7);
    t.take_events();
    t.subscribe(7, 1, from);
    let events = t.take_events();
    t.disconnect(7);
    let [(_, Event::Deliver(delivery)), ..] = &events[..] else { panic!("{events:?}") };
    let sent_to = &delivery.message.header.destination;
    let named = delivery.message.annotations().and_then(|annotations| annotations.original_destination.as_ref());
    let from = delivery.destination.as_ref().unwrap_or(sent_to);
    let original = named.or(delivery.destination.as_ref().map(|_| sent_to));
    let original = original.map_or_else(|| "nowhere else".to_owned(), ToString::to_string);
    format!("{} from {from} sent to {original}", crate::driver::body(&delivery.message))
}

#[test]
fn every_copy_names_the_composite() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "a,b,topic://c", "x");
    t.send(0, "d", "y");
    assert_eq!(got(&mut t, "a"), "x from queue://a sent to queue://a,b,topic://c");
    assert_eq!(got(&mut t, "b"), "x from queue://b sent to queue://a,b,topic://c");
    assert_eq!(got(&mut t, "d"), "y from queue://d sent to nowhere else");
}

#[test]
fn what_a_client_says_is_no_matter() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_as(0, "a,b", "x", None, |message| {
        message.header.annotations.get_or_insert_default().original_destination = Some(destination("before"));
    });
    assert_eq!(got(&mut t, "a"), "x from queue://a sent to queue://a,b");
}

#[test]
fn the_composite_is_still_named_after_a_restart() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_durably(0, "a,b", "x", token(1));
    t.flush();
    t.restart();
    for queue in ["a", "b"] {
        assert_eq!(got(&mut t, queue), format!("x from queue://{queue} sent to queue://a,b"));
    }
}

#[test]
fn transactions_and_branches_name_it_too() {
    let mut t = Bench::new();
    t.connect(0);
    t.begin(0, 1);
    t.send_in(0, 1, "a,b", "x", Persistent);
    t.commit(0, 1, None);
    t.flush();
    assert_eq!(got(&mut t, "b"), "x from queue://b sent to queue://a,b");
    t.branch(0, "branch", Start(TransactionId(2)), 1);
    t.send_in(0, 2, "c,d", "y", Persistent);
    t.branch(0, "branch", End, 2);
    t.branch(0, "branch", Prepare, 3);
    t.flush();
    t.restart();
    t.connect(0);
    t.branch(0, "branch", Commit, 4);
    t.flush();
    assert_eq!(got(&mut t, "d"), "y from queue://d sent to queue://c,d");
}

#[test]
fn a_dead_letter_names_where_it_died() {
    let mut t = Bench::with(Settings { redeliveries_max: 0, ..Settings::default() });
    t.connect(0);
    t.subscribe(0, 1, "b");
    t.send_durably(0, "a,b", "x", None);
    t.flush();
    t.settle(0, 1, 1, Settlement::Poisoned("no".into()));
    assert_eq!(got(&mut t, "ActiveMQ.DLQ"), "x from queue://ActiveMQ.DLQ sent to queue://b");
}

/// A client could not name it, and may pass on what it got.
#[test]
fn a_composite_longer_than_a_name_is_not_named() {
    let mut t = Bench::new();
    t.connect(0);
    let long = |letter: &str| letter.repeat(600);
    t.send(0, &format!("{},{}", long("a"), long("b")), "x");
    assert_eq!(got(&mut t, &long("a")), format!("x from queue://{} sent to nowhere else", long("a")));
}
