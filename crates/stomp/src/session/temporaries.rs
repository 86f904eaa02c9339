//! The connection's own temporary destinations: `/temp-queue/x` is its word for a real one.

use super::{PeerError, State};
use crate::destination::{self, Leaf};
use crate::session::confirm::Purpose;
use ferrymq_model::limits::TEMPORARIES_PER_SESSION_MAX;
use ferrymq_model::{Destination, Request};
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Temporaries {
    /// From the connection's word to the real one.
    real: HashMap<Destination, Arc<Destination>>,
    /// From the real name back to the header text that the connection knows.
    words: HashMap<Arc<str>, Box<str>>,
    made: u64,
}

impl Temporaries {
    /// How this connection calls a destination of its own; `None`: it is not.
    pub(super) fn word(&self, destination: &Destination) -> Option<&str> {
        if self.words.is_empty() || !destination.kind.is_temporary() {
            return None;
        }
        self.words.get(&destination.name).map(|word| &**word)
    }

    /// The broker refused to make it.
    pub(super) fn forget(&mut self, destination: &Destination) {
        self.words.remove(&destination.name);
        self.real.retain(|_, real| **real != *destination);
    }
}

impl State {
    /// The leaves of a destination header; the connection's own temporary destinations are made on first use.
    pub(super) fn resolve(
        &mut self,
        text: &str,
        requests: &mut Vec<Request>,
    ) -> Result<Vec<Arc<Destination>>, PeerError> {
        let leaves = destination::parse(text).map_err(|invalid| PeerError::new(invalid.to_string()))?;
        leaves.into_iter().map(|leaf| self.resolve_leaf(leaf, requests)).collect()
    }

    fn resolve_leaf(&mut self, leaf: Leaf, requests: &mut Vec<Request>) -> Result<Arc<Destination>, PeerError> {
        if !leaf.is_local {
            return Ok(Arc::new(leaf.destination));
        }
        let Leaf { destination: word, is_local: _ } = leaf;
        if let Some(real) = self.temporaries.real.get(&word) {
            return Ok(Arc::clone(real));
        }
        if self.temporaries.real.len() >= TEMPORARIES_PER_SESSION_MAX {
            return Err(PeerError::new(format!("more than {TEMPORARIES_PER_SESSION_MAX} temporary destinations")));
        }
        self.temporaries.made += 1;
        let name: Arc<str> = Arc::from(format!("{}:{}", self.options.session_name, self.temporaries.made));
        let real = Arc::new(Destination { kind: word.kind, name: Arc::clone(&name) });
        let prefix = if word.kind.is_topic() { "/temp-topic/" } else { "/temp-queue/" };
        self.temporaries.words.insert(name, format!("{prefix}{}", word.name).into());
        self.temporaries.real.insert(word, Arc::clone(&real));
        let confirm = self.confirmations.expect(None, Purpose::Temporary(Arc::clone(&real)))?;
        requests.push(Request::CreateTemporary { destination: Arc::clone(&real), confirm: Some(confirm) });
        Ok(real)
    }
}
