//! Deadlines: a statement that runs too long is cancelled at the server, and its outcome waited for.

use std::future::Future;
use std::pin::pin;

use tokio::time::{Duration, Instant, sleep, sleep_until};

use super::Canceller;
use crate::DbError;

/// How long the outcome of a cancelled statement is waited for. A server looks for cancellation between rows; what takes longer
/// is a server that is stuck, or away.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A cancellation may come between two statements of one work, where it stops nothing; so it is repeated.
const AGAIN: Duration = Duration::from_millis(200);

/// How work ended.
pub(crate) enum Outcome<T> {
    /// By itself, or by a cancellation that is over: the connection may serve others.
    Done(Result<T, DbError>),
    /// It ended, but a cancellation is still under way and would hit whatever runs next: the connection must be closed.
    Stopped(Result<T, DbError>),
    /// Not by the end of the grace.
    Unknown,
}

/// Runs until `stop`, then cancels.
pub(crate) async fn until<T>(
    stop: impl Future<Output = ()>,
    canceller: &impl Canceller,
    running: impl Future<Output = Result<T, DbError>>,
) -> Outcome<T> {
    let mut running = pin!(running);
    tokio::select! {
        biased;
        result = &mut running => return Outcome::Done(result),
        () = stop => {}
    }
    let limit = Instant::now() + GRACE;
    loop {
        let mut told = false;
        let mut telling = pin!(async {
            canceller.cancel().await;
        });
        let pause = sleep(AGAIN);
        let mut pause = pin!(pause);
        let ended = loop {
            tokio::select! {
                biased;
                result = &mut running => break Some(result),
                () = &mut telling, if !told => told = true,
                () = &mut pause, if told => break None,
                () = sleep_until(limit) => return Outcome::Unknown,
            }
        };
        if let Some(result) = ended {
            if !told && tokio::time::timeout_at(limit, telling).await.is_err() {
                return Outcome::Stopped(result);
            }
            return Outcome::Done(result);
        }
    }
}
