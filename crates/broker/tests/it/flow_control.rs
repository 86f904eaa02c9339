//! Memory limits: producers of what must stay in memory wait, what is durable leaves it.

use crate::driver::{Bench, token};
use ferrymq_broker::Settings;
use ferrymq_model::DeliveryMode::NonPersistent;
use ferrymq_model::request::Settles;
use ferrymq_model::{Deliveries, DeliveryId, Settlement};

/// Refuses what cannot wait any longer.
fn waiting(ms: u64) -> Bench {
    Bench::with(Settings {
        destination_memory_limit_bytes: 10_000,
        producer_wait_ms_max: Some(ms),
        ..Settings::default()
    })
}

fn small() -> Bench {
    Bench::with(Settings { destination_memory_limit_bytes: 10_000, ..Settings::default() })
}

#[test]
fn a_producer_waits_for_a_full_queue_until_seventy_percent() {
    let mut t = small();
    t.connect(0);
    t.connect(1);
    let body = "x".repeat(744);
    for _ in 0..9 {
        t.send(0, "q", &body);
    }
    assert_eq!(t.events(), "");
    t.send(0, "q", &body);
    t.send(0, "q", &body);
    assert_eq!(t.events(), "0 pause");
    t.subscribe(1, 1, "q");
    t.events();
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(3)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "");
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(4)), Settlement::Consumed, None, None);
    assert_eq!(t.events(), "0 resume");
}

/// A client that connects, sends and leaves, again and again, never sees the pause: the queue grew without limit.
#[test]
fn a_producer_that_comes_back_with_new_connections_is_refused_in_the_end() {
    let mut t = small();
    let body = "x".repeat(744);
    let mut refused = 0;
    for _ in 0..100 {
        t.connect(0);
        t.send(0, "q", &body);
        refused += u32::from(t.events().contains("the queue is full"));
        t.disconnect(0);
        t.events();
    }
    assert!(refused > 0);
    assert!(t.broker_memory() <= 41_000, "{} bytes", t.broker_memory());
    t.connect(1);
    t.subscribe(1, 1, "q");
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(100)), Settlement::Consumed, None, None);
    t.events();
    t.connect(0);
    t.send(0, "q", &body);
    assert!(!t.events().contains("full"), "there is room again");
}

/// One read that failed hid a confirmed message until the next start.
#[test]
fn a_message_that_could_not_be_read_back_comes_when_it_can() {
    let mut t = small();
    t.connect(0);
    t.connect(1);
    for number in 0..40 {
        t.send_durably(0, "q", &format!("{number:0744}"), None);
        t.flush();
    }
    t.events();
    t.fetches = false;
    t.subscribe(1, 1, "q");
    let failed = t.fetch_but(|_| true);
    assert!(failed > 0);
    let before = t.events().lines().count();
    t.fetches = true;
    for _ in 0..40 {
        t.tick(1);
    }
    let events = t.events();
    let numbers: Vec<usize> =
        events.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).collect();
    assert_eq!(numbers, (before..40).collect::<Vec<_>>());
}

