//! Destinations that clients make and delete themselves.

use crate::broker::{Broker, Step, refusal};
use ferrymq_model::{Destination, RefusalKind, SessionId, Token};
use std::sync::Arc;

impl Broker {
    /// Makes a queue or topic.
    pub(crate) fn create_destination(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        match self.find_or_make(destination) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(_) => self.confirm(session, confirm, step),
        }
    }

    /// Deletes a queue or topic with all it holds.
    pub(crate) fn delete_destination(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let refusal = refusal(RefusalKind::Denied, format!("{destination} cannot be deleted yet"));
        self.refuse(session, confirm, refusal, step);
    }
}
