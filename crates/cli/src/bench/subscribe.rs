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
use super::stomp::Answer;
use super::workload::{Acknowledge, BODY_BYTES_MIN, Workload};

/// Runs all consumers until the run is over; gives the times from sending to receiving, in nanoseconds.
pub(super) async fn subscribe(
    workload: &Workload,
    consumers: Vec<Introduced>,
    progress: &Arc<Progress>,
) -> io::Result<Histogram<u64>> {
    let histogram = Rc::new(RefCell::new(super::histogram()));
    let mut tasks = JoinSet::new();
    let acknowledge_every = match workload.acknowledge {
        Acknowledge::Auto => None,
        Acknowledge::Client => Some(workload.acknowledge_every),
        Acknowledge::Individual => Some(1),
    };
    for introduced in consumers {
        let receiver = Receiver {
            connection: introduced.enter()?,
            acknowledge_every,
            unacknowledged: 0,
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
    acknowledge_every: Option<u32>,
    unacknowledged: u32,
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
        let Receiver { connection, acknowledge_every, unacknowledged, progress, histogram } = self;
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
                    let (Some(every), Some(ack)) = (*acknowledge_every, ack) else { return };
                    *unacknowledged += 1;
                    if *unacknowledged >= every {
                        *unacknowledged = 0;
                        out.extend_from_slice(b"ACK\nid:");
                        out.extend_from_slice(ack);
                        out.extend_from_slice(b"\n\n\0");
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
