//! Lets durable messages leave memory when their queue grows; the journal keeps them.

use crate::broker::{Broker, Step};
use crate::queue::{EntryState, Item};
use crate::session::Full;

/// The part of a memory limit from which on durable messages leave memory. Producers wait only at the limit itself,
/// so a backlog of durable messages stops nobody.
const PAGING_PERCENT: usize = 50;

impl Broker {
    /// Whether a queue keeps no more durable messages in memory than it has.
    pub(crate) fn is_paging(&self, index: u32) -> bool {
        self.queues[index].memory >= self.settings.destination_memory_limit_bytes / 100 * PAGING_PERCENT
            || self.memory >= self.settings.memory_limit_bytes / 100 * PAGING_PERCENT
    }

    /// Notes that a message which is about to wait shall leave memory as soon as it is durable.
    #[inline]
    pub(crate) fn plan_page_out(&mut self, index: u32, item: &Item) {
        if item.stored.is_none() || item.message.is_none() || !self.is_paging(index) {
            return;
        }
        let planned = (item.lsn, index, item.band, item.sequence);
        // Returned messages are durable already and come out of order: they leave at the next flush, whichever it is.
        self.page_out.push_back(planned);
        self.queues[index].leaving += 1;
    }

    /// Lets messages leave memory that are durable now, and producers go on that waited for that.
    pub(crate) fn page_out_durable(&mut self, step: &mut Step<'_>) {
        while let Some(&(lsn, index, band, sequence)) = self.page_out.front() {
            if lsn > self.flushed {
                break;
            }
            self.page_out.pop_front();
            if self.queues.get(index).is_none() {
                continue;
            }
            self.queues[index].leaving -= 1;
            if !self.is_paging(index) {
                continue;
            }
            let queue = &mut self.queues[index];
            let Some(position) = queue.find_in(usize::from(band), sequence) else { continue };
            let entry = &mut queue.bands[usize::from(band)][position];
            let item = &mut entry.item;
            if entry.state == EntryState::Ready && item.stored.is_some() && item.lsn <= self.flushed {
                queue.memory -= item.resident();
                self.memory -= item.resident();
                item.message = None;
                if !queue.paused.is_empty() {
                    self.resume_if_free(Full::Queue(index), step);
                }
            }
        }
        if !self.paused.is_empty() {
            self.resume_if_free(Full::Broker, step);
        }
    }

    /// Whether a restored message may stay in memory.
    pub(crate) fn keeps_restored(&self, index: u32) -> bool {
        !self.is_paging(index)
    }
}
