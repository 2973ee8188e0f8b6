//! Aggregates and window functions.

use sea_query::{CaseStatement, Expr, Func};

use super::filter::{Place, condition};
use super::path::Scope;
use super::term::{Term, plain, wide};
use super::tree::Tree;
use super::value::{ordered, value};
use crate::QueryError;
use crate::dialect::{Typed, Words};
use crate::schema::Kind;
use crate::shape::{self, Aggregation, Ranking, WindowFunction};

/// Digits behind the point that the average of decimals has besides theirs.
const AVERAGE_PLACES: u8 = 4;

pub(super) fn aggregate(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &shape::Aggregate,
    of: Option<&Tree<'_>>,
    filter: Option<&Tree<'_>>,
    over: &dyn Fn(Expr) -> Expr,
) -> Result<Term, QueryError> {
    for part in of.into_iter().chain(filter) {
        if part.aggregates() || part.has_window() {
            return Err(QueryError::bad(format!(
                "{} can't be taken over aggregates or window functions: group by them in a query of their own",
                shape.function.label()
            )));
        }
    }
    let when = match filter {
        Some(filter) => Some(condition(scope, words, filter, Place::VALUE, &mut Vec::new())?.expr),
        None => None,
    };
    let of = match of {
        Some(of) => value(scope, words, of, None)?,
        None if shape.function == Aggregation::Count && !shape.distinct => {
            let counted = match when {
                Some(when) => Func::count(only(when, Expr::cust("1"))).into(),
                None => Expr::cust("COUNT(*)"),
            };
            return Ok(Term::of(over(counted), Kind::Int64, false, "count"));
        }
        None => {
            return Err(QueryError::bad(format!("{} takes a value: name a field", shape.function.label())));
        }
    };
    let result = result(shape.function, &of)?;
    let (label, kind) = (format!("{} of {}", shape.function.label(), of.label), of.kind.clone());
    let expr = match when {
        Some(when) => only(when, of.expr),
        None => of.expr,
    };
    let expr = words.aggregate(shape.function, shape.distinct, Typed { expr, kind }, &result, over);
    Ok(Term::of(expr, result, shape.function != Aggregation::Count, label))
}

/// The value where the condition holds, else null, which no aggregate counts.
fn only(when: Expr, value: Expr) -> Expr {
    CaseStatement::new().case(when, value).into()
}

/// What an aggregate of a value is.
fn result(function: Aggregation, of: &Term) -> Result<Kind, QueryError> {
    let kind = plain(&of.kind);
    let number = || {
        QueryError::bad(format!(
            "{} takes a number or a duration, {} is {}",
            function.label(),
            of.label,
            of.kind.label()
        ))
    };
    match function {
        Aggregation::Count => Ok(Kind::Int64),
        Aggregation::Least | Aggregation::Greatest => {
            ordered(&kind, function.label())?;
            Ok(of.kind.clone())
        }
        Aggregation::Sum => match kind {
            Kind::Int64 | Kind::Float64 | Kind::Duration => Ok(kind),
            Kind::Decimal(spec) => Ok(wide(spec.scale)),
            _ => Err(number()),
        },
        Aggregation::Average => match kind {
            Kind::Int64 | Kind::Float64 => Ok(Kind::Float64),
            Kind::Duration => Ok(kind),
            Kind::Decimal(spec) => Ok(wide(spec.scale.saturating_add(AVERAGE_PLACES).min(covet_db::MAX_DIGITS))),
            _ => Err(number()),
        },
    }
}

pub(super) fn window(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &shape::Window,
    arguments: &[Tree<'_>],
    partition: &[Tree<'_>],
    order: &[Tree<'_>],
) -> Result<Term, QueryError> {
    if arguments.iter().chain(partition).chain(order).any(Tree::has_window) {
        return Err(QueryError::bad(
            "a window function can't stand within another one: fetch it as a value of its own",
        ));
    }
    let mut by = Vec::with_capacity(partition.len());
    for tree in partition {
        by.push(value(scope, words, tree, None)?.expr);
    }
    let mut orders = Vec::with_capacity(order.len());
    for (tree, descending) in order.iter().zip(&shape.order) {
        orders.push((value(scope, words, tree, None)?.expr, *descending));
    }
    let over = |function: Expr| words.over(function, by.clone(), orders.clone());
    match shape.function {
        WindowFunction::Ranking(ranking) => {
            let ranked = rank(scope, words, ranking, arguments)?;
            Ok(Term { expr: over(ranked.expr), ..ranked })
        }
        WindowFunction::Aggregation(function) => {
            if arguments.len() > 1 {
                return Err(QueryError::bad(format!(
                    "{} takes one value, {} are given",
                    function.label(),
                    arguments.len()
                )));
            }
            let shape = shape::Aggregate { function, value: !arguments.is_empty(), distinct: false, filtered: false };
            aggregate(scope, words, &shape, arguments.first(), None, &over)
        }
    }
}

fn rank(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    ranking: Ranking,
    arguments: &[Tree<'_>],
) -> Result<Term, QueryError> {
    let (name, takes) = match ranking {
        Ranking::RowNumber => ("ROW_NUMBER", 0),
        Ranking::Rank => ("RANK", 0),
        Ranking::DenseRank => ("DENSE_RANK", 0),
        Ranking::PercentRank => ("PERCENT_RANK", 0),
        Ranking::CumeDist => ("CUME_DIST", 0),
        Ranking::Ntile => ("NTILE", 1),
        Ranking::Lag => ("LAG", 2),
        Ranking::Lead => ("LEAD", 2),
        Ranking::FirstValue => ("FIRST_VALUE", 1),
        Ranking::LastValue => ("LAST_VALUE", 1),
        Ranking::NthValue => ("NTH_VALUE", 2),
    };
    if arguments.len() != takes {
        return Err(QueryError::bad(format!(
            "{} takes {takes} values, {} are given",
            ranking.label(),
            arguments.len()
        )));
    }
    let count_at = if ranking == Ranking::Ntile { 0 } else { 1 };
    let mut values = Vec::with_capacity(arguments.len());
    for (at, tree) in arguments.iter().enumerate() {
        if at == count_at {
            // The databases agree on constants only.
            if !matches!(tree, Tree::Param(_)) {
                return Err(QueryError::bad(format!("{} counts rows by a parameter", ranking.label())));
            }
            let count = value(scope, words, tree, Some(&Kind::Int64))?;
            if count.kind != Kind::Int64 {
                return Err(QueryError::bad(format!("{} counts rows by an integer", ranking.label())));
            }
            values.push(Term { expr: words.count_of_rows(count.expr), ..count });
        } else {
            values.push(value(scope, words, tree, None)?);
        }
    }
    let (kind, nullable) = match (ranking, values.first()) {
        (Ranking::PercentRank | Ranking::CumeDist, _) => (Kind::Float64, false),
        (Ranking::FirstValue | Ranking::LastValue, Some(first)) => (first.kind.clone(), first.nullable),
        (Ranking::Lag | Ranking::Lead | Ranking::NthValue, Some(first)) => (first.kind.clone(), true),
        _ => (Kind::Int64, false),
    };
    let expr = Func::cust(name).args(values.into_iter().map(|value| value.expr)).into();
    Ok(Term::of(expr, kind, nullable, ranking.label()))
}
