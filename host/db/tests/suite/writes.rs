//! Writes: atomicity, keys, deadlines, constraint names.

use covet_db::{Access, DbError, InsertKey, Kind, Param, Value, Work};
use futures::future::join_all;

use crate::backend::*;

crate::suite! {
    violations_name_their_columns, inserts_answer_keys_and_null_for_ignored_rows, ignored_rows_are_told_apart_in_bulk,
    a_row_given_its_key_is_null_where_it_was_ignored, many_rows_are_all_or_none, keys_given_by_the_caller_come_back, every_kind_is_stored_in_bulk,
    deletes_count_matched_rows_without_cascades, of_many_get_or_creates_one_creates,
    get_or_create_refuses_an_ambiguous_filter_and_undoes_a_lost_row, a_runaway_write_is_stopped_and_undone,
    ddl_is_all_or_nothing, concurrent_writes_are_all_done, a_deferred_constraint_fails_its_own_write,
}

async fn violations_name_their_columns(backend: &Backend) {
    let db = backend.open().await;
    let traits = backend.traits();
    let insert = |columns: &str, values: &str| {
        backend.execute(&format!("INSERT INTO posts ({columns}) VALUES ({values})"), vec![])
    };
    db.run(insert("id, slug, title, views", "1000, 'a', 't', 5"), soon()).await.unwrap();
    let foreign = if traits.names_foreign_keys { "posts.author_id" } else { "FOREIGN KEY constraint failed" };
    for (columns, values, error) in [
        ("slug", "'a'", DbError::UniqueViolation("posts.slug".into())),
        ("slug, title, views", "'b', 't', 5", DbError::UniqueViolation("posts.title, posts.views".into())),
        ("id, slug", "1000, 'c'", DbError::UniqueViolation("posts.id".into())),
        ("slug", "NULL", DbError::NotNullViolation("posts.slug".into())),
        ("slug, title", "'d', 'far longer than twenty'", DbError::CheckViolation("short_title".into())),
        ("slug, author_id", "'e', 7", DbError::ForeignKeyViolation(foreign.into())),
    ] {
        if columns == "slug, title, views" && !traits.partial_indexes {
            continue;
        }
        assert_eq!(db.run(insert(columns, values), soon()).await, Err(error));
    }
    assert!(matches!(db.run(insert("nope", "1"), soon()).await, Err(DbError::BadQuery(why)) if why.contains("nope")));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 1);
}

async fn inserts_answer_keys_and_null_for_ignored_rows(backend: &Backend) {
    let db = backend.open().await;
    assert_eq!(db.shown(backend.posts(&["a", "b"])).await.unwrap(), "[1, 2]");
    let ignore = backend.insert("posts", &[("slug", Kind::Text)], "ON CONFLICT DO NOTHING");
    let one = |slug: &str| Work::Insert {
        statement: ignore.clone(),
        rows: vec![vec![text(slug)]],
        key: InsertKey::Generated,
    };
    assert_eq!(db.shown(one("a")).await.unwrap(), "[null]");
    assert!(db.shown(one("c")).await.unwrap().len() > "[]".len());
    assert_eq!(db.shown(backend.posts(&[])).await.unwrap(), "[]");
}

async fn ignored_rows_are_told_apart_in_bulk(backend: &Backend) {
    let db = backend.open().await;
    db.run(backend.posts(&["s3", "s40", "s41", "s99"]), soon()).await.unwrap();
    let ignore = backend.insert("posts", &[("slug", Kind::Text)], "ON CONFLICT DO NOTHING");
    // s7 twice: the first is stored.
    let slugs: Vec<String> = (0..100).map(|i| format!("s{i}")).chain(["s7".to_owned()]).collect();
    let rows = slugs.iter().map(|slug| vec![text(slug)]).collect();
    let answer = db.run(Work::Insert { statement: ignore, rows, key: InsertKey::Generated }, soon()).await.unwrap();
    let mut cbor = minicbor::Decoder::new(&answer);
    assert_eq!(cbor.array().unwrap(), Some(101));
    for (at, slug) in slugs.iter().enumerate() {
        if matches!(at, 3 | 40 | 41 | 99 | 100) {
            cbor.null().unwrap();
            continue;
        }
        let key = cbor.i64().unwrap();
        let found = backend.query("SELECT slug FROM posts WHERE id = ?", vec![Value::Int(key)], &[Kind::Text]);
        assert_eq!(db.shown(found).await.unwrap(), format!("[[\"{slug}\"]]"));
    }
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 100);
}

