//! What STOMP clients and OpenWire clients see of each other's messages.

use bytes::BytesMut;
use ferrymq_model::{Closing, Value};
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::message::{Message, MessageKind};
use ferrymq_openwire::codec::properties::{PrimitiveMap, write_map, write_stream};
use ferrymq_openwire::limits::MAP_LIMITS;
use ferrymq_openwire::peer::{self, Peer, PeerOptions};
use ferrymq_openwire::{Command, SessionOptions};
use ferrymq_sim::table::Table;
use ferrymq_stomp::peer as stomp;
use std::sync::Arc;

/// An OpenWire client on a seat, with a session and a producer.
struct Java {
    seat: usize,
    peer: Peer,
    input: BytesMut,
}

impl Java {
    fn sit(table: &mut Table, options: PeerOptions) -> Self {
        let seat = table.sit(Box::new(ferrymq_openwire::Session::new(SessionOptions::new("ID:broker-1".into()))));
        let mut java = Self { seat, peer: Peer::new(options), input: BytesMut::new() };
        java.act(table, |peer, out| peer.hello(out).unwrap());
        java.commands(table);
        java.act(table, |peer, out| {
            let client_id = peer.connection_id().value;
            peer.connect(Some(&client_id), out).unwrap();
            peer.begin_session(1, out).unwrap();
            peer.begin_producer(1, out).unwrap();
        });
        java.commands(table);
        java
    }

    fn act(&mut self, table: &mut Table, act: impl FnOnce(&mut Peer, &mut BytesMut)) {
        let mut out = BytesMut::new();
        act(&mut self.peer, &mut out);
        assert_eq!(table.receive(self.seat, &out), Closing::No);
    }

    fn commands(&mut self, table: &mut Table) -> Vec<Command> {
        self.input.unsplit(table.take(self.seat));
        let mut commands = Vec::new();
        while let Some(command) = self.peer.next(&mut self.input).unwrap() {
            assert!(!matches!(command, Command::ExceptionResponse(_) | Command::ConnectionError(_)), "{command:?}");
            commands.push(command);
        }
        commands
    }

    fn consume(&mut self, table: &mut Table, queue: &str) {
        let info = ConsumerInfo { prefetch_size: 100, ..ConsumerInfo::default() };
        self.act(table, |peer, out| assert!(peer.begin_consumer(1, &peer::queue(queue), info, out).is_ok()));
    }

    fn send(&mut self, table: &mut Table, queue: &str, message: Message) {
        self.act(table, |peer, out| assert!(peer.send(1, &peer::queue(queue), message, None, out).is_ok()));
        self.commands(table);
    }

    fn messages(&mut self, table: &mut Table) -> Vec<Message> {
        let commands = self.commands(table).into_iter();
        commands
            .filter_map(|command| match command {
                Command::MessageDispatch(dispatch) => dispatch.message.map(|message| *message),
                _ => None,
            })
            .collect()
    }
}

fn sit_stomp(table: &mut Table, frames: &str) -> usize {
    let options = ferrymq_stomp::SessionOptions::new("ID:broker-1-2".into());
    let seat = table.sit(Box::new(ferrymq_stomp::Session::new(options)));
    let connect = "CONNECT\naccept-version:1.2\nhost:h\n\n\0";
    assert_eq!(table.receive(seat, format!("{connect}{frames}").as_bytes()), Closing::No);
    seat
}

/// Headers and body.
type Shown = (Vec<(String, String)>, Vec<u8>);

/// The MESSAGE frames of a STOMP client: every header that tells of the message, and the body.
fn frames(table: &mut Table, seat: usize) -> Vec<Shown> {
    let mut input = table.take(seat);
    let mut parser = stomp::ServerFrames::default();
    let mut frames = Vec::new();
    while let Some(frame) = parser.next(&mut input).unwrap() {
        if frame.command != ferrymq_stomp::Command::Message {
            continue;
        }
        let told = ["subscription", "ack", "message-id"];
        let headers = frame.headers().map(|(name, value)| (name.into_owned(), value.into_owned()));
        frames.push((headers.filter(|(name, _)| !told.contains(&&**name)).collect(), frame.body().to_vec()));
    }
    frames
}

