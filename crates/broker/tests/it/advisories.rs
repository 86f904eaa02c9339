//! What the broker tells on the topics `ActiveMQ.Advisory.*`.

use crate::driver::{Bench, destination, session, token};
use ferrymq_broker::{Advised, Settings};
use ferrymq_model::event::Delivery;
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::selector::Operand;
use ferrymq_model::{Advisory, DeliveryMode, Event, Message, ProducerId, Request, SessionId, Settlement, Token, Value};

fn connect(t: &mut Bench, slot: u32, name: &str) {
    let (name, client_id) = (Some(name.into()), Some(format!("client{slot}").into()));
    t.ask(slot, Request::Connect { name, client_id, user: Some("alice".into()), peer: None, confirm: Token(0) });
    t.events();
}

fn add_producer(t: &mut Bench, slot: u32, producer: u32, name: &str, to: &str) {
    let (producer, name) = (ProducerId(producer), Some(name.into()));
    let address = crate::driver::address(to);
    t.ask(slot, Request::AddProducer { producer, name, skips_duplicates: false, address, confirm: None });
}

/// What one session heard: topic, fact, and the properties that are not the broker's own.
fn heard(t: &mut Bench, slot: u32) -> Vec<String> {
    let of_session = |(to, event): (SessionId, Event)| match event {
        Event::Deliver(delivery) if to == session(slot) => Some(line(&delivery)),
        _ => None,
    };
    t.take_events().into_iter().filter_map(of_session).collect()
}

fn line(delivery: &Delivery) -> String {
    let message = &delivery.message;
    let topic = &message.header.destination.name;
    let Some(annotations) = message.annotations().filter(|annotations| annotations.advisory.is_some()) else {
        return format!("{topic} message {}", crate::driver::body(message));
    };
    assert_eq!(annotations.kind.as_deref(), Some("Advisory"));
    assert_eq!(message.header.mode, DeliveryMode::NonPersistent);
    let properties: Vec<String> = annotations
        .added
        .iter()
        .filter(|(name, _)| !name.starts_with("originBroker"))
        .map(|(name, value)| format!(" {name}={}", value.to_text().unwrap()))
        .collect();
    let told = fact(annotations.advisory.as_deref().unwrap());
    format!("{} {told}{}", topic.strip_prefix("ActiveMQ.Advisory.").unwrap(), properties.concat())
}

fn fact(advisory: &Advisory) -> String {
    match advisory {
        Advisory::ConnectionStarted(facts) => format!("+connection {} {:?}", facts.name, facts.client_id),
        Advisory::ConnectionStopped(facts) => format!("-connection {}", facts.name),
        Advisory::DestinationCreated { destination, connection } => format!("+{destination} {connection:?}"),
        Advisory::DestinationDeleted { destination, connection } => format!("-{destination} {connection:?}"),
        Advisory::ConsumerStarted(facts) => format!("+consumer {:?}", facts.subscribe.name),
        Advisory::ConsumerStopped(facts) => format!("-consumer {:?}", facts.subscribe.name),
        Advisory::Consumer(facts) => format!("consumer {:?}", facts.subscribe.name),
        Advisory::SubscriptionDeleted { connection, name } => format!("-durable {name} of {:?}", connection.client_id),
        Advisory::ProducerStarted(facts) => format!("+producer {:?}", facts.name),
        Advisory::ProducerStopped(facts) => format!("-producer {:?}", facts.name),
        Advisory::Producer(facts) => format!("producer {:?}", facts.name),
        Advisory::Message { message, place } => format!("message {} {place}", message.header.id),
        Advisory::Broker => "broker".to_owned(),
    }
}

fn watch(t: &mut Bench, slot: u32, topics: &str) {
    connect(t, slot, "watcher");
    t.subscribe(slot, 1, topics);
}

#[test]
fn a_java_client_learns_of_temporary_destinations_before_and_after_it_subscribed() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:a");
    t.temporary(0, "temp-queue://ID:a:1");
    let subscribe = |t: &mut Bench| {
        t.subscribe_as(9, 1, "topic://ActiveMQ.Advisory.TempQueue,topic://ActiveMQ.Advisory.TempTopic", |wishes| {
            wishes.no_local = true;
            wishes.confirm = token(7);
        });
    };
    connect(&mut t, 9, "ID:w");
    subscribe(&mut t);
    assert_eq!(heard(&mut t, 9), ["TempQueue +temp-queue://ID:a:1 Some(\"ID:a\")"]);
    t.temporary(9, "temp-topic://ID:w:1");
    t.ask(0, Request::DeleteTemporary { destination: destination("temp-queue://ID:a:1"), confirm: None });
    t.temporary(0, "temp-queue://ID:a:2");
    t.disconnect(0);
    let told = [
        "TempTopic +temp-topic://ID:w:1 Some(\"ID:w\")",
        "TempQueue -temp-queue://ID:a:1 Some(\"ID:a\")",
        "TempQueue +temp-queue://ID:a:2 Some(\"ID:a\")",
        "TempQueue -temp-queue://ID:a:2 Some(\"ID:a\")",
    ];
    assert_eq!(heard(&mut t, 9), told);
}

