//! The log: text for people or JSON lines for machines, on standard error.

use crate::config::{Format, Level, Log};
use tracing_subscriber::EnvFilter;

/// Starts writing the log. A second call in one process (an embedding program has its own subscriber) changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(level)).with_writer(std::io::stderr);
    // An error means that a subscriber is there already, which then is the one that the program wants.
    let _already_there = match log.format {
        Format::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).with_target(false).try_init()
        }
        Format::Json => builder.json().flatten_event(true).with_target(false).try_init(),
    };
}
