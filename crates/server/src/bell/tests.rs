use super::*;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn many_wakers_cost_their_thread_one_waking() {
    let bell = Arc::new(Bell::default());
    let (task, connections) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let task_waker = Waker::from(Arc::clone(&task));
    let mut answering = pin!(Arc::clone(&bell).answer());
    assert!(answering.as_mut().poll(&mut Context::from_waker(&task_waker)).is_pending());

    let told: Vec<Waker> = (0..3).filter_map(|_| bell.leave(Waker::from(Arc::clone(&connections)))).collect();
    assert_eq!(told.len(), 1);
    told.into_iter().for_each(Waker::wake);
    assert_eq!((task.count(), connections.count()), (1, 0));

    assert!(answering.as_mut().poll(&mut Context::from_waker(&task_waker)).is_pending());
    assert_eq!((task.count(), connections.count()), (1, 3));
    // And again from the start.
    assert!(bell.leave(Waker::from(Arc::clone(&connections))).is_some());
}

#[test]
fn what_was_left_before_the_answer_began_is_woken_by_its_first_look() {
    let bell = Arc::new(Bell::default());
    let connections = Arc::new(Woken::default());
    assert!(bell.leave(Waker::from(Arc::clone(&connections))).is_none());
    let mut answering = pin!(Arc::clone(&bell).answer());
    assert!(answering.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(connections.count(), 1);
}

#[test]
fn a_bell_belongs_to_the_thread_that_hung_it() {
    let hung = std::thread::spawn(|| {
        let bell = Bell::hang();
        Bell::here().is_some_and(|here| Arc::ptr_eq(&here, &bell))
    });
    assert!(hung.join().unwrap());
    assert!(Bell::here().is_none());
}
