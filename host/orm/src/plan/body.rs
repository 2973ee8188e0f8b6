//! The statement of a select, wherever it stands: by itself, within another query, as a part of a combination.

use covet_db::Group;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use super::filter::{Filtered, filter};
use super::order;
use super::path::Scope;
use super::proof::{Fact, KeyProof, by_key};
use super::query;
use super::term::Term;
use super::tree::{Tree, parse_value};
use super::value::{ordered, value};
use super::{combine, group};
use crate::QueryError;
use crate::bind::Code;
use crate::catalog::KeyColumn;
use crate::dialect::Words;
use crate::schema::Kind;
use crate::shape::{FieldPath, Node, Select};

/// Largest limit that may be asked for.
pub const MAX_LIMIT: i64 = 1_000_000;
/// Most columns of an answer; SQLite's own limit is 2,000.
pub const MAX_COLUMNS: usize = 1_500;

/// What is needed of a select.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Rows, as the shape says.
    Rows,
    /// That there are some.
    Nothing,
    /// One value a row, to find another one among.
    Values,
    /// The value of the first row.
    First,
    /// Named columns, for a query over this one: `c0`, `c1`, …
    Columns,
    /// As `Columns`; of whole models the primary key will do.
    Keys,
}

impl Needs {
    fn named(self) -> bool {
        matches!(self, Needs::Columns | Needs::Keys | Needs::Values)
    }

    fn whole(self) -> bool {
        matches!(self, Needs::Rows | Needs::Columns)
    }
}

/// A planned select.
pub(super) struct Body {
    pub statement: SelectStatement,
    /// How the driver lays out a row.
    pub columns: Vec<Group>,
    /// The columns, in their order.
    pub terms: Vec<Term>,
    /// What the columns are in the shape, where they stand in it one by one.
    pub nodes: Vec<Vec<Node>>,
    pub facts: Vec<Fact>,
    pub key: Option<KeyProof>,
    /// The order as fields of the root; none where it lies elsewhere too.
    pub order: Option<Vec<KeyColumn>>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// Rows of the answer are not rows of tables.
    pub derived: bool,
}

