//! Transactions that a caller drives: a task owns the connection until they end.
//!
//! The task, not the caller's future, talks to the server: whoever drops a future leaves no half-done exchange behind, and
//! when the handle is dropped or the deadline passes, the rollback happens by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::perform::{is_many, perform};
use super::stop::{Outcome, until};
use super::{Fate, Remote, in_transaction, unknown};
use crate::pool::{Driver, Pool, Pooled};
use crate::{BeginOptions, DbError, Work};

type Answer<T> = oneshot::Sender<Result<T, DbError>>;
type Commands = mpsc::UnboundedReceiver<Command>;

enum Command {
    Run { work: Work, answer: Answer<Vec<u8>> },
    Savepoint { answer: Answer<u32> },
    RollbackTo { savepoint: u32, answer: Answer<()> },
    Release { savepoint: u32, answer: Answer<()> },
    Commit { answer: Answer<()> },
    Rollback { answer: Answer<()> },
}

/// The caller's end of a transaction.
pub(crate) struct RemoteTransaction {
    commands: mpsc::UnboundedSender<Command>,
}

impl std::fmt::Debug for RemoteTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteTransaction").finish_non_exhaustive()
    }
}

impl RemoteTransaction {
    /// Begins one.
    pub(crate) async fn begin<D: Driver>(
        pool: &Pool<D>,
        options: BeginOptions,
        deadline: Instant,
    ) -> Result<Self, DbError>
    where
        D::Connection: Remote,
    {
        if Instant::now() >= deadline {
            return Err(DbError::Timeout);
        }
        let mut pooled = pool.acquire(deadline, &in_transaction()).await?;
        let canceller = pooled.canceller();
        let (guard, then) = if D::Connection::FAILURE_SPREADS { (Guard::Fresh, SET) } else { (Guard::None, "") };
        match until(sleep_until(deadline.into()), &canceller, pooled.begin(options.isolation, then)).await {
            Outcome::Done(Ok(())) => {}
            Outcome::Done(Err(error)) => return Err(error),
            Outcome::Stopped(_) | Outcome::Unknown => {
                pooled.give_up();
                return Err(DbError::Timeout);
            }
        }
        let (commands, received) = mpsc::unbounded_channel();
        let session = Session { pooled, deadline, guard, savepoints: Vec::new(), next: 1 };
        tokio::spawn(session.obey(received));
        Ok(Self { commands })
    }

    pub(crate) async fn run(&self, work: Work) -> Result<Vec<u8>, DbError> {
        self.send(|answer| Command::Run { work, answer }).await
    }

    pub(crate) async fn savepoint(&self) -> Result<u32, DbError> {
        self.send(|answer| Command::Savepoint { answer }).await
    }

    pub(crate) async fn rollback_to(&self, savepoint: u32) -> Result<(), DbError> {
        self.send(|answer| Command::RollbackTo { savepoint, answer }).await
    }

    pub(crate) async fn release(&self, savepoint: u32) -> Result<(), DbError> {
        self.send(|answer| Command::Release { savepoint, answer }).await
    }

    pub(crate) async fn commit(self) -> Result<(), DbError> {
        self.send(|answer| Command::Commit { answer }).await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbError> {
        self.send(|answer| Command::Rollback { answer }).await
    }

    async fn send<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, DbError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).map_err(|_| DbError::TransactionClosed)?;
        answered.await.unwrap_or(Err(DbError::TransactionClosed))
    }
}

/// The savepoint to which a failed work is undone, so that the transaction lives on. It lies innermost, and is set anew only
/// after a work that has changed something: one more exchange a write but the first, none for reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    None,
    /// Nothing has happened since it was set.
    Fresh,
    /// It would undo more than the next work.
    Used,
}

const SET: &str = "SAVEPOINT covet_work";
const RENEW: &str = "RELEASE SAVEPOINT covet_work; SAVEPOINT covet_work";
const UNDO: &str = "ROLLBACK TO SAVEPOINT covet_work";
const FORGET: &str = "RELEASE SAVEPOINT covet_work";

struct Session<D: Driver>
where
    D::Connection: Remote,
{
    pooled: Pooled<D>,
    deadline: Instant,
    guard: Guard,
    savepoints: Vec<u32>,
    next: u32,
}

/// Why the session is over.
enum End {
    /// Nothing is left to undo; to be told.
    Over(Answer<()>, Result<(), DbError>),
    /// To be rolled back.
    Undo,
}

