//! Models as static data: written by `#[derive(Model)]`, read by `describe` and by the query builder on a plan miss.
//! Everything here is `const`: a program that runs no query pays nothing for its models.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Field;
use crate::bindings::covet::orm::{query, schema};
use crate::wire::{Array, put};

/// Longest name of a table's rule, bytes: what PostgreSQL keeps.
const MAX_NAME: usize = 63;

/// What a field holds; the Rust mirror of `covet:orm/schema.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `bool`
    Boolean,
    /// `i16`
    Int16,
    /// `i32`
    Int32,
    /// `i64`
    Int64,
    /// `f32`
    Float32,
    /// `f64`
    Float64,
    /// `Decimal`: all digits, and those behind the point.
    Decimal {
        /// 1 to 38.
        digits: u8,
        /// 0 to `digits`.
        scale: u8,
    },
    /// `String` with `max_length`, in characters.
    Varchar(u32),
    /// `String`
    Text,
    /// `Binary`, `Vec<u8>`
    Binary,
    /// `DateTime<Utc>`
    DateTime,
    /// `Date`
    Date,
    /// `Time`
    Time,
    /// `Duration`
    Duration,
    /// `Json<T>`
    Json,
    /// `Uuid`
    Uuid,
    /// An enum that derives `Choices`.
    Enumeration(&'static [&'static str]),
    /// `Email`
    Email,
    /// `Url`
    Url,
    /// `Slug`: the most characters.
    Slug(u32),
    /// `IpAddr`
    IpAddress,
    /// `Vec<T>`: what it holds, and the most elements.
    Array(Element, Option<u32>),
}

pub use schema::Element;

/// What happens to a row when the row it points to is deleted.
#[derive(Clone, Copy, Debug)]
pub enum OnDelete {
    /// It is deleted too. The default.
    Cascade,
    /// The deletion is refused.
    Protect,
    /// The deletion is refused, unless it takes the row along by another path.
    Restrict,
    /// Its foreign key becomes null; the field must be an `Option`.
    SetNull,
    /// Its foreign key becomes the field's default.
    SetDefault,
    /// Its foreign key becomes this key, one CBOR item.
    Set(fn() -> Vec<u8>),
    /// Left to the database, which refuses.
    DoNothing,
}

impl OnDelete {
    fn to_wire(self) -> (schema::OnDelete, Option<Vec<u8>>) {
        match self {
            OnDelete::Cascade => (schema::OnDelete::Cascade, None),
            OnDelete::Protect => (schema::OnDelete::Protect, None),
            OnDelete::Restrict => (schema::OnDelete::Restrict, None),
            OnDelete::SetNull => (schema::OnDelete::SetNull, None),
            OnDelete::SetDefault => (schema::OnDelete::SetDefault, None),
            OnDelete::Set(value) => (schema::OnDelete::SetValue, Some(value())),
            OnDelete::DoNothing => (schema::OnDelete::DoNothing, None),
        }
    }
}

/// Where a relation leads. A function, so that models may point to each other.
pub type Target = fn() -> &'static ModelMeta;

/// One field of a model.
#[derive(Debug)]
pub struct FieldMeta {
    /// Name in the author's source and in queries.
    pub name: &'static str,
    /// Name of the column; `None`: the name, or `NAME_id` for a relation.
    pub column: Option<&'static str>,
    /// What it holds.
    pub kind: Kind,
    /// An `Option`.
    pub nullable: bool,
    /// No two rows share a value.
    pub unique: bool,
    /// An index of its own.
    pub indexed: bool,
    /// The model's key.
    pub primary_key: bool,
    /// The database numbers new rows.
    pub auto: bool,
    /// The model pointed to.
    pub target: Option<Target>,
    /// For relations.
    pub on_delete: OnDelete,
    /// The constant default as one CBOR item.
    pub default: Option<fn() -> Vec<u8>>,
    /// Set by the SDK at every save.
    pub auto_now: bool,
    /// The least and the greatest whole number; the database enforces it too.
    pub range: Option<(i64, i64)>,
}

impl FieldMeta {
    /// A field of type `T` without options.
    pub const fn of<T: Field>(name: &'static str) -> Self {
        FieldMeta {
            name,
            column: None,
            kind: T::KIND,
            nullable: T::NULLABLE,
            unique: false,
            indexed: false,
            primary_key: T::AUTO,
            auto: T::AUTO,
            target: T::TARGET,
            on_delete: OnDelete::Cascade,
            default: None,
            auto_now: false,
            range: T::RANGE,
        }
    }

