//! The SQL text of each kind of statement, and which reads are proven short.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_db::{Access, Group, Kind, Statement, Work};
use covet_orm::shape::{GetOrCreate, Insert, Lookup, Node, Operation, Select};

async fn plan_of(operation: Operation) -> covet_orm::Plan {
    Blog::empty().await.plan("Post", operation)
}

fn short_model() -> Vec<covet_orm::schema::Model> {
    let mut models = blog();
    for model in &mut models {
        if model.name == "Post" {
            model.fields.truncate(6);
            model.indexes.clear();
        }
    }
    models
}

#[tokio::test]
async fn statements_read_as_one_would_write_them() {
    let blog = Blog::of(
        short_model()
            .into_iter()
            .map(|mut model| {
                model.indexes.retain(|index| {
                    index.columns.iter().all(|column| model.fields.iter().any(|field| field.name == column.field))
                });
                model
            })
            .collect(),
    )
    .await;
    let columns = r#""t0"."id", "t0"."title", "t0"."slug", "t0"."author_id", "t0"."editor_id", "t0"."views""#;
    let by_slug = || vec![is("slug", Lookup::Exact, 0)];
    let create = || Insert { fields: vec!["name".into()], many: false, ignore_conflicts: true };
    let cases: Vec<(&str, Operation, String)> = vec![
        (
            "Post",
            Operation::Select(Select { filter: by_slug(), limit: Some(1), ..Select::default() }),
            format!(r#"SELECT {columns} FROM "posts" AS "t0" WHERE "t0"."slug" = ? LIMIT ?"#),
        ),
        (
            "Post",
            Operation::Select(Select { offset: Some(0), ..Select::default() }),
            format!(r#"SELECT {columns} FROM "posts" AS "t0" ORDER BY "t0"."views" DESC, "t0"."id" DESC LIMIT ? OFFSET ?"#),
        ),
        (
            "Post",
            Operation::Select(Select {
                filter: vec![is("author.name", Lookup::Exact, 0), is("editor.name", Lookup::Exact, 1), Node::AllOf(2)],
                order: vec![order("author.name")],
                fields: values(&["author.id", "author.country.name"]),
                distinct: true,
                ..Select::default()
            }),
            concat!(
                r#"SELECT DISTINCT "t0"."author_id", "t2"."name" FROM "posts" AS "t0" "#,
                r#"INNER JOIN "authors" AS "t1" ON "t1"."id" = "t0"."author_id" "#,
                r#"LEFT JOIN "countries" AS "t2" ON "t2"."id" = "t1"."country_id" "#,
                r#"LEFT JOIN "authors" AS "t3" ON "t3"."id" = "t0"."editor_id" "#,
                r#"WHERE "t1"."name" = ? AND ("t3"."name" IS ?) ORDER BY "t1"."name" ASC"#
            )
            .to_owned(),
        ),
        ("Post", Operation::Count(by_slug()), r#"SELECT COUNT(*) FROM "posts" AS "t0" WHERE "t0"."slug" = ?"#.to_owned()),
        (
            "Post",
            Operation::Exists(vec![is("views", Lookup::In, 0), Node::Negate]),
            r#"SELECT EXISTS(SELECT 1 FROM "posts" AS "t0" WHERE NOT ("t0"."views" IN rarray(?)) LIMIT 1)"#.to_owned(),
        ),
        ("Country", Operation::Insert(create()), r#"INSERT INTO "countries" ("name") VALUES (?) ON CONFLICT DO NOTHING"#.to_owned()),
        (
            "Post",
            update(by_slug(), vec![change("views", Change::Add, 1), change("editor", Change::Set, 2)]),
            r#"UPDATE "posts" SET "views" = "posts"."views" + ?, "editor_id" = ? WHERE "posts"."slug" = ?"#.to_owned(),
        ),
        (
            "Post",
            Operation::Delete(vec![is("author.name", Lookup::Exact, 0)]),
            concat!(
                r#"DELETE FROM "posts" WHERE "posts"."id" IN (SELECT "t0"."id" FROM "posts" AS "t0" "#,
                r#"INNER JOIN "authors" AS "t1" ON "t1"."id" = "t0"."author_id" WHERE "t1"."name" = ?)"#
            )
            .to_owned(),
        ),
        (
            "Country",
            Operation::GetOrCreate(GetOrCreate {
                filter: vec![is("name", Lookup::Exact, 0)],
                create: Insert { ignore_conflicts: false, ..create() },
            }),
            r#"SELECT "t0"."id", "t0"."name" FROM "countries" AS "t0" WHERE "t0"."name" = ? LIMIT ?"#.to_owned(),
        ),
        (
            "Post",
            Operation::Count(vec![is("editor.name", Lookup::Gt, 0), is("title", Lookup::Icontains, 1), Node::AnyOf(2), Node::Negate]),
            concat!(
                r#"SELECT COUNT(*) FROM "posts" AS "t0" LEFT JOIN "authors" AS "t1" ON "t1"."id" = "t0"."editor_id" "#,
                r#"WHERE NOT (("t1"."name" > ? AND "t1"."name" IS NOT NULL) OR (instr(covet_lower("t0"."title"), ?) > 0))"#
            )
            .to_owned(),
        ),
    ];
    for (model, operation, sql) in cases {
        assert_eq!(blog.plan(model, operation).sql(), sql);
    }
}

#[tokio::test]
async fn exists_never_counts() {
    for filter in [vec![], vec![is("author.name", Lookup::Exact, 0)], vec![is("id", Lookup::Exact, 0)]] {
        let plan = plan_of(Operation::Exists(filter)).await;
        assert!(
            plan.sql().starts_with("SELECT EXISTS(SELECT 1 ") && plan.sql().ends_with(" LIMIT 1)"),
            "{}",
            plan.sql()
        );
        assert!(!plan.sql().contains("COUNT"));
    }
}

fn access(work: &Work) -> Access {
    match work {
        Work::Query { statement, .. } | Work::Scalar { statement, .. } => statement.access(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reads_are_short_exactly_when_a_key_or_an_index_bounds_them() {
    use Lookup::*;
    let blog = Blog::empty().await;
    let page = |filter: Vec<Node>, order_by: &[&str], limit| {
        Operation::Select(Select {
            filter,
            order: order_by.iter().map(|field| order(field)).collect(),
            limit,
            ..Select::default()
        })
    };
    let all = |nodes: Vec<Node>| {
        let count = nodes.len() as u32;
        nodes.into_iter().chain([Node::AllOf(count)]).collect::<Vec<Node>>()
    };
    let long = Access::Read;
    let short = Access::ShortRead;
    let related =
        Select { filter: vec![is("id", Exact, 0)], related: vec![vec!["author".into()]], ..Select::default() };
    let offset = Select { order: vec![order("id")], limit: Some(0), offset: Some(1), ..Select::default() };
    let distinct = Select { order: vec![order("id")], limit: Some(0), distinct: true, ..Select::default() };
    let joined = |filter, by: &str| {
        let related = vec![vec!["author".into()], vec!["author".into(), "country".into()], vec!["editor".into()]];
        Operation::Select(Select { filter, order: vec![order(by)], limit: Some(0), related, ..Select::default() })
    };
    let list = |count: i64| Item::Array((0..count).map(Item::Int).collect());
    for (model, operation, params, expected) in [
        ("Post", page(vec![is("id", Exact, 0)], &[], None), items![1], short),
        ("Post", page(vec![is("slug", Exact, 0)], &["-views"], None), items!["x"], short),
        ("Post", Operation::Select(related), items![1], short),
        ("Post", page(all(vec![is("slug", Exact, 0), is("title", Regex, 1)]), &[], None), items!["x", "y"], short),
        ("Post", page(vec![is("slug", Exact, 0), Node::Negate], &[], None), items!["x"], long),
        ("Post", page(vec![is("slug", Exact, 0), is("id", Exact, 1), Node::AnyOf(2)], &[], None), items!["x", 1], long),
        ("Post", page(all(vec![is("author", Exact, 0), is("title", Exact, 1)]), &[], None), items![1, "y"], short),
        ("Post", page(vec![is("title", Exact, 0)], &[], None), items!["y"], long),
        ("Post", page(vec![is("id", In, 0)], &[], None), vec![list(64)], short),
        ("Post", page(vec![is("id", In, 0)], &[], None), vec![list(65)], long),
        // A unique field that is null is no key.
        ("Author", page(vec![is("email", Exact, 0)], &[], None), items!["a@b.example"], short),
        ("Author", page(vec![is("email", Exact, 0)], &[], None), vec![Item::Null], long),
        ("Post", page(vec![], &["id"], Some(0)), items![64], short),
        ("Post", page(vec![], &["id"], Some(0)), items![65], long),
        ("Post", page(vec![], &["id"], None), items![], long),
        ("Post", page(vec![], &[], Some(0)), items![10], long),
        ("Country", page(vec![], &[], Some(0)), items![10], short),
        ("Post", page(vec![], &["created_at"], Some(0)), items![10], short),
        ("Post", page(vec![], &["-created_at"], Some(0)), items![10], short),
        ("Post", page(vec![], &["views"], Some(0)), items![10], long),
        ("Post", page(vec![], &["author.name"], Some(0)), items![10], long),
        ("Post", page(vec![is("author", Exact, 0)], &["-created_at"], Some(1)), items![1, 10], short),
        ("Post", page(vec![is("author", Exact, 0)], &["created_at", "-id"], Some(1)), items![1, 10], short),
        ("Post", page(vec![is("author", Exact, 0)], &["created_at", "id"], Some(1)), items![1, 10], long),
        ("Post", page(vec![is("author", Exact, 0)], &["views"], Some(1)), items![1, 10], long),
        ("Post", page(vec![is("author.name", Exact, 0)], &["id"], Some(1)), items!["x", 10], long),
        ("Post", page(vec![is("id", Gt, 0)], &["id"], Some(1)), items![1, 10], short),
        (
            "Post",
            page(all(vec![is("id", Gt, 0), is("published", Exact, 1)]), &["id"], Some(2)),
            items![1, true, 10],
            long,
        ),
        ("Post", Operation::Select(offset.clone()), items![10, 256], short),
        ("Post", Operation::Select(offset), items![10, 257], long),
        ("Post", Operation::Select(distinct), items![10], long),
        ("Post", joined(vec![], "-created_at"), items![10], short),
        ("Post", joined(vec![], "id"), items![10], short),
        ("Post", joined(vec![is("author", Exact, 1)], "-created_at"), items![10, 1], short),
        ("Post", Operation::Count(vec![]), items![], long),
        ("Post", Operation::Count(vec![is("slug", Exact, 0)]), items!["x"], short),
        ("Post", Operation::Exists(vec![is("slug", Exact, 0)]), items!["x"], short),
        ("Post", Operation::Exists(vec![]), items![], short),
        ("Post", Operation::Exists(vec![is("author", Exact, 0)]), items![1], short),
        ("Post", Operation::Exists(vec![is("views", Exact, 0)]), items![1], long),
    ] {
        let plan = blog.plan(model, operation.clone());
        let work = plan.bind(&Item::Array(params.clone()).encode()).unwrap();
        assert_eq!(access(&work), expected, "{operation:?} {params:?}\n{}", plan.sql());
        // SQLite agrees: the rows of a short page come from an index in their order, none is sorted.
        if let (Work::Query { statement, params, .. }, Access::ShortRead) = (work, expected)
            && plan.sql().contains("LIMIT")
        {
            let columns = vec![Group::flat(vec![Kind::Int, Kind::Int, Kind::Int, Kind::Text])];
            let statement = Statement::new(format!("EXPLAIN QUERY PLAN {}", statement.sql()), columns, Access::Read);
            let explained = Work::Query { statement, params, max_rows: 100 };
            let steps = format!("{:?}", Item::decode(&blog.database.run(explained, deadline()).await.unwrap()));
            assert!(!steps.contains("TEMP B-TREE"), "{steps}\n{}", plan.sql());
        }
    }
}

#[tokio::test]
async fn plans_name_the_tables_they_touch() {
    let blog = Blog::empty().await;
    let names = |tables: &[std::sync::Arc<str>]| {
        let mut names: Vec<String> = tables.iter().map(|table| table.to_string()).collect();
        names.sort();
        names.join(" ")
    };
    let touched = |model: &str, operation| {
        let plan = blog.plan(model, operation);
        (names(plan.tables_read()), names(plan.tables_written()))
    };
    let pair = |read: &str, written: &str| (read.to_owned(), written.to_owned());
    let by_country = || vec![is("author.country.name", Lookup::Exact, 0)];
    assert_eq!(touched("Post", Operation::Count(by_country())), pair("authors countries posts", ""));
    assert_eq!(touched("Post", Operation::Count(vec![is("author.id", Lookup::Exact, 0)])), pair("posts", ""));
    assert_eq!(
        touched("Post", update(by_country(), vec![change("views", Change::Set, 1)])),
        pair("authors countries posts", "posts")
    );
    assert_eq!(touched("Country", insert(&["name"])), pair("", "countries"));
    // Posts cascade from authors, and are looked at for editors, whom they protect; authors lose their country, which takes no post along.
    assert_eq!(touched("Author", Operation::Delete(vec![])), pair("authors posts", "authors posts"));
    assert_eq!(touched("Country", Operation::Delete(vec![])), pair("countries", "authors countries"));
}
