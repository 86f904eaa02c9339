//! Producers: an address resolved once, and sends along it.

use crate::advisory::Kind;
use crate::broker::{Broker, Place, Step, journal_stopped, refusal, unknown_producer};
use crate::router::Route;
use crate::schedule::schedule_of;
use crate::session::Full;
use ferrymq_model::limits::{DESTINATION_NAME_BYTES_MAX, PRODUCERS_PER_SESSION_MAX};
use ferrymq_model::{Address, Destination, Message, ProducerId, RefusalKind, SessionId, Token};
use ferrymq_storage::ProducerSlot;
use ferrymq_storage::journal::PRODUCERS_MAX;
use std::sync::Arc;

/// What a session asks for.
#[derive(Debug)]
pub(crate) struct NewProducer {
    /// Its number in the session.
    pub(crate) producer: ProducerId,
    /// What the client calls it.
    pub(crate) name: Option<Arc<str>>,
    /// Whether what it sends again is confirmed and forgotten.
    pub(crate) skips_duplicates: bool,
    /// Where it sends.
    pub(crate) address: Arc<Address>,
}

/// A producer of a session.
#[derive(Debug)]
pub(crate) struct Producer {
    /// What the client calls it.
    pub(crate) name: Option<Arc<str>>,
    /// Where the sequence is that it has come to, if what it sends again is confirmed and forgotten.
    pub(crate) slot: Option<ProducerSlot>,
    /// Where it sends.
    pub(crate) address: Arc<Address>,
    /// All of that as one name, where it is more than one: what is sent shows it as its original destination.
    composite: Option<Arc<Destination>>,
    /// Where that leads.
    pub(crate) route: Route,
    /// The version of all routes when it was resolved.
    pub(crate) resolved_at: u64,
}

impl Broker {
    /// Names a place to send to. A place that cannot be sent to refuses each send instead.
    pub(crate) fn add_producer(
        &mut self,
        session: SessionId,
        asked: NewProducer,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let NewProducer { producer, name, skips_duplicates, address } = asked;
        let state = self.asking(session);
        if state.producers.contains_key(&producer.0) {
            let refusal = refusal(RefusalKind::Duplicate, format!("producer {} exists", producer.0));
            return self.refuse(session, confirm, refusal, step);
        }
        if state.producers.len() >= PRODUCERS_PER_SESSION_MAX {
            let text = format!("a session has at most {PRODUCERS_PER_SESSION_MAX} producers");
            return self.refuse(session, confirm, refusal(RefusalKind::LimitReached, text), step);
        }
        let route = self.resolve(&address);
        if let (Route::Refused(refusal), true) = (&route, confirm.is_some()) {
            return self.refuse(session, confirm, (**refusal).clone(), step);
        }
        let resolved_at = self.routes_version;
        let counted = name.as_ref().filter(|_| skips_duplicates);
        let Ok(slot) = counted.map(|name| step.journal.producers_mut().open(name)).transpose() else {
            let text = format!("at most {PRODUCERS_MAX} producers whose messages are counted are open at a time");
            return self.refuse(session, confirm, refusal(RefusalKind::LimitReached, text), step);
        };
        let composite = composite_of(&address);
        let known = Producer { name, slot, address, composite, route, resolved_at };
        let (name, address) = (known.name.clone(), Arc::clone(&known.address));
        self.asking(session).producers.insert(producer.0, known);
        self.note_producer(session, name.as_ref(), &address, true);
        self.confirm(session, confirm, step);
    }

    /// Forgets a producer.
    pub(crate) fn remove_producer(&mut self, session: SessionId, producer: ProducerId, step: &mut Step<'_>) {
        match self.asking(session).producers.remove(&producer.0) {
            Some(known) => {
                if let Some(slot) = known.slot {
                    step.journal.producers_mut().close(slot);
                }
                self.note_producer(session, known.name.as_ref(), &known.address, false);
            }
            None => {
                self.refuse(session, None, unknown_producer(producer), step);
            }
        }
    }

    /// Forgets every producer of a session that ends.
    pub(crate) fn forget_producers(&mut self, session: SessionId, step: &mut Step<'_>) {
        let mut producers: Vec<_> = self.asking(session).producers.drain().collect();
        producers.sort_unstable_by_key(|(number, _)| *number);
        let watched = self.is_watched(Kind::Producer);
        for (_, known) in producers {
            if let Some(slot) = known.slot {
                step.journal.producers_mut().close(slot);
            }
            if watched {
                self.note_producer(session, known.name.as_ref(), &known.address, false);
            }
        }
    }

    /// A message as it goes on: with its sender's user where that is configured. What the sender wrote does not count.
    #[inline]
    pub(crate) fn signed(&self, session: SessionId, message: Arc<Message>) -> Arc<Message> {
        if self.settings.populate_user_id { self.signed_by_user(session, message) } else { message }
    }

    #[cold]
    fn signed_by_user(&self, session: SessionId, mut message: Arc<Message>) -> Arc<Message> {
        let user = self.session(session).and_then(|state| state.connection.user.clone());
        let header = &mut Arc::make_mut(&mut message).header;
        if user.is_some() || header.annotations.is_some() {
            header.annotations.get_or_insert_default().user = user;
        }
        message
    }

