//! Reads: values, rows, limits, deadlines.

use std::time::{Duration, Instant};

use covet_db::{Access, Database, DbError, Group, Kind, Param, Statement, Value, Work};
use minicbor::Decoder;

use crate::backend::*;

crate::suite! {
    every_kind_comes_back_as_it_was_bound, floats_keep_their_bits, lists_of_every_kind_find_their_values,
    rows_nest_as_their_groups_say, answers_hold_any_number_of_rows_up_to_max_rows, large_values_come_back_whole,
    an_answer_past_the_byte_limit_is_too_large, parameters_must_fit_the_placeholders,
    a_list_is_bound_to_one_placeholder, scalars_answer_null_where_there_is_no_row,
    a_runaway_read_is_stopped_at_its_deadline_and_its_connection_serves_on,
    connections_are_bounded_and_a_dropped_read_frees_its_own, reads_see_new_columns_after_ddl,
    more_statements_than_the_stock_holds_all_work, one_text_with_other_types_is_another_statement,
    many_reads_at_once_are_each_answered_their_own, closing_ends_every_connection,
}

const BIG: Kind = Kind::Decimal { digits: 38, scale: 10 };
const SMALL: Kind = Kind::Decimal { digits: 18, scale: 2 };

/// Each kind with its extremes, and how CBOR shows them.
fn cases(backend: &Backend) -> Vec<(Kind, Value, &'static str)> {
    let largest = 10_i128.pow(38) - 1;
    let decimal = |unscaled, digits, scale| Value::Decimal { unscaled, digits, scale };
    let mut cases = vec![
        (Kind::Bool, Value::Bool(true), "true"),
        (Kind::Bool, Value::Bool(false), "false"),
        (Kind::Int, Value::Int(i64::MIN), "-9223372036854775808"),
        (Kind::Int, Value::Int(i64::MAX), "9223372036854775807"),
        (Kind::Text, text(""), "\"\""),
        (Kind::Text, text("žluťoučký 🐎 שלום"), "\"žluťoučký 🐎 שלום\""),
        (Kind::Bytes, Value::Bytes(vec![]), "h''"),
        (Kind::Bytes, Value::Bytes(vec![0, 255]), "h'00 ff'"),
        (Kind::Timestamp, Value::Int(-62_135_596_800_000_000), "-62135596800000000"),
        (Kind::Timestamp, Value::Int(253_402_300_799_999_999), "253402300799999999"),
        (Kind::Timestamp, Value::Int(0), "0"),
        (Kind::Date, Value::Int(-719_162), "-719162"),
        (Kind::Date, Value::Int(2_932_896), "2932896"),
        (Kind::Time, Value::Int(86_399_999_999), "86399999999"),
        (Kind::Time, Value::Int(0), "0"),
        (Kind::Duration, Value::Int(-1), "-1"),
        (Kind::Duration, Value::Int(86_400_000_000 * 400), "34560000000000"),
        (Kind::Json, text("{\"a\":[1]}"), "\"{\"a\":[1]}\""),
        (Kind::Json, text("\"a , b: c\""), "\"\"a , b: c\"\""),
        (Kind::Uuid, Value::Uuid([0xab; 16]), "h'ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab'"),
        (SMALL, decimal(-1250, 18, 2), "\"-12.50\""),
        (SMALL, decimal(10_i128.pow(18) - 1, 18, 2), "\"9999999999999999.99\""),
        (BIG, decimal(largest, 38, 10), "\"9999999999999999999999999999.9999999999\""),
        (BIG, decimal(-largest, 38, 10), "\"-9999999999999999999999999999.9999999999\""),
        (BIG, decimal(0, 38, 10), "\"0.0000000000\""),
    ];
    if backend.traits().nul_in_text {
        cases.push((Kind::Text, text("a\0b"), "\"a\0b\""));
    }
    cases
}

async fn every_kind_comes_back_as_it_was_bound(backend: &Backend) {
    let db = backend.open().await;
    for (kind, value, wire) in cases(backend) {
        let statement = backend.select("SELECT ?", &[kind], &[kind]);
        let work =
            |value: &Value| Work::Query { statement: statement.clone(), params: vec![value.clone()], max_rows: 1 };
        assert_eq!(db.shown(work(&value)).await.unwrap(), format!("[[{wire}]]"), "{kind:?} {value:?}");
        assert_eq!(db.shown(work(&Value::Null)).await.unwrap(), "[[null]]", "{kind:?}");
    }
    if !backend.traits().nul_in_text {
        let refused = db.shown(backend.query("SELECT ?", vec![text("a\0b")], &[Kind::Text])).await;
        assert!(matches!(&refused, Err(DbError::BadQuery(why)) if why.contains("U+0000")), "{refused:?}");
    }
}

