//! A graph of rows in one call, against real databases: its form, its limits, and how many queries it takes.

use crate::common::*;
use crate::items;
use covet_db::DbError;
use covet_orm::schema::{Index, Kind, Model, OnDelete};
use covet_orm::shape::{Insert, Lookup, Node, Operation, Prefetch, Select};
use covet_orm::{Call, QueryError};

/// Author (1 to 3) ← Post ← Comment; Post and Tag by way of PostTag.
async fn library() -> Blog {
    let author =
        Model { ordering: vec![by("name")], ..model("Author", "authors", vec![id(), field("name", Kind::Text)]) };
    let post = Model {
        ordering: vec![by("-views")],
        ..model(
            "Post",
            "posts",
            vec![
                id(),
                field("title", Kind::Text),
                field("views", Kind::Int64),
                to("author", "Author", OnDelete::Cascade),
            ],
        )
    };
    let comment = model(
        "Comment",
        "comments",
        vec![id(), to("post", "Post", OnDelete::Cascade), nullable(to("by", "Author", OnDelete::SetNull))],
    );
    let tag = Model { ordering: vec![by("name")], ..model("Tag", "tags", vec![field("name", Kind::Text), id()]) };
    let link = Model {
        indexes: vec![Index { unique: true, ..index(&["post", "tag"]) }],
        ..model(
            "PostTag",
            "posts_tags",
            vec![id(), to("post", "Post", OnDelete::Cascade), to("tag", "Tag", OnDelete::Cascade)],
        )
    };
    let blog = Blog::of(vec![author, post, comment, tag, link]).await;
    for name in ["Ann", "Bob", "Eve"] {
        blog.insert("Author", &["name"], items![name]).await;
    }
    for (title, views, author) in [("a", 5, 1), ("b", 9, 1), ("c", 7, 1), ("d", 1, 2)] {
        blog.insert("Post", &["title", "views", "author"], items![title, views, author]).await;
    }
    for (post, by) in [(1, Item::Int(2)), (1, Item::Null), (4, Item::Int(3))] {
        blog.insert("Comment", &["post", "by"], items![post, by]).await;
    }
    for name in ["loom", "card"] {
        blog.insert("Tag", &["name"], items![name]).await;
    }
    for (post, tag) in [(1, 1), (1, 2), (4, 1)] {
        blog.insert("PostTag", &["post", "tag"], items![post, tag]).await;
    }
    blog
}

fn level(parent: Option<u32>, steps: &[&str]) -> Prefetch {
    let relation = steps.iter().map(|step| (*step).to_owned()).collect();
    Prefetch { parent, relation, ..Prefetch::default() }
}

fn with(prefetch: Vec<Prefetch>) -> Operation {
    Operation::Select(Select { prefetch, ..Select::default() })
}

fn none() -> Item {
    Item::Array(vec![])
}

/// The first value of each row.
fn ids(rows: &Item) -> Vec<i64> {
    rows.clone().array().into_iter().map(|row| row.array()[0].int()).collect()
}

#[tokio::test]
async fn rows_come_with_those_that_belong_to_them_in_the_models_order() {
    let blog = library().await;
    let rows = blog.run("Author", with(vec![level(None, &["Post.author"])]), vec![none()]).await.array();
    let post = |id, title: &str, views, author| -> Item { items![id, title, views, author].into() };
    assert_eq!(
        rows,
        [
            items![1, "Ann", vec![post(2, "b", 9, 1), post(3, "c", 7, 1), post(1, "a", 5, 1)]].into(),
            items![2, "Bob", vec![post(4, "d", 1, 2)]].into(),
            items![3, "Eve", Item::Array(vec![])].into(),
        ]
    );
}

