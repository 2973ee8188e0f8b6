//! Values that the database computes, against a real SQLite: in filters, orders, answers and updates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_orm::QueryError;
use covet_orm::schema::{DecimalSpec, Kind};
use covet_orm::shape::{Arithmetic, Call, Choice, Function, Lookup, Node, Nulls, Operation, Order, Parameter, Select};

const DAY: i64 = 86_400_000_000;

async fn posts() -> Blog {
    let blog = Blog::empty().await;
    let ann = blog.insert("Author", &["name"], items!["Ann"]).await;
    let fields =
        ["title", "slug", "author", "views", "likes", "rating", "price", "wide", "created_at", "born", "subtitle"];
    // 2024-02-29, a Thursday, 13:14:15.5.
    let (leap, moment) = (19_782, 19_782 * DAY + 47_655_500_000);
    blog.insert("Post", &fields, items![" Äpfel ", "a", ann, 10, 3, 1.5, "10.05", "-1.5", moment, leap, "x"]).await;
    let null = || Item::Null;
    blog.insert("Post", &fields, items!["Beta", "b", ann, 7, 7, null(), "9.90", null(), -1, null(), null()]).await;
    blog.insert("Post", &fields, items!["gamma\0tail", "c", ann, 7, 0, -2.5, "-0.01", "2.25", 0, -1, "yy"]).await;
    blog
}

fn call(function: Function, arguments: u32) -> Node {
    Node::Call(Call { function, arguments })
}

fn calc(arithmetic: Arithmetic) -> Node {
    Node::Calculate(arithmetic)
}

fn typed(index: u32, kind: Kind) -> Node {
    Node::Param(Parameter { index, kind: Some(kind) })
}

/// A value for each post, by id.
async fn compute(blog: &Blog, value: Vec<Node>, params: Vec<Item>) -> Result<Vec<Item>, QueryError> {
    let select = Select { fields: vec![value], order: vec![order("id")], ..Select::default() };
    let rows = blog.try_run("Post", Operation::Select(select), params).await?;
    Ok(rows.array().into_iter().map(|row| row.array().remove(0)).collect())
}

#[tokio::test]
async fn numbers_are_calculated_exactly_and_zero_divides_to_null() {
    use Arithmetic::*;
    let blog = posts().await;
    let null = || Item::Null;
    for (value_of, params, wanted) in [
        (vec![value("views"), value("likes"), calc(Add)], items![], items![13, 14, 7]),
        (vec![value("views"), given(0), calc(Multiply)], items![3], items![30, 21, 21]),
        (vec![given(0), value("views"), calc(Subtract)], items![1], items![-9, -6, -6]),
        (vec![value("views"), value("likes"), calc(Divide)], items![], items![3, 1, null()]),
        (vec![value("views"), value("likes"), calc(Modulo)], items![], items![1, 0, null()]),
        (vec![value("rating"), given(0), calc(Divide)], items![2.0], items![0.75, null(), -1.25]),
        (vec![value("price"), given(0), calc(Multiply)], items!["1.13"], items!["11.36", "11.19", "-0.01"]),
        (vec![value("price"), given(0), calc(Divide)], items!["3"], items!["3.35", "3.30", "0.00"]),
        (vec![value("price"), value("likes"), calc(Multiply)], items![], items!["30.15", "69.30", "0.00"]),
        (vec![value("wide"), value("price"), calc(Add)], items![], items!["8.550000", null(), "2.240000"]),
        (vec![value("created_at"), given(0), calc(Add)], items![1], items![19_782 * DAY + 47_655_500_001, 0, 1]),
        (vec![value("created_at"), value("created_at"), calc(Subtract)], items![], items![0, 0, 0]),
        (vec![value("born"), given(0), calc(Add)], items![1], items![19_783, null(), 0]),
    ] {
        assert_eq!(compute(&blog, value_of.clone(), params).await.unwrap(), wanted, "{value_of:?}");
    }
}

