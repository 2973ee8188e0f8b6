//! The baseline of the `orm` group: `rusqlite` with cached statements, in thread, into the same structs as the guest's.
//!
//! Reads go to the host's own file through a connection of ours; writes go to a copy of it beside, under the same
//! pragmas, so that neither side waits for the other's locks.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row, params};

use crate::sample::timed;

/// The same fields and types as the bench plugin's models.
#[derive(Debug)]
#[expect(dead_code, reason = "filled for its cost; a few fields are read to prove that it was")]
pub struct User {
    id: i64,
    username: String,
    email: String,
    age: i64,
}

#[derive(Debug)]
#[expect(dead_code, reason = "as above")]
pub struct Author {
    id: i64,
    name: String,
    email: String,
}

#[derive(Debug)]
#[expect(dead_code, reason = "as above")]
pub struct Post {
    id: i64,
    title: String,
    author: AuthorKey,
    published: bool,
    views: i64,
    created_at: DateTime<Utc>,
}

/// A foreign key, alone or with its row.
#[derive(Debug)]
#[expect(dead_code, reason = "as above")]
pub struct AuthorKey {
    id: i64,
    row: Option<Box<Author>>,
}

// Limits are literals, to the baseline's advantage: with a parameter there SQLite plans anew at each call (unless told not to).
const USER: &str = "SELECT id, username, email, age FROM bench_users WHERE id = ?1 LIMIT 2";
const POSTS: &str = "SELECT id, title, author_id, published, views, created_at FROM bench_posts ORDER BY id LIMIT 1000";
const JOIN: &str = "SELECT p.id, p.title, p.author_id, p.published, p.views, p.created_at, a.id, a.name, a.email \
    FROM bench_posts p JOIN bench_authors a ON a.id = p.author_id WHERE p.author_id = ?1 LIMIT 10";

#[derive(Debug)]
pub struct Native {
    read: Connection,
    write: Connection,
    directory: tempfile::TempDir,
}

impl Native {
    /// Opens `file`, the host's database, for reading, and a copy of it for writing.
    pub fn open(file: &Path) -> Result<Native> {
        let read =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .with_context(|| format!("open {}", file.display()))?;
        let directory = tempfile::Builder::new()
            .prefix("native-")
            .tempdir_in(file.parent().context("the database has no directory")?)?;
        let copy = directory.path().join("copy.db");
        read.execute("VACUUM INTO ?1", [copy.to_str().context("path")?])?;
        let write =
            Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        for connection in [&read, &write] {
            // To the baseline's advantage, without it SQLite plans the JOIN anew at each call.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection
                .execute_batch("PRAGMA cache_size = -16384; PRAGMA mmap_size = 268435456; PRAGMA foreign_keys = ON;")?;
        }
        write.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        Ok(Native { read, write, directory })
    }

