//! Filters: from postfix nodes to a tree within limits, from the tree to SQL.
//!
//! Three-valued logic is settled here. A comparison that could be null is made plain false wherever a negation stands above
//! it, so that `exclude` also returns rows whose field is null, as Django does.

use sea_query::{Expr, ExprTrait};

use super::path::{Column, Scope};
use super::proof::Fact;
use crate::QueryError;
use crate::bind::{Code, Rounding};
use crate::dialect::Words;
use crate::schema::Kind;
use crate::shape::{Comparison, Lookup, Node, Operand};

/// Most nodes of a filter.
pub const MAX_NODES: usize = 1_000;
/// Deepest nesting of a filter.
pub const MAX_DEPTH: usize = 64;

/// Up to so many terms stand in one chain of AND or OR; more are halved, because SQLite's parser makes a chain as deep as
/// it is long and stops at 1,000.
const CHAIN: usize = 8;

#[derive(Debug)]
enum Tree<'s> {
    Compare(&'s Comparison),
    All(Vec<Tree<'s>>),
    Any(Vec<Tree<'s>>),
    Not(Box<Tree<'s>>),
}

/// Builds the tree of a filter; none for an empty one.
fn parse(nodes: &[Node]) -> Result<Option<Tree<'_>>, QueryError> {
    if nodes.is_empty() {
        return Ok(None);
    }
    if nodes.len() > MAX_NODES {
        return Err(QueryError::TooLarge(format!(
            "a filter has {} nodes, at most {MAX_NODES} are allowed: use `in` for lists of values",
            nodes.len()
        )));
    }
    let mut stack: Vec<(Tree<'_>, usize)> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let (tree, depth) = match node {
            Node::Compare(comparison) => (Tree::Compare(comparison), 1),
            Node::Negate => {
                let Some((inner, depth)) = stack.pop() else {
                    return Err(underflow(at, 1, 0));
                };
                (Tree::Not(Box::new(inner)), depth + 1)
            }
            Node::AllOf(count) | Node::AnyOf(count) => {
                let wanted = *count as usize;
                let Some(start) = stack.len().checked_sub(wanted) else {
                    return Err(underflow(at, wanted, stack.len()));
                };
                let parts = stack.split_off(start);
                let depth = parts.iter().map(|(_, depth)| *depth).max().unwrap_or(0) + 1;
                let parts = parts.into_iter().map(|(tree, _)| tree).collect();
                (if matches!(node, Node::AllOf(_)) { Tree::All(parts) } else { Tree::Any(parts) }, depth)
            }
        };
        if depth > MAX_DEPTH {
            return Err(QueryError::TooLarge(format!("a filter nests deeper than {MAX_DEPTH} levels: flatten it")));
        }
        stack.push((tree, depth));
    }
    let left = stack.len();
    match (stack.pop(), left) {
        (Some((tree, _)), 1) => Ok(Some(tree)),
        _ => {
            Err(QueryError::bad(format!("a filter must end as one node, {left} are left: end it with all-of({left})")))
        }
    }
}

fn underflow(at: usize, wanted: usize, there: usize) -> QueryError {
    QueryError::bad(format!(
        "node {at} of the filter takes {wanted} nodes before it, only {there} are there: send them in postfix order"
    ))
}

/// Where a comparison stands.
#[derive(Clone, Copy)]
struct Place {
    /// It must hold for the whole filter to hold.
    required: bool,
    /// A negation stands above it.
    negated: bool,
}

/// What a filter becomes.
pub(super) struct Filtered {
    pub condition: Option<Expr>,
    /// What every row that is found must fulfil, as far as keys are concerned.
    pub facts: Vec<Fact>,
}

/// Plans a filter within a scope.
pub(super) fn filter(scope: &mut Scope<'_>, words: &dyn Words, nodes: &[Node]) -> Result<Filtered, QueryError> {
    let mut facts = Vec::new();
    let condition = match parse(nodes)? {
        None => None,
        Some(tree) => Some(lower(scope, words, &tree, Place { required: true, negated: false }, &mut facts)?),
    };
    if scope.multiplies() {
        facts.push(Fact::Many);
    }
    Ok(Filtered { condition, facts })
}

/// Recursion is bounded by [`MAX_DEPTH`].
fn lower(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    tree: &Tree<'_>,
    place: Place,
    facts: &mut Vec<Fact>,
) -> Result<Expr, QueryError> {
    match tree {
        Tree::Compare(comparison) => compare(scope, words, comparison, place, facts),
        Tree::Not(inner) => {
            if place.required {
                facts.push(Fact::Other);
            }
            Ok(lower(scope, words, inner, Place { required: false, negated: true }, facts)?.not())
        }
        Tree::All(parts) => {
            let mut terms = Vec::with_capacity(parts.len());
            for part in parts {
                terms.push(lower(scope, words, part, place, facts)?);
            }
            Ok(chain(terms, true))
        }
        Tree::Any(parts) => {
            if place.required {
                facts.push(Fact::Other);
            }
            let place = Place { required: false, ..place };
            let mut terms = Vec::with_capacity(parts.len());
            for part in parts {
                terms.push(lower(scope, words, part, place, facts)?);
            }
            Ok(chain(terms, false))
        }
    }
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
) -> Result<Expr, QueryError> {
    let left = scope.column(&comparison.left)?;
    fits(&left, comparison.lookup)?;
    let (expr, fact, nullable) = match &comparison.right {
        Operand::Param(param) => {
            let total = comparison.lookup == Lookup::Isnull || (comparison.lookup == Lookup::Exact && left.nullable);
            let (expr, fact) = with_param(scope, words, &left, comparison.lookup, *param, place.negated);
            (expr, fact, left.nullable && !total)
        }
        Operand::Field(path) => {
            let right = scope.column(path)?;
            let expr = with_field(&left, comparison.lookup, &right)?;
            let guarded = if right.nullable && place.negated { expr.and(right.expr.is_not_null()) } else { expr };
            (guarded, Fact::Other, left.nullable)
        }
    };
    if place.required {
        facts.push(fact);
    }
    Ok(if place.negated && nullable { expr.and(left.expr.is_not_null()) } else { expr })
}

/// Whether a lookup makes sense for a field's kind.
fn fits(left: &Column<'_>, lookup: Lookup) -> Result<(), QueryError> {
    let kind = &left.field.kind;
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
    left: &Column<'_>,
    lookup: Lookup,
    param: u32,
    negated: bool,
) -> (Expr, Fact) {
    let kind = &left.field.kind;
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
        Lookup::Startswith => words.begins(expr, &mut |code| slot(code, false)),
        Lookup::Istartswith => words.begins_folded(expr, slot(Code::Needle { folded: true, bytes: false }, false)),
        Lookup::Endswith | Lookup::Iendswith => {
            let folded = lookup == Lookup::Iendswith;
            let needle = slot(Code::Needle { folded, bytes: true }, false);
            words.ends(expr, needle, slot(Code::Needle { folded, bytes: true }, false), folded)
        }
        Lookup::Iexact => words.same_folded(expr, slot(Code::Needle { folded: true, bytes: false }, false)),
        Lookup::Regex => words.matches(expr, slot(Code::Pattern { folded: false }, false)),
        Lookup::Iregex => words.matches(expr, slot(Code::Pattern { folded: true }, false)),
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

fn with_field(left: &Column<'_>, lookup: Lookup, right: &Column<'_>) -> Result<Expr, QueryError> {
    let (a, b) = (&left.field.kind, &right.field.kind);
    let alike = match (a, b) {
        (Kind::Decimal(one), Kind::Decimal(other)) => {
            let wide = |digits| digits > covet_db::INTEGER_DIGITS;
            one.scale == other.scale
                && (if wide(one.digits) { one.digits == other.digits } else { !wide(other.digits) })
        }
        (Kind::Json, _) | (_, Kind::Json) => a == b,
        _ if a.is_textual() => b.is_textual(),
        _ if a.is_integer() || a.is_float() => b.is_integer() || b.is_float(),
        _ => a == b,
    };
    if !alike {
        return Err(QueryError::bad(format!(
            "{} ({}) can't be compared with {} ({}): their kinds differ",
            left.label,
            a.label(),
            right.label,
            b.label()
        )));
    }
    let (one, other) = (left.expr.clone(), right.expr.clone());
    Ok(match lookup {
        Lookup::Exact => one.eq(other),
        Lookup::Gt => one.gt(other),
        Lookup::Gte => one.gte(other),
        Lookup::Lt => one.lt(other),
        Lookup::Lte => one.lte(other),
        _ => {
            return Err(QueryError::bad(format!(
                "{}: lookup {} takes a parameter; with a field use exact, gt, gte, lt or lte",
                left.label,
                lookup.label()
            )));
        }
    })
}
