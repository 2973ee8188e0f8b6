//! Walks field paths over relations: one join a path, shared by filter, order, projection and related models.

use std::collections::BTreeSet;

use sea_query::{Alias, Expr, ExprTrait, JoinType, SelectStatement};

use super::reverse::{Way, back};
use crate::catalog::{Catalog, Entry};
use crate::schema::Field;
use crate::shape::{FieldPath, InnerQuery};
use crate::{QueryError, bind::Code, bind::Slot, schema::Kind};

/// Most relations walked by one path.
pub const MAX_PATH: usize = 8;
/// Most joins of one query; SQLite and MySQL stop at 64 and 61 tables.
pub const MAX_JOINS: usize = 32;
/// Most queries within a query.
pub const MAX_QUERIES: usize = 16;
/// Deepest nesting of queries.
pub const MAX_NESTED: usize = 4;
/// Deepest nesting of values and conditions over all queries of a shape: what the planner's stack is made for.
const MAX_LEVELS: usize = 96;

/// A table within the query.
#[derive(Debug)]
pub(super) struct Source {
    pub alias: String,
    /// Index into the catalog.
    pub entry: usize,
    /// The source and the way it is reached by; none for the root.
    from: Option<(usize, Way)>,
    /// Null where the relation is null, or nothing points back.
    pub optional: bool,
}

/// A field within the query.
pub(super) struct Column<'c> {
    pub field: &'c Field,
    /// Null in some rows, by itself or by an optional join.
    pub nullable: bool,
    pub expr: Expr,
    /// Index of the field, when it is one of the root's own.
    pub own: Option<usize>,
    pub label: String,
}

/// The tables, placeholders and parameters of a shape while it is planned, seen from one of its queries.
pub(super) struct Scope<'c> {
    pub catalog: &'c Catalog,
    /// Model of the query that is being planned.
    pub root: &'c Entry,
    sources: Vec<Source>,
    /// The queries around it, from the outside in.
    around: Vec<Frame<'c>>,
    queries: &'c [InnerQuery],
    /// Queries that were named before.
    named: BTreeSet<u32>,
    /// Only queries before this one may be named here, so that none contains itself.
    below: u32,
    aliases: usize,
    reads: BTreeSet<usize>,
    slots: Vec<Slot>,
    used: BTreeSet<u32>,
    levels: usize,
}

/// A query that waits while one within it is planned.
struct Frame<'c> {
    root: &'c Entry,
    sources: Vec<Source>,
    below: u32,
    /// Its rows can be spoken of from within.
    visible: bool,
}

