//! `ferrymq send`: sends messages to a queue or a topic.
//!
//! ```text
//!   ferrymq send queue://orders 'one order'
//!   ferrymq send queue://orders --file order.json --header type=order
//!   seq 1000 | ferrymq send topic://numbers --lines
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ferrymq_stomp::peer;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use crate::address::{BrokerArgs, Kind, Target};
use crate::client::Client;
use crate::output::{self, Failure};

/// Messages whose receipt may be outstanding.
const IN_FLIGHT_MAX: u64 = 1000;
/// Headers that have a meaning of their own here.
const RESERVED: [&str; 5] = ["destination", "content-length", "receipt", "transaction", "persistent"];

/// What to send.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Where to: queue://NAME, topic://NAME, /queue/NAME, or NAME for a queue
    #[arg(value_name = "DESTINATION")]
    destination: Target,
    /// The body; without it and without --file, standard input is the body
    #[arg(value_name = "BODY", conflicts_with = "file")]
    body: Option<String>,
    /// Read the body from a file; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Send every line as a message of its own
    #[arg(long, conflicts_with_all = ["body", "count"])]
    lines: bool,
    /// Send the message so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Add a header or property; may be given again
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Whether the messages survive a restart, with a receipt for each [default: true for queues, false for topics]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    persistent: Option<bool>,
    /// Send bytes messages; without it, text is sent as text
    #[arg(long)]
    bytes: bool,
    /// Print the count as JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Serialize)]
struct Done {
    sent: u64,
    confirmed: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    output::finish(send(&arguments))
}

fn send(arguments: &Arguments) -> Result<(), Failure> {
    // Read first: a wrong file name needs no connection.
    let mut source = Source::open(arguments)?;
    let client = Client::connect(&arguments.broker, None)?;
    let persistent = arguments.persistent.unwrap_or(arguments.destination.kind == Kind::Queue);
    let destination = arguments.destination.stomp();
    let mut sender = Sender { arguments, client, destination, persistent, sent: 0, confirmed: 0 };
    let progress = progress(&source);
    while let Some(body) = source.next()? {
        sender.send(body)?;
        progress.set_position(sender.sent);
    }
    let done = sender.finish()?;
    progress.finish_and_clear();
    if arguments.json {
        return output::json(&done);
    }
    let plural = if done.sent == 1 { "" } else { "s" };
    output::line(format_args!("sent {} message{plural} to {}", done.sent, arguments.destination.stomp()))
}

/// A bar for many messages, where a person looks.
fn progress(source: &Source) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match source {
        Source::Same { left: 0..=1, .. } => return ProgressBar::hidden(),
        Source::Same { left, .. } => (ProgressBar::new(*left), "{bar:40} {human_pos}/{human_len} {rate} {eta}"),
        Source::Lines { .. } => (ProgressBar::no_length(), "{spinner} {human_pos} {rate}"),
    };
    bar.enable_steady_tick(Duration::from_millis(100));
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        let _infallible = write!(text, "{}/s", output::grouped(state.per_sec() as u64));
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the templates are constants").with_key("rate", rate))
}

/// Where bodies come from.
enum Source {
    /// One body, several times.
    Same { body: Vec<u8>, left: u64 },
    /// A line each.
    Lines { reader: Box<dyn BufRead>, line: Vec<u8>, name: String },
}

impl Source {
    fn open(arguments: &Arguments) -> Result<Source, Failure> {
        let (mut reader, name): (Box<dyn BufRead>, String) = match (&arguments.body, &arguments.file) {
            (Some(body), _) => {
                return Ok(Source::Same { body: body.clone().into_bytes(), left: arguments.count });
            }
            (None, Some(path)) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                let file = File::open(path).map_err(|error| Failure::because(format!("cannot read {name}"), error))?;
                (Box::new(BufReader::new(file)), name)
            }
            (None, _) => {
                if io::stdin().is_terminal() {
                    output::note("type the body, then Ctrl-D");
                }
                (Box::new(io::stdin().lock()), "standard input".to_string())
            }
        };
        if arguments.lines {
            return Ok(Source::Lines { reader, line: Vec::new(), name });
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).map_err(|error| Failure::because(format!("cannot read {name}"), error))?;
        Ok(Source::Same { body, left: arguments.count })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        match self {
            Source::Same { left: 0, .. } => Ok(None),
            Source::Same { body, left } => {
                *left -= 1;
                Ok(Some(body))
            }
            Source::Lines { reader, line, name } => {
                line.clear();
                let count = reader
                    .read_until(b'\n', line)
                    .map_err(|error| Failure::because(format!("cannot read {name}"), error))?;
                if line.ends_with(b"\n") {
                    line.pop();
                }
                if line.ends_with(b"\r") {
                    line.pop();
                }
                Ok((count > 0).then_some(&line[..]))
            }
        }
    }
}

struct Sender<'a> {
    arguments: &'a Arguments,
    client: Client,
    destination: String,
    persistent: bool,
    sent: u64,
    confirmed: u64,
}

impl Sender<'_> {
    fn send(&mut self, body: &[u8]) -> Result<(), Failure> {
        let version = self.client.version();
        let mut frame = peer::send(self.client.out(), version, &self.destination);
        for (name, value) in &self.arguments.header {
            frame = frame.header(name, value);
        }
        if self.persistent {
            frame = frame.header("persistent", "true").number("receipt", self.sent);
        }
        match str::from_utf8(body) {
            Ok(text) if !self.arguments.bytes => frame.text(text),
            Ok(_) | Err(_) => frame.body(body),
        }
        self.sent += 1;
        self.client.flush_large()?;
        if self.persistent && self.sent - self.confirmed >= IN_FLIGHT_MAX {
            while self.sent - self.confirmed > IN_FLIGHT_MAX / 2 {
                self.confirm()?;
            }
        }
        Ok(())
    }

    fn confirm(&mut self) -> Result<(), Failure> {
        let _in_order = self.client.receipt()?;
        self.confirmed += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<Done, Failure> {
        while self.persistent && self.confirmed < self.sent {
            self.confirm()?;
        }
        self.client.finish()?;
        // The answer to DISCONNECT covers what was sent without a receipt of its own.
        Ok(Done { sent: self.sent, confirmed: self.sent })
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text} is no header, write NAME=VALUE"))?;
    if name.is_empty() {
        return Err("a header needs a name".to_string());
    }
    if RESERVED.contains(&name) {
        return Err(format!("{name} is set by the command itself"));
    }
    Ok((name.to_string(), value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_a_name_and_a_value() {
        assert_eq!(header("a=b=c"), Ok(("a".to_string(), "b=c".to_string())));
        assert_eq!(header("a="), Ok(("a".to_string(), String::new())));
        assert!(header("a").is_err());
        assert!(header("=b").is_err());
        assert!(header("receipt=1").is_err());
    }

    #[test]
    fn lines_lose_their_ends_and_nothing_else() {
        let reader = Box::new(&b"one\ntwo\r\n\n  last"[..]);
        let mut source = Source::Lines { reader, line: Vec::new(), name: "a test".to_string() };
        let mut lines = Vec::new();
        while let Some(line) = source.next().expect("a slice can be read") {
            lines.push(String::from_utf8(line.to_vec()).expect("text"));
        }
        assert_eq!(lines, ["one", "two", "", "  last"]);
    }
}
