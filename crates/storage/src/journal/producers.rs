//! Up to which sequence each producer's messages were taken: what a client sends again is known by it.
//!
//! The sequence stands in the record of the message itself, so that both are durable or neither is; the whole table is
//! written at the head of each segment, so that it outlives the messages. Producers in use are found by a number, which
//! costs a message no look-up. Only names that nobody uses are forgotten, the longest unused first.

use super::Lsn;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Producers that are remembered: a table of about 6 MB, repeated in each segment.
pub const PRODUCERS_MAX: usize = 65_536;

/// A producer in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerSlot(u32);

/// Every remembered producer is in use: there is no room for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducersFull;

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    /// The sequence that is taken next: all below were taken.
    next: u64,
    /// As `next`, of those that the journal has.
    stored_next: u64,
    /// The record of the last one that the journal has.
    lsn: Lsn,
    users: u32,
    /// When it was last used; counts while nobody uses it.
    used: u64,
}

/// Producers by name.
#[derive(Debug, Default)]
pub struct Producers {
    known: Vec<Option<Known>>,
    free: Vec<u32>,
    names: BTreeMap<Arc<str>, u32>,
    /// Those that nobody uses, the longest unused first.
    idle: BTreeMap<u64, u32>,
    clock: u64,
    /// The last one that a recovery met: messages of one producer follow each other.
    latest: u32,
}

impl Producers {
    /// A producer comes into use, new or again.
    ///
    /// # Errors
    /// As many as may be remembered are in use.
    pub fn open(&mut self, name: &Arc<str>) -> Result<ProducerSlot, ProducersFull> {
        let slot = match self.names.get(name) {
            Some(slot) => *slot,
            None => self.insert(name).ok_or(ProducersFull)?,
        };
        let known = self.known[slot as usize].as_mut().expect("a name leads to a producer");
        self.idle.remove(&known.used);
        known.users += 1;
        Ok(ProducerSlot(slot))
    }

    /// One more uses a producer that is in use.
    pub fn share(&mut self, slot: ProducerSlot) {
        self.in_use(slot).users += 1;
    }

    /// One of its users is gone.
    pub fn close(&mut self, slot: ProducerSlot) {
        let known = self.in_use(slot);
        known.users -= 1;
        if known.users == 0 {
            self.rest(slot.0);
        }
    }

    /// Whether a message with this sequence was taken before; then, the record that it must wait for.
    #[must_use]
    #[inline]
    pub fn taken(&self, slot: ProducerSlot, sequence: u64) -> Option<Lsn> {
        let known = self.known[slot.0 as usize].as_ref().expect("a producer in use is known");
        (sequence < known.next).then_some(known.lsn)
    }

    /// A message that nothing stores was taken.
    #[inline]
    pub fn take(&mut self, slot: ProducerSlot, sequence: u64) {
        let known = self.in_use(slot);
        known.next = known.next.max(sequence.saturating_add(1));
    }

    /// A message was taken by this record.
    #[inline]
    pub(crate) fn store(&mut self, slot: ProducerSlot, sequence: u64, lsn: Lsn) {
        let known = self.in_use(slot);
        known.stored_next = known.stored_next.max(sequence.saturating_add(1));
        known.next = known.next.max(known.stored_next);
        known.lsn = lsn;
    }

    /// Recovery: messages below `next` were taken. What nobody uses and is not remembered is forgotten.
    pub(crate) fn restore(&mut self, name: &Arc<str>, next: u64) {
        let latest = self.known.get(self.latest as usize).and_then(Option::as_ref);
        let slot = match latest {
            Some(known) if Arc::ptr_eq(&known.name, name) || known.name == *name => Some(self.latest),
            _ => self.names.get(name).copied(),
        };
        let Some(slot) = slot.or_else(|| self.insert(name)) else { return };
        self.latest = slot;
        let known = self.known[slot as usize].as_mut().expect("a name leads to a producer");
        known.stored_next = known.stored_next.max(next);
        known.next = known.next.max(next);
        if known.users == 0 {
            self.idle.remove(&known.used);
            self.rest(slot);
        }
    }

