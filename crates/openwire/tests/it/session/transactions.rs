//! Local transactions and branches of distributed ones.

use super::script::{Script, connection_id, consumer, consumer_info, delivered, message, producer_info, queue, topic};
use bytes::Bytes;
use ferrymq_model::event::Vote;
use ferrymq_model::{BranchError, DestinationKind, Event, RefusalKind, Token, TransactionId as TransactionNumber, Xid};
use ferrymq_openwire::SessionOptions;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::producer::ProducerInfo;
use ferrymq_openwire::codec::transaction::{LocalTransactionId, TransactionId, TransactionInfo, XaTransactionId};
use std::sync::Arc;

pub(super) const BEGIN: i8 = 0;
pub(super) const PREPARE: i8 = 1;
pub(super) const COMMIT_ONE_PHASE: i8 = 2;
pub(super) const COMMIT: i8 = 3;
pub(super) const ROLLBACK: i8 = 4;
pub(super) const RECOVER: i8 = 5;
const FORGET: i8 = 6;
pub(super) const END: i8 = 7;

pub(super) fn local(value: i64) -> TransactionId {
    TransactionId::Local(LocalTransactionId { value, connection_id: Some(connection_id()) })
}

pub(super) fn xa(global: &'static [u8]) -> TransactionId {
    TransactionId::Xa(XaTransactionId {
        format_id: 1,
        global_transaction_id: Some(Bytes::from_static(global)),
        branch_qualifier: Some(Bytes::from_static(b"b")),
    })
}

pub(super) fn info(command_id: i32, transaction: Option<TransactionId>, kind: i8) -> TransactionInfo {
    TransactionInfo {
        command_id,
        response_required: true,
        connection_id: Some(connection_id()),
        transaction_id: transaction,
        kind,
    }
}

pub(super) fn ack(transaction: TransactionId, last: i64, message_count: i32) -> MessageAck {
    MessageAck {
        consumer_id: Some(consumer(1)),
        transaction_id: Some(transaction),
        ack_type: 2,
        last_message_id: Some(delivered(last)),
        message_count,
        ..MessageAck::default()
    }
}

#[test]
fn a_local_transaction_sends_and_acknowledges() {
    let mut script = Script::open("transaction");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.client(consumer_info(3, 1, queue("D"), 10));
    for number in 1..=3 {
        script.deliver(0, number, DestinationKind::Queue);
    }
    script.client(TransactionInfo { response_required: false, ..info(4, Some(local(1)), BEGIN) });
    script.client(info(5, Some(local(1)), BEGIN));
    let mut sent = message(6, 1, queue("D"));
    sent.fields.response_required = false;
    sent.fields.transaction_id = Some(local(1));
    script.client(sent);
    script.client(ack(local(1), 2, 2));
    script.note("rolled back: what it acknowledged is acknowledged again");
    script.client(info(7, Some(local(1)), ROLLBACK));
    script.confirm(3);
    script.client(info(8, Some(local(2)), BEGIN));
    script.client(ack(local(2), 2, 2));
    script.client(ack(local(2), 3, 1));
    script.client(info(9, Some(local(2)), END));
    script.client(info(10, Some(local(2)), COMMIT_ONE_PHASE));
    script.confirm(5);
    script.note("committed: nothing is left to acknowledge");
    script.client(info(11, Some(local(3)), BEGIN));
    script.client(ack(local(3), 3, 1));
    script.finish();
}

#[test]
fn a_commit_that_is_refused_and_one_that_nobody_knows() {
    let mut script = Script::open("transaction-refused");
    script.client(info(2, Some(local(1)), BEGIN));
    script.confirm(1);
    script.client(info(3, Some(local(1)), COMMIT_ONE_PHASE));
    script.refuse(Some(2), RefusalKind::LimitReached, "the queue is full");
    script.note("asked again after a failure");
    script.client(info(4, Some(local(7)), COMMIT_ONE_PHASE));
    script.confirm(3);
    script.client(info(5, Some(local(8)), COMMIT_ONE_PHASE));
    script.refuse(Some(4), RefusalKind::Unknown, "not known");
    script.client(info(6, Some(local(9)), ROLLBACK));
    script.client(info(7, Some(local(9)), PREPARE));
    script.client(info(8, None, COMMIT));
    script.client(info(9, Some(local(9)), 8));
    script.finish();
}

