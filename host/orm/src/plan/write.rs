//! Insert, update, delete and get-or-create.

use std::collections::BTreeSet;

use covet_db::{Access, Group, InsertKey, Param, Statement};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, Values};

use super::filter::{Filtered, filter};
use super::path::{Scope, find};
use super::query::{self, Text, placeholder};
use super::select::no_groups;
use super::tree::{Tree, parse_value};
use super::value::{for_field, value};
use super::{Ground, Made, Step};
use crate::Dialect;
use crate::QueryError;
use crate::bind::{Code, Slots};
use crate::catalog::Entry;
use crate::dialect::{Insertion, Words};
use crate::shape::{Assignment, GetOrCreate, Insert, Node, Parameter, Update};

/// Most rows of one insert.
pub const MAX_INSERT_ROWS: u64 = 50_000;

pub(super) fn insert(ground: Ground<'_>, shape: &Insert) -> Result<Made, QueryError> {
    let (statement, slots, key) = insertion(ground, shape, 0, true)?;
    let params = shape.fields.len() as u32;
    let step = Step::Insert { statement, slots, many: shape.many, key };
    Ok(Made { step, params, reads: BTreeSet::new(), writes: BTreeSet::from([ground.root]) })
}

/// An insert whose values begin at parameter `first`; of `many` rows, or of one that is found again by its key.
fn insertion(
    ground: Ground<'_>,
    shape: &Insert,
    first: u32,
    many: bool,
) -> Result<(Statement, Slots, InsertKey), QueryError> {
    let words = ground.words;
    let mut scope = ground.scope("t0")?;
    let entry = scope.root;
    if shape.fields.len() > entry.model.fields.len() {
        return Err(QueryError::bad(format!(
            "an insert into {} names {} fields, it has {}",
            entry.model.name,
            shape.fields.len(),
            entry.model.fields.len()
        )));
    }
    let mut given = BTreeSet::new();
    let (mut columns, mut numbers) = (Vec::new(), Vec::new());
    let mut key = InsertKey::Generated;
    for (at, name) in shape.fields.iter().enumerate() {
        let index = find(entry, name)?;
        if !given.insert(index) {
            return Err(QueryError::bad(format!("an insert into {} names {name} twice: remove one", entry.model.name)));
        }
        if index == entry.primary_key {
            key = InsertKey::Param(at);
        }
        let Some(field) = entry.field(index) else {
            continue;
        };
        columns.push((field.column.as_str(), field.kind.storage()));
        numbers.push(scope.slot(first + at as u32, Code::Store, &field.kind, field.nullable, &field.name));
    }
    demand_required(entry, &given)?;
    let sql = words.insert(&Insertion {
        table: &entry.model.table,
        columns: &columns,
        key: entry.primary_key().map(|key| key.column.as_str()).unwrap_or_default(),
        ignore_conflicts: shape.ignore_conflicts,
        many,
    });
    let numbers = Values(numbers.into_iter().map(sea_query::Value::from).collect());
    let Text { sql, slots, .. } = query::text(&mut scope, words.dialect(), (sql, numbers));
    // PostgreSQL takes the values of a column as one list.
    let takes = match words.dialect() {
        Dialect::Postgres if many => slots.takes().into_iter().map(|one| Param::list(one.kind)).collect(),
        _ => slots.takes(),
    };
    Ok((Statement::typed(sql, takes, Vec::new(), Access::Write), slots, key))
}

