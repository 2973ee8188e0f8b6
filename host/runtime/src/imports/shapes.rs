//! Query shapes, from WIT's types to those of `covet-orm`: the same trees under other names.

use covet_orm::shape;

use crate::bindings::covet::orm::query as wit;

pub(super) fn shape(raw: wit::Shape) -> shape::Shape {
    shape::Shape { model: raw.model, operation: operation(raw.operation) }
}

fn operation(raw: wit::Operation) -> shape::Operation {
    match raw {
        wit::Operation::Select(raw) => shape::Operation::Select(shape::Select {
            filter: filter(raw.filter),
            order: orders(raw.order),
            reverse: raw.reverse,
            limit: raw.limit,
            offset: raw.offset,
            related: raw.related,
            fields: raw.fields.into_iter().map(path).collect(),
            distinct: raw.distinct,
            prefetch: raw.prefetch.into_iter().map(prefetch).collect(),
        }),
        wit::Operation::Count(raw) => shape::Operation::Count(filter(raw)),
        wit::Operation::Exists(raw) => shape::Operation::Exists(filter(raw)),
        wit::Operation::Insert(raw) => shape::Operation::Insert(insert(raw)),
        wit::Operation::Update(raw) => shape::Operation::Update(shape::Update {
            filter: filter(raw.filter),
            assignments: raw
                .assignments
                .into_iter()
                .map(|assignment| shape::Assignment {
                    field: assignment.field,
                    change: match assignment.change {
                        wit::Change::Set => shape::Change::Set,
                        wit::Change::Add => shape::Change::Add,
                        wit::Change::Subtract => shape::Change::Subtract,
                        wit::Change::Multiply => shape::Change::Multiply,
                    },
                    param: assignment.param,
                })
                .collect(),
        }),
        wit::Operation::Delete(raw) => shape::Operation::Delete(filter(raw)),
        wit::Operation::GetOrCreate(raw) => {
            shape::Operation::GetOrCreate(shape::GetOrCreate { filter: filter(raw.filter), create: insert(raw.create) })
        }
    }
}

fn prefetch(raw: wit::Prefetch) -> shape::Prefetch {
    shape::Prefetch {
        parent: raw.parent,
        relation: raw.relation,
        filter: filter(raw.filter),
        order: orders(raw.order),
        reverse: raw.reverse,
        limit: raw.limit,
        related: raw.related,
    }
}

fn orders(raw: Vec<wit::Order>) -> Vec<shape::Order> {
    raw.into_iter().map(|order| shape::Order { by: path(order.by), descending: order.descending }).collect()
}

fn insert(raw: wit::Insert) -> shape::Insert {
    shape::Insert { fields: raw.fields, many: raw.many, ignore_conflicts: raw.ignore_conflicts }
}

pub(crate) fn filter(raw: Vec<wit::Node>) -> Vec<shape::Node> {
    raw.into_iter().map(node).collect()
}

fn node(raw: wit::Node) -> shape::Node {
    match raw {
        wit::Node::Compare(raw) => shape::Node::Compare(shape::Comparison {
            left: path(raw.left),
            lookup: lookup(raw.lookup),
            right: match raw.right {
                wit::Operand::Param(index) => shape::Operand::Param(index),
                wit::Operand::Field(field) => shape::Operand::Field(path(field)),
            },
        }),
        wit::Node::AllOf(count) => shape::Node::AllOf(count),
        wit::Node::AnyOf(count) => shape::Node::AnyOf(count),
        wit::Node::Negate => shape::Node::Negate,
    }
}

fn path(raw: wit::FieldPath) -> shape::FieldPath {
    shape::FieldPath { via: raw.via, field: raw.field }
}

fn lookup(raw: wit::Lookup) -> shape::Lookup {
    match raw {
        wit::Lookup::Exact => shape::Lookup::Exact,
        wit::Lookup::Iexact => shape::Lookup::Iexact,
        wit::Lookup::Contains => shape::Lookup::Contains,
        wit::Lookup::Icontains => shape::Lookup::Icontains,
        wit::Lookup::Startswith => shape::Lookup::Startswith,
        wit::Lookup::Istartswith => shape::Lookup::Istartswith,
        wit::Lookup::Endswith => shape::Lookup::Endswith,
        wit::Lookup::Iendswith => shape::Lookup::Iendswith,
        wit::Lookup::Gt => shape::Lookup::Gt,
        wit::Lookup::Gte => shape::Lookup::Gte,
        wit::Lookup::Lt => shape::Lookup::Lt,
        wit::Lookup::Lte => shape::Lookup::Lte,
        wit::Lookup::In => shape::Lookup::In,
        wit::Lookup::Isnull => shape::Lookup::Isnull,
        wit::Lookup::Range => shape::Lookup::Range,
        wit::Lookup::Regex => shape::Lookup::Regex,
        wit::Lookup::Iregex => shape::Lookup::Iregex,
        wit::Lookup::Year => shape::Lookup::Year,
        wit::Lookup::Month => shape::Lookup::Month,
        wit::Lookup::Day => shape::Lookup::Day,
        wit::Lookup::WeekDay => shape::Lookup::WeekDay,
        wit::Lookup::Hour => shape::Lookup::Hour,
        wit::Lookup::Minute => shape::Lookup::Minute,
        wit::Lookup::Second => shape::Lookup::Second,
    }
}
