//! Values: from trees to SQL that knows its kind.

use sea_query::{CaseStatement, Expr, Func};

use super::filter::{Place, condition};
use super::path::Scope;
use super::term::{Term, common, differ, plain, scale, wide};
use super::tree::Tree;
use super::{aggregate, inner, query};
use crate::QueryError;
use crate::bind::Code;
use crate::dialect::Words;
use crate::schema::{DecimalSpec, Kind};
use crate::shape::{Arithmetic, Function, Parameter};

/// Digits of a decimal parameter that multiplies or divides: it need not have the places of what it meets.
const FACTOR: DecimalSpec = DecimalSpec { digits: covet_db::MAX_DIGITS, scale: 12 };

/// Lowers a value. `hint`: what a parameter without a kind is, where the place says so.
pub(super) fn value(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    tree: &Tree<'_>,
    hint: Option<&Kind>,
) -> Result<Term, QueryError> {
    scope.descend()?;
    let term = lower(scope, words, tree, hint)?;
    scope.ascend();
    Ok(term)
}

fn lower(scope: &mut Scope<'_>, words: &dyn Words, tree: &Tree<'_>, hint: Option<&Kind>) -> Result<Term, QueryError> {
    match tree {
        Tree::Field(path) => scope.column(path).map(Term::from),
        Tree::Outer(path) => scope.outer_column(path).map(Term::from),
        Tree::Param(parameter) => param(scope, parameter, hint),
        Tree::Calculate(arithmetic, both) => calculate(scope, words, *arithmetic, &both.0, &both.1),
        Tree::Call(function, arguments) => call(scope, words, *function, arguments, hint),
        Tree::Cast(kind, inner) => {
            let inner = value(scope, words, inner, Some(kind))?;
            cast(words, inner, kind)
        }
        Tree::Choose { branches, otherwise } => choose(scope, words, branches, otherwise.as_deref(), hint),
        Tree::Aggregate { shape, value, filter } => {
            aggregate::aggregate(scope, words, shape, value.as_deref(), filter.as_deref(), &|plain| plain)
        }
        Tree::Window { shape, arguments, partition, order } => {
            aggregate::window(scope, words, shape, arguments, partition, order)
        }
        Tree::Subquery(number) => inner::scalar(scope, words, *number),
        Tree::Ready(term) => Ok(term.as_ref().clone()),
        Tree::Compare(_)
        | Tree::All(_)
        | Tree::Any(_)
        | Tree::Not(_)
        | Tree::Test(..)
        | Tree::Exists(_)
        | Tree::Among(..) => condition(scope, words, tree, Place::VALUE, &mut Vec::new()),
    }
}

fn param(scope: &mut Scope<'_>, parameter: &Parameter, hint: Option<&Kind>) -> Result<Term, QueryError> {
    let Parameter { index, kind } = parameter;
    let Some(kind) = kind.as_ref().or(hint) else {
        return Err(QueryError::bad(format!(
            "parameter {index} stands where nothing says what it is: give its kind, or put it beside a field"
        )));
    };
    let kind = plain(kind);
    check_kind(&kind)?;
    let label = format!("parameter {index}");
    let slot = scope.slot(*index, Code::Store, &kind, false, &label);
    Ok(Term::of(query::placeholder(slot), kind, false, label))
}

/// Kinds come from shapes, too.
fn check_kind(kind: &Kind) -> Result<(), QueryError> {
    match kind {
        Kind::Decimal(spec) if !(1..=covet_db::MAX_DIGITS).contains(&spec.digits) || spec.scale > spec.digits => {
            Err(QueryError::bad(format!("{} is no kind: 1 to 38 digits, and no more behind the point", kind.label())))
        }
        _ => Ok(()),
    }
}

/// Two values that meet, each the hint for the other.
pub(super) fn pair(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    left: &Tree<'_>,
    right: &Tree<'_>,
    hint: impl Fn(&Kind) -> Kind,
) -> Result<(Term, Term), QueryError> {
    if left.is_open() && !right.is_open() {
        let right = value(scope, words, right, None)?;
        let left = value(scope, words, left, Some(&hint(&right.kind)))?;
        return Ok((left, right));
    }
    let left = value(scope, words, left, None)?;
    let right = value(scope, words, right, Some(&hint(&left.kind)))?;
    Ok((left, right))
}

/// Casts a value to a kind, unless it is of that kind.
pub(super) fn into_kind(words: &dyn Words, term: Term, kind: &Kind) -> Term {
    if plain(&term.kind) == *kind {
        return Term { kind: kind.clone(), ..term };
    }
    let (nullable, label) = (term.nullable, term.label.clone());
    Term::of(words.cast(term.typed(), kind), kind.clone(), nullable, label)
}

