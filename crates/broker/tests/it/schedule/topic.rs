//! The topic by which clients ask what is scheduled, and remove it.

use super::{START, delay, delivered, depth, depth_or_none, job_id, pass, series};
use crate::driver::{Bench, body, destination, token};
use ferrymq_broker::Settings;
use ferrymq_model::schedule::is_spent;
use ferrymq_model::{DeliveryMode, Settlement};

const MANAGEMENT: &str = "topic://ActiveMQ.Scheduler.Management";

#[test]
fn the_topic_tells_what_is_scheduled() {
    let mut t = Bench::with(Settings { destination_memory_limit_bytes: 2000, ..Settings::default() });
    t.connect(0);
    t.subscribe_as(0, 1, "answers", |s| s.settles = ferrymq_model::request::Settles::WhenWritten);
    for number in 0..10 {
        t.schedule(0, "q", &format!("x=y|{number}"), None, delay(1000 + number));
        t.flush_all();
    }
    let ask = |t: &mut Bench, properties: &str| {
        t.send_as(0, MANAGEMENT, &format!("{properties}|"), token(1), |m| {
            m.header.annotations.get_or_insert_default().reply_to = Some((*destination("answers")).clone());
        });
    };
    ask(&mut t, "AMQ_SCHEDULER_ACTION=BROWSE");
    let mut answers = delivered(&mut t);
    while answers.len() < 10 {
        let last = t.out.events.len();
        for delivery in 1..=answers.len() as u64 {
            t.settle(0, 1, delivery, Settlement::Consumed);
        }
        t.tick(1);
        assert!(t.out.events.len() > last, "it goes on");
        answers.append(&mut delivered(&mut t));
    }
    let bodies: Vec<&str> = answers.iter().map(|message| body(message)).collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(job_id(&answers[6]), "ID:0000000000000000-schedule:1:1:7");
    assert_eq!(answers[6].annotations().unwrap().original_destination, Some(destination("q")));
    assert!(!is_spent(&answers[6]), "its properties say when it is due");
    let ids: std::collections::BTreeSet<_> = answers.iter().map(|message| message.header.id.sequence).collect();
    assert_eq!(ids.len(), 10);

    ask(
        &mut t,
        &format!("AMQ_SCHEDULER_ACTION=BROWSE,ACTION_START_TIME={},ACTION_END_TIME={}", START + 1003, START + 1004),
    );
    assert_eq!(delivered(&mut t).iter().map(|message| body(message)).collect::<String>(), "34");
}

#[test]
fn the_topic_removes_durably() {
    let mut t = Bench::new();
    t.connect(0);
    for number in 0..6 {
        t.schedule(0, "q", &format!("{number}"), None, delay(1000 + number * 100));
    }
    let ask = |t: &mut Bench, properties: &str, number: u64| {
        t.send_as(0, "topic://activemq.scheduler.management", &format!("{properties}|"), token(number), |_| {});
    };
    ask(&mut t, "AMQ_SCHEDULER_ACTION=REMOVE,scheduledJobId=ID:0000000000000000-schedule:1:1:2", 1);
    ask(&mut t, "AMQ_SCHEDULER_ACTION=REMOVE,scheduledJobId=ID:0000000000000001-schedule:1:1:3", 2);
    assert_eq!(t.events(), "", "not confirmed before it is durable");
    let range = format!("ACTION_START_TIME={},ACTION_END_TIME={}", START + 1300, START + 1400);
    ask(&mut t, &format!("AMQ_SCHEDULER_ACTION=REMOVEALL,{range}"), 3);
    t.flush();
    assert_eq!((t.events(), depth(&t)), ("0 confirmed 1\n0 confirmed 2\n0 confirmed 3".into(), "3/0/6/0".into()));
    t.restart();
    t.connect(0);
    t.subscribe(0, 1, "q");
    pass(&mut t, 2000);
    assert_eq!(t.events(), "0 s1 #1 0\n0 s1 #2 2\n0 s1 #3 5");
    t.schedule(0, "q", "a", None, series(100, 100, -1));
    ask(&mut t, "AMQ_SCHEDULER_ACTION=REMOVEALL", 4);
    t.flush();
    t.restart();
    t.connect(0);
    pass(&mut t, 1000);
    assert_eq!((t.events(), depth_or_none(&t)), (String::new(), None));
}

#[test]
fn what_the_topic_does_not_understand_is_refused() {
    let mut t = Bench::new();
    t.connect(0);
    let asked = [
        ("AMQ_SCHEDULER_ACTION=DANCE", "AMQ_SCHEDULER_ACTION is neither BROWSE nor REMOVE nor REMOVEALL"),
        ("AMQ_SCHEDULER_ACTION=BROWSE", "BROWSE needs a reply-to"),
        ("AMQ_SCHEDULER_ACTION=REMOVE", "REMOVE needs a scheduledJobId"),
        ("AMQ_SCHEDULER_ACTION=REMOVEALL,ACTION_START_TIME=x", "ACTION_START_TIME is not a time in milliseconds"),
        (
            "AMQ_SCHEDULER_ACTION=REMOVEALL,ACTION_START_TIME=2,ACTION_END_TIME=1",
            "ACTION_END_TIME is before ACTION_START_TIME",
        ),
    ];
    for (properties, text) in asked {
        t.send_as(0, MANAGEMENT, &format!("{properties}|"), token(1), |_| {});
        assert_eq!(t.events(), format!("0 refused 1 Unknown: {text}"));
        t.begin(0, 7);
        let message = t.message(MANAGEMENT, &format!("{properties}|"));
        t.send_message(0, MANAGEMENT, message, Some(7), None);
        t.commit(0, 7, token(2));
        assert_eq!(t.events(), format!("0 refused 2 Unknown: {text}"));
        t.rollback(0, 7);
    }
    t.send_as(0, MANAGEMENT, "hello", token(1), |_| {});
    assert_eq!(t.events(), "0 confirmed 1");
}

#[test]
fn a_transaction_removes_when_it_commits() {
    let mut t = Bench::new();
    t.connect(0);
    t.schedule(0, "q", "a", None, delay(1000));
    t.begin(0, 7);
    t.send_in(0, 7, MANAGEMENT, "AMQ_SCHEDULER_ACTION=REMOVEALL|", DeliveryMode::Persistent);
    assert_eq!(depth(&t), "1/0/1/0");
    t.commit(0, 7, token(1));
    assert_eq!((depth(&t), t.events()), ("0/0/1/0".to_owned(), String::new()));
    t.flush();
    assert_eq!(t.events(), "0 confirmed 1");
    t.restart();
    assert_eq!(depth_or_none(&t), None);
}
