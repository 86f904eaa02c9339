//! Exclusive consumers.

use crate::driver::Bench;
use ferrymq_model::Settlement;

fn exclusive(t: &mut Bench, id: u32, priority: i16) {
    t.subscribe_as(0, id, "q", |s| {
        s.exclusive = true;
        s.priority = priority;
        s.prefetch = 1;
    });
}

#[test]
fn the_oldest_of_the_highest_priority_gets_everything_and_the_next_takes_over() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.priority = 9);
    exclusive(&mut t, 2, 0);
    exclusive(&mut t, 3, 0);
    t.send(0, "q", "a");
    t.send(0, "q", "b");
    assert_eq!(t.events(), "0 s2 #1 a");
    exclusive(&mut t, 4, 5);
    assert_eq!(t.events(), "0 s4 #1 b");
    t.send(0, "q", "c");
    t.settle(0, 2, 1, Settlement::Consumed);
    assert_eq!(t.events(), "");
    t.unsubscribe(0, 4);
    assert_eq!(t.events(), "0 s2 #2 b again 1");
    t.unsubscribe(0, 2);
    assert_eq!(t.events(), "0 s3 #1 b again 2");
    t.unsubscribe(0, 3);
    assert_eq!(t.events(), "0 s1 #1 b again 3\n0 s1 #2 c");
}

#[test]
fn an_exclusive_consumer_takes_only_what_it_selects_and_nobody_takes_the_rest() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.subscribe_as(0, 2, "q", |s| {
        s.exclusive = true;
        s.selector = Some("color = 'red'".into());
    });
    t.send(0, "q", "color=blue|a");
    t.send(0, "q", "color=red|b");
    assert_eq!(t.events(), "0 s2 #1 b");
    t.unsubscribe(0, 2);
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 b again 1");
}
