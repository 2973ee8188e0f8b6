//! Aggregates, groups, windows and distinct rows, against a real SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_orm::shape::{
    Aggregate, Aggregation, Arithmetic, Lookup, Node, Operation, Order, Ranking, Select, Summary, Window,
    WindowFunction,
};

/// Ann has three posts, Bob two, Eve none.
async fn posts() -> Blog {
    let blog = Blog::empty().await;
    for name in ["Ann", "Bob", "Eve"] {
        blog.insert("Author", &["name"], items![name]).await;
    }
    let fields = ["title", "slug", "author", "views", "rating", "price", "wide"];
    let null = || Item::Null;
    for row in [
        items!["one", "a", 1, 10, 1.5, "10.00", "1"],
        items!["two", "b", 1, 20, null(), "0.05", null()],
        items!["two", "c", 2, 30, 2.5, "3.33", "2.5"],
        items!["four", "d", 2, 30, -1.0, "1.00", "-0.000001"],
        items!["five", "e", 1, 5, null(), "2.00", null()],
    ] {
        blog.insert("Post", &fields, row).await;
    }
    blog
}

fn over(field: &str, function: Aggregation) -> Vec<Node> {
    vec![value(field), aggregate(function, true)]
}

fn aggregate(function: Aggregation, of: bool) -> Node {
    Node::Aggregate(Aggregate { function, value: of, distinct: false, filtered: false })
}

fn count() -> Vec<Node> {
    vec![aggregate(Aggregation::Count, false)]
}

async fn summary(blog: &Blog, of: Select, values: Vec<Vec<Node>>, params: Vec<Item>) -> Vec<Item> {
    let rows = blog.run("Post", Operation::Summary(Summary { of, values }), params).await.array();
    assert_eq!(rows.len(), 1);
    rows.into_iter().next().unwrap().array()
}

async fn rows(blog: &Blog, select: Select, params: Vec<Item>) -> Vec<Vec<Item>> {
    blog.run("Post", Operation::Select(select), params).await.array().into_iter().map(Item::array).collect()
}

#[tokio::test]
async fn aggregates_count_what_is_there_and_stay_exact() {
    use Aggregation::*;
    let blog = posts().await;
    let values = vec![
        count(),
        over("rating", Count),
        over("views", Sum),
        over("views", Average),
        over("price", Sum),
        over("price", Average),
        over("wide", Sum),
        over("rating", Greatest),
        over("title", Least),
        vec![
            value("title"),
            Node::Aggregate(Aggregate { function: Count, value: true, distinct: true, filtered: false }),
        ],
        vec![
            is("views", Lookup::Gte, 0),
            Node::Aggregate(Aggregate { function: Count, value: false, distinct: false, filtered: true }),
        ],
        vec![
            value("views"),
            is("author", Lookup::Exact, 1),
            Node::Aggregate(Aggregate { function: Sum, value: true, distinct: false, filtered: true }),
        ],
        [over("views", Sum), count(), vec![Node::Calculate(Arithmetic::Divide)]].concat(),
    ];
    let wanted = items![5, 3, 95, 19.0, "16.38", "3.276000", "3.499999", 2.5, "five", 4, 3, 60, 19];
    assert_eq!(summary(&blog, Select::default(), values, items![20, 2]).await, wanted);
    let nobody = Select { filter: vec![is("views", Lookup::Gt, 0)], ..Select::default() };
    let values = vec![count(), over("views", Sum), over("price", Average), over("title", Greatest)];
    assert_eq!(summary(&blog, nobody, values, items![1_000]).await, items![0, Item::Null, Item::Null, Item::Null]);
}

#[tokio::test]
async fn an_aggregate_respects_limit_offset_and_distinctness() {
    let blog = posts().await;
    let best =
        Select { order: vec![order("-views"), order("id")], limit: Some(0), offset: Some(1), ..Select::default() };
    let values = vec![count(), over("views", Aggregation::Sum)];
    assert_eq!(summary(&blog, best, values, items![2, 1]).await, items![2, 50]);
    let distinct = Select { fields: values_of(&["title"]), distinct: true, ..Select::default() };
    assert_eq!(summary(&blog, distinct.clone(), vec![count()], vec![]).await, items![4]);
    let fault = blog
        .try_run(
            "Post",
            Operation::Summary(Summary { of: distinct, values: vec![over("views", Aggregation::Sum)] }),
            vec![],
        )
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("name it in `fields`"), "{fault}");
    // Over groups: the average of what each author's posts come to.
    let groups = Select {
        fields: values_of(&["author"]),
        group: Some(values_of(&["author"])),
        filter: [over("views", Aggregation::Sum), vec![given(0), Node::Test(Lookup::Gt)]].concat(),
        ..Select::default()
    };
    assert_eq!(summary(&blog, groups, vec![count()], items![40]).await, items![1]);
}

fn values_of(fields: &[&str]) -> Vec<Vec<Node>> {
    values(fields)
}