/// Every field must be given, or have a default, or be nullable, or be numbered by the database.
fn demand_required(entry: &Entry, given: &BTreeSet<usize>) -> Result<(), QueryError> {
    let missing: Vec<&str> = entry
        .model
        .fields
        .iter()
        .enumerate()
        .filter(|(index, field)| {
            let defaulted = entry.defaults.get(*index).is_some_and(Option::is_some) && !field.primary_key;
            !given.contains(index) && !field.nullable && !field.auto_increment && !defaulted
        })
        .map(|(_, field)| field.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(QueryError::bad(format!(
        "an insert into {} misses {}: give values, or declare a default",
        entry.model.name,
        missing.join(", ")
    )))
}

pub(super) fn update(ground: Ground<'_>, shape: &Update) -> Result<Made, QueryError> {
    let (text, params, reads) = narrowed(ground, &shape.filter, |scope, condition| {
        let entry = scope.root;
        if shape.assignments.is_empty() {
            return Err(QueryError::bad(format!("an update of {} changes nothing: assign a field", entry.model.name)));
        }
        let mut statement = Query::update();
        statement.table(Alias::new(entry.model.table.as_str()));
        let mut assigned = BTreeSet::new();
        for assignment in &shape.assignments {
            let index = find(entry, &assignment.field)?;
            if !assigned.insert(index) {
                return Err(QueryError::bad(format!("an update assigns {} twice: remove one", assignment.field)));
            }
            let Some(field) = entry.field(index) else {
                continue;
            };
            let value = assigned_value(scope, ground.words, index, assignment)?;
            statement.value(Alias::new(field.column.as_str()), value);
        }
        if scope.has_joins() {
            return Err(QueryError::bad(
                "an assignment speaks of the row's own fields; what lies behind a relation is fetched by a subquery",
            ));
        }
        statement.and_where_option(condition);
        Ok(ground.words.update(&statement))
    })?;
    let (statement, slots) = text.statement(Vec::new(), Access::Write);
    let step = Step::Execute { statement, slots };
    Ok(Made { step, params, reads, writes: BTreeSet::from([ground.root]) })
}

fn assigned_value(
    scope: &mut Scope<'_>,
    words: &dyn Words,
    index: usize,
    assignment: &Assignment,
) -> Result<Expr, QueryError> {
    let entry = scope.root;
    let column = scope.own_column(0, index, assignment.field.clone())?;
    let (field, kind) = (column.field, &column.field.kind);
    if field.primary_key {
        return Err(QueryError::bad(format!(
            "{}.{} is the primary key, which never changes: create a row with the new key and delete this one",
            entry.model.name, field.name
        )));
    }
    if let [Node::Param(Parameter { index, kind: None })] = assignment.value.as_slice() {
        return Ok(placeholder(scope.slot(*index, Code::Store, kind, field.nullable, &field.name)));
    }
    let tree = parse_value(&assignment.value)?;
    if tree.aggregates() || tree.has_window() {
        return Err(QueryError::bad(format!(
            "{}.{} can't be set to an aggregate or a window function: fetch it by a subquery",
            entry.model.name, field.name
        )));
    }
    // A sum past the field's kind fails the column's check, see `ddl`.
    let term = value(scope, words, &tree, Some(kind))?;
    if field.references.is_some() && !term.stored && !matches!(tree, Tree::Subquery(_) | Tree::Choose { .. }) {
        return Err(QueryError::bad(format!(
            "{}.{} is a relation, which can't be calculated with: set it",
            entry.model.name, field.name
        )));
    }
    for_field(words, term, kind, &format!("{}.{}", entry.model.name, field.name))
}

type Built = (String, sea_query::Values);

/// Plans the filter of an update or delete on the table itself, or, where it spans relations, as
/// `WHERE pk IN (SELECT …)`: no dialect joins in both statements alike.
pub(super) fn narrowed<'c>(
    ground: Ground<'c>,
    nodes: &[Node],
    build: impl Fn(&mut Scope<'c>, Option<Expr>) -> Result<Built, QueryError>,
) -> Result<(Text, u32, BTreeSet<usize>), QueryError> {
    let table = ground.catalog.entry(ground.root).map(|entry| entry.model.table.as_str()).unwrap_or_default();
    let mut scope = ground.scope(table)?;
    let Filtered { condition, having, .. } = filter(&mut scope, ground.words, nodes)?;
    no_groups(having.is_some())?;
    if !scope.has_joins() {
        let built = build(&mut scope, condition)?;
        let params = scope.count()?;
        let reads = scope.models();
        return Ok((query::text(&mut scope, ground.words.dialect(), built), params, reads));
    }
    let mut inner = ground.scope("t0")?;
    let Filtered { condition, .. } = filter(&mut inner, ground.words, nodes)?;
    let key = inner.own_column(0, inner.root.primary_key, String::new())?;
    let key_column = key.field.column.as_str();
    let mut select: SelectStatement = Query::select();
    select.expr(key.expr);
    select.and_where_option(condition);
    inner.from(&mut select)?;
    // The scope goes on with the placeholders of the inner query, under the table's own name.
    let mut outer = inner.outside(table);
    let key = outer.own_column(0, outer.root.primary_key, String::new())?;
    let built = build(&mut outer, Some(key.expr.in_subquery(ground.words.apart(select, key_column))))?;
    let (params, reads) = (outer.count()?, outer.models());
    Ok((query::text(&mut outer, ground.words.dialect(), built), params, reads))
}

pub(super) fn get_or_create(ground: Ground<'_>, shape: &GetOrCreate) -> Result<Made, QueryError> {
    let words = ground.words;
    if shape.create.many || shape.create.ignore_conflicts {
        return Err(QueryError::bad("get-or-create stores one row: `many` and `ignore-conflicts` must be false"));
    }
    let mut scope = ground.scope("t0")?;
    let mut statement = Query::select();
    let columns = own_columns(&scope, &mut statement)?;
    let Filtered { condition, having, .. } = filter(&mut scope, words, &shape.filter)?;
    no_groups(having.is_some())?;
    statement.and_where_option(condition);
    let first = scope.count()?;
    // Two tell "more than one" from "one".
    statement.limit(query::constant(&mut scope, 2));
    scope.from(&mut statement)?;
    let reads = scope.models();
    let text = query::text(&mut scope, words.dialect(), words.select(&statement));
    let (find, find_slots) = text.statement(vec![columns.clone()], Access::Read);

    let (insert, insert_slots, key) = insertion(ground, &shape.create, first, false)?;

    let mut scope = ground.scope("t0")?;
    let mut statement = Query::select();
    own_columns(&scope, &mut statement)?;
    let by = scope.own_column(0, scope.root.primary_key, String::new())?;
    let slot = scope.slot(0, Code::Store, &by.field.kind, false, &by.field.name);
    statement.and_where(by.expr.eq(placeholder(slot)));
    scope.from(&mut statement)?;
    let text = query::text(&mut scope, words.dialect(), words.select(&statement));
    let (reload, _) = text.statement(vec![columns], Access::ShortRead);

    let step = Step::GetOrCreate { find, find_slots, insert, insert_slots, reload, key };
    let params = first + shape.create.fields.len() as u32;
    Ok(Made { step, params, reads, writes: BTreeSet::from([ground.root]) })
}

fn own_columns(scope: &Scope<'_>, statement: &mut SelectStatement) -> Result<Group, QueryError> {
    let mut kinds = Vec::with_capacity(scope.root.model.fields.len());
    for index in 0..scope.root.model.fields.len() {
        let column = scope.own_column(0, index, String::new())?;
        kinds.push(column.field.kind.storage());
        statement.expr(column.expr);
    }
    Ok(Group::flat(kinds))
}
