//! `[databases.NAME]`: where each database is, and its pool.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{Secret, narrow, reader::Section};
use crate::config::check_name;

/// The database of plugins that name no other.
pub const DEFAULT: &str = "default";

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where a database is. URLs hold passwords and are never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// Path of the SQLite file. None: `STATE/app.db`.
    Sqlite(Option<PathBuf>),
    Postgres(Secret),
    MySql(Secret),
}

/// `[databases.NAME]`.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub location: Location,
    pub pool: PoolConfig,
}

/// `pool`; what is not said has the driver's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolConfig {
    pub min_size: Option<usize>,
    pub max_size: Option<usize>,
    pub acquire_timeout: Option<Duration>,
    pub max_inactive_time: Option<Duration>,
    pub max_lifetime: Option<Duration>,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        DatabaseConfig { location: Location::Sqlite(None), pool: PoolConfig::default() }
    }
}

/// The databases of a host without `[databases]`: `default`, a SQLite file.
pub(super) fn defaults() -> BTreeMap<String, DatabaseConfig> {
    BTreeMap::from([(DEFAULT.to_owned(), DatabaseConfig::default())])
}

pub(super) fn read(section: &Section<'_, '_>) -> BTreeMap<String, DatabaseConfig> {
    let mut databases = defaults();
    for (name, value) in section.all() {
        if check_name(&name).is_err() {
            value.refuse(format_args!(
                "\"{name}\" cannot name a database: small letters, digits and dashes, a letter first, as \"reports\""
            ));
        }
        if let Some(table) = value.table() {
            let database = read_one(table);
            if name != DEFAULT && database.location == Location::Sqlite(None) {
                value.refuse("it needs a url, as \"sqlite://data/reports.db\" or \"postgres://user@host/reports\"");
            }
            databases.insert(name, database);
        }
    }
    databases
}

fn read_one(mut section: Section<'_, '_>) -> DatabaseConfig {
    let mut database = DatabaseConfig::default();
    if let Some(value) = section.get("url") {
        let url = value.secret_or_text().unwrap_or_default();
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => {
                let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or_default();
                if path.is_empty() || path.starts_with(":memory:") {
                    value.refuse("name a file, as \"sqlite://data/app.db\": a database in memory would not survive");
                }
                database.location = Location::Sqlite(Some(PathBuf::from(path)));
            }
            "postgres" | "postgresql" => database.location = Location::Postgres(Secret(url)),
            "mysql" | "mariadb" => database.location = Location::MySql(Secret(url)),
            // What is no scheme may be a password.
            _ => value.refuse(
                "write \"sqlite://data/app.db\", \"postgres://user:password@host/database\" or \"mysql://user:password@host/database\"",
            ),
        }
    }
    if let Some(mut pool) = section.section("pool") {
        let (least, most) = (pool.number("min_size", 0, 10_000), pool.number("max_size", 1, 10_000));
        if let (Some(least), Some(most)) = (least, most)
            && least > most
            && let Some(value) = pool.get("min_size")
        {
            value.refuse(format_args!("{least} is more than max_size, {most}"));
        }
        let mut time = |key| pool.duration(key, Duration::from_millis(1), YEAR);
        database.pool = PoolConfig {
            acquire_timeout: time("acquire_timeout"),
            max_inactive_time: time("max_inactive_time"),
            max_lifetime: time("max_lifetime"),
            min_size: least.map(narrow),
            max_size: most.map(narrow),
        };
        pool.close();
    }
    section.close();
    database
}
