//! Credit that changes: another prefetch, and deliveries that a consumer pulls.

use crate::broker::{Broker, Step, refusal};
use ferrymq_model::{RefusalKind, SessionId, SubscriptionId, Token};

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
            let text = format!("subscription {} is not known", subscription.0);
            return self.refuse(session, None, refusal(RefusalKind::Unknown, text), step);
        };
        self.subscriptions[index].prefetch = prefetch;
        self.go_on(index, step);
    }

    /// Lets a subscription have deliveries beyond its prefetch.
    pub(crate) fn pull(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        _messages: u32,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let text = format!("subscription {} cannot pull yet", subscription.0);
        self.refuse(session, confirm, refusal(RefusalKind::Denied, text), step);
    }
}
