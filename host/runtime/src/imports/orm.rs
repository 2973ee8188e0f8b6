//! `covet:orm/query`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use covet_db::{BeginOptions, Database, DbError, Work};
use covet_orm::{Call, Program, QueryError};
use wasmtime::component::{Accessor, Resource};

use super::shapes;
use crate::{
    bindings::covet::orm::query::{self, Error, InvalidValue},
    epochs,
    state::{Imports, State},
};

/// A transaction that the guest holds. Shared, because the guest may have several calls on it open at once.
pub struct Transaction(Arc<covet_db::Transaction>);

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl From<DbError> for Error {
    fn from(error: DbError) -> Error {
        match error {
            DbError::UniqueViolation(what) => Error::UniqueViolation(what),
            DbError::ForeignKeyViolation(what) => Error::ForeignKeyViolation(what),
            DbError::NotNullViolation(what) => Error::NotNullViolation(what),
            DbError::CheckViolation(what) => Error::CheckViolation(what),
            DbError::Timeout => Error::Timeout,
            DbError::PoolExhausted => Error::PoolExhausted,
            DbError::TransactionClosed => Error::TransactionClosed,
            DbError::Conflict(why) => Error::Conflict(why),
            DbError::TooLarge(why) => Error::TooLarge(why),
            DbError::Unavailable(why) => Error::Unavailable(why),
            DbError::BadQuery(why) => Error::BadQuery(why),
        }
    }
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Error {
        match error {
            QueryError::BadQuery(why) => Error::BadQuery(why),
            QueryError::Invalid { field, reason } => Error::Invalid(InvalidValue { field, reason }),
            QueryError::Denied(what) => Error::Denied(what),
            QueryError::TooLarge(why) => Error::TooLarge(why),
            QueryError::Db(error) => error.into(),
        }
    }
}

impl State {
    fn database(&self) -> Result<&Database, Error> {
        if self.withheld {
            return Err(Error::Denied(super::WITHHELD.into()));
        }
        self.generation.services.database.as_ref().ok_or_else(|| {
            Error::Denied(format!(
                "plugin {} was not granted a database; grant one in covet.toml",
                self.generation.name
            ))
        })
    }

    /// Counts one query and binds its parameters.
    fn bind(&mut self, plan: u32, params: &[u8]) -> Result<Call, Error> {
        let Some(left) = self.queries_left.checked_sub(1) else {
            return Err(Error::TooLarge(format!(
                "this request has run {} queries, the limit is limits.queries_per_request; read more rows per query (`related`, `in`), or raise it",
                self.generation.limits.queries_per_request
            )));
        };
        self.queries_left = left;
        let plan = self.generation.plans.peek(plan).ok_or_else(|| {
            Error::BadQuery(format!("there is no plan {plan} in this generation; prepare the shape first"))
        })?;
        Ok(Call::of(plan, params)?)
    }
}

impl query::Host for State {
    fn prepare(&mut self, shape: query::Shape) -> Answer<u32> {
        if let Err(error) = self.database() {
            return Ok(Err(error));
        }
        let generation = &self.generation;
        let prepared = generation.plans.prepare(&shapes::shape(shape)).map_err(Error::from).and_then(|number| {
            if let Some(plan) = generation.plans.get(number) {
                generation.grants.allow(&generation.name, &plan).map_err(Error::Denied)?;
            }
            Ok(number)
        });
        Ok(prepared)
    }
}

impl query::HostTransaction for State {
    /// Not committed: rolled back.
    fn drop(&mut self, transaction: Resource<Transaction>) -> wasmtime::Result<()> {
        drop(self.table.delete(transaction)?);
        Ok(())
    }
}

impl<T: Send> query::HostWithStore<T> for Imports {
    async fn run(accessor: &Accessor<T, Self>, plan: u32, params: Vec<u8>) -> Answer<Vec<u8>> {
        let begun = accessor.with(|mut access| {
            let state = access.get();
            state.database()?;
            let call = state.bind(plan, &params)?;
            let deadline = state.deadline;
            let database = state.database()?;
            let work = match call {
                Call::Work(work) => work,
                Call::Program(program) => return Ok(Begun::Steps(database.clone(), program, deadline)),
            };
            match database.try_now(&work, deadline) {
                Some(answer) => answer.map(Begun::Done).map_err(Error::from),
                None => Ok(Begun::Waits(database.clone(), work, deadline)),
            }
        });
        let answer = match begun {
            Ok(Begun::Done(rows)) => return Ok(Ok(rows)),
            Ok(Begun::Waits(database, work, deadline)) => database.run(work, deadline).await.map_err(Error::from),
            Ok(Begun::Steps(database, program, deadline)) => counted(accessor, program.run(&database, deadline).await),
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| epochs::restart_access(&mut access));
        Ok(answer)
    }
}

