//! The client's producers, and the routes that their messages take.
//!
//! A route is a producer and a destination: the broker's own idea of a producer. A client's producer that names its
//! destination has one, one that does not has one for each destination that it used lately.

use crate::codec::destination::Destination as WireDestination;
use crate::codec::ids::ProducerId as WireProducerId;
use ferrymq_model::limits::PRODUCERS_PER_SESSION_MAX;
use ferrymq_model::{Destination, ProducerId, Request};
use std::collections::HashMap;
use std::sync::Arc;

/// Session and number: with the connection's id it is the producer's id.
pub(super) type Key = (i64, i64);

/// A producer as the client sees it.
#[derive(Debug)]
pub(super) struct Producer {
    pub(super) wire: WireProducerId,
    /// `conn:session:value`
    pub(super) name: Arc<str>,
    /// It counts what it sends and waits for ProducerAck.
    pub(super) is_paced: bool,
    /// The route that it used last, by its place.
    last_route: usize,
}

/// Where messages of one producer to one destination go.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) id: ProducerId,
    producer: Key,
    destination: WireDestination,
    /// The first leaf.
    pub(super) leaf: Arc<Destination>,
    /// Used since the hand last passed.
    is_used: bool,
}

/// Places of [`Producers::lately`].
const LATELY: usize = 16;

fn lately(key: Key) -> usize {
    key.0.wrapping_add(key.1).cast_unsigned() as usize % LATELY
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_key: HashMap<Key, Producer>,
    /// Full: the one that was not used for longest, roughly, goes.
    routes: Vec<Route>,
    by_destination: HashMap<(Key, WireDestination), usize>,
    /// Who sent lately, until any producer or route comes or goes: its key, whether it is paced, and the place of its route.
    /// Empty until the first.
    lately: Vec<Option<(Key, bool, usize)>>,
    hand: usize,
    next_id: u32,
}

impl Producers {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Producer> {
        self.by_key.get(&key)
    }

    pub(super) fn add(&mut self, key: Key, wire: WireProducerId, name: Arc<str>, is_paced: bool) {
        self.lately.clear();
        self.by_key.insert(key, Producer { wire, name, is_paced, last_route: usize::MAX });
    }

    /// Forgets a producer and its routes. Whether it was there.
    pub(super) fn remove(&mut self, key: Key, requests: &mut Vec<Request>) -> bool {
        self.lately.clear();
        if self.by_key.remove(&key).is_none() {
            return false;
        }
        let mut at = 0;
        while at < self.routes.len() {
            if self.routes[at].producer == key {
                self.remove_route(at, requests);
            } else {
                at += 1;
            }
        }
        true
    }

    /// The producers of a session.
    pub(super) fn keys_of(&self, session: i64) -> Vec<Key> {
        let mut keys: Vec<Key> = self.by_key.keys().copied().filter(|key| key.0 == session).collect();
        keys.sort_unstable();
        keys
    }

    /// The route of this producer to this destination, if it is known; and whether the producer is paced. `None`: there is
    /// no such producer.
    #[inline]
    pub(super) fn find(&mut self, key: Key, destination: &WireDestination) -> Option<(bool, Option<&Route>)> {
        let (is_paced, at) = match self.lately.get(lately(key)) {
            Some(&Some((last, is_paced, at))) if last == key && self.routes[at].destination.is_same(destination) => {
                (is_paced, at)
            }
            Some(_) | None => match self.look_up(key, destination)? {
                (is_paced, Some(at)) => (is_paced, at),
                (is_paced, None) => return Some((is_paced, None)),
            },
        };
        let route = &mut self.routes[at];
        route.is_used = true;
        Some((is_paced, Some(route)))
    }

    /// As [`Self::find`], by the place of the route.
    fn look_up(&mut self, key: Key, destination: &WireDestination) -> Option<(bool, Option<usize>)> {
        let producer = self.by_key.get_mut(&key)?;
        let is_last = |route: &Route| route.producer == key && route.destination.is_same(destination);
        if !self.routes.get(producer.last_route).is_some_and(is_last) {
            match self.by_destination.get(&(key, destination.clone())) {
                Some(at) => producer.last_route = *at,
                None => return Some((producer.is_paced, None)),
            }
        }
        self.lately.resize(LATELY, None);
        self.lately[lately(key)] = Some((key, producer.is_paced, producer.last_route));
        Some((producer.is_paced, Some(producer.last_route)))
    }

    /// Makes a route; the caller asks `AddProducer` for it after what is pushed here.
    pub(super) fn add_route(
        &mut self,
        key: Key,
        destination: WireDestination,
        leaf: Arc<Destination>,
        requests: &mut Vec<Request>,
    ) -> ProducerId {
        if self.routes.len() >= PRODUCERS_PER_SESSION_MAX {
            let victim = self.victim();
            self.remove_route(victim, requests);
        }
        let id = ProducerId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let at = self.routes.len();
        self.by_destination.insert((key, destination.clone()), at);
        self.routes.push(Route { id, producer: key, destination, leaf, is_used: true });
        if let Some(producer) = self.by_key.get_mut(&key) {
            producer.last_route = at;
        }
        id
    }

    /// The broker refused a message of it: it is named anew next time.
    pub(super) fn forget_route(&mut self, id: ProducerId, requests: &mut Vec<Request>) {
        if let Some(at) = self.routes.iter().position(|route| route.id == id) {
            self.remove_route(at, requests);
        }
    }

    /// It may have been any.
    pub(super) fn forget_routes(&mut self, requests: &mut Vec<Request>) {
        self.by_destination.clear();
        self.lately.clear();
        self.hand = 0;
        requests.extend(self.routes.drain(..).map(|route| Request::RemoveProducer { producer: route.id }));
    }

    fn remove_route(&mut self, at: usize, requests: &mut Vec<Request>) {
        self.lately.clear();
        let gone = self.routes.swap_remove(at);
        self.by_destination.remove(&(gone.producer, gone.destination));
        if let Some(moved) = self.routes.get(at) {
            self.by_destination.insert((moved.producer, moved.destination.clone()), at);
        }
        self.hand = 0;
        requests.push(Request::RemoveProducer { producer: gone.id });
    }

    /// The next route that was not used since the hand passed it.
    fn victim(&mut self) -> usize {
        loop {
            let at = self.hand % self.routes.len();
            self.hand = (at + 1) % self.routes.len();
            if !std::mem::replace(&mut self.routes[at].is_used, false) {
                return at;
            }
        }
    }
}
