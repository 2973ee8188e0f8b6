//! Reads of one tick answered together.
//!
//! A read opens a *gathering* under its statement and waits one tick; reads that come meanwhile join it. Then the gathering closes
//! and is sent:
//! - reads of one row each by its key, where the planner gave the statement a batched form
//!   ([`Statement::with_batch`](crate::Statement::with_batch)), become one query for all keys, and its rows are given to their callers;
//! - reads that are the same in all parameters are sent once.
//!
//! Nobody joins a query that was sent: who has written and reads afterwards must see it. So an answer is never older than the call.
//!
//! One query costs an exchange with the server, two wake-ups and a plan's start; a key more in its list costs a fraction.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use sqlx_postgres::PgRow;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::PostgresDriver;
use super::bind::Bound;
use crate::pool::{Pool, Pooled};
use crate::remote::{self, Outcome, Remote, until};
use crate::wire::{self, ArrayHead, Cells};
use crate::{Access, DbError, Statement, Value, Work};

/// Keys of one query. More fill the next.
const MOST: usize = 256;

/// How many reads were answered together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoalesceStats {
    /// Reads that asked.
    pub reads: u64,
    /// Queries that were sent for them.
    pub queries: u64,
}

pub(super) struct Coalescer {
    enabled: bool,
    open: Mutex<FxHashMap<(u64, u64), Gathering>>,
    reads: AtomicU64,
    queries: AtomicU64,
}

/// Reads that will be sent together.
struct Gathering {
    work: Work,
    members: Vec<Member>,
}

/// One caller.
struct Member {
    /// Its key, in a batch.
    key: Value,
    max_rows: u64,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

enum Answer {
    Done(Result<Vec<u8>, DbError>),
    /// The common query failed by what may be another's fault.
    Alone(Work),
}

impl Coalescer {
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, open: Mutex::default(), reads: AtomicU64::new(0), queries: AtomicU64::new(0) }
    }

    pub(super) fn stats(&self) -> CoalesceStats {
        CoalesceStats { reads: self.reads.load(Ordering::Relaxed), queries: self.queries.load(Ordering::Relaxed) }
    }

    /// Answers a read together with others; gives back what is to be run by itself.
    pub(super) async fn read(
        self: &Arc<Self>,
        pool: &Pool<PostgresDriver>,
        work: Work,
        deadline: Instant,
    ) -> Result<Result<Vec<u8>, DbError>, Work> {
        let Some((place, key, max_rows)) = self.place(&work) else { return Err(work) };
        if Instant::now() >= deadline {
            return Ok(Err(DbError::Timeout));
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let member = Member { key, max_rows, deadline, answer };
        let place = {
            let mut open = self.open.lock();
            match open.entry(place) {
                Entry::Occupied(mut found) if found.get().takes(&work) => {
                    found.get_mut().members.push(member);
                    None
                }
                // Full, or another read with the same hash.
                Entry::Occupied(_) => return Err(work),
                Entry::Vacant(free) => {
                    free.insert(Gathering { work, members: vec![member] });
                    Some(place)
                }
            }
        };
        if let Some(place) = place {
            let (opened, pool) = (Opened { coalescer: Arc::clone(self), place: Some(place) }, pool.clone());
            // A task of its own: the first caller may leave, the others stay.
            tokio::spawn(opened.send(pool));
        }
        match tokio::time::timeout_at(deadline.into(), answered).await {
            Ok(Ok(Answer::Done(result))) => Ok(result),
            Ok(Ok(Answer::Alone(work))) => Err(work),
            Ok(Err(_ended)) => Ok(Err(DbError::Unavailable("the runtime ended meanwhile".to_owned()))),
            Err(_late) => Ok(Err(DbError::Timeout)),
        }
    }

    /// Where a read gathers, with the key it asks for and the rows it takes at most; `None` for what is not to be coalesced.
    fn place(&self, work: &Work) -> Option<((u64, u64), Value, u64)> {
        use std::hash::Hasher;
        let (statement, params, max_rows) = match work {
            Work::Query { statement, params, max_rows } => (statement, params, *max_rows),
            Work::Scalar { statement, params } => (statement, params, 1),
            _ => return None,
        };
        if !self.enabled || statement.access() == Access::Write {
            return None;
        }
        if let (Work::Query { .. }, Some(_), [key]) = (work, statement.batch(), params.as_slice())
            && !matches!(key, Value::Null | Value::List(_))
        {
            return Some(((statement.id(), 0), key.clone(), max_rows));
        }
        let mut hasher = FxHasher::default();
        params.iter().for_each(|value| wire::hash(value, &mut hasher));
        hasher.write_u64(max_rows);
        // Not 0, which is the batch's.
        Some(((statement.id(), hasher.finish() | 1), Value::Null, max_rows))
    }
}

