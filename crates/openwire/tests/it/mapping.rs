//! Messages of real clients through the broker's form and back.

use crate::runs::{buffer, runs};
use ferrymq_model::advisory::{ADVISORY, ConnectionFacts, ProducerFacts};
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Advisory, Annotations, Body, DeliveryId, DeliveryMode, Destination, DestinationKind, Dialect, Header,
    MalformedMessage, Message, MessageId, Neutral, Operand, Outbox, Schedule, SubscriptionId, Value, WallTime,
};
use ferrymq_openwire::codec::destination as wire;
use ferrymq_openwire::codec::ids::{ConsumerId, MessageId as WireMessageId, ObjectId, ProducerId};
use ferrymq_openwire::codec::message::{BlobFields, Message as WireMessage, MessageFields, MessageKind};
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::codec::properties::{PrimitiveMap, write_map, write_stream};
use ferrymq_openwire::codec::transaction::{TransactionId, XaTransactionId};
use ferrymq_openwire::limits::MAP_LIMITS;
use ferrymq_openwire::mapping::{
    self, Arrival, BrokerFacts, InvalidMessage, Names, OpenWireDialect, Outgoing, Undeliverable,
};
use ferrymq_openwire::{CodecError, CodecOptions, Command, DIALECTS, Decoder, Encoder};
use std::sync::Arc;

fn queue(name: &str) -> Arc<Destination> {
    Arc::new(Destination { kind: DestinationKind::Queue, name: name.into() })
}

fn outgoing() -> Outgoing {
    Outgoing::new(BrokerFacts { id: "ID:broker".into(), name: "broker".into(), url: "tcp://broker:61616".into() })
}

fn consumer() -> ConsumerId {
    ConsumerId { connection_id: "ID:consumer:1".into(), session_id: 2, value: 3 }
}

fn delivery(message: Message) -> Delivery {
    Delivery {
        subscription: SubscriptionId(1),
        delivery: DeliveryId(77),
        redeliveries: 2,
        first_of_group: true,
        destination: None,
        message: Arc::new(message),
    }
}

fn accept(mut message: WireMessage) -> Result<Message, InvalidMessage> {
    mapping::incoming(&mut message, Arrival { destination: &queue("Q"), user: None }, &mut Names::default())
}

fn dispatch(message: Message) -> MessageDispatch {
    outgoing().dispatch(&delivery(message), &consumer(), WallTime(99)).unwrap()
}

fn show(message: Message) -> WireMessage {
    *dispatch(message).message.unwrap()
}

/// A message with the ids that every message has.
fn message(kind: MessageKind, content: Option<&[u8]>, properties: &[(&str, Value)]) -> WireMessage {
    let entries: Vec<_> = properties.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect();
    let properties = (!entries.is_empty()).then(|| write_map(&entries).unwrap());
    let producer_id = Some(ProducerId { connection_id: "ID:host-1-2:1".into(), value: 4, session_id: 3 });
    let message_id = Some(WireMessageId { producer_id, producer_sequence_id: 5, ..WireMessageId::default() });
    let body = MessageBody::of(content, properties.as_deref());
    WireMessage { kind, fields: MessageFields { message_id, body, ..MessageFields::default() } }
}

fn deflated(octets: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(octets, 6)
}

/// Whether a transaction has a name that can be kept.
fn is_name(id: &TransactionId) -> bool {
    match id {
        TransactionId::Local(id) => id.connection_id.is_some(),
        TransactionId::Xa(id) => mapping::xid(id).is_ok(),
    }
}

