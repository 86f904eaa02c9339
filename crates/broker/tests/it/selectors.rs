//! Selectors on queues: a consumer finds its messages, however deep they are.

use crate::driver::{Bench, properties_asked};
use ferrymq_broker::Settings;
use ferrymq_model::{RefusalKind, Settlement};

#[test]
fn each_consumer_gets_what_it_selects_and_the_rest_waits() {
    let mut t = Bench::new();
    t.connect(0);
    for body in ["color=red|a", "color=blue|b", "c", "color=red|d"] {
        t.send(0, "q", body);
    }
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = 'red'".into()));
    assert_eq!(t.events(), "0 s1 #1 a\n0 s1 #2 d");
    t.subscribe_as(0, 2, "q", |s| s.selector = Some("color = 'blue'".into()));
    t.send(0, "q", "color=blue|e");
    assert_eq!(t.events(), "0 s2 #1 b\n0 s2 #2 e");
    assert_eq!(t.counts("q"), "5/4/5/0");
}

#[test]
fn a_message_that_comes_back_is_found_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = 'red'".into()));
    t.subscribe_as(0, 2, "q", |s| {
        s.selector = Some("color = 'red'".into());
        s.prefetch = 1;
    });
    for body in ["color=red|a", "color=red|b", "color=red|c"] {
        t.send(0, "q", body);
    }
    assert_eq!(t.events(), "0 s1 #1 a\n0 s2 #1 b\n0 s1 #2 c");
    t.settle(0, 2, 1, Settlement::Consumed);
    t.unsubscribe(0, 1);
    assert_eq!(t.events(), "0 s2 #2 a again 1");
    t.settle(0, 2, 2, Settlement::Consumed);
    assert_eq!(t.events(), "0 s2 #3 c again 1");
}

/// The red one came back to an empty queue, and its consumer had looked past its place: it waited for good.
#[test]
fn a_message_that_comes_back_to_an_empty_queue_is_found_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = 'red'".into()));
    t.send(0, "q", "color=red|a");
    t.send(0, "q", "b");
    t.subscribe_as(0, 2, "q", |s| s.prefetch = 1);
    assert_eq!(t.events(), "0 s1 #1 a\n0 s2 #1 b");
    t.settle(0, 1, 1, Settlement::Undelivered);
    assert_eq!(t.events(), "0 s1 #2 a again 1");
}

#[test]
fn deep_messages_are_found_through_paged_out_ones_in_bounded_steps() {
    let settings =
        Settings { destination_memory_limit_bytes: 4_000, examined_per_dispatch_max: 100, ..Settings::default() };
    let mut t = Bench::with(settings);
    t.connect(0);
    for number in 0..500 {
        let body = if number % 250 == 249 { format!("color=red|{number}") } else { format!("{number}") };
        t.send_durably(0, "q", &body, None);
        t.flush();
    }
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = 'red'".into()));
    for _ in 0..10 {
        t.tick(1);
    }
    assert_eq!(t.events(), "0 s1 #1 249\n0 s1 #2 499");
    let fetched = t.fetched;
    t.send_durably(0, "q", "color=red|new", None);
    assert_eq!(t.events(), "0 s1 #3 new");
    assert_eq!(t.fetched, fetched, "what was examined is not examined again");
}

#[test]
fn a_selector_that_does_not_parse_is_refused() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = ".into()));
    let events = t.take_events();
    assert!(
        matches!(&events[..], [(_, ferrymq_model::Event::Refused { refusal, .. })]
            if refusal.kind == RefusalKind::InvalidSelector),
        "{events:?}"
    );
}

#[test]
fn consumers_that_leave_do_not_make_the_others_look_through_the_queue_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.connect(1);
    for id in 0..20 {
        for slot in 0..2 {
            t.subscribe_as(slot, id, "q", |s| s.selector = Some("color = 'red'".into()));
        }
    }
    for _ in 0..5 {
        t.send(0, "q", "color=blue|x");
    }
    let asked = properties_asked();
    assert_eq!(asked, 5, "a message is shown once to all who ask for the same");
    t.disconnect(1);
    t.unsubscribe(0, 0);
    assert_eq!(properties_asked(), asked);
    assert_eq!(t.counts("q"), "5/0/5/0");
}

/// Consumers of selectors that are made to be slow cost the others no more than a part of a step.
#[test]
fn slow_selectors_use_up_what_a_step_may_examine() {
    let mut t = Bench::with(Settings { examined_per_dispatch_max: 1000, ..Settings::default() });
    t.connect(0);
    let text = "a".repeat(10_000);
    for number in 0..20 {
        t.send(0, "q", &format!("text={text}|{number}"));
    }
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("text LIKE '%_b%' OR text = 'a'".into()));
    let before = properties_asked();
    t.tick(1);
    let asked = properties_asked() - before;
    assert!((1..20).contains(&asked), "{asked} properties in a step");
}

