//! Consumers of every manner of acknowledgement; each writes down what it received and what it settled.

use super::ledger::Id;
use super::{Epoch, Kind, LANES};
use crate::random::Random;
use crate::stomp_client::{Client, Frame};
use std::collections::HashMap;
use std::io::{Error, Result};
use std::thread::JoinHandle;

/// The durable subscriber's client id and the name of its subscription.
pub(super) const DURABLE: (&str, &str) = ("campaign-subscriber", "campaign-subscription");
/// Deliveries that one acknowledgement or transaction covers at most.
const BATCH_MAX: usize = 10;

/// How a consumer acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// Each message with a receipt; some never.
    Individual,
    /// Every few messages all so far, with a receipt.
    Cumulative,
    /// A few messages in a transaction; some transactions are aborted and tried again.
    Transacted,
    /// Not at all.
    Automatic,
}

impl Manner {
    fn header(self) -> &'static str {
        match self {
            Self::Individual | Self::Transacted => "client-individual",
            Self::Cumulative => "client",
            Self::Automatic => "auto",
        }
    }
}

const CONSUMERS: [(Kind, Manner); 7] = [
    (Kind::Receipts { window: 0 }, Manner::Individual),
    (Kind::Receipts { window: 0 }, Manner::Individual),
    (Kind::Receipts { window: 0 }, Manner::Cumulative),
    (Kind::Transactions, Manner::Transacted),
    (Kind::Transactions, Manner::Individual),
    (Kind::Topic, Manner::Individual),
    (Kind::Automatic, Manner::Automatic),
];

pub(super) fn start(epoch: &Epoch, random: &mut Random) -> Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (number, (kind, manner)) in CONSUMERS.into_iter().enumerate() {
        let client = subscribed(epoch, kind, manner)?;
        let random = Random::new(random.next());
        let mut consumer = Consumer { client, random, seen: HashMap::new(), epoch: epoch.clone(), manner, number };
        threads.push(std::thread::spawn(move || {
            let Err(error) = consumer.run();
            consumer.epoch.report(&format!("consumer {number}"), &error);
        }));
    }
    Ok(threads)
}

/// A connection whose one subscription is in force.
pub(super) fn subscribed(epoch: &Epoch, kind: Kind, manner: Manner) -> Result<Client> {
    let durable = kind == Kind::Topic;
    let mut client = Client::connect(epoch.broker, durable.then_some(DURABLE.0))?;
    let mut headers = vec![
        ("id", "s"),
        ("destination", kind.destination()),
        ("ack", manner.header()),
        ("activemq.prefetchSize", "500"),
    ];
    headers.extend(durable.then_some(("activemq.subscriptionName", DURABLE.1)));
    client.confirmed("SUBSCRIBE", &headers, b"")?;
    Ok(client)
}

/// Which message a delivery carries.
pub(super) fn identity(frame: &Frame) -> Option<Id> {
    Some((frame.header("lane").parse().ok()?, frame.header("place").parse().ok()?))
}

/// Consumes until the connection breaks.
enum Never {}

struct Consumer {
    epoch: Epoch,
    client: Client,
    manner: Manner,
    number: usize,
    random: Random,
    /// The last place seen of each lane: within an epoch they only grow.
    seen: HashMap<usize, usize>,
}

/// A delivery not yet acknowledged: which message, and what to acknowledge.
type Delivery = (Id, String);

impl Consumer {
    fn run(&mut self) -> Result<Never> {
        match self.manner {
            Manner::Automatic => loop {
                self.delivery()?;
            },
            Manner::Individual => self.individually(),
            Manner::Cumulative => self.cumulatively(),
            Manner::Transacted => self.in_transactions(),
        }
    }

    /// The next delivery, written down; the receipts before it are handled.
    fn delivery(&mut self) -> Result<Delivery> {
        loop {
            let frame = self.client.receive()?;
            if frame.command == "RECEIPT" {
                self.confirmed(frame.header("receipt-id"));
                continue;
            }
            return self.written_down(&frame);
        }
    }

