//! Models are checked, tables are created as they want them, and tables that don't fit are told apart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;

use common::*;
use covet_db::{Introspection, Sqlite, SqliteOptions};
use covet_orm::schema::{DecimalSpec, Field, Index, Kind, Model, OnDelete};
use covet_orm::shape::Operation;
use covet_orm::{Catalog, Dialect, ddl};

fn refused(models: Vec<Model>) -> String {
    Catalog::new(models).unwrap_err().to_string()
}

fn with(fields: Vec<Field>) -> Vec<Model> {
    vec![model("Thing", "things", [vec![id()], fields].concat())]
}

#[test]
fn a_hostile_description_is_refused_with_model_field_and_way_out() {
    let one = |one: Field| refused(with(vec![one]));
    let text = || field("a", Kind::Text);
    let long = "a".repeat(64);
    for (said, wanted) in [
        (refused(vec![model("Thing", "things", vec![])]), "give it a primary key"),
        (refused(vec![model("Thing", "things", vec![text()])]), "has no primary key"),
        (refused(vec![model("a b", "things", vec![id()])]), "letters, digits and _"),
        (refused(vec![model("", "things", vec![id()])]), "letters, digits and _"),
        (refused(vec![model("Thing", "x\"; DROP TABLE y; --", vec![id()])]), "letters, digits and _"),
        (refused(vec![model("Thing", "1x", vec![id()])]), "begin with a letter"),
        (refused(vec![model("Thing", "Ünï", vec![id()])]), "letters, digits and _"),
        (refused(vec![model("Thing", &long, vec![id()])]), "at most 63"),
        (refused(vec![model("Thing", "SQLite_x", vec![id()])]), "reserved"),
        (refused(vec![model("Thing", "covet_history", vec![id()])]), "reserved"),
        (refused(vec![model("A", "t", vec![id()]), model("A", "u", vec![id()])]), "two models"),
        (refused(vec![model("A", "t", vec![id()]), model("B", "T", vec![id()])]), "A's already"),
        (refused((0..257).map(|at| model(&format!("M{at}"), &format!("t{at}"), vec![id()])).collect()), "at most 256"),
        (refused(with((0..256).map(|at| field(&format!("f{at}"), Kind::Text)).collect())), "at most 256"),
        (refused(with(vec![text(), text()])), "two fields have this name"),
        (refused(with(vec![text(), Field { column: "A".into(), ..field("b", Kind::Text) }])), "the column"),
        (one(Field { column: "a\"".into(), ..text() }), "model Thing, field a: column"),
        (one(Field { primary_key: true, ..text() }), "second primary key"),
        (one(Field { auto_increment: true, ..text() }), "int64 only"),
        (refused(vec![model("Thing", "things", vec![nullable(id())])]), "nullable"),
        (
            refused(vec![model("Thing", "things", vec![Field { kind: Kind::Float64, auto_increment: false, ..id() }])]),
            "equality",
        ),
        (one(unique(field("a", Kind::Json))), "equality"),
        (one(field("a", Kind::Varchar(0))), "1 or more"),
        (one(field("a", Kind::Varchar(u32::MAX))), "use text"),
        (one(field("a", Kind::Decimal(DecimalSpec { digits: 0, scale: 0 }))), "1 to 38"),
        (one(field("a", Kind::Decimal(DecimalSpec { digits: 39, scale: 0 }))), "1 to 38"),
        (one(field("a", Kind::Decimal(DecimalSpec { digits: 4, scale: 5 }))), "behind the point"),
        (one(field("a", Kind::Enumeration(vec![]))), "name one at least"),
        (one(field("a", Kind::Enumeration(vec!["x".into(), "x".into()]))), "twice"),
        (one(to("a", "Nobody", OnDelete::Cascade)), "add it to `models`"),
        (one(Field { kind: Kind::Int32, ..to("a", "Thing", OnDelete::Cascade) }), "the same kind"),
        (one(to("a", "Thing", OnDelete::SetNull)), "nullable"),
        (one(defaulted(field("a", Kind::Int64), "text")), "doesn't fit int64"),
        (one(defaulted(field("a", Kind::Int16), 40_000)), "doesn't fit int16"),
        (one(defaulted(field("a", Kind::Varchar(2)), "abc")), "at most 2"),
        (one(defaulted(text(), Item::Null)), "isn't nullable"),
        (one(defaulted(text(), "a\0")), "NUL"),
        (one(Field { default: Some(vec![0x61, b'a', 0x00]), ..text() }), "more than one CBOR item"),
        (
            one(Field { default: Some(vec![0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), ..text() }),
            "doesn't fit",
        ),
        (one(Field { default: Some(vec![]), ..text() }), "doesn't fit"),
        (one(Field { default: Some(vec![0x40; 70_000]), ..text() }), "65536"),
    ] {
        assert!(said.contains(wanted), "{said:?} lacks {wanted:?}");
    }
    let indexed =
        |indexes: Vec<Index>| refused(vec![Model { indexes, ..model("Thing", "things", vec![id(), text()]) }]);
    assert!(indexed(vec![index(&["b"])]).contains("it has id, a"));
    assert!(indexed(vec![index(&[])]).contains("1 to 16"));
    assert!(indexed(vec![index(&["a", "-a"])]).contains("twice"));
    assert!(indexed(vec![index(&["a"]), index(&["a"])]).contains("another index"));
    assert!(indexed(vec![Index { name: "things".into(), ..index(&["a"]) }]).contains("choose another"));
    let ordered = Model { ordering: vec![by("-b")], ..model("Thing", "things", vec![id()]) };
    assert!(refused(vec![ordered]).contains("ordering names field \"b\""));
    // What an error repeats of a hostile name is bounded.
    assert!(refused(vec![model(&"x".repeat(1_000_000), "t", vec![id()])]).len() < 400);
}

/// Column a of table things as the kind declares it, in SQLite's own words.
async fn created(models: Vec<Model>) -> (Sqlite, tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&folder.path().join("test.db"), SqliteOptions::default()).unwrap();
    let catalog = Catalog::new(models).unwrap();
    let statements = ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()).unwrap();
    sqlite.execute_batch(statements).await.unwrap();
    (sqlite, folder, catalog)
}

