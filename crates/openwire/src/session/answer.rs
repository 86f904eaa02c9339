//! Responses, errors, and whatever else the broker says about the conversation.

use super::confirm::{Confirmation, Purpose, Reply};
use super::error::{Class, PeerError};
use super::{Context, Phase, State};
use crate::codec::Command;
use crate::codec::connection::ConnectionError;
use crate::codec::control::KeepAliveInfo;
use crate::codec::ids::ConnectionId;
use crate::codec::producer::ProducerAck;
use crate::codec::response::{ExceptionResponse, Response};
use crate::limits::ERROR_BACKLOG_BYTES_MAX;
use ferrymq_model::{BranchAction, BranchError, Closing, Refusal, RefusalKind, Request, SubscriptionId, Token};

impl State {
    /// Writes a command. One that cannot be written ends the connection: the client would wait for it for ever.
    pub(super) fn put(&mut self, cx: &mut Context<'_>, command: &Command) {
        if let Err(error) = self.encoder.put(command, cx.out) {
            self.unwritable = Some(format!("an answer cannot be written: {error}"));
        }
    }

    /// The response, if one is waited for.
    pub(super) fn respond(&mut self, cx: &mut Context<'_>, reply: Reply) {
        if let Some(correlation_id) = reply {
            self.put(cx, &Response { correlation_id, ..Response::default() }.into());
        }
    }

    pub(super) fn put_keep_alive(&mut self, cx: &mut Context<'_>, command_id: i32) {
        self.put(cx, &KeepAliveInfo { command_id, response_required: false }.into());
    }

    /// An exception, after which the connection ends if the error says so or if nobody reads the errors.
    pub(super) fn answer_error(&mut self, cx: &mut Context<'_>, reply: Reply, error: &PeerError) -> Closing {
        if error.is_fatal {
            return self.fail(cx, reply, error);
        }
        if cx.out.len() > ERROR_BACKLOG_BYTES_MAX {
            return self.fail(cx, reply, &PeerError::limit("too many errors that the client does not read"));
        }
        self.put_error(cx, reply, error);
        Closing::No
    }

