//! Models as data: plain mirrors of the WIT interface `covet:orm/schema`, which documents each item.
//!
//! Nothing here is trusted: [`crate::Catalog::new`] checks it all.

use serde::Serialize;

use crate::shape::Node;

/// Digits of a decimal: `digits` in all (1 to 38), `scale` of them behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DecimalSpec {
    pub digits: u8,
    pub scale: u8,
}

/// What a field holds; how each crosses the wall stands in `wit/deps/orm/orm.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal(DecimalSpec),
    /// At most so many characters (Unicode scalar values).
    Varchar(u32),
    Text,
    Binary,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Datetime,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds.
    Duration,
    Json,
    Uuid,
    Enumeration(Vec<String>),
    Email,
    Url,
    /// At most so many characters, each an ASCII letter or digit, `-` or `_`.
    Slug(u32),
    IpAddress,
    Array(ArraySpec),
}

/// An array: what it holds, and at most how many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ArraySpec {
    pub element: Element,
    pub size: Option<u32>,
}

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float64,
    Text,
    Datetime,
    Date,
    Uuid,
}

impl Element {
    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Element::Boolean => "boolean",
            Element::Int16 => "int16",
            Element::Int32 => "int32",
            Element::Int64 => "int64",
            Element::Float64 => "float64",
            Element::Text => "text",
            Element::Datetime => "datetime",
            Element::Date => "date",
            Element::Uuid => "uuid",
        }
    }
}

impl Kind {
    /// Name as authors and errors say it, with its arguments: `varchar(200)`, `decimal(10, 2)`.
    pub fn label(&self) -> String {
        match self {
            Kind::Decimal(spec) => format!("decimal({}, {})", spec.digits, spec.scale),
            Kind::Varchar(limit) => format!("varchar({limit})"),
            Kind::Slug(limit) => format!("slug({limit})"),
            Kind::Array(spec) => format!("array({})", spec.element.label()),
            other => other.family().to_owned(),
        }
    }

    /// Name without arguments.
    pub fn family(&self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::Int16 => "int16",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Float32 => "float32",
            Kind::Float64 => "float64",
            Kind::Decimal(_) => "decimal",
            Kind::Varchar(_) => "varchar",
            Kind::Text => "text",
            Kind::Binary => "binary",
            Kind::Datetime => "datetime",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Duration => "duration",
            Kind::Json => "json",
            Kind::Uuid => "uuid",
            Kind::Enumeration(_) => "enumeration",
            Kind::Email => "email",
            Kind::Url => "url",
            Kind::Slug(_) => "slug",
            Kind::IpAddress => "ip-address",
            Kind::Array(_) => "array",
        }
    }

    /// Held as text, so that the text lookups (`contains`, `regex`, …) fit.
    pub fn is_textual(&self) -> bool {
        matches!(
            self,
            Kind::Varchar(_)
                | Kind::Text
                | Kind::Json
                | Kind::Enumeration(_)
                | Kind::Email
                | Kind::Url
                | Kind::Slug(_)
                | Kind::IpAddress
        )
    }

    /// One of the three integer widths.
    pub fn is_integer(&self) -> bool {
        matches!(self, Kind::Int16 | Kind::Int32 | Kind::Int64)
    }

    /// One of the two float widths.
    pub fn is_float(&self) -> bool {
        matches!(self, Kind::Float32 | Kind::Float64)
    }

    /// The kind the database layer decodes its column as.
    pub fn storage(&self) -> covet_db::Kind {
        match self {
            Kind::Boolean => covet_db::Kind::Bool,
            Kind::Int16 | Kind::Int32 | Kind::Int64 => covet_db::Kind::Int,
            Kind::Float32 | Kind::Float64 => covet_db::Kind::Real,
            Kind::Decimal(spec) => covet_db::Kind::Decimal { digits: spec.digits, scale: spec.scale },
            Kind::Varchar(_)
            | Kind::Text
            | Kind::Enumeration(_)
            | Kind::Email
            | Kind::Url
            | Kind::Slug(_)
            | Kind::IpAddress => covet_db::Kind::Text,
            Kind::Binary => covet_db::Kind::Bytes,
            Kind::Datetime => covet_db::Kind::Timestamp,
            Kind::Date => covet_db::Kind::Date,
            Kind::Time => covet_db::Kind::Time,
            Kind::Duration => covet_db::Kind::Duration,
            Kind::Json | Kind::Array(_) => covet_db::Kind::Json,
            Kind::Uuid => covet_db::Kind::Uuid,
        }
    }
}

/// What happens to a row when the row it points to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDelete {
    Cascade,
    Protect,
    /// As `Protect`, unless the same deletion takes the row along by another path.
    Restrict,
    SetNull,
    SetDefault,
    /// To [`Relation::value`].
    SetValue,
    DoNothing,
}

/// A field that stores the primary key of another model's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Relation {
    pub model: String,
    pub on_delete: OnDelete,
    /// The key of [`OnDelete::SetValue`], one CBOR item.
    pub value: Option<Vec<u8>>,
}

/// One field of a model and its column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Field {
    pub name: String,
    pub column: String,
    pub kind: Kind,
    pub nullable: bool,
    pub unique: bool,
    pub indexed: bool,
    pub primary_key: bool,
    pub auto_increment: bool,
    pub references: Option<Relation>,
    /// One CBOR item.
    pub default: Option<Vec<u8>>,
}

/// A field within an index or an ordering.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct IndexColumn {
    pub field: String,
    pub descending: bool,
}

/// What must hold of a row: a filter over the model's own fields, with the values in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Condition {
    #[serde(skip)]
    pub filter: Vec<Node>,
    /// One CBOR array.
    pub params: Vec<u8>,
}

/// An index over several fields, one with a direction, or one over some rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Index {
    /// Empty: `idx_TABLE_COLUMNS`.
    pub name: String,
    pub columns: Vec<IndexColumn>,
    pub unique: bool,
    /// Over its texts in lower case.
    pub folded: bool,
    /// Only rows that meet it are in the index.
    pub condition: Option<Condition>,
}

/// A rule that the database enforces for every row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Check {
    /// Empty: `ck_TABLE_NUMBER`.
    pub name: String,
    pub condition: Condition,
}

/// A model and its table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Model {
    pub name: String,
    pub table: String,
    pub fields: Vec<Field>,
    pub indexes: Vec<Index>,
    pub checks: Vec<Check>,
    pub ordering: Vec<IndexColumn>,
    /// False: the table is somebody else's, and nothing of it is created.
    pub managed: bool,
    /// Most rows of one answer; none: [`crate::plan::ROW_GUARD`].
    pub max_rows: Option<u32>,
}
