//! No shape and no bytes panic, overflow or allocate without bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_orm::shape::{Assignment, Insert, Lookup, Node, Operation, Select, Shape};
use covet_orm::{Catalog, Dialect, MAX_PLANS, Plans, QueryError, fuzzing, plan};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static PLANS: LazyLock<Plans> = LazyLock::new(fuzzing::plans);

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_bind_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::bind_any(&PLANS, &bytes);
    }

    #[test]
    fn arrays_of_any_items_bind_or_are_refused(count in 0_u8..24, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut params = vec![0x80 | count];
        params.extend(bytes);
        fuzzing::bind_any(&PLANS, &params);
    }

    #[test]
    fn any_shape_is_planned_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::plan_any(&bytes);
    }
}

#[test]
fn the_fuzzers_plans_are_really_made() {
    assert!(PLANS.len() > 200, "{}", PLANS.len());
}

fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::new(blog()).unwrap())
}

fn try_plan(operation: Operation) -> Result<covet_orm::Plan, QueryError> {
    plan(&catalog(), Dialect::Sqlite, &Shape::of("Post", operation))
}

fn said(operation: Operation) -> String {
    try_plan(operation).unwrap_err().to_string()
}

#[test]
fn malformed_filters_are_refused_with_a_reason() {
    let one = || is("id", Lookup::Exact, 0);
    let count = Operation::Count;
    assert!(said(count(vec![Node::Negate])).contains("postfix"));
    assert!(said(count(vec![one(), Node::AllOf(2)])).contains("takes 2 nodes"));
    assert!(said(count(vec![Node::AnyOf(u32::MAX)])).contains("postfix"));
    assert!(said(count(vec![one(), one()])).contains("all-of(2)"));
    assert!(said(count(std::iter::repeat_with(one).take(1001).collect())).contains("at most 1000"));
    let deep = std::iter::once(one()).chain(std::iter::repeat_with(|| Node::Negate).take(64)).collect();
    assert!(said(count(deep)).contains("64 levels"));
    assert!(said(count(vec![is("id", Lookup::Exact, 3)])).contains("parameter 0 is used nowhere"));
    assert!(said(count(vec![is("id", Lookup::Exact, u32::MAX)])).contains("used nowhere"));
    assert!(said(count(vec![is("nope", Lookup::Exact, 0)])).contains("it has id, title"));
    assert!(said(count(vec![is("title.x", Lookup::Exact, 0)])).contains("no relation"));
    assert!(said(count(vec![is("views", Lookup::Contains, 0)])).contains("needs a text field"));
    assert!(said(count(vec![is("title", Lookup::Year, 0)])).contains("needs a date"));
    assert!(said(count(vec![is("at", Lookup::Month, 0)])).contains("needs a date"));
    let far = vec!["editor".to_owned(); 9];
    let related = Select { related: vec![far], ..Select::default() };
    assert!(try_plan(Operation::Select(related)).is_err());
    let columns = Select { fields: vec![vec![value("id")]; 1_501], ..Select::default() };
    assert!(said(Operation::Select(columns)).contains("at most 1500"));
    let twice = vec![change("views", Change::Set, 0), Assignment { field: "views".into(), value: vec![given(1)] }];
    assert!(said(update(vec![], twice)).contains("twice"));
    assert!(said(update(vec![], vec![])).contains("changes nothing"));
    assert!(said(insert(&["title", "title"])).contains("twice"));
    assert!(plan(&catalog(), Dialect::Sqlite, &Shape::of("x; DROP", count(vec![]))).is_err());
}

fn bind(operation: Operation, bytes: &[u8]) -> Result<covet_db::Work, QueryError> {
    try_plan(operation).unwrap().bind(bytes)
}

