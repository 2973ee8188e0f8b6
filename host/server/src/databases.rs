//! The host's databases, opened by what `covet.toml` says of them.

use std::{collections::BTreeMap, path::Path};

use covet_db::{Database, DbError, MySql, MySqlOptions, PoolOptions, Postgres, PostgresOptions, Sqlite, SqliteOptions};

use crate::config::{DatabaseConfig, Location, PoolConfig};

/// Each by its name.
pub type Databases = BTreeMap<String, Database>;

/// Opens all of them. A server is first called when somebody needs it: one that is down stops no start.
///
/// # Errors
/// The name of the database at fault, and what is wrong.
pub fn open(configured: &BTreeMap<String, DatabaseConfig>, state: &Path) -> Result<Databases, (String, DbError)> {
    let mut databases = Databases::new();
    for (name, config) in configured {
        let database = open_one(config, state).map_err(|error| (name.clone(), error))?;
        databases.insert(name.clone(), database);
    }
    Ok(databases)
}

fn open_one(config: &DatabaseConfig, state: &Path) -> Result<Database, DbError> {
    Ok(match &config.location {
        Location::Sqlite(path) => {
            let mut options = SqliteOptions::default();
            options.readers = config.pool.max_size.unwrap_or(options.readers);
            let path = path.clone().unwrap_or_else(|| state.join("app.db"));
            Database::Sqlite(Sqlite::open(&path, options)?)
        }
        Location::Postgres(url) => {
            let options = PostgresOptions { pool: pool(&config.pool), ..PostgresOptions::default() };
            Database::Postgres(Postgres::open(&url.0, options)?)
        }
        Location::MySql(url) => {
            let options = MySqlOptions { pool: pool(&config.pool), ..MySqlOptions::default() };
            Database::MySql(MySql::open(&url.0, options)?)
        }
    })
}

fn pool(config: &PoolConfig) -> PoolOptions {
    let usual = PoolOptions::default();
    let max_size = config.max_size.unwrap_or(usual.max_size);
    PoolOptions {
        // Whoever names a small pool need not name a smaller least.
        min_size: config.min_size.unwrap_or(usual.min_size.min(max_size)),
        max_size,
        acquire_timeout: config.acquire_timeout.unwrap_or(usual.acquire_timeout),
        max_inactive_time: config.max_inactive_time.unwrap_or(usual.max_inactive_time),
        max_lifetime: config.max_lifetime.unwrap_or(usual.max_lifetime),
        ..usual
    }
}