/// Plans a select in the scope of its model. `extra`: values besides those of the shape, for a query over this one.
pub(super) fn body(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &Select,
    needs: Needs,
    extra: &[&Tree<'_>],
) -> Result<Body, QueryError> {
    if !shape.combine.is_empty() {
        return combine::body(scope, words, shape, needs);
    }
    let mut statement = Query::select();
    if !shape.distinct_on.is_empty() {
        let keys = firsts(scope, words, shape)?;
        statement.and_where(keys);
    }
    let projected = project(scope, words, shape, needs, extra)?;
    projected.write(&mut statement, needs);
    let Filtered { condition, having, facts } =
        if shape.distinct_on.is_empty() { filter(scope, words, &shape.filter)? } else { Filtered::default() };
    let grouped = group::group_by(scope, words, &mut statement, shape, &projected, having.is_some())?;
    statement.and_where_option(condition);
    if let Some(having) = having {
        statement.and_having(having);
    }
    if shape.distinct {
        statement.distinct();
    }
    let derived = grouped.is_some() || !shape.distinct_on.is_empty();
    let key = by_key(scope.root, &facts).filter(|_| !derived);
    let single = key.as_ref().is_some_and(KeyProof::is_single);
    // What nobody sees the order of needs none, unless a limit cuts it.
    let ordered = matches!(needs, Needs::Rows | Needs::First) || shape.limit.is_some() || shape.offset.is_some();
    let order = if single || !ordered {
        // One row needs no order.
        order::check(scope, words, &shape.order)?;
        Some(Vec::new())
    } else {
        let rows =
            order::Rows { keyed: projected.keyed(shape, grouped), named: grouped == Some(group::Grouped::ByValues) };
        order::order_by(scope, words, &mut statement, shape, &facts, &projected.nodes, rows)?
    };
    if grouped == Some(group::Grouped::ByRow) {
        // Every path has been walked by now.
        statement.add_group_by(scope.keys()?);
    }
    let (limit, offset) = page(scope, &mut statement, words, shape, needs);
    scope.from(&mut statement)?;
    let Projected { groups: columns, terms, nodes, .. } = projected;
    Ok(Body { statement, columns, terms, nodes, facts, key, order, limit, offset, derived })
}

/// What a select yields.
pub(super) struct Projected {
    pub groups: Vec<Group>,
    pub terms: Vec<Term>,
    pub nodes: Vec<Vec<Node>>,
    /// An aggregate stands among them.
    pub aggregates: bool,
}

impl Projected {
    fn write(&self, statement: &mut SelectStatement, needs: Needs) {
        for (at, term) in self.terms.iter().enumerate() {
            if needs.named() {
                statement.expr_as(term.expr.clone(), Alias::new(column_name(at)));
            } else {
                statement.expr(term.expr.clone());
            }
        }
        if self.terms.is_empty() {
            statement.expr(Expr::cust("1"));
        }
    }

    /// Whether rows may be ordered by their key: DISTINCT over named fields has none left, nor do groups.
    fn keyed(&self, shape: &Select, grouped: Option<group::Grouped>) -> bool {
        (!shape.distinct || shape.fields.is_empty()) && grouped != Some(group::Grouped::ByValues)
    }
}

/// Name of a column of a query that another one stands over.
pub(super) fn column_name(at: usize) -> String {
    format!("c{at}")
}

fn project(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    shape: &Select,
    needs: Needs,
    extra: &[&Tree<'_>],
) -> Result<Projected, QueryError> {
    let mut made = Projected { groups: Vec::new(), terms: Vec::new(), nodes: Vec::new(), aggregates: false };
    if shape.fields.len() + shape.computed.len() > MAX_COLUMNS {
        return Err(too_many_columns());
    }
    let whole = shape.fields.is_empty() && shape.group.is_none() && (shape.computed.is_empty() || needs.whole());
    if whole && needs.whole() {
        // Joined before the rest is planned, so that filter and order share these joins.
        whole_models(scope, shape, &mut made)?;
    } else {
        check_related(scope, &shape.related)?;
        if whole && needs != Needs::Nothing {
            add_field(scope, 0, scope.root.primary_key, &mut made)?;
        }
    }
    let needed = needs != Needs::Nothing || shape.distinct || shape.group.is_some();
    for nodes in shape.fields.iter().chain(&shape.computed).filter(|_| needed) {
        let tree = parse_value(nodes)?;
        made.aggregates |= tree.aggregates();
        made.terms.push(value(scope, words, &tree, None)?);
        made.nodes.push(nodes.clone());
    }
    for tree in extra {
        made.aggregates |= tree.aggregates();
        made.terms.push(value(scope, words, tree, None)?);
    }
    let laid: usize = made.groups.iter().map(|group| group.kinds.len()).sum();
    let rest: Vec<_> = made.terms.iter().skip(laid).map(|term| term.kind.storage()).collect();
    if !rest.is_empty() {
        made.groups.push(Group::flat(rest));
    }
    if made.terms.len() > MAX_COLUMNS {
        return Err(too_many_columns());
    }
    if needs != Needs::Rows && made.groups.iter().any(|group| group.nested) {
        return Err(QueryError::bad("a query within another one relates no models: name the fields that are needed"));
    }
    Ok(made)
}

fn too_many_columns() -> QueryError {
    QueryError::TooLarge(format!(
        "the answer has too many columns, at most {MAX_COLUMNS} are allowed: name fields, or relate fewer models"
    ))
}

fn add_field(scope: &Scope<'_>, at: usize, index: usize, made: &mut Projected) -> Result<(), QueryError> {
    let column = scope.own_column(at, index, String::new())?;
    made.nodes.push(vec![Node::Field(FieldPath::of(&column.field.name))]);
    made.terms.push(Term::from(column));
    Ok(())
}

/// The model's own fields, then those of each related model as a group of its own.
fn whole_models(scope: &mut Scope<'_>, shape: &Select, made: &mut Projected) -> Result<(), QueryError> {
    for index in 0..scope.root.model.fields.len() {
        add_field(scope, 0, index, made)?;
    }
    made.groups.push(Group::flat(made.terms.iter().map(|term| term.kind.storage()).collect()));
    for at in check_related(scope, &shape.related)? {
        let Some((source, entry)) = scope.source(at) else {
            continue;
        };
        let optional = source.optional;
        // The driver tells an absent row by its first column.
        let telling = entry.field(0).is_some_and(|first| !first.nullable);
        if optional && !telling {
            return Err(QueryError::bad(format!(
                "{} can't be related where the relation may be null, because its first field may be null too: declare its primary key first",
                entry.model.name
            )));
        }
        let before = made.terms.len();
        for index in 0..entry.model.fields.len() {
            let column = scope.own_column(at, index, String::new())?;
            // A column of a related model is named by no nodes of the shape.
            made.nodes.push(Vec::new());
            made.terms.push(Term::from(column));
        }
        let kinds = made.terms.iter().skip(before).map(|term| term.kind.storage()).collect();
        made.groups.push(Group::nested(kinds, optional));
    }
    Ok(())
}

/// Joins the related models; each path's beginning must stand before it, and none twice.
fn check_related(scope: &mut Scope<'_>, related: &[Vec<String>]) -> Result<Vec<usize>, QueryError> {
    let mut sources = Vec::with_capacity(related.len().min(64));
    for (at, path) in related.iter().enumerate() {
        let before = related.get(..at).unwrap_or_default();
        let Some((_, head)) = path.split_last() else {
            return Err(QueryError::bad("a related path is empty: name a relation, as [\"author\"]"));
        };
        if before.contains(path) {
            return Err(QueryError::bad(format!("related path {} stands twice: remove one", path.join("."))));
        }
        if !head.is_empty() && !before.iter().any(|earlier| earlier == head) {
            return Err(QueryError::bad(format!("related path {} needs {} before it", path.join("."), head.join("."))));
        }
        sources.push(scope.walk(path)?);
    }
    if scope.multiplies() {
        return Err(QueryError::bad("a related path leads to many rows: fetch those with `prefetch`"));
    }
    Ok(sources)
}

pub(super) fn page(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    words: &dyn Words,
    shape: &Select,
    needs: Needs,
) -> (Option<u64>, Option<u64>) {
    let rows =
        |scope: &mut Scope<'_>, param, most, label| scope.slot(param, Code::Rows { most }, &Kind::Int64, false, label);
    // A model's own guard is the most that a limit may ask for as well.
    let most = scope.root.model.max_rows.map_or(MAX_LIMIT, i64::from);
    let limit = match shape.limit {
        Some(param) => Some(rows(scope, param, most, "limit")),
        None if needs == Needs::First => Some(query::constant(scope, 1)),
        None => None,
    };
    let offset = shape.offset.map(|param| rows(scope, param, i64::MAX, "offset"));
    if let Some(limit) = limit {
        statement.limit(limit);
    } else if let (Some(_), Some(none)) = (offset, words.no_limit()) {
        statement.limit(query::constant(scope, none));
    }
    if let Some(offset) = offset {
        statement.offset(offset);
    }
    (limit, offset)
}

/// Which rows are the first of those that agree in the values of `distinct-on`, as a condition on the key. No two databases
/// have DISTINCT ON alike; all have ROW_NUMBER.
fn firsts(scope: &mut Scope<'_>, words: &dyn Words, shape: &Select) -> Result<Expr, QueryError> {
    if shape.distinct || shape.group.is_some() {
        return Err(QueryError::bad("distinct-on goes with neither distinct nor group: it chooses whole rows"));
    }
    let (key, number, inner) = (Alias::new("c0"), Alias::new("c1"), Alias::new(scope.alias()));
    let mut partition = Vec::with_capacity(shape.distinct_on.len());
    for nodes in &shape.distinct_on {
        let term = value(scope, words, &parse_value(nodes)?, None)?;
        if term.kind == Kind::Json {
            ordered(&term.kind, "distinct-on")?;
        }
        partition.push(term.expr);
    }
    let Filtered { condition, having, facts } = filter(scope, words, &shape.filter)?;
    if having.is_some() {
        return Err(QueryError::bad("distinct-on chooses among rows: filter by aggregates in a query of their own"));
    }
    // Any order will do to number by, but the same one each time.
    let pages = Select { limit: Some(0), ..shape.clone() };
    let orders = order::values(scope, words, &pages, &facts)?;
    let own_key = scope.own_column(0, scope.root.primary_key, String::new())?;
    let row_number = words.over(Expr::cust("ROW_NUMBER()"), partition, orders);
    let mut numbered = Query::select();
    numbered.expr_as(own_key.expr, key.clone()).expr_as(row_number, number.clone());
    numbered.and_where_option(condition);
    scope.from(&mut numbered)?;
    let mut keys = Query::select();
    keys.expr(Expr::col((inner.clone(), key)))
        .from_subquery(numbered, inner.clone())
        .and_where(Expr::col((inner, number)).eq(Expr::cust("1")));
    scope.restart();
    let key = scope.own_column(0, scope.root.primary_key, String::new())?;
    Ok(key.expr.in_subquery(keys))
}