#[tokio::test]
async fn functions_mean_the_same_for_every_text_and_moment() {
    use Function::*;
    let blog = posts().await;
    let null = || Item::Null;
    let text = |function| vec![value("title"), call(function, 1)];
    for (value_of, params, wanted) in [
        (text(Lower), items![], items![" äpfel ", "beta", "gamma\0tail"]),
        (text(Upper), items![], items![" ÄPFEL ", "BETA", "GAMMA\0TAIL"]),
        (text(Length), items![], items![7, 4, 10]),
        (text(Trim), items![], items!["Äpfel", "Beta", "gamma\0tail"]),
        (vec![value("title"), given(0), given(1), call(Substring, 3)], items![2, 3], items!["Äpf", "eta", "amm"]),
        (
            vec![value("title"), given(0), given(1), call(Replace, 3)],
            items!["a", "o"],
            items![" Äpfel ", "Beto", "gommo\0toil"],
        ),
        (vec![value("slug"), given(0), value("subtitle"), call(Concat, 3)], items!["-"], items!["a-x", "b-", "c-yy"]),
        (vec![value("subtitle"), given(0), call(Coalesce, 2)], items!["none"], items!["x", "none", "yy"]),
        (vec![value("views"), given(0), call(NullIf, 2)], items![7], items![10, null(), null()]),
        (vec![value("views"), value("likes"), call(Greatest, 2)], items![], items![10, 7, 7]),
        (vec![value("rating"), given(0), call(Least, 2)], items![0.0], items![0.0, null(), -2.5]),
        (vec![value("rating"), call(Absolute, 1)], items![], items![1.5, null(), 2.5]),
        (vec![value("rating"), call(Floor, 1)], items![], items![1.0, null(), -3.0]),
        (vec![value("rating"), call(Ceiling, 1)], items![], items![2.0, null(), -2.0]),
        (vec![value("price"), call(Floor, 1)], items![], items!["10", "9", "-1"]),
        (vec![value("price"), given(0), call(Round, 2)], items![1], items!["10.10", "9.90", "0.00"]),
        (vec![value("wide"), call(Absolute, 1)], items![], items!["1.500000", null(), "2.250000"]),
        (vec![value("created_at"), call(Year, 1)], items![], items![2024, 1969, 1970]),
        (vec![value("created_at"), call(Quarter, 1)], items![], items![1, 4, 1]),
        (vec![value("created_at"), call(Week, 1)], items![], items![9, 1, 1]),
        (vec![value("created_at"), call(WeekDay, 1)], items![], items![4, 3, 4]),
        (vec![value("born"), call(Month, 1)], items![], items![2, null(), 12]),
        (vec![value("created_at"), call(Minute, 1)], items![], items![14, 59, 0]),
        (vec![value("created_at"), call(StartOfDay, 1)], items![], items![19_782 * DAY, -DAY, 0]),
        (vec![value("created_at"), call(StartOfMonth, 1)], items![], items![19_754 * DAY, -31 * DAY, 0]),
        (vec![value("born"), call(StartOfYear, 1)], items![], items![19_723, null(), -365]),
    ] {
        assert_eq!(compute(&blog, value_of.clone(), params).await.unwrap(), wanted, "{value_of:?}");
    }
}

#[tokio::test]
async fn casts_keep_what_can_be_kept() {
    let blog = posts().await;
    let null = || Item::Null;
    let decimal = Kind::Decimal(DecimalSpec { digits: 8, scale: 1 });
    for (from, to, wanted) in [
        ("views", Kind::Float64, items![10.0, 7.0, 7.0]),
        ("views", Kind::Text, items!["10", "7", "7"]),
        ("views", decimal.clone(), items!["10.0", "7.0", "7.0"]),
        ("price", decimal, items!["10.1", "9.9", "0.0"]),
        ("price", Kind::Int64, items![10, 9, 0]),
        ("price", Kind::Float64, items![10.05, 9.9, -0.01]),
        ("price", Kind::Text, items!["10.05", "9.90", "-0.01"]),
        ("rating", Kind::Int64, items![1, null(), -2]),
        ("published", Kind::Int64, items![0, 0, 0]),
        ("born", Kind::Datetime, items![19_782 * DAY, null(), -DAY]),
        ("created_at", Kind::Date, items![19_782, -1, 0]),
        ("created_at", Kind::Time, items![47_655_500_000_i64, DAY - 1, 0]),
    ] {
        assert_eq!(
            compute(&blog, vec![value(from), Node::Cast(to.clone())], vec![]).await.unwrap(),
            wanted,
            "{from} {to:?}"
        );
    }
    let fault = compute(&blog, vec![value("title"), Node::Cast(Kind::Int64)], vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("can't be cast to int64"), "{fault}");
}

