//! One connection as its worker sees it: what it is doing, since when, and whether it may go on.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    task::{Context, Waker},
    time::Instant,
};

use super::{HttpLimits, deal::Held};

/// What the worker decided about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Live,
    /// A timeout passed.
    Overdue,
    /// The host shuts down: what is in flight is answered, then it closes.
    Drain,
}

/// A worker's clock, in milliseconds since it began; moved by the tick.
pub(crate) type Millis = u64;

/// The state of one connection. All of it belongs to one thread.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The client's address, as handlers see it.
    pub remote: String,
    crew: Rc<Crew>,
    seat: Cell<usize>,
    fate: Cell<Fate>,
    waker: RefCell<Option<Waker>>,
    /// Requests being answered, their responses' content included.
    busy: Cell<u32>,
    /// Since when it has been without a request.
    quiet: Cell<Millis>,
    /// Since when a head has been arriving.
    head: Cell<Option<Millis>>,
    /// Since when the client has not taken what we want to send.
    stuck: Cell<Option<Millis>>,
    /// HTTP/2 has frames of its own between requests.
    pub multiplexed: Cell<bool>,
}

/// All connections of a worker.
#[derive(Debug)]
pub(crate) struct Crew {
    epoch: Instant,
    now: Cell<Millis>,
    seats: RefCell<Vec<Rc<Connection>>>,
    /// Woken when a seat becomes free.
    pub freed: tokio::sync::Notify,
}

impl Crew {
    pub fn new() -> Rc<Crew> {
        Rc::new(Crew {
            epoch: Instant::now(),
            now: Cell::new(0),
            seats: RefCell::default(),
            freed: tokio::sync::Notify::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.seats.borrow().len()
    }

    /// Takes a connection in; it stays until the [`Seat`] is dropped.
    pub fn admit(self: &Rc<Crew>, remote: SocketAddr, held: Held) -> Seat {
        let connection = Rc::new(Connection {
            remote: remote.to_string(),
            crew: Rc::clone(self),
            seat: Cell::new(self.len()),
            fate: Cell::new(Fate::Live),
            waker: RefCell::new(None),
            busy: Cell::new(0),
            quiet: Cell::new(self.now.get()),
            head: Cell::new(None),
            stuck: Cell::new(None),
            multiplexed: Cell::new(false),
        });
        self.seats.borrow_mut().push(Rc::clone(&connection));
        Seat { connection, _held: held }
    }

    /// Moves the clock and tells those that are overdue.
    pub fn inspect(&self, limits: &HttpLimits) {
        let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.now.set(now);
        for connection in self.seats.borrow().iter() {
            if connection.is_overdue(now, limits) {
                connection.doom(Fate::Overdue);
            }
        }
    }

    /// Tells everybody to finish.
    pub fn drain(&self) {
        for connection in self.seats.borrow().iter() {
            connection.doom(Fate::Drain);
        }
    }
}

/// A connection's place among its worker's; it leaves when this is dropped.
pub(crate) struct Seat {
    pub connection: Rc<Connection>,
    _held: Held,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let crew = &self.connection.crew;
        let mut seats = crew.seats.borrow_mut();
        let index = self.connection.seat.get();
        if index < seats.len() {
            seats.swap_remove(index);
            if let Some(moved) = seats.get(index) {
                moved.seat.set(index);
            }
        }
        crew.freed.notify_one();
    }
}

impl Connection {
    pub fn fate(&self) -> Fate {
        self.fate.get()
    }

    /// Keeps the waker of the connection's task, which never changes.
    pub fn attend(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    fn doom(&self, fate: Fate) {
        if self.fate.get() == Fate::Overdue || self.fate.get() == fate {
            return;
        }
        self.fate.set(fate);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn is_overdue(&self, now: Millis, limits: &HttpLimits) -> bool {
        let passed = |since: Millis, limit: std::time::Duration| {
            // What was noted between two ticks carries the earlier one's time: a tick of grace.
            u128::from(now.saturating_sub(since)) > (limit + limits.tick()).as_millis()
        };
        if let Some(since) = self.stuck.get() {
            return passed(since, limits.body_timeout);
        }
        if self.busy.get() > 0 {
            return false;
        }
        match self.head.get() {
            Some(since) => passed(since, limits.header_timeout),
            None => passed(self.quiet.get(), limits.idle_timeout),
        }
    }

    /// True while a head has begun and not ended.
    pub fn head_has_begun(&self) -> bool {
        self.head.get().is_some()
    }

    /// Bytes came in.
    #[inline]
    pub fn heard(&self) {
        if self.busy.get() == 0 && self.head.get().is_none() && !self.multiplexed.get() {
            self.head.set(Some(self.crew.now.get()));
        }
    }

    /// Bytes went out, or could not.
    #[inline]
    pub fn sent(&self, went: bool) {
        if went {
            self.stuck.set(None);
        } else if self.stuck.get().is_none() {
            self.stuck.set(Some(self.crew.now.get()));
        }
    }
}

/// A request that is being answered; while it lives, its connection is not idle.
#[derive(Debug)]
pub(crate) struct Busy(Rc<Connection>);

impl Busy {
    #[inline]
    pub fn new(connection: &Rc<Connection>) -> Busy {
        connection.busy.set(connection.busy.get() + 1);
        connection.head.set(None);
        Busy(Rc::clone(connection))
    }
}

impl Drop for Busy {
    #[inline]
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get().saturating_sub(1));
        self.0.quiet.set(self.0.crew.now.get());
    }
}