async fn a_row_given_its_key_is_null_where_it_was_ignored(backend: &Backend) {
    let db = backend.open().await;
    let columns = [("id", Kind::Int), ("slug", Kind::Text)];
    let sql = match backend {
        Backend::Sqlite | Backend::MariaDb => backend.insert("posts", &columns, "ON CONFLICT DO NOTHING"),
        // As the planner writes it: an answer for each row.
        Backend::Postgres => backend.statement(
            "WITH given AS (SELECT u.* FROM UNNEST(?, ?) WITH ORDINALITY AS u (id, slug, place)), \
             stored AS (INSERT INTO posts (id, slug) SELECT id, slug FROM given ORDER BY place ON CONFLICT DO NOTHING \
             RETURNING id AS stored_key) \
             SELECT stored_key FROM given LEFT JOIN stored ON stored_key = id ORDER BY place",
            &[Param::list(Kind::Int), Param::list(Kind::Text)],
            &[],
            Access::Write,
        ),
    };
    db.run(backend.posts(&["b"]), soon()).await.unwrap();
    let rows = [(11, "a"), (12, "b"), (13, "c")].map(|(id, slug)| vec![Value::Int(id), text(slug)]).to_vec();
    let work = Work::Insert { statement: sql, rows, key: InsertKey::Param(0) };
    assert_eq!(db.shown(work).await.unwrap(), "[11, null, 13]");
}

async fn many_rows_are_all_or_none(backend: &Backend) {
    let db = backend.open().await;
    let error = db.run(backend.posts(&["a", "b", "a"]), soon()).await;
    assert_eq!(error, Err(DbError::UniqueViolation("posts.slug".into())));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 0);
    let slugs: Vec<String> = (0..25_000).map(|i| format!("s{i}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let answer = db.run(backend.posts(&slugs), soon()).await.unwrap();
    assert_eq!(minicbor::Decoder::new(&answer).array().unwrap(), Some(25_000));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 25_000);
    // The last of them exists: none of the many before it stays.
    let again: Vec<String> = (0..25_000).map(|i| format!("t{i}")).chain(["s0".to_owned()]).collect();
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    assert!(matches!(db.run(backend.posts(&again), soon()).await, Err(DbError::UniqueViolation(_))));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 25_000);
}

async fn keys_given_by_the_caller_come_back(backend: &Backend) {
    let db = backend.open().await;
    let uuid = backend.column(Kind::Uuid);
    db.execute_batch(vec![format!("CREATE TABLE u (id {uuid} PRIMARY KEY, n BIGINT)")]).await.unwrap();
    let given = |at| Work::Insert {
        statement: backend.insert("u", &[("n", Kind::Int), ("id", Kind::Uuid)], ""),
        rows: vec![vec![Value::Int(1), Value::Uuid([7; 16])]],
        key: InsertKey::Param(at),
    };
    assert!(matches!(db.shown(given(2)).await, Err(DbError::BadQuery(_))), "fails before the row is stored");
    assert_eq!(db.shown(given(1)).await.unwrap(), format!("[h'{}']", ["07"; 16].join(" ")));
}

