//! How a connection begins, lives and ends.

use super::script::{
    CONNECTION, Script, connection_id, connection_info, consumer, consumer_info, producer, producer_info, properties,
    queue, session,
};
use super::transactions::{BEGIN, info, local};
use ferrymq_model::{DestinationKind, Event, Refusal, RefusalKind};
use ferrymq_openwire::SessionOptions;
use ferrymq_openwire::codec::broker_info::BrokerInfo;
use ferrymq_openwire::codec::connection::{ConnectionControl, ConnectionInfo};
use ferrymq_openwire::codec::control::{ControlCommand, FlushCommand, KeepAliveInfo, ShutdownInfo};
use ferrymq_openwire::codec::destination::{Destination as WireDestination, DestinationInfo, DestinationKind as Wire};
use ferrymq_openwire::codec::ids::ObjectId;
use ferrymq_openwire::codec::session::{RemoveInfo, SessionInfo};
use ferrymq_openwire::codec::wire_format_info::WireFormatProperties;
use std::sync::Arc;

fn remove(command_id: i32, object: ObjectId, last_delivered_sequence_id: i64) -> RemoveInfo {
    RemoveInfo { command_id, response_required: true, object_id: Some(object), last_delivered_sequence_id }
}

#[test]
fn the_broker_speaks_first_and_takes_a_connection() {
    let mut script = Script::new("handshake");
    script.pass(0);
    script.negotiate(&properties());
    script.client(ConnectionInfo {
        user_name: Some(Arc::from("user")),
        manageable: true,
        fault_tolerant: true,
        ..connection_info()
    });
    script.confirm(0);
    script.note("sessions, again and again");
    script.client(SessionInfo { command_id: 2, response_required: true, session_id: Some(session(1)) });
    script.client(SessionInfo { command_id: 3, response_required: true, session_id: Some(session(1)) });
    script.note("nothing is sent to who did not ask");
    script.client(SessionInfo { command_id: 4, response_required: false, session_id: Some(session(2)) });
    script.finish();
}

#[test]
fn silence_ends_a_connection_and_keep_alives_prevent_it() {
    let mut script = Script::new("inactivity");
    let wish = WireFormatProperties { max_inactivity_duration: Some(3000), ..properties() };
    script.pass(0);
    script.negotiate(&wish);
    script.client(connection_info());
    script.confirm(0);
    script.note("the broker writes within a third");
    script.pass(1000);
    script.pass(1000);
    script.note("a keep-alive that asks is answered by its like");
    script.client(KeepAliveInfo { command_id: 9, response_required: true });
    script.client(KeepAliveInfo { command_id: 10, response_required: false });
    script.note("paused, it is not read: its silence means nothing");
    script.event(Event::Pause);
    script.pass(20_000);
    script.event(Event::Resume);
    script.pass(2999);
    script.pass(1);
    script.finish();
}

#[test]
fn who_never_introduces_itself_is_given_up() {
    let mut script = Script::new("timeouts");
    script.pass(0);
    script.pass(10_000);
    script.finish();
    let mut script = Script::new("timeout-login");
    script.pass(0);
    script.negotiate(&properties());
    script.pass(10_000);
    script.finish();
}

#[test]
fn a_client_id_in_use_is_told_and_the_connection_ends() {
    let mut script = Script::new("client-id");
    script.pass(0);
    script.negotiate(&properties());
    script.client(connection_info());
    script.refuse(Some(0), RefusalKind::InvalidClientId, "Broker: b - Client: client already connected from tcp://c");
    script.finish();
}

#[test]
fn exceptions_have_the_names_that_the_client_knows() {
    let mut script = Script::new("javax");
    let older = WireFormatProperties { provider_version: Some(Arc::from("5.19.9")), ..properties() };
    script.pass(0);
    script.negotiate(&older);
    script.client(ConnectionInfo { client_id: None, ..connection_info() });
    script.finish();
}

#[test]
fn objects_end_in_order_and_the_broker_hears_of_the_end_before_the_response() {
    let mut script = Script::open("remove");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.confirm(1);
    script.client(consumer_info(3, 1, queue("D"), 10));
    script.client(consumer_info(4, 2, queue("D"), 10));
    script.confirm(2);
    script.confirm(3);
    script.deliver(0, 1, DestinationKind::Queue);
    script.deliver(1, 1, DestinationKind::Queue);
    script.deliver(0, 2, DestinationKind::Queue);
    script.note("the client saw the first of two; a number of another consumer tells nothing of this one");
    script.client(remove(5, ObjectId::ConsumerId(consumer(1)), 1 << 16));
    script.confirm(4);
    script.client(remove(6, ObjectId::ProducerId(producer(1)), -2));
    script.client(remove(7, ObjectId::SessionId(session(1)), 1 << 16));
    script.confirm(5);
    script.client(remove(8, ObjectId::ConnectionId(connection_id()), -1));
    script.confirm(6);
    script.client(consumer_info(9, 3, queue("D"), 10));
    script.client(ShutdownInfo { command_id: 10, response_required: false });
    script.finish();
}