#[test]
fn messages_of_java_come_out_as_they_went_in() {
    let (mut seen, mut refused) = (0, 0);
    for run in runs() {
        let mut decoder = Decoder::new(run.options.clone());
        let mut encoder = Encoder::new(run.options.clone());
        for golden in &run.frames {
            let command = decoder.decode(&mut buffer(&golden.octets)).unwrap().unwrap();
            let Command::Message(original) = command else { continue };
            let id = original.fields.message_id.clone();
            let Some(id) = id.filter(|id| id.producer_id.is_some() && id.producer_sequence_id >= 0) else {
                assert_eq!(accept(*original).err(), Some(InvalidMessage::Id));
                refused += 1;
                continue;
            };
            let accepted = accept((*original).clone()).unwrap_or_else(|error| panic!("{error}: {}", golden.value));
            assert_eq!(accepted.dialect.code() >= 20, original.fields.compressed);
            let shown = show(accepted.clone());
            assert_eq!(shown.kind, original.kind);
            let (is, was) = (&shown.fields, &original.fields);
            assert_eq!(is.body.content(), was.body.content());
            // Properties of no bytes are none.
            assert_eq!(is.body.properties(), was.body.properties().filter(|properties| !properties.is_empty()));
            assert_eq!(is.producer_id, id.producer_id);
            assert_eq!(is.message_id.as_ref().unwrap().producer_sequence_id, id.producer_sequence_id);
            assert_eq!(is.message_id.as_ref().unwrap().broker_sequence_id, 77);
            assert_eq!((is.persistent, is.compressed), (was.persistent, was.compressed));
            assert_eq!((is.expiration, is.timestamp), (was.expiration.max(0), was.timestamp.max(0)));
            assert_eq!(is.priority, was.priority.clamp(0, 9));
            assert_eq!((&is.correlation_id, &is.jms_type), (&was.correlation_id, &was.jms_type));
            assert_eq!((&is.reply_to, &is.user_id), (&was.reply_to, &was.user_id));
            assert_eq!(is.original_destination, was.original_destination);
            let sent_in = was.original_transaction_id.as_ref().or(was.transaction_id.as_ref());
            assert_eq!(is.transaction_id.as_ref(), sent_in.filter(|id| is_name(id)));
            assert_eq!(is.group_id, was.group_id);
            assert_eq!(is.group_sequence, if was.group_id.is_some() { was.group_sequence } else { 0 });
            assert_eq!((is.redelivery_counter, is.jmsx_group_first_for_consumer, is.broker_out_time), (2, true, 99));
            // And in bytes: what the consumer reads is the dispatch that was made.
            let mut made = dispatch(accepted.clone());
            let mut out = Outbox::default();
            outgoing().put(&mut encoder, &delivery(accepted), &consumer(), WallTime(99), &mut out).unwrap();
            let mut octets = Vec::new();
            while !out.is_empty() {
                octets.extend_from_slice(out.front());
                out.advance(out.front().len());
            }
            let mut client = Decoder::new(CodecOptions { cache: None, ..run.options.clone() });
            if run.options.cache.is_none() {
                let Command::MessageDispatch(read) = client.decode(&mut buffer(&octets)).unwrap().unwrap() else {
                    panic!("a dispatch")
                };
                let fields = &mut made.message.as_mut().unwrap().fields;
                if run.options.version < 3 {
                    (fields.broker_in_time, fields.broker_out_time) = (0, 0);
                }
                fields.jmsx_group_first_for_consumer = run.options.version >= 10;
                assert_eq!(*read, made);
            }
            seen += 1;
        }
    }
    assert!(seen > 200 && refused > 10, "{seen} {refused}");
}

#[test]
fn the_producer_s_text_is_made_once_and_read_back() {
    let mut names = Names::default();
    let q = queue("Q");
    let arrival = Arrival { destination: &q, user: None };
    let first = mapping::incoming(&mut message(MessageKind::Plain, None, &[]), arrival, &mut names).unwrap();
    let second = mapping::incoming(&mut message(MessageKind::Plain, None, &[]), arrival, &mut names).unwrap();
    assert_eq!(first.header.id.to_string(), "ID:host-1-2:1:3:4:5");
    assert!(Arc::ptr_eq(&first.header.id.producer, &second.header.id.producer));
    let shown = show(first).fields;
    let expected = ProducerId { connection_id: "ID:host-1-2:1".into(), value: 4, session_id: 3 };
    assert_eq!(shown.producer_id, Some(expected));
    assert_eq!(shown.message_id.unwrap().text_view, None);
}

