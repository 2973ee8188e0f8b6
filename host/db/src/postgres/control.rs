//! Cancelling what runs on a connection, from another one.
//!
//! sqlx keeps the secret of the protocol's own cancel request to itself, so a second connection calls `pg_cancel_backend`, which
//! every role may do to its own sessions. It is opened when it is first needed, and kept.

use std::sync::Arc;

use sqlx_core::connection::Connection as _;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};

/// How long one cancellation may take, with opening the connection.
const LIMIT: Duration = Duration::from_secs(5);

/// The connection by which others are cancelled. One for all of a pool.
pub(super) struct Control {
    options: PgConnectOptions,
    connection: Mutex<Option<PgConnection>>,
}

impl Control {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: Mutex::new(None) }
    }

    async fn cancel(&self, process: i32) -> Result<(), sqlx_core::Error> {
        let mut place = self.connection.lock().await;
        // Taken out: dropped in the middle of an exchange, it is not put back.
        if let Some(kept) = place.take()
            && let Ok(kept) = tell(kept, process).await
        {
            *place = Some(kept);
            return Ok(());
        }
        let fresh = PgConnection::connect_with(&self.options).await?;
        *place = Some(tell(fresh, process).await?);
        Ok(())
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _hung_up = timeout(LIMIT, connection.close()).await;
        }
    }
}

/// When the server has answered, the other process has its signal.
async fn tell(mut connection: PgConnection, process: i32) -> Result<PgConnection, sqlx_core::Error> {
    raw_sql(AssertSqlSafe(format!("SELECT pg_cancel_backend({process})"))).execute(&mut connection).await?;
    Ok(connection)
}

/// Cancels what runs on one connection.
pub struct Canceller {
    control: Arc<Control>,
    process: i32,
}

impl Canceller {
    pub(super) fn new(control: Arc<Control>, process: i32) -> Self {
        Self { control, process }
    }
}

impl crate::remote::Canceller for Canceller {
    async fn cancel(&self) {
        match timeout(LIMIT, self.control.cancel(self.process)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("a statement past its deadline cannot be cancelled: {error}"),
            Err(_late) => {
                tracing::warn!("a statement past its deadline cannot be cancelled: the server does not answer")
            }
        }
    }
}
