//! UNION, INTERSECT and EXCEPT: one after the other, each over a query of its own, so that the databases agree on which goes
//! first; ordered and cut as a whole.

use sea_query::{Alias, Expr, Query, SelectStatement, UnionType};

use super::body::{Body, Needs, body as plain_body, column_name, page};
use super::order;
use super::path::Scope;
use super::term::{Term, plain};
use crate::QueryError;
use crate::dialect::Words;
use crate::schema::Kind;
use crate::shape::{Combining, Node, Order, Select};

/// Most combinations of one select.
const MAX_COMBINED: usize = 8;

pub(super) fn body(scope: &mut Scope<'_>, words: &dyn Words, shape: &Select, needs: Needs) -> Result<Body, QueryError> {
    if shape.combine.len() > MAX_COMBINED {
        return Err(QueryError::TooLarge(format!(
            "{} queries are combined, at most {MAX_COMBINED} are allowed",
            shape.combine.len() + 1
        )));
    }
    if !shape.related.is_empty() {
        return Err(QueryError::bad("combined queries relate no models: name the fields that are needed"));
    }
    let first =
        Select { order: Vec::new(), reverse: false, limit: None, offset: None, combine: Vec::new(), ..shape.clone() };
    let part = plain_body(scope, words, &first, Needs::Columns, &[])?;
    let (columns, terms, nodes) = (part.columns, part.terms, part.nodes);
    let mut all = part.statement;
    for (at, combination) in shape.combine.iter().enumerate() {
        let query = scope.enter(combination.query, false)?;
        scope.descend()?;
        let part = plain_body(scope, words, &query.select, Needs::Columns, &[])?;
        scope.ascend();
        scope.leave();
        agree(&terms, &part.terms, combination.query)?;
        let cut = query.select.limit.is_some() || query.select.offset.is_some();
        let wrapped = cut || !query.select.combine.is_empty();
        let right = if wrapped { over(scope, part.statement, terms.len()) } else { part.statement };
        let left = if at > 0 { over(scope, all, terms.len()) } else { all };
        all = combined(scope, words, left, right, combination.combining, terms.len());
    }
    let alias = scope.alias();
    let mut statement = Query::select();
    for (at, column) in columns_of(&alias, terms.len()).enumerate() {
        if matches!(needs, Needs::Rows | Needs::First) {
            statement.expr(column);
        } else {
            statement.expr_as(column, Alias::new(column_name(at)));
        }
    }
    statement.from_subquery(all, Alias::new(alias.as_str()));
    for (at, order) in orders(shape, &nodes, &terms)? {
        if let (Some(column), Some(term)) = (columns_of(&alias, terms.len()).nth(at), terms.get(at)) {
            // What the other queries yield in its place may be null where this is not.
            order::add(&mut statement, words, column, &order, term.nullable || order.nulls.is_none());
        }
    }
    let (limit, offset) = page(scope, &mut statement, words, shape, needs);
    Ok(Body {
        statement,
        columns,
        terms,
        nodes,
        facts: Vec::new(),
        key: None,
        order: None,
        limit,
        offset,
        derived: true,
    })
}

fn columns_of(alias: &str, count: usize) -> impl Iterator<Item = Expr> {
    (0..count).map(move |at| Expr::col((Alias::new(alias), Alias::new(column_name(at)))))
}

/// Both must have the same columns.
fn agree(one: &[Term], other: &[Term], query: u32) -> Result<(), QueryError> {
    if one.len() != other.len() {
        return Err(QueryError::bad(format!(
            "query {query} yields {} values a row, the one it is combined with {}: name the same fields in both",
            other.len(),
            one.len()
        )));
    }
    match one.iter().zip(other).position(|(a, b)| plain(&a.kind) != plain(&b.kind)) {
        Some(at) => Err(QueryError::bad(format!(
            "value {at} of query {query} is of another kind than in the one it is combined with: cast one of them"
        ))),
        None => Ok(()),
    }
}

/// `SELECT c0, … FROM (…)`
fn over(scope: &mut Scope<'_>, inner: SelectStatement, count: usize) -> SelectStatement {
    let alias = scope.alias();
    let mut statement = Query::select();
    for (at, column) in columns_of(&alias, count).enumerate() {
        statement.expr_as(column, Alias::new(column_name(at)));
    }
    statement.from_subquery(inner, Alias::new(alias.as_str()));
    statement
}

fn combined(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    mut left: SelectStatement,
    right: SelectStatement,
    combining: Combining,
    count: usize,
) -> SelectStatement {
    let kind = match combining {
        Combining::Union => UnionType::Distinct,
        Combining::UnionAll => UnionType::All,
        Combining::Intersect => UnionType::Intersect,
        Combining::Except => UnionType::Except,
        Combining::IntersectAll | Combining::ExceptAll => {
            // SQLite has neither. Equal rows that are numbered are no longer equal, and the numbers of the one side are
            // those of the other as far as it has so many.
            let (mut left, right) = (numbered(scope, words, left, count), numbered(scope, words, right, count));
            let kind = if combining == Combining::IntersectAll { UnionType::Intersect } else { UnionType::Except };
            left.union(kind, right);
            return over(scope, left, count);
        }
    };
    left.union(kind, right);
    left
}

/// With the number of each row among those that equal it.
fn numbered(scope: &mut Scope<'_>, words: &dyn Words, inner: SelectStatement, count: usize) -> SelectStatement {
    let alias = scope.alias();
    let mut statement = Query::select();
    for (at, column) in columns_of(&alias, count).enumerate() {
        statement.expr_as(column, Alias::new(column_name(at)));
    }
    let number = words.over(Expr::cust("ROW_NUMBER()"), columns_of(&alias, count).collect(), Vec::new());
    statement.expr_as(number, Alias::new(column_name(count)));
    statement.from_subquery(inner, Alias::new(alias.as_str()));
    statement
}

/// The orders by place of their column; pages without one are ordered by all columns.
fn orders(shape: &Select, nodes: &[Vec<Node>], terms: &[Term]) -> Result<Vec<(usize, Order)>, QueryError> {
    let mut orders = Vec::with_capacity(shape.order.len());
    for order in &shape.order {
        let Some(at) = nodes.iter().position(|known| *known == order.by) else {
            return Err(QueryError::bad(
                "combined queries are ordered by values that they yield: name it in `fields` of the first",
            ));
        };
        orders.push((at, order.clone()));
    }
    if orders.is_empty() && (shape.limit.is_some() || shape.offset.is_some() || shape.reverse) {
        let by = |(at, nodes): (usize, &Vec<Node>)| (at, Order { by: nodes.clone(), descending: false, nulls: None });
        orders = nodes.iter().enumerate().map(by).filter(|(at, _)| ordered(terms.get(*at))).collect();
    }
    if shape.reverse {
        orders.iter_mut().for_each(|(_, order)| order::reverse(order));
    }
    Ok(orders)
}

fn ordered(term: Option<&Term>) -> bool {
    term.is_some_and(|term| term.kind != Kind::Json)
}
