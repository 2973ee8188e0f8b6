//! Queries within queries, and queries combined, against a real SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_orm::QueryError;
use covet_orm::shape::{Combination, Combining, InnerQuery, Lookup, Node, Operation, Select, Shape};

/// Ann has two posts, Bob one without an editor, Eve none.
async fn posts() -> Blog {
    let blog = Blog::empty().await;
    for name in ["Ann", "Bob", "Eve"] {
        blog.insert("Author", &["name"], items![name]).await;
    }
    let fields = ["title", "slug", "author", "editor", "views"];
    for row in [items!["one", "a", 1, 2, 10], items!["two", "b", 1, 2, 20], items!["Bob", "c", 2, Item::Null, 30]] {
        blog.insert("Post", &fields, row).await;
    }
    blog
}

async fn run(blog: &Blog, shape: Shape, params: Vec<Item>) -> Result<Vec<Vec<Item>>, QueryError> {
    let plan = covet_orm::plan(&blog.catalog, covet_orm::Dialect::Sqlite, &shape)?;
    let work = plan.bind(&Item::Array(params).encode())?;
    let answer = blog.database.run(work, deadline()).await?;
    Ok(Item::decode(&answer).array().into_iter().map(Item::array).collect())
}

fn authors(filter: Vec<Node>, queries: Vec<InnerQuery>) -> Shape {
    let select = Select { filter, fields: values(&["name"]), order: vec![order("name")], ..Select::default() };
    Shape { queries, ..Shape::of("Author", Operation::Select(select)) }
}

fn inner(select: Select) -> InnerQuery {
    InnerQuery { model: "Post".to_owned(), select }
}

/// Posts of the author around.
fn of_this_author() -> Vec<Node> {
    vec![value("author"), Node::Outer(path("id")), Node::Test(Lookup::Exact)]
}

#[tokio::test]
async fn a_row_is_found_by_what_points_to_it() {
    let blog = posts().await;
    let many = || {
        inner(Select {
            filter: [of_this_author(), vec![is("views", Lookup::Gt, 0), Node::AllOf(2)]].concat(),
            ..Select::default()
        })
    };
    let found = run(&blog, authors(vec![Node::Exists(0)], vec![many()]), items![15]).await.unwrap();
    assert_eq!(found, [items!["Ann"], items!["Bob"]]);
    let found = run(&blog, authors(vec![Node::Exists(0), Node::Negate], vec![many()]), items![25]).await.unwrap();
    assert_eq!(found, [items!["Ann"], items!["Eve"]]);
}

#[tokio::test]
async fn among_leaves_nulls_out_so_that_not_among_finds_rows() {
    let blog = posts().await;
    let editors = || inner(Select { fields: values(&["editor"]), ..Select::default() });
    let among = || vec![value("id"), Node::Among(0)];
    assert_eq!(run(&blog, authors(among(), vec![editors()]), vec![]).await.unwrap(), [items!["Bob"]]);
    // `NOT IN` with a null in the list would find nothing at all.
    let not = [among(), vec![Node::Negate]].concat();
    assert_eq!(run(&blog, authors(not, vec![editors()]), vec![]).await.unwrap(), [items!["Ann"], items!["Eve"]]);
    let best = inner(Select {
        fields: values(&["author"]),
        order: vec![order("-views")],
        limit: Some(0),
        ..Select::default()
    });
    assert_eq!(run(&blog, authors(among(), vec![best]), items![1]).await.unwrap(), [items!["Bob"]]);
    let texts = inner(Select { fields: values(&["title"]), ..Select::default() });
    let fault = run(&blog, authors(among(), vec![texts]), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("their kinds differ"), "{fault}");
    let two = inner(Select { fields: values(&["author", "views"]), ..Select::default() });
    let fault = run(&blog, authors(among(), vec![two]), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("must yield one value"), "{fault}");
}

#[tokio::test]
async fn a_subquery_is_the_value_of_its_first_row() {
    let blog = posts().await;
    let newest = inner(Select {
        filter: of_this_author(),
        fields: values(&["title"]),
        order: vec![order("-views")],
        ..Select::default()
    });
    let select = Select {
        fields: vec![vec![value("name")], vec![Node::Subquery(0)]],
        order: vec![order("name")],
        ..Select::default()
    };
    let shape = Shape { queries: vec![newest], ..Shape::of("Author", Operation::Select(select)) };
    let found = run(&blog, shape, vec![]).await.unwrap();
    assert_eq!(found, [items!["Ann", "two"], items!["Bob", "Bob"], items!["Eve", Item::Null]]);
}

