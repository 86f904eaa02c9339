//! ConsumerInfo and RemoveSubscriptionInfo.

use super::confirm::{Purpose, Reply};
use super::consumers::Consumer;
use super::error::{Class, PeerError};
use super::{Context, Done, State};
use crate::codec::consumer::{ConsumerControl, ConsumerInfo};
use crate::codec::session::RemoveSubscriptionInfo;
use crate::mapping;
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{Address, Request, Subscribe, SubscriptionId};
use std::sync::Arc;

impl State {
    pub(super) fn subscribe(
        &mut self,
        cx: &mut Context<'_>,
        info: Box<ConsumerInfo>,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let id = info.consumer_id.as_ref().ok_or_else(|| PeerError::missing("ConsumerInfo", "a consumer id"))?;
        self.check_connection(&id.connection_id)?;
        if !self.has_session(id.session_id) {
            let text = format!("{}:{}", id.connection_id, id.session_id);
            let text = format!("Cannot add a consumer to a session that had not been registered: {text}");
            return Err(PeerError::state(text));
        }
        // Said again, as after a failure: it is there.
        if self.consumers.contains((id.session_id, id.value)) {
            return Ok(Done::Now);
        }
        let max = self.options.limits.consumers_max;
        if self.consumers.len() >= max {
            let text = format!("Can't add consumer on connection {}: at maximum limit: {max}", id.connection_id);
            return Err(PeerError::state(text));
        }
        if info.network_subscription {
            return Err(PeerError::jms("bridges between brokers are not served here"));
        }
        let Some(destination) = info.destination.clone() else {
            return Err(PeerError::missing("ConsumerInfo", "a destination"));
        };
        let address = mapping::address(&destination)?;
        let mode = mode_of(&info);
        let is_counted = mode == SubscribeMode::Consume && is_topics(&address);
        let durable = match &mode {
            SubscribeMode::Durable(name) => Some(Arc::clone(name)),
            SubscribeMode::Consume
            | SubscribeMode::Browse
            | SubscribeMode::Shared(_)
            | SubscribeMode::SharedDurable(_) => None,
        };
        if !is_counted && mode != SubscribeMode::Browse {
            self.restored.subscribed((id.session_id, id.value));
        }
        let prefetch = u32::try_from(info.prefetch_size).unwrap_or(0);
        let subscription = self.consumers.next_id();
        // Asked for in any case: a refused consumer is forgotten.
        let confirm = Some(self.confirm(reply, Purpose::Subscribe(subscription))?);
        let name = Arc::from(mapping::consumer_text(id));
        self.consumers.add(Consumer::new(subscription, id.clone(), destination, durable, is_counted, prefetch == 0));
        cx.requests.push(Request::Subscribe(Box::new(Subscribe {
            subscription,
            name: Some(name),
            address: Arc::new(address),
            selector: info.selector.filter(|text| !text.trim().is_empty()),
            selector_converts_text: false,
            mode,
            settles: if is_counted { Settles::Unreturned } else { Settles::WhenAcknowledged },
            // The client's own policy counts, and says what is poisoned.
            gives_up: GivesUp::Consumer,
            prefetch,
            no_local: info.no_local,
            exclusive: info.exclusive,
            priority: i16::from(info.priority),
            retroactive: info.retroactive,
            pending_limit: u32::try_from(info.maximum_pending_message_limit).ok().filter(|limit| *limit > 0),
            confirm,
        })));
        Ok(Done::Later)
    }

    /// The broker ended a consumer; the client, told so, takes it back.
    pub(super) fn subscription_ended(&mut self, cx: &mut Context<'_>, subscription: SubscriptionId) {
        let Some(consumer) = self.consumers.get(subscription) else { return };
        consumer.is_ended = true;
        let control = ConsumerControl {
            destination: Some(consumer.destination.clone()),
            close: true,
            consumer_id: Some(consumer.wire.clone()),
            ..ConsumerControl::default()
        };
        self.consumers.end_pull(subscription);
        self.put(cx, &control.into());
    }

    pub(super) fn remove_subscription(
        &mut self,
        cx: &mut Context<'_>,
        info: &RemoveSubscriptionInfo,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        self.check_said("RemoveSubscriptionInfo", info.connection_id.as_ref())?;
        let name = info.subscription_name.clone().unwrap_or_default();
        let own = self.client.as_ref().and_then(|client| client.client_id.as_ref());
        if info.client_id.as_ref().is_some_and(|client_id| Some(client_id) != own) {
            let client_id = info.client_id.as_deref().unwrap_or_default();
            let text = format!("No durable subscription exists for clientID: {client_id} and subscriptionName: {name}");
            return Err(PeerError::new(Class::InvalidDestination, text));
        }
        let confirm = Some(self.confirm(reply, Purpose::DeleteDurable)?);
        cx.requests.push(Request::DeleteDurable { name, confirm });
        Ok(Done::Later)
    }
}

fn mode_of(info: &ConsumerInfo) -> SubscribeMode {
    match &info.subscription_name {
        Some(name) if !name.is_empty() => SubscribeMode::Durable(Arc::clone(name)),
        Some(_) | None if info.browser => SubscribeMode::Browse,
        Some(_) | None => SubscribeMode::Consume,
    }
}

fn is_topics(address: &Address) -> bool {
    address.leaves.iter().all(|leaf| leaf.kind.is_topic())
}
