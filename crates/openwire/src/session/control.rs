//! Commands that need no client, and those that nobody may send here.

use super::confirm::{Purpose, Reply};
use super::error::{Class, PeerError};
use super::{Context, Done, State};
use crate::codec::Command;
use crate::codec::broker_info::BrokerInfo;
use crate::codec::consumer::ConsumerControl;
use ferrymq_model::Request;

impl State {
    /// Before ConnectionInfo, and after the client took it back. A client's other commands come here, too.
    pub(super) fn command_of_stranger(
        &mut self,
        cx: &mut Context<'_>,
        command: &Command,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        match command {
            Command::ConnectionInfo(info) if self.client.is_none() => self.connect(cx, info, reply),
            Command::ShutdownInfo(_) => self.shutdown(cx, reply),
            Command::KeepAliveInfo(info) => {
                if info.response_required {
                    self.put_keep_alive(cx, info.command_id);
                }
                Ok(Done::Later)
            }
            Command::BrokerInfo(info) => self.broker_info(info),
            Command::WireFormatInfo(_) => Err(PeerError::state("the wire format was negotiated already").fatal()),
            Command::ControlCommand(info) => match info.command.as_deref() {
                Some("shutdown") => Err(PeerError::new(Class::Security, "a client cannot stop the broker")),
                Some(_) | None => Ok(Done::Now),
            },
            // What a client may say, and what has no meaning for a broker.
            Command::ConnectionControl(_) | Command::ConnectionError(_) | Command::ProducerAck(_) => Ok(Done::Now),
            Command::FlushCommand(_) => Ok(Done::Now),
            // Coming back after a failure, the failover transport sends its notes about unanswered requests as if they were
            // requests; they are written as responses. Whoever ended its connection for that would meet it with them again.
            Command::Response(_)
            | Command::ExceptionResponse(_)
            | Command::DataResponse(_)
            | Command::DataArrayResponse(_)
            | Command::IntegerResponse(_) => Ok(Done::Now),
            Command::Message(_)
            | Command::MessageAck(_)
            | Command::MessagePull(_)
            | Command::TransactionInfo(_)
            | Command::SessionInfo(_)
            | Command::ProducerInfo(_)
            | Command::ConsumerInfo(_)
            | Command::RemoveInfo(_)
            | Command::RemoveSubscriptionInfo(_)
            | Command::DestinationInfo(_)
            | Command::ConsumerControl(_)
            | Command::ConnectionInfo(_) => {
                Err(PeerError::state("Cannot lookup a connection that had not been registered"))
            }
            Command::BrokerSubscriptionInfo(_)
            | Command::NetworkBridgeFilter(_)
            | Command::MessageDispatchNotification(_)
            | Command::DiscoveryEvent(_) => {
                Err(PeerError::state("bridges between brokers are not served here").fatal())
            }
            Command::MessageDispatch(_)
            | Command::JournalTopicAck(_)
            | Command::JournalQueueAck(_)
            | Command::JournalTrace(_)
            | Command::JournalTransaction(_)
            | Command::SubscriptionInfo(_)
            | Command::PartialCommand(_)
            | Command::LastPartialCommand(_)
            | Command::ReplayCommand(_)
            | Command::MessageId(_)
            | Command::Object(_) => {
                let code = command.type_code();
                Err(PeerError::state(format!("a structure of type {code} is not a client's command")).fatal())
            }
        }
    }

    /// A client says it once at most (CVE-2026-50750: each further one cost the broker a bridge), and no bridge is made of it.
    fn broker_info(&mut self, info: &BrokerInfo) -> Result<Done, PeerError> {
        if std::mem::replace(&mut self.has_broker_info, true) {
            return Err(PeerError::new(Class::Io, "Unexpected extra broker info command received").fatal());
        }
        if info.slave_broker || info.network_connection || info.duplex_connection {
            return Err(PeerError::new(Class::Io, "bridges between brokers are not served here").fatal());
        }
        Ok(Done::Now)
    }

    /// The client changes a prefetch. It closes consumers by RemoveInfo.
    pub(super) fn consumer_control(
        &mut self,
        cx: &mut Context<'_>,
        control: &ConsumerControl,
    ) -> Result<Done, PeerError> {
        let id = control.consumer_id.as_ref().ok_or_else(|| PeerError::missing("ConsumerControl", "a consumer id"))?;
        self.check_connection(&id.connection_id)?;
        if let Some(consumer) = self.consumers.find((id.session_id, id.value)).filter(|consumer| !consumer.is_ended) {
            let prefetch = u32::try_from(control.prefetch).unwrap_or(0);
            consumer.is_pulling = prefetch == 0;
            cx.requests.push(Request::SetPrefetch { subscription: consumer.id, prefetch });
        }
        Ok(Done::Now)
    }

    /// A response when everything before it was done.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, reply: Reply) -> Result<Done, PeerError> {
        if reply.is_some() {
            let confirm = self.confirm(reply, Purpose::Plain)?;
            cx.requests.push(Request::Confirm { confirm });
        }
        Ok(Done::Later)
    }
}
