//! A load that knows what it was promised: producers and consumers write down every message, every confirmation and
//! every acknowledgement, and whoever kills the broker can ask afterwards whether a promise was broken.
//!
//! ```text
//!   producers ──SEND──► broker ──MESSAGE──► consumers
//!       └── sent, confirmed ──► ledger ◄── received, acknowledged ──┘
//!                                 └── verdict: lost, returned, dirty, torn, out of order, unmarked
//! ```
//!
//! Each stretch between two starts of the broker is an epoch. All threads of an epoch end when the broker does.

mod consumers;
mod drain;
mod ledger;
mod producers;

pub(crate) use ledger::{Ledger, Verdict};

use crate::random::Random;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// How a lane's messages are sent, and where to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// To a queue, each with a receipt, at most so many unconfirmed.
    Receipts {
        /// How many.
        window: usize,
    },
    /// To a queue, in transactions of a few, some of them aborted.
    Transactions,
    /// To a topic with a durable subscriber, each with a receipt.
    Topic,
    /// To a queue whose consumer acknowledges automatically, each with a receipt.
    Automatic,
}

impl Kind {
    pub(crate) fn destination(self) -> &'static str {
        match self {
            Self::Receipts { .. } => "/queue/campaign.receipts",
            Self::Transactions => "/queue/campaign.transactions",
            Self::Topic => "/topic/campaign.durable",
            Self::Automatic => "/queue/campaign.automatic",
        }
    }
}

/// One producer each.
pub(crate) const LANES: [Kind; 7] = [
    Kind::Receipts { window: 1 },
    Kind::Receipts { window: 16 },
    Kind::Receipts { window: 64 },
    Kind::Transactions,
    Kind::Transactions,
    Kind::Topic,
    Kind::Automatic,
];

/// What the threads of one epoch share.
#[derive(Clone)]
pub(crate) struct Epoch {
    pub(crate) number: u32,
    pub(crate) broker: SocketAddr,
    pub(crate) ledger: Arc<Ledger>,
    /// Set just before the broker is killed: errors from then on are what was wanted.
    pub(crate) ending: Arc<AtomicBool>,
}

impl Epoch {
    /// An error that came although nobody had killed the broker yet.
    fn report(&self, who: &str, error: &std::io::Error) {
        if !self.ending.load(Ordering::SeqCst) {
            self.ledger.complain(format!("epoch {}: {who}: {error}", self.number));
        }
    }
}

/// A running load.
pub(crate) struct Load {
    epoch: Epoch,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Subscribes, then sends: whatever a topic is sent meets its durable subscriber.
    pub(crate) fn start(epoch: Epoch, random: &mut Random) -> std::io::Result<Self> {
        let mut threads = consumers::start(&epoch, random)?;
        threads.extend(producers::start(&epoch, random)?);
        Ok(Self { epoch, threads })
    }

    /// To be called right before the broker is killed.
    pub(crate) fn ending(&self) {
        self.epoch.ledger.killed(self.epoch.number);
        self.epoch.ending.store(true, Ordering::SeqCst);
    }

    /// To be called after the broker was killed: waits for what the sockets still hold.
    pub(crate) fn join(self) {
        for thread in self.threads {
            thread.join().expect("a thread of the load does not panic");
        }
    }
}

/// Takes everything that is left and says what became of the promises.
pub(crate) fn verdict(epoch: &Epoch) -> Result<Verdict, Box<dyn std::error::Error>> {
    drain::run(epoch)?;
    Ok(epoch.ledger.verdict())
}
