//! The writer thread: group commit, its queue, its log; what every driver promises is in suite/.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use covet_db::{DbError, InsertKey, Kind, SqliteOptions, Value, Work};
use futures::future::join_all;

/// Holds the writer until it is dropped, so that what is asked meanwhile forms one group.
async fn hold(db: &TestDb) -> covet_db::Transaction {
    db.begin(soon()).await.unwrap()
}

/// Runs all at once as one group: they are queued before the writer is free.
async fn grouped(db: &TestDb, works: Vec<Work>) -> Vec<Result<Vec<u8>, DbError>> {
    let held = hold(db).await;
    let waiting = works.len();
    let all = join_all(works.into_iter().map(|work| db.run(work, soon())));
    let release = async {
        while db.stats().queued < waiting {
            tokio::task::yield_now().await;
        }
        held.rollback().await.unwrap();
    };
    tokio::join!(all, release).0
}

#[tokio::test]
async fn waiting_writes_share_one_commit() {
    let db = open().await;
    let before = db.stats().commits;
    let answers = grouped(&db, (0..100).map(|i| post(&format!("p{i}"))).collect()).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(db.stats().commits - before, 1);
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 100);
    // The keys belong to their rows.
    for (i, answer) in answers.iter().enumerate() {
        let slug = query("SELECT slug FROM posts WHERE id = ?", &[Kind::Text], vec![Value::Int(first_key(answer))]);
        assert_eq!(shown(&db, slug).await.unwrap(), format!("[[\"p{i}\"]]"));
    }
}

fn first_key(answer: &Result<Vec<u8>, DbError>) -> i64 {
    let mut cbor = minicbor::Decoder::new(answer.as_ref().unwrap());
    assert_eq!(cbor.array().unwrap(), Some(1));
    cbor.i64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_gather_by_themselves() {
    let db = open().await;
    let before = db.stats().commits;
    let insert = change("INSERT INTO authors (name) VALUES (?)");
    join_all((0..32).map(|_| async {
        for _ in 0..20 {
            let rows = vec![vec![text("x")]];
            db.run(Work::Insert { statement: insert.clone(), rows, key: InsertKey::Generated }, soon()).await.unwrap();
        }
    }))
    .await;
    let commits = db.stats().commits - before;
    assert!(commits <= 640 / 4, "{commits} commits for 640 writes");
    assert_eq!(number(&db, "SELECT count(*) FROM authors").await, 640);
}

#[tokio::test]
async fn a_failing_write_in_a_group_harms_no_other() {
    let db = open().await;
    let answers = grouped(
        &db,
        vec![
            post("a"),
            post("a"),
            posts(&["b", "c", "a"]),
            execute("UPDATE posts SET views = views + 1 WHERE slug = 'a'", vec![]),
            execute("INSERT INTO posts (slug, author_id) VALUES ('z', 99)", vec![]),
            post("d"),
        ],
    )
    .await;
    assert!(answers[0].is_ok());
    assert_eq!(answers[1], Err(DbError::UniqueViolation("posts.slug".into())));
    assert_eq!(answers[2], Err(DbError::UniqueViolation("posts.slug".into())), "all or none of its rows");
    assert_eq!(int(answers[3].as_ref().unwrap()), 1);
    assert!(matches!(answers[4], Err(DbError::ForeignKeyViolation(_))));
    assert!(answers[5].is_ok());
    let rows = shown(&db, query("SELECT slug, views FROM posts ORDER BY slug", &[Kind::Text, Kind::Int], vec![])).await;
    assert_eq!(rows.unwrap(), "[[\"a\", 1], [\"d\", 0]]");
}

#[tokio::test]
async fn a_runaway_write_in_a_group_is_undone_and_harms_no_other() {
    let db = open().await;
    let held = hold(&db).await;
    let runaway =
        "INSERT INTO authors (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let (before, stopped, after, _) = tokio::join!(
        db.run(post("before"), soon()),
        db.run(execute(runaway, vec![]), after(400)),
        db.run(post("after"), soon()),
        async {
            while db.stats().queued < 3 {
                tokio::task::yield_now().await;
            }
            drop(held);
        }
    );
    assert_eq!(stopped, Err(DbError::Timeout));
    assert!(before.is_ok() && after.is_ok(), "{before:?} {after:?}");
    assert_eq!(number(&db, "SELECT count(*) FROM authors").await, 0);
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 2);
}

#[tokio::test]
async fn a_deferred_constraint_fails_only_its_own_write() {
    let db = open().await;
    let answers =
        grouped(&db, vec![post("a"), execute("INSERT INTO late (author_id) VALUES (99)", vec![]), post("b")]).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(DbError::ForeignKeyViolation(_))), "{answers:?}");
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 2);
}

