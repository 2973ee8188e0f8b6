//! What a model demands of its rows and its answers, against real databases: checks, special indexes, kinds of text, guards.

use crate::common::*;
use crate::items;
use covet_db::{DbError, Introspection};
use covet_orm::schema::{ArraySpec, Check, Condition, Element, Field, Index, Kind, Model, OnDelete, Relation};
use covet_orm::shape::{Lookup, Node, Operation, Select};
use covet_orm::{Catalog, Dialect, QueryError, ddl};

fn when(filter: Vec<Node>, params: Vec<Item>) -> Condition {
    Condition { filter, params: Item::Array(params).encode() }
}

fn check(name: &str, filter: Vec<Node>, params: Vec<Item>) -> Check {
    Check { name: name.into(), condition: when(filter, params) }
}

fn offer() -> Model {
    Model {
        checks: vec![
            check("ends_after_it_begins", vec![than("ends", Lookup::Gte, "begins")], vec![]),
            check("", vec![is("price", Lookup::Range, 0)], vec![items![0, 1_000].into()]),
            check(
                "state",
                vec![is("state", Lookup::In, 0), is("state", Lookup::Exact, 1), Node::Negate, Node::AllOf(2)],
                vec![items!["on", "o'ff", "?"].into(), "?".into()],
            ),
        ],
        ..model(
            "Offer",
            "offers",
            vec![
                id(),
                field("name", Kind::Text),
                field("code", Kind::Varchar(20)),
                field("price", Kind::Int64),
                field("state", Kind::Text),
                field("begins", Kind::Date),
                field("ends", Kind::Date),
            ],
        )
    }
}

fn with_special_indexes(offer: Model) -> Model {
    let some = when(vec![is("state", Lookup::Exact, 0)], items!["on"]);
    Model {
        indexes: vec![
            Index { unique: true, condition: Some(some), ..index(&["name"]) },
            Index { unique: true, folded: true, ..index(&["code"]) },
        ],
        ..offer
    }
}

const OFFER: [&str; 6] = ["name", "code", "price", "state", "begins", "ends"];

