//! What was sent, confirmed, received and acknowledged, and what follows from it.

use super::{Kind, LANES};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// The mark "was delivered before" is written with the next batch of the journal, so the last deliveries before a
/// crash may come back without it. Older ones may not. Milliseconds.
const UNMARKED_GRACE_MS: u64 = 1_000;
/// Complaints kept as text; all are counted.
const COMPLAINTS_MAX: usize = 20;

/// Which message: its lane and its place in it.
pub(crate) type Id = (usize, usize);

/// What the producer knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Sent, not confirmed: may be there or not.
    Sent,
    /// In a transaction whose commit was not asked for: must not be seen.
    Held,
    /// In a transaction whose commit was asked for: all or nothing.
    Committing,
    /// Must be delivered.
    Confirmed,
}

/// What the consumer knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Settled {
    No,
    /// The acknowledgement was sent, not confirmed: may come back or not.
    Asked,
    /// Must not come back.
    Confirmed,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    fate: Fate,
    settled: Settled,
    /// The epoch of the last delivery, counted from 1; 0: never delivered.
    epoch: u32,
    /// When, since the campaign began.
    received_ms: u64,
}

/// What the campaign found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) sent: usize,
    pub(crate) confirmed: usize,
    pub(crate) deliveries: usize,
    /// Deliveries of a message that an earlier epoch had seen already.
    pub(crate) redelivered: usize,
    /// Confirmed, and never delivered or never given back.
    pub(crate) lost: usize,
    /// Delivered after its acknowledgement was confirmed, or twice in one epoch.
    pub(crate) returned: usize,
    /// Seen although its transaction was not committed.
    pub(crate) dirty: usize,
    /// Transactions of which some parts happened and others did not.
    pub(crate) torn: usize,
    /// Delivered behind a later message of its producer.
    pub(crate) disordered: usize,
    /// Delivered again without `redelivered:true`.
    pub(crate) unmarked: usize,
    /// Errors and silences while the broker should have worked, and messages nobody sent.
    pub(crate) complaints: usize,
    /// Confirmed messages of automatic acknowledgement that the crash caught between broker and client: allowed.
    pub(crate) unseen_automatic: usize,
    /// The first complaints as text.
    pub(crate) told: Vec<String>,
}

impl Verdict {
    /// Another campaign's findings beside these.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { sent, confirmed, deliveries, redelivered, lost, returned, dirty, torn, .. } = other;
        let pairs = [
            (&mut self.sent, sent),
            (&mut self.confirmed, confirmed),
            (&mut self.deliveries, deliveries),
            (&mut self.redelivered, redelivered),
            (&mut self.lost, lost),
            (&mut self.returned, returned),
            (&mut self.dirty, dirty),
            (&mut self.torn, torn),
            (&mut self.disordered, other.disordered),
            (&mut self.unmarked, other.unmarked),
            (&mut self.complaints, other.complaints),
            (&mut self.unseen_automatic, other.unseen_automatic),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
        self.told.extend(other.told);
    }

    /// Whether every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        let broken = [self.lost, self.returned, self.dirty, self.torn, self.disordered, self.unmarked, self.complaints];
        broken.iter().all(|&count| count == 0)
    }
}

struct State {
    lanes: Vec<Vec<Entry>>,
    /// Milliseconds since the beginning at which each epoch was killed; index 0 is epoch 1.
    kills: Vec<u64>,
    /// Producer transactions whose commit was not answered.
    open_commits: Vec<(usize, Range<usize>)>,
    /// Consumer transactions whose commit was not answered, with their epoch.
    open_settles: Vec<(u32, Vec<Id>)>,
    found: Verdict,
}

/// Shared by all threads of a campaign.
pub(crate) struct Ledger {
    begin: Instant,
    state: Mutex<State>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let state = State {
            lanes: vec![Vec::new(); LANES.len()],
            kills: Vec::new(),
            open_commits: Vec::new(),
            open_settles: Vec::new(),
            found: Verdict::default(),
        };
        Self { begin: Instant::now(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of a campaign panics")
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).expect("a campaign is shorter than the age of the world")
    }

    /// A new message of the lane; gives its place.
    pub(crate) fn sent(&self, lane: usize, fate: Fate) -> usize {
        let mut state = self.state();
        state.found.sent += 1;
        state.lanes[lane].push(Entry { fate, settled: Settled::No, epoch: 0, received_ms: 0 });
        state.lanes[lane].len() - 1
    }