async fn every_kind_is_stored_in_bulk(backend: &Backend) {
    let db = backend.open().await;
    let decimal = Kind::Decimal { digits: 38, scale: 10 };
    let columns = [
        ("b", Kind::Bool, backend.column(Kind::Bool)),
        ("i", Kind::Int, "SMALLINT".to_owned()),
        ("r", Kind::Real, backend.column(Kind::Real)),
        ("f", Kind::Real, "REAL".to_owned()),
        ("d", decimal, backend.column(decimal)),
        ("t", Kind::Text, backend.column(Kind::Text)),
        ("y", Kind::Bytes, backend.column(Kind::Bytes)),
        ("ts", Kind::Timestamp, backend.column(Kind::Timestamp)),
        ("da", Kind::Date, backend.column(Kind::Date)),
        ("ti", Kind::Time, backend.column(Kind::Time)),
        ("du", Kind::Duration, backend.column(Kind::Duration)),
        ("j", Kind::Json, backend.column(Kind::Json)),
        ("u", Kind::Uuid, backend.column(Kind::Uuid)),
    ];
    let declared: Vec<String> = columns.iter().map(|(name, _, sql)| format!("{name} {sql}")).collect();
    let id = backend.generated_key();
    db.execute_batch(vec![format!("CREATE TABLE kinds (id {id}, {})", declared.join(", "))]).await.unwrap();
    let named: Vec<(&str, Kind)> = columns.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let full = vec![
        Value::Bool(true),
        Value::Int(-3),
        Value::Real(0.1),
        Value::Real(0.5),
        Value::decimal("-12.5", 38, 10).unwrap(),
        text("ž"),
        Value::Bytes(vec![1]),
        Value::Int(1),
        Value::Int(2),
        Value::Int(3),
        Value::Int(4),
        text("{\"k\":[1,2]}"),
        Value::Uuid([9; 16]),
    ];
    let empty = vec![Value::Null; full.len()];
    let insert = backend.insert("kinds", &named, "");
    let work = Work::Insert { statement: insert, rows: vec![full, empty], key: InsertKey::Generated };
    assert_eq!(db.shown(work).await.unwrap(), "[1, 2]");
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    let kinds: Vec<Kind> = named.iter().map(|(_, kind)| *kind).collect();
    let all = backend.query(&format!("SELECT {} FROM kinds ORDER BY id", names.join(", ")), vec![], &kinds);
    let nulls = vec!["null"; 13].join(", ");
    let uuid = ["09"; 16].join(" ");
    assert_eq!(
        db.shown(all).await.unwrap(),
        format!(
            "[[true, -3, 1e-1, 5e-1, \"-12.5000000000\", \"ž\", h'01', 1, 2, 3, 4, \"{{\"k\":[1,2]}}\", h'{uuid}'], [{nulls}]]"
        )
    );
}

async fn deletes_count_matched_rows_without_cascades(backend: &Backend) {
    let db = backend.open().await;
    db.run(backend.execute("INSERT INTO authors (id, name) VALUES (1, 'a')", vec![]), soon()).await.unwrap();
    for slug in ["x", "y"] {
        let insert = backend.execute("INSERT INTO posts (slug, author_id) VALUES (?, 1)", vec![text(slug)]);
        db.run(insert, soon()).await.unwrap();
    }
    let update = backend.execute("UPDATE posts SET views = views + ?", vec![Value::Int(1)]);
    assert_eq!(int(&db.run(update, soon()).await.unwrap()), 2);
    assert_eq!(int(&db.run(backend.execute("DELETE FROM authors", vec![]), soon()).await.unwrap()), 1);
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 0);
}

fn get_or_create(backend: &Backend, column: &str, value: &str, conflict: &str) -> Work {
    let columns = [Kind::Int, Kind::Text];
    Work::GetOrCreate {
        find: backend.select(&format!("SELECT id, {column} FROM posts WHERE {column} = ?"), &[Kind::Text], &columns),
        find_params: vec![text(value)],
        insert: backend.insert("posts", &[("slug", Kind::Text), ("title", Kind::Text)], conflict),
        insert_params: vec![text(value), text(value)],
        reload: backend.select(&format!("SELECT id, {column} FROM posts WHERE id = ?"), &[Kind::Int], &columns),
        key: InsertKey::Generated,
    }
}

