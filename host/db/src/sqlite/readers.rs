//! Connections that read: one for each thread that asks, for short reads, and a small stock for long ones.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::time::timeout_at;

use super::connection::Connection;
use super::errors::closed;
use super::perform::{found, perform};
use super::watch::LeaveOnDrop;
use super::{Access, DbError, SqliteOptions, Work};
use crate::{Statement, Value};

/// `None` after the database was closed. Only its thread locks it, and `close` once: 10 ns, never waited for.
type Seat = Mutex<Option<Connection>>;

thread_local! {
    /// This thread's connections, by the number of their database.
    static SEATS: RefCell<Vec<(u64, Arc<Seat>)>> = const { RefCell::new(Vec::new()) };
}

static NEXT_DATABASE: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
pub(super) struct Readers {
    id: u64,
    path: PathBuf,
    options: SqliteOptions,
    closed: AtomicBool,
    /// Every thread's connection; the thread owns it.
    seats: Mutex<Vec<Weak<Seat>>>,
    stock: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: &Path, options: SqliteOptions) -> Self {
        Self {
            id: NEXT_DATABASE.fetch_add(1, Ordering::Relaxed),
            path: path.to_owned(),
            closed: AtomicBool::new(false),
            seats: Mutex::new(Vec::new()),
            stock: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(options.readers.max(1))),
            options,
        }
    }

    /// Runs a short read here and now; `None` when it proves long or meets a lock.
    #[inline]
    pub(super) fn try_now(&self, work: &Work, deadline: Instant) -> Option<Result<Vec<u8>, DbError>> {
        self.inline(|connection| {
            connection.watch().arm_inline(deadline);
            match perform(connection, work) {
                // Stopped, but not by the deadline: too long, or a lock of another process.
                Err(DbError::Timeout) if !connection.watch().passed() => None,
                answer => Some(answer),
            }
        })
    }

    /// The answer of a get-or-create whose row exists already, found by a short read. `None`: ask the writer.
    pub(super) fn try_found(
        &self,
        find: &Statement,
        params: &[Value],
        deadline: Instant,
    ) -> Option<Result<Vec<u8>, DbError>> {
        if find.access() != Access::ShortRead {
            return None;
        }
        self.inline(|connection| {
            connection.watch().arm_inline(deadline);
            found(connection, find, params).ok().flatten().map(Ok)
        })
    }

    #[inline]
    fn inline<F>(&self, f: F) -> Option<Result<Vec<u8>, DbError>>
    where
        F: FnOnce(&mut Connection) -> Option<Result<Vec<u8>, DbError>>,
    {
        // Fails only while the thread ends; then the blocking way serves.
        SEATS
            .try_with(|seats| {
                let mut seats = seats.try_borrow_mut().ok()?;
                let seat = match seats.iter().find(|(id, _)| *id == self.id) {
                    Some((_, seat)) => seat,
                    None => match self.take_seat(&mut seats) {
                        Ok(seat) => seat,
                        Err(error) => return Some(Err(error)),
                    },
                };
                let mut connection = seat.lock();
                match connection.as_mut() {
                    Some(connection) => f(connection),
                    None => Some(Err(closed())),
                }
            })
            .ok()
            .flatten()
    }

    /// Opens this thread's connection, about 200 µs.
    #[cold]
    fn take_seat<'a>(&self, seats: &'a mut Vec<(u64, Arc<Seat>)>) -> Result<&'a Arc<Seat>, DbError> {
        // Seats of databases that were closed.
        seats.retain(|(_, seat)| seat.lock().is_some());
        let seat = Arc::new(Mutex::new(Some(self.open()?)));
        {
            let mut all = self.seats.lock();
            // Under the lock under which `close` empties the seats: none can be added behind its back.
            if self.closed.load(Ordering::Acquire) {
                return Err(closed());
            }
            all.retain(|seat| seat.strong_count() > 0);
            all.push(Arc::downgrade(&seat));
        }
        seats.push((self.id, seat));
        seats.last().map(|(_, seat)| seat).ok_or_else(closed)
    }

    /// Runs a read on a blocking thread.
    pub(super) async fn read(self: &Arc<Self>, work: Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {
                match timeout_at(deadline.into(), Arc::clone(&self.permits).acquire_owned()).await {
                    Ok(Ok(permit)) => permit,
                    Ok(Err(_)) => return Err(closed()),
                    Err(_) => return Err(DbError::PoolExhausted),
                }
            }
        };
        // A caller that leaves stops the read.
        let leave = LeaveOnDrop(Arc::new(AtomicBool::new(false)));
        let gone = Arc::clone(&leave.0);
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.with_stock(|connection| {
                connection.watch().follow(Some(gone));
                let answer = until(deadline, connection, |connection| perform(connection, &work));
                connection.watch().follow(None);
                answer
            })
        });
        reading.await.unwrap_or_else(|error| Err(DbError::Unavailable(format!("a read was lost: {error}"))))
    }

    /// Lends a connection from stock, or a new one.
    pub(super) fn with_stock<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, DbError>) -> Result<T, DbError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        // Last in, first out: its caches are warm.
        let stocked = self.stock.lock().pop();
        let mut connection = match stocked {
            Some(connection) => connection,
            None => self.open()?,
        };
        connection.watch().disarm();
        let answer = f(&mut connection);
        // A connection with a fault of its file is not used again: opening anew may find it mended.
        if !matches!(answer, Err(DbError::Unavailable(_))) {
            let mut stock = self.stock.lock();
            if !self.closed.load(Ordering::Acquire) && stock.len() < self.options.readers.max(1) {
                stock.push(connection);
            }
        }
        answer
    }

    fn open(&self) -> Result<Connection, DbError> {
        Connection::open_reader(&self.path, &self.options)
    }

    /// Closes the connections of all threads. A long read that is running closes its own when it ends.
    pub(super) fn close(&self) {
        self.permits.close();
        let seats = {
            let mut seats = self.seats.lock();
            self.closed.store(true, Ordering::Release);
            std::mem::take(&mut *seats)
        };
        for seat in seats.iter().filter_map(Weak::upgrade) {
            drop(seat.lock().take());
        }
        let stock = std::mem::take(&mut *self.stock.lock());
        drop(stock);
    }
}

/// Runs `f` until it is not stopped by another process's lock, `deadline` at the latest.
pub(super) fn until<T>(
    deadline: Instant,
    connection: &mut Connection,
    mut f: impl FnMut(&mut Connection) -> Result<T, DbError>,
) -> Result<T, DbError> {
    loop {
        if Instant::now() >= deadline {
            return Err(DbError::Timeout);
        }
        connection.watch().arm(deadline);
        match f(connection) {
            // SQLite has waited a little itself (`LOCK_WAIT`).
            Err(DbError::Timeout) if !connection.watch().passed() => {}
            answer => return answer,
        }
    }
}
