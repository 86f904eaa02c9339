//! A dispatch that repeats an earlier one is put together from its octets. Here every one is written from the beginning, too:
//! both are the same.

use bytes::BytesMut;
use ferrymq_model::event::Delivery;
use ferrymq_model::{
    Annotations, DeliveryId, DeliveryMode, Destination, DestinationKind, Header, Message, MessageId, Outbox,
    SubscriptionId, Value, WallTime,
};
use ferrymq_openwire::codec::ids::ConsumerId;
use ferrymq_openwire::codec::message_body::MessageBody;
use ferrymq_openwire::mapping::{BrokerFacts, Outgoing};
use ferrymq_openwire::{CodecOptions, Command, DIALECTS, Encoder};
use std::sync::Arc;

/// A linear congruence.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// On either side of where numbers take more bytes.
    fn number(&mut self) -> u64 {
        let base = [0, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 40][self.below(6) as usize];
        base + self.below(2)
    }
}

fn outgoing() -> Outgoing {
    let broker: Arc<str> = "ID:broker".into();
    Outgoing::new(BrokerFacts { id: Arc::clone(&broker), name: Arc::clone(&broker), url: broker })
}

fn destination(chance: &mut Chance) -> Arc<Destination> {
    let kind = if chance.one_in(2) { DestinationKind::Queue } else { DestinationKind::Topic };
    Arc::new(Destination { kind, name: ["D", "E"][chance.below(2) as usize].into() })
}

fn annotations(chance: &mut Chance) -> Annotations {
    Annotations {
        correlation_id: chance
            .one_in(2)
            .then(|| ["", "c", "ID:c-1-17", "\0", "é", "😀"][chance.below(6) as usize].into()),
        reply_to: chance.one_in(4).then(|| (*destination(chance)).clone()),
        kind: chance.one_in(4).then(|| "k".into()),
        original_destination: chance.one_in(4).then(|| destination(chance)),
        transaction: chance.one_in(4).then(|| "TX:ID:c-1:7".into()),
        added: if chance.one_in(6) { vec![("why".into(), Value::Int(1))] } else { Vec::new() },
        ..Annotations::default()
    }
}

/// Few kinds of each thing, so that dispatches repeat, and each thing changes now and then.
fn delivery(chance: &mut Chance, number: u64) -> Delivery {
    let content = vec![b'x'; [0, 1, 511, 512, 20_000][chance.below(5) as usize]];
    let properties = Vec::from(b"\0\0\0\x01\0\x01a\x05\0\0\0\x07");
    let body =
        MessageBody::of((!chance.one_in(8)).then_some(&content[..]), chance.one_in(2).then_some(&properties[..]));
    let producer = match chance.below(12) {
        0 => "by another protocol".into(),
        number => format!("ID:p-{}:1:{}", number % 3, number % 2),
    };
    let message = Message {
        header: Header {
            id: MessageId { producer: producer.into(), sequence: chance.number() },
            destination: destination(chance),
            mode: if chance.one_in(6) { DeliveryMode::Persistent } else { DeliveryMode::NonPersistent },
            priority: 4 + u8::from(chance.one_in(9)),
            timestamp: WallTime(chance.number()),
            expiration: chance.one_in(4).then(|| WallTime(1 + chance.number())),
            annotations: chance.one_in(4).then(|| Box::new(annotations(chance))),
        },
        dialect: DIALECTS[if chance.one_in(4) { chance.below(DIALECTS.len() as u64) as usize } else { 1 }],
        body_at: u32::try_from(body.properties_at()).unwrap(),
        bytes: body.into_bytes(),
    };
    Delivery {
        subscription: SubscriptionId(0),
        delivery: DeliveryId((number << 16) + chance.below(2)),
        redeliveries: u32::from(chance.one_in(9)),
        first_of_group: chance.one_in(9),
        destination: chance.one_in(6).then(|| destination(chance)),
        message: Arc::new(message),
    }
}

/// Some are larger than this allows.
const FRAME_MAX: usize = 18_000;

fn check(options: &CodecOptions, seed: u64) {
    let mut chance = Chance(seed);
    let (mut outgoing, mut fresh) = (outgoing(), outgoing());
    let (mut encoder, mut other) = (Encoder::new(options.clone()), Encoder::new(options.clone()));
    for number in 0..400 {
        let delivery = delivery(&mut chance, number / 40);
        let consumer =
            ConsumerId { connection_id: "ID:c-1".into(), session_id: 1, value: 1 + i64::from(chance.one_in(5)) };
        let now = WallTime(1_700_000_000_000 + number / 10);
        let mut out = Outbox::default();
        let put = outgoing.put(&mut encoder, &delivery, &consumer, now, &mut out).map_err(|error| error.to_string());
        let mut octets = BytesMut::new();
        while !out.is_empty() {
            octets.extend_from_slice(out.front());
            out.advance(out.front().len());
        }
        let mut expected = BytesMut::new();
        let encoded =
            fresh.dispatch(&delivery, &consumer, now).map_err(|error| error.to_string()).and_then(|dispatch| {
                let command = Command::MessageDispatch(Box::new(dispatch));
                other.encode(&command, &mut expected).map_err(|error| error.to_string())
            });
        assert_eq!(put, encoded, "{options:?}, seed {seed}, dispatch {number}: {delivery:?}");
        assert!(octets == expected, "{options:?}, seed {seed}, dispatch {number}: {delivery:?}");
    }
}

#[test]
fn a_dispatch_that_repeats_another_is_what_its_table_says() {
    for version in 1..=12 {
        for tight in [false, true] {
            for cache in [None, Some(101), Some(108), Some(1024)] {
                let (size_prefix, max_frame) = (version % 4 != 3, FRAME_MAX);
                let options = CodecOptions { version, tight, cache, size_prefix, stack_trace: false, max_frame };
                check(&options, u64::from(version));
            }
        }
    }
}
