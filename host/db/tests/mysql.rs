//! What only the MySQL driver has to prove. What all drivers have in common stands in the suite.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::time::{Duration, Instant};

use common::{after, change, execute, int, select, show, soon, text};
use covet_db::{
    Access, BeginOptions, Database, DbError, Group, InsertKey, Isolation, Kind, MySql, MySqlOptions, Param, Statement,
    Value, Work,
};
use covet_test_servers::{MariaDb, TestDatabase};

const SCHEMA: &[&str] = &[
    "CREATE TABLE authors (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL)",
    "CREATE TABLE posts (
        id BIGINT AUTO_INCREMENT PRIMARY KEY,
        slug VARCHAR(100) NOT NULL UNIQUE,
        title VARCHAR(50) NOT NULL DEFAULT 'none',
        views BIGINT NOT NULL DEFAULT 0,
        author_id BIGINT,
        UNIQUE KEY posts_author_title (author_id, title),
        CONSTRAINT posts_author FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE,
        CONSTRAINT posts_views CHECK (views >= 0))",
];

struct TestDb {
    db: MySql,
    _database: TestDatabase,
}

impl std::ops::Deref for TestDb {
    type Target = MySql;
    fn deref(&self) -> &MySql {
        &self.db
    }
}

async fn open() -> TestDb {
    open_with(|_| {}).await
}

async fn open_with(set: impl FnOnce(&mut MySqlOptions)) -> TestDb {
    let database = MariaDb::shared().unwrap().database().unwrap();
    let mut options = MySqlOptions::default();
    set(&mut options);
    let db = MySql::open(&database.url(), options).unwrap();
    db.execute_batch(SCHEMA.iter().map(|sql| (*sql).to_owned()).collect()).await.unwrap();
    TestDb { db, _database: database }
}

async fn number(db: &MySql, sql: &str) -> i64 {
    int(&db.run(common::count(sql), soon()).await.unwrap())
}

async fn shown(db: &MySql, work: Work) -> Result<String, DbError> {
    db.run(work, soon()).await.map(|bytes| show(&bytes))
}

fn insert(sql: &str, rows: Vec<Vec<Value>>) -> Work {
    Work::Insert { statement: change(sql), rows, key: InsertKey::Generated }
}

fn slugs(values: &[&str]) -> Vec<Vec<Value>> {
    values.iter().map(|slug| vec![text(slug)]).collect()
}

const POSTS: &str = "INSERT INTO `posts` (`slug`) VALUES /*row*/(?)";
const POSTS_IGNORING: &str = "INSERT /*ignore*/ INTO `posts` (`slug`) VALUES /*row*/(?)";

