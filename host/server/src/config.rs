//! The two files: `covet.toml`, which belongs to the operator, and `plugin.toml`, which travels with a plugin.
//!
//! A file is read as a whole and everything that is wrong with it is reported at once, each with its line: unknown keys with
//! the nearest known one, bad units, wrong types, values out of range, secrets that are not there. Nothing starts on a
//! file that has a fault. Every key has a default; `docs/configuration.md` lists them all, and a test keeps it honest.
//!
//! Relative paths are relative to the working directory.

mod databases;
pub mod limits;
mod manifest;
mod path;
mod reader;
pub mod units;

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use covet_runtime::{Level, Limits};

use self::reader::{Environment, Section, Source, Value, process_env};
pub use self::{
    databases::{DEFAULT, DatabaseConfig, Location, PoolConfig},
    limits::LimitsTable,
    manifest::{BuildCommand, MANIFEST_SECTION, MAX_MANIFEST, Manifest},
    path::{check_host, check_mount, check_name},
    reader::{ConfigError, Problem},
};

/// Environment variable that holds the admin token.
pub const TOKEN_ENV: &str = "COVET_ADMIN_TOKEN";
/// Fewest characters of an admin token.
pub const MIN_TOKEN: usize = 16;

/// `covet.toml`, with everything that it leaves out filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the desired state, deployed components, compiled code, the generated token and the default database lie:
    /// `server.state`. Default `data`.
    pub state: PathBuf,
    pub server: ServerConfig,
    pub admin: AdminConfig,
    /// `[databases.NAME]`; `default` is always among them.
    pub databases: BTreeMap<String, DatabaseConfig>,
    pub cache: CacheConfig,
    /// `[defaults.limits]`: limits of plugins that name no others.
    pub limits: Limits,
    /// By name.
    pub plugins: BTreeMap<String, PluginConfig>,
    pub log: LogConfig,
}

/// `[server]`: the listener that plugins are served on.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Default `127.0.0.1:8000`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Host names that are answered, without port; others get 421. Default: all.
    pub hosts: Vec<String>,
    /// Worker threads, each with its own listener. Default: one a core.
    pub workers: usize,
    /// Bytes of a request's head: 431 beyond. Default 64 KiB.
    pub head_limit: usize,
    /// Headers of a request: 431 beyond. Default 100.
    pub max_headers: usize,
    /// From a head's first byte to its last: 408 beyond. Default 10 s.
    pub header_timeout: Duration,
    /// Longest silence of a client that owes a body, or that does not take its answer. Default 30 s.
    pub body_timeout: Duration,
    /// How long a connection may be open without a request. Default 75 s.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to end at shutdown. Default 30 s.
    pub shutdown_grace: Duration,
    /// Connections at once, over all workers; more wait in the kernel. Default 20,000.
    pub max_connections: usize,
    /// Requests at once on one HTTP/2 connection. Default 128.
    pub max_streams: u32,
    /// Bytes of memory that all plugin instances share. Default 4 GiB.
    pub memory_budget: u64,
    /// True: a 500 says what happened in the plugin. For development. Default false.
    pub expose_errors: bool,
    /// True: one line of log a request. Default false.
    pub access_log: bool,
}

/// `[admin]`: the listener that deploys come through.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Default `127.0.0.1:8001`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The bearer token: `COVET_ADMIN_TOKEN`, `token_env` or `token_file`. None: one is generated into `STATE/admin.token`.
    pub token: Option<Secret>,
    /// Bytes of the largest component that is taken. Default 64 MiB.
    pub max_upload: u64,
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `[cache]`.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// How long an entry lives that was stored without a time of its own. Default 5 min.
    pub timeout: Duration,
    /// Default 1,000,000.
    pub max_entries: u64,
    /// Bytes held, keys included. Default 256 MiB.
    pub max_bytes: u64,
    /// Bytes of the largest value. Default 8 MiB.
    pub max_value: usize,
}

/// `[log]`.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// The lowest level kept of plugins' lines. Default `info`.
    pub level: Level,
    /// Lines kept in memory for each plugin. Default 1,000.
    pub lines: usize,
    /// Bytes of lines kept in memory for each plugin. Default 1 MiB.
    pub bytes: usize,
    /// How the host writes its own log; the `covet` binary reads it. Default text.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// `[plugins.NAME]`.
#[derive(Clone, Debug)]
pub struct PluginConfig {
    /// Where it is served; wins over `plugin.toml` and over the deploy.
    pub mount: Option<String>,
    /// Served under this host name only. Default: all.
    pub host: Option<String>,
    /// A component that is deployed at start when it differs from the one deployed last.
    pub path: Option<PathBuf>,
    /// What the plugin reads with `config.get`.
    pub config: HashMap<String, String>,
    pub limits: LimitsTable,
    /// `grants.databases`: the database that its models live in, none where it is withheld. Default `default`.
    pub database: Option<String>,
    /// `grants.cache`: false withholds the cache. Default true.
    pub cache: bool,
}

