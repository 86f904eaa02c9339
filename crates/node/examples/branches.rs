//! Measures transactions: what a branch of a distributed transaction (prepare, then commit) and a local transaction cost,
//! in bytes of the journal and in time. One session, one transaction at a time, each step confirmed by the journal.
//!
//! `cargo run --release -p ferrymq-node --example branches [directory [transactions]]`: on a disk in memory, or in an
//! empty directory, where every confirmation waits for a real flush.
#![expect(clippy::print_stdout, clippy::expect_used, clippy::cast_precision_loss, reason = "a measuring program")]

mod plain;

use ferrymq_model::{BranchAction, DeliveryMode, Message, Now, Request, SessionId, Token, TransactionId, Xid};
use ferrymq_node::{Effects, Input, Node, Settings, recover};
use ferrymq_storage::disk::memory::MemoryDisk;
use ferrymq_storage::disk::os::OsDisk;
use ferrymq_storage::journal::SEGMENT_BYTES_DEFAULT;
use ferrymq_storage::{Disk, JournalOptions, journal};
use plain::{DIALECTS, PRODUCER};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const MESSAGE_BYTES: usize = 1024;
const SESSION: SessionId = SessionId { slot: 0, generation: 0 };

struct Bench {
    node: Node,
    disk: Box<dyn Disk>,
    out: Effects,
    flushes: u64,
    bytes: u64,
    message: Arc<Message>,
}

impl Bench {
    fn new(mut disk: Box<dyn Disk>) -> Self {
        let (options, settings) = (JournalOptions::default(), Settings::default());
        let node = recover(&mut *disk, DIALECTS, options, settings, Now::default());
        let node = node.expect("an empty disk gives an empty node");
        let (name, address) = ("ID:host.example-40000-1700000000000-1:1:1:1", plain::address("q"));
        let message = Arc::new(plain::message(name, &address, DeliveryMode::Persistent, None, MESSAGE_BYTES));
        let mut bench = Self { node, disk, out: Effects::default(), flushes: 0, bytes: 0, message };
        bench.step(&mut vec![plain::connect(), plain::add_producer(Some(name.into()), address)]);
        bench
    }

    /// Requests, and whatever the journal has to do before they are answered.
    fn step(&mut self, requests: &mut Vec<Request>) {
        self.node.step(Now::default(), Input::Requests { session: SESSION, requests }, &mut self.out);
        while self.node.wants_flush() {
            let mut batch = self.node.take_batch().expect("no batch is out");
            self.flushes += 1;
            self.bytes += batch.bytes();
            journal::perform(&mut batch, &mut *self.disk).expect("the disk takes everything");
            self.node.step(Now::default(), Input::Flushed(batch), &mut self.out);
        }
        self.out.events.clear();
    }

    fn sends(&self, number: u64, messages: u64) -> Vec<Request> {
        let transaction = Some(TransactionId(number));
        let send = |place| {
            let mut message = Message::clone(&self.message);
            message.header.id.sequence = number * messages + place;
            Request::Send { producer: PRODUCER, message: message.into(), transaction, confirm: None }
        };
        (0..messages).map(send).collect()
    }

    fn local(&mut self, number: u64, messages: u64) {
        let transaction = TransactionId(number);
        let mut requests = vec![Request::Begin { transaction, name: None, confirm: None }];
        requests.append(&mut self.sends(number, messages));
        requests.push(Request::Commit { transaction, confirm: Some(Token(number)) });
        self.step(&mut requests);
    }

    fn branch(&mut self, number: u64, messages: u64) {
        let global = number.to_be_bytes().repeat(3).into_boxed_slice();
        let xid = Arc::new(Xid { format: 1, global, branch: [0; 8].into() });
        let action = |action| Request::Branch { xid: Arc::clone(&xid), action, confirm: Token(number) };
        let mut requests = vec![action(BranchAction::Start(TransactionId(number)))];
        requests.append(&mut self.sends(number, messages));
        requests.push(action(BranchAction::End));
        requests.push(action(BranchAction::Prepare));
        self.step(&mut requests);
        self.step(&mut vec![action(BranchAction::Commit)]);
    }

    fn purge(&mut self) {
        let destination = Arc::clone(&self.message.header.destination);
        self.step(&mut vec![Request::Purge { destination, token: Token(0) }]);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next();
    let transactions: u64 = arguments.next().map_or(2_000, |text| text.parse().expect("a number of transactions"));
    for (is_branch, messages) in [(false, 1), (true, 1), (false, 100), (true, 100)] {
        let disk: Box<dyn Disk> = match &directory {
            None => Box::new(MemoryDisk::new()),
            Some(directory) => {
                let directory = Path::new(directory).join(format!("{is_branch}-{messages}"));
                Box::new(OsDisk::open(&directory, SEGMENT_BYTES_DEFAULT).expect("an empty directory"))
            }
        };
        let mut bench = Bench::new(disk);
        let rounds = transactions / if messages > 1 { 10 } else { 1 };
        let mut run = |from: u64, rounds: u64| {
            for number in from..from + rounds {
                if is_branch { bench.branch(number, messages) } else { bench.local(number, messages) }
            }
            let done = (bench.bytes, bench.flushes);
            bench.purge();
            (bench.bytes, bench.flushes) = (0, 0);
            done
        };
        run(1, rounds / 10);
        let start = Instant::now();
        let (bytes, flushes) = run(rounds, rounds);
        let seconds = start.elapsed().as_secs_f64();
        let count = rounds as f64;
        println!(
            "{:<6} of {messages:>3}: {:>9.0} journal bytes each, {:>5.0} a message, {:.1} flushes, {:>8.1} us, {:>7.0} a second",
            if is_branch { "branch" } else { "local" },
            bytes as f64 / count,
            bytes as f64 / count / messages as f64,
            flushes as f64 / count,
            seconds / count * 1e6,
            count / seconds
        );
    }
}
