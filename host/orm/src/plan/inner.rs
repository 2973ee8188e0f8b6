//! Queries within a query: that something exists, that a value is among theirs, their only value.

use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use super::body::{Needs, body, column_name};
use super::path::Scope;
use super::term::{Term, common, differ, plain};
use super::tree::Tree;
use super::value::{into_kind, value};
use crate::QueryError;
use crate::dialect::Words;

pub(super) fn exists(scope: &mut Scope<'_>, words: &dyn Words, number: u32) -> Result<Term, QueryError> {
    let (statement, _) = enter(scope, words, number, Needs::Nothing)?;
    Ok(Term::condition(Expr::exists(statement)))
}

/// `left IN (SELECT …)`; null values that the query yields are left out, so that a negation is not null for all rows.
pub(super) fn among(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    left: &Tree<'_>,
    number: u32,
) -> Result<Term, QueryError> {
    let left = value(scope, words, left, None)?;
    let (statement, column) = enter(scope, words, number, Needs::Values)?;
    let Some(column) = column else {
        return Err(one_column(number));
    };
    let Some(kind) = common(&left.kind, &column.kind).filter(|kind| plain(&column.kind) == *kind) else {
        return Err(differ(&left, &column));
    };
    let nullable = left.nullable;
    let left = into_kind(words, left, &kind);
    // Named twice over: MySQL takes no LIMIT in the query of an IN itself.
    let (alias, name) = (Alias::new(scope.alias()), Alias::new(column_name(0)));
    let value = Expr::col((alias.clone(), name));
    let mut values = Query::select();
    values.expr(value.clone()).from_subquery(statement, alias);
    if column.nullable {
        values.and_where(value.is_not_null());
    }
    Ok(Term { nullable, ..Term::condition(left.expr.in_subquery(values)) })
}

pub(super) fn scalar(scope: &mut Scope<'_>, words: &dyn Words, number: u32) -> Result<Term, QueryError> {
    let (statement, column) = enter(scope, words, number, Needs::First)?;
    let Some(column) = column else {
        return Err(one_column(number));
    };
    let expr = Expr::SubQuery(None, Box::new(statement.into()));
    Ok(Term::of(expr, column.kind, true, "subquery"))
}

fn one_column(number: u32) -> QueryError {
    QueryError::bad(format!("query {number} must yield one value a row: name one in `fields`"))
}

/// Plans a query of the shape as part of the one around it; with its only column, where it has one.
fn enter(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    number: u32,
    needs: Needs,
) -> Result<(SelectStatement, Option<Term>), QueryError> {
    let query = scope.enter(number, true)?;
    scope.descend()?;
    let mut made = body(scope, words, &query.select, needs, &[])?;
    scope.ascend();
    scope.leave();
    let column = made.terms.pop().filter(|_| made.terms.is_empty());
    Ok((made.statement, column))
}
