//! Every lookup, against real databases.

use crate::common::*;
use crate::items;
use covet_orm::QueryError;
use covet_orm::shape::{Lookup, Node};

const DAY: i64 = 86_400_000_000;

/// Three posts: 1 has every field, 2 has nulls, 3 lies before 1970.
async fn posts() -> Blog {
    let blog = Blog::empty().await;
    let country = blog.insert("Country", &["name"], items!["Österreich"]).await;
    let ann = blog.insert("Author", &["name", "email", "country"], items!["Ann", "ANN@Example.com", country]).await;
    let bob = blog.insert("Author", &["name"], items!["Bob"]).await;
    let fields = [
        "title",
        "slug",
        "author",
        "editor",
        "views",
        "rating",
        "price",
        "wide",
        "created_at",
        "born",
        "at",
        "subtitle",
    ];
    // 2024-02-29 is a Thursday; 13:14:15.5.
    let leap = 19_782;
    let moment = leap * DAY + (13 * 3600 + 14 * 60 + 15) * 1_000_000 + 500_000;
    let at = (13 * 3600 + 14 * 60 + 15) * 1_000_000;
    blog.insert(
        "Post",
        &fields,
        items!["Äpfel 100%_[a]", "a", ann, bob, 5, 1.5, "10.05", "-1.5", moment, leap, at, "x"],
    )
    .await;
    let null = || Item::Null;
    blog.insert(
        "Post",
        &fields,
        items!["Beta", "b", ann, null(), 7, null(), "9.90", null(), 0, null(), null(), null()],
    )
    .await;
    // Text goes on behind NUL, where there may be one.
    let gamma = if blog.capabilities().nul_in_text { "gamma\0tail" } else { "gamma tail" };
    // 1969-12-31 23:59:59.999999, a Wednesday.
    blog.insert("Post", &fields, items![gamma, "c", bob, ann, 7, -2.0, "-0.01", "99999.000001", -1, -1, 0, "ς Σ"])
        .await;
    blog
}

fn not(node: Node) -> Vec<Node> {
    vec![node, Node::Negate]
}

