//! Reads and their answers, against real databases.

use crate::common::*;
use crate::items;
use covet_db::DbError;
use covet_orm::QueryError;
use covet_orm::shape::{Insert, Lookup, Operation, Select};

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

fn ids(rows: Item) -> Vec<i64> {
    rows.array().into_iter().map(|row| row.array()[0].int()).collect()
}

fn select(select: Select) -> Operation {
    Operation::Select(select)
}

#[tokio::test]
async fn related_models_come_nested_in_the_same_row_and_null_where_there_is_none() {
    let blog = posts().await;
    let names = |paths: &[&str]| -> Vec<Vec<String>> {
        paths.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect()
    };
    let related = names(&["author", "author.country", "editor", "editor.country"]);
    let rows = blog
        .run("Post", select(Select { related, order: vec![order("id")], ..Select::default() }), vec![])
        .await
        .array();
    let row = |at: usize| rows[at].clone().array();
    let ann: Item = items![1, "Ann", Item::Null, 1].into();
    let bob: Item = items![2, "Bob", Item::Null, Item::Null].into();
    let chile: Item = items![1, "Chile"].into();
    assert_eq!(row(0)[15..], [ann.clone(), chile.clone(), bob.clone(), Item::Null]);
    assert_eq!(row(1)[15..], [bob, Item::Null, Item::Null, Item::Null]);
    assert_eq!(row(2)[15..], [ann.clone(), chile.clone(), ann, chile]);
    let fault =
        blog.try_run("Post", select(Select { related: names(&["author.country"]), ..Select::default() }), vec![]).await;
    assert!(fault.unwrap_err().to_string().contains("needs author before it"));
    let fault = blog.try_run("Post", select(Select { related: names(&["title"]), ..Select::default() }), vec![]).await;
    assert!(fault.unwrap_err().to_string().contains("no relation"));
}

#[tokio::test]
async fn an_optional_relation_needs_a_first_field_that_tells_it_from_none() {
    let mut models = blog();
    // The editor's first field may be null: the driver could not tell an absent author from one without it.
    models[1].fields.rotate_left(2);
    let blog = Blog::of(models).await;
    let related = vec![vec!["editor".to_owned()]];
    let fault = blog.try_run("Post", select(Select { related, ..Select::default() }), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("primary key first"), "{fault}");
}

#[tokio::test]
async fn the_models_ordering_holds_unless_another_is_named() {
    let blog = posts().await;
    let ids_of = async |shape: Select, params| ids(blog.run("Post", select(shape), params).await);
    // ordering = "-views"; ties go by key in pages.
    assert_eq!(ids_of(Select { limit: Some(0), ..Select::default() }, items![10]).await, vec![2, 4, 3, 1]);
    assert_eq!(
        ids_of(Select { limit: Some(0), reverse: true, ..Select::default() }, items![10]).await,
        vec![1, 3, 4, 2]
    );
    let named = Select { order: vec![order("author.name"), order("-title")], ..Select::default() };
    assert_eq!(ids_of(named.clone(), vec![]).await, vec![1, 3, 4, 2]);
    assert_eq!(ids_of(Select { reverse: true, ..named }, vec![]).await, vec![2, 4, 3, 1]);
    // No page misses or repeats a row.
    let mut seen = Vec::new();
    for page in 0..4 {
        seen.extend(ids_of(Select { limit: Some(0), offset: Some(1), ..Select::default() }, items![1, page]).await);
    }
    assert_eq!(seen, vec![2, 4, 3, 1]);
    assert_eq!(ids_of(Select { offset: Some(0), ..Select::default() }, items![3]).await, vec![1]);
}

#[tokio::test]
async fn last_without_any_order_is_the_newest_row() {
    let blog = posts().await;
    let one = Select { limit: Some(0), ..Select::default() };
    assert_eq!(ids(blog.run("Country", select(one.clone()), items![1]).await), vec![1]);
    blog.insert("Country", &["name"], items!["Atlantis"]).await;
    assert_eq!(ids(blog.run("Country", select(one.clone()), items![1]).await), vec![1], "first");
    assert_eq!(ids(blog.run("Country", select(Select { reverse: true, ..one }), items![1]).await), vec![2], "last");
}

#[tokio::test]
async fn named_fields_come_flat_and_distinct_means_it() {
    let blog = posts().await;
    let fields = values(&["author.name", "editor.name"]);
    let rows = blog
        .run("Post", select(Select { fields: fields.clone(), order: vec![order("id")], ..Select::default() }), vec![])
        .await;
    let null = || Item::Null;
    let wanted: Vec<Item> = vec![
        items!["Ann", "Bob"].into(),
        items!["Bob", null()].into(),
        items!["Ann", "Ann"].into(),
        items!["Bob", null()].into(),
    ];
    assert_eq!(rows.array(), wanted);
    let distinct =
        Select { fields: fields[..1].to_vec(), distinct: true, order: vec![order("author.name")], ..Select::default() };
    let rows = blog.run("Post", select(distinct), vec![]).await;
    assert_eq!(rows.array(), vec![items!["Ann"].into(), items!["Bob"].into()]);
}

#[tokio::test]
async fn counts_and_existence() {
    let blog = posts().await;
    let filter = || vec![is("author.name", Lookup::Exact, 0)];
    assert_eq!(blog.run("Post", Operation::Count(vec![]), vec![]).await, Item::Int(4));
    assert_eq!(blog.run("Post", Operation::Count(filter()), items!["Bob"]).await, Item::Int(2));
    assert_eq!(blog.run("Post", Operation::Exists(filter()), items!["Bob"]).await, Item::Bool(true));
    assert_eq!(blog.run("Post", Operation::Exists(filter()), items!["Eve"]).await, Item::Bool(false));
    assert_eq!(blog.run("Post", Operation::Exists(vec![]), vec![]).await, Item::Bool(true));
}

#[tokio::test]
async fn a_limit_is_checked_and_the_row_guard_names_it() {
    let blog = posts().await;
    let page = || select(Select { limit: Some(0), ..Select::default() });
    for (limit, said) in [(Item::Int(-1), "negative"), (Item::Int(2_000_000), "1000000")] {
        let fault = blog.try_run("Post", page(), vec![limit]).await.unwrap_err();
        assert!(
            matches!(&fault, QueryError::Invalid { field, reason } if field == "limit" && reason.contains(said)),
            "{fault}"
        );
    }
    assert_eq!(blog.run("Post", page(), items![0]).await, Item::Array(vec![]));
    let rows: Vec<Item> = (0..10_001).map(|number| items![format!("c{number}").as_str()].into()).collect();
    let many = Operation::Insert(Insert { fields: vec!["name".into()], many: true, ignore_conflicts: false });
    blog.run("Country", many, rows).await;
    let fault = blog.try_run("Country", select(Select::default()), vec![]).await.unwrap_err();
    assert!(matches!(&fault, QueryError::Db(DbError::TooLarge(why)) if why.contains("limit")), "{fault}");
    let all = blog.run("Country", page(), items![20_000]).await;
    assert!(
        matches!(blog.try_run("Country", page(), items![20_000]).await, Ok(Item::Array(rows)) if rows.len() == 10_002),
        "{all:?}"
    );
}
