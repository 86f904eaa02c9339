//! Messages of other protocols, and what selectors see.

use super::{Encoder, Envelope, STOMP_1_0, STOMP_1_1, STOMP_1_2};
use crate::codec::Version;
use bytes::Bytes;
use ferrymq_model::selector::Operand;
use ferrymq_model::{
    Annotations, Body, DeliveryMode, Destination, DestinationKind, Dialect, Group, Header, MalformedMessage, Message,
    MessageId, Neutral, Outbox, Value, WallTime,
};
use std::sync::Arc;

/// A protocol of which only the neutral form is known.
#[derive(Debug)]
struct Foreign(fn() -> Result<Neutral, MalformedMessage>);

impl Dialect for Foreign {
    fn code(&self) -> u16 {
        99
    }

    fn property<'m>(&self, _message: &'m Message, _name: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _message: &Message) -> Result<Neutral, MalformedMessage> {
        (self.0)()
    }
}

fn message(dialect: &'static dyn Dialect, bytes: &'static [u8], body_at: u32) -> Message {
    Message {
        header: Header {
            id: MessageId { producer: Arc::from("ID:x"), sequence: 1 },
            destination: Arc::new(Destination { kind: DestinationKind::Queue, name: Arc::from("a") }),
            mode: DeliveryMode::NonPersistent,
            priority: 4,
            timestamp: WallTime(5),
            expiration: None,
            annotations: None,
        },
        dialect,
        bytes: Bytes::from_static(bytes),
        body_at,
    }
}

fn encode(version: Version, message: &Message) -> Result<String, MalformedMessage> {
    let mut out = Outbox::default();
    let envelope = Envelope { prefix: b"MESSAGE\n", ack: None, redeliveries: 0, sent_to: None, reply_to: None };
    Encoder::new(version).put(envelope, message, &mut out)?;
    let mut bytes = Vec::new();
    while !out.is_empty() {
        bytes.extend_from_slice(out.front());
        let length = out.front().len();
        out.advance(length);
    }
    Ok(String::from_utf8(bytes).unwrap())
}

fn foreign(body: fn() -> Body) -> &'static dyn Dialect {
    // Each test needs its own neutral form behind a `'static` dialect.
    fn neutral(body: Body) -> Result<Neutral, MalformedMessage> {
        let properties = vec![
            (Arc::from("flag"), Value::Bool(true)),
            (Arc::from("co:lon"), Value::Text(Arc::from("x\ny"))),
            (Arc::from("ratio"), Value::Double(1.5)),
        ];
        Ok(Neutral { properties, body })
    }
    match body() {
        Body::Text(_) => &Foreign(|| neutral(Body::Text(Arc::from("hello")))),
        Body::Map(_) => &Foreign(|| {
            let inner = Value::List(vec![Value::Int(-1), Value::Null, Value::Double(f64::NAN), Value::Char(0x41)]);
            neutral(Body::Map(vec![
                (Arc::from("a\"b"), Value::Text(Arc::from("tab\tend\u{1}"))),
                (Arc::from("list"), inner),
                (Arc::from("raw"), Value::Bytes(Bytes::from_static(&[0, 255]))),
            ]))
        }),
        Body::Bytes(_) | Body::Object(_) => &Foreign(|| neutral(Body::Object(Bytes::from_static(b"o\0")))),
        Body::List(_) => &Foreign(|| neutral(Body::List(vec![Value::Map(vec![(Arc::from("k"), Value::Long(9))])]))),
        Body::Empty => &Foreign(|| Err(MalformedMessage("broken".to_owned()))),
    }
}

const HEAD: &str = "MESSAGE\nmessage-id:ID\\cx\\c1\nexpires:0\npriority:4\ntimestamp:5\n";

#[test]
fn other_protocols_arrive_through_the_neutral_form() {
    let properties = "flag:true\nco\\clon:x\\ny\nratio:1.5\n";
    let shown = |body| encode(Version::V1_2, &message(foreign(body), b"", 0)).unwrap();
    assert_eq!(shown(|| Body::Text(Arc::from(""))), format!("{HEAD}{properties}\nhello\0"));
    assert_eq!(
        shown(|| Body::Map(vec![])),
        format!(
            "{HEAD}{properties}transformation:jms-map-json\n\n\
             {{\"a\\\"b\":\"tab\\tend\\u0001\",\"list\":[-1,null,null,\"A\"],\"raw\":\"00ff\"}}\0"
        )
    );
    assert_eq!(shown(|| Body::List(vec![])), format!("{HEAD}{properties}transformation:jms-json\n\n[{{\"k\":9}}]\0"));
    assert_eq!(shown(|| Body::Object(Bytes::new())), format!("{HEAD}{properties}content-length:2\n\no\0\0"));
}

#[test]
fn a_group_of_another_protocol_is_shown() {
    let mut grouped = message(foreign(|| Body::Text(Arc::from(""))), b"", 0);
    let group = Some(Group { id: Arc::from("g"), sequence: -1 });
    grouped.header.annotations = Some(Box::new(Annotations { group, ..Annotations::default() }));
    let shown = encode(Version::V1_0, &grouped).unwrap();
    assert!(shown.ends_with("flag:true\nratio:1.5\nJMSXGroupID:g\nJMSXGroupSeq:-1\n\nhello\0"), "{shown}");
}

#[test]
fn what_cannot_be_read_is_not_half_written() {
    let broken = message(foreign(|| Body::Empty), b"", 0);
    assert_eq!(encode(Version::V1_2, &broken), Err(MalformedMessage("broken".to_owned())));
}

#[test]
fn selectors_see_properties_and_nothing_else() {
    let bytes =
        b"destination:/queue/a\ncol\\cour:re\\nd\nk:1\nk:2\nreply-to:nowhere\ncontent-type:text/plain\n\nk:body";
    let message = message(&STOMP_1_1, bytes, bytes.len() as u32 - 6);
    let property = |name| match STOMP_1_1.property(&message, name) {
        Operand::Text(text) => Some(text.into_owned()),
        _ => None,
    };
    assert_eq!(property("col:our").as_deref(), Some("re\nd"));
    assert_eq!(property("k").as_deref(), Some("1"));
    assert_eq!(property("reply-to").as_deref(), Some("nowhere"));
    assert_eq!(property("content-type").as_deref(), Some("text/plain"));
    assert_eq!(property("destination"), None);
    assert_eq!(property("missing"), None);
}

#[test]
fn a_text_that_is_not_utf_8_has_no_neutral_form() {
    let message = message(&STOMP_1_2, b"k:v\n\n\xff", 5);
    assert!(STOMP_1_2.to_neutral(&message).is_err());
    let message = super::tests::message(&STOMP_1_2, b"content-length:1\n\n\xff", 18);
    assert_eq!(STOMP_1_2.to_neutral(&message).unwrap().body, Body::Bytes(Bytes::from_static(b"\xff")));
}

#[test]
fn codes_never_change() {
    assert_eq!([STOMP_1_0.code(), STOMP_1_1.code(), STOMP_1_2.code()], [1, 2, 3]);
}
