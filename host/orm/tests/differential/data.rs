//! Models and rows that questions are asked about: few rows of few values, so that questions meet some of them.

use covet_orm::schema::{DecimalSpec, Field, Kind, Model, OnDelete};
use covet_orm::shape::{Insert, Operation};

use crate::common::{Blog, Item, field, id, model, nullable, to};
use crate::random::Random;

pub const DAY: i64 = 86_400_000_000;

/// A stored value.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Value {
    /// Before all others, as everywhere.
    Null,
    Bool(bool),
    /// Also dates and times.
    Int(i64),
    Real(f64),
    /// Hundredths.
    Decimal(i64),
    Text(String),
}

impl Value {
    pub fn item(&self) -> Item {
        match self {
            Value::Null => Item::Null,
            Value::Bool(value) => Item::Bool(*value),
            Value::Int(value) => Item::Int(*value),
            Value::Real(value) => Item::Float(*value),
            Value::Decimal(hundredths) => {
                let sign = if *hundredths < 0 { "-" } else { "" };
                let all = hundredths.unsigned_abs();
                Item::Text(format!("{sign}{}.{:02}", all / 100, all % 100))
            }
            Value::Text(value) => Item::Text(value.clone()),
        }
    }
}

/// What a field holds, as questions see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Bool,
    Int,
    Real,
    Decimal,
    Text,
    Moment,
    Date,
    Time,
    /// The key of a row of this model.
    To(&'static str),
}

#[derive(Debug)]
pub struct Column {
    pub name: &'static str,
    pub sort: Sort,
    pub nullable: bool,
}

const fn column(name: &'static str, sort: Sort, nullable: bool) -> Column {
    Column { name, sort, nullable }
}

pub const COUNTRY: [Column; 3] =
    [column("id", Sort::Int, false), column("name", Sort::Text, false), column("rank", Sort::Int, true)];
pub const AUTHOR: [Column; 5] = [
    column("id", Sort::Int, false),
    column("name", Sort::Text, false),
    column("age", Sort::Int, true),
    column("joined", Sort::Date, true),
    column("country", Sort::To("Country"), true),
];
pub const POST: [Column; 13] = [
    column("id", Sort::Int, false),
    column("title", Sort::Text, false),
    column("subtitle", Sort::Text, true),
    column("views", Sort::Int, false),
    column("likes", Sort::Int, true),
    column("rating", Sort::Real, true),
    column("price", Sort::Decimal, true),
    column("published", Sort::Bool, false),
    column("created", Sort::Moment, false),
    column("born", Sort::Date, true),
    column("at", Sort::Time, true),
    column("author", Sort::To("Author"), false),
    column("editor", Sort::To("Author"), true),
];

pub fn columns(model: &str) -> &'static [Column] {
    match model {
        "Country" => &COUNTRY,
        "Author" => &AUTHOR,
        _ => &POST,
    }
}

pub fn models() -> Vec<Model> {
    ["Country", "Author", "Post"]
        .into_iter()
        .map(|name| {
            let fields = columns(name).iter().map(|column| match column.name {
                "id" => id(),
                _ => {
                    let one = described(column);
                    if column.nullable { nullable(one) } else { one }
                }
            });
            model(name, &format!("d_{}", name.to_lowercase()), fields.collect())
        })
        .collect()
}

fn described(column: &Column) -> Field {
    let kind = match (column.sort, column.name) {
        (Sort::To(model), name) => {
            return to(name, model, if column.nullable { OnDelete::SetNull } else { OnDelete::Cascade });
        }
        (Sort::Int, "likes") => Kind::Int16,
        (Sort::Int, "age") => Kind::Int32,
        (Sort::Int, _) => Kind::Int64,
        (Sort::Bool, _) => Kind::Boolean,
        (Sort::Real, _) => Kind::Float64,
        (Sort::Decimal, _) => Kind::Decimal(DecimalSpec { digits: 10, scale: 2 }),
        (Sort::Text, "subtitle") => Kind::Text,
        (Sort::Text, _) => Kind::Varchar(60),
        (Sort::Moment, _) => Kind::Datetime,
        (Sort::Date, _) => Kind::Date,
        (Sort::Time, _) => Kind::Time,
    };
    field(column.name, kind)
}

