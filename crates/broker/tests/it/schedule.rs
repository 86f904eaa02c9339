//! Scheduled and delayed delivery, and the topic that manages it.

mod topic;

use crate::driver::{Bench, body, destination, token};
use ferrymq_broker::{ScheduleSettings, Settings};
use ferrymq_model::schedule::is_spent;
use ferrymq_model::{Deliveries, DeliveryId, DeliveryMode, Event, Message, Schedule, Settlement, Value, WallTime};

/// When the bench's clock starts: 16 minutes and 40 seconds after the epoch.
const START: u64 = 1_000_000;
const MANAGEMENT: &str = "topic://ActiveMQ.Scheduler.Management";

fn delay(delay_ms: u64) -> Schedule {
    Schedule { delay_ms, ..Schedule::default() }
}

fn series(delay_ms: u64, period_ms: u64, repeat: i32) -> Schedule {
    Schedule { delay_ms, period_ms, repeat, ..Schedule::default() }
}

fn cron(source: &str) -> Schedule {
    Schedule { cron: Some(source.into()), ..Schedule::default() }
}

/// Lets time pass in steps of 100 ms, with everything durable after each.
fn pass(t: &mut Bench, ms: u64) {
    for _ in 0..ms.div_ceil(100) {
        t.tick(100);
        t.flush();
    }
}

fn delivered(t: &mut Bench) -> Vec<std::sync::Arc<Message>> {
    let deliver = |(_, event)| match event {
        Event::Deliver(delivery) => Some(delivery.message),
        _ => None,
    };
    t.take_events().into_iter().filter_map(deliver).collect()
}

fn job_id(message: &Message) -> String {
    let added = &message.annotations().unwrap().added;
    let (_, id) = added.iter().find(|(name, _)| &**name == "scheduledJobId").unwrap();
    let Value::Text(id) = id else { panic!("{id:?}") };
    id.to_string()
}

/// The row of the schedule: depth, taken and left.
fn depth(t: &Bench) -> String {
    t.counts("ActiveMQ.Scheduler.Management")
}

#[test]
fn a_delayed_message_comes_in_its_time_and_once() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.schedule(0, "q", "a", token(1), delay(1000));
    assert_eq!(t.events(), "", "not confirmed before it is durable");
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
    t.tick(999);
    t.flush();
    assert_eq!((t.events(), depth(&t)), (String::new(), "1/0/1/0".to_owned()));
    t.tick(1);
    assert_eq!(t.events(), "", "not delivered before the move is durable");
    t.flush();
    let [message] = &delivered(&mut t)[..] else { panic!() };
    assert_eq!((body(message), message.header.id.sequence, is_spent(message)), ("a", 1, true));
    assert_eq!(job_id(message), "ID:0000000000000000-schedule:1:1:1");
    assert_eq!((t.counts("q"), depth(&t)), ("1/1/1/0".to_owned(), "0/0/1/1".to_owned()));
    pass(&mut t, 5000);
    assert_eq!(t.events(), "");
}

#[test]
fn what_is_not_persistent_survives_while_it_waits() {
    let mut t = Bench::new();
    t.connect(0);
    t.send_as(0, "q", "a", token(1), |m| {
        m.header.annotations.get_or_insert_default().schedule = Some(delay(500).into())
    });
    t.flush();
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "q");
    pass(&mut t, 500);
    let [message] = &delivered(&mut t)[..] else { panic!() };
    assert_eq!((body(message), message.header.mode), ("a", DeliveryMode::NonPersistent));
    t.restart();
    t.tick(5000);
    assert_eq!(depth_or_none(&t), None);
}

fn depth_or_none(t: &Bench) -> Option<u64> {
    use ferrymq_model::event::Report;
    let query = ferrymq_model::Query::Destinations("ActiveMQ.Scheduler.>".into());
    let Report::Destinations(rows) = t.broker.inspect(&query, &t.journal) else { panic!() };
    rows.first().map(|row| row.depth)
}

