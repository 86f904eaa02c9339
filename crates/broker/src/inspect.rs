//! Facts about the broker.

use crate::broker::{Broker, Place};
use crate::queue::{Counters, Queue, Role};
use crate::router::Route;
use crate::schedule::MANAGEMENT;
use ferrymq_model::destination::matches;
use ferrymq_model::event::{BrokerReport, DestinationReport, Report};
use ferrymq_model::{DestinationKind, Query};
use ferrymq_storage::Journal;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Broker {
    /// Answers a question about the broker.
    #[must_use]
    pub fn inspect(&self, query: &Query, journal: &Journal) -> Report {
        match query {
            Query::Broker => Report::Broker(self.report_broker(journal)),
            Query::Destinations(pattern) => Report::Destinations(self.report_destinations(pattern)),
            Query::Branches => Report::Branches(self.report_branches(journal)),
        }
    }

    fn report_broker(&self, journal: &Journal) -> BrokerReport {
        let (journal_bytes, journal_segments) = journal.footprint();
        let open = self.subscriptions.iter().filter(|(_, subscription)| !subscription.ended).count();
        BrokerReport {
            sessions: self.sessions_open,
            subscriptions: count(open),
            destinations: count(self.places.len()),
            memory_bytes: (self.memory + self.live_memory + self.history_memory) as u64,
            memory_limit_bytes: self.settings.memory_limit_bytes as u64,
            enqueued: self.enqueued,
            dequeued: self.dequeued,
            journal_bytes,
            journal_segments,
        }
    }

    fn report_destinations(&self, pattern: &str) -> Vec<DestinationReport> {
        let producers = self.count_producers();
        let mut rows = Vec::new();
        for (destination, place) in self.places.iter().filter(|(name, _)| matches(pattern, &name.name)) {
            let mut row = match *place {
                Place::Queue(index) => self.report_queue(&self.queues[index], destination.kind),
                Place::Topic(index) => {
                    let topic = &self.topics[index];
                    let mut row = self.row(destination.kind, &destination.name, &topic.counters);
                    row.consumers = count(topic.subscribers.len());
                    row.memory_bytes = topic.memory as u64;
                    let limit = self.settings.subscription_memory_limit_bytes.saturating_mul(topic.subscribers.len());
                    row.memory_limit_bytes = limit as u64;
                    row
                }
            };
            row.producers = producers.get(&(destination.kind, index_of(*place))).copied().unwrap_or(0);
            rows.push(row);
        }
        for &index in self.durables.values().chain(self.shared.values()) {
            let queue = &self.queues[index];
            let row = self.report_queue(queue, DestinationKind::Topic);
            let topic = row.durable_of.as_deref().unwrap_or_default();
            if matches(pattern, topic) || matches(pattern, &row.name) {
                rows.push(row);
            }
        }
        rows.extend(self.report_schedule(pattern));
        rows.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        rows
    }

    fn report_queue(&self, queue: &Queue, kind: DestinationKind) -> DestinationReport {
        let (name, durable_of) = match &queue.role {
            Role::Queue(destination) => (Arc::clone(&destination.name), None),
            Role::Durable(durable) => {
                let topics: Vec<&str> = durable.topics.iter().map(|topic| &*topic.name).collect();
                let separator = if durable.client_id.is_empty() { "" } else { ":" };
                let name = format!("{}{separator}{}", durable.client_id, durable.name);
                (name.into(), Some(topics.join(",").into()))
            }
        };
        let mut row = self.row(kind, &name, &queue.counters);
        row.durable_of = durable_of;
        row.depth = (queue.ready + queue.in_flight) as u64;
        row.in_flight = queue.in_flight as u64;
        row.consumers = count(queue.consumers.len());
        row.memory_bytes = queue.memory as u64;
        row
    }

    /// What waits for its time stands under the topic that manages it.
    fn report_schedule(&self, pattern: &str) -> Option<DestinationReport> {
        let (taken, left) = self.jobs.passed();
        if (self.jobs.len() == 0 && taken == 0 && left == 0) || !matches(pattern, MANAGEMENT) {
            return None;
        }
        let counters = Counters { enqueued: taken, dequeued: left, ..Counters::default() };
        let mut row = self.row(DestinationKind::Topic, &Arc::from(MANAGEMENT), &counters);
        row.depth = self.jobs.len() as u64;
        row.memory_bytes = self.jobs.memory as u64;
        Some(row)
    }

    fn row(&self, kind: DestinationKind, name: &Arc<str>, counters: &Counters) -> DestinationReport {
        DestinationReport {
            kind,
            name: Arc::clone(name),
            durable_of: None,
            depth: 0,
            in_flight: 0,
            enqueued: counters.enqueued,
            dequeued: counters.dequeued,
            expired: counters.expired,
            dead_lettered: counters.dead_lettered,
            discarded: counters.discarded,
            consumers: 0,
            producers: 0,
            memory_bytes: 0,
            memory_limit_bytes: self.settings.destination_memory_limit_bytes as u64,
        }
    }

    fn count_producers(&self) -> BTreeMap<(DestinationKind, u32), u32> {
        let mut counts = BTreeMap::new();
        let sessions = self.sessions.iter().flatten();
        for producer in sessions.flat_map(|session| session.producers.values()) {
            if let Route::Refused(_) | Route::Management = producer.route {
                continue;
            }
            for leaf in producer.address.leaves.iter() {
                if let Some(place) = self.places.get(&**leaf) {
                    *counts.entry((leaf.kind, index_of(*place))).or_insert(0) += 1;
                }
            }
        }
        counts
    }
}

fn index_of(place: Place) -> u32 {
    match place {
        Place::Queue(index) | Place::Topic(index) => index,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