#[test]
fn ids_of_other_protocols_are_shown_as_text() {
    for (producer, text) in [("ID:broker-1a-3", "ID:broker-1a-3:9"), ("a:+1:2", "a:+1:2:9"), ("a:1:007", "a:1:007:9")] {
        let mut foreign = accept(message(MessageKind::Plain, None, &[])).unwrap();
        foreign.header.id = MessageId { producer: producer.into(), sequence: 9 };
        let id = show(foreign).fields.message_id.unwrap();
        assert_eq!(id.text_view.as_deref(), Some(text));
        assert_eq!(id.producer_id.unwrap().connection_id, producer.into());
        assert_eq!(id.producer_sequence_id, 9);
    }
}

fn neutral(kind: MessageKind, content: Option<&[u8]>, compressed: bool) -> Result<Body, MalformedMessage> {
    let mut message = message(kind, content, &[("n", Value::Int(1))]);
    message.fields.compressed = compressed;
    let message = accept(message).unwrap();
    let neutral = message.dialect.to_neutral(&message)?;
    assert_eq!(neutral.properties, [("n".into(), Value::Int(1))]);
    Ok(neutral.body)
}

#[test]
fn every_kind_has_its_neutral_form_compressed_or_not() {
    let text = [&7_i32.to_be_bytes()[..], "größe".as_bytes()].concat();
    let entries = vec![(Arc::from("a"), Value::Long(7)), (Arc::from("b"), Value::Text("x".into()))];
    let values = vec![Value::Byte(1), Value::Text("two".into()), Value::Null];
    let (map, stream) = (write_map(&entries).unwrap(), write_stream(&values).unwrap());
    let octets = b"\0\x01\xFF";
    let cases = [
        (MessageKind::Text, &text[..], Body::Text("größe".into())),
        (MessageKind::Map, &map, Body::Map(entries)),
        (MessageKind::Stream, &stream, Body::List(values)),
        (MessageKind::Bytes, octets, Body::Bytes(octets[..].into())),
        (MessageKind::Object, octets, Body::Object(octets[..].into())),
    ];
    for (kind, content, expected) in cases {
        assert_eq!(neutral(kind.clone(), Some(content), false), Ok(expected.clone()));
        let mut small = deflated(content);
        if kind == MessageKind::Bytes {
            small.splice(0..0, (content.len() as i32).to_be_bytes());
        }
        assert_eq!(neutral(kind, Some(&small), true), Ok(expected));
    }
    assert_eq!(neutral(MessageKind::Plain, None, false), Ok(Body::Empty));
    assert_eq!(neutral(MessageKind::Text, None, false), Ok(Body::Text("".into())));
    assert_eq!(neutral(MessageKind::Bytes, None, true), Ok(Body::Bytes([][..].into())));
    assert_eq!(neutral(MessageKind::Map, None, false), Ok(Body::Map(Vec::new())));
    assert_eq!(neutral(MessageKind::Stream, Some(b""), false), Ok(Body::List(Vec::new())));
    assert_eq!(neutral(MessageKind::Object, None, false), Ok(Body::Object([][..].into())));
}

#[test]
fn bodies_that_are_not_what_they_say_have_no_neutral_form() {
    for content in [&b"\0\0\0"[..], b"\0\0\0\x09abc", b"\xFF\xFF\xFF\xFF", b"\0\0\0\x01\xFF"] {
        assert!(neutral(MessageKind::Text, Some(content), false).is_err(), "{content:?}");
    }
    assert!(neutral(MessageKind::Map, Some(b"\0\0\0\x01"), false).is_err());
    assert!(neutral(MessageKind::Stream, Some(b"\x63"), false).is_err());
    assert!(neutral(MessageKind::Object, Some(b"not deflated"), true).is_err());
    assert!(neutral(MessageKind::Bytes, Some(b"\0\0"), true).is_ok_and(|body| body == Body::Bytes([][..].into())));
}

