//! SUBSCRIBE and UNSUBSCRIBE.

use super::confirm::Purpose;
use super::subscriptions::{AckMode, Subscription};
use super::{Context, PeerError, State};
use crate::codec::{Frame, Known, Version};
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{Address, Request, Seen, Subscribe};
use std::sync::Arc;

/// Prefetch where the client names none, as ActiveMQ's. Messages.
const PREFETCH_QUEUE: u32 = 1000;
const PREFETCH_TOPIC: u32 = 32_767;
const PREFETCH_DURABLE: u32 = 100;

/// ActiveMQ's `activemq.` headers, those of them that a broker acts on.
#[derive(Debug, Default)]
struct Extensions {
    prefetch: Option<u32>,
    no_local: bool,
    exclusive: bool,
    retroactive: bool,
    priority: i16,
    pending_limit: Option<u32>,
    durable: Option<Arc<str>>,
    /// The name of a shared subscription, and whether it is kept while it has no consumers.
    shared: Option<Arc<str>>,
    is_shared_durable: bool,
}

impl Extensions {
    fn read(frame: &Frame<'_>) -> Result<Self, PeerError> {
        let mut seen = Self::default();
        // The first of a repeated header counts: the last one that is assigned here.
        let headers: Vec<_> = frame.headers().collect();
        for (name, value) in headers.iter().rev() {
            let Some(option) = name.strip_prefix("activemq.") else {
                continue;
            };
            let value = value.trim();
            let is_true = value.eq_ignore_ascii_case("true");
            match option {
                "prefetchSize" => seen.prefetch = Some(parse(name, value)?),
                "noLocal" => seen.no_local = is_true,
                "exclusive" => seen.exclusive = is_true,
                "retroactive" => seen.retroactive = is_true,
                "priority" => seen.priority = parse(name, value)?,
                "maximumPendingMessageLimit" => seen.pending_limit = u32::try_from(parse::<i32>(name, value)?).ok(),
                "subscriptionName" => seen.durable = (!value.is_empty()).then(|| Arc::from(value)),
                "sharedSubscriptionName" => seen.shared = (!value.is_empty()).then(|| Arc::from(value)),
                "durable" => seen.is_shared_durable = is_true,
                // `dispatchAsync` and what else ActiveMQ knows: accepted, without a meaning here.
                _ => {}
            }
        }
        Ok(seen)
    }

    /// The name under which a subscription is kept while nobody listens.
    fn kept(&self) -> Option<Arc<str>> {
        self.durable.clone().or_else(|| self.shared.clone().filter(|_| self.is_shared_durable))
    }
}

fn parse<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, PeerError> {
    value.parse().map_err(|_| PeerError::new(format!("the header {name} is not a number in its range")))
}

impl State {
    pub(super) fn subscribe(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let raw = frame.raw(Known::Destination).ok_or_else(|| PeerError::missing(frame.command, Known::Destination))?;
        let id = frame.raw(Known::Id);
        if id.is_none() && self.version != Version::V1_0 {
            return Err(PeerError::missing(frame.command, Known::Id));
        }
        if id.is_some_and(|id| self.subscriptions.find(id).is_some()) {
            return Err(PeerError::new("there is a subscription with this id"));
        }
        if self.subscriptions.len() >= self.options.limits.subscriptions_max {
            return Err(PeerError::new(format!("more than {} subscriptions", self.options.limits.subscriptions_max)));
        }
        let ack_mode = ack_mode(frame)?;
        let extensions = Extensions::read(frame)?;
        let is_browser = frame.raw(Known::Browser).is_some_and(|browser| browser.eq_ignore_ascii_case(b"true"));
        let mode = self.subscribe_mode(is_browser, &extensions)?;
        let text = frame.get(Known::Destination).unwrap_or_default();
        let leaves = self.resolve(&text, cx.requests)?;
        let prefetch = extensions.prefetch.unwrap_or(match (&mode, leaves[0].kind) {
            (SubscribeMode::Durable(_) | SubscribeMode::Shared(_) | SubscribeMode::SharedDurable(_), _) => {
                PREFETCH_DURABLE
            }
            (SubscribeMode::Consume | SubscribeMode::Browse, kind) if kind.is_topic() => PREFETCH_TOPIC,
            (SubscribeMode::Consume | SubscribeMode::Browse, _) => PREFETCH_QUEUE,
        });
        let subscription = self.subscriptions.next_id();
        let durable = extensions.kept();
        // Asked for in any case: a refused subscription is forgotten.
        let confirm = Some(self.confirmation(frame, Purpose::Subscribe(subscription))?);
        self.subscriptions.add(Subscription::new(subscription, id, raw, ack_mode, durable));
        cx.requests.push(Request::Subscribe(Box::new(Subscribe {
            subscription,
            name: None,
            address: Arc::new(Address { leaves }),
            selector: frame.get(Known::Selector).filter(|text| !text.trim().is_empty()).map(Arc::from),
            selector_converts_text: true,
            mode,
            settles: match ack_mode {
                AckMode::Auto => Settles::WhenWritten,
                AckMode::Client | AckMode::ClientIndividual => Settles::WhenAcknowledged,
            },
            gives_up: GivesUp::Broker,
            prefetch: prefetch.max(1),
            no_local: extensions.no_local,
            exclusive: extensions.exclusive,
            priority: extensions.priority,
            retroactive: extensions.retroactive,
            pending_limit: extensions.pending_limit,
            confirm,
        })));
        Ok(())
    }

