//! Credit that changes: another prefetch, and deliveries that a consumer pulls.
//!
//! A pull is carried out at once. Its confirmation waits while something may still come for it: a message that is read
//! back from the journal, one whose commit is not durable yet, or more than one step may examine.

use crate::broker::{Broker, Step, unknown_subscription};
use crate::confirm::Waiting;
use ferrymq_model::{Event, SessionId, SubscriptionId, Token};
use ferrymq_storage::Lsn;

impl Broker {
    /// Changes how many deliveries a subscription may have unsettled.
    pub(crate) fn set_prefetch(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        prefetch: u32,
        step: &mut Step<'_>,
    ) {
        let Some(&index) = self.asking(session).subscriptions.get(&subscription.0) else {
            return self.refuse(session, None, unknown_subscription(subscription), step);
        };
        self.subscriptions[index].prefetch = prefetch;
        self.go_on(index, step);
    }

    /// Lets a subscription have deliveries beyond its prefetch.
    pub(crate) fn pull(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        messages: u32,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let Some(&index) = self.asking(session).subscriptions.get(&subscription.0) else {
            return self.refuse(session, confirm, unknown_subscription(subscription), step);
        };
        self.subscriptions[index].pulled = messages;
        self.go_on(index, step);
        if let Some(token) = confirm {
            let key = self.subscriptions.key(index);
            let pull = self.is_coming(index).then_some(key);
            if pull.is_some() && !self.pulling.contains(&(session, key)) {
                self.pulling.push((session, key));
            }
            let event = Event::Confirmed { token };
            self.answer_after(session, Waiting { lsn: Lsn(0), event, starts: None, pull }, step);
        }
    }

    /// Confirms the pulls for which nothing more can come.
    #[inline]
    pub(crate) fn confirm_pulls(&mut self, step: &mut Step<'_>) {
        if !self.pulling.is_empty() {
            self.confirm_pulls_that_wait(step);
        }
    }

    #[cold]
    fn confirm_pulls_that_wait(&mut self, step: &mut Step<'_>) {
        // A confirmation may start a subscription that has pulled already: then those before it are looked at again.
        let mut place = 0;
        while place < self.pulling.len() {
            let (session, key) = self.pulling[place];
            if self.subscriptions.find(key).is_some_and(|index| self.is_coming(index)) {
                place += 1;
                continue;
            }
            self.pulling.swap_remove(place);
            place = 0;
            let Some(state) = self.session_mut(session) else { continue };
            for waiting in state.waiting.iter_mut().filter(|waiting| waiting.pull == Some(key)) {
                waiting.pull = None;
            }
            self.send_answers(session, step);
            if self.session(session).is_none_or(|state| state.waiting.is_empty()) {
                self.waiting.retain(|waiting| *waiting != session);
            }
        }
    }

    /// Whether a subscription that has credit may get something soon without anybody doing anything.
    fn is_coming(&self, index: u32) -> bool {
        let subscription = &self.subscriptions[index];
        if self.failed || subscription.ended {
            return false;
        }
        if !subscription.started {
            return true;
        }
        if !subscription.has_credit() {
            return false;
        }
        if let Some(browse) = &subscription.browse {
            return !browse.is_done();
        }
        // With credit left, only what waits for its commit stays.
        !subscription.pending.is_empty() || subscription.queues.iter().any(|&queue| self.is_coming_from(queue, index))
    }

    fn is_coming_from(&self, queue: u32, index: u32) -> bool {
        let queue = &self.queues[queue];
        if queue.ready == 0 || queue.exclusive.is_some_and(|only| only != index) {
            return false;
        }
        if !queue.is_choosy() {
            return true;
        }
        let place = queue.consumers.iter().find(|consumer| consumer.subscription == index);
        place.is_some_and(|consumer| consumer.idle_at != queue.version)
    }
}
