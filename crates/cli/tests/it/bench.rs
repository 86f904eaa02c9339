//! The load generator: short runs by count, whose results are exact.

use serde_json::Value;

use crate::support::{Broker, ferrymq};

fn run(broker: &Broker, flags: &[&str]) -> Value {
    let pid = broker.pid();
    let report = broker.stomp(&[&["bench", "--count", "1000", "--json", "--pid", &pid], flags].concat()).json();
    let run = report["runs"][0].clone();
    assert_eq!((&run["sent"], &run["missing"], &run["foreign"]), (&1000.into(), &0.into(), &0.into()), "{report}");
    run
}

#[test]
fn every_message_of_a_count_arrives() {
    let broker = Broker::start();
    let result = run(&broker, &[]);
    assert_eq!(result["received"], 1000);
    assert_eq!(result["end_to_end"]["count"], 1000);
    assert_eq!(result["confirmation"], Value::Null);
    assert!(result["broker"]["resident_bytes"].as_u64().is_some_and(|bytes| bytes > 0));
}

#[test]
fn every_subscriber_of_a_topic_gets_every_message() {
    let broker = Broker::start();
    assert_eq!(run(&broker, &["--fan-out", "5", "--window", "100"])["received"], 5000);
}

#[test]
fn every_persistent_message_is_confirmed() {
    let broker = Broker::start();
    let result = run(&broker, &["--persistent", "--receipts", "10", "--producers", "4"]);
    assert_eq!((&result["confirmed"], &result["unconfirmed"]), (&1000.into(), &0.into()));
    assert_eq!(result["confirmation"]["count"], 1000);
}

#[test]
fn acknowledgements_let_messages_flow_beyond_the_prefetch() {
    let broker = Broker::start();
    for ack in ["client", "individual"] {
        assert_eq!(
            run(&broker, &["--ack", ack, "--destinations", "2", "--producers", "2", "--consumers", "2"])["received"],
            1000
        );
    }
}

#[test]
fn an_open_loop_sends_every_scheduled_message() {
    let broker = Broker::start();
    assert_eq!(run(&broker, &["--rate", "20000", "--producers", "3"])["received"], 1000);
}

#[test]
fn every_standard_workload_runs() {
    let broker = Broker::start();
    let list = ferrymq(&["bench", "--list", "--json"]).json();
    let names: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|entry| entry["name"].as_str()).collect();
    let (stomp, openwire) = names.split_at(10);
    assert_eq!(stomp, ["S1w", "S1t", "S1f", "S2", "S3", "S3c", "S3b", "S4", "S4b", "S1-flood"]);
    assert_eq!(openwire, ["O1", "O1b", "O1c", "O1d", "O1e", "O2", "O2b", "O2c", "O3", "O3b", "O4", "O4b", "O4c"]);
    for &name in &names {
        let arguments = ["bench", "--preset", name, "--count", "160", "--json"];
        let run = if openwire.contains(&name) { broker.openwire(&arguments) } else { broker.stomp(&arguments) };
        let report = run.json();
        assert_eq!((&report["workload"]["name"], &report["runs"][0]["missing"]), (&name.into(), &0.into()), "{report}");
    }
}

#[test]
fn people_get_a_block_and_the_spread_of_several_runs() {
    let broker = Broker::start();
    let text = broker.stomp(&["bench", "--count", "100", "--repeat", "3"]).text();
    assert!(text.starts_with("custom: 1 producer to 1 consumer over 1 queue"), "{text}");
    assert_eq!(text.matches("  received   ").count(), 3 + 1, "{text}");
    assert!(text.contains("minimum / median / maximum"), "{text}");
}
