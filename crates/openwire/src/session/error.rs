//! Errors as Java's classes, by the names that the client's generation has for them.

use crate::codec::throwable::Throwable;
use crate::mapping::InvalidMessage;
use ferrymq_model::{BranchError, DestinationError, Refusal, RefusalKind};
use std::sync::Arc;

/// The class of an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Jms,
    InvalidDestination,
    InvalidClientId,
    InvalidSelector,
    ResourceAllocation,
    TransactionRolledBack,
    /// `java.lang.IllegalStateException`, as ActiveMQ has it for ids that nobody introduced.
    IllegalState,
    Security,
    Io,
    Xa,
}

impl Class {
    /// Its name for a client of `javax.jms` or `jakarta.jms`.
    fn name(self, is_jakarta: bool) -> Arc<str> {
        let jms = match self {
            Self::Jms => "JMSException",
            Self::InvalidDestination => "InvalidDestinationException",
            Self::InvalidClientId => "InvalidClientIDException",
            Self::InvalidSelector => "InvalidSelectorException",
            Self::ResourceAllocation => "ResourceAllocationException",
            Self::TransactionRolledBack => "TransactionRolledBackException",
            Self::IllegalState => return Arc::from("java.lang.IllegalStateException"),
            Self::Security => return Arc::from("java.lang.SecurityException"),
            Self::Io => return Arc::from("java.io.IOException"),
            Self::Xa => return Arc::from("javax.transaction.xa.XAException"),
        };
        Arc::from(format!("{}.jms.{jms}", if is_jakarta { "jakarta" } else { "javax" }))
    }
}

/// The text of an exception. Longer ones are cut: the format ends at 64 KiB. Bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// The peer asked for what cannot be, or the broker refused it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PeerError {
    class: Class,
    pub(super) text: String,
    /// Whether the connection ends with it.
    pub(super) is_fatal: bool,
}

impl PeerError {
    pub(super) fn new(class: Class, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), is_fatal: false }
    }

    /// An id that nobody introduced, a command at the wrong time.
    pub(super) fn state(text: impl Into<String>) -> Self {
        Self::new(Class::IllegalState, text)
    }

    pub(super) fn jms(text: impl Into<String>) -> Self {
        Self::new(Class::Jms, text)
    }

    /// An answer to a transaction manager.
    pub(super) fn xa(error: BranchError, text: &str) -> Self {
        Self::new(Class::Xa, format!("{text} xaErrorCode:{}", xa_code(error)))
    }

    pub(super) fn limit(text: impl Into<String>) -> Self {
        Self::new(Class::ResourceAllocation, text)
    }

    /// A command without a field that it cannot be without.
    pub(super) fn missing(command: &'static str, field: &'static str) -> Self {
        Self::jms(format!("{command} without {field}"))
    }

    pub(super) fn fatal(self) -> Self {
        Self { is_fatal: true, ..self }
    }

    /// What the broker refused.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let text = refusal.text.clone();
        match refusal.kind {
            RefusalKind::InvalidDestination => Self::new(Class::InvalidDestination, text),
            RefusalKind::InvalidClientId => Self::new(Class::InvalidClientId, text),
            RefusalKind::InvalidSelector => Self::new(Class::InvalidSelector, text),
            RefusalKind::DurableInUse | RefusalKind::Unknown | RefusalKind::Duplicate => Self::jms(text),
            RefusalKind::Denied => Self::new(Class::Security, text),
            RefusalKind::LimitReached => Self::limit(text),
            RefusalKind::StoreFailed => Self::new(Class::Io, text),
            RefusalKind::Branch(error) => Self::xa(error, &text),
        }
    }

    pub(super) fn throwable(&self, is_jakarta: bool) -> Box<Throwable> {
        let mut end = self.text.len().min(TEXT_BYTES_MAX);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        Box::new(Throwable {
            class_name: Some(self.class.name(is_jakarta)),
            message: Some(Arc::from(&self.text[..end])),
            ..Throwable::default()
        })
    }
}

impl From<DestinationError> for PeerError {
    fn from(error: DestinationError) -> Self {
        Self::new(Class::InvalidDestination, error.to_string())
    }
}

impl From<InvalidMessage> for PeerError {
    fn from(error: InvalidMessage) -> Self {
        match error {
            InvalidMessage::Destination(error) => error.into(),
            InvalidMessage::Id | InvalidMessage::Schedule(_) => Self::jms(error.to_string()),
        }
    }
}

/// X/Open XA's numbers, as `javax.transaction.xa.XAException` has them.
fn xa_code(error: BranchError) -> i32 {
    match error {
        BranchError::Unknown => -4,
        BranchError::Duplicate => -8,
        BranchError::Protocol => -6,
        BranchError::RolledBack => 100,
        BranchError::Retry => 4,
        BranchError::HeuristicallyCommitted => 7,
        BranchError::HeuristicallyRolledBack => 6,
        BranchError::Failed => -3,
        BranchError::Unavailable => -7,
    }
}
