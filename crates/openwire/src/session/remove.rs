//! SessionInfo, and RemoveInfo of connections, sessions, producers and consumers.

use super::confirm::{Purpose, Reply};
use super::error::PeerError;
use super::{Context, Done, Phase, State, consumers, producers};
use crate::codec::ids::{ConnectionId, ObjectId, SessionId};
use crate::codec::session::{RemoveInfo, SessionInfo};
use ferrymq_model::Request;
use std::sync::Arc;

/// The session that is there without being introduced: the client listens to advisories on it.
const ADVISORY_SESSION: i64 = -1;

impl State {
    /// Every id of a command begins with the connection's own.
    #[inline]
    pub(super) fn check_connection(&self, name: &Arc<str>) -> Result<(), PeerError> {
        match &self.client {
            Some(client) if Arc::ptr_eq(&client.name, name) || client.name == *name => Ok(()),
            Some(_) | None => {
                Err(PeerError::state(format!("Cannot lookup a connection that had not been registered: {name}")))
            }
        }
    }

    /// The same for a command whose only id is the connection's.
    pub(super) fn check_said(&self, command: &'static str, id: Option<&ConnectionId>) -> Result<(), PeerError> {
        self.check_connection(&id.ok_or_else(|| PeerError::missing(command, "a connection id"))?.value)
    }

    pub(super) fn add_session(&mut self, info: &SessionInfo) -> Result<Done, PeerError> {
        let id = info.session_id.as_ref().ok_or_else(|| PeerError::missing("SessionInfo", "a session id"))?;
        self.check_connection(&id.connection_id)?;
        let max = self.options.limits.sessions_max;
        if self.sessions.len() >= max && !self.sessions.contains(&id.value) {
            return Err(PeerError::limit(format!("Can't add session on connection: at maximum limit: {max}")));
        }
        // Said again, as after a failure: it is there.
        self.sessions.insert(id.value);
        Ok(Done::Now)
    }

    pub(super) fn has_session(&self, session: i64) -> bool {
        session == ADVISORY_SESSION || self.sessions.contains(&session)
    }

    pub(super) fn remove(&mut self, cx: &mut Context<'_>, info: &RemoveInfo, reply: Reply) -> Result<Done, PeerError> {
        let id = info.object_id.as_ref().ok_or_else(|| PeerError::missing("RemoveInfo", "an id"))?;
        let seen = info.last_delivered_sequence_id;
        match id {
            ObjectId::ConsumerId(id) => {
                self.check_connection(&id.connection_id)?;
                self.remove_consumer(cx, (id.session_id, id.value), seen, reply)
            }
            ObjectId::ProducerId(id) => {
                self.check_connection(&id.connection_id)?;
                self.names.forget(id);
                if !self.producers.remove((id.session_id, id.value), cx.requests) {
                    let text = format!("{}:{}:{}", id.connection_id, id.session_id, id.value);
                    return Err(PeerError::state(format!(
                        "Cannot remove a producer that had not been registered: {text}"
                    )));
                }
                Ok(Done::Now)
            }
            ObjectId::SessionId(id) => {
                self.check_connection(&id.connection_id)?;
                self.remove_session(cx, id, seen, reply)
            }
            // Somebody else's: as ActiveMQ, nothing happens.
            ObjectId::ConnectionId(id) if self.check_connection(&id.value).is_err() => Ok(Done::Now),
            ObjectId::ConnectionId(_) => self.remove_connection(cx, seen, reply),
            ObjectId::BrokerId(_) | ObjectId::Destination(_) | ObjectId::TransactionId(_) => {
                Err(PeerError::jms("RemoveInfo names nothing that can be removed"))
            }
        }
    }

    fn remove_consumer(
        &mut self,
        cx: &mut Context<'_>,
        key: consumers::Key,
        seen: i64,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let Some(consumer) = self.consumers.find(key) else {
            let name = self.client.as_ref().map_or("", |client| &client.name);
            let text = format!("Cannot remove a consumer that had not been registered: {name}:{}:{}", key.0, key.1);
            return Err(PeerError::state(text));
        };
        let (subscription, is_ended, seen) = (consumer.id, consumer.is_ended, consumer.seen(seen));
        let confirm = if is_ended { None } else { self.confirm_if_asked(reply)? };
        self.consumers.remove(subscription);
        if is_ended {
            return Ok(Done::Now);
        }
        cx.requests.push(Request::Unsubscribe { subscription, seen, confirm });
        Ok(Done::Later)
    }

    fn remove_session(
        &mut self,
        cx: &mut Context<'_>,
        id: &SessionId,
        seen: i64,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        if !self.has_session(id.value) {
            let text = format!("{}:{}", id.connection_id, id.value);
            return Err(PeerError::state(format!("Cannot remove session that had not been registered: {text}")));
        }
        self.end_session(cx, id.value, seen)?;
        self.sessions.remove(&id.value);
        self.restored.remove_session(id.value);
        self.flush(cx, reply)
    }

    /// Its consumers and producers end.
    fn end_session(&mut self, cx: &mut Context<'_>, session: i64, seen: i64) -> Result<(), PeerError> {
        for key in self.consumers.keys_of(session) {
            self.remove_consumer(cx, key, seen, None)?;
        }
        let keys: Vec<producers::Key> = self.producers.keys_of(session);
        for key in keys {
            if let Some(producer) = self.producers.get(key) {
                let wire = producer.wire.clone();
                self.names.forget(&wire);
            }
            self.producers.remove(key, cx.requests);
        }
        Ok(())
    }

    /// The client takes its connection back. What it saw is told first; the rest is the broker's, which then is told the
    /// end, before the response.
    fn remove_connection(&mut self, cx: &mut Context<'_>, seen: i64, reply: Reply) -> Result<Done, PeerError> {
        let mut sessions: Vec<i64> = self.sessions.drain().collect();
        sessions.push(ADVISORY_SESSION);
        sessions.sort_unstable();
        for session in sessions {
            self.end_session(cx, session, seen)?;
        }
        let confirm = self.confirm(reply, Purpose::RemoveConnection)?;
        cx.requests.push(Request::Confirm { confirm });
        self.phase = Phase::Removed;
        Ok(Done::Later)
    }
}