    /// Sends a message outside of transactions.
    pub(crate) fn send(
        &mut self,
        session: SessionId,
        producer: ProducerId,
        message: Arc<Message>,
        confirm: Option<Token>,
        step: &mut Step<'_>,
    ) {
        let message = self.signed(session, message);
        let (version, failed, flushed) = (self.routes_version, self.failed, self.flushed);
        let state = self.asking(session);
        // The confirmation would have to wait for what never becomes durable: nothing of it is carried out.
        let hopeless = failed && confirm.is_some() && state.last_lsn > flushed;
        let Some(mut known) = state.producers.get(&producer.0) else {
            return self.refuse(session, confirm, unknown_producer(producer), step);
        };
        if known.resolved_at != version {
            self.refresh_route(session, producer);
            known = &self.asking(session).producers[&producer.0];
        }
        let (route, slot, sequence) = (known.route.clone(), known.counts(&message), message.header.id.sequence);
        let message = known.named(message);
        if hopeless {
            return self.refuse(session, confirm, journal_stopped(), step);
        }
        if let Some(before) = slot.and_then(|slot| step.journal.producers().taken(slot, sequence)) {
            // It was taken before: its confirmation waits for what it repeats.
            self.note_lsn(session, before);
            return self.confirm(session, confirm, step);
        }
        if self.settings.producer_wait_ms_max.is_some()
            && let Err(refusal) = self.check_refusing(session, producer, &message)
        {
            return self.refuse(session, confirm, refusal, step);
        }
        self.counting = slot;
        let is_scheduled = schedule_of(&message).is_some();
        let sent = match &route {
            Route::One(place) if !is_scheduled => self.publish_to(session, message, *place, confirm.is_some(), step),
            Route::Many(leaves) if !is_scheduled => self.publish(session, &message, leaves, confirm.is_some(), step),
            Route::Refused(refusal) => Err((**refusal).clone()),
            Route::One(_) | Route::Many(_) | Route::Management => {
                let address = Arc::clone(&self.asking(session).producers[&producer.0].address);
                self.send_to_schedule(session, &message, &address, confirm.is_some(), step)
            }
        };
        self.counting = None;
        match sent {
            Err(refusal) => self.refuse(session, confirm, refusal, step),
            Ok(()) => {
                if let Some(slot) = slot {
                    step.journal.producers_mut().take(slot, sequence);
                }
                self.check_full(session, producer, &route, step);
                self.confirm(session, confirm, step);
            }
        }
    }

    /// Resolves a producer's address again if destinations came or went since.
    pub(crate) fn refresh_route(&mut self, session: SessionId, producer: ProducerId) {
        let version = self.routes_version;
        if let Some(known) = self.asking(session).producers.get(&producer.0)
            && known.resolved_at != version
        {
            let address = Arc::clone(&known.address);
            self.resolve_producer(session, producer, &address);
        }
    }

    fn resolve_producer(&mut self, session: SessionId, producer: ProducerId, address: &Address) {
        let route = self.resolve(address);
        let version = self.routes_version;
        let known = self.asking(session).producers.get_mut(&producer.0).expect("it was there a moment ago");
        known.route = route;
        known.resolved_at = version;
    }

    fn check_full(&mut self, session: SessionId, producer: ProducerId, route: &Route, step: &mut Step<'_>) {
        match route {
            Route::One(place) => self.pause_producer(session, producer, *place, step),
            Route::Many(leaves) => {
                for (place, _) in leaves.iter() {
                    self.pause_producer(session, producer, *place, step);
                }
            }
            Route::Refused(_) | Route::Management => {}
        }
        if self.memory >= self.settings.memory_limit_bytes {
            self.pause(session, Full::Broker, step);
        }
    }

    #[inline]
    fn pause_producer(&mut self, session: SessionId, producer: ProducerId, place: Place, step: &mut Step<'_>) {
        if let (true, Place::Queue(queue)) = (self.pause_if_full(session, place, step), place) {
            self.note_fast_producer(session, producer, Full::Queue(queue));
        }
    }
}

/// The name of an address of several leaves. One that is too long for a client to name it stays unsaid.
fn composite_of(address: &Address) -> Option<Arc<Destination>> {
    let name = address.is_composite().then(|| address.to_name());
    name.filter(|name| name.name.len() <= DESTINATION_NAME_BYTES_MAX).map(Arc::new)
}

#[cold]
fn named(mut message: Arc<Message>, composite: &Arc<Destination>) -> Arc<Message> {
    let annotations = Arc::make_mut(&mut message).header.annotations.get_or_insert_default();
    annotations.original_destination = Some(Arc::clone(composite));
    message
}

impl Producer {
    /// A message as it goes on: with the name of the composite that it is sent to.
    #[inline]
    pub(crate) fn named(&self, message: Arc<Message>) -> Arc<Message> {
        match &self.composite {
            None => message,
            Some(composite) => named(message, composite),
        }
    }

    /// Where the sequence of a message counts, if it does.
    #[inline]
    pub(crate) fn counts(&self, message: &Message) -> Option<ProducerSlot> {
        // A message that bears another's name says nothing about this producer's.
        self.slot.filter(|_| self.name.as_ref().is_some_and(|name| *name == message.header.id.producer))
    }
}
