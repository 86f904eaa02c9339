//! `ferrymq.toml`: one typed tree with its defaults in code.
//!
//! Every key has a line in `docs/configuration.md`. A key that is not known is refused, with its line and the nearest
//! known one; sizes and times are written for people (`"64 MiB"`, `"30s"`).

mod keys;
mod topics;
mod units;

pub use topics::{Advisories, Topics, VirtualTopics};
pub use units::{Bind, Interval, Size, Wait};

use ferrymq_node::ScheduleSettings;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file that is read from the working directory when none is named.
pub const DEFAULT_FILE: &str = "ferrymq.toml";

/// Brokers that clients are told of. Count.
const CONNECTED_BROKERS_MAX: usize = 64;

/// The URL of one of them: all of them are one text on the wire, which ends at 64 KiB. Bytes.
const URL_BYTES_MAX: usize = 512;

/// The largest frame may not be smaller than what a connection begins with. Bytes.
const OPENWIRE_FRAME_LEAST: u64 = ferrymq_openwire::limits::WIRE_FORMAT_INFO_BYTES_MAX as u64;

/// Everything that may be set.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[broker]`
    pub broker: Broker,
    /// `[memory]`
    pub memory: Memory,
    /// `[redelivery]`
    pub redelivery: Redelivery,
    /// `[dead_letter]`
    pub dead_letter: DeadLetter,
    /// `[advisories]`
    pub advisories: Advisories,
    /// `[virtual_topics]`
    pub virtual_topics: VirtualTopics,
    /// `[topics]`
    pub topics: Topics,
    /// `[scheduler]`
    pub scheduler: Scheduler,
    /// `[connections]`
    pub connections: Connections,
    /// `[stomp]`
    pub stomp: Stomp,
    /// `[openwire]`
    pub openwire: OpenWire,
    /// `[auto]`
    pub auto: Auto,
    /// `[websocket]`
    pub websocket: WebSocket,
    /// `[journal]`
    pub journal: Journal,
    /// `[log]`
    pub log: Log,
    /// Not a key: a flag of the command line, so that nobody inherits it with a file.
    #[serde(skip)]
    pub insecure_listen: bool,
}

/// The broker itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// What the broker calls itself; part of the message ids it makes.
    pub name: String,
    /// Where messages are kept.
    pub data: PathBuf,
    /// Threads for sockets; 0: half as many as the machine has cores.
    pub io_threads: usize,
}

/// Limits of memory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Messages of the whole broker.
    pub limit: Size,
    /// Messages of one queue or durable subscription.
    pub destination_limit: Size,
    /// How long producers wait where one of these is reached; then what they send is refused until there is room.
    pub producer_wait_max: Wait,
    /// Messages that one topic subscription holds, waiting or not acknowledged, before it loses some.
    pub topic_subscription_limit: Size,
    /// Messages that wait for a slow topic subscriber beyond its prefetch.
    pub topic_pending_max: u32,
}

/// What happens to a message that comes back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redelivery {
    /// How often a message is delivered again before it is a dead letter.
    pub redeliveries_max: u32,
}

/// Where messages go that nobody could consume.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetter {
    /// The queue.
    pub queue: String,
}

/// Scheduled and delayed delivery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// Whether scheduled messages are taken, and those that wait brought. What waits is kept.
    pub enabled: bool,
    /// How often a delivery may repeat, unless it repeats for ever.
    pub repeats_max: u32,
    /// The longest delay or period.
    pub delay_max: Interval,
    /// Messages that may wait for their time: each takes about a hundred bytes of memory.
    pub messages_max: usize,
}

/// What holds for every connection.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connections {
    /// At most so many at a time.
    pub max: usize,
    /// So long may a connection take to say who it is.
    pub login_timeout: Interval,
    /// A peer that takes nothing of what waits for it for so long is closed.
    pub write_stall_timeout: Interval,
    /// Every message says which user sent it.
    pub populate_user_id: bool,
}

