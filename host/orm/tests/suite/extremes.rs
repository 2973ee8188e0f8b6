//! Each kind of field holds its extremes, and refuses what lies past them, alike on each database.

use covet_db::DbError;
use covet_orm::QueryError;
use covet_orm::schema::{DecimalSpec, Kind};
use covet_orm::shape::{Lookup, Operation, Select};

use crate::common::*;
use crate::items;

/// A table with one field of this kind.
async fn table(kind: Kind) -> Blog {
    Blog::of(vec![model("Thing", "things", vec![id(), nullable(field("a", kind))])]).await
}

async fn stored(blog: &Blog, value: &Item) -> Item {
    let key = blog.insert("Thing", &["a"], vec![value.clone()]).await;
    let select = Select { filter: vec![is("id", Lookup::Exact, 0)], fields: values(&["a"]), ..Select::default() };
    let rows = blog.run("Thing", Operation::Select(select), items![key]).await.array();
    rows[0].clone().array()[0].clone()
}

fn bytes(length: usize) -> Item {
    Item::Bytes((0..length).map(|at| (at % 251) as u8).collect())
}

#[tokio::test]
async fn each_kind_holds_its_extremes() {
    let all = |digits: usize| "9".repeat(digits);
    let wide = |digits, scale| Kind::Decimal(DecimalSpec { digits, scale });
    let cases: Vec<(Kind, Vec<Item>)> = vec![
        (Kind::Int16, items![i64::from(i16::MIN), i64::from(i16::MAX)]),
        (Kind::Int32, items![i64::from(i32::MIN), i64::from(i32::MAX)]),
        (Kind::Int64, items![i64::MIN, i64::MAX]),
        (Kind::Float32, items![f64::from(f32::MAX), f64::from(f32::MIN_POSITIVE), f64::from(0.1_f32)]),
        (Kind::Float64, items![f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.1, -1.5e-300]),
        (wide(18, 0), items![&*all(18), &*format!("-{}", all(18))]),
        (wide(38, 0), items![&*all(38), &*format!("-{}", all(38))]),
        (wide(38, 19), items![&*format!("{0}.{0}", all(19)), "-0.0000000000000000001"]),
        (wide(30, 30), items![&*format!("0.{}", all(30))]),
        (Kind::Datetime, items![-62_135_596_800_000_000, -1, 0, 253_402_300_799_999_999]),
        (Kind::Date, items![-719_162, -1, 2_932_896]),
        (Kind::Time, items![0, 86_399_999_999]),
        (Kind::Duration, items![i64::MIN, -1, i64::MAX]),
        (Kind::Varchar(9), items!["", " ", "a ", "🦀🦀🦀🦀🦀🦀🦀🦀🦀", "שלום", "\u{202E}abc", "'\"\\%_`"]),
        (
            Kind::Text,
            items!["", "\u{1}\n\r\t", "מימין לשמאל", "e\u{301}", "\u{FFFF}\u{10FFFF}", &*"ü".repeat(1_000_000)],
        ),
        (Kind::Binary, vec![bytes(0), bytes(1), bytes(16_000_000)]),
        (Kind::Json, items!["null", r#"{"a":[1.50,"\n"]}"#, "\"🦀\""]),
        (Kind::Uuid, vec![Item::Bytes(vec![0; 16]), Item::Bytes(vec![255; 16])]),
    ];
    for (kind, values) in cases {
        let blog = table(kind.clone()).await;
        for value in values.into_iter().chain([Item::Null]) {
            let back = stored(&blog, &value).await;
            assert!(back == value, "{kind:?}: {:.200} came back as {:.200}", format!("{value:?}"), format!("{back:?}"));
        }
    }
}

#[tokio::test]
async fn nul_in_text_is_stored_or_refused_with_the_databases_name() {
    for kind in [Kind::Text, Kind::Varchar(9), Kind::Json] {
        let blog = table(kind.clone()).await;
        let value = Item::from(if kind == Kind::Json { r#""a\u0000b""# } else { "a\0b" });
        if blog.capabilities().nul_in_text {
            assert_eq!(stored(&blog, &value).await, value);
            continue;
        }
        let fault = blog.try_run("Thing", insert(&["a"]), vec![value]).await.unwrap_err();
        assert!(
            matches!(&fault, QueryError::Invalid { field, reason } if field == "a" && reason.contains("PostgreSQL")),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn what_is_no_number_is_refused_and_what_outgrows_its_field_too() {
    for kind in [Kind::Float32, Kind::Float64] {
        let blog = table(kind).await;
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let fault = blog.try_run("Thing", insert(&["a"]), items![value]).await.unwrap_err();
            assert!(matches!(&fault, QueryError::Invalid { field, .. } if field == "a"), "{fault}");
        }
    }
    let decimal = Kind::Decimal(DecimalSpec { digits: 4, scale: 2 });
    for (kind, value, how, operand) in [
        (Kind::Int16, Item::from(32_767), Change::Add, Item::from(1)),
        (Kind::Int32, i64::from(i32::MIN).into(), Change::Subtract, 1.into()),
        (Kind::Int64, i64::MAX.into(), Change::Add, 1.into()),
        (Kind::Int64, i64::MIN.into(), Change::Multiply, (-1).into()),
        (Kind::Duration, i64::MAX.into(), Change::Add, 1.into()),
        (Kind::Duration, i64::MAX.into(), Change::Multiply, 2.into()),
        (Kind::Float64, f64::MAX.into(), Change::Multiply, 2.0.into()),
        (decimal.clone(), "99.99".into(), Change::Add, "0.01".into()),
        (decimal, "99.99".into(), Change::Multiply, "2.00".into()),
        (Kind::Datetime, 253_402_300_799_999_999_i64.into(), Change::Add, 1.into()),
        (Kind::Datetime, (-62_135_596_800_000_000_i64).into(), Change::Subtract, 1.into()),
        (Kind::Date, 2_932_896.into(), Change::Add, 1.into()),
        (Kind::Date, (-719_162).into(), Change::Add, i64::MIN.into()),
    ] {
        let blog = table(kind.clone()).await;
        blog.insert("Thing", &["a"], vec![value.clone()]).await;
        let grown = update(vec![], vec![change("a", how, 0)]);
        let fault = blog.try_run("Thing", grown, vec![operand]).await.unwrap_err();
        assert!(matches!(&fault, QueryError::Db(DbError::CheckViolation(_))), "{kind:?}: {fault:?}");
        let same = Operation::Count(vec![is("a", Lookup::Exact, 0)]);
        assert_eq!(blog.run("Thing", same, vec![value]).await, Item::Int(1), "{kind:?}");
    }
}

#[tokio::test]
async fn arithmetic_within_bounds_is_exact() {
    for (kind, value, how, operand, wanted) in [
        (Kind::Int64, Item::from(i64::MAX - 1), Change::Add, Item::from(1), Item::from(i64::MAX)),
        (Kind::Duration, (i64::MAX / 3).into(), Change::Multiply, 3.into(), (i64::MAX / 3 * 3).into()),
        (Kind::Duration, (-1).into(), Change::Subtract, i64::MAX.into(), i64::MIN.into()),
        (Kind::Datetime, (-1).into(), Change::Add, 2.into(), 1.into()),
        (Kind::Date, 0.into(), Change::Subtract, 719_162.into(), (-719_162).into()),
        (Kind::Float64, 0.1.into(), Change::Add, 0.2.into(), (0.1 + 0.2).into()),
    ] {
        let blog = table(kind.clone()).await;
        let key = blog.insert("Thing", &["a"], vec![value]).await;
        blog.run("Thing", update(vec![], vec![change("a", how, 0)]), vec![operand]).await;
        let select = Select { filter: vec![is("id", Lookup::Exact, 0)], fields: values(&["a"]), ..Select::default() };
        let rows = blog.run("Thing", Operation::Select(select), items![key]).await;
        assert_eq!(rows, items![Item::from(vec![wanted])].into(), "{kind:?}");
    }
}
