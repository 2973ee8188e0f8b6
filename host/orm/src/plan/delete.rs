//! Deletions, with all that goes along: which models a deletion may reach, and the statements that it needs on the way.
//!
//! What is done with the rows that point to a deleted one is decided here and not left to the database: it could not name the
//! model that protects a row, could not count what went by cascade, and MySQL knows no SET DEFAULT. How the statements follow
//! one another stands in [`crate::program`].

use std::collections::{BTreeMap, BTreeSet};

use covet_db::{Access, Group, Statement, Value};
use sea_query::{Alias, Query};

use super::filter::{Filtered, filter};
use super::path::Scope;
use super::query::{self, Text, placeholder};
use super::select::no_groups;
use super::write::narrowed;
use super::{Ground, Made, Step};
use crate::QueryError;
use crate::bind::{Code, Slots};
use crate::catalog::{Catalog, constant};
use crate::dialect::Words;
use crate::schema::{Field, Kind, OnDelete};
use crate::shape::Node;

/// A deletion, ready to run.
#[derive(Debug)]
pub(crate) struct Deletion {
    /// The model whose rows were named, as an index into `parts`.
    pub root: usize,
    /// The deletion itself where nothing points to the model, else the query of the keys of its rows.
    pub first: First,
    pub slots: Slots,
    /// Every model that it may take rows of, parents first.
    pub parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) enum First {
    Delete(Statement),
    Keys(Statement),
}

/// A model that rows are deleted of.
#[derive(Debug)]
pub(crate) struct Part {
    pub model: String,
    pub key: Kind,
    /// `DELETE … WHERE key IN (…)`
    pub delete: Statement,
    /// Who points to it.
    pub edges: Vec<Edge>,
}

/// A relation that points to a model whose rows are deleted.
#[derive(Debug)]
pub(crate) struct Edge {
    /// `Post.author`
    pub label: String,
    pub model: String,
    pub rule: Rule,
}

#[derive(Debug)]
pub(crate) enum Rule {
    /// Rows of that part go along: the query of their keys.
    Cascade { part: usize, keys: Statement },
    /// Rows of that part go along, and nothing hangs on them: the deletion.
    CascadeLast { part: usize, delete: Statement },
    /// No row may point there: the count of those that do.
    Protect { count: Statement },
    /// As `Protect`, but for rows that go along anyway: the query of their keys.
    Restrict { part: Option<usize>, key: Kind, keys: Statement },
    /// Rows that point there point elsewhere: the update, with what they get.
    Set { update: Statement, value: Value },
}

pub(super) fn delete(ground: Ground<'_>, nodes: &[Node]) -> Result<Made, QueryError> {
    let Ground { catalog, words, root, .. } = ground;
    let reached = Reached::from(catalog, root);
    let (first, slots, params, reads) = if reached.is_leaf(catalog, root) {
        let (text, params, reads) = narrowed(ground, nodes, |scope, condition| {
            let mut statement = Query::delete();
            statement.from_table(Alias::new(scope.root.model.table.as_str()));
            statement.and_where_option(condition);
            Ok(words.delete(&statement))
        })?;
        let (statement, slots) = write(text);
        (First::Delete(statement), slots, params, reads)
    } else {
        let (text, kind, params, reads) = keys_of_filter(ground, nodes)?;
        let (statement, slots) = rows(text, &kind);
        (First::Keys(statement), slots, params, reads)
    };
    // Parents first: read backwards, no row is deleted before those that point to it.
    let order: Vec<usize> =
        catalog.creation_order().into_iter().filter(|model| reached.deleted.contains(model)).collect();
    let places: BTreeMap<usize, usize> = order.iter().enumerate().map(|(at, model)| (*model, at)).collect();
    let parts: Result<Vec<Part>, QueryError> =
        order.iter().map(|model| part(catalog, words, *model, &places, &reached)).collect();
    let deletion = Deletion { root: places.get(&root).copied().unwrap_or_default(), first, slots, parts: parts? };
    let reads: BTreeSet<usize> = reads.into_iter().chain(reached.read).collect();
    Ok(Made { step: Step::Delete(Box::new(deletion)), params, reads, writes: reached.written })
}

