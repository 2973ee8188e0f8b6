//! Why a change of what serves was refused.

use covet_db::DbError;
use covet_orm::ddl::SchemaMismatch;
use covet_runtime::LoadError;

use crate::router::RouteError;

/// Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    #[error("plugin name: {0}")]
    Name(String),
    #[error("mount: {0}")]
    Mount(String),
    #[error("plugin.toml inside the component: {0}")]
    Manifest(String),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}")]
    Route(#[from] RouteError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Mismatch(Vec<SchemaMismatch>),
    #[error("the tables cannot be looked at or created: {0}")]
    Tables(DbError),
    #[error("the state directory: {0}")]
    State(std::io::Error),
    #[error(
        "the plugin has models, and no database was granted to it; name \"default\" in grants.databases of [plugins.{0}]"
    )]
    NoDatabase(String),
    #[error("there is no plugin \"{0}\"; `covet plugins list` shows all")]
    Unknown(String),
    #[error("there is no generation before the one of \"{0}\" that serves")]
    NoPrevious(String),
}

impl DeployError {
    /// A stable code for APIs.
    pub fn code(&self) -> &'static str {
        match self {
            DeployError::Name(_) => "bad-name",
            DeployError::Mount(_) => "bad-mount",
            DeployError::Manifest(_) => "bad-manifest",
            DeployError::Load(error) => error.code(),
            DeployError::Route(error) => error.code(),
            DeployError::Mismatch(_) => "table-mismatch",
            DeployError::Tables(_) => "database",
            DeployError::NoDatabase(_) => "no-database",
            DeployError::State(_) => "state",
            DeployError::Unknown(_) => "unknown-plugin",
            DeployError::NoPrevious(_) => "no-previous",
        }
    }

    /// The status for an API: whose fault it is.
    pub fn status(&self) -> u16 {
        match self {
            DeployError::Unknown(_) => 404,
            DeployError::Route(_) | DeployError::Mismatch(_) | DeployError::NoPrevious(_) => 409,
            DeployError::Tables(_) | DeployError::State(_) => 503,
            _ => 422,
        }
    }
}
