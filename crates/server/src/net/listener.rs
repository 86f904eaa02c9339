//! Accepts connections and gives each to an I/O thread.
//!
//! Out of file descriptors: says so, waits a moment and goes on; the connections wait in the kernel's backlog. Too many
//! connections: the new one is closed at once and its peer named in the log.

use super::connection::{Connection, Task};
use super::detect::Protocol;
use super::{Net, websocket};
use crate::config::Config;
use crate::server::{Addresses, StartError};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// How long accepting rests after the system refused, so that it does not spin.
const REFUSED_REST: Duration = Duration::from_millis(100);

/// What is spoken on a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speaks {
    /// STOMP alone.
    Stomp,
    /// Whatever the first bytes say.
    Any,
    /// STOMP in WebSocket messages.
    WebSocket,
}

/// The ports that are bound.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    ports: Vec<(Speaks, TcpListener, SocketAddr)>,
}

/// The I/O threads, taken in turn.
#[derive(Debug)]
pub(crate) struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Threads {
    /// The first is the one that accepts.
    pub(crate) fn new(handles: Vec<Handle>) -> Self {
        Self { handles, next: AtomicUsize::new(0) }
    }
}

impl Listening {
    /// Binds every port of the configuration, to be accepted from by `handle`'s runtime.
    pub(crate) fn bind(config: &Config, handle: &Handle) -> Result<Self, StartError> {
        let _runtime = handle.enter();
        let mut listening = Self::default();
        let wanted = [
            (Speaks::Stomp, config.stomp.bind),
            (Speaks::Any, config.auto.bind),
            (Speaks::WebSocket, config.websocket.bind),
        ];
        for (speaks, bind) in wanted {
            let Some(address) = bind.0 else { continue };
            let bound = bind_one(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
            let (at, listener) = bound.map_err(|error| StartError::Listen { address, reason: error.to_string() })?;
            listening.ports.push((speaks, listener, at));
        }
        Ok(listening)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let find = |wanted| self.ports.iter().find(|(speaks, ..)| *speaks == wanted).map(|(_, _, at)| *at);
        Addresses {
            stomp: find(Speaks::Stomp),
            auto: find(Speaks::Any),
            websocket: find(Speaks::WebSocket),
            control: None,
        }
    }

    /// Starts accepting on the current runtime, until the tasks are dropped.
    pub(crate) fn accept(self, net: &Arc<Net>, threads: &Arc<Threads>, tasks: &mut JoinSet<()>) {
        for (speaks, listener, _) in self.ports {
            tasks.spawn(accept(Arc::clone(net), listener, speaks, Arc::clone(threads)));
        }
    }
}

fn bind_one(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A broker that is started again must not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Accepts until it is dropped.
async fn accept(net: Arc<Net>, listener: TcpListener, speaks: Speaks, threads: Arc<Threads>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(&net, stream, peer, speaks, &threads),
            Err(error) if is_peer_gone(&error) => {}
            Err(error) => {
                if net.peer_log.take(net.core.clock().mono()).is_some() {
                    tracing::warn!(%error, connections = net.connections(), "cannot accept connections for the moment");
                }
                tokio::time::sleep(REFUSED_REST).await;
            }
        }
    }
}

/// Errors of `accept` that belong to one peer that left before it was accepted.
fn is_peer_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn admit(net: &Arc<Net>, stream: TcpStream, peer: SocketAddr, speaks: Speaks, threads: &Threads) {
    let Some(place) = net.place() else {
        if let Some(suppressed) = net.peer_log.take(net.core.clock().mono()) {
            let limit = net.connections_max;
            tracing::warn!(%peer, suppressed, limit, "connection refused: connections.max is reached");
        }
        return;
    };
    // Messages go out when they are ready; waiting for more is what the outbox does.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "connection lost before it began");
        return;
    }
    let net = Arc::clone(net);
    let serve = move |stream: TcpStream| async move {
        match speaks {
            Speaks::Stomp => Task::new(Connection::new(net, place, stream, peer, Some(Protocol::Stomp))).await,
            Speaks::Any => Task::new(Connection::new(net, place, stream, peer, None)).await,
            Speaks::WebSocket => websocket::serve(net, place, stream, peer).await,
        }
    };
    let turn = threads.next.fetch_add(1, Ordering::Relaxed) % threads.handles.len();
    if turn == 0 {
        // The listeners' own thread.
        tokio::spawn(serve(stream));
        return;
    }
    match stream.into_std() {
        Ok(stream) => {
            threads.handles[turn].spawn(async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => serve(stream).await,
                    Err(error) => tracing::debug!(%peer, %error, "connection lost between threads"),
                }
            });
        }
        Err(error) => tracing::debug!(%peer, %error, "connection lost between threads"),
    }
}