async fn of_many_get_or_creates_one_creates(backend: &Backend) {
    let db = backend.open().await;
    // Also over a column without a unique constraint, and with an insert that ignores conflicts.
    for (column, conflict) in [("slug", ""), ("title", ""), ("slug", "ON CONFLICT DO NOTHING")] {
        let value = format!("{column}{}", conflict.len());
        let work = || get_or_create(backend, column, &value, conflict);
        let all = join_all((0..20).map(|_| db.run(work(), soon()))).await;
        let shown: Vec<String> = all.into_iter().map(|answer| show(&answer.unwrap())).collect();
        assert_eq!(shown.iter().filter(|answer| answer.starts_with("[true, [")).count(), 1, "{shown:?}");
        assert_eq!(shown.iter().filter(|answer| answer.starts_with("[false, [")).count(), 19, "{shown:?}");
        assert!(shown.iter().all(|answer| answer.ends_with(&format!(", \"{value}\"]]"))), "{shown:?}");
    }
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 3);
}

async fn get_or_create_refuses_an_ambiguous_filter_and_undoes_a_lost_row(backend: &Backend) {
    let db = backend.open().await;
    db.run(backend.posts(&["a", "b"]), soon()).await.unwrap();
    let Work::GetOrCreate { insert, insert_params, reload, key, .. } = get_or_create(backend, "slug", "c", "") else {
        unreachable!()
    };
    let columns = [Kind::Int, Kind::Text];
    let all = Work::GetOrCreate {
        find: backend.select("SELECT id, slug FROM posts", &[], &columns),
        find_params: vec![],
        insert: insert.clone(),
        insert_params: insert_params.clone(),
        reload,
        key,
    };
    assert!(matches!(db.shown(all).await, Err(DbError::BadQuery(why)) if why.contains("more than one")));
    let lost = Work::GetOrCreate {
        find: backend.select("SELECT id, slug FROM posts WHERE slug = 'none'", &[], &columns),
        find_params: vec![],
        insert,
        insert_params,
        reload: backend.select("SELECT id, slug FROM posts WHERE id = -?", &[Kind::Int], &columns),
        key,
    };
    assert!(matches!(db.shown(lost).await, Err(DbError::BadQuery(why)) if why.contains("read back")));
    assert_eq!(db.number("SELECT count(*) FROM posts").await, 2);
}

async fn a_runaway_write_is_stopped_and_undone(backend: &Backend) {
    let db = backend.open_with(Limits { connections: Some(1), ..Limits::default() }).await;
    assert_eq!(db.number("SELECT 1").await, 1);
    assert_eq!(db.run(backend.runaway_write(), after(100)).await, Err(DbError::Timeout));
    assert_eq!(db.number("SELECT count(*) FROM authors").await, 0);
    db.run(backend.post("next"), soon()).await.unwrap();
}

async fn ddl_is_all_or_nothing(backend: &Backend) {
    let db = backend.open().await;
    let batch = vec!["CREATE TABLE fresh (id INTEGER)".into(), "CREATE TABLE broken (".into()];
    let error = db.execute_batch(batch).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("CREATE TABLE broken (")), "{error}");
    let found = db.introspect().await.unwrap();
    assert_eq!(found.table("fresh").is_none(), backend.traits().transactional_ddl);
    db.run(backend.post("next"), soon()).await.unwrap();
}

async fn concurrent_writes_are_all_done(backend: &Backend) {
    let db = backend.open().await;
    let insert = backend.insert("authors", &[("name", Kind::Text)], "");
    join_all((0..32).map(|_| async {
        for _ in 0..10 {
            let rows = vec![vec![text("x")]];
            db.run(Work::Insert { statement: insert.clone(), rows, key: InsertKey::Generated }, soon()).await.unwrap();
        }
    }))
    .await;
    assert_eq!(db.number("SELECT count(*) FROM authors").await, 320);
}

async fn a_deferred_constraint_fails_its_own_write(backend: &Backend) {
    let db = backend.open().await;
    let late = backend.execute("INSERT INTO late (id, author_id) VALUES (1, 99)", vec![]);
    assert!(matches!(db.run(late, soon()).await, Err(DbError::ForeignKeyViolation(_))));
    assert_eq!(db.number("SELECT count(*) FROM late").await, 0);
    db.run(backend.post("next"), soon()).await.unwrap();
}