    fn subscribe_mode(&self, is_browser: bool, wishes: &Extensions) -> Result<SubscribeMode, PeerError> {
        match (&wishes.durable, &wishes.shared) {
            (None, None) if is_browser => Ok(SubscribeMode::Browse),
            (None, None) => Ok(SubscribeMode::Consume),
            (Some(_), Some(_)) => {
                Err(PeerError::new("a subscription is durable by one name or shared by one, not both"))
            }
            (None, Some(name)) if wishes.is_shared_durable => Ok(SubscribeMode::SharedDurable(Arc::clone(name))),
            (None, Some(name)) => Ok(SubscribeMode::Shared(Arc::clone(name))),
            (Some(_), None) if !self.has_client_id => {
                Err(PeerError::new("a durable subscription needs the header client-id on CONNECT"))
            }
            (Some(name), None) => Ok(SubscribeMode::Durable(Arc::clone(name))),
        }
    }

    pub(super) fn unsubscribe(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let wishes = Extensions::read(frame)?;
        let durable = wishes.kept();
        if wishes.durable.is_some() && !self.has_client_id {
            return Err(PeerError::new("a durable subscription needs the header client-id on CONNECT"));
        }
        let found = match (frame.raw(Known::Id), frame.raw(Known::Destination)) {
            (Some(id), _) => self.subscriptions.find(id),
            (None, Some(destination)) => self.subscriptions.find_by_destination(destination),
            (None, None) => None,
        };
        let found = found.or_else(|| durable.as_ref().and_then(|name| self.subscriptions.find_durable(name)));
        if found.is_none() && durable.is_none() {
            return Err(match (frame.raw(Known::Id), frame.raw(Known::Destination)) {
                (None, None) => PeerError::new("UNSUBSCRIBE without the header id or destination"),
                (Some(_), _) | (None, Some(_)) => PeerError::new("there is no such subscription"),
            });
        }
        let mut confirm = self.receipt(frame, Purpose::Plain)?;
        if let Some(subscription) = found {
            // Its frames are on their way and cannot be called back: they count as written.
            self.subscriptions.settle_encoded(subscription, cx.requests);
            self.subscriptions.remove(subscription);
            let confirm = if durable.is_none() { confirm.take() } else { None };
            cx.requests.push(Request::Unsubscribe { subscription, seen: Seen::Unknown, confirm });
        }
        if let Some(name) = durable {
            cx.requests.push(Request::DeleteDurable { name, confirm });
        }
        Ok(())
    }
}

fn ack_mode(frame: &Frame<'_>) -> Result<AckMode, PeerError> {
    match frame.raw(Known::Ack) {
        None | Some(b"auto") => Ok(AckMode::Auto),
        Some(b"client") => Ok(AckMode::Client),
        Some(b"client-individual") => Ok(AckMode::ClientIndividual),
        Some(_) => Err(PeerError::new("the header ack is none of auto, client, client-individual")),
    }
}
