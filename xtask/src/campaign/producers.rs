//! One thread a lane: sends as its kind says, and writes down what it was told.

use super::ledger::Fate;
use super::{Epoch, Kind, LANES};
use crate::random::Random;
use crate::stomp_client::Client;
use std::collections::VecDeque;
use std::io::{Error, Result};
use std::thread::JoinHandle;
use std::time::Duration;

/// A lane whose consumers are this far behind waits for them: a campaign is about crashes, not about backlog.
const BACKLOG_MAX: usize = 2_000;
const BODY: &[u8] = &[b'x'; 200];

pub(super) fn start(epoch: &Epoch, random: &mut Random) -> Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for (lane, kind) in LANES.into_iter().enumerate() {
        let client = Client::connect(epoch.broker, None)?;
        let mut producer = Producer { epoch: epoch.clone(), client, lane, kind, random: Random::new(random.next()) };
        threads.push(std::thread::spawn(move || {
            let Err(error) = producer.run();
            producer.epoch.report(&format!("producer {lane}"), &error);
        }));
    }
    Ok(threads)
}

/// Sends until the connection breaks.
enum Never {}

struct Producer {
    epoch: Epoch,
    client: Client,
    lane: usize,
    kind: Kind,
    random: Random,
}

impl Producer {
    fn run(&mut self) -> Result<Never> {
        match self.kind {
            Kind::Receipts { window } => self.with_receipts(window),
            Kind::Topic | Kind::Automatic => self.with_receipts(8),
            Kind::Transactions => loop {
                self.wait_for_consumers();
                self.transaction()?;
            },
        }
    }

    fn wait_for_consumers(&self) {
        while self.epoch.ledger.backlog(self.lane) > BACKLOG_MAX
            && !self.epoch.ending.load(std::sync::atomic::Ordering::SeqCst)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn queue_send(&mut self, place: usize, extra: (&str, &str)) {
        let (lane, place) = (self.lane.to_string(), place.to_string());
        let destination = self.kind.destination();
        let headers = [
            ("destination", destination),
            ("persistent", "true"),
            ("lane", lane.as_str()),
            ("place", place.as_str()),
            extra,
        ];
        self.client.queue("SEND", &headers, BODY);
    }

    fn with_receipts(&mut self, window: usize) -> Result<Never> {
        let mut waiting: VecDeque<usize> = VecDeque::new();
        loop {
            self.wait_for_consumers();
            while waiting.len() < window {
                let place = self.epoch.ledger.sent(self.lane, Fate::Sent);
                waiting.push_back(place);
                self.queue_send(place, ("receipt", &place.to_string()));
            }
            self.client.flush()?;
            loop {
                let answer = self.client.receive()?;
                let expected = waiting.pop_front().ok_or_else(|| Error::other("a receipt nobody asked for"))?;
                if answer.command != "RECEIPT" || answer.header("receipt-id") != expected.to_string() {
                    return Err(Error::other(format!("receipt {expected} expected, not {answer:?}")));
                }
                self.epoch.ledger.fated(self.lane, expected..expected + 1, Fate::Confirmed);
                if !self.client.has_frame() {
                    break;
                }
            }
        }
    }

    fn transaction(&mut self) -> Result<()> {
        let ledger = std::sync::Arc::clone(&self.epoch.ledger);
        let name = format!("t{}", self.random.next());
        self.client.queue("BEGIN", &[("transaction", &name)], b"");
        let count = usize::try_from(self.random.within(1, 12)).expect("small");
        let first = ledger.sent(self.lane, Fate::Held);
        self.queue_send(first, ("transaction", &name));
        for _ in 1..count {
            let place = ledger.sent(self.lane, Fate::Held);
            self.queue_send(place, ("transaction", &name));
        }
        let messages = first..first + count;
        if self.random.one_in(5) {
            self.client.flush()?;
            return self.client.confirmed("ABORT", &[("transaction", &name)], b"");
        }
        ledger.fated(self.lane, messages.clone(), Fate::Committing);
        match self.client.confirmed("COMMIT", &[("transaction", &name)], b"") {
            Ok(()) => {
                ledger.fated(self.lane, messages, Fate::Confirmed);
                Ok(())
            }
            Err(error) => {
                ledger.commit_unanswered(self.lane, messages);
                Err(error)
            }
        }
    }
}