#[tokio::test]
async fn a_choice_takes_the_first_condition_that_holds() {
    let blog = posts().await;
    let hot = |otherwise| {
        let mut nodes =
            vec![is("views", Lookup::Gte, 0), typed(1, Kind::Text), is("likes", Lookup::Gt, 2), value("slug")];
        if otherwise {
            nodes.push(given(3));
        }
        nodes.push(Node::Choose(Choice { branches: 2, otherwise }));
        nodes
    };
    assert_eq!(compute(&blog, hot(true), items![10, "hot", 5, "cold"]).await.unwrap(), items!["hot", "b", "cold"]);
    assert_eq!(compute(&blog, hot(false), items![10, "hot", 5]).await.unwrap(), items!["hot", "b", Item::Null]);
    let mixed = vec![
        is("views", Lookup::Gt, 0),
        value("title"),
        value("views"),
        Node::Choose(Choice { branches: 1, otherwise: true }),
    ];
    let fault = compute(&blog, mixed, items![1]).await.unwrap_err();
    assert!(fault.to_string().contains("their kinds differ"), "{fault}");
}

#[tokio::test]
async fn filters_compare_computed_values_and_negation_keeps_nulls() {
    let blog = posts().await;
    let sum = || [value("views"), value("likes"), calc(Arithmetic::Add)];
    let with = |left: &[Node], rest: &[Node]| [left, rest].concat();
    for (filter, params, wanted) in [
        (with(&sum(), &[given(0), Node::Test(Lookup::Gt)]), items![13], vec![2]),
        (with(&sum(), &[value("views"), Node::Test(Lookup::Exact)]), items![], vec![3]),
        (with(&sum(), &[given(0), Node::Test(Lookup::In)]), items![items![7, 13]], vec![1, 3]),
        (with(&sum(), &[given(0), Node::Test(Lookup::Range)]), items![items![13, 14]], vec![1, 2]),
        (
            vec![value("title"), call(Function::Lower, 1), given(0), Node::Test(Lookup::Startswith)],
            items![" ä"],
            vec![1],
        ),
        (
            vec![value("title"), call(Function::Trim, 1), given(0), Node::Test(Lookup::Endswith)],
            items!["l"],
            vec![1, 3],
        ),
        (vec![value("title"), call(Function::Trim, 1), given(0), Node::Test(Lookup::Icontains)], items!["ET"], vec![2]),
        (
            vec![value("created_at"), given(0), calc(Arithmetic::Add), given(1), Node::Test(Lookup::Year)],
            items![1, 1970],
            vec![2, 3],
        ),
        // As for fields: a negation also finds rows where the value is null.
        (
            vec![value("rating"), given(0), calc(Arithmetic::Multiply), given(1), Node::Test(Lookup::Gt), Node::Negate],
            items![2.0, 0.0],
            vec![2, 3],
        ),
        (
            vec![value("rating"), call(Function::Absolute, 1), given(0), Node::Test(Lookup::Isnull)],
            items![true],
            vec![2],
        ),
        (vec![value("price"), value("views"), Node::Test(Lookup::Gt)], items![], vec![1, 2]),
        (vec![value("published"), Node::Negate], items![], vec![1, 2, 3]),
    ] {
        assert_eq!(blog.find(filter.clone(), params).await, wanted, "{filter:?}");
    }
}

#[tokio::test]
async fn orders_are_values_too_and_say_where_nulls_go() {
    let blog = posts().await;
    let ids = async |order: Vec<Order>, params: Vec<Item>| {
        let select = Select { fields: values(&["id"]), order, ..Select::default() };
        let rows = blog.run("Post", Operation::Select(select), params).await.array();
        rows.into_iter().map(|row| row.array()[0].int()).collect::<Vec<i64>>()
    };
    let by = |by: Vec<Node>, descending, nulls| Order { by, descending, nulls };
    let difference = vec![value("views"), value("likes"), calc(Arithmetic::Subtract)];
    assert_eq!(ids(vec![by(difference, true, None), order("id")], vec![]).await, [1, 3, 2]);
    assert_eq!(ids(vec![by(vec![value("rating")], false, None)], vec![]).await, [2, 3, 1]);
    assert_eq!(ids(vec![by(vec![value("rating")], false, Some(Nulls::Last))], vec![]).await, [3, 1, 2]);
    assert_eq!(ids(vec![by(vec![value("rating")], true, Some(Nulls::First))], vec![]).await, [2, 1, 3]);
    let scaled = vec![value("views"), given(0), calc(Arithmetic::Multiply)];
    assert_eq!(ids(vec![by(scaled, true, None), order("-id")], items![-1]).await, [3, 2, 1]);
}

