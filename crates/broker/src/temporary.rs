//! Temporary destinations: they live as long as the session that made them, and only it listens there.

use crate::broker::{Broker, Place, Step, refusal};
use ferrymq_model::limits::{DESTINATION_NAME_BYTES_MAX, TEMPORARIES_PER_SESSION_MAX};
use ferrymq_model::{Destination, Event, Refusal, RefusalKind, Seen, SessionId, Token};
use std::sync::Arc;

impl Broker {
    /// Makes a temporary destination of a session.
    pub(crate) fn create_temporary(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        match self.try_create_temporary(session, destination) {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(()) => self.confirm(session, confirm, step),
        }
    }

    fn try_create_temporary(&mut self, session: SessionId, destination: &Arc<Destination>) -> Result<(), Refusal> {
        let length = destination.name.len();
        if !destination.kind.is_temporary()
            || destination.is_pattern()
            || length == 0
            || length > DESTINATION_NAME_BYTES_MAX
        {
            let text = format!("{destination} is no temporary destination");
            return Err(refusal(RefusalKind::InvalidDestination, text));
        }
        if self.asking(session).temporaries.len() >= TEMPORARIES_PER_SESSION_MAX {
            let text = format!("a session has at most {TEMPORARIES_PER_SESSION_MAX} temporary destinations");
            return Err(refusal(RefusalKind::LimitReached, text));
        }
        if self.places.contains_key(&**destination) {
            return Err(refusal(RefusalKind::Duplicate, format!("{destination} exists")));
        }
        self.make(destination, Some(session))?;
        self.asking(session).temporaries.push(Arc::clone(destination));
        Ok(())
    }

    /// Deletes a temporary destination of a session.
    pub(crate) fn delete_temporary(
        &mut self,
        session: SessionId,
        destination: &Arc<Destination>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let temporaries = &mut self.asking(session).temporaries;
        match temporaries.iter().position(|known| **known == **destination) {
            Some(place) => {
                temporaries.swap_remove(place);
                self.kill_temporary(destination, step);
                self.confirm(session, confirm, step);
            }
            None if self.places.contains_key(&**destination) => {
                let text = format!("{destination} is no temporary destination of this connection");
                self.refuse(session, confirm, refusal(RefusalKind::Denied, text), step);
            }
            // It is gone, as it shall be: applications ask more than once.
            None => self.confirm(session, confirm, step),
        }
    }

    /// Takes a temporary destination away: its subscriptions end, and who sends to it is refused from now on.
    pub(crate) fn kill_temporary(&mut self, destination: &Arc<Destination>, step: &mut Step<'_>) {
        let Some(place) = self.places.remove(&**destination) else { return };
        self.routes_version += 1;
        let listening = match place {
            Place::Queue(queue) => self.queues[queue].consumers.iter().map(|c| c.subscription).collect(),
            Place::Topic(topic) => self.topics[topic].subscribers.everybody(),
        };
        for index in listening {
            let subscription = &self.subscriptions[index];
            let (session, id) = (subscription.session, subscription.id);
            self.end_subscription(index, Seen::Unknown, step);
            let refusal = refusal(RefusalKind::InvalidDestination, format!("{destination} was deleted"));
            step.out.events.push((session, Event::SubscriptionEnded { subscription: id, refusal }));
        }
        self.remove_place(destination, place, step);
    }
}
