//! Query shapes, from WIT's types to those of `covet-orm`: the same trees under other names.

mod functions;

use covet_orm::shape;

use crate::bindings::covet::orm::query as wit;

pub(super) fn shape(raw: wit::Shape) -> shape::Shape {
    shape::Shape {
        model: raw.model,
        operation: operation(raw.operation),
        queries: raw
            .queries
            .into_iter()
            .map(|query| shape::InnerQuery { model: query.model, select: select(query.select) })
            .collect(),
    }
}

fn operation(raw: wit::Operation) -> shape::Operation {
    match raw {
        wit::Operation::Select(raw) => shape::Operation::Select(select(raw)),
        wit::Operation::Summary(raw) => {
            shape::Operation::Summary(shape::Summary { of: select(raw.of), values: values(raw.values) })
        }
        wit::Operation::Count(raw) => shape::Operation::Count(nodes(raw)),
        wit::Operation::Exists(raw) => shape::Operation::Exists(nodes(raw)),
        wit::Operation::Insert(raw) => shape::Operation::Insert(insert(raw)),
        wit::Operation::Update(raw) => shape::Operation::Update(shape::Update {
            filter: nodes(raw.filter),
            assignments: raw
                .assignments
                .into_iter()
                .map(|assignment| shape::Assignment { field: assignment.field, value: nodes(assignment.value) })
                .collect(),
        }),
        wit::Operation::Delete(raw) => shape::Operation::Delete(nodes(raw)),
        wit::Operation::GetOrCreate(raw) => {
            shape::Operation::GetOrCreate(shape::GetOrCreate { filter: nodes(raw.filter), create: insert(raw.create) })
        }
    }
}

fn prefetch(raw: wit::Prefetch) -> shape::Prefetch {
    shape::Prefetch {
        parent: raw.parent,
        relation: raw.relation,
        filter: nodes(raw.filter),
        order: orders(raw.order),
        reverse: raw.reverse,
        limit: raw.limit,
        related: raw.related,
    }
}

fn orders(raw: Vec<wit::Order>) -> Vec<shape::Order> {
    let order = |raw: wit::Order| shape::Order {
        by: nodes(raw.by),
        descending: raw.descending,
        nulls: raw.nulls.map(|nulls| match nulls {
            wit::Nulls::First => shape::Nulls::First,
            wit::Nulls::Last => shape::Nulls::Last,
        }),
    };
    raw.into_iter().map(order).collect()
}

fn select(raw: wit::Select) -> shape::Select {
    shape::Select {
        filter: nodes(raw.filter),
        order: orders(raw.order),
        reverse: raw.reverse,
        limit: raw.limit,
        offset: raw.offset,
        related: raw.related,
        fields: values(raw.fields),
        computed: values(raw.computed),
        group: raw.group.map(values),
        distinct: raw.distinct,
        distinct_on: values(raw.distinct_on),
        combine: raw
            .combine
            .into_iter()
            .map(|one| shape::Combination { combining: combining(one.combining), query: one.query })
            .collect(),
        prefetch: raw.prefetch.into_iter().map(prefetch).collect(),
    }
}

fn combining(raw: wit::Combining) -> shape::Combining {
    match raw {
        wit::Combining::Union => shape::Combining::Union,
        wit::Combining::UnionAll => shape::Combining::UnionAll,
        wit::Combining::Intersect => shape::Combining::Intersect,
        wit::Combining::IntersectAll => shape::Combining::IntersectAll,
        wit::Combining::Except => shape::Combining::Except,
        wit::Combining::ExceptAll => shape::Combining::ExceptAll,
    }
}

fn insert(raw: wit::Insert) -> shape::Insert {
    shape::Insert { fields: raw.fields, many: raw.many, ignore_conflicts: raw.ignore_conflicts }
}

pub(crate) fn nodes(raw: Vec<wit::Node>) -> Vec<shape::Node> {
    raw.into_iter().map(node).collect()
}

fn values(raw: Vec<Vec<wit::Node>>) -> Vec<Vec<shape::Node>> {
    raw.into_iter().map(nodes).collect()
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
        wit::Node::Test(raw) => shape::Node::Test(lookup(raw)),
        wit::Node::Exists(query) => shape::Node::Exists(query),
        wit::Node::Among(query) => shape::Node::Among(query),
        wit::Node::Field(raw) => shape::Node::Field(path(raw)),
        wit::Node::Outer(raw) => shape::Node::Outer(path(raw)),
        wit::Node::Param(raw) => {
            shape::Node::Param(shape::Parameter { index: raw.index, kind: raw.kind.map(functions::kind) })
        }
        wit::Node::Calculate(raw) => shape::Node::Calculate(functions::arithmetic(raw)),
        wit::Node::Call(raw) => {
            shape::Node::Call(shape::Call { function: functions::function(raw.function), arguments: raw.arguments })
        }
        wit::Node::Cast(raw) => shape::Node::Cast(functions::kind(raw)),
        wit::Node::Choose(raw) => {
            shape::Node::Choose(shape::Choice { branches: raw.branches, otherwise: raw.otherwise })
        }
        wit::Node::Aggregate(raw) => shape::Node::Aggregate(shape::Aggregate {
            function: functions::aggregation(raw.function),
            value: raw.value,
            distinct: raw.distinct,
            filtered: raw.filtered,
        }),
        wit::Node::Window(raw) => shape::Node::Window(shape::Window {
            function: match raw.function {
                wit::WindowFunction::Ranking(ranking) => shape::WindowFunction::Ranking(functions::ranking(ranking)),
                wit::WindowFunction::Aggregation(aggregation) => {
                    shape::WindowFunction::Aggregation(functions::aggregation(aggregation))
                }
            },
            arguments: raw.arguments,
            partition: raw.partition,
            order: raw.order.into_iter().map(|one| one == wit::Direction::Descending).collect(),
        }),
        wit::Node::Subquery(query) => shape::Node::Subquery(query),
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