#[test]
fn what_misses_a_message_is_not_committed() {
    let mut script = Script::open("transaction-doomed");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.confirm(1);
    script.client(info(3, Some(local(1)), BEGIN));
    script.confirm(2);
    let mut sent = message(4, 1, queue("D"));
    sent.fields.response_required = false;
    sent.fields.transaction_id = Some(local(1));
    script.client(sent);
    script.client(info(5, Some(local(2)), BEGIN));
    script.refuse(None, RefusalKind::LimitReached, "the transaction is too large");
    script.confirm(3);
    script.note("the broker knows which transaction it was: another one is not concerned");
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.client(info(7, Some(local(1)), COMMIT_ONE_PHASE));
    script.confirm(4);
    script.refuse(Some(5), RefusalKind::LimitReached, "something of the transaction was refused before");
    script.finish();
}

#[test]
fn the_pace_of_a_producer_waits_for_a_message_that_its_client_does_not_wait_for() {
    let mut script = Script::open("transaction-paced");
    script.client(ProducerInfo { window_size: 4096, ..producer_info(2, 1, Some(queue("D"))) });
    script.confirm(1);
    script.client(info(3, Some(local(1)), BEGIN));
    script.confirm(2);
    let mut sent = message(4, 1, queue("D"));
    sent.fields.response_required = false;
    sent.fields.transaction_id = Some(local(1));
    script.client(sent);
    script.note("refused, and its client goes on");
    script.refuse(None, RefusalKind::LimitReached, "the transaction is too large");
    script.confirm(3);
    script.finish();
}

