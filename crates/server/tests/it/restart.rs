//! What a data directory keeps, and who may have it.

use crate::client::Client;
use crate::{Directory, config, start};
use ferrymq_server::{Ended, Server, StartError};
use ferrymq_stomp::Command;

#[test]
fn persistent_messages_survive_a_restart_in_order() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut producer = Client::connect(&server);
    producer.send_confirmed("/queue/keep", "first", true);
    producer.send_confirmed("/queue/keep", "lost", false);
    producer.send_confirmed("/queue/keep", "second", true);
    assert_eq!(server.stop(), Ended::Stopped);

    let server = start(&directory);
    let mut consumer = Client::connect(&server);
    consumer.subscribe("/queue/keep", "auto");
    consumer.expect_message("first");
    consumer.expect_message("second");
}

/// Each would have had it in turn, and none could have said so.
#[test]
fn what_a_consumer_has_when_the_broker_stops_goes_to_no_other() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut consumers: Vec<Client> = (0..8).map(|_| Client::connect(&server)).collect();
    for consumer in &mut consumers {
        consumer.subscribe("/queue/one", "client");
    }
    Client::connect(&server).send_confirmed("/queue/one", "at work", true);
    assert_eq!(server.stop(), Ended::Stopped);
    let mut had = 0;
    for consumer in &mut consumers {
        while let Ok(Some(frame)) = consumer.try_frame() {
            had += usize::from(frame.command == Command::Message);
        }
    }
    assert_eq!(had, 1);

    let server = start(&directory);
    let mut consumer = Client::connect(&server);
    consumer.subscribe("/queue/one", "auto");
    consumer.expect_message("at work");
}

#[test]
fn a_consumed_message_does_not_come_back() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::connect(&server);
    client.send_confirmed("/queue/a", "once", true);
    client.subscribe("/queue/a", "client-individual");
    let message = client.expect_message("once");
    client.confirmed(|out, receipt| ferrymq_stomp::peer::ack(out, &message).header("receipt", receipt).end());
    assert_eq!(server.stop(), Ended::Stopped);

    let server = start(&directory);
    let mut client = Client::connect(&server);
    client.subscribe("/queue/a", "auto");
    client.send_confirmed("/queue/b", "a sign that nothing came before", false);
}

#[test]
fn a_client_sees_the_end_of_the_broker() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::connect(&server);
    assert_eq!(server.stop(), Ended::Stopped);
    assert!(client.last_frame().is_none());
}

#[test]
fn a_second_broker_cannot_have_the_same_directory() {
    let directory = Directory::new();
    let first = start(&directory);
    match Server::start(config(&directory)) {
        Err(StartError::InUse(text)) => assert!(text.contains("data"), "{text}"),
        other => panic!("{other:?}"),
    }
    drop(first);
    start(&directory);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let directory = Directory::new();
    let first = start(&directory);
    let taken = first.addresses().stomp.unwrap();
    let other = Directory::new();
    let mut config = config(&other);
    config.stomp.bind = ferrymq_server::config::Bind(Some(taken));
    match Server::start(config) {
        Err(StartError::Listen { address, .. }) => assert_eq!(address, taken),
        other => panic!("{other:?}"),
    }
}