#[test]
fn a_small_frame_does_not_swell_beyond_the_limit() {
    // 101 MiB of nothing in a hundred kilobytes.
    let bomb = deflated(&vec![0; 101 << 20]);
    assert!(bomb.len() < 200_000);
    let error = neutral(MessageKind::Object, Some(&bomb), true).unwrap_err();
    assert_eq!(error.0, "the compressed body is larger than 104857600 bytes");
}

#[test]
fn a_blob_keeps_where_it_is() {
    let fields =
        BlobFields { remote_blob_url: Some("http://host/größe".into()), mime_type: None, deleted_by_broker: true };
    let blob = MessageKind::Blob(Box::new(fields));
    let accepted = accept(message(blob.clone(), None, &[("n", Value::Int(1))])).unwrap();
    assert_eq!(accepted.dialect.code(), 16);
    assert_eq!(accepted.dialect.property(&accepted, "n"), Operand::Integer(1));
    let shown = show(accepted);
    assert_eq!((shown.kind, shown.fields.body.content()), (blob, None));
}

#[test]
fn the_journal_finds_every_dialect_by_a_code_of_its_own() {
    let codes: Vec<u16> = DIALECTS.iter().map(|dialect| dialect.code()).collect();
    assert_eq!(codes, [10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 26]);
    for code in codes {
        assert_eq!(OpenWireDialect::with_code(code).unwrap().code(), code);
    }
    assert_eq!(OpenWireDialect::with_code(17), None);
}

#[test]
fn selectors_see_properties_without_making_them() {
    let properties = [
        ("bool", Value::Bool(true)),
        ("byte", Value::Byte(-1)),
        ("short", Value::Short(-2)),
        ("int", Value::Int(3)),
        ("long", Value::Long(i64::MIN)),
        ("float", Value::Float(1.5)),
        ("double", Value::Double(2.5)),
        ("char", Value::Char(0xE9)),
        ("null", Value::Null),
        ("octets", Value::Bytes([1][..].into())),
        ("list", Value::List(vec![Value::Map(vec![("int".into(), Value::Int(9))])])),
        ("größe \u{1F600}", Value::Text("x\0y".into())),
        ("last", Value::Text("end".into())),
    ];
    let accepted = accept(message(MessageKind::Text, None, &properties)).unwrap();
    let property = |name| accepted.dialect.property(&accepted, name);
    assert_eq!(property("bool"), Operand::Bool(true));
    assert_eq!(property("byte"), Operand::Integer(-1));
    assert_eq!(property("short"), Operand::Integer(-2));
    assert_eq!(property("int"), Operand::Integer(3));
    assert_eq!(property("long"), Operand::Integer(i64::MIN));
    assert_eq!(property("float"), Operand::Double(1.5));
    assert_eq!(property("double"), Operand::Double(2.5));
    assert_eq!(property("char"), Operand::Text("é".into()));
    assert_eq!(property("größe \u{1F600}"), Operand::Text("x\0y".into()));
    assert!(matches!(property("last"), Operand::Text(std::borrow::Cow::Borrowed("end"))));
    for name in ["null", "octets", "list", "absent", ""] {
        assert_eq!(property(name), Operand::Null, "{name}");
    }
    let mut broken = accepted.clone();
    broken.bytes = broken.bytes.slice(..broken.bytes.len() - 4);
    assert_eq!(broken.dialect.property(&broken, "int"), Operand::Integer(3));
    assert_eq!(broken.dialect.property(&broken, "last"), Operand::Null);
}

#[test]
fn scheduled_messages_are_known_by_their_properties() {
    let schedule = |properties: &[(&str, Value)]| {
        accept(message(MessageKind::Text, None, properties)).map(|message| {
            message.header.annotations.and_then(|annotations| annotations.schedule).map(|schedule| *schedule)
        })
    };
    let delay = |delay_ms| Some(Schedule { delay_ms, ..Schedule::default() });
    assert_eq!(schedule(&[("AMQ_SCHEDULED_DELAY", Value::Long(60_000))]), Ok(delay(60_000)));
    assert_eq!(schedule(&[("AMQ_SCHEDULED_DELAY", Value::Text("5".into()))]), Ok(delay(5)));
    assert_eq!(schedule(&[("x", Value::Text("AMQ_SCHEDULED_DELAY".into()))]), Ok(None));
    let job = [("scheduledJobId", Value::Text("j".into())), ("AMQ_SCHEDULED_DELAY", Value::Long(5))];
    assert_eq!(schedule(&job), Ok(None));
    let wrong = schedule(&[("AMQ_SCHEDULED_DELAY", Value::Text("soon".into()))]);
    assert!(matches!(wrong, Err(InvalidMessage::Schedule(_))), "{wrong:?}");
}