    fn written_down(&mut self, frame: &Frame) -> Result<Delivery> {
        let id = identity(frame).ok_or_else(|| Error::other(format!("not one of ours: {frame:?}")))?;
        self.epoch.ledger.received(id, self.epoch.number, frame.header("redelivered") == "true");
        let (lane, place) = id;
        // The order of a lane is promised to one consumer; a transaction counts as one place, so it holds there too.
        let before = self.seen.insert(lane, place);
        if let Some(before) = before.filter(|&before| before > place && LANES[lane] != Kind::Automatic) {
            let told = format!("epoch {}: consumer {}: {lane}/{place} after {before}", self.epoch.number, self.number);
            self.epoch.ledger.disordered(told);
        }
        Ok((id, frame.header("ack").to_owned()))
    }

    /// A receipt names what it confirms: `lane/place`, several with blanks between.
    fn confirmed(&self, receipt: &str) {
        for id in receipt.split(' ').filter_map(|part| part.split_once('/')) {
            if let (Ok(lane), Ok(place)) = (id.0.parse(), id.1.parse()) {
                self.epoch.ledger.settle_confirmed((lane, place));
            }
        }
    }

    fn individually(&mut self) -> Result<Never> {
        loop {
            let (id, ack) = self.delivery()?;
            // A few are kept until the crash: they have to come again.
            if !self.random.one_in(300) {
                self.epoch.ledger.settle_asked(id);
                let receipt = format!("{}/{}", id.0, id.1);
                self.client.queue("ACK", &[("id", &ack), ("receipt", &receipt)], b"");
            }
            if !self.client.has_frame() {
                self.client.flush()?;
            }
        }
    }

    fn cumulatively(&mut self) -> Result<Never> {
        let mut open: Vec<Id> = Vec::new();
        loop {
            let (id, ack) = self.delivery()?;
            open.push(id);
            if open.len() == BATCH_MAX {
                let receipt: Vec<String> = open.iter().map(|(lane, place)| format!("{lane}/{place}")).collect();
                open.drain(..).for_each(|id| self.epoch.ledger.settle_asked(id));
                self.client.send("ACK", &[("id", &ack), ("receipt", &receipt.join(" "))], b"")?;
            }
        }
    }

    fn in_transactions(&mut self) -> Result<Never> {
        let mut waiting: Vec<Delivery> = Vec::new();
        loop {
            while waiting.is_empty() || (waiting.len() < BATCH_MAX && self.client.has_frame()) {
                let delivery = self.delivery()?;
                waiting.push(delivery);
            }
            let batch: Vec<Delivery> = waiting.drain(..waiting.len().min(BATCH_MAX)).collect();
            let name = format!("c{}", self.random.next());
            self.client.queue("BEGIN", &[("transaction", &name)], b"");
            for (_, ack) in &batch {
                self.client.queue("ACK", &[("id", ack), ("transaction", &name)], b"");
            }
            if self.random.one_in(6) {
                self.answered("ABORT", &name, &mut waiting)?;
                waiting.splice(0..0, batch);
                continue;
            }
            let ids: Vec<Id> = batch.into_iter().map(|(id, _)| id).collect();
            ids.iter().for_each(|&id| self.epoch.ledger.settle_asked(id));
            match self.answered("COMMIT", &name, &mut waiting) {
                Ok(()) => ids.iter().for_each(|&id| self.epoch.ledger.settle_confirmed(id)),
                Err(error) => {
                    self.epoch.ledger.settle_unanswered(self.epoch.number, ids);
                    return Err(error);
                }
            }
        }
    }

    /// Ends the transaction and waits for its receipt; deliveries that come first are kept.
    fn answered(&mut self, command: &str, name: &str, waiting: &mut Vec<Delivery>) -> Result<()> {
        self.client.send(command, &[("transaction", name), ("receipt", "ended")], b"")?;
        loop {
            let frame = self.client.receive()?;
            if frame.command == "RECEIPT" {
                return Ok(());
            }
            let delivery = self.written_down(&frame)?;
            waiting.push(delivery);
        }
    }
}
