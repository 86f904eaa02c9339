//! What the clients of the schedule ask.

use super::{Campaign, DUE, Done, Lost, PRODUCER, text};
use crate::client::{queue, topic};
use crate::host::consumed;
use ferrymq_model::{Annotations, Deliveries, Event, Message, MessageId, ProducerId, Request, TransactionId, Value};
use std::sync::Arc;

const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";
/// More than ever waits. Messages.
const PREFETCH: u32 = 10_000;

impl Campaign {
    /// Sends a message; one that counts may be sent again.
    pub(super) fn send(&mut self, message: &Arc<Message>, counts: bool) -> Done<()> {
        let session = self.host.connect()?;
        self.host.send(session, "send", counts.then_some(PRODUCER), message)?;
        self.host.leave(session)
    }

    fn name(number: u64) -> Arc<str> {
        Arc::from(format!("ID:calendar-2:{number}"))
    }

    /// Sends a message in a transaction, and commits or rolls back.
    pub(super) fn transact(&mut self, number: u64, message: &Arc<Message>, commits: bool) -> Done<()> {
        let session = self.host.connect()?;
        let (producer, transaction) = (ProducerId(1), TransactionId(number));
        self.host.add_producer(session, producer, None, &message.header.destination)?;
        self.host.tell(session, Request::Begin { transaction, name: Some(Self::name(number)), confirm: None })?;
        let (message, within) = (message.clone(), Some(transaction));
        self.host.tell(session, Request::Send { producer, message, transaction: within, confirm: None })?;
        if commits {
            self.host.confirmed(session, "commit", |token| Request::Commit { transaction, confirm: Some(token) })?;
        } else {
            self.host
                .confirmed(session, "rollback", |token| Request::Rollback { transaction, confirm: Some(token) })?;
        }
        self.host.leave(session)
    }

    pub(super) fn was_committed(&mut self, number: u64) -> Done<bool> {
        let session = self.host.connect()?;
        let answer = self.host.ask(session, |confirm| Request::WasCommitted { name: Self::name(number), confirm })?;
        self.host.leave(session)?;
        Ok(matches!(answer, Event::Confirmed { .. }))
    }

    /// Asks the schedule for something.
    pub(super) fn manage(&mut self, added: Vec<(Arc<str>, Value)>) -> Done<()> {
        let message = self.message(topic(MANAGEMENT), u64::MAX, Annotations { added, ..Annotations::default() });
        self.send(&Arc::new(message), false)
    }

    pub(super) fn remove_job(&mut self, job: &str) -> Done<()> {
        self.manage(vec![text("AMQ_SCHEDULER_ACTION", "REMOVE"), text("scheduledJobId", job)])
    }

    /// Takes everything; what is returned is settled for sure.
    pub(super) fn consume(&mut self) -> Done<Vec<MessageId>> {
        let session = self.host.connect()?;
        let mut taken = Vec::new();
        let mut last = None;
        for delivery in self.host.subscribe(session, &queue(DUE), PREFETCH)? {
            self.note(&delivery.message).map_err(Lost::Broken)?;
            taken.push(delivery.message.header.id.clone());
            last = Some(delivery.delivery);
        }
        if let Some(last) = last {
            let all = Deliveries::Through(last);
            self.host.confirmed(session, "settle", |confirm| consumed(all, None, Some(confirm)))?;
        }
        self.host.leave(session)?;
        Ok(taken)
    }
}