async fn floats_keep_their_bits(backend: &Backend) {
    let db = backend.open().await;
    for value in [0.1, -0.0, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY] {
        if (value.is_infinite() || value == 0.0) && !backend.traits().ieee_floats {
            continue;
        }
        let statement = backend.select("SELECT ?", &[Kind::Real], &[Kind::Real]);
        let bytes = db.run(Work::Scalar { statement, params: vec![Value::Real(value)] }, soon()).await.unwrap();
        assert_eq!(Decoder::new(&bytes).f64().unwrap().to_bits(), value.to_bits());
    }
}

async fn lists_of_every_kind_find_their_values(backend: &Backend) {
    let db = backend.open().await;
    for (kind, value, _) in cases(backend) {
        // PostgreSQL has no order, and so no equality, of a few types; JSONB has.
        let sql = format!("SELECT {}", backend.in_list("?").replacen("?", "x.v", 1));
        let sql = format!("{sql} FROM (SELECT ? AS v) x");
        let (list, one) = (Param::list(kind), Param::one(kind));
        let statement = backend.statement(&sql, &[list, one], &[Kind::Bool], Access::Read);
        let with = |values: Vec<Value>| Work::Scalar {
            statement: statement.clone(),
            params: vec![Value::List(values), value.clone()],
        };
        assert_eq!(db.shown(with(vec![Value::Null, value.clone()])).await.unwrap(), "true", "{kind:?} {value:?}");
        assert_eq!(db.shown(with(vec![])).await.unwrap(), "false", "{kind:?}");
    }
}

async fn rows_nest_as_their_groups_say(backend: &Backend) {
    let db = backend.open().await;
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
        db.shown(nested("SELECT 1, 'a', 2, 'b', NULL UNION ALL SELECT 3, NULL, NULL, NULL, 4 ORDER BY 1")).await,
        Ok("[[1, \"a\", [2, \"b\"], [null]], [3, null, null, [4]]]".to_owned())
    );
    // As many columns as the layout needs, or a clear error.
    let error = db.shown(nested("SELECT 1, 'a'")).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("2 columns")), "{error}");
}

async fn answers_hold_any_number_of_rows_up_to_max_rows(backend: &Backend) {
    let db = backend.open().await;
    let series = |rows: u64, max_rows: u64| Work::Query {
        statement: backend.series(),
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
    for rows in [11, 5_000_000] {
        let error = db.run(series(rows, 10), soon()).await.unwrap_err();
        assert!(
            matches!(&error, DbError::TooLarge(why) if why.contains("10 rows") && why.contains("limit()")),
            "{error}"
        );
        assert_eq!(db.number("SELECT 1").await, 1);
    }
}

async fn large_values_come_back_whole(backend: &Backend) {
    let db = backend.open().await;
    let blob: Vec<u8> = (0..16_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let statement = backend.select("SELECT ?", &[Kind::Bytes], &[Kind::Bytes]);
    let bytes = db.run(Work::Scalar { statement, params: vec![Value::Bytes(blob.clone())] }, soon()).await.unwrap();
    assert!(Decoder::new(&bytes).bytes().unwrap() == blob);
}

async fn an_answer_past_the_byte_limit_is_too_large(backend: &Backend) {
    let db = backend.open_with(Limits { max_result_bytes: Some(10_000), ..Limits::default() }).await;
    let work = backend.query("SELECT ?", vec![Value::Bytes(vec![7; 20_000])], &[Kind::Bytes]);
    let error = db.shown(work).await.unwrap_err();
    assert!(matches!(&error, DbError::TooLarge(why) if why.contains("10000 bytes")), "{error}");
    assert_eq!(db.number("SELECT 1").await, 1);
}

async fn parameters_must_fit_the_placeholders(backend: &Backend) {
    let db = backend.open().await;
    for params in [vec![], vec![Value::Int(1); 3]] {
        let statement = backend.select("SELECT ? + ?", &[Kind::Int, Kind::Int], &[Kind::Int]);
        let error = db.shown(Work::Query { statement, params, max_rows: 9 }).await.unwrap_err();
        assert!(matches!(&error, DbError::BadQuery(why) if why.contains("2 placeholders")), "{error}");
    }
    let big = Value::Decimal { unscaled: 1000, digits: 3, scale: 1 };
    let statement = backend.select("SELECT ?", &[SMALL], &[SMALL]);
    let error = db.shown(Work::Query { statement, params: vec![big], max_rows: 9 }).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("100.0")), "{error}");
    let error = db.shown(backend.query("SELEC 1", vec![], &[Kind::Int])).await.unwrap_err();
    assert!(matches!(&error, DbError::BadQuery(why) if why.contains("syntax")), "{error}");
}

