//! Select, count and exists.

use std::collections::BTreeSet;

use covet_db::{Access, Group, Kind as Stored, Statement};
use sea_query::{Expr, Query, SelectStatement};

use super::filter::{Filtered, filter};
use super::order;
use super::path::Scope;
use super::proof::{self, Brevity, Fact, Rule, by_key, by_order, placed};
use super::query::{self, Text};
use super::{Made, Read, Step};
use crate::QueryError;
use crate::bind::Code;
use crate::catalog::Catalog;
use crate::dialect::Words;
use crate::schema::Kind;
use crate::shape::{FieldPath, Node, Select};

/// Most rows of a select without a limit; one more is an error, nothing is cut off in silence.
pub const ROW_GUARD: u64 = 10_000;
/// Largest limit that may be asked for.
pub const MAX_LIMIT: i64 = 1_000_000;
/// Most columns of an answer; SQLite's own limit is 2,000.
pub const MAX_COLUMNS: usize = 1_500;

const ROOT: &str = "t0";

pub(super) fn select(catalog: &Catalog, words: &dyn Words, root: usize, shape: &Select) -> Result<Made, QueryError> {
    let mut scope = Scope::new(catalog, root, ROOT)?;
    let mut statement = Query::select();
    let columns = if shape.fields.is_empty() {
        // Joined before the rest is planned, so that filter and order share these joins.
        whole_models(&mut scope, &mut statement, &shape.related)?
    } else {
        check_related(&mut scope, &shape.related)?;
        vec![projection(&mut scope, &mut statement, &shape.fields)?]
    };
    if columns.iter().map(|group| group.kinds.len()).sum::<usize>() > MAX_COLUMNS {
        return Err(QueryError::TooLarge(format!(
            "the answer has more than {MAX_COLUMNS} columns: name fields, or relate fewer models"
        )));
    }
    if shape.distinct {
        statement.distinct();
    }
    let Filtered { condition, facts } = filter(&mut scope, words, &shape.filter)?;
    statement.and_where_option(condition);
    let key = by_key(scope.root, &facts);
    // One row needs no order.
    let single = key.as_ref().is_some_and(proof::KeyProof::is_single);
    let own_order = if single {
        order::check(&scope, &shape.order)?;
        Some(Vec::new())
    } else {
        order::order_by(&mut scope, &mut statement, words, shape, &facts)?
    };
    let (limit, offset) = page(&mut scope, &mut statement, words, shape);
    scope.from(&mut statement)?;
    let params = scope.count_params()?;
    let reads = scope.models();
    let text = query::text(&mut scope, words.dialect(), words.select(&statement));
    let by_page = match (own_order, limit) {
        (Some(order), Some(limit)) if !shape.distinct && by_order(scope.root, &facts, &order) => {
            let offset = offset.map(|slot| proof::place(&text.order, slot));
            match (proof::place(&text.order, limit), offset) {
                (_, Some(None)) | (None, _) => Rule::Never,
                (Some(limit), offset) => Rule::Page { limit, offset: offset.flatten() },
            }
        }
        _ => Rule::Never,
    };
    let brevity = match key {
        Some(key) if key.is_single() || by_page == Rule::Never => placed(&key, &text.order),
        _ => Brevity { rule: by_page, not_null: Vec::new() },
    };
    let limit = limit.and_then(|slot| proof::place(&text.order, slot));
    let read = read(text, columns, brevity);
    let guard = scope.root.model.max_rows.map_or(ROW_GUARD, u64::from);
    Ok(Made { step: Step::Select { read, limit, guard }, params, reads, writes: BTreeSet::new() })
}

