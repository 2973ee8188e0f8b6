//! ORDER BY: the query's order, else the model's, and what makes pages dependable.

use sea_query::{Expr, NullOrdering, SelectStatement};

use super::group::{has_param, position};
use super::path::Scope;
use super::proof::{Fact, by_order};
use super::term::Term;
use super::tree::parse_value;
use super::value::{ordered, value};
use crate::QueryError;
use crate::catalog::{KeyColumn, MAX_INDEX_COLUMNS};
use crate::dialect::Words;
use crate::schema::{Field, IndexColumn};
use crate::shape::{FieldPath, Node, Nulls, Order, Select};

/// Most orders of a query.
const MAX_ORDERS: usize = 2 * MAX_INDEX_COLUMNS;

/// What is ordered.
pub(super) struct Rows {
    /// The primary key may decide between rows that tie.
    pub keyed: bool,
    /// Groups of named values: the model's own ordering does not concern them.
    pub named: bool,
}

/// Adds ORDER BY. `projected`: the columns of the answer. Answers with the order as columns of the root, or none when it
/// lies elsewhere too.
pub(super) fn order_by(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    statement: &mut SelectStatement,
    shape: &Select,
    facts: &[Fact],
    projected: &[Vec<Node>],
    rows: Rows,
) -> Result<Option<Vec<KeyColumn>>, QueryError> {
    count(&shape.order)?;
    let orders = effective(scope, shape, facts, &rows);
    let mut own = Some(Vec::with_capacity(orders.len()));
    for order in &orders {
        let term = by(scope, words, &order.by)?;
        match (term.own, own.as_mut(), order.nulls) {
            (Some(field), Some(own), None) => own.push(KeyColumn { field, descending: order.descending }),
            _ => own = None,
        }
        let at = projected.iter().position(|nodes| *nodes == order.by);
        let expr = match at {
            Some(at) if has_param(&order.by) => position(at),
            _ => term.expr,
        };
        add(statement, words, expr, order, term.nullable);
    }
    Ok(own)
}

/// Adds one order.
pub(super) fn add(statement: &mut SelectStatement, words: &dyn Words, expr: Expr, order: &Order, nullable: bool) {
    let direction = if order.descending { sea_query::Order::Desc } else { sea_query::Order::Asc };
    let nulls = match order.nulls {
        None => words.nulls(order.descending),
        Some(Nulls::First) => Some(NullOrdering::First),
        Some(Nulls::Last) => Some(NullOrdering::Last),
    };
    match nulls.filter(|_| nullable) {
        Some(nulls) => statement.order_by_expr_with_nulls(expr, direction, nulls),
        None => statement.order_by_expr(expr, direction),
    };
}

/// The order that counts as values, each with whether it is descending.
pub(super) fn values(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &Select,
    facts: &[Fact],
) -> Result<Vec<(Expr, bool)>, QueryError> {
    count(&shape.order)?;
    let orders = effective(scope, shape, facts, &Rows { keyed: true, named: false });
    orders.iter().map(|order| Ok((by(scope, words, &order.by)?.expr, order.descending))).collect()
}

fn by(scope: &mut Scope<'_>, words: &dyn Words, nodes: &[Node]) -> Result<Term, QueryError> {
    let term = value(scope, words, &parse_value(nodes)?, None)?;
    if term.kind == crate::schema::Kind::Json && !term.stored {
        ordered(&term.kind, "an order")?;
    }
    Ok(term)
}

fn count(orders: &[Order]) -> Result<(), QueryError> {
    if orders.len() > MAX_ORDERS {
        return Err(QueryError::TooLarge(format!(
            "{} orders are named, at most {MAX_ORDERS} are allowed",
            orders.len()
        )));
    }
    Ok(())
}

/// Checks the orders that a query names where they fall away, because one row is in order anyway.
pub(super) fn check(scope: &mut Scope<'_>, words: &dyn Words, orders: &[Order]) -> Result<(), QueryError> {
    count(orders)?;
    if orders.is_empty() {
        return Ok(());
    }
    let mut aside = scope.aside();
    for order in orders {
        by(&mut aside, words, &order.by)?;
    }
    scope.merge(aside);
    Ok(())
}

/// The order that counts: the query's, else the model's, else by primary key where rows must have some order.
fn effective(scope: &Scope<'_>, shape: &Select, facts: &[Fact], rows: &Rows) -> Vec<Order> {
    let of = |column: &IndexColumn| Order::of(FieldPath::of(&column.field), column.descending);
    let mut orders: Vec<Order> = if shape.order.is_empty() && !rows.named {
        scope.root.model.ordering.iter().map(of).collect()
    } else {
        shape.order.clone()
    };
    let paged = shape.limit.is_some() || shape.offset.is_some();
    if let Some(key) = scope.root.primary_key().filter(|_| rows.keyed) {
        let by_key = |descending| Order::of(FieldPath::of(&key.name), descending);
        if orders.is_empty() && (paged || shape.reverse) {
            orders.push(by_key(false));
        } else if paged
            && scope.root.has_integer_key()
            && !orders.is_empty()
            && orders.iter().all(|one| is_tied(scope, one))
        {
            // Pages must neither repeat nor miss rows that tie. An index ends with an integer key anyway, so this costs
            // nothing in the direction in which an index that serves the order is walked.
            let last = orders.last().is_some_and(|last| last.descending);
            orders.push(by_key(last));
            if !walks_an_index(scope, &orders, facts) {
                orders.pop();
                orders.push(by_key(!last));
                if !walks_an_index(scope, &orders, facts) {
                    orders.pop();
                    orders.push(by_key(last));
                }
            }
        }
    }
    if shape.reverse {
        orders.iter_mut().for_each(reverse);
    }
    orders
}

/// The other way round, nulls too.
pub(super) fn reverse(order: &mut Order) {
    order.descending = !order.descending;
    order.nulls = order.nulls.map(|nulls| match nulls {
        Nulls::First => Nulls::Last,
        Nulls::Last => Nulls::First,
    });
}

fn walks_an_index(scope: &Scope<'_>, orders: &[Order], facts: &[Fact]) -> bool {
    let columns: Option<Vec<KeyColumn>> = orders
        .iter()
        .map(|order| {
            let path = order.field().filter(|path| path.via.is_empty() && order.nulls.is_none())?;
            let field = scope.root.field_index(&path.field)?;
            Some(KeyColumn { field, descending: order.descending })
        })
        .collect();
    // What else is filtered makes the walk longer, but does not turn it.
    let equal: Vec<Fact> = facts.iter().filter(|fact| matches!(fact, Fact::Equal { .. })).copied().collect();
    columns.is_some_and(|columns| by_order(scope.root, &equal, &columns))
}

/// False for a field of the root that is its own tie-breaker.
fn is_tied(scope: &Scope<'_>, order: &Order) -> bool {
    let unique = |field: &Field| field.primary_key || (field.unique && !field.nullable);
    order
        .field()
        .filter(|path| path.via.is_empty())
        .and_then(|path| scope.root.field_index(&path.field))
        .and_then(|index| scope.root.field(index))
        .is_none_or(|field| !unique(field))
}
