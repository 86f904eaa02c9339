//! Confirmations: in request order within a session, and never before everything the session caused is durable.

use crate::broker::{Broker, Step};
use crate::slab::Key;
use ferrymq_model::{Event, Refusal, SessionId, Token};
use ferrymq_storage::Lsn;

/// An answer that waits for the journal, or behind one that does.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The last record it depends on.
    pub(crate) lsn: Lsn,
    /// The answer.
    pub(crate) event: Event,
    /// The subscription whose deliveries start with it.
    pub(crate) starts: Option<Key>,
    /// The subscription that pulled and that may still get something for it.
    pub(crate) pull: Option<Key>,
}

impl Broker {
    /// Confirms a request, at once or as soon as everything that the session caused so far is durable.
    pub(crate) fn confirm(&mut self, session: SessionId, token: Option<Token>, step: &mut Step<'_>) {
        if let Some(token) = token {
            self.answer(session, Event::Confirmed { token }, None, step);
        }
    }

    /// Refuses a request, in its turn.
    pub(crate) fn refuse(&mut self, session: SessionId, token: Option<Token>, refusal: Refusal, step: &mut Step<'_>) {
        let event = Event::Refused { token, refusal };
        match self.session_mut(session) {
            Some(state) if token.is_some() && !state.waiting.is_empty() => {
                state.waiting.push_back(Waiting { lsn: Lsn(0), event, starts: None, pull: None });
            }
            _ => step.out.events.push((session, event)),
        }
    }

    /// Sends an answer in its turn, once the session's records are durable.
    pub(crate) fn answer(&mut self, session: SessionId, event: Event, starts: Option<Key>, step: &mut Step<'_>) {
        self.answer_after(session, Waiting { lsn: Lsn(0), event, starts, pull: None }, step);
    }

    /// Sends an answer in its turn, once the session's records are durable and what it pulled has come.
    pub(crate) fn answer_after(&mut self, session: SessionId, waiting: Waiting, step: &mut Step<'_>) {
        let flushed = self.flushed;
        let failed = self.failed;
        let state = self.session_mut(session).expect("only open sessions are answered");
        let lsn = state.last_lsn;
        let waiting = Waiting { lsn, ..waiting };
        if failed && lsn > flushed {
            step.out.events.push((session, waiting.into_failure()));
            return;
        }
        if lsn <= flushed && state.waiting.is_empty() && waiting.pull.is_none() {
            step.out.events.push((session, waiting.event));
            self.start(waiting.starts, step);
            return;
        }
        state.waiting.push_back(waiting);
        if state.waiting.len() == 1 {
            self.waiting.push(session);
        }
        if lsn > self.awaited {
            // The records ride lazily so far: somebody waits for them now.
            step.journal.flush_lazy();
            self.awaited = step.journal.last_lsn().max(lsn);
        }
    }

    /// Sends every answer whose records are durable.
    pub(crate) fn confirm_durable(&mut self, step: &mut Step<'_>) {
        let mut index = 0;
        while index < self.waiting.len() {
            let session = self.waiting[index];
            self.send_answers(session, step);
            if self.session(session).is_none_or(|state| state.waiting.is_empty()) {
                self.waiting.swap_remove(index);
            } else {
                index += 1;
            }
        }
    }

    /// Sends the answers of a session that nothing holds back any more.
    pub(crate) fn send_answers(&mut self, session: SessionId, step: &mut Step<'_>) {
        let flushed = self.flushed;
        while let Some(state) = self.session_mut(session) {
            let ready = |waiting: &mut Waiting| waiting.lsn <= flushed && waiting.pull.is_none();
            let Some(waiting) = state.waiting.pop_front_if(ready) else { return };
            step.out.events.push((session, waiting.event));
            self.start(waiting.starts, step);
        }
    }

    fn start(&mut self, starts: Option<Key>, step: &mut Step<'_>) {
        if let Some(subscription) = starts.and_then(|key| self.subscriptions.find(key)) {
            self.start_subscription(subscription, step);
        }
    }
}
