//! Consumers that pull.

use crate::driver::{Bench, token};
use ferrymq_broker::Settings;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::{DeliveryMode, Request, Settlement, SubscriptionId};

fn pull(t: &mut Bench, id: u32, messages: u32, confirm: u64) {
    t.ask(0, Request::Pull { subscription: SubscriptionId(id), messages, confirm: token(confirm) });
}

fn puller(to: &str) -> Bench {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, to, |s| s.prefetch = 0);
    t
}

#[test]
fn only_what_is_pulled_is_delivered() {
    let mut t = puller("q");
    for body in ["a", "b", "c"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "");
    pull(&mut t, 1, 1, 10);
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 10");
    // Settling opens no window: there is none.
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "");
    pull(&mut t, 1, 5, 11);
    assert_eq!(t.events(), "0 s1 #2 b\n0 s1 #3 c\n0 confirmed 11");
    t.send(0, "q", "d");
    assert_eq!(t.events(), "0 s1 #4 d", "three are still wanted");
}

#[test]
fn a_pull_that_finds_nothing_is_confirmed_and_waits_until_it_is_ended() {
    let mut t = puller("q");
    pull(&mut t, 1, 1, 10);
    assert_eq!(t.events(), "0 confirmed 10");
    pull(&mut t, 1, 0, 11);
    t.send(0, "q", "a");
    assert_eq!(t.events(), "0 confirmed 11", "the pull had been ended");
    pull(&mut t, 1, 1, 12);
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 12");
    pull(&mut t, 9, 1, 13);
    assert_eq!(t.events(), "0 refused 13 Unknown: subscription 9 is not known");
}

#[test]
fn a_pull_replaces_what_was_left_of_the_one_before() {
    let mut t = puller("q");
    pull(&mut t, 1, 5, 1);
    pull(&mut t, 1, 1, 2);
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 s1 #1 a");
}

#[test]
fn a_consumer_that_pulls_takes_nothing_from_one_with_a_prefetch() {
    let mut t = puller("q");
    t.subscribe(0, 2, "q");
    for body in ["a", "b"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "0 s2 #1 a\n0 s2 #2 b");
    pull(&mut t, 1, 1, 10);
    t.send(0, "q", "c");
    t.send(0, "q", "d");
    assert_eq!(t.events(), "0 confirmed 10\n0 s1 #1 c\n0 s2 #3 d");
}

#[test]
fn a_pull_waits_for_what_must_be_read_back() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..50 {
        t.send_durably(0, "q", &format!("{number}"), None);
        t.flush_all();
    }
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 0);
    t.fetches = false;
    let mut waits = 0;
    for number in 0..50 {
        pull(&mut t, 1, 1, 100 + number);
        t.ask(0, Request::Confirm { confirm: ferrymq_model::Token(200 + number) });
        if t.out.events.is_empty() {
            waits += 1;
            t.fetches = true;
            t.ask(0, Request::SetPrefetch { subscription: SubscriptionId(1), prefetch: 0 });
            t.fetches = false;
        }
        let at = number + 1;
        assert_eq!(
            t.events(),
            format!("0 s1 #{at} {number}\n0 confirmed {}\n0 confirmed {}", 100 + number, 200 + number)
        );
        t.settle(0, 1, at, Settlement::Consumed);
        t.flush_all();
    }
    assert!(waits > 0, "nothing was paged out");
    pull(&mut t, 1, 1, 99);
    assert_eq!(t.events(), "0 confirmed 99");
}

#[test]
fn a_pull_whose_message_is_being_read_is_confirmed_when_it_ends() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..100 {
        t.send_durably(0, "q", &format!("{number}"), None);
        t.flush_all();
    }
    t.restart();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 0);
    pull(&mut t, 1, 20, 1);
    t.events();
    t.fetches = false;
    pull(&mut t, 1, 100, 2);
    let before = t.events();
    assert!(!before.contains("confirmed"), "{before}");
    pull(&mut t, 1, 0, 3);
    assert_eq!(t.events(), "0 confirmed 2\n0 confirmed 3");
    pull(&mut t, 1, 1, 4);
    assert_eq!(t.events(), "");
    t.unsubscribe(0, 1);
    assert_eq!(t.events(), "0 confirmed 4");
}

#[test]
fn a_pull_waits_for_a_commit_that_is_not_durable_yet() {
    let mut t = puller("q");
    t.begin(0, 1);
    t.send_in(0, 1, "q", "a", DeliveryMode::Persistent);
    t.commit(0, 1, token(1));
    pull(&mut t, 1, 1, 2);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 s1 #1 a\n0 confirmed 2");
}

#[test]
fn a_pull_takes_from_every_queue_of_its_subscription() {
    let mut t = puller("a,b.*");
    t.send(0, "b.x", "1");
    t.send(0, "a", "2");
    t.send(0, "b.y", "3");
    pull(&mut t, 1, 2, 1);
    assert_eq!(t.events(), "0 s1 #1 2\n0 s1 #2 1\n0 confirmed 1");
    pull(&mut t, 1, 2, 2);
    assert_eq!(t.events(), "0 s1 #3 3\n0 confirmed 2");
    t.send(0, "b.z", "4");
    assert_eq!(t.events(), "0 s1 #4 4");
}

#[test]
fn topics_durables_and_browsers_can_be_pulled() {
    let mut t = Bench::new();
    t.connect_as(0, Some("c"));
    t.subscribe_as(0, 1, "topic://t", |s| s.prefetch = 0);
    t.subscribe_as(0, 2, "topic://t", |s| {
        s.prefetch = 0;
        s.mode = SubscribeMode::Durable("d".into());
    });
    t.flush_all();
    t.send(0, "topic://t", "a");
    t.send(0, "q", "x");
    t.send(0, "q", "y");
    pull(&mut t, 1, 1, 1);
    pull(&mut t, 2, 1, 2);
    assert_eq!(t.events(), "0 s1 #1 a\n0 confirmed 1\n0 s2 #1 a\n0 confirmed 2");
    t.subscribe_as(0, 3, "q", |s| {
        s.prefetch = 0;
        s.mode = SubscribeMode::Browse;
    });
    pull(&mut t, 3, 1, 3);
    pull(&mut t, 3, 1, 4);
    pull(&mut t, 3, 1, 5);
    assert_eq!(t.events(), "0 s3 #1 x\n0 confirmed 3\n0 s3 #2 y\n0 confirmed 4\n0 s3 end\n0 confirmed 5");
}

#[test]
fn a_pull_before_the_subscription_is_confirmed_waits_for_that() {
    let mut t = Bench::new();
    t.connect(0);
    t.send(0, "q", "a");
    t.send_durably(0, "p", "slow", token(1));
    t.subscribe_as(0, 1, "q", |s| {
        s.prefetch = 0;
        s.confirm = token(2);
    });
    pull(&mut t, 1, 1, 3);
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 confirmed 2\n0 s1 #1 a\n0 confirmed 3");
}

#[test]
fn another_prefetch_counts_from_now_on() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    for body in ["a", "b", "c", "d"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a");
    t.ask(0, Request::SetPrefetch { subscription: SubscriptionId(1), prefetch: 3 });
    assert_eq!(t.events(), "0 s1 #2 b\n0 s1 #3 c");
    t.ask(0, Request::SetPrefetch { subscription: SubscriptionId(1), prefetch: 1 });
    t.settle(0, 1, 1, Settlement::Consumed);
    t.settle(0, 1, 2, Settlement::Consumed);
    assert_eq!(t.events(), "");
    t.settle(0, 1, 3, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #4 d");
}
