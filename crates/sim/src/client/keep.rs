//! Clients that make places and delete them.

use super::places::{GROUP_QUEUES, GROUP_QUEUES_DECLARED, SHARED_DURABLE};
use super::{Client, QUEUES, queue};
use ferrymq_model::{Destination, DestinationKind, Request, WallTime};
use std::sync::Arc;

impl Client {
    /// Has a temporary queue, listens there, and deletes it at times.
    pub(super) fn own(&mut self, wall: WallTime) {
        let Some(own) = self.temporary.clone() else {
            self.temporaries += 1;
            let name = format!("owner-{}.{}.{}", self.slot, self.generation, self.temporaries);
            let made = Arc::new(Destination { kind: DestinationKind::TemporaryQueue, name: Arc::from(name) });
            self.temporary = Some(made.clone());
            let confirm = self.maybe_token(50);
            return self.outgoing.push_back(Request::CreateTemporary { destination: made, confirm });
        };
        if self.transaction.is_none() && self.random.percent(5) {
            // What it listens to there ends with it.
            self.temporary = None;
            self.subscription = None;
            self.unsettled.clear();
            let token = self.token();
            self.awaited = Some(token);
            return self.outgoing.push_back(Request::DeleteTemporary { destination: own, confirm: Some(token) });
        }
        self.consume(wall);
    }

    /// Makes, purges or deletes something.
    pub(super) fn keep(&mut self) {
        let group = queue(GROUP_QUEUES[self.random.index(GROUP_QUEUES.len())]);
        let any = if self.random.percent(50) { group } else { queue(QUEUES[self.random.index(QUEUES.len())]) };
        let declared = queue(GROUP_QUEUES[self.random.index(GROUP_QUEUES_DECLARED)]);
        let token = self.token();
        let request = match self.random.below(10) {
            0..2 => Request::Purge { destination: any, token },
            2..5 => Request::DeleteDestination { destination: any, confirm: Some(token) },
            5..7 => Request::CreateDestination { destination: declared, confirm: Some(token) },
            7 => Request::DeleteDurable { name: Arc::from(SHARED_DURABLE), confirm: Some(token) },
            _ => Request::Confirm { confirm: token },
        };
        if !matches!(request, Request::Purge { .. }) {
            self.awaited = Some(token);
        }
        self.outgoing.push_back(request);
    }
}