/// The model's own fields, then those of each related model as a group of its own.
fn whole_models(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    related: &[Vec<String>],
) -> Result<Vec<Group>, QueryError> {
    let mut groups = vec![Group::flat(add_model(scope, statement, 0)?)];
    for at in check_related(scope, related)? {
        let kinds = add_model(scope, statement, at)?;
        let Some((source, entry)) = scope.source(at) else {
            continue;
        };
        // The driver tells an absent row by its first column.
        let telling = entry.field(0).is_some_and(|first| !first.nullable);
        if source.optional && !telling {
            return Err(QueryError::bad(format!(
                "{} can't be related where the relation may be null, because its first field may be null too: declare its primary key first",
                entry.model.name
            )));
        }
        groups.push(Group::nested(kinds, source.optional));
    }
    Ok(groups)
}

fn add_model(scope: &Scope<'_>, statement: &mut SelectStatement, at: usize) -> Result<Vec<Stored>, QueryError> {
    let fields = scope.source(at).map_or(0, |(_, entry)| entry.model.fields.len());
    let mut kinds = Vec::with_capacity(fields);
    for index in 0..fields {
        let column = scope.own_column(at, index, String::new())?;
        kinds.push(column.field.kind.storage());
        statement.expr(column.expr);
    }
    Ok(kinds)
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

fn projection(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    fields: &[FieldPath],
) -> Result<Group, QueryError> {
    if fields.len() > MAX_COLUMNS {
        return Err(QueryError::TooLarge(format!("{} fields are named, at most {MAX_COLUMNS} fit", fields.len())));
    }
    let mut kinds = Vec::with_capacity(fields.len());
    for path in fields {
        let column = scope.column(path)?;
        kinds.push(column.field.kind.storage());
        statement.expr(column.expr);
    }
    Ok(Group::flat(kinds))
}

fn page(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    words: &dyn Words,
    shape: &Select,
) -> (Option<u64>, Option<u64>) {
    let rows =
        |scope: &mut Scope<'_>, param, most, label| scope.slot(param, Code::Rows { most }, &Kind::Int64, false, label);
    // A model's own guard is the most that a limit may ask for as well.
    let most = scope.root.model.max_rows.map_or(MAX_LIMIT, i64::from);
    let limit = shape.limit.map(|param| rows(scope, param, most, "limit"));
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

pub(super) fn count(catalog: &Catalog, words: &dyn Words, root: usize, nodes: &[Node]) -> Result<Made, QueryError> {
    let mut scope = Scope::new(catalog, root, ROOT)?;
    let mut statement = Query::select();
    statement.expr(Expr::cust("COUNT(*)"));
    let facts = body(&mut scope, &mut statement, words, nodes)?;
    let (params, reads) = (scope.count_params()?, scope.models());
    let text = query::text(&mut scope, words.dialect(), words.select(&statement));
    let brevity = by_key(scope.root, &facts).map(|key| placed(&key, &text.order)).unwrap_or_default();
    let read = read(text, vec![Group::flat(vec![Stored::Int])], brevity);
    Ok(Made { step: Step::Scalar { read }, params, reads, writes: BTreeSet::new() })
}

pub(super) fn exists(catalog: &Catalog, words: &dyn Words, root: usize, nodes: &[Node]) -> Result<Made, QueryError> {
    let mut scope = Scope::new(catalog, root, ROOT)?;
    let mut statement = Query::select();
    statement.expr(Expr::cust("1"));
    let facts = body(&mut scope, &mut statement, words, nodes)?;
    let (params, reads) = (scope.count_params()?, scope.models());
    let (inner, values) = words.select(&statement);
    // Every dialect takes this frame as it stands; LIMIT through sea-query would be one placeholder more.
    let text = query::text(&mut scope, words.dialect(), (format!("SELECT EXISTS({inner} LIMIT 1)"), values));
    let brevity = match by_key(scope.root, &facts) {
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
fn body(
    scope: &mut Scope<'_>,
    statement: &mut SelectStatement,
    words: &dyn Words,
    nodes: &[Node],
) -> Result<Vec<Fact>, QueryError> {
    let Filtered { condition, facts } = filter(scope, words, nodes)?;
    statement.and_where_option(condition);
    scope.from(statement)?;
    Ok(facts)
}
