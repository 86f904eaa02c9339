//! Consumers and what they are sent.

use super::script::{Script, connection_id, consumer, consumer_info, queue, topic};
use bytes::Bytes;
use ferrymq_model::{DestinationKind, Event, Message, Refusal, RefusalKind, SubscriptionId};
use ferrymq_openwire::codec::consumer::{ConsumerControl, ConsumerInfo};
use ferrymq_openwire::codec::ids::ObjectId;
use ferrymq_openwire::codec::session::{RemoveInfo, RemoveSubscriptionInfo};
use std::sync::Arc;

#[test]
fn every_field_of_a_consumer() {
    let mut script = Script::open("consumer-fields");
    script.client(ConsumerInfo {
        selector: Some(Arc::from("a = 1")),
        no_local: true,
        exclusive: true,
        retroactive: true,
        priority: 7,
        maximum_pending_message_limit: 50,
        dispatch_async: true,
        optimized_acknowledge: true,
        no_range_acks: true,
        ..consumer_info(2, 1, queue("A,B?consumer.exclusive=true"), 10)
    });
    script.confirm(1);
    script.note("said again, it is there");
    script.client(consumer_info(3, 1, queue("A"), 10));
    script.note("a durable subscription, a topic, a browser");
    script.client(ConsumerInfo { subscription_name: Some(Arc::from("sub")), ..consumer_info(4, 2, topic("T"), 100) });
    script.refuse(Some(2), RefusalKind::DurableInUse, "it is active");
    script.client(consumer_info(5, 3, topic("T.>"), 32_767));
    script.client(ConsumerInfo { browser: true, ..consumer_info(6, 4, queue("Q"), 500) });
    script.refuse(Some(4), RefusalKind::InvalidSelector, "the selector does not parse");
    script.note("below nothing is nothing; advisories have a session of their own");
    let mut advisory = consumer_info(7, 1, topic("ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic"), -1);
    advisory.consumer_id.as_mut().unwrap().session_id = -1;
    script.client(advisory);
    script.finish();
}

#[test]
fn messages_go_to_their_consumer() {
    let mut script = Script::open("dispatch");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    let mut delivery = script.delivery(0, 1, DestinationKind::Queue);
    delivery.redeliveries = 3;
    delivery.first_of_group = true;
    script.event(Event::Deliver(delivery));
    script.note("a consumer that is gone gets nothing");
    script.deliver(7, 1, DestinationKind::Queue);
    script.finish();
}

#[test]
fn a_browser_ends_with_nothing() {
    let mut script = Script::open("browser");
    script.client(ConsumerInfo { browser: true, ..consumer_info(2, 1, queue("D"), 10) });
    script.confirm(1);
    script.deliver(0, 1, DestinationKind::Queue);
    script.event(Event::BrowseEnd { subscription: SubscriptionId(0) });
    script.finish();
}

#[test]
fn a_consumer_that_the_broker_ends_is_closed() {
    let mut script = Script::open("consumer-ended");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    let refusal = Refusal { kind: RefusalKind::InvalidDestination, text: "queue://D was deleted".to_owned() };
    script.event(Event::SubscriptionEnded { subscription: SubscriptionId(0), refusal });
    script.note("the client takes it back");
    script.client(RemoveInfo {
        command_id: 3,
        response_required: true,
        object_id: Some(ObjectId::ConsumerId(consumer(1))),
        last_delivered_sequence_id: -1,
    });
    script.finish();
}

#[test]
fn a_prefetch_changes() {
    let mut script = Script::open("consumer-control");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.client(ConsumerControl {
        command_id: 3,
        response_required: true,
        consumer_id: Some(consumer(1)),
        prefetch: 5,
        ..ConsumerControl::default()
    });
    script.finish();
}

#[test]
fn a_message_that_nobody_here_can_read_does_not_block() {
    let mut script = Script::open("dispatch-malformed");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    let mut delivery = script.delivery(0, 1, DestinationKind::Queue);
    let message = Message { dialect: &Broken, bytes: Bytes::new(), body_at: 0, ..(*delivery.message).clone() };
    delivery.message = Arc::new(message);
    script.event(Event::Deliver(delivery));
    script.finish();
}

/// A dialect whose messages cannot be read.
#[derive(Debug)]
struct Broken;

impl ferrymq_model::Dialect for Broken {
    fn code(&self) -> u16 {
        9999
    }

    fn property<'m>(&self, _: &'m Message, _: &str) -> ferrymq_model::Operand<'m> {
        ferrymq_model::Operand::Null
    }

    fn to_neutral(&self, _: &Message) -> Result<ferrymq_model::Neutral, ferrymq_model::MalformedMessage> {
        Err(ferrymq_model::MalformedMessage("broken".to_owned()))
    }
}

#[test]
fn a_durable_subscription_ends_for_good() {
    let mut script = Script::open("remove-subscription");
    let remove = |command_id, client_id: &str| RemoveSubscriptionInfo {
        command_id,
        response_required: true,
        connection_id: Some(connection_id()),
        subscription_name: Some(Arc::from("sub")),
        client_id: Some(Arc::from(client_id)),
    };
    script.client(remove(2, "client"));
    script.refuse(Some(1), RefusalKind::DurableInUse, "it is active");
    script.client(remove(3, "client"));
    script.refuse(Some(2), RefusalKind::Unknown, "durable subscription sub of client is not known");
    script.client(remove(4, "client"));
    script.confirm(3);
    script.client(remove(5, "another"));
    script.finish();
}