#[test]
fn the_present_state_is_for_the_new_subscription_alone_and_comes_after_its_confirmation() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:a");
    watch(&mut t, 8, "topic://ActiveMQ.Advisory.TempQueue");
    t.temporary(0, "temp-queue://1");
    heard(&mut t, 8);
    connect(&mut t, 9, "ID:w");
    t.subscribe_as(9, 1, "topic://ActiveMQ.Advisory.TempQueue", |wishes| wishes.confirm = token(7));
    let events = t.take_events();
    assert!(matches!(events[0], (to, Event::Confirmed { token: Token(7) }) if to == session(9)));
    assert!(matches!(&events[1..], [(to, Event::Deliver(_))] if *to == session(9)));
}

#[test]
fn consumers_and_producers_come_and_go_with_their_counts() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:a");
    t.subscribe_as(0, 1, "q", |wishes| wishes.name = Some("ID:a:1:1".into()));
    watch(&mut t, 9, "topic://ActiveMQ.Advisory.Consumer.>,topic://ActiveMQ.Advisory.Producer.Queue.q");
    assert_eq!(heard(&mut t, 9), ["Consumer.Queue.q +consumer Some(\"ID:a:1:1\") consumerCount=1"]);
    t.subscribe_as(0, 2, "q", |wishes| wishes.name = Some("ID:a:1:2".into()));
    t.subscribe(0, 3, "topic://A,topic://B");
    t.unsubscribe(0, 2);
    add_producer(&mut t, 0, 1, "ID:a:2:1", "q");
    add_producer(&mut t, 0, 2, "ID:a:2:2", "q,r");
    t.ask(0, Request::RemoveProducer { producer: ProducerId(1) });
    t.disconnect(0);
    let told = [
        "Consumer.Queue.q +consumer Some(\"ID:a:1:2\") consumerCount=2",
        "Consumer.Topic.A&sbquo;B +consumer Some(\"ID:a:-1:3\") consumerCount=2",
        "Consumer.Queue.q -consumer Some(\"ID:a:1:2\") consumerCount=1",
        "Producer.Queue.q +producer Some(\"ID:a:2:1\") producerCount=1",
        "Producer.Queue.q +producer Some(\"ID:a:2:2\") producerCount=2",
        "Producer.Queue.q -producer Some(\"ID:a:2:1\") producerCount=1",
        "Consumer.Queue.q -consumer Some(\"ID:a:1:1\") consumerCount=0",
        "Consumer.Topic.A&sbquo;B -consumer Some(\"ID:a:-1:3\") consumerCount=0",
        "Producer.Queue.q -producer Some(\"ID:a:2:2\") producerCount=0",
    ];
    assert_eq!(heard(&mut t, 9), told);
}

#[test]
fn connections_and_destinations_come_and_go() {
    let mut t = Bench::new();
    watch(
        &mut t,
        9,
        "topic://ActiveMQ.Advisory.Connection,topic://ActiveMQ.Advisory.Queue,topic://ActiveMQ.Advisory.Topic",
    );
    connect(&mut t, 0, "ID:b");
    t.subscribe(9, 2, "topic://ActiveMQ.Advisory.Connection");
    let told = ["Connection +connection ID:b Some(\"client0\")", "Connection +connection watcher Some(\"client9\")"];
    assert_eq!(heard(&mut t, 9), told);
    t.unsubscribe(9, 2);
    t.subscribe(0, 1, "q,topic://t");
    t.disconnect(0);
    assert_eq!(heard(&mut t, 9), ["Queue +queue://q None", "Topic +topic://t None", "Connection -connection ID:b"]);
}

