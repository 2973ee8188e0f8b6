//! Walks field paths over relations: one join a path, shared by filter, order, projection and related models.

use std::collections::BTreeSet;

use sea_query::{Alias, Expr, ExprTrait, JoinType, SelectStatement};

use super::reverse::{Way, back};
use crate::catalog::{Catalog, Entry};
use crate::schema::Field;
use crate::shape::FieldPath;
use crate::{QueryError, bind::Code, bind::Slot, schema::Kind};

/// Most relations walked by one path.
pub const MAX_PATH: usize = 8;
/// Most joins of one query; SQLite and MySQL stop at 64 and 61 tables.
pub const MAX_JOINS: usize = 32;

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

/// The tables, placeholders and parameters of one query while it is planned.
pub(super) struct Scope<'c> {
    pub catalog: &'c Catalog,
    pub root: &'c Entry,
    sources: Vec<Source>,
    slots: Vec<Slot>,
    used: BTreeSet<u32>,
}

impl<'c> Scope<'c> {
    /// A query whose root table goes by `alias`.
    pub fn new(catalog: &'c Catalog, root: usize, alias: &str) -> Result<Scope<'c>, QueryError> {
        let entry = catalog.entry(root).ok_or_else(|| QueryError::bad("the model left the catalog"))?;
        let source = Source { alias: alias.to_owned(), entry: root, from: None, optional: false };
        Ok(Scope { catalog, root: entry, sources: vec![source], slots: Vec::new(), used: BTreeSet::new() })
    }

    /// True when other tables take part.
    pub fn has_joins(&self) -> bool {
        self.sources.len() > 1
    }

    /// Indexes of all models that take part.
    pub fn models(&self) -> BTreeSet<usize> {
        self.sources.iter().map(|source| source.entry).collect()
    }

    pub fn source(&self, at: usize) -> Option<(&Source, &'c Entry)> {
        let source = self.sources.get(at)?;
        Some((source, self.catalog.entry(source.entry)?))
    }

    /// A placeholder; its number stands in for the value until the text is made.
    pub fn slot(&mut self, param: u32, code: Code, kind: &Kind, nullable: bool, label: &str) -> u64 {
        if !matches!(code, Code::Constant(_)) {
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
                    let alias = format!("t{}", self.sources.len());
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

    /// A scope of the same root, to try paths without joining their tables here.
    pub fn aside(&self) -> Scope<'c> {
        let sources = self.sources.first().map(|root| Source {
            alias: root.alias.clone(),
            entry: root.entry,
            from: None,
            optional: false,
        });
        Scope {
            catalog: self.catalog,
            root: self.root,
            sources: sources.into_iter().collect(),
            slots: Vec::new(),
            used: BTreeSet::new(),
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

/// A model's field by name; the error names those that are there, the nearest first.
pub(super) fn find(entry: &Entry, name: &str) -> Result<usize, QueryError> {
    if let Some(index) = entry.field_index(name) {
        return Ok(index);
    }
    let shown: String = name.chars().take(80).collect();
    let names: Vec<&str> = entry.model.fields.iter().take(12).map(|field| field.name.as_str()).collect();
    Err(QueryError::bad(format!("{} has no field {shown:?}: it has {}", entry.model.name, names.join(", "))))
}