async fn a_list_is_bound_to_one_placeholder(backend: &Backend) {
    let db = backend.open().await;
    db.run(backend.posts(&["a", "b", "c"]), soon()).await.unwrap();
    let sql = format!("SELECT slug FROM posts WHERE {} ORDER BY slug", backend.in_list("slug"));
    let find = backend.statement(&sql, &[Param::list(Kind::Text)], &[Kind::Text], Access::Read);
    for (list, expected) in [
        (vec![text("c"), text("a"), text("x")], "[[\"a\"], [\"c\"]]"),
        (vec![text("b"), Value::Null], "[[\"b\"]]"),
        (vec![], "[]"),
    ] {
        let work = Work::Query { statement: find.clone(), params: vec![Value::List(list)], max_rows: 9 };
        assert_eq!(db.shown(work).await.unwrap(), expected);
    }
    let nested = Value::List(vec![Value::List(vec![])]);
    let work = Work::Query { statement: find, params: vec![nested], max_rows: 9 };
    assert!(matches!(db.shown(work).await, Err(DbError::BadQuery(_))));
}

async fn scalars_answer_null_where_there_is_no_row(backend: &Backend) {
    let db = backend.open().await;
    let scalar = |sql: &str, kind| Work::Scalar { statement: backend.select(sql, &[], &[kind]), params: vec![] };
    assert_eq!(db.shown(scalar("SELECT count(*) FROM posts", Kind::Int)).await.unwrap(), "0");
    assert_eq!(db.shown(scalar("SELECT sum(views) FROM posts", Kind::Int)).await.unwrap(), "null");
    assert_eq!(db.shown(scalar("SELECT EXISTS (SELECT 1 FROM posts)", Kind::Bool)).await.unwrap(), "false");
    assert_eq!(db.shown(scalar("SELECT id FROM posts", Kind::Int)).await.unwrap(), "null");
    db.run(backend.posts(&["a", "b"]), soon()).await.unwrap();
    assert_eq!(db.shown(scalar("SELECT sum(views) FROM posts", Kind::Int)).await.unwrap(), "0");
    assert_eq!(db.shown(scalar("SELECT slug FROM posts ORDER BY slug", Kind::Text)).await.unwrap(), "\"a\"");
}

