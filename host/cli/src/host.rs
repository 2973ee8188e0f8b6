//! The host of `serve` and `dev`: the operator's file, with flags on top.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use covet_server::Server;
use covet_server::config::{Config, LogFormat, Secret};

use crate::args::HostFlags;
use crate::outcome::{Failure, Result};

const CONFIG: &str = "covet.toml";

#[derive(Debug)]
pub struct Settings {
    /// The operator's file, when there is one.
    pub file: Option<PathBuf>,
    pub config: Config,
    pub state: PathBuf,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
}

/// Reads the named file, or `covet.toml` here when there is one, and lays the flags over it.
///
/// # Errors
/// `bad-config`, with line and nearest key.
pub fn settings(file: Option<&Path>, flags: &HostFlags) -> Result<Settings> {
    let here = Path::new(CONFIG);
    let file = file.or_else(|| here.is_file().then_some(here)).map(Path::to_owned);
    let mut config = Config::load(file.as_deref()).map_err(|error| Failure::failed("bad-config", error.to_string()))?;
    if let Some(state) = &flags.state {
        config.state = state.clone();
    }
    if let Some(listen) = flags.listen {
        config.server.listen = listen;
    }
    if let Some(admin) = flags.admin {
        config.admin.listen = admin;
    }
    Ok(Settings { state: config.state.clone(), listen: config.server.listen, admin: config.admin.listen, config, file })
}

/// Starts a host.
///
/// # Errors
/// `start`: an address that is taken, a state directory that cannot be written, a plugin of the last run that no longer fits.
pub fn start(config: Config) -> Result<Server> {
    Server::start(config).map_err(|error| Failure::failed("start", error.to_string()))
}

/// The host's own log on standard error; `RUST_LOG` chooses, `info` is the default.
pub fn log_to_stderr(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call in one process changes nothing.
    let _ = match format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}

/// The token of a host that runs in this process: the operator's, or the one it wrote into its state directory at start.
///
/// # Errors
/// When that file cannot be read.
pub fn token(chosen: Option<Secret>, state: &Path) -> Result<String> {
    if let Some(Secret(token)) = chosen {
        return Ok(token);
    }
    let path = state.join("admin.token");
    let text = std::fs::read_to_string(&path).map_err(Failure::io("reading the admin token", &path))?;
    Ok(text.trim().to_owned())
}
