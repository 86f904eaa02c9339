//! Whether a delivery may be, judged from everything that was asked and told before.

use super::copies::{Copy, CopyId, Place};
use super::ended::dead_letters;
use super::facts::{Facts, Fate, Held, Listening, Promise, StoreKey, Subscription, body, is_queue, listens_to};
use super::{DEAD_LETTER_QUEUE, Oracle};
use ferrymq_model::event::Delivery;
use ferrymq_model::{Destination, Message, SessionId};
use std::sync::Arc;

impl Oracle {
    pub(super) fn judge_delivery(&mut self, id: SessionId, delivery: &Delivery) {
        self.deliveries += 1;
        let occurred = self.occurred(delivery);
        let delivery = occurred.as_ref().unwrap_or(delivery);
        let message = &delivery.message.header.id;
        let Some(subscription) = self.session(id).subscriptions.get_mut(&delivery.subscription) else {
            let text = format!("{id:?}: message {message} for subscription {} that ended", delivery.subscription.0);
            return self.accuse(Promise::Subscription, text);
        };
        let expected = subscription.last_delivery + 1;
        subscription.last_delivery = delivery.delivery.0;
        let subscription = subscription.clone();
        if delivery.delivery.0 != expected {
            let text = format!("{id:?}: delivery {} where {expected} was due", delivery.delivery.0);
            self.accuse(Promise::Subscription, text);
        }
        if subscription.awaits.is_some() {
            let text = format!("{id:?}: message {message} before the subscription was confirmed");
            self.accuse(Promise::Subscription, text);
        }
        let Some(facts) = self.facts.get(message).cloned() else {
            return self.accuse(Promise::NoPhantom, format!("{id:?} got message {message} that nobody sent"));
        };
        if body(&delivery.message) != facts.body {
            self.accuse(Promise::Content, format!("message {message} arrived with another body"));
        }
        if facts.due.is_some_and(|due| self.now.wall < due) {
            self.accuse(Promise::Schedule, format!("message {message} was delivered before its time"));
        }
        if facts.is_expired(self.now.wall) && destination(delivery).name.as_ref() != DEAD_LETTER_QUEUE {
            self.accuse(Promise::Expiry, format!("message {message} was delivered after its time"));
        }
        if subscription.wish.is_some_and(|wish| !(wish.accepts)(facts.properties, facts.priority)) {
            let text = format!("message {message} ({:?}) is not what {id:?} selected", facts.properties);
            self.accuse(Promise::Selector, text);
        }
        let Some(store) = self.store_of(id, &subscription, delivery) else {
            let text = format!("{id:?} got message {message} from {} where it does not listen", destination(delivery));
            return self.accuse(Promise::NoPhantom, text);
        };
        let browses = matches!(subscription.listening, Listening::Browser { .. });
        let Some(copy) = self.delivered_copy(&store, delivery, &facts, browses) else { return };
        if browses {
            return self.shown(id, delivery, copy);
        }
        self.judge_copy(id, &subscription, delivery, copy, &facts);
        self.judge_exclusive(id, delivery, copy);
        self.judge_order(id, &subscription, delivery, copy, &facts);
        self.judge_group(id, delivery, copy, &facts);
        self.judge_redeliveries(delivery, copy);
        self.hold(id, delivery, copy);
    }

    fn store_of(&self, id: SessionId, subscription: &Subscription, delivery: &Delivery) -> Option<StoreKey> {
        let place = destination(delivery);
        let listens = subscription.leaves.iter().any(|pattern| listens_to(pattern, place));
        match &subscription.listening {
            Listening::Durable(key) => listens.then(|| key.clone()),
            Listening::Topic => listens.then_some(StoreKey::Topic(id, delivery.subscription)),
            Listening::Queues | Listening::Browser { .. } => {
                (listens && is_queue(place.kind)).then(|| StoreKey::Queue(place.clone()))
            }
        }
    }

    /// Which copy this is; accuses where there can be none.
    fn delivered_copy(
        &mut self,
        store: &StoreKey,
        delivery: &Delivery,
        facts: &Facts,
        browses: bool,
    ) -> Option<CopyId> {
        let message = &delivery.message.header.id;
        let mut candidates = self.copies_in(store, message);
        let fits = |copy: &Copy| copy.possible().allows(Place::Here) && (browses || copy.holder.is_none());
        let like = |copy: &Copy| {
            let comes_from = copy.moved_from.as_ref().is_none_or(|from| is_origin(&delivery.message, from));
            let expected =
                if copy.deliveries > 0 { copy.first_redeliveries + copy.deliveries - copy.unseen } else { 0 };
            (comes_from, expected == delivery.redeliveries)
        };
        // Several dead letters may have the same id: the one that this looks like most.
        let possible = candidates.iter().rev().copied().filter(|copy| fits(&self.copies[copy.0]));
        let mut best = possible.max_by_key(|copy| like(&self.copies[copy.0]));
        if *store == dead_letters()
            && best.is_none_or(|copy| !like(&self.copies[copy.0]).0)
            && let Some(moved) = self.find_expired(&delivery.message)
        {
            candidates.push(moved);
            best = Some(moved);
        }
        let Some(last) = candidates.last().copied() else {
            let (promise, why) = match facts.fate {
                Fate::Sent => (Promise::NoPhantom, "it was not sent there"),
                Fate::Held => (Promise::NothingUncommitted, "its transaction is open"),
                Fate::RolledBack => (Promise::NothingUncommitted, "its transaction rolled back"),
                Fate::Refused => (Promise::NoPhantom, "it was refused"),
            };
            self.accuse(promise, format!("message {message} came from {store}, but {why}"));
            return None;
        };
        let copy = best.unwrap_or(last);
        let it = &self.copies[copy.0];
        if !it.possible().allows(Place::Here) {
            self.accuse(Promise::NothingReturns, format!("message {message} came from {store} after it was settled"));
            return None;
        }
        Some(copy)
    }

