//! BEGIN, COMMIT, ABORT, and the header `transaction`.

use super::confirm::Purpose;
use super::{Context, PeerError, State};
use crate::codec::{Frame, Known, put_sanitized};
use crate::limits::QUOTE_BYTES_MAX;
use ferrymq_model::limits::TRANSACTIONS_PER_SESSION_MAX;
use ferrymq_model::{Request, TransactionId};
use std::collections::HashMap;

/// Open transactions by the client's name for them, raw.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: HashMap<Box<[u8]>, TransactionId>,
    next: u64,
}

impl State {
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let name =
            frame.raw(Known::Transaction).ok_or_else(|| PeerError::missing(frame.command, Known::Transaction))?;
        if self.transactions.open.contains_key(name) {
            return Err(PeerError::new(format!("the transaction {} is already started", shown(frame))));
        }
        if self.transactions.open.len() >= TRANSACTIONS_PER_SESSION_MAX {
            return Err(PeerError::new(format!("more than {TRANSACTIONS_PER_SESSION_MAX} transactions are open")));
        }
        let confirm = self.receipt(frame, Purpose::Plain)?;
        let transaction = TransactionId(self.transactions.next);
        self.transactions.next += 1;
        self.transactions.open.insert(Box::from(name), transaction);
        cx.requests.push(Request::Begin { transaction, name: None, confirm });
        Ok(())
    }

    pub(super) fn commit(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let transaction = self.end_transaction(frame)?;
        // Asked for in any case: a refused commit must make the acknowledgements in it possible again.
        let confirm = Some(self.confirmation(frame, Purpose::Commit(transaction))?);
        cx.requests.push(Request::Commit { transaction, confirm });
        Ok(())
    }

    pub(super) fn abort(&mut self, cx: &mut Context<'_>, frame: &Frame<'_>) -> Result<(), PeerError> {
        let transaction = self.end_transaction(frame)?;
        let confirm = self.receipt(frame, Purpose::Plain)?;
        self.subscriptions.release_held(transaction);
        cx.requests.push(Request::Rollback { transaction, confirm });
        Ok(())
    }

    fn end_transaction(&mut self, frame: &Frame<'_>) -> Result<TransactionId, PeerError> {
        let name =
            frame.raw(Known::Transaction).ok_or_else(|| PeerError::missing(frame.command, Known::Transaction))?;
        self.transactions.open.remove(name).ok_or_else(|| unknown(frame))
    }

    /// The transaction that a SEND, ACK or NACK frame names.
    #[inline]
    pub(super) fn transaction(&self, frame: &Frame<'_>) -> Result<Option<TransactionId>, PeerError> {
        match frame.raw(Known::Transaction) {
            None => Ok(None),
            Some(name) => self.transactions.open.get(name).copied().map(Some).ok_or_else(|| unknown(frame)),
        }
    }
}

fn unknown(frame: &Frame<'_>) -> PeerError {
    PeerError::new(format!("the transaction {} is not started", shown(frame)))
}

fn shown(frame: &Frame<'_>) -> String {
    let mut text = String::new();
    put_sanitized(&mut text, &frame.get(Known::Transaction).unwrap_or_default(), QUOTE_BYTES_MAX);
    text
}