#[test]
fn nothing_is_told_about_advisories_and_no_topic_is_made_for_them() {
    let mut t = Bench::new();
    watch(&mut t, 9, "topic://ActiveMQ.Advisory.>");
    let before = t.destinations();
    connect(&mut t, 0, "ID:a");
    t.subscribe(0, 1, "topic://ActiveMQ.Advisory.Connection");
    heard(&mut t, 9);
    add_producer(&mut t, 0, 1, "p", "topic://ActiveMQ.Advisory.Connection");
    t.unsubscribe(0, 1);
    assert_eq!(heard(&mut t, 9), [""; 0]);
    t.temporary(0, "temp-queue://1");
    t.subscribe(0, 2, "temp-queue://1");
    t.disconnect(0);
    let told = [
        "TempQueue +temp-queue://1 Some(\"ID:a\")",
        "Consumer.Queue.1 +consumer Some(\"ID:a:-1:2\") consumerCount=1",
        "Consumer.Queue.1 -consumer Some(\"ID:a:-1:2\") consumerCount=0",
        "TempQueue -temp-queue://1 Some(\"ID:a\")",
        "Connection -connection ID:a",
    ];
    assert_eq!(heard(&mut t, 9), told);
    assert_eq!(t.destinations(), before + 1, "the topic that was subscribed to by its name");
}

#[test]
fn what_expires_and_what_is_buried_is_told() {
    let mut t = Bench::new();
    t.connect(0);
    watch(&mut t, 9, "topic://ActiveMQ.Advisory.Expired.>,topic://ActiveMQ.Advisory.MessageDLQd.Queue.q");
    let at = t.now.wall.0 + 10;
    t.send_as(0, "q", "a", None, |message| {
        message.header.expiration = Some(ferrymq_model::WallTime(at));
        message.header.mode = DeliveryMode::Persistent;
    });
    t.tick(20);
    let told = [
        "Expired.Queue.q message ID:test:1 queue://q orignalMessageId=ID:test:1",
        "MessageDLQd.Queue.q message ID:test:1 queue://q",
    ];
    assert_eq!(heard(&mut t, 9), told);
}

fn everything() -> Settings {
    let advisories = Advised {
        enabled: true,
        no_consumer: true,
        slow_consumer: true,
        message_discarded: true,
        full: true,
        fast_producer: true,
        message_delivered: true,
        message_dispatched: true,
        message_consumed: true,
    };
    Settings { advisories, destination_memory_limit_bytes: 1000, ..Settings::default() }
}

#[test]
fn the_life_of_a_message_is_told_where_that_is_switched_on() {
    let wishes = "topic://ActiveMQ.Advisory.*.Queue.q,topic://ActiveMQ.Advisory.NoConsumer.Topic.t";
    let story = |t: &mut Bench| {
        t.connect(0);
        watch(t, 9, wishes);
        t.send(0, "q", "a");
        t.subscribe_as(0, 1, "q", |wishes| wishes.name = Some("c".into()));
        t.settle(0, 1, 1, Settlement::Consumed);
        t.send(0, "topic://t", "b");
        heard(t, 9)
    };
    let told = [
        "MessageDelivered.Queue.q message ID:test:1 queue://q orignalMessageId=ID:test:1 orignalDestination=queue://q",
        "ActiveMQ.Advisory.NoConsumer.Queue.q message a",
        "MessageDispatched.Queue.q message ID:test:1 queue://q orignalMessageId=ID:test:1 orignalDestination=queue://q",
        "MessageConsumed.Queue.q message ID:test:1 queue://q orignalMessageId=ID:test:1 orignalDestination=queue://q",
        "ActiveMQ.Advisory.NoConsumer.Topic.t message b",
    ];
    assert_eq!(story(&mut Bench::with(everything())), told);
    assert_eq!(story(&mut Bench::new()), [""; 0]);
    let silent = Settings { advisories: Advised { enabled: false, ..everything().advisories }, ..everything() };
    assert_eq!(story(&mut Bench::with(silent)), [""; 0]);
}

#[test]
fn a_subscription_that_falls_behind_is_told_and_what_it_loses() {
    let mut t = Bench::with(everything());
    connect(&mut t, 0, "ID:a");
    t.subscribe_as(0, 1, "topic://t", |wishes| {
        wishes.prefetch = 1;
        wishes.pending_limit = Some(1);
        wishes.name = Some("slow".into());
    });
    watch(&mut t, 9, "topic://ActiveMQ.Advisory.SlowConsumer.Topic.t,topic://ActiveMQ.Advisory.MessageDiscarded.>");
    for body in ["a", "b", "c", "d"] {
        t.send(0, "topic://t", body);
    }
    let lost = |id: u32, count: u32| {
        format!(
            "MessageDiscarded.Topic.t message ID:test:{id} topic://t orignalMessageId=ID:test:{id} \
             orignalDestination=topic://t consumerId=slow discardedCount={count}"
        )
    };
    let slow = "SlowConsumer.Topic.t consumer Some(\"slow\") consumerId=slow".to_owned();
    assert_eq!(heard(&mut t, 9), [slow, lost(2, 1), lost(3, 2)]);
}

