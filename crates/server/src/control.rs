//! The control socket: questions and orders of the command line, as JSON lines over a Unix socket in the data
//! directory that only its owner may open.
//!
//! ```text
//!   {"inspect":{"destinations":"orders.>"}}  ─►  {"destinations":[{"kind":"queue","name":"orders.new",…}]}
//!   {"inspect":"broker"}                     ─►  {"broker":{"sessions":3,…}}
//!   {"purge":"orders.dead"}                  ─►  {"purged":17}
//!   {"inspect":"branches"}                   ─►  {"branches":[{"xid":"XID:[…]","state":"prepared",…}]}
//!   {"decide":{"xid":"XID:[…]","action":"commit"}}  ─►  {"decided":"XID:[…]"}
//!   anything else                            ─►  {"error":"…"}
//! ```

mod dto;

use crate::core::{Entered, Scratch, Stage};
use crate::mailbox::Mailbox;
use crate::net::Net;
use dto::{Answer, Decision, Question};
use ferrymq_model::{BranchAction, Destination, DestinationKind, Event, Query, Request, SessionId, Token, Xid};
use std::collections::VecDeque;
use std::fs::Permissions;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The file in the data directory.
pub const SOCKET_FILE: &str = "control.sock";
/// One question. Bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Connections at a time: one a person or script.
const CONNECTIONS_MAX: usize = 64;
/// How long accepting rests after the system refused, so that it does not spin.
const REFUSED_REST: Duration = Duration::from_millis(100);

/// The bound socket.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds the socket. A broker works without it: what stands in the way is told in the log.
pub(crate) fn bind(data: &Path, handle: &Handle) -> Option<Control> {
    let path = data.join(SOCKET_FILE);
    let _runtime = handle.enter();
    match bind_at(&path) {
        Ok(listener) => Some(Control { listener, path }),
        Err(error) => {
            tracing::warn!(
                path = %path.display(), %error,
                "no control socket: the command line cannot ask this broker (a socket's path has at most 107 bytes)"
            );
            None
        }
    }
}

fn bind_at(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        // The data directory is locked: whoever left the socket there is gone.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Control {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Answers until it is dropped.
    pub(crate) async fn accept(self, net: Arc<Net>) {
        let mut conversations = JoinSet::new();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    while conversations.try_join_next().is_some() {}
                    if conversations.len() < CONNECTIONS_MAX {
                        conversations.spawn(Conversation::open(Arc::clone(&net)).serve(stream));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the control socket for the moment");
                    tokio::time::sleep(REFUSED_REST).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the control socket's file stays");
        }
    }
}

/// One connection: a session of its own towards the node.
struct Conversation {
    net: Arc<Net>,
    id: SessionId,
    mailbox: Arc<Mailbox>,
    events: VecDeque<Event>,
    next_token: u64,
    known: bool,
}

impl Conversation {
    fn open(net: Arc<Net>) -> Self {
        let (id, mailbox) = net.core.open();
        Self { net, id, mailbox, events: VecDeque::new(), next_token: 1, known: false }
    }

    async fn serve(mut self, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read);
        loop {
            let mut line = Vec::new();
            let asked = (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await;
            let answer = match asked {
                Ok(0) => return,
                Ok(_) if line.last() == Some(&b'\n') => self.answer(&line).await,
                Ok(_) => Answer::Error(format!("a question is one line of at most {LINE_BYTES_MAX} bytes")),
                Err(error) => {
                    tracing::debug!(%error, "control connection lost");
                    return;
                }
            };
            let ends = line.last() != Some(&b'\n');
            if let Err(error) = write.write_all(&answer.to_line()).await {
                tracing::debug!(%error, "control connection lost");
                return;
            }
            if ends {
                return;
            }
        }
    }

    async fn answer(&mut self, line: &[u8]) -> Answer {
        let question: Question = match serde_json::from_slice(line) {
            Ok(question) => question,
            Err(error) => return Answer::Error(format!("not a question: {error}")),
        };
        let mut requests = Vec::new();
        if !self.known {
            self.known = true;
            let confirm = self.token();
            requests.push(Request::Connect { client_id: None, user: None, name: None, peer: None, confirm });
        }
        let token = self.token();
        let mut decided = None;
        requests.push(match question {
            Question::Inspect(what) => Request::Inspect { query: Query::from(what), token },
            Question::Purge(name) => {
                let destination = Destination { kind: DestinationKind::Queue, name: Arc::from(name) };
                Request::Purge { destination: Arc::new(destination), token }
            }
            Question::Decide(Decision { xid: text, action }) => {
                let Some(xid) = Xid::parse(&text) else {
                    return Answer::Error(format!("{text:?} does not name a branch as this broker writes it"));
                };
                let action = BranchAction::from(action);
                decided = Some((text, action));
                Request::Branch { xid: Arc::new(xid), action, confirm: token }
            }
        });
        let answer = self.ask(requests, token).await;
        match (decided, answer) {
            (Some((xid, action)), Answer::Done) => {
                tracing::warn!(%xid, ?action, "a person decided a branch of a distributed transaction");
                Answer::Decided(xid)
            }
            (_, answer) => answer,
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    async fn ask(&mut self, mut requests: Vec<Request>, token: Token) -> Answer {
        let mut scratch = Scratch::default();
        poll_fn(|context| match self.net.core.enter(self.id, &mut requests, &mut scratch, context.waker()) {
            Entered::Taken => Poll::Ready(()),
            Entered::Full => Poll::Pending,
        })
        .await;
        loop {
            match self.event().await {
                Some(Event::Inspected { token: of, report }) if of == token => return Answer::from(*report),
                Some(Event::Confirmed { token: of }) if of == token => return Answer::Done,
                Some(Event::Purged { token: of, messages }) if of == token => return Answer::Purged(messages),
                Some(Event::Refused { token: of, refusal }) if of.is_none_or(|of| of == token) => {
                    return Answer::Error(refusal.text);
                }
                Some(_) => {}
                None => return Answer::Error("the broker is stopping".to_owned()),
            }
        }
    }

    /// The next event; `None`: the server ends.
    async fn event(&mut self) -> Option<Event> {
        poll_fn(|context| {
            loop {
                self.mailbox.take(&mut self.events);
                if let Some(event) = self.events.pop_front() {
                    return Poll::Ready(Some(event));
                }
                if self.net.core.stage() >= Stage::Closing {
                    return Poll::Ready(None);
                }
                if self.mailbox.wait(context.waker(), false) && self.net.core.stage() < Stage::Closing {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if self.known {
            self.net.core.depart(self.id, &mut vec![Request::Disconnect], &mut Scratch::default());
        }
        self.net.core.close(self.id);
    }
}
