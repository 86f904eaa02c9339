//! Producers that are faster than consumers.

use crate::client::{Client, FAILURE_BOUND};
use crate::{Directory, config};
use ferrymq_server::Server;
use ferrymq_server::config::{Interval, Size};
use ferrymq_stomp::{Command, Version, peer};
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

const MESSAGES: usize = 600;
const BODY_BYTES: usize = 50_000;

#[test]
fn a_full_destination_stops_its_producer_until_somebody_consumes() {
    let directory = Directory::new();
    let mut config = config(&directory);
    config.memory.destination_limit = Size::mebibytes(1);
    let server = Server::start(config).unwrap();
    let mut producer = Client::connect(&server);
    let body = "x".repeat(BODY_BYTES);
    let mut frames = Vec::new();
    for number in 0..MESSAGES {
        let frame = peer::send(&mut frames, Version::V1_2, "/queue/full").header("number", &number.to_string());
        frame.text(&body);
    }
    // 30 MB fit neither the destination's MiB nor the socket's buffers: the write must come to a stop.
    producer.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut written = 0;
    let stopped = loop {
        match producer.stream.write(&frames[written..]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert!(matches!(stopped.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped}");
    assert!(written < frames.len());

    let mut stream = producer.stream.try_clone().unwrap();
    stream.set_write_timeout(Some(FAILURE_BOUND)).unwrap();
    let rest = frames.split_off(written);
    let writer = std::thread::spawn(move || stream.write_all(&rest));
    let mut consumer = Client::connect(&server);
    consumer.subscribe("/queue/full", "auto");
    for number in 0..MESSAGES {
        let message = consumer.expect_message(&body);
        assert_eq!(message.header("number").as_deref(), Some(number.to_string().as_str()));
    }
    writer.join().unwrap().unwrap();
}

#[test]
fn a_producer_that_leaves_while_it_is_held_back_frees_what_it_holds() {
    let directory = Directory::new();
    let mut config = config(&directory);
    config.memory.destination_limit = Size::mebibytes(1);
    config.connections.write_stall_timeout = Interval(200);
    let server = Server::start(config).unwrap();
    let at = server.addresses().stomp.unwrap();
    let mut producer = Client::connect_as(at, Some("sensor"));
    producer.subscribe("/queue/full", "client");
    let body = "x".repeat(BODY_BYTES);
    producer.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut frames = Vec::new();
    (0..MESSAGES).for_each(|_| peer::send(&mut frames, Version::V1_2, "/queue/full").text(&body));
    producer.stream.write_all(&frames).unwrap_err();
    drop(producer);
    // Nobody consumes: only the broker's own look at the connection can free the client id and the messages.
    let begun = Instant::now();
    let mut next = loop {
        assert!(begun.elapsed() < FAILURE_BOUND, "the connection that is gone keeps its client id");
        let mut next = Client::silent(at);
        next.write(|out| peer::connect(out, &peer::Connect { client_id: Some("sensor"), ..peer::Connect::default() }));
        if next.frame().command == Command::Connected {
            break next;
        }
    };
    next.subscribe("/queue/full", "auto");
    next.expect_message(&body);
}

#[test]
fn a_producer_that_does_not_read_its_confirmations_holds_up_nobody_and_gets_them_all_in_order() {
    // Each confirmation repeats a receipt of 8 KB: together more than the sockets' buffers take.
    const SENT: usize = 600;
    let directory = Directory::new();
    let server = Server::start(config(&directory)).unwrap();
    let mut deaf = Client::connect(&server);
    let mut other = Client::connect(&server);
    let padding = "r".repeat(8_000);
    for number in 0..SENT {
        let receipt = format!("{number}-{padding}");
        deaf.write(|out| {
            peer::send(out, Version::V1_2, "/queue/deaf")
                .header("persistent", "true")
                .header("receipt", &receipt)
                .text("x");
        });
        other.send_confirmed("/queue/other", "x", true);
    }
    for number in 0..SENT {
        let receipt = deaf.frame();
        assert_eq!(receipt.command, Command::Receipt);
        assert_eq!(receipt.header("receipt-id").as_deref(), Some(format!("{number}-{padding}").as_str()));
    }
}