#[test]
fn a_series_repeats_with_ids_of_its_own_until_it_ends() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.schedule(0, "q", "a", None, series(1000, 200, 3));
    pass(&mut t, 900);
    assert_eq!(t.events(), "");
    let mut ids = Vec::new();
    for _ in 0..4 {
        t.tick(100);
        t.flush();
        let [message] = &delivered(&mut t)[..] else { panic!() };
        ids.push(message.header.id.clone());
        assert_eq!(job_id(message), "ID:0000000000000000-schedule:1:1:1");
        t.tick(100);
        t.flush();
        assert_eq!(t.events(), "");
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
    pass(&mut t, 3000);
    assert_eq!((t.events(), depth(&t)), (String::new(), "0/0/1/4".to_owned()));
}

#[test]
fn a_period_alone_is_the_first_delay_and_repeats_for_ever_have_no_end() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.schedule(0, "q", "a", None, series(0, 300, -1));
    for round in 1..=20 {
        pass(&mut t, 300);
        assert_eq!(delivered(&mut t).len(), 1, "{round}");
        if round % 7 == 0 {
            t.restart();
            t.connect(0);
            t.subscribe(0, 1, "q");
            t.events();
        }
    }
}

#[test]
fn a_calendar_starts_again_and_again() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    // It is 00:16:40.
    t.schedule(0, "q", "a", None, cron("18,20 * * * *"));
    for seconds in [79, 1, 119, 1, 58 * 60 - 1, 1] {
        t.tick(seconds * 1000);
        t.flush();
        assert_eq!(delivered(&mut t).len(), usize::from(seconds == 1), "{seconds}");
        t.restart();
        t.connect(0);
        t.subscribe(0, 1, "q");
        t.events();
    }
}

#[test]
fn each_start_of_a_calendar_begins_a_series() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.schedule(0, "q", "a", None, Schedule { cron: Some("* * * * *".into()), ..series(1000, 2000, 1) });
    let mut found = Vec::new();
    for second in 1..=140 {
        t.tick(1000);
        t.flush();
        for message in delivered(&mut t) {
            found.push((second, job_id(&message), message.header.id.clone()));
        }
    }
    // 00:17:00 is 20 s after the start.
    let seconds: Vec<u64> = found.iter().map(|(second, ..)| *second).collect();
    assert_eq!(seconds, [21, 23, 81, 83]);
    assert_eq!(found[0].1, found[1].1);
    assert_ne!(found[1].1, found[2].1);
    let ids: std::collections::BTreeSet<_> = found.iter().map(|(.., id)| id.to_string()).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn what_was_missed_comes_once() {
    let mut t = Bench::new();
    t.connect(0);
    t.schedule(0, "q", "a", token(1), series(1000, 1000, -1));
    t.flush();
    t.restart();
    t.now.wall.0 += 3_600_000;
    t.connect(0);
    t.subscribe(0, 1, "q");
    pass(&mut t, 900);
    assert_eq!(delivered(&mut t).len(), 1);
    pass(&mut t, 1000);
    assert_eq!(delivered(&mut t).len(), 1);
}

#[test]
fn a_clock_that_goes_back_brings_nothing_twice_and_nothing_early() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    t.schedule(0, "q", "a", None, series(1000, 1000, -1));
    pass(&mut t, 1000);
    assert_eq!(delivered(&mut t).len(), 1);
    t.now.wall.0 -= 10_000;
    pass(&mut t, 10_900);
    assert_eq!(t.events(), "");
    pass(&mut t, 100);
    assert_eq!(delivered(&mut t).len(), 1);
}