fn violated(fault: &QueryError) -> &str {
    match fault {
        QueryError::Db(DbError::CheckViolation(what) | DbError::UniqueViolation(what)) => what,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_check_holds_for_every_write_and_is_named() {
    let shop = Blog::of(vec![offer()]).await;
    let store = async |values| shop.try_run("Offer", insert(&OFFER), values).await;
    store(items!["a", "A", 5, "on", 1, 1]).await.unwrap();
    store(items!["b", "B", 5, "o'ff", 1, 2]).await.unwrap();
    for (values, name) in [
        (items!["c", "C", 5, "on", 2, 1], "ends_after_it_begins"),
        (items!["c", "C", -1, "on", 1, 1], "ck_offers_2"),
        (items!["c", "C", 5, "x", 1, 1], "state"),
        (items!["c", "C", 5, "?", 1, 1], "state"),
    ] {
        let fault = store(values).await.unwrap_err();
        assert!(violated(&fault).contains(name), "{fault}");
    }
    let dearer = update(vec![], vec![change("price", Change::Add, 0)]);
    let fault = shop.try_run("Offer", dearer, items![2_000]).await.unwrap_err();
    assert!(violated(&fault).contains("ck_offers_2"), "an update is no way around: {fault}");
}

#[tokio::test]
async fn a_partial_unique_index_and_a_folded_one_refuse_what_they_cover() {
    let models = vec![with_special_indexes(offer())];
    if !Engine::here().capabilities().special_indexes {
        let nothing = Introspection::default();
        let faults = ddl::reconcile(Engine::here().dialect(), &Catalog::new(models).unwrap(), &nothing).unwrap_err();
        assert!(faults.iter().all(|fault| fault.to_string().contains("MySQL")) && faults.len() == 2, "{faults:?}");
        return;
    }
    let shop = Blog::of(models).await;
    let store = async |values| shop.try_run("Offer", insert(&OFFER), values).await;
    store(items!["same", "A1", 5, "on", 1, 1]).await.unwrap();
    store(items!["same", "A2", 5, "o'ff", 1, 1]).await.unwrap();
    store(items!["same", "A3", 5, "o'ff", 1, 1]).await.unwrap();
    assert!(store(items!["same", "A4", 5, "on", 1, 1]).await.is_err(), "two of one name are on");
    assert!(store(items!["other", "a1", 5, "on", 1, 1]).await.is_err(), "A1 and a1");
    // Neither proves that a name has one row: the read must not count on it.
    let by_name = Select { filter: vec![is("name", Lookup::Exact, 0)], ..Select::default() };
    assert!(!shop.plan("Offer", Operation::Select(by_name)).may_be_short());
    // A second deploy finds everything in its place.
    let found = shop.database.introspect().await.unwrap();
    assert_eq!(ddl::reconcile(shop.engine.dialect(), &shop.catalog, &found), Ok(vec![]));
}

#[test]
fn conditions_that_no_table_can_hold_are_refused_with_the_reason() {
    let refused = |filter: Vec<Node>, params: Vec<Item>| {
        let models = vec![Model { checks: vec![check("rule", filter, params)], ..offer() }];
        Catalog::new(models).unwrap_err().to_string()
    };
    for (said, says) in [
        (refused(vec![], vec![]), "drop it"),
        (refused(vec![is("nome", Lookup::Exact, 0)], items!["x"]), "it has id, name"),
        (refused(vec![is("name", Lookup::Regex, 0)], items!["x"]), "Covet's own function"),
        (refused(vec![is("name", Lookup::Iexact, 0)], items!["x"]), "Covet's own function"),
        (refused(vec![is("price", Lookup::Gt, 0)], items!["x"]), "an int"),
        (refused(vec![is("price", Lookup::Gt, 0)], vec![]), "1 parameters are due"),
        (refused(vec![is("name", Lookup::Exact, 0)], items!["a\0b"]), "can't stand"),
        (refused(vec![is("price", Lookup::In, 0)], vec![Item::Array(vec![])]), "can't stand"),
        (refused(vec![is("name.x", Lookup::Exact, 0)], items!["x"]), "no relation"),
    ] {
        assert!(said.contains("model Offer") && said.contains("check rule") && said.contains(says), "{said}");
    }
    let twice = vec![Model { checks: vec![check("a", vec![is("price", Lookup::Gt, 0)], items![0]); 2], ..offer() }];
    assert!(Catalog::new(twice).unwrap_err().to_string().contains("two checks are named"));
    let folded = vec![Model { indexes: vec![Index { folded: true, ..index(&["price"]) }], ..offer() }];
    assert!(Catalog::new(folded).unwrap_err().to_string().contains("needs a text"));
}

#[test]
fn what_a_deletion_leaves_behind_must_fit_the_field() {
    let refused = |on_delete, value: Option<Item>, default: Option<Item>| {
        let value = value.map(|value| value.encode());
        let references = Some(Relation { model: "Offer".into(), on_delete, value });
        let field =
            Field { references, default: default.map(|default| default.encode()), ..field("offer", Kind::Int64) };
        Catalog::new(vec![offer(), model("Sale", "sales", vec![id(), field])]).map(|_| ()).map_err(|e| e.to_string())
    };
    assert!(refused(OnDelete::SetNull, None, None).unwrap_err().contains("nullable"));
    assert!(refused(OnDelete::SetDefault, None, None).unwrap_err().contains("needs a default"));
    assert_eq!(refused(OnDelete::SetDefault, None, Some(1.into())), Ok(()));
    assert!(refused(OnDelete::SetValue, None, None).unwrap_err().contains("name the key"));
    assert!(refused(OnDelete::SetValue, Some("a".into()), None).unwrap_err().contains("doesn't fit int64"));
    assert_eq!(refused(OnDelete::SetValue, Some(1.into()), None), Ok(()));
    assert!(refused(OnDelete::Cascade, Some(1.into()), None).unwrap_err().contains("drop it"));
}

fn page() -> Model {
    let list = Kind::Array(ArraySpec { element: Element::Int32, size: Some(3) });
    let fields = vec![
        id(),
        unique(field("slug", Kind::Slug(10))),
        nullable(field("from", Kind::IpAddress)),
        nullable(field("list", list)),
    ];
    model("Page", "pages", fields)
}

#[tokio::test]
async fn slugs_addresses_and_arrays_are_stored_in_one_form() {
    let site = Blog::of(vec![page()]).await;
    let row = items!["on-looms", "2001:DB8:0::1", "[1, 2,3]"];
    site.run("Page", insert(&["slug", "from", "list"]), row).await;
    let all = site.run("Page", Operation::Select(Select::default()), vec![]).await.array();
    assert_eq!(all[0], items![1, "on-looms", "2001:db8::1", "[1,2,3]"].into());
    let count = async |lookup, field: &str, param: &str| {
        site.run("Page", Operation::Count(vec![is(field, lookup, 0)]), items![param]).await
    };
    assert_eq!(count(Lookup::Exact, "from", "2001:db8:0:0::0001").await, Item::Int(1));
    assert_eq!(count(Lookup::Exact, "from", "no address").await, Item::Int(0));
    assert_eq!(count(Lookup::Startswith, "from", "2001:db8:").await, Item::Int(1));
    assert_eq!(count(Lookup::Exact, "list", "[ 1,2, 3 ]").await, Item::Int(1));
    assert_eq!(count(Lookup::Istartswith, "slug", "ON").await, Item::Int(1));
    for (field, value, says) in [
        ("slug", "a b", "' '"),
        ("slug", "", "a character at least"),
        ("slug", "a-very-long-slug", "at most 10"),
        ("from", "1.2.3", "192.0.2.1"),
        ("list", "[1,2,3,4]", "at most 3"),
        ("list", "[\"a\"]", "int32"),
    ] {
        let fault = site.try_run("Page", update(vec![], vec![change(field, Change::Set, 0)]), items![value]).await;
        assert!(
            matches!(&fault, Err(QueryError::Invalid { field: of, reason }) if of == field && reason.contains(says)),
            "{fault:?}"
        );
    }
    let fault = site.try_run("Page", Operation::Count(vec![is("list", Lookup::Gt, 0)]), items!["[1]"]).await;
    assert!(fault.unwrap_err().to_string().contains("an ordered field"));
}

#[test]
fn an_unmanaged_table_is_compared_but_never_created() {
    let foreign =
        Catalog::new(vec![Model { managed: false, indexes: vec![index(&["list", "from"])], ..page() }]).unwrap();
    let mismatches = ddl::reconcile(Engine::here().dialect(), &foreign, &Introspection::default()).unwrap_err();
    assert!(mismatches[0].to_string().contains("managed = false"), "{}", mismatches[0]);
}

#[tokio::test]
async fn a_models_own_guard_takes_the_place_of_the_hosts() {
    let site = Blog::of(vec![Model { max_rows: Some(2), ..page() }]).await;
    for slug in ["a", "b", "c"] {
        site.run("Page", insert(&["slug"]), items![slug]).await;
    }
    let fault = site.try_run("Page", Operation::Select(Select::default()), vec![]).await.unwrap_err();
    assert!(matches!(&fault, QueryError::Db(DbError::TooLarge(why)) if why.contains("2 rows")), "{fault}");
    let limited = || Operation::Select(Select { limit: Some(0), ..Select::default() });
    assert_eq!(site.run("Page", limited(), items![2]).await.array().len(), 2);
    let fault = site.try_run("Page", limited(), items![3]).await.unwrap_err();
    assert!(fault.to_string().contains("past the limit of 2"), "{fault}");
    let zero = Catalog::new(vec![Model { max_rows: Some(0), ..page() }]).unwrap_err().to_string();
    assert!(zero.contains("1 or more"), "{zero}");
}

/// What the other databases' servers are told; that they take it is for the tests with servers.
#[test]
fn conditions_are_written_in_each_databases_words() {
    let catalog = Catalog::new(vec![with_special_indexes(offer())]).unwrap();
    let ddl = |dialect| ddl::reconcile(dialect, &catalog, &Introspection::default());
    let postgres = ddl(Dialect::Postgres).unwrap().join(";\n");
    for part in [
        r#"CONSTRAINT "ends_after_it_begins" CHECK ("ends" >= "begins")"#,
        r#"CONSTRAINT "ck_offers_2" CHECK ("price" BETWEEN '0' AND '1000')"#,
        r#"CONSTRAINT "state" CHECK (("state" IN ('on', 'o''ff', '?')) AND (NOT "state" = '?'))"#,
        r#"CREATE UNIQUE INDEX "idx_offers_name_where" ON "offers" ("name") WHERE "state" = 'on'"#,
        r#"CREATE UNIQUE INDEX "idx_offers_code_folded" ON "offers" (lower("code"))"#,
    ] {
        assert!(postgres.contains(part), "{part}\n{postgres}");
    }
    let refused = ddl(Dialect::MySql).unwrap_err();
    let said: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("idx_offers_name_where is over some rows only")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("idx_offers_code_folded is over texts in lower case")), "{said:?}");
    let plain = Catalog::new(vec![Model { indexes: vec![], ..short(offer()) }]).unwrap();
    let mysql = ddl::reconcile(Dialect::MySql, &plain, &Introspection::default()).unwrap().join(";\n");
    for part in ["CONSTRAINT `ck_offers_2` CHECK (`price` BETWEEN 0 AND 1000)", "`state` IN ('on', 'o''ff', '?')"] {
        assert!(mysql.contains(part), "{part}\n{mysql}");
    }
}

/// MySQL indexes no text without a limit.
fn short(model: Model) -> Model {
    let fields = model.fields.into_iter().map(|field| match field.kind {
        Kind::Text => Field { kind: Kind::Varchar(50), ..field },
        _ => field,
    });
    Model { fields: fields.collect(), ..model }
}
