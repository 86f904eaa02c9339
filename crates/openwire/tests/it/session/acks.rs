//! What consumers say of messages.

use super::script::{Script, consumer, consumer_info, delivered, queue, topic};
use ferrymq_model::DestinationKind;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::throwable::Throwable;
use std::sync::Arc;

const DELIVERED: i8 = 0;
const POISON: i8 = 1;
const STANDARD: i8 = 2;
const REDELIVERED: i8 = 3;
const INDIVIDUAL: i8 = 4;
const UNMATCHED: i8 = 5;
const EXPIRED: i8 = 6;

fn ack(ack_type: i8, first: Option<i64>, last: i64, message_count: i32) -> MessageAck {
    MessageAck {
        consumer_id: Some(consumer(1)),
        ack_type,
        first_message_id: first.map(delivered),
        last_message_id: Some(delivered(last)),
        message_count,
        ..MessageAck::default()
    }
}

fn consuming(name: &'static str, kind: DestinationKind, messages: u64) -> Script {
    let mut script = Script::open(name);
    let destination = if kind.is_topic() { topic("D") } else { queue("D") };
    script.client(consumer_info(2, 1, destination, 100));
    script.confirm(1);
    for number in 1..=messages {
        script.deliver(0, number, kind);
    }
    script
}

#[test]
fn every_kind_of_acknowledgement_of_a_queue() {
    let mut script = consuming("ack-queue", DestinationKind::Queue, 12);
    script.note("with the application: the window opens");
    script.client(ack(DELIVERED, None, 3, 3));
    script.note("given again: the client counts");
    script.client(ack(REDELIVERED, Some(2), 3, 2));
    script.note("consumed, from the first on or from the beginning");
    script.client(ack(STANDARD, Some(2), 4, 3));
    script.client(ack(STANDARD, None, 1, 1));
    script.note("alone, out of order");
    script.client(ack(INDIVIDUAL, None, 7, 1));
    script.client(ack(INDIVIDUAL, None, 5, 1));
    script.client(ack(UNMATCHED, None, 6, 1));
    script.client(ack(EXPIRED, Some(8), 8, 1));
    let cause = Throwable {
        class_name: Some(Arc::from("java.lang.Throwable")),
        message: Some(Arc::from("too often")),
        ..Throwable::default()
    };
    script.client(MessageAck {
        command_id: 3,
        response_required: true,
        poison_cause: Some(Box::new(cause)),
        ..ack(POISON, Some(9), 10, 2)
    });
    script.confirm(2);
    script.client(ack(POISON, Some(11), 11, 1));
    script.note("told before: it is not in the list any more");
    script.client(ack(STANDARD, None, 10, 1));
    script.finish();
}

#[test]
fn what_is_acknowledged_at_once_is_settled_at_once() {
    let mut script = consuming("ack-together", DestinationKind::Queue, 14);
    let individually =
        |numbers: &[i64]| numbers.iter().map(|number| ack(INDIVIDUAL, None, *number, 1).into()).collect();
    script.note("in order, with a gap, back again");
    script.together(individually(&[1, 2, 3, 5, 6, 4]));
    script.note("ranges");
    script.together(vec![ack(STANDARD, Some(7), 8, 2).into(), ack(STANDARD, Some(9), 10, 2).into()]);
    script.note("one wants an answer, one says something else");
    let asked = MessageAck { command_id: 3, response_required: true, ..ack(STANDARD, Some(12), 12, 1) };
    script.together(vec![
        ack(STANDARD, Some(11), 11, 1).into(),
        asked.into(),
        ack(STANDARD, Some(13), 13, 1).into(),
        ack(EXPIRED, Some(14), 14, 1).into(),
    ]);
    script.finish();
    let mut script = consuming("ack-together-topic", DestinationKind::Topic, 6);
    script.together((1..=4).map(|number| ack(STANDARD, Some(number), number, 1).into()).collect());
    script.finish();
}