#[test]
fn a_transaction_schedules_when_it_commits() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    for (transaction, text) in [(1, "a"), (2, "b")] {
        t.begin(0, transaction);
        let mut message = t.message("q", text);
        message.header.mode = DeliveryMode::Persistent;
        message.header.annotations.get_or_insert_default().schedule = Some(delay(200).into());
        t.send_message(0, "q", message, Some(transaction), None);
        t.send_in(0, transaction, "other", "c", DeliveryMode::Persistent);
    }
    pass(&mut t, 1000);
    assert_eq!((t.events(), depth_or_none(&t)), (String::new(), None));
    t.rollback(0, 1);
    t.commit(0, 2, token(5));
    assert_eq!(t.events(), "");
    t.flush();
    assert_eq!(
        (t.events(), depth(&t), t.counts("other")),
        ("0 confirmed 5".into(), "1/0/1/0".into(), "1/0/1/0".into())
    );
    pass(&mut t, 200);
    assert_eq!(t.events(), "0 s1 #1 b");
}

#[test]
fn a_crash_between_store_and_move_neither_doubles_nor_loses() {
    let mut t = Bench::new();
    t.connect(0);
    for text in ["a", "b", "c"] {
        t.schedule(0, "q", text, None, series(100, 100, 1));
    }
    t.flush_all();
    let before = t.disk.clone();
    // Due and not durable: the crash undoes it all.
    t.tick(100);
    t.crash_to(before);
    assert_eq!(depth_or_none(&t), Some(3));
    t.tick(0);
    t.flush();
    assert_eq!(t.counts("q"), "3/0/3/0");
    // Durable: the crash finds the copies and the next occurrences.
    t.restart();
    assert_eq!((t.counts("q"), depth_or_none(&t)), ("3/0/0/0".to_owned(), Some(3)));
    pass(&mut t, 100);
    assert_eq!((t.counts("q"), depth_or_none(&t)), ("6/0/3/0".to_owned(), Some(0)));
    t.restart();
    pass(&mut t, 1000);
    assert_eq!((t.counts("q"), depth_or_none(&t)), ("6/0/0/0".to_owned(), None));
}

#[test]
fn many_that_are_due_come_in_steps_and_in_order() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.prefetch = 10_000);
    for number in 0..3000 {
        t.schedule(0, "q", &format!("{number}"), None, delay(100));
    }
    t.tick(100);
    assert_eq!(depth(&t), "2488/0/3000/512");
    t.flush();
    let bodies: Vec<String> = delivered(&mut t).iter().map(|message| body(message).to_owned()).collect();
    assert_eq!(bodies, (0..3000).map(|number| number.to_string()).collect::<Vec<_>>(), "without another tick");
}

#[test]
fn messages_that_wait_leave_memory_and_come_back() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 20_000, ..Settings::default() });
    t.connect(0);
    for number in 0..400 {
        t.schedule(0, "q", &format!("{number}"), None, delay(1000));
        t.flush_all();
    }
    assert_eq!(t.events(), "", "what leaves memory pauses nobody");
    assert!(t.broker_memory() < 20_000, "{}", t.broker_memory());
    t.restart();
    assert!(t.broker_memory() < 20_000, "{}", t.broker_memory());
    pass(&mut t, 1000);
    assert_eq!((t.counts("q"), depth(&t)), ("400/0/400/0".to_owned(), "0/0/0/400".to_owned()));
    t.connect(0);
    t.subscribe(0, 1, "q");
    let bodies: Vec<String> = delivered(&mut t).iter().map(|message| body(message).to_owned()).collect();
    assert_eq!(bodies, (0..400).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(t.fetched > 300, "{}", t.fetched);
}

#[test]
fn producers_wait_while_nothing_is_durable() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 3000, ..Settings::default() });
    t.connect(0);
    for _ in 0..20 {
        t.schedule(0, "q", "0123456789", None, delay(1000));
    }
    t.schedule(0, "q", "a", token(1), delay(1000));
    assert!(t.events().starts_with("0 pause"));
    for _ in 0..40 {
        t.schedule(0, "q", "0123456789", None, delay(1000));
    }
    assert!(t.events().contains("0 refused LimitReached: the schedule is full"));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1\n0 resume");
}

