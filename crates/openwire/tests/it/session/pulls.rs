//! Consumers that ask for each message.

use super::script::{Script, consumer, consumer_info, queue};
use ferrymq_model::DestinationKind;
use ferrymq_openwire::codec::message_pull::MessagePull;

fn pull(value: i64, timeout: i64) -> MessagePull {
    MessagePull { consumer_id: Some(consumer(value)), destination: Some(queue("D")), timeout, ..MessagePull::default() }
}

#[test]
fn a_pull_that_does_not_wait() {
    let mut script = Script::open("pull-now");
    script.client(consumer_info(2, 1, queue("D"), 0));
    script.confirm(1);
    script.client(pull(1, -1));
    script.note("nothing there; nothing came on the way either");
    script.confirm(2);
    script.confirm(3);
    script.note("something came before the end was known");
    script.client(pull(1, -1));
    script.confirm(4);
    script.deliver(0, 1, DestinationKind::Queue);
    script.confirm(5);
    script.note("something there");
    script.client(pull(1, -1));
    script.deliver(0, 2, DestinationKind::Queue);
    script.confirm(6);
    script.finish();
}

#[test]
fn a_pull_that_waits() {
    let mut script = Script::open("pull-timed");
    script.client(consumer_info(2, 1, queue("D"), 0));
    script.confirm(1);
    script.client(pull(1, 500));
    script.pass(499);
    script.pass(1);
    script.confirm(2);
    script.note("answered in time");
    script.client(pull(1, 500));
    script.deliver(0, 1, DestinationKind::Queue);
    script.pass(500);
    script.note("for ever");
    script.client(pull(1, 0));
    script.pass(5000);
    script.note("another takes its place");
    script.client(pull(1, 100));
    script.pass(100);
    script.client(pull(1, 100));
    script.confirm(3);
    script.pass(100);
    script.confirm(4);
    script.finish();
}

#[test]
fn who_prefetches_is_not_served_twice() {
    let mut script = Script::open("pull-prefetch");
    script.client(consumer_info(2, 1, queue("D"), 1));
    script.confirm(1);
    script.client(MessagePull { command_id: 3, response_required: true, ..pull(1, -1) });
    script.client(MessagePull { command_id: 4, response_required: true, ..pull(9, -1) });
    script.finish();
}
