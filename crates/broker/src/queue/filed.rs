//! What waits in a queue, filed by the values that its consumers demand.
//!
//! A consumer whose selector demands a value (`kind = 7`) finds its next message among those of that value, without looking
//! at the others again. The first look through a queue files nothing: most queues are looked through once, each consumer
//! going on where it stopped. Who would look where another has looked before files what it passes, for everybody who
//! demands something of the same header or property: new consumers, and those whose messages came back.
//!
//! ```text
//!   sequence:      1 2 3 4 5 6 7 8 9 …
//!   filed:         ──────────►│           kind: 1 ─► 1, 4    2 ─► 2, 5, 6    absent: nowhere
//!                          `through`      beyond it, messages are looked at one by one
//! ```
//!
//! Only what lies up to `through` and is filed nowhere else is left out; whatever is found is evaluated as ever. So an
//! entry that left may stay filed until somebody comes across it.

use crate::queue::{BANDS, Item};
use ferrymq_model::selector::{Effort, Mark, Subject};
use std::collections::BTreeSet;

/// Subjects by which one queue is filed. For a further one the one that was not used for longest is forgotten.
const SUBJECTS_MAX: usize = 4;
/// Entries filed by one subject, about 50 bytes each. What is behind them is looked at one by one.
const FILED_MAX: usize = 200_000;
/// Filed entries beyond those that wait before what left is forgotten.
const STALE_MAX: usize = 1024;

/// What waits in a queue, by values.
#[derive(Debug, Default)]
pub(crate) struct Filing {
    subjects: Vec<Filed>,
    /// Counts uses.
    uses: u64,
}

/// What waits, by the values of one header or property.
#[derive(Debug)]
pub(crate) struct Filed {
    subject: Subject,
    /// By band: up to this sequence everything is filed that has a value.
    pub(crate) through: [u64; BANDS],
    entries: BTreeSet<(Mark, u8, u64)>,
    used: u64,
}

impl Filing {
    /// The place of a subject.
    pub(crate) fn find(&mut self, subject: &Subject) -> Option<usize> {
        let place = self.subjects.iter().position(|filed| filed.subject == *subject)?;
        self.uses += 1;
        self.subjects[place].used = self.uses;
        Some(place)
    }

    /// Begins to file by a subject.
    pub(crate) fn open(&mut self, subject: &Subject) -> usize {
        if self.subjects.len() == SUBJECTS_MAX {
            let oldest = (0..SUBJECTS_MAX).min_by_key(|&place| self.subjects[place].used).unwrap_or_default();
            self.subjects.swap_remove(oldest);
        }
        self.uses += 1;
        let (through, entries, used) = ([0; BANDS], BTreeSet::new(), self.uses);
        self.subjects.push(Filed { subject: subject.clone(), through, entries, used });
        self.subjects.len() - 1
    }

    /// What is filed at a place.
    pub(crate) fn at(&mut self, place: usize) -> &mut Filed {
        &mut self.subjects[place]
    }

    /// Files an item that comes to where everything is filed: one that came back, or a late one.
    pub(crate) fn came_back(&mut self, item: &Item) {
        for filed in &mut self.subjects {
            let through = &mut filed.through[usize::from(item.band)];
            if item.sequence > *through {
                continue;
            }
            if item.message.is_none() || filed.entries.len() >= FILED_MAX {
                *through = item.sequence - 1;
                continue;
            }
            filed.add(item, &mut Effort::default());
        }
    }

    /// Forgets what left, if that is much.
    pub(crate) fn tidy(&mut self, ready: usize, is_here: impl Fn(usize, u64) -> bool) {
        for filed in &mut self.subjects {
            if filed.entries.len() > STALE_MAX + 2 * ready {
                filed.entries.retain(|(_, band, sequence)| is_here(usize::from(*band), *sequence));
            }
        }
    }
}

impl Filed {
    /// Whether it takes more.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < FILED_MAX
    }

    /// Files an item under the value that it has, and gives its mark.
    pub(crate) fn add(&mut self, item: &Item, effort: &mut Effort) -> Option<Mark> {
        let message = item.message.as_ref()?;
        let mark = self.subject.mark(message, item.redeliveries, effort)?;
        self.entries.insert((mark, item.band, item.sequence));
        Some(mark)
    }

    /// The first entry of a band after a sequence that has one of the marks.
    pub(crate) fn next(&self, marks: &[Mark], band: usize, after: u64) -> Option<u64> {
        let band = u8::try_from(band).expect("bands are few");
        let of = |mark: Mark| self.entries.range((mark, band, after + 1)..=(mark, band, u64::MAX)).next();
        marks.iter().filter_map(|mark| of(*mark)).map(|(_, _, sequence)| *sequence).min()
    }

    /// Forgets an entry that left.
    pub(crate) fn forget(&mut self, marks: &[Mark], band: usize, sequence: u64) {
        let band = u8::try_from(band).expect("bands are few");
        for mark in marks {
            self.entries.remove(&(*mark, band, sequence));
        }
    }
}