#[test]
fn what_is_due_waits_for_room_where_it_goes() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2000, ..Settings::default() });
    t.connect(0);
    t.subscribe(0, 1, "q");
    for _ in 0..20 {
        t.schedule(0, "q", "a", None, delay(100));
        t.schedule(0, "other", "a", None, delay(100));
        t.flush_all();
    }
    pass(&mut t, 300);
    let first = delivered(&mut t).len() as u64;
    assert!((1..20).contains(&first), "{first} of 20 had room");
    assert_eq!(t.counts("other"), "20/0/20/0", "what has room does not wait for what has none");
    for delivery in 1..=20 {
        t.settle_in(0, 1, Deliveries::Through(DeliveryId(delivery)), Settlement::Consumed, None, None);
        pass(&mut t, 500);
    }
    assert_eq!((delivered(&mut t).len() as u64 + first, t.counts("q")), (20, "0/0/20/20".to_owned()));
}

#[test]
fn a_message_that_cannot_be_read_does_not_stop_the_others() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 1000, ..Settings::default() });
    t.connect(0);
    for text in ["a", "b", "c", "d", "e"] {
        t.schedule(0, "q", text, None, delay(100));
        t.flush_all();
    }
    t.fetches = false;
    pass(&mut t, 100);
    assert_eq!(t.fetch_but(|_| true), 4);
    t.fetches = true;
    assert_eq!((t.counts("q"), depth(&t)), ("1/0/1/0".to_owned(), "4/0/5/1".to_owned()));
    pass(&mut t, 600);
    assert_eq!((t.counts("q"), depth(&t)), ("5/0/5/0".to_owned(), "0/0/5/5".to_owned()));
}

#[test]
fn a_destination_that_is_gone_leaves_a_dead_letter() {
    let mut t = Bench::new();
    t.connect(0);
    t.temporary(0, "temp-queue://x");
    t.schedule(0, "temp-queue://x", "a", None, delay(100));
    t.disconnect(0);
    t.connect(1);
    t.subscribe(1, 1, "ActiveMQ.DLQ");
    pass(&mut t, 100);
    let [message] = &delivered(&mut t)[..] else { panic!() };
    let annotations = message.annotations().unwrap();
    assert_eq!(annotations.original_destination, Some(destination("temp-queue://x")));
    let cause = annotations.added.iter().find(|(name, _)| &**name == "dlqDeliveryFailureCause").unwrap();
    assert_eq!(cause.1, Value::Text("Cannot publish to a deleted Destination: temp-queue://x".into()));
    t.restart();
    assert_eq!(t.counts("ActiveMQ.DLQ"), "1/0/0/0");
}

#[test]
fn time_to_live_starts_with_the_delivery_but_not_with_a_delivery_delay() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe(0, 1, "q");
    let expires = |schedule: Schedule| {
        move |message: &mut Message| {
            message.header.expiration = Some(WallTime(START + 500));
            message.header.annotations.get_or_insert_default().schedule = Some(schedule.into());
        }
    };
    t.send_as(0, "q", "a", None, expires(delay(1000)));
    t.send_as(0, "q", "b", None, expires(Schedule::delivery_delay(1000).unwrap()));
    t.send_as(0, "q", "c", None, expires(Schedule::delivery_delay(300).unwrap()));
    pass(&mut t, 1000);
    let found: Vec<(String, Option<WallTime>)> =
        delivered(&mut t).iter().map(|m| (body(m).to_owned(), m.header.expiration)).collect();
    assert_eq!(found, [("c".to_owned(), Some(WallTime(START + 500))), ("a".to_owned(), Some(WallTime(START + 1500)))]);
    assert_eq!(depth(&t), "0/0/3/3");
}

#[test]
fn every_leaf_and_every_durable_subscription_gets_it() {
    let mut t = Bench::new();
    t.connect_as(0, Some("client"));
    t.subscribe_as(0, 1, "topic://t", |s| s.mode = ferrymq_model::request::SubscribeMode::Durable("d".into()));
    t.subscribe(0, 2, "q");
    t.subscribe(0, 3, "topic://t");
    t.schedule(0, "q,topic://t", "a", None, delay(100));
    pass(&mut t, 100);
    assert_eq!(t.events(), "0 s2 #1 a\n0 s1 #1 a\n0 s3 #1 a");
}