/// The numbers at the end of what a session got for a subscription.
fn numbers(events: &str, receiver: &str) -> Vec<usize> {
    let lines = events.lines().filter(|line| line.starts_with(receiver));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn messages_of_several_queues_come_back_in_one_step_and_one_that_fails_holds_up_its_own_queue() {
    let mut t = small();
    t.connect(0);
    t.connect(1);
    for number in 0..40 {
        for queue in ["a", "b", "c"] {
            t.send_durably(0, queue, &format!("{number:0744}"), None);
        }
        t.flush();
    }
    t.events();
    t.fetches = false;
    for (subscription, queue) in [(1, "a"), (2, "b"), (3, "c")] {
        t.subscribe(1, subscription, queue);
    }
    let before = numbers(&t.events(), "1 s1");
    assert_eq!(t.out.fetches.len(), 3 * (40 - before.len()));
    // The third one of the second queue.
    let store = t.out.fetches[40 - before.len()].placement.store;
    let bad = t.out.fetches.iter().filter(|fetch| fetch.placement.store == store).nth(2).unwrap().placement;
    t.fetch_but(|fetch| fetch.placement == bad);
    let came = t.events();
    let rest: Vec<usize> = (before.len()..40).collect();
    assert_eq!(numbers(&came, "1 s1"), rest);
    assert_eq!(numbers(&came, "1 s2"), rest[..2]);
    assert_eq!(numbers(&came, "1 s3"), rest);
    assert!(t.out.fetches.is_empty(), "not asked for again before the tick");
    t.tick(1);
    assert_eq!(t.fetch_but(|fetch| fetch.placement == bad), 1);
    assert_eq!(t.events(), "", "what is behind it waits");
    t.fetches = true;
    t.tick(1);
    assert_eq!(numbers(&t.events(), "1 s2"), rest[2..]);
}

/// What is asked for together is few in number, and in bytes where messages are large.
#[test]
fn no_more_is_read_back_for_a_queue_than_can_be_held() {
    for (bytes, limit, expected) in [(1_000, 100_000, 64), (1_000_000, 2_000_000, 5)] {
        let mut t = Bench::with(Settings { destination_memory_limit_bytes: limit, ..Settings::default() });
        t.connect(0);
        t.connect(1);
        for _ in 0..200 * 1_000 / bytes + 20 {
            t.send_durably(0, "q", &"x".repeat(bytes), None);
            t.flush();
        }
        t.fetches = false;
        t.subscribe(1, 1, "q");
        assert_eq!(t.out.fetches.len(), expected);
        // Looking again asks for no more.
        t.subscribe(1, 2, "q");
        t.tick(1);
        assert_eq!(t.out.fetches.len(), expected);
        let before = t.broker_memory();
        t.out.fetches.truncate(3);
        t.fetch_but(|_| false);
        assert!(t.broker_memory() <= before + 3 * (bytes as u64 + 256));
    }
}

const STUCK_LIMIT: usize = 64 * 1024;

/// One session that never settles beside one that always does; the producer sends 1 KiB messages beyond every limit.
fn flood(stuck: u32, change: impl Fn(&mut ferrymq_model::Subscribe), settings: Settings) -> Bench {
    let limit = settings.memory_limit_bytes as u64;
    let mut t = Bench::with(settings);
    t.connect(0);
    t.connect(1);
    t.subscribe_as(1, 1, "topic://t", |s| s.settles = Settles::WhenWritten);
    for slot in 2..2 + stuck {
        t.connect(slot);
        t.subscribe_as(slot, 1, "topic://t", &change);
    }
    for number in 1..=1000 {
        t.send(0, "topic://t", &format!("{number:01000}"));
        let events = t.events();
        assert!(!events.contains("pause"), "message {number} made its producer wait");
        assert!(
            events.contains(&format!("1 s1 #{number} {number:01000}")),
            "message {number} did not reach the fast one"
        );
        t.settle_in(1, 1, Deliveries::Through(DeliveryId(number)), Settlement::Consumed, None, None);
        assert!(t.broker_memory() <= limit, "{} bytes after message {number}", t.broker_memory());
    }
    t
}

fn tight() -> Settings {
    Settings {
        memory_limit_bytes: 1024 * 1024,
        destination_memory_limit_bytes: 10_000,
        subscription_memory_limit_bytes: STUCK_LIMIT,
        ..Settings::default()
    }
}

#[test]
fn a_topic_subscriber_that_never_reads_loses_messages_and_disturbs_nobody() {
    let mut t = flood(1, |_| {}, tight());
    let held = t.broker_memory();
    assert!(held > 60 * 1024 && held <= STUCK_LIMIT as u64, "{held}");
    t.disconnect(2);
    assert_eq!(t.broker_memory(), 0);
}

#[test]
fn a_topic_subscriber_that_comes_back_finds_the_newest_that_waited() {
    let mut t = flood(1, |s| s.prefetch = 1, tight());
    t.settle(2, 1, 1, Settlement::Consumed);
    let delivered = t.events();
    let oldest: u64 = delivered.trim_start_matches("2 s1 #2 ").parse().unwrap();
    assert!(oldest > 940, "{oldest}");
    for number in oldest..=1000 {
        t.settle_in(2, 1, Deliveries::Through(DeliveryId(number - oldest + 2)), Settlement::Consumed, None, None);
    }
    assert!(t.events().ends_with(&format!("{:01000}", 1000)));
    assert_eq!(t.broker_memory(), 0);
}

#[test]
fn topic_subscribers_that_never_read_share_what_all_may_hold() {
    for prefetch in [1, 1000] {
        let settings = Settings { subscription_memory_limit_bytes: 8 * 1024 * 1024, ..tight() };
        let t = flood(20, |s| s.prefetch = prefetch, settings);
        assert!(t.broker_memory() >= 400 * 1024, "{}", t.broker_memory());
    }
}

#[test]
fn a_topic_message_larger_than_the_limit_reaches_who_holds_nothing() {
    let mut t = Bench::with(tight());
    t.connect(0);
    t.subscribe(0, 1, "topic://t");
    t.send(0, "topic://t", &"x".repeat(2 * STUCK_LIMIT));
    assert!(t.events().starts_with("0 s1 #1 xxx"));
    t.send(0, "topic://t", "y");
    assert_eq!(t.events(), "");
    t.settle(0, 1, 1, Settlement::Consumed);
    t.send(0, "topic://t", "z");
    assert_eq!(t.events(), "0 s1 #2 z");
}

#[test]
fn durable_messages_leave_memory_and_come_back_in_order() {
    let mut t = small();
    t.connect(0);
    for number in 0..300 {
        t.send_durably(0, "q", &format!("{number:0500}"), token(1));
        t.flush();
    }
    assert!(!t.events().contains("pause"));
    assert!(t.broker_memory() < 8_000, "{}", t.broker_memory());
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 7);
    let mut expected = 0;
    while expected < 300 {
        let events = t.events();
        for line in events.lines() {
            assert!(line.ends_with(&format!("{expected:0500}")), "{line}");
            expected += 1;
        }
        t.settle_in(0, 1, Deliveries::Through(DeliveryId(expected)), Settlement::Consumed, None, None);
    }
    assert_eq!(t.counts("q"), "0/0/300/300");
}

