//! Aggregates over all rows of a select: over its tables where it is plain, else over the select itself.

use sea_query::{Alias, Expr, Query};

use super::body::{Body, Needs, body, column_name};
use super::path::Scope;
use super::term::Term;
use super::tree::{Tree, parse_value};
use super::value::value;
use crate::QueryError;
use crate::dialect::Words;
use crate::shape::{Node, Select, Summary};

/// Most values of one summary.
const MAX_VALUES: usize = 64;

pub(super) fn summary(scope: &mut Scope<'_>, words: &dyn Words, shape: &Summary) -> Result<Body, QueryError> {
    if shape.values.is_empty() {
        return Err(QueryError::bad("a summary has no values: name an aggregate, as the count of rows"));
    }
    if shape.values.len() > MAX_VALUES {
        return Err(QueryError::TooLarge(format!(
            "a summary has {} values, at most {MAX_VALUES} are allowed",
            shape.values.len()
        )));
    }
    let mut trees = Vec::with_capacity(shape.values.len());
    for nodes in &shape.values {
        let tree = parse_value(nodes)?;
        check(&tree)?;
        trees.push(tree);
    }
    if is_plain(&shape.of) {
        let over = Select {
            fields: shape.values.clone(),
            computed: Vec::new(),
            related: Vec::new(),
            order: Vec::new(),
            group: Some(Vec::new()),
            ..shape.of.clone()
        };
        return body(scope, words, &over, Needs::Rows, &[]);
    }
    derived(scope, words, shape, trees)
}

/// Every field must stand within an aggregate, and none of these within a window.
fn check(tree: &Tree<'_>) -> Result<(), QueryError> {
    if let Tree::Aggregate { .. } = tree {
        return Ok(());
    }
    if let Some(path) = tree.fields().next() {
        return Err(QueryError::bad(format!(
            "{} stands in a summary outside of an aggregate: take its sum, least, greatest, …",
            path.label()
        )));
    }
    if let Tree::Window { .. } = tree {
        return Err(QueryError::bad("a summary is one row: a window function has nothing to look at"));
    }
    tree.parts().into_iter().try_for_each(check)
}

fn is_plain(select: &Select) -> bool {
    let Select { limit, offset, distinct, distinct_on, group, combine, fields, computed, .. } = select;
    limit.is_none()
        && offset.is_none()
        && !distinct
        && distinct_on.is_empty()
        && group.is_none()
        && combine.is_empty()
        && !fields.iter().chain(computed).chain([&select.filter]).any(|nodes| aggregates(nodes))
}

fn aggregates(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| matches!(node, Node::Aggregate(_)))
}

fn derived(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &Summary,
    mut trees: Vec<Tree<'_>>,
) -> Result<Body, QueryError> {
    let mut arguments = Vec::new();
    for tree in &mut trees {
        take_arguments(tree, &mut arguments);
    }
    let of = &shape.of;
    // Where equal rows are one, only what the rows consist of can be aggregated: more columns would make them unequal.
    let fixed = !of.combine.is_empty() || (of.distinct && !of.fields.is_empty());
    let mut inner = if fixed {
        body(scope, words, of, Needs::Columns, &[])?
    } else {
        let extra: Vec<&Tree<'_>> = arguments.iter().collect();
        body(scope, words, of, Needs::Keys, &extra)?
    };
    let alias = scope.alias();
    let columns: Vec<Term> = inner
        .terms
        .iter()
        .enumerate()
        .map(|(at, term)| {
            let expr = Expr::col((Alias::new(alias.as_str()), Alias::new(column_name(at))));
            Term::of(expr, term.kind.clone(), term.nullable, term.label.clone())
        })
        .collect();
    let mut ready = Vec::with_capacity(arguments.len());
    let first = columns.len().saturating_sub(if fixed { 0 } else { arguments.len() });
    for (number, argument) in arguments.iter().enumerate() {
        let at = if fixed { place(argument, &inner.nodes) } else { Some(first + number) };
        let Some(term) = at.and_then(|at| columns.get(at)) else {
            return Err(QueryError::bad(
                "over distinct or combined rows only the values that they consist of can be aggregated: name it in `fields`",
            ));
        };
        ready.push(term.clone());
    }
    let mut ready = ready.into_iter();
    let mut statement = Query::select();
    let mut terms = Vec::with_capacity(trees.len());
    for tree in &mut trees {
        put_arguments(tree, &mut ready);
        let term = value(scope, words, tree, None)?;
        statement.expr(term.expr.clone());
        terms.push(term);
    }
    statement.from_subquery(std::mem::take(&mut inner.statement), Alias::new(alias.as_str()));
    let columns = vec![covet_db::Group::flat(terms.iter().map(|term| term.kind.storage()).collect())];
    Ok(Body { statement, columns, terms, limit: None, offset: None, derived: true, order: None, key: None, ..inner })
}

/// Where a field stands among those of a query.
fn place(argument: &Tree<'_>, nodes: &[Vec<Node>]) -> Option<usize> {
    let Tree::Field(path) = argument else {
        return None;
    };
    nodes.iter().position(|nodes| matches!(nodes.as_slice(), [Node::Field(field)] if field == *path))
}

/// Takes out what aggregates are taken over, from the first to the last.
fn take_arguments<'s>(tree: &mut Tree<'s>, to: &mut Vec<Tree<'s>>) {
    if let Tree::Aggregate { value, filter, .. } = tree {
        for part in value.iter_mut().chain(filter) {
            to.push(std::mem::replace(part.as_mut(), Tree::All(Vec::new())));
        }
        return;
    }
    tree.parts_mut().into_iter().for_each(|part| take_arguments(part, to));
}

/// Puts the columns in their places.
fn put_arguments(tree: &mut Tree<'_>, from: &mut impl Iterator<Item = Term>) {
    if let Tree::Aggregate { value, filter, .. } = tree {
        for part in value.iter_mut().chain(filter) {
            if let Some(term) = from.next() {
                **part = Tree::Ready(Box::new(term));
            }
        }
        return;
    }
    tree.parts_mut().into_iter().for_each(|part| put_arguments(part, from));
}
