//! Messages are part of the promise: each names file, line, key and the way out.

use super::{reader::fixed_env, *};

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read("covet.toml", text, &fixed_env(&[("TOKEN", "0123456789abcdef"), ("SHORT", "abc"), ("KEY", "s3cret")]))
}

fn complaint(text: &str) -> String {
    read(text).map(|_| "no complaint".to_owned()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn an_empty_file_gives_the_documented_defaults() {
    let config = read("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8001");
    assert_eq!(config.databases["default"].location, Location::Sqlite(None));
    assert_eq!(config.limits.body, 2 << 20);
    assert!(config.admin.token.is_none());
}

#[test]
fn the_file_of_the_manual_is_read() {
    let config = read(
        r#"
[server]
listen = "127.0.0.1:8000"
[admin]
listen = "127.0.0.1:8001"
token_env = "TOKEN"
[databases.default]
url  = "sqlite://data/app.db"
pool = { min_size = 5, max_size = 20, acquire_timeout = "5s", max_inactive_time = "5m", max_lifetime = "1h" }
[cache]
backend = "memory"
timeout = "5m"
max_entries = 10_000
[defaults]
limits = { concurrency = 32 }
[plugins.blog]
mount  = "/"
grants = { databases = ["default"], cache = false }
limits = { memory = "64MiB", deadline = "5s", isolation = "request" }
config = { title = "A blog", page = 10, key = { env = "KEY" } }
"#,
    )
    .unwrap();
    assert_eq!(config.databases["default"].location, Location::Sqlite(Some("data/app.db".into())));
    let pool = &config.databases["default"].pool;
    assert_eq!((pool.min_size, pool.max_size), (Some(5), Some(20)));
    assert_eq!(pool.acquire_timeout, Some(Duration::from_secs(5)));
    assert_eq!(config.cache.max_entries, 10_000);
    assert_eq!(config.admin.token, Some(Secret("0123456789abcdef".to_owned())));
    let blog = &config.plugins["blog"];
    let limits = blog.limits.over(&config.limits);
    assert_eq!((limits.memory, limits.concurrency), (64 << 20, 32));
    assert_eq!(blog.config["page"], "10");
    assert_eq!(blog.config["key"], "s3cret");
    assert!(blog.database.as_deref() == Some("default") && !blog.cache);
    assert!(!format!("{config:?}").contains("0123456789abcdef"), "the token is never printed");
}

#[test]
fn databases_have_names_and_urls_that_are_never_printed() {
    let config = read(
        r#"
[databases.reports]
url = "postgres://covet:hunter2@db.example/reports"
pool = { max_size = 4 }
[databases.shop]
url = { env = "KEY" }
[plugins.blog]
grants = { databases = ["reports"] }
[plugins.mute]
grants = { databases = [] }
"#,
    );
    // KEY is no URL.
    assert!(config.unwrap_err().to_string().contains("databases.shop.url: write"));
    let config = read(
        "[databases.reports]\nurl = \"postgres://covet:hunter2@db.example/reports\"\n[plugins.blog]\ngrants = { databases = [\"reports\"] }\n[plugins.mute]\ngrants = { databases = [] }",
    )
    .unwrap();
    assert_eq!(config.databases.keys().collect::<Vec<_>>(), ["default", "reports"]);
    assert!(matches!(&config.databases["reports"].location, Location::Postgres(url) if url.0.contains("db.example")));
    assert_eq!(config.plugins["blog"].database.as_deref(), Some("reports"));
    assert_eq!(config.plugins["mute"].database, None);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn every_mistake_is_answered_with_line_key_and_way_out() {
    let cases = [
        (
            "[server]\nlisen = \"127.0.0.1:1\"",
            "covet.toml:2: unknown key \"lisen\" in [server]; did you mean \"listen\"?",
        ),
        ("[sever]\n", "covet.toml:1: unknown key \"sever\" at the top; did you mean \"server\"?"),
        (
            "[plugins.blog.limits]\n\ndeadlin = \"5s\"",
            "covet.toml:3: unknown key \"deadlin\" in [plugins.blog.limits]; did you mean \"deadline\"?",
        ),
        (
            "[plugins.blog]\nlimits = { deadline = 5 }",
            "covet.toml:2: plugins.blog.limits.deadline: this is an integer, it must be a duration with its unit, as \"5s\" or \"250ms\"",
        ),
        (
            "[server]\nidle_timeout = \"5x\"",
            "covet.toml:2: server.idle_timeout: \"x\" is not a unit of time; write a number and a unit: \"250ms\", \"5s\", \"5m\", \"1h\", \"7d\"",
        ),
        (
            "[server]\nhead_limit = \"1KiB\"",
            "covet.toml:2: server.head_limit: \"1KiB\" (1024 bytes) is out of range; it may be 8192 to 1048576 bytes",
        ),
        ("[server]\nworkers = 0", "covet.toml:2: server.workers: 0 is out of range; it may be 1 to 1024"),
        (
            "[server]\nlisten = \"example.com\"",
            "covet.toml:2: server.listen: \"example.com\" is not an address; write IP and port, as \"127.0.0.1:8000\" or \"[::]:80\"",
        ),
        (
            "[admin]\ntoken_env = \"NOWHERE\"",
            "covet.toml:2: admin.token_env: the environment variable NOWHERE is not set; set it, or remove the key",
        ),
        (
            "[admin]\ntoken_env = \"SHORT\"",
            "covet.toml:2: the admin token must have at least 16 visible ASCII characters, this one has 3; make one with `openssl rand -hex 32`",
        ),
        (
            "[databases.default]\nurl = \"oracle://db\"",
            "covet.toml:2: databases.default.url: write \"sqlite://data/app.db\", \"postgres://user:password@host/database\" or \"mysql://user:password@host/database\"",
        ),
        (
            "[databases.reports]\npool = { max_size = 2 }",
            "covet.toml:1: databases.reports: it needs a url, as \"sqlite://data/reports.db\" or \"postgres://user@host/reports\"",
        ),
        (
            "[plugins.a]\ngrants = { databases = [\"report\"] }\n[databases.reports]\nurl = \"sqlite://r.db\"",
            "covet.toml:2: plugins.a.grants.databases: there is no database \"report\"; there is default, reports",
        ),
        (
            "[plugins.a]\ngrants = { databases = [\"default\", \"reports\"] }\n[databases.reports]\nurl = \"sqlite://r.db\"",
            "covet.toml:2: plugins.a.grants.databases: a plugin's models live in one database; name one",
        ),
        (
            "[plugins.Blog]\n",
            "covet.toml:1: plugins.Blog: \"Blog\" cannot name a plugin: small letters, digits and dashes, a letter first, at most 63, as \"my-notes\"",
        ),
        (
            "[log]\nlevel = \"wran\"",
            "covet.toml:2: log.level: \"wran\" is none of trace, debug, info, warn, error; did you mean \"warn\"?",
        ),
        (
            "[plugins.a]\nmount = \"blog\"",
            "covet.toml:2: plugins.a.mount: mount \"blog\" does not begin with a slash; write \"/blog\"",
        ),
        ("[cache]\nbackend = true", "covet.toml:2: cache.backend: this is a boolean, it must be a string"),
    ];
    for (text, expected) in cases {
        assert_eq!(complaint(text), expected, "{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_names_its_line() {
    let said = complaint("[server]\nlisten = \n");
    assert!(said.starts_with("covet.toml:2: "), "{said}");
    let said = complaint("[server]\nworkers = 1\nworkers = 2\n");
    assert!(said.starts_with("covet.toml:3: "), "{said}");
}

#[test]
fn all_mistakes_are_reported_at_once_in_order() {
    let said = complaint("[log]\nlevle = 1\n[server]\nworkers = \"two\"\n");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("covet.toml:2") && lines[1].starts_with("covet.toml:4"), "{said}");
}

#[test]
fn the_environments_token_wins() {
    let env = fixed_env(&[(TOKEN_ENV, "fedcba9876543210\n"), ("TOKEN", "0123456789abcdef")]);
    let config = Config::read("covet.toml", "[admin]\ntoken_env = \"TOKEN\"", &env).unwrap();
    assert_eq!(config.admin.token, Some(Secret("fedcba9876543210".to_owned())));
}

#[test]
fn a_manifest_is_read_and_its_mistakes_named() {
    let manifest =
        Manifest::parse("name = \"blog\"\nversion = \"1.2.3\"\nmount = \"/b/\"\n[limits]\nmemory = \"1GiB\"").unwrap();
    assert_eq!((manifest.name.as_str(), manifest.mount.as_deref()), ("blog", Some("/b")));
    let base = limits::defaults();
    assert_eq!(manifest.limits.wished(&base).memory, base.memory, "a wish never raises a limit");

    let missing = Manifest::parse("version = \"1\"").unwrap_err().to_string();
    assert_eq!(missing, "plugin.toml: the key \"name\" is missing; write name = \"my-plugin\"");
    let unknown = Manifest::parse("name = \"a\"\nmout = \"/\"").unwrap_err().to_string();
    assert_eq!(unknown, "plugin.toml:2: unknown key \"mout\" at the top; did you mean \"mount\"?");
}

#[test]
fn every_key_is_documented() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")).unwrap();
    for line in include_str!("../config.rs").lines().chain(include_str!("limits.rs").lines()) {
        // Keys are the string literals of the readers' calls.
        for call in [
            ".text(\"",
            ".texts(\"",
            ".boolean(\"",
            ".path(\"",
            ".number(\"",
            ".duration(\"",
            ".size(\"",
            ".choice(\"",
            ".section(\"",
            ".get(\"",
        ] {
            for part in line.split(call).skip(1) {
                let key = part.split('"').next().unwrap_or_default();
                assert!(
                    docs.contains(&format!("`{key}`")) || docs.contains(&format!("[{key}")),
                    "docs/configuration.md does not say `{key}`"
                );
            }
        }
    }
}
