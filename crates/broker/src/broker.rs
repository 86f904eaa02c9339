//! The one owner of the broker's state.

use crate::advisory::Advisories;
use crate::audience::Member;
use crate::confirm::Waiting;
use crate::producer::NewProducer;
use crate::queue::Queue;
use crate::schedule::Jobs;
use crate::session::{Full, SessionState};
use crate::settings::Settings;
use crate::slab::{Key, Slab};
use crate::subscription::Subscription;
use crate::topic::Topic;
use crate::transaction::Branches;
use crate::work::Work;
use ferrymq_model::advisory::ConnectionFacts;
use ferrymq_model::{
    Destination, Event, MonoTime, Now, ProducerId, Refusal, RefusalKind, Request, SessionId, SubscriptionId, Token,
};
use ferrymq_storage::journal::{Fetch, Fetched};
use ferrymq_storage::{Journal, Location, Lsn, ProducerSlot};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What came out of a step.
#[derive(Debug, Default)]
pub struct Effects {
    /// For sessions, in order.
    pub events: Vec<(SessionId, Event)>,
    /// Messages to read back from the journal. Answered by `Broker::fetched`, in any order.
    pub fetches: Vec<Fetch>,
}

/// What a decision may use: the time, the journal, and a place for its effects.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) journal: &'a mut Journal,
    pub(crate) out: &'a mut Effects,
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Place {
    /// A queue, by index.
    Queue(u32),
    /// A topic, by index.
    Topic(u32),
}

/// The broker.
#[derive(Debug)]
pub struct Broker {
    pub(crate) settings: Settings,
    pub(crate) sessions: Vec<Option<Box<SessionState>>>,
    pub(crate) sessions_open: u32,
    /// Sessions by the name of their connection.
    pub(crate) names: BTreeMap<Arc<str>, SessionId>,
    pub(crate) client_ids: BTreeMap<Arc<str>, SessionId>,
    pub(crate) places: BTreeMap<Destination, Place>,
    pub(crate) queues: Slab<Queue>,
    pub(crate) topics: Slab<Topic>,
    pub(crate) subscriptions: Slab<Subscription>,
    /// Durable subscriptions by client id and name.
    pub(crate) durables: BTreeMap<(Arc<str>, Arc<str>), u32>,
    /// Shared subscriptions that are not durable, by client id and name.
    pub(crate) shared: BTreeMap<(Arc<str>, Arc<str>), u32>,
    /// Queues by their number in the journal.
    pub(crate) stores: FxHashMap<u32, u32>,
    pub(crate) next_store: u32,
    /// Subscriptions with patterns: they join what is made later.
    pub(crate) patterns: Vec<u32>,
    /// Durable subscriptions with patterns.
    pub(crate) durable_patterns: Vec<u32>,
    /// Changes whenever a destination comes or goes: routes are then resolved again.
    pub(crate) routes_version: u64,
    pub(crate) flushed: Lsn,
    /// Up to here somebody waits, and the journal knows.
    pub(crate) awaited: Lsn,
    /// The journal failed: nothing durable is promised any more.
    pub(crate) failed: bool,
    /// The end is near: queues give nothing away any more.
    pub(crate) closing: bool,
    /// Sessions with confirmations that wait.
    pub(crate) waiting: Vec<SessionId>,
    /// Queues with entries that wait for a commit to be durable.
    pub(crate) held_queues: VecDeque<(Lsn, u32)>,
    /// Subscriptions with topic messages that wait for a commit to be durable.
    pub(crate) held_subscriptions: VecDeque<(Lsn, u32)>,
    /// Entries that leave memory as soon as they are durable: the record, the queue, band and sequence.
    pub(crate) page_out: VecDeque<(Lsn, u32, u8, u64)>,
    /// Entries by the time they expire: time, queue, sequence.
    pub(crate) expirations: BTreeSet<(u64, u32, u64)>,
    /// Queues whose delivered mark the journal does not know.
    pub(crate) unmarked: Vec<u32>,
    /// Queues that go on examining messages at the next tick.
    pub(crate) unfinished: Vec<u32>,
    /// Subscriptions that pulled and may still get something for it.
    pub(crate) pulling: Vec<(SessionId, Key)>,
    /// Queues that got messages back from subscriptions that had ended.
    pub(crate) returned: Vec<u32>,
    /// Bytes of messages that queues and durable subscriptions keep in memory.
    pub(crate) memory: usize,
    /// Bytes of messages of topics that subscriptions hold, counted for each. They stop no producer.
    pub(crate) live_memory: usize,
    /// Bytes of past messages that topics keep.
    pub(crate) history_memory: usize,
    /// The consumers of the queue that is being dispatched: kept for its allocation.
    pub(crate) order: Vec<usize>,
    /// Whose selectors want the message that is being looked at: kept for its allocation.
    pub(crate) chosen: Vec<Member>,
    pub(crate) transactions_bytes: usize,
    /// Numbers the held settlements of all transactions.
    pub(crate) holds: u64,
    /// Branches of distributed transactions that are not over.
    pub(crate) branches: Branches,
    /// While a message is recorded: the producer whose sequence counts with it.
    pub(crate) counting: Option<ProducerSlot>,
    /// While a prepared branch commits a message: the branch, and where the journal holds the message.
    pub(crate) holding: Option<(u64, Location)>,
    /// Sessions that wait for memory of the broker.
    pub(crate) paused: Vec<SessionId>,
    /// Its memory is full, producers waited long enough: what they send is refused until there is room.
    pub(crate) refuses: bool,
    /// Full places, with the time up to which their producers wait: none, where they wait as long as it takes.
    pub(crate) deadlines: VecDeque<(MonoTime, Full)>,
    /// What waits for its time.
    pub(crate) jobs: Jobs,
    pub(crate) work: Work,
    /// Who watches the broker, and what this step has to tell them.
    pub(crate) advisories: Advisories,
    pub(crate) enqueued: u64,
    pub(crate) dequeued: u64,
}