/// A gathering that will be sent. Where its task ends before that, with its runtime, it closes: nobody else may join it.
struct Opened {
    coalescer: Arc<Coalescer>,
    place: Option<(u64, u64)>,
}

impl Opened {
    async fn send(mut self, pool: Pool<PostgresDriver>) {
        // The tick: what is ready to run runs first, and may join.
        tokio::task::yield_now().await;
        let Some((Some(deadline), sql)) = self.asked() else { return };
        // Waiting for a connection is time in which others may still join.
        let acquired = pool.acquire(deadline, &sql).await;
        let Some(gathering) = self.close() else { return };
        self.coalescer.queries.fetch_add(1, Ordering::Relaxed);
        match acquired {
            Ok(mut connection) => {
                let answers = gathering.run(&mut connection).await;
                // Back in the pool before the callers go on, who may ask for it.
                drop(connection);
                for (to, answer) in answers {
                    let _left = to.send(answer);
                }
            }
            Err(error) => gathering.fail(&error),
        }
    }

    /// Until when somebody waits, and for what.
    fn asked(&self) -> Option<(Option<Instant>, Arc<str>)> {
        let open = self.coalescer.open.lock();
        open.get(&self.place?).map(|gathering| (gathering.deadline(), Arc::clone(gathering.work.sql())))
    }

    /// From now on nobody joins.
    fn close(&mut self) -> Option<Gathering> {
        self.coalescer.open.lock().remove(&self.place.take()?)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Its members hear of it by their answers being dropped.
        self.close();
    }
}

impl Gathering {
    /// Whether the read may join.
    fn takes(&self, work: &Work) -> bool {
        match (&self.work, work) {
            (Work::Query { statement, params, .. }, Work::Query { params: others, .. }) => {
                self.members.len() < MOST && (statement.batch().is_some() && params.len() == 1 || params == others)
            }
            (Work::Scalar { params, .. }, Work::Scalar { params: others, .. }) => params == others,
            _ => false,
        }
    }

    /// That of the most patient member.
    fn deadline(&self) -> Option<Instant> {
        self.members.iter().map(|member| member.deadline).max()
    }

    async fn run(self, connection: &mut Pooled<PostgresDriver>) -> Vec<(oneshot::Sender<Answer>, Answer)> {
        let Some(deadline) = self.deadline() else { return Vec::new() };
        let Self { work, mut members } = self;
        let canceller = connection.canceller();
        let stop_at = tokio::time::Instant::from_std(deadline);
        let together = match &work {
            Work::Query { statement, .. }
                if members.len() > 1 && members.iter().all(|member| member.key != Value::Null) =>
            {
                statement.batch().map(|batch| (batch, statement))
            }
            _ => None,
        };
        let outcome = if let Some((batch, statement)) = together {
            let keys = Value::List(distinct(&members));
            let running = by_key(connection, batch, statement, keys);
            map(until(stop(stop_at, &mut members), &canceller, running).await, Found::ByKey)
        } else {
            map(
                until(stop(stop_at, &mut members), &canceller, remote::perform(&mut **connection, &work)).await,
                Found::One,
            )
        };
        let found = match outcome {
            Outcome::Done(found) => found,
            Outcome::Stopped(_) | Outcome::Unknown => {
                connection.give_up();
                Err(DbError::Timeout)
            }
        };
        let outdated = connection.was_outdated();
        let shared = members.len() > 1;
        let answers = members.into_iter().map(|member| {
            let answer = match &found {
                Ok(Found::One(bytes)) => Answer::Done(Ok(bytes.clone())),
                Ok(Found::ByKey(rows)) => Answer::Done(member.rows(rows)),
                Err(error @ (DbError::Unavailable(_) | DbError::Timeout | DbError::PoolExhausted)) => {
                    Answer::Done(Err(error.clone()))
                }
                Err(error) if !shared && !outdated => Answer::Done(Err(error.clone())),
                Err(_) => Answer::Alone(member.work(&work)),
            };
            (member.answer, answer)
        });
        answers.collect()
    }

