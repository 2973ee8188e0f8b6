//! Filters: from nodes to SQL.
//!
//! Three-valued logic is settled here. A comparison that could be null is made plain false wherever a negation stands above
//! it, so that `exclude` also returns rows whose field is null, as Django does.

use sea_query::{Expr, ExprTrait};

use super::inner;
use super::path::Scope;
use super::proof::Fact;
use super::term::{Term, plain};
use super::tree::{Tree, parse};
use super::value::{pair, unify, value};
use crate::QueryError;
use crate::bind::{Code, Rounding};
use crate::dialect::{Typed, Words};
use crate::schema::Kind;
use crate::shape::{Comparison, Function, Lookup, Node, Operand};

/// Up to so many terms stand in one chain of AND or OR; more are halved, because SQLite's parser makes a chain as deep as
/// it is long and stops at 1,000.
const CHAIN: usize = 8;

/// Where a condition stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// It must hold for the whole filter to hold.
    required: bool,
    /// A negation stands above it.
    negated: bool,
}

impl Place {
    /// Within a value: nothing is known of the rows.
    pub const VALUE: Place = Place { required: false, negated: false };
}

/// What a filter becomes.
#[derive(Default)]
pub(super) struct Filtered {
    /// Of rows.
    pub condition: Option<Expr>,
    /// Of groups: what speaks of aggregates.
    pub having: Option<Expr>,
    /// What every row that is found must fulfil, as far as keys are concerned.
    pub facts: Vec<Fact>,
}

/// Plans a filter within a scope.
pub(super) fn filter(scope: &mut Scope<'_>, words: &dyn Words, nodes: &[Node]) -> Result<Filtered, QueryError> {
    let mut filtered = Filtered::default();
    let Some(tree) = parse(nodes)? else {
        return Ok(filtered.in_view_of(scope));
    };
    if tree.has_window() {
        return Err(QueryError::bad(
            "a filter can't speak of a window function, which is computed after it: fetch it as a value and filter the rows",
        ));
    }
    let place = Place { required: true, negated: false };
    if !tree.aggregates() {
        filtered.condition = Some(condition(scope, words, &tree, place, &mut filtered.facts)?.expr);
        return Ok(filtered.in_view_of(scope));
    }
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    for part in conjuncts(tree) {
        let to = if part.aggregates() { &mut groups } else { &mut rows };
        to.push(condition(scope, words, &part, place, &mut filtered.facts)?.expr);
    }
    filtered.condition = (!rows.is_empty()).then(|| chain(rows, true));
    filtered.having = Some(chain(groups, true));
    Ok(filtered.in_view_of(scope))
}

impl Filtered {
    fn in_view_of(mut self, scope: &Scope<'_>) -> Filtered {
        if scope.multiplies() {
            self.facts.push(Fact::Many);
        }
        self
    }
}

