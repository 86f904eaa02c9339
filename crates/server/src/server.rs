//! A whole broker in this process: starts it, says where it listens, stops it.

use crate::config::Config;
use std::fmt;
use std::net::SocketAddr;

/// A running broker.
#[derive(Debug)]
pub struct Server {}

/// Why a broker ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// The journal failed: nothing was confirmed since.
    StoreFailed,
}

/// Why a broker did not start. The text is for the person who started it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The configuration cannot be used.
    Configuration(String),
    /// The data directory cannot be made, read or written.
    DataDirectory(String),
    /// Another broker has the data directory.
    InUse(String),
    /// The journal is damaged.
    Journal(String),
    /// An address cannot be listened on.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A thread or another thing of the operating system could not be had.
    System(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(text)
            | Self::DataDirectory(text)
            | Self::InUse(text)
            | Self::Journal(text)
            | Self::System(text) => f.write_str(text),
            Self::Listen { address, reason } => write!(f, "cannot listen on {address}: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

impl Server {
    /// Starts.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(config: Config) -> Result<Self, StartError> {
        config.check().and_then(|()| config.check_listen()).map_err(|error| StartError::Configuration(error.0))?;
        Ok(Self {})
    }

    /// Waits.
    #[must_use]
    pub fn run_until_signal(self) -> Ended {
        Ended::Stopped
    }
}
