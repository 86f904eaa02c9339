//! Producers and messages.

use super::script::{Script, message, producer_info, queue, topic};
use ferrymq_model::RefusalKind;
use ferrymq_openwire::codec::message::Message;
use ferrymq_openwire::codec::producer::ProducerInfo;

fn silently(mut message: Message) -> Message {
    message.fields.response_required = false;
    message
}

#[test]
fn a_producer_with_a_destination() {
    let mut script = Script::open("send");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.confirm(1);
    script.client(producer_info(3, 1, Some(queue("D"))));
    script.client(message(4, 1, queue("D")));
    script.confirm(2);
    script.client(silently(message(5, 2, queue("D"))));
    script.note("refused: the next one asks for its route anew");
    script.client(message(6, 3, queue("D")));
    script.refuse(Some(3), RefusalKind::InvalidDestination, "queue://D does not exist");
    script.client(silently(message(7, 4, queue("D"))));
    script.note("an error that nobody waits for");
    script.refuse(None, RefusalKind::InvalidDestination, "queue://D does not exist");
    script.finish();
}

#[test]
fn a_producer_without_a_destination_has_a_route_for_each() {
    let mut script = Script::open("send-anonymous");
    script.client(producer_info(2, 1, None));
    script.client(silently(message(3, 1, queue("A"))));
    script.client(silently(message(4, 2, topic("A"))));
    script.client(silently(message(5, 3, queue("A"))));
    script.note("a composite with options");
    script.client(silently(message(6, 4, queue("A,topic://B?x=1"))));
    script.client(silently(message(7, 5, queue(" "))));
    script.finish();
}

#[test]
fn a_paced_producer_gets_its_window_back() {
    let mut script = Script::open("send-window");
    script.client(ProducerInfo { window_size: 4096, ..producer_info(2, 1, Some(queue("D"))) });
    script.confirm(1);
    script.client(silently(message(3, 1, queue("D"))));
    script.confirm(2);
    script.note("who waits for a response needs no window");
    script.client(message(4, 2, queue("D")));
    script.confirm(3);
    script.finish();
}

#[test]
fn a_producer_that_is_refused_is_forgotten() {
    let mut script = Script::open("producer-refused");
    script.client(producer_info(2, 1, Some(queue("D"))));
    script.refuse(Some(1), RefusalKind::InvalidDestination, "temp-queue://D was deleted");
    script.finish();
}
