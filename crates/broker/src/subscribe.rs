//! Subscriptions begin and end.

use crate::broker::{Broker, Place, Step, refusal, unknown_subscription};
use crate::browse::Browse;
use crate::counted::Fate;
use crate::queue::{BANDS, Consumer};
use crate::router::check_address;
use crate::slab::Key;
use crate::subscription::{Source, Status, Subscription};
use crate::topic::ANY_PRIORITY;
use ferrymq_model::limits::{SELECTOR_BYTES_MAX, SUBSCRIPTIONS_PER_SESSION_MAX};
use ferrymq_model::request::SubscribeMode;
use ferrymq_model::selector::Selector;
use ferrymq_model::{
    Address, Event, Refusal, RefusalKind, Seen, SessionId, Settlement, Subscribe, SubscriptionId, Token,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// An exclusive consumer of this priority takes a queue from one of the same.
const PRIORITY_USURPING: i16 = 127;

impl Broker {
    /// Starts a subscription; deliveries begin after the confirmation.
    pub(crate) fn subscribe(&mut self, session: SessionId, subscribe: Subscribe, step: &mut Step<'_>) {
        let confirm = subscribe.confirm;
        match self.try_subscribe(session, subscribe, step) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(index) => match confirm {
                None => self.start_subscription(index, step),
                Some(token) => {
                    let starts: Option<Key> = Some(self.subscriptions.key(index));
                    self.answer(session, Event::Confirmed { token }, starts, step);
                }
            },
        }
    }

    fn try_subscribe(&mut self, session: SessionId, subscribe: Subscribe, step: &mut Step<'_>) -> Result<u32, Refusal> {
        self.check_subscribe(session, &subscribe)?;
        let selector = parse_selector(subscribe.selector.as_deref(), subscribe.selector_converts_text)?;
        let durable = self.open_store(session, &subscribe, selector.as_ref(), step)?;
        let pending_limit = subscribe.pending_limit.unwrap_or(self.settings.pending_limit);
        let id = subscribe.subscription;
        let connection = Arc::clone(&self.asking(session).connection.name);
        let address = Arc::clone(&subscribe.address);
        let mode = subscribe.mode.clone();
        let index = self.subscriptions.insert(Subscription {
            session,
            id,
            started: false,
            ended: false,
            eager: false,
            prefetch: subscribe.prefetch,
            window: 0,
            pulled: 0,
            counted: VecDeque::new(),
            leaving: VecDeque::new(),
            first_delivery: 1,
            unsettled: VecDeque::new(),
            undecided_from: 1,
            open_from: 1,
            live: 0,
            // A durable subscription's selector decides what enters its backlog.
            selector: selector.filter(|_| durable.is_none()),
            not_from: (subscribe.no_local && durable.is_none()).then_some(connection),
            settles: subscribe.settles,
            priority: subscribe.priority,
            exclusive: subscribe.exclusive,
            address,
            queues: Vec::new(),
            topics: Vec::new(),
            durable,
            browse: None,
            pending: VecDeque::new(),
            pending_limit,
            held_bytes: 0,
            discarded: 0,
            slow: false,
            wishes: Arc::new(subscribe),
        });
        self.asking(session).subscriptions.insert(id.0, index);
        self.attach(index, &mode);
        self.note_consumer(index, true);
        if mode == SubscribeMode::Consume {
            self.replay_state(index, step);
            if self.settings.history_messages_max > 0 && self.subscriptions[index].wishes.retroactive {
                self.replay_history(index, step);
            }
        }
        Ok(index)
    }

    /// Whether a session may have one more subscription, and this one.
    fn check_subscribe(&mut self, session: SessionId, subscribe: &Subscribe) -> Result<(), Refusal> {
        let state = self.asking(session);
        if state.subscriptions.contains_key(&subscribe.subscription.0) {
            let text = format!("subscription {} exists", subscribe.subscription.0);
            return Err(refusal(RefusalKind::Duplicate, text));
        }
        if state.subscriptions.len() >= SUBSCRIPTIONS_PER_SESSION_MAX {
            let text = format!("a session has at most {SUBSCRIPTIONS_PER_SESSION_MAX} subscriptions");
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        check_address(&subscribe.address)?;
        self.check_leaves(session, subscribe)
    }

    /// The store that a subscription takes from, if it has one of its own; else makes what it listens to.
    fn open_store(
        &mut self,
        session: SessionId,
        subscribe: &Subscribe,
        selector: Option<&Selector>,
        step: &mut Step<'_>,
    ) -> Result<Option<u32>, Refusal> {
        let durable = match &subscribe.mode {
            SubscribeMode::Durable(name) => {
                Some(self.open_durable(session, name, subscribe, selector.cloned(), step)?)
            }
            SubscribeMode::Shared(name) => {
                Some(self.open_shared(session, (name, false), subscribe, selector.cloned(), step)?)
            }
            SubscribeMode::SharedDurable(name) => {
                Some(self.open_shared(session, (name, true), subscribe, selector.cloned(), step)?)
            }
            SubscribeMode::Consume | SubscribeMode::Browse => None,
        };
        if durable.is_none() {
            for leaf in &subscribe.address.leaves {
                let consumes = subscribe.mode == SubscribeMode::Consume;
                if !leaf.is_pattern() || (consumes && self.is_group_of_many(leaf)) {
                    let place = self.find_or_make(leaf)?;
                    if let (Place::Queue(queue), true) = (place, consumes && self.is_of_group(leaf)) {
                        self.record_queue(session, queue, subscribe.confirm.is_some(), step)?;
                    }
                }
            }
        }
        Ok(durable)
    }

    /// Whether a session may listen at every leaf in this mode.
    fn check_leaves(&self, session: SessionId, subscribe: &Subscribe) -> Result<(), Refusal> {
        for leaf in &subscribe.address.leaves {
            let fits = match subscribe.mode {
                SubscribeMode::Consume => true,
                SubscribeMode::Browse => leaf.kind.is_queue(),
                SubscribeMode::Durable(_) | SubscribeMode::Shared(_) | SubscribeMode::SharedDurable(_) => {
                    leaf.kind.is_topic() && !leaf.kind.is_temporary()
                }
            };
            if !fits {
                let text = format!("{leaf} is not of a kind that allows this subscription");
                return Err(refusal(RefusalKind::InvalidDestination, text));
            }
            if !leaf.kind.is_temporary() {
                continue;
            }
            let owner = match self.places.get(&**leaf) {
                Some(Place::Queue(queue)) => self.queues[*queue].owner,
                Some(Place::Topic(topic)) => self.topics[*topic].owner,
                None => {
                    return Err(refusal(RefusalKind::InvalidDestination, format!("{leaf} does not exist")));
                }
            };
            if owner != Some(session) {
                let text = format!("subscribing to {leaf} created by another connection is not permitted");
                return Err(refusal(RefusalKind::InvalidDestination, text));
            }
        }
        Ok(())
    }

    fn attach(&mut self, index: u32, mode: &SubscribeMode) {
        let address = Arc::clone(&self.subscriptions[index].address);
        match mode {
            SubscribeMode::Durable(_) | SubscribeMode::Shared(_) | SubscribeMode::SharedDurable(_) => {
                let queue = self.subscriptions[index].durable.expect("a durable subscription has a backlog");
                self.join(index, queue);
            }
            SubscribeMode::Browse => {
                let mut queues = Vec::new();
                for place in self.places_of(address.leaves.iter().map(|leaf| &**leaf)) {
                    if let Place::Queue(queue) = place
                        && !queues.contains(&(self.queues.key(queue), self.queues[queue].next_sequence))
                    {
                        queues.push((self.queues.key(queue), self.queues[queue].next_sequence));
                    }
                }
                self.subscriptions[index].browse = Some(Box::new(Browse::new(queues)));
            }
            SubscribeMode::Consume => {
                self.attach_consumer(index, &address);
            }
        }
    }

    fn attach_consumer(&mut self, index: u32, address: &Address) {
        for place in self.places_of(address.leaves.iter().map(|leaf| &**leaf)) {
            match place {
                Place::Queue(queue) if !self.subscriptions[index].queues.contains(&queue) => self.join(index, queue),
                Place::Topic(topic) if !self.subscriptions[index].topics.contains(&topic) => {
                    let subscription = &mut self.subscriptions[index];
                    subscription.topics.push(topic);
                    self.topics[topic].subscribers.join(index, ANY_PRIORITY, subscription.selector.as_ref());
                }
                Place::Queue(_) | Place::Topic(_) => {}
            }
        }
        if address.leaves.iter().any(|leaf| leaf.is_pattern()) {
            self.patterns.push(index);
        }
        self.watch(address.leaves.iter().map(|leaf| &**leaf), true);
    }

    /// Makes a subscription a consumer of a queue.
    pub(crate) fn join(&mut self, index: u32, queue: u32) {
        let subscription = &mut self.subscriptions[index];
        subscription.queues.push(queue);
        let known = &mut self.queues[queue];
        let (standing, selector) = known.audience.join(index, subscription.priority, subscription.selector.as_ref());
        let consumer = Consumer {
            subscription: index,
            priority: subscription.priority,
            standing,
            selector,
            examined: [0; BANDS],
            idle_at: 0,
            groups: 0,
        };
        let place = known.consumers.partition_point(|other| other.priority >= consumer.priority);
        known.consumers.insert(place, consumer);
        known.eager += usize::from(subscription.eager);
        known.selective += usize::from(subscription.is_selective());
        known.uniform = known.consumers.iter().all(|other| other.priority == known.consumers[0].priority);
        if !subscription.exclusive {
            return;
        }
        let (priority, usurps) = (subscription.priority, subscription.priority == PRIORITY_USURPING);
        let present = known.exclusive.map(|present| self.subscriptions[present].priority);
        if present.is_none_or(|present| priority > present || usurps) {
            known.exclusive = Some(index);
            known.version += 1;
        }
    }

    /// Gives a new queue the subscriptions whose patterns cover it.
    pub(crate) fn join_queue(&mut self, queue: u32) {
        let crate::queue::Role::Queue(destination) = &self.queues[queue].role else { return };
        let destination = Arc::clone(destination);
        for place in 0..self.patterns.len() {
            let index = self.patterns[place];
            if self.subscriptions[index].address.leaves.iter().any(|leaf| leaf.covers(&destination)) {
                self.join(index, queue);
            }
        }
    }

    /// Lets deliveries begin.
    pub(crate) fn start_subscription(&mut self, index: u32, step: &mut Step<'_>) {
        let subscription = &mut self.subscriptions[index];
        if !subscription.ended {
            subscription.started = true;
            self.go_on(index, step);
        }
    }

    /// Ends a subscription at its session's wish.
    pub(crate) fn unsubscribe(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        seen: Seen,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let Some(&index) = self.asking(session).subscriptions.get(&subscription.0) else {
            return self.refuse(session, confirm, unknown_subscription(subscription), step);
        };
        self.end_subscription(index, seen, step);
        self.record_work(confirm.is_some(), Some(session), step);
        self.confirm(session, confirm, step);
    }

    /// Delivers nothing more to a subscription.
    pub(crate) fn stop_subscription(&mut self, index: u32) {
        self.subscriptions[index].started = false;
        self.refresh_credit(index);
    }

    /// Ends a subscription: what it did not settle goes back, except what an open transaction holds, and to others.
    pub(crate) fn end_subscription(&mut self, index: u32, seen: Seen, step: &mut Step<'_>) {
        for queue in self.leave_queues(index, seen, step) {
            self.dispatch(queue, step);
        }
    }

    /// Ends a subscription without giving to others what goes back. Gives the queues that may have something now.
    pub(crate) fn leave_queues(&mut self, index: u32, seen: Seen, step: &mut Step<'_>) -> Vec<u32> {
        self.stop_subscription(index);
        let subscription = &mut self.subscriptions[index];
        subscription.ended = true;
        let (session, id) = (subscription.session, subscription.id);
        let queues = std::mem::take(&mut subscription.queues);
        let topics = std::mem::take(&mut subscription.topics);
        let pending = std::mem::take(&mut subscription.pending);
        if let Some(state) = self.session_mut(session) {
            state.subscriptions.remove(&id.0);
        }
        for &queue in &queues {
            self.part(index, queue);
        }
        let selector = self.subscriptions[index].selector.as_ref();
        for topic in topics {
            self.topics[topic].subscribers.part(index, selector);
        }
        self.patterns.retain(|pattern| *pattern != index);
        let subscription = &self.subscriptions[index];
        if subscription.wishes.mode == SubscribeMode::Consume {
            let address = Arc::clone(&subscription.address);
            self.watch(address.leaves.iter().map(|leaf| &**leaf), false);
        }
        self.note_consumer(index, false);
        for waiting in pending {
            self.release_live(index, waiting.topic, waiting.item.size as usize);
        }
        self.decide_counted(index, 0, u64::MAX, &Settlement::Undelivered, |status| match status {
            Status::Open | Status::Working => Some(Fate::Goes),
            Status::Held(_) | Status::Settled => None,
        });
        let base = self.subscriptions[index].first_delivery;
        for offset in (0..self.subscriptions[index].unsettled.len()).rev() {
            let delivery = base + offset as u64;
            let seen = match seen {
                Seen::Unknown => true,
                Seen::None => false,
                Seen::Through(last) => delivery <= last.0,
            };
            self.return_delivery(index, delivery, seen, step);
        }
        if self.subscriptions[index].live == 0 {
            self.subscriptions.remove(index);
        }
        let mut queues = queues;
        queues.retain(|queue| !self.end_shared_if_left(*queue));
        queues
    }

    /// Gives a delivery back to where it came from. One that its consumer did not see is no redelivery.
    fn return_delivery(&mut self, index: u32, delivery: u64, seen: bool, step: &mut Step<'_>) {
        let subscription = &mut self.subscriptions[index];
        let Some(position) = delivery.checked_sub(subscription.first_delivery) else { return };
        let position = usize::try_from(position).expect("an unsettled delivery is in memory");
        match subscription.unsettled[position].status {
            Status::Open | Status::Working => {
                let (source, item) = subscription.settle_at(position);
                match source {
                    Source::Queue(queue) if !seen => {
                        self.queues[queue].in_flight -= 1;
                        self.put_back(queue, item);
                    }
                    Source::Queue(_) | Source::Topic(_) | Source::Browse => {
                        self.apply(index, source, item, &Settlement::Undelivered, step);
                    }
                }
            }
            Status::Held(_) | Status::Settled => {}
        }
    }

    /// Takes a subscription out of a queue's consumers.
    fn part(&mut self, index: u32, queue: u32) {
        let subscription = &self.subscriptions[index];
        let selective = subscription.is_selective();
        let known = &mut self.queues[queue];
        known.consumers.retain(|consumer| consumer.subscription != index);
        known.audience.part(index, subscription.selector.as_ref());
        known.selective -= usize::from(selective);
        known.turn = 0;
        known.uniform = known.consumers.iter().all(|other| other.priority == known.consumers[0].priority);
        if known.exclusive == Some(index) {
            // They stand by priority, then by age.
            let mut wanting = known.consumers.iter().map(|consumer| consumer.subscription);
            known.exclusive = wanting.find(|&other| self.subscriptions[other].exclusive);
            known.version += 1;
        }
        self.disown_groups(queue, index);
    }

    /// Forgets what a queue or topic that dies has with subscriptions that ended and wait for transactions.
    pub(crate) fn forget_source(&mut self, source: Source) {
        for index in 0..self.subscriptions.capacity() {
            let Some(subscription) = self.subscriptions.get(index) else { continue };
            let base = subscription.first_delivery;
            match source {
                Source::Topic(topic) => self.forget_leaving(index, topic),
                Source::Queue(_) | Source::Browse => {}
            }
            for offset in 0..self.subscriptions[index].unsettled.len() {
                let subscription = &mut self.subscriptions[index];
                let Some(position) = (base + offset as u64).checked_sub(subscription.first_delivery) else { continue };
                let position = usize::try_from(position).expect("an unsettled delivery is in memory");
                let unsettled = &subscription.unsettled[position];
                if unsettled.source == source && unsettled.status != Status::Settled {
                    let (source, item) = subscription.settle_at(position);
                    match source {
                        Source::Topic(topic) => self.release_live(index, topic, item.size as usize),
                        Source::Queue(_) | Source::Browse => {}
                    }
                }
            }
            let subscription = &self.subscriptions[index];
            if subscription.ended && subscription.live == 0 {
                self.subscriptions.remove(index);
            }
        }
    }
}

/// Reads a selector; one that is empty selects everything.
pub(crate) fn parse_selector(source: Option<&str>, converts_text: bool) -> Result<Option<Selector>, Refusal> {
    let Some(source) = source.filter(|source| !source.trim().is_empty()) else { return Ok(None) };
    if source.len() > SELECTOR_BYTES_MAX {
        let text = format!("a selector has at most {SELECTOR_BYTES_MAX} bytes");
        return Err(refusal(RefusalKind::InvalidSelector, text));
    }
    match Selector::parse(source, converts_text) {
        Ok(selector) => Ok(Some(selector)),
        Err(error) => Err(refusal(RefusalKind::InvalidSelector, error.to_string())),
    }
}