/// Brings values to the kind that they have in common.
pub(super) fn unify(words: &dyn Words, terms: Vec<Term>) -> Result<(Vec<Term>, Kind), QueryError> {
    let Some(first) = terms.first() else {
        return Err(QueryError::bad("no values are there to choose from: name one"));
    };
    let mut kind = plain(&first.kind);
    for term in &terms {
        kind = common(&kind, &term.kind).ok_or_else(|| differ(first, term))?;
    }
    let same = |term: Term| match (&term.kind, &kind) {
        // One stored form for all narrow decimals of a scale.
        (Kind::Decimal(a), Kind::Decimal(b))
            if a.scale == b.scale && b.digits <= covet_db::INTEGER_DIGITS && a.digits <= b.digits =>
        {
            Term { kind: kind.clone(), ..term }
        }
        _ => into_kind(words, term, &kind),
    };
    Ok((terms.into_iter().map(same).collect(), kind))
}

fn calculate(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    arithmetic: Arithmetic,
    left: &Tree<'_>,
    right: &Tree<'_>,
) -> Result<Term, QueryError> {
    let (left, right) = pair(scope, words, left, right, |met| operand_of(arithmetic, met))?;
    let (a, b) = (plain(&left.kind), plain(&right.kind));
    let refuse = || {
        QueryError::bad(format!(
            "{} ({}) {} {} ({}) makes no sense: numbers, durations and dates can be calculated with, decimals and floats only \
             when one is cast",
            left.label,
            left.kind.label(),
            arithmetic.label(),
            right.label,
            right.kind.label()
        ))
    };
    let sums = matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract);
    let result = match (&a, &b) {
        (Kind::Int64, Kind::Int64) => Kind::Int64,
        (Kind::Float64, Kind::Float64 | Kind::Int64) | (Kind::Int64, Kind::Float64)
            if arithmetic != Arithmetic::Modulo =>
        {
            Kind::Float64
        }
        (Kind::Decimal(_), Kind::Decimal(_)) if right.kind == Kind::Decimal(FACTOR) && !right.stored => wide(scale(&a)),
        (Kind::Decimal(_), Kind::Decimal(_) | Kind::Int64) | (Kind::Int64, Kind::Decimal(_)) => {
            wide(scale(&a).max(scale(&b)))
        }
        (Kind::Datetime, Kind::Duration) if sums => Kind::Datetime,
        (Kind::Datetime, Kind::Datetime) if arithmetic == Arithmetic::Subtract => Kind::Duration,
        (Kind::Date, Kind::Int64) if sums => Kind::Date,
        (Kind::Date, Kind::Date) if arithmetic == Arithmetic::Subtract => Kind::Int64,
        (Kind::Duration, Kind::Duration) if sums => Kind::Duration,
        (Kind::Duration, Kind::Int64) if arithmetic == Arithmetic::Multiply => Kind::Duration,
        _ => return Err(refuse()),
    };
    let by_zero = matches!(arithmetic, Arithmetic::Divide | Arithmetic::Modulo);
    let nullable = left.nullable || right.nullable || by_zero;
    let label = format!("{} {} {}", left.label, arithmetic.label(), right.label);
    let expr = words.calculate(arithmetic, left.typed(), right.typed(), &result);
    Ok(Term::of(expr, result, nullable, shortened(label)))
}

/// What a parameter beside a value of this kind is.
fn operand_of(arithmetic: Arithmetic, met: &Kind) -> Kind {
    match (plain(met), arithmetic) {
        (Kind::Datetime, _) => Kind::Duration,
        (Kind::Date, _) => Kind::Int64,
        (Kind::Duration, Arithmetic::Multiply) => Kind::Int64,
        (Kind::Decimal(_), Arithmetic::Multiply | Arithmetic::Divide) => Kind::Decimal(FACTOR),
        (kind, _) => kind,
    }
}

fn cast(words: &dyn Words, term: Term, to: &Kind) -> Result<Term, QueryError> {
    let to = plain(to);
    check_kind(&to)?;
    let from = plain(&term.kind);
    let good = from == to
        || matches!(
            (&from, &to),
            (Kind::Int64 | Kind::Decimal(_), Kind::Float64 | Kind::Text | Kind::Decimal(_))
                | (Kind::Boolean | Kind::Float64 | Kind::Decimal(_), Kind::Int64)
                | (Kind::Date, Kind::Datetime)
                | (Kind::Datetime, Kind::Date | Kind::Time)
        );
    if !good {
        return Err(QueryError::bad(format!(
            "{} ({}) can't be cast to {}: integers and decimals become floats, decimals and texts, floats and booleans integers, \
             dates datetimes, datetimes dates and times",
            term.label,
            term.kind.label(),
            to.label()
        )));
    }
    Ok(into_kind(words, term, &to))
}

