//! Client and broker's side talk to each other.

use super::{Connect, ServerFrames, ack, begin, commit, connect, disconnect, nack, send, subscribe, unsubscribe};
use crate::{Command, Session, SessionOptions, Version};
use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Closing, Deliveries, DeliveryId, Event, Now, Outbox, Request, Session as _, Settlement, SubscriptionId, Token,
};
use std::sync::Arc;

struct Pair {
    session: Session,
    parser: ServerFrames,
    out: Outbox,
    requests: Vec<Request>,
}

impl Pair {
    fn connected(version: Version) -> Self {
        let session = Session::new(SessionOptions::new(Arc::from("ID:pair-1")));
        let mut pair = Self { session, parser: ServerFrames::default(), out: Outbox::default(), requests: Vec::new() };
        pair.say(|bytes| connect(bytes, &Connect { versions: &[version], ..Connect::default() }));
        let connected = pair.event(Event::Confirmed { token: Token(0) });
        assert_eq!(connected[0].command, Command::Connected);
        assert_eq!(pair.parser.version(), version);
        pair
    }

    fn say(&mut self, frame: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        frame(&mut bytes);
        let mut input = BytesMut::from(&bytes[..]);
        self.requests.clear();
        let closing = self.session.receive(Now::default(), &mut input, &mut self.requests, &mut self.out);
        assert!(!matches!(closing, Closing::PeerError(_)), "{closing:?}");
    }

    fn event(&mut self, event: Event) -> Vec<super::ServerFrame> {
        self.session.handle(Now::default(), event, &mut self.requests, &mut self.out);
        let mut input = BytesMut::new();
        while !self.out.is_empty() {
            input.extend_from_slice(self.out.front());
            let length = self.out.front().len();
            self.out.advance(length);
        }
        std::iter::from_fn(|| self.parser.next(&mut input).unwrap()).collect()
    }
}

#[test]
fn every_version_sends_receives_and_acknowledges() {
    for version in Version::ALL {
        let mut pair = Pair::connected(version);
        pair.say(|bytes| subscribe(bytes, version, "in:1", "/queue/a", "client-individual").end());
        assert!(matches!(pair.requests[..], [Request::Subscribe(_)]), "{:?}", pair.requests);
        pair.say(|bytes| send(bytes, version, "/queue/a").header("key", "va:lue").body(b"bo\0dy"));
        let Request::Send { message, .. } = &pair.requests[1] else { panic!("{:?}", pair.requests) };
        let message = Arc::clone(message);
        for delivery in 1..=2 {
            let frames = pair.event(Event::Deliver(Delivery {
                first_of_group: false,
                subscription: SubscriptionId(0),
                delivery: DeliveryId(delivery),
                redeliveries: 0,
                destination: None,
                message: Arc::clone(&message),
            }));
            let frame = &frames[0];
            assert_eq!(frame.body(), b"bo\0dy");
            assert_eq!(frame.header("key").as_deref(), Some("va:lue"), "{version}");
            assert_eq!(frame.header("subscription").as_deref(), Some("in:1"));
            assert_eq!(frame.header("message-id").as_deref(), Some("ID:pair-1:1"));
            let expected = if delivery == 1 {
                pair.say(|bytes| ack(bytes, frame).end());
                Settlement::Consumed
            } else {
                pair.say(|bytes| nack(bytes, frame).end());
                Settlement::Poisoned(Arc::from("the consumer rejected it with NACK"))
            };
            let [Request::Settle { deliveries, settlement, .. }] = &pair.requests[..] else {
                panic!("{:?}", pair.requests)
            };
            assert_eq!((*deliveries, settlement), (Deliveries::One(DeliveryId(delivery)), &expected), "{version}");
        }
        pair.say(|bytes| {
            begin(bytes, version, "t:1").end();
            send(bytes, version, "/queue/a").header("transaction", "t:1").text("x");
            commit(bytes, version, "t:1").end();
            unsubscribe(bytes, version, "in:1").end();
            disconnect(bytes, version).header("receipt", "bye").end();
        });
        assert_eq!(pair.requests.len(), 5, "{:?}", pair.requests);
    }
}
