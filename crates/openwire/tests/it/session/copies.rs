//! Messages that a client refuses after a failure, since its connection has seen them before.

use super::script::{Script, consumer, consumer_info, delivered, queue, session};
use super::transactions::{BEGIN, COMMIT_ONE_PHASE, ROLLBACK, ack, info, local};
use ferrymq_model::DestinationKind;
use ferrymq_openwire::codec::control::KeepAliveInfo;
use ferrymq_openwire::codec::ids::ObjectId;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::session::RemoveInfo;
use ferrymq_openwire::codec::throwable::Throwable;
use ferrymq_openwire::codec::transaction::{TransactionId, TransactionInfo};
use std::sync::Arc;

const POISON: i8 = 1;

/// A consumer that came back, to which so many messages came again.
fn restored(name: &'static str, messages: u64) -> Script {
    let mut script = Script::reopen(name);
    script.client(consumer_info(3, 1, queue("D"), 1000));
    for number in 1..=messages {
        script.deliver(0, number, DestinationKind::Queue);
    }
    script
}

/// The client is idle, and says so.
fn idle(script: &mut Script, ms: u64) {
    for _ in 0..ms / 10_000 {
        script.pass(10_000);
        script.client(KeepAliveInfo { command_id: 0, response_required: false });
    }
    if !ms.is_multiple_of(10_000) {
        script.pass(ms % 10_000);
    }
}

fn begin(number: i64) -> TransactionInfo {
    TransactionInfo { response_required: false, ..info(0, Some(local(number)), BEGIN) }
}

/// As Java says it.
fn suppressed(number: i64) -> MessageAck {
    let text = "Suppressing duplicate delivery on connection, consumer ID:c-1:1:1";
    let cause = Throwable {
        class_name: Some(Arc::from("java.lang.Throwable")),
        message: Some(Arc::from(text)),
        ..Throwable::default()
    };
    MessageAck {
        transaction_id: None,
        ack_type: POISON,
        first_message_id: Some(delivered(number)),
        poison_cause: Some(Box::new(cause)),
        ..ack(local(0), number, 1)
    }
}

fn range(transaction: TransactionId, first: i64, last: i64, count: i32) -> MessageAck {
    MessageAck { first_message_id: Some(delivered(first)), ..ack(transaction, last, count) }
}

fn alone(number: i64) -> MessageAck {
    MessageAck { transaction_id: None, ..ack(local(0), number, 1) }
}

/// Recorded of activemq-client 5.19.9: the application was given 1 while the connection failed, begins its transaction with
/// it when the broker is back, and refuses what comes again.
#[test]
fn what_the_transaction_began_with_is_consumed_though_it_was_refused_when_it_came_again() {
    let mut script = restored("suppressed-first", 6);
    script.client(begin(1));
    script.client(suppressed(1));
    script.client(range(local(1), 1, 5, 5));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.confirm(2);
    script.note("nothing is left of it");
    idle(&mut script, 40_000);
    script.finish();
}

#[test]
fn a_message_alone_is_consumed_though_it_was_refused_when_it_came_again() {
    let mut script = restored("suppressed-alone", 2);
    script.client(suppressed(1));
    script.client(begin(1));
    script.client(ack(local(1), 1, 1));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.confirm(2);
    script.finish();
}

#[test]
fn what_the_client_refused_and_did_not_have_goes_back_when_later_ones_are_committed() {
    let mut script = restored("suppressed-between", 7);
    script.client(begin(1));
    for number in [1, 3, 4, 6] {
        script.client(suppressed(number));
    }
    script.note("2 and 5, with refused ones between them");
    script.client(range(local(1), 2, 5, 2));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("what comes before 5 goes back, not counted; 6 may still be with the application");
    script.confirm(2);
    script.finish();
}

#[test]
fn which_refused_ones_a_range_means_is_not_guessed() {
    let mut script = restored("suppressed-unclear", 5);
    script.client(begin(1));
    for number in [2, 3, 5] {
        script.client(suppressed(number));
    }
    script.note("three of 1 to 4, of which 1 and 4 were not refused");
    script.client(range(local(1), 1, 4, 3));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("up to one that was refused: what else it had before cannot be told");
    script.client(begin(2));
    script.client(range(local(2), 4, 5, 2));
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.finish();
}

/// C++ begins before the failure, refuses all of what comes again, and forgets it in the rollback.
#[test]
fn what_the_client_refused_goes_back_a_while_after_the_rollback() {
    let mut script = restored("suppressed-rolled-back", 2);
    script.client(begin(1));
    script.client(suppressed(1));
    script.client(suppressed(2));
    script.note("a transaction is open: the application may have them");
    idle(&mut script, 10_000);
    script.client(info(5, Some(local(1)), ROLLBACK));
    script.confirm(2);
    script.note("the next transaction makes no difference");
    script.client(begin(2));
    script.pass(1_999);
    script.pass(1);
    script.finish();
}

#[test]
fn a_client_that_keeps_a_transaction_open_gets_them_again_at_last() {
    let mut script = restored("suppressed-open", 1);
    script.client(begin(1));
    script.client(suppressed(1));
    idle(&mut script, 29_999);
    script.pass(1);
    script.finish();
}

#[test]
fn outside_of_transactions_what_the_client_refused_is_a_dead_letter() {
    let mut script = restored("suppressed-outside", 4);
    script.note("nothing tells yet how it works");
    script.client(suppressed(1));
    script.note("its acknowledgement of 1 was lost in the failure: it goes on with the next");
    script.client(alone(2));
    script.note("now it is known");
    script.client(suppressed(3));
    script.finish();
}

#[test]
fn a_client_that_begins_no_transaction_works_without() {
    let mut script = restored("suppressed-idle", 1);
    script.client(suppressed(1));
    idle(&mut script, 29_999);
    script.pass(1);
    script.finish();
}

#[test]
fn a_refusal_that_comes_too_late_changes_nothing() {
    let mut script = restored("suppressed-late", 2);
    script.client(begin(1));
    script.client(ack(local(1), 1, 1));
    script.note("acknowledged, and committed");
    script.client(suppressed(1));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.confirm(2);
    script.client(suppressed(1));
    script.note("its consumer ends, and gives it back");
    script.client(suppressed(2));
    script.client(RemoveInfo { object_id: Some(ObjectId::ConsumerId(consumer(1))), ..RemoveInfo::default() });
    script.client(RemoveInfo { object_id: Some(ObjectId::SessionId(session(1))), ..RemoveInfo::default() });
    idle(&mut script, 40_000);
    script.finish();
}

#[test]
fn what_a_client_may_have_given_up_stays_with_it_until_later_ones_are_committed() {
    let mut script = restored("given-up-unclear", 9);
    script.client(begin(1));
    script.client(range(local(1), 1, 8, 2));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("given up on two of eight");
    script.client(MessageAck { transaction_id: None, ack_type: POISON, ..range(local(0), 1, 8, 2) });
    script.note("the others it has still, and acknowledges them");
    script.client(begin(2));
    script.client(range(local(2), 2, 4, 3));
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.confirm(2);
    script.note("what it never acknowledges goes back at last");
    idle(&mut script, 30_000);
    script.finish();
}
