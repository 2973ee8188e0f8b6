//! Writes and their answers, against real databases.

use std::sync::Arc;

use crate::common::*;
use crate::items;
use covet_db::DbError;
use covet_orm::QueryError;
use covet_orm::schema::{DecimalSpec, Kind, OnDelete};
use covet_orm::shape::{GetOrCreate, Insert, Lookup, Node, Operation, Select};

const POST: [&str; 5] = ["title", "slug", "author", "editor", "views"];

async fn posts() -> Blog {
    let blog = Blog::empty().await;
    let country = blog.insert("Country", &["name"], items!["Chile"]).await;
    blog.insert("Author", &["name", "country"], items!["Ann", country]).await;
    blog.insert("Author", &["name"], items!["Bob"]).await;
    for (title, author, editor, views) in
        [("b", 1, Item::Int(2), 5), ("c", 2, Item::Null, 9), ("a", 1, Item::Int(1), 7), ("d", 2, Item::Null, 7)]
    {
        blog.insert("Post", &POST, items![title, title, author, editor, views]).await;
    }
    blog
}

fn select(select: Select) -> Operation {
    Operation::Select(select)
}

#[tokio::test]
async fn updates_and_deletes_count_the_rows_they_match() {
    let blog = posts().await;
    let by_author = || vec![is("author.name", Lookup::Exact, 0)];
    let more = |kind| update(by_author(), vec![change("views", kind, 1), change("title", Change::Set, 2)]);
    let changed = blog.try_run("Post", more(Change::Add), items!["Bob", 10, "new"]).await;
    // title is unique with author: two posts of Bob's can't have one, and nothing of it happened.
    assert!(
        matches!(&changed, Err(QueryError::Db(DbError::UniqueViolation(what))) if what.contains("posts.title")),
        "{changed:?}"
    );
    assert_eq!(blog.find(vec![is("views", Lookup::Gt, 0)], items![10]).await, Vec::<i64>::new());
    let add = |kind| update(by_author(), vec![change("views", kind, 1)]);
    assert_eq!(blog.run("Post", add(Change::Add), items!["Bob", 10]).await, Item::Int(2));
    assert_eq!(blog.find(vec![is("views", Lookup::In, 0)], vec![items![17, 19].into()]).await, vec![2, 4]);
    assert_eq!(blog.run("Post", add(Change::Multiply), items!["Bob", 2]).await, Item::Int(2));
    assert_eq!(blog.run("Post", add(Change::Subtract), items!["Bob", 4]).await, Item::Int(2));
    assert_eq!(blog.find(vec![is("views", Lookup::In, 0)], vec![items![30, 34].into()]).await, vec![2, 4]);
    assert_eq!(blog.run("Post", add(Change::Add), items!["Eve", 1]).await, Item::Int(0));
    assert_eq!(
        blog.run("Post", update(vec![], vec![change("editor", Change::Set, 0)]), vec![Item::Null]).await,
        Item::Int(4)
    );
    let gone = |pairs: &[(&str, i64)]| -> Item {
        pairs.iter().map(|(model, rows)| items![*model, *rows].into()).collect::<Vec<Item>>().into()
    };
    assert_eq!(blog.run("Post", Operation::Delete(by_author()), items!["Bob"]).await, gone(&[("Post", 2)]));
    assert_eq!(
        blog.run("Author", Operation::Delete(vec![is("name", Lookup::Exact, 0)]), items!["Ann"]).await,
        gone(&[("Author", 1), ("Post", 2)])
    );
    assert_eq!(blog.run("Post", Operation::Count(vec![]), vec![]).await, Item::Int(0));
}

