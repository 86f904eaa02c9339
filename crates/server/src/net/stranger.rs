//! Limits what is read from a peer that has not logged in, where a library below the session collects bytes.
//!
//! A WebSocket message is only seen when it is whole, so the session's own limits come too late for a peer that never
//! ends one. Until the login was answered, no more than a budget is read; what comes beyond stays in the socket, where
//! TCP stops the peer, and the login timeout ends the connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read before the login was answered: a handshake, CONNECT, and what a hasty client sends behind it.
/// One read may go beyond it by the reader's buffer.
const STRANGER_BYTES_MAX: usize = 64 * 1024;
/// No limit.
const ADMITTED: usize = usize::MAX;

/// Bytes that may still be read.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// The login was answered: no limit from here on. Whoever reads must try again.
    pub(crate) fn admit(&self) {
        self.0.store(ADMITTED, Ordering::Relaxed);
    }
}

/// A stream whose reading is limited until its peer is admitted. Reading beyond the budget is `Pending` without a
/// wake-up: the same task admits the peer and reads again.
#[derive(Debug)]
pub(crate) struct Stranger<S> {
    stream: S,
    budget: Budget,
}

impl<S> Stranger<S> {
    pub(crate) fn new(stream: S) -> (Self, Budget) {
        let budget = Budget(Arc::new(AtomicUsize::new(STRANGER_BYTES_MAX)));
        (Self { stream, budget: budget.clone() }, budget)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stranger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let left = self.budget.0.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if left != ADMITTED {
            self.budget.0.store(left.saturating_sub(into.filled().len() - before), Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stranger<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// A stranger that never ended its WebSocket message took a hundred megabytes before the login timeout.
    #[test]
    fn a_stranger_is_read_up_to_its_budget_and_on_when_admitted() {
        let sent = vec![b'x'; 10 * STRANGER_BYTES_MAX];
        let (mut stranger, budget) = Stranger::new(&sent[..]);
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = [0; 1000];
        let mut read = 0;
        let mut read_all = |stranger: &mut Stranger<&[u8]>| {
            loop {
                let mut into = ReadBuf::new(&mut buffer);
                match Pin::new(&mut *stranger).poll_read(&mut context, &mut into) {
                    Poll::Ready(result) => result.expect("memory can be read"),
                    Poll::Pending => return read,
                }
                if into.filled().is_empty() {
                    return read;
                }
                read += into.filled().len();
            }
        };
        let before = read_all(&mut stranger);
        assert!((STRANGER_BYTES_MAX..STRANGER_BYTES_MAX + 1000).contains(&before), "{before} bytes");
        budget.admit();
        assert_eq!(read_all(&mut stranger), sent.len());
    }
}
