//! Settings of the driver, and the URL that may carry some of them.

use std::str::FromStr;
use std::time::Duration;

use sqlx_core::Url;
use sqlx_core::connection::ConnectOptions;
use sqlx_mysql::MySqlConnectOptions;

use crate::pool::PoolOptions;
use crate::{Capabilities, DbError, Product};

/// Strict: what does not fit is an error, never cut or zeroed. `ANSI_QUOTES` and `PIPES_AS_CONCAT` are off, as planners expect.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION";

/// Settings of a MySQL or MariaDB database.
#[derive(Debug, Clone)]
pub struct MySqlOptions {
    /// The pool. Its `connect_timeout` is the guide's.
    pub pool: PoolOptions,
    /// The longest that the server lets a statement run, whatever the deadline of who asked for it: a backstop for the case
    /// that this host dies or its order to stop does not arrive. MySQL, unlike MariaDB, heeds it only for reads. Default 60 s;
    /// `None` leaves the server's own setting.
    pub command_timeout: Option<Duration>,
    /// Prepared statements kept a connection. Default 256; the one used longest ago goes. 0 prepares anew for each call.
    pub statement_cache_size: usize,
    /// Settings of each session, `innodb_lock_wait_timeout = 5` for instance. What the driver relies on (SQL mode, time zone,
    /// character set, autocommit) stays as the driver needs it.
    pub server_settings: Vec<(String, String)>,
    /// Largest answer, in bytes; more is [`DbError::TooLarge`]. Default 64 MiB.
    pub max_result_bytes: usize,
}

impl Default for MySqlOptions {
    fn default() -> Self {
        Self {
            pool: PoolOptions::default(),
            command_timeout: Some(Duration::from_secs(60)),
            statement_cache_size: 256,
            server_settings: Vec::new(),
            max_result_bytes: 64 << 20,
        }
    }
}

/// What a URL may say besides host, user, password and database. Ours first; the rest is sqlx's.
const OURS: [&str; 3] = ["connect_timeout", "command_timeout", "statement_cache_size"];
const DRIVERS: [&str; 9] =
    ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "sslmode", "sslca", "sslcert", "sslkey", "socket"];

/// Reads `mysql://user:password@host:port/database?ssl-mode=…&connect_timeout=10&command_timeout=60&
/// statement_cache_size=256&server_settings[innodb_lock_wait_timeout]=5`; times in seconds. `mariadb://` is the same. What the
/// URL says goes before `options`.
///
/// A word that is not known is refused: a misspelt `ssl-mode` must not mean "without".
pub(super) fn read(url: &str, options: &mut MySqlOptions) -> Result<MySqlConnectOptions, DbError> {
    let refuse = |why: String| DbError::BadQuery(format!("MySQL url: {why}"));
    let mut url = Url::parse(url).map_err(|error| refuse(error.to_string()))?;
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        return Err(refuse(format!("it begins with {:?}, not with mysql:// or mariadb://", url.scheme())));
    }
    if url.path().trim_matches('/').is_empty() {
        return Err(refuse("it names no database: mysql://user:password@host:3306/NAME".to_owned()));
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
                    let known = [&OURS[..], &DRIVERS[..4], &["socket", "server_settings[NAME]"]].concat().join(", ");
                    return Err(refuse(format!("{key:?} is not known; known are {known}")));
                }
            },
        }
    }
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if let Some((name, _)) = options.server_settings.iter().find(|(name, _)| !plain(name)) {
        return Err(refuse(format!("{name:?} is not the name of a session variable")));
    }
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    let connect = MySqlConnectOptions::from_url(&url).map_err(|error| refuse(error.to_string()))?;
    // The driver sets the session up itself, in one exchange. Statements are the profiler's matter, not the log's.
    Ok(connect
        .statement_cache_capacity(options.statement_cache_size)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .disable_statement_logging())
}

/// The SQL that sets a new session up.
pub(super) fn session(options: &MySqlOptions, server: Capabilities) -> String {
    let maria = server.product == Product::MariaDb;
    let mut assignments = Vec::new();
    for (name, value) in &options.server_settings {
        assignments.push(format!("SESSION {name} = {}", literal(value)));
    }
    if let Some(limit) = options.command_timeout {
        assignments.push(if maria {
            format!("SESSION max_statement_time = {:.3}", limit.as_secs_f64())
        } else {
            format!("SESSION max_execution_time = {}", limit.as_millis())
        });
    }
    // Texts compare by their code points, also those that lie in no column.
    let collation = if maria { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" };
    assignments.push(format!("SESSION sql_mode = '{SQL_MODE}'"));
    assignments.push("SESSION time_zone = '+00:00'".to_owned());
    assignments.push("SESSION autocommit = 1".to_owned());
    assignments.push(format!("NAMES utf8mb4 COLLATE {collation}"));
    format!("SET {}", assignments.join(", "))
}

/// A number as it is, all else as text.
fn literal(value: &str) -> String {
    if f64::from_str(value).is_ok_and(f64::is_finite) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]
mod tests {
    use super::*;
    use crate::Version;

    #[test]
    fn a_url_carries_settings() {
        let mut options = MySqlOptions::default();
        let url = "mariadb://u:p%40ss@db.example:3307/app?ssl-mode=REQUIRED&connect_timeout=3&command_timeout=7\
                   &statement_cache_size=9&server_settings[lock_wait_timeout]=5";
        let connect = read(url, &mut options).unwrap();
        assert_eq!((connect.get_host(), connect.get_port(), connect.get_database()), ("db.example", 3307, Some("app")));
        assert_eq!(options.pool.connect_timeout, Duration::from_secs(3));
        assert_eq!(options.command_timeout, Some(Duration::from_secs(7)));
        assert_eq!(options.statement_cache_size, 9);
        assert_eq!(options.server_settings, [("lock_wait_timeout".to_owned(), "5".to_owned())]);
    }

    #[test]
    fn a_url_that_is_wrong_says_where_and_keeps_its_password() {
        for (url, says) in [
            ("postgres://u:secret@h/d", "postgres"),
            ("mysql://u:secret@h/", "names no database"),
            ("mysql://u:secret@h/d?ssl-mod=REQUIRED", "\"ssl-mod\" is not known"),
            ("mysql://u:secret@h/d?ssl-mode=PERHAPS", "PERHAPS"),
            ("mysql://u:secret@h/d?connect_timeout=soon", "connect_timeout must be a whole number"),
            ("mysql://u:secret@h/d?server_settings[a;b]=2", "not the name of a session variable"),
            ("not a url", "url"),
        ] {
            let error = read(url, &mut MySqlOptions::default()).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn the_drivers_own_settings_come_last() {
        let options = MySqlOptions {
            server_settings: vec![("sql_mode".into(), "it's".into()), ("lock_wait_timeout".into(), "5".into())],
            command_timeout: Some(Duration::from_millis(1500)),
            ..MySqlOptions::default()
        };
        let server = |product| Capabilities { product, version: Version::new(10, 11, 0) };
        let sql = session(&options, server(Product::MariaDb));
        let begins =
            "SET SESSION sql_mode = 'it''s', SESSION lock_wait_timeout = 5, SESSION max_statement_time = 1.500, ";
        assert!(sql.starts_with(begins), "{sql}");
        assert!(sql.rfind("sql_mode = 'STRICT").unwrap() > sql.find("sql_mode = 'it").unwrap());
        assert!(session(&options, server(Product::MySql)).contains("max_execution_time = 1500"));
    }
}