#[tokio::test]
async fn every_kind_round_trips_its_extremes() {
    let db = open().await;
    let cases: &[(&str, Kind, Value, &str)] = &[
        ("BOOLEAN", Kind::Bool, Value::Bool(true), "true"),
        ("SMALLINT", Kind::Int, Value::Int(-32_768), "-32768"),
        ("INT", Kind::Int, Value::Int(-2_147_483_648), "-2147483648"),
        ("BIGINT", Kind::Int, Value::Int(i64::MIN), "-9223372036854775808"),
        ("BIGINT", Kind::Int, Value::Int(i64::MAX), "9223372036854775807"),
        ("BIGINT", Kind::Duration, Value::Int(i64::MIN), "-9223372036854775808"),
        ("DOUBLE", Kind::Real, Value::Real(f64::MAX), "1.7976931348623157e308"),
        ("DOUBLE", Kind::Real, Value::Real(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
        (
            "DECIMAL(38, 10)",
            Kind::Decimal { digits: 38, scale: 10 },
            Value::Decimal { unscaled: -(10_i128.pow(38) - 1), digits: 38, scale: 10 },
            "\"-9999999999999999999999999999.9999999999\"",
        ),
        ("VARCHAR(20)", Kind::Text, text("a\0b 🦀 שלום "), "\"a\0b 🦀 שלום \""),
        ("LONGTEXT", Kind::Text, text(""), "\"\""),
        ("LONGTEXT", Kind::Json, text("{\"a\": [1, null]}"), "\"{\"a\": [1, null]}\""),
        ("LONGBLOB", Kind::Bytes, Value::Bytes(vec![0, 255, 128]), "h'00 ff 80'"),
        ("LONGBLOB", Kind::Bytes, Value::Bytes(vec![]), "h''"),
        ("BINARY(16)", Kind::Uuid, Value::Uuid([0; 16]), "h'00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00'"),
        ("DATETIME(6)", Kind::Timestamp, Value::Int(-62_135_596_800_000_000), "-62135596800000000"),
        ("DATETIME(6)", Kind::Timestamp, Value::Int(253_402_300_799_999_999), "253402300799999999"),
        ("DATETIME(6)", Kind::Timestamp, Value::Int(-1), "-1"),
        ("DATE", Kind::Date, Value::Int(-719_162), "-719162"),
        ("DATE", Kind::Date, Value::Int(2_932_896), "2932896"),
        ("TIME(6)", Kind::Time, Value::Int(0), "0"),
        ("TIME(6)", Kind::Time, Value::Int(86_399_999_999), "86399999999"),
    ];
    for (at, (column, kind, value, wanted)) in cases.iter().enumerate() {
        let table = format!("t{at}");
        db.execute_batch(vec![format!("CREATE TABLE {table} (v {column})")]).await.unwrap();
        let put =
            Statement::typed(format!("INSERT INTO {table} VALUES (?)"), vec![Param::one(*kind)], vec![], Access::Write);
        for value in [value.clone(), Value::Null] {
            db.run(Work::Execute { statement: put.clone(), params: vec![value] }, soon()).await.unwrap();
        }
        let found = Statement::typed(
            format!("SELECT v FROM {table} WHERE v <=> ? AND v IN (/*list*/?)"),
            vec![Param::one(*kind), Param::list(*kind)],
            vec![Group::flat(vec![*kind])],
            Access::Read,
        );
        let params = vec![value.clone(), Value::List(vec![value.clone(), Value::Null, value.clone()])];
        let found = shown(&db, Work::Query { statement: found, params, max_rows: 9 }).await.unwrap();
        assert_eq!(found.replace("[_ ", "["), format!("[[{wanted}]]"), "{column}");
        let null = shown(&db, common::query(&format!("SELECT v FROM {table} WHERE v IS NULL"), &[*kind], vec![])).await;
        assert_eq!(null.unwrap(), "[[null]]");
    }
}

#[tokio::test]
async fn large_values_pass_and_larger_than_the_server_takes_are_refused() {
    let db = open().await;
    db.execute_batch(vec!["CREATE TABLE blobs (id BIGINT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)".into()])
        .await
        .unwrap();
    let blob = |size: usize| vec![Value::Bytes(vec![7; size])];
    let rows = vec![blob(16 << 20), blob(0), blob((16 << 20) - 1)];
    let keys = shown(&db, insert("INSERT INTO blobs (v) VALUES /*row*/(?)", rows)).await.unwrap();
    assert_eq!(keys, "[1, 2, 3]");
    assert_eq!(number(&db, "SELECT LENGTH(v) FROM blobs WHERE id = 1").await, 16 << 20);
    let refused = db.run(insert("INSERT INTO blobs (v) VALUES (?)", vec![blob(70 << 20)]), soon()).await;
    assert!(matches!(&refused, Err(DbError::TooLarge(text)) if text.contains("max_allowed_packet")), "{refused:?}");
    let found =
        db.run(common::query("SELECT v FROM blobs WHERE id = 1", &[Kind::Bytes], vec![]), soon()).await.unwrap();
    assert_eq!(found.len(), (16 << 20) + 3 + 1 + 5);
}

#[tokio::test]
async fn many_rows_go_in_few_statements_and_all_or_none() {
    let db = open().await;
    let names: Vec<String> = (0..5000).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let keys = db.run(insert(POSTS, slugs(&names)), soon()).await.unwrap();
    assert_eq!(minicbor::Decoder::new(&keys).array().unwrap(), Some(5000));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 5000);
    let again = db.run(insert(POSTS, slugs(&["new", "s77"])), soon()).await;
    assert_eq!(again, Err(DbError::UniqueViolation("posts.slug".into())));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 5000);
    assert_eq!(shown(&db, insert(POSTS, vec![])).await.unwrap(), "[]");
}

#[tokio::test]
async fn ignored_rows_have_no_key_and_other_faults_are_not_ignored() {
    let db = open().await;
    assert_eq!(shown(&db, insert(POSTS, slugs(&["a", "b"]))).await.unwrap(), "[1, 2]");
    let keys = shown(&db, insert(POSTS_IGNORING, slugs(&["c", "a", "d", "c"]))).await.unwrap();
    // The numbers that conflicts used up are not given again.
    let given: Vec<&str> = keys.trim_matches(['[', ']']).split(", ").collect();
    assert_eq!((given[1], given[3]), ("null", "null"), "{keys}");
    assert!(given[0] != "null" && given[2] != "null", "{keys}");
    assert_eq!(shown(&db, insert(POSTS_IGNORING, slugs(&["a"]))).await.unwrap(), "[null]");
    let refused = db.run(insert(POSTS_IGNORING, vec![vec![Value::Null]]), soon()).await;
    assert_eq!(refused, Err(DbError::NotNullViolation("posts.slug".into())));
    let too_long = "x".repeat(101);
    assert!(matches!(
        db.run(insert(POSTS_IGNORING, slugs(&["y", &too_long])), soon()).await,
        Err(DbError::CheckViolation(_))
    ));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 4, "all or none");
}

