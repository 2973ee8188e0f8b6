//! Stopping what runs on a connection, from another one: `KILL QUERY`, which every account may do to its own connections. The
//! other one is opened when it is first needed, and kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx_core::connection::{ConnectOptions, Connection as _};
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_mysql::{MySqlConnectOptions, MySqlConnection};
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};

/// How long one order may take, with opening the connection.
const LIMIT: Duration = Duration::from_secs(5);

/// The connection by which others are stopped. One for all of a pool.
pub(super) struct Control {
    options: MySqlConnectOptions,
    connection: Mutex<Option<MySqlConnection>>,
}

impl Control {
    pub(super) fn new(options: MySqlConnectOptions) -> Self {
        Self { options, connection: Mutex::new(None) }
    }

    async fn stop(&self, order: &str) -> Result<(), sqlx_core::Error> {
        let mut place = self.connection.lock().await;
        // Taken out: dropped in the middle of an exchange, it is not put back.
        if let Some(kept) = place.take()
            && let Ok(kept) = tell(kept, order).await
        {
            *place = Some(kept);
            return Ok(());
        }
        let fresh = self.options.connect().await?;
        *place = Some(tell(fresh, order).await?);
        Ok(())
    }

    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            let _hung_up = timeout(LIMIT, connection.close()).await;
        }
    }
}

/// When the server has answered, the other connection has its order.
async fn tell(mut connection: MySqlConnection, order: &str) -> Result<MySqlConnection, sqlx_core::Error> {
    match connection.execute(AssertSqlSafe(order)).await {
        Ok(_) => Ok(connection),
        // "Unknown thread id": it has gone by itself.
        Err(sqlx_core::Error::Database(_)) => Ok(connection),
        Err(error) => Err(error),
    }
}

/// Stops what runs on one connection.
pub struct Canceller {
    control: Arc<Control>,
    id: u64,
    /// Seen by that connection before its next statement: an order that comes too late for one may hit the next.
    told: Arc<AtomicBool>,
}

impl Canceller {
    pub(super) fn new(control: Arc<Control>, id: u64, told: Arc<AtomicBool>) -> Self {
        Self { control, id, told }
    }

    /// Ends the whole connection: its locks go with it.
    pub(super) async fn hang_up(&self) {
        self.give(format!("KILL CONNECTION {}", self.id)).await;
    }

    async fn give(&self, order: String) {
        self.told.store(true, Ordering::Release);
        match timeout(LIMIT, self.control.stop(&order)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("a statement past its deadline cannot be stopped: {error}"),
            Err(_late) => tracing::warn!("a statement past its deadline cannot be stopped: the server does not answer"),
        }
    }
}

impl crate::remote::Canceller for Canceller {
    async fn cancel(&self) {
        self.give(format!("KILL QUERY {}", self.id)).await;
    }
}