impl Default for PluginConfig {
    fn default() -> Self {
        PluginConfig {
            mount: None,
            host: None,
            path: None,
            config: HashMap::new(),
            limits: LimitsTable::default(),
            database: Some(DEFAULT.to_owned()),
            cache: true,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            state: PathBuf::from("data"),
            server: ServerConfig::default(),
            admin: AdminConfig::default(),
            databases: databases::defaults(),
            cache: CacheConfig::default(),
            limits: limits::defaults(),
            plugins: BTreeMap::new(),
            log: LogConfig::default(),
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            hosts: Vec::new(),
            workers: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            head_limit: 64 << 10,
            max_headers: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(30),
            max_connections: 20_000,
            max_streams: 128,
            memory_budget: 4 << 30,
            expose_errors: false,
            access_log: false,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        AdminConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8001)), token: None, max_upload: 64 << 20 }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        CacheConfig {
            timeout: Duration::from_secs(300),
            max_entries: 1_000_000,
            max_bytes: 256 << 20,
            max_value: 8 << 20,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig { level: Level::Info, lines: 1_000, bytes: 1 << 20, format: LogFormat::Text }
    }
}

impl Config {
    /// Reads `covet.toml`; without a file, the defaults and `COVET_ADMIN_TOKEN`.
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with its line.
    pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
        let Some(file) = file else { return Config::read("environment", "", &process_env) };
        match std::fs::read_to_string(file) {
            Ok(text) => Config::read(&file.display().to_string(), &text, &process_env),
            Err(error) => {
                let problem = Problem {
                    file: file.display().to_string(),
                    line: 0,
                    key: String::new(),
                    message: format!("cannot be read: {error}; name another with --config FILE"),
                };
                Err(ConfigError { problems: vec![problem] })
            }
        }
    }

    pub(crate) fn read(name: &str, text: &str, env: Environment<'_>) -> Result<Config, ConfigError> {
        let source = Source::new(name, text, env);
        let tree = source.parse();
        let mut root = Section::root(&source, &tree);
        let mut config = Config::default();
        if let Some(section) = root.section("server") {
            config.state = read_server(section, &mut config.server).unwrap_or(config.state);
        }
        read_admin(&source, root.section("admin"), &mut config.admin);
        if let Some(section) = root.section("databases") {
            config.databases = databases::read(&section);
        }
        if let Some(section) = root.section("cache") {
            read_cache(section, &mut config.cache);
        }
        if let Some(mut section) = root.section("defaults") {
            if let Some(table) = section.section("limits") {
                config.limits = LimitsTable::read(table).over(&config.limits);
            }
            section.close();
        }
        if let Some(section) = root.section("plugins") {
            config.plugins = read_plugins(&section, &config.databases);
        }
        if let Some(section) = root.section("log") {
            read_log(section, &mut config.log);
        }
        root.close();
        source.finish(config)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn narrow(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

const TENTH: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3_600);

fn address(section: &mut Section<'_, '_>) -> Option<SocketAddr> {
    let value = section.get("listen")?;
    let text = value.text()?;
    // `localhost:8000` is what people write first.
    let literal = text.strip_prefix("localhost:").map_or_else(|| text.clone(), |port| format!("127.0.0.1:{port}"));
    match literal.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            value.refuse(format_args!(
                "\"{text}\" is not an address; write IP and port, as \"127.0.0.1:8000\" or \"[::]:80\""
            ));
            None
        }
    }
}

/// Answers with `server.state`.
fn read_server(mut section: Section<'_, '_>, server: &mut ServerConfig) -> Option<PathBuf> {
    set(&mut server.listen, address(&mut section));
    if let Some(hosts) = section.texts("hosts") {
        server.hosts = hosts;
        if let Some(value) = section.get("hosts") {
            for host in &mut server.hosts {
                match check_host(host) {
                    Ok(lower) => *host = lower,
                    Err(why) => value.refuse(why),
                }
            }
        }
    }
    let state = section.path("state");
    set(&mut server.workers, section.number("workers", 1, 1_024).map(narrow));
    set(&mut server.head_limit, section.size("head_limit", 8 << 10, 1 << 20).map(narrow));
    set(&mut server.max_headers, section.number("max_headers", 1, 1_000).map(narrow));
    set(&mut server.header_timeout, section.duration("header_timeout", TENTH, HOUR));
    set(&mut server.body_timeout, section.duration("body_timeout", TENTH, HOUR));
    set(&mut server.idle_timeout, section.duration("idle_timeout", TENTH, 24 * HOUR));
    set(&mut server.shutdown_grace, section.duration("shutdown_grace", Duration::ZERO, 24 * HOUR));
    set(&mut server.max_connections, section.number("max_connections", 1, 10_000_000).map(narrow));
    set(
        &mut server.max_streams,
        section.number("max_streams", 1, 10_000).map(|value| u32::try_from(value).unwrap_or(u32::MAX)),
    );
    set(&mut server.memory_budget, section.size("memory_budget", 64 << 20, 1 << 46));
    set(&mut server.expose_errors, section.boolean("expose_errors"));
    set(&mut server.access_log, section.boolean("access_log"));
    section.close();
    state
}

