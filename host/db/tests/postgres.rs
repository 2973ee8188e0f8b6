//! What only PostgreSQL's driver does: servers that die, networks that stall, cancellation, reads answered together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

use std::time::{Duration, Instant};

use covet_db::{
    Access, BeginOptions, DbError, Group, Kind, Param, PoolOptions, Postgres, PostgresOptions, Statement, Value, Work,
};
use covet_test_servers::{Fault, Options, Postgres as Server, Proxy, TestDatabase};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn after(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

fn options(max_size: usize) -> PostgresOptions {
    let pool = PoolOptions { min_size: 0, max_size, ..PoolOptions::default() };
    PostgresOptions { pool, ..PostgresOptions::default() }
}

/// A database of the test's own on the server that all share.
async fn shared() -> (TestDatabase, Server) {
    tokio::task::spawn_blocking(|| {
        let server = Server::shared().unwrap();
        (server.database().unwrap(), server)
    })
    .await
    .unwrap()
}

/// A server of the test's own.
async fn private() -> Server {
    tokio::task::spawn_blocking(|| Server::private(&Options::durable()).unwrap()).await.unwrap()
}

fn select(sql: &str, params: &[Param], columns: &[Kind]) -> Statement {
    Statement::typed(sql, params.to_vec(), vec![Group::flat(columns.to_vec())], Access::Read)
}

fn number(sql: &str) -> Work {
    Work::Scalar { statement: select(sql, &[], &[Kind::Int]), params: vec![] }
}

fn execute(sql: &str) -> Work {
    Work::Execute { statement: Statement::new(sql, vec![], Access::Write), params: vec![] }
}

async fn get(db: &Postgres, sql: &str) -> Result<i64, DbError> {
    let bytes = db.run(number(sql), soon()).await?;
    Ok(minicbor::decode(&bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_under_load_loses_no_acknowledged_write_and_is_found_again() {
    let mut server = private().await;
    let db = Postgres::open(&server.url().to_string(), options(4)).unwrap();
    db.execute_batch(vec!["CREATE TABLE log (n BIGINT PRIMARY KEY)".into()]).await.unwrap();
    let insert = Statement::typed("INSERT INTO log VALUES ($1)", vec![Param::one(Kind::Int)], vec![], Access::Write);
    let writers: Vec<_> = (0..8_i64)
        .map(|writer| {
            let (db, insert) = (db.clone(), insert.clone());
            tokio::spawn(async move {
                let (mut acknowledged, mut failures) = (Vec::new(), Vec::new());
                for round in 0.. {
                    let n = writer * 1_000_000 + round;
                    let work = Work::Execute { statement: insert.clone(), params: vec![Value::Int(n)] };
                    match db.run(work, soon()).await {
                        Ok(_) => acknowledged.push(n),
                        Err(error) => failures.push(error),
                    }
                    if failures.len() == 20 {
                        break;
                    }
                    if !failures.is_empty() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                (acknowledged, failures)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut server = tokio::task::spawn_blocking(move || {
        server.crash().unwrap();
        server
    })
    .await
    .unwrap();
    let mut acknowledged = Vec::new();
    for writer in writers {
        let (done, failures) = writer.await.unwrap();
        acknowledged.extend(done);
        for error in failures {
            assert!(matches!(error, DbError::Unavailable(_)), "{error}");
        }
    }
    assert!(!acknowledged.is_empty());
    let transaction = db.begin(BeginOptions::default(), soon()).await;
    assert!(matches!(transaction, Err(DbError::Unavailable(_))), "{transaction:?}");
    let server = tokio::task::spawn_blocking(move || {
        server.start().unwrap();
        server
    })
    .await
    .unwrap();
    // Without a restart of ours.
    let found = db.run(
        Work::Query { statement: select("SELECT n FROM log", &[], &[Kind::Int]), params: vec![], max_rows: 10_000_000 },
        soon(),
    );
    let found: Vec<[i64; 1]> = minicbor::decode(&found.await.unwrap()).unwrap();
    let found: std::collections::HashSet<i64> = found.into_iter().map(|[n]| n).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|n| !found.contains(n)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(db.pool_stats().active, 0);
    drop(server);
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_found_when_it_comes() {
    let mut server = private().await;
    let url = server.url().to_string();
    let mut server = tokio::task::spawn_blocking(move || {
        server.stop().unwrap();
        server
    })
    .await
    .unwrap();
    let db = Postgres::open(&url, options(4)).unwrap();
    let from = Instant::now();
    assert!(matches!(get(&db, "SELECT 1").await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.introspect().await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.capabilities().await, Err(DbError::Unavailable(_))));
    assert!(from.elapsed() < Duration::from_secs(3), "said at once");
    let _server = tokio::task::spawn_blocking(move || {
        server.start().unwrap();
        server
    })
    .await
    .unwrap();
    assert_eq!(get(&db, "SELECT 1").await, Ok(1));
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(1)).unwrap();
    let other = Postgres::open(&test.url(), options(1)).unwrap();
    let process = get(&db, "SELECT pg_backend_pid()").await.unwrap();
    let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
    get(&other, &format!("SELECT pg_terminate_backend({process})::int")).await.unwrap();
    let ended = transaction.run(number("SELECT 1")).await;
    assert!(matches!(&ended, Err(DbError::Unavailable(why)) if why.contains("terminating connection")), "{ended:?}");
    assert_eq!(transaction.run(number("SELECT 1")).await, Err(DbError::TransactionClosed));
    assert_ne!(get(&db, "SELECT pg_backend_pid()").await.unwrap(), process);
}

#[tokio::test]
async fn a_stalled_network_ends_in_typed_errors_at_the_deadline() {
    let (test, _server) = shared().await;
    let proxy = Proxy::before(test.parts()).unwrap();
    let url = test.parts().through(proxy.address()).to_string();
    let mut wishes = options(2);
    wishes.pool.connect_timeout = Duration::from_millis(500);
    let db = Postgres::open(&url, wishes).unwrap();
    db.execute_batch(vec!["CREATE TABLE t (n BIGINT)".into()]).await.unwrap();
    // Two connections, before the network stalls.
    let slow = |i| number(&format!("SELECT {i} FROM (SELECT pg_sleep(0.2)) s"));
    let (one, two) = tokio::join!(db.run(slow(1), soon()), db.run(slow(2), soon()));
    assert!(one.is_ok() && two.is_ok());
    proxy.set(Fault::StallAnswers);
    let from = Instant::now();
    let read = db.run(number("SELECT count(*) FROM t"), after(200)).await;
    assert_eq!(read, Err(DbError::Timeout));
    let write = db.run(execute("INSERT INTO t VALUES (1)"), after(200)).await;
    // The server has done it; nobody here can know.
    assert!(matches!(&write, Err(DbError::Unavailable(why)) if why.contains("not known")), "{write:?}");
    // A third would have to be opened.
    assert_eq!(db.run(execute("INSERT INTO t VALUES (2)"), after(200)).await, Err(DbError::Timeout));
    assert!(from.elapsed() < Duration::from_secs(12), "{:?}", from.elapsed());
    proxy.set(Fault::None);
    let left = Instant::now();
    while get(&db, "SELECT 1").await.is_err() {
        assert!(left.elapsed() < Duration::from_secs(20), "no recovery");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(get(&db, "SELECT count(*) FROM t WHERE n = 2").await, Ok(0), "never begun");
    while db.pool_stats().active > 0 {
        assert!(left.elapsed() < Duration::from_secs(20), "stuck: {:?}", db.pool_stats());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_write_whose_connection_is_cut_says_that_its_outcome_is_unknown() {
    let (test, _server) = shared().await;
    let proxy = Proxy::before(test.parts()).unwrap();
    let db = Postgres::open(&test.parts().through(proxy.address()).to_string(), options(2)).unwrap();
    db.execute_batch(vec!["CREATE TABLE t (n BIGINT)".into()]).await.unwrap();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.set(Fault::StallAnswers);
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.cut();
        proxy.set(Fault::None);
    };
    let slow = execute("INSERT INTO t SELECT 1 FROM (SELECT pg_sleep(0.2)) s");
    let (write, ()) = tokio::join!(db.run(slow, soon()), cut);
    assert!(matches!(&write, Err(DbError::Unavailable(why)) if why.contains("not known")), "{write:?}");
    // A read that is cut is only unavailable, and a transaction's work is known to be undone.
    assert_eq!(get(&db, "SELECT 1").await, Ok(1));
    let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
    transaction.run(execute("INSERT INTO t VALUES (7)")).await.unwrap();
    proxy.cut();
    let ended = transaction.run(number("SELECT 1")).await;
    assert!(matches!(&ended, Err(DbError::Unavailable(why)) if !why.contains("not known")), "{ended:?}");
    assert_eq!(get(&db, "SELECT count(*) FROM t WHERE n = 7").await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_hits_only_what_is_late() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(4)).unwrap();
    let sleeps: Vec<_> = (0..40_u64)
        .map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                // Some end right at their deadline, where cancellation and answer cross.
                let ms = 20 + i % 20;
                let sql = format!("SELECT {i} FROM (SELECT pg_sleep(0.0{ms})) s");
                match db.run(number(&sql), after(30 + i % 4)).await {
                    Ok(bytes) => assert_eq!(minicbor::decode::<u64>(&bytes).unwrap(), i),
                    Err(error) => assert!(matches!(error, DbError::Timeout | DbError::PoolExhausted), "{error}"),
                }
                for _ in 0..20 {
                    assert_eq!(get(&db, &format!("SELECT {i}")).await, Ok(i as i64));
                }
            })
        })
        .collect();
    for sleep in sleeps {
        sleep.await.unwrap();
    }
    let stats = db.pool_stats();
    assert_eq!(stats.active, 0);
}

#[tokio::test]
async fn a_dropped_write_is_cancelled_and_its_connection_closed() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(1)).unwrap();
    db.execute_batch(vec!["CREATE TABLE t (n BIGINT)".into()]).await.unwrap();
    let slow = db.run(execute("INSERT INTO t SELECT 1 FROM (SELECT pg_sleep(30)) s"), soon());
    assert!(tokio::time::timeout(Duration::from_millis(100), slow).await.is_err());
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(30)%' \
                AND state = 'active' AND pid <> pg_backend_pid()";
    let from = Instant::now();
    while get(&db, busy).await.unwrap() > 0 {
        assert!(from.elapsed() < Duration::from_secs(10), "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(&db, "SELECT count(*) FROM t").await, Ok(0));
    assert_eq!(db.pool_stats().destroyed, 1);
}

#[tokio::test]
async fn settings_reach_the_session() {
    let (test, _server) = shared().await;
    let url = format!("{}?command_timeout=1&server_settings[jit]=off&application_name=covet-test", test.url());
    let db = Postgres::open(&url, options(1)).unwrap();
    for (setting, value) in
        [("jit", "off"), ("statement_timeout", "1s"), ("TimeZone", "UTC"), ("application_name", "covet-test")]
    {
        let work = Work::Scalar {
            statement: select("SELECT current_setting($1)", &[Param::one(Kind::Text)], &[Kind::Text]),
            params: vec![Value::Text(setting.to_owned())],
        };
        let bytes = db.run(work, soon()).await.unwrap();
        assert_eq!(minicbor::decode::<&str>(&bytes).unwrap(), value);
    }
    // The server's own limit, far before the deadline.
    let from = Instant::now();
    assert_eq!(db.run(number("SELECT 1 FROM (SELECT pg_sleep(20)) s"), soon()).await, Err(DbError::Timeout));
    assert!(from.elapsed() < Duration::from_secs(5));
    // DDL takes its time.
    db.execute_batch(vec!["SELECT pg_sleep(1.3)".into()]).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_and_names_are_said() {
    let (test, _server) = shared().await;
    let mut url = test.parts().clone();
    url.password = "wrong".to_owned();
    let db = Postgres::open(&url.to_string(), options(1)).unwrap();
    let error = get(&db, "SELECT 1").await.unwrap_err();
    assert!(
        matches!(&error, DbError::Unavailable(why) if why.contains("password") && !why.contains("wrong")),
        "{error}"
    );
    let db = Postgres::open(&test.parts().with_database("nowhere").to_string(), options(1)).unwrap();
    let error = get(&db, "SELECT 1").await.unwrap_err();
    assert!(matches!(&error, DbError::Unavailable(why) if why.contains("nowhere")), "{error}");
    let db = Postgres::open(&format!("{}?sslmode=require", test.url()), options(1)).unwrap();
    assert!(matches!(get(&db, "SELECT 1").await, Err(DbError::Unavailable(_))), "the test server has no TLS");
}

fn by_key() -> Statement {
    let (int, text) = (Kind::Int, Kind::Text);
    let batch = select("SELECT id, id, name FROM t WHERE id = ANY($1)", &[Param::list(int)], &[int, int, text]);
    select("SELECT id, name FROM t WHERE id = $1", &[Param::one(int)], &[int, text]).with_batch(batch)
}

#[tokio::test]
async fn neighbouring_keys_become_one_query_and_equal_reads_are_sent_once() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(4)).unwrap();
    let rows = "INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 100) i";
    db.execute_batch(vec!["CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)".into(), rows.into()]).await.unwrap();
    let statement = by_key();
    let read = |id: i64| Work::Query { statement: statement.clone(), params: vec![Value::Int(id)], max_rows: 1 };
    let before = db.coalesce_stats();
    let answers = futures::future::join_all((0..64).map(|i| db.run(read(i), soon()))).await;
    for (i, answer) in (0..).zip(answers) {
        let single = answer_of(i);
        assert_eq!(minicbor::display(&answer.unwrap()).to_string(), single);
    }
    let after_batch = db.coalesce_stats();
    assert_eq!((after_batch.reads - before.reads, after_batch.queries - before.queries), (64, 1));
    // The bytes are those of the read alone.
    let alone = db.run(read(7), soon()).await.unwrap();
    let (together, _) = tokio::join!(db.run(read(7), soon()), db.run(read(8), soon()));
    assert_eq!(together.unwrap(), alone);

    let slow = number("SELECT count(*) FROM t, (SELECT pg_sleep(0.05)) s");
    let before = db.coalesce_stats();
    let answers = futures::future::join_all((0..50).map(|_| db.run(slow.clone(), soon()))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.is_ok()));
    assert_eq!(db.coalesce_stats().queries - before.queries, 1);

    // One caller's nonsense is its own.
    let text = select("SELECT name FROM t WHERE id = $1", &[Param::one(Kind::Int)], &[Kind::Text]);
    let batch =
        select("SELECT id, name FROM t WHERE id = ANY($1)", &[Param::list(Kind::Int)], &[Kind::Int, Kind::Text]);
    let text = text.with_batch(batch);
    let ask = |value: Value| Work::Query { statement: text.clone(), params: vec![value], max_rows: 1 };
    let (good, bad) = tokio::join!(db.run(ask(Value::Int(1)), soon()), db.run(ask(Value::Text("x".into())), soon()));
    assert_eq!(minicbor::display(&good.unwrap()).to_string(), "[[\"n1\"]]");
    assert!(matches!(bad, Err(DbError::BadQuery(_))), "{bad:?}");
}

fn answer_of(id: i64) -> String {
    if (1..=100).contains(&id) { format!("[[{id}, \"n{id}\"]]") } else { "[]".to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_write_sees_it_however_many_read_at_once() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(8)).unwrap();
    let rows = "INSERT INTO t SELECT i, '0' FROM generate_series(1, 4) i";
    db.execute_batch(vec!["CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)".into(), rows.into()]).await.unwrap();
    let statement = by_key();
    let params = vec![Param::one(Kind::Text), Param::one(Kind::Int)];
    let update = Statement::typed("UPDATE t SET name = $1 WHERE id = $2", params, vec![], Access::Write);
    let tasks: Vec<_> = (0..8_i64)
        .map(|task| {
            let (db, statement, update) = (db.clone(), statement.clone(), update.clone());
            tokio::spawn(async move {
                let id = 1 + task % 4;
                for round in 0..50 {
                    let read = Work::Query { statement: statement.clone(), params: vec![Value::Int(id)], max_rows: 1 };
                    if task < 4 {
                        let name = format!("{round}");
                        let params = vec![Value::Text(name.clone()), Value::Int(id)];
                        db.run(Work::Execute { statement: update.clone(), params }, soon()).await.unwrap();
                        let seen = db.run(read, soon()).await.unwrap();
                        assert_eq!(minicbor::display(&seen).to_string(), format!("[[{id}, \"{name}\"]]"));
                    } else {
                        db.run(read, soon()).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_leaves_stops_nobody_else() {
    let (test, _server) = shared().await;
    let db = Postgres::open(&test.url(), options(2)).unwrap();
    let slow = number("SELECT 5 FROM (SELECT pg_sleep(0.1)) s");
    let mut first = Box::pin(db.run(slow.clone(), soon()));
    let mut second = Box::pin(db.run(slow, soon()));
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    drop(first);
    assert_eq!(minicbor::decode::<i64>(&second.await.unwrap()).unwrap(), 5);
    // Where all have left, the server need not go on.
    let long = db.run(number("SELECT 6 FROM (SELECT pg_sleep(31)) s"), soon());
    assert!(tokio::time::timeout(Duration::from_millis(80), long).await.is_err());
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(31)%' \
                AND state = 'active' AND pid <> pg_backend_pid()";
    let from = Instant::now();
    while get(&db, busy).await.unwrap() > 0 {
        assert!(from.elapsed() < Duration::from_secs(10), "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_runtime_that_ends_takes_no_later_reader_along() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (test, _server) = first.block_on(shared());
    let db = Postgres::open(&test.url(), options(2)).unwrap();
    let read = number("SELECT 3");
    assert_eq!(minicbor::decode::<i64>(&first.block_on(db.run(read.clone(), soon())).unwrap()).unwrap(), 3);
    // Asked, but its runtime ends before the tick.
    first.block_on(async {
        let mut asked = Box::pin(db.run(read.clone(), soon()));
        assert!(futures::poll!(asked.as_mut()).is_pending());
    });
    drop(first);
    let second = runtime().block_on(db.run(read, after(5000))).unwrap();
    assert_eq!(minicbor::decode::<i64>(&second).unwrap(), 3);
}