impl Broker {
    /// An empty broker.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: Vec::new(),
            sessions_open: 0,
            names: BTreeMap::new(),
            client_ids: BTreeMap::new(),
            places: BTreeMap::new(),
            queues: Slab::default(),
            topics: Slab::default(),
            subscriptions: Slab::default(),
            durables: BTreeMap::new(),
            shared: BTreeMap::new(),
            stores: FxHashMap::default(),
            next_store: 1,
            patterns: Vec::new(),
            durable_patterns: Vec::new(),
            routes_version: 1,
            flushed: Lsn(0),
            awaited: Lsn(0),
            failed: false,
            closing: false,
            waiting: Vec::new(),
            held_queues: VecDeque::new(),
            held_subscriptions: VecDeque::new(),
            page_out: VecDeque::new(),
            expirations: BTreeSet::new(),
            unmarked: Vec::new(),
            unfinished: Vec::new(),
            pulling: Vec::new(),
            returned: Vec::new(),
            memory: 0,
            live_memory: 0,
            history_memory: 0,
            order: Vec::new(),
            chosen: Vec::new(),
            transactions_bytes: 0,
            holds: 0,
            branches: Branches::default(),
            counting: None,
            holding: None,
            paused: Vec::new(),
            refuses: false,
            deadlines: VecDeque::new(),
            jobs: Jobs::default(),
            work: Work::default(),
            advisories: Advisories::default(),
            enqueued: 0,
            dequeued: 0,
        }
    }

    /// Carries out requests of a session, in order. The vector is drained and may be used again.
    pub fn handle(
        &mut self,
        now: Now,
        session: SessionId,
        requests: &mut Vec<Request>,
        journal: &mut Journal,
        out: &mut Effects,
    ) {
        let step = &mut Step { now, journal, out };
        for request in requests.drain(..) {
            let joins = matches!(request, Request::Settle { transaction: None, confirm: None, .. });
            if !joins && !self.work.is_empty() {
                self.record_work(false, Some(session), step);
            }
            self.handle_one(session, request, step);
            self.publish_advisories(step);
            if !self.work.is_only_removals() {
                self.record_work(false, Some(session), step);
            }
            self.confirm_pulls(step);
        }
        // Settlements that followed each other are recorded together.
        self.record_work(false, Some(session), step);
    }

    fn handle_one(&mut self, session: SessionId, request: Request, step: &mut Step<'_>) {
        if !self.is_open(session) {
            return self.handle_unknown_session(session, request, step);
        }
        match request {
            Request::Connect { confirm, .. } => {
                self.refuse(session, Some(confirm), refusal(RefusalKind::Duplicate, "the session is connected"), step);
            }
            Request::AddProducer { producer, name, skips_duplicates, address, confirm } => {
                let asked = NewProducer { producer, name, skips_duplicates, address };
                self.add_producer(session, asked, confirm, step);
            }
            Request::RemoveProducer { producer } => self.remove_producer(session, producer, step),
            Request::Send { producer, message, transaction: None, confirm } => {
                self.send(session, producer, message, confirm, step);
            }
            Request::Send { producer, message, transaction: Some(transaction), confirm } => {
                self.hold_send(session, producer, message, transaction, confirm, step);
            }
            Request::Subscribe(subscribe) => self.subscribe(session, *subscribe, step),
            Request::Unsubscribe { subscription, seen, confirm } => {
                self.unsubscribe(session, subscription, seen, confirm, step);
            }
            Request::SetPrefetch { subscription, prefetch } => self.set_prefetch(session, subscription, prefetch, step),
            Request::Pull { subscription, messages, confirm } => {
                self.pull(session, subscription, messages, confirm, step);
            }
            Request::DeleteDurable { name, confirm } => self.delete_durable(session, &name, confirm, step),
            Request::Settle { subscription, deliveries, settlement, transaction: None, confirm } => {
                self.settle(session, subscription, deliveries, &settlement, confirm, step);
            }
            Request::Settle { subscription, deliveries, settlement, transaction: Some(transaction), confirm } => {
                self.hold_settle(session, (subscription, deliveries, settlement), transaction, confirm, step);
            }
            Request::Begin { transaction, name, confirm } => self.begin(session, transaction, name, confirm, step),
            Request::WasCommitted { name, confirm } => self.was_committed(session, &name, confirm, step),
            Request::Branch { xid, action, confirm } => self.branch(session, &xid, action, confirm, step),
            Request::Recover { token } => self.recover_branches(session, token, step),
            Request::Commit { transaction, confirm } => self.commit(session, transaction, confirm, step),
            Request::Rollback { transaction, confirm } => self.rollback(session, transaction, confirm, step),
            Request::CreateDestination { destination, confirm } => {
                self.create_destination(session, &destination, confirm, step);
            }
            Request::DeleteDestination { destination, confirm } => {
                self.delete_destination(session, &destination, confirm, step);
            }
            Request::CreateTemporary { destination, confirm } => {
                self.create_temporary(session, &destination, confirm, step);
            }
            Request::DeleteTemporary { destination, confirm } => {
                self.delete_temporary(session, &destination, confirm, step);
            }
            Request::Inspect { query, token } => {
                let report = Box::new(self.inspect(&query, step.journal));
                step.out.events.push((session, Event::Inspected { token, report }));
            }
            Request::Purge { destination, token } => self.purge(session, &destination, token, step),
            Request::Confirm { confirm } => self.confirm(session, Some(confirm), step),
            Request::Disconnect => self.disconnect(session, step),
        }
    }

    /// Records up to `lsn` are durable.
    pub fn flushed(&mut self, now: Now, lsn: Lsn, journal: &mut Journal, out: &mut Effects) {
        let step = &mut Step { now, journal, out };
        assert!(lsn >= self.flushed, "durable up to {} after {}", lsn.0, self.flushed.0);
        self.flushed = lsn;
        self.page_out_durable(step);
        self.confirm_durable(step);
        self.release_held(step);
        self.page_out_jobs(step);
        self.bring_on(step);
        self.publish_advisories(step);
        self.mark_delivered(step);
        self.record_work(false, None, step);
        self.confirm_pulls(step);
    }

    /// Nobody is listened to any more: what a consumer has when its session ends stays for the next start. Another consumer
    /// could not acknowledge it before its own session ends.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The disk refused: final. Whoever waits is told, and nothing durable is promised any more.
    pub fn store_failed(&mut self, _now: Now, out: &mut Effects) {
        self.failed = true;
        for session in std::mem::take(&mut self.waiting) {
            let Some(state) = self.session_mut(session) else { continue };
            for waiting in std::mem::take(&mut state.waiting) {
                let event = waiting.into_failure();
                out.events.push((session, event));
            }
        }
    }

    /// Messages are back, or cannot be read. The vector is drained and may be used again.
    pub fn fetched(&mut self, now: Now, read: &mut Vec<Fetched>, journal: &mut Journal, out: &mut Effects) {
        let step = &mut Step { now, journal, out };
        read.sort_unstable_by_key(|fetched| fetched.fetch.placement);
        for of_store in read.chunk_by(|one, next| one.fetch.placement.store == next.fetch.placement.store) {
            let store = of_store[0].fetch.placement.store;
            if Some(store) == self.jobs.store {
                self.take_fetched_jobs(of_store, step);
            } else if let Some(&index) = self.stores.get(&store.0) {
                self.take_fetched(index, of_store, step);
            }
        }
        read.clear();
        self.publish_advisories(step);
        self.record_work(false, None, step);
        self.confirm_pulls(step);
    }

    /// Time passed: expiry and delays.
    pub fn tick(&mut self, now: Now, journal: &mut Journal, out: &mut Effects) {
        let step = &mut Step { now, journal, out };
        self.expire_due(step);
        self.bring_due(step);
        self.browse_jobs_on(step);
        self.end_waits(step);
        for queue in std::mem::take(&mut self.unfinished) {
            if self.queues.get(queue).is_some_and(|q| q.unfinished) {
                self.queues[queue].unfinished = false;
                self.queues[queue].unreadable = false;
                self.dispatch(queue, step);
                self.wake_browsers(queue, step);
            }
        }
        self.publish_advisories(step);
        self.mark_delivered(step);
        self.record_work(false, None, step);
        self.confirm_pulls(step);
    }

    /// Whether this very session is connected.
    pub(crate) fn is_open(&self, session: SessionId) -> bool {
        self.session(session).is_some()
    }

    #[cold]
    fn handle_unknown_session(&mut self, session: SessionId, request: Request, step: &mut Step<'_>) {
        let token = match request {
            Request::Connect { name, client_id, user, peer, confirm } => {
                let connection = ConnectionFacts { name: name.unwrap_or_default(), client_id, user, peer };
                self.connect(session, connection, confirm, step);
                return;
            }
            Request::Disconnect => return,
            Request::RemoveProducer { .. } | Request::SetPrefetch { .. } => None,
            Request::Subscribe(subscribe) => subscribe.confirm,
            Request::AddProducer { confirm, .. }
            | Request::Pull { confirm, .. }
            | Request::CreateDestination { confirm, .. }
            | Request::DeleteDestination { confirm, .. }
            | Request::Send { confirm, .. }
            | Request::Unsubscribe { confirm, .. }
            | Request::DeleteDurable { confirm, .. }
            | Request::Settle { confirm, .. }
            | Request::Begin { confirm, .. }
            | Request::Commit { confirm, .. }
            | Request::Rollback { confirm, .. }
            | Request::CreateTemporary { confirm, .. }
            | Request::DeleteTemporary { confirm, .. } => confirm,
            Request::Inspect { token, .. } | Request::Purge { token, .. } | Request::Recover { token } => Some(token),
            Request::Confirm { confirm } | Request::WasCommitted { confirm, .. } | Request::Branch { confirm, .. } => {
                Some(confirm)
            }
        };
        let refusal = refusal(RefusalKind::Unknown, "the session is not connected");
        step.out.events.push((session, Event::Refused { token, refusal }));
    }
}

/// A refusal in a few words.
pub(crate) fn refusal(kind: RefusalKind, text: impl Into<String>) -> Refusal {
    Refusal { kind, text: text.into() }
}

/// What would have to be durable is not carried out.
pub(crate) fn journal_stopped() -> Refusal {
    refusal(RefusalKind::StoreFailed, "the journal stopped: nothing more is made durable")
}

/// The session has no such subscription.
pub(crate) fn unknown_subscription(id: SubscriptionId) -> Refusal {
    refusal(RefusalKind::Unknown, format!("subscription {} is not known", id.0))
}

/// The session has no such producer.
pub(crate) fn unknown_producer(id: ProducerId) -> Refusal {
    refusal(RefusalKind::Unknown, format!("producer {} is not known", id.0))
}

impl Waiting {
    /// The answer where the journal failed instead.
    pub(crate) fn into_failure(self) -> Event {
        let failed = |token: Token| Event::Refused { token: Some(token), refusal: journal_stopped() };
        match self.event {
            Event::Confirmed { token }
            | Event::Purged { token, .. }
            | Event::Prepared { token, .. }
            // A branch that it does not name may come back.
            | Event::InDoubt { token, .. } => failed(token),
            other => other,
        }
    }
}