#[tokio::test]
async fn each_lookup_finds_its_rows() {
    use Lookup::*;
    let blog = posts().await;
    let none: Vec<i64> = vec![];
    let moment = |value: &str| Item::from(value);
    let cases: Vec<(&str, Lookup, Item, Vec<i64>)> = vec![
        ("title", Exact, "Beta".into(), vec![2]),
        ("title", Exact, "beta".into(), none.clone()),
        ("title", Iexact, "bETA".into(), vec![2]),
        ("title", Iexact, "äPFEL 100%_[A]".into(), vec![1]),
        ("title", Contains, "pfel".into(), vec![1]),
        ("title", Contains, "%".into(), vec![1]),
        ("title", Contains, "_".into(), vec![1]),
        ("title", Contains, "PFEL".into(), none.clone()),
        ("title", Contains, "".into(), vec![1, 2, 3]),
        ("title", Icontains, "ÄPFEL".into(), vec![1]),
        ("title", Icontains, "TAIL".into(), vec![3]),
        ("title", Startswith, "Äp".into(), vec![1]),
        ("title", Startswith, "be".into(), none.clone()),
        ("title", Startswith, "".into(), vec![1, 2, 3]),
        ("title", Istartswith, "BE".into(), vec![2]),
        ("title", Istartswith, "äP".into(), vec![1]),
        ("title", Endswith, "[a]".into(), vec![1]),
        ("title", Endswith, "tail".into(), vec![3]),
        ("title", Endswith, "".into(), vec![1, 2, 3]),
        ("title", Endswith, "a much longer text than any title".into(), none.clone()),
        ("title", Iendswith, "ETA".into(), vec![2]),
        ("title", Iendswith, "TA".into(), vec![2]),
        ("title", Regex, "^[A-Z]e".into(), vec![2]),
        ("title", Iregex, "^GAM".into(), vec![3]),
        ("title", In, items!["Beta", "nobody"].into(), vec![2]),
        ("title", Gt, "Beta".into(), vec![1, 3]),
        ("title", Range, items!["A", "C"].into(), vec![2]),
        ("views", Gt, 5.into(), vec![2, 3]),
        ("views", Gte, 5.into(), vec![1, 2, 3]),
        ("views", Lt, 7.into(), vec![1]),
        ("views", Lte, 5.into(), vec![1]),
        ("views", Range, items![6, 7].into(), vec![2, 3]),
        ("views", In, items![].into(), none.clone()),
        ("views", In, items![5, 7].into(), vec![1, 2, 3]),
        ("rating", Isnull, true.into(), vec![2]),
        ("rating", Isnull, false.into(), vec![1, 3]),
        ("rating", Exact, Item::Null, vec![2]),
        ("rating", Exact, 1.5.into(), vec![1]),
        ("rating", Lt, 0.0.into(), vec![3]),
        ("subtitle", Exact, "x".into(), vec![1]),
        ("published", Exact, false.into(), vec![1, 2, 3]),
        ("author", Exact, 1.into(), vec![1, 2]),
        ("author.id", Exact, 2.into(), vec![3]),
        ("author.name", Exact, "Bob".into(), vec![3]),
        ("author.email", Exact, "Ann@EXAMPLE.com".into(), vec![1, 2]),
        ("author.email", Istartswith, "ANN@".into(), vec![1, 2]),
        ("author.email", Endswith, "Example.COM".into(), vec![1, 2]),
        ("author.country.name", Icontains, "ÖSTER".into(), vec![1, 2]),
        ("editor.name", Exact, "Ann".into(), vec![3]),
        ("editor.name", Isnull, true.into(), vec![2]),
        ("editor", Isnull, true.into(), vec![2]),
        ("created_at", Year, 2024.into(), vec![1]),
        ("created_at", Year, 1969.into(), vec![3]),
        ("created_at", Year, 1970.into(), vec![2]),
        ("created_at", Year, 0.into(), none.clone()),
        ("created_at", Month, 2.into(), vec![1]),
        ("created_at", Month, 12.into(), vec![3]),
        ("created_at", Day, 29.into(), vec![1]),
        ("created_at", Day, 31.into(), vec![3]),
        ("created_at", WeekDay, 4.into(), vec![1, 2]),
        ("created_at", WeekDay, 3.into(), vec![3]),
        ("created_at", Hour, 13.into(), vec![1]),
        ("created_at", Hour, 23.into(), vec![3]),
        ("created_at", Minute, 14.into(), vec![1]),
        ("created_at", Minute, 59.into(), vec![3]),
        ("created_at", Second, 15.into(), vec![1]),
        ("created_at", Second, 59.into(), vec![3]),
        ("born", Year, 2024.into(), vec![1]),
        ("born", Month, 12.into(), vec![3]),
        ("born", Day, 29.into(), vec![1]),
        ("born", WeekDay, 4.into(), vec![1]),
        ("born", WeekDay, 3.into(), vec![3]),
        ("at", Hour, 13.into(), vec![1]),
        ("at", Minute, 14.into(), vec![1]),
        ("at", Second, 0.into(), vec![3]),
        ("price", Exact, moment("10.050"), vec![1]),
        ("price", Exact, moment("10.055"), none.clone()),
        ("price", Gt, moment("9.9"), vec![1]),
        ("price", Gt, moment("9.899"), vec![1, 2]),
        ("price", Gte, moment("9.901"), vec![1]),
        ("price", Lt, moment("-0.001"), vec![3]),
        ("price", Lte, moment("-0.011"), none.clone()),
        ("price", Lt, moment("99999999999999999999999999999999999999999"), vec![1, 2, 3]),
        ("price", Gt, moment("99999999999999999999999999999999999999999"), none.clone()),
        ("price", In, items!["9.9", "1.001", "-0.01"].into(), vec![2, 3]),
        ("price", Range, items!["-0.005", "10.0599"].into(), vec![1, 2]),
        ("wide", Gt, moment("99998.9999995"), vec![3]),
        ("wide", Lt, moment("0"), vec![1]),
        ("wide", Lt, moment("9999999999999999999999999999999999"), vec![1, 3]),
        ("wide", Exact, moment("-1.500000"), vec![1]),
        ("wide", Exact, moment("0.0000001"), none),
    ];
    for (field, lookup, param, expected) in cases {
        let found = blog.find(vec![is(field, lookup, 0)], vec![param.clone()]).await;
        assert_eq!(found, expected, "{field} {lookup:?} {param:?}");
        // What a filter does not find, exclude does: also rows whose field is null.
        let excluded = blog.find(not(is(field, lookup, 0)), vec![param.clone()]).await;
        let rest: Vec<i64> = (1..=3).filter(|id| !expected.contains(id)).collect();
        assert_eq!(excluded, rest, "exclude {field} {lookup:?} {param:?}");
        // And twice negated it is the filter again.
        let twice = vec![is(field, lookup, 0), Node::Negate, Node::Negate];
        assert_eq!(blog.find(twice, vec![param]).await, expected, "twice negated {field} {lookup:?}");
    }
}