/// Texts that collations, folding, patterns and padding trip over.
pub const TEXTS: [&str; 24] = [
    "",
    " ",
    "a",
    "A",
    "a ",
    "ab",
    "aB",
    "b",
    "ä",
    "Ä",
    "a\u{308}",
    "é",
    "ss",
    "ß",
    "ẞ",
    "100%",
    "a_b",
    "a|b\\c",
    "ΟΔΟΣ",
    "οδός σ",
    "İstanbul",
    "it's",
    "🦀",
    "zebra 7",
];

pub const REALS: [f64; 7] = [-2.5, -0.0, 0.0, 0.125, 1.5, 7.0, 1e30];
pub const MOMENTS: [i64; 8] = [
    -62_135_596_800_000_000,
    -1,
    0,
    1,
    19_782 * DAY + 47_655_500_000,
    19_782 * DAY + 47_655_500_001,
    20_000 * DAY,
    253_402_300_799_999_999,
];
pub const DATES: [i64; 7] = [-719_162, -1, 0, 59, 19_782, 20_000, 2_932_896];
pub const TIMES: [i64; 5] = [0, 1, 47_655_000_000, 47_655_999_999, DAY - 1];

/// All rows, each model's by its name; a key is its row's place plus one.
#[derive(Debug)]
pub struct Rows {
    pub countries: Vec<Vec<Value>>,
    pub authors: Vec<Vec<Value>>,
    pub posts: Vec<Vec<Value>>,
}

impl Rows {
    pub fn random(random: &mut Random) -> Rows {
        let mut table = |model: &str, count: usize| -> Vec<Vec<Value>> {
            (1..=count as i64)
                .map(|key| {
                    columns(model)
                        .iter()
                        .map(|column| match column.name {
                            "id" => Value::Int(key),
                            _ if column.nullable && random.chance(30) => Value::Null,
                            _ => stored(column, random),
                        })
                        .collect()
                })
                .collect()
        };
        Rows { countries: table("Country", COUNTRIES), authors: table("Author", AUTHORS), posts: table("Post", 40) }
    }

    pub fn of(&self, model: &str) -> &[Vec<Value>] {
        match model {
            "Country" => &self.countries,
            "Author" => &self.authors,
            _ => &self.posts,
        }
    }

    pub async fn store(&self, blog: &Blog) {
        for model in ["Country", "Author", "Post"] {
            let fields = columns(model).iter().map(|column| column.name.to_owned()).collect();
            let insert = Operation::Insert(Insert { fields, many: true, ignore_conflicts: false });
            let rows = self.of(model).iter().map(|row| Item::Array(row.iter().map(Value::item).collect())).collect();
            blog.run(model, insert, rows).await;
        }
    }
}

const COUNTRIES: usize = 4;
const AUTHORS: usize = 8;

fn stored(column: &Column, random: &mut Random) -> Value {
    match column.sort {
        Sort::Bool => Value::Bool(random.chance(50)),
        Sort::Int if column.name == "views" && random.chance(10) => Value::Int(*random.pick(&[i64::MIN, i64::MAX])),
        Sort::Int => Value::Int(random.within(-3, 9)),
        Sort::Real => Value::Real(*random.pick(&REALS)),
        Sort::Decimal => Value::Decimal(*random.pick(&[-101, -1, 0, 1, 99, 100, 1_005, 9_999_999_999])),
        Sort::Text => Value::Text((*random.pick(&TEXTS)).to_owned()),
        Sort::Moment => Value::Int(*random.pick(&MOMENTS)),
        Sort::Date => Value::Int(*random.pick(&DATES)),
        Sort::Time => Value::Int(*random.pick(&TIMES)),
        Sort::To("Country") => Value::Int(random.within(1, COUNTRIES as i64)),
        Sort::To(_) => Value::Int(random.within(1, AUTHORS as i64)),
    }
}
