//! Where the broker is and which destination is meant, as a person writes them.

use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::output::Failure;

/// The port of STOMP where none is named.
const PORT_DEFAULT: u16 = 61613;
/// How long a connection may take to come about.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// The flags of every command that talks to a broker over STOMP.
#[derive(Args, Debug, Clone)]
pub(crate) struct BrokerArgs {
    /// Where the broker listens for STOMP
    #[arg(long, value_name = "URL", default_value = "stomp://127.0.0.1:61613", env = "FERRYMQ_URL")]
    pub(crate) url: BrokerUrl,
    /// User name, for brokers that ask for one
    #[arg(long, value_name = "NAME", env = "FERRYMQ_USER")]
    pub(crate) user: Option<String>,
    /// Password, for brokers that ask for one
    #[arg(long, value_name = "PASSWORD", env = "FERRYMQ_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
}

/// Host and port of a broker: `stomp://host:port`, `tcp://host:port`, `host:port` or `host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerUrl {
    host: String,
    port: u16,
}

impl BrokerUrl {
    /// The host as the CONNECT frame names it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Opens a connection without delay of small packets.
    pub(crate) fn connect(&self) -> Result<TcpStream, Failure> {
        let doing = format!("cannot connect to {}:{}", self.host, self.port);
        let addresses =
            (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| Failure::because(&doing, error))?;
        let mut last = Failure::Failed(format!("{doing}: the name has no address"));
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|error| Failure::because(&doing, error))?;
                    return Ok(stream);
                }
                Err(error) => last = Failure::because(&doing, error),
            }
        }
        Err(last)
    }
}

impl FromStr for BrokerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<BrokerUrl, String> {
        let rest = match text.split_once("://") {
            None => text,
            Some(("stomp" | "tcp", rest)) => rest,
            Some((scheme, _)) => return Err(format!("{scheme}:// is not spoken here, write stomp://host:port")),
        };
        let rest = rest.trim_end_matches('/');
        let after_host = rest.find(']').unwrap_or(0);
        let (host, port) = match rest[after_host..].rfind(':').map(|colon| rest.split_at(after_host + colon)) {
            Some((host, port)) => (host, port[1..].parse().map_err(|_| format!("{} is not a port", &port[1..]))?),
            None => (rest, PORT_DEFAULT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("the host is missing, write stomp://host:port".to_string());
        }
        Ok(BrokerUrl { host: host.to_string(), port })
    }
}

/// Queue or topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each message to one consumer.
    Queue,
    /// Each message to every subscriber.
    Topic,
}

/// A destination as a person writes it: `queue://x`, `topic://x`, `/queue/x`, `/topic/x`, or `x`, which is a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Queue or topic.
    pub(crate) kind: Kind,
    /// The name without its prefix.
    pub(crate) name: String,
}

impl Target {
    /// The name in STOMP's manner, with its prefix.
    pub(crate) fn stomp(&self) -> String {
        match self.kind {
            Kind::Queue => format!("/queue/{}", self.name),
            Kind::Topic => format!("/topic/{}", self.name),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        const PREFIXES: [(&str, Kind); 4] =
            [("queue://", Kind::Queue), ("/queue/", Kind::Queue), ("topic://", Kind::Topic), ("/topic/", Kind::Topic)];
        let prefixed = PREFIXES.iter().find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?)));
        let (kind, name) = prefixed.unwrap_or((Kind::Queue, text));
        if name.is_empty() {
            return Err("the destination has no name, write queue://NAME or topic://NAME".to_string());
        }
        if prefixed.is_none() && (name.contains("://") || name.starts_with('/')) {
            return Err(format!("{name} is no destination, write queue://NAME or topic://NAME"));
        }
        if name.contains(char::is_control) {
            return Err("a destination's name has no control characters".to_string());
        }
        Ok(Target { kind, name: name.to_string() })
    }
}

/// Reads a span of time: `250ms`, `3s`, `2m`, or a plain number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| format!("{text} is no time, write 250ms, 3s or 2m"))?;
    let seconds = match &text[digits.len()..] {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        unit => return Err(format!("{unit} is no unit of time, use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text} is out of range"))
}

#[cfg(test)]
mod tests;
