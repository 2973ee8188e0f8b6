//! Settings of the driver, and the URL that may carry some of them.

use std::str::FromStr;
use std::time::Duration;

use sqlx_core::Url;
use sqlx_core::connection::ConnectOptions;
use sqlx_postgres::PgConnectOptions;

use crate::DbError;
use crate::pool::PoolOptions;

/// Settings of a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The pool. Its `connect_timeout` is the guide's.
    pub pool: PoolOptions,
    /// The longest that the server lets a statement run, whatever the deadline of who asked for it: a backstop for the case
    /// that this host dies or its cancellation does not arrive. Default 60 s; `None` leaves the server's own setting.
    pub command_timeout: Option<Duration>,
    /// Prepared statements kept a connection. Default 256; the one used longest ago goes. 0 prepares anew for each call.
    pub statement_cache_size: usize,
    /// Settings of each session, `jit = off` for instance.
    pub server_settings: Vec<(String, String)>,
    /// Largest answer, in bytes; more is [`DbError::TooLarge`]. Default 64 MiB.
    pub max_result_bytes: usize,
    /// Answers reads of one tick together where they are the same or ask for neighbouring keys. Default true.
    pub coalesce: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            pool: PoolOptions::default(),
            command_timeout: Some(Duration::from_secs(60)),
            statement_cache_size: 256,
            server_settings: Vec::new(),
            max_result_bytes: 64 << 20,
            coalesce: true,
        }
    }
}

/// What a URL may say besides host, user, password and database. Ours first; the rest is the driver's.
const OURS: [&str; 3] = ["connect_timeout", "command_timeout", "statement_cache_size"];
const DRIVERS: [&str; 7] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host", "port"];

/// Reads `postgres://user:password@host:port/database?sslmode=…&connect_timeout=10&command_timeout=60&
/// statement_cache_size=256&server_settings[jit]=off`; times in seconds. What the URL says goes before `options`.
///
/// A word that is not known is refused: a misspelt `sslmode` must not mean "without".
pub(super) fn read(url: &str, options: &mut PostgresOptions) -> Result<PgConnectOptions, DbError> {
    let refuse = |why: String| DbError::BadQuery(format!("PostgreSQL url: {why}"));
    let mut url = Url::parse(url).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refuse(format!("it begins with {:?}, not with postgres://", url.scheme())));
    }
    let mut rest = Vec::new();
    for (key, value) in url.query_pairs() {
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| refuse(format!("{key} must be a whole number, of seconds where it is a time")))
        };
        let seconds = || number().map(|seconds| Duration::from_secs(seconds.into()));
        match &*key {
            "connect_timeout" => options.pool.connect_timeout = seconds()?,
            "command_timeout" => options.command_timeout = Some(seconds()?).filter(|time| !time.is_zero()),
            "statement_cache_size" => options.statement_cache_size = number()? as usize,
            key if DRIVERS.contains(&key) => rest.push((key.to_owned(), value.into_owned())),
            key => match key.strip_prefix("server_settings[").and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => options.server_settings.push((name.to_owned(), value.into_owned())),
                None => {
                    let known = [&OURS[..], &DRIVERS[..], &["server_settings[NAME]"]].concat().join(", ");
                    return Err(refuse(format!("{key:?} is not known; known are {known}")));
                }
            },
        }
    }
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    let mut connect = PgConnectOptions::from_str(url.as_str()).map_err(|error| refuse(error.to_string()))?;
    let mut settings = options.server_settings.clone();
    if let Some(time) = options.command_timeout {
        settings.push(("statement_timeout".to_owned(), time.as_millis().to_string()));
    }
    connect = connect.statement_cache_capacity(options.statement_cache_size).options(settings);
    // Statements are the profiler's matter, not the log's.
    Ok(connect.disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_carries_settings() {
        let mut options = PostgresOptions::default();
        let url = "postgres://u:p%40ss@db.example:5433/app?sslmode=require&connect_timeout=3&command_timeout=7\
                   &statement_cache_size=9&server_settings[jit]=off";
        let connect = read(url, &mut options).unwrap();
        assert_eq!((connect.get_host(), connect.get_port(), connect.get_database()), ("db.example", 5433, Some("app")));
        assert_eq!(options.pool.connect_timeout, Duration::from_secs(3));
        assert_eq!(options.command_timeout, Some(Duration::from_secs(7)));
        assert_eq!(options.statement_cache_size, 9);
        let sent = connect.get_options().unwrap();
        assert!(sent.contains("jit=off") && sent.contains("statement_timeout=7000"), "{sent}");
    }

    #[test]
    fn a_url_that_is_wrong_says_where_and_keeps_its_password() {
        for (url, says) in [
            ("mysql://u:secret@h/d", "mysql"),
            ("postgres://u:secret@h/d?sslmod=require", "\"sslmod\" is not known"),
            ("postgres://u:secret@h/d?sslmode=perhaps", "\"perhaps\" for `ssl_mode`"),
            ("postgres://u:secret@h/d?connect_timeout=soon", "connect_timeout must be a whole number"),
            ("not a url", "url"),
        ] {
            let error = read(url, &mut PostgresOptions::default()).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