#[test]
fn a_full_queue_is_told_once() {
    let mut t = Bench::with(everything());
    t.connect(0);
    watch(&mut t, 9, "topic://ActiveMQ.Advisory.FULL.Queue.q");
    for _ in 0..6 {
        t.send(0, "q", "a");
    }
    assert_eq!(heard(&mut t, 9), ["FULL.Queue.q broker usageName=memory usageCount=1028"]);
}

#[test]
fn a_producer_that_is_too_fast_is_told_when_it_has_to_wait_or_is_refused() {
    for (wait, name) in [(None, "ID:a:1:1"), (Some(0), "ID:a:1:2")] {
        let mut t = Bench::with(Settings { producer_wait_ms_max: wait, ..everything() });
        connect(&mut t, 0, "ID:a");
        watch(&mut t, 9, "topic://ActiveMQ.Advisory.FastProducer.>,topic://ActiveMQ.Advisory.FULL.>");
        for (producer, called) in [(1, "ID:a:1:1"), (2, "ID:a:1:2")] {
            t.counted_producer(0, producer, called, "q");
        }
        for sequence in 1..=3 {
            t.send_counted_as(0, (1, "ID:a:1:1", sequence), "q", DeliveryMode::NonPersistent, None, None);
        }
        for sequence in 4..=7 {
            t.send_counted_as(0, (1, "ID:a:1:1", sequence), "q", DeliveryMode::NonPersistent, None, None);
            t.send_counted_as(0, (2, "ID:a:1:2", sequence), "q", DeliveryMode::NonPersistent, None, None);
        }
        let told = heard(&mut t, 9);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("FULL.Queue.q broker usageName=memory usageCount="), "{told:?}");
        // Who fills it waits; who comes then is refused.
        assert_eq!(told[1], format!("FastProducer.Queue.q producer Some(\"{name}\") producerId={name}"));
    }
}

#[test]
fn a_deleted_durable_subscription_is_told_and_a_durable_one_hears_advisories() {
    let mut t = Bench::new();
    connect(&mut t, 0, "ID:a");
    t.subscribe_as(0, 1, "topic://ActiveMQ.Advisory.Consumer.Topic.*", |wishes| {
        wishes.mode = SubscribeMode::Durable("log".into());
    });
    t.subscribe_as(0, 2, "topic://t", |wishes| wishes.mode = SubscribeMode::Durable("d".into()));
    t.unsubscribe(0, 2);
    t.ask(0, Request::DeleteDurable { name: "d".into(), confirm: None });
    t.flush();
    let told = [
        "Consumer.Topic.t +consumer Some(\"ID:a:-1:2\") consumerCount=1",
        "Consumer.Topic.t -consumer Some(\"ID:a:-1:2\") consumerCount=0",
        "Consumer.Topic.t -durable d of Some(\"client0\") consumerCount=0",
    ];
    assert_eq!(heard(&mut t, 0), told);
}

#[test]
fn every_advisory_says_which_broker_told_it_and_can_be_selected_by_that() {
    let mut t = Bench::with(Settings {
        broker_name: "north".into(),
        broker_id: "ID:north-1".into(),
        broker_url: "tcp://north:61616".into(),
        ..Settings::default()
    });
    connect(&mut t, 9, "watcher");
    t.subscribe_as(9, 1, "topic://ActiveMQ.Advisory.Queue", |wishes| {
        wishes.selector = Some("originBrokerName = 'north' AND JMSType = 'Advisory'".into());
    });
    t.send(9, "q", "a");
    let [(_, Event::Deliver(delivery))] = &t.take_events()[..] else { panic!("one advisory") };
    let message: &Message = &delivery.message;
    assert_eq!(message.header.id.to_string(), "ID:north-1:1000000:0:1");
    let added = &message.annotations().unwrap().added;
    let text = |text: &str| Value::Text(text.into());
    assert!(added.contains(&("originBrokerId".into(), text("ID:north-1"))));
    assert!(added.contains(&("originBrokerURL".into(), text("tcp://north:61616"))));
    assert!(message.dialect.property(message, "originBrokerId") == Operand::Null, "the selector looks there first");
}
