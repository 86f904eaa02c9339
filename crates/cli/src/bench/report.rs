//! What a run found, for people and for programs.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::workload::{Pace, Workload};
use crate::output::grouped;

/// Percentiles of a time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    /// Values recorded.
    pub(crate) count: u64,
    /// Half are at most so long.
    pub(crate) p50_us: f64,
    /// Nine of ten.
    pub(crate) p90_us: f64,
    /// 99 of a hundred.
    pub(crate) p99_us: f64,
    /// 999 of a thousand.
    pub(crate) p999_us: f64,
    /// The longest.
    pub(crate) max_us: f64,
}

/// The broker's process during the measured time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Broker {
    /// 100 is one core.
    pub(crate) cpu_percent: f64,
    /// Processor time for each message delivered, or confirmed where nobody consumes.
    pub(crate) cpu_us_per_message: Option<f64>,
    /// Memory resident at the end.
    pub(crate) resident_bytes: u64,
    /// And how much more that is than before the first message.
    pub(crate) resident_growth_bytes: i64,
}

/// One run. Rates and latencies are of the measured time alone, what is missing is of the whole run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    /// The measured time.
    pub(crate) seconds: f64,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Receipts that came.
    pub(crate) confirmed: u64,
    /// Deliveries.
    pub(crate) received: u64,
    /// Messages sent in a second.
    pub(crate) sent_per_second: f64,
    /// Receipts in a second.
    pub(crate) confirmed_per_second: f64,
    /// Deliveries in a second.
    pub(crate) received_per_second: f64,
    /// Bytes of bodies delivered in a second, in millions.
    pub(crate) megabytes_per_second: f64,
    /// From sending, or from the scheduled moment, to the receipt.
    pub(crate) confirmation: Option<Percentiles>,
    /// From sending, or from the scheduled moment, to the consumer.
    pub(crate) end_to_end: Option<Percentiles>,
    /// The broker, where its process was named.
    pub(crate) broker: Option<Broker>,
    /// The generator's own processor time; near 200 it is what limits the rate.
    pub(crate) generator_cpu_percent: f64,
    /// Deliveries that did not come although nothing else came any more, or within the wait at the end.
    pub(crate) missing: u64,
    /// The same for receipts.
    pub(crate) unconfirmed: u64,
    /// Messages of earlier runs that came out of the destinations.
    pub(crate) foreign: u64,
}

/// All runs of one workload.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// What was run.
    pub(crate) workload: Workload,
    /// In order.
    pub(crate) runs: Vec<Run>,
}

