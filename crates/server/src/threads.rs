//! The threads that wait on sockets: one current-thread runtime each, one on up to two cores.
//!
//! The first one accepts, ticks and serves the control socket besides its share of the connections.

use crate::bell::Bell;
use crate::control::Control;
use crate::core::{Pause, Scratch};
use crate::net::Net;
use crate::net::listener::{Listening, Threads};
use crate::server::StartError;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How often the node hears that time passed, while it or a connection waits for that. Heart-beats and timeouts are as exact
/// as this. Milliseconds.
const TICK_MS: u64 = 100;
/// How long the end waits for connections to take their last bytes.
const CONNECTIONS_AT_END: Duration = Duration::from_secs(2);
/// How often the end looks whether they have.
const LOOK_AT_END: Duration = Duration::from_millis(5);
/// More threads would wait for the core's lock more than for sockets.
const IO_THREADS_MAX: usize = 8;

/// The runtimes; 0 chooses their number by the machine.
pub(crate) fn runtimes(wanted: usize) -> Result<Vec<Runtime>, StartError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let count = if wanted == 0 { (cores / 2).clamp(1, IO_THREADS_MAX) } else { wanted };
    let build = |_| {
        let built = Builder::new_current_thread().enable_io().enable_time().build();
        built.map_err(|error| StartError::System(format!("cannot start a runtime: {error}")))
    };
    (0..count).map(build).collect()
}

/// Starts a named thread.
pub(crate) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(|error| StartError::System(format!("cannot start the thread {name}: {error}")))
}

/// Waits for a thread's end. `None`: it panicked, which the log says.
pub(crate) fn join<T>(thread: JoinHandle<T>) -> Option<T> {
    let name = thread.thread().name().unwrap_or("unnamed").to_owned();
    let joined = thread.join();
    if joined.is_err() {
        tracing::error!(thread = name, "a thread panicked: this is a bug of the broker");
    }
    joined.ok()
}

/// Starts the I/O threads.
pub(crate) fn start(
    net: &Arc<Net>,
    runtimes: Vec<Runtime>,
    listening: Listening,
    control: Option<Control>,
    stops: &watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let handles = runtimes.iter().map(|runtime| runtime.handle().clone()).collect();
    let threads = Arc::new(Threads::new(handles));
    let mut first = Some((listening, control));
    let mut started = Vec::new();
    for (index, runtime) in runtimes.into_iter().enumerate() {
        let (net, threads, stops, first) = (Arc::clone(net), Arc::clone(&threads), stops.clone(), first.take());
        started.push(spawn(&format!("ferrymq-io-{index}"), move || {
            runtime.block_on(io_thread(net, threads, first, stops));
        })?);
    }
    Ok(started)
}

async fn io_thread(
    net: Arc<Net>,
    threads: Arc<Threads>,
    first: Option<(Listening, Option<Control>)>,
    mut stops: watch::Receiver<bool>,
) {
    let mut accepting = JoinSet::new();
    let mut ticking = JoinSet::new();
    ticking.spawn(Bell::hang().answer());
    if let Some((listening, control)) = first {
        listening.accept(&net, &threads, &mut accepting);
        if let Some(control) = control {
            accepting.spawn(control.accept(Arc::clone(&net)));
        }
        ticking.spawn(tick(Arc::clone(&net)));
    }
    // An error means that the server was dropped, which stops as well.
    let _ = stops.wait_for(|stopping| *stopping).await;
    accepting.shutdown().await;
    // The journal may need its time first; connections end themselves at the stage after that.
    let mut closing_since = None;
    while net.connections() > 0 {
        tokio::time::sleep(LOOK_AT_END).await;
        if net.core.stage() >= crate::core::Stage::Closing {
            let since = *closing_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= CONNECTIONS_AT_END {
                tracing::warn!(connections = net.connections(), "connections did not take their last bytes in time");
                return;
            }
        }
    }
}

async fn tick(net: Arc<Net>) {
    let mut scratch = Scratch::default();
    loop {
        if let Pause::Until(at) = net.core.tick(TICK_MS, &mut scratch) {
            let ms = at.0.saturating_sub(net.core.clock().mono().0);
            tokio::select! {
                () = sleep(Duration::from_millis(ms)) => continue,
                () = net.core.rung() => {}
            }
        }
        sleep(Duration::from_millis(TICK_MS)).await;
    }
}

/// A connection is a file: asks the system for as many as it may have. Where it refuses, accepting says so later.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