fn properties(message: &Message) -> Vec<(Arc<str>, Value)> {
    let octets = message.fields.body.properties_bytes();
    octets.map_or_else(Vec::new, |octets| PrimitiveMap::new(octets, MAP_LIMITS).to_vec().unwrap())
}

fn marshalled(entries: &[(&str, Value)]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    write_map(&entries).unwrap()
}

fn java_options() -> [PeerOptions; 2] {
    let net = PeerOptions { version: 10, tight: false, cache: None, ..PeerOptions::new("ID:net-1-2-3:1") };
    [PeerOptions::new("ID:java-1-2-3:1"), net]
}

#[test]
fn a_stomp_text_or_bytes_message_reaches_a_jms_client() {
    for options in java_options() {
        let mut table = Table::default();
        let mut java = Java::sit(&mut table, options);
        java.consume(&mut table, "Q");
        sit_stomp(
            &mut table,
            "SEND\ndestination:/queue/Q\npersistent:true\npriority:7\ncorrelation-id:c\ntype:t\nexpires:0\nreply-to:/topic/R\n\
             color:blue\nn:7\nJMSXGroupID:g\nJMSXGroupSeq:3\nreceipt:1\n\nhello größe\0\
             SEND\ndestination:/queue/Q\ncontent-length:3\n\na\0b\0\
             SEND\ndestination:/queue/Q\namq-msg-type:bytes\n\nraw\0",
        );
        let [text, bytes, typed] = &java.messages(&mut table)[..] else { panic!("three messages") };
        assert_eq!((&text.kind, peer::text_of(text).as_deref()), (&MessageKind::Text, Some("hello größe")));
        let fields = &text.fields;
        assert_eq!((fields.persistent, fields.priority, fields.expiration), (true, 7, 0));
        assert_eq!((fields.correlation_id.as_deref(), fields.jms_type.as_deref()), (Some("c"), Some("t")));
        assert_eq!(fields.reply_to, Some(peer::topic("R")));
        assert_eq!(fields.destination, Some(peer::queue("Q")));
        assert_eq!((fields.group_id.as_deref(), fields.group_sequence), (Some("g"), 3));
        let expected = [("color".into(), Value::Text("blue".into())), ("n".into(), Value::Text("7".into()))];
        assert_eq!(properties(text), expected);
        assert_eq!((&bytes.kind, bytes.fields.body.content()), (&MessageKind::Bytes, Some(&b"a\0b"[..])));
        assert_eq!((bytes.fields.persistent, bytes.fields.priority), (false, 4));
        assert_eq!((&typed.kind, typed.fields.body.content()), (&MessageKind::Bytes, Some(&b"raw"[..])));
    }
}