#[test]
fn what_was_delivered_before_a_failure_is_not_committed() {
    let mut script = Script::open("transaction-old-ack");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    script.client(info(3, Some(local(1)), BEGIN));
    script.confirm(2);
    script.note("nothing was delivered on this connection");
    script.client(MessageAck { ack_type: 0, ..ack(local(1), 1, 1) });
    script.client(ack(local(1), 1, 1));
    script.client(info(4, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("with the application only: the transaction is whole");
    script.client(info(5, Some(local(2)), BEGIN));
    script.confirm(3);
    script.client(MessageAck { ack_type: 0, ..ack(local(2), 1, 1) });
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.confirm(4);
    script.note("a branch, and a consumer that is gone");
    script.client(info(7, Some(xa(b"g")), BEGIN));
    script.confirm(5);
    script.client(MessageAck { consumer_id: Some(consumer(9)), ..ack(xa(b"g"), 1, 1) });
    script.client(info(8, Some(xa(b"g")), END));
    script.confirm(6);
    script.client(info(9, Some(xa(b"g")), COMMIT_ONE_PHASE));
    script.refuse(Some(7), RefusalKind::Branch(BranchError::RolledBack), "the branch was rolled back");
    script.finish();
}

#[test]
fn a_message_consumed_twice_in_a_transaction_is_not_committed() {
    let mut script = Script::open("transaction-twice");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    for number in 1..=3 {
        script.deliver(0, number, DestinationKind::Queue);
    }
    script.client(info(3, Some(local(1)), BEGIN));
    script.confirm(2);
    script.note("the client's copies of 1 to 3, and 1 and 2 as they were delivered again");
    let first_message_id = Some(delivered(1));
    script.client(MessageAck { first_message_id: first_message_id.clone(), ..ack(local(1), 2, 5) });
    script.client(info(4, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("its copy of 1, and 3 as it was delivered again: the application never had 2");
    script.client(info(5, Some(local(2)), BEGIN));
    script.confirm(3);
    script.client(MessageAck { first_message_id: first_message_id.clone(), ..ack(local(2), 3, 2) });
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.note("it gives up: what was delivered was never tried");
    let poison = MessageAck { ack_type: 1, transaction_id: None, ..ack(local(1), 2, 5) };
    script.client(MessageAck { first_message_id: first_message_id.clone(), ..poison.clone() });
    script.note("the same where the first of them is not here");
    script.client(MessageAck { first_message_id, message_count: 3, last_message_id: Some(delivered(3)), ..poison });
    script.finish();
}

#[test]
fn a_message_that_cannot_be_sent_fails_its_own_transaction_alone() {
    let mut script = Script::open("transaction-doomed-alone");
    script.note("two transactions; a message of the second has no producer, and nobody waits for it");
    script.client(info(2, Some(local(1)), BEGIN));
    script.confirm(1);
    script.client(info(3, Some(local(2)), BEGIN));
    script.confirm(2);
    for transaction in [Some(local(2)), None] {
        let mut sent = message(4, 1, queue("D"));
        sent.fields.response_required = false;
        sent.fields.transaction_id = transaction;
        script.client(sent);
    }
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.confirm(3);
    script.client(info(6, Some(local(2)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn topics_are_counted_in_transactions_too() {
    let mut script = Script::open("transaction-topic");
    script.client(consumer_info(2, 1, topic("D"), 10));
    script.confirm(1);
    for number in 1..=4 {
        script.deliver(0, number, DestinationKind::Topic);
    }
    script.client(info(3, Some(local(1)), BEGIN));
    script.client(ack(local(1), 2, 2));
    script.client(info(4, Some(local(1)), ROLLBACK));
    script.client(info(5, Some(local(2)), BEGIN));
    script.client(ack(local(2), 3, 3));
    script.finish();
}

#[test]
fn a_branch_of_a_distributed_transaction() {
    let mut script = Script::open("xa");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.confirm(1);
    script.client(TransactionInfo { response_required: false, ..info(3, Some(xa(b"g")), BEGIN) });
    script.confirm(2);
    let mut sent = message(4, 1, queue("D"));
    sent.fields.response_required = false;
    sent.fields.transaction_id = Some(xa(b"g"));
    script.client(sent);
    script.client(info(5, Some(xa(b"g")), END));
    script.confirm(3);
    script.client(info(6, Some(xa(b"g")), PREPARE));
    script.event(Event::Prepared { token: Token(4), vote: Vote::Prepared });
    script.client(info(7, Some(xa(b"g")), COMMIT));
    script.confirm(5);
    script.note("nothing to do");
    script.client(info(8, Some(xa(b"r")), BEGIN));
    script.confirm(6);
    script.client(info(9, Some(xa(b"r")), PREPARE));
    script.event(Event::Prepared { token: Token(7), vote: Vote::ReadOnly });
    script.note("in doubt");
    script.client(info(10, None, RECOVER));
    let xid = Xid { format: 1, global: Box::from(*b"g"), branch: Box::from(*b"b") };
    script.event(Event::InDoubt { token: Token(8), xids: vec![Arc::new(xid)] });
    script.client(info(11, Some(xa(b"x")), ROLLBACK));
    script.refuse(Some(9), RefusalKind::Branch(BranchError::Unknown), "branch is not known");
    script.client(info(12, Some(xa(b"x")), FORGET));
    script.confirm(10);
    script.client(info(13, Some(xa(b"x")), COMMIT_ONE_PHASE));
    script.refuse(Some(11), RefusalKind::Branch(BranchError::HeuristicallyRolledBack), "a person rolled it back");
    script.finish();
}

#[test]
fn a_branch_that_ended_takes_nothing_until_it_begins_again() {
    let mut script = Script::open("xa-again");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    script.deliver(0, 1, DestinationKind::Queue);
    script.client(info(3, Some(xa(b"g")), BEGIN));
    script.client(info(5, Some(xa(b"g")), END));
    script.client(MessageAck { command_id: 6, response_required: true, ..ack(xa(b"g"), 1, 1) });
    script.client(info(7, Some(xa(b"g")), BEGIN));
    script.client(ack(xa(b"g"), 1, 1));
    script.client(info(8, Some(xa(b"g")), END));
    script.client(info(9, Some(xa(b"g")), ROLLBACK));
    for token in 2..=6 {
        script.confirm(token);
    }
    script.note("it may be acknowledged again");
    script.client(MessageAck { transaction_id: None, ..ack(xa(b"g"), 1, 1) });
    script.note("a name that is too long");
    script.client(info(10, Some(xa(&[7; 65])), BEGIN));
    script.finish();
}

#[test]
fn sessions_of_one_connection_work_on_one_branch_until_the_last_one_ends_its_work() {
    let mut script = Script::open("xa-shared");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.confirm(1);
    script.client(info(3, Some(xa(b"g")), BEGIN));
    script.confirm(2);
    script.note("a second JMS session joins");
    script.client(info(4, Some(xa(b"g")), BEGIN));
    script.client(info(5, Some(xa(b"g")), END));
    let mut sent = message(6, 1, queue("D"));
    sent.fields.transaction_id = Some(xa(b"g"));
    script.client(sent.clone());
    script.confirm(3);
    script.client(info(7, Some(xa(b"g")), END));
    script.confirm(4);
    script.note("nobody works on it any more");
    script.client(sent.clone());
    script.note("who prepares ends what is not ended");
    script.client(info(8, Some(xa(b"g")), BEGIN));
    script.client(info(9, Some(xa(b"g")), BEGIN));
    script.client(info(10, Some(xa(b"g")), PREPARE));
    script.client(sent);
    script.finish();
}

#[test]
fn what_another_connection_decides_is_decided_here_too() {
    let mut script = Script::open("xa-elsewhere");
    script.client(consumer_info(2, 1, queue("D"), 10));
    script.confirm(1);
    script.deliver(0, 1, DestinationKind::Queue);
    script.deliver(0, 2, DestinationKind::Queue);
    script.client(info(3, Some(xa(b"g")), BEGIN));
    script.confirm(2);
    script.client(ack(xa(b"g"), 1, 1));
    script.client(info(4, Some(xa(b"g")), END));
    script.confirm(3);
    script.note("rolled back: it may be acknowledged again");
    script.event(Event::BranchEnded { transaction: TransactionNumber(0), is_committed: false });
    script.client(info(5, Some(xa(b"h")), BEGIN));
    script.confirm(4);
    script.client(ack(xa(b"h"), 1, 1));
    script.note("committed while work goes on: nothing is left, and what comes now is too late");
    script.event(Event::BranchEnded { transaction: TransactionNumber(1), is_committed: true });
    script.client(MessageAck { command_id: 6, response_required: true, ..ack(xa(b"h"), 2, 1) });
    script.client(MessageAck { command_id: 7, response_required: true, transaction_id: None, ..ack(xa(b"h"), 1, 1) });
    script.finish();
}

#[test]
fn branches_decided_elsewhere_do_not_count_against_the_limit() {
    let mut options = SessionOptions::new(Arc::from("ID:test-1"));
    options.limits.transactions_max = 1;
    let mut script = Script::open_with("xa-limit", options);
    script.client(info(2, Some(xa(b"g")), BEGIN));
    script.confirm(1);
    script.client(info(3, Some(xa(b"h")), BEGIN));
    script.client(info(4, Some(xa(b"g")), END));
    script.confirm(2);
    script.event(Event::BranchEnded { transaction: TransactionNumber(0), is_committed: true });
    script.client(info(5, Some(xa(b"h")), BEGIN));
    script.finish();
}

#[test]
fn a_manager_hears_that_the_journal_failed_in_words_of_xa() {
    for (name, kind) in [
        ("xa-stopped-prepare", PREPARE),
        ("xa-stopped-one-phase", COMMIT_ONE_PHASE),
        ("xa-stopped-commit", COMMIT),
        ("xa-stopped-rollback", ROLLBACK),
        ("xa-stopped-recover", RECOVER),
        ("xa-stopped-forget", FORGET),
    ] {
        let mut script = Script::open(name);
        script.client(info(2, Some(xa(b"g")), kind));
        script.refuse(Some(1), RefusalKind::StoreFailed, "the journal stopped");
        script.finish();
    }
}
