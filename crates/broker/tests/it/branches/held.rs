//! What a branch sends is written when it is prepared, and stays there when it is committed.

use super::in_doubt;
use crate::driver::{Bench, destination, token};
use ferrymq_broker::Settings;
use ferrymq_model::BranchAction::{Commit, End, Prepare, Rollback, Start};
use ferrymq_model::DeliveryMode::{NonPersistent, Persistent};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{Deliveries, DeliveryId, Event, Schedule, Settlement, TransactionId};
use ferrymq_storage::journal;

/// More than a commit writes beside messages.
const LARGE: usize = 5_000;

/// Makes everything durable; how many bytes that took.
fn flush(t: &mut Bench) -> u64 {
    let mut bytes = 0;
    while let Some(mut batch) = t.journal.take_batch() {
        bytes += batch.bytes();
        journal::perform(&mut batch, &mut t.disk).unwrap();
        let lsn = t.journal.flushed(batch);
        t.broker.flushed(t.now, lsn, &mut t.journal, &mut t.out);
    }
    bytes
}

/// Prepares a branch that sends these; how many bytes that took.
fn prepare(t: &mut Bench, branch: &str, sends: &[(&str, &str)]) -> u64 {
    t.branch(0, branch, Start(TransactionId(1)), 1);
    for (to, body) in sends {
        t.send_in(0, 1, to, body, Persistent);
    }
    t.branch(0, branch, End, 2);
    t.branch(0, branch, Prepare, 3);
    let bytes = flush(t);
    t.events();
    bytes
}

fn commit(t: &mut Bench, branch: &str) -> u64 {
    t.branch(0, branch, Commit, 4);
    let bytes = flush(t);
    let events = t.events();
    assert!(events.contains("0 confirmed 4"), "{events}");
    bytes
}

fn long(start: &str) -> String {
    format!("{start}{}", ".".repeat(LARGE))
}

/// Bodies of a queue without what makes them long.
fn bodies(t: &mut Bench, queue: &str) -> String {
    t.bodies(queue).replace('.', "")
}

#[test]
fn a_message_is_written_once_whatever_it_reaches_and_comes_back() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.X");
    t.subscribe(0, 2, "Consumer.B.VirtualTopic.X");
    let sends = [("q", &*long("a")), ("q,r", &*long("b")), ("topic://VirtualTopic.X", &*long("c")), ("q", &*long("d"))];
    let prepared = prepare(&mut t, "x", &sends);
    assert!((4 * LARGE as u64..5 * LARGE as u64).contains(&prepared), "{prepared} bytes");
    let committed = commit(&mut t, "x");
    assert!(committed < 1_000, "{committed} bytes");
    for _ in 0..2 {
        let content = ["q", "r", "Consumer.A.VirtualTopic.X"].map(|queue| bodies(&mut t, queue));
        assert!(content[..2] == ["a b d", "b"], "{content:?}");
        t.restart();
        assert_eq!(in_doubt(&mut t), "[]");
    }
    for queue in ["Consumer.A.VirtualTopic.X", "Consumer.B.VirtualTopic.X"] {
        assert_eq!(bodies(&mut t, queue), "c");
    }
}

#[test]
fn messages_have_the_order_of_their_commits() {
    let mut t = Bench::new();
    t.connect(0);
    prepare(&mut t, "x", &[("q", "a"), ("q", "b")]);
    prepare(&mut t, "y", &[("q", "c")]);
    t.send_durably(0, "q", "d", None);
    commit(&mut t, "y");
    t.restart();
    t.connect(0);
    t.send_durably(0, "q", "e", None);
    commit(&mut t, "x");
    for _ in 0..2 {
        assert_eq!(t.bodies("q"), "d c e a b");
        t.restart();
    }
}

#[test]
fn a_message_that_left_memory_is_read_from_where_it_was_held() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    let bodies: Vec<String> = (0..40).map(|number| format!("m{number:0>400}")).collect();
    let sends: Vec<(&str, &str)> = bodies.iter().map(|body| ("q", &**body)).collect();
    prepare(&mut t, "x", &sends);
    commit(&mut t, "x");
    for _ in 0..2 {
        t.fetched = 0;
        assert_eq!(t.bodies("q"), bodies.join(" "));
        assert!(t.fetched >= 30, "{} came back", t.fetched);
        t.restart();
    }
}

