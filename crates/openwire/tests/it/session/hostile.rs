//! Commands that make no sense.

use super::script::{
    Script, connection_id, connection_info, consumer, consumer_info, message, producer, producer_info, properties,
    queue, session,
};
use ferrymq_openwire::codec::Command;
use ferrymq_openwire::codec::connection::ConnectionInfo;
use ferrymq_openwire::codec::consumer::ConsumerInfo;
use ferrymq_openwire::codec::ids::{ConnectionId, ObjectId};
use ferrymq_openwire::codec::message_dispatch::MessageDispatch;
use ferrymq_openwire::codec::network::BrokerSubscriptionInfo;
use ferrymq_openwire::codec::response::Response;
use ferrymq_openwire::codec::session::{RemoveInfo, SessionInfo};
use ferrymq_openwire::codec::wire_format_info::{WireFormatInfo, WireFormatProperties};
use std::sync::Arc;

#[test]
fn commands_before_a_connection() {
    let mut script = Script::new("before-connection");
    script.pass(0);
    script.negotiate(&properties());
    script.client(SessionInfo { command_id: 2, response_required: true, session_id: Some(session(1)) });
    script.client(message(3, 1, queue("D")));
    script.client(consumer_info(4, 1, queue("D"), 1));
    script.note("it may still connect");
    script.client(connection_info());
    script.finish();
}

#[test]
fn a_command_before_the_wire_format() {
    let mut script = Script::new("before-wire-format");
    script.pass(0);
    script.client(connection_info());
    script.finish();
}

#[test]
fn bytes_of_another_protocol() {
    let mut script = Script::new("not-openwire");
    script.octets(b"\0\0\0\x0a\x01ActiveMX\0");
    script.finish();
    let mut script = Script::open("malformed");
    script.octets(b"\0\0\0\x02\xc8\0");
    script.finish();
}

#[test]
fn a_frame_larger_than_a_stranger_may_send() {
    let mut script = Script::new("frame-before-login");
    script.pass(0);
    script.negotiate(&properties());
    script.octets(&[0x7f, 0, 0, 0, 3]);
    script.finish();
}

#[test]
fn a_second_introduction() {
    let mut script = Script::open("wire-format-again");
    script.client(WireFormatInfo::new(1, &WireFormatProperties::default()).unwrap());
    script.finish();
    let mut script = Script::open("connection-again");
    script.client(ConnectionInfo { command_id: 2, ..connection_info() });
    script.finish();
}

#[test]
fn a_version_that_does_not_exist() {
    let mut script = Script::new("version-zero");
    script.pass(0);
    script.client(WireFormatInfo { version: -1, ..WireFormatInfo::new(1, &properties()).unwrap() });
    script.finish();
}

#[test]
fn ids_that_nobody_introduced() {
    let mut script = Script::open("unknown-ids");
    script.client(message(2, 1, queue("D")));
    let mut other = consumer_info(3, 1, queue("D"), 1);
    other.consumer_id.as_mut().unwrap().session_id = 5;
    script.client(other);
    let mut other = producer_info(4, 1, None);
    other.producer_id.as_mut().unwrap().session_id = 5;
    script.client(other);
    let mut other = producer_info(5, 1, None);
    other.producer_id.as_mut().unwrap().connection_id = Arc::from("ID:c-2");
    script.client(other);
    for (command_id, object) in [
        (6, ObjectId::ConsumerId(consumer(1))),
        (7, ObjectId::ProducerId(producer(1))),
        (8, ObjectId::SessionId(session(5))),
        (9, ObjectId::ConnectionId(ConnectionId { value: Arc::from("ID:c-2") })),
        (10, ObjectId::Destination(queue("D"))),
    ] {
        script.client(RemoveInfo {
            command_id,
            response_required: true,
            object_id: Some(object),
            last_delivered_sequence_id: -2,
        });
    }
    script.client(RemoveInfo { command_id: 11, response_required: true, ..RemoveInfo::default() });
    script.note("a message without an id, one without a destination");
    script.client(producer_info(12, 1, None));
    let mut bare = message(13, 1, queue("D"));
    bare.fields.message_id = None;
    script.client(bare);
    let mut bare = message(14, 1, queue("D"));
    bare.fields.destination = None;
    script.client(bare);
    script.client(ConsumerInfo { network_subscription: true, ..consumer_info(15, 1, queue("D"), 1) });
    script.finish();
}

#[test]
fn responses_of_clients_mean_nothing() {
    let mut script = Script::open("client-response");
    script.note("as the failover transport sends them when it comes back");
    script.client(Response::default());
    script.client(Response { command_id: 2, response_required: true, correlation_id: 1 });
    script.finish();
}

#[test]
fn commands_of_brokers() {
    let mut script = Script::open("broker-commands");
    script.client(BrokerSubscriptionInfo::default());
    script.finish();
    let mut script = Script::open("broker-dispatch");
    script.client(MessageDispatch { command_id: 2, response_required: true, ..MessageDispatch::default() });
    script.finish();
    let mut script = Script::open("lone-object");
    script.client(Command::Object(ObjectId::ConnectionId(connection_id())));
    script.finish();
}