/// A protocol of which only the neutral form is known.
#[derive(Debug)]
struct Foreign(fn() -> Body);

impl Dialect for Foreign {
    fn code(&self) -> u16 {
        99
    }

    fn property<'m>(&self, _: &'m Message, _: &str) -> Operand<'m> {
        Operand::Null
    }

    fn to_neutral(&self, _: &Message) -> Result<Neutral, MalformedMessage> {
        let properties = vec![("flag".into(), Value::Bool(true)), ("price".into(), Value::Text("7".into()))];
        Ok(Neutral { properties, body: (self.0)() })
    }
}

fn foreign(dialect: &'static dyn Dialect) -> Message {
    let header = Header {
        id: MessageId { producer: "ID:x".into(), sequence: 1 },
        destination: queue("Q"),
        mode: DeliveryMode::Persistent,
        priority: 4,
        timestamp: WallTime(5),
        expiration: Some(WallTime(6)),
        annotations: None,
    };
    Message { header, dialect, bytes: [][..].into(), body_at: 0 }
}

#[test]
fn messages_of_other_protocols_arrive_through_the_neutral_form() {
    static CASES: [Foreign; 6] = [
        Foreign(|| Body::Empty),
        Foreign(|| Body::Text("a\0\u{1F600}".into())),
        Foreign(|| Body::Bytes(b"\0\xFF"[..].into())),
        Foreign(|| Body::Map(vec![("k".into(), Value::List(vec![Value::Double(0.5)]))])),
        Foreign(|| Body::List(vec![Value::Int(1), Value::Text("t".into())])),
        Foreign(|| Body::Object(b"\xAC\xED"[..].into())),
    ];
    let kinds = [
        MessageKind::Plain,
        MessageKind::Text,
        MessageKind::Bytes,
        MessageKind::Map,
        MessageKind::Stream,
        MessageKind::Object,
    ];
    for (case, kind) in CASES.iter().zip(kinds) {
        let shown = show(foreign(case));
        assert_eq!((&shown.kind, shown.fields.expiration, shown.fields.persistent), (&kind, 6, true));
        // Read as one of our own it has the same neutral form.
        let mut again = shown.clone();
        let id = again.fields.message_id.as_mut().unwrap();
        id.producer_sequence_id = 1;
        let again = accept(again).unwrap();
        assert_eq!(again.dialect.to_neutral(&again), case.to_neutral(&again));
    }
}

#[test]
fn what_the_broker_added_hides_the_sender_s_properties() {
    let properties = [("n", Value::Int(1)), ("AMQ_SCHEDULED_DELAY", Value::Long(5)), ("cause", Value::Int(2))];
    let mut moved = accept(message(MessageKind::Bytes, Some(b"body"), &properties)).unwrap();
    let added =
        vec![("cause".into(), Value::Text("expired".into())), ("scheduledJobId".into(), Value::Text("j".into()))];
    let annotations = Annotations { added, ..Annotations::default() };
    moved.header.annotations = Some(Box::new(annotations));
    let shown = accept(show(moved)).unwrap();
    let expected = [
        ("n".into(), Value::Int(1)),
        ("cause".into(), Value::Text("expired".into())),
        ("scheduledJobId".into(), Value::Text("j".into())),
    ];
    let neutral = shown.dialect.to_neutral(&shown).unwrap();
    assert_eq!((&neutral.properties[..], neutral.body), (&expected[..], Body::Bytes(b"body"[..].into())));
}

