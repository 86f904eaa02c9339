//! Asks the broker that runs on a data directory: a question and an answer, each a line of JSON, over the socket
//! `control.sock` in that directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ferrymq_server::Config;
use serde::{Deserialize, Serialize};

use crate::output::Failure;

/// How long the broker may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// The longest answer: a million destinations fit.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// The socket's name in the data directory.
const SOCKET: &str = "control.sock";

/// Which broker.
#[derive(Args, Debug)]
pub(crate) struct ControlArgs {
    /// The data directory of the broker; instead of what the configuration says
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// The configuration file; without it ./ferrymq.toml where it exists, else the defaults
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl ControlArgs {
    /// The data directory that is meant.
    pub(crate) fn data(&self) -> Result<PathBuf, Failure> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let config = Config::load(self.config.as_deref()).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(config.broker.data)
    }
}

/// A question.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question<'a> {
    /// The destinations whose name matches a pattern.
    Inspect {
        /// With `*` for one level and `>` for the rest.
        destinations: &'a str,
    },
    /// Remove all messages of a queue.
    Purge(&'a str),
    /// Decide a branch of a distributed transaction in its manager's place.
    Decide {
        /// As the broker writes it.
        xid: &'a str,
        /// `commit`, `rollback` or `forget`.
        action: &'a str,
    },
}

/// The question for branches has no further words.
const BRANCHES: &str = "{\"inspect\":\"branches\"}";

/// An answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Destinations(Vec<Destination>),
    Purged(u64),
    Branches(Vec<Branch>),
    Decided(String),
    Error(String),
}

/// A branch of a distributed transaction.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// Its name.
    pub(crate) xid: String,
    /// Whether it waits for a decision, or what a person decided.
    pub(crate) state: String,
    /// When it was prepared, in milliseconds since 1970, while it waits.
    #[serde(default)]
    pub(crate) prepared_at_ms: Option<u64>,
    /// Messages that it sends.
    pub(crate) sends: u64,
    /// Messages that it settles, and keeps locked.
    pub(crate) settlements: u64,
}

/// Figures of one destination.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// `queue`, `topic`, `durable`, …
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// For a durable subscription: the topic it listens to.
    #[serde(default)]
    pub(crate) durable_of: Option<String>,
    /// Messages kept.
    pub(crate) depth: u64,
    /// Of these, sent to a consumer and not settled.
    pub(crate) in_flight: u64,
    /// Messages that came, since the broker started.
    pub(crate) enqueued: u64,
    /// Messages consumed.
    pub(crate) dequeued: u64,
    /// Messages whose time was over.
    pub(crate) expired: u64,
    /// Messages moved to the dead letters.
    pub(crate) dead_lettered: u64,
    /// Messages that a slow subscriber lost.
    pub(crate) discarded: u64,
    /// Subscriptions.
    pub(crate) consumers: u64,
    /// Producers.
    pub(crate) producers: u64,
    /// Memory of its messages.
    pub(crate) memory_bytes: u64,
    /// And the limit of that.
    pub(crate) memory_limit_bytes: u64,
}

/// A connection to the running broker.
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects.
    pub(crate) fn connect(arguments: &ControlArgs) -> Result<Control, Failure> {
        let path = arguments.data()?.join(SOCKET);
        let doing = format!("no broker answers on {}", path.display());
        let stream = UnixStream::connect(&path).map_err(|error| Failure::because(&doing, error))?;
        stream
            .set_read_timeout(Some(ANSWER_WAIT))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER_WAIT)))
            .map_err(|error| Failure::because(&doing, error))?;
        Ok(Control { stream: BufReader::new(stream) })
    }

    /// The destinations that match a pattern, by name.
    pub(crate) fn destinations(&mut self, pattern: &str) -> Result<Vec<Destination>, Failure> {
        match self.ask(&Question::Inspect { destinations: pattern })? {
            Answer::Destinations(mut destinations) => {
                destinations.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
                Ok(destinations)
            }
            Answer::Error(words) => Err(Failure::Failed(format!("the broker refuses: {words}"))),
            Answer::Purged(_) | Answer::Branches(_) | Answer::Decided(_) => Err(unasked()),
        }
    }

    /// Removes all messages of a queue and counts them.
    pub(crate) fn purge(&mut self, queue: &str) -> Result<u64, Failure> {
        match self.ask(&Question::Purge(queue))? {
            Answer::Purged(count) => Ok(count),
            Answer::Error(words) => Err(Failure::Failed(format!("the broker refuses: {words}"))),
            Answer::Destinations(_) | Answer::Branches(_) | Answer::Decided(_) => Err(unasked()),
        }
    }

    /// Branches that wait for a decision, or that a person decided.
    pub(crate) fn branches(&mut self) -> Result<Vec<Branch>, Failure> {
        match self.ask_line(BRANCHES.to_owned())? {
            Answer::Branches(branches) => Ok(branches),
            Answer::Error(words) => Err(Failure::Failed(format!("the broker refuses: {words}"))),
            Answer::Destinations(_) | Answer::Purged(_) | Answer::Decided(_) => Err(unasked()),
        }
    }

    /// Decides a branch.
    pub(crate) fn decide(&mut self, xid: &str, action: &str) -> Result<(), Failure> {
        match self.ask(&Question::Decide { xid, action })? {
            Answer::Decided(of) if of == xid => Ok(()),
            Answer::Error(words) => Err(Failure::Failed(format!("the broker refuses: {words}"))),
            Answer::Decided(_) | Answer::Destinations(_) | Answer::Purged(_) | Answer::Branches(_) => Err(unasked()),
        }
    }

    fn ask(&mut self, question: &Question<'_>) -> Result<Answer, Failure> {
        self.ask_line(serde_json::to_string(question).map_err(|error| Failure::because("cannot ask", error))?)
    }

    fn ask_line(&mut self, mut line: String) -> Result<Answer, Failure> {
        line.push('\n');
        let failed = |error| Failure::because("the broker does not answer", error);
        self.stream.get_mut().write_all(line.as_bytes()).map_err(failed)?;
        line.clear();
        let mut limited = (&mut self.stream).take(ANSWER_BYTES_MAX);
        if limited.read_line(&mut line).map_err(failed)? == 0 {
            return Err(Failure::Failed("the broker closed the connection".to_string()));
        }
        serde_json::from_str(&line).map_err(|error| Failure::because("the broker's answer makes no sense", error))
    }
}

fn unasked() -> Failure {
    Failure::Failed("the broker answers something else than was asked".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_lines_of_json() {
        let text = |question| serde_json::to_string(&question).expect("JSON");
        assert_eq!(text(Question::Inspect { destinations: "a.>" }), r#"{"inspect":{"destinations":"a.>"}}"#);
        assert_eq!(text(Question::Purge("a")), r#"{"purge":"a"}"#);
        let decide = Question::Decide { xid: "x", action: "commit" };
        assert_eq!(text(decide), r#"{"decide":{"xid":"x","action":"commit"}}"#);
        let answer: Answer = serde_json::from_str(r#"{"purged":3}"#).expect("an answer");
        assert!(matches!(answer, Answer::Purged(3)));
        let answer: Answer = serde_json::from_str(r#"{"error":"no"}"#).expect("an answer");
        assert!(matches!(answer, Answer::Error(words) if words == "no"));
    }
}