#[test]
fn hostile_cbor_is_refused() {
    let list = || Operation::Count(vec![is("id", Lookup::In, 0)]);
    let text = || Operation::Count(vec![is("title", Lookup::Contains, 0)]);
    let cases: [(&str, Operation, &[u8]); 14] = [
        ("nothing", text(), &[]),
        ("no array", text(), &[0x01]),
        ("too few", text(), &[0x80]),
        ("too many", text(), &[0x82, 0x61, b'a', 0x61, b'b']),
        ("bytes after", text(), &[0x81, 0x61, b'a', 0x00]),
        ("indefinite array", text(), &[0x9f, 0x61, b'a', 0xff]),
        ("indefinite text", text(), &[0x81, 0x7f, 0x61, b'a', 0xff]),
        ("text of 2^63 bytes", text(), &[0x81, 0x7b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("no UTF-8", text(), &[0x81, 0x61, 0xff]),
        ("tag", text(), &[0x81, 0xc0, 0x61, b'a']),
        ("map", text(), &[0x81, 0xa0]),
        ("list of 2^63 items", list(), &[0x81, 0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("list of lists", list(), &[0x81, 0x81, 0x81, 0x01]),
        ("list cut off", list(), &[0x81, 0x83, 0x01]),
    ];
    for (name, operation, bytes) in cases {
        assert!(bind(operation, bytes).is_err(), "{name}");
    }
    let nested = [&[0x81][..], &vec![0x81; 100_000]].concat();
    assert!(bind(list(), &nested).is_err());
    let two = || Operation::Count(vec![is("title", Lookup::Startswith, 1), is("id", Lookup::Exact, 0), Node::AllOf(2)]);
    assert!(bind(two(), &[0x82, 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    let many = Operation::Insert(Insert { fields: vec!["name".into()], many: true, ignore_conflicts: false });
    let shape = Shape::of("Country", many);
    let plan = plan(&catalog(), Dialect::Sqlite, &shape).unwrap();
    for bytes in
        [&[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], &[0x19, 0xff, 0xff], &[0x81, 0x61], &[0x81, 0x80]]
    {
        assert!(plan.bind(bytes).is_err());
    }
    let fault = plan.bind(&[0x9a, 0, 0, 0xc3, 0x51]).unwrap_err();
    assert!(matches!(fault, QueryError::TooLarge(_)), "{fault}");
}

#[test]
fn values_that_fields_refuse_name_field_limit_and_value() {
    let refused = |field: &str, value: Item| {
        let fault =
            bind(update(vec![], vec![change(field, Change::Set, 0)]), &Item::Array(vec![value]).encode()).unwrap_err();
        match fault {
            QueryError::Invalid { field: named, reason } => {
                assert_eq!(named, field);
                reason
            }
            QueryError::BadQuery(reason) => reason,
            other => panic!("{other}"),
        }
    };
    assert!(refused("title", "x".repeat(201).as_str().into()).contains("201 characters, at most 200"));
    assert!(refused("title", Item::Null).contains("must not be null"));
    assert!(refused("title", 1.into()).contains("expected text"));
    assert!(refused("likes", 32_768.into()).contains("from -32768 to 32767"));
    assert!(refused("rating", f64::NAN.into()).contains("finite"));
    assert!(refused("rating", f64::INFINITY.into()).contains("finite"));
    assert!(refused("price", "1.234".into()).contains("10 digits, 2 of them"));
    assert!(refused("price", "123456789.00".into()).contains("10 digits"));
    assert!(refused("price", "1e3".into()).contains("-12.50"));
    assert!(refused("price", 1.5.into()).contains("expected text"));
    assert!(refused("at", 86_400_000_000_i64.into()).contains("86399999999"));
    assert!(refused("born", 3_000_000.into()).contains("9999"));
    assert!(
        bind(
            update(vec![], vec![change("title", Change::Set, 0)]),
            &Item::Array(items!["ä".repeat(200).as_str()]).encode()
        )
        .is_ok()
    );
}

#[test]
fn plans_are_found_again_and_end_at_their_limit() {
    let plans = Plans::new(catalog(), Dialect::Sqlite);
    let shape = |number: u32| {
        let select = Select {
            order: (0..13).map(|bit| order(if number >> bit & 1 == 1 { "-id" } else { "id" })).collect(),
            ..Select::default()
        };
        Shape::of("Post", Operation::Select(select))
    };
    for number in 0..MAX_PLANS as u32 {
        assert_eq!(plans.prepare(&shape(number)).unwrap(), number);
    }
    assert_eq!(plans.prepare(&shape(7)).unwrap(), 7);
    assert!(matches!(plans.prepare(&shape(MAX_PLANS as u32)), Err(QueryError::TooLarge(_))));
    assert!(plans.get(MAX_PLANS as u32 - 1).is_some());
    for unknown in [MAX_PLANS as u32, 8159, 8160, u32::MAX] {
        assert!(plans.get(unknown).is_none());
    }
}

#[test]
fn threads_that_prepare_the_same_shapes_get_the_same_numbers() {
    let plans = Plans::new(catalog(), Dialect::Sqlite);
    let shape = |limit: u32| {
        let select = Select { fields: vec![vec![value("id")]; limit as usize + 1], ..Select::default() };
        Shape::of("Post", Operation::Select(select))
    };
    let all: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..100).map(|limit| plans.prepare(&shape(limit)).unwrap()).collect::<Vec<u32>>()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|numbers| numbers == &all[0]));
    assert_eq!(plans.len(), 100);
}
