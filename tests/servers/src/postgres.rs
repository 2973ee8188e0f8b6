//! PostgreSQL.

use std::path::Path;
use std::process::Command;

use crate::process::{self, command_as, program};
use crate::{Engine, Error, Options, Url, certificates};

const PROGRAMS: &[&str] = &["/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin"];

/// Kind of [`crate::Postgres`].
#[derive(Debug)]
pub struct PostgresEngine;

impl Engine for PostgresEngine {
    const NAME: &'static str = "postgres";
    const VARIABLE: &'static str = "COVET_TEST_POSTGRES_URL";
    const ACCOUNT: &'static str = "postgres";
    // "Fast shutdown": open transactions are rolled back.
    const STOP: &'static str = "INT";
    // "Immediate shutdown": the postmaster takes its children along.
    const END: &'static str = "QUIT";

    fn prepare(dir: &Path, password: &str) -> Result<(), Error> {
        let secret = dir.join("secret");
        std::fs::write(&secret, password).map_err(Error::during(secret.display()))?;
        // In C order texts compare by their bytes, as Covet's columns do anyway; the server has no locale to look up.
        let mut init = command_as(Self::ACCOUNT, program("initdb", PROGRAMS)?);
        init.args(["--username=covet", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        init.arg("--pgdata").arg(dir.join("data")).arg("--pwfile").arg(&secret).current_dir(dir);
        process::run(&mut init).map(drop)
    }

    fn command(dir: &Path, port: u16, _password: &str, options: &Options) -> Result<Vec<String>, Error> {
        let mut words = vec![program("postgres", PROGRAMS)?.display().to_string()];
        words.extend(["-D".to_owned(), dir.join("data").display().to_string()]);
        let mut set = |name: &str, value: &str| words.extend(["-c".to_owned(), format!("{name}={value}")]);
        set("listen_addresses", "127.0.0.1");
        set("port", &port.to_string());
        set("unix_socket_directories", "");
        // All tests of a run share it, each with a pool.
        set("max_connections", "400");
        set("shared_buffers", "64MB");
        set("max_wal_size", "256MB");
        set("wal_level", "minimal");
        set("max_wal_senders", "0");
        if !options.durable {
            set("fsync", "off");
            set("synchronous_commit", "off");
            set("full_page_writes", "off");
        }
        if options.tls {
            set("ssl", "on");
            set("ssl_cert_file", &dir.join(certificates::CERTIFICATE).display().to_string());
            set("ssl_key_file", &dir.join(certificates::KEY).display().to_string());
        }
        for (name, value) in &options.settings {
            set(name, value);
        }
        Ok(words)
    }

    fn url(port: u16, password: &str) -> Url {
        Url {
            scheme: "postgres".to_owned(),
            user: "covet".to_owned(),
            password: password.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            database: "postgres".to_owned(),
        }
    }

    fn answers(url: &Url) -> bool {
        // Cheap, before a client is started that would find nobody.
        let reached = url.address().is_ok_and(|address| std::net::TcpStream::connect(address).is_ok());
        reached && psql(url, "SELECT 1").is_ok()
    }

    fn create_database(url: &Url) -> Result<String, Error> {
        let name = format!("test_{}", process::unique());
        psql(url, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(name)
    }

    fn drop_database(url: &Url, name: &str) {
        let _gone = psql(url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    }
}

fn psql(url: &Url, sql: &str) -> Result<String, Error> {
    let mut psql = Command::new(program("psql", PROGRAMS)?);
    // The password stays out of the process list.
    let bare = Url { password: String::new(), ..url.clone() }.to_string();
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", sql, &bare]);
    psql.env("PGPASSWORD", &url.password).env("PGCONNECT_TIMEOUT", "10");
    process::run(&mut psql)
}