/// What must hold all together.
fn conjuncts(tree: Tree<'_>) -> Vec<Tree<'_>> {
    match tree {
        Tree::All(parts) => parts.into_iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// Lowers a condition; where a negation stands above it, to one that is never null.
pub(super) fn condition(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    tree: &Tree<'_>,
    place: Place,
    facts: &mut Vec<Fact>,
) -> Result<Term, QueryError> {
    scope.descend()?;
    let term = lower(scope, words, tree, place, facts)?;
    scope.ascend();
    Ok(term)
}

fn lower(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    tree: &Tree<'_>,
    place: Place,
    facts: &mut Vec<Fact>,
) -> Result<Term, QueryError> {
    if place.required && !matches!(tree, Tree::Compare(_) | Tree::All(_)) {
        facts.push(Fact::Other);
    }
    let within = Place { required: false, ..place };
    match tree {
        Tree::Compare(comparison) => compare(scope, words, comparison, place, facts),
        Tree::Not(inner) => {
            let inner = condition(scope, words, inner, Place { required: false, negated: true }, facts)?;
            Ok(Term::condition(inner.expr.not()))
        }
        Tree::All(parts) => together(scope, words, parts, place, facts, true),
        Tree::Any(parts) => together(scope, words, parts, within, facts, false),
        Tree::Test(lookup, both) => total(test(scope, words, *lookup, &both.0, &both.1)?, place),
        Tree::Exists(number) => inner::exists(scope, words, *number),
        Tree::Among(left, number) => total(inner::among(scope, words, left, *number)?, place),
        other => {
            let term = value(scope, words, other, Some(&Kind::Boolean))?;
            if term.kind != Kind::Boolean {
                return Err(QueryError::bad(format!(
                    "{} ({}) is no condition: compare it with something",
                    term.label,
                    term.kind.label()
                )));
            }
            total(term, place)
        }
    }
}

/// Never null where a negation stands above.
fn total(term: Term, place: Place) -> Result<Term, QueryError> {
    Ok(if place.negated { Term::condition(term.or_false()) } else { term })
}

fn together(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    parts: &[Tree<'_>],
    place: Place,
    facts: &mut Vec<Fact>,
    all: bool,
) -> Result<Term, QueryError> {
    let mut terms = Vec::with_capacity(parts.len());
    let mut nullable = false;
    for part in parts {
        let term = condition(scope, words, part, place, facts)?;
        nullable |= term.nullable;
        terms.push(term.expr);
    }
    Ok(Term { nullable, ..Term::condition(chain(terms, all)) })
}

fn chain(mut terms: Vec<Expr>, all: bool) -> Expr {
    if terms.len() > CHAIN {
        let rest = terms.split_off(terms.len() / 2);
        // A tuple of one is the way to parentheses that the printer keeps.
        terms = vec![Expr::tuple([chain(terms, all)]), Expr::tuple([chain(rest, all)])];
    }
    let mut terms = terms.into_iter();
    match terms.next() {
        Some(first) => terms.fold(first, |left, right| if all { left.and(right) } else { left.or(right) }),
        None => Expr::cust(if all { "1 = 1" } else { "1 = 0" }),
    }
}

fn compare(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    comparison: &Comparison,
    place: Place,
    facts: &mut Vec<Fact>,
) -> Result<Term, QueryError> {
    let left = Term::from(scope.column(&comparison.left)?);
    fits(&left, comparison.lookup)?;
    let (expr, fact, nullable) = match &comparison.right {
        Operand::Param(param) => {
            let (expr, fact) = with_param(scope, words, &left, comparison.lookup, *param, place.negated);
            (expr, fact, left.nullable && !is_total(comparison.lookup, &left))
        }
        Operand::Field(path) => {
            let right = Term::from(scope.column(path)?);
            let right_nullable = right.nullable;
            let shown = right.expr.clone();
            let expr = with_value(words, left.clone(), comparison.lookup, right)?;
            let guarded = if right_nullable && place.negated { expr.and(shown.is_not_null()) } else { expr };
            (guarded, Fact::Other, left.nullable || (right_nullable && !place.negated))
        }
    };
    if place.required {
        facts.push(fact);
    }
    if !place.negated {
        return Ok(Term { nullable, ..Term::condition(expr) });
    }
    Ok(Term::condition(if nullable { expr.and(left.expr.is_not_null()) } else { expr }))
}

/// Never null, whatever the value is.
fn is_total(lookup: Lookup, left: &Term) -> bool {
    lookup == Lookup::Isnull || (lookup == Lookup::Exact && left.nullable)
}

/// A comparison of computed values.
fn test(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    lookup: Lookup,
    left: &Tree<'_>,
    right: &Tree<'_>,
) -> Result<Term, QueryError> {
    let plainly = matches!(lookup, Lookup::Exact | Lookup::Gt | Lookup::Gte | Lookup::Lt | Lookup::Lte);
    if let Tree::Param(parameter) = right
        && (right.is_open() || !plainly)
    {
        let left = value(scope, words, left, None)?;
        fits(&left, lookup)?;
        // Said so that it is never null, and in few words.
        let (expr, _) = with_param(scope, words, &left, lookup, parameter.index, true);
        return Ok(Term { nullable: left.nullable && !is_total(lookup, &left), ..Term::condition(expr) });
    }
    let (left, right) = pair(scope, words, left, right, plain)?;
    fits(&left, lookup)?;
    let nullable = left.nullable || right.nullable;
    Ok(Term { nullable, ..Term::condition(with_value(words, left, lookup, right)?) })
}

/// Whether a lookup makes sense for a field's kind.
fn fits(left: &Term, lookup: Lookup) -> Result<(), QueryError> {
    let kind = &left.kind;
    let (good, needs) = match lookup {
        Lookup::Exact | Lookup::In | Lookup::Isnull => (true, ""),
        Lookup::Gt | Lookup::Gte | Lookup::Lt | Lookup::Lte | Lookup::Range => {
            (!matches!(kind, Kind::Boolean | Kind::Json | Kind::Array(_)), "an ordered field")
        }
        Lookup::Year | Lookup::Month | Lookup::Day | Lookup::WeekDay => {
            (matches!(kind, Kind::Date | Kind::Datetime), "a date or datetime field")
        }
        Lookup::Hour | Lookup::Minute | Lookup::Second => {
            (matches!(kind, Kind::Time | Kind::Datetime), "a time or datetime field")
        }
        // A document has no text of its own: one database keeps it as it came, the next in a form of its own.
        _ => (kind.is_textual() && *kind != Kind::Json, "a text field"),
    };
    if good {
        return Ok(());
    }
    Err(QueryError::bad(format!("{}: lookup {} needs {needs}, this is {}", left.label, lookup.label(), kind.label())))
}

fn with_param(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    left: &Term,
    lookup: Lookup,
    param: u32,
    negated: bool,
) -> (Expr, Fact) {
    let kind = &left.kind;
    let label = left.label.as_str();
    // Addresses are stored in lower case, so that any case is this case and an index serves.
    let lookup = match (kind, lookup) {
        (Kind::Email, Lookup::Iexact) => Lookup::Exact,
        (Kind::Email, Lookup::Icontains) => Lookup::Contains,
        (Kind::Email, Lookup::Istartswith) => Lookup::Startswith,
        (Kind::Email, Lookup::Iendswith) => Lookup::Endswith,
        (_, lookup) => lookup,
    };
    let expr = left.expr.clone();
    let mut number = 0;
    let mut slot = |code: Code, nullable: bool| {
        number = scope.slot(param, code, kind, nullable, label);
        Expr::val(number)
    };
    let compare = Code::Compare;
    // Moments are compared in these two ways only: no database can write the one after the last.
    let moment = matches!(kind, Kind::Datetime | Kind::Date);
    let within = left.own.map_or(Fact::Other, |field| Fact::Within { field });
    let made = match lookup {
        Lookup::Exact if left.nullable => {
            words.same(expr, compare(Rounding::Never), &mut |code| slot(code, true), negated)
        }
        Lookup::Exact => expr.eq(slot(compare(Rounding::Never), false)),
        Lookup::Gt => expr.gt(slot(compare(Rounding::Floor), false)),
        Lookup::Lte => expr.lte(slot(compare(Rounding::Floor), false)),
        Lookup::Gte if moment => expr.gt(slot(compare(Rounding::Below), false)),
        Lookup::Lt if moment => expr.lte(slot(compare(Rounding::Below), false)),
        Lookup::Gte => expr.gte(slot(compare(Rounding::Ceiling), false)),
        Lookup::Lt => expr.lt(slot(compare(Rounding::Ceiling), false)),
        Lookup::Range => {
            let low = slot(Code::Bound { second: false }, false);
            expr.between(low, slot(Code::Bound { second: true }, false))
        }
        Lookup::In => words.member(expr, slot(Code::List, false), negated),
        Lookup::Isnull => expr.is_null().eq(slot(Code::Flag, false)),
        Lookup::Contains => words.contains(expr, slot(Code::Needle { folded: false, bytes: false }, false), false),
        Lookup::Icontains => words.contains(expr, slot(Code::Needle { folded: true, bytes: false }, false), true),
        Lookup::Startswith if !left.stored => {
            words.starts(expr, slot(Code::Needle { folded: false, bytes: false }, false))
        }
        Lookup::Startswith => words.begins(expr, &mut |code| slot(code, false)),
        Lookup::Istartswith => words.begins_folded(expr, slot(Code::Needle { folded: true, bytes: false }, false)),
        Lookup::Endswith | Lookup::Iendswith if !left.stored => {
            let folded = lookup == Lookup::Iendswith;
            words.finishes(expr, slot(Code::Needle { folded, bytes: true }, false), folded)
        }
        Lookup::Endswith | Lookup::Iendswith => {
            let folded = lookup == Lookup::Iendswith;
            let needle = slot(Code::Needle { folded, bytes: true }, false);
            words.ends(expr, needle, slot(Code::Needle { folded, bytes: true }, false), folded)
        }
        Lookup::Iexact => words.same_folded(expr, slot(Code::Needle { folded: true, bytes: false }, false)),
        Lookup::Regex => words.matches(expr, slot(Code::Pattern { folded: false }, false)),
        Lookup::Iregex => words.matches(expr, slot(Code::Pattern { folded: true }, false)),
        Lookup::Year
        | Lookup::Month
        | Lookup::Day
        | Lookup::WeekDay
        | Lookup::Hour
        | Lookup::Minute
        | Lookup::Second
            if !left.stored =>
        {
            let typed = Typed { expr, kind: kind.clone() };
            words.call(part_of(lookup), vec![typed], &Kind::Int64).eq(slot(Code::Part, false))
        }
        Lookup::Year => {
            let low = expr.clone().gt(slot(Code::YearLow, false));
            low.and(expr.lte(slot(Code::YearHigh, false)))
        }
        Lookup::Month | Lookup::Day | Lookup::WeekDay | Lookup::Hour | Lookup::Minute | Lookup::Second => {
            words.part(kind, lookup, expr).eq(slot(Code::Part, false))
        }
    };
    let fact = match (lookup, left.own) {
        (Lookup::Exact, Some(field)) => Fact::Equal { field, slot: number, nullable: left.nullable },
        (Lookup::In, Some(field)) => Fact::Listed { field, slot: number },
        (
            Lookup::Gt | Lookup::Gte | Lookup::Lt | Lookup::Lte | Lookup::Range | Lookup::Startswith | Lookup::Year,
            _,
        ) => within,
        _ => Fact::Other,
    };
    (made, fact)
}

/// The function that gives what a lookup of a part compares.
fn part_of(lookup: Lookup) -> Function {
    match lookup {
        Lookup::Year => Function::Year,
        Lookup::Month => Function::Month,
        Lookup::Day => Function::Day,
        Lookup::WeekDay => Function::WeekDay,
        Lookup::Hour => Function::Hour,
        Lookup::Minute => Function::Minute,
        _ => Function::Second,
    }
}

fn with_value(words: &dyn Words, left: Term, lookup: Lookup, right: Term) -> Result<Expr, QueryError> {
    let label = left.label.clone();
    let (terms, _) = unify(words, vec![left, right])?;
    let mut terms = terms.into_iter().map(|term| term.expr);
    let (Some(one), Some(other)) = (terms.next(), terms.next()) else {
        return Err(QueryError::bad("a comparison has two sides"));
    };
    Ok(match lookup {
        Lookup::Exact => one.eq(other),
        Lookup::Gt => one.gt(other),
        Lookup::Gte => one.gte(other),
        Lookup::Lt => one.lt(other),
        Lookup::Lte => one.lte(other),
        _ => {
            return Err(QueryError::bad(format!(
                "{label}: lookup {} takes a parameter; with a field or a value use exact, gt, gte, lt or lte",
                lookup.label()
            )));
        }
    })
}
