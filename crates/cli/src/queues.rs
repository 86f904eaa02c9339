//! `ferrymq queues`: the destinations of a running broker as a table that keeps itself up to date.

use std::collections::HashMap;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::address::duration;
use crate::control::{Control, ControlArgs, Destination};
use crate::output::{self, Failure};

/// What to show.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    control: ControlArgs,
    /// Show destinations whose name matches: * stands for one level, > for the rest
    #[arg(value_name = "PATTERN", default_value = ">")]
    pattern: String,
    /// Print the table once, as is also done where standard output is no terminal
    #[arg(long)]
    once: bool,
    /// Time between two looks
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Print once, as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(queues(&arguments))
}

fn queues(arguments: &Arguments) -> Result<(), Failure> {
    let mut control = Control::connect(&arguments.control)?;
    let destinations = control.destinations(&arguments.pattern)?;
    if arguments.json {
        return output::json(&destinations);
    }
    if arguments.once || !output::is_terminal() {
        return output::raw(table(&destinations, None).as_bytes());
    }
    let mut seen = Seen { at: Instant::now(), destinations };
    let mut text = table(&seen.destinations, None);
    loop {
        output::raw(text.as_bytes())?;
        thread::sleep(arguments.interval.max(Duration::from_millis(50)));
        let destinations = control.destinations(&arguments.pattern)?;
        // Up to the first line of the last table, and away with everything from there.
        let back = format!("\x1b[{}F\x1b[J", text.lines().count());
        text = table(&destinations, Some(&seen));
        output::raw(back.as_bytes())?;
        seen = Seen { at: Instant::now(), destinations };
    }
}

/// The last look, to tell rates.
struct Seen {
    at: Instant,
    destinations: Vec<Destination>,
}

fn table(destinations: &[Destination], before: Option<&Seen>) -> String {
    let heading = ["kind", "name", "depth", "in flight", "consumers", "producers", "enqueued", "dequeued"];
    let tail = ["expired", "dead", "discarded", "memory"];
    let rates: &[&str] = if before.is_some() { &["in/s", "out/s"] } else { &[] };
    let last: HashMap<(&str, &str), &Destination> = before
        .iter()
        .flat_map(|seen| &seen.destinations)
        .map(|destination| ((destination.kind.as_str(), destination.name.as_str()), destination))
        .collect();
    let mut rows = vec![heading.iter().chain(&tail).chain(rates).map(ToString::to_string).collect::<Vec<_>>()];
    for destination in destinations {
        let name = match &destination.durable_of {
            Some(topic) => format!("{} of {topic}", destination.name),
            None => destination.name.clone(),
        };
        let mut row = vec![destination.kind.clone(), printable(&name)];
        let numbers = [
            destination.depth,
            destination.in_flight,
            destination.consumers,
            destination.producers,
            destination.enqueued,
            destination.dequeued,
            destination.expired,
            destination.dead_lettered,
            destination.discarded,
        ];
        row.extend(numbers.map(output::grouped));
        row.push(format!("{:.1} MB", destination.memory_bytes as f64 / 1e6));
        if let Some(seen) = before {
            let seconds = seen.at.elapsed().as_secs_f64().max(1e-3);
            let last = last.get(&(destination.kind.as_str(), destination.name.as_str()));
            let rate = |now: u64, then: Option<u64>| {
                let grown = then.map_or(0, |then| now.saturating_sub(then));
                output::grouped((grown as f64 / seconds).round() as u64)
            };
            row.push(rate(destination.enqueued, last.map(|last| last.enqueued)));
            row.push(rate(destination.dequeued, last.map(|last| last.dequeued)));
        }
        rows.push(row);
    }
    output::table(&rows)
}

/// A name chosen by a client must not move the terminal's cursor.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, depth: u64) -> Destination {
        let text = format!(
            r#"{{"kind":"queue","name":"{name}","durable_of":null,"depth":{depth},"in_flight":1,"enqueued":9,
            "dequeued":2,"expired":0,"dead_lettered":0,"discarded":0,"consumers":3,"producers":4,
            "memory_bytes":1500000,"memory_limit_bytes":0}}"#
        );
        serde_json::from_str(&text).expect("a destination")
    }

    #[test]
    fn a_table_has_one_line_for_each_destination() {
        let text = table(&[queue("a", 7), queue("orders.eu", 1_234_567)], None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("kind   name"), "{text}");
        assert!(lines[2].contains("1 234 567") && lines[2].ends_with("1.5 MB"), "{text}");
    }

    #[test]
    fn a_second_look_tells_rates_of_what_was_there_before() {
        let seen = Seen { at: Instant::now(), destinations: vec![queue("a", 1)] };
        let text = table(&[queue("a", 1), queue("new", 1)], Some(&seen));
        assert!(text.lines().next().is_some_and(|line| line.ends_with("in/s  out/s")), "{text}");
        assert!(
            text.lines().skip(1).all(|line| line.ends_with("     0      0") || line.ends_with("0      0")),
            "{text}"
        );
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a?[2Jb");
    }
}