#[test]
fn a_backlog_nobody_reads_discards_what_may_be_lost_instead_of_stopping_the_topic() {
    let mut t = small();
    t.connect_as(0, Some("me"));
    t.subscribe_as(0, 1, "topic://t", |s| {
        s.mode = ferrymq_model::request::SubscribeMode::Durable("d".into());
    });
    t.unsubscribe(0, 1);
    for _ in 0..50 {
        t.send(0, "topic://t", &"x".repeat(744));
    }
    assert_eq!(t.events(), "");
    assert_eq!(t.counts("me:d"), "10/0/50/0");
}

/// Persistent messages that are not on disk yet fill the memory, too: when they are, and leave it, their producer goes on.
/// It waited for a consumer instead, for ever where there was none.
#[test]
fn a_producer_of_durable_messages_goes_on_when_they_left_memory() {
    let mut t = small();
    t.connect(0);
    for number in 0..20 {
        t.send_durably(0, "q", &format!("{number:0744}"), None);
    }
    assert_eq!(t.events(), "0 pause");
    t.flush_all();
    assert_eq!(t.events(), "0 resume");
}

const FULL: &str = "LimitReached: Usage Manager Memory Limit reached on queue://q";

#[test]
fn a_producer_that_shall_not_wait_is_refused_while_the_queue_is_full() {
    let mut t = waiting(0);
    t.connect(0);
    t.connect(1);
    let body = "x".repeat(744);
    for _ in 0..10 {
        t.send(0, "q", &body);
    }
    assert_eq!(t.events(), "", "nobody is told to wait");
    t.send_as(0, "q", &body, token(1), |_| {});
    t.send_durably(0, "q", &body, token(2));
    t.send(0, "q,other", &body);
    assert_eq!(t.events(), format!("0 refused 1 {FULL}\n0 refused 2 {FULL}\n0 refused {FULL}"));
    assert_eq!(t.counts("other"), "0/0/0/0", "all places or none");
    t.send(0, "free", &body);
    // One leaves, one comes.
    t.subscribe(1, 1, "q");
    t.events();
    t.settle_in(1, 1, Deliveries::One(DeliveryId(1)), Settlement::Consumed, None, None);
    t.send_as(0, "q", &body, token(3), |_| {});
    assert!(t.events().ends_with("0 confirmed 3"));
    t.send_as(0, "q", &body, token(4), |_| {});
    assert_eq!(t.events(), format!("0 refused 4 {FULL}"));
}

