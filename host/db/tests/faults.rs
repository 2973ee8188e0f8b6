//! What is promised when servers, networks and disks fail: errors with a meaning, no acknowledged write lost, no connection
//! stuck, and recovery without a restart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]
#![allow(dead_code, reason = "backend.rs is shared with the suite, which uses all of it")]

#[path = "suite/backend.rs"]
mod backend;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use backend::*;
use covet_db::{
    BeginOptions, Database, DbError, Kind, MySql, MySqlOptions, PoolOptions, PoolStats, Postgres, PostgresOptions,
    Value,
};
use covet_test_servers::{Engine, Fault, MariaDb, Options, Proxy, Server, TestDatabase, Url};

/// One test a function and server.
macro_rules! faults {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::Backend::Postgres).await }
            )*
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(crate::Backend::MariaDb).await }
            )*
        }
    };
}

faults! {
    a_server_killed_under_load_loses_no_acknowledged_write, a_server_away_at_the_start_is_noticed_when_it_comes,
    a_stalled_network_stops_nobody_for_long, an_answer_that_got_lost_leaves_a_write_open,
    connections_that_were_cut_are_replaced, an_exhausted_pool_says_so_and_recovers, deadlocks_are_told_and_tried_again,
}

/// A server of the test's own.
enum Own {
    Postgres(Server<covet_test_servers::PostgresEngine>),
    MariaDb(Server<covet_test_servers::MariaDbEngine>),
}

impl Own {
    /// Durable, as in production.
    async fn open(backend: Backend) -> Self {
        blocking(move || match backend {
            Backend::MariaDb => Self::MariaDb(Server::private(&Options::durable()).unwrap()),
            _ => Self::Postgres(Server::private(&Options::durable()).unwrap()),
        })
        .await
    }

    fn database(&self) -> TestDatabase {
        match self {
            Self::Postgres(server) => server.database().unwrap(),
            Self::MariaDb(server) => server.database().unwrap(),
        }
    }

    async fn act(self, act: impl FnOnce(&mut dyn Life) + Send + 'static) -> Self {
        blocking(move || {
            let mut own = self;
            match &mut own {
                Self::Postgres(server) => act(server),
                Self::MariaDb(server) => act(server),
            }
            own
        })
        .await
    }
}

/// What may befall a server, of whatever kind.
trait Life {
    fn crash(&mut self);
    fn stop(&mut self);
    fn start(&mut self);
}