#[tokio::test]
async fn fields_are_compared_with_fields() {
    use Lookup::*;
    let blog = posts().await;
    for (node, expected) in [
        (than("author", Exact, "editor"), vec![]),
        (than("views", Gt, "likes"), vec![1, 2, 3]),
        (than("rating", Lt, "views"), vec![1, 3]),
        (than("author.name", Lt, "editor.name"), vec![1]),
        (than("title", Gte, "slug"), vec![1, 3]),
    ] {
        assert_eq!(blog.find(vec![node.clone()], vec![]).await, expected, "{node:?}");
        let rest: Vec<i64> = (1..=3).filter(|id| !expected.contains(id)).collect();
        assert_eq!(blog.find(not(node.clone()), vec![]).await, rest, "not {node:?}");
    }
    assert_eq!(blog.find(vec![than("price", Gt, "wide")], vec![]).await, vec![1]);
    for node in [than("title", Exact, "views"), than("title", Contains, "slug")] {
        let fault = blog.try_find(vec![node], vec![]).await;
        assert!(matches!(fault, Err(QueryError::BadQuery(_))), "{fault:?}");
    }
}

#[tokio::test]
async fn exclude_of_several_is_not_all_of_them() {
    let blog = posts().await;
    // NOT (views = 7 AND title = Beta), and not NOT (views = 7 OR title = Beta).
    let nodes = vec![is("views", Lookup::Exact, 0), is("title", Lookup::Exact, 1), Node::AllOf(2), Node::Negate];
    assert_eq!(blog.find(nodes, items![7, "Beta"]).await, vec![1, 3]);
    let nodes = vec![is("views", Lookup::Exact, 0), is("title", Lookup::Exact, 1), Node::AnyOf(2), Node::Negate];
    assert_eq!(blog.find(nodes, items![7, "Beta"]).await, vec![1]);
    // a & !(b | c)
    let nodes = vec![
        is("author", Lookup::Exact, 0),
        is("rating", Lookup::Gt, 1),
        is("title", Lookup::Exact, 2),
        Node::AnyOf(2),
        Node::Negate,
        Node::AllOf(2),
    ];
    assert_eq!(blog.find(nodes, items![1, 1.0, "Gamma"]).await, vec![2]);
    assert_eq!(blog.find(vec![Node::AllOf(0)], vec![]).await, vec![1, 2, 3]);
    assert_eq!(blog.find(vec![Node::AnyOf(0)], vec![]).await, Vec::<i64>::new());
    assert_eq!(blog.find(vec![Node::AnyOf(0), Node::Negate], vec![]).await, vec![1, 2, 3]);
}

#[tokio::test]
async fn a_list_of_ten_thousand_is_one_query_and_one_more_is_refused() {
    let blog = posts().await;
    let list = |count: i64| Item::Array((2..2 + count).map(Item::Int).collect());
    assert_eq!(blog.find(vec![is("id", Lookup::In, 0)], vec![list(10_000)]).await, vec![2, 3]);
    let fault = blog.try_find(vec![is("id", Lookup::In, 0)], vec![list(10_001)]).await.unwrap_err();
    assert!(fault.to_string().contains("at most 10000"), "{fault}");
    let fault = blog.try_find(vec![is("views", Lookup::In, 0)], vec![vec![Item::Null].into()]).await.unwrap_err();
    assert!(fault.to_string().contains("isnull"), "{fault}");
}

#[tokio::test]
async fn the_largest_filters_run() {
    let blog = posts().await;
    // 999 comparisons under one any-of, and a tower of 63 negations: SQLite's parser takes both.
    let mut wide: Vec<Node> = (0..999).map(|_| is("rating", Lookup::Gt, 0)).collect();
    wide.push(Node::AnyOf(999));
    assert_eq!(blog.find(wide, items![0.0]).await, vec![1]);
    let mut deep = vec![is("rating", Lookup::Gt, 0)];
    for level in 0..63 {
        if level % 2 == 0 {
            deep.push(Node::Negate);
        } else {
            deep.extend((0..14).map(|_| is("rating", Lookup::Lt, 0)));
            deep.push(Node::AnyOf(15));
        }
    }
    assert!(deep.len() <= 1000);
    blog.find(deep, items![0.0]).await;
}

#[tokio::test]
async fn values_that_no_row_can_hold_find_nothing_instead_of_failing() {
    let blog = posts().await;
    let long = "x".repeat(5000);
    assert_eq!(blog.find(vec![is("slug", Lookup::Exact, 0)], items![&*long]).await, Vec::<i64>::new());
    assert_eq!(blog.find(vec![is("likes", Lookup::Gt, 0)], items![40_000]).await, Vec::<i64>::new());
}

#[tokio::test]
async fn null_where_none_can_be_names_the_way_out() {
    let blog = posts().await;
    let fault = blog.try_find(vec![is("views", Lookup::Exact, 0)], vec![Item::Null]).await.unwrap_err();
    assert!(
        matches!(&fault, QueryError::Invalid { field, reason } if field == "views" && reason.contains("isnull")),
        "{fault}"
    );
    let fault = blog.try_find(vec![is("rating", Lookup::Gt, 0)], vec![Item::Null]).await.unwrap_err();
    assert!(fault.to_string().contains("isnull"), "{fault}");
}
