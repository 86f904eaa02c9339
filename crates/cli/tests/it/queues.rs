//! What the control socket serves.

use crate::support::{Broker, Directory, ferrymq};

#[test]
fn queues_are_listed_and_purged() {
    let broker = Broker::start();
    broker.stomp(&["send", "orders.new", "x", "--count", "3"]).text();
    broker.stomp(&["send", "other", "x"]).text();
    let depth = || {
        let list = broker.control(&["queues", "--json", "orders.>"]).json();
        let rows = list.as_array().expect("a list").clone();
        assert_eq!(rows.len(), 1, "{list}");
        assert_eq!((&rows[0]["kind"], &rows[0]["name"]), (&"queue".into(), &"orders.new".into()));
        rows[0]["depth"].as_u64()
    };
    assert_eq!(depth(), Some(3));
    assert_eq!(broker.control(&["purge", "queue://orders.new", "--json"]).json(), serde_json::json!({"purged": 3}));
    assert_eq!(depth(), Some(0));
    assert_eq!(broker.control(&["purge", "other"]).text(), "purged 1 message from other\n");
}

#[test]
fn the_table_has_a_heading_and_a_line_for_each_destination() {
    let broker = Broker::start();
    broker.stomp(&["send", "a.b", "x", "--count", "2"]).text();
    let table = broker.control(&["queues", "a.b"]).text();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("kind ") && lines[1].starts_with("queue  a.b "), "{table}");
}

#[test]
fn without_a_broker_the_directory_is_named() {
    let directory = Directory::new();
    let data = directory.path().to_str().expect("a plain path");
    for command in [&["queues", "--once", "--data", data][..], &["purge", "q", "--data", data]] {
        let sentence = ferrymq(command).sentence(1);
        assert!(sentence.starts_with("ferrymq: no broker answers on ") && sentence.contains(data), "{sentence}");
    }
}

#[test]
fn transactions_in_doubt_are_listed_and_only_known_ones_decided() {
    let broker = Broker::start();
    assert_eq!(broker.control(&["transactions"]).text(), "branch  state  age  sends  settlements\n");
    assert_eq!(broker.control(&["transactions", "--json"]).json(), serde_json::json!([]));
    let xid = "XID:[7,globalId=00a1,branchId=01]";
    for action in ["commit", "rollback", "forget"] {
        let sentence = broker.control(&["transactions", action, xid]).sentence(1);
        assert_eq!(sentence, format!("ferrymq: the broker refuses: branch {xid} is not known\n"));
    }
    let sentence = broker.control(&["transactions", "commit", "XID:[7]"]).sentence(1);
    assert!(sentence.contains("does not name a branch"), "{sentence}");
}