#[test]
fn a_leaf_shows_where_its_message_was_first_sent() {
    let leaf = Delivery { destination: Some(queue("Leaf")), ..delivery(foreign(DIALECTS[0])) };
    let dispatch = outgoing().dispatch(&leaf, &consumer(), WallTime(0)).unwrap();
    let name = |destination: &Option<wire::Destination>| destination.as_ref().map(|of| of.physical_name.to_string());
    assert_eq!(name(&dispatch.destination).as_deref(), Some("Leaf"));
    let fields = dispatch.message.unwrap().fields;
    assert_eq!(name(&fields.destination).as_deref(), Some("Leaf"));
    assert_eq!(name(&fields.original_destination).as_deref(), Some("Q"));
}

#[test]
fn destinations_keep_kinds_leaves_and_temporary_names() {
    let of = |kind, name: &str| wire::Destination { kind, physical_name: name.into() };
    let leaves = |destination: &wire::Destination| -> Vec<String> {
        mapping::address(destination).unwrap().leaves.iter().map(ToString::to_string).collect()
    };
    let (queue, topic) = (wire::DestinationKind::Queue, wire::DestinationKind::Topic);
    assert_eq!(leaves(&of(queue, "A,B,topic://C")), ["queue://A", "queue://B", "topic://C"]);
    assert_eq!(leaves(&of(topic, "A, queue://B,A")), ["topic://A", "queue://B"]);
    assert_eq!(leaves(&of(queue, "A?consumer.prefetchSize=1")), ["queue://A"]);
    assert_eq!(leaves(&of(wire::DestinationKind::TempQueue, "ID:h-1-2-0:1:1")), ["temp-queue://ID:h-1-2-0:1:1"]);
    assert!(mapping::address(&of(queue, "")).is_err());
    assert!(mapping::address(&of(queue, "?a=b")).is_err());
    for (kind, name) in [(queue, "A,B,topic://C"), (topic, "X"), (wire::DestinationKind::TempTopic, "ID:h:1")] {
        let destination = of(kind, name);
        assert_eq!(mapping::wire_address(&mapping::address(&destination).unwrap()), destination);
    }
    // A comma in a place to answer to is part of its name.
    let reply_to = mapping::destination(&of(queue, "A,B")).unwrap();
    assert_eq!(mapping::wire_destination(&reply_to), of(queue, "A,B"));
}

#[test]
fn branches_of_distributed_transactions_keep_their_names() {
    let id = |global: &[u8], branch: Option<&[u8]>| XaTransactionId {
        format_id: -7,
        global_transaction_id: Some(global.to_vec().into()),
        branch_qualifier: branch.map(|branch| branch.to_vec().into()),
    };
    let whole = id(&[0xAB; 64], Some(&[]));
    let xid = mapping::xid(&whole).unwrap();
    assert_eq!((xid.format, xid.global.len(), xid.branch.len()), (-7, 64, 0));
    assert_eq!(mapping::wire_xid(&xid), whole);
    for refused in [id(&[], Some(&[1])), id(&[0; 65], Some(&[1])), id(&[1], None), id(&[1], Some(&[0; 65]))] {
        assert!(mapping::xid(&refused).is_err(), "{refused:?}");
    }
}

#[test]
fn what_the_version_cannot_say_is_not_half_written() {
    let options = CodecOptions {
        version: 2,
        tight: true,
        cache: Some(1024),
        size_prefix: true,
        stack_trace: false,
        max_frame: 1 << 20,
    };
    let blob = MessageKind::Blob(Box::default());
    let blob = delivery(accept(message(blob, None, &[])).unwrap());
    let mut out = Outbox::default();
    let result = outgoing().put(&mut Encoder::new(options), &blob, &consumer(), WallTime(0), &mut out);
    assert_eq!(result, Err(Undeliverable::Codec(CodecError::NotInVersion("a blob message", 2))));
    assert!(out.is_empty());
}

