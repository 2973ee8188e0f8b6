//! Shapes of queries: plain mirrors of the WIT interface `covet:orm/query`, which documents each item.
//!
//! A shape holds no values, only places for parameters, so it is the key under which a plan is found again.

mod function;
mod node;

pub use function::{Aggregation, Arithmetic, Function, Ranking};
pub use node::{
    Aggregate, Call, Choice, Comparison, FieldPath, Lookup, Node, Operand, Parameter, Window, WindowFunction,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub by: Vec<Node>,
    pub descending: bool,
    pub nulls: Option<Nulls>,
}

impl Order {
    /// By a field.
    pub fn of(path: FieldPath, descending: bool) -> Order {
        Order { by: vec![Node::Field(path)], descending, nulls: None }
    }

    /// The field, where it is one and nothing more.
    pub fn field(&self) -> Option<&FieldPath> {
        match self.by.as_slice() {
            [Node::Field(path)] => Some(path),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nulls {
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combining {
    Union,
    UnionAll,
    Intersect,
    IntersectAll,
    Except,
    ExceptAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Combination {
    pub combining: Combining,
    /// Index into the shape's queries.
    pub query: u32,
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
    pub fields: Vec<Vec<Node>>,
    pub computed: Vec<Vec<Node>>,
    pub group: Option<Vec<Vec<Node>>>,
    pub distinct: bool,
    pub distinct_on: Vec<Vec<Node>>,
    pub combine: Vec<Combination>,
    pub prefetch: Vec<Prefetch>,
}

/// A query that stands in another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InnerQuery {
    pub model: String,
    pub select: Select,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Summary {
    pub of: Select,
    pub values: Vec<Vec<Node>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    pub field: String,
    pub value: Vec<Node>,
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
    Summary(Summary),
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
    pub queries: Vec<InnerQuery>,
}

impl Shape {
    /// A shape without inner queries.
    pub fn of(model: impl Into<String>, operation: Operation) -> Shape {
        Shape { model: model.into(), operation, queries: Vec::new() }
    }
}
