//! A select with the rows that belong to its rows, level by level: each level is a select of its own, planned as any other, with
//! one condition more: that it belongs to one of the rows found before. How they run and become one answer stands in
//! [`crate::program`].
//!
//! By way of a table between, the level selects from that table and relates the model behind it, so that each row brings along
//! whom it belongs to.

use std::collections::BTreeSet;

use super::{Ground, Made, Plan, Step, select};
use crate::QueryError;
use crate::catalog::{Catalog, Entry};
use crate::shape::{Comparison, FieldPath, Lookup, Node, Operand, Order, Prefetch, Select};

/// Most levels of one select.
pub const MAX_LEVELS: usize = 16;

/// A select and its levels, ready to run.
#[derive(Debug)]
pub(crate) struct Tree {
    pub root: Plan,
    /// Position of the key within a row of the root.
    pub key: usize,
    pub levels: Vec<Level>,
}

/// Rows that belong to those of another level.
#[derive(Debug)]
pub(crate) struct Level {
    pub parent: Option<usize>,
    /// The model, for messages.
    pub model: String,
    pub plan: Plan,
    /// Parameters of a call that are this level's own.
    pub params: u32,
    /// Which of these says how many rows at most belong to one row.
    pub limit: Option<usize>,
    /// Position, within a row of the answer, of the key of the row that it belongs to.
    pub owner: usize,
    /// Position of the array that holds the model's own values; none where they are the row's own.
    pub within: Option<usize>,
    /// Position of the key among the model's own values.
    pub key: usize,
}

pub(super) fn tree(ground: Ground<'_>, shape: &Select) -> Result<Made, QueryError> {
    let Ground { catalog, root, .. } = ground;
    if shape.prefetch.len() > MAX_LEVELS {
        return Err(QueryError::TooLarge(format!(
            "{} levels are to be prefetched, at most {MAX_LEVELS} are allowed: ask in two queries",
            shape.prefetch.len()
        )));
    }
    let whole =
        shape.fields.is_empty() && shape.computed.is_empty() && shape.group.is_none() && shape.combine.is_empty();
    if !whole {
        return Err(QueryError::bad("named fields are no rows that others could belong to: drop them, or `prefetch`"));
    }
    let made = select::select(ground, &Select { prefetch: Vec::new(), ..shape.clone() })?;
    let (params, mut reads) = (made.params, made.reads.clone());
    let mut models = Vec::with_capacity(shape.prefetch.len());
    let mut levels = Vec::with_capacity(shape.prefetch.len());
    for (at, prefetch) in shape.prefetch.iter().enumerate() {
        let parent = match prefetch.parent {
            None => None,
            Some(parent) if (parent as usize) < at => Some(parent as usize),
            Some(parent) => {
                return Err(QueryError::bad(format!(
                    "level {at} belongs to level {parent}, which is not before it: send parents first"
                )));
            }
        };
        let of = parent.map_or(Some(root), |parent| models.get(parent).copied());
        let owner = of.and_then(|of| catalog.entry(of)).ok_or_else(|| QueryError::bad("a level left the query"))?;
        let (model, level) = level(ground, owner, prefetch, parent, &mut reads)?;
        models.push(model);
        levels.push(level);
    }
    let key = catalog.entry(root).map(|entry| entry.primary_key).unwrap_or_default();
    let tree = Tree { root: made.into_plan(catalog), key, levels };
    // The parameters of the levels follow those of the select, an array each.
    let params = params + tree.levels.len() as u32;
    Ok(Made { step: Step::Prefetch(Box::new(tree)), params, reads, writes: BTreeSet::new() })
}

