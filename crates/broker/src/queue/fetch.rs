//! Brings messages back that are paged out.

use crate::broker::{Broker, Fetch, Step};
use crate::queue::{BANDS, EntryState};
use ferrymq_model::Message;
use ferrymq_storage::Placement;
use std::sync::Arc;

/// Messages of one queue that are being read at a time: enough to hide the disk, little enough to hold.
const FETCHES_PER_QUEUE_MAX: usize = 64;
/// Bytes that are being read for one queue at a time, beyond the first message.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Broker {
    /// Asks for paged-out messages of a band: those of these positions.
    pub(crate) fn fetch_these(&mut self, index: u32, band: usize, positions: &[usize], step: &mut Step<'_>) {
        for &position in positions {
            self.fetch_some(index, band, (position, 1), step);
        }
    }

    /// Asks for the paged-out messages of a band from a position on.
    pub(crate) fn fetch_from(&mut self, index: u32, band: usize, position: usize, step: &mut Step<'_>) {
        self.fetch_some(index, band, (position, FETCHES_PER_QUEUE_MAX), step);
    }

    fn fetch_some(&mut self, index: u32, band: usize, (position, count): (usize, usize), step: &mut Step<'_>) {
        let queue = &mut self.queues[index];
        let mut bytes = 0;
        for entry in queue.bands[band].iter_mut().skip(position).take(count) {
            if queue.fetching >= FETCHES_PER_QUEUE_MAX || bytes > FETCH_BYTES_MAX {
                return;
            }
            if entry.state != EntryState::Ready || entry.item.message.is_some() {
                continue;
            }
            let at = entry.item.stored.expect("only what is stored is paged out");
            let store = queue.store.expect("a queue that stores is defined");
            entry.state = EntryState::Fetching;
            queue.fetching += 1;
            bytes += entry.item.size as usize;
            step.out.fetches.push(Fetch { placement: Placement { store, sequence: entry.item.sequence }, at });
        }
    }

    /// Takes a message that was read. One that could not be read is asked for again with the next tick.
    pub(crate) fn take_fetched(&mut self, fetch: Fetch, message: Result<Arc<Message>, String>, step: &mut Step<'_>) {
        let Some(&index) = self.stores.get(&fetch.placement.store.0) else { return };
        let Some((band, position)) = self.queues[index].find(fetch.placement.sequence) else { return };
        let queue = &mut self.queues[index];
        let entry = &mut queue.bands[band][position];
        if entry.state != EntryState::Fetching {
            return;
        }
        match message {
            Ok(message) => {
                entry.state = EntryState::Ready;
                entry.item.message = Some(message);
                queue.grouped |= entry.item.group().is_some();
                queue.fetching -= 1;
                queue.version += 1;
                queue.memory += entry.item.size as usize;
                self.memory += entry.item.size as usize;
                if entry.item.is_expired(step.now.wall) {
                    self.expire_at(index, band, position, step);
                }
            }
            Err(_) => {
                // It is not skipped: what is behind it waits, and the next tick asks for it again. The reader's error is
                // in the log.
                entry.state = EntryState::Ready;
                queue.fetching -= 1;
                if !std::mem::replace(&mut queue.unfinished, true) {
                    self.unfinished.push(index);
                }
                return;
            }
        }
        self.dispatch(index, step);
        self.wake_browsers(index, step);
    }

    /// Asks for one message that must be here before it can leave. False: too many are being read.
    pub(crate) fn fetch_one(&mut self, index: u32, sequence: u64, step: &mut Step<'_>) -> bool {
        let queue = &self.queues[index];
        if queue.fetching >= FETCHES_PER_QUEUE_MAX {
            return false;
        }
        for band in 0..BANDS {
            if let Some(position) = queue.find_in(band, sequence) {
                if queue.bands[band][position].state == EntryState::Ready {
                    self.fetch_from(index, band, position, step);
                }
                return true;
            }
        }
        true
    }
}