#[test]
fn a_producer_waits_so_long_and_is_refused_then_until_there_is_room() {
    let mut t = waiting(500);
    t.connect(0);
    t.connect(1);
    let body = "x".repeat(744);
    for _ in 0..11 {
        t.send(0, "q", &body);
    }
    assert_eq!(t.events(), "0 pause");
    t.tick(499);
    assert_eq!(t.events(), "");
    t.tick(1);
    assert_eq!(t.events(), "0 resume");
    t.send_as(0, "q", &body, token(1), |_| {});
    assert_eq!(t.events(), format!("0 refused 1 {FULL}"));
    // Another that comes now does not wait either.
    t.connect(2);
    t.send_as(2, "q", &body, token(1), |_| {});
    assert_eq!(t.events(), format!("2 refused 1 {FULL}"));
    t.subscribe(1, 1, "q");
    t.settle_in(1, 1, Deliveries::Through(DeliveryId(11)), Settlement::Consumed, None, None);
    t.events();
    t.unsubscribe(1, 1);
    // From the beginning: the next one waits as long again.
    for _ in 0..10 {
        t.send(0, "q", &body);
    }
    assert_eq!(t.events(), "0 pause");
    t.tick(400);
    t.subscribe(1, 2, "q");
    t.settle_in(1, 2, Deliveries::Through(DeliveryId(10)), Settlement::Consumed, None, None);
    assert!(t.events().ends_with("0 resume"));
    t.unsubscribe(1, 2);
    for _ in 0..10 {
        t.send(0, "q", &body);
    }
    t.events();
    t.tick(100);
    assert_eq!(t.events(), "", "the wait before is over");
    t.disconnect(0);
    t.tick(1000);
    assert_eq!(t.events(), "");
}

#[test]
fn a_send_in_a_transaction_is_refused_when_it_is_sent_and_its_commit_with_it() {
    let mut t = waiting(0);
    t.connect(0);
    t.begin(0, 1);
    t.send_in(0, 1, "q", "before", NonPersistent);
    t.begin(0, 2);
    for _ in 0..10 {
        t.send(0, "q", &"x".repeat(744));
    }
    t.send_in(0, 2, "q", "after", NonPersistent);
    assert_eq!(t.events(), format!("0 refused {FULL}"));
    t.commit(0, 1, token(1));
    t.commit(0, 2, token(2));
    let why = FULL.replace("LimitReached: ", "LimitReached: something of the transaction was refused before: ");
    assert_eq!(t.events(), format!("0 confirmed 1\n0 refused 2 {why}"));
}

/// They leave memory with the next sync: nothing is refused for that.
#[test]
fn durable_messages_are_not_refused_for_the_memory_that_they_leave() {
    for wait in [0, 500] {
        let mut t = waiting(wait);
        t.connect(0);
        for round in 0..5 {
            for number in 0..14 {
                t.send_durably(0, "q", &format!("{number:0744}"), None);
            }
            assert_eq!(t.events(), "0 pause", "round {round}");
            t.tick(600);
            assert_eq!(t.events(), "");
            t.flush_all();
            assert_eq!(t.events(), "0 resume");
        }
        assert_eq!(t.counts("q"), "70/0/70/0");
    }
}

#[test]
fn the_memory_of_the_broker_refuses_like_that_of_a_queue() {
    let settings = Settings { memory_limit_bytes: 10_000, producer_wait_ms_max: Some(0), ..Settings::default() };
    let mut t = Bench::with(settings);
    t.connect(0);
    for number in 0..10 {
        t.send(0, &format!("q{number}"), &"x".repeat(744));
    }
    t.send_as(0, "another", "a", token(1), |_| {});
    assert_eq!(t.events(), "0 refused 1 LimitReached: Usage Manager Memory Limit reached");
}