/// It had no credit while the others, who want none of them, were shown all that came in.
#[test]
fn who_has_not_looked_at_all_that_waits_misses_nothing_when_something_comes_in() {
    let mut t = Bench::with(Settings { examined_per_dispatch_max: 100, ..Settings::default() });
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("color = 'blue'".into()));
    t.subscribe_as(0, 2, "q", |s| {
        s.selector = Some("color = 'red'".into());
        s.prefetch = 1;
    });
    t.send(0, "q", "color=red|first");
    for _ in 0..150 {
        t.send(0, "q", "color=green|x");
    }
    t.send(0, "q", "color=red|second");
    assert_eq!(t.events(), "0 s2 #1 first");
    t.settle(0, 2, 1, Settlement::Consumed);
    t.send(0, "q", "color=green|x");
    for _ in 0..3 {
        t.tick(1);
    }
    assert_eq!(t.events(), "0 s2 #2 second");
}

#[test]
fn an_easy_selector_finds_its_message_among_slow_ones() {
    let mut t = Bench::new();
    t.connect(0);
    for id in 0..100 {
        t.subscribe_as(0, id, "topic://t", |s| s.selector = Some("text LIKE '%_a_b%'".into()));
    }
    t.subscribe_as(0, 100, "topic://t", |s| s.selector = Some("color = 'red'".into()));
    let text = "a".repeat(100_000);
    t.send(0, "topic://t", &format!("color=red,text={text}|x"));
    assert_eq!(t.events(), "0 s100 #1 x");
}

/// A queue of messages of 50 kinds, each in turn.
fn kinds(t: &mut Bench, messages: usize) {
    t.connect(0);
    for number in 0..messages {
        t.send_durably(0, "q", &format!("kind={}|{number}", number % 50), None);
        t.flush();
    }
    t.events();
}

#[test]
fn consumers_that_come_and_go_do_not_look_through_the_queue_each() {
    let mut t = Bench::new();
    kinds(&mut t, 1000);
    let before = properties_asked();
    for kind in 0..40 {
        t.subscribe_as(0, kind, "q", |s| {
            s.selector = Some(format!("kind = '{kind}'").into());
            s.prefetch = 2;
        });
        assert_eq!(t.events(), format!("0 s{kind} #1 {kind}\n0 s{kind} #2 {}", kind + 50));
        t.settle(0, kind, 1, Settlement::Consumed);
        assert_eq!(t.events(), format!("0 s{kind} #3 {}", kind + 100));
        t.unsubscribe(0, kind);
    }
    let asked = properties_asked() - before;
    assert!(asked < 1500, "{asked} properties of 1000 messages");
}

#[test]
fn what_comes_back_does_not_make_all_look_through_the_queue_again() {
    let mut t = Bench::new();
    kinds(&mut t, 1000);
    for kind in 50..70 {
        t.subscribe_as(0, kind, "q", |s| s.selector = Some(format!("kind = '{kind}'").into()));
    }
    t.send(0, "q", "kind=50|x");
    assert_eq!(t.events(), "0 s50 #1 x");
    let before = properties_asked();
    for delivery in 1..6 {
        t.settle(0, 50, delivery, Settlement::Undelivered);
        assert_eq!(t.events(), format!("0 s50 #{} x again {delivery}", delivery + 1));
    }
    t.unsubscribe(0, 50);
    let asked = properties_asked() - before;
    assert!(asked < 100, "{asked} properties of what is for nobody");
}

#[test]
fn of_messages_that_are_paged_out_those_alone_are_read_that_a_consumer_demands() {
    let settings = Settings { destination_memory_limit_bytes: 4_000, ..Settings::default() };
    let mut t = Bench::with(settings);
    kinds(&mut t, 1000);
    t.subscribe_as(0, 60, "q", |s| s.selector = Some("kind = '60'".into()));
    t.subscribe_as(0, 61, "q", |s| s.selector = Some("kind = '61'".into()));
    assert_eq!(t.events(), "");
    let read = t.fetched;
    for kind in 0..50 {
        t.subscribe_as(0, kind, "q", |s| s.selector = Some(format!("kind = '{kind}'").into()));
        let events = t.events();
        let first = format!("0 s{kind} #1 {kind}\n");
        assert!(events.starts_with(&first) && events.lines().count() == 20, "of kind {kind}: {events}");
    }
    assert_eq!(t.counts("q"), "1000/1000/1000/0");
    let read = t.fetched - read;
    assert!(read <= 1000, "{read} reads of 1000 messages");
}

/// The newest message of its queue came back, and who had passed it over before it was redelivered did not look again.
#[test]
fn what_only_a_redelivery_makes_wanted_is_found() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.selector = Some("JMSRedelivered = TRUE".into()));
    t.subscribe_as(0, 2, "q", |s| s.prefetch = 0);
    t.send(0, "q", "a");
    let two = ferrymq_model::SubscriptionId(2);
    t.ask(0, ferrymq_model::Request::Pull { subscription: two, messages: 1, confirm: None });
    assert_eq!(t.events(), "0 s2 #1 a");
    t.settle(0, 2, 1, Settlement::Undelivered);
    assert_eq!(t.events(), "0 s1 #1 a again 1");
}
