//! The standard workloads, by name: S over STOMP, O over OpenWire.

use super::wire::Protocol;
use super::workload::{Acknowledge, DestinationKind, Pace, Workload};

/// A name, what it measures, and the workload.
pub(crate) struct Preset {
    /// As given to `--preset`.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    /// What it does.
    pub(crate) workload: Workload,
}

/// All of them, in the order in which tables show them. Bodies have 1 KiB.
pub(crate) fn all() -> Vec<Preset> {
    let mut presets = stomp();
    presets.extend(openwire());
    presets
}

fn named(list: impl IntoIterator<Item = (&'static str, &'static str, Workload)>) -> Vec<Preset> {
    let preset = |(name, about, workload): (&'static str, &'static str, Workload)| Preset {
        name,
        about,
        workload: Workload { name: name.to_string(), ..workload },
    };
    list.into_iter().map(preset).collect()
}

fn receipts(queue: &Workload, producers: usize, in_flight: usize) -> Workload {
    Workload { persistent: true, in_flight: Some(in_flight), producers, ..queue.clone() }
}

fn window(workload: &Workload, count: u64) -> Workload {
    Workload { pace: Pace::Window(count), ..workload.clone() }
}

fn stomp() -> Vec<Preset> {
    let queue = Workload { pace: Pace::Flood, ..Workload::custom() };
    let topic = Workload { kind: DestinationKind::Topic, ..queue.clone() };
    let at_rate = |rate| Workload { pace: Pace::Rate(rate), ..queue.clone() };
    let fan_out = Workload { consumers: 100, ..topic.clone() };
    named([
        ("S1w", "queue, 1 producer, 1 consumer, 2000 messages under way", window(&queue, 2000)),
        ("S1t", "topic, 1 producer, 1 subscriber, 900 messages under way", window(&topic, 900)),
        ("S1f", "topic, 1 producer, 100 subscribers, 50 messages under way", window(&fan_out, 50)),
        ("S2", "persistent queue, 1 producer that waits for each receipt", receipts(&queue, 1, 1)),
        ("S3", "persistent queue, 16 producers that wait for each receipt", receipts(&queue, 16, 1)),
        ("S3c", "persistent queue, 64 producers that wait for each receipt", receipts(&queue, 64, 1)),
        ("S3b", "persistent queue, 1 producer with 100 receipts in flight", receipts(&queue, 1, 100)),
        ("S4", "queue, latency at 1000 messages a second", at_rate(1_000.0)),
        ("S4b", "queue, latency at 10 000 messages a second", at_rate(10_000.0)),
        ("S1-flood", "queue, 1 producer that nothing but the socket holds back", queue.clone()),
    ])
}

/// Queues acknowledge each message, as a JMS client in its simplest mode does; topics every 50.
fn openwire() -> Vec<Preset> {
    let queue = Workload { protocol: Protocol::Openwire, pace: Pace::Flood, ..Workload::custom() };
    let ranges = Workload { acknowledge: Acknowledge::Client, acknowledge_every: 50, ..queue.clone() };
    let topic = Workload { kind: DestinationKind::Topic, ..ranges.clone() };
    let at_rate = |rate| Workload { pace: Pace::Rate(rate), ..queue.clone() };
    let sixteen = Workload { destinations: 16, consumers: 16, ..receipts(&queue, 16, 1) };
    let four = Workload { destinations: 4, producers: 4, consumers: 4, ..queue.clone() };
    let fan_out = Workload { consumers: 100, ..topic.clone() };
    let confirmed = Workload { pace: Pace::Rate(1_000.0), ..receipts(&queue, 1, 1_000) };
    named([
        ("O1", "OpenWire: persistent queue, 1 producer that waits for each response", receipts(&queue, 1, 1)),
        ("O1b", "OpenWire: persistent queue, 16 producers that wait for each response", receipts(&queue, 16, 1)),
        ("O1c", "OpenWire: persistent queue, 64 producers that wait for each response", receipts(&queue, 64, 1)),
        ("O1d", "OpenWire: persistent queue, 1 producer with 100 responses in flight", receipts(&queue, 1, 100)),
        ("O1e", "OpenWire: 16 persistent queues, a producer that waits and a consumer each", sixteen),
        ("O2", "OpenWire: queue, 1 producer, 1 consumer, 2000 messages under way", window(&queue, 2000)),
        ("O2b", "OpenWire: 4 queues, a producer and a consumer each, 4000 messages under way", window(&four, 4000)),
        ("O2c", "OpenWire: one queue again, 50 messages to one acknowledgement", window(&ranges, 2000)),
        ("O3", "OpenWire: topic, 1 producer, 1 subscriber, 900 messages under way", window(&topic, 900)),
        ("O3b", "OpenWire: topic, 1 producer, 100 subscribers, 50 messages under way", window(&fan_out, 50)),
        ("O4", "OpenWire: queue, latency at 1000 messages a second", at_rate(1_000.0)),
        ("O4b", "OpenWire: queue, latency at 10 000 messages a second", at_rate(10_000.0)),
        ("O4c", "OpenWire: persistent queue, latency to the response at 1000 messages a second", confirmed),
    ])
}

/// The preset of that name, whatever its case; else the nearest names to suggest.
pub(crate) fn find(name: &str) -> Result<Workload, String> {
    match all().into_iter().find(|preset| preset.name.eq_ignore_ascii_case(name)) {
        Some(preset) => Ok(preset.workload),
        None => {
            let names: Vec<&str> = all().iter().map(|preset| preset.name).collect();
            Err(format!("there is no preset {name}, only {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_sense_and_is_found_by_its_name() {
        for preset in all() {
            assert_eq!(preset.workload.check(), Ok(()), "{}", preset.name);
            assert_eq!(find(&preset.name.to_lowercase()), Ok(preset.workload));
        }
        assert!(find("S9").is_err_and(|sentence| sentence.contains("S1w")));
    }
}