    /// `#[field(max_length = n)]`
    pub const fn max_length(mut self, characters: u32) -> Self {
        assert!(
            matches!(self.kind, Kind::Text | Kind::Slug(_) | Kind::Array(..)),
            "max_length belongs to String, Slug and Vec fields"
        );
        self.kind = match self.kind {
            Kind::Slug(_) => Kind::Slug(characters),
            Kind::Array(element, _) => Kind::Array(element, Some(characters)),
            _ => Kind::Varchar(characters),
        };
        self
    }

    /// `#[field(choices = ["…", "…"])]`
    pub const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        assert!(matches!(self.kind, Kind::Text), "choices that are texts belong to String fields");
        self.kind = Kind::Enumeration(choices);
        self
    }

    /// `#[field(min = n)]` of a field of whole numbers, where `n` is a literal; others are checked by the plugin alone.
    pub const fn min(mut self, min: i64) -> Self {
        if matches!(self.kind, Kind::Int16 | Kind::Int32 | Kind::Int64) {
            let max = match self.range {
                Some((_, max)) => max,
                None => i64::MAX,
            };
            self.range = Some((min, max));
        }
        self
    }

    /// `#[field(max = n)]`, as [`min`](FieldMeta::min).
    pub const fn max(mut self, max: i64) -> Self {
        if matches!(self.kind, Kind::Int16 | Kind::Int32 | Kind::Int64) {
            let min = match self.range {
                Some((min, _)) => min,
                None => i64::MIN,
            };
            self.range = Some((min, max));
        }
        self
    }

    /// `#[field(digits = n, scale = m)]`
    pub const fn decimal(mut self, digits: u8, scale: u8) -> Self {
        assert!(matches!(self.kind, Kind::Decimal { .. }), "digits and scale belong to Decimal fields");
        assert!(digits >= 1 && digits <= 38, "digits must be 1 to 38");
        assert!(scale <= digits, "scale must not exceed digits");
        self.kind = Kind::Decimal { digits, scale };
        self
    }

    /// `#[field(unique)]`
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// `#[field(index)]`
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// `#[field(primary_key)]`
    pub const fn primary_key(mut self) -> Self {
        assert!(!self.nullable, "a primary key cannot be an Option");
        self.primary_key = true;
        self
    }

    /// `#[field(column = "…")]`
    pub const fn column(mut self, column: &'static str) -> Self {
        self.column = Some(column);
        self
    }

    /// `#[field(on_delete = "…")]`
    pub const fn on_delete(mut self, on_delete: OnDelete) -> Self {
        assert!(self.target.is_some(), "on_delete belongs to ForeignKey fields");
        assert!(
            self.nullable || !matches!(on_delete, OnDelete::SetNull),
            "on_delete = \"set_null\" needs an Option<ForeignKey<…>>"
        );
        assert!(
            self.default.is_some() || !matches!(on_delete, OnDelete::SetDefault),
            "on_delete = \"set_default\" needs a default: write #[field(default = …)]"
        );
        self.on_delete = on_delete;
        self
    }

    /// `#[field(default = …)]`
    pub const fn default(mut self, default: fn() -> Vec<u8>) -> Self {
        self.default = Some(default);
        self
    }

    /// `#[field(auto_now)]`
    pub const fn auto_now(mut self) -> Self {
        self.auto_now = true;
        self
    }

    fn column_name(&self) -> String {
        match (self.column, self.target) {
            (Some(column), _) => column.into(),
            (None, Some(_)) => format!("{}_id", self.name),
            (None, None) => self.name.into(),
        }
    }

    /// The rule that the database enforces for `range`.
    fn range_check(&self, table: &str) -> Option<schema::Check> {
        let (min, max) = self.range?;
        let mut params = Array::new();
        let out = params.item();
        let _ = put(out).array(2);
        Field::encode(&min, out);
        Field::encode(&max, out);
        let node = query::Node::Compare(query::Comparison {
            left: query::FieldPath { via: Vec::new(), field: self.name.into() },
            lookup: query::Lookup::Range,
            right: query::Operand::Param(0),
        });
        let name = format!("ck_{table}_{}", self.column_name());
        Some(schema::Check {
            // The databases cut longer names; the host derives one that fits.
            name: if name.len() > MAX_NAME { String::new() } else { name },
            condition: schema::Condition { filter: vec![node], params: params.finish() },
        })
    }

    fn to_wire(&self) -> schema::Field {
        schema::Field {
            name: self.name.into(),
            column: self.column_name(),
            // A foreign key is stored as what it points to, `max_length` included.
            kind: self.target.map_or(self.kind, |target| target().key_field().kind).to_wire(),
            nullable: self.nullable,
            unique: self.unique,
            indexed: self.indexed,
            primary_key: self.primary_key,
            auto_increment: self.auto,
            references: self.target.map(|target| {
                let (on_delete, value) = self.on_delete.to_wire();
                schema::Relation { model: target().name.into(), on_delete, value }
            }),
            default: self.default.map(|default| default()),
        }
    }
}

