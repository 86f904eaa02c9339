//! What the session waits for: confirmations of the broker that become RECEIPT frames.

use super::PeerError;
use crate::limits::{CONFIRMATION_BYTES_MAX, CONFIRMATIONS_MAX};
use ferrymq_model::{Awaited, Destination, ProducerId, SubscriptionId, Token, TransactionId};
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

#[derive(Debug, Default)]
pub(super) struct Confirmations {
    awaited: Awaited<Confirmation>,
    receipt_bytes: usize,
}

impl Confirmations {
    /// A token for a request.
    pub(super) fn expect(&mut self, receipt: Option<&[u8]>, purpose: Purpose) -> Result<Token, PeerError> {
        let receipt_bytes = self.receipt_bytes + receipt.map_or(0, <[u8]>::len);
        if self.awaited.window() >= CONFIRMATIONS_MAX || receipt_bytes > CONFIRMATION_BYTES_MAX {
            return Err(PeerError::fatal(format!("more than {CONFIRMATIONS_MAX} receipts are outstanding")));
        }
        self.receipt_bytes = receipt_bytes;
        Ok(self.awaited.expect(Confirmation { purpose, receipt: receipt.map(Box::from) }))
    }

    /// What the token was given for; `None`: it was answered before.
    pub(super) fn take(&mut self, token: Token) -> Option<Confirmation> {
        let confirmation = self.awaited.take(token)?;
        self.receipt_bytes -= confirmation.receipt.as_ref().map_or(0, |receipt| receipt.len());
        Some(confirmation)
    }
}
