//! Browsing.

use crate::driver::Bench;
use ferrymq_broker::Settings;
use ferrymq_model::Settlement;
use ferrymq_model::request::SubscribeMode;

#[test]
fn a_browser_sees_the_snapshot_and_takes_nothing() {
    let mut t = Bench::new();
    t.connect(0);
    for (body, priority) in [("a", 4), ("color=red|b", 9), ("c", 4)] {
        t.send_as(0, "q", body, None, |m| m.header.priority = priority);
    }
    t.subscribe_as(0, 1, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.prefetch = 2;
    });
    t.send(0, "q", "later");
    assert_eq!(t.events(), "0 s1 #1 b\n0 s1 #2 a");
    t.settle(0, 1, 1, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 #3 c");
    t.settle(0, 1, 2, Settlement::Consumed);
    assert_eq!(t.events(), "0 s1 end");
    assert_eq!(t.counts("q"), "4/0/4/0");
    t.subscribe_as(0, 2, "q", |s| {
        s.mode = SubscribeMode::Browse;
        s.selector = Some("color = 'red'".into());
    });
    assert_eq!(t.events(), "0 s2 #1 b\n0 s2 end");
}

#[test]
fn a_browser_reads_what_is_paged_out() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..200 {
        t.send_durably(0, "q", &format!("{number}"), None);
        t.journal.flush_lazy();
        t.flush();
    }
    t.subscribe_as(0, 1, "q", |s| s.mode = SubscribeMode::Browse);
    let events = t.events();
    assert_eq!(events.lines().count(), 201);
    assert!(events.ends_with("0 s1 #200 199\n0 s1 end"));
}