#[tokio::test]
async fn sums_past_their_kind_are_refused_by_the_table() {
    let blog = posts().await;
    let change_to = |field: &str, kind| update(vec![is("id", Lookup::Exact, 0)], vec![change(field, kind, 1)]);
    for (field, kind, operand) in [
        ("views", Change::Add, Item::Int(i64::MAX)),
        ("views", Change::Multiply, Item::Int(i64::MAX)),
        ("likes", Change::Add, Item::Int(40_000)),
        ("price", Change::Add, "99999999.99".into()),
        ("created_at", Change::Subtract, Item::Int(i64::MAX)),
    ] {
        let price = update(vec![is("id", Lookup::Exact, 0)], vec![change("price", Change::Set, 1)]);
        blog.run("Post", price, items![1, "1.00"]).await;
        let fault = blog.try_run("Post", change_to(field, kind), vec![Item::Int(1), operand]).await.unwrap_err();
        let named = |text: &str| !blog.capabilities().names_overflow || text.contains(field);
        assert!(matches!(&fault, QueryError::Db(DbError::CheckViolation(text)) if named(text)), "{field}: {fault}");
    }
    let fault = blog.try_run("Post", change_to("title", Change::Add), items![1, "1"]).await.unwrap_err();
    assert!(fault.to_string().contains("can be calculated with"), "{fault}");
    let fault = blog.try_run("Post", change_to("id", Change::Set), items![1, 2]).await.unwrap_err();
    assert!(fault.to_string().contains("never changes"), "{fault}");
}

#[tokio::test]
async fn decimals_multiply_exactly_and_round_half_away_from_zero() {
    let blog = posts().await;
    let by_id = || vec![is("id", Lookup::Exact, 0)];
    for (price, factor, product) in [
        ("10.00", "1.13", "11.30"),
        ("0.05", "0.10", "0.01"),
        ("-0.05", "0.10", "-0.01"),
        ("0.04", "0.10", "0.00"),
        ("99999999.99", "1.00", "99999999.99"),
    ] {
        blog.run("Post", update(by_id(), vec![change("price", Change::Set, 1)]), items![1, price]).await;
        blog.run("Post", update(by_id(), vec![change("price", Change::Multiply, 1)]), items![1, factor]).await;
        let select = Select { filter: by_id(), fields: values(&["price"]), ..Select::default() };
        let rows = blog.run("Post", Operation::Select(select), items![1]).await;
        assert_eq!(rows, items![Item::from(items![product])].into(), "{price} * {factor}");
    }
}

#[tokio::test]
async fn inserts_answer_with_keys_in_order() {
    let blog = posts().await;
    let many = |ignore| Operation::Insert(Insert { fields: vec!["name".into()], many: true, ignore_conflicts: ignore });
    let rows = |names: &[&str]| -> Vec<Item> { names.iter().map(|name| items![*name].into()).collect() };
    assert_eq!(blog.run("Country", many(false), rows(&["Peru", "Cuba"])).await, items![2, 3].into());
    // Numbers that were tried stay unused; how many, is the database's business.
    let keys = blog.run("Country", many(true), rows(&["Mali", "Peru", "Fiji"])).await.array();
    let (mali, fiji) = (keys[0].int(), keys[2].int());
    assert!(keys[1] == Item::Null && 3 < mali && mali < fiji, "{keys:?}");
    let stored = Operation::Count(vec![is("name", Lookup::Exact, 0), is("id", Lookup::Exact, 1), Node::AllOf(2)]);
    assert_eq!(blog.run("Country", stored, items!["Fiji", fiji]).await, Item::Int(1));
    let fault = blog.try_run("Country", many(false), rows(&["Oman", "Peru"])).await.unwrap_err();
    assert!(matches!(&fault, QueryError::Db(DbError::UniqueViolation(what)) if what == "countries.name"), "{fault}");
    assert_eq!(blog.run("Country", Operation::Count(vec![]), vec![]).await, Item::Int(5));
    assert_eq!(blog.run("Country", many(false), vec![]).await, Item::Array(vec![]));
    // Keys that the caller chose come back as they are.
    assert_eq!(blog.insert("Country", &["name", "id"], items!["Togo", 99]).await, 99);
    let iran = blog.insert("Country", &["name"], items!["Iran"]).await;
    assert_eq!(iran == 100, blog.capabilities().chosen_keys_count);
    // A number is never given out twice.
    blog.run("Country", Operation::Delete(vec![is("id", Lookup::Exact, 0)]), items![iran]).await;
    assert_eq!(blog.insert("Country", &["name"], items!["Iraq"]).await, iran + 1);
    let fault = blog.try_run("Country", many(false), vec![items!["ok"].into(), items![1].into()]).await.unwrap_err();
    assert!(fault.to_string().contains("row 1"), "{fault}");
    let fault = blog.try_run("Post", insert(&["title"]), items!["x"]).await.unwrap_err();
    assert!(fault.to_string().contains("misses slug, author"), "{fault}");
}