#[tokio::test]
async fn a_write_whose_deadline_passes_in_the_queue_never_runs() {
    let db = open().await;
    let held = hold(&db).await;
    let started = Instant::now();
    assert_eq!(db.run(post("late"), after(60)).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5), "answered while the writer was busy");
    held.commit().await.unwrap();
    db.run(post("next"), soon()).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn a_write_whose_caller_left_in_the_queue_never_runs() {
    let db = open().await;
    let held = hold(&db).await;
    let left = tokio::time::timeout(Duration::from_millis(30), db.run(post("left"), soon())).await;
    assert!(left.is_err());
    held.commit().await.unwrap();
    db.run(post("next"), soon()).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let db = open_with(SqliteOptions { queue: 2, ..SqliteOptions::default() }).await;
    let held = hold(&db).await;
    let mut waiting = vec![Box::pin(db.run(post("a"), soon())), Box::pin(db.run(post("b"), soon()))];
    for future in &mut waiting {
        assert!(futures::poll!(future.as_mut()).is_pending());
    }
    assert_eq!(db.run(post("c"), soon()).await, Err(DbError::PoolExhausted));
    drop(held);
    for answer in join_all(waiting).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn another_process_with_the_lock_is_waited_for_until_the_deadline() {
    let db = open().await;
    let other = rusqlite::Connection::open(&db.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Alone, as several statements, and in a group with a patient one.
    assert_eq!(db.run(post("a"), after(100)).await, Err(DbError::Timeout));
    assert_eq!(db.run(posts(&["a", "b"]), after(100)).await, Err(DbError::Timeout));
    assert!(matches!(db.begin(after(100)).await, Err(DbError::Timeout)));
    let (hasty, patient, ()) = tokio::join!(db.run(post("c"), after(150)), db.run(post("d"), soon()), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        other.execute_batch("COMMIT").unwrap();
    });
    assert_eq!(hasty, Err(DbError::Timeout));
    patient.unwrap();
    assert_eq!(shown(&db, query("SELECT slug FROM posts", &[Kind::Text], vec![])).await.unwrap(), "[[\"d\"]]");
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let db = Arc::new(open().await);
    let held = hold(&db).await;
    let mut queued = Box::pin(db.run(post("queued"), soon()));
    assert!(futures::poll!(queued.as_mut()).is_pending());
    let closing = db.db.clone();
    let closed = tokio::spawn(closing.close());
    while !matches!(db.run(post("late"), after(5)).await, Err(DbError::Unavailable(_))) {}
    drop(held);
    queued.await.unwrap();
    closed.await.unwrap();
    let rows: i64 = rusqlite::Connection::open(&db.path)
        .unwrap()
        .query_row("SELECT count(*) FROM posts WHERE slug = 'queued'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn the_log_is_checkpointed_when_the_writer_is_idle() {
    let db = open().await;
    let blob = execute("INSERT INTO authors (name) VALUES (hex(randomblob(1000000)))", vec![]);
    db.run(blob, soon()).await.unwrap();
    let started = Instant::now();
    while db.stats().checkpoints == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "no checkpoint");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_log_starts_over_instead_of_growing() {
    let db = open().await;
    // 64 MiB through a log that is emptied every 8 MiB, though reads go on.
    for _ in 0..32 {
        db.run(execute("REPLACE INTO authors VALUES (1, hex(randomblob(1048576)))", vec![]), soon()).await.unwrap();
        let read = Work::Scalar { statement: short("SELECT count(*) FROM authors", &[Kind::Int]), params: vec![] };
        assert_eq!(int(&db.try_now(&read, soon()).unwrap().unwrap()), 1);
    }
    let log = std::fs::metadata(db.path.with_extension("db-wal")).unwrap().len();
    assert!(log < 16 << 20, "the log has {log} bytes");
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_harms_no_other() {
    let db = open().await;
    db.execute_batch(vec!["PRAGMA max_page_count = 40".into()]).await.unwrap();
    let large = || execute("INSERT INTO authors (name) VALUES (hex(zeroblob(200000)))", vec![]);
    assert!(matches!(db.run(large(), soon()).await, Err(DbError::Unavailable(why)) if why.contains("full")));
    let answers = grouped(&db, vec![post("a"), large(), post("b")]).await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(&answers[1], Err(DbError::Unavailable(why)) if why.contains("full")), "{answers:?}");
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 2);
}

#[tokio::test]
async fn an_answered_write_is_in_the_file_without_the_writer_being_closed() {
    let db = open().await;
    db.run(post("durable"), soon()).await.unwrap();
    // As after `kill -9`: file and log as they lie there, opened elsewhere.
    let copy = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        std::fs::copy(db.path.with_file_name(name), copy.path().join(name)).unwrap();
    }
    let found: i64 = rusqlite::Connection::open(copy.path().join("test.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM posts WHERE slug = 'durable'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let db = open().await;
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = std::fs::metadata(db.path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_path_that_is_no_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "not a database, but long enough to be looked at".repeat(50)).unwrap();
    for path in [folder.path().to_path_buf(), file.clone(), file.join("below/x.db")] {
        match covet_db::Sqlite::open(&path, SqliteOptions::default()) {
            Err(DbError::Unavailable(why)) => {
                assert!(why.contains(folder.path().to_str().unwrap()), "{why}")
            }
            other => panic!("{path:?}: {other:?}"),
        }
    }
}