async fn a_runaway_read_is_stopped_at_its_deadline_and_its_connection_serves_on(backend: &Backend) {
    let db = backend.open_with(Limits { connections: Some(1), ..Limits::default() }).await;
    assert_eq!(db.number("SELECT 1").await, 1);
    let started = Instant::now();
    assert_eq!(db.run(backend.runaway(), after(100)).await, Err(DbError::Timeout));
    assert!((100..3000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    assert_eq!(db.number("SELECT 1").await, 1);
    assert_eq!(db.run(backend.count("SELECT 1"), Instant::now()).await, Err(DbError::Timeout));
    let created = match &db.database {
        Database::Postgres(postgres) => postgres.pool_stats().created,
        Database::MySql(mysql) => mysql.pool_stats().created,
        _ => 1,
    };
    assert_eq!(created, 1, "the same connection");
}

async fn connections_are_bounded_and_a_dropped_read_frees_its_own(backend: &Backend) {
    let db = backend.open_with(Limits { connections: Some(1), ..Limits::default() }).await;
    assert_eq!(db.number("SELECT 1").await, 1);
    let mut runaway = Box::pin(db.run(backend.runaway(), soon()));
    tokio::select! {
        _ = &mut runaway => unreachable!("it never ends"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    let late = db.run(backend.count("SELECT 1"), after(50)).await;
    assert!(matches!(late, Err(DbError::PoolExhausted | DbError::Timeout)), "{late:?}");
    drop(runaway);
    assert_eq!(int(&db.run(backend.count("SELECT 1"), after(5000)).await.unwrap()), 1);
}

async fn reads_see_new_columns_after_ddl(backend: &Backend) {
    let db = backend.open().await;
    let all = backend.select("SELECT * FROM authors", &[], &[Kind::Int, Kind::Text]);
    let work = || Work::Query { statement: all.clone(), params: vec![], max_rows: 9 };
    assert_eq!(db.shown(work()).await.unwrap(), "[]");
    let transaction = db.begin(Default::default(), soon()).await.unwrap();
    if backend.traits().concurrent_writers {
        transaction.run(work()).await.unwrap();
    }
    transaction.rollback().await.unwrap();
    db.execute_batch(vec![
        "INSERT INTO authors (name) VALUES ('a')".into(),
        "ALTER TABLE authors ADD COLUMN age INTEGER".into(),
    ])
    .await
    .unwrap();
    for _ in 0..3 {
        assert_eq!(db.shown(work()).await.unwrap(), "[[1, \"a\"]]");
    }
    db.execute_batch(vec!["ALTER TABLE authors ADD COLUMN shoe INTEGER".into()]).await.unwrap();
    let transaction = db.begin(Default::default(), soon()).await.unwrap();
    assert_eq!(show(&transaction.run(work()).await.unwrap()), "[[1, \"a\"]]");
    transaction.commit().await.unwrap();
}

async fn more_statements_than_the_stock_holds_all_work(backend: &Backend) {
    let limits = Limits { statements: Some(16), connections: Some(1), ..Limits::default() };
    let db = backend.open_with(limits).await;
    let statements: Vec<_> =
        (0..40).map(|i| backend.select(&format!("SELECT {i} + ?"), &[Kind::Int], &[Kind::Int])).collect();
    for round in 0..3 {
        for (i, statement) in statements.iter().enumerate() {
            let work = Work::Scalar { statement: statement.clone(), params: vec![Value::Int(round)] };
            assert_eq!(int(&db.run(work, soon()).await.unwrap()), i as i64 + round);
        }
    }
}

async fn one_text_with_other_types_is_another_statement(backend: &Backend) {
    let db = backend.open_with(Limits { connections: Some(1), ..Limits::default() }).await;
    for _ in 0..2 {
        assert_eq!(db.shown(backend.query("SELECT ?", vec![Value::Int(7)], &[Kind::Int])).await.unwrap(), "[[7]]");
        assert_eq!(db.shown(backend.query("SELECT ?", vec![text("7")], &[Kind::Text])).await.unwrap(), "[[\"7\"]]");
    }
}

async fn many_reads_at_once_are_each_answered_their_own(backend: &Backend) {
    let db = backend.open().await;
    let slugs: Vec<String> = (1..=200).map(|i| format!("p{i}")).collect();
    db.run(backend.posts(&slugs.iter().map(String::as_str).collect::<Vec<_>>()), soon()).await.unwrap();
    let batch_sql = format!("SELECT id, id, slug FROM posts WHERE {}", backend.in_list("id"));
    let batch =
        backend.statement(&batch_sql, &[Param::list(Kind::Int)], &[Kind::Int, Kind::Int, Kind::Text], Access::Read);
    let by_key = backend.select("SELECT id, slug FROM posts WHERE id = ?", &[Kind::Int], &[Kind::Int, Kind::Text]);
    let by_key = by_key.with_batch(batch);
    let read = |id: i64| Work::Query { statement: by_key.clone(), params: vec![Value::Int(id)], max_rows: 1 };
    for round in 0..5 {
        let ids: Vec<i64> = (0..300).map(|i| 1 + (i * 7 + round) % 220).collect();
        let answers = futures::future::join_all(ids.iter().map(|id| db.shown(read(*id)))).await;
        for (id, answer) in ids.iter().zip(answers) {
            let expected = if *id <= 200 { format!("[[{id}, \"p{id}\"]]") } else { "[]".to_owned() };
            assert_eq!(answer.unwrap(), expected);
        }
    }
    // The same read by many.
    let same = || backend.count("SELECT count(*) FROM posts");
    let answers = futures::future::join_all((0..100).map(|_| db.shown(same()))).await;
    assert!(answers.iter().all(|answer| *answer == Ok("200".to_owned())));
}

async fn closing_ends_every_connection(backend: &Backend) {
    let db = backend.open().await;
    assert_eq!(db.number("SELECT 1").await, 1);
    db.database.clone().close().await;
    assert!(matches!(db.run(backend.count("SELECT 1"), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.run(backend.post("a"), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.begin(Default::default(), soon()).await, Err(DbError::Unavailable(_))));
    assert!(matches!(db.introspect().await, Err(DbError::Unavailable(_))));
}