#[tokio::test]
async fn defaults_are_the_databases_own() {
    let blog = posts().await;
    let id = blog.insert("Post", &["title", "slug", "author"], items!["t", "t", 1]).await;
    let fields = values(&["views", "price", "published", "created_at", "rating"]);
    let row = Select { filter: vec![is("id", Lookup::Exact, 0)], fields, ..Select::default() };
    let rows = blog.run("Post", select(row), items![id]).await;
    assert_eq!(rows, items![Item::from(items![0, "0.00", false, 0, Item::Null])].into());
}

fn get_or_create() -> Operation {
    Operation::GetOrCreate(GetOrCreate {
        filter: vec![is("name", Lookup::Exact, 0)],
        create: Insert { fields: vec!["name".into()], many: false, ignore_conflicts: false },
    })
}

#[tokio::test]
async fn get_or_create_finds_creates_and_refuses_many() {
    let blog = posts().await;
    let row = |id: i64, name: &str| Item::from(items![id, name]);
    assert_eq!(
        blog.run("Country", get_or_create(), items!["Chile", "Chile"]).await,
        items![false, row(1, "Chile")].into()
    );
    assert_eq!(
        blog.run("Country", get_or_create(), items!["Nepal", "Nepal"]).await,
        items![true, row(2, "Nepal")].into()
    );
    assert_eq!(
        blog.run("Country", get_or_create(), items!["Nepal", "Nepal"]).await,
        items![false, row(2, "Nepal")].into()
    );
    let several = Operation::GetOrCreate(GetOrCreate {
        filter: vec![is("id", Lookup::Gt, 0)],
        create: Insert { fields: vec!["name".into()], many: false, ignore_conflicts: false },
    });
    let fault = blog.try_run("Country", several, items![0, "x"]).await.unwrap_err();
    assert!(matches!(fault, QueryError::Db(DbError::BadQuery(_))), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_that_get_or_create_at_once_one_creates() {
    let blog = Arc::new(Blog::empty().await);
    for round in 0..20 {
        let name = format!("country {round}");
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (blog, name) = (Arc::clone(&blog), name.clone());
                tokio::spawn(async move { blog.run("Country", get_or_create(), items![&*name, &*name]).await.array() })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            let answer = task.await.unwrap();
            created += i32::from(answer[0] == Item::Bool(true));
            assert_eq!(answer[1], items![round + 1, &*name].into());
        }
        assert_eq!(created, 1, "round {round}");
    }
}

#[tokio::test]
async fn deletes_follow_on_delete() {
    let blog = posts().await;
    // Ann edits a post: protected. Chile's authors lose their country. Bob's posts go with him.
    let by_id = || Operation::Delete(vec![is("id", Lookup::Exact, 0)]);
    let fault = blog.try_run("Author", by_id(), items![2]).await.unwrap_err();
    let protected =
        matches!(&fault, QueryError::Db(DbError::ForeignKeyViolation(why)) if why.contains("1 row of Post"));
    assert!(protected, "{fault}");
    assert_eq!(blog.run("Post", Operation::Count(vec![]), vec![]).await, Item::Int(4));
    blog.run("Country", by_id(), items![1]).await;
    let rows = blog.run("Author", Operation::Count(vec![is("country", Lookup::Isnull, 0)]), items![true]).await;
    assert_eq!(rows, Item::Int(2));
    let fault = blog.try_run("Post", insert(&POST), items!["x", "x", 77, Item::Null, 1]).await.unwrap_err();
    assert!(matches!(fault, QueryError::Db(DbError::ForeignKeyViolation(_))), "{fault}");
}

#[tokio::test]
async fn every_kind_comes_back_as_it_went_in() {
    let kinds: Vec<(Kind, Vec<Item>)> = vec![
        (Kind::Boolean, items![true, false]),
        (Kind::Int16, items![-32_768, 32_767]),
        (Kind::Int32, items![i64::from(i32::MIN), i64::from(i32::MAX)]),
        (Kind::Int64, items![i64::MIN, i64::MAX]),
        (Kind::Float32, items![1.5, f64::from(f32::MAX)]),
        (Kind::Float64, items![0.1, f64::MAX, 3.0]),
        (Kind::Decimal(DecimalSpec { digits: 18, scale: 4 }), items!["-99999999999999.9999", "0.0001"]),
        (
            Kind::Decimal(DecimalSpec { digits: 38, scale: 10 }),
            items!["-9999999999999999999999999999.9999999999", "12.5000000000"],
        ),
        (Kind::Varchar(3), items!["äöü", "12", "🦀"]),
        (Kind::Text, items!["007", "1e5", ""]),
        (Kind::Binary, vec![Item::Bytes(vec![0, 255]), Item::Bytes(b"123".to_vec())]),
        (Kind::Datetime, items![-62_135_596_800_000_000, 253_402_300_799_999_999]),
        (Kind::Date, items![-719_162, 2_932_896]),
        (Kind::Time, items![0, 86_399_999_999]),
        (Kind::Duration, items![i64::MIN, 5]),
        // As text, although SQLite would make numbers of them in a column called JSON.
        (Kind::Json, items!["12", "1000", r#"{"a":[1]}"#]),
        (Kind::Uuid, vec![Item::Bytes(vec![7; 16]), Item::Bytes(b"1234567890123456".to_vec())]),
        (Kind::Enumeration(vec!["1".into(), "live".into()]), items!["1", "live"]),
        (Kind::Email, items!["a@b.example"]),
        (Kind::Url, items!["https://example.org/?q=1"]),
    ];
    let mut fields = vec![id()];
    fields.extend(kinds.iter().enumerate().map(|(at, (kind, _))| nullable(field(&format!("f{at}"), kind.clone()))));
    let blog = Blog::of(vec![model("Thing", "things", fields)]).await;
    for (at, (kind, values)) in kinds.into_iter().enumerate() {
        let name = format!("f{at}");
        for value in values.into_iter().chain([Item::Null]) {
            let id = blog.insert("Thing", &[&name], vec![value.clone()]).await;
            let same = Select {
                filter: vec![is("id", Lookup::Exact, 0), is(&name, Lookup::Exact, 1), Node::AllOf(2)],
                fields: vec![vec![crate::common::value(&name)]],
                ..Select::default()
            };
            let rows = blog.run("Thing", select(same), vec![Item::Int(id), value.clone()]).await;
            assert_eq!(rows, items![Item::from(items![value])].into(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn keys_other_than_numbers_work_throughout() {
    let key = covet_orm::schema::Field { primary_key: true, ..field("key", Kind::Uuid) };
    let parent = covet_orm::schema::Field { kind: Kind::Uuid, ..nullable(to("parent", "Node", OnDelete::Cascade)) };
    let blog = Blog::of(vec![model("Node", "nodes", vec![key, parent, field("name", Kind::Text)])]).await;
    let uuid = |byte: u8| Item::Bytes(vec![byte; 16]);
    let fields = ["key", "parent", "name"];
    assert_eq!(
        blog.run("Node", insert(&fields), vec![uuid(1), Item::Null, "root".into()]).await,
        items![uuid(1)].into()
    );
    blog.run("Node", insert(&fields), vec![uuid(2), uuid(1), "leaf".into()]).await;
    let rows = blog
        .run(
            "Node",
            select(Select {
                filter: vec![is("parent.name", Lookup::Exact, 0)],
                related: vec![vec!["parent".into()]],
                ..Select::default()
            }),
            items!["root"],
        )
        .await;
    let root: Item = vec![uuid(1), Item::Null, "root".into()].into();
    assert_eq!(rows, items![Item::from(vec![uuid(2), uuid(1), "leaf".into(), root])].into());
    let made = Operation::GetOrCreate(GetOrCreate {
        filter: vec![is("name", Lookup::Exact, 0)],
        create: Insert { fields: vec!["name".into(), "key".into()], many: false, ignore_conflicts: false },
    });
    let answer = blog.run("Node", made, vec!["new".into(), "new".into(), uuid(3)]).await;
    assert_eq!(answer, items![true, Item::from(vec![uuid(3), Item::Null, "new".into()])].into());
    let fault = blog.try_run("Node", insert(&["name"]), items!["x"]).await.unwrap_err();
    assert!(fault.to_string().contains("misses key"), "{fault}");
}
