//! Relations walked from the other end, against real databases.

use crate::common::*;
use crate::items;
use covet_orm::schema::{Index, Kind, Model, OnDelete};
use covet_orm::shape::{Comparison, FieldPath, Lookup, Node, Operand, Operation, Select};

fn via(steps: &[&str], field: &str) -> FieldPath {
    FieldPath { via: steps.iter().map(|step| (*step).to_owned()).collect(), field: field.to_owned() }
}

fn has(steps: &[&str], field: &str, lookup: Lookup, param: u32) -> Node {
    Node::Compare(Comparison { left: via(steps, field), lookup, right: Operand::Param(param) })
}

/// Authors 1 Ann (posts 1 "a", 2 "b", 3 "b"), 2 Bob (post 4 "b"), 3 Eve (none); Ann has a profile; post 1 has tags 1 and 2,
/// post 4 tag 2.
async fn library() -> Blog {
    let tag = model("Tag", "tags", vec![id(), unique(field("name", Kind::Varchar(60)))]);
    let link = Model {
        indexes: vec![Index { unique: true, ..index(&["post", "tag"]) }],
        ..model(
            "PostTag",
            "posts_tags",
            vec![id(), to("post", "Post", OnDelete::Cascade), to("tag", "Tag", OnDelete::Cascade)],
        )
    };
    let profile = model(
        "Profile",
        "profiles",
        vec![id(), unique(to("author", "Author", OnDelete::Cascade)), field("bio", Kind::Text)],
    );
    let blog = Blog::of([blog(), vec![tag, link, profile]].concat()).await;
    for name in ["Ann", "Bob", "Eve"] {
        blog.insert("Author", &["name"], items![name]).await;
    }
    for (slug, title, author) in [("1", "a", 1), ("2", "b", 1), ("3", "b ", 1), ("4", "b", 2)] {
        blog.insert("Post", &["slug", "title", "author"], items![slug, title, author]).await;
    }
    blog.insert("Profile", &["author", "bio"], items![1, "weaver"]).await;
    for name in ["loom", "card"] {
        blog.insert("Tag", &["name"], items![name]).await;
    }
    for (post, tag) in [(1, 1), (1, 2), (4, 2)] {
        blog.insert("PostTag", &["post", "tag"], items![post, tag]).await;
    }
    blog
}

async fn ids(blog: &Blog, model: &str, select: Select, params: Vec<Item>) -> Vec<i64> {
    let select = Select { order: vec![order("id")], ..select };
    let rows = blog.run(model, Operation::Select(select), params).await.array();
    rows.into_iter().map(|row| row.array()[0].int()).collect()
}

fn by(filter: Vec<Node>) -> Select {
    Select { filter, ..Select::default() }
}

#[tokio::test]
async fn a_filter_over_rows_that_point_here_gives_a_row_as_often_as_it_matches() {
    let blog = library().await;
    let titled = || vec![has(&["Post.author"], "title", Lookup::Startswith, 0)];
    assert_eq!(ids(&blog, "Author", by(titled()), items!["b"]).await, vec![1, 1, 2], "one for each post, as in Django");
    let once = Select { distinct: true, ..by(titled()) };
    assert_eq!(ids(&blog, "Author", once, items!["b"]).await, vec![1, 2]);
    assert_eq!(blog.run("Author", Operation::Count(titled()), items!["b"]).await, Item::Int(3));
    assert_eq!(blog.run("Author", Operation::Exists(titled()), items!["c"]).await, Item::Bool(false));
    // Both conditions speak of one post: the path is joined once.
    let both = vec![
        has(&["Post.author"], "title", Lookup::Exact, 0),
        has(&["Post.author"], "slug", Lookup::Exact, 1),
        Node::AllOf(2),
    ];
    assert_eq!(ids(&blog, "Author", by(both.clone()), items!["a", "2"]).await, Vec::<i64>::new());
    assert_eq!(ids(&blog, "Author", by(both), items!["a", "1"]).await, vec![1]);
}