#[tokio::test]
async fn violations_name_their_columns() {
    let db = open().await;
    db.run(insert(POSTS, slugs(&["a", "b"])), soon()).await.unwrap();
    db.run(insert("INSERT INTO authors (name) VALUES (?)", slugs(&["x"])), soon()).await.unwrap();
    db.run(execute("UPDATE posts SET author_id = 1, title = slug", vec![]), soon()).await.unwrap();
    for (sql, wanted) in [
        ("UPDATE posts SET slug = 'a'", DbError::UniqueViolation("posts.slug".into())),
        ("UPDATE posts SET title = 'a'", DbError::UniqueViolation("posts.author_id, posts.title".into())),
        ("UPDATE posts SET id = 1", DbError::UniqueViolation("posts.id".into())),
        ("INSERT INTO posts (title) VALUES ('x')", DbError::NotNullViolation("posts.slug".into())),
        ("UPDATE posts SET author_id = 77", DbError::ForeignKeyViolation("posts.author_id".into())),
        ("UPDATE posts SET views = -1", DbError::CheckViolation("posts_views".into())),
    ] {
        assert_eq!(db.run(execute(sql, vec![]), soon()).await, Err(wanted), "{sql}");
    }
    let bad = db.run(execute("UPDATE posts SET nothing = 1", vec![]), soon()).await;
    assert!(matches!(bad, Err(DbError::BadQuery(_))), "{bad:?}");
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts WHERE slug IN ('a', 'b')").await, 2);
}

#[tokio::test]
async fn updates_count_the_rows_that_match() {
    let db = open().await;
    db.run(insert(POSTS, slugs(&["a", "b"])), soon()).await.unwrap();
    assert_eq!(shown(&db, execute("UPDATE posts SET views = 0", vec![])).await.unwrap(), "2");
    assert_eq!(shown(&db, execute("DELETE FROM posts WHERE slug = ?", vec![text("a")])).await.unwrap(), "1");
}

fn get_or_create(slug: &str) -> Work {
    Work::GetOrCreate {
        find: select("SELECT slug, views FROM posts WHERE slug = ?", &[Kind::Text, Kind::Int]),
        find_params: vec![text(slug)],
        insert: change("INSERT INTO `posts` (`slug`) VALUES (?)"),
        insert_params: vec![text(slug)],
        reload: select("SELECT slug, views FROM posts WHERE id = ?", &[Kind::Text, Kind::Int]),
        key: InsertKey::Generated,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_get_or_creates_at_once_one_creates() {
    let db = open().await;
    for round in 0..10 {
        let slug = format!("s{round}");
        let all = (0..16).map(|_| {
            let (db, slug) = (db.db.clone(), slug.clone());
            tokio::spawn(async move { shown(&db, get_or_create(&slug)).await.unwrap() })
        });
        let answers = futures::future::join_all(all).await;
        let created = answers.iter().filter(|answer| answer.as_ref().unwrap().starts_with("[true")).count();
        assert_eq!(created, 1, "{answers:?}");
    }
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 10);
}

#[tokio::test]
async fn get_or_create_in_a_transaction_finds_what_its_snapshot_hides() {
    let db = open().await;
    let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
    assert_eq!(int(&transaction.run(common::count("SELECT COUNT(*) FROM posts")).await.unwrap()), 0);
    db.run(insert(POSTS, slugs(&["a"])), soon()).await.unwrap();
    let found = transaction.run(get_or_create("a")).await.unwrap();
    assert_eq!(show(&found), "[false, [\"a\", 0]]");
    let made = transaction.run(get_or_create("b")).await.unwrap();
    assert_eq!(show(&made), "[true, [\"b\", 0]]");
    transaction.rollback().await.unwrap();
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 1);
}

