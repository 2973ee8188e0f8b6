//! Conditions that stand in a table's definition, of a check or of a partial index: planned as any filter is, with the values
//! at hand from the start.

use covet_db::Value;
use sea_query::{Expr, Query};

use super::filter::{Filtered, filter};
use super::path::Scope;
use super::query;
use crate::schema::{Condition, Kind};
use crate::shape::{Lookup, Node};
use crate::{Catalog, Dialect, QueryError};

/// A condition as SQL text with placeholders, and what stands in their place, in their order.
///
/// # Errors
/// `BadQuery` when it doesn't fit the model, reaches into another one, or has no nodes; `Invalid` for its values.
pub(crate) fn template(
    catalog: &Catalog,
    dialect: Dialect,
    model: usize,
    condition: &Condition,
) -> Result<(String, Vec<(Kind, Value)>), QueryError> {
    const FRAME: &str = "SELECT 1 WHERE ";
    let words = dialect.words();
    let table = catalog.entry(model).map(|entry| entry.model.table.as_str()).unwrap_or_default();
    let mut scope = Scope::new(catalog, model, table)?;
    let Filtered { condition: built, .. } = filter(&mut scope, words, &condition.filter)?;
    let Some(built) = built else {
        return Err(QueryError::bad("a condition without nodes holds for every row: drop it"));
    };
    if let Some(lookup) = condition.filter.iter().find_map(outside) {
        return Err(QueryError::bad(format!(
            "lookup {} is Covet's own function on some databases, which a table's definition can't rest on",
            lookup.label()
        )));
    }
    if scope.has_joins() {
        return Err(QueryError::bad("a condition of a table speaks of its own fields, not through relations"));
    }
    let params = scope.count_params()?;
    let mut statement = Query::select();
    statement.expr(Expr::cust("1")).and_where(built);
    let text = query::text(&mut scope, dialect, words.select(&statement));
    let values = text.slots.bind(&condition.params, params)?;
    if let Some(value) = values.iter().find(|value| !is_plain(value)) {
        return Err(QueryError::bad(format!("{value:?} can't stand in a table's definition")));
    }
    let sql = text.sql.strip_prefix(FRAME).unwrap_or(&text.sql);
    // Within its own definition a table's columns go by their names alone.
    let sql = sql.replace(&format!("\"{table}\"."), "").replace(&format!("`{table}`."), "");
    Ok((sql, text.slots.kinds().cloned().zip(values).collect()))
}

/// A lookup that not every database has words of its own for.
fn outside(node: &Node) -> Option<Lookup> {
    match node {
        Node::Compare(comparison) => Some(comparison.lookup).filter(|lookup| {
            matches!(
                lookup,
                Lookup::Regex
                    | Lookup::Iregex
                    | Lookup::Iexact
                    | Lookup::Icontains
                    | Lookup::Istartswith
                    | Lookup::Iendswith
            )
        }),
        _ => None,
    }
}

/// Whether a value can be written as a literal: an empty list can't, and SQL text has no NUL.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.contains('\0'),
        Value::List(items) => !items.is_empty() && items.iter().all(is_plain),
        _ => true,
    }
}