#[test]
fn every_jms_message_reaches_a_stomp_client() {
    for options in java_options() {
        let mut table = Table::default();
        let mut java = Java::sit(&mut table, options);
        let stomp = sit_stomp(&mut table, "SUBSCRIBE\nid:0\ndestination:/queue/Q\nack:auto\n\n\0");
        let mut text = peer::text("größe \u{1F600}");
        text.fields.jms_type = Some("t".into());
        text.fields.correlation_id = Some("c".into());
        text.fields.reply_to = Some(peer::queue("R"));
        text.fields.timestamp = 5;
        text.fields.expiration = i64::MAX;
        java.send(&mut table, "Q", text);
        java.send(&mut table, "Q", peer::octets(b"a\0b"));
        let map = marshalled(&[("a", Value::Long(1)), ("b", Value::Text("x".into()))]);
        java.send(&mut table, "Q", peer::message(MessageKind::Map, Some(&map), None));
        let stream = write_stream(&[Value::Int(1), Value::Bool(true)]).unwrap();
        java.send(&mut table, "Q", peer::message(MessageKind::Stream, Some(&stream), None));
        java.send(&mut table, "Q", peer::message(MessageKind::Object, Some(b"\xAC\xED\0\x05"), None));
        java.send(&mut table, "Q", peer::message(MessageKind::Plain, None, None));
        let frames = frames(&mut table, stomp);
        let bodies: Vec<&[u8]> = frames.iter().map(|(_, body)| &body[..]).collect();
        let expected: [&[u8]; 6] =
            ["größe \u{1F600}".as_bytes(), b"a\0b", b"{\"a\":1,\"b\":\"x\"}", b"[1,true]", b"\xAC\xED\0\x05", b""];
        assert_eq!(bodies, expected);
        let expected = [
            ("destination", "/queue/Q"),
            ("expires", "9223372036854775807"),
            ("priority", "4"),
            ("timestamp", "5"),
            ("persistent", "true"),
            ("correlation-id", "c"),
            ("reply-to", "/queue/R"),
            ("type", "t"),
        ];
        let headers =
            |at: usize| -> Vec<(&str, &str)> { frames[at].0.iter().map(|(name, value)| (&**name, &**value)).collect() };
        assert_eq!(headers(0), expected);
        assert!(headers(1).contains(&("content-length", "3")));
        assert!(headers(2).contains(&("transformation", "jms-map-json")));
        assert!(headers(3).contains(&("transformation", "jms-json")));
        assert!(headers(4).contains(&("content-length", "4")));
        assert!(!headers(5).iter().any(|(name, _)| *name == "content-length"));
    }
}

#[test]
fn jms_properties_are_written_as_java_writes_them() {
    let mut table = Table::default();
    let [options, _] = java_options();
    let mut java = Java::sit(&mut table, options);
    let stomp = sit_stomp(&mut table, "SUBSCRIBE\nid:0\ndestination:/queue/Q\nack:auto\n\n\0");
    let marshalled = marshalled(&[
        ("bool", Value::Bool(true)),
        ("byte", Value::Byte(-1)),
        ("short", Value::Short(300)),
        ("int", Value::Int(-7)),
        ("long", Value::Long(i64::MAX)),
        ("float", Value::Float(1.0)),
        ("double", Value::Double(1e10)),
        ("text", Value::Text("a:b\nc".into())),
        ("null", Value::Null),
    ]);
    java.send(&mut table, "Q", peer::message(MessageKind::Bytes, Some(b""), Some(&marshalled)));
    let frames = frames(&mut table, stomp);
    let shown: Vec<(&str, &str)> = frames[0].0.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("bool", "true"),
        ("byte", "-1"),
        ("short", "300"),
        ("int", "-7"),
        ("long", "9223372036854775807"),
        ("float", "1.0"),
        ("double", "1.0E10"),
        ("text", "a:b\nc"),
        ("null", "null"),
        ("content-length", "0"),
    ];
    assert_eq!(&shown[shown.len() - expected.len()..], expected);
}

#[test]
fn selectors_of_each_protocol_see_the_other_s_properties() {
    let mut table = Table::default();
    let [options, _] = java_options();
    let mut java = Java::sit(&mut table, options);
    let info = ConsumerInfo {
        prefetch_size: 100,
        selector: Some("color = 'blue' AND JMSType = 't'".into()),
        ..ConsumerInfo::default()
    };
    java.act(&mut table, |peer, out| assert!(peer.begin_consumer(1, &peer::topic("T"), info, out).is_ok()));
    let stomp = sit_stomp(
        &mut table,
        "SUBSCRIBE\nid:0\ndestination:/queue/Q\nselector:n > 5\n\n\0\
         SEND\ndestination:/topic/T\ncolor:red\ntype:t\n\nno\0SEND\ndestination:/topic/T\ncolor:blue\ntype:t\n\nyes\0",
    );
    let messages = java.messages(&mut table);
    assert_eq!(messages.iter().map(peer::text_of).collect::<Vec<_>>(), [Some("yes".into())]);
    for n in [Value::Int(5), Value::Int(6), Value::Text("7".into())] {
        java.send(&mut table, "Q", peer::message(MessageKind::Bytes, Some(b"x"), Some(&marshalled(&[("n", n)]))));
    }
    assert_eq!(frames(&mut table, stomp).len(), 2);
}
