//! Reads by primary key from PostgreSQL, beside sqlx by hand and sqlx's pool, in the same run on a server of its own.
//!
//! `cargo run --release -p covet-db --example point_reads`. Prints µs a read, the best of several rounds each; on a busy machine
//! only the ratios count.

#![allow(clippy::unwrap_used, reason = "a measurement that fails ends")]

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use covet_db::pool::{Condition, Driver, Pool};
use covet_db::{Access, DbError, Group, Kind, Param, PoolOptions, Postgres, PostgresOptions, Statement, Value, Work};
use covet_test_servers::{Options, Postgres as Server};
use sqlx_core::connection::Connection;
use sqlx_core::executor::Executor;
use sqlx_core::query::query;
use sqlx_core::row::Row;
use sqlx_postgres::PgConnection;

const ROWS: i64 = 10_000;
const TASKS: i64 = 64;
const READS: i64 = 4_000;
const ROUNDS: usize = 7;
const SQL: &str = "SELECT id, title, views FROM posts WHERE id = $1";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = tokio::task::spawn_blocking(|| Server::private(&Options::fast()).unwrap()).await.unwrap();
    let url = server.url().to_string();
    let together = open(&url, true);
    let apart = open(&url, false);
    let rows = format!("INSERT INTO posts SELECT i, 'title ' || i, i FROM generate_series(1, {ROWS}) i");
    let table = "CREATE TABLE posts (id BIGINT PRIMARY KEY, title TEXT, views BIGINT)";
    together.execute_batch(vec![table.into(), rows]).await.unwrap();
    let mut held = PgConnection::connect(&url).await.unwrap();
    let sqlx = sqlx_core::pool::PoolOptions::<sqlx_postgres::Postgres>::new().max_connections(8);
    let sqlx = sqlx.connect(&url).await.unwrap();
    let statement = statement();

    let mut best = [f64::MAX; 7];
    for _ in 0..ROUNDS {
        let from = Instant::now();
        for i in 0..READS / 4 {
            by_hand(&mut held, i).await;
        }
        keep(&mut best[0], from, READS / 4);
        for (at, db) in [(1, &together), (2, &apart)] {
            let from = Instant::now();
            for i in 0..READS / 4 {
                ours(db, &statement, i).await;
            }
            keep(&mut best[at], from, READS / 4);
        }
        let from = Instant::now();
        for i in 0..READS / 4 {
            by_hand(&mut sqlx.acquire().await.unwrap(), i).await;
        }
        keep(&mut best[3], from, READS / 4);
        let from = Instant::now();
        let to = sqlx.clone();
        at_once(move |i| {
            let sqlx = to.clone();
            async move { by_hand(&mut sqlx.acquire().await.unwrap(), i).await }
        })
        .await;
        keep(&mut best[4], from, READS);
        for (at, db) in [(5, &together), (6, &apart)] {
            let from = Instant::now();
            let to = (db.clone(), statement.clone());
            at_once(move |i| {
                let (db, statement) = to.clone();
                async move { ours(&db, &statement, i).await }
            })
            .await;
            keep(&mut best[at], from, READS);
        }
    }
    let names = [
        "one after the other: sqlx, held connection",
        "one after the other: ours",
        "one after the other: ours, coalescing off",
        "one after the other: sqlx's pool",
        "64 tasks: sqlx's pool of 8",
        "64 tasks: ours, pool of 8",
        "64 tasks: ours, pool of 8, coalescing off",
    ];
    for (name, micros) in names.iter().zip(best) {
        println!("{micros:8.2} µs a read   {name}");
    }
    println!("{:8.2}   ours alone ÷ held connection", best[1] / best[0]);
    println!("{:8.2}   throughput of 64 tasks, ours ÷ sqlx's pool", best[4] / best[5]);
    acquire_alone().await;
}

fn keep(best: &mut f64, from: Instant, reads: i64) {
    *best = best.min(from.elapsed().as_secs_f64() * 1e6 / reads as f64);
}

fn open(url: &str, coalesce: bool) -> Postgres {
    let pool = PoolOptions { max_size: 8, ..PoolOptions::default() };
    Postgres::open(url, PostgresOptions { pool, coalesce, ..PostgresOptions::default() }).unwrap()
}

fn statement() -> Statement {
    let (int, text) = (Kind::Int, Kind::Text);
    let select = |sql: &str, param, columns: &[Kind]| {
        Statement::typed(sql, vec![param], vec![Group::flat(columns.to_vec())], Access::ShortRead)
    };
    let batch = "SELECT id, id, title, views FROM posts WHERE id = ANY($1)";
    select(SQL, Param::one(int), &[int, text, int]).with_batch(select(batch, Param::list(int), &[int, int, text, int]))
}

async fn by_hand(connection: &mut PgConnection, i: i64) {
    let row = connection.fetch_one(query(SQL).bind(key(i))).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), key(i));
}

async fn ours(db: &Postgres, statement: &Statement, i: i64) {
    let work = Work::Query { statement: statement.clone(), params: vec![Value::Int(key(i))], max_rows: 1 };
    let bytes = db.run(work, Instant::now() + Duration::from_secs(30)).await.unwrap();
    assert!(bytes.len() > 4);
}

/// Spread over the table.
fn key(i: i64) -> i64 {
    1 + i * 7919 % ROWS
}

async fn at_once<F: Future<Output = ()> + Send + 'static>(read: impl Fn(i64) -> F + Clone + Send + 'static) {
    let tasks = (0..TASKS).map(|task| {
        let read = read.clone();
        tokio::spawn(async move {
            for i in 0..READS / TASKS {
                read(task * 1000 + i).await;
            }
        })
    });
    futures::future::join_all(tasks).await;
}

/// The pool by itself, around connections that are nothing.
async fn acquire_alone() {
    struct Nothing;
    impl Driver for Nothing {
        type Connection = ();
        async fn connect(&self) -> Result<(), DbError> {
            Ok(())
        }
        async fn ping(&self, (): &mut ()) -> Result<(), DbError> {
            Ok(())
        }
        async fn close(&self, (): ()) {}
        fn condition(&self, (): &()) -> Condition {
            Condition::Clean
        }
        async fn reset(&self, (): &mut ()) -> Result<(), DbError> {
            Ok(())
        }
    }
    let pool = Pool::new(Nothing, PoolOptions::default()).unwrap();
    let (holder, deadline) = (Arc::<str>::from("a measurement"), Instant::now() + Duration::from_secs(60));
    drop(pool.acquire(deadline, &holder).await.unwrap());
    let times = 200_000_u32;
    let (mut acquiring, mut releasing) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..times {
        let from = Instant::now();
        let held = pool.acquire(deadline, &holder).await.unwrap();
        let between = Instant::now();
        drop(held);
        releasing += between.elapsed();
        acquiring += between - from;
    }
    let nanos = |time: Duration| time.as_nanos() as f64 / f64::from(times);
    println!(
        "{:8.0} ns acquire, {:.0} ns release, uncontended, each with a look at the clock",
        nanos(acquiring),
        nanos(releasing)
    );
}
