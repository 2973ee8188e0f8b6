//! Redis, or Valkey, which speaks the same.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::process::program;
use crate::{Engine, Error, Options, Url};

const PROGRAMS: &[&str] = &["/usr/bin", "/usr/local/bin"];
/// Numbered databases of a server; number 0 only counts them.
const DATABASES: u32 = 4096;
/// More than a local server ever takes to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kind of [`crate::Redis`].
///
/// A test's database is one of the server's numbered ones. Channels of PUBLISH are common to all of them: tests of these
/// take names of their own, or a private server.
#[derive(Debug)]
pub struct RedisEngine;

impl Engine for RedisEngine {
    const NAME: &'static str = "redis";
    const VARIABLE: &'static str = "COVET_TEST_REDIS_URL";
    const ACCOUNT: &'static str = "redis";
    const STOP: &'static str = "TERM";
    const END: &'static str = "KILL";

    fn prepare(_dir: &Path, _password: &str) -> Result<(), Error> {
        Ok(())
    }

    fn command(dir: &Path, port: u16, password: &str, options: &Options) -> Result<Vec<String>, Error> {
        let server = program("redis-server", PROGRAMS).or_else(|_| program("valkey-server", PROGRAMS))?;
        let mut words = vec![server.display().to_string()];
        let mut set = |name: &str, value: &str| words.extend([format!("--{name}"), value.to_owned()]);
        set("bind", "127.0.0.1");
        set("port", &port.to_string());
        set("dir", &dir.display().to_string());
        set("requirepass", password);
        set("databases", &DATABASES.to_string());
        set("daemonize", "no");
        set("save", "");
        // Everything is on disk before it is answered, or nothing ever.
        set("appendonly", if options.durable { "yes" } else { "no" });
        set("appendfsync", if options.durable { "always" } else { "no" });
        for (name, value) in &options.settings {
            set(name, value);
        }
        Ok(words)
    }

    fn url(port: u16, password: &str) -> Url {
        Url {
            scheme: "redis".to_owned(),
            user: String::new(),
            password: password.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            database: "0".to_owned(),
        }
    }

    fn answers(url: &Url) -> bool {
        ask(url, "PING").is_ok_and(|answer| answer == "+PONG")
    }

    fn create_database(url: &Url) -> Result<String, Error> {
        let answer = ask(url, "INCR covet:test:databases")?;
        let count: u32 = answer.trim_start_matches(':').parse().map_err(Error::during(format!("INCR: {answer}")))?;
        let number = 1 + count % (DATABASES - 1);
        let url = url.with_database(&number.to_string());
        ask(&url, "FLUSHDB")?;
        Ok(url.database)
    }

    fn drop_database(url: &Url, name: &str) {
        let _gone = ask(&url.with_database(name), "FLUSHDB ASYNC");
    }
}

/// One command in the inline form of the protocol (<https://redis.io/docs/latest/develop/reference/protocol-spec/>), and
/// the first line of its answer.
fn ask(url: &Url, command: &str) -> Result<String, Error> {
    let failed = || Error::during(format!("Redis, {command}"));
    let mut stream = TcpStream::connect_timeout(&url.address()?, PATIENCE).map_err(failed())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed())?;
    let login = match (url.user.as_str(), url.password.as_str()) {
        (_, "") => String::new(),
        ("", password) => format!("AUTH {password}\r\n"),
        (user, password) => format!("AUTH {user} {password}\r\n"),
    };
    let select = if url.database.is_empty() { String::new() } else { format!("SELECT {}\r\n", url.database) };
    let before = [&login, &select].into_iter().filter(|line| !line.is_empty()).count();
    stream.write_all(format!("{login}{select}{command}\r\n").as_bytes()).map_err(failed())?;

    let mut answers = BufReader::new(stream).lines();
    let mut last = String::new();
    for _ in 0..=before {
        last = answers.next().ok_or_else(|| Error::new("Redis hung up"))?.map_err(failed())?;
        if last.starts_with('-') {
            return Err(Error::new(format!("Redis, {command}: {last}")));
        }
    }
    Ok(last)
}