    fn fail(self, error: &DbError) {
        for member in self.members {
            let _left = member.answer.send(Answer::Done(Err(error.clone())));
        }
    }
}

/// What a common query found.
enum Found {
    /// The one answer of all.
    One(Vec<u8>),
    /// Rows by the CBOR of their key: how many, and their bytes.
    ByKey(FxHashMap<Vec<u8>, (u64, Vec<u8>)>),
}

fn map<T>(outcome: Outcome<T>, found: impl Fn(T) -> Found) -> Outcome<Found> {
    match outcome {
        Outcome::Done(result) => Outcome::Done(result.map(found)),
        Outcome::Stopped(result) => Outcome::Stopped(result.map(found)),
        Outcome::Unknown => Outcome::Unknown,
    }
}

impl Member {
    /// Its part of the rows, as its own query would have answered.
    fn rows(&self, found: &FxHashMap<Vec<u8>, (u64, Vec<u8>)>) -> Result<Vec<u8>, DbError> {
        let none = (0, Vec::new());
        let (count, bytes) = found.get(&cbor(&self.key)).unwrap_or(&none);
        if *count > self.max_rows {
            return Err(wire::too_many_rows(self.max_rows));
        }
        let mut out = Vec::with_capacity(bytes.len() + 9);
        let head = ArrayHead::reserve(&mut out, self.max_rows);
        out.extend_from_slice(bytes);
        head.set(&mut out, *count);
        Ok(out)
    }

    /// Its read by itself.
    fn work(&self, gathered: &Work) -> Work {
        match gathered {
            Work::Query { statement, .. } if self.key != Value::Null => {
                Work::Query { statement: statement.clone(), params: vec![self.key.clone()], max_rows: self.max_rows }
            }
            same => same.clone(),
        }
    }
}

fn cbor(key: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    wire::value(key, &mut out);
    out
}

/// The keys asked for, each once.
fn distinct(members: &[Member]) -> Vec<Value> {
    let mut seen = FxHashSet::default();
    let fresh = members.iter().filter(|member| seen.insert(cbor(&member.key)));
    fresh.map(|member| member.key.clone()).collect()
}

/// Runs the batched form and sorts its rows by their first column.
async fn by_key(
    connection: &mut Pooled<PostgresDriver>,
    batch: &Statement,
    statement: &Statement,
    keys: Value,
) -> Result<FxHashMap<Vec<u8>, (u64, Vec<u8>)>, DbError> {
    let kind = wire::first_kind(batch);
    let max_bytes = connection.max_result_bytes;
    let mut found = FxHashMap::<Vec<u8>, (u64, Vec<u8>)>::default();
    let mut total = 0;
    let each = |row: &PgRow| {
        let mut key = Vec::with_capacity(24);
        row.write(0, kind, &mut key)?;
        let (count, bytes) = found.entry(key).or_default();
        let before = bytes.len();
        wire::row_from(1, statement, row, bytes)?;
        *count += 1;
        total += bytes.len() - before;
        if total > max_bytes { Err(wire::too_many_bytes(max_bytes)) } else { Ok(()) }
    };
    connection.exchange(batch, [&keys].into_iter().map(Bound::Value), u64::MAX, each).await?;
    Ok(found)
}

/// Returns at the deadline, or when every caller has left.
async fn stop(deadline: tokio::time::Instant, members: &mut [Member]) {
    let all_left = async {
        for member in members {
            member.answer.closed().await;
        }
    };
    tokio::select! {
        () = all_left => {}
        () = sleep_until(deadline) => {}
    }
}