#[tokio::test]
async fn levels_nest_and_stand_beside_each_other() {
    let blog = library().await;
    let tree = vec![
        level(None, &["Post.author"]),
        level(Some(0), &["Comment.post"]),
        level(Some(0), &["PostTag.post", "tag"]),
        Prefetch { related: vec![vec!["post".into()]], ..level(None, &["Comment.by"]) },
    ];
    let rows = blog.run("Author", with(tree), vec![none(), none(), none(), none()]).await.array();
    let bob = rows[1].clone().array();
    let post = bob[2].clone().array()[0].clone().array();
    assert_eq!(post[4], vec![Item::from(items![3, 4, 3])].into(), "comments");
    assert_eq!(post[5], vec![Item::from(items!["loom", 1])].into(), "tags by way of the table between");
    let by_bob = bob[3].clone().array()[0].clone().array();
    assert_eq!(by_bob[3], items![1, "a", 5, 1].into(), "a related model of a prefetched one");
    let ann = rows[0].clone().array()[2].clone().array();
    let tags: Vec<Item> =
        ann[2].clone().array()[5].clone().array().into_iter().map(|tag| tag.array()[0].clone()).collect();
    assert_eq!(tags, ["card".into(), "loom".into()], "ordered as the tag says, not the table between");
}

#[tokio::test]
async fn a_level_is_filtered_ordered_and_limited_for_each_row() {
    let blog = library().await;
    let posts = Prefetch {
        filter: vec![is("views", Lookup::Gt, 0)],
        order: vec![order("title")],
        limit: Some(1),
        ..level(None, &["Post.author"])
    };
    let of = async |posts: &Prefetch, params: Vec<Item>| {
        let rows = blog.run("Author", with(vec![posts.clone()]), vec![params.into()]).await.array();
        rows.into_iter().map(|row| ids(&row.array()[2])).collect::<Vec<_>>()
    };
    assert_eq!(of(&posts, items![0, 2]).await, [vec![1, 2], vec![4], vec![]]);
    assert_eq!(of(&posts, items![5, 2]).await, [vec![2, 3], vec![], vec![]]);
    let last = Prefetch { reverse: true, ..posts.clone() };
    assert_eq!(of(&last, items![0, 1]).await, [vec![3], vec![4], vec![]]);
    assert_eq!(of(&posts, items![0, 0]).await, vec![Vec::<i64>::new(); 3]);
    let tags =
        Prefetch { filter: vec![is("name", Lookup::Exact, 0), Node::Negate], ..level(None, &["PostTag.post", "tag"]) };
    let rows = blog.run("Post", with(vec![tags]), vec![items!["card"].into()]).await.array();
    assert_eq!(
        rows[2].clone().array()[4],
        vec![Item::from(items!["loom", 1])].into(),
        "a filter in the tag's own terms"
    );
}

#[tokio::test]
async fn two_levels_take_two_queries_and_three_take_three() {
    let blog = library().await;
    let queries = async |tree: Vec<Prefetch>| {
        let params: Vec<Item> = tree.iter().map(|_| none()).collect();
        let plan = std::sync::Arc::new(blog.plan("Author", with(tree)));
        match Call::of(&plan, &Item::Array(params).encode()).unwrap() {
            Call::Program(program) => program.run(&blog.database, deadline()).await.unwrap().queries,
            Call::Work(work) => panic!("{work:?}"),
        }
    };
    assert_eq!(queries(vec![level(None, &["Post.author"])]).await, 2);
    assert_eq!(queries(vec![level(None, &["Post.author"]), level(Some(0), &["Comment.post"])]).await, 3);
}

#[tokio::test]
async fn parents_past_one_list_are_asked_for_in_portions_and_no_parent_costs_no_query() {
    let blog = library().await;
    let many = |fields: &[&str]| {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Operation::Insert(Insert { fields, many: true, ignore_conflicts: false })
    };
    let authors: Vec<Item> = (10..12_010).map(|id| items![id, format!("n{id}").as_str()].into()).collect();
    blog.run("Author", many(&["id", "name"]), authors).await;
    let posts: Vec<Item> = [10, 12_009].iter().map(|author| items!["x", 0, *author].into()).collect();
    blog.run("Post", many(&["title", "views", "author"]), posts).await;
    let limit = Select { limit: Some(0), prefetch: vec![level(None, &["Post.author"])], ..Select::default() };
    let rows = blog.run("Author", Operation::Select(limit.clone()), vec![Item::Int(20_000), none()]).await.array();
    assert_eq!(rows.len(), 12_003);
    let with_posts = rows.iter().filter(|row| (*row).clone().array()[2] != none()).count();
    assert_eq!(with_posts, 4);
    let nobody = Select { filter: vec![is("name", Lookup::Exact, 1)], ..limit };
    let nobody = Select { limit: None, filter: vec![is("name", Lookup::Exact, 0)], ..nobody };
    assert_eq!(blog.run("Author", Operation::Select(nobody), vec!["nobody".into(), none()]).await, none());
}

