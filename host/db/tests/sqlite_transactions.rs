//! Transactions and the one writer; what every driver promises is in suite/.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use std::time::Duration;

use common::*;
use covet_db::DbError;

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
    assert_eq!(int(&second.run(count("SELECT count(*) FROM posts")).await.unwrap()), 1);
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
