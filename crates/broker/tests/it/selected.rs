//! Many consumers with selectors: the broker chooses as if it had evaluated the selector of each of them.

use crate::chance::Random;
use crate::driver::{Bench, body};
use ferrymq_broker::{Settings, VirtualTopic};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::selector::Selector;
use ferrymq_model::{Annotations, Deliveries, DeliveryId, Event, Message, Settlement};
use std::cmp::Reverse;

const SELECTORS: [&str; 20] = [
    "kind = 1",
    "kind = 2",
    "kind = 3",
    "kind = '1'",
    "kind = '2'",
    "kind = 1.0",
    "1 = kind",
    "kind IN ('2', '3')",
    "kind = 1 AND size > 3",
    "size > 3 AND kind = 2",
    "kind = 1 OR kind = 3 AND size > 3",
    "kind = 1 OR size > 3",
    "size > 3",
    "kind <> 2",
    "NOT (kind = 1)",
    "kind IS NULL",
    "JMSType = 'order'",
    "JMSType = 'order' AND kind = 1",
    "JMSPriority = 7",
    "  ",
];

fn random_message(t: &mut Bench, random: &mut Random, to: &str, number: usize) -> Message {
    let mut properties = Vec::new();
    if random.index(5) > 0 {
        properties.push(format!("kind={}", random.pick(&["1", "2", "3", "1.0", "x"])));
    }
    properties.push(format!("size={}", random.index(8)));
    let mut message = t.message(to, &format!("{}|m{number}", properties.join(",")));
    message.header.priority = if random.index(3) == 0 { 7 } else { 4 };
    if random.index(3) == 0 {
        let kind = Some(random.pick(&["order", "answer"]).into());
        message.header.annotations = Some(Box::new(Annotations { kind, ..Annotations::default() }));
    }
    message
}

/// A consumer as the test knows it.
#[derive(Debug)]
struct Known {
    slot: u32,
    id: u32,
    to: &'static str,
    priority: i16,
    selector: Option<Selector>,
}

impl Known {
    fn wants(&self, message: &Message) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(message, 0))
    }
}

/// Subscribes with random wishes. Each has a slot and id of its own.
fn join(t: &mut Bench, random: &mut Random, to: &'static str, id: u32, mode: SubscribeMode) -> Known {
    let slot = u32::try_from(random.index(3)).unwrap();
    let source = (random.index(6) > 0).then(|| random.pick(&SELECTORS));
    let converts_text = random.index(2) == 0;
    let priority = if random.index(4) == 0 { 1 } else { 0 };
    t.subscribe_as(slot, id, to, |s| {
        s.selector = source.map(Into::into);
        s.selector_converts_text = converts_text;
        s.priority = priority;
        s.prefetch = 100_000;
        s.mode = mode;
    });
    let selector = source.map(|source| Selector::parse(source, converts_text).unwrap());
    Known { slot, id, to, priority, selector }
}

/// Who got what since the last time, as `(slot, subscription, body)`.
fn delivered(t: &mut Bench) -> Vec<(u32, u32, String)> {
    let mut found = Vec::new();
    for (session, event) in t.take_events() {
        if let Event::Deliver(delivery) = event {
            found.push((session.slot, delivery.subscription.0, body(&delivery.message).to_owned()));
        }
    }
    found
}

const TOPICS: [&str; 3] = ["topic://t.1", "topic://t.2", "topic://t.*"];

fn run_topics(seed: u64) -> usize {
    let mut random = Random(seed);
    let mut t = Bench::new();
    for (slot, client_id) in (0..).zip(["x", "y", "z"]) {
        t.connect_as(slot, Some(client_id));
    }
    let mut present: Vec<Known> = Vec::new();
    let mut wanted = 0;
    for step in 0..200 {
        let id = u32::try_from(step).unwrap();
        match random.index(5) {
            0 | 1 => {
                let to = TOPICS[random.index(3)];
                let mode = match random.index(4) {
                    0 => SubscribeMode::Durable(format!("d{id}").as_str().into()),
                    _ => SubscribeMode::Consume,
                };
                present.push(join(&mut t, &mut random, to, id, mode));
            }
            2 if !present.is_empty() => {
                let known = present.remove(random.index(present.len()));
                t.unsubscribe(known.slot, known.id);
            }
            _ => {}
        }
        t.take_events();
        let to = TOPICS[random.index(2)];
        let message = random_message(&mut t, &mut random, to, step);
        let hearing = present.iter().filter(|known| known.to == to || known.to == "topic://t.*");
        let mut expected: Vec<_> =
            hearing.filter(|known| known.wants(&message)).map(|k| (k.slot, k.id, format!("m{step}"))).collect();
        t.send_message(0, to, message, None, None);
        let mut found = delivered(&mut t);
        wanted += found.len();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "step {step}");
    }
    wanted
}