    fn judge_copy(
        &mut self,
        id: SessionId,
        subscription: &Subscription,
        delivery: &Delivery,
        copy: CopyId,
        facts: &Facts,
    ) {
        let it = self.copies[copy.0].clone();
        let message = &it.message;
        if let Some((holder, ..)) = it.holder {
            let text = format!("message {message} went to {id:?} while {holder:?} had it");
            self.accuse(Promise::OneConsumer, text);
        }
        let placed = &self.operations[it.placed_by.0];
        let early = self.waits_for_disk(it.placed_by) && placed.step > self.flushed_step;
        if early && it.born == self.incarnation {
            let text = format!("message {message} came before its transaction was durable");
            self.accuse(Promise::NothingUncommitted, text);
        }
        if subscription.no_local && facts.sender == id {
            self.accuse(Promise::Selector, format!("message {message} came back to its sender"));
        }
        let unsettled = subscription.held.iter().filter(|held| held.transaction.is_none()).count();
        let window = subscription.prefetch as usize + subscription.held.iter().filter(|held| held.extends).count();
        if unsettled >= window && subscription.pulled > 0 {
            if let Some(subscription) = self.session(id).subscriptions.get_mut(&delivery.subscription) {
                subscription.pulled -= 1;
            }
        } else if unsettled >= window {
            let text = format!("{id:?} has {unsettled} unsettled of {window} and got message {message}");
            self.accuse(Promise::Prefetch, text);
        }
        if let Some(from) = &it.moved_from {
            self.judge_letter(&delivery.message, from);
        }
        self.seen(copy, Place::Here);
    }

    /// A dead letter says why it died and where it comes from, and never dies again.
    fn judge_letter(&mut self, message: &Message, from: &StoreKey) {
        let annotations = message.annotations();
        let cause = annotations.is_some_and(|it| it.added.iter().any(|(name, _)| &**name == "dlqDeliveryFailureCause"));
        let origin = annotations.and_then(|it| it.original_destination.as_ref());
        let right = is_origin(message, from);
        if !cause || !right || message.header.expiration.is_some() {
            let text = format!(
                "dead letter {} from {from}: cause {cause}, origin {origin:?}, expiration {:?}",
                message.header.id, message.header.expiration
            );
            self.accuse(Promise::DeadLetter, text);
        }
    }

    /// I8: nothing that the same consumer may have is overtaken by a first delivery.
    fn judge_order(
        &mut self,
        id: SessionId,
        subscription: &Subscription,
        delivery: &Delivery,
        copy: CopyId,
        facts: &Facts,
    ) {
        if self.store_failed {
            // A commit that is refused leaves its settlements with the open transaction. The oracle took them back when
            // it was refused and knows no more who holds what; the journal's end is near anyway.
            return;
        }
        let it = &self.copies[copy.0];
        let is_in_line = facts.delay_ms.is_none();
        if delivery.redeliveries > 0 || it.deliveries > 0 || it.store == dead_letters() || !is_in_line {
            return;
        }
        let Some(store) = self.stores.get(&it.store) else { return };
        let mut missing = Vec::new();
        let (mut overtaken, mut more_urgent) = (None, None);
        let sees = (id, delivery.subscription);
        // Priorities of which an earlier message waits for its transaction to be durable: what is behind it waits, too.
        let mut blocked = [false; 10];
        for earlier in store.copies.iter().copied() {
            let other = &self.copies[earlier.0];
            let known = &self.facts[&other.message];
            blocked[usize::from(known.priority)] |=
                other.possible().allows(Place::Here) && !self.is_visible(other.placed_by);
            let is_urgent = known.priority > facts.priority && known.delay_ms.is_none();
            let together = known.group.is_some() && self.group_of(copy) == self.group_of(earlier);
            let in_line = other.message.producer == it.message.producer || together;
            let same = (in_line && known.priority == facts.priority && other.index < it.index) || is_urgent;
            let wanted = subscription.wish.is_none_or(|wish| (wish.accepts)(known.properties, known.priority));
            let free = other.holder.is_none() && !known.is_expired(self.now.wall) && self.may_have(sees, earlier);
            if !same || !wanted || !free || (subscription.no_local && known.sender == facts.sender) {
                continue;
            }
            let waits = other.is_here() && self.is_visible(other.placed_by) && !other.is_open();
            if is_urgent {
                // What came in the same step may have come after this one left.
                let waits = waits && self.operations[other.placed_by.0].step < self.step;
                // Live subscriptions to topics keep the order of arrival.
                let waits =
                    waits && !matches!(other.store, StoreKey::Topic(..)) && !blocked[usize::from(known.priority)];
                more_urgent = more_urgent.or(waits.then_some(earlier));
            } else if waits {
                overtaken = Some(earlier);
            } else if other.is_open() && !other.is_changed() {
                missing.push(earlier);
            }
        }
        let (message, key) = (it.message.clone(), it.store.clone());
        if let Some(earlier) = overtaken {
            let text = format!("message {message} came from {key} before {}", self.copies[earlier.0].message);
            self.accuse(Promise::Order, text);
        }
        if let Some(other) = more_urgent {
            let other = &self.copies[other.0].message;
            let text = format!("message {message} came from {key} while {other} of a higher priority waited");
            self.accuse(Promise::Priority, text);
        }
        for earlier in missing {
            self.seen(earlier, Place::Gone);
        }
    }