    /// Those whose messages the journal has or had: the longest unused first, those in use last.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        let idle = self.idle.values().filter_map(|slot| self.known[*slot as usize].as_ref());
        let used = self.known.iter().flatten().filter(|known| known.users > 0);
        idle.chain(used).filter(|known| known.stored_next > 0).map(|known| (&known.name, known.stored_next))
    }

    /// One of them, in use.
    pub(crate) fn stored_of(&self, slot: ProducerSlot) -> (&Arc<str>, u64) {
        let known = self.known[slot.0 as usize].as_ref().expect("a producer in use is known");
        (&known.name, known.stored_next)
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn in_use(&mut self, slot: ProducerSlot) -> &mut Known {
        self.known[slot.0 as usize].as_mut().expect("a producer in use is known")
    }

    fn rest(&mut self, slot: u32) {
        self.clock += 1;
        let known = self.known[slot as usize].as_mut().expect("a producer that rests is known");
        if known.next == 0 {
            // It never sent anything.
            return self.forget(slot);
        }
        known.used = self.clock;
        self.idle.insert(self.clock, slot);
    }

    fn forget(&mut self, slot: u32) {
        let known = self.known[slot as usize].take().expect("a producer that is forgotten was known");
        self.names.remove(&known.name);
        self.free.push(slot);
    }

    fn insert(&mut self, name: &Arc<str>) -> Option<u32> {
        if self.names.len() >= PRODUCERS_MAX {
            let (_, longest_unused) = self.idle.pop_first()?;
            self.forget(longest_unused);
        }
        let known = Known { name: Arc::clone(name), next: 0, stored_next: 0, lsn: Lsn(0), users: 0, used: 0 };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.known[slot as usize] = Some(known);
                slot
            }
            None => {
                self.known.push(Some(known));
                u32::try_from(self.known.len() - 1).expect("at most as many as are remembered")
            }
        };
        self.names.insert(Arc::clone(name), slot);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_known_by_any_user_of_the_name() {
        let mut producers = Producers::default();
        let name: Arc<str> = "p".into();
        let one = producers.open(&name).unwrap();
        assert_eq!(producers.taken(one, 0), None);
        producers.store(one, 3, Lsn(9));
        producers.take(one, 4);
        let other = producers.open(&name).unwrap();
        producers.close(one);
        assert_eq!((producers.taken(other, 4), producers.taken(other, 5)), (Some(Lsn(9)), None));
        // Only what the journal has is written to it.
        assert_eq!(producers.stored().collect::<Vec<_>>(), [(&name, 4)]);
    }

    #[test]
    fn the_longest_unused_is_forgotten_and_none_in_use() {
        let mut producers = Producers::default();
        let name = |number: usize| -> Arc<str> { format!("p{number}").into() };
        let kept = producers.open(&name(0)).unwrap();
        producers.store(kept, 1, Lsn(1));
        for number in 1..=PRODUCERS_MAX {
            let slot = producers.open(&name(number)).unwrap();
            producers.store(slot, 1, Lsn(1));
            producers.close(slot);
        }
        assert_eq!(producers.len(), PRODUCERS_MAX);
        assert!(producers.taken(kept, 1).is_some());
        let again = producers.open(&name(1)).unwrap();
        assert_eq!(producers.taken(again, 1), None);
        producers.close(again);
        let recent = producers.open(&name(PRODUCERS_MAX)).unwrap();
        assert!(producers.taken(recent, 1).is_some());
    }

    #[test]
    fn one_that_never_sent_is_not_remembered_and_a_table_in_use_is_full() {
        let mut producers = Producers::default();
        let slot = producers.open(&"p".into()).unwrap();
        producers.close(slot);
        assert!(producers.is_empty());
        for number in 0..PRODUCERS_MAX {
            producers.open(&format!("p{number}").into()).unwrap();
        }
        assert_eq!(producers.open(&"one more".into()), Err(ProducersFull));
    }
}
