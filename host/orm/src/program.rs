//! Calls that take several pieces of work, where one needs what came of another: a deletion with all that goes along, a select
//! with the rows that belong to its rows.
//!
//! What changes rows happens wholly or not at all: in a transaction of its own, or behind a savepoint of the one around it.

mod deletion;
mod prefetch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use covet_db::{BeginOptions, Database, DbError, Transaction, Value, Work};

use crate::plan::{Plan, Step};
use crate::{QueryError, bind};

pub use deletion::MAX_DELETED;

/// What a call of a plan comes to.
#[derive(Debug)]
pub enum Call {
    /// One piece of work, whose answer is that of the call.
    Work(Work),
    Program(Program),
}

/// A call that runs several pieces of work.
#[derive(Debug)]
pub struct Program {
    plan: Arc<Plan>,
    params: Params,
}

#[derive(Debug)]
enum Params {
    Deletion(Vec<Value>),
    Prefetch(prefetch::Params),
}

impl Call {
    /// Binds the parameters of one call. As cheap as [`Plan::bind`], which does the work for all but programs.
    ///
    /// # Errors
    /// As there.
    pub fn of(plan: &Arc<Plan>, params: &[u8]) -> Result<Call, QueryError> {
        let params = match plan.step() {
            Step::Delete(deletion) => Params::Deletion(deletion.slots.bind(params, plan.params())?),
            Step::Prefetch(tree) => Params::Prefetch(prefetch::Params::split(tree, params)?),
            _ => return plan.bind(params).map(Call::Work),
        };
        Ok(Call::Program(Program { plan: Arc::clone(plan), params }))
    }
}

/// What came of a program.
#[derive(Debug)]
pub struct Answer {
    /// One CBOR item.
    pub item: Vec<u8>,
    /// Pieces of work that it took.
    pub queries: u32,
}

/// Where work runs.
enum Place<'a> {
    Database(&'a Database, Instant),
    Transaction(&'a Transaction),
}

struct Runner<'a> {
    place: Place<'a>,
    queries: AtomicU32,
}

impl<'a> Runner<'a> {
    fn new(place: Place<'a>) -> Runner<'a> {
        Runner { place, queries: AtomicU32::new(0) }
    }

    async fn run(&self, work: Work) -> Result<Vec<u8>, DbError> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        match &self.place {
            Place::Database(database, deadline) => database.run(work, *deadline).await,
            Place::Transaction(transaction) => transaction.run(work).await,
        }
    }
}

impl Program {
    /// Runs it by itself.
    ///
    /// # Errors
    /// Those of its parts; then nothing of it remains.
    pub async fn run(self, database: &Database, deadline: Instant) -> Result<Answer, QueryError> {
        if !self.changes_much() {
            return self.steps(Place::Database(database, deadline)).await;
        }
        let transaction = database.begin(BeginOptions::default(), deadline).await?;
        // Dropped on the way out of an error, it is rolled back.
        let answer = self.steps(Place::Transaction(&transaction)).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    /// Runs it inside a transaction, which an error leaves as it was before.
    ///
    /// # Errors
    /// Those of its parts.
    pub async fn within(self, transaction: &Transaction) -> Result<Answer, QueryError> {
        if !self.changes_much() {
            return self.steps(Place::Transaction(transaction)).await;
        }
        let savepoint = transaction.savepoint().await?;
        match self.steps(Place::Transaction(transaction)).await {
            Ok(answer) => {
                transaction.release(savepoint).await?;
                Ok(answer)
            }
            Err(fault) => {
                // Where it fails, the transaction is over and nothing of it remains anyway; the fault is the news.
                let _over = transaction.rollback_to(savepoint).await;
                Err(fault)
            }
        }
    }

    /// True when it changes rows by more than one piece of work.
    fn changes_much(&self) -> bool {
        matches!(self.plan.step(), Step::Delete(deletion) if !deletion.is_one())
    }

    async fn steps(self, place: Place<'_>) -> Result<Answer, QueryError> {
        let runner = Runner::new(place);
        let item = match (self.plan.step(), self.params) {
            (Step::Delete(deletion), Params::Deletion(params)) => deletion::run(deletion, params, &runner).await?,
            (Step::Prefetch(tree), Params::Prefetch(params)) => prefetch::run(tree, &params, &runner).await?,
            _ => return Err(QueryError::bad("the plan is no program")),
        };
        Ok(Answer { item, queries: runner.queries.into_inner() })
    }
}

/// The only column of each row of an answer, as values to bind.
fn column(kind: &crate::schema::Kind, answer: &[u8]) -> Result<Vec<Value>, QueryError> {
    let unreadable = || QueryError::bad("the database's answer is not of the kind that was planned");
    let mut decoder = minicbor::Decoder::new(answer);
    let count = decoder.array().ok().flatten().ok_or_else(unreadable)?;
    // A row takes two bytes at least.
    let mut values = Vec::with_capacity(usize::try_from(count).unwrap_or(0).min(answer.len() / 2));
    for _ in 0..count {
        decoder.array().map_err(|_| unreadable())?;
        values.push(bind::stored(kind, &mut decoder).map_err(|_| unreadable())?);
    }
    Ok(values)
}