#[test]
fn tables_read_as_one_would_write_them() {
    let catalog = Catalog::new(blog()).unwrap();
    let statements = ddl::reconcile(Dialect::Sqlite, &catalog, &Introspection::default()).unwrap();
    let expected = [
        "CREATE TABLE \"countries\" (\n  \"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,\n  \"name\" VARCHAR(60) NOT NULL UNIQUE\n)",
        concat!(
            "CREATE TABLE \"authors\" (\n  \"id\" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,\n  \"name\" VARCHAR(80) NOT NULL,\n",
            "  \"email\" VARCHAR(254) UNIQUE,\n  \"country_id\" BIGINT REFERENCES \"countries\" (\"id\") ON DELETE SET NULL\n)"
        ),
        "CREATE INDEX \"idx_authors_country_id\" ON \"authors\" (\"country_id\")",
    ];
    assert_eq!(statements[..3], expected);
    let posts = &statements[3];
    for part in [
        "\"author_id\" BIGINT NOT NULL REFERENCES \"authors\" (\"id\") ON DELETE CASCADE",
        "\"editor_id\" BIGINT REFERENCES \"authors\" (\"id\") ON DELETE RESTRICT",
        "\"views\" BIGINT NOT NULL DEFAULT 0",
        "\"price\" DECIMAL(10, 2) NOT NULL DEFAULT 0",
        "\"wide\" DECIMAL_TEXT(30, 6)",
        "CONSTRAINT \"posts.likes\" CHECK (\"likes\" BETWEEN -32768 AND 32767)",
    ] {
        assert!(posts.contains(part), "{posts}");
    }
    assert_eq!(
        statements[4..],
        [
            "CREATE INDEX \"idx_posts_author_id_created_at_desc\" ON \"posts\" (\"author_id\", \"created_at\" DESC)",
            "CREATE UNIQUE INDEX \"idx_posts_author_id_title\" ON \"posts\" (\"author_id\", \"title\")",
            "CREATE INDEX \"idx_posts_editor_id\" ON \"posts\" (\"editor_id\")",
            "CREATE INDEX \"idx_posts_created_at\" ON \"posts\" (\"created_at\")",
        ]
    );
}

