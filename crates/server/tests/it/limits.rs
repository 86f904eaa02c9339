//! Peers that stay silent, are too many, or do not read.

use crate::client::Client;
use crate::{Directory, config, start};
use ferrymq_server::Server;
use ferrymq_server::config::Interval;
use ferrymq_stomp::{Command, Version, peer};
use std::io::Write as _;

#[test]
fn a_connection_that_never_logs_in_is_closed_with_a_reason() {
    let directory = Directory::new();
    let mut config = config(&directory);
    config.connections.login_timeout = Interval(50);
    let server = Server::start(config).unwrap();
    let mut silent = Client::silent(server.addresses().stomp.unwrap());
    assert_eq!(silent.last_frame().unwrap().command, Command::Error);
    let mut undetected = Client::silent(server.addresses().auto.unwrap());
    assert!(undetected.last_frame().is_none());
    let mut half = Client::silent(server.addresses().auto.unwrap());
    half.write(|out| out.extend_from_slice(b"CONN"));
    assert!(half.last_frame().is_none());
    let mut no_upgrade = Client::silent(server.addresses().websocket.unwrap());
    assert!(no_upgrade.last_frame().is_none());
}

#[test]
fn a_connection_too_many_is_closed_and_a_place_is_used_again() {
    let directory = Directory::new();
    let mut config = config(&directory);
    config.connections.max = 2;
    let server = Server::start(config).unwrap();
    let _first = Client::connect(&server);
    let mut second = Client::connect(&server);
    let mut third = Client::silent(server.addresses().stomp.unwrap());
    assert!(third.last_frame().is_none());
    second.write(|out| peer::disconnect(out, Version::V1_2).header("receipt", "bye").end());
    assert_eq!(second.last_frame().unwrap().command, Command::Receipt);
    drop(second);
    // The place is free once the server has seen the end as well: until then it may refuse.
    loop {
        let mut fourth = Client::silent(server.addresses().stomp.unwrap());
        // A refused connection may already be closed: then this write or the read after it fails.
        let mut connect = Vec::new();
        peer::connect(&mut connect, &peer::Connect::default());
        if std::io::Write::write_all(&mut fourth.stream, &connect).is_ok() && matches!(fourth.try_frame(), Ok(Some(_)))
        {
            break;
        }
    }
}

#[test]
fn a_subscriber_that_never_reads_is_closed_and_disturbs_nobody() {
    let directory = Directory::new();
    let mut config = config(&directory);
    config.connections.write_stall_timeout = Interval(200);
    let server = Server::start(config).unwrap();
    let mut deaf = Client::connect(&server);
    deaf.subscribe("/topic/news", "auto");
    let mut listener = Client::connect(&server);
    listener.subscribe("/topic/news", "auto");
    let mut producer = Client::connect(&server);
    let body = "x".repeat(100_000);
    // Far more than all buffers between broker and subscriber hold, and on until it is closed: what it writes then fails.
    let mut number = 0;
    while number < 400 || deaf.stream.write_all(b"\n").is_ok() {
        assert!(number < 100_000, "the broker kept the connection of a subscriber that never reads");
        producer.write(|out| {
            peer::send(out, Version::V1_2, "/topic/news").header("number", &number.to_string()).text(&body);
        });
        let message = listener.expect_message(&body);
        assert_eq!(message.header("number").as_deref(), Some(number.to_string().as_str()));
        number += 1;
    }
}

#[test]
fn a_silent_client_is_given_up_by_heart_beats_and_a_beating_one_is_not() {
    let directory = Directory::new();
    let server = start(&directory);
    let at = server.addresses().stomp.unwrap();
    let mut silent = Client::silent(at);
    silent.write(|out| peer::connect(out, &peer::Connect { heart_beat: (100, 0), ..peer::Connect::default() }));
    let mut waiting = Client::silent(at);
    waiting.write(|out| peer::connect(out, &peer::Connect { heart_beat: (0, 100), ..peer::Connect::default() }));
    assert_eq!(waiting.frame().command, Command::Connected);
    let last = silent.last_frame().unwrap();
    assert_eq!(last.command, Command::Error);
    // The other one was promised beats instead, and gets them.
    let mut beat = [0; 1];
    std::io::Read::read_exact(&mut waiting.stream, &mut beat).unwrap();
    assert_eq!(&beat, b"\n");
}
