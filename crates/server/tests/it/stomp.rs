//! STOMP round trips.

use crate::client::Client;
use crate::{Directory, start};
use ferrymq_stomp::{Command, Version, peer};

#[test]
fn a_message_goes_from_one_client_to_another() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut consumer = Client::connect(&server);
    consumer.subscribe("/queue/orders", "auto");
    let mut producer = Client::connect(&server);
    producer.write(|out| peer::send(out, Version::V1_2, "/queue/orders").header("shape", "round").text("hello"));
    let message = consumer.expect_message("hello");
    assert_eq!(message.header("shape").as_deref(), Some("round"));
    assert_eq!(message.header("destination").as_deref(), Some("/queue/orders"));
}

#[test]
fn the_first_bytes_choose_stomp_on_the_common_port() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::connect_as(server.addresses().auto.unwrap(), None);
    client.subscribe("/queue/a", "auto");
    client.write(|out| peer::send(out, Version::V1_2, "/queue/a").text("through detection"));
    client.expect_message("through detection");
}

#[test]
fn another_protocol_on_the_common_port_is_closed() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::silent(server.addresses().auto.unwrap());
    client.write(|out| out.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n"));
    assert!(client.last_frame().is_none());
}

#[test]
fn receipts_come_in_the_order_of_the_requests() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::connect(&server);
    client.write(|out| {
        for number in 0..200 {
            let persistent = if number % 2 == 0 { "true" } else { "false" };
            peer::send(out, Version::V1_2, "/queue/a")
                .header("persistent", persistent)
                .header("receipt", &number.to_string())
                .text("x");
        }
    });
    for number in 0..200 {
        let frame = client.frame();
        assert_eq!(frame.command, Command::Receipt);
        assert_eq!(frame.header("receipt-id").as_deref(), Some(number.to_string().as_str()));
    }
}

#[test]
fn a_disconnect_receipt_is_the_last_frame() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::connect(&server);
    client.write(|out| {
        peer::send(out, Version::V1_2, "/queue/a").header("persistent", "true").text("x");
        peer::disconnect(out, Version::V1_2).header("receipt", "bye").end();
    });
    let last = client.last_frame().unwrap();
    assert_eq!((last.command, last.header("receipt-id").as_deref()), (Command::Receipt, Some("bye")));
}

#[test]
fn a_large_body_arrives_whole() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut consumer = Client::connect(&server);
    consumer.subscribe("/queue/large", "auto");
    let body: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    let mut producer = Client::connect(&server);
    producer.write(|out| peer::send(out, Version::V1_2, "/queue/large").body(&body));
    let message = consumer.frame();
    assert_eq!(message.command, Command::Message);
    assert!(message.body() == body, "the body differs, length {}", message.body().len());
}

#[test]
fn broken_frames_get_an_error_and_the_end() {
    let directory = Directory::new();
    let server = start(&directory);
    let endless = vec![b'a'; 100_000];
    let frames: [&[u8]; 4] = [
        b"HELLO\n\n\0",
        b"SEND\ndestination:/queue/a\ncontent-length:-1\n\nx\0",
        b"SEND\ndestination:/queue/a\ncontent-length:99999999999999999999\n\nx\0",
        &endless,
    ];
    for bytes in frames {
        let mut client = Client::connect(&server);
        client.write(|out| out.extend_from_slice(bytes));
        let last = client.last_frame().unwrap();
        assert_eq!(last.command, Command::Error, "{:?}", &bytes[..bytes.len().min(40)]);
    }
}

#[test]
fn a_peer_that_vanishes_gives_its_messages_back() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut first = Client::connect(&server);
    first.subscribe("/queue/a", "client-individual");
    let mut producer = Client::connect(&server);
    producer.send_confirmed("/queue/a", "again", true);
    first.expect_message("again");
    drop(first);
    let mut second = Client::connect(&server);
    second.subscribe("/queue/a", "auto");
    let message = second.expect_message("again");
    assert_eq!(message.header("redelivered").as_deref(), Some("true"));
}

#[test]
fn a_client_that_stops_sending_still_gets_what_it_is_owed() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut client = Client::silent(server.addresses().stomp.unwrap());
    client.write(|out| {
        peer::connect(out, &peer::Connect::default());
        peer::send(out, Version::V1_2, "/queue/a")
            .header("persistent", "true")
            .header("receipt", "stored")
            .text("kept");
        peer::subscribe(out, Version::V1_2, "1", "/queue/a", "auto").end();
        peer::send(out, Version::V1_2, "/queue/").header("receipt", "refused").text("x");
        peer::send(out, Version::V1_2, "/queue/b").header("persistent", "true").header("receipt", "last").text("x");
    });
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut told = Vec::new();
    while let Some(frame) = client.try_frame().unwrap() {
        told.push((frame.command, frame.header("receipt-id").map(String::from)));
    }
    for owed in [
        (Command::Connected, None),
        (Command::Receipt, Some("stored".to_owned())),
        (Command::Message, None),
        (Command::Error, Some("refused".to_owned())),
        (Command::Receipt, Some("last".to_owned())),
    ] {
        assert!(told.contains(&owed), "{owed:?} is not among {told:?}");
    }
}

#[test]
fn a_client_that_stops_sending_in_the_middle_of_a_frame_ends_its_session() {
    let directory = Directory::new();
    let server = start(&directory);
    let mut leaving = Client::connect_as(server.addresses().stomp.unwrap(), Some("sensor"));
    leaving.subscribe("/queue/a", "client");
    leaving.write(|out| out.extend_from_slice(b"SEND\ndestination:/queue/a\n\nhal"));
    leaving.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(leaving.last_frame().is_none());
    // Its client id and its place among the consumers are free.
    let mut next = Client::connect_as(server.addresses().stomp.unwrap(), Some("sensor"));
    next.subscribe("/queue/a", "auto");
    next.send_confirmed("/queue/b", "x", false);
}
