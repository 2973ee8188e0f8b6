//! Select, summary, count and exists.

use std::collections::BTreeSet;

use covet_db::{Access, Group, Kind as Stored, Statement};
use sea_query::{Expr, Query, SelectStatement};

use super::body::{Body, Needs, body};
use super::filter::{Filtered, filter};
use super::path::Scope;
use super::proof::{self, Brevity, Fact, Rule, by_key, by_order, placed};
use super::query::{self, Text};
use super::summary::summary;
use super::{Ground, Made, Read, Step};
use crate::QueryError;
use crate::dialect::Words;
use crate::shape::{Node, Select, Summary};

/// Most rows of a select without a limit; one more is an error, nothing is cut off in silence.
pub const ROW_GUARD: u64 = 10_000;

const ROOT: &str = "t0";

pub(super) fn select(ground: Ground<'_>, shape: &Select) -> Result<Made, QueryError> {
    let mut scope = ground.scope(ROOT)?;
    let made = body(&mut scope, ground.words, shape, Needs::Rows, &[])?;
    rows(ground, scope, shape, made)
}

pub(super) fn summarise(ground: Ground<'_>, shape: &Summary) -> Result<Made, QueryError> {
    let mut scope = ground.scope(ROOT)?;
    let made = summary(&mut scope, ground.words, shape)?;
    rows(ground, scope, &shape.of, Body { limit: None, ..made })
}

fn rows(ground: Ground<'_>, mut scope: Scope<'_>, shape: &Select, made: Body) -> Result<Made, QueryError> {
    let Body { statement, columns, facts, key, order, limit, offset, derived, .. } = made;
    let (params, reads) = (scope.count()?, scope.models());
    let text = query::text(&mut scope, ground.words.dialect(), ground.words.select(&statement));
    let by_page = match (order, limit) {
        (Some(order), Some(limit)) if !shape.distinct && !derived && by_order(scope.root, &facts, &order) => {
            let offset = offset.map(|slot| proof::place(&text.order, slot));
            match (proof::place(&text.order, limit), offset) {
                (_, Some(None)) | (None, _) => Rule::Never,
                (Some(limit), offset) => Rule::Page { limit, offset: offset.flatten() },
            }
        }
        _ => Rule::Never,
    };
    // What else is read to compute a row of few is not few itself.
    let alone = !scope.has_queries();
    let brevity = match key {
        _ if !alone => Brevity::default(),
        Some(key) if key.is_single() || by_page == Rule::Never => placed(&key, &text.order),
        _ => Brevity { rule: by_page, not_null: Vec::new() },
    };
    let limit = limit.and_then(|slot| proof::place(&text.order, slot));
    let read = read(text, columns, brevity);
    let guard = scope.root.model.max_rows.map_or(ROW_GUARD, u64::from);
    Ok(Made { step: Step::Select { read, limit, guard }, params, reads, writes: BTreeSet::new() })
}

/// Both forms of a read. They share the text; access is fixed per statement.
fn read(text: Text, columns: Vec<Group>, brevity: Brevity) -> Read {
    let Text { sql, slots, .. } = text;
    let typed = |access| Statement::typed(sql.as_str(), slots.takes(), columns.clone(), access);
    let short = (brevity.rule != Rule::Never).then(|| typed(Access::ShortRead));
    let long = match &short {
        // Never asked for: no second statement to prepare.
        Some(short) if brevity.rule == Rule::Always && brevity.not_null.is_empty() => short.clone(),
        _ => typed(Access::Read),
    };
    Read { long, short, brevity, slots }
}

pub(super) fn count(ground: Ground<'_>, nodes: &[Node]) -> Result<Made, QueryError> {
    let mut scope = ground.scope(ROOT)?;
    let mut statement = Query::select();
    statement.expr(Expr::cust("COUNT(*)"));
    let facts = filtered(&mut scope, &mut statement, ground.words, nodes)?;
    let (params, reads) = (scope.count()?, scope.models());
    let text = query::text(&mut scope, ground.words.dialect(), ground.words.select(&statement));
    let key = by_key(scope.root, &facts).filter(|_| !scope.has_queries());
    let brevity = key.map(|key| placed(&key, &text.order)).unwrap_or_default();
    let read = read(text, vec![Group::flat(vec![Stored::Int])], brevity);
    Ok(Made { step: Step::Scalar { read }, params, reads, writes: BTreeSet::new() })
}

pub(super) fn exists(ground: Ground<'_>, nodes: &[Node]) -> Result<Made, QueryError> {
    let mut scope = ground.scope(ROOT)?;
    let mut statement = Query::select();
    statement.expr(Expr::cust("1"));
    let facts = filtered(&mut scope, &mut statement, ground.words, nodes)?;
    let (params, reads) = (scope.count()?, scope.models());
    let (inner, values) = ground.words.select(&statement);
    // Every dialect takes this frame as it stands; LIMIT through sea-query would be one placeholder more.
    let text = query::text(&mut scope, ground.words.dialect(), (format!("SELECT EXISTS({inner} LIMIT 1)"), values));
    let brevity = match by_key(scope.root, &facts) {
        _ if scope.has_queries() => Brevity::default(),
        Some(key) if key.is_single() => placed(&key, &text.order),
        // The first row of an index's range answers.
        _ if by_order(scope.root, &facts, &[]) => Brevity { rule: Rule::Always, not_null: Vec::new() },
        Some(key) => placed(&key, &text.order),
        None => Brevity::default(),
    };
    let read = read(text, vec![Group::flat(vec![Stored::Bool])], brevity);
    Ok(Made { step: Step::Scalar { read }, params, reads, writes: BTreeSet::new() })
}

/// Adds WHERE and FROM.
fn filtered(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    words: &dyn Words,
    nodes: &[Node],
) -> Result<Vec<Fact>, QueryError> {
    let Filtered { condition, having, facts } = filter(scope, words, nodes)?;
    no_groups(having.is_some())?;
    statement.and_where_option(condition);
    scope.from(statement)?;
    Ok(facts)
}

/// Refuses a filter by aggregates where there are no groups.
pub(super) fn no_groups(having: bool) -> Result<(), QueryError> {
    if having {
        return Err(QueryError::bad(
            "a filter by an aggregate has no groups here: summarise a select of them, or name their keys by `among`",
        ));
    }
    Ok(())
}
