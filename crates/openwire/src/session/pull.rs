//! MessagePull: a consumer without prefetch asks for one message.
//!
//! The broker is asked for one more delivery. If none came in time, the broker is asked for none, and what it delivered
//! before it heard of that still counts: only then the client is told that there is nothing.

use super::confirm::Purpose;
use super::error::PeerError;
use super::{Context, Done, State};
use crate::codec::message_pull::MessagePull;
use ferrymq_model::{Closing, MonoTime, Request, SubscriptionId};

impl State {
    pub(super) fn pull(&mut self, cx: &mut Context<'_>, pull: &MessagePull) -> Result<Done, PeerError> {
        let id = pull.consumer_id.as_ref().ok_or_else(|| PeerError::missing("MessagePull", "a consumer id"))?;
        self.check_connection(&id.connection_id)?;
        let Some(consumer) = self.consumers.find((id.session_id, id.value)) else {
            let text = format!("{}:{}:{}", id.connection_id, id.session_id, id.value);
            return Err(PeerError::state(format!("Cannot pull for a consumer that had not been registered: {text}")));
        };
        // Whoever prefetches is not served twice.
        if !consumer.is_pulling || consumer.is_ended {
            return Ok(Done::Now);
        }
        let subscription = consumer.id;
        let until = match u64::try_from(pull.timeout) {
            Ok(0) | Err(_) => None,
            Ok(timeout_ms) => Some(MonoTime(cx.now.mono.0.saturating_add(timeout_ms))),
        };
        let number = self.consumers.start_pull(subscription, until);
        let confirm = match pull.timeout {
            ..0 => Some(self.confirm(None, Purpose::PullNow(subscription, number))?),
            0.. => None,
        };
        cx.requests.push(Request::Pull { subscription, messages: 1, confirm });
        Ok(Done::Now)
    }

    fn is_unanswered(&mut self, subscription: SubscriptionId, number: u64) -> bool {
        self.consumers.get(subscription).and_then(|consumer| consumer.pull).is_some_and(|pull| pull.number == number)
    }

    /// A pull that does not wait was carried out.
    pub(super) fn pull_found_nothing(
        &mut self,
        cx: &mut Context<'_>,
        subscription: SubscriptionId,
        number: u64,
    ) -> Closing {
        if !self.is_unanswered(subscription, number) {
            return Closing::No;
        }
        match self.confirm(None, Purpose::PullEnd(subscription, number)) {
            Ok(confirm) => {
                cx.requests.push(Request::Pull { subscription, messages: 0, confirm: Some(confirm) });
                Closing::No
            }
            Err(error) => self.answer_error(cx, None, &error),
        }
    }

    /// Nothing more can come for a pull.
    pub(super) fn pull_ended(&mut self, cx: &mut Context<'_>, subscription: SubscriptionId, number: u64) {
        if self.is_unanswered(subscription, number) {
            self.consumers.end_pull(subscription);
            self.put_nothing(cx, subscription);
        }
    }

    pub(super) fn end_overdue_pulls(&mut self, cx: &mut Context<'_>) -> Closing {
        while let Some((subscription, number)) = self.consumers.overdue(cx.now.mono) {
            let closing = self.pull_found_nothing(cx, subscription, number);
            if closing != Closing::No {
                return closing;
            }
        }
        Closing::No
    }
}
