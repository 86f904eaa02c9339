//! Where a consumer of a choosy queue finds its next message.
//!
//! Each consumer goes through the queue once, and on from where it stopped. Where one would go over what others have gone
//! over, as a new consumer does, or all of them after a message came back, the queue is filed by what selectors demand
//! (see `queue/filed.rs`), and who demands something comes across its candidates alone.

use crate::broker::{Broker, Step};
use crate::choose::Found;
use crate::queue::{BANDS, EntryState, Queue};
use crate::subscription::{Subscription, cost_of};
use ferrymq_model::WallTime;
use ferrymq_model::selector::Effort;
use ferrymq_storage::Lsn;

/// Messages of one value that are read back together.
const READ_TOGETHER_MAX: usize = 64;

/// What one look may use, and what it gave back.
struct Look<'a> {
    flushed: Lsn,
    now: WallTime,
    /// Whether durable messages leave memory once they were looked at.
    pages: bool,
    /// As many messages that others have looked at are filed.
    filed_from: usize,
    /// Messages that it may still examine.
    budget: &'a mut usize,
    /// Bytes that left memory.
    freed: usize,
}

/// What a consumer came across.
enum Seen {
    /// A message for it, at a position.
    Wanted(usize),
    /// A worthless one.
    Expired(usize),
    /// These are paged out.
    Away(Vec<usize>),
    /// From here on all are paged out, or some.
    AwayFrom(usize),
    /// It waits for its commit, and what is behind it waits with it.
    Held,
    /// It may examine no more.
    Unfinished,
    /// Nothing for it.
    Passed,
}

impl Broker {
    /// The next message for one consumer, remembering which are not for it.
    pub(crate) fn next_for(&mut self, index: u32, place: usize, budget: &mut usize, step: &mut Step<'_>) -> Found {
        let (pages, filed_from) = (self.is_paging(index), self.settings.filed_from);
        let mut look = Look { flushed: self.flushed, now: step.now.wall, pages, filed_from, budget, freed: 0 };
        let queue = &mut self.queues[index];
        let subscription = &self.subscriptions[queue.consumers[place].subscription];
        let mut found = Found::Nothing;
        let mut away = None;
        queue.tidy_filing();
        for band in (0..BANDS).rev() {
            if queue.bands[band].is_empty() {
                continue;
            }
            let seen = queue.look_through(place, band, subscription, &mut look);
            queue.looked[band] = queue.looked[band].max(queue.consumers[place].examined[band]);
            match seen {
                Seen::Passed => continue,
                Seen::Held => {
                    found = Found::Coming;
                    continue;
                }
                Seen::Wanted(position) => found = Found::At(band, position),
                Seen::Expired(position) => found = Found::Expired(band, position),
                Seen::Unfinished => found = Found::Unfinished,
                Seen::Away(_) | Seen::AwayFrom(_) => away = Some((band, seen)),
            }
            break;
        }
        self.memory -= look.freed;
        match away {
            Some((band, Seen::AwayFrom(position))) => self.fetch_from(index, band, position, step),
            Some((band, Seen::Away(positions))) => self.fetch_these(index, band, &positions, step),
            Some(_) | None => return found,
        }
        Found::Coming
    }
}

impl Queue {
    /// The next message of a band for a consumer.
    fn look_through(&mut self, place: usize, band: usize, subscription: &Subscription, look: &mut Look<'_>) -> Seen {
        let Some(filed) = self.filed_for(place, band, look.filed_from) else {
            let start = self.consumers[place].examined[band];
            return self.look_on(place, band, (start, None), subscription, look);
        };
        match self.look_up(place, band, filed, subscription, look) {
            Seen::Passed => {}
            found => return found,
        }
        let examined = self.consumers[place].examined[band];
        let by_subject = self.filing.get_or_insert_default().at(filed);
        let through = by_subject.through[band];
        let files =
            by_subject.has_room() && (examined == through || self.count_looked_at(band, examined) >= look.filed_from);
        let start = if files { (through, Some(filed)) } else { (examined, None) };
        self.look_on(place, band, start, subscription, look)
    }

    /// Where the queue is filed by what a consumer demands. Begins with it where others have looked before.
    fn filed_for(&mut self, place: usize, band: usize, filed_from: usize) -> Option<usize> {
        let consumer = &self.consumers[place];
        let (subject, _) = self.audience.demanded(consumer.selector?)?;
        if let Some(found) = self.filing.as_mut().and_then(|filing| filing.find(subject)) {
            return Some(found);
        }
        (self.count_looked_at(band, consumer.examined[band]) >= filed_from)
            .then(|| self.filing.get_or_insert_default().open(subject))
    }

    /// Messages behind a sequence that somebody has looked at.
    fn count_looked_at(&self, band: usize, examined: u64) -> usize {
        let looked = self.looked[band];
        let up_to = |sequence| self.bands[band].partition_point(|entry| entry.item.sequence <= sequence);
        if looked > examined { up_to(looked) - up_to(examined) } else { 0 }
    }