#[test]
fn topics_choose_as_if_they_evaluated_every_selector() {
    for seed in 0..10 {
        let wanted = std::panic::catch_unwind(|| run_topics(seed)).unwrap_or_else(|_| panic!("seed {seed}"));
        assert!(wanted > 300, "seed {seed} delivers next to nothing: {wanted}");
    }
}

/// What a queue does, said plainly: the consumer whose turn it is among those of the highest priority that want the message.
struct Turns {
    consumers: Vec<Known>,
    turn: usize,
    waiting: Vec<Message>,
}

impl Turns {
    fn give(&mut self, message: &Message) -> Option<(u32, u32, String)> {
        let count = self.consumers.len();
        let places = (self.turn..count).chain(0..self.turn.min(count));
        let wanting = places.filter(|&place| self.consumers[place].wants(message));
        let place = wanting.min_by_key(|&place| Reverse(self.consumers[place].priority))?;
        self.turn = if place + 1 < count { place + 1 } else { 0 };
        let known = &self.consumers[place];
        Some((known.slot, known.id, body(message).to_owned()))
    }

    fn join(&mut self, known: Known) -> Vec<(u32, u32, String)> {
        let place = self.consumers.partition_point(|other| other.priority >= known.priority);
        self.consumers.insert(place, known);
        // By priority of the messages, then in order; it is the only one who may want one of them.
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|message| Reverse(message.header.priority));
        let mut given = Vec::new();
        for message in waiting {
            match self.give(&message) {
                Some(delivery) => given.push(delivery),
                None => self.waiting.push(message),
            }
        }
        self.waiting.sort_by_key(|message| message.header.id.sequence);
        given
    }
}

fn run_queue(seed: u64) -> (usize, usize) {
    let mut random = Random(seed);
    let mut t = Bench::with(Settings { filed_from: 1, ..Settings::default() });
    (0..3).for_each(|slot| t.connect(slot));
    let mut turns = Turns { consumers: Vec::new(), turn: 0, waiting: Vec::new() };
    let (mut given, mut waited) = (0, 0);
    for step in 0..200 {
        match random.index(8) {
            0 => {
                let known = join(&mut t, &mut random, "q", u32::try_from(step).unwrap(), SubscribeMode::Consume);
                let expected = turns.join(known);
                waited += expected.len();
                assert_eq!(delivered(&mut t), expected, "what waited, step {step}");
            }
            1 if turns.consumers.len() > 3 => {
                let known = turns.consumers.remove(random.index(turns.consumers.len()));
                turns.turn = 0;
                let all = Deliveries::Through(DeliveryId(u64::MAX));
                t.settle_in(known.slot, known.id, all, Settlement::Consumed, None, None);
                t.unsubscribe(known.slot, known.id);
                assert_eq!(delivered(&mut t), [], "step {step}");
            }
            _ => {}
        }
        let message = random_message(&mut t, &mut random, "q", step);
        let expected: Vec<_> = turns.give(&message).into_iter().collect();
        if expected.is_empty() {
            turns.waiting.push(message.clone());
        }
        t.send_message(0, "q", message, None, None);
        assert_eq!(delivered(&mut t), expected, "step {step}");
        given += expected.len();
    }
    (given, waited)
}

#[test]
fn queues_choose_in_turn_as_if_they_evaluated_every_selector() {
    let mut waited = 0;
    for seed in 0..20 {
        let counts = std::panic::catch_unwind(|| run_queue(seed)).unwrap_or_else(|_| panic!("seed {seed}"));
        assert!(counts.0 > 50, "seed {seed} delivers next to nothing: {counts:?}");
        waited += counts.1;
    }
    assert!(waited > 100, "next to nothing waited for its consumer: {waited}");
}

#[test]
fn a_group_of_a_virtual_topic_gets_what_one_of_its_consumers_wants() {
    let rule = VirtualTopic { selector_aware: true, ..Settings::default().virtual_topics.remove(0) };
    let mut t = Bench::with(Settings { virtual_topics: vec![rule], ..Settings::default() });
    t.connect(0);
    let queue = "Consumer.A.VirtualTopic.T";
    for kind in 0..5 {
        t.subscribe_as(0, kind, queue, |s| {
            s.selector = Some(format!("kind = {kind}").into());
            s.prefetch = 0;
        });
    }
    for kind in 0..10 {
        t.send(0, "topic://VirtualTopic.T", &format!("kind={kind}|{kind}"));
    }
    assert_eq!(t.counts(queue), "5/0/5/0");
    t.unsubscribe(0, 3);
    t.send(0, "topic://VirtualTopic.T", "kind=3|gone");
    t.subscribe_as(0, 9, queue, |s| s.prefetch = 0);
    t.send(0, "topic://VirtualTopic.T", "kind=8|open");
    assert_eq!(t.counts(queue), "6/0/6/0");
}