/// STOMP.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stomp {
    /// Where to listen for STOMP alone.
    pub bind: Bind,
    /// The largest body.
    pub body_max: Size,
    /// One header line.
    pub header_line_max: Size,
    /// Header lines of a frame.
    pub headers_max: u32,
    /// No heart-beat is more frequent, whatever the client wishes.
    pub heart_beat_min: Interval,
}

/// OpenWire, which Java's clients speak. It has no port of its own: the first bytes choose it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenWire {
    /// The largest frame: a message with its headers.
    pub max_frame: Size,
    /// The longest silence of a client, and of the broker towards it; 0: any. A client may ask for less.
    pub inactivity: Interval,
    /// How much longer a silence may be right after connecting.
    pub inactivity_initial_delay: Interval,
    /// What clients of `failover:` are told to use beside what they have: URLs of brokers.
    pub connected_brokers: Vec<String>,
}

/// The port where the first bytes choose the protocol.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auto {
    /// Where to listen.
    pub bind: Bind,
}

/// WebSocket, for browsers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// Where to listen.
    pub bind: Bind,
}

/// The journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// One file of the journal.
    pub segment_size: Size,
    /// When a confirmation may leave.
    pub sync: Sync,
}

/// What a confirmation of a persistent message means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// The message is on stable storage.
    Always,
    /// The operating system has it: survives the broker's death, not the machine's.
    MayLoseOnPowerLoss,
}

/// The log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least level that is written.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

/// Levels of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What broke.
    Error,
    /// What may break.
    Warn,
    /// What a person wants to know.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Forms of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl Default for Broker {
    fn default() -> Self {
        Self { name: "ferrymq".to_owned(), data: PathBuf::from("./ferrymq-data"), io_threads: 0 }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            limit: Size::mebibytes(256),
            destination_limit: Size::mebibytes(32),
            producer_wait_max: Wait::FOREVER,
            topic_subscription_limit: Size::mebibytes(8),
            topic_pending_max: 1000,
        }
    }
}

impl Default for Redelivery {
    fn default() -> Self {
        Self { redeliveries_max: 6 }
    }
}

impl Default for DeadLetter {
    fn default() -> Self {
        Self { queue: "ActiveMQ.DLQ".to_owned() }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        let broker = ScheduleSettings::default();
        Self {
            enabled: broker.enabled,
            repeats_max: broker.repeats_max,
            delay_max: Interval(broker.delay_ms_max),
            messages_max: broker.jobs_max,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max: 20_000,
            login_timeout: Interval::seconds(10),
            write_stall_timeout: Interval::seconds(60),
            populate_user_id: false,
        }
    }
}

impl Default for Stomp {
    fn default() -> Self {
        Self {
            bind: Bind::loopback(61613),
            body_max: Size::mebibytes(100),
            header_line_max: Size(10 * 1024),
            headers_max: 1000,
            heart_beat_min: Interval(100),
        }
    }
}

impl OpenWire {
    /// Whether clients could use what they are told.
    fn check(&self) -> Result<(), ConfigError> {
        let is_url = |text: &String| {
            text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
                && !text.contains(|sign: char| sign == ',' || sign.is_whitespace() || sign.is_control())
        };
        let brokers = &self.connected_brokers;
        if brokers.len() > CONNECTED_BROKERS_MAX || brokers.iter().any(|text| text.len() > URL_BYTES_MAX) {
            let text = format!(
                "openwire.connected_brokers may have {CONNECTED_BROKERS_MAX} URLs of {URL_BYTES_MAX} bytes at most"
            );
            return Err(ConfigError(text));
        }
        match brokers.iter().find(|text| !is_url(text)) {
            Some(text) => Err(ConfigError(format!(
                "openwire.connected_brokers: {text:?} is no URL of a broker, such as tcp://host:61616"
            ))),
            None => Ok(()),
        }
    }
}

