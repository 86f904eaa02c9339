//! What the session waits for: confirmations of the broker that become RECEIPT frames.

use super::PeerError;
use crate::limits::{CONFIRMATION_BYTES_MAX, CONFIRMATIONS_MAX};
use ferrymq_model::{Destination, ProducerId, SubscriptionId, Token, TransactionId};
use std::collections::VecDeque;
use std::sync::Arc;

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Connect,
    Disconnect,
    Send(ProducerId),
    Subscribe(SubscriptionId),
    Commit(TransactionId),
    Temporary(Arc<Destination>),
    /// Nothing but the receipt depends on it.
    Plain,
}

#[derive(Debug)]
pub(super) struct Confirmation {
    pub(super) purpose: Purpose,
    /// The receipt header's value as it came.
    pub(super) receipt: Option<Box<[u8]>>,
}

/// Tokens are given in order and mostly come back in order: a window over them.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    /// The token of the front.
    first: u64,
    window: VecDeque<Option<Confirmation>>,
    receipt_bytes: usize,
}

impl Confirmations {
    /// A token for a request.
    pub(super) fn expect(&mut self, receipt: Option<&[u8]>, purpose: Purpose) -> Result<Token, PeerError> {
        let receipt_bytes = self.receipt_bytes + receipt.map_or(0, <[u8]>::len);
        if self.window.len() >= CONFIRMATIONS_MAX || receipt_bytes > CONFIRMATION_BYTES_MAX {
            return Err(PeerError::fatal(format!("more than {CONFIRMATIONS_MAX} receipts are outstanding")));
        }
        self.receipt_bytes = receipt_bytes;
        let token = Token(self.first + self.window.len() as u64);
        self.window.push_back(Some(Confirmation { purpose, receipt: receipt.map(Box::from) }));
        Ok(token)
    }

    /// What the token was given for; `None`: it was answered before.
    pub(super) fn take(&mut self, token: Token) -> Option<Confirmation> {
        let at = usize::try_from(token.0.checked_sub(self.first)?).ok()?;
        let confirmation = self.window.get_mut(at)?.take();
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        self.receipt_bytes -=
            confirmation.as_ref().and_then(|found| found.receipt.as_ref()).map_or(0, |receipt| receipt.len());
        confirmation
    }
}