/// Plans one level; with its model.
fn level(
    ground: Ground<'_>,
    owner: &Entry,
    prefetch: &Prefetch,
    parent: Option<usize>,
    reads: &mut BTreeSet<usize>,
) -> Result<(usize, Level), QueryError> {
    let catalog = ground.catalog;
    let relation = Relation::find(catalog, owner, &prefetch.relation)?;
    let from = catalog.entry(relation.from).ok_or_else(|| QueryError::bad("a relation left the catalog"))?;
    let by = from.field(relation.by).map(|field| field.name.clone()).unwrap_or_default();
    let onward = relation.onward.and_then(|field| from.field(field)).map(|field| field.name.clone());
    let model = relation.onward.and_then(|field| from.relations.get(field).copied().flatten()).unwrap_or(relation.from);
    let entry = catalog.entry(model).ok_or_else(|| QueryError::bad("a relation left the catalog"))?;

    let mut filter: Vec<Node> = prefetch.filter.iter().map(|node| behind(node, onward.as_ref())).collect();
    // Its parameters are dense, so that the count of them is the number of the next.
    let own = params(filter.iter().chain(prefetch.order.iter().flat_map(|order| &order.by)), prefetch.limit)?;
    let list = own - u32::from(prefetch.limit.is_some());
    let belongs = Comparison { left: FieldPath::of(by), lookup: Lookup::In, right: Operand::Param(list) };
    filter.push(Node::Compare(belongs));
    if !prefetch.filter.is_empty() {
        filter.push(Node::AllOf(2));
    }
    // The table between has an order of its own, which is not the model's.
    let own_order =
        || entry.model.ordering.iter().map(|column| Order::of(FieldPath::of(&column.field), column.descending));
    let order: Vec<Order> = if prefetch.order.is_empty() { own_order().collect() } else { prefetch.order.clone() };
    let keyed = Order::of(
        FieldPath::of(entry.primary_key().map(|key| key.name.as_str()).unwrap_or_default()),
        order.last().is_some_and(|last| last.descending),
    );
    // Ties in an order that rows are cut in by must fall the same way each time.
    let order = order
        .into_iter()
        .chain([keyed])
        .map(|order| Order { by: order.by.iter().map(|node| behind(node, onward.as_ref())).collect(), ..order });
    let mut related: Vec<Vec<String>> = onward.iter().map(|step| vec![step.clone()]).collect();
    related.extend(prefetch.related.iter().map(|path| onward.iter().chain(path).cloned().collect()));
    let shape = Select { filter, order: order.collect(), reverse: prefetch.reverse, related, ..Select::default() };
    // Queries of the shape stand in the select itself only.
    let made = select::select(Ground { root: relation.from, queries: &[], ..ground }, &shape)?;
    reads.extend(&made.reads);
    let level = Level {
        parent,
        model: entry.model.name.clone(),
        plan: made.into_plan(catalog),
        params: own,
        limit: prefetch.limit.map(|param| param as usize),
        owner: relation.by,
        within: onward.is_some().then_some(from.model.fields.len()),
        key: entry.primary_key,
    };
    Ok((model, level))
}

/// From a model to the rows that belong to it.
struct Relation {
    /// The model whose field points back.
    from: usize,
    by: usize,
    /// Its other relation, where it is a table between.
    onward: Option<usize>,
}

impl Relation {
    fn find(catalog: &Catalog, owner: &Entry, steps: &[String]) -> Result<Relation, QueryError> {
        let (first, onward) = match steps {
            [first] => (first, None),
            [first, onward] => (first, Some(onward)),
            _ => {
                return Err(QueryError::bad(
                    "a prefetched relation has one step, [\"Post.author\"], or two, [\"PostTag.post\", \"tag\"]",
                ));
            }
        };
        let split = first.split_once('.');
        let Some((model, field)) = split else {
            return Err(QueryError::bad(format!(
                "{:?} leads to one row: fetch it with `related`; rows that point here are named \"Model.field\"",
                first.chars().take(80).collect::<String>()
            )));
        };
        let (from, by) = super::reverse::pointing(catalog, owner, model, field)?;
        let between = catalog.entry(from).ok_or_else(|| QueryError::bad("a relation left the catalog"))?;
        let onward = match onward {
            None => None,
            Some(name) => {
                let field = super::path::find(between, name)?;
                if between.relations.get(field).copied().flatten().is_none() {
                    return Err(QueryError::bad(format!("{}.{name} is no relation of the model", between.model.name)));
                }
                Some(field)
            }
        };
        Ok(Relation { from, by, onward })
    }
}

/// How many parameters a level's filter, order and limit have; they must be numbered from 0 without a gap, the limit last.
fn params<'n>(nodes: impl Iterator<Item = &'n Node>, limit: Option<u32>) -> Result<u32, QueryError> {
    let used: BTreeSet<u32> = nodes
        .filter_map(|node| match node {
            Node::Compare(Comparison { right: Operand::Param(param), .. }) => Some(*param),
            Node::Param(parameter) => Some(parameter.index),
            _ => None,
        })
        .collect();
    let count = used.len() as u32;
    let dense = used.last().is_none_or(|last| last + 1 == count);
    match limit {
        _ if !dense => Err(QueryError::bad("the parameters of a prefetched level are numbered from 0 without a gap")),
        Some(limit) if limit != count => {
            Err(QueryError::bad(format!("the limit of a prefetched level is its last parameter, {count}")))
        }
        limit => Ok(count + u32::from(limit.is_some())),
    }
}

/// A node as it reads from the table between.
fn behind(node: &Node, onward: Option<&String>) -> Node {
    match node {
        Node::Compare(comparison) => Node::Compare(Comparison {
            left: path(&comparison.left, onward),
            lookup: comparison.lookup,
            right: match &comparison.right {
                Operand::Param(param) => Operand::Param(*param),
                Operand::Field(field) => Operand::Field(path(field, onward)),
            },
        }),
        Node::Field(field) => Node::Field(path(field, onward)),
        other => other.clone(),
    }
}

fn path(path: &FieldPath, onward: Option<&String>) -> FieldPath {
    FieldPath { via: onward.into_iter().chain(&path.via).cloned().collect(), field: path.field.clone() }
}
