//! Reads: values, rows, limits, deadlines, SQL functions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::time::{Duration, Instant};

use common::*;
use covet_db::{Access, DbError, Group, Kind, SqliteOptions, Statement, Value, Work};
use minicbor::Decoder;

const BIG: Kind = Kind::Decimal { digits: 38, scale: 10 };
const SMALL: Kind = Kind::Decimal { digits: 18, scale: 2 };

#[tokio::test]
async fn every_kind_comes_back_as_it_was_bound() {
    let db = open().await;
    let largest = 10_i128.pow(38) - 1;
    let decimal = |unscaled, digits, scale| Value::Decimal { unscaled, digits, scale };
    let cases = [
        (Kind::Bool, Value::Bool(true), "true"),
        (Kind::Bool, Value::Bool(false), "false"),
        (Kind::Int, Value::Int(i64::MIN), "-9223372036854775808"),
        (Kind::Int, Value::Int(i64::MAX), "9223372036854775807"),
        (Kind::Text, text(""), "\"\""),
        (Kind::Text, text("žluťoučký 🐎\0tail"), "\"žluťoučký 🐎\0tail\""),
        (Kind::Bytes, Value::Bytes(vec![]), "h''"),
        (Kind::Bytes, Value::Bytes(vec![0, 255]), "h'00 ff'"),
        (Kind::Timestamp, Value::Int(-62_135_596_800_000_000), "-62135596800000000"),
        (Kind::Date, Value::Int(-719_162), "-719162"),
        (Kind::Time, Value::Int(86_399_999_999), "86399999999"),
        (Kind::Duration, Value::Int(-1), "-1"),
        (Kind::Json, text("{\"a\":[1]}"), "\"{\"a\":[1]}\""),
        (Kind::Uuid, Value::Uuid([0xab; 16]), "h'ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab'"),
        (SMALL, decimal(-1250, 18, 2), "\"-12.50\""),
        (SMALL, decimal(10_i128.pow(18) - 1, 18, 2), "\"9999999999999999.99\""),
        (BIG, decimal(largest, 38, 10), "\"9999999999999999999999999999.9999999999\""),
        (BIG, decimal(-largest, 38, 10), "\"-9999999999999999999999999999.9999999999\""),
        (BIG, decimal(0, 38, 10), "\"0.0000000000\""),
    ];
    for (kind, value, wire) in cases {
        let work =
            |value: Value| Work::Query { statement: short("SELECT ?", &[kind]), params: vec![value], max_rows: 1 };
        assert_eq!(shown(&db, work(value.clone())).await.unwrap(), format!("[[{wire}]]"), "{kind:?} {value:?}");
        assert_eq!(shown(&db, work(Value::Null)).await.unwrap(), "[[null]]", "{kind:?}");
    }
    for value in [0.1, -0.0, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY] {
        let work = Work::Scalar { statement: short("SELECT ?", &[Kind::Real]), params: vec![Value::Real(value)] };
        let bytes = db.run(work, soon()).await.unwrap();
        assert_eq!(Decoder::new(&bytes).f64().unwrap().to_bits(), value.to_bits());
    }
}

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
async fn rows_nest_as_their_groups_say() {
    let db = open().await;
    let nested = |sql: &str| Work::Query {
        statement: Statement::new(
            sql,
            vec![
                Group::flat(vec![Kind::Int, Kind::Text]),
                Group::nested(vec![Kind::Int, Kind::Text], true),
                Group::nested(vec![Kind::Int], false),
            ],
            Access::ShortRead,
        ),
        params: vec![],
        max_rows: 10,
    };
    assert_eq!(
        shown(&db, nested("SELECT 1, 'a', 2, 'b', NULL UNION ALL SELECT 3, NULL, NULL, NULL, 4")).await.unwrap(),
        "[[1, \"a\", [2, \"b\"], [null]], [3, null, null, [4]]]"
    );
    // As many columns as the layout needs, or a clear error.
    let error = shown(&db, nested("SELECT 1, 'a'")).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("2 columns")), "{error}");
}

#[tokio::test]
async fn answers_hold_any_number_of_rows_up_to_max_rows() {
    let db = open().await;
    let series = |rows: u64, max_rows: u64| Work::Query {
        statement: select(
            "WITH RECURSIVE n(i) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT i FROM n",
            &[Kind::Int],
        ),
        params: vec![Value::Int(rows as i64)],
        max_rows,
    };
    for (rows, max_rows) in
        [(0, 1), (23, 23), (24, 24), (24, 255), (255, 256), (3, 65_536), (300, u64::MAX), (70_000, 70_000)]
    {
        let bytes = db.run(series(rows, max_rows), soon()).await.unwrap();
        let mut cbor = Decoder::new(&bytes);
        assert_eq!(cbor.array().unwrap(), Some(rows), "{rows} of {max_rows}");
        for i in 1..=rows {
            assert_eq!(cbor.array().unwrap(), Some(1));
            assert_eq!(cbor.u64().unwrap(), i);
        }
        assert_eq!(cbor.position(), bytes.len());
    }
    let error = db.run(series(11, 10), soon()).await.unwrap_err();
    assert!(matches!(&error, DbError::TooLarge(why) if why.contains("10 rows") && why.contains("limit()")), "{error}");
}

