//! Transactions: what others see, savepoints, rollback by drop, deadline and fault.

use std::time::{Duration, Instant};

use covet_db::{BeginOptions, DbError, Isolation, Kind, Transaction};

use crate::backend::*;

crate::suite! {
    commit_keeps_and_reads_see_own_writes, drop_and_rollback_undo, the_deadline_rolls_back_and_closes,
    a_statement_past_the_deadline_is_stopped_and_ends_the_transaction, dropping_stops_a_statement_that_runs,
    a_failed_statement_leaves_the_transaction_usable, savepoints_nest, a_commit_that_fails_keeps_nothing,
    calls_on_one_transaction_wait_their_turn, lost_updates_and_deadlocks_are_conflicts, isolation_is_as_asked,
    a_call_that_was_left_harms_nothing,
}

async fn begin(db: &Db) -> Transaction {
    db.begin(BeginOptions::default(), soon()).await.unwrap()
}

async fn posts_in(db: &Db, transaction: &Transaction) -> i64 {
    int(&transaction.run(db.backend.count("SELECT count(*) FROM posts")).await.unwrap())
}

async fn commit_keeps_and_reads_see_own_writes(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    transaction.run(backend.posts(&["a", "b"])).await.unwrap();
    assert_eq!(posts_in(&db, &transaction).await, 2);
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 0, "others do not see it yet, and do not wait");
    transaction.commit().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 2);
}

async fn drop_and_rollback_undo(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    transaction.run(backend.post("a")).await.unwrap();
    transaction.rollback().await.unwrap();
    let transaction = begin(&db).await;
    transaction.run(backend.post("a")).await.unwrap();
    drop(transaction);
    db.run(backend.post("b"), soon()).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 1);
    // What was dropped holds nothing any more.
    db.run(backend.post("a"), soon()).await.unwrap();
}

async fn the_deadline_rolls_back_and_closes(backend: &Backend) {
    let db = backend.open().await;
    let transaction = db.begin(BeginOptions::default(), after(300)).await.unwrap();
    transaction.run(backend.post("a")).await.unwrap();
    // Another writer of the same row gets its turn though the transaction is neither committed nor dropped.
    db.run(backend.post("a"), soon()).await.unwrap();
    assert_eq!(transaction.run(backend.post("c")).await, Err(DbError::TransactionClosed));
    assert_eq!(transaction.savepoint().await, Err(DbError::TransactionClosed));
    assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 1);
}

async fn a_statement_past_the_deadline_is_stopped_and_ends_the_transaction(backend: &Backend) {
    let db = backend.open().await;
    let transaction = db.begin(BeginOptions::default(), after(300)).await.unwrap();
    transaction.run(backend.post("a")).await.unwrap();
    let started = Instant::now();
    assert_eq!(transaction.run(backend.runaway()).await, Err(DbError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(transaction.commit().await, Err(DbError::TransactionClosed));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 0);
}

async fn dropping_stops_a_statement_that_runs(backend: &Backend) {
    let db = backend.open_with(Limits { connections: Some(1), ..Limits::default() }).await;
    let transaction = begin(&db).await;
    transaction.run(backend.post("a")).await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(50), transaction.run(backend.runaway())).await;
    assert!(left.is_err());
    drop(transaction);
    db.run(backend.post("b"), after(5000)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 1);
}

async fn a_failed_statement_leaves_the_transaction_usable(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    for (round, slug) in (1..).zip(["a", "x", "y"]) {
        transaction.run(backend.post(slug)).await.unwrap();
        let failed = transaction.run(backend.posts(&["b", "a"])).await;
        assert_eq!(failed, Err(DbError::UniqueViolation("posts.slug".into())));
        assert_eq!(posts_in(&db, &transaction).await, round, "of a failed insert no row stays");
        assert!(matches!(transaction.run(backend.count("SELECT nope")).await, Err(DbError::BadQuery(_))));
    }
    transaction.commit().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 3);
}

async fn savepoints_nest(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    let outer = transaction.savepoint().await.unwrap();
    transaction.run(backend.post("a")).await.unwrap();
    let inner = transaction.savepoint().await.unwrap();
    transaction.run(backend.post("b")).await.unwrap();
    transaction.rollback_to(inner).await.unwrap();
    assert_eq!(posts_in(&db, &transaction).await, 1);
    assert!(matches!(transaction.rollback_to(inner).await, Err(DbError::BadQuery(_))), "it is gone");
    let inner = transaction.savepoint().await.unwrap();
    transaction.run(backend.post("c")).await.unwrap();
    // Failures in between touch no savepoint.
    assert!(transaction.run(backend.post("c")).await.is_err());
    transaction.release(inner).await.unwrap();
    assert_eq!(posts_in(&db, &transaction).await, 2);
    let inner = transaction.savepoint().await.unwrap();
    transaction.rollback_to(outer).await.unwrap();
    assert_eq!(posts_in(&db, &transaction).await, 0);
    assert!(matches!(transaction.release(inner).await, Err(DbError::BadQuery(_))), "gone with the outer one");
    assert!(matches!(transaction.release(99).await, Err(DbError::BadQuery(_))));
    transaction.run(backend.post("d")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 1);
}

