//! The queue itself: bands of entries, consumers and counters.

use crate::audience::{Audience, Standing};
use crate::queue::{Entry, EntryState, Filing, Groups, Item};
use ferrymq_model::selector::Selector;
use ferrymq_model::{Destination, SessionId};
use ferrymq_storage::{Lsn, StoreId};
use std::collections::VecDeque;
use std::sync::Arc;

/// One band a priority, 0 to 9.
pub(crate) const BANDS: usize = 10;

/// Places that entries which left may keep before their queue is compacted.
const GONE_MAX: usize = 64;

/// The band of a priority.
pub(crate) fn band_of(priority: u8, prioritized: bool) -> u8 {
    if prioritized { priority.min(9) } else { 4 }
}

/// What a queue is.
#[derive(Debug)]
pub(crate) enum Role {
    /// A queue of that name, temporary or not.
    Queue(Arc<Destination>),
    /// A durable subscription's backlog.
    Durable(Box<Durable>),
}

/// What makes a durable subscription.
#[derive(Debug)]
pub(crate) struct Durable {
    /// Whose.
    pub(crate) client_id: Arc<str>,
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Whether it may have several consumers at a time.
    pub(crate) shared: bool,
    /// The topics, maybe patterns.
    pub(crate) topics: Vec<Destination>,
    /// Which messages.
    pub(crate) selector: Option<Selector>,
    /// The selector as it was given.
    pub(crate) selector_source: Option<Arc<str>>,
    /// How the selector compares text that looks like a number.
    pub(crate) selector_converts_text: bool,
    /// Not the messages of its own connection; of one that is shared, not those of its client id.
    pub(crate) no_local: bool,
    /// The connection that listened last, since the process started.
    pub(crate) listener: Option<SessionId>,
    /// The topics that feed it.
    pub(crate) attached: Vec<u32>,
}

/// Counters since the process started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Came in.
    pub(crate) enqueued: u64,
    /// Consumed.
    pub(crate) dequeued: u64,
    /// Expired.
    pub(crate) expired: u64,
    /// Went to the dead-letter queue.
    pub(crate) dead_lettered: u64,
    /// Dropped for a slow subscriber, or because nothing could keep them.
    pub(crate) discarded: u64,
}

/// A subscription on a queue.
#[derive(Debug)]
pub(crate) struct Consumer {
    /// Which.
    pub(crate) subscription: u32,
    /// Higher goes first.
    pub(crate) priority: i16,
    /// Where it stands among all.
    pub(crate) standing: Standing,
    /// The number of its selector in the audience.
    pub(crate) selector: Option<u32>,
    /// For each band the sequence up to which nothing is for this consumer. Used where messages are chosen.
    pub(crate) examined: [u64; BANDS],
    /// The queue's version when this consumer last found nothing.
    pub(crate) idle_at: u64,
    /// Groups that it owns.
    pub(crate) groups: u32,
}

/// A queue.
#[derive(Debug)]
pub(crate) struct Queue {
    /// What it is.
    pub(crate) role: Role,
    /// Its number in the journal, once it was defined there.
    pub(crate) store: Option<StoreId>,
    /// The session that made it, for a temporary one.
    pub(crate) owner: Option<SessionId>,
    /// Entries by priority; in a band ordered by sequence.
    pub(crate) bands: [VecDeque<Entry>; BANDS],
    /// Live entries in the bands.
    pub(crate) ready: usize,
    /// Entries in the bands that are not live.
    pub(crate) gone: usize,
    /// Messages that are unsettled with a subscription.
    pub(crate) in_flight: usize,
    /// Messages that the journal has.
    pub(crate) stored: usize,
    /// Entries whose message is being read,
    pub(crate) fetching: usize,
    /// and the bytes that they will hold.
    pub(crate) fetching_bytes: usize,
    /// One could not be read: its consumers ask for nothing before the next tick.
    pub(crate) unreadable: bool,
    /// The sequence of the next message.
    pub(crate) next_sequence: u64,
    /// The highest sequence delivered.
    pub(crate) delivered: u64,
    /// The highest sequence that the journal knows as delivered.
    pub(crate) delivered_recorded: u64,
    /// Where the journal was told of a queue or subscription that must outlive a restart even while it is empty.
    pub(crate) defined: Lsn,
    /// Changes whenever a consumer that found nothing may find something.
    pub(crate) version: u64,
    /// The version at which no consumer with credit found anything.
    pub(crate) quiet_at: u64,
    /// By priority, then by age.
    pub(crate) consumers: Vec<Consumer>,
    /// The same, by what they want.
    pub(crate) audience: Audience,
    /// For each band the sequence up to which some consumer looked.
    pub(crate) looked: [u64; BANDS],
    /// What waits, by what consumers demand; none before the queue is looked through again.
    pub(crate) filing: Option<Box<Filing>>,
    /// Whose turn it is.
    pub(crate) turn: usize,
    /// Consumers with credit.
    pub(crate) eager: usize,
    /// Whether all consumers have the same priority.
    pub(crate) uniform: bool,
    /// The only consumer that gets messages.
    pub(crate) exclusive: Option<u32>,
    /// Consumers that want only some messages.
    pub(crate) selective: usize,
    /// Whether messages of groups came in since the queue was last empty.
    pub(crate) grouped: bool,
    /// Who owns which group.
    pub(crate) groups: Groups,
    /// Bytes in memory, unsettled messages included.
    pub(crate) memory: usize,
    /// Sessions that wait for memory here.
    pub(crate) paused: Vec<SessionId>,
    /// Messages that leave memory as soon as they are durable.
    pub(crate) leaving: usize,
    /// It is full, its producers waited long enough: what they send is refused until there is room.
    pub(crate) refuses: bool,
    /// Browsers that wait for a message to be read.
    pub(crate) browsers: Vec<u32>,
    /// It gets from virtual topics only what one of its consumers wants.
    pub(crate) fed_by_selectors: bool,
    /// Waits for the next tick to examine more messages.
    pub(crate) unfinished: bool,
    /// Counters.
    pub(crate) counters: Counters,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(role: Role, owner: Option<SessionId>) -> Self {
        Self {
            role,
            store: None,
            owner,
            bands: std::array::from_fn(|_| VecDeque::new()),
            ready: 0,
            gone: 0,
            in_flight: 0,
            stored: 0,
            fetching: 0,
            fetching_bytes: 0,
            unreadable: false,
            next_sequence: 1,
            delivered: 0,
            delivered_recorded: 0,
            defined: Lsn(0),
            version: 1,
            quiet_at: 0,
            consumers: Vec::new(),
            audience: Audience::default(),
            looked: [0; BANDS],
            filing: None,
            turn: 0,
            eager: 0,
            uniform: true,
            exclusive: None,
            selective: 0,
            grouped: false,
            groups: Groups::default(),
            memory: 0,
            paused: Vec::new(),
            leaving: 0,
            refuses: false,
            browsers: Vec::new(),
            fed_by_selectors: false,
            unfinished: false,
            counters: Counters::default(),
        }
    }

