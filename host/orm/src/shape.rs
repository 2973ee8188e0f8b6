//! Shapes of queries: plain mirrors of the WIT interface `covet:orm/query`, which documents each item.
//!
//! A shape holds no values, only places for parameters, so it is the key under which a plan is found again.

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

/// One node of a filter in postfix order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Compare(Comparison),
    AllOf(u32),
    AnyOf(u32),
    Negate,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub by: FieldPath,
    pub descending: bool,
}

/// Rows that belong to those of another level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefetch {
    pub parent: Option<u32>,
    pub relation: Vec<String>,
    pub filter: Vec<Node>,
    pub order: Vec<Order>,
    pub reverse: bool,
    pub limit: Option<u32>,
    pub related: Vec<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Select {
    pub filter: Vec<Node>,
    pub order: Vec<Order>,
    pub reverse: bool,
    pub limit: Option<u32>,
    pub offset: Option<u32>,
    pub related: Vec<Vec<String>>,
    pub fields: Vec<FieldPath>,
    pub distinct: bool,
    pub prefetch: Vec<Prefetch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    Set,
    Add,
    Subtract,
    Multiply,
}

impl Change {
    /// Name as the WIT spells it.
    pub fn label(self) -> &'static str {
        match self {
            Change::Set => "set",
            Change::Add => "add",
            Change::Subtract => "subtract",
            Change::Multiply => "multiply",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    pub field: String,
    pub change: Change,
    pub param: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Insert {
    pub fields: Vec<String>,
    pub many: bool,
    pub ignore_conflicts: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    pub filter: Vec<Node>,
    pub assignments: Vec<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GetOrCreate {
    pub filter: Vec<Node>,
    pub create: Insert,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Select(Select),
    Count(Vec<Node>),
    Exists(Vec<Node>),
    Insert(Insert),
    Update(Update),
    Delete(Vec<Node>),
    GetOrCreate(GetOrCreate),
}

/// A query without its values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Name of the root model.
    pub model: String,
    pub operation: Operation,
}
