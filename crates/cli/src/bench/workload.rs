//! What one measurement does: who sends how much to whom, and what bounds it.

use serde::Serialize;

use super::wire::Protocol;
use crate::address::Kind;

/// A message carries its time stamp and the run's number, so it has at least this many bytes.
pub(crate) const BODY_BYTES_MIN: usize = 16;
/// The largest body that the generator builds: two of them are in memory for each producer.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Connections of one run, producers and consumers together.
pub(crate) const CONNECTIONS_MAX: usize = 20_000;
/// Receipts that one producer may be waiting for.
pub(crate) const IN_FLIGHT_MAX: usize = 65_536;

/// Queues or topics, as JSON names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DestinationKind {
    /// Each message to one consumer.
    Queue,
    /// Each message to every subscriber.
    Topic,
}

impl DestinationKind {
    /// The same in the words of the command line's destinations.
    pub(crate) fn kind(self) -> Kind {
        match self {
            DestinationKind::Queue => Kind::Queue,
            DestinationKind::Topic => Kind::Topic,
        }
    }
}

/// How consumers acknowledge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Acknowledge {
    /// The broker takes a sent message for consumed.
    Auto,
    /// One acknowledgement for all messages up to it, every so many messages.
    Client,
    /// One acknowledgement a message.
    Individual,
}

/// What keeps the producers from sending as fast as they can.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// Closed loop: at most so many messages sent and not yet received, over all producers.
    Window(u64),
    /// Open loop: so many messages a second over all producers, each at its scheduled moment. A message that leaves
    /// late counts from the moment at which it should have left.
    Rate(f64),
    /// Nothing but the sockets and the receipts.
    Flood,
}

/// One workload.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Workload {
    /// Its name in tables: the preset's, or `custom`.
    pub(crate) name: String,
    /// What the broker is spoken to in.
    pub(crate) protocol: Protocol,
    /// Queues or topics.
    pub(crate) kind: DestinationKind,
    /// How many of them. Producer and consumer number i use number i modulo this.
    pub(crate) destinations: usize,
    /// Connections that send.
    pub(crate) producers: usize,
    /// Connections that receive, one subscription each.
    pub(crate) consumers: usize,
    /// Bytes of a body.
    pub(crate) size: usize,
    /// Whether messages are persistent.
    pub(crate) persistent: bool,
    /// Receipts that each producer waits for at a time; none: messages are sent without receipt.
    pub(crate) in_flight: Option<usize>,
    /// What bounds the producers.
    pub(crate) pace: Pace,
    /// How consumers acknowledge.
    pub(crate) acknowledge: Acknowledge,
    /// Messages to one acknowledgement in client mode.
    pub(crate) acknowledge_every: u32,
}

impl Workload {
    /// One producer, one consumer, one queue, one KiB, a window of 1000 messages.
    pub(crate) fn custom() -> Workload {
        Workload {
            name: "custom".to_string(),
            protocol: Protocol::Stomp,
            kind: DestinationKind::Queue,
            destinations: 1,
            producers: 1,
            consumers: 1,
            size: 1024,
            persistent: false,
            in_flight: None,
            pace: Pace::Window(1000),
            acknowledge: Acknowledge::Auto,
            acknowledge_every: 50,
        }
    }

    /// How many consumers receive one message.
    pub(crate) fn fan_out(&self) -> u64 {
        match self.kind {
            DestinationKind::Queue => u64::from(self.consumers > 0),
            DestinationKind::Topic => (self.consumers / self.destinations) as u64,
        }
    }

    /// Says what makes no sense, in one sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.producers == 0 {
            return Err("a workload needs a producer".to_string());
        }
        if self.producers + self.consumers > CONNECTIONS_MAX {
            return Err(format!("at most {CONNECTIONS_MAX} connections"));
        }
        if !(BODY_BYTES_MIN..=BODY_BYTES_MAX).contains(&self.size) {
            return Err(format!(
                "a body has {BODY_BYTES_MIN} to {BODY_BYTES_MAX} bytes: it begins with its time stamp"
            ));
        }
        if self.destinations == 0 || self.destinations > self.producers {
            return Err("each destination needs a producer of its own".to_string());
        }
        if self.consumers > 0 && !self.consumers.is_multiple_of(self.destinations) {
            return Err("the consumers must divide evenly over the destinations".to_string());
        }
        if self.in_flight.is_some_and(|count| count == 0 || count > IN_FLIGHT_MAX) {
            return Err(format!("1 to {IN_FLIGHT_MAX} receipts may be in flight"));
        }
        if self.acknowledge_every == 0 {
            return Err("an acknowledgement covers at least one message".to_string());
        }
        match self.pace {
            Pace::Window(0) => Err("a window holds at least one message".to_string()),
            Pace::Window(_) if self.consumers == 0 => Err("a window needs a consumer, without one use a rate, \
                                                          receipts or a flood"
                .to_string()),
            Pace::Rate(rate) if !(rate.is_finite() && rate > 0.0 && rate <= 1e9) => {
                Err("a rate is a number of messages a second above zero".to_string())
            }
            Pace::Window(_) | Pace::Rate(_) | Pace::Flood => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_message_reaches_every_subscriber_of_its_topic() {
        let workload = Workload { kind: DestinationKind::Topic, consumers: 100, ..Workload::custom() };
        assert_eq!(workload.fan_out(), 100);
        let split = Workload { destinations: 4, producers: 4, ..workload };
        assert_eq!(split.fan_out(), 25);
        assert_eq!(Workload::custom().fan_out(), 1);
    }

    #[test]
    fn senseless_workloads_are_refused() {
        let wrong = [
            Workload { producers: 0, ..Workload::custom() },
            Workload { size: 7, ..Workload::custom() },
            Workload { destinations: 2, ..Workload::custom() },
            Workload { destinations: 2, producers: 2, consumers: 3, ..Workload::custom() },
            Workload { pace: Pace::Window(0), ..Workload::custom() },
            Workload { consumers: 0, ..Workload::custom() },
            Workload { pace: Pace::Rate(f64::NAN), ..Workload::custom() },
            Workload { in_flight: Some(0), ..Workload::custom() },
            Workload { consumers: CONNECTIONS_MAX, ..Workload::custom() },
        ];
        for workload in wrong {
            assert!(workload.check().is_err(), "{workload:?}");
        }
        assert_eq!(Workload::custom().check(), Ok(()));
    }
}
