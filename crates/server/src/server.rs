//! A whole broker in this process: starts it, says where it listens, stops it.

use crate::clock::Clock;
use crate::config::Config;
use crate::control;
use crate::core::{Core, Stage};
use crate::journal::{self, JournalEnd};
use crate::net::Net;
use crate::net::detect::SessionTemplates;
use crate::net::listener::Listening;
use crate::store::Store;
use crate::threads;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long the end waits for the journal.
const FLUSH_AT_END: Duration = Duration::from_secs(5);
/// A running broker. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    net: Arc<Net>,
    addresses: Addresses,
    /// `true` once the I/O threads are to accept no more and to end with their last connection.
    stopping: watch::Sender<bool>,
    /// Whether the journal failed.
    failed: watch::Receiver<bool>,
    io: Vec<JoinHandle<()>>,
    journal: Option<JoinHandle<JournalEnd>>,
    reader: Option<JoinHandle<()>>,
}

/// Where a broker listens; `None`: not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// STOMP alone.
    pub stomp: Option<SocketAddr>,
    /// The port where the first bytes choose.
    pub auto: Option<SocketAddr>,
    /// WebSocket.
    pub websocket: Option<SocketAddr>,
    /// The control socket.
    pub control: Option<PathBuf>,
}

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
    /// Starts: recovers the journal, listens, and returns once connections are accepted.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing keeps running then.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let began = Instant::now();
        config.check().and_then(|()| config.check_listen()).map_err(|error| StartError::Configuration(error.0))?;
        threads::raise_file_limit();
        let clock = Clock::start();
        // Unique over all brokers and restarts.
        let run = crate::store::random();
        let Store { node, disk, reader } = Store::open(&config, run, clock.now())?;
        let core = Arc::new(Core::new(node, clock));
        let runtimes = threads::runtimes(config.broker.io_threads)?;
        let listening = Listening::bind(&config, runtimes[0].handle())?;
        let control = control::bind(&config.broker.data, runtimes[0].handle());
        let mut addresses = listening.addresses();
        let sessions = SessionTemplates::new(&config, run, addresses.auto);
        let net = Arc::new(Net::new(Arc::clone(&core), &config, sessions));
        addresses.control = control.as_ref().map(|control| control.path().to_owned());

        let (stopping, stops) = watch::channel(false);
        let (journal, failed) = start_journal(&core, disk)?;
        let reader_core = Arc::clone(&core);
        let dialects = crate::net::detect::DIALECTS;
        let reader = threads::spawn("ferrymq-reader", move || journal::read_back(&reader_core, &*reader, dialects))?;
        core.attach(journal.thread().clone(), reader.thread().clone());
        let io = threads::start(&net, runtimes, listening, control, &stops)?;
        tracing::info!(
            stomp = %shown(addresses.stomp), auto = %shown(addresses.auto), websocket = %shown(addresses.websocket),
            data = %config.broker.data.display(), milliseconds = began.elapsed().as_millis() as u64,
            "listening"
        );
        Ok(Self { net, addresses, stopping, failed, io, journal: Some(journal), reader: Some(reader) })
    }

    /// Where it listens, with the ports that the system chose.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits for Ctrl-C, SIGTERM or the journal's failure, then stops.
    ///
    /// # Errors
    /// The system gives no signals to wait for; the broker was stopped.
    pub fn run_until_signal(mut self) -> Result<Ended, StartError> {
        let no_signals = |error: std::io::Error| StartError::System(format!("cannot wait for signals: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(no_signals)?;
        let failed = &mut self.failed;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
            tokio::select! {
                _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
                _ = terminate.recv() => tracing::info!("asked to terminate: stopping"),
                _ = failed.wait_for(|failed| *failed) => tracing::error!("stopping because the journal failed"),
            }
            Ok(())
        })?;
        Ok(self.stop())
    }

    /// Stops: accepts and reads no more, makes everything durable, lets confirmations leave, closes.
    pub fn stop(mut self) -> Ended {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Ended {
        let began = Instant::now();
        let Some(journal) = self.journal.take() else { return Ended::Stopped };
        let core = &self.net.core;
        core.set_stage(Stage::Quiet);
        self.stopping.send_replace(true);
        core.wait_until_flushed(FLUSH_AT_END);
        core.set_stage(Stage::Closing);
        for thread in self.io.drain(..) {
            threads::join(thread);
        }
        core.set_stage(Stage::Ended);
        if let Some(reader) = self.reader.take() {
            threads::join(reader);
        }
        let end = threads::join(journal);
        tracing::info!(milliseconds = began.elapsed().as_millis() as u64, "stopped");
        match end {
            Some(JournalEnd::Drained) => Ended::Stopped,
            Some(JournalEnd::Failed) | None => Ended::StoreFailed,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Starts the journal's thread. The second value turns to `true`, or closes, when nothing can be confirmed any more.
fn start_journal(
    core: &Arc<Core>,
    mut disk: Box<dyn ferrymq_storage::Disk + Send>,
) -> Result<(JoinHandle<JournalEnd>, watch::Receiver<bool>), StartError> {
    let (sender, failed) = watch::channel(false);
    let core = Arc::clone(core);
    let thread = threads::spawn("ferrymq-journal", move || {
        let end = journal::run(&core, &mut *disk);
        sender.send_replace(end == JournalEnd::Failed);
        end
    })?;
    Ok((thread, failed))
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "off".to_owned(), |at| at.to_string())
}