    /// The producer learnt more about some of its messages.
    pub(crate) fn fated(&self, lane: usize, messages: Range<usize>, fate: Fate) {
        let mut state = self.state();
        if fate == Fate::Confirmed {
            state.found.confirmed += messages.len();
        }
        state.lanes[lane][messages].iter_mut().for_each(|entry| entry.fate = fate);
    }

    /// The broker died between the commit and its confirmation.
    pub(crate) fn commit_unanswered(&self, lane: usize, messages: Range<usize>) {
        self.state().open_commits.push((lane, messages));
    }

    /// Messages of the lane that nobody received yet.
    pub(crate) fn backlog(&self, lane: usize) -> usize {
        let state = self.state();
        // The tail is enough: what is older was received, or is what the campaign will find.
        state.lanes[lane].iter().rev().take_while(|entry| entry.epoch == 0).count()
    }

    /// A delivery reached a consumer.
    pub(crate) fn received(&self, (lane, place): Id, epoch: u32, redelivered: bool) {
        let now = self.now_ms();
        let mut state = self.state();
        let state = &mut *state;
        state.found.deliveries += 1;
        let Some(entry) = state.lanes.get_mut(lane).and_then(|lane| lane.get_mut(place)) else {
            state.complain(format!("epoch {epoch}: a message nobody sent: {lane}/{place}"));
            return;
        };
        let before = *entry;
        *entry = Entry { epoch, received_ms: now, settled: Settled::No, ..before };
        if before.fate == Fate::Held {
            state.found.dirty += 1;
            state.tell(format!("epoch {epoch}: {lane}/{place} of a transaction that was not committed"));
        }
        if before.settled == Settled::Confirmed || before.epoch == epoch {
            state.found.returned += 1;
            state.tell(format!("epoch {epoch}: {lane}/{place} came back: {before:?}"));
        } else if before.epoch != 0 {
            state.found.redelivered += 1;
            let killed = state.kills[before.epoch as usize - 1];
            if !redelivered && before.received_ms + UNMARKED_GRACE_MS < killed {
                state.found.unmarked += 1;
                state.tell(format!("epoch {epoch}: {lane}/{place} again without its mark: {before:?}"));
            }
        }
    }

    /// The acknowledgement of a message goes out.
    pub(crate) fn settle_asked(&self, id: Id) {
        self.settled(id, Settled::Asked);
    }

    /// The acknowledgement of a message was confirmed.
    pub(crate) fn settle_confirmed(&self, id: Id) {
        self.settled(id, Settled::Confirmed);
    }

    fn settled(&self, (lane, place): Id, settled: Settled) {
        if let Some(entry) = self.state().lanes.get_mut(lane).and_then(|lane| lane.get_mut(place)) {
            entry.settled = settled;
        }
    }

    /// The broker died between the commit of acknowledgements and its confirmation.
    pub(crate) fn settle_unanswered(&self, epoch: u32, messages: Vec<Id>) {
        self.state().open_settles.push((epoch, messages));
    }

    /// A consumer saw a producer's messages in another order than they were sent.
    pub(crate) fn disordered(&self, told: String) {
        let mut state = self.state();
        state.found.disordered += 1;
        state.tell(told);
    }

    /// Something that should not happen while the broker runs.
    pub(crate) fn complain(&self, told: String) {
        self.state().complain(told);
    }

    /// The broker of this epoch is about to die.
    pub(crate) fn killed(&self, epoch: u32) {
        let now = self.now_ms();
        let mut state = self.state();
        assert_eq!(state.kills.len() + 1, epoch as usize, "epochs end in order");
        state.kills.push(now);
    }

    /// What became of everything; right only after all that was left has been taken.
    pub(crate) fn verdict(&self) -> Verdict {
        let mut state = self.state();
        let mut verdict = state.found.clone();
        for (number, lane) in state.lanes.iter().enumerate() {
            let missing = lane.iter().filter(|entry| entry.fate == Fate::Confirmed && entry.settled == Settled::No);
            if LANES[number] == Kind::Automatic {
                verdict.unseen_automatic += missing.filter(|entry| entry.epoch == 0).count();
                continue;
            }
            verdict.lost += missing.clone().count();
            let first = lane.iter().position(|entry| entry.fate == Fate::Confirmed && entry.settled == Settled::No);
            verdict.told.extend(first.map(|place| format!("lost: first {number}/{place}: {:?}", lane[place])));
        }
        for (lane, messages) in std::mem::take(&mut state.open_commits) {
            let seen = state.lanes[lane][messages.clone()].iter().filter(|entry| entry.epoch != 0).count();
            if seen != 0 && seen != messages.len() {
                verdict.torn += 1;
                verdict.told.push(format!("torn: {seen} of {} sends of {lane}/{messages:?}", messages.len()));
            }
        }
        for (epoch, messages) in std::mem::take(&mut state.open_settles) {
            let again = messages.iter().filter(|&&(lane, place)| state.lanes[lane][place].epoch > epoch).count();
            if again != 0 && again != messages.len() {
                verdict.torn += 1;
                verdict.told.push(format!("torn: {again} of {} acknowledgements undone", messages.len()));
            }
        }
        verdict
    }
}