    /// The same work as the guest's `/bench/WORK`, `n` times in batches; each batch's mean in nanoseconds.
    pub fn run(&self, work: &str, n: u64, batch: u64) -> Result<Vec<f64>> {
        let read = &self.read;
        let write = &self.write;
        match work {
            "pk" => timed(n, batch, |i| {
                let mut statement = read.prepare_cached(USER)?;
                let user = statement.query_row([user_of(i)], user)?;
                Ok(user.id as u64 + user.username.len() as u64)
            }),
            "join" => timed(n, batch, |i| {
                let mut statement = read.prepare_cached(JOIN)?;
                let posts = statement.query_map([author_of(i)], joined)?.collect::<Result<Vec<Post>, _>>()?;
                expect(posts.len(), 10)
            }),
            "rows" => timed(n, batch, |_| {
                let mut statement = read.prepare_cached(POSTS)?;
                let posts = statement.query_map([], post)?.collect::<Result<Vec<Post>, _>>()?;
                expect(posts.len(), 1000)
            }),
            "count" => timed(n, batch, |i| {
                let mut statement = read.prepare_cached("SELECT COUNT(*) FROM bench_posts WHERE author_id = ?1")?;
                Ok(statement.query_row([author_of(i)], |r| r.get::<_, i64>(0))? as u64)
            }),
            "exists" => timed(n, batch, |i| {
                let mut statement =
                    read.prepare_cached("SELECT EXISTS(SELECT 1 FROM bench_users WHERE username = ?1)")?;
                Ok(u64::from(statement.query_row([format!("user-{}", user_of(i))], |r| r.get::<_, bool>(0))?))
            }),
            "values" => timed(n, batch, |i| {
                let mut statement =
                    read.prepare_cached("SELECT title, views FROM bench_posts WHERE author_id = ?1 LIMIT 10")?;
                let rows = statement
                    .query_map([author_of(i)], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?)))?
                    .collect::<Result<Vec<_>, _>>()?;
                expect(rows.len(), 10)
            }),
            "only" => timed(n, batch, |i| {
                let mut statement =
                    read.prepare_cached("SELECT id, title FROM bench_posts WHERE author_id = ?1 LIMIT 10")?;
                let rows = statement
                    .query_map([author_of(i)], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))?
                    .collect::<Result<Vec<_>, _>>()?;
                expect(rows.len(), 10)
            }),
            "insert" => timed(n, batch, |i| {
                let mut statement = write.prepare_cached("INSERT INTO bench_hits (path, hits) VALUES (?1, ?2)")?;
                statement.execute(params![format!("/path/{i}"), i as i64])?;
                Ok(write.last_insert_rowid() as u64)
            }),
            "update" => {
                let first = self.hits(n)?;
                timed(n, batch, |i| {
                    let mut statement = write.prepare_cached("UPDATE bench_hits SET hits = ?1 WHERE id = ?2")?;
                    expect(statement.execute(params![i as i64 + 1, first + i as i64])?, 1)
                })
            }
            "delete" => {
                let first = self.hits(n)?;
                timed(n, batch, |i| {
                    let mut statement = write.prepare_cached("DELETE FROM bench_hits WHERE id = ?1")?;
                    expect(statement.execute([first + i as i64])?, 1)
                })
            }
            other => bail!("no native work {other:?}"),
        }
    }

    /// Stores `n` rows in one transaction; their keys follow each other from the one returned.
    fn hits(&self, n: u64) -> Result<i64> {
        let transaction = self.write.unchecked_transaction()?;
        let mut first = None;
        for i in 0..n {
            transaction
                .prepare_cached("INSERT INTO bench_hits (path, hits) VALUES (?1, ?2)")?
                .execute(params![format!("/path/{i}"), 0])?;
            first.get_or_insert(transaction.last_insert_rowid());
        }
        transaction.commit()?;
        first.context("n is 0")
    }

    /// Where the copy lies.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Rows seeded by the plugin's `/seed`: keys 1..=USERS and 1..=AUTHORS, ten posts and more for each author.
pub const USERS: u64 = 10_000;
pub const AUTHORS: u64 = 500;
pub const POSTS_COUNT: u64 = 10_000;

/// Walks all users in an order that is not that of the pages; the guest does the same.
fn user_of(i: u64) -> i64 {
    (i.wrapping_mul(7919) % USERS) as i64 + 1
}

fn author_of(i: u64) -> i64 {
    (i.wrapping_mul(7919) % AUTHORS) as i64 + 1
}

fn expect(got: usize, want: usize) -> Result<u64> {
    if got != want {
        bail!("{got} rows, {want} expected: is the database seeded?");
    }
    Ok(got as u64)
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User { id: row.get(0)?, username: row.get(1)?, email: row.get(2)?, age: row.get(3)? })
}

fn post(row: &Row<'_>) -> rusqlite::Result<Post> {
    let micros: i64 = row.get(5)?;
    Ok(Post {
        id: row.get(0)?,
        title: row.get(1)?,
        author: AuthorKey { id: row.get(2)?, row: None },
        published: row.get(3)?,
        views: row.get(4)?,
        created_at: DateTime::from_timestamp_micros(micros)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(5, micros))?,
    })
}

fn joined(row: &Row<'_>) -> rusqlite::Result<Post> {
    let mut post = post(row)?;
    post.author.row = Some(Box::new(Author { id: row.get(6)?, name: row.get(7)?, email: row.get(8)? }));
    Ok(post)
}