#[test]
fn what_is_beyond_the_limits_is_refused() {
    let schedule = ScheduleSettings { jobs_max: 2, repeats_max: 5, delay_ms_max: 1000, ..ScheduleSettings::default() };
    let mut t = Bench::with(Settings { schedule, ..Settings::default() });
    t.connect(0);
    t.schedule(0, "q", "a", token(1), series(1, 1, 6));
    t.schedule(0, "q", "a", token(2), delay(1001));
    t.schedule(0, "q", "a", token(3), series(1, 1001, 1));
    t.schedule(0, "a,b,c", "a", token(4), delay(1));
    assert_eq!(
        t.events(),
        "0 refused 1 LimitReached: the scheduled repeat value is too large: 6 of at most 5\n\
         0 refused 2 LimitReached: a scheduled delay or period is at most 1000 ms\n\
         0 refused 3 LimitReached: a scheduled delay or period is at most 1000 ms\n\
         0 refused 4 LimitReached: the schedule has its limit of 2 messages"
    );
    t.schedule(0, "temp-queue://x", "a", token(5), delay(1));
    t.schedule(0, MANAGEMENT, "a", token(6), delay(1));
    assert_eq!(
        t.events(),
        "0 refused 5 InvalidDestination: Cannot publish to a deleted Destination: temp-queue://x\n0 confirmed 6",
        "a message to the management topic is not scheduled"
    );
    let off = ScheduleSettings { enabled: false, ..ScheduleSettings::default() };
    let mut t = Bench::with(Settings { schedule: off, ..Settings::default() });
    t.connect(0);
    t.schedule(0, "q", "a", token(1), delay(1));
    assert_eq!(t.events(), "0 refused 1 Denied: the scheduler is off: no scheduled message is taken");
}

#[test]
fn a_full_disk_takes_nothing_and_brings_nothing() {
    let mut t = Bench::new();
    t.connect(0);
    t.schedule(0, "q", "a", None, delay(100));
    t.short_of_space = true;
    t.flush_all();
    t.tick(100);
    t.schedule(0, "q", "a", token(1), delay(100));
    assert!(t.events().starts_with("0 refused 1 LimitReached: the disk is full"));
    assert_eq!((t.counts("q"), depth(&t)), ("0/0/0/0".to_owned(), "1/0/1/0".to_owned()));
    t.short_of_space = false;
    t.flush_all();
    pass(&mut t, 300);
    assert_eq!((t.counts("q"), depth(&t)), ("1/0/1/0".to_owned(), "0/0/1/1".to_owned()));
}

#[test]
fn years_of_repeats_keep_no_old_segment() {
    let mut t = Bench::new();
    t.connect(0);
    t.subscribe_as(0, 1, "q", |s| s.settles = ferrymq_model::request::Settles::WhenWritten);
    let body = "x".repeat(100_000);
    t.schedule(0, "q", &body, None, series(100, 100, -1));
    for delivery in 1..=50 {
        pass(&mut t, 100);
        assert_eq!(delivered(&mut t).len(), 1);
        t.settle(0, 1, delivery, Settlement::Consumed);
        t.flush_all();
    }
    let (_, segments) = t.journal.footprint();
    assert!(segments <= 3, "{segments} segments of 1 MiB for 10 MB that went through");
}

#[test]
fn a_virtual_topic_is_resolved_when_the_message_is_due() {
    let mut t = Bench::new();
    t.connect(0);
    t.schedule(0, "topic://VirtualTopic.Orders", "a", None, delay(100));
    t.subscribe(0, 1, "Consumer.A.VirtualTopic.Orders");
    pass(&mut t, 100);
    assert_eq!(t.events(), "0 s1 #1 a from queue://Consumer.A.VirtualTopic.Orders");
    assert_eq!(depth(&t), "0/0/1/1");
}
