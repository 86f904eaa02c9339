//! Sending, receiving, browsing.

use crate::support::{Broker, Directory};

#[test]
fn a_message_goes_in_and_comes_out_once() {
    let broker = Broker::start();
    assert_eq!(broker.stomp(&["send", "queue://orders", "one order"]).text(), "sent 1 message to /queue/orders\n");
    assert_eq!(broker.stomp(&["receive", "/queue/orders"]).text(), "one order\n");
    let nothing = broker.stomp(&["receive", "orders", "--wait", "50ms"]);
    assert_eq!(nothing.sentence(3), "ferrymq: no message came within 50ms\n");
}

#[test]
fn lines_become_messages_in_order() {
    let broker = Broker::start();
    let done = broker.stomp_with(&["send", "numbers", "--lines", "--json"], b"one\ntwo\nthree\n").json();
    assert_eq!(done, serde_json::json!({"sent": 3, "confirmed": 3}));
    assert_eq!(broker.stomp(&["receive", "numbers", "--all", "--wait", "2s"]).text(), "one\ntwo\nthree\n");
}

#[test]
fn fewer_messages_than_asked_for_are_printed_and_told() {
    let broker = Broker::start();
    broker.stomp(&["send", "few", "x", "--count", "2"]).text();
    let ended = broker.stomp(&["receive", "few", "--count", "3", "--wait", "2s"]);
    assert_eq!(ended.out, b"x\nx\n");
    assert!(ended.sentence(3).contains("only 2 messages came"));
}

#[test]
fn a_count_leaves_the_rest_where_it_is() {
    let broker = Broker::start();
    broker.stomp_with(&["send", "rest", "--lines"], b"1\n2\n3\n4\n").text();
    assert_eq!(broker.stomp(&["receive", "rest", "--count", "2"]).text(), "1\n2\n");
    assert_eq!(broker.stomp(&["receive", "rest", "--count", "2"]).text(), "3\n4\n");
}

#[test]
fn bodies_that_are_not_text_arrive_as_they_are() {
    let broker = Broker::start();
    let directory = Directory::new();
    let file = directory.file("body", &[0, 0xff, b'\n', 0]);
    broker.stomp(&["send", "bytes", "--file", &file, "--count", "2"]).text();
    assert_eq!(broker.stomp(&["receive", "bytes"]).out, [0, 0xff, b'\n', 0, b'\n']);
    assert_eq!(broker.stomp(&["receive", "bytes", "--json"]).json()["body_hex"], "00ff0a00");
}

#[test]
fn headers_are_sent_shown_and_selected_by() {
    let broker = Broker::start();
    broker.stomp(&["send", "q", "blue", "--header", "colour=blue", "--header", "priority=9"]).text();
    broker.stomp(&["send", "q", "red: a", "--header", "colour=red"]).text();
    let red = broker.stomp(&["receive", "q", "--selector", "colour = 'red'", "--json"]).json();
    assert_eq!((&red["headers"]["colour"], &red["body"]), (&"red".into(), &"red: a".into()));
    let text = broker.stomp(&["receive", "q", "--headers"]).text();
    assert!(
        text.contains("colour: blue\n") && text.contains("priority: 9\n") && text.ends_with("\n\nblue\n"),
        "{text}"
    );
}

#[test]
fn browsing_takes_nothing() {
    let broker = Broker::start();
    broker.stomp_with(&["send", "looked.at", "--lines"], b"one\ntwo\n").text();
    let bodies = |lines: Vec<serde_json::Value>| lines.iter().map(|line| line["body"].clone()).collect::<Vec<_>>();
    for _ in 0..2 {
        assert_eq!(bodies(broker.stomp(&["browse", "looked.at", "--json"]).json_lines()), ["one", "two"]);
    }
    assert_eq!(bodies(broker.stomp(&["browse", "looked.at", "--json", "--count", "1"]).json_lines()), ["one"]);
    let table = broker.stomp(&["browse", "looked.at"]).text();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("message-id") && lines[1].ends_with("one") && lines[2].ends_with("two"), "{table}");
    assert_eq!(broker.stomp(&["browse", "empty"]).text().lines().count(), 1);
}

#[test]
fn a_durable_subscription_keeps_messages_until_it_is_removed() {
    let broker = Broker::start();
    let receive = |more: &[&str]| {
        let durable = ["receive", "topic://prices", "--durable", "audit", "--client-id", "office"];
        broker.stomp(&[&durable, more].concat())
    };
    let send = |body| broker.stomp(&["send", "topic://prices", body, "--persistent"]).text();
    receive(&["--wait", "50ms"]).sentence(3);
    send("while away");
    assert_eq!(receive(&["--unsubscribe"]).text(), "while away\n");
    send("into the void");
    receive(&["--wait", "50ms"]).sentence(3);
}

#[test]
fn a_refusal_of_the_broker_is_one_sentence() {
    let broker = Broker::start();
    let refused = broker.stomp(&["receive", "q", "--selector", "colour = "]);
    assert!(refused.sentence(1).starts_with("ferrymq: the broker refuses: "));
}
