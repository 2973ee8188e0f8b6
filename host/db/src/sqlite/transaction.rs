//! Transactions that a caller drives: the writer serves nothing else until they end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Instant;

use tokio::sync::oneshot;

use super::queue::Answer;
use super::readers::until;
use super::watch::LeaveOnDrop;
use super::writer::Writer;
use crate::{DbError, Work};

enum Command {
    Run { work: Work, answer: Answer<Vec<u8>> },
    Savepoint { answer: Answer<u32> },
    RollbackTo { savepoint: u32, answer: Answer<()> },
    Release { savepoint: u32, answer: Answer<()> },
    Commit { answer: Answer<()> },
    Rollback { answer: Answer<()> },
}

/// The caller's end of a transaction.
#[derive(Debug)]
pub struct SqliteTransaction {
    // Dropped first: whoever leaves stops the statement that runs, and then the closed channel ends the transaction.
    _leave: LeaveOnDrop,
    commands: mpsc::Sender<Command>,
}

impl SqliteTransaction {
    /// See [`crate::Transaction::run`].
    ///
    /// # Errors
    /// As there.
    pub async fn run(&self, work: Work) -> Result<Vec<u8>, DbError> {
        self.send(|answer| Command::Run { work, answer }).await
    }

    /// See [`crate::Transaction::savepoint`].
    ///
    /// # Errors
    /// As there.
    pub async fn savepoint(&self) -> Result<u32, DbError> {
        self.send(|answer| Command::Savepoint { answer }).await
    }

    /// See [`crate::Transaction::rollback_to`].
    ///
    /// # Errors
    /// As there.
    pub async fn rollback_to(&self, savepoint: u32) -> Result<(), DbError> {
        self.send(|answer| Command::RollbackTo { savepoint, answer }).await
    }

    /// See [`crate::Transaction::release`].
    ///
    /// # Errors
    /// As there.
    pub async fn release(&self, savepoint: u32) -> Result<(), DbError> {
        self.send(|answer| Command::Release { savepoint, answer }).await
    }

    /// See [`crate::Transaction::commit`].
    ///
    /// # Errors
    /// As there.
    pub async fn commit(self) -> Result<(), DbError> {
        self.send(|answer| Command::Commit { answer }).await
    }

    /// See [`crate::Transaction::rollback`].
    ///
    /// # Errors
    /// As there.
    pub async fn rollback(self) -> Result<(), DbError> {
        self.send(|answer| Command::Rollback { answer }).await
    }

    async fn send<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, DbError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).map_err(|_| DbError::TransactionClosed)?;
        answered.await.unwrap_or(Err(DbError::TransactionClosed))
    }
}

/// The writer's end: begins, obeys until it is over. When this returns, no transaction is open, and later commands find
/// their channel closed.
pub(super) fn serve(writer: &mut Writer, deadline: Instant, answer: Answer<SqliteTransaction>) {
    let control = &writer.control.begin;
    if let Err(error) = until(deadline, &mut writer.connection, |connection| connection.control(control)) {
        let _left = answer.send(Err(error));
        return;
    }
    let (commands, received) = mpsc::channel();
    let gone = Arc::new(AtomicBool::new(false));
    let handle = SqliteTransaction { _leave: LeaveOnDrop(Arc::clone(&gone)), commands };
    // A caller that has left drops the handle here, and the loop below ends at once.
    let _left = answer.send(Ok(handle));
    let mut session = Session { writer, deadline, savepoints: Vec::new(), next: 1 };
    session.writer.connection.watch().follow(Some(gone));
    session.obey(&received);
    session.writer.rollback();
    session.writer.connection.watch().follow(None);
}

struct Session<'a> {
    writer: &'a mut Writer,
    deadline: Instant,
    savepoints: Vec<u32>,
    next: u32,
}

impl Session<'_> {
    fn obey(&mut self, received: &mpsc::Receiver<Command>) {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let command = match received.recv_timeout(left) {
                Ok(command) if Instant::now() < self.deadline => command,
                // Too late, or dropped: the caller of a late command sees its answer dropped, `TransactionClosed`.
                Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
            match command {
                Command::Commit { answer } => {
                    let _left = answer.send(self.writer.commit());
                    return;
                }
                Command::Rollback { answer } => {
                    self.writer.rollback();
                    let _left = answer.send(Ok(()));
                    return;
                }
                Command::Run { work, answer } => {
                    // A future that was dropped before its turn.
                    if !answer.is_closed() {
                        let _left = answer.send(self.writer.unit(&work, self.deadline));
                    }
                }
                Command::Savepoint { answer } => {
                    let _left = answer.send(self.savepoint());
                }
                Command::RollbackTo { savepoint, answer } => {
                    let _left = answer.send(self.end_savepoint(savepoint, true));
                }
                Command::Release { savepoint, answer } => {
                    let _left = answer.send(self.end_savepoint(savepoint, false));
                }
            }
            // By a stopped write, a full disk and the like SQLite rolls back the whole transaction.
            if self.writer.connection.is_autocommit() || Instant::now() >= self.deadline {
                return;
            }
        }
    }

    fn savepoint(&mut self) -> Result<u32, DbError> {
        let number = self.next;
        self.writer.connection.batch(&format!("SAVEPOINT covet_{number}"))?;
        self.next += 1;
        self.savepoints.push(number);
        Ok(number)
    }

    fn end_savepoint(&mut self, number: u32, undo: bool) -> Result<(), DbError> {
        let Some(at) = self.savepoints.iter().position(|known| *known == number) else {
            return Err(DbError::BadQuery(format!("savepoint {number} is gone, or was never of this transaction")));
        };
        self.savepoints.truncate(at);
        if undo {
            self.writer.connection.batch(&format!("ROLLBACK TO covet_{number}"))?;
        }
        self.writer.connection.batch(&format!("RELEASE covet_{number}"))
    }
}
