//! What the clients of the schedule ask.

use super::{Campaign, DUE, Done, Lost, PRODUCER, destination, text};
use ferrymq_model::request::{GivesUp, Settles, SubscribeMode};
use ferrymq_model::{
    Address, Annotations, Deliveries, DeliveryId, DestinationKind, Event, Message, MessageId, ProducerId, Request,
    SessionId, Settlement, Subscribe, SubscriptionId, Token, TransactionId,
};
use ferrymq_node::Input;
use std::sync::Arc;

const MANAGEMENT: &str = "ActiveMQ.Scheduler.Management";

impl Campaign {
    fn connect(&mut self) -> Done<SessionId> {
        self.slot += 1;
        let session = SessionId { slot: self.slot % 8, generation: self.slot };
        let connect = |confirm| Request::Connect { name: None, client_id: None, user: None, peer: None, confirm };
        self.ask(session, connect)?;
        Ok(session)
    }

    fn leave(&mut self, session: SessionId) -> Done<()> {
        self.tell(session, Request::Disconnect)
    }

    fn ask(&mut self, session: SessionId, request: impl FnOnce(Token) -> Request) -> Done<Event> {
        self.tokens += 1;
        let token = self.tokens;
        self.tell(session, request(Token(token)))?;
        for _ in 0..3 {
            if let Some(answer) = self.answers.remove(&token) {
                return Ok(answer);
            }
            self.input(Input::Tick)?;
        }
        Err(Lost::Broken(format!("no answer to request {token}")))
    }

    fn confirmed(&mut self, session: SessionId, request: impl FnOnce(Token) -> Request) -> Done<()> {
        match self.ask(session, request)? {
            Event::Confirmed { .. } => Ok(()),
            other => Err(Lost::Broken(format!("refused: {other:?}"))),
        }
    }

    fn tell(&mut self, session: SessionId, request: Request) -> Done<()> {
        let request = match self.bug {
            Some(bug) => bug.on_request(request),
            None => request,
        };
        self.input(Input::Requests { session, requests: &mut vec![request] })
    }

    fn produce(&mut self, session: SessionId, to: &Arc<Message>, counts: bool) -> Done<ProducerId> {
        let producer = ProducerId(1);
        let address = Arc::new(Address { leaves: vec![to.header.destination.clone()] });
        let name = counts.then(|| PRODUCER.into());
        self.tell(session, Request::AddProducer { producer, name, skips_duplicates: counts, address, confirm: None })?;
        Ok(producer)
    }

    /// Sends a message; one that counts may be sent again.
    pub(super) fn send(&mut self, message: &Arc<Message>, counts: bool) -> Done<()> {
        let session = self.connect()?;
        let producer = self.produce(session, message, counts)?;
        let message = message.clone();
        self.confirmed(session, |token| Request::Send { producer, message, transaction: None, confirm: Some(token) })?;
        self.leave(session)
    }

    fn name(number: u64) -> Arc<str> {
        Arc::from(format!("ID:calendar-2:{number}"))
    }

    /// Sends a message in a transaction, and commits or rolls back.
    pub(super) fn transact(&mut self, number: u64, message: &Arc<Message>, commits: bool) -> Done<()> {
        let session = self.connect()?;
        let producer = self.produce(session, message, false)?;
        let transaction = TransactionId(number);
        self.tell(session, Request::Begin { transaction, name: Some(Self::name(number)), confirm: None })?;
        let (message, within) = (message.clone(), Some(transaction));
        self.tell(session, Request::Send { producer, message, transaction: within, confirm: None })?;
        if commits {
            self.confirmed(session, |token| Request::Commit { transaction, confirm: Some(token) })?;
        } else {
            self.confirmed(session, |token| Request::Rollback { transaction, confirm: Some(token) })?;
        }
        self.leave(session)
    }

    pub(super) fn was_committed(&mut self, number: u64) -> Done<bool> {
        let session = self.connect()?;
        let answer = self.ask(session, |confirm| Request::WasCommitted { name: Self::name(number), confirm })?;
        self.leave(session)?;
        Ok(matches!(answer, Event::Confirmed { .. }))
    }

    /// Asks the schedule for something.
    pub(super) fn manage(&mut self, added: Vec<(Arc<str>, ferrymq_model::Value)>) -> Done<()> {
        let session = self.connect()?;
        let topic = destination(DestinationKind::Topic, MANAGEMENT);
        let message = self.message(topic, u64::MAX, Annotations { added, ..Annotations::default() });
        let producer = self.produce(session, &message, false)?;
        self.confirmed(session, |token| Request::Send { producer, message, transaction: None, confirm: Some(token) })?;
        self.leave(session)
    }

    pub(super) fn remove_job(&mut self, job: &str) -> Done<()> {
        self.manage(vec![text("AMQ_SCHEDULER_ACTION", "REMOVE"), text("scheduledJobId", job)])
    }

    /// Takes everything; what is returned is settled for sure.
    pub(super) fn consume(&mut self) -> Done<Vec<MessageId>> {
        let session = self.connect()?;
        let subscription = SubscriptionId(1);
        let subscribe = Subscribe {
            subscription,
            name: None,
            address: Arc::new(Address { leaves: vec![destination(DestinationKind::Queue, DUE)] }),
            selector: None,
            selector_converts_text: false,
            mode: SubscribeMode::Consume,
            settles: Settles::WhenAcknowledged,
            gives_up: GivesUp::Consumer,
            prefetch: 10_000,
            no_local: false,
            exclusive: false,
            priority: 0,
            retroactive: false,
            pending_limit: None,
            confirm: None,
        };
        self.deliveries.clear();
        self.tell(session, Request::Subscribe(Box::new(subscribe)))?;
        let mut taken = Vec::new();
        let mut last = None;
        for (delivery, message) in std::mem::take(&mut self.deliveries) {
            self.note(&message).map_err(Lost::Broken)?;
            taken.push(message.header.id.clone());
            last = Some(DeliveryId(delivery));
        }
        if let Some(last) = last {
            self.confirmed(session, |token| Request::Settle {
                subscription,
                deliveries: Deliveries::Through(last),
                settlement: Settlement::Consumed,
                transaction: None,
                confirm: Some(token),
            })?;
        }
        self.leave(session)?;
        Ok(taken)
    }
}