/// The models that a deletion may touch.
struct Reached {
    deleted: BTreeSet<usize>,
    written: BTreeSet<usize>,
    /// Looked into for rows that forbid it.
    read: BTreeSet<usize>,
    /// A rule looks at which rows go along, so that their keys must be known.
    restricts: bool,
}

impl Reached {
    fn from(catalog: &Catalog, root: usize) -> Reached {
        let mut reached = Reached {
            deleted: BTreeSet::from([root]),
            written: BTreeSet::from([root]),
            read: BTreeSet::new(),
            restricts: false,
        };
        let mut left = vec![root];
        while let Some(at) = left.pop() {
            for (model, field) in referencing(catalog, at) {
                match field.references.as_ref().map(|relation| relation.on_delete) {
                    Some(OnDelete::Cascade) => {
                        reached.written.insert(model);
                        if reached.deleted.insert(model) {
                            left.push(model);
                        }
                    }
                    Some(OnDelete::SetNull | OnDelete::SetDefault | OnDelete::SetValue) => {
                        reached.written.insert(model);
                    }
                    Some(OnDelete::Restrict) => {
                        reached.restricts = true;
                        reached.read.insert(model);
                    }
                    Some(OnDelete::Protect) => {
                        reached.read.insert(model);
                    }
                    Some(OnDelete::DoNothing) | None => {}
                }
            }
        }
        reached
    }

    /// True when rows of the model can be deleted without a look at their keys.
    fn is_leaf(&self, catalog: &Catalog, model: usize) -> bool {
        let bound = |field: &Field| field.references.as_ref().is_some_and(|to| to.on_delete != OnDelete::DoNothing);
        !self.restricts && !referencing(catalog, model).any(|(_, field)| bound(field))
    }
}

/// Fields that point to a model, each with the model that has it.
fn referencing(catalog: &Catalog, model: usize) -> impl Iterator<Item = (usize, &Field)> {
    let pointing = catalog.entry(model).map(|entry| entry.referenced_by.as_slice()).unwrap_or_default();
    pointing.iter().filter_map(|(model, field)| Some((*model, catalog.entry(*model)?.field(*field)?)))
}

fn part(
    catalog: &Catalog,
    words: &dyn Words,
    model: usize,
    places: &BTreeMap<usize, usize>,
    reached: &Reached,
) -> Result<Part, QueryError> {
    let gone = || QueryError::bad("a model left the catalog");
    let entry = catalog.entry(model).ok_or_else(gone)?;
    let key = entry.primary_key().ok_or_else(gone)?;
    let mut edges = Vec::new();
    for (child, field) in referencing(catalog, model) {
        let Some(relation) = &field.references else {
            continue;
        };
        let from = catalog.entry(child).ok_or_else(gone)?;
        let at = from.field_index(&field.name).ok_or_else(gone)?;
        let key_of_child = from.primary_key().ok_or_else(gone)?.kind.clone();
        let set = |value: Value| -> Result<Rule, QueryError> {
            Ok(Rule::Set { update: write(update(catalog, words, child, at)?).0, value })
        };
        let rule = match relation.on_delete {
            OnDelete::DoNothing => continue,
            OnDelete::Cascade => match places.get(&child) {
                Some(part) if reached.is_leaf(catalog, child) => {
                    Rule::CascadeLast { part: *part, delete: write(delete_where(catalog, words, child, at)?).0 }
                }
                Some(part) => {
                    Rule::Cascade { part: *part, keys: rows(keys_where(catalog, words, child, at)?, &key_of_child).0 }
                }
                None => return Err(gone()),
            },
            OnDelete::Protect => Rule::Protect { count: count_where(catalog, words, child, at)? },
            OnDelete::Restrict => Rule::Restrict {
                part: places.get(&child).copied(),
                keys: rows(keys_where(catalog, words, child, at)?, &key_of_child).0,
                key: key_of_child,
            },
            OnDelete::SetNull => set(Value::Null)?,
            OnDelete::SetDefault => set(from.defaults.get(at).cloned().flatten().unwrap_or(Value::Null))?,
            OnDelete::SetValue => {
                let value = relation.value.as_deref().unwrap_or_default();
                set(constant(field, value).map_err(QueryError::bad)?)?
            }
        };
        let label = format!("{}.{}", from.model.name, field.name);
        edges.push(Edge { label, model: from.model.name.clone(), rule });
    }
    let delete = write(delete_where(catalog, words, model, entry.primary_key)?).0;
    Ok(Part { model: entry.model.name.clone(), key: key.kind.clone(), delete, edges })
}

