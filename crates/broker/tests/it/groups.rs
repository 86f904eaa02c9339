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
    assert_eq!(t.events(), "0 s1 #1 a1\n0 s2 #1 b1\n0 s1 #2 a2\n0 s1 #3 a3");
    t.send(0, "q", "free");
    send(&mut t, "a4", "a", 4);
    assert_eq!(t.events(), "0 s2 #2 free\n0 s1 #4 a4");
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
    assert_eq!(t.events(), "0 s1 #1 a1\n0 s2 #1 b1");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #2 a2");
    t.unsubscribe(0, 1);
    assert_eq!(t.events(), "0 s2 #2 a2 again 1");
}