#[tokio::test]
async fn an_answer_past_the_byte_limit_is_too_large() {
    let db = open_with(SqliteOptions { max_result_bytes: 10_000, ..SqliteOptions::default() }).await;
    let error = shown(&db, query("SELECT zeroblob(20000)", &[Kind::Bytes], vec![])).await.unwrap_err();
    assert!(matches!(&error, DbError::TooLarge(why) if why.contains("10000 bytes")), "{error}");
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
async fn parameters_must_fit_the_placeholders() {
    let db = open().await;
    for params in [vec![], vec![Value::Int(1); 3]] {
        let error = shown(&db, query("SELECT ?1 + ?2", &[Kind::Int], params)).await.unwrap_err();
        assert!(matches!(&error, DbError::BadQuery(why) if why.contains("2 placeholders")), "{error}");
    }
    let big = Value::Decimal { unscaled: 1000, digits: 3, scale: 1 };
    let error = shown(&db, query("SELECT ?", &[SMALL], vec![big])).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("100.0")), "{error}");
    let error = shown(&db, query("SELEC 1", &[Kind::Int], vec![])).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("syntax error")), "{error}");
}

#[tokio::test]
async fn a_list_is_bound_to_one_placeholder() {
    let db = open().await;
    db.run(posts(&["a", "b", "c"]), soon()).await.unwrap();
    let find = select("SELECT slug FROM posts WHERE slug IN rarray(?) ORDER BY slug", &[Kind::Text]);
    for (list, expected) in [(vec![text("c"), text("a"), text("x")], "[[\"a\"], [\"c\"]]"), (vec![], "[]")] {
        let work = Work::Query { statement: find.clone(), params: vec![Value::List(list)], max_rows: 9 };
        assert_eq!(shown(&db, work).await.unwrap(), expected);
    }
    let nested = Value::List(vec![Value::List(vec![])]);
    assert!(matches!(
        shown(&db, query("SELECT 1 IN rarray(?)", &[Kind::Bool], vec![nested])).await,
        Err(DbError::BadQuery(_))
    ));
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
async fn scalars_answer_null_where_there_is_no_row() {
    let db = open().await;
    let scalar = |sql: &str, kind| Work::Scalar { statement: short(sql, &[kind]), params: vec![] };
    assert_eq!(shown(&db, scalar("SELECT count(*) FROM posts", Kind::Int)).await.unwrap(), "0");
    assert_eq!(shown(&db, scalar("SELECT EXISTS (SELECT 1 FROM posts)", Kind::Bool)).await.unwrap(), "false");
    assert_eq!(shown(&db, scalar("SELECT id FROM posts", Kind::Int)).await.unwrap(), "null");
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
async fn a_runaway_read_is_stopped_at_its_deadline_and_its_connection_serves_on() {
    let db = open_with(SqliteOptions { readers: 1, ..SqliteOptions::default() }).await;
    let started = Instant::now();
    assert_eq!(db.run(count(RUNAWAY), after(100)).await, Err(DbError::Timeout));
    assert!((100..3000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    assert_eq!(number(&db, "SELECT 1").await, 1);
    assert_eq!(db.run(count("SELECT 1"), Instant::now()).await, Err(DbError::Timeout));
}

#[tokio::test]
async fn readers_are_bounded_and_a_dropped_read_frees_its_own() {
    let db = open_with(SqliteOptions { readers: 1, ..SqliteOptions::default() }).await;
    let mut runaway = Box::pin(db.run(count(RUNAWAY), soon()));
    tokio::select! {
        _ = &mut runaway => unreachable!("it never ends"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    assert_eq!(db.run(count("SELECT 1"), after(50)).await, Err(DbError::PoolExhausted));
    drop(runaway);
    assert_eq!(int(&db.run(count("SELECT 1"), after(5000)).await.unwrap()), 1);
}

#[tokio::test]
async fn reads_cannot_write() {
    let db = open().await;
    let sneaky = query("INSERT INTO authors (name) VALUES ('x') RETURNING id", &[Kind::Int], vec![]);
    assert!(db.run(sneaky, soon()).await.is_err());
    assert_eq!(number(&db, "SELECT count(*) FROM authors").await, 0);
}

#[tokio::test]
async fn reads_see_new_columns_after_ddl() {
    let db = open().await;
    let all = short("SELECT * FROM authors", &[Kind::Int, Kind::Text]);
    let work = || Work::Query { statement: all.clone(), params: vec![], max_rows: 9 };
    assert_eq!(shown(&db, work()).await.unwrap(), "[]");
    db.execute_batch(vec![
        "INSERT INTO authors (name) VALUES ('a')".into(),
        "ALTER TABLE authors ADD COLUMN age INTEGER".into(),
    ])
    .await
    .unwrap();
    assert_eq!(shown(&db, work()).await.unwrap(), "[[1, \"a\"]]");
}

#[tokio::test]
async fn more_statements_than_the_stock_holds_all_work() {
    let db = open_with(SqliteOptions { statements: 16, ..SqliteOptions::default() }).await;
    let statements: Vec<_> = (0..40).map(|i| short(&format!("SELECT {i} + ?"), &[Kind::Int])).collect();
    for round in 0..3 {
        for (i, statement) in statements.iter().enumerate() {
            let work = Work::Scalar { statement: statement.clone(), params: vec![Value::Int(round)] };
            assert_eq!(int(&db.try_now(&work, soon()).unwrap().unwrap()), i as i64 + round);
        }
    }
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
