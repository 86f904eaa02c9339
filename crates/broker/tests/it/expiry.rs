//! Expiry: at dispatch and with the ticks.

use crate::driver::Bench;
use ferrymq_broker::Settings;
use ferrymq_model::{DeliveryMode, Message, WallTime};

fn expires(at: u64, mode: DeliveryMode) -> impl FnOnce(&mut Message) {
    move |message| {
        message.header.expiration = Some(WallTime(at));
        message.header.mode = mode;
    }
}

#[test]
fn a_worthless_message_is_delivered_to_nobody() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_as(0, "q", "a", None, expires(1_000_050, DeliveryMode::NonPersistent));
    t.send_as(0, "q", "b", None, expires(1_000_050, DeliveryMode::Persistent));
    t.send(0, "q", "c");
    t.now.wall.0 += 50;
    t.subscribe(0, 1, "q,ActiveMQ.DLQ");
    assert_eq!(t.events(), "0 s1 #1 c\n0 s1 #2 b");
    t.subscribe(0, 2, "topic://t");
    t.send_as(0, "topic://t", "d", None, expires(7, DeliveryMode::NonPersistent));
    assert_eq!(t.events(), "");
}

#[test]
fn a_tick_removes_as_many_as_it_may() {
    let mut t = Bench::with(Settings { expirations_per_tick_max: 2, ..Settings::default() });
    t.connect(0);
    for body in ["a", "b", "c"] {
        t.send_as(0, "q", body, None, expires(1_000_050, DeliveryMode::NonPersistent));
    }
    t.tick(49);
    assert_eq!(t.counts("q"), "3/0/3/0");
    t.tick(1);
    assert_eq!(t.counts("q"), "1/0/3/0");
    t.tick(0);
    assert_eq!(t.counts("q"), "0/0/3/0");
}

#[test]
fn a_paged_out_message_comes_back_to_die() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..20 {
        t.send_as(0, "q", &format!("{number}"), None, expires(1_000_050, DeliveryMode::Persistent));
        t.flush_all();
    }
    t.tick(50);
    assert_eq!(t.counts("q"), "0/0/20/0");
    assert_eq!(t.counts("ActiveMQ.DLQ"), "20/0/20/0");
    assert!(t.fetched > 10, "{} came back", t.fetched);
}

/// One read that failed kept a worthless message until a consumer came.
#[test]
fn a_worthless_message_that_could_not_be_read_back_dies_when_it_can() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2_000, ..Settings::default() });
    t.connect(0);
    for number in 0..20 {
        t.send_as(0, "q", &format!("{number}"), None, expires(1_000_050, DeliveryMode::Persistent));
        t.journal.flush_lazy();
        t.flush();
    }
    t.fetches = false;
    t.tick(50);
    assert!(t.fetch_but(|_| true) > 10);
    assert_ne!(t.counts("q"), "0/0/20/0");
    t.fetches = true;
    t.tick(1);
    assert_eq!(t.counts("q"), "0/0/20/0");
}
