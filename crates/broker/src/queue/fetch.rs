//! Brings messages back that are paged out.

use crate::broker::{Broker, Step};
use crate::queue::{BANDS, EntryState};
use ferrymq_model::Message;
use ferrymq_storage::journal::{Fetch, Fetched};
use ferrymq_storage::{DiskError, Placement};
use std::sync::Arc;

/// Messages of one queue that are being read at a time: enough to hide the disk, little enough to hold.
const FETCHES_PER_QUEUE_MAX: usize = 64;
/// Bytes that are being read for one queue at a time, beyond the first message.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Broker {
    /// Asks for paged-out messages of a band: those of these positions.
    pub(crate) fn fetch_these(&mut self, index: u32, band: usize, positions: &[usize], step: &mut Step<'_>) {
        if self.queues[index].unreadable {
            return;
        }
        for &position in positions {
            self.fetch_some(index, band, (position, 1), step);
        }
    }

    /// Asks for the paged-out messages of a band from a position on; where enough are being read, when those are here.
    pub(crate) fn fetch_from(&mut self, index: u32, band: usize, position: usize, step: &mut Step<'_>) {
        // Many together cost the reader little more than one; and a step does not look at the same ones again and again.
        let queue = &self.queues[index];
        if queue.fetching <= FETCHES_PER_QUEUE_MAX / 2 && !queue.unreadable {
            self.fetch_some(index, band, (position, FETCHES_PER_QUEUE_MAX), step);
        }
    }

    fn fetch_some(&mut self, index: u32, band: usize, (position, count): (usize, usize), step: &mut Step<'_>) {
        let queue = &mut self.queues[index];
        let store = queue.store;
        let entries = &mut queue.bands[band];
        let end = position.saturating_add(count).min(entries.len());
        for entry in entries.range_mut(position.min(end)..end) {
            if queue.fetching >= FETCHES_PER_QUEUE_MAX || queue.fetching_bytes > FETCH_BYTES_MAX {
                return;
            }
            if entry.state != EntryState::Ready || entry.item.message.is_some() {
                continue;
            }
            let at = entry.item.stored.expect("only what is stored is paged out");
            let store = store.expect("a queue that stores is defined");
            entry.state = EntryState::Fetching;
            queue.fetching += 1;
            queue.fetching_bytes += entry.item.size as usize;
            step.out.fetches.push(Fetch { placement: Placement { store, sequence: entry.item.sequence }, at });
        }
    }

    /// Takes messages of one queue that were read, and goes on with it. Those that could not be read are asked for again
    /// with the next tick.
    pub(crate) fn take_fetched(&mut self, index: u32, read: &[Fetched], step: &mut Step<'_>) {
        for Fetched { fetch, message } in read {
            self.take_one_fetched(index, fetch.placement.sequence, message, step);
        }
        self.dispatch(index, step);
        self.wake_browsers(index, step);
    }

    fn take_one_fetched(
        &mut self,
        index: u32,
        sequence: u64,
        message: &Result<Arc<Message>, DiskError>,
        step: &mut Step<'_>,
    ) {
        let queue = &mut self.queues[index];
        let Some((band, position)) = queue.find(sequence) else { return };
        let entry = &mut queue.bands[band][position];
        if entry.state != EntryState::Fetching {
            return;
        }
        let size = entry.item.size as usize;
        entry.state = EntryState::Ready;
        queue.fetching -= 1;
        queue.fetching_bytes -= size;
        match message {
            Ok(message) => {
                entry.item.message = Some(Arc::clone(message));
                queue.grouped |= entry.item.group().is_some();
                queue.version += 1;
                queue.memory += size;
                self.memory += size;
                if entry.item.is_expired(step.now.wall) {
                    self.expire_at(index, band, position, step);
                }
            }
            Err(_) => {
                // It is not skipped: what is behind it waits, and the next tick asks for it again. The reader's error is
                // in the log.
                if let Some(at) = entry.item.expiration {
                    self.expirations.insert((at.0, index, entry.item.sequence));
                }
                queue.unreadable = true;
                if !std::mem::replace(&mut queue.unfinished, true) {
                    self.unfinished.push(index);
                }
            }
        }
    }

    /// Asks for one message that must be here before it can leave. False: too many are being read.
    pub(crate) fn fetch_one(&mut self, index: u32, sequence: u64, step: &mut Step<'_>) -> bool {
        let queue = &self.queues[index];
        if queue.fetching >= FETCHES_PER_QUEUE_MAX || queue.fetching_bytes > FETCH_BYTES_MAX {
            return false;
        }
        for band in 0..BANDS {
            if let Some(position) = queue.find_in(band, sequence) {
                if queue.bands[band][position].state == EntryState::Ready {
                    self.fetch_some(index, band, (position, FETCHES_PER_QUEUE_MAX), step);
                }
                return true;
            }
        }
        true
    }
}
