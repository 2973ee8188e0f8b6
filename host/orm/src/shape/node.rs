//! Nodes of filters and values, in postfix order.

use super::{Aggregation, Arithmetic, Function, Ranking};
use crate::schema::Kind;

/// A field of the root model, or of a model reached by walking relation fields from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldPath {
    pub via: Vec<String>,
    pub field: String,
}

impl FieldPath {
    /// A field of the root model itself.
    pub fn of(field: impl Into<String>) -> FieldPath {
        FieldPath { via: Vec::new(), field: field.into() }
    }

    /// As authors say it: `author.country.name`.
    pub fn label(&self) -> String {
        let mut label = String::new();
        for step in &self.via {
            label.push_str(step);
            label.push('.');
        }
        label.push_str(&self.field);
        label
    }
}

/// How the two sides of a comparison are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    Exact,
    Iexact,
    Contains,
    Icontains,
    Startswith,
    Istartswith,
    Endswith,
    Iendswith,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    Isnull,
    Range,
    Regex,
    Iregex,
    Year,
    Month,
    Day,
    WeekDay,
    Hour,
    Minute,
    Second,
}

impl Lookup {
    /// Every lookup, in the order of the WIT.
    pub const ALL: [Lookup; 24] = [
        Lookup::Exact,
        Lookup::Iexact,
        Lookup::Contains,
        Lookup::Icontains,
        Lookup::Startswith,
        Lookup::Istartswith,
        Lookup::Endswith,
        Lookup::Iendswith,
        Lookup::Gt,
        Lookup::Gte,
        Lookup::Lt,
        Lookup::Lte,
        Lookup::In,
        Lookup::Isnull,
        Lookup::Range,
        Lookup::Regex,
        Lookup::Iregex,
        Lookup::Year,
        Lookup::Month,
        Lookup::Day,
        Lookup::WeekDay,
        Lookup::Hour,
        Lookup::Minute,
        Lookup::Second,
    ];

    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Lookup::Exact => "exact",
            Lookup::Iexact => "iexact",
            Lookup::Contains => "contains",
            Lookup::Icontains => "icontains",
            Lookup::Startswith => "startswith",
            Lookup::Istartswith => "istartswith",
            Lookup::Endswith => "endswith",
            Lookup::Iendswith => "iendswith",
            Lookup::Gt => "gt",
            Lookup::Gte => "gte",
            Lookup::Lt => "lt",
            Lookup::Lte => "lte",
            Lookup::In => "in",
            Lookup::Isnull => "isnull",
            Lookup::Range => "range",
            Lookup::Regex => "regex",
            Lookup::Iregex => "iregex",
            Lookup::Year => "year",
            Lookup::Month => "month",
            Lookup::Day => "day",
            Lookup::WeekDay => "week-day",
            Lookup::Hour => "hour",
            Lookup::Minute => "minute",
            Lookup::Second => "second",
        }
    }
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// Index into the parameters of the call.
    Param(u32),
    Field(FieldPath),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Comparison {
    pub left: FieldPath,
    pub lookup: Lookup,
    pub right: Operand,
}

/// A parameter that stands by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    pub index: u32,
    /// None: that of the value it meets.
    pub kind: Option<Kind>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    pub function: Function,
    pub arguments: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    pub branches: u32,
    pub otherwise: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    pub function: Aggregation,
    pub value: bool,
    pub distinct: bool,
    pub filtered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowFunction {
    Ranking(Ranking),
    Aggregation(Aggregation),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub function: WindowFunction,
    pub arguments: u32,
    pub partition: u32,
    /// Of each value of the order: whether it is descending.
    pub order: Vec<bool>,
}

/// One node of a filter or a value in postfix order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Compare(Comparison),
    AllOf(u32),
    AnyOf(u32),
    Negate,
    Test(Lookup),
    Exists(u32),
    Among(u32),
    Field(FieldPath),
    Outer(FieldPath),
    Param(Parameter),
    Calculate(Arithmetic),
    Call(Call),
    /// Kinds without arguments stand for all of their family: `Int64` for integers, `Text` for texts.
    Cast(Kind),
    Choose(Choice),
    Aggregate(Aggregate),
    Window(Window),
    Subquery(u32),
}