/// Nanoseconds to percentiles; none where nothing was recorded.
pub(super) fn percentiles(histogram: &Histogram<u64>) -> Option<Percentiles> {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    (!histogram.is_empty()).then(|| Percentiles {
        count: histogram.len(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: histogram.max() as f64 / 1e3,
    })
}

/// One line that says what a workload does.
pub(crate) fn describe(workload: &Workload) -> String {
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let kind = match workload.kind {
        super::workload::DestinationKind::Queue => "queue",
        super::workload::DestinationKind::Topic => "topic",
    };
    let mut text = format!(
        "{} to {} over {}, {} bytes, {}",
        plural(workload.producers, "producer"),
        plural(workload.consumers, "consumer"),
        plural(workload.destinations, kind),
        grouped(workload.size as u64),
        if workload.persistent { "persistent" } else { "not persistent" },
    );
    let _infallible = match workload.pace {
        Pace::Window(messages) => write!(text, ", at most {} under way", grouped(messages)),
        Pace::Rate(rate) => write!(text, ", {rate} a second"),
        Pace::Flood => Ok(()),
    };
    if let Some(count) = workload.in_flight {
        let _infallible = write!(text, ", at most {} without receipt each", grouped(count as u64));
    }
    text
}

/// The block that a person reads.
pub(super) fn block(workload: &Workload, run: &Run) -> String {
    let mut rows = vec![["sent", &rate(run.sent_per_second), ""].map(str::to_string)];
    if workload.in_flight.is_some() {
        rows.push(["confirmed", &rate(run.confirmed_per_second), &times(run.confirmation)].map(str::to_string));
    }
    if workload.consumers > 0 {
        rows.push(["received", &rate(run.received_per_second), &times(run.end_to_end)].map(str::to_string));
    }
    let width = rows.iter().map(|row| row[1].len()).max().unwrap_or(0);
    let mut text = String::new();
    for [name, rate, times] in rows {
        let line = format!("  {name:<10} {rate:>width$}   {times}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(broker) = &run.broker {
        let cost = broker.cpu_us_per_message.map_or(String::new(), |cost| format!(" ({cost:.2} µs a message)"));
        let _infallible = writeln!(
            text,
            "  broker     {:.0} % of a core{cost}, {:.1} MB resident ({:+.1} MB)",
            broker.cpu_percent,
            broker.resident_bytes as f64 / 1e6,
            broker.resident_growth_bytes as f64 / 1e6,
        );
    }
    let _infallible = writeln!(text, "  generator  {:.0} % of a core", run.generator_cpu_percent);
    for (count, what) in [
        (run.missing, "deliveries did not come"),
        (run.unconfirmed, "messages were not confirmed"),
        (run.foreign, "messages of other runs came"),
    ] {
        if count > 0 {
            let _infallible = writeln!(text, "  note       {} {what}", grouped(count));
        }
    }
    text
}

/// Minimum, median and maximum of several runs.
pub(super) fn spread(report: &Report) -> String {
    let of = |value: &dyn Fn(&Run) -> Option<f64>| {
        let mut values: Vec<f64> = report.runs.iter().filter_map(value).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then(|| (values[0], values[values.len() / 2], values[values.len() - 1]))
    };
    let mut text = String::from("  of all runs: minimum / median / maximum\n");
    let whole = |value: f64| grouped(value.round() as u64);
    let hundredths = |value: f64| format!("{value:.2}");
    let mut row = |name: &str, unit: &str, format: &dyn Fn(f64) -> String, values: Option<(f64, f64, f64)>| {
        if let Some((minimum, median, maximum)) = values {
            let _infallible =
                writeln!(text, "  {name:<14} {} / {} / {} {unit}", format(minimum), format(median), format(maximum));
        }
    };
    let workload = &report.workload;
    if workload.in_flight.is_some() {
        row("confirmed", "/s", &whole, of(&|run| Some(run.confirmed_per_second)));
        row("confirmed p50", "µs", &whole, of(&|run| run.confirmation.map(|times| times.p50_us)));
        row("confirmed p99", "µs", &whole, of(&|run| run.confirmation.map(|times| times.p99_us)));
    }
    if workload.consumers > 0 {
        row("received", "/s", &whole, of(&|run| Some(run.received_per_second)));
        row("received p50", "µs", &whole, of(&|run| run.end_to_end.map(|times| times.p50_us)));
        row("received p99", "µs", &whole, of(&|run| run.end_to_end.map(|times| times.p99_us)));
    } else {
        row("sent", "/s", &whole, of(&|run| Some(run.sent_per_second)));
    }
    row("broker", "µs a message", &hundredths, of(&|run| run.broker.and_then(|broker| broker.cpu_us_per_message)));
    text
}

fn rate(value: f64) -> String {
    format!("{}/s", grouped(value.round() as u64))
}

fn times(percentiles: Option<Percentiles>) -> String {
    percentiles.map_or(String::new(), |p| {
        let [p50, p90, p99, p999, max] =
            [p.p50_us, p.p90_us, p.p99_us, p.p999_us, p.max_us].map(|value| grouped(value.round() as u64));
        format!("p50 {p50}  p90 {p90}  p99 {p99}  p99.9 {p999}  max {max} µs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_microseconds() {
        let mut histogram = super::super::histogram();
        (1..=1000).for_each(|micros| histogram.saturating_record(micros * 1000));
        let found = percentiles(&histogram).expect("values");
        assert_eq!(found.count, 1000);
        assert!((found.p50_us - 500.0).abs() < 1.0, "{found:?}");
        assert!((found.p999_us - 999.0).abs() < 2.0, "{found:?}");
        assert_eq!(percentiles(&super::super::histogram()), None);
    }

    #[test]
    fn a_workload_is_told_in_one_line() {
        let workload = Workload { in_flight: Some(100), producers: 2, persistent: true, ..Workload::custom() };
        let expected = "2 producers to 1 consumer over 1 queue, 1 024 bytes, persistent, at most 1 000 under way, \
                        at most 100 without receipt each";
        assert_eq!(describe(&workload), expected);
    }
}