impl<D: Driver> Session<D>
where
    D::Connection: Remote,
{
    /// When this returns no transaction is open, and later commands find their channel closed.
    async fn obey(mut self, mut commands: Commands) {
        let end = self.serve(&mut commands).await;
        if let End::Undo = end {
            self.undo().await;
        }
        // First the connection goes back, then the caller hears of it: who then asks the pool finds it.
        drop(self);
        if let End::Over(answer, result) = end {
            let _left = answer.send(result);
        }
        drop(commands);
    }

    async fn serve(&mut self, commands: &mut Commands) -> End {
        let mut backlog = VecDeque::new();
        loop {
            let command = match backlog.pop_front() {
                Some(command) => command,
                None => tokio::select! {
                    command = commands.recv() => match command {
                        Some(command) => command,
                        None => return End::Undo,
                    },
                    () = sleep_until(self.deadline.into()) => return End::Undo,
                },
            };
            if Instant::now() >= self.deadline {
                return End::Undo;
            }
            let alive = match command {
                Command::Commit { answer } => {
                    let result = self.commit().await;
                    return End::Over(answer, result);
                }
                Command::Rollback { answer } => {
                    self.undo().await;
                    return End::Over(answer, Ok(()));
                }
                Command::Run { work, answer } if !answer.is_closed() => {
                    let result = self.unit(&work, commands, &mut backlog).await;
                    let alive = !matches!(&result, Err(DbError::Timeout)) && self.lives();
                    if !alive {
                        // First undone, then answered.
                        self.undo().await;
                    }
                    let _left = answer.send(result);
                    alive
                }
                // A future that was dropped before its turn.
                Command::Run { .. } => true,
                Command::Savepoint { answer } => {
                    let _left = answer.send(self.savepoint().await);
                    self.lives()
                }
                Command::RollbackTo { savepoint, answer } => {
                    let _left = answer.send(self.end_savepoint(savepoint, true).await);
                    self.lives()
                }
                Command::Release { savepoint, answer } => {
                    let _left = answer.send(self.end_savepoint(savepoint, false).await);
                    self.lives()
                }
            };
            if !alive {
                return End::Undo;
            }
        }
    }

    fn lives(&self) -> bool {
        self.pooled.fate() == Fate::Lives
    }

    /// One work, undone by itself where it fails.
    async fn unit(
        &mut self,
        work: &Work,
        commands: &mut Commands,
        backlog: &mut VecDeque<Command>,
    ) -> Result<Vec<u8>, DbError> {
        self.pooled.describe(Arc::clone(work.sql()));
        let guarded = D::Connection::FAILURE_SPREADS || is_many::<D::Connection>(work);
        let set = match self.guard {
            Guard::None => Some(SET),
            Guard::Used => Some(RENEW),
            Guard::Fresh => None,
        };
        if let Some(set) = set
            && guarded
        {
            self.control(set).await?;
            self.guard = Guard::Fresh;
        }
        let canceller = self.pooled.canceller();
        let mut tries = 0;
        loop {
            tries += 1;
            let stop = stop(self.deadline, commands, backlog);
            let result = match until(stop, &canceller, perform(&mut *self.pooled, work)).await {
                Outcome::Done(result) => result,
                Outcome::Stopped(_) | Outcome::Unknown => {
                    // The server undoes what a connection leaves behind that is hung up on.
                    self.pooled.give_up();
                    return Err(DbError::Timeout);
                }
            };
            match result {
                Ok(answer) => {
                    if !work.is_read() && self.guard == Guard::Fresh {
                        self.guard = Guard::Used;
                    }
                    return Ok(answer);
                }
                Err(error) => {
                    if self.lives() && guarded && error != DbError::Timeout {
                        self.control(UNDO).await?;
                        if self.pooled.was_outdated() && tries == 1 {
                            continue;
                        }
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        let canceller = self.pooled.canceller();
        match until(sleep_until(self.deadline.into()), &canceller, self.pooled.commit()).await {
            Outcome::Done(Err(DbError::Unavailable(why))) if self.pooled.fate() == Fate::Lost => {
                Err(unknown(&format!("the connection was lost during the commit: {why}")))
            }
            Outcome::Done(result) => result,
            Outcome::Stopped(result) => {
                self.pooled.give_up();
                result
            }
            Outcome::Unknown => {
                self.pooled.give_up();
                Err(unknown("the server did not answer the commit in time"))
            }
        }
    }

    /// Rolls back; where that does not work the connection is closed, by which the server does it.
    async fn undo(&mut self) {
        if matches!(self.pooled.fate(), Fate::Dead | Fate::Lost) {
            return;
        }
        let limit = tokio::time::timeout(super::stop::GRACE, self.pooled.rollback());
        if !matches!(limit.await, Ok(Ok(()))) {
            self.pooled.give_up();
        }
    }

    /// Short statements of our own. They wait for nobody, so the deadline does not stop them; a server that is away does.
    async fn control(&mut self, sql: &str) -> Result<(), DbError> {
        match tokio::time::timeout(super::stop::GRACE, self.pooled.control(sql)).await {
            Ok(result) => result,
            Err(_late) => {
                self.pooled.give_up();
                Err(DbError::Timeout)
            }
        }
    }

    async fn savepoint(&mut self) -> Result<u32, DbError> {
        let number = self.next;
        // The guard stays innermost: releasing it later must not release this one.
        let forget = if self.guard == Guard::None { String::new() } else { format!("{FORGET}; ") };
        self.control(&format!("{forget}SAVEPOINT covet_{number}")).await?;
        self.guard = Guard::None;
        self.next += 1;
        self.savepoints.push(number);
        Ok(number)
    }

    async fn end_savepoint(&mut self, number: u32, undo: bool) -> Result<(), DbError> {
        let Some(at) = self.savepoints.iter().position(|known| *known == number) else {
            return Err(DbError::BadQuery(format!("savepoint {number} is gone, or was never of this transaction")));
        };
        self.savepoints.truncate(at);
        let undo = if undo { format!("ROLLBACK TO SAVEPOINT covet_{number}; ") } else { String::new() };
        self.control(&format!("{undo}RELEASE SAVEPOINT covet_{number}")).await?;
        // It lay inside.
        self.guard = Guard::None;
        Ok(())
    }
}

/// Returns when the deadline passes or the handle is dropped. Commands that come meanwhile wait in `backlog`.
async fn stop(deadline: Instant, commands: &mut Commands, backlog: &mut VecDeque<Command>) {
    let listen = async {
        while let Some(command) = commands.recv().await {
            backlog.push_back(command);
        }
    };
    tokio::select! {
        () = listen => {}
        () = sleep_until(deadline.into()) => {}
    }
}
