//! A database in a folder of its own, and short ways to say work.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]
#![allow(dead_code, reason = "each test file uses its share")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use covet_db::{Access, DbError, Group, InsertKey, Kind, Sqlite, SqliteOptions, Statement, Value, Work};
use minicbor::Decoder;

pub struct TestDb {
    pub db: Sqlite,
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for TestDb {
    type Target = Sqlite;
    fn deref(&self) -> &Sqlite {
        &self.db
    }
}

pub const SCHEMA: &str = "
    CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
    CREATE TABLE posts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        slug TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL DEFAULT 'none' CHECK (length(title) < 20),
        views INTEGER NOT NULL DEFAULT 0,
        author_id INTEGER REFERENCES authors(id) ON DELETE CASCADE
    );
    CREATE UNIQUE INDEX posts_title_views ON posts(title, views) WHERE title <> 'none';
    CREATE TABLE late (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES authors(id) DEFERRABLE INITIALLY DEFERRED)";

/// A read that would run for minutes.
pub const RUNAWAY: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

pub async fn open() -> TestDb {
    open_with(SqliteOptions::default()).await
}

pub async fn open_with(options: SqliteOptions) -> TestDb {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/down/test.db");
    let db = Sqlite::open(&path, options).unwrap();
    db.execute_batch(vec![SCHEMA.to_owned()]).await.unwrap();
    TestDb { db, path, _folder: folder }
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub fn after(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

pub fn select(sql: &str, kinds: &[Kind]) -> Statement {
    Statement::new(sql, vec![Group::flat(kinds.to_vec())], Access::Read)
}

pub fn short(sql: &str, kinds: &[Kind]) -> Statement {
    Statement::new(sql, vec![Group::flat(kinds.to_vec())], Access::ShortRead)
}

pub fn change(sql: &str) -> Statement {
    Statement::new(sql, Vec::new(), Access::Write)
}

pub fn query(sql: &str, kinds: &[Kind], params: Vec<Value>) -> Work {
    Work::Query { statement: select(sql, kinds), params, max_rows: 1000 }
}

pub fn count(sql: &str) -> Work {
    Work::Scalar { statement: select(sql, &[Kind::Int]), params: Vec::new() }
}

pub fn execute(sql: &str, params: Vec<Value>) -> Work {
    Work::Execute { statement: change(sql), params }
}

pub fn post(slug: &str) -> Work {
    posts(&[slug])
}

pub fn posts(slugs: &[&str]) -> Work {
    let rows = slugs.iter().map(|slug| vec![text(slug)]).collect();
    Work::Insert { statement: change("INSERT INTO posts (slug) VALUES (?)"), rows, key: InsertKey::Generated }
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub fn int(bytes: &[u8]) -> i64 {
    let mut cbor = Decoder::new(bytes);
    let value = cbor.i64().unwrap();
    assert_eq!(cbor.position(), bytes.len(), "more than one item");
    value
}

pub async fn number(db: &Sqlite, sql: &str) -> i64 {
    int(&db.run(count(sql), soon()).await.unwrap())
}

/// A CBOR item as diagnostic notation (RFC 8949 §8), which reads well in assertions.
pub fn show(bytes: &[u8]) -> String {
    minicbor::display(bytes).to_string()
}

pub async fn shown(db: &Sqlite, work: Work) -> Result<String, DbError> {
    db.run(work, soon()).await.map(|bytes| show(&bytes))
}