impl Kind {
    fn to_wire(self) -> schema::Kind {
        match self {
            Kind::Boolean => schema::Kind::Boolean,
            Kind::Int16 => schema::Kind::Int16,
            Kind::Int32 => schema::Kind::Int32,
            Kind::Int64 => schema::Kind::Int64,
            Kind::Float32 => schema::Kind::Float32,
            Kind::Float64 => schema::Kind::Float64,
            Kind::Decimal { digits, scale } => schema::Kind::Decimal(schema::DecimalSpec { digits, scale }),
            Kind::Varchar(characters) => schema::Kind::Varchar(characters),
            Kind::Text => schema::Kind::Text,
            Kind::Binary => schema::Kind::Binary,
            Kind::DateTime => schema::Kind::Datetime,
            Kind::Date => schema::Kind::Date,
            Kind::Time => schema::Kind::Time,
            Kind::Duration => schema::Kind::Duration,
            Kind::Json => schema::Kind::Json,
            Kind::Uuid => schema::Kind::Uuid,
            Kind::Enumeration(choices) => schema::Kind::Enumeration(choices.iter().map(|c| (*c).into()).collect()),
            Kind::Email => schema::Kind::Email,
            Kind::Url => schema::Kind::Url,
            Kind::Slug(characters) => schema::Kind::Slug(characters),
            Kind::IpAddress => schema::Kind::IpAddress,
            Kind::Array(element, size) => schema::Kind::Array(schema::ArraySpec { element, size }),
        }
    }
}

/// A field of an index or of an ordering.
#[derive(Debug)]
pub struct IndexColumn {
    /// The field's name.
    pub field: &'static str,
    /// Largest first.
    pub descending: bool,
}

impl IndexColumn {
    fn to_wire(&self) -> schema::IndexColumn {
        schema::IndexColumn { field: self.field.into(), descending: self.descending }
    }
}

/// A condition with its values; made when the plugin is described.
pub type Condition = fn() -> schema::Condition;

/// An index over several fields.
#[derive(Debug)]
pub struct IndexMeta {
    /// In this order.
    pub columns: &'static [IndexColumn],
    /// No two rows share the values of all its columns.
    pub unique: bool,
    /// `None`: the host derives one.
    pub name: Option<&'static str>,
    /// Over its texts in lower case.
    pub folded: bool,
    /// Only rows that meet it are in the index.
    pub condition: Option<Condition>,
}

impl IndexMeta {
    fn to_wire(&self) -> schema::Index {
        schema::Index {
            name: self.name.unwrap_or_default().into(),
            columns: self.columns.iter().map(IndexColumn::to_wire).collect(),
            unique: self.unique,
            folded: self.folded,
            condition: self.condition.map(|condition| condition()),
        }
    }
}

/// A rule that the database enforces for every row.
#[derive(Debug)]
pub struct CheckMeta {
    /// `None`: the host derives one.
    pub name: Option<&'static str>,
    /// What must hold.
    pub condition: Condition,
}

/// One model.
#[derive(Debug)]
pub struct ModelMeta {
    /// The struct's name.
    pub name: &'static str,
    /// The table's name.
    pub table: &'static str,
    /// In the order of the struct.
    pub fields: &'static [FieldMeta],
    /// Over several fields.
    pub indexes: &'static [IndexMeta],
    /// Rules that the database enforces.
    pub checks: &'static [CheckMeta],
    /// Order of queries that name none.
    pub ordering: &'static [IndexColumn],
    /// False: the table is somebody else's, and nothing of it is created.
    pub managed: bool,
    /// Most rows of one answer; `None`: the host's own limit.
    pub max_query_limit: Option<u32>,
    /// Models of tables between that belong to this one's relations; described with it.
    pub between: &'static [Target],
    /// Index of the primary key among the fields.
    pub key: u8,
    /// The plan of `get(key)`, so that it needs no table look-up.
    pub(crate) by_key: PlanSlot,
}

