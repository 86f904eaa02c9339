//! DestinationInfo: makes and removes destinations, temporary ones above all.

use super::confirm::{Purpose, Reply};
use super::error::{Class, PeerError};
use super::{Context, Done, State};
use crate::codec::destination::DestinationInfo;
use crate::mapping;
use ferrymq_model::{Destination, Request};
use std::sync::Arc;

/// `operationType`: makes it.
const ADD: i8 = 0;
/// `operationType`: removes it.
const REMOVE: i8 = 1;

impl State {
    pub(super) fn destination(
        &mut self,
        cx: &mut Context<'_>,
        info: &DestinationInfo,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        self.check_said("DestinationInfo", info.connection_id.as_ref())?;
        let wire = info.destination.as_ref().ok_or_else(|| PeerError::missing("DestinationInfo", "a destination"))?;
        let destination = Arc::new(mapping::destination(wire)?);
        match (info.operation_type, destination.kind.is_temporary()) {
            (ADD, true) => {
                self.check_own(&destination)?;
                let confirm = Some(self.confirm(reply, Purpose::CreateTemporary)?);
                cx.requests.push(Request::CreateTemporary { destination, confirm });
            }
            (ADD, false) => {
                let confirm = self.confirm_if_asked(reply)?;
                cx.requests.push(Request::CreateDestination { destination, confirm });
            }
            (REMOVE, true) => {
                let confirm = self.confirm_if_asked(reply)?;
                cx.requests.push(Request::DeleteTemporary { destination, confirm });
            }
            (REMOVE, false) => {
                let confirm = self.confirm_if_asked(reply)?;
                cx.requests.push(Request::DeleteDestination { destination, confirm });
            }
            (other, _) => return Err(PeerError::jms(format!("Unknown operation type: {other}"))),
        }
        Ok(Done::Later)
    }

    /// A temporary destination's name begins with its connection's id: nobody takes another's name before it does.
    fn check_own(&self, destination: &Destination) -> Result<(), PeerError> {
        let own = self.client.as_ref().and_then(|client| destination.name.strip_prefix(&*client.name));
        if own.is_some_and(|rest| rest.starts_with(':')) {
            return Ok(());
        }
        let text = format!("Cannot create a temporary destination of another connection: {destination}");
        Err(PeerError::new(Class::InvalidDestination, text))
    }
}
