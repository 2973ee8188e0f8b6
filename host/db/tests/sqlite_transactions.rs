//! Transactions: isolation from other writers, savepoints, rollback by drop, deadline and fault.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::time::{Duration, Instant};

use common::*;
use covet_db::{DbError, Kind, Transaction};

async fn posts_in(transaction: &Transaction) -> i64 {
    int(&transaction.run(count("SELECT count(*) FROM posts")).await.unwrap())
}

#[tokio::test]
async fn commit_keeps_and_reads_see_own_writes() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(posts(&["a", "b"])).await.unwrap();
    assert_eq!(posts_in(&transaction).await, 2);
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 0, "others do not see it yet, and do not wait");
    transaction.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 2);
}

#[tokio::test]
async fn drop_and_rollback_undo() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    transaction.rollback().await.unwrap();
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    drop(transaction);
    db.run(post("b"), soon()).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn the_deadline_rolls_back_and_closes() {
    let db = open().await;
    let transaction = db.begin(after(100)).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    // Another writer gets its turn though the transaction is neither committed nor dropped.
    db.run(post("b"), soon()).await.unwrap();
    assert_eq!(transaction.run(post("c")).await, Err(DbError::TransactionClosed));
    assert_eq!(transaction.savepoint().await, Err(DbError::TransactionClosed));
    assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    assert_eq!(shown(&db, query("SELECT slug FROM posts", &[Kind::Text], vec![])).await.unwrap(), "[[\"b\"]]");
}

#[tokio::test]
async fn a_statement_past_the_deadline_is_stopped_and_ends_the_transaction() {
    let db = open().await;
    let transaction = db.begin(after(200)).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    let started = Instant::now();
    assert_eq!(transaction.run(count(RUNAWAY)).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 0);
}

#[tokio::test]
async fn dropping_stops_a_statement_that_runs() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(50), transaction.run(count(RUNAWAY))).await;
    assert!(left.is_err());
    drop(transaction);
    db.run(post("b"), after(5000)).await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn a_failed_statement_leaves_the_transaction_usable() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    assert_eq!(transaction.run(posts(&["b", "a"])).await, Err(DbError::UniqueViolation("posts.slug".into())));
    assert_eq!(posts_in(&transaction).await, 1, "of a failed insert no row stays");
    transaction.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn savepoints_nest() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    let outer = transaction.savepoint().await.unwrap();
    transaction.run(post("a")).await.unwrap();
    let inner = transaction.savepoint().await.unwrap();
    transaction.run(post("b")).await.unwrap();
    transaction.rollback_to(inner).await.unwrap();
    assert_eq!(posts_in(&transaction).await, 1);
    assert!(matches!(transaction.rollback_to(inner).await, Err(DbError::BadQuery(_))), "it is gone");
    let inner = transaction.savepoint().await.unwrap();
    transaction.run(post("c")).await.unwrap();
    transaction.release(inner).await.unwrap();
    assert_eq!(posts_in(&transaction).await, 2);
    let inner = transaction.savepoint().await.unwrap();
    transaction.rollback_to(outer).await.unwrap();
    assert_eq!(posts_in(&transaction).await, 0);
    assert!(matches!(transaction.release(inner).await, Err(DbError::BadQuery(_))), "gone with the outer one");
    assert!(matches!(transaction.release(99).await, Err(DbError::BadQuery(_))));
    transaction.run(post("d")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 1);
}

#[tokio::test]
async fn writers_wait_their_turn_with_their_own_deadlines() {
    let db = open().await;
    let first = db.begin(soon()).await.unwrap();
    assert!(matches!(db.begin(after(50)).await, Err(DbError::Timeout)));
    let mut second = Box::pin(db.begin(soon()));
    assert!(futures::poll!(second.as_mut()).is_pending());
    first.run(post("a")).await.unwrap();
    first.commit().await.unwrap();
    let second = second.await.unwrap();
    assert_eq!(posts_in(&second).await, 1);
}

#[tokio::test]
async fn a_begin_whose_caller_left_holds_nobody_up() {
    let db = open().await;
    let first = db.begin(soon()).await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(30), db.begin(soon())).await;
    assert!(left.is_err());
    first.commit().await.unwrap();
    db.run(post("a"), after(5000)).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_keeps_nothing() {
    let db = open().await;
    let transaction = db.begin(soon()).await.unwrap();
    transaction.run(post("a")).await.unwrap();
    transaction.run(execute("INSERT INTO late (author_id) VALUES (99)", vec![])).await.unwrap();
    assert!(matches!(transaction.commit().await, Err(DbError::ForeignKeyViolation(_))));
    assert_eq!(number(&db, "SELECT count(*) FROM posts").await, 0);
    db.run(post("b"), soon()).await.unwrap();
}