#[tokio::test]
async fn what_was_created_fits_and_needs_nothing_more() {
    let (sqlite, _folder, catalog) = created(blog()).await;
    assert_eq!(ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()), Ok(vec![]));
    // Every kind, with a default each, in a table that points to itself.
    let kinds: Vec<(Kind, Item)> = vec![
        (Kind::Boolean, true.into()),
        (Kind::Int16, (-5).into()),
        (Kind::Int32, 5.into()),
        (Kind::Int64, i64::MIN.into()),
        (Kind::Float32, 0.5.into()),
        (Kind::Float64, 1e300.into()),
        (Kind::Decimal(DecimalSpec { digits: 10, scale: 2 }), "-1.50".into()),
        (Kind::Decimal(DecimalSpec { digits: 30, scale: 6 }), "-1.5".into()),
        (Kind::Varchar(9), "it's".into()),
        (Kind::Text, "(a)".into()),
        (Kind::Binary, Item::Bytes(vec![0, 1])),
        (Kind::Datetime, (-1).into()),
        (Kind::Date, 1.into()),
        (Kind::Time, 1.into()),
        (Kind::Duration, 1.into()),
        (Kind::Json, "12".into()),
        (Kind::Uuid, Item::Bytes(vec![9; 16])),
        (Kind::Enumeration(vec!["x".into()]), "x".into()),
        (Kind::Email, "a@b.example".into()),
        (Kind::Url, "http://a".into()),
    ];
    let mut fields: Vec<Field> = vec![id(), nullable(to("parent", "Thing", OnDelete::SetNull))];
    fields.extend(
        kinds
            .iter()
            .enumerate()
            .map(|(at, (kind, value))| defaulted(field(&format!("f{at}"), kind.clone()), value.clone())),
    );
    let models = vec![model("Thing", "things", fields)];
    let (sqlite, _folder, catalog) = created(models.clone()).await;
    assert_eq!(ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()), Ok(vec![]));
    // The stored defaults are what the kinds' own decoders read.
    let blog = Blog::of(models).await;
    blog.run("Thing", insert(&[]), vec![]).await;
    let rows = blog.run("Thing", Operation::Select(Default::default()), vec![]).await.array();
    let expected: Vec<Item> = kinds
        .into_iter()
        .map(
            |(kind, value)| {
                if matches!(kind, Kind::Decimal(spec) if spec.scale == 6) { "-1.500000".into() } else { value }
            },
        )
        .collect();
    assert_eq!(rows[0].clone().array()[2..], expected);
}

#[tokio::test]
async fn models_that_point_at_each_other_are_created() {
    let models = vec![
        model("A", "as", vec![id(), nullable(to("b", "B", OnDelete::SetNull))]),
        model("B", "bs", vec![id(), nullable(to("c", "C", OnDelete::Cascade))]),
        model(
            "C",
            "cs",
            vec![id(), nullable(to("a", "A", OnDelete::DoNothing)), nullable(to("c", "C", OnDelete::Protect))],
        ),
    ];
    let (sqlite, _folder, catalog) = created(models).await;
    assert_eq!(ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()), Ok(vec![]));
    let mut order = catalog.creation_order();
    order.sort_unstable();
    assert_eq!(order, vec![0, 1, 2]);
}