fn choose(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    branches: &[(Tree<'_>, Tree<'_>)],
    otherwise: Option<&Tree<'_>>,
    hint: Option<&Kind>,
) -> Result<Term, QueryError> {
    if branches.is_empty() {
        return Err(QueryError::bad("a choice has no branches: give it a condition and a value"));
    }
    let mut conditions = Vec::with_capacity(branches.len());
    for (when, _) in branches {
        conditions.push(condition(scope, words, when, Place::VALUE, &mut Vec::new())?.expr);
    }
    let trees: Vec<&Tree<'_>> = branches.iter().map(|(_, then)| then).chain(otherwise).collect();
    let (mut values, kind) = several(scope, words, &trees, hint)?;
    let nullable = otherwise.is_none() || values.iter().any(|value| value.nullable);
    let last = otherwise.and_then(|_| values.pop());
    let mut case = CaseStatement::new();
    for (when, then) in conditions.into_iter().zip(values) {
        case = case.case(when, then.expr);
    }
    if let Some(last) = last {
        case = case.finally(last.expr);
    }
    Ok(Term::of(case.into(), kind, nullable, "choice"))
}

/// Values of one kind; the first that says its own is the hint for parameters.
fn several(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    trees: &[&Tree<'_>],
    hint: Option<&Kind>,
) -> Result<(Vec<Term>, Kind), QueryError> {
    let mut terms: Vec<Option<Term>> = Vec::with_capacity(trees.len());
    for tree in trees {
        terms.push(if tree.is_open() { None } else { Some(value(scope, words, tree, hint)?) });
    }
    let known = terms.iter().flatten().next().map(|term| term.kind.clone()).or_else(|| hint.cloned());
    let mut all = Vec::with_capacity(terms.len());
    for (tree, term) in trees.iter().zip(terms) {
        all.push(match term {
            Some(term) => term,
            None => value(scope, words, tree, known.as_ref())?,
        });
    }
    unify(words, all)
}

/// How many values a function takes.
fn arity(function: Function) -> (usize, usize) {
    match function {
        Function::Now => (0, 0),
        Function::Substring | Function::Replace => (3, 3),
        Function::Round | Function::NullIf => (2, 2),
        Function::Coalesce | Function::Concat | Function::Greatest | Function::Least => (2, 32),
        _ => (1, 1),
    }
}

fn call(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    function: Function,
    arguments: &[Tree<'_>],
    hint: Option<&Kind>,
) -> Result<Term, QueryError> {
    let (least, most) = arity(function);
    if !(least..=most).contains(&arguments.len()) {
        return Err(QueryError::bad(format!(
            "{} takes {least}{} values, {} are given",
            function.label(),
            if most > least { format!(" to {most}") } else { String::new() },
            arguments.len()
        )));
    }
    let trees: Vec<&Tree<'_>> = arguments.iter().collect();
    match function {
        Function::Now => {
            let slot = scope.slot(0, Code::Now, &Kind::Datetime, false, "now");
            return Ok(Term::of(query::placeholder(slot), Kind::Datetime, false, "now"));
        }
        Function::Coalesce | Function::NullIf | Function::Greatest | Function::Least => {
            let (values, kind) = several(scope, words, &trees, hint)?;
            if !matches!(function, Function::Coalesce | Function::NullIf) {
                ordered(&kind, function.label())?;
            }
            let nullable = match function {
                Function::Coalesce => values.iter().all(|value| value.nullable),
                Function::NullIf => true,
                _ => values.iter().any(|value| value.nullable),
            };
            let expr = match function {
                Function::Coalesce => Func::coalesce(values.into_iter().map(|value| value.expr)).into(),
                Function::NullIf => Func::cust("NULLIF").args(values.into_iter().map(|value| value.expr)).into(),
                _ => words.call(function, values.into_iter().map(Term::typed).collect(), &kind),
            };
            return Ok(Term::of(expr, kind, nullable, function.label()));
        }
        _ => {}
    }
    let mut values = Vec::with_capacity(arguments.len());
    for (at, tree) in arguments.iter().enumerate() {
        let hint = takes(function, at);
        values.push(value(scope, words, tree, hint.as_ref())?);
    }
    let result = check_arguments(function, &values)?;
    let nullable = function != Function::Concat && values.iter().any(|value| value.nullable);
    let typed = values.into_iter().map(Term::typed).collect();
    Ok(Term::of(words.call(function, typed, &result), result, nullable, function.label()))
}

/// What the argument at this place is, where only one kind will do.
fn takes(function: Function, at: usize) -> Option<Kind> {
    match (function, at) {
        (Function::Substring, 1 | 2) | (Function::Round, 1) => Some(Kind::Int64),
        (
            Function::Lower
            | Function::Upper
            | Function::Length
            | Function::Trim
            | Function::TrimStart
            | Function::TrimEnd
            | Function::Substring
            | Function::Replace
            | Function::Concat,
            _,
        ) => Some(Kind::Text),
        _ => None,
    }
}

/// What a function gives; each argument must be of a kind that it takes.
fn check_arguments(function: Function, values: &[Term]) -> Result<Kind, QueryError> {
    use Function as F;
    for (at, value) in values.iter().enumerate() {
        if let Some(kind) = takes(function, at)
            && plain(&value.kind) != kind
        {
            return Err(needs(function, kind.label(), value));
        }
    }
    let Some(first) = values.first() else {
        return Ok(Kind::Text);
    };
    let kind = plain(&first.kind);
    let date = matches!(kind, Kind::Date | Kind::Datetime);
    match function {
        F::Length => Ok(Kind::Int64),
        F::Lower | F::Upper | F::Trim | F::TrimStart | F::TrimEnd | F::Substring | F::Replace | F::Concat => {
            Ok(Kind::Text)
        }
        F::Absolute => match kind {
            Kind::Int64 | Kind::Float64 => Ok(kind),
            Kind::Decimal(spec) => Ok(wide(spec.scale)),
            _ => Err(needs(function, "number", first)),
        },
        F::Floor | F::Ceiling => match kind {
            Kind::Int64 | Kind::Float64 => Ok(kind),
            Kind::Decimal(_) => Ok(wide(0)),
            _ => Err(needs(function, "number", first)),
        },
        F::Round => match kind {
            Kind::Float64 => Ok(kind),
            Kind::Decimal(spec) => Ok(wide(spec.scale)),
            _ => Err(needs(function, "float or decimal", first)),
        },
        F::Year | F::Quarter | F::Month | F::Week | F::Day | F::WeekDay if date => Ok(Kind::Int64),
        F::Year | F::Quarter | F::Month | F::Week | F::Day | F::WeekDay => {
            Err(needs(function, "date or datetime", first))
        }
        F::Hour | F::Minute | F::Second if matches!(kind, Kind::Time | Kind::Datetime) => Ok(Kind::Int64),
        F::Hour | F::Minute | F::Second => Err(needs(function, "time or datetime", first)),
        F::StartOfYear | F::StartOfQuarter | F::StartOfMonth | F::StartOfWeek | F::StartOfDay if date => Ok(kind),
        F::StartOfYear | F::StartOfQuarter | F::StartOfMonth | F::StartOfWeek | F::StartOfDay => {
            Err(needs(function, "date or datetime", first))
        }
        F::StartOfHour | F::StartOfMinute | F::StartOfSecond if kind == Kind::Datetime => Ok(kind),
        F::StartOfHour | F::StartOfMinute | F::StartOfSecond => Err(needs(function, "datetime", first)),
        F::Coalesce | F::NullIf | F::Greatest | F::Least | F::Now => Ok(kind),
    }
}

fn needs(function: Function, wanted: impl std::fmt::Display, got: &Term) -> QueryError {
    QueryError::bad(format!("{} takes a {wanted}, {} is {}", function.label(), got.label, got.kind.label()))
}

/// Refuses kinds that have no order.
pub(super) fn ordered(kind: &Kind, what: &str) -> Result<(), QueryError> {
    match kind {
        Kind::Boolean | Kind::Json => {
            Err(QueryError::bad(format!("{what} needs values with an order, {} has none", kind.label())))
        }
        _ => Ok(()),
    }
}

/// Labels are shown in errors; nested ones would grow past reading.
fn shortened(label: String) -> String {
    match label.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", label.get(..at).unwrap_or_default()),
        None => label,
    }
}

/// The value as a field stores it: of its kind, and no longer than it.
pub(super) fn for_field(words: &dyn Words, term: Term, kind: &Kind, label: &str) -> Result<Expr, QueryError> {
    let target = plain(kind);
    let fits = match common(&target, &term.kind) {
        _ if term.kind == *kind => return Ok(term.expr),
        // A decimal of more places is rounded to those of the field; an integer is a decimal without any.
        Some(Kind::Decimal(_)) => matches!(target, Kind::Decimal(_)),
        Some(kind) => kind == target,
        None => false,
    };
    let free = matches!(kind, Kind::Varchar(_) | Kind::Text) || !kind.is_textual();
    if !fits || !free {
        return Err(QueryError::bad(format!(
            "{label} ({}) can't be set to {} ({}){}",
            kind.label(),
            term.label,
            term.kind.label(),
            if fits { ": its values are checked one by one, so set a value or a field of the same kind" } else { "" }
        )));
    }
    // To fit, a decimal is rounded anyway.
    let term = if matches!(target, Kind::Decimal(_)) { term } else { into_kind(words, term, &target) };
    Ok(words.fit(term.typed(), kind))
}