    /// I8: the count is the number of earlier deliveries; after a crash at least the mark that was kept.
    fn judge_redeliveries(&mut self, delivery: &Delivery, copy: CopyId) {
        let it = &self.copies[copy.0];
        let count = delivery.redeliveries;
        let broken = if it.deliveries > 0 {
            let expected = it.first_redeliveries + it.deliveries - it.unseen;
            (count != expected).then(|| format!("{expected} were due"))
        } else if it.born == self.incarnation {
            (count != 0).then(|| "it was never delivered before".to_owned())
        } else {
            // Marks count places in the queue, which scheduled messages take in another order than they were sent.
            let is_scheduled = self.facts.get(&it.message).is_some_and(|facts| facts.delay_ms.is_some());
            let silent = it.born == u32::MAX || is_scheduled;
            let reaches = |before: usize| before > it.index || (silent && before > 0);
            let marked = self.stores.get(&it.store).is_some_and(|store| reaches(store.delivered_before));
            match count {
                0 if it.must_be_redelivered => Some("it was delivered before the crash".to_owned()),
                0 => None,
                _ if marked => None,
                _ => Some("nothing like it was delivered before the crash".to_owned()),
            }
        };
        if let Some(why) = broken {
            let text = format!("message {} in {}: {count} redeliveries, but {why}", it.message, it.store);
            self.accuse(Promise::Redelivered, text);
        }
    }

    fn hold(&mut self, id: SessionId, delivery: &Delivery, copy: CopyId) {
        let step = self.step;
        let it = &mut self.copies[copy.0];
        if it.deliveries == 0 {
            it.first_redeliveries = delivery.redeliveries;
            it.delivered_step = step;
        }
        it.deliveries += 1;
        it.holder = Some((id, delivery.subscription, delivery.delivery));
        if let Some(subscription) = self.session(id).subscriptions.get_mut(&delivery.subscription) {
            subscription.held.push(Held {
                delivery: delivery.delivery,
                copy,
                redeliveries: delivery.redeliveries,
                gives_up: subscription.gives_up,
                transaction: None,
                extends: false,
            });
        }
    }

    fn shown(&mut self, id: SessionId, delivery: &Delivery, copy: CopyId) {
        let message = delivery.message.header.id.clone();
        let it = &self.copies[copy.0];
        let early = self.waits_for_disk(it.placed_by) && self.operations[it.placed_by.0].step > self.flushed_step;
        if early && it.born == self.incarnation {
            let text = format!("message {message} was shown before its transaction was durable");
            self.accuse(Promise::NothingUncommitted, text);
        }
        self.seen(copy, Place::Here);
        let Some(it) = self.session(id).subscriptions.get_mut(&delivery.subscription) else { return };
        let Listening::Browser { shown, ended, .. } = &mut it.listening else { return };
        let (twice, late) = (shown.contains(&copy), *ended);
        shown.push(copy);
        if twice || late {
            let why = if twice { "twice" } else { "after the end" };
            self.accuse(Promise::Browse, format!("message {message} was shown {why}"));
        }
    }
}

/// Whether a dead letter says that it comes from a store.
pub(super) fn is_origin(message: &Message, from: &StoreKey) -> bool {
    match (from, message.annotations().and_then(|it| it.original_destination.as_ref())) {
        (_, None) => false,
        (StoreKey::Queue(queue), Some(origin)) => queue == origin,
        (StoreKey::Durable(..) | StoreKey::Shared(_) | StoreKey::Topic(..), Some(origin)) => !is_queue(origin.kind),
    }
}

/// Where a delivery comes from.
fn destination(delivery: &Delivery) -> &Arc<Destination> {
    delivery.destination.as_ref().unwrap_or(&delivery.message.header.destination)
}
