//! Durable subscriptions.

use crate::driver::{Bench, destination, token};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Deliveries, DeliveryId, Event, Request, Settlement, Subscribe};

fn durable(s: &mut Subscribe) {
    s.mode = SubscribeMode::Durable("d".into());
}

#[test]
fn messages_wait_while_their_subscriber_is_away_and_over_restarts() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.connect(1);
    t.subscribe_as(0, 1, "topic://t", |s| {
        durable(s);
        s.confirm = token(1);
    });
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
    t.disconnect(0);
    t.send_durably(1, "topic://t", "a", token(2));
    t.flush();
    t.send_durably(1, "topic://t", "not durable yet", token(3));
    t.restart();
    assert_eq!(t.counts("me:d"), "1/0/0/0");
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", durable);
    assert_eq!(t.events(), "0 s1 #1 a");
    t.settle_in(0, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, None, token(3));
    t.flush();
    t.restart();
    assert_eq!(t.counts("me:d"), "0/0/0/0");
}

#[test]
fn other_wishes_make_it_anew_and_the_same_wishes_do_not() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", durable);
    t.unsubscribe(0, 1);
    t.send_durably(0, "topic://t", "a", None);
    t.subscribe_as(0, 1, "topic://t", durable);
    assert_eq!(t.events(), "0 s1 #1 a");
    t.unsubscribe(0, 1);
    t.subscribe_as(0, 1, "topic://t", |s| {
        durable(s);
        s.selector = Some("color = 'red'".into());
    });
    t.send_durably(0, "topic://t", "color=blue|b", None);
    t.send_durably(0, "topic://t", "color=red|c", None);
    assert_eq!(t.events(), "0 s1 #1 c");
    t.flush();
    t.restart();
    assert_eq!(t.counts("me:d"), "1/0/0/0");
}

#[test]
fn one_subscriber_at_a_time_and_no_deletion_under_it() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", durable);
    t.subscribe_as(0, 2, "topic://t", durable);
    assert_eq!(t.events(), "0 refused DurableInUse: Durable consumer is in use for client: me and subscriptionName: d");
    t.ask(0, Request::DeleteDurable { name: "d".into(), confirm: token(1) });
    assert_eq!(t.events(), "0 refused 1 DurableInUse: Durable consumer is in use");
    t.unsubscribe(0, 1);
    t.send_durably(0, "topic://t", "a", None);
    t.ask(0, Request::DeleteDurable { name: "d".into(), confirm: token(2) });
    t.flush();
    assert_eq!(t.events(), "0 confirmed 2");
    t.ask(0, Request::DeleteDurable { name: "d".into(), confirm: token(3) });
    assert_eq!(
        t.events(),
        "0 refused 3 Unknown: No durable subscription exists for clientID: me and subscriptionName: d"
    );
}

#[test]
fn it_needs_a_client_id_that_nobody_else_has() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "topic://t", durable);
    assert_eq!(t.events(), "0 refused InvalidClientId: a durable subscription needs a connection with a client id");
    t.connect_as(1, Some("me"));
    let connect = |t: &mut Bench| {
        t.ask(
            2,
            Request::Connect {
                client_id: Some("me".into()),
                user: None,
                name: None,
                peer: None,
                confirm: ferrymq_model::Token(1),
            },
        );
        t.events()
    };
    assert_eq!(
        connect(&mut t),
        "2 refused 1 InvalidClientId: Broker: ferrymq - Client: me already connected from elsewhere"
    );
    t.disconnect(1);
    assert_eq!(connect(&mut t), "2 confirmed 1");
}

#[test]
fn patterns_and_own_messages() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.connect(1);
    t.subscribe_as(0, 1, "topic://p.>", |s| {
        durable(s);
        s.no_local = true;
    });
    t.unsubscribe(0, 1);
    t.send_durably(0, "topic://p.a", "own", None);
    t.send_durably(1, "topic://p.new", "other", None);
    t.flush();
    t.restart();
    t.connect(1);
    t.send_durably(1, "topic://p.newer", "more", None);
    assert_eq!(t.counts("me:d"), "2/0/1/0");
}

/// Clients that want a selector must say something about `noLocal`, and many say yes; then they send from a process that
/// bears the same client id and subscribe from the next one.
#[test]
fn what_another_connection_of_the_same_client_sends_is_kept_despite_no_local() {
    let mut t = Bench::new();
    let wish = |s: &mut ferrymq_model::Subscribe| {
        durable(s);
        s.no_local = true;
    };
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", wish);
    t.unsubscribe(0, 1);
    t.send_durably(0, "topic://t", "own", None);
    t.disconnect(0);
    t.connect_as(1, Some("me"));
    t.send_durably(1, "topic://t", "of another connection", None);
    t.flush();
    t.restart();
    t.connect_as(2, Some("me"));
    t.send_durably(2, "topic://t", "and after a restart", None);
    t.take_events();
    t.subscribe_as(2, 1, "topic://t", wish);
    t.send_durably(2, "topic://t", "own, too", None);
    assert_eq!(t.events(), "2 s1 #1 of another connection\n2 s1 #2 and after a restart");
}

#[test]
fn what_came_through_a_composite_names_its_topic_also_after_a_restart_and_as_a_dead_letter() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t.>", durable);
    t.send_durably(0, "q,topic://t.a", "a", None);
    t.flush();
    t.take_events();
    t.restart();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t.>", durable);
    let events = t.take_events();
    let [(_, Event::Deliver(delivery))] = &events[..] else { panic!("{events:?}") };
    let named = delivery.destination.as_ref().unwrap_or(&delivery.message.header.destination);
    assert_eq!(named, &destination("topic://t.a"));
    t.settle(0, 1, 1, Settlement::Poisoned("no".into()));
    t.subscribe(0, 2, "ActiveMQ.DLQ");
    let events = t.take_events();
    let [(_, Event::Deliver(dead))] = &events[..] else { panic!("{events:?}") };
    let origin = dead.message.annotations().and_then(|it| it.original_destination.clone());
    assert_eq!(origin, Some(destination("topic://t.a")));
}
