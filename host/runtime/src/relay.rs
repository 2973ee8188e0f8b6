//! A waker that stays silent while its own future is being polled.
//!
//! wasmtime wakes the task in the course of a call (each host call that had to wait does, and so does a tick's yield), and
//! then goes on by itself without waiting for it. Passed on, each of those wakes would have the whole connection polled
//! again for nothing after its response: a system call or two. So they are kept back until the poll ends, passed on when
//! it ends pending, and forgotten when it ends ready.
//!
//! It lives as long as its instance: no allocation a request, and a request that is ready at once never touches the
//! task's own waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::AcqRel},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::task::AtomicWaker;

/// A poll is under way.
const POLLING: u8 = 1;
/// Somebody woke us since the poll began.
const WOKEN: u8 = 2;

#[derive(Debug)]
pub(crate) struct Relay {
    inner: Arc<Inner>,
    /// `inner`, as a waker.
    waker: Waker,
}

#[derive(Debug, Default)]
struct Inner {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Relay {
    pub fn new() -> Relay {
        let inner = Arc::new(Inner::default());
        Relay { waker: Waker::from(Arc::clone(&inner)), inner }
    }

    /// Polls on behalf of the task behind `cx`.
    ///
    /// No wake is lost: one that comes before the state is put back to idle finds `POLLING` and leaves `WOKEN`, which is
    /// seen as the state is put back; one that comes later finds the task's waker registered.
    pub fn poll<T>(&self, cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.inner.state.swap(POLLING, AcqRel);
        let polled = poll(&mut Context::from_waker(&self.waker));
        if polled.is_pending() {
            self.inner.task.register(cx.waker());
            if self.inner.state.swap(0, AcqRel) & WOKEN != 0 {
                cx.waker().wake_by_ref();
            }
        }
        polled
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, AcqRel) & POLLING == 0 {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Future, poll_fn},
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_future_that_wakes_itself_and_is_ready_wakes_nobody() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let relay = Relay::new();
        let mut polls = 0;
        let mut future = pin!(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            polls += 1;
            if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
        }));
        let mut cx = Context::from_waker(&waker);
        assert!(relay.poll(&mut cx, |cx| future.as_mut().poll(cx)).is_pending());
        assert_eq!(count.0.load(SeqCst), 1, "a wake during a poll that ends pending is passed on");
        assert!(relay.poll(&mut cx, |cx| future.as_mut().poll(cx)).is_ready());
        assert_eq!(count.0.load(SeqCst), 1, "a wake during a poll that ends ready is not");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_from_another_thread_is_lost() {
        let relay = Relay::new();
        for round in 0..2_000u64 {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            tokio::spawn(async move {
                for _ in 0..round % 64 {
                    std::hint::spin_loop();
                }
                let _sent = sender.send(round);
            });
            let mut receiver = pin!(receiver);
            let received = tokio::time::timeout(
                Duration::from_secs(5),
                poll_fn(|cx| relay.poll(cx, |cx| receiver.as_mut().poll(cx))),
            );
            assert_eq!(received.await.expect("a wake was lost").unwrap(), round);
        }
    }
}
