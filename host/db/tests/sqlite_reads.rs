//! Reads as only SQLite does them; what every driver promises is in suite/.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::time::{Duration, Instant};

use common::*;
use covet_db::{DbError, Kind, Value, Work};

const BIG: Kind = Kind::Decimal { digits: 38, scale: 10 };
const SMALL: Kind = Kind::Decimal { digits: 18, scale: 2 };

#[tokio::test]
async fn decimals_sort_and_compare_as_numbers_in_sql() {
    let db = open().await;
    db.execute_batch(vec!["CREATE TABLE d (v TEXT)".into()]).await.unwrap();
    let values = ["-99999", "-1.5", "-1.25", "0", "0.0000000001", "2", "10", "9999999999999999999999999999"];
    let insert = change("INSERT INTO d VALUES (?)");
    let rows = values.iter().rev().map(|value| vec![Value::decimal(value, 38, 10).unwrap()]).collect();
    db.run(Work::Insert { statement: insert, rows, key: covet_db::InsertKey::Generated }, soon()).await.unwrap();
    let sorted = shown(&db, query("SELECT v FROM d ORDER BY v", &[BIG], vec![])).await.unwrap();
    let expected: Vec<String> = values
        .iter()
        .map(|value| covet_db::format_decimal(covet_db::parse_decimal(value, 38, 10).unwrap(), 10))
        .map(|value| format!("[\"{value}\"]"))
        .collect();
    assert_eq!(sorted, format!("[{}]", expected.join(", ")));
}

#[tokio::test]
async fn a_value_of_the_wrong_storage_class_names_column_and_value() {
    let db = open().await;
    for (sql, kind, says) in [
        ("SELECT 'abc' AS views", Kind::Int, "column views holds TEXT \"abc\" where INTEGER belongs"),
        ("SELECT 2 AS b", Kind::Bool, "column b holds INTEGER 2 where INTEGER 0 or 1"),
        ("SELECT x'00' AS t", Kind::Text, "column t holds BLOB of 1 bytes"),
        ("SELECT CAST(x'ff' AS TEXT) AS t", Kind::Text, "not UTF-8"),
        ("SELECT x'00' AS u", Kind::Uuid, "BLOB of 16 bytes"),
        ("SELECT 1.5 AS d", SMALL, "column d holds REAL 1.5"),
        ("SELECT '12' AS d", BIG, "TEXT of 39 digits"),
        ("SELECT 'x' AS r", Kind::Real, "where REAL belongs"),
        ("SELECT 1 AS y", Kind::Bytes, "where BLOB belongs"),
    ] {
        let error = shown(&db, query(sql, &[kind], vec![])).await.unwrap_err();
        assert!(matches!(&error, DbError::BadQuery(why) if why.contains(says)), "{sql}: {error}");
    }
}

#[tokio::test]
async fn regexp_and_lower_know_unicode_and_limits() {
    let db = open().await;
    let regexp = |x: Value, pattern: &str| query("SELECT ? REGEXP ?", &[Kind::Bool], vec![x, text(pattern)]);
    assert_eq!(shown(&db, regexp(text("Žluť"), "^(?i)žLUŤ$")).await.unwrap(), "[[true]]");
    assert_eq!(shown(&db, regexp(text("abc"), "^b")).await.unwrap(), "[[false]]");
    assert_eq!(shown(&db, regexp(Value::Int(123), "^12")).await.unwrap(), "[[true]]");
    assert_eq!(shown(&db, regexp(Value::Null, "x")).await.unwrap(), "[[null]]");
    for bad in ["(", "a{1000}{1000}{1000}", &"a".repeat(1025)] {
        let error = shown(&db, regexp(text("x"), bad)).await.unwrap_err();
        assert!(matches!(&error, DbError::BadQuery(why) if why.contains("REGEXP")), "{error}");
    }
    let lower = query("SELECT covet_lower('ŽLUŤ') LIKE covet_lower(?) ESCAPE '\\'", &[Kind::Bool], vec![text("%ŽLu%")]);
    assert_eq!(shown(&db, lower).await.unwrap(), "[[true]]");
}

#[tokio::test]
async fn only_proven_short_reads_run_inline() {
    let db = open().await;
    assert!(db.try_now(&count("SELECT 1"), soon()).is_none());
    assert!(db.try_now(&post("a"), soon()).is_none());
    let work = Work::Scalar { statement: short("SELECT 7", &[Kind::Int]), params: vec![] };
    assert_eq!(int(&db.try_now(&work, soon()).unwrap().unwrap()), 7);
}

#[tokio::test]
async fn a_short_read_that_is_not_short_leaves_the_worker_thread() {
    let db = open().await;
    let work = Work::Scalar { statement: short(RUNAWAY, &[Kind::Int]), params: vec![] };
    let started = Instant::now();
    assert!(db.try_now(&work, soon()).is_none());
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    // And on the blocking thread its deadline stops it.
    assert_eq!(db.run(work, after(100)).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn reads_cannot_write() {
    let db = open().await;
    let sneaky = query("INSERT INTO authors (name) VALUES ('x') RETURNING id", &[Kind::Int], vec![]);
    assert!(db.run(sneaky, soon()).await.is_err());
    assert_eq!(number(&db, "SELECT count(*) FROM authors").await, 0);
}

#[tokio::test]
async fn closing_closes_the_connections_of_every_thread() {
    let db = open().await;
    let work = || Work::Scalar { statement: short("SELECT 1", &[Kind::Int]), params: vec![] };
    let (told, heard) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel::<()>();
    let clone = db.db.clone();
    let thread = std::thread::spawn(move || {
        assert!(clone.try_now(&work(), soon()).unwrap().is_ok());
        ready.send(()).unwrap();
        heard.recv().unwrap();
        clone.try_now(&work(), soon())
    });
    is_ready.recv().unwrap();
    assert!(db.try_now(&work(), soon()).unwrap().is_ok());
    number(&db, "SELECT 1").await;
    db.db.clone().close().await;
    // The last connection of a SQLite file takes its log along: nothing is open any more.
    assert!(!db.path.with_extension("db-wal").exists());
    told.send(()).unwrap();
    assert!(matches!(thread.join().unwrap(), Some(Err(DbError::Unavailable(_)))));
    assert!(matches!(db.try_now(&work(), soon()), Some(Err(DbError::Unavailable(_)))));
    assert!(matches!(db.run(count("SELECT 1"), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.run(post("a"), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.begin(soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.introspect().await, Err(DbError::Unavailable(_))));
}
