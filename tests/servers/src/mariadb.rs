//! MariaDB.

use std::path::Path;
use std::process::Command;

use crate::process::{self, command_as, program};
use crate::{Engine, Error, Options, Url, certificates};

const PROGRAMS: &[&str] = &["/usr/sbin", "/usr/bin", "/usr/local/mysql/bin"];

/// Kind of [`crate::MariaDb`].
#[derive(Debug)]
pub struct MariaDbEngine;

impl Engine for MariaDbEngine {
    const NAME: &'static str = "mariadb";
    const VARIABLE: &'static str = "COVET_TEST_MYSQL_URL";
    const ACCOUNT: &'static str = "mysql";
    const STOP: &'static str = "TERM";
    const END: &'static str = "KILL";

    fn prepare(dir: &Path, password: &str) -> Result<(), Error> {
        // Read at each start, also the first after a crash.
        let accounts = format!(
            "CREATE USER IF NOT EXISTS 'covet'@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'covet'@'127.0.0.1' WITH GRANT OPTION;\n\
             ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';\n"
        );
        let path = dir.join("accounts.sql");
        std::fs::write(&path, accounts).map_err(Error::during(path.display()))?;
        let mut install = command_as(Self::ACCOUNT, program("mariadb-install-db", PROGRAMS)?);
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
        install.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-log-file-size=16M"]);
        install.arg(format!("--datadir={}", dir.join("data").display())).current_dir(dir);
        // Each server removes all temporary tables that it finds there when it starts, also those of others.
        install.arg(format!("--tmpdir={}", dir.display()));
        process::run(&mut install).map(drop)
    }

    fn command(dir: &Path, port: u16, _password: &str, options: &Options) -> Result<Vec<String>, Error> {
        let mut words = vec![program("mariadbd", PROGRAMS)?.display().to_string(), "--no-defaults".to_owned()];
        let mut set = |name: &str, value: &str| words.push(format!("--{name}={value}"));
        set("datadir", &dir.join("data").display().to_string());
        set("init-file", &dir.join("accounts.sql").display().to_string());
        set("tmpdir", &dir.display().to_string());
        set("socket", &dir.join("socket").display().to_string());
        set("pid-file", &dir.join("mariadb.pid").display().to_string());
        set("bind-address", "127.0.0.1");
        set("port", &port.to_string());
        set("skip-name-resolve", "1");
        set("character-set-server", "utf8mb4");
        // All tests of a run share it, each with a pool.
        set("max-connections", "400");
        // Binary columns are tested with 16 MB.
        set("max-allowed-packet", "64M");
        set("innodb-buffer-pool-size", "64M");
        set("innodb-log-file-size", "16M");
        if !options.durable {
            set("innodb-flush-log-at-trx-commit", "0");
            set("innodb-doublewrite", "0");
        }
        if options.tls {
            set("ssl-cert", &dir.join(certificates::CERTIFICATE).display().to_string());
            set("ssl-key", &dir.join(certificates::KEY).display().to_string());
        }
        for (name, value) in &options.settings {
            set(name, value);
        }
        Ok(words)
    }

    fn url(port: u16, password: &str) -> Url {
        Url {
            scheme: "mysql".to_owned(),
            user: "covet".to_owned(),
            password: password.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            database: "mysql".to_owned(),
        }
    }

    fn answers(url: &Url) -> bool {
        // Cheap, before a client is started that would find nobody.
        let reached = url.address().is_ok_and(|address| std::net::TcpStream::connect(address).is_ok());
        reached && client(url, "SELECT 1").is_ok()
    }

    fn create_database(url: &Url) -> Result<String, Error> {
        let name = format!("test_{}", process::unique());
        client(url, &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"))?;
        Ok(name)
    }

    fn drop_database(url: &Url, name: &str) {
        // A transaction that is still open holds locks on its tables: the server's end will drop those then.
        let _gone = client(url, &format!("SET lock_wait_timeout = 2; DROP DATABASE IF EXISTS {name}"));
    }
}

fn client(url: &Url, sql: &str) -> Result<String, Error> {
    let mut client = Command::new(program("mariadb", PROGRAMS)?);
    client.args(["--no-defaults", "--protocol=tcp", "--connect-timeout=10", "--batch", "--skip-column-names"]);
    client.args(["--host", &url.host, "--port", &url.port.to_string(), "--user", &url.user, "--execute", sql]);
    // The password stays out of the process list.
    client.env("MYSQL_PWD", &url.password);
    process::run(&mut client)
}
