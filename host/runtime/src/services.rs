//! What the host lends to one plugin. Everything that is `None` answers `denied`.

use std::{collections::HashMap, fmt, sync::Arc};

/// How much a log line matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        })
    }
}

/// Where the lines of a plugin go: what it logs, prints, and what the host has to say about it.
///
/// Called on worker threads, in the middle of requests: it must not block.
pub trait LogSink: Send + Sync {
    /// One line, without its line break.
    fn write(&self, plugin: &str, generation: u64, level: Level, target: &str, message: &str);
    /// The lowest level that is kept.
    fn enabled(&self) -> Level;
}

/// A sink that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn write(&self, _: &str, _: u64, _: Level, _: &str, _: &str) {}
    fn enabled(&self) -> Level {
        Level::Error
    }
}

/// What the host lends to one plugin.
#[derive(Clone)]
pub struct Services {
    /// The database that its models live in.
    pub database: Option<covet_db::Database>,
    /// The cache; the plugin's name is its space.
    pub cache: Option<covet_cache::Cache>,
    /// `[plugins.NAME.config]`.
    pub config: HashMap<String, String>,
    /// Its log.
    pub log: Arc<dyn LogSink>,
}

impl Default for Services {
    fn default() -> Self {
        Services { database: None, cache: None, config: HashMap::new(), log: Arc::new(NoLog) }
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of `config` may be secrets.
        f.debug_struct("Services")
            .field("database", &self.database.is_some())
            .field("cache", &self.cache.is_some())
            .field("config", &self.config.keys())
            .finish_non_exhaustive()
    }
}