impl<'c> Scope<'c> {
    /// A query whose root table goes by `alias`.
    pub fn new(catalog: &'c Catalog, root: usize, alias: &str) -> Result<Scope<'c>, QueryError> {
        let entry = catalog.entry(root).ok_or_else(|| QueryError::bad("the model left the catalog"))?;
        let source = Source { alias: alias.to_owned(), entry: root, from: None, optional: false };
        Ok(Scope {
            catalog,
            root: entry,
            sources: vec![source],
            around: Vec::new(),
            queries: &[],
            named: BTreeSet::new(),
            below: 0,
            aliases: 1,
            reads: BTreeSet::from([root]),
            slots: Vec::new(),
            used: BTreeSet::new(),
            levels: 0,
        })
    }

    /// With the queries that nodes may name.
    pub fn with(mut self, queries: &'c [InnerQuery]) -> Result<Scope<'c>, QueryError> {
        if queries.len() > MAX_QUERIES {
            return Err(QueryError::TooLarge(format!(
                "a shape has {} queries, at most {MAX_QUERIES} are allowed: split it",
                queries.len()
            )));
        }
        (self.queries, self.below) = (queries, queries.len() as u32);
        Ok(self)
    }

    /// True when queries stand within it.
    pub fn has_queries(&self) -> bool {
        !self.named.is_empty()
    }

    /// How many parameters a call brings. Each of them and each query of the shape must stand somewhere.
    pub fn count(&self) -> Result<u32, QueryError> {
        match (0..self.queries.len() as u32).find(|query| !self.named.contains(query)) {
            Some(query) => Err(QueryError::bad(format!("query {query} is named nowhere: remove it"))),
            None => self.count_params(),
        }
    }

    /// Goes into query `number`, to be left with [`leave`](Self::leave). With `visible` it may speak of the rows around it.
    pub fn enter(&mut self, number: u32, visible: bool) -> Result<&'c InnerQuery, QueryError> {
        let query = self.queries.get(number as usize).filter(|_| number < self.below).ok_or_else(|| {
            QueryError::bad(format!("there is no query {number} here: a query may only name those before it"))
        })?;
        if !self.named.insert(number) {
            return Err(QueryError::bad(format!("query {number} is named twice: send it twice")));
        }
        if self.around.len() >= MAX_NESTED {
            return Err(QueryError::TooLarge(format!("queries nest deeper than {MAX_NESTED} levels")));
        }
        let Some(at) = self.catalog.index_of(&query.model) else {
            return Err(unknown_model(&query.model));
        };
        let Some(entry) = self.catalog.entry(at) else {
            return Err(QueryError::bad("the model left the catalog"));
        };
        let alias = self.alias();
        self.reads.insert(at);
        let sources = vec![Source { alias, entry: at, from: None, optional: false }];
        self.around.push(Frame {
            root: std::mem::replace(&mut self.root, entry),
            sources: std::mem::replace(&mut self.sources, sources),
            below: std::mem::replace(&mut self.below, number),
            visible,
        });
        Ok(query)
    }

    /// Goes back to the query around.
    pub fn leave(&mut self) {
        if let Some(frame) = self.around.pop() {
            (self.root, self.sources, self.below) = (frame.root, frame.sources, frame.below);
        }
    }

    /// A name for a table that no other has.
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases - 1)
    }

    /// A column of the query around this one.
    pub fn outer_column(&mut self, path: &FieldPath) -> Result<Column<'c>, QueryError> {
        let Some(mut frame) = self.around.pop_if(|frame| frame.visible) else {
            return Err(QueryError::bad(format!(
                "outer {} stands in no query within another: name a field of this one",
                path.label()
            )));
        };
        let swap = |scope: &mut Self, frame: &mut Frame<'c>| {
            std::mem::swap(&mut scope.root, &mut frame.root);
            std::mem::swap(&mut scope.sources, &mut frame.sources);
        };
        swap(self, &mut frame);
        let column = self.column(path);
        swap(self, &mut frame);
        self.around.push(frame);
        // It is no column of this query, which no index of its own serves.
        column.map(|column| Column { own: None, ..column })
    }

    /// One level deeper into a value or a condition, until [`ascend`](Self::ascend).
    pub fn descend(&mut self) -> Result<(), QueryError> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            return Err(QueryError::TooLarge(format!(
                "values, conditions and queries nest deeper than {MAX_LEVELS} levels together: flatten them"
            )));
        }
        Ok(())
    }

    pub fn ascend(&mut self) {
        self.levels = self.levels.saturating_sub(1);
    }

    /// True when other tables take part.
    pub fn has_joins(&self) -> bool {
        self.sources.len() > 1
    }

    /// Indexes of all models that take part.
    pub fn models(&self) -> BTreeSet<usize> {
        self.reads.clone()
    }

    /// The primary keys of all tables of this query.
    pub fn keys(&self) -> Result<Vec<Expr>, QueryError> {
        (0..self.sources.len())
            .filter_map(|at| self.source(at).map(|(_, entry)| (at, entry.primary_key)))
            .map(|(at, key)| self.own_column(at, key, String::new()).map(|column| column.expr))
            .collect()
    }

    pub fn source(&self, at: usize) -> Option<(&Source, &'c Entry)> {
        let source = self.sources.get(at)?;
        Some((source, self.catalog.entry(source.entry)?))
    }

    /// A placeholder; its number stands in for the value until the text is made.
    pub fn slot(&mut self, param: u32, code: Code, kind: &Kind, nullable: bool, label: &str) -> u64 {
        if !code.is_own() {
            self.used.insert(param);
        }
        self.slots.push(Slot { param, code, kind: kind.clone(), nullable, label: label.into() });
        self.slots.len() as u64 - 1
    }

    /// Takes the placeholders made so far.
    pub fn take_slots(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.slots)
    }

    /// How many parameters a call brings; each must be used, and 0 to the last without a gap.
    pub fn count_params(&self) -> Result<u32, QueryError> {
        let count = self.used.len() as u32;
        match self.used.last() {
            Some(last) if *last >= count => {
                let gap = (0..count).find(|index| !self.used.contains(index)).unwrap_or(count);
                Err(QueryError::bad(format!(
                    "parameter {gap} is used nowhere, though parameter {last} is: number them from 0"
                )))
            }
            _ => Ok(count),
        }
    }

    /// The source that `via` leads to, joined when it is new.
    pub fn walk(&mut self, via: &[String]) -> Result<usize, QueryError> {
        if via.len() > MAX_PATH {
            return Err(QueryError::TooLarge(format!(
                "a path walks {} relations, at most {MAX_PATH} are allowed",
                via.len()
            )));
        }
        let mut at = 0;
        for step in via {
            let (way, target) = self.relation(at, step)?;
            at = match self.sources.iter().position(|source| source.from == Some((at, way))) {
                Some(known) => known,
                None => {
                    if self.sources.len() > MAX_JOINS {
                        return Err(QueryError::TooLarge(format!(
                            "a query joins at most {MAX_JOINS} tables: split it"
                        )));
                    }
                    let nullable = self.source(at).is_some_and(|(source, entry)| {
                        source.optional
                            || match way {
                                Way::To(field) => entry.field(field).is_some_and(|field| field.nullable),
                                Way::Back { .. } => true,
                            }
                    });
                    let alias = self.alias();
                    self.reads.insert(target);
                    self.sources.push(Source { alias, entry: target, from: Some((at, way)), optional: nullable });
                    self.sources.len() - 1
                }
            };
        }
        Ok(at)
    }

    /// True when one row of the root may be several of the answer.
    pub fn multiplies(&self) -> bool {
        self.sources.iter().any(|source| source.from.is_some_and(|(_, way)| way.multiplies(self.catalog)))
    }

    fn relation(&self, at: usize, step: &str) -> Result<(Way, usize), QueryError> {
        if let Some((model, field)) = step.split_once('.') {
            return back(self, at, model, field);
        }
        let (_, entry) = self.source(at).ok_or_else(|| QueryError::bad("a path left the query"))?;
        let field = find(entry, step)?;
        match entry.relations.get(field) {
            Some(Some(target)) => Ok((Way::To(field), *target)),
            _ => {
                let known: Vec<&str> = entry
                    .model
                    .fields
                    .iter()
                    .filter(|field| field.references.is_some())
                    .take(12)
                    .map(|field| field.name.as_str())
                    .collect();
                let known =
                    if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
                Err(QueryError::bad(format!("{}.{} is no relation of the model: {known}", entry.model.name, step)))
            }
        }
    }

    /// A scope of the same query, to try values without joining their tables here.
    pub fn aside(&self) -> Scope<'c> {
        let root = self.sources.first().map(|root| Source { alias: root.alias.clone(), ..*root });
        Scope {
            catalog: self.catalog,
            root: self.root,
            sources: root.into_iter().collect(),
            around: Vec::new(),
            queries: self.queries,
            named: self.named.clone(),
            below: self.below,
            aliases: self.aliases,
            reads: BTreeSet::new(),
            slots: Vec::new(),
            used: BTreeSet::new(),
            levels: self.levels,
        }
    }

    /// Counts what was named aside as named here: a value that falls away is no fault of its parameters.
    pub fn merge(&mut self, aside: Scope<'c>) {
        self.used.extend(aside.used);
        self.named.extend(aside.named);
        self.reads.extend(aside.reads);
    }

    /// The same model by another name and without joins: what was planned so far becomes a subquery.
    pub fn restart(&mut self) {
        let alias = self.alias();
        self.sources.truncate(1);
        if let Some(root) = self.sources.first_mut() {
            root.alias = alias;
        }
    }

    /// A scope around this one's query, which becomes a subquery: the root alone, by another alias; placeholders go on.
    pub fn outside(mut self, alias: &str) -> Scope<'c> {
        self.sources.truncate(1);
        if let Some(root) = self.sources.first_mut() {
            root.alias = alias.to_owned();
        }
        self
    }

    /// The column that a path names. The key of a related row is read from the row that points to it, without a join.
    pub fn column(&mut self, path: &FieldPath) -> Result<Column<'c>, QueryError> {
        let label = path.label();
        if let Some((last, before)) = path.via.split_last() {
            // Walking all but the last step may join tables that are needed anyway.
            let from = self.walk(before)?;
            let (relation, target) = self.relation(from, last)?;
            let trimmed =
                self.catalog.entry(target).and_then(Entry::primary_key).is_some_and(|key| key.name == path.field);
            if let (true, Way::To(relation)) = (trimmed, relation) {
                return self.own_column(from, relation, label);
            }
        }
        let at = self.walk(&path.via)?;
        let (_, entry) = self.source(at).ok_or_else(|| QueryError::bad("a path left the query"))?;
        let field = find(entry, &path.field)?;
        self.own_column(at, field, label)
    }

    /// The column of a field of a source.
    pub fn own_column(&self, at: usize, index: usize, label: String) -> Result<Column<'c>, QueryError> {
        let gone = || QueryError::bad("a field left the catalog");
        let (source, entry) = self.source(at).ok_or_else(gone)?;
        let field = entry.field(index).ok_or_else(gone)?;
        Ok(Column {
            field,
            nullable: field.nullable || source.optional,
            expr: Expr::col((Alias::new(source.alias.as_str()), Alias::new(field.column.as_str()))),
            own: (at == 0).then_some(index),
            label,
        })
    }

    /// Adds FROM and the joins. Call it when every path has been walked.
    pub fn from(&self, select: &mut SelectStatement) -> Result<(), QueryError> {
        for (at, source) in self.sources.iter().enumerate() {
            let Some((_, entry)) = self.source(at) else {
                continue;
            };
            let (table, alias) = (Alias::new(entry.model.table.as_str()), Alias::new(source.alias.as_str()));
            let Some((from, way)) = source.from else {
                select.from_as(table, alias);
                continue;
            };
            let (here, there) = match way {
                Way::To(field) => (entry.primary_key, field),
                Way::Back { field, .. } => {
                    (field, self.source(from).map(|(_, entry)| entry.primary_key).unwrap_or_default())
                }
            };
            let left = self.own_column(from, there, String::new())?;
            let right = self.own_column(at, here, String::new())?;
            let join = if source.optional { JoinType::LeftJoin } else { JoinType::InnerJoin };
            select.join_as(join, table, alias, right.expr.eq(left.expr));
        }
        Ok(())
    }
}

/// The fault of a model that the plugin does not have.
pub(super) fn unknown_model(name: &str) -> QueryError {
    QueryError::bad(format!(
        "model {:?} is not in this plugin: add it to `models`",
        name.chars().take(80).collect::<String>()
    ))
}

/// A model's field by name; the error names those that are there, the nearest first.
pub(super) fn find(entry: &Entry, name: &str) -> Result<usize, QueryError> {
    if let Some(index) = entry.field_index(name) {
        return Ok(index);
    }
    let shown: String = name.chars().take(80).collect();
    let names: Vec<&str> = entry.model.fields.iter().take(12).map(|field| field.name.as_str()).collect();
    Err(QueryError::bad(format!("{} has no field {shown:?}: it has {}", entry.model.name, names.join(", "))))
}