/// What is another message when it is committed than when it was prepared is written then.
#[test]
fn what_a_commit_changes_is_written_again() {
    let mut t = Bench::new();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t.>", |s| s.mode = SubscribeMode::Durable("d".into()));
    t.unsubscribe(0, 1);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    t.send_in(0, 1, "q,topic://t.a", "a", Persistent);
    let mut later = t.message("q", "later");
    later.header.mode = Persistent;
    let schedule = Schedule { delay_ms: 10_000, ..Schedule::default() };
    later.header.annotations.get_or_insert_default().schedule = Some(Box::new(schedule));
    t.send_message(0, "q", later, Some(1), None);
    t.send_in(0, 1, "q", "passing", NonPersistent);
    super::prepare(&mut t);
    t.restart();
    t.connect_as(0, Some("me"));
    t.branch(0, "x", Commit, 4);
    t.flush();
    assert_eq!(t.bodies("q"), "a passing");
    t.restart();
    assert_eq!(t.bodies("q"), "a");
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t.>", |s| s.mode = SubscribeMode::Durable("d".into()));
    let events = t.take_events();
    let [.., (_, Event::Deliver(delivery))] = &events[..] else { panic!("{events:?}") };
    let named = delivery.destination.as_ref().unwrap_or(&delivery.message.header.destination);
    assert_eq!(named, &destination("topic://t.a"));
    t.tick(10_000);
    t.flush();
    assert_eq!(t.bodies("q"), "a later");
}

#[test]
fn what_was_prepared_long_ago_is_written_again() {
    let mut t = Bench::new();
    t.connect(0);
    prepare(&mut t, "x", &[("q", &*long("a"))]);
    for _ in 0..2 {
        // Each start begins a segment.
        t.restart();
    }
    t.connect(0);
    let committed = commit(&mut t, "x");
    assert!(committed > LARGE as u64, "{committed} bytes");
    for _ in 0..3 {
        assert_eq!(bodies(&mut t, "q"), "a");
        t.restart();
        t.flush_all();
    }
    assert!(t.journal.footprint().1 <= 3, "{} segments", t.journal.footprint().1);
}

#[test]
fn a_segment_goes_when_what_was_held_in_it_was_rolled_back_or_left() {
    for is_committed in [false, true] {
        let mut t = Bench::new();
        t.connect(0);
        prepare(&mut t, "x", &[("q", "a"), ("q,r", "b")]);
        if is_committed {
            commit(&mut t, "x");
        } else {
            t.branch(0, "x", Rollback, 4);
            t.flush();
        }
        for _ in 0..3 {
            t.restart();
            t.flush_all();
        }
        let kept = t.journal.footprint().1;
        assert_eq!(kept > 1, is_committed, "{kept} segments");
        if is_committed {
            assert_eq!((t.bodies("q"), t.bodies("r")), ("a b".to_owned(), "b".to_owned()));
            t.connect(0);
            t.subscribe(0, 1, "q,r");
            t.settle_in(0, 1, Deliveries::Through(DeliveryId(3)), Settlement::Consumed, None, token(5));
            t.flush();
        }
        for _ in 0..2 {
            t.flush_all();
            t.restart();
        }
        assert!(t.journal.footprint().1 <= 2, "{} segments", t.journal.footprint().1);
        assert_eq!(t.bodies("q"), "");
    }
}

#[test]
fn what_expired_while_it_was_prepared_is_committed_and_expires() {
    let mut t = Bench::new();
    t.connect(0);
    t.branch(0, "x", Start(TransactionId(1)), 1);
    let mut message = t.message("q", "a");
    message.header.mode = Persistent;
    message.header.expiration = Some(ferrymq_model::WallTime(t.now.wall.0 + 1000));
    t.send_message(0, "q", message, Some(1), None);
    super::prepare(&mut t);
    t.tick(5000);
    t.restart();
    t.connect(0);
    commit(&mut t, "x");
    t.tick(5000);
    t.flush();
    assert_eq!((t.bodies("q"), t.bodies("ActiveMQ.DLQ")), (String::new(), "a".to_owned()));
    for _ in 0..3 {
        t.restart();
        assert_eq!((t.bodies("q"), t.bodies("ActiveMQ.DLQ")), (String::new(), "a".to_owned()));
    }
}
