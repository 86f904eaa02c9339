//! ProducerInfo, and messages.

use super::confirm::{Purpose, Reply};
use super::error::PeerError;
use super::producers::Key;
use super::{Context, Done, State};
use crate::codec::destination::Destination as WireDestination;
use crate::codec::message::{Message, MessageFields};
use crate::codec::producer::ProducerInfo;
use crate::mapping::{self, Arrival};
use ferrymq_model::{Destination, ProducerId, Request};
use std::sync::Arc;

/// What a client's window counts for a message beside content and properties. Bytes; the same number as in the client.
const COUNTED_OVERHEAD: usize = 1024;

impl State {
    pub(super) fn add_producer(
        &mut self,
        cx: &mut Context<'_>,
        info: &ProducerInfo,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let id = info.producer_id.as_ref().ok_or_else(|| PeerError::missing("ProducerInfo", "a producer id"))?;
        self.check_connection(&id.connection_id)?;
        let key = (id.session_id, id.value);
        if !self.has_session(key.0) {
            let text = format!("{}:{}", id.connection_id, id.session_id);
            let text = format!("Cannot add a producer to a session that had not been registered: {text}");
            return Err(PeerError::state(text));
        }
        // Said again, as after a failure: it is there.
        if self.producers.contains(key) {
            return Ok(Done::Now);
        }
        let max = self.options.limits.producers_max;
        if self.producers.len() >= max {
            let text = format!("Can't add producer on connection {}: at maximum limit: {max}", id.connection_id);
            return Err(PeerError::state(text));
        }
        let name = self.names.producer(id);
        let leaf = info.destination.as_ref().map(mapping::address).transpose()?;
        self.producers.add(key, id.clone(), name, info.window_size > 0);
        let (Some(destination), Some(address)) = (&info.destination, leaf) else {
            return Ok(Done::Now);
        };
        let route = self.add_route(cx, key, destination, address);
        let confirm = self.confirm(reply, Purpose::AddProducer(route))?;
        if let Some(Request::AddProducer { confirm: asked, .. }) = cx.requests.last_mut() {
            *asked = Some(confirm);
        }
        Ok(Done::Later)
    }

    /// Asks for a route; the request is the last one, without a token.
    fn add_route(
        &mut self,
        cx: &mut Context<'_>,
        key: Key,
        destination: &WireDestination,
        address: ferrymq_model::Address,
    ) -> ProducerId {
        let leaf = Arc::clone(&address.leaves[0]);
        let route = self.producers.add_route(key, destination.clone(), leaf, cx.requests);
        cx.requests.push(Request::AddProducer {
            producer: route,
            name: self.producers.get(key).map(|producer| Arc::clone(&producer.name)),
            skips_duplicates: self.client.as_ref().is_some_and(|client| client.is_fault_tolerant),
            address: Arc::new(address),
            confirm: None,
        });
        route
    }

    /// Where a message goes, and whether its producer is paced.
    #[inline]
    fn route(
        &mut self,
        cx: &mut Context<'_>,
        fields: &MessageFields,
    ) -> Result<(Key, bool, ProducerId, Arc<Destination>), PeerError> {
        let id = fields.producer_id.as_ref().ok_or_else(|| PeerError::missing("a message", "a producer id"))?;
        self.check_connection(&id.connection_id)?;
        let destination =
            fields.destination.as_ref().ok_or_else(|| PeerError::missing("a message", "a destination"))?;
        let key = (id.session_id, id.value);
        match self.producers.find(key, destination) {
            Some((is_paced, Some(route))) => Ok((key, is_paced, route.id, Arc::clone(&route.leaf))),
            Some((is_paced, None)) => {
                let address = mapping::address(destination)?;
                let leaf = Arc::clone(&address.leaves[0]);
                let route = self.add_route(cx, key, destination, address);
                Ok((key, is_paced, route, leaf))
            }
            None => {
                let text = format!("{}:{}:{}", id.connection_id, id.session_id, id.value);
                Err(PeerError::state(format!("Cannot send to a producer that had not been registered: {text}")))
            }
        }
    }

    pub(super) fn send(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Message,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let result = self.try_send(cx, message, reply);
        if let (Err(error), Some(id), None) = (&result, &message.fields.transaction_id, reply) {
            // The client believes that it is part of its transaction: that must not be committed without it.
            self.transactions.doom(id, &error.text);
        }
        result
    }

    fn try_send(&mut self, cx: &mut Context<'_>, message: &mut Message, reply: Reply) -> Result<Done, PeerError> {
        let (key, is_paced, producer, leaf) = self.route(cx, &message.fields)?;
        let transaction = match &message.fields.transaction_id {
            None => None,
            Some(id) => Some(self.transactions.of(id)?),
        };
        self.restored.sent(transaction, key.0);
        let size = if is_paced && reply.is_none() { counted_size(&message.fields) } else { 0 };
        let arrival = Arrival { destination: &leaf, user: None };
        let message = Arc::new(mapping::incoming(message, arrival, &mut self.names)?);
        let purpose = if reply.is_some() {
            Some(Purpose::Send(producer))
        } else if is_paced {
            Some(Purpose::Paced { route: producer, session: key.0, value: key.1, size })
        } else {
            None
        };
        let confirm = purpose.map(|purpose| self.confirm(reply, purpose)).transpose()?;
        if let (Some(confirm), Some(_), None) = (confirm, transaction, reply) {
            // The pace waits for it, the client does not: its transaction must not be committed without it.
            cx.requests.push(Request::Send { producer, message, transaction, confirm: None });
            cx.requests.push(Request::Confirm { confirm });
            return Ok(Done::Later);
        }
        cx.requests.push(Request::Send { producer, message, transaction, confirm });
        Ok(Done::Later)
    }
}

fn counted_size(fields: &MessageFields) -> i32 {
    let len = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let size = COUNTED_OVERHEAD + len(fields.body.content()) + len(fields.body.properties());
    i32::try_from(size).unwrap_or(i32::MAX)
}
