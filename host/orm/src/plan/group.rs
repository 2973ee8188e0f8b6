//! GROUP BY, and what may stand in a grouped query.

use sea_query::{Expr, SelectStatement};

use super::body::Projected;
use super::path::Scope;
use super::tree::{Tree, parse, parse_value};
use super::value::value;
use crate::QueryError;
use crate::dialect::Words;
use crate::shape::{FieldPath, Node, Select};

/// Most values that rows are grouped by.
const MAX_GROUP: usize = 64;

/// How rows are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouped {
    /// A group for each row of the root, with what is joined to it.
    ByRow,
    /// A group for each combination of the values that the shape names.
    ByValues,
}

/// Adds GROUP BY where values are named; that by rows comes when all joins are known.
pub(super) fn group_by(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    statement: &mut SelectStatement,
    shape: &Select,
    projected: &Projected,
    having: bool,
) -> Result<Option<Grouped>, QueryError> {
    let mut aggregates = projected.aggregates || having;
    for order in &shape.order {
        aggregates |= parse_value(&order.by)?.aggregates();
    }
    let Some(group) = &shape.group else {
        return Ok(aggregates.then_some(Grouped::ByRow));
    };
    if group.len() > MAX_GROUP {
        return Err(QueryError::TooLarge(format!(
            "{} values are grouped by, at most {MAX_GROUP} are allowed",
            group.len()
        )));
    }
    if shape.fields.is_empty() && shape.computed.is_empty() && !group.is_empty() {
        return Err(QueryError::bad("a group has no fields of its own: name in `fields` what it is to yield"));
    }
    for nodes in shape.fields.iter().chain(&shape.computed).chain(shape.order.iter().map(|order| &order.by)) {
        check(&parse_value(nodes)?, nodes, group)?;
    }
    if let Some(tree) = parse(&shape.filter)? {
        check_having(&tree, group)?;
    }
    for nodes in group {
        let tree = parse_value(nodes)?;
        if tree.aggregates() || tree.has_window() {
            return Err(QueryError::bad("rows can't be grouped by an aggregate or a window function"));
        }
        let at = projected.nodes.iter().position(|known| known == nodes);
        let expr = match at {
            Some(at) if has_param(nodes) => position(at),
            _ => value(scope, words, &tree, None)?.expr,
        };
        statement.add_group_by([expr]);
    }
    // All rows as one group need no GROUP BY, only an aggregate; one that is there anyway.
    if group.is_empty() && !aggregates {
        return Err(QueryError::bad("all rows are one group: name an aggregate, as the count of rows"));
    }
    Ok(Some(Grouped::ByValues))
}

/// A column of the answer by its place: with parameters in it, a repetition of its text would be another value.
pub(super) fn position(at: usize) -> Expr {
    Expr::cust((at + 1).to_string())
}

pub(super) fn has_param(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| !matches!(node, Node::Field(_)))
}

/// In a group only what it is grouped by has one value; all else must be aggregated.
fn check(tree: &Tree<'_>, nodes: &[Node], group: &[Vec<Node>]) -> Result<(), QueryError> {
    if matches!(tree, Tree::Aggregate { .. }) || group.iter().any(|one| one == nodes) {
        return Ok(());
    }
    let grouped = |path: &FieldPath| group.iter().any(|one| matches!(one.as_slice(), [Node::Field(of)] if of == path));
    if let Some(path) = tree.fields().find(|path| !grouped(path)) {
        return Err(QueryError::bad(format!(
            "{} is neither grouped by nor within an aggregate: group by it, or take its least or greatest",
            path.label()
        )));
    }
    tree.parts().into_iter().try_for_each(|part| check(part, &[], group))
}

fn check_having(tree: &Tree<'_>, group: &[Vec<Node>]) -> Result<(), QueryError> {
    match tree {
        Tree::All(parts) => parts.iter().try_for_each(|part| check_having(part, group)),
        part if part.aggregates() => check(part, &[], group),
        // Of rows, before they are grouped.
        _ => Ok(()),
    }
}