impl<E: Engine> Life for Server<E> {
    fn crash(&mut self) {
        Self::crash(self).unwrap();
    }
    fn stop(&mut self) {
        Self::stop(self).unwrap();
    }
    fn start(&mut self) {
        Self::start(self).unwrap();
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A database of the test's own on the shared server, behind a proxy.
struct Stage {
    backend: Backend,
    db: Database,
    proxy: Proxy,
    _database: TestDatabase,
}

impl Stage {
    async fn open(backend: Backend, pool: PoolOptions) -> Self {
        let database = blocking(move || match backend {
            Backend::MariaDb => MariaDb::shared().unwrap().database().unwrap(),
            _ => covet_test_servers::Postgres::shared().unwrap().database().unwrap(),
        })
        .await;
        let proxy = Proxy::before(database.parts()).unwrap();
        let db = connect(backend, &database.parts().through(proxy.address()), pool);
        db.execute_batch(backend.schema()).await.unwrap();
        Self { backend, db, proxy, _database: database }
    }

    async fn number(&self, sql: &str) -> i64 {
        int(&self.db.run(self.backend.count(sql), soon()).await.unwrap())
    }
}

fn connect(backend: Backend, url: &Url, pool: PoolOptions) -> Database {
    match backend {
        Backend::MariaDb => {
            Database::MySql(MySql::open(&url.to_string(), MySqlOptions { pool, ..MySqlOptions::default() }).unwrap())
        }
        _ => {
            // A second, by default, for each deadlock.
            let server_settings = vec![("deadlock_timeout".to_owned(), "20ms".to_owned())];
            let options = PostgresOptions { pool, server_settings, ..PostgresOptions::default() };
            Database::Postgres(Postgres::open(&url.to_string(), options).unwrap())
        }
    }
}

fn stats(db: &Database) -> PoolStats {
    match db {
        Database::Postgres(postgres) => postgres.pool_stats(),
        Database::MySql(mysql) => mysql.pool_stats(),
        Database::Sqlite(_) => PoolStats::default(),
    }
}

fn small_pool(max_size: usize) -> PoolOptions {
    PoolOptions { min_size: 0, max_size, connect_timeout: Duration::from_secs(2), ..PoolOptions::default() }
}

fn is_open(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(why) if why.contains("not known"))
}

/// Asks again until it is answered: what a caller does whose request failed.
async fn answered(db: &Database, backend: Backend) {
    let started = Instant::now();
    loop {
        match db.run(backend.count("SELECT 1"), after(2000)).await {
            Ok(_) => return,
            Err(error) => {
                assert!(started.elapsed() < Duration::from_secs(20), "no recovery: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// What became of the writes under load.
#[derive(Default)]
struct Fates {
    kept: Vec<String>,
    open: Vec<String>,
    refused: Vec<String>,
}

impl Fates {
    fn note(&mut self, slug: String, outcome: Result<Vec<u8>, DbError>) {
        match outcome {
            Ok(_) => self.kept.push(slug),
            Err(error) if is_open(&error) => self.open.push(slug),
            Err(DbError::Unavailable(_) | DbError::Timeout | DbError::PoolExhausted) => self.refused.push(slug),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_server_killed_under_load_loses_no_acknowledged_write(backend: Backend) {
    let server = Own::open(backend).await;
    let database = server.database();
    let db = connect(backend, database.parts(), small_pool(4));
    db.execute_batch(backend.schema()).await.unwrap();

    let (stop, since_start) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let fates = Arc::new(Mutex::new(Fates::default()));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (db, stop, fates) = (db.clone(), Arc::clone(&stop), Arc::clone(&fates));
            let since_start = Arc::clone(&since_start);
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let slug = format!("{writer}-{number}");
                    let outcome = db.run(backend.post(&slug), after(2000)).await;
                    let failed = outcome.is_err();
                    if !failed {
                        since_start.fetch_add(1, Ordering::Relaxed);
                    }
                    fates.lock().unwrap().note(slug, outcome);
                    if failed {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let server = server.act(|server| server.crash()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let server = server.act(|server| server.start()).await;
    since_start.store(0, Ordering::Relaxed);
    let started = Instant::now();
    while since_start.load(Ordering::Relaxed) < 100 {
        assert!(started.elapsed() < Duration::from_secs(30), "no recovery: {:?}", stats(&db));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    let fates = std::mem::take(&mut *fates.lock().unwrap());
    assert!(!fates.refused.is_empty(), "the crash was not felt");
    let found = async |slugs: &[String]| {
        let list = Value::List(slugs.iter().map(|slug| text(slug)).collect());
        let sql = format!("SELECT count(*) FROM posts WHERE {}", backend.in_list("slug"));
        let statement =
            backend.statement(&sql, &[covet_db::Param::list(Kind::Text)], &[Kind::Int], covet_db::Access::Read);
        int(&db.run(covet_db::Work::Scalar { statement, params: vec![list] }, soon()).await.unwrap())
    };
    for (chunk, all) in [(&fates.kept, true), (&fates.refused, false)] {
        for slugs in chunk.chunks(10_000) {
            let wanted = if all { slugs.len() as i64 } else { 0 };
            assert_eq!(found(slugs).await, wanted, "{}", if all { "acknowledged" } else { "refused" });
        }
    }
    assert_eq!(stats(&db).active, 0, "{:?}", stats(&db));
    drop((database, server));
}

async fn a_server_away_at_the_start_is_noticed_when_it_comes(backend: Backend) {
    let server = Own::open(backend).await;
    let database = server.database();
    let server = server.act(|server| server.stop()).await;
    let db = connect(backend, database.parts(), small_pool(2));
    let started = Instant::now();
    for _ in 0..3 {
        let refused = db.run(backend.count("SELECT 1"), soon()).await;
        assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
    }
    assert!(matches!(db.begin(BeginOptions::default(), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.introspect().await, Err(DbError::Unavailable(_))));
    assert!(started.elapsed() < Duration::from_secs(10), "told at once, not at the deadline");
    let server = server.act(|server| server.start()).await;
    assert_eq!(int(&db.run(backend.count("SELECT 1"), soon()).await.unwrap()), 1);
    drop((database, server));
}

async fn a_stalled_network_stops_nobody_for_long(backend: Backend) {
    let stage = Stage::open(backend, small_pool(2)).await;
    let db = &stage.db;
    db.run(backend.post("a"), soon()).await.unwrap();
    let transaction = db.begin(BeginOptions::default(), after(700)).await.unwrap();
    transaction.run(backend.post("b")).await.unwrap();

    stage.proxy.set(Fault::Stall);
    let started = Instant::now();
    // On a connection that is there it is the deadline, on a new one it is that none comes about.
    let read = db.run(backend.count("SELECT 1"), after(300)).await.unwrap_err();
    assert!(matches!(read, DbError::Timeout | DbError::Unavailable(_)), "{read}");
    let write = db.run(backend.post("c"), after(300)).await.unwrap_err();
    assert!(is_open(&write) || matches!(write, DbError::Unavailable(_) | DbError::PoolExhausted), "{write}");
    let lost = transaction.run(backend.post("d")).await.unwrap_err();
    assert!(matches!(lost, DbError::Timeout | DbError::TransactionClosed), "{lost}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());

    stage.proxy.set(Fault::None);
    answered(db, backend).await;
    db.run(backend.posts(&["e"]), soon()).await.unwrap();
    assert_eq!(stage.number("SELECT count(*) FROM posts WHERE slug IN ('b', 'd')").await, 0, "rolled back");
    assert_eq!(stage.number("SELECT count(*) FROM posts WHERE slug IN ('a', 'e')").await, 2);
    let started = Instant::now();
    while stats(db).active > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "stuck: {:?}", stats(db));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn an_answer_that_got_lost_leaves_a_write_open(backend: Backend) {
    let stage = Stage::open(backend, small_pool(2)).await;
    stage.db.run(backend.post("a"), soon()).await.unwrap();
    stage.proxy.set(Fault::StallAnswers);
    let (write, ()) = tokio::join!(stage.db.run(backend.post("b"), soon()), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.proxy.set(Fault::None);
        // The answers that waited are lost with their connections.
        stage.proxy.cut();
    });
    // Either it came through in the moment between, or the outcome is open: never "undone".
    assert!(write.as_ref().err().is_none_or(is_open), "{write:?}");
    answered(&stage.db, backend).await;
    assert_eq!(stage.number("SELECT count(*) FROM posts").await, 2, "in truth it was done");
}

async fn connections_that_were_cut_are_replaced(backend: Backend) {
    let stage = Stage::open(backend, small_pool(4)).await;
    let all = (0..4).map(|_| stage.db.begin(BeginOptions::default(), soon()));
    let transactions = futures::future::try_join_all(all).await.unwrap();
    for transaction in &transactions {
        transaction.run(backend.count("SELECT 1")).await.unwrap();
    }
    assert!(stage.proxy.cut() >= 4);
    for transaction in transactions {
        let lost = transaction.run(backend.count("SELECT 1")).await.unwrap_err();
        assert!(matches!(lost, DbError::Unavailable(_) | DbError::TransactionClosed), "{lost}");
        assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    }
    // While nobody answers, it is told at once.
    stage.proxy.set(Fault::Refuse);
    let started = Instant::now();
    let refused = stage.db.run(backend.count("SELECT 1"), soon()).await;
    assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    stage.proxy.set(Fault::None);
    answered(&stage.db, backend).await;
    stage.db.run(backend.post("a"), soon()).await.unwrap();
}

async fn an_exhausted_pool_says_so_and_recovers(backend: Backend) {
    let pool = PoolOptions { acquire_timeout: Duration::from_millis(300), queue: 3, ..small_pool(2) };
    let stage = Stage::open(backend, pool).await;
    let held = [
        stage.db.begin(BeginOptions::default(), soon()).await.unwrap(),
        stage.db.begin(BeginOptions::default(), soon()).await.unwrap(),
    ];
    let started = Instant::now();
    let writes = (0..10).map(|number| {
        let (db, slug) = (stage.db.clone(), format!("s{number}"));
        async move { (db.run(backend.post(&slug), soon()).await, started.elapsed()) }
    });
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(|(outcome, _)| *outcome == Err(DbError::PoolExhausted)), "{outcomes:?}");
    let at_once = outcomes.iter().filter(|(_, waited)| *waited < Duration::from_millis(290)).count();
    assert_eq!(at_once, 7, "three may wait, the others are told at once: {outcomes:?}");
    assert_eq!(stats(&stage.db).failed_acquisitions, 10);
    for transaction in held {
        transaction.run(backend.count("SELECT 1")).await.unwrap();
        transaction.commit().await.unwrap();
    }
    stage.db.run(backend.post("a"), soon()).await.unwrap();
    assert_eq!(stage.number("SELECT count(*) FROM posts").await, 1, "of the refused none was done");
}

async fn deadlocks_are_told_and_tried_again(backend: Backend) {
    let stage = Stage::open(backend, small_pool(8)).await;
    stage.db.run(backend.posts(&["a", "b"]), soon()).await.unwrap();
    let conflicts = Arc::new(AtomicUsize::new(0));
    let add = move |slug: &str| backend.execute("UPDATE posts SET views = views + 1 WHERE slug = ?", vec![text(slug)]);
    let both: Vec<_> = (0..8)
        .map(|number| {
            let (db, conflicts) = (stage.db.clone(), Arc::clone(&conflicts));
            tokio::spawn(async move {
                // Half of them lock in the other order.
                let order = if number % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
                for _ in 0..10 {
                    loop {
                        let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
                        let mut outcome = transaction.run(add(order[0])).await;
                        if outcome.is_ok() {
                            tokio::time::sleep(Duration::from_millis(2)).await;
                            outcome = transaction.run(add(order[1])).await;
                        }
                        match outcome {
                            Ok(_) => {
                                transaction.commit().await.unwrap();
                                break;
                            }
                            Err(DbError::Conflict(_)) => {
                                conflicts.fetch_add(1, Ordering::Relaxed);
                                let pause = Duration::from_millis(3 + 7 * number);
                                tokio::time::sleep(pause).await;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in both {
        task.await.unwrap();
    }
    assert!(conflicts.load(Ordering::Relaxed) > 0, "no deadlock came about");
    assert_eq!(stage.number("SELECT sum(views) FROM posts").await, 160, "each done once");
    assert_eq!(stats(&stage.db).active, 0);
}

mod sqlite {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use covet_db::{DbError, Sqlite, SqliteOptions};

    use crate::backend::*;

    /// A folder that holds some megabytes: a file system of its own where the user may mount one.
    struct SmallDisk {
        folder: tempfile::TempDir,
        mounted: bool,
    }

    impl SmallDisk {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mount =
                Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "covet-test"]).arg(folder.path()).output();
            Self { mounted: mount.is_ok_and(|output| output.status.success()), folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Where there is no such file system, SQLite's own limit says the same.
        async fn limit(&self, db: &Sqlite, pages: u32) {
            if !self.mounted {
                db.execute_batch(vec![format!("PRAGMA max_page_count = {pages}")]).await.unwrap();
            }
        }
    }

    impl Drop for SmallDisk {
        fn drop(&mut self) {
            if self.mounted {
                let _gone = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
            }
        }
    }

    fn count(bytes: &[u8]) -> i64 {
        int(bytes)
    }

    fn ballast(path: &Path) {
        std::fs::write(path, vec![1; 1 << 20]).unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_space_that_is_freed_is_used() {
        let disk = SmallDisk::new();
        let db = Sqlite::open(&disk.path("test.db"), SqliteOptions::default()).unwrap();
        let backend = Backend::Sqlite;
        db.execute_batch(vec!["CREATE TABLE blobs (id INTEGER PRIMARY KEY, v BLOB)".to_owned()]).await.unwrap();
        if disk.mounted {
            ballast(&disk.path("ballast"));
        }
        disk.limit(&db, 400).await;
        let store = || backend.execute("INSERT INTO blobs (v) VALUES (zeroblob(100000))", vec![]);
        let mut kept = 0;
        let full = loop {
            match db.run(store(), soon()).await {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
            assert!(kept < 1000, "the disk is not small");
        };
        assert!(matches!(&full, DbError::Unavailable(why) if why.contains("full")), "{full}");
        assert!(kept > 3, "{kept}");
        // It stays so, without harm to what is there, and reads go on.
        for _ in 0..3 {
            assert!(matches!(db.run(store(), soon()).await, Err(DbError::Unavailable(_))));
            assert_eq!(count(&db.run(backend.count("SELECT count(*) FROM blobs"), soon()).await.unwrap()), kept);
        }
        if disk.mounted {
            std::fs::remove_file(disk.path("ballast")).unwrap();
        }
        disk.limit(&db, 4000).await;
        db.run(store(), soon()).await.unwrap();
        assert_eq!(count(&db.run(backend.count("SELECT count(*) FROM blobs"), soon()).await.unwrap()), kept + 1);
        let sound =
            backend.query("SELECT integrity_check FROM pragma_integrity_check", vec![], &[covet_db::Kind::Text]);
        assert_eq!(show(&db.run(sound, soon()).await.unwrap()), "[[\"ok\"]]");
    }
}