    /// An exception and the end.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, reply: Reply, error: &PeerError) -> Closing {
        self.put_error(cx, reply, error);
        self.phase = Phase::Closed;
        Closing::PeerError(error.text.clone())
    }

    /// Bytes that are no command.
    pub(super) fn malformed(&mut self, cx: &mut Context<'_>, text: &str) -> Closing {
        self.fail(cx, None, &PeerError::new(Class::Io, text))
    }

    fn put_error(&mut self, cx: &mut Context<'_>, reply: Reply, error: &PeerError) {
        // The client speaks already as our WireFormatInfo and its own say, which is not here: it could not read this.
        if self.phase == Phase::Fresh {
            return;
        }
        let is_jakarta = self.agreed.as_ref().is_some_and(|agreed| agreed.is_jakarta);
        let exception = Some(error.throwable(is_jakarta));
        let command = match reply {
            Some(correlation_id) => {
                ExceptionResponse { correlation_id, exception, ..ExceptionResponse::default() }.into()
            }
            None => {
                let connection_id = self.client.as_ref().map(|client| ConnectionId { value: client.name.clone() });
                ConnectionError { exception, connection_id, ..ConnectionError::default() }.into()
            }
        };
        self.put(cx, &command);
    }

    /// A token for a request that the command wants a response for; `None` where it does not.
    pub(super) fn confirm_if_asked(&mut self, reply: Reply) -> Result<Option<Token>, PeerError> {
        match reply {
            Some(_) => self.confirm(reply, Purpose::Plain).map(Some),
            None => Ok(None),
        }
    }

    /// A token for a request whose end the session must know.
    pub(super) fn confirm(&mut self, reply: Reply, purpose: Purpose) -> Result<Token, PeerError> {
        self.confirmations.expect(self.options.limits.pending_max, reply, purpose)
    }

    pub(super) fn confirmed(&mut self, cx: &mut Context<'_>, token: Token) -> Closing {
        let Some(Confirmation { purpose, reply }) = self.confirmations.take(token) else {
            return Closing::No;
        };
        match purpose {
            Purpose::Connect => return self.connected(cx, reply),
            Purpose::RemoveConnection => {
                // Before the response: whoever reads it may connect under the same client id, here or elsewhere.
                cx.requests.push(Request::Disconnect);
                self.forget_client();
            }
            Purpose::Shutdown => {
                self.respond(cx, reply);
                self.phase = Phase::Closed;
                return Closing::AfterFlush;
            }
            Purpose::Paced { session, value, size, .. } => self.put_producer_ack(cx, (session, value), size),
            Purpose::Commit(transaction) => self.consumers.forget_held(transaction),
            Purpose::Branch(xid, action) => self.branch_done(&xid, action),
            Purpose::PullNow(subscription, number) => return self.pull_found_nothing(cx, subscription, number),
            Purpose::PullEnd(subscription, number) => self.pull_ended(cx, subscription, number),
            Purpose::Send(_)
            | Purpose::Subscribe(_)
            | Purpose::AddProducer(_)
            | Purpose::CreateTemporary
            | Purpose::DeleteDurable
            | Purpose::WasCommitted(_)
            | Purpose::Recover
            | Purpose::Plain => {}
        }
        self.respond(cx, reply);
        Closing::No
    }

    pub(super) fn refused(&mut self, cx: &mut Context<'_>, token: Option<Token>, refusal: &Refusal) -> Closing {
        if refusal.kind == RefusalKind::StoreFailed {
            return self.store_failed(cx, token, refusal);
        }
        let Some(Confirmation { purpose, reply }) = token.and_then(|token| self.confirmations.take(token)) else {
            self.refused_unasked(cx, refusal);
            return self.answer_error(cx, None, &PeerError::refused(refusal));
        };
        let error = match purpose {
            Purpose::Send(route) => {
                self.producers.forget_route(route, cx.requests);
                PeerError::refused(refusal)
            }
            Purpose::Paced { route, session, value, size } => {
                self.producers.forget_route(route, cx.requests);
                // It is under way no more: its producer would wait for it for ever.
                self.put_producer_ack(cx, (session, value), size);
                PeerError::refused(refusal)
            }
            Purpose::Subscribe(subscription) => self.subscribe_refused(subscription, refusal),
            Purpose::AddProducer(route) => {
                self.producers.forget_route(route, cx.requests);
                PeerError::refused(refusal)
            }
            // Its name begins with the connection's own: the client made it before.
            Purpose::CreateTemporary if refusal.kind == RefusalKind::Duplicate => {
                self.respond(cx, reply);
                return Closing::No;
            }
            Purpose::DeleteDurable => self.delete_refused(refusal),
            Purpose::Commit(transaction) => {
                // Nothing of it happened. It is over all the same: what it held may be acknowledged again.
                self.consumers.release_held(transaction);
                cx.requests.push(Request::Rollback { transaction, confirm: None });
                PeerError::new(Class::TransactionRolledBack, refusal.text.clone())
            }
            Purpose::WasCommitted(name) => PeerError::jms(format!("Transaction 'TX:{name}' has not been started.")),
            Purpose::Branch(xid, action) => {
                let is_doomed = matches!(action, BranchAction::PrepareDoomed | BranchAction::CommitOnePhaseDoomed);
                let cause = self.doom_of(&xid).filter(|_| is_doomed);
                let text = cause.map_or_else(|| refusal.text.clone(), |cause| format!("{}: {cause}", refusal.text));
                self.branch_refused(&xid, action, refusal);
                PeerError::refused(&Refusal { kind: refusal.kind, text })
            }
            Purpose::PullNow(subscription, _) | Purpose::PullEnd(subscription, _) => {
                self.consumers.end_pull(subscription);
                PeerError::refused(refusal)
            }
            Purpose::Connect | Purpose::RemoveConnection | Purpose::Shutdown => PeerError::refused(refusal).fatal(),
            Purpose::CreateTemporary | Purpose::Recover | Purpose::Plain => PeerError::refused(refusal),
        };
        self.answer_error(cx, reply, &error)
    }

    /// What became of it is not known. Without an answer a client asks again, here or elsewhere, after the connection
    /// broke; with an error it would believe that it did not happen. Only XA has an error that says just this.
    fn store_failed(&mut self, cx: &mut Context<'_>, token: Option<Token>, refusal: &Refusal) -> Closing {
        if let Some(Confirmation { purpose, reply: Some(reply) }) =
            token.and_then(|token| self.confirmations.take(token))
        {
            let error = match purpose {
                // Prepared it is in any case, or committed: the manager's log and the same question settle it.
                Purpose::Branch(_, BranchAction::Commit) => Some(BranchError::Retry),
                Purpose::Branch(..) | Purpose::Recover => Some(BranchError::Unavailable),
                _ => None,
            };
            if let Some(error) = error {
                return self.fail(cx, Some(reply), &PeerError::xa(error, &refusal.text));
            }
        }
        self.phase = Phase::Closed;
        Closing::PeerError(refusal.text.clone())
    }

    /// Something failed that nobody waits for: it may have been any route.
    fn refused_unasked(&mut self, cx: &mut Context<'_>, refusal: &Refusal) {
        if matches!(refusal.kind, RefusalKind::InvalidDestination | RefusalKind::Denied) {
            self.producers.forget_routes(cx.requests);
        }
    }

    fn put_producer_ack(&mut self, cx: &mut Context<'_>, key: (i64, i64), size: i32) {
        let Some(producer) = self.producers.get(key) else { return };
        let producer_id = Some(producer.wire.clone());
        self.put(cx, &ProducerAck { producer_id, size, ..ProducerAck::default() }.into());
    }

    fn subscribe_refused(&mut self, subscription: SubscriptionId, refusal: &Refusal) -> PeerError {
        let consumer = self.consumers.remove(subscription);
        let durable = consumer.and_then(|consumer| consumer.durable);
        match (refusal.kind, durable) {
            (RefusalKind::DurableInUse, Some(name)) => {
                let client_id = self.client.as_ref().and_then(|client| client.client_id.as_deref()).unwrap_or_default();
                let text = format!("Durable consumer is in use for client: {client_id} and subscriptionName: {name}");
                PeerError::jms(text)
            }
            _ => PeerError::refused(refusal),
        }
    }

    fn delete_refused(&self, refusal: &Refusal) -> PeerError {
        match refusal.kind {
            RefusalKind::DurableInUse => PeerError::jms("Durable consumer is in use"),
            RefusalKind::Unknown => PeerError::new(Class::InvalidDestination, refusal.text.clone()),
            _ => PeerError::refused(refusal),
        }
    }
}