    /// The next message among those that are filed under what a consumer demands.
    fn look_up(
        &mut self,
        place: usize,
        band: usize,
        filed: usize,
        subscription: &Subscription,
        look: &mut Look<'_>,
    ) -> Seen {
        loop {
            let consumer = &mut self.consumers[place];
            let examined = consumer.examined[band];
            let demanded = consumer.selector.and_then(|number| self.audience.demanded(number));
            let (_, marks) = demanded.expect("what is filed is demanded");
            let by_subject = self.filing.get_or_insert_default().at(filed);
            let through = by_subject.through[band];
            let Some(sequence) = by_subject.next(marks, band, examined).filter(|sequence| *sequence <= through) else {
                consumer.examined[band] = examined.max(through);
                return Seen::Passed;
            };
            let Some(position) = self.find_in(band, sequence) else {
                self.filing.get_or_insert_default().at(filed).forget(marks, band, sequence);
                continue;
            };
            match self.look_at(place, band, (position, None), subscription, look) {
                Seen::Passed => {}
                Seen::AwayFrom(_) => return Seen::Away(self.filed_alike(place, band, filed, sequence)),
                found => return found,
            }
        }
    }

    /// The positions of what is filed as a message is, and of that message.
    fn filed_alike(&mut self, place: usize, band: usize, filed: usize, sequence: u64) -> Vec<usize> {
        let demanded = self.consumers[place].selector.and_then(|number| self.audience.demanded(number));
        let (_, marks) = demanded.expect("what is filed is demanded");
        let by_subject = self.filing.get_or_insert_default().at(filed);
        let mut sequences = vec![sequence];
        while sequences.len() < READ_TOGETHER_MAX
            && let Some(next) = sequences.last().and_then(|last| by_subject.next(marks, band, *last))
        {
            sequences.push(next);
        }
        sequences.into_iter().filter_map(|sequence| self.find_in(band, sequence)).collect()
    }

    /// The next message behind a sequence, looking at one after the other, and filing them by a subject.
    fn look_on(
        &mut self,
        place: usize,
        band: usize,
        (start, files): (u64, Option<usize>),
        subscription: &Subscription,
        look: &mut Look<'_>,
    ) -> Seen {
        let start = self.bands[band].partition_point(|entry| entry.item.sequence <= start);
        for position in start..self.bands[band].len() {
            if !self.bands[band][position].is_live() {
                continue;
            }
            match self.look_at(place, band, (position, files), subscription, look) {
                Seen::Passed => {}
                found => return found,
            }
        }
        Seen::Passed
    }

    /// Looks at one message.
    fn look_at(
        &mut self,
        place: usize,
        band: usize,
        (position, files): (usize, Option<usize>),
        subscription: &Subscription,
        look: &mut Look<'_>,
    ) -> Seen {
        let consumer = &mut self.consumers[place];
        let entry = &mut self.bands[band][position];
        let item = &mut entry.item;
        if item.is_held(look.flushed) {
            return Seen::Held;
        }
        let Some(message) = item.message.as_ref().filter(|_| entry.state == EntryState::Ready) else {
            return Seen::AwayFrom(position);
        };
        if item.is_expired(look.now) {
            return Seen::Expired(position);
        }
        if *look.budget == 0 {
            return Seen::Unfinished;
        }
        let mut may_want = item.sequence > consumer.examined[band];
        let by_subject = files.map(|filed| self.filing.get_or_insert_default().at(filed));
        if let Some(by_subject) = by_subject.filter(|by_subject| by_subject.has_room()) {
            let mut effort = Effort::default();
            let mark = by_subject.add(item, &mut effort);
            by_subject.through[band] = item.sequence;
            *look.budget = look.budget.saturating_sub(cost_of(effort));
            let demanded = consumer.selector.and_then(|number| self.audience.demanded(number));
            may_want &= demanded.is_some_and(|(_, marks)| mark.is_some_and(|mark| marks.contains(&mark)));
        }
        if may_want {
            let owner = item.group().and_then(|group| self.groups.owner(group));
            if owner.is_some_and(|owner| owner != consumer.subscription) {
                *look.budget = look.budget.saturating_sub(1);
            } else if subscription.wants_within(message, item.redeliveries, look.budget) {
                return Seen::Wanted(position);
            }
        }
        consumer.examined[band] = consumer.examined[band].max(item.sequence);
        if look.pages && item.stored.is_some() && item.lsn <= look.flushed {
            let resident = item.resident();
            item.message = None;
            self.memory -= resident;
            look.freed += resident;
        }
        Seen::Passed
    }

    fn tidy_filing(&mut self) {
        if let Some(mut filing) = self.filing.take() {
            filing.tidy(self.ready, |band, sequence| self.find_in(band, sequence).is_some());
            self.filing = Some(filing);
        }
    }
}