#[tokio::test]
async fn a_failed_work_is_undone_and_the_transaction_lives_on() {
    let db = open().await;
    let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
    transaction.run(insert(POSTS, slugs(&["a"]))).await.unwrap();
    let outer = transaction.savepoint().await.unwrap();
    let failed = transaction.run(insert(POSTS, slugs(&["b", "c", "a"]))).await;
    assert_eq!(failed, Err(DbError::UniqueViolation("posts.slug".into())));
    transaction.run(insert(POSTS, slugs(&["d"]))).await.unwrap();
    let inner = transaction.savepoint().await.unwrap();
    transaction.run(insert(POSTS, slugs(&["e"]))).await.unwrap();
    transaction.rollback_to(inner).await.unwrap();
    assert!(matches!(transaction.rollback_to(inner).await, Err(DbError::BadQuery(_))));
    transaction.release(outer).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT GROUP_CONCAT(slug) = 'a,d' FROM posts").await, 1);
}

#[tokio::test]
async fn dropped_and_late_transactions_are_rolled_back() {
    let db = open_with(|options| (options.pool.min_size, options.pool.max_size) = (0, 1)).await;
    let transaction = db.begin(BeginOptions::default(), soon()).await.unwrap();
    transaction.run(insert(POSTS, slugs(&["a"]))).await.unwrap();
    drop(transaction);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 0, "on the same connection, clean again");

    let transaction = db.begin(BeginOptions::default(), after(200)).await.unwrap();
    transaction.run(insert(POSTS, slugs(&["a"]))).await.unwrap();
    // The guest thinks; its locks and its connection are free at the deadline all the same.
    assert_eq!(number(&db, "SELECT COUNT(*) FROM posts").await, 0);
    assert_eq!(transaction.run(insert(POSTS, slugs(&["b"]))).await, Err(DbError::TransactionClosed));
    assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    assert_eq!(db.pool_stats().created, 1, "no connection was lost by it");
}

#[tokio::test]
async fn isolation_levels_are_as_asked() {
    let db = open().await;
    let level = async |isolation| {
        let transaction = db.begin(BeginOptions { isolation }, soon()).await.unwrap();
        let before = int(&transaction.run(common::count("SELECT COUNT(*) FROM posts")).await.unwrap());
        db.run(insert("INSERT INTO posts (slug) VALUES (UUID())", vec![vec![]]), soon()).await.unwrap();
        int(&transaction.run(common::count("SELECT COUNT(*) FROM posts")).await.unwrap()) - before
    };
    assert_eq!(level(Some(Isolation::ReadCommitted)).await, 1);
    assert_eq!(level(Some(Isolation::RepeatableRead)).await, 0);
    assert_eq!(level(None).await, 0);
}

