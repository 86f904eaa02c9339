use super::*;
use crate::Config;
use crate::clock::Clock;
use crate::core::Core;
use crate::mailbox::Mailbox;
use crate::net::Net;
use crate::net::detect::{DIALECTS, SessionTemplates};
use bytes::BytesMut;
use ferrymq_model::{Closing, Event, MonoTime, Now, Outbox, Request, Session, Token};
use ferrymq_node::{Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::journal::JournalOptions;
use std::io::{Read, Write};
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// Bytes that the session below writes for a confirmation: a few hundred fill the buffers of both sockets.
const ANSWER_BYTES: usize = 15_000;

/// A token whose answer is longer than what a connection encodes before it writes.
const LONG: u64 = u64::MAX;

/// Answers each confirmation with its token, and a resumption with a panic; counts the bytes it receives.
#[derive(Default)]
struct Answering {
    received: Arc<AtomicUsize>,
}

impl Session for Answering {
    fn receive(&mut self, _: Now, input: &mut BytesMut, _: &mut Vec<Request>, _: &mut Outbox) -> Closing {
        self.received.fetch_add(input.len(), Ordering::Relaxed);
        input.clear();
        Closing::No
    }
    fn handle(&mut self, _: Now, event: Event, _: &mut Vec<Request>, out: &mut Outbox) -> Closing {
        match event {
            Event::Confirmed { token } => out.put(&answer(token.0)),
            other => panic!("{other:?}"),
        }
        Closing::No
    }
    fn written(&mut self, _: Now, _: u64, _: &mut Vec<Request>) {}
    fn tick(&mut self, _: Now, _: &mut Vec<Request>, _: &mut Outbox) -> Closing {
        Closing::No
    }
    fn next_tick(&self) -> Option<MonoTime> {
        None
    }
}

fn answer(token: u64) -> Vec<u8> {
    let mut answer = vec![0; if token == LONG { super::super::HIGH_WATER_BYTES } else { ANSWER_BYTES }];
    answer[..8].copy_from_slice(&token.to_be_bytes());
    answer
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection at rest and its peer.
struct Rig {
    runtime: Runtime,
    net: Arc<Net>,
    task: Task,
    mailbox: Arc<Mailbox>,
    peer: std::net::TcpStream,
    woken: Arc<Woken>,
    received: Arc<AtomicUsize>,
}

impl Rig {
    fn new() -> Self {
        let options = JournalOptions::default();
        let node = recover(&mut MemoryDisk::default(), DIALECTS, options, Settings::default(), Now::default()).unwrap();
        let config = Config::default();
        let core = Arc::new(Core::new(node, Clock::start()));
        let net = Arc::new(Net::new(core, &config, SessionTemplates::new(&config, 1, None)));
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        let (stream, address, peer) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, address) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            (stream, address, peer)
        });
        let mut connection = Connection::new(Arc::clone(&net), net.place().unwrap(), stream, address, None);
        let session = Answering::default();
        let received = Arc::clone(&session.received);
        connection.phase = Phase::Open(Box::new(session));
        let mailbox = Arc::clone(&connection.mailbox);
        let mut rig = Self {
            runtime,
            net,
            task: Task::new(connection),
            mailbox,
            peer,
            woken: Arc::new(Woken::default()),
            received,
        };
        assert!(rig.poll().is_pending());
        rig
    }

    fn poll(&mut self) -> Poll<()> {
        let _inside = self.runtime.enter();
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.task).poll(&mut Context::from_waker(&waker))
    }

    /// Does what the journal's thread does with an event for a connection that waits for one.
    fn serve(&self, event: Event) {
        let waker = self.mailbox.put(event, || None, &mut Vec::new()).expect("the connection waits");
        self.task.0.serve(waker);
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_connection_at_rest_is_served_without_its_task() {
    let mut rig = Rig::new();
    for token in [7, 8] {
        rig.serve(Event::Confirmed { token: Token(token) });
        let mut answered = vec![0; ANSWER_BYTES];
        rig.peer.read_exact(&mut answered).unwrap();
        assert_eq!(answered, answer(token));
    }
    assert_eq!(rig.woken(), 0);
}

#[test]
fn what_a_peer_does_not_take_is_left_to_the_task_and_comes_in_order() {
    let mut rig = Rig::new();
    let mut tokens = 0;
    // Each of them returns, whether the peer reads or not.
    while rig.woken() == 0 {
        tokens += 1;
        rig.serve(Event::Confirmed { token: Token(tokens) });
    }
    // What comes meanwhile goes behind what is left.
    assert!(rig.poll().is_pending());
    tokens += 1;
    rig.serve(Event::Confirmed { token: Token(tokens) });

    let mut peer = rig.peer.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        for token in 1..=tokens {
            let mut answered = vec![0; ANSWER_BYTES];
            peer.read_exact(&mut answered).unwrap();
            assert_eq!(answered, answer(token));
        }
    });
    let Rig { runtime, task, .. } = rig;
    runtime.block_on(async {
        let task = tokio::spawn(task);
        while !reading.is_finished() {
            tokio::task::yield_now().await;
        }
        task.abort();
    });
    reading.join().unwrap();
}

#[test]
fn a_task_that_is_woken_while_another_thread_serves_comes_back() {
    let mut rig = Rig::new();
    let shared = Arc::clone(&rig.task.0);
    let serving = shared.connection.lock();
    assert!(rig.poll().is_pending());
    drop(serving);
    rig.serve(Event::Confirmed { token: Token(1) });
    assert_eq!(rig.woken(), 1);
    // And with nothing missed, it is left alone.
    assert!(rig.poll().is_pending());
    rig.serve(Event::Confirmed { token: Token(2) });
    assert_eq!(rig.woken(), 1);
}

#[test]
fn a_panic_while_another_thread_serves_costs_the_connection_alone() {
    let mut rig = Rig::new();
    rig.serve(Event::Resume);
    assert_eq!(rig.woken(), 1);
    assert!(rig.poll().is_ready());
    let net = Arc::clone(&rig.net);
    assert_eq!(net.connections(), 1);
    drop(rig);
    assert_eq!(net.connections(), 0);
}

#[test]
fn what_came_while_too_much_waited_to_be_written_is_read_once_that_has_left() {
    let mut rig = Rig::new();
    rig.peer.write_all(b"x").unwrap();
    while rig.woken() == 0 {
        rig.runtime.block_on(tokio::task::yield_now());
    }
    // The sockets take all of it at once, so that no writing is waited for afterwards.
    rig.mailbox.put(Event::Confirmed { token: Token(LONG) }, || None, &mut Vec::new());
    assert!(rig.poll().is_pending());
    assert_eq!(rig.received.load(Ordering::Relaxed), 1);
}
