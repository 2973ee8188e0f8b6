//! ORDER BY: the query's order, else the model's, and what makes pages dependable.

use sea_query::SelectStatement;

use super::path::Scope;
use super::proof::{Fact, by_order};
use crate::QueryError;
use crate::catalog::{KeyColumn, MAX_INDEX_COLUMNS};
use crate::dialect::Words;
use crate::schema::{Field, IndexColumn};
use crate::shape::{FieldPath, Order, Select};

/// Most orders of a query.
const MAX_ORDERS: usize = 2 * MAX_INDEX_COLUMNS;

/// Adds ORDER BY. Answers with the order as columns of the root, or none when it lies elsewhere too.
pub(super) fn order_by(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    words: &dyn Words,
    shape: &Select,
    facts: &[Fact],
) -> Result<Option<Vec<KeyColumn>>, QueryError> {
    check(scope, &shape.order)?;
    let orders = effective(scope, shape, facts);
    let mut own = Some(Vec::with_capacity(orders.len()));
    for order in &orders {
        let column = scope.column(&order.by)?;
        match (column.own, own.as_mut()) {
            (Some(field), Some(own)) => own.push(KeyColumn { field, descending: order.descending }),
            _ => own = None,
        }
        let direction = if order.descending { sea_query::Order::Desc } else { sea_query::Order::Asc };
        match words.nulls(order.descending).filter(|_| column.nullable) {
            Some(nulls) => statement.order_by_expr_with_nulls(column.expr, direction, nulls),
            None => statement.order_by_expr(column.expr, direction),
        };
    }
    Ok(own)
}

/// Checks the orders that a query names, also where one row makes them needless.
pub(super) fn check(scope: &Scope<'_>, orders: &[Order]) -> Result<(), QueryError> {
    if orders.len() > MAX_ORDERS {
        return Err(QueryError::TooLarge(format!(
            "{} orders are named, at most {MAX_ORDERS} are allowed",
            orders.len()
        )));
    }
    let mut aside = scope.aside();
    orders.iter().try_for_each(|order| aside.column(&order.by).map(|_| ()))
}

/// The order that counts: the query's, else the model's, else by primary key where rows must have some order.
fn effective(scope: &Scope<'_>, shape: &Select, facts: &[Fact]) -> Vec<Order> {
    let of = |column: &IndexColumn| Order { by: FieldPath::of(&column.field), descending: column.descending };
    let mut orders: Vec<Order> =
        if shape.order.is_empty() { scope.root.model.ordering.iter().map(of).collect() } else { shape.order.clone() };
    let paged = shape.limit.is_some() || shape.offset.is_some();
    // DISTINCT over named fields has no key left to order by.
    let keyed = !shape.distinct || shape.fields.is_empty();
    if let Some(key) = scope.root.primary_key().filter(|_| keyed) {
        let by_key = |descending| Order { by: FieldPath::of(&key.name), descending };
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
        for one in &mut orders {
            one.descending = !one.descending;
        }
    }
    orders
}

fn walks_an_index(scope: &Scope<'_>, orders: &[Order], facts: &[Fact]) -> bool {
    let columns: Option<Vec<KeyColumn>> = orders
        .iter()
        .map(|order| {
            let field = scope.root.field_index(&order.by.field).filter(|_| order.by.via.is_empty())?;
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
    !order.by.via.is_empty()
        || scope
            .root
            .field_index(&order.by.field)
            .and_then(|index| scope.root.field(index))
            .is_none_or(|field| !unique(field))
}
