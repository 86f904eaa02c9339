//! Message groups.

use crate::driver::{Bench, grouped};
use ferrymq_model::Settlement;

fn send(t: &mut Bench, body: &str, group: &str, sequence: i32) {
    t.send_as(0, "q", body, None, |message| grouped(message, group, sequence));
}

#[test]
fn a_group_stays_with_its_consumer_until_it_is_closed() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.subscribe(0, 2, "q");
    send(&mut t, "a1", "a", 1);
    send(&mut t, "b1", "b", 1);
    send(&mut t, "a2", "a", 2);
    send(&mut t, "a3", "a", -1);
    assert_eq!(t.events(), "0 s1 #1 a1 first of group\n0 s2 #1 b1 first of group\n0 s1 #2 a2\n0 s1 #3 a3");
    t.send(0, "q", "free");
    send(&mut t, "a4", "a", 4);
    assert_eq!(t.events(), "0 s2 #2 free\n0 s1 #4 a4 first of group");
}

#[test]
fn a_group_waits_for_its_consumer_and_others_do_not() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    t.subscribe(0, 2, "q");
    send(&mut t, "a1", "a", 1);
    send(&mut t, "a2", "a", 2);
    send(&mut t, "b1", "b", 1);
    assert_eq!(t.events(), "0 s1 #1 a1 first of group\n0 s2 #1 b1 first of group");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #2 a2");
    t.unsubscribe(0, 1);
    assert_eq!(t.events(), "0 s2 #2 a2 again 1 first of group");
}

#[test]
fn what_comes_back_to_an_empty_queue_is_of_its_group_still() {
    let mut t = Bench::new();
    t.connect(0);
    send(&mut t, "a1", "a", 2);
    t.subscribe(0, 1, "q");
    assert_eq!(t.events(), "0 s1 #1 a1 first of group");
    t.unsubscribe(0, 1);
    t.subscribe(0, 2, "q");
    t.subscribe(0, 3, "q");
    send(&mut t, "a2", "a", 3);
    assert_eq!(t.events(), "0 s2 #1 a1 again 1 first of group\n0 s2 #2 a2");
}

#[test]
fn a_new_group_goes_to_whom_has_the_fewest_among_the_highest_priority() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.subscribe(0, 2, "q");
    t.subscribe_as(0, 3, "q", |s| s.priority = -1);
    send(&mut t, "a1", "a", 1);
    send(&mut t, "b1", "b", 1);
    send(&mut t, "b2", "b", -1);
    send(&mut t, "c1", "c", 1);
    send(&mut t, "d1", "d", 1);
    let first = "0 s1 #1 a1 first of group\n0 s2 #1 b1 first of group\n0 s2 #2 b2\n0 s2 #3 c1 first of group";
    let events = t.events();
    let last = events.lines().last().unwrap();
    assert!(events.starts_with(first) && !last.contains("s3"), "{events}");
}

#[test]
fn groups_of_a_backlog_are_spread_over_the_consumers() {
    let mut t = Bench::new();
    t.connect(0);
    for (body, group) in [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c"), ("d1", "d"), ("b2", "b")] {
        send(&mut t, body, group, 0);
    }
    // Both are there before the first message can go.
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 1);
    t.subscribe_as(0, 2, "q", |s| s.prefetch = 1);
    assert_eq!(t.events(), "0 s1 #1 a1 first of group\n0 s2 #1 b1 first of group");
    t.settle(0, 1, 1, Settlement::Consumed);
    t.settle(0, 2, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #2 a2\n0 s2 #2 c1 first of group");
    t.settle(0, 2, 2, Settlement::Consumed);
    t.settle(0, 1, 2, Settlement::Consumed);
    assert_eq!(t.events(), "0 s2 #3 d1 first of group");
    t.settle(0, 2, 3, Settlement::Consumed);
    assert_eq!(t.events(), "0 s2 #4 b2");
}

#[test]
fn the_first_message_of_a_group_may_give_it_to_another() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 2);
    t.subscribe(0, 2, "q");
    send(&mut t, "b", "b", 1);
    send(&mut t, "a1", "a", 1);
    send(&mut t, "c", "c", 1);
    t.events();
    // Who owned it has no credit: what waited for that one goes to the new owner, too.
    send(&mut t, "b2", "b", 2);
    assert_eq!(t.events(), "");
    send(&mut t, "b1 again", "b", 1);
    assert_eq!(t.events(), "0 s2 #2 b1 again first of group\n0 s2 #3 b2");
}

#[test]
fn a_closing_message_alone_makes_no_group() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.subscribe(0, 2, "q");
    send(&mut t, "end", "a", -1);
    send(&mut t, "end", "a", -1);
    let events = t.events();
    assert_eq!(events, "0 s1 #1 end first of group\n0 s2 #1 end first of group");
}
