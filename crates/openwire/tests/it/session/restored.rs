//! Transactions of a client that comes back after a failure.

use super::script::{Script, consumer, consumer_info, message, producer, producer_info, queue, session};
use super::transactions::{BEGIN, COMMIT, COMMIT_ONE_PHASE, END, PREPARE, RECOVER, ROLLBACK, ack, info, local, xa};
use ferrymq_model::event::Vote;
use ferrymq_model::{BranchError, DestinationKind, Event, RefusalKind, Token};
use ferrymq_openwire::codec::connection::ConnectionControl;
use ferrymq_openwire::codec::ids::ObjectId;
use ferrymq_openwire::codec::message::Message;
use ferrymq_openwire::codec::message_ack::MessageAck;
use ferrymq_openwire::codec::session::RemoveInfo;
use ferrymq_openwire::codec::transaction::{TransactionId, TransactionInfo};

/// A message in a transaction, by nobody waited for.
fn sent(sequence: i64, transaction: TransactionId) -> Message {
    let mut message = message(0, sequence, queue("OUT"));
    message.fields.response_required = false;
    message.fields.transaction_id = Some(transaction);
    message
}

fn begin(transaction: TransactionId) -> TransactionInfo {
    TransactionInfo { response_required: false, ..info(0, Some(transaction), BEGIN) }
}

/// As clients number it.
fn numbered(number: i32, mut message: Message) -> Message {
    message.fields.command_id = number;
    message
}

fn begin_at(number: i32, transaction: TransactionId) -> TransactionInfo {
    TransactionInfo { command_id: number, ..begin(transaction) }
}

/// What was there before the failure: a producer, so many consumers.
fn restore(script: &mut Script, consumers: i64) {
    script.client(producer_info(2, 1, Some(queue("OUT"))));
    for number in 1..=consumers {
        script.client(consumer_info(3, number, queue("D"), 0));
    }
}