#[tokio::test]
async fn a_row_to_which_nothing_points_stays_with_null_beside_it() {
    let blog = library().await;
    let none = vec![has(&["Post.author"], "id", Lookup::Isnull, 0)];
    assert_eq!(ids(&blog, "Author", by(none), items![true]).await, vec![3]);
    let either = vec![is("name", Lookup::Exact, 0), has(&["Post.author"], "title", Lookup::Exact, 1), Node::AnyOf(2)];
    assert_eq!(ids(&blog, "Author", by(either), items!["Eve", "a"]).await, vec![1, 3]);
    let fields = vec![vec![value("name")], vec![Node::Field(via(&["Profile.author"], "bio"))]];
    let select = Select { fields, order: vec![order("id")], ..Select::default() };
    let rows = blog.run("Author", Operation::Select(select), vec![]).await.array();
    assert_eq!(
        rows,
        [items!["Ann", "weaver"].into(), items!["Bob", Item::Null].into(), items!["Eve", Item::Null].into()]
    );
}

#[tokio::test]
async fn both_relations_of_a_table_between_make_many_to_many() {
    let blog = library().await;
    let tagged = |lookup| vec![has(&["PostTag.post", "tag"], "name", lookup, 0)];
    assert_eq!(ids(&blog, "Post", by(tagged(Lookup::Exact)), items!["card"]).await, vec![1, 4]);
    let of_post = vec![has(&["PostTag.tag", "post"], "id", Lookup::Exact, 0)];
    assert_eq!(ids(&blog, "Tag", by(of_post), items![1]).await, vec![1, 2]);
    let of_author = vec![has(&["PostTag.tag", "post", "author"], "name", Lookup::Exact, 0)];
    assert_eq!(ids(&blog, "Tag", by(of_author), items!["Bob"]).await, vec![2]);
}

#[tokio::test]
async fn updates_and_deletions_take_the_rows_once() {
    let blog = library().await;
    let titled = || vec![has(&["Post.author"], "title", Lookup::Startswith, 0)];
    let renamed = update(titled(), vec![change("name", Change::Set, 1)]);
    assert_eq!(blog.run("Author", renamed, items!["b", "new"]).await, Item::Int(2));
}

#[tokio::test]
async fn a_key_bounds_no_read_that_multiplies_its_rows() {
    let blog = library().await;
    let filter =
        vec![is("id", Lookup::Exact, 0), has(&["Post.author"], "title", Lookup::Startswith, 1), Node::AllOf(2)];
    let plan = blog.plan("Author", Operation::Select(by(filter.clone())));
    assert!(!plan.may_be_short());
    assert_eq!(ids(&blog, "Author", by(filter), items![1, "b"]).await, vec![1, 1]);
    // One-to-one does not multiply.
    let filter = vec![is("id", Lookup::Exact, 0), has(&["Profile.author"], "bio", Lookup::Exact, 1), Node::AllOf(2)];
    assert!(blog.plan("Author", Operation::Select(by(filter))).may_be_short());
    assert_eq!(plan.tables_read().len(), 2);
}

#[tokio::test]
async fn a_one_to_one_relation_is_related_from_either_end() {
    let blog = library().await;
    let related = vec![vec!["Profile.author".to_owned()]];
    let select = Select { related, order: vec![order("id")], ..Select::default() };
    let rows = blog.run("Author", Operation::Select(select), vec![]).await.array();
    let beside: Vec<Item> = rows.into_iter().map(|row| row.array()[4].clone()).collect();
    assert_eq!(beside, [items![1, 1, "weaver"].into(), Item::Null, Item::Null]);
    let related = vec![vec!["Post.author".to_owned()]];
    let select = Operation::Select(Select { related, ..Select::default() });
    let fault = blog.try_run("Author", select, vec![]).await.unwrap_err().to_string();
    assert!(fault.contains("prefetch"), "{fault}");
}

#[tokio::test]
async fn a_step_that_leads_nowhere_names_those_that_do() {
    let blog = library().await;
    for (steps, says) in [
        (["Post.slug"], "these do: Post.author, Post.editor, Profile.author"),
        (["Nobody.author"], "these do"),
        (["Post.nothing"], "Post has no field"),
        (["."], "these do"),
        (["Country.name"], "these do"),
    ] {
        let filter = vec![has(&steps, "title", Lookup::Exact, 0)];
        let fault = blog.try_run("Author", Operation::Count(filter), items!["x"]).await.unwrap_err().to_string();
        assert!(fault.contains(says), "{steps:?}: {fault}");
    }
    let onto_nothing = vec![has(&["Post.author"], "x", Lookup::Exact, 0)];
    let fault = blog.try_run("Tag", Operation::Count(onto_nothing), items!["x"]).await.unwrap_err().to_string();
    assert!(fault.contains("these do: PostTag.tag"), "{fault}");
}