#[tokio::test]
async fn rows_are_grouped_by_the_values_that_are_named() {
    let blog = posts().await;
    let by_author = Select {
        fields: vec![vec![value("author.name")], count(), over("views", Aggregation::Sum)],
        group: Some(values_of(&["author.name"])),
        order: vec![Order { by: over("views", Aggregation::Sum), descending: true, nulls: None }],
        ..Select::default()
    };
    assert_eq!(rows(&blog, by_author.clone(), vec![]).await, [items!["Bob", 2, 60], items!["Ann", 3, 35]]);
    // A condition on the aggregate chooses groups, one on a field chooses rows before.
    let having = Select {
        filter: [vec![is("views", Lookup::Gt, 0)], count(), vec![given(1), Node::Test(Lookup::Gte), Node::AllOf(2)]]
            .concat(),
        ..by_author
    };
    assert_eq!(rows(&blog, having.clone(), items![9, 2]).await, [items!["Bob", 2, 60], items!["Ann", 2, 30]]);
    assert_eq!(rows(&blog, having, items![10, 2]).await, [items!["Bob", 2, 60]]);
    // A value with a parameter is grouped by as the one that is shown.
    let bucket = vec![value("views"), given(0), Node::Calculate(Arithmetic::Divide)];
    let buckets = Select {
        fields: vec![bucket.clone(), count()],
        group: Some(vec![bucket.clone()]),
        order: vec![Order { by: bucket, descending: false, nulls: None }],
        ..Select::default()
    };
    assert_eq!(rows(&blog, buckets, items![20]).await, [items![0, 2], items![1, 3]]);
    let loose = Select {
        fields: vec![vec![value("title")], count()],
        group: Some(values_of(&["author"])),
        ..Select::default()
    };
    let fault = blog.try_run("Post", Operation::Select(loose), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("title is neither grouped by"), "{fault}");
}

#[tokio::test]
async fn whole_rows_come_with_values_beside_them() {
    let blog = posts().await;
    let select = Select {
        computed: vec![vec![value("views"), given(0), Node::Calculate(Arithmetic::Multiply)], count()],
        related: vec![vec!["author".to_owned()]],
        filter: vec![is("id", Lookup::Exact, 1)],
        ..Select::default()
    };
    let rows = rows(&blog, select, items![3, 2]).await;
    let row = &rows[0];
    assert_eq!(row[0], Item::Int(2));
    assert_eq!(row[15], items![1, "Ann", Item::Null, Item::Null].into());
    assert_eq!(row[16..], items![60, 1]);
}

#[tokio::test]
async fn windows_look_at_the_rows_around() {
    let blog = posts().await;
    let window =
        |function, arguments, order: Vec<bool>| Node::Window(Window { function, arguments, partition: 1, order });
    let ranking = |ranking, arguments| window(WindowFunction::Ranking(ranking), arguments, vec![true, false]);
    let by = || vec![value("author"), value("views"), value("id")];
    let select = Select {
        fields: vec![
            vec![value("id")],
            [by(), vec![ranking(Ranking::RowNumber, 0)]].concat(),
            vec![value("author"), value("views"), window(WindowFunction::Ranking(Ranking::Rank), 0, vec![true])],
            [vec![value("views"), given(0)], by(), vec![ranking(Ranking::Lag, 2)]].concat(),
            [vec![value("title")], by(), vec![ranking(Ranking::FirstValue, 1)]].concat(),
            vec![value("price"), value("author"), window(WindowFunction::Aggregation(Aggregation::Sum), 1, vec![])],
            [
                vec![value("views")],
                by(),
                vec![window(WindowFunction::Aggregation(Aggregation::Sum), 1, vec![true, false])],
            ]
            .concat(),
        ],
        order: vec![order("id")],
        ..Select::default()
    };
    let null = || Item::Null;
    assert_eq!(
        rows(&blog, select, items![1]).await,
        [
            items![1, 2, 2, 20, "two", "12.05", 30],
            items![2, 1, 1, null(), "two", "12.05", 20],
            items![3, 1, 1, null(), "two", "4.33", 30],
            items![4, 2, 1, 30, "two", "4.33", 60],
            items![5, 3, 3, 10, "two", "12.05", 35],
        ]
    );
    let in_filter = vec![value("author"), value("id"), ranking(Ranking::Rank, 0), given(0), Node::Test(Lookup::Exact)];
    let fault = blog.try_find(in_filter, items![1]).await.unwrap_err();
    assert!(
        fault.to_string().contains("fetch it as a value") || fault.to_string().contains("nodes before it"),
        "{fault}"
    );
}

#[tokio::test]
async fn distinct_on_keeps_the_first_of_each() {
    let blog = posts().await;
    let best = Select {
        fields: values_of(&["id"]),
        distinct_on: values_of(&["author"]),
        order: vec![order("-views"), order("id")],
        ..Select::default()
    };
    assert_eq!(rows(&blog, best.clone(), vec![]).await, [items![3], items![2]]);
    let cheap = Select { filter: vec![is("price", Lookup::Gt, 0)], limit: Some(1), ..best };
    assert_eq!(rows(&blog, cheap.clone(), items!["0.10", 5]).await, [items![3], items![1]]);
    assert_eq!(rows(&blog, cheap, items!["0.10", 1]).await, [items![3]]);
}

#[tokio::test]
async fn aggregates_where_there_are_no_groups_are_refused() {
    let blog = posts().await;
    let many = || [count(), vec![given(0), Node::Test(Lookup::Gt)]].concat();
    for operation in [Operation::Count(many()), Operation::Exists(many()), Operation::Delete(many())] {
        let fault = blog.try_run("Post", operation, items![1]).await.unwrap_err();
        assert!(fault.to_string().contains("no groups here"), "{fault}");
    }
    let nested = [over("views", Aggregation::Sum), vec![aggregate(Aggregation::Greatest, true)]].concat();
    let summary = Summary { of: Select::default(), values: vec![nested] };
    let fault = blog.try_run("Post", Operation::Summary(summary), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("can't be taken over aggregates"), "{fault}");
    let bare = Summary { of: Select::default(), values: vec![vec![value("views")]] };
    let fault = blog.try_run("Post", Operation::Summary(bare), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("outside of an aggregate"), "{fault}");
}