    /// Whether it is a durable subscription's backlog.
    pub(crate) fn durable(&self) -> Option<&Durable> {
        match &self.role {
            Role::Queue(_) => None,
            Role::Durable(durable) => Some(durable),
        }
    }

    /// Takes the next sequence.
    #[inline]
    pub(crate) fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Puts an item into its place. Does not count memory.
    #[inline]
    pub(crate) fn insert(&mut self, item: Item) {
        let band = usize::from(item.band);
        let sequence = item.sequence;
        // Also of what comes back when the queue was empty meanwhile.
        self.grouped |= item.group().is_some();
        let entry = Entry { item, state: EntryState::Ready };
        // What comes back was looked at before, also where nothing else waits any more.
        if sequence <= self.looked[band] {
            for consumer in &mut self.consumers {
                consumer.examined[band] = consumer.examined[band].min(sequence - 1);
            }
        }
        if let Some(filing) = &mut self.filing {
            filing.came_back(&entry.item);
        }
        let entries = &mut self.bands[band];
        self.ready += 1;
        self.version += 1;
        if entries.back().is_none_or(|last| last.item.sequence < sequence) {
            entries.push_back(entry);
            return;
        }
        self.insert_between(entry);
    }

    /// Puts an entry where the order of sequences wants it.
    #[cold]
    fn insert_between(&mut self, entry: Entry) {
        let sequence = entry.item.sequence;
        let entries = &mut self.bands[usize::from(entry.item.band)];
        let at = entries.partition_point(|e| e.item.sequence < sequence);
        match entries.get_mut(at) {
            Some(place) if place.item.sequence == sequence => {
                assert!(!place.is_live(), "sequence {sequence} is in its queue twice");
                *place = entry;
                self.gone -= 1;
            }
            _ => entries.insert(at, entry),
        }
    }

    /// Takes the item at a place out. Does not count memory.
    #[inline]
    pub(crate) fn take(&mut self, band: usize, position: usize) -> Item {
        let entries = &mut self.bands[band];
        self.ready -= 1;
        if self.ready == 0 {
            self.filing = None;
        }
        let entry = &mut entries[position];
        debug_assert!(entry.is_live());
        if entry.state == EntryState::Fetching {
            self.fetching -= 1;
            self.fetching_bytes -= entry.item.size as usize;
        }
        if position == 0 {
            let entry = entries.pop_front().expect("a position names an entry");
            while entries.front().is_some_and(|front| !front.is_live()) {
                entries.pop_front();
                self.gone -= 1;
            }
            return entry.item;
        }
        entry.state = EntryState::Gone;
        let gone = Item { message: None, leaf: None, ..entry.item };
        let item = std::mem::replace(&mut entry.item, gone);
        self.gone += 1;
        if self.gone > GONE_MAX && self.gone > self.ready {
            self.compact();
        }
        item
    }

    /// Gives the places of entries that left back.
    fn compact(&mut self) {
        for entries in &mut self.bands {
            entries.retain(Entry::is_live);
        }
        self.gone = 0;
    }

    /// The place of a sequence, if it waits here.
    pub(crate) fn find(&self, sequence: u64) -> Option<(usize, usize)> {
        (0..BANDS).find_map(|band| self.find_in(band, sequence).map(|position| (band, position)))
    }

    /// The place of a sequence in a band, if it waits there.
    pub(crate) fn find_in(&self, band: usize, sequence: u64) -> Option<usize> {
        let entries = &self.bands[band];
        // Where none is missing between, the distance of the sequences tells the place; a search goes all over memory.
        let distance = usize::try_from(sequence.checked_sub(entries.front()?.item.sequence)?).ok()?;
        let at = match entries.get(distance) {
            Some(entry) if entry.item.sequence == sequence => distance,
            Some(_) | None => entries.partition_point(|e| e.item.sequence < sequence),
        };
        entries.get(at).filter(|e| e.item.sequence == sequence && e.is_live()).map(|_| at)
    }

    /// Forgets how far consumers have looked: what they may take has changed.
    pub(crate) fn look_again(&mut self) {
        self.version += 1;
        for consumer in &mut self.consumers {
            consumer.examined = [0; BANDS];
        }
    }
}