#[tokio::test]
async fn a_query_is_named_once_and_never_contains_itself() {
    let blog = posts().await;
    let plain = || inner(Select { fields: values(&["author"]), ..Select::default() });
    let selfish = inner(Select { filter: vec![Node::Exists(0)], ..Select::default() });
    for (filter, queries, why) in [
        (vec![Node::Exists(0), Node::Exists(0), Node::AllOf(2)], vec![plain()], "named twice"),
        (vec![Node::Exists(0)], vec![selfish], "there is no query 0 here"),
        (vec![], vec![plain()], "named nowhere"),
        (vec![Node::Exists(0)], vec![plain(); 17], "at most 16"),
    ] {
        let fault = run(&blog, authors(filter, queries), vec![]).await.unwrap_err();
        assert!(fault.to_string().contains(why), "{why}: {fault}");
    }
}

fn combined(combining: Combining, fields: &[&str], other: InnerQuery) -> Shape {
    let select = Select {
        fields: values(fields),
        order: vec![order(fields[0])],
        combine: vec![Combination { combining, query: 0 }],
        ..Select::default()
    };
    Shape { queries: vec![other], ..Shape::of("Author", Operation::Select(select)) }
}

#[tokio::test]
async fn queries_are_combined_as_sets_and_as_bags() {
    use Combining::*;
    let blog = posts().await;
    blog.insert("Author", &["name"], items!["Bob"]).await;
    let titles = || inner(Select { fields: values(&["title"]), ..Select::default() });
    for (combining, wanted) in [
        (Union, vec!["Ann", "Bob", "Eve", "one", "two"]),
        (UnionAll, vec!["Ann", "Bob", "Bob", "Bob", "Eve", "one", "two"]),
        (Intersect, vec!["Bob"]),
        (IntersectAll, vec!["Bob"]),
        (Except, vec!["Ann", "Eve"]),
        (ExceptAll, vec!["Ann", "Bob", "Eve"]),
    ] {
        let found = run(&blog, combined(combining, &["name"], titles()), vec![]).await.unwrap();
        let wanted: Vec<Vec<Item>> = wanted.into_iter().map(|name| items![name]).collect();
        assert_eq!(found, wanted, "{combining:?}");
    }
    let page = |shape: Shape| match shape.operation {
        Operation::Select(select) => {
            Shape { operation: Operation::Select(Select { limit: Some(0), offset: Some(1), ..select }), ..shape }
        }
        _ => unreachable!(),
    };
    let found = run(&blog, page(combined(Union, &["name"], titles())), items![2, 1]).await.unwrap();
    assert_eq!(found, [items!["Bob"], items!["Eve"]]);
    let cut =
        inner(Select { fields: values(&["title"]), order: vec![order("-views")], limit: Some(0), ..Select::default() });
    let found = run(&blog, combined(Intersect, &["name"], cut), items![1]).await.unwrap();
    assert_eq!(found, [items!["Bob"]]);
    let numbers = inner(Select { fields: values(&["views"]), ..Select::default() });
    let fault = run(&blog, combined(Union, &["name"], numbers), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("of another kind"), "{fault}");
    let more = inner(Select { fields: values(&["title", "views"]), ..Select::default() });
    let fault = run(&blog, combined(Union, &["name"], more), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("name the same fields"), "{fault}");
}

#[tokio::test]
async fn an_update_may_take_its_value_from_another_table() {
    let blog = posts().await;
    let name = InnerQuery {
        model: "Author".to_owned(),
        select: Select {
            filter: vec![value("id"), Node::Outer(path("author")), Node::Test(Lookup::Exact)],
            fields: values(&["name"]),
            ..Select::default()
        },
    };
    let set = update(
        vec![is("views", Lookup::Lt, 0)],
        vec![covet_orm::shape::Assignment { field: "subtitle".to_owned(), value: vec![Node::Subquery(0)] }],
    );
    let shape = Shape { queries: vec![name], ..Shape::of("Post", set) };
    let plan = covet_orm::plan(&blog.catalog, covet_orm::Dialect::Sqlite, &shape).unwrap();
    assert_eq!(plan.tables_read().len(), 2);
    let work = plan.bind(&Item::Array(items![25]).encode()).unwrap();
    assert_eq!(Item::decode(&blog.database.run(work, deadline()).await.unwrap()), Item::Int(2));
    let select = Select { fields: values(&["subtitle"]), order: vec![order("id")], ..Select::default() };
    let found = run(&blog, Shape::of("Post", Operation::Select(select)), vec![]).await.unwrap();
    assert_eq!(found, [items!["Ann"], items!["Ann"], items![Item::Null]]);
}