impl ModelMeta {
    /// For `#[derive(Model)]`.
    #[doc(hidden)]
    pub const fn new(
        name: &'static str,
        table: &'static str,
        fields: &'static [FieldMeta],
        indexes: &'static [IndexMeta],
        ordering: &'static [IndexColumn],
        key: u8,
    ) -> Self {
        assert!(fields.len() <= 250, "a model has at most 250 fields");
        ModelMeta {
            name,
            table,
            fields,
            indexes,
            checks: &[],
            ordering,
            managed: true,
            max_query_limit: None,
            between: &[],
            key,
            by_key: PlanSlot::new(),
        }
    }

    /// `#[model(check(…))]`
    #[doc(hidden)]
    pub const fn checks(mut self, checks: &'static [CheckMeta]) -> Self {
        self.checks = checks;
        self
    }

    /// Of `ManyToMany` fields without a `through` of their own.
    #[doc(hidden)]
    pub const fn between(mut self, between: &'static [Target]) -> Self {
        self.between = between;
        self
    }

    /// `#[model(managed = false)]`
    #[doc(hidden)]
    pub const fn unmanaged(mut self) -> Self {
        self.managed = false;
        self
    }

    /// `#[model(max_query_limit = n)]`
    #[doc(hidden)]
    pub const fn max_query_limit(mut self, rows: u32) -> Self {
        assert!(rows > 0, "max_query_limit must be 1 or more");
        self.max_query_limit = Some(rows);
        self
    }

    /// The primary key's field.
    pub fn key_field(&self) -> &'static FieldMeta {
        &self.fields[usize::from(self.key)]
    }

    pub(crate) fn to_wire(&self) -> schema::Model {
        schema::Model {
            name: self.name.into(),
            table: self.table.into(),
            fields: self.fields.iter().map(FieldMeta::to_wire).collect(),
            indexes: self.indexes.iter().map(IndexMeta::to_wire).collect(),
            checks: self
                .fields
                .iter()
                .filter_map(|field| field.range_check(self.table))
                .chain(self.checks.iter().map(|check| schema::Check {
                    name: check.name.unwrap_or_default().into(),
                    condition: (check.condition)(),
                }))
                .collect(),
            ordering: self.ordering.iter().map(IndexColumn::to_wire).collect(),
            managed: self.managed,
            max_rows: self.max_query_limit,
        }
    }
}

/// A relation from one row to many: rows of `through` whose field `by` points to it, or what these point to in turn.
#[derive(Debug)]
pub struct LinkMeta {
    /// The model whose field points back.
    pub through: Target,
    /// That field.
    pub by: &'static str,
    /// Its other relation, where `through` is a table between.
    pub onward: Option<&'static str>,
    /// The model whose rows they are.
    pub target: Target,
    number: AtomicU8,
}

static LINKS: Mutex<Vec<&'static LinkMeta>> = Mutex::new(Vec::new());

impl LinkMeta {
    /// Most relations to many that one instance uses; a path has a byte for them.
    const MOST: usize = 250;

    /// For `#[derive(Model)]`.
    #[doc(hidden)]
    pub const fn new(through: Target, by: &'static str, onward: Option<&'static str>, target: Target) -> Self {
        LinkMeta { through, by, onward, target, number: AtomicU8::new(0) }
    }

    /// As the wall spells it: `["Post.author"]`, `["PostTag.post", "tag"]`.
    pub(crate) fn steps(&self) -> Vec<String> {
        let first = format!("{}.{}", (self.through)().name, self.by);
        std::iter::once(first).chain(self.onward.map(String::from)).collect()
    }

    /// Its number in paths of this instance, given at its first use.
    pub(crate) fn number(&'static self) -> u8 {
        match self.number.load(Ordering::Relaxed) {
            0 => self.enter(),
            number => number,
        }
    }

    #[cold]
    fn enter(&'static self) -> u8 {
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        let at = links.iter().position(|link| std::ptr::eq(*link, self)).unwrap_or_else(|| {
            assert!(links.len() < Self::MOST, "a plugin uses at most 250 relations to many");
            links.push(self);
            links.len() - 1
        });
        let number = at as u8 + 1;
        self.number.store(number, Ordering::Relaxed);
        number
    }

    pub(crate) fn numbered(number: u8) -> Option<&'static LinkMeta> {
        let links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        links.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A plan's number, asked for at most once an instance. A guest has one thread; the atomic only makes it a `static`.
#[derive(Debug)]
pub(crate) struct PlanSlot(AtomicU32);

impl PlanSlot {
    const NONE: u32 = u32::MAX;

    const fn new() -> Self {
        PlanSlot(AtomicU32::new(Self::NONE))
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<u32> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            plan => Some(plan),
        }
    }

    pub(crate) fn set(&self, plan: u32) {
        self.0.store(plan, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }
}