enum Begun {
    /// Answered on the spot.
    Done(Vec<u8>),
    Waits(Database, Work, Instant),
    /// Takes several pieces of work.
    Steps(Database, Program, Instant),
}

impl<T: Send> query::HostTransactionWithStore<T> for Imports {
    async fn begin(accessor: &Accessor<T, Self>, deadline: u32) -> Answer<Resource<Transaction>> {
        let begun = accessor.with(|mut access| {
            let state = access.get();
            let longest = state.generation.limits.transaction;
            let wanted = match deadline {
                0 => longest,
                millis => Duration::from_millis(millis.into()).min(longest),
            };
            // Real time here: a transaction costs far more than a look at the clock.
            let deadline = state.deadline.min(Instant::now() + wanted);
            Ok::<_, Error>((state.database()?.clone(), deadline))
        });
        let (database, deadline) = match begun {
            Ok(begun) => begun,
            Err(error) => return Ok(Err(error)),
        };
        let transaction = database.begin(BeginOptions::default(), deadline).await;
        accessor.with(|mut access| {
            epochs::restart_access(&mut access);
            Ok(match transaction {
                Ok(transaction) => Ok(access.get().table.push(Transaction(Arc::new(transaction)))?),
                Err(error) => Err(error.into()),
            })
        })
    }

    async fn run(
        accessor: &Accessor<T, Self>,
        this: Resource<Transaction>,
        plan: u32,
        params: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let begun = accessor.with(|mut access| -> wasmtime::Result<_> {
            let state = access.get();
            let transaction = Arc::clone(&state.table.get(&this)?.0);
            Ok(state.bind(plan, &params).map(|call| (transaction, call)))
        })?;
        let answer = match begun {
            Ok((transaction, Call::Work(work))) => transaction.run(work).await.map_err(Error::from),
            Ok((transaction, Call::Program(program))) => counted(accessor, program.within(&transaction).await),
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| epochs::restart_access(&mut access));
        Ok(answer)
    }

    async fn savepoint(accessor: &Accessor<T, Self>, this: Resource<Transaction>) -> Answer<u32> {
        let transaction = shared(accessor, &this)?;
        waited(accessor, transaction.savepoint().await)
    }

    async fn rollback_to(accessor: &Accessor<T, Self>, this: Resource<Transaction>, savepoint: u32) -> Answer<()> {
        let transaction = shared(accessor, &this)?;
        waited(accessor, transaction.rollback_to(savepoint).await)
    }

    async fn release(accessor: &Accessor<T, Self>, this: Resource<Transaction>, savepoint: u32) -> Answer<()> {
        let transaction = shared(accessor, &this)?;
        waited(accessor, transaction.release(savepoint).await)
    }

    async fn commit(accessor: &Accessor<T, Self>, this: Resource<Transaction>) -> Answer<()> {
        match owned(accessor, this)? {
            Ok(transaction) => waited(accessor, transaction.commit().await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn rollback(accessor: &Accessor<T, Self>, this: Resource<Transaction>) -> Answer<()> {
        match owned(accessor, this)? {
            Ok(transaction) => waited(accessor, transaction.rollback().await),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Counts the queries that a program took besides the one counted before it began.
fn counted<T: Send>(
    accessor: &Accessor<T, Imports>,
    answer: Result<covet_orm::Answer, QueryError>,
) -> Result<Vec<u8>, Error> {
    let answer = answer?;
    accessor.with(|mut access| {
        let state = access.get();
        state.queries_left = state.queries_left.saturating_sub(answer.queries.saturating_sub(1));
    });
    Ok(answer.item)
}

/// The guest goes on after a wait.
fn waited<T: Send, R>(accessor: &Accessor<T, Imports>, answer: Result<R, DbError>) -> Answer<R> {
    accessor.with(|mut access| epochs::restart_access(&mut access));
    Ok(answer.map_err(Error::from))
}

fn shared<T: Send>(
    accessor: &Accessor<T, Imports>,
    this: &Resource<Transaction>,
) -> wasmtime::Result<Arc<covet_db::Transaction>> {
    accessor.with(|mut access| Ok(Arc::clone(&access.get().table.get(this)?.0)))
}

/// Takes a transaction to its end. One with another call still open is rolled back instead, when that call is done.
fn owned<T: Send>(accessor: &Accessor<T, Imports>, this: Resource<Transaction>) -> Answer<covet_db::Transaction> {
    let Transaction(transaction) = accessor.with(|mut access| access.get().table.delete(this))?;
    Ok(Arc::try_unwrap(transaction).map_err(|_| {
        Error::BadQuery(
            "the transaction was ended while another call on it was open, and is rolled back; await every call first"
                .into(),
        )
    }))
}