#[test]
fn advisories_carry_the_command_that_java_s_clients_expect() {
    let connection = ConnectionFacts {
        name: "ID:c-1-2:1".into(),
        client_id: Some("me".into()),
        user: None,
        peer: Some("tcp://127.0.0.1:5".into()),
    };
    let temporary = Arc::new(Destination { kind: DestinationKind::TemporaryQueue, name: "ID:c-1-2:1:1".into() });
    let told = |fact: Advisory| {
        let mut message = foreign(&ADVISORY);
        let added = vec![("consumerCount".into(), Value::Int(1))];
        let advisory = Some(Arc::new(fact));
        message.header.annotations = Some(Box::new(Annotations { advisory, added, ..Annotations::default() }));
        let shown = show(message);
        assert_eq!((shown.kind, shown.fields.jms_type.as_deref()), (MessageKind::Plain, Some("Advisory")));
        let properties = PrimitiveMap::new(shown.fields.body.properties_bytes().unwrap(), MAP_LIMITS);
        assert_eq!(properties.get("originBrokerName"), Ok(Some(Value::Text("broker".into()))));
        assert_eq!(properties.get("originBrokerURL"), Ok(Some(Value::Text("tcp://broker:61616".into()))));
        assert_eq!(properties.get("originBrokerId"), Ok(Some(Value::Text("ID:broker".into()))));
        assert_eq!(properties.get("consumerCount"), Ok(Some(Value::Int(1))));
        shown.fields.data_structure.map(|command| *command)
    };
    let (destination, of) = (Arc::clone(&temporary), Some("ID:c-1-2:1".into()));
    let Some(Command::DestinationInfo(made)) = told(Advisory::DestinationCreated { destination, connection: of })
    else {
        panic!("a DestinationInfo")
    };
    assert_eq!((made.operation_type, made.connection_id.unwrap().value), (0, "ID:c-1-2:1".into()));
    assert_eq!(made.destination, Some(mapping::wire_destination(&temporary)));
    let Some(Command::DestinationInfo(gone)) =
        told(Advisory::DestinationDeleted { destination: temporary, connection: None })
    else {
        panic!("a DestinationInfo")
    };
    assert_eq!((gone.operation_type, gone.connection_id), (1, None));
    let Some(Command::ConnectionInfo(info)) = told(Advisory::ConnectionStarted(connection.clone())) else {
        panic!("a ConnectionInfo")
    };
    assert_eq!((info.client_id.as_deref(), info.client_ip.as_deref()), (Some("me"), Some("tcp://127.0.0.1:5")));
    let Some(Command::RemoveInfo(info)) = told(Advisory::ConnectionStopped(connection.clone())) else {
        panic!("a RemoveInfo")
    };
    assert!(matches!(info.object_id, Some(ObjectId::ConnectionId(id)) if *id.value == *"ID:c-1-2:1"));
    let facts =
        ProducerFacts { connection: connection.clone(), name: Some("ID:c-1-2:1:2:3".into()), destination: None };
    let Some(Command::ProducerInfo(info)) = told(Advisory::ProducerStarted(facts)) else { panic!("a ProducerInfo") };
    assert_eq!(info.producer_id, Some(ProducerId { connection_id: "ID:c-1-2:1".into(), value: 3, session_id: 2 }));
    // A producer of another protocol has an id too.
    let facts = ProducerFacts { connection, name: None, destination: Some(queue("Q")) };
    let Some(Command::RemoveInfo(info)) = told(Advisory::ProducerStopped(facts)) else { panic!("a RemoveInfo") };
    let id = ProducerId { connection_id: "ID:c-1-2:1".into(), value: 1, session_id: -1 };
    assert_eq!(info.object_id, Some(ObjectId::ProducerId(id)));
    // What happened to a message is told without its body.
    let message = Arc::new(accept(message(MessageKind::Bytes, Some(b"secret"), &[("n", Value::Int(1))])).unwrap());
    let Some(Command::Message(inner)) = told(Advisory::Message { message, place: queue("Here") }) else {
        panic!("a message")
    };
    assert_eq!((inner.kind, inner.fields.body.content()), (MessageKind::Bytes, None));
    assert!(inner.fields.body.properties().is_some());
    assert_eq!(inner.fields.destination.unwrap().physical_name, "Here".into());
    assert_eq!(told(Advisory::Broker), None);
}