#[tokio::test]
async fn deadlines_stop_reads_and_undo_writes() {
    let db = open().await;
    db.run(insert(POSTS, slugs(&["a"])), soon()).await.unwrap();
    let started = Instant::now();
    let slow = common::query("SELECT SLEEP(20)", &[Kind::Int], vec![]);
    assert_eq!(db.run(slow, after(200)).await, Err(DbError::Timeout));
    let slow = execute("UPDATE posts SET views = 1 + SLEEP(20)", vec![]);
    assert_eq!(db.run(slow, after(200)).await, Err(DbError::Timeout));
    let many = "INSERT INTO posts (slug, views) VALUES /*row*/(?, SLEEP(20))";
    assert_eq!(db.run(insert(many, slugs(&["b", "c"])), after(200)).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(number(&db, "SELECT SUM(views) + COUNT(*) FROM posts").await, 1);
    assert_eq!(db.run(common::count("SELECT 1"), Instant::now()).await, Err(DbError::Timeout));
    assert_eq!(db.pool_stats().destroyed, 0, "stopped, not cut off");
}

#[tokio::test]
async fn a_dropped_call_stops_its_statement() {
    let db = open().await;
    db.run(insert(POSTS, slugs(&["a"])), soon()).await.unwrap();
    let slow = execute("UPDATE posts SET views = 1 + SLEEP(30)", vec![]);
    let left = tokio::time::timeout(Duration::from_millis(200), db.run(slow, soon())).await;
    assert!(left.is_err());
    // The row is locked until the statement is stopped.
    let started = Instant::now();
    db.run(execute("UPDATE posts SET views = 5", vec![]), soon()).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(number(&db, "SELECT views FROM posts").await, 5);
}

#[tokio::test]
async fn too_many_rows_and_too_large_answers_leave_the_connection_whole() {
    let db = open_with(|options| options.max_result_bytes = 100_000).await;
    let numbers = |rows: &str| format!("SELECT seq FROM seq_1_to_{rows}");
    for rows in ["11", "1000000000"] {
        let work = Work::Query { statement: select(&numbers(rows), &[Kind::Int]), params: vec![], max_rows: 10 };
        let refused = db.run(work, soon()).await;
        assert!(matches!(&refused, Err(DbError::TooLarge(text)) if text.contains("max_rows")), "{refused:?}");
    }
    let work = Work::Query { statement: select(&numbers("100000"), &[Kind::Int]), params: vec![], max_rows: 1_000_000 };
    let refused = db.run(work, soon()).await;
    assert!(matches!(&refused, Err(DbError::TooLarge(text)) if text.contains("max_result_bytes")), "{refused:?}");
    assert_eq!(number(&db, "SELECT 7").await, 7);
    assert_eq!(db.pool_stats().destroyed, 0);
}

#[tokio::test]
async fn command_timeout_and_settings_reach_the_server() {
    let db = open_with(|options| {
        options.command_timeout = Some(Duration::from_millis(300));
        options.server_settings =
            vec![("innodb_lock_wait_timeout".into(), "7".into()), ("sql_mode".into(), "ANSI_QUOTES".into())];
    })
    .await;
    assert_eq!(number(&db, "SELECT @@innodb_lock_wait_timeout").await, 7);
    assert_eq!(number(&db, "SELECT \"5\" + 1 = 6 AND @@time_zone = '+00:00' AND @@autocommit").await, 1);
    let started = Instant::now();
    assert_eq!(db.run(common::query("SELECT SLEEP(9)", &[Kind::Int], vec![]), soon()).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_database_are_told() {
    let database = MariaDb::shared().unwrap().database().unwrap();
    let parts = database.parts();
    for url in [database.url().replace(&parts.password, "wrong"), database.url().replace(&parts.database, "nowhere")] {
        let refused = MySql::open(&url, MySqlOptions::default()).unwrap().run(common::count("SELECT 1"), soon()).await;
        assert!(matches!(&refused, Err(DbError::Unavailable(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn what_the_server_has_is_found() {
    let db = open().await;
    db.execute_batch(vec![
        "CREATE TABLE pairs (a VARCHAR(10), b INT, c JSON, d DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (a, b))".into(),
        "CREATE INDEX pairs_d ON pairs (d DESC, b)".into(),
        "CREATE VIEW seen AS SELECT 1 AS one".into(),
    ])
    .await
    .unwrap();
    let found = db.introspect().await.unwrap();
    let names: Vec<&str> = found.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["authors", "pairs", "posts"], "without the view");
    let posts = found.table("posts").unwrap();
    let columns: Vec<_> = posts
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.decl_type.as_str(), c.not_null, c.pk, c.default.as_deref(), c.unique))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", "BIGINT", true, true, None, true),
            ("slug", "VARCHAR(100)", true, false, None, true),
            ("title", "VARCHAR(50)", true, false, Some("'none'"), false),
            ("views", "BIGINT", true, false, Some("0"), false),
            ("author_id", "BIGINT", false, false, None, false),
        ]
    );
    let index = posts.indexes.iter().find(|index| index.name == "posts_author_title").unwrap();
    assert_eq!(index.columns, ["author_id", "title"]);
    assert!(index.unique && !index.partial);
    let [key] = posts.foreign_keys.as_slice() else { panic!("one foreign key: {:?}", posts.foreign_keys) };
    assert_eq!((key.table.as_str(), key.on_delete.as_str()), ("authors", "CASCADE"));
    assert_eq!(
        (key.columns.as_slice(), key.references.as_slice()),
        (&["author_id".to_owned()][..], &["id".to_owned()][..])
    );
    let pairs = found.table("pairs").unwrap();
    assert!(pairs.columns.iter().all(|column| !column.unique));
    assert_eq!(pairs.column("c").unwrap().decl_type, "JSON");
    assert_eq!(pairs.column("d").unwrap().default.as_deref(), Some("current_timestamp(6)"));
    let [index] = pairs.indexes.as_slice() else { panic!("one index: {:?}", pairs.indexes) };
    assert_eq!(
        (index.columns.as_slice(), index.descending.as_slice()),
        (&["d".to_owned(), "b".to_owned()][..], &[true, false][..])
    );
}

#[tokio::test]
async fn the_enum_serves_it_like_the_others() {
    let db = open().await;
    let database = Database::MySql(db.db.clone());
    assert!(database.try_now(&common::count("SELECT 1"), soon()).is_none());
    assert_eq!(database.capabilities().await.unwrap().to_string().split(' ').next(), Some("MariaDB"));
    database.close().await;
    assert!(matches!(db.run(common::count("SELECT 1"), soon()).await, Err(DbError::Unavailable(_))));
}
