//! How a thread of the store wakes many connections of an I/O thread at once.
//!
//! A task that is woken from outside of its thread costs a system call, each time and each task. So whoever is outside
//! leaves the wakers here and wakes one task, which wakes the others where it costs next to nothing.

use parking_lot::Mutex;
use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

thread_local! {
    static HERE: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
}

/// One for each I/O thread. Bounded by its connections, each of which leaves a waker once.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    to_wake: Vec<Waker>,
    /// Present while the answering task waits.
    task: Option<Waker>,
}

impl Bell {
    /// The bell of the present I/O thread; `None` on any other.
    pub(crate) fn here() -> Option<Arc<Self>> {
        HERE.with_borrow(Clone::clone)
    }

    /// The bell of the present thread from now on, which is to spawn its `answer`.
    pub(crate) fn hang() -> Arc<Self> {
        let bell = Arc::new(Self::default());
        HERE.set(Some(Arc::clone(&bell)));
        bell
    }

    /// Wakes what is left here, for ever.
    pub(crate) async fn answer(self: Arc<Self>) {
        let mut waking = Vec::new();
        poll_fn(|context| {
            {
                let mut inner = self.inner.lock();
                inner.task = Some(context.waker().clone());
                std::mem::swap(&mut inner.to_wake, &mut waking);
            }
            waking.drain(..).for_each(Waker::wake);
            Poll::Pending
        })
        .await
    }

    /// Leaves a waker. `Some`: whom to wake afterwards; otherwise the answering task is woken already.
    pub(crate) fn leave(&self, waker: Waker) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.to_wake.push(waker);
        inner.task.take()
    }
}

#[cfg(test)]
mod tests;