#[tokio::test]
async fn updates_compute_and_what_the_field_cannot_hold_is_refused_whole() {
    let blog = posts().await;
    let set = |field: &str, value: Vec<Node>| {
        update(vec![], vec![covet_orm::shape::Assignment { field: field.to_owned(), value }])
    };
    let both = vec![value("views"), value("likes"), calc(Arithmetic::Add), given(0), calc(Arithmetic::Multiply)];
    assert_eq!(blog.run("Post", set("views", both), items![2]).await, Item::Int(3));
    assert_eq!(compute(&blog, vec![value("views")], vec![]).await.unwrap(), items![26, 28, 14]);
    let shout = vec![value("title"), call(Function::Upper, 1), given(0), call(Function::Concat, 2)];
    blog.run("Post", set("title", shout), items!["!"]).await;
    assert_eq!(
        compute(&blog, vec![value("title")], vec![]).await.unwrap(),
        items![" ÄPFEL !", "BETA!", "GAMMA\0TAIL!"]
    );
    let third = vec![value("price"), given(0), calc(Arithmetic::Divide)];
    blog.run("Post", set("price", third), items!["3"]).await;
    assert_eq!(compute(&blog, vec![value("price")], vec![]).await.unwrap(), items!["3.35", "3.30", "0.00"]);
    blog.run("Post", set("wide", vec![value("wide"), given(0), calc(Arithmetic::Add)]), items!["1"]).await;
    assert_eq!(compute(&blog, vec![value("wide")], vec![]).await.unwrap(), items!["-0.500000", Item::Null, "3.250000"]);
    let now = vec![call(Function::Now, 0)];
    blog.run("Post", set("created_at", now), vec![]).await;
    let moments = compute(&blog, vec![value("created_at")], vec![]).await.unwrap();
    assert!(moments[0].int() > 1_700_000_000_000_000 && moments.iter().all(|moment| *moment == moments[0]));

    let doubled = vec![value("title"), value("title"), call(Function::Concat, 2)];
    for _ in 0..4 {
        blog.run("Post", set("title", doubled.clone()), vec![]).await;
    }
    let fault = blog.try_run("Post", set("title", doubled), vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("at most 200 fit"), "{fault}");
    for (field, value, why) in [
        ("views", vec![value("title")], "can't be set"),
        ("id", vec![value("views"), given(0), calc(Arithmetic::Add)], "never changes"),
        ("author", vec![value("author"), given(0), calc(Arithmetic::Add)], "is a relation"),
        ("title", vec![value("author.name")], "by a subquery"),
        ("price", vec![value("rating")], "can't be set"),
    ] {
        let params = if value.len() > 1 { items![1] } else { items![] };
        let fault = blog.try_run("Post", set(field, value), params).await.unwrap_err();
        assert!(fault.to_string().contains(why), "{field}: {fault}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_write() {
    let blog = posts().await;
    for (nodes, params, why) in [
        (vec![value("price"), value("rating"), calc(Arithmetic::Add)], items![], "only when one is cast"),
        (vec![given(0)], items![1], "give its kind"),
        (vec![value("views"), call(Function::Lower, 1)], items![], "lowercase takes a text"),
        (vec![value("title"), call(Function::Year, 1)], items![], "date or datetime"),
        (vec![value("title"), call(Function::Lower, 2)], items![], "takes 2 nodes"),
        (vec![value("views"), value("likes"), call(Function::Lower, 2)], items![], "takes 1 values, 2 are given"),
        (vec![], items![], "has no nodes"),
        (vec![value("published"), value("published"), call(Function::Greatest, 2)], items![], "an order"),
        (vec![Node::Outer(path("views"))], items![], "in no query within another"),
        (vec![Node::Exists(0)], items![], "there is no query 0"),
        (vec![Node::Cast(Kind::Int64)], items![], "takes 1 nodes"),
        (vec![typed(0, Kind::Decimal(DecimalSpec { digits: 40, scale: 0 }))], items!["1"], "is no kind"),
    ] {
        let fault = compute(&blog, nodes.clone(), params).await.unwrap_err();
        assert!(fault.to_string().contains(why), "{nodes:?}: {fault}");
    }
    let fault = blog.try_find(vec![value("views")], vec![]).await.unwrap_err();
    assert!(fault.to_string().contains("is no condition"), "{fault}");
}