#[test]
fn the_name_of_a_message_counts_whatever_its_broker_sequence_says() {
    let mut script = consuming("ack-sequence", DestinationKind::Queue, 6);
    let mut individually = |number: i64, delivery: i64| {
        let mut ack = ack(INDIVIDUAL, None, number, 1);
        if let Some(id) = &mut ack.last_message_id {
            id.broker_sequence_id = delivery << 16;
        }
        script.client(ack);
    };
    individually(5, 5);
    individually(3, 3);
    individually(4, 6);
    individually(6, -1);
    script.finish();
}

/// Java's client says of each half prefetch that it was delivered, from its first message to its last; of these an
/// application that acknowledges one by one has consumed some. Refused, the window stayed shut, and the consumer got nothing
/// more.
#[test]
fn what_was_delivered_opens_the_window_also_where_some_of_it_is_consumed() {
    let mut script = consuming("ack-delivered", DestinationKind::Queue, 6);
    script.client(ack(INDIVIDUAL, None, 1, 1));
    script.client(ack(INDIVIDUAL, None, 3, 1));
    script.client(ack(DELIVERED, Some(1), 4, 4));
    script.note("the last one, too: its place says which came before");
    script.client(ack(INDIVIDUAL, None, 6, 1));
    let mut ack = ack(DELIVERED, Some(5), 6, 2);
    if let Some(id) = &mut ack.last_message_id {
        id.broker_sequence_id = 6 << 16;
    }
    script.client(ack.clone());
    script.note("its place is not known: nothing is");
    if let Some(id) = &mut ack.last_message_id {
        id.broker_sequence_id = -1;
    }
    script.client(MessageAck { command_id: 3, response_required: true, ..ack });
    script.finish();
}

#[test]
fn topics_are_acknowledged_by_count() {
    let mut script = consuming("ack-topic", DestinationKind::Topic, 8);
    script.written();
    script.client(ack(DELIVERED, None, 3, 3));
    script.client(ack(STANDARD, Some(1), 5, 5));
    script.client(ack(REDELIVERED, Some(6), 6, 1));
    script.client(ack(POISON, Some(6), 6, 1));
    script.client(ack(EXPIRED, Some(7), 7, 1));
    script.note("more than there is");
    script.client(ack(STANDARD, Some(8), 8, i32::MAX));
    script.client(ack(STANDARD, Some(8), 8, -5));
    script.finish();
}

#[test]
fn messages_that_were_never_delivered_cannot_be_acknowledged() {
    let mut script = consuming("ack-unknown", DestinationKind::Queue, 0);
    script.note("nothing was delivered yet: from before a failure");
    script.client(MessageAck { command_id: 3, response_required: true, ..ack(STANDARD, None, 1, 1) });
    script.deliver(0, 1, DestinationKind::Queue);
    script.client(MessageAck { command_id: 4, response_required: true, ..ack(STANDARD, None, 99, 1) });
    script.client(ack(STANDARD, Some(99), 1, 1));
    script.client(ack(7, None, 1, 1));
    script.client(MessageAck { last_message_id: None, ..ack(STANDARD, None, 1, 1) });
    script.note("of a consumer that is gone");
    script.client(MessageAck {
        command_id: 5,
        response_required: true,
        consumer_id: Some(consumer(9)),
        ..ack(STANDARD, None, 1, 1)
    });
    script.finish();
}

#[test]
fn what_lies_between_and_the_client_never_had_is_neither_consumed_nor_buried() {
    let mut script = consuming("ack-between", DestinationKind::Queue, 9);
    script.note("two, with others between them: refused, all of them stay delivered");
    script.client(MessageAck { command_id: 3, response_required: true, ..ack(STANDARD, Some(1), 5, 2) });
    script.note("six, of which there are five");
    script.client(MessageAck { command_id: 4, response_required: true, ..ack(STANDARD, Some(1), 5, 6) });
    script.note("given up on two, with others between them: all of them come again");
    script.client(ack(POISON, Some(1), 5, 2));
    script.note("given up on the last, without a first");
    script.client(ack(POISON, None, 8, 1));
    script.finish();
}