fn read_admin(source: &Source<'_>, section: Option<Section<'_, '_>>, admin: &mut AdminConfig) {
    let mut line = 0;
    let mut token = None;
    if let Some(mut section) = section {
        set(&mut admin.listen, address(&mut section));
        set(&mut admin.max_upload, section.size("max_upload", 1 << 10, 4 << 30));
        let (env, file) = (section.get("token_env"), section.get("token_file"));
        match (&env, &file) {
            (Some(_), Some(file)) => file.refuse("token_env and token_file are both given; keep one"),
            (Some(value), None) => token = value.env(),
            (None, Some(value)) => token = value.file(),
            (None, None) => {}
        }
        line = env.or(file).map_or(0, |value: Value<'_, '_>| value.line);
        section.close();
    }
    // The variable is what one sets for one run: it wins over the file.
    let token =
        (source.env)(TOKEN_ENV).filter(|token| !token.is_empty()).or(token).map(|token| token.trim().to_owned());
    if let Some(token) = &token {
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() < MIN_TOKEN || !plain {
            source.problem(
                line,
                "admin.token",
                format!(
                    "the admin token must have at least {MIN_TOKEN} visible ASCII characters, this one has {}; make one with `openssl rand -hex 32`",
                    token.len()
                ),
            );
        }
    }
    admin.token = token.map(Secret);
}

fn read_cache(mut section: Section<'_, '_>, cache: &mut CacheConfig) {
    section.choice("backend", &[("memory", ())]);
    set(&mut cache.timeout, section.duration("timeout", Duration::from_millis(1), 365 * 24 * HOUR));
    set(&mut cache.max_entries, section.number("max_entries", 1, 1 << 40));
    set(&mut cache.max_bytes, section.size("max_bytes", 1 << 10, 1 << 46));
    set(&mut cache.max_value, section.size("max_value", 1, 1 << 30).map(narrow));
    section.close();
}

fn read_plugins(
    section: &Section<'_, '_>,
    databases: &BTreeMap<String, DatabaseConfig>,
) -> BTreeMap<String, PluginConfig> {
    let mut plugins = BTreeMap::new();
    for (name, value) in section.all() {
        if let Err(why) = check_name(&name) {
            value.refuse(why);
        }
        if let Some(table) = value.table() {
            plugins.insert(name, read_plugin(table, databases));
        }
    }
    plugins
}

fn read_plugin(mut section: Section<'_, '_>, databases: &BTreeMap<String, DatabaseConfig>) -> PluginConfig {
    let mut plugin = PluginConfig::default();
    let checked = |value: Option<Value<'_, '_>>, check: fn(&str) -> Result<String, String>| {
        let value = value?;
        check(&value.text()?).map_err(|why| value.refuse(why)).ok()
    };
    plugin.mount = checked(section.get("mount"), check_mount);
    plugin.host = checked(section.get("host"), check_host);
    if let Some(value) = section.get("path") {
        plugin.path = value.text().map(PathBuf::from);
        if plugin.path.as_ref().is_some_and(|path| !path.is_file()) {
            value.refuse("there is no such file; `covet build` writes target/covet/NAME.wasm");
        }
    }
    if let Some(table) = section.section("config") {
        for (key, value) in table.all() {
            if let Some(text) = value.secret_or_text() {
                plugin.config.insert(key, text);
            }
        }
    }
    if let Some(table) = section.section("limits") {
        plugin.limits = LimitsTable::read(table);
    }
    if let Some(mut grants) = section.section("grants") {
        if let (Some(named), Some(value)) = (grants.texts("databases"), grants.get("databases")) {
            if let Some(stranger) = named.iter().find(|name| !databases.contains_key(*name)) {
                let known: Vec<&str> = databases.keys().map(String::as_str).collect();
                value.refuse(format_args!("there is no database \"{stranger}\"; there is {}", known.join(", ")));
            }
            if named.len() > 1 {
                value.refuse("a plugin's models live in one database; name one");
            }
            plugin.database = named.into_iter().next();
        }
        set(&mut plugin.cache, grants.boolean("cache"));
        if grants.texts("outbound").is_some_and(|hosts| !hosts.is_empty())
            && let Some(value) = grants.get("outbound")
        {
            value.refuse("this version of Covet offers plugins no outbound connections; remove the key");
        }
        grants.close();
    }
    section.close();
    plugin
}

fn read_log(mut section: Section<'_, '_>, log: &mut LogConfig) {
    const LEVELS: [(&str, Level); 5] = [
        ("trace", Level::Trace),
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ];
    set(&mut log.level, section.choice("level", &LEVELS));
    set(&mut log.format, section.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]));
    set(&mut log.lines, section.number("lines", 1, 1_000_000).map(narrow));
    set(&mut log.bytes, section.size("bytes", 1 << 10, 1 << 30).map(narrow));
    section.close();
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