#[tokio::test]
async fn tables_that_do_not_fit_name_column_model_and_way_out() {
    let price = Kind::Decimal(DecimalSpec { digits: 10, scale: 2 });
    let other = || model("Other", "others", vec![id()]);
    let thing = |fields: Vec<Field>, indexes: Vec<Index>| {
        vec![other(), Model { indexes, ..model("Thing", "things", [vec![id()], fields].concat()) }]
    };
    let key = "id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL";
    let a = |kind: Kind| field("a", kind);
    let cases: Vec<(&str, Vec<Model>, &str, &str, &str)> = vec![
        (
            "",
            thing(vec![nullable(a(Kind::Text))], vec![]),
            "a",
            "is missing",
            "ALTER TABLE \"things\" ADD COLUMN \"a\" TEXT",
        ),
        ("", thing(vec![a(Kind::Text)], vec![]), "a", "is missing", "nullable or give it a default"),
        (
            ", a INTEGER NOT NULL",
            thing(vec![a(Kind::Text)], vec![]),
            "a",
            "its type is \"INTEGER\", a (text) needs TEXT",
            "migrate",
        ),
        (", a TEXT NOT NULL", thing(vec![a(Kind::Int64)], vec![]), "a", "needs BIGINT", "migrate"),
        (", a DECIMAL(10,3) NOT NULL", thing(vec![a(price.clone())], vec![]), "a", "needs DECIMAL(10, 2)", "migrate"),
        (", a BIGINT NOT NULL", thing(vec![a(Kind::Datetime)], vec![]), "a", "needs TIMESTAMP", "migrate"),
        (", a JSON NOT NULL", thing(vec![a(Kind::Json)], vec![]), "a", "needs JSON_TEXT", "migrate"),
        (", a TEXT", thing(vec![a(Kind::Text)], vec![]), "a", "may be null", "make the field nullable"),
        (", a TEXT NOT NULL", thing(vec![nullable(a(Kind::Text))], vec![]), "a", "must not be null", "not nullable"),
        (", a TEXT NOT NULL", thing(vec![unique(a(Kind::Text))], vec![]), "a", "is not unique", "CREATE UNIQUE INDEX"),
        (
            ", a INT4 NOT NULL DEFAULT 1",
            thing(vec![defaulted(a(Kind::Int32), 2)], vec![]),
            "a",
            "its default is 1, the model's is 2",
            "migrate",
        ),
        (
            ", a INT4 NOT NULL",
            thing(vec![defaulted(a(Kind::Int32), 2)], vec![]),
            "a",
            "its default is missing",
            "migrate",
        ),
        (", a TEXT NOT NULL", thing(vec![], vec![]), "a", "no row could be stored", "add the field"),
        (
            ", a BIGINT",
            thing(vec![nullable(Field { column: "a".into(), ..to("a", "Other", OnDelete::Cascade) })], vec![]),
            "a",
            "references nothing",
            "migrate",
        ),
        (
            ", a BIGINT REFERENCES others (id)",
            thing(vec![nullable(Field { column: "a".into(), ..to("a", "Other", OnDelete::Cascade) })], vec![]),
            "a",
            "its ON DELETE is NO ACTION, the model's is CASCADE",
            "migrate",
        ),
        (
            ", a BIGINT REFERENCES things (id) ON DELETE CASCADE",
            thing(vec![nullable(Field { column: "a".into(), ..to("a", "Other", OnDelete::Cascade) })], vec![]),
            "a",
            "references things",
            "migrate",
        ),
        (
            ", a TEXT, b TEXT",
            thing(
                vec![nullable(a(Kind::Text)), nullable(field("b", Kind::Text))],
                vec![Index { unique: true, ..index(&["a", "b"]) }],
            ),
            "",
            "unique index idx_things_a_b is missing",
            "CREATE UNIQUE INDEX",
        ),
    ];
    for (columns, models, column, what, way_out) in cases {
        let (sqlite, _folder, _) = created(vec![other()]).await;
        sqlite.execute_batch(vec![format!("CREATE TABLE things ({key}{columns})")]).await.unwrap();
        let found =
            ddl::reconcile(Dialect::Sqlite, &Catalog::new(models).unwrap(), &sqlite.introspect().await.unwrap());
        let Err(mismatches) = found else { panic!("{columns}: nothing found") };
        assert_eq!(mismatches.len(), 1, "{columns}: {mismatches:?}");
        let one = &mismatches[0];
        assert_eq!((one.table.as_str(), one.column.as_str(), one.model.as_str()), ("things", column, "Thing"));
        assert!(one.what.contains(what), "{one}");
        assert!(one.way_out.contains(way_out), "{one}");
    }
    // Primary keys.
    for (columns, models, what) in [
        ("id INTEGER NOT NULL, a INTEGER PRIMARY KEY", thing(vec![a(Kind::Int64)], vec![]), "primary key"),
        ("id BIGINT PRIMARY KEY NOT NULL", thing(vec![], vec![]), "needs INTEGER"),
        (
            "id INTEGER NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (id, b)",
            thing(vec![], vec![]),
            "part of the table's primary key",
        ),
    ] {
        let (sqlite, _folder, _) = created(vec![other()]).await;
        sqlite.execute_batch(vec![format!("CREATE TABLE things ({columns})")]).await.unwrap();
        let found =
            ddl::reconcile(Dialect::Sqlite, &Catalog::new(models).unwrap(), &sqlite.introspect().await.unwrap());
        assert!(found.as_ref().is_err_and(|all| all.iter().any(|one| one.to_string().contains(what))), "{found:?}");
    }
}

#[tokio::test]
async fn columns_more_than_the_model_has_and_missing_indexes_are_no_mismatch() {
    let (sqlite, _folder, _) = created(vec![]).await;
    let table = "CREATE TABLE Things (ID INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, A varchar(3) NOT NULL, b TEXT, c TEXT NOT NULL DEFAULT 'x')";
    sqlite.execute_batch(vec![table.to_owned()]).await.unwrap();
    let models = vec![Model {
        indexes: vec![index(&["-a", "id"])],
        ..model("Thing", "things", vec![id(), field("a", Kind::Varchar(200))])
    }];
    let catalog = Catalog::new(models).unwrap();
    let statements = ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()).unwrap();
    assert_eq!(statements, vec!["CREATE INDEX \"idx_things_a_desc_id\" ON \"things\" (\"a\" DESC, \"id\")"]);
    sqlite.execute_batch(statements).await.unwrap();
    assert_eq!(ddl::reconcile(Dialect::Sqlite, &catalog, &sqlite.introspect().await.unwrap()), Ok(vec![]));
}