impl State {
    fn complain(&mut self, told: String) {
        self.found.complaints += 1;
        self.tell(told);
    }

    fn tell(&mut self, told: String) {
        if self.found.told.len() < COMPLAINTS_MAX {
            self.found.told.push(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: usize = 0;
    const TRANSACTIONS: usize = 3;
    const AUTOMATIC: usize = 6;

    fn confirmed(ledger: &Ledger, lane: usize) -> Id {
        let place = ledger.sent(lane, Fate::Sent);
        ledger.fated(lane, place..place + 1, Fate::Confirmed);
        (lane, place)
    }

    #[test]
    fn a_message_confirmed_delivered_and_acknowledged_is_clean() {
        let ledger = Ledger::new();
        let id = confirmed(&ledger, QUEUE);
        ledger.received(id, 1, false);
        ledger.settle_confirmed(id);
        assert!(ledger.verdict().is_clean());
    }

    #[test]
    fn a_confirmed_message_that_nobody_got_is_lost() {
        let ledger = Ledger::new();
        confirmed(&ledger, QUEUE);
        ledger.sent(QUEUE, Fate::Sent);
        confirmed(&ledger, AUTOMATIC);
        let verdict = ledger.verdict();
        assert_eq!((verdict.lost, verdict.unseen_automatic), (1, 1));
    }

    #[test]
    fn a_delivery_without_acknowledgement_that_never_comes_again_is_lost() {
        let ledger = Ledger::new();
        let id = confirmed(&ledger, QUEUE);
        ledger.received(id, 1, false);
        ledger.killed(1);
        assert_eq!(ledger.verdict().lost, 1);
        ledger.received(id, 2, true);
        ledger.settle_asked(id);
        assert!(ledger.verdict().is_clean());
    }

    #[test]
    fn an_acknowledged_message_does_not_return() {
        let ledger = Ledger::new();
        let id = confirmed(&ledger, QUEUE);
        ledger.received(id, 1, false);
        ledger.settle_confirmed(id);
        ledger.killed(1);
        ledger.received(id, 2, true);
        assert_eq!(ledger.verdict().returned, 1);
    }

    #[test]
    fn nothing_comes_twice_while_the_broker_lives() {
        let ledger = Ledger::new();
        let id = confirmed(&ledger, QUEUE);
        ledger.received(id, 1, false);
        ledger.received(id, 1, true);
        assert_eq!(ledger.verdict().returned, 1);
    }

    #[test]
    fn a_transaction_is_seen_whole_or_not_at_all() {
        let ledger = Ledger::new();
        let first = ledger.sent(TRANSACTIONS, Fate::Held);
        let last = ledger.sent(TRANSACTIONS, Fate::Held);
        ledger.fated(TRANSACTIONS, first..last + 1, Fate::Committing);
        ledger.commit_unanswered(TRANSACTIONS, first..last + 1);
        ledger.received((TRANSACTIONS, first), 1, false);
        assert_eq!(ledger.verdict().torn, 1);
        let held = ledger.sent(TRANSACTIONS, Fate::Held);
        ledger.received((TRANSACTIONS, held), 1, false);
        assert_eq!(ledger.verdict().dirty, 1);
    }

    #[test]
    fn acknowledgements_of_a_transaction_happen_together() {
        let ledger = Ledger::new();
        let ids = [confirmed(&ledger, TRANSACTIONS), confirmed(&ledger, TRANSACTIONS)];
        for id in ids {
            ledger.received(id, 1, false);
            ledger.settle_asked(id);
        }
        ledger.settle_unanswered(1, ids.to_vec());
        ledger.killed(1);
        ledger.received(ids[0], 2, true);
        assert_eq!(ledger.verdict().torn, 1);
    }
}
