//! What must hold between two steps, for tests and the simulator.

use crate::broker::Broker;
use crate::counted::Leaving;
use crate::queue::{Entry, EntryState};
use crate::session::Full;
use crate::subscription::{Source, Status};
use ferrymq_model::WallTime;
use ferrymq_model::selector::Effort;

impl Broker {
    /// Checks that every counter agrees with what it counts, and that every message is in exactly one place.
    ///
    /// It looks at everything that exists: for tests and the simulator, not for a running broker.
    ///
    /// # Panics
    /// If something does not hold, with what.
    pub fn check_invariants(&self) {
        let (mut memory, mut live) = (0, 0);
        for (index, queue) in self.queues.iter() {
            memory += queue.memory;
            self.check_queue(index);
        }
        memory += self.jobs.check_invariants();
        let leaving: usize = self.queues.iter().map(|(_, queue)| queue.leaving).sum();
        assert_eq!(leaving, self.page_out.len(), "messages that leave memory when they are durable");
        self.check_waits();
        for (index, topic) in self.topics.iter() {
            live += topic.memory;
            let (subscribers, durables) = (topic.subscribers.ids(), topic.durables.ids());
            let hears = |id: &u32| self.subscriptions[*id].topics.contains(&index);
            let is_fed = |id: &u32| self.queues[*id].durable().is_some_and(|durable| durable.attached.contains(&index));
            assert_eq!(subscribers.filter(hears).count(), topic.subscribers.len(), "subscribers of topic {index}");
            assert_eq!(durables.filter(is_fed).count(), topic.durables.len(), "durables of topic {index}");
            let mut bytes = 0;
            for (_, subscription) in self.subscriptions.iter() {
                let pending = subscription.pending.iter().filter(|pending| pending.topic == index);
                bytes += pending.map(|pending| pending.item.size as usize).sum::<usize>();
                let unsettled = subscription.unsettled.iter().filter(|unsettled| unsettled.status != Status::Settled);
                let unsettled = unsettled.filter(|unsettled| unsettled.source == Source::Topic(index));
                bytes += unsettled.map(|unsettled| unsettled.item.size as usize).sum::<usize>();
                let leaving = subscription.leaving.iter().filter(|run| run.topic == index);
                bytes += leaving.map(Leaving::bytes).sum::<usize>();
            }
            assert_eq!(topic.memory, bytes, "memory of {}", topic.destination);
        }
        assert_eq!((self.memory, self.live_memory), (memory, live), "memory of the broker, of topics");
        let held: usize = self.subscriptions.iter().map(|(_, subscription)| subscription.held_bytes).sum();
        assert_eq!(held, live, "bytes that topic subscriptions hold");
        for (index, _) in self.subscriptions.iter() {
            self.check_subscription(index);
        }
        assert!(self.work.is_empty(), "work is recorded within its step");
        let open = self.sessions.iter().flatten().count();
        assert_eq!(self.sessions_open as usize, open, "open sessions");
        let named = self.sessions.iter().flatten().filter(|state| !state.connection.name.is_empty()).count();
        assert_eq!(self.names.len(), named, "names of open sessions");
        for (name, &session) in &self.names {
            let known = self.session(session).map(|state| &state.connection.name);
            assert_eq!(known, Some(name), "the session of a name");
        }
    }

    /// That producers wait for places that are full, and for no others.
    fn check_waits(&self) {
        let queues = self.queues.iter().map(|(index, _)| Full::Queue(index));
        for full in queues.chain([Full::Broker, Full::Schedule]) {
            assert!(!self.is_waited_for(full) || !self.is_free(full), "{full:?} has room, and producers wait for it");
        }
        for (_, full) in &self.deadlines {
            assert!(self.is_waited_for(*full), "a wait for {full:?} has an end, and nobody waits");
        }
    }

    /// Checks that no message waits for nothing: that none is in memory and deliverable for which a consumer has credit.
    ///
    /// # Panics
    /// If there is one.
    pub fn check_nothing_waits(&self, now: WallTime) {
        for (index, queue) in self.queues.iter().filter(|(_, queue)| queue.fetching == 0 && !queue.unfinished) {
            for consumer in &queue.consumers {
                let subscription = &self.subscriptions[consumer.subscription];
                let barred = queue.exclusive.is_some_and(|only| only != consumer.subscription);
                if barred || !subscription.has_credit() {
                    continue;
                }
                let entries = queue.bands.iter().flatten().filter(|entry| entry.is_live());
                let there = entries.filter(|entry| !entry.item.is_held(self.flushed) && !entry.item.is_expired(now));
                for item in there.map(|entry| &entry.item) {
                    let owner = item.group().and_then(|group| queue.groups.owner(group));
                    let free = owner.is_none_or(|owner| owner == consumer.subscription);
                    let wanted = item
                        .message
                        .as_ref()
                        .is_some_and(|m| subscription.wants(m, item.redeliveries, &mut Effort::default()));
                    let waits = free && wanted;
                    assert!(!waits, "message {} of queue {index} waits for {}", item.sequence, consumer.subscription);
                }
            }
        }
    }

