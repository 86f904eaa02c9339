//! The control socket.

use crate::client::{Client, FAILURE_BOUND};
use crate::{Directory, start};
use ferrymq_server::Server;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

fn ask(server: &Server, questions: &[&str]) -> Vec<Value> {
    let path = server.addresses().control.as_ref().unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(FAILURE_BOUND)).unwrap();
    for question in questions {
        stream.write_all(format!("{question}\n").as_bytes()).unwrap();
    }
    let mut lines = BufReader::new(stream).lines();
    questions.iter().map(|_| serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()).collect()
}

#[test]
fn destinations_are_told_and_queues_are_purged() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut producer = Client::connect(&server);
    for _ in 0..3 {
        producer.send_confirmed("/queue/orders.new", "x", true);
    }
    let answers = ask(
        &server,
        &[
            r#"{"inspect":{"destinations":"orders.>"}}"#,
            r#"{"purge":"orders.new"}"#,
            r#"{"inspect":{"destinations":"orders.>"}}"#,
            r#"{"inspect":"broker"}"#,
        ],
    );
    let row = &answers[0]["destinations"][0];
    assert_eq!((&row["kind"], &row["name"], &row["depth"]), (&json!("queue"), &json!("orders.new"), &json!(3)));
    assert_eq!(answers[1], json!({"purged": 3}));
    assert_eq!(answers[2]["destinations"][0]["depth"], json!(0));
    assert!(answers[3]["broker"]["journal_segments"].as_u64().unwrap() >= 1);
}

#[test]
fn what_is_not_a_question_gets_an_error_and_the_next_is_answered() {
    let directory = Directory::new();
    let server = start(&directory);
    let answers = ask(&server, &["not json", r#"{"inspect":"nothing"}"#, r#"{"inspect":"broker"}"#]);
    assert!(answers[0]["error"].is_string());
    assert!(answers[1]["error"].is_string());
    assert!(answers[2]["broker"].is_object());
}

#[test]
fn only_the_owner_may_open_it() {
    let directory = Directory::new();
    let server = start(&directory);
    let path = server.addresses().control.as_ref().unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(server);
    assert!(!directory.path().join("data").join(ferrymq_server::SOCKET_FILE).exists());
}

#[test]
fn a_path_too_long_for_a_socket_leaves_the_broker_without_one() {
    let directory = Directory::new();
    let mut config = crate::config(&directory);
    config.broker.data = directory.path().join("d".repeat(120));
    let server = Server::start(config).unwrap();
    assert_eq!(server.addresses().control, None);
    Client::connect(&server);
}