#[tokio::test]
async fn the_row_guard_of_a_level_names_the_level_and_the_way_out() {
    let blog = library().await;
    let rows: Vec<Item> = (0..10_001).map(|_| items![1].into()).collect();
    let many = Operation::Insert(Insert { fields: vec!["post".into()], many: true, ignore_conflicts: false });
    blog.run("Comment", many, rows).await;
    let fault = blog.try_run("Post", with(vec![level(None, &["Comment.post"])]), vec![none()]).await.unwrap_err();
    let named =
        matches!(&fault, QueryError::TooLarge(why) if why.contains("prefetch of Comment") && why.contains("limit"));
    assert!(named, "{fault}");
    assert!(!matches!(fault, QueryError::Db(DbError::TooLarge(_))));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_what_to_write() {
    let blog = library().await;
    let posts = || level(None, &["Post.author"]);
    for (tree, params, says) in [
        (vec![level(Some(0), &["Post.author"])], vec![none()], "send parents first"),
        (vec![level(None, &["Post.title"])], vec![none()], "these do: Post.author, Comment.by"),
        (vec![level(None, &[])], vec![none()], "one step"),
        (vec![level(None, &["name"])], vec![none()], "leads to one row"),
        (vec![posts(), level(Some(0), &["PostTag.post", "id"])], vec![none(), none()], "no relation"),
        (vec![posts()], vec![], "1 parameters are due"),
        (vec![posts()], vec![Item::Int(1)], "not a CBOR array"),
        (vec![posts()], vec![items![1].into()], "0 parameters of a level are due"),
        (vec![Prefetch { filter: vec![is("views", Lookup::Gt, 1)], ..posts() }], vec![none()], "without a gap"),
        (vec![Prefetch { limit: Some(1), ..posts() }], vec![none()], "its last parameter, 0"),
        (vec![Prefetch { limit: Some(0), ..posts() }], vec![items![-1].into()], "0 or more"),
        (vec![posts(); 17], vec![none(); 17], "at most 16"),
    ] {
        let fault = blog.try_run("Author", with(tree), params).await.unwrap_err().to_string();
        assert!(fault.contains(says), "{says}: {fault}");
    }
    let named = Select { fields: values(&["name"]), prefetch: vec![posts()], ..Select::default() };
    let fault = blog.try_run("Author", Operation::Select(named), vec![none()]).await.unwrap_err().to_string();
    assert!(fault.contains("no rows that others could belong to"), "{fault}");
}

#[tokio::test]
async fn it_reads_inside_a_transaction_what_that_has_written() {
    let blog = library().await;
    let plan = std::sync::Arc::new(blog.plan("Author", with(vec![level(None, &["Post.author"])])));
    let tables: Vec<&str> = plan.tables_read().iter().map(|table| &**table).collect();
    assert_eq!(tables, ["authors", "posts"]);
    let transaction = blog.database.begin(covet_db::BeginOptions::default(), deadline()).await.unwrap();
    let new = blog.plan("Post", insert(&["title", "views", "author"])).bind(&Item::Array(items!["new", 1, 3]).encode());
    transaction.run(new.unwrap()).await.unwrap();
    let Call::Program(program) = Call::of(&plan, &Item::Array(vec![none()]).encode()).unwrap() else {
        panic!("one piece of work")
    };
    let rows = Item::decode(&program.within(&transaction).await.unwrap().item).array();
    assert_eq!(ids(&rows[2].clone().array()[2]), [5]);
}