    fn check_queue(&self, index: u32) {
        let queue = &self.queues[index];
        let (mut ready, mut gone, mut fetching, mut fetching_bytes) = (0, 0, 0, 0);
        let (mut stored, mut memory) = (0, 0);
        let mut sequences = Vec::new();
        for band in &queue.bands {
            let mut last = 0;
            assert!(band.front().is_none_or(Entry::is_live), "a band of queue {index} begins with one that left");
            for entry in band {
                assert!(entry.item.sequence > last, "order in a band of queue {index}");
                last = entry.item.sequence;
                match entry.state {
                    EntryState::Ready => ready += 1,
                    EntryState::Fetching => {
                        ready += 1;
                        fetching += 1;
                        fetching_bytes += entry.item.size as usize;
                    }
                    EntryState::Gone => {
                        gone += 1;
                        continue;
                    }
                }
                sequences.push(entry.item.sequence);
                memory += entry.item.resident();
                stored += usize::from(entry.item.stored.is_some());
                assert!(entry.item.message.is_some() || entry.item.stored.is_some(), "a message is somewhere");
            }
        }
        let mut in_flight = 0;
        for (_, subscription) in self.subscriptions.iter() {
            for unsettled in &subscription.unsettled {
                if unsettled.source != Source::Queue(index) || unsettled.status == Status::Settled {
                    continue;
                }
                in_flight += 1;
                sequences.push(unsettled.item.sequence);
                memory += unsettled.item.resident();
                stored += usize::from(unsettled.item.stored.is_some());
            }
        }
        let messages = sequences.len();
        sequences.sort_unstable();
        sequences.dedup();
        assert_eq!(messages, sequences.len(), "a message of queue {index} is in two places");
        assert!(sequences.last().is_none_or(|last| *last < queue.next_sequence), "sequences of queue {index}");
        assert_eq!(
            (queue.ready, queue.gone, queue.fetching, queue.in_flight, queue.stored, queue.memory),
            (ready, gone, fetching, in_flight, stored, memory),
            "ready, gone, fetching, in flight, stored, memory of queue {index}"
        );
        assert_eq!(queue.fetching_bytes, fetching_bytes, "bytes being read for queue {index}");
        self.check_consumers(index);
    }

    fn check_consumers(&self, index: u32) {
        let queue = &self.queues[index];
        for consumer in &queue.consumers {
            let groups = queue.groups.owned_by(consumer.subscription);
            assert_eq!(consumer.groups as usize, groups, "groups of a consumer of queue {index}");
        }
        let consumers = queue.consumers.iter().map(|consumer| consumer.subscription);
        assert_eq!(queue.audience.everybody(), consumers.clone().collect::<Vec<_>>(), "audience of queue {index}");
        let eager = consumers.filter(|&consumer| self.subscriptions[consumer].has_credit()).count();
        assert_eq!(queue.eager, eager, "consumers of queue {index} with credit");
        if queue.ready > 0 && queue.is_quiet() {
            for consumer in &queue.consumers {
                let busy = consumer.idle_at != queue.version && self.subscriptions[consumer.subscription].has_credit();
                assert!(
                    !busy || queue.is_barred(consumer.subscription),
                    "a consumer of the quiet queue {index} looks on"
                );
            }
        }
        if !queue.is_choosy() && eager > 0 && queue.exclusive.is_none() && !self.closing {
            let waits = queue.bands.iter().any(|band| {
                let first = band.iter().find(|entry| entry.is_live());
                first.is_some_and(|first| first.item.message.is_some() && !first.item.is_held(self.flushed))
            });
            let before = queue.fetching > 0;
            assert!(!waits || before, "queue {index} has a message and a consumer with credit");
        }
    }

    fn check_subscription(&self, index: u32) {
        let subscription = &self.subscriptions[index];
        let count = |wanted: fn(Status) -> bool| {
            let runs = subscription.counted.iter().filter(|run| wanted(run.status));
            let counted: u64 = runs.map(|run| run.last - run.first + 1).sum();
            let unsettled = subscription.unsettled.iter().filter(|unsettled| wanted(unsettled.status)).count();
            usize::try_from(counted).expect("a window counts in 32 bits") + unsettled
        };
        let mut next = 1;
        for run in &subscription.counted {
            assert!(run.first >= next && run.last >= run.first, "order of what subscription {index} counts");
            assert!(run.status != Status::Settled, "a run of subscription {index} is settled");
            next = run.last + 1;
        }
        assert!(next <= subscription.first_delivery, "what subscription {index} counts is before the rest");
        let mut next = 1;
        for run in &subscription.leaving {
            assert!(run.first >= next && run.last >= run.first, "order of what leaves subscription {index}");
            next = run.last + 1;
        }
        assert!(next <= subscription.first_delivery, "what leaves subscription {index} is counted");
        assert!(!subscription.counted.is_empty() || subscription.leaving.is_empty(), "bytes of nothing at {index}");
        for (delivery, unsettled) in (subscription.first_delivery..).zip(&subscription.unsettled) {
            match unsettled.status {
                Status::Open => {
                    assert!(delivery >= subscription.open_from, "an open delivery of {index} is passed over")
                }
                Status::Working => {
                    assert!(delivery >= subscription.undecided_from, "a delivery of {index} is passed over");
                }
                Status::Held(_) | Status::Settled => {}
            }
        }
        assert_eq!(subscription.window as usize, count(|s| s == Status::Open), "window of subscription {index}");
        assert_eq!(subscription.live, count(|s| s != Status::Settled), "live deliveries of subscription {index}");
        let front = subscription.unsettled.front();
        assert!(front.is_none_or(|front| front.status != Status::Settled), "front of subscription {index}");
        assert!(!subscription.ended || subscription.live > 0, "subscription {index} is kept for nothing");
        let known = self.session(subscription.session).and_then(|state| state.subscriptions.get(&subscription.id.0));
        assert!(subscription.ended || known == Some(&index), "subscription {index} belongs to its session");
    }
}