#[test]
fn what_was_sent_before_a_failure_is_not_committed_without_what_it_was_made_of() {
    let mut script = Script::reopen("restored-unacknowledged");
    restore(&mut script, 1);
    script.client(begin(local(1)));
    script.client(sent(1, local(1)));
    script.note("what was delivered before the failure did not come again: the client leaves out that it had it");
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("the next transaction is none of this");
    script.client(info(6, Some(local(2)), BEGIN));
    script.client(sent(2, local(2)));
    script.client(info(7, Some(local(2)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn what_came_again_and_is_acknowledged_is_committed() {
    let mut script = Script::reopen("restored-acknowledged");
    restore(&mut script, 1);
    script.client(begin(local(1)));
    script.client(sent(1, local(1)));
    script.deliver(0, 1, DestinationKind::Queue);
    script.client(ack(local(1), 1, 1));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_transaction_that_one_of_two_consumers_leaves_out_is_not_committed() {
    let mut script = Script::reopen("restored-one-of-two");
    restore(&mut script, 2);
    script.client(begin(local(1)));
    script.client(sent(1, local(1)));
    script.deliver(1, 1, DestinationKind::Queue);
    script.client(MessageAck { consumer_id: Some(consumer(2)), ..ack(local(1), 1, 1) });
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_transaction_begun_right_after_a_failure_counts_too() {
    let mut script = Script::reopen("restored-begun-after");
    restore(&mut script, 1);
    script.note("anything but what is replayed: the client is back");
    script.client(RemoveInfo { object_id: Some(ObjectId::SessionId(session(9))), ..RemoveInfo::default() });
    script.note("the application had the message when the connection failed, and its transaction begins after");
    script.client(begin(local(1)));
    script.client(sent(1, local(1)));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn an_empty_transaction_that_was_replayed_is_not_committed() {
    let mut script = Script::reopen("restored-empty");
    restore(&mut script, 1);
    script.client(begin(local(1)));
    script.client(begin(local(2)));
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.note("rolled back it leaves nothing to look at");
    script.client(sent(1, local(2)));
    script.client(info(6, Some(local(2)), ROLLBACK));
    script.client(info(7, Some(local(3)), BEGIN));
    script.client(info(8, Some(local(3)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn who_consumes_nothing_commits_what_was_replayed() {
    let mut script = Script::reopen("restored-producer");
    restore(&mut script, 0);
    script.client(begin(local(1)));
    script.client(sent(1, local(1)));
    script.client(RemoveInfo { object_id: Some(ObjectId::ProducerId(producer(1))), ..RemoveInfo::default() });
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_session_that_ended_is_not_asked() {
    let mut script = Script::reopen("restored-session-ended");
    restore(&mut script, 1);
    script.client(begin(local(1)));
    script.client(RemoveInfo { object_id: Some(ObjectId::SessionId(session(1))), ..RemoveInfo::default() });
    script.client(info(5, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_branch_that_lost_its_acknowledgements_is_not_prepared() {
    let mut script = Script::reopen("restored-branch");
    restore(&mut script, 1);
    script.client(begin(xa(b"g")));
    script.client(sent(1, xa(b"g")));
    script.client(TransactionInfo { response_required: false, ..info(0, Some(xa(b"g")), END) });
    script.client(info(5, Some(xa(b"g")), PREPARE));
    script.refuse(Some(5), RefusalKind::Branch(BranchError::RolledBack), "branch g was rolled back");
    script.finish();
}

/// Such a client says all of a branch again until it is decided, also what was prepared before the failure.
#[test]
fn a_branch_that_was_prepared_before_the_failure_stays_so() {
    let mut script = Script::reopen("restored-prepared");
    restore(&mut script, 1);
    script.client(begin(xa(b"g")));
    script.client(TransactionInfo { response_required: false, ..info(0, Some(xa(b"g")), END) });
    script.client(info(5, Some(xa(b"g")), PREPARE));
    script.refuse(Some(3), RefusalKind::Branch(BranchError::Protocol), "branch g is prepared");
    script.event(Event::Prepared { token: Token(5), vote: Vote::Prepared });
    script.finish();
}

#[test]
fn who_left_nothing_out_commits_without_having_acknowledged() {
    let mut script = Script::reopen("restored-complete");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(11, sent(1, local(1))));
    script.note("between 10 and 12 there was nothing but 11");
    script.client(info(12, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_number_that_is_missing_may_be_an_acknowledgement() {
    let mut script = Script::reopen("restored-missing-last");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(11, sent(1, local(1))));
    script.note("12 was lost with the connection");
    script.client(info(13, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

/// `jms.transactedIndividualAck`: it acknowledges what it got before it sends.
#[test]
fn a_number_that_is_missing_at_the_beginning_counts_too() {
    let mut script = Script::reopen("restored-missing-first");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(12, sent(1, local(1))));
    script.client(info(13, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

/// What such a client says where a producer was closed in the transaction: it makes it for the messages.
fn closed() -> RemoveInfo {
    RemoveInfo { object_id: Some(ObjectId::ProducerId(producer(1))), ..RemoveInfo::default() }
}

#[test]
fn the_end_of_a_producer_is_no_lost_acknowledgement() {
    let mut script = Script::reopen("restored-producer-closed");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(11, sent(1, local(1))));
    script.note("12 was this");
    script.client(closed());
    script.client(info(13, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn the_end_of_a_producer_does_not_hide_a_lost_acknowledgement() {
    let mut script = Script::reopen("restored-producer-closed-missing");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(11, sent(1, local(1))));
    script.note("12 or 13 was this");
    script.client(closed());
    script.client(info(14, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn numbers_of_transactions_that_were_open_at_the_same_time_are_one_row() {
    let mut script = Script::reopen("restored-interleaved");
    restore(&mut script, 1);
    script.client(begin_at(10, local(1)));
    script.client(numbered(12, sent(1, local(1))));
    script.client(begin_at(11, local(2)));
    script.client(numbered(13, sent(2, local(2))));
    script.client(info(14, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_consumer_that_got_nothing_does_not_spoil_what_another_acknowledged() {
    let mut script = Script::reopen("restored-idle-beside");
    restore(&mut script, 2);
    script.note("anything but what is replayed: the client is back");
    script.client(RemoveInfo { object_id: Some(ObjectId::SessionId(session(9))), ..RemoveInfo::default() });
    script.deliver(1, 1, DestinationKind::Queue);
    script.client(begin_at(10, local(1)));
    script.client(numbered(11, sent(1, local(1))));
    script.client(MessageAck { command_id: 12, consumer_id: Some(consumer(2)), ..ack(local(1), 1, 1) });
    script.client(info(13, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn beyond_more_gaps_than_are_remembered_nothing_is_known() {
    let mut script = Script::reopen("restored-many-gaps");
    restore(&mut script, 1);
    let gaps =
        (1..5000).map(|index| ConnectionControl { command_id: 2 * index, ..ConnectionControl::default() }.into());
    script.unwritten(gaps.collect());
    script.client(begin_at(10_000, local(1)));
    script.client(numbered(10_001, sent(1, local(1))));
    script.client(info(10_002, Some(local(1)), COMMIT_ONE_PHASE));
    script.finish();
}

#[test]
fn a_branch_that_left_nothing_out_is_prepared() {
    let mut script = Script::reopen("restored-branch-complete");
    restore(&mut script, 1);
    script.client(begin_at(10, xa(b"g")));
    script.client(numbered(11, sent(1, xa(b"g"))));
    script.client(TransactionInfo { response_required: false, ..info(12, Some(xa(b"g")), END) });
    script.client(info(13, Some(xa(b"g")), PREPARE));
    script.finish();
}

/// The answer to its commit was lost. What the client says again must not begin a second branch of that name.
#[test]
fn a_branch_that_was_committed_before_the_failure_is_not_begun_again() {
    let mut script = Script::reopen("restored-committed");
    restore(&mut script, 0);
    for (name, command) in [(b"g", 5), (b"h", 6)] {
        script.client(begin(xa(name)));
        script.client(sent(i64::from(command), xa(name)));
        script.client(TransactionInfo { response_required: false, ..info(0, Some(xa(name)), END) });
        script.client(TransactionInfo { response_required: false, ..info(0, Some(xa(name)), PREPARE) });
        script.client(info(command, Some(xa(name)), COMMIT));
    }
    script.note("its decision was said again: what comes now under its name is new");
    script.client(begin(xa(b"g")));
    script.client(info(7, Some(xa(b"g")), ROLLBACK));
    script.note("this was not there before the failure, and looks as if it had been");
    script.client(begin(xa(b"i")));
    script.note("what is never said again: the client is back");
    script.client(info(8, None, RECOVER));
    script.client(begin(xa(b"j")));
    script.finish();
}
