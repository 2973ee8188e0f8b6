//! Transactions: all or nothing, with savepoints.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::bindings::covet::orm::query as wit;
use crate::{Error, Result};

/// Shared by the transaction and the queries that name it with `using`.
#[derive(Clone)]
pub(crate) struct Tx(Rc<RefCell<Option<wit::Transaction>>>);

impl Tx {
    // The borrow lives across the host call on purpose: a commit meanwhile is refused, and statements of one
    // transaction only read the cell.
    #[allow(clippy::await_holding_refcell_ref)]
    pub(crate) async fn run(&self, plan: u32, params: Vec<u8>) -> Result<Vec<u8>> {
        match &*self.0.borrow() {
            Some(handle) => Ok(handle.run(plan, params).await?),
            None => Err(Error::TransactionClosed),
        }
    }

    fn take(&self) -> Result<wit::Transaction> {
        match self.0.try_borrow_mut() {
            Ok(mut handle) => handle.take().ok_or(Error::TransactionClosed),
            Err(_) => {
                Err(Error::BadQuery("the transaction has a query under way: await it before commit or rollback".into()))
            }
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Tx>> = const { RefCell::new(None) };
}

/// The transaction around the task that is being polled.
pub(crate) fn current() -> Option<Tx> {
    CURRENT.with_borrow(Clone::clone)
}

/// A transaction. Dropped before [`commit`](Transaction::commit) it is rolled back; so it is by a panic or when its
/// deadline passes. It holds a connection of the pool: do nothing slow inside.
///
/// [`transaction`] is the shorter form. With this one, queries take part that name it:
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model)] struct Account { id: Id<Account>, cents: i64 }
/// # async fn f(from: Id<Account>, to: Id<Account>) -> Result<()> {
/// let tx = Transaction::begin().await?;
/// Account::objects().using(&tx).filter(Account::id().eq(from)).update(Account::cents().sub(500)).await?;
/// Account::objects().using(&tx).filter(Account::id().eq(to)).update(Account::cents().add(500)).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction(Tx);

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

impl Transaction {
    /// Begins, with the configured deadline.
    ///
    /// # Errors
    /// [`Error::PoolExhausted`], [`Error::Unavailable`], [`Error::Denied`].
    pub async fn begin() -> Result<Self> {
        Self::with_deadline(Duration::ZERO).await
    }

    /// Begins; rolled back when not committed within `deadline` (or the request's own, whichever is first).
    ///
    /// # Errors
    /// As [`begin`](Transaction::begin).
    pub async fn with_deadline(deadline: Duration) -> Result<Self> {
        let millis = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
        let handle = wit::Transaction::begin(millis).await?;
        Ok(Transaction(Tx(Rc::new(RefCell::new(Some(handle))))))
    }

    pub(crate) fn inner(&self) -> Tx {
        self.0.clone()
    }

    /// Makes it last. On return it is durable.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it must be tried again, [`Error::TransactionClosed`] when its deadline had passed.
    pub async fn commit(self) -> Result<()> {
        Ok(wit::Transaction::commit(self.0.take()?).await?)
    }

    /// Undoes everything. Dropping it does the same without waiting.
    ///
    /// # Errors
    /// [`Error::TransactionClosed`] when it had ended before.
    pub async fn rollback(self) -> Result<()> {
        Ok(wit::Transaction::rollback(self.0.take()?).await?)
    }

    /// Marks a point to return to.
    ///
    /// # Errors
    /// Those of any query.
    #[allow(clippy::await_holding_refcell_ref)] // As in `Tx::run`.
    pub async fn savepoint(&self) -> Result<Savepoint> {
        match &*self.0.0.borrow() {
            Some(handle) => {
                let number = handle.savepoint().await?;
                Ok(Savepoint { tx: self.0.clone(), number })
            }
            None => Err(Error::TransactionClosed),
        }
    }

    /// Every query inside `work` that names no other transaction runs in this one, also `save()` and `get()`.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        Scope { tx: Some(self.0.clone()), work: Box::pin(work) }.await
    }
}

/// A point in a transaction. Forgotten (dropped), what came after it stays part of the transaction.
#[must_use = "a savepoint does nothing until it is released or rolled back to"]
pub struct Savepoint {
    tx: Tx,
    number: u32,
}

impl fmt::Debug for Savepoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Savepoint({})", self.number)
    }
}

impl Savepoint {
    /// Undoes what came after it.
    ///
    /// # Errors
    /// [`Error::TransactionClosed`] when the transaction had ended before.
    #[allow(clippy::await_holding_refcell_ref)] // As in `Tx::run`.
    pub async fn rollback(self) -> Result<()> {
        match &*self.tx.0.borrow() {
            Some(handle) => Ok(handle.rollback_to(self.number).await?),
            None => Err(Error::TransactionClosed),
        }
    }

    /// Keeps what came after it.
    ///
    /// # Errors
    /// [`Error::TransactionClosed`] when the transaction had ended before.
    #[allow(clippy::await_holding_refcell_ref)] // As in `Tx::run`.
    pub async fn release(self) -> Result<()> {
        match &*self.tx.0.borrow() {
            Some(handle) => Ok(handle.release(self.number).await?),
            None => Err(Error::TransactionClosed),
        }
    }
}

/// Runs `work` in a transaction: committed when it returns `Ok`, rolled back when it returns `Err` (or panics).
///
/// Every query inside takes part without being told, also `save()` and those of functions that are called. Inside
/// another `transaction` it is a savepoint: an `Err` undoes the inner part only.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model)] struct Account { id: Id<Account>, cents: i64 }
/// # async fn f(from: Id<Account>, to: Id<Account>) -> Result<()> {
/// transaction(async |_tx| {
///     let mut from = Account::get(from).await?;
///     let mut to = Account::get(to).await?;
///     from.cents -= 500;
///     to.cents += 500;
///     from.save().await?;
///     to.save().await
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// Those of `work`, of begin and of commit.
pub async fn transaction<T, E, F>(work: F) -> Result<T, E>
where
    F: AsyncFnOnce(&Transaction) -> Result<T, E>,
    E: From<Error>,
{
    if let Some(outer) = current() {
        let outer = Transaction(outer);
        let savepoint = outer.savepoint().await?;
        let result = work(&outer).await;
        match &result {
            Ok(_) => savepoint.release().await?,
            Err(_) => savepoint.rollback().await?,
        }
        return result;
    }
    let tx = Transaction::begin().await?;
    let result = tx.scope(work(&tx)).await;
    match &result {
        Ok(_) => tx.commit().await?,
        // The author's error is the news; that a rollback of a closed transaction fails is not.
        Err(_) => drop(tx.rollback().await),
    }
    result
}

/// Makes a transaction current whenever its future is polled, and only then: concurrent tasks keep their own.
struct Scope<F> {
    tx: Option<Tx>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let outer = CURRENT.replace(self.tx.take());
        let polled = self.work.as_mut().poll(cx);
        self.tx = CURRENT.replace(outer);
        polled
    }
}