#[test]
fn who_took_a_connection_back_may_introduce_the_next_user_on_the_same_transport() {
    // `ActiveMQConnection.doCleanup(true)`: resource adapters give a connection that was opened to its next user.
    let mut script = Script::open("connection-anew");
    script.client(SessionInfo { command_id: 2, response_required: false, session_id: Some(session(1)) });
    script.client(info(3, Some(local(7)), BEGIN));
    script.confirm(1);
    script.client(remove(4, ObjectId::ConnectionId(connection_id()), 0));
    script.note("too early: the broker still knows it");
    script.client(ConnectionInfo { command_id: 5, ..connection_info() });
    script.confirm(2);
    script.pass(15_000);
    script.client(ConnectionInfo { command_id: 6, client_id: Some(Arc::from("next")), ..connection_info() });
    script.pass(9_000);
    script.confirm(3);
    script.note("nothing of the former user is left");
    script.client(consumer_info(7, 1, queue("D"), 10));
    script.client(info(8, Some(local(7)), BEGIN));
    script.confirm(4);
    script.client(ShutdownInfo { command_id: 9, response_required: false });
    script.confirm(5);
    script.finish();
}

#[test]
fn a_shutdown_waits_for_what_was_asked() {
    let mut script = Script::open("shutdown");
    script.client(ShutdownInfo { command_id: 2, response_required: true });
    script.client(KeepAliveInfo { command_id: 3, response_required: true });
    script.confirm(1);
    script.finish();
    let mut script = Script::open("input-ended");
    script.end_input();
    script.confirm(1);
    script.finish();
}

#[test]
fn commands_about_the_conversation() {
    let mut script = Script::open("control");
    script.client(FlushCommand { command_id: 2, response_required: true });
    script.confirm(1);
    script.client(ConnectionControl {
        command_id: 3,
        response_required: true,
        fault_tolerant: true,
        ..ConnectionControl::default()
    });
    script.client(ControlCommand { command_id: 4, response_required: true, command: Some(Arc::from("shutdown")) });
    script.note("another session took the name");
    let refusal = Refusal { kind: RefusalKind::Duplicate, text: format!("{CONNECTION} came back") };
    script.event(Event::Closed { refusal });
    script.finish();
}

#[test]
fn a_bridge_is_refused_and_a_second_broker_info_too() {
    let mut script = Script::open("cve-2026-50750-broker-info-again");
    script.client(BrokerInfo { command_id: 2, response_required: true, ..BrokerInfo::default() });
    script.client(BrokerInfo { command_id: 3, response_required: true, ..BrokerInfo::default() });
    script.finish();
    let mut script = Script::open("bridge");
    script.client(BrokerInfo {
        network_connection: true,
        duplex_connection: true,
        network_properties: Some(Arc::from("brokerName=x")),
        ..BrokerInfo::default()
    });
    script.finish();
}

#[test]
fn destinations_come_and_go() {
    let mut script = Script::open("destinations");
    let info = |command_id, kind, name: &str, operation_type| DestinationInfo {
        command_id,
        response_required: true,
        connection_id: Some(connection_id()),
        destination: Some(WireDestination { kind, physical_name: Arc::from(name) }),
        operation_type,
        ..DestinationInfo::default()
    };
    script.client(info(2, Wire::TempQueue, "ID:c-1:1", 0));
    script.confirm(1);
    script.note("made again, it is there");
    script.client(info(3, Wire::TempQueue, "ID:c-1:1", 0));
    script.refuse(Some(2), RefusalKind::Duplicate, "temp-queue://ID:c-1:1 exists");
    script.note("nobody takes another's name");
    script.client(info(4, Wire::TempTopic, "ID:c-11:1", 0));
    script.client(info(5, Wire::TempQueue, "ID:c-1:1", 1));
    script.confirm(3);
    script.client(info(6, Wire::Queue, "Q", 0));
    script.confirm(4);
    script.client(info(7, Wire::Queue, "Q", 1));
    script.refuse(Some(5), RefusalKind::InvalidDestination, "queue://Q has consumers");
    script.client(info(8, Wire::Queue, "Q", 2));
    script.client(info(9, Wire::Queue, " ", 0));
    script.finish();
}

#[test]
fn what_the_journal_lost_is_not_answered() {
    let mut script = Script::open("store-failed");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.refuse(Some(1), RefusalKind::StoreFailed, "the journal stopped");
    script.finish();
}

#[test]
fn a_client_cannot_have_more_than_its_limits() {
    let mut options = SessionOptions::new(Arc::from("ID:test-1"));
    options.limits.sessions_max = 1;
    options.limits.producers_max = 1;
    options.limits.consumers_max = 1;
    let mut script = Script::open_with("limits", options);
    script.client(SessionInfo { command_id: 2, response_required: true, session_id: Some(session(2)) });
    script.client(producer_info(3, 1, None));
    script.client(producer_info(4, 2, None));
    script.client(consumer_info(5, 1, queue("D"), 1));
    script.client(consumer_info(6, 2, queue("D"), 1));
    script.finish();
    let mut options = SessionOptions::new(Arc::from("ID:test-1"));
    options.limits.pending_max = 2;
    let mut script = Script::open_with("limit-pending", options);
    script.client(FlushCommand { command_id: 2, response_required: true });
    script.client(FlushCommand { command_id: 3, response_required: true });
    script.client(FlushCommand { command_id: 4, response_required: true });
    script.finish();
}