async fn a_commit_that_fails_keeps_nothing(backend: &Backend) {
    if !backend.traits().deferred_constraints {
        return;
    }
    let db = backend.open().await;
    let transaction = begin(&db).await;
    transaction.run(backend.post("a")).await.unwrap();
    transaction.run(backend.execute("INSERT INTO late (id, author_id) VALUES (1, 99)", vec![])).await.unwrap();
    assert!(matches!(transaction.commit().await, Err(DbError::ForeignKeyViolation(_))));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 0);
    db.run(backend.post("b"), soon()).await.unwrap();
}

async fn calls_on_one_transaction_wait_their_turn(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    let slugs: Vec<String> = (0..30).map(|i| format!("s{i}")).collect();
    let all = futures::future::join_all(slugs.iter().map(|slug| transaction.run(backend.post(slug)))).await;
    assert!(all.iter().all(Result::is_ok));
    transaction.commit().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 30);
}

async fn a_call_that_was_left_harms_nothing(backend: &Backend) {
    let db = backend.open().await;
    let transaction = begin(&db).await;
    transaction.run(backend.post("a")).await.unwrap();
    for _ in 0..20 {
        let mut left = Box::pin(transaction.run(backend.count("SELECT count(*) FROM posts")));
        // Begun, and left wherever it is by then.
        let _begun = futures::poll!(left.as_mut());
    }
    transaction.run(backend.post("b")).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 2);
}

async fn lost_updates_and_deadlocks_are_conflicts(backend: &Backend) {
    if !backend.traits().concurrent_writers {
        return;
    }
    let db = backend.open().await;
    db.run(backend.posts(&["a", "b"]), soon()).await.unwrap();
    let add = |slug: &str| backend.execute("UPDATE posts SET views = views + 1 WHERE slug = ?", vec![text(slug)]);
    // Serialization: both read, both write what they read.
    let options = BeginOptions { isolation: Some(Isolation::Serializable) };
    let (first, second) = (db.begin(options, soon()).await.unwrap(), db.begin(options, soon()).await.unwrap());
    for transaction in [&first, &second] {
        transaction.run(backend.count("SELECT sum(views) FROM posts")).await.unwrap();
    }
    let loser = if backend.traits().serializable_locks {
        // The first waits for the second, which must not wait for the first.
        let (one, two) = tokio::join!(first.run(add("a")), second.run(add("a")));
        let (winner, loser, lost) = if one.is_ok() { (first, second, two) } else { (second, first, one) };
        assert!(matches!(lost, Err(DbError::Conflict(_))), "{lost:?}");
        winner.commit().await.unwrap();
        loser
    } else {
        first.run(add("a")).await.unwrap();
        first.commit().await.unwrap();
        assert!(matches!(second.run(add("a")).await, Err(DbError::Conflict(_))));
        second
    };
    assert_eq!(loser.run(backend.count("SELECT 1")).await, Err(DbError::TransactionClosed));
    // Deadlock: one of the two is told, the other goes on.
    let (first, second) = (begin(&db).await, begin(&db).await);
    first.run(add("a")).await.unwrap();
    second.run(add("b")).await.unwrap();
    let (one, two) = tokio::join!(first.run(add("b")), second.run(add("a")));
    assert_eq!([&one, &two].iter().filter(|result| matches!(result, Err(DbError::Conflict(_)))).count(), 1);
    assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1);
    let winner = if one.is_ok() { first } else { second };
    winner.commit().await.unwrap();
    assert_eq!(db.number("SELECT sum(views) FROM posts").await, 3);
}

async fn isolation_is_as_asked(backend: &Backend) {
    let db = backend.open().await;
    for (isolation, sees) in [(Isolation::ReadCommitted, true), (Isolation::RepeatableRead, false)] {
        let slug = format!("{isolation:?}");
        let transaction = db.begin(BeginOptions { isolation: Some(isolation) }, soon()).await.unwrap();
        let find = || backend.query("SELECT 1 FROM posts WHERE slug = ?", vec![text(&slug)], &[Kind::Int]);
        assert_eq!(show(&transaction.run(find()).await.unwrap()), "[]");
        if !backend.traits().concurrent_writers {
            continue;
        }
        db.run(backend.post(&slug), soon()).await.unwrap();
        let expected = if sees { "[[1]]" } else { "[]" };
        assert_eq!(show(&transaction.run(find()).await.unwrap()), expected, "{isolation:?}");
        transaction.commit().await.unwrap();
    }
}