impl Default for OpenWire {
    fn default() -> Self {
        Self {
            max_frame: Size::mebibytes(100),
            inactivity: Interval::seconds(30),
            inactivity_initial_delay: Interval::seconds(10),
            connected_brokers: Vec::new(),
        }
    }
}

impl Default for Auto {
    fn default() -> Self {
        Self { bind: Bind::loopback(61616) }
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self { bind: Bind::loopback(61614) }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self { segment_size: Size::mebibytes(32), sync: Sync::Always }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Text }
    }
}

/// The configuration cannot be used. The text names file, line and key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file, or [`DEFAULT_FILE`] in the working directory if it is there, or takes the defaults.
    ///
    /// # Errors
    /// The file cannot be read or is not a configuration.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        let path = match file {
            Some(path) => path,
            None if default.exists() => default,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("cannot read {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// Not TOML, an unknown key, or a value that the key does not take.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        keys::check(text)?;
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| keys::line_of(text, span.start));
            ConfigError(format!("line {line}: {}", error.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// The whole configuration as a file that `parse` reads back.
    ///
    /// # Panics
    /// If a field cannot be written as TOML: a bug that the round-trip test would show.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field is a TOML value")
    }

    /// Every key as `section.name`, in the order in which they are printed.
    ///
    /// # Panics
    /// As [`Config::to_toml`].
    #[must_use]
    pub fn keys() -> Vec<String> {
        keys::all()
    }

    /// What single values cannot say.
    ///
    /// # Errors
    /// Names the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (segment_least, segment_most) = (Size::mebibytes(1).0, Size::mebibytes(1024).0);
        if !(segment_least..=segment_most).contains(&self.journal.segment_size.0) {
            return Err(ConfigError("journal.segment_size must be between 1 MiB and 1 GiB".to_owned()));
        }
        let body_most = ferrymq_model::limits::MESSAGE_BYTES_MAX as u64;
        if self.stomp.body_max.0 >= body_most {
            return Err(ConfigError("stomp.body_max must be less than 1 GiB".to_owned()));
        }
        if !(OPENWIRE_FRAME_LEAST..body_most).contains(&self.openwire.max_frame.0) {
            return Err(ConfigError("openwire.max_frame must be between 16 KiB and 1 GiB".to_owned()));
        }
        self.openwire.check()?;
        if self.dead_letter.queue.is_empty() {
            return Err(ConfigError("dead_letter.queue must name a queue".to_owned()));
        }
        let virtual_topics = &self.virtual_topics;
        if virtual_topics.prefix.is_empty() && virtual_topics.postfix.is_empty() && !virtual_topics.names.is_empty() {
            let text = "virtual_topics.prefix or virtual_topics.postfix must tell the queues from their topics";
            return Err(ConfigError(text.to_owned()));
        }
        if self.connections.max == 0 {
            return Err(ConfigError("connections.max must be at least 1".to_owned()));
        }
        Ok(())
    }

    /// Refuses to listen beyond this machine unless the flag names the risk. Apart from [`Config::check`], because
    /// a file is read before the flag is known.
    ///
    /// # Errors
    /// Names the key.
    pub fn check_listen(&self) -> Result<(), ConfigError> {
        if self.insecure_listen {
            return Ok(());
        }
        let binds =
            [("stomp.bind", self.stomp.bind), ("auto.bind", self.auto.bind), ("websocket.bind", self.websocket.bind)];
        match binds.iter().find_map(|(key, bind)| bind.0.filter(|at| !at.ip().is_loopback()).map(|at| (key, at))) {
            Some((key, at)) => Err(not_loopback(key, at)),
            None => Ok(()),
        }
    }
}

fn not_loopback(key: &str, at: SocketAddr) -> ConfigError {
    ConfigError(format!(
        "{key} = \"{at}\" is reachable from other machines, and there are no users and no TLS yet: anyone could read, \
         send and purge; use 127.0.0.1, or accept the risk with --insecure-listen"
    ))
}

#[cfg(test)]
mod tests;
