//! The consumers' thread.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;
use tokio::io::Interest;
use tokio::task::JoinSet;

use super::connection::{Connection, Introduced};
use super::progress::Progress;
use super::wire::{Acknowledger, Answer, Protocol};
use super::workload::{Acknowledge, BODY_BYTES_MIN, Workload};
use crate::address::Target;

/// A consumer that is ready to go.
pub(super) struct Consumer {
    pub(super) introduced: Introduced,
    pub(super) destination: Target,
}

/// Runs all consumers until the run is over; gives the times from sending to receiving, in nanoseconds.
pub(super) async fn subscribe(
    workload: &Workload,
    consumers: Vec<Consumer>,
    progress: &Arc<Progress>,
) -> io::Result<Histogram<u64>> {
    let histogram = Rc::new(RefCell::new(super::histogram()));
    let mut tasks = JoinSet::new();
    let acknowledge_every = match (workload.acknowledge, workload.protocol) {
        (Acknowledge::Auto, Protocol::Stomp) => None,
        // What JMS does by itself, the client does for it.
        (Acknowledge::Auto, Protocol::Openwire) | (Acknowledge::Individual, _) => Some(1),
        (Acknowledge::Client, _) => Some(workload.acknowledge_every),
    };
    for Consumer { introduced, destination } in consumers {
        let acknowledger = acknowledge_every
            .map(|every| Acknowledger::new(workload.protocol, every, &introduced.identity, &destination));
        let receiver = Receiver {
            connection: introduced.enter()?,
            acknowledger,
            progress: Arc::clone(progress),
            histogram: Rc::clone(&histogram),
        };
        tasks.spawn_local(receiver.run());
    }
    super::until_over(tasks, progress).await;
    let histogram = histogram.borrow().clone();
    Ok(histogram)
}

struct Receiver {
    connection: Connection,
    acknowledger: Option<Acknowledger>,
    progress: Arc<Progress>,
    histogram: Rc<RefCell<Histogram<u64>>>,
}

impl Receiver {
    async fn run(mut self) -> io::Result<()> {
        loop {
            self.receive()?;
            self.connection.flush()?;
            let interest =
                if self.connection.is_writing() { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            self.connection.stream.ready(interest).await?;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let Receiver { connection, acknowledger, progress, histogram } = self;
        let measuring = progress.measuring.load(Ordering::Relaxed);
        let mut histogram = histogram.borrow_mut();
        let (mut received, mut foreign) = (0, 0);
        let mut refusal = None;
        let result = connection.receive(
            || progress.now(),
            |answer, now, out| match answer {
                Answer::Message { ack, body } => {
                    match sent_at(body, progress.run) {
                        Some(sent_at) => {
                            received += 1;
                            if measuring {
                                histogram.saturating_record(now.saturating_sub(sent_at));
                            }
                        }
                        None => foreign += 1,
                    }
                    if let (Some(acknowledger), Some(ack)) = (acknowledger.as_mut(), ack) {
                        acknowledger.consumed(ack, out);
                    }
                }
                Answer::Error(words) => refusal = Some(words),
                Answer::Receipt(_) | Answer::Connected | Answer::Other => {}
            },
        );
        progress.foreign.add(foreign);
        if received > 0 {
            progress.count_received(received);
        }
        result?;
        refusal.map_or(Ok(()), |words| Err(super::refused(&words)))
    }
}

/// When a message of this run was sent.
fn sent_at(body: &[u8], run: u64) -> Option<u64> {
    let stamp: &[u8; BODY_BYTES_MIN] = body.first_chunk()?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    (number(&stamp[8..])? == run).then_some(number(&stamp[..8])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_this_run_have_a_time() {
        let body = [7u64.to_le_bytes(), 3u64.to_le_bytes(), [1; 8]].concat();
        assert_eq!(sent_at(&body, 3), Some(7));
        assert_eq!(sent_at(&body, 4), None);
        assert_eq!(sent_at(&body[..15], 3), None);
    }
}
