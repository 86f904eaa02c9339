//! WireFormatInfo, ConnectionInfo, ShutdownInfo, the end of the input.

use super::confirm::{Purpose, Reply};
use super::error::{Class, PeerError};
use super::negotiate;
use super::restored::Restored;
use super::said_again::SaidAgain;
use super::{Client, Context, Done, Phase, State};
use crate::codec::Encoder;
use crate::codec::broker_info::BrokerInfo;
use crate::codec::connection::{ConnectionControl, ConnectionInfo};
use crate::codec::ids::BrokerId;
use crate::codec::wire_format_info::WireFormatInfo;
use ferrymq_model::{Closing, Request};
use std::sync::Arc;

/// A connection's id. Names of messages, transactions and temporary destinations begin with it. Bytes.
const NAME_BYTES_MAX: usize = 512;

impl State {
    /// Our WireFormatInfo.
    pub(super) fn offer(&mut self, cx: &mut Context<'_>) {
        match negotiate::offer(&self.options) {
            Ok(info) => self.put(cx, &info.into()),
            Err(error) => self.unwritable = Some(format!("the WireFormatInfo cannot be written: {error}")),
        }
    }

    /// The client's. From here on both speak what was agreed.
    pub(super) fn agree(&mut self, cx: &mut Context<'_>, theirs: &WireFormatInfo) -> Closing {
        let agreed = match negotiate::agree(&self.options, theirs) {
            Ok(agreed) => agreed,
            Err(text) => {
                self.phase = Phase::Closed;
                return Closing::PeerError(text);
            }
        };
        self.phase = Phase::Agreed;
        self.inactivity.agree(cx.now.mono, agreed.max_inactivity_ms, agreed.initial_delay_ms);
        self.encoder = Encoder::new(agreed.codec.clone());
        self.agreed = Some(agreed);
        let info = BrokerInfo {
            broker_id: Some(BrokerId { value: Arc::clone(&self.options.broker_id) }),
            broker_name: Some(Arc::clone(&self.options.broker_name)),
            broker_url: Some(Arc::clone(&self.options.broker_url)),
            ..BrokerInfo::default()
        };
        self.put(cx, &info.into());
        Closing::No
    }

    pub(super) fn connect(
        &mut self,
        cx: &mut Context<'_>,
        info: &ConnectionInfo,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let Some(id) = &info.connection_id else {
            return Err(PeerError::missing("ConnectionInfo", "a connection id").fatal());
        };
        if id.value.is_empty() || id.value.len() > NAME_BYTES_MAX || id.value.chars().any(char::is_control) {
            return Err(PeerError::jms(format!("a connection id has 1 to {NAME_BYTES_MAX} bytes")).fatal());
        }
        let client = Client::new(Arc::clone(&id.value), info);
        if client.client_id.is_none() {
            let text = "No clientID specified for connection request";
            return Err(PeerError::new(Class::InvalidClientId, text).fatal());
        }
        let confirm = self.confirm(reply, Purpose::Connect)?;
        cx.requests.push(Request::Connect {
            name: Some(Arc::clone(&client.name)),
            client_id: client.client_id.clone(),
            user: info.user_name.clone().filter(|user| !user.is_empty()),
            peer: self.options.peer.clone(),
            confirm,
        });
        self.client = Some(client);
        self.introduced = Some(cx.now.mono);
        self.phase = Phase::Connecting;
        if info.failover_reconnect {
            self.restored.begin();
            self.said_again.begin();
        }
        Ok(Done::Later)
    }

    pub(super) fn connected(&mut self, cx: &mut Context<'_>, reply: Reply) -> Closing {
        self.respond(cx, reply);
        if self.phase != Phase::Connecting {
            return Closing::No;
        }
        self.phase = Phase::Open;
        if self.client.as_ref().is_some_and(|client| client.is_manageable) {
            let control = ConnectionControl {
                connected_brokers: Some(self.options.connected_brokers.clone().unwrap_or_default()),
                reconnect_to: Some(Arc::from("")),
                ..ConnectionControl::default()
            };
            self.put(cx, &control.into());
        }
        Closing::No
    }

    /// The broker knows the client no more. Its sessions, producers and consumers went before.
    pub(super) fn forget_client(&mut self) {
        self.client = None;
        self.transactions.forget();
        self.restored = Restored::default();
        self.said_again = SaidAgain::default();
    }

    /// A second ConnectionInfo: one connection, one client.
    pub(super) fn connected_already(&self, info: &ConnectionInfo) -> PeerError {
        let client_id = info.client_id.as_deref().unwrap_or_default();
        let text = format!("Broker: {} - Client: {client_id} already connected", self.options.broker_name);
        PeerError::new(Class::InvalidClientId, text).fatal()
    }

    pub(super) fn shutdown(&mut self, cx: &mut Context<'_>, reply: Reply) -> Result<Done, PeerError> {
        match self.phase {
            Phase::Connecting | Phase::Open => {
                let confirm = self.confirm(reply, Purpose::Shutdown)?;
                cx.requests.push(Request::Confirm { confirm });
                self.phase = Phase::Ending;
                Ok(Done::Later)
            }
            Phase::Fresh | Phase::Agreed | Phase::Removed | Phase::Ending | Phase::Closed => {
                self.respond(cx, reply);
                self.phase = Phase::Closed;
                Ok(Done::Closes(Closing::AfterFlush))
            }
        }
    }

    /// Nothing more comes. What was asked is answered as if by a ShutdownInfo.
    pub(super) fn input_ended(&mut self, cx: &mut Context<'_>) -> Closing {
        match self.phase {
            // Its ShutdownInfo is about to be answered.
            Phase::Ending => Closing::No,
            Phase::Fresh | Phase::Agreed | Phase::Connecting | Phase::Open | Phase::Removed | Phase::Closed => {
                match self.shutdown(cx, None) {
                    Ok(Done::Closes(closing)) => closing,
                    Ok(Done::Now | Done::Later) => Closing::No,
                    Err(error) => self.fail(cx, None, &error),
                }
            }
        }
    }
}
