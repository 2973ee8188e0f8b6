//! TLS to servers: asked for, checked, and refused where it is not to be had.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]
#![allow(dead_code, reason = "backend.rs is shared with the suite, which uses all of it")]

#[path = "suite/backend.rs"]
mod backend;

use backend::*;
use covet_db::{Database, DbError, MySql, MySqlOptions, Postgres, PostgresOptions};
use covet_test_servers::{MariaDb, Options};

fn connect(backend: Backend, url: &str) -> Database {
    match backend {
        Backend::MariaDb => Database::MySql(MySql::open(url, MySqlOptions::default()).unwrap()),
        _ => Database::Postgres(Postgres::open(url, PostgresOptions::default()).unwrap()),
    }
}

/// `sql` says whether this connection is encrypted; the words are the URL's for "encrypted", "signed by" and "checked wholly".
async fn tls(backend: Backend, url: &str, authority: &str, sql: &str, [required, full, signed_by]: [&str; 3]) {
    let encrypted =
        async |query: &str| connect(backend, &format!("{url}?{query}")).run(backend.count(sql), soon()).await;
    assert_eq!(int(&encrypted(required).await.unwrap()), 1);
    assert_eq!(int(&encrypted(&format!("{full}&{signed_by}={authority}")).await.unwrap()), 1);
    let unknown = encrypted(full).await;
    assert!(matches!(&unknown, Err(DbError::Unavailable(_))), "signed by nobody that the world knows: {unknown:?}");
    let other = url.replace("127.0.0.1", "localhost");
    let other =
        connect(backend, &format!("{other}?{full}&{signed_by}={authority}")).run(backend.count(sql), soon()).await;
    assert!(matches!(&other, Err(DbError::Unavailable(_))), "the certificate is for another name: {other:?}");
}

#[tokio::test]
async fn mariadb_is_reached_encrypted_and_checked() {
    let server = MariaDb::private(&Options::fast().tls()).unwrap();
    let authority = server.authority().unwrap().display().to_string();
    // Where root runs this, the authority's file belongs to the server's account, in a folder that root may read.
    let sql = "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'SSL_CIPHER'";
    let words = ["ssl-mode=REQUIRED", "ssl-mode=VERIFY_IDENTITY", "ssl-ca"];
    tls(Backend::MariaDb, &server.url().to_string(), &authority, sql, words).await;
}

#[tokio::test]
async fn postgres_is_reached_encrypted_and_checked() {
    let server = covet_test_servers::Postgres::private(&Options::fast().tls()).unwrap();
    let authority = server.authority().unwrap().display().to_string();
    let sql = "SELECT ssl::int::bigint FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let words = ["sslmode=require", "sslmode=verify-full", "sslrootcert"];
    tls(Backend::Postgres, &server.url().to_string(), &authority, sql, words).await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let (postgres, mariadb) = (covet_test_servers::Postgres::shared().unwrap(), MariaDb::shared().unwrap());
    let postgres = connect(Backend::Postgres, &format!("{}?sslmode=require", postgres.url()));
    let mariadb = connect(Backend::MariaDb, &format!("{}?ssl-mode=REQUIRED", mariadb.url()));
    for (backend, db) in [(Backend::Postgres, postgres), (Backend::MariaDb, mariadb)] {
        let refused = db.run(backend.count("SELECT 1"), soon()).await;
        assert!(
            matches!(&refused, Err(DbError::Unavailable(why)) if why.to_lowercase().contains("tls")),
            "{refused:?}"
        );
    }
}
