//! The producers' thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;
use tokio::io::Interest;
use tokio::task::JoinSet;

use super::connection::{Connection, Introduced};
use super::pace::Schedule;
use super::progress::Progress;
use super::wire::{Answer, Sending, Template};
use super::workload::{Pace, Workload};
use crate::address::Target;

/// Bytes that are gathered before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// A producer that is ready to go.
pub(super) struct Producer {
    pub(super) introduced: Introduced,
    pub(super) destination: Target,
}

/// Runs all producers until the run is over; gives the times from sending to receipt, in nanoseconds.
pub(super) async fn publish(
    workload: &Workload,
    producers: Vec<Producer>,
    progress: &Arc<Progress>,
) -> io::Result<Histogram<u64>> {
    let histogram = Rc::new(RefCell::new(super::histogram()));
    let mut tasks = JoinSet::new();
    let count = producers.len();
    let start = progress.now();
    for (index, producer) in producers.into_iter().enumerate() {
        let schedule = match workload.pace {
            Pace::Rate(rate) => Some(Schedule::new(rate, index, count, start)?),
            Pace::Window(_) | Pace::Flood => None,
        };
        let receipts = workload.in_flight.map(|limit| Receipts {
            limit: limit as u64,
            first: 0,
            sent_at: VecDeque::with_capacity(limit),
            outstanding: 0,
        });
        let sending = Sending {
            destination: &producer.destination,
            size: workload.size,
            persistent: workload.persistent,
            receipts: receipts.is_some(),
            run: progress.run,
        };
        let template = Template::new(workload.protocol, &producer.introduced.identity, &sending);
        let sender = Sender {
            connection: producer.introduced.enter()?,
            template,
            receipts,
            schedule,
            progress: Arc::clone(progress),
            histogram: Rc::clone(&histogram),
        };
        tasks.spawn_local(sender.run());
    }
    super::until_over(tasks, progress).await;
    let histogram = histogram.borrow().clone();
    Ok(histogram)
}

/// Receipts that one producer waits for. They may come in any order.
struct Receipts {
    limit: u64,
    /// The number of the message whose moment is first in `sent_at`.
    first: u64,
    /// When each message was sent or should have been; none: its receipt came.
    sent_at: VecDeque<Option<u64>>,
    outstanding: u64,
}

impl Receipts {
    /// Room left; a receipt that never comes holds the numbers behind it back in the end.
    fn room(&self) -> u64 {
        self.limit.saturating_sub(self.outstanding)
    }

    fn push(&mut self, sent_at: u64) -> u64 {
        self.sent_at.push_back(Some(sent_at));
        self.outstanding += 1;
        self.first + self.sent_at.len() as u64 - 1
    }

    /// When the message was sent, if its receipt was still awaited.
    fn take(&mut self, number: u64) -> Option<u64> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let sent_at = self.sent_at.get_mut(index)?.take()?;
        self.outstanding -= 1;
        while self.sent_at.front().is_some_and(Option::is_none) {
            self.sent_at.pop_front();
            self.first += 1;
        }
        Some(sent_at)
    }
}

/// What a producer waits for when it has written what it may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing: there is more to send.
    Nothing,
    /// Consumers, before the window has room.
    Room,
    /// The socket or a receipt.
    Socket,
    /// The moment of the next message.
    Moment,
}

struct Sender {
    connection: Connection,
    template: Template,
    receipts: Option<Receipts>,
    schedule: Option<Schedule>,
    progress: Arc<Progress>,
    histogram: Rc<RefCell<Histogram<u64>>>,
}

impl Sender {
    async fn run(mut self) -> io::Result<()> {
        let progress = Arc::clone(&self.progress);
        loop {
            let room = progress.room.notified();
            tokio::pin!(room);
            // Before the look at the window, so that what makes room after it is not missed.
            room.as_mut().enable();
            self.connection.flush()?;
            self.receive()?;
            let wait = self.fill();
            self.connection.flush()?;
            let interest =
                if self.connection.is_writing() { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let wait = if self.connection.is_writing() { Wait::Socket } else { wait };
            let now = progress.now();
            let ready = self.connection.stream.ready(interest);
            match (wait, &self.schedule) {
                (Wait::Nothing, _) => tokio::task::yield_now().await,
                (Wait::Moment, Some(schedule)) => tokio::select! {
                    ready = ready => { ready?; }
                    due = schedule.wait(now) => due?,
                },
                (Wait::Room, _) => tokio::select! {
                    ready = ready => { ready?; }
                    () = room => {}
                },
                (Wait::Socket | Wait::Moment, _) => {
                    ready.await?;
                }
            }
        }
    }

    /// Gathers what may be sent now, up to a batch.
    fn fill(&mut self) -> Wait {
        if self.connection.is_writing() {
            return Wait::Socket;
        }
        let mut allowance = self.progress.allowance();
        if allowance == 0 {
            return Wait::Room;
        }
        if let Some(receipts) = &self.receipts {
            allowance = allowance.min(receipts.room());
            if allowance == 0 {
                return Wait::Socket;
            }
        }
        let now = self.progress.now();
        let batch = allowance.min((BATCH_BYTES / self.template.len()).max(1) as u64);
        let mut sent = 0;
        while sent < batch {
            let sent_at = match &mut self.schedule {
                None => now,
                Some(schedule) if schedule.due() > now => break,
                Some(schedule) => {
                    let due = schedule.due();
                    schedule.advance();
                    due
                }
            };
            let receipt = self.receipts.as_mut().map_or(0, |receipts| receipts.push(sent_at));
            self.template.append(&mut self.connection.out, sent_at, receipt);
            sent += 1;
        }
        self.progress.sent.add(sent);
        if self.schedule.as_ref().is_some_and(|schedule| schedule.due() > now) { Wait::Moment } else { Wait::Nothing }
    }

    /// Takes receipts.
    fn receive(&mut self) -> io::Result<()> {
        let Sender { connection, receipts, progress, histogram, .. } = self;
        let measuring = progress.measuring.load(Ordering::Relaxed);
        let mut histogram = histogram.borrow_mut();
        let mut confirmed = 0;
        let mut refusal = None;
        connection.receive(
            || progress.now(),
            |answer, now, _out| match answer {
                Answer::Receipt(number) => {
                    if let Some(sent_at) = receipts.as_mut().and_then(|receipts| receipts.take(number)) {
                        confirmed += 1;
                        if measuring {
                            histogram.saturating_record(now.saturating_sub(sent_at));
                        }
                    }
                }
                Answer::Error(words) => refusal = Some(words),
                Answer::Message { .. } | Answer::Connected | Answer::Other => {}
            },
        )?;
        progress.confirmed.add(confirmed);
        refusal.map_or(Ok(()), |words| Err(super::refused(&words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_may_come_in_any_order_and_count_once() {
        let mut receipts = Receipts { limit: 3, first: 0, sent_at: VecDeque::new(), outstanding: 0 };
        assert_eq!([receipts.push(10), receipts.push(11), receipts.push(12)], [0, 1, 2]);
        assert_eq!(receipts.room(), 0);
        assert_eq!(receipts.take(1), Some(11));
        assert_eq!(receipts.take(1), None, "a second receipt for the same message");
        assert_eq!(receipts.take(7), None, "a receipt for nothing");
        assert_eq!(receipts.take(0), Some(10));
        assert_eq!(receipts.push(13), 3);
        assert_eq!(receipts.take(2), Some(12));
        assert_eq!(receipts.take(3), Some(13));
        assert_eq!(receipts.room(), 3);
    }
}
