//! What a worker's connections want to send, sent at the end of the event loop's turn.
//!
//! A turn finds some thirty requests of a busy worker ready. Sent one by one as they are answered, each answer wakes a client
//! on the same machine (a proxy, say), which takes it and sleeps again: a switch of threads, or an interrupt to another
//! processor, for every answer. Sent together, a turn's answers wake it once. A request waits for its turn's others, a few
//! microseconds each.
//!
//! Only what is small is held back, and never past the turn. What the kernel does not take at once goes the usual way: the
//! connection's own task waits for room.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use hyper::rt::Write;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

/// Bytes of the largest write that is held back, and of all that is held back for one connection.
const SMALL: usize = 16 << 10;

/// The outbox of one worker.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    full: RefCell<Vec<Rc<Wire>>>,
    courier: RefCell<Option<Waker>>,
}

/// A stream, and what is to be sent on it at the end of the turn.
#[derive(Debug)]
pub(super) struct Wire {
    pub stream: RefCell<TokioIo<TcpStream>>,
    held: RefCell<Vec<u8>>,
    /// It lies in the outbox.
    queued: Cell<bool>,
    /// The kernel did not take all: the connection's task goes on.
    stuck: Cell<bool>,
    failed: Cell<Option<io::ErrorKind>>,
    task: RefCell<Option<Waker>>,
    outbox: Rc<Outbox>,
}

impl Outbox {
    /// Sends what was laid in, turn by turn. One task a worker; it never ends.
    pub async fn deliver(self: Rc<Self>) {
        std::future::poll_fn(|cx| {
            let mut courier = self.courier.borrow_mut();
            if !courier.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *courier = Some(cx.waker().clone());
            }
            drop(courier);
            // The list keeps its room; nothing lays in while it is walked.
            let mut full = self.full.take();
            for wire in full.drain(..) {
                wire.send();
            }
            self.full.replace(full);
            Poll::<()>::Pending
        })
        .await;
    }

    /// The courier is woken by the first of a turn, and so comes after all that were ready before it.
    fn lay(&self, wire: &Rc<Wire>) {
        let mut full = self.full.borrow_mut();
        full.push(Rc::clone(wire));
        if full.len() == 1
            && let Some(courier) = &*self.courier.borrow()
        {
            courier.wake_by_ref();
        }
    }
}

impl Wire {
    pub fn new(stream: TcpStream, outbox: Rc<Outbox>) -> Rc<Wire> {
        Rc::new(Wire {
            stream: RefCell::new(TokioIo::new(stream)),
            held: RefCell::default(),
            queued: Cell::new(false),
            stuck: Cell::new(false),
            failed: Cell::new(None),
            task: RefCell::new(None),
            outbox,
        })
    }

    /// Takes what is small at once; what is large goes straight to the kernel, after what is held.
    pub fn poll_write(self: &Rc<Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let fits = self.held.borrow().len() + bytes.len() <= SMALL;
        if fits && !self.stuck.get() {
            self.held.borrow_mut().extend_from_slice(bytes);
            if !self.queued.replace(true) {
                self.outbox.lay(self);
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)
    }

    /// Ready also while something is held back to the end of the turn: it is as good as sent.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        if self.stuck.get() {
            return self.poll_drain(cx);
        }
        let mut task = self.task.borrow_mut();
        if !self.held.borrow().is_empty() && !task.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what is held and waits until the kernel has it.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let mut held = self.held.borrow_mut();
        let mut sent = 0;
        let drained = loop {
            let Some(rest) = held.get(sent..).filter(|rest| !rest.is_empty()) else { break Poll::Ready(Ok(())) };
            match Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        held.drain(..sent);
        self.stuck.set(drained.is_pending());
        drained
    }

    /// The end of the turn.
    fn send(&self) {
        self.queued.set(false);
        let mut held = self.held.borrow_mut();
        if held.is_empty() || self.stuck.get() {
            return;
        }
        match SockRef::from(self.stream.borrow().inner()).send(&held) {
            Ok(count) if count == held.len() => {
                held.clear();
                return;
            }
            Ok(count) => drop(held.drain(..count)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => self.failed.set(Some(error.kind())),
        }
        self.stuck.set(true);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    fn check(&self) -> io::Result<()> {
        self.failed.get().map_or(Ok(()), |kind| Err(kind.into()))
    }
}