fn write(text: Text) -> (Statement, Slots) {
    text.statement(Vec::new(), Access::Write)
}

fn rows(text: Text, key: &Kind) -> (Statement, Slots) {
    text.statement(vec![Group::flat(vec![key.storage()])], Access::Read)
}

fn keys_of_filter(ground: Ground<'_>, nodes: &[Node]) -> Result<(Text, Kind, u32, BTreeSet<usize>), QueryError> {
    let words = ground.words;
    let mut scope = ground.scope("t0")?;
    let Filtered { condition, having, .. } = filter(&mut scope, words, nodes)?;
    no_groups(having.is_some())?;
    let key = scope.own_column(0, scope.root.primary_key, String::new())?;
    let kind = key.field.kind.clone();
    let mut statement = Query::select();
    statement.expr(key.expr).and_where_option(condition);
    if scope.multiplies() {
        statement.distinct();
    }
    scope.from(&mut statement)?;
    let (params, reads) = (scope.count()?, scope.models());
    Ok((query::text(&mut scope, words.dialect(), words.select(&statement)), kind, params, reads))
}

/// A scope over one table, and its column at `field` among the values of a list.
fn among<'c>(
    catalog: &'c Catalog,
    words: &dyn Words,
    model: usize,
    field: usize,
) -> Result<(Scope<'c>, sea_query::Expr), QueryError> {
    let table = catalog.entry(model).map(|entry| entry.model.table.as_str()).unwrap_or_default();
    let mut scope = Scope::new(catalog, model, table)?;
    let column = scope.own_column(0, field, String::new())?;
    let list = scope.slot(0, Code::List, &column.field.kind, false, &column.field.name);
    Ok((scope, words.member(column.expr, placeholder(list), false)))
}

fn keys_where(catalog: &Catalog, words: &dyn Words, model: usize, field: usize) -> Result<Text, QueryError> {
    let (mut scope, condition) = among(catalog, words, model, field)?;
    let key = scope.own_column(0, scope.root.primary_key, String::new())?;
    let mut statement = Query::select();
    statement.expr(key.expr).and_where(condition);
    scope.from(&mut statement)?;
    Ok(query::text(&mut scope, words.dialect(), words.select(&statement)))
}

fn count_where(catalog: &Catalog, words: &dyn Words, model: usize, field: usize) -> Result<Statement, QueryError> {
    let (mut scope, condition) = among(catalog, words, model, field)?;
    let mut statement = Query::select();
    statement.expr(sea_query::Expr::cust("COUNT(*)")).and_where(condition);
    scope.from(&mut statement)?;
    let text = query::text(&mut scope, words.dialect(), words.select(&statement));
    Ok(text.statement(vec![Group::flat(vec![covet_db::Kind::Int])], Access::Read).0)
}

fn delete_where(catalog: &Catalog, words: &dyn Words, model: usize, field: usize) -> Result<Text, QueryError> {
    let (mut scope, condition) = among(catalog, words, model, field)?;
    let mut statement = Query::delete();
    statement.from_table(Alias::new(scope.root.model.table.as_str())).and_where(condition);
    Ok(query::text(&mut scope, words.dialect(), words.delete(&statement)))
}

/// `UPDATE … SET field = ? WHERE field IN (…)`: the value stands before the list.
fn update(catalog: &Catalog, words: &dyn Words, model: usize, field: usize) -> Result<Text, QueryError> {
    let (mut scope, condition) = among(catalog, words, model, field)?;
    let column = scope.own_column(0, field, String::new())?.field;
    let value = scope.slot(0, Code::Store, &column.kind, true, &column.name);
    let mut statement = Query::update();
    statement.table(Alias::new(scope.root.model.table.as_str()));
    statement.value(Alias::new(column.column.as_str()), placeholder(value)).and_where(condition);
    Ok(query::text(&mut scope, words.dialect(), words.update(&statement)))
}
