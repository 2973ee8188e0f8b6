//! The checked models of one plugin, with what planning looks up: fields by name, relations, keys.
//!
//! A `Catalog` exists only when everything in it holds: names are SQL identifiers, relations lead to models, defaults fit
//! their fields. Whatever is built from it needs no second look.

mod check;
mod keys;

use std::collections::HashMap;

use covet_db::Value;

use crate::SchemaError;
use crate::schema::{Check, Condition, Field, Model};

pub(crate) use check::constant;
pub(crate) use keys::shortened;

pub use check::{
    MAX_CHECKS, MAX_DEFAULT, MAX_ENUM_VALUE, MAX_ENUM_VALUES, MAX_FIELDS, MAX_INDEX_COLUMNS, MAX_INDEXES, MAX_MODELS,
    MAX_NAME, MAX_VARCHAR,
};

/// One column of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Index into the model's fields.
    pub field: usize,
    pub descending: bool,
}

/// An index of a table: the primary key, a unique or indexed field, a foreign key, or one that the model names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Empty for those that come with the table (primary key, unique fields).
    pub name: String,
    pub columns: Vec<KeyColumn>,
    pub unique: bool,
}

/// An index that proves nothing about a query, because it has some rows only, or has texts in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialKey {
    pub name: String,
    pub columns: Vec<KeyColumn>,
    pub unique: bool,
    /// Over its texts in lower case.
    pub folded: bool,
    /// Only of rows that meet it.
    pub condition: Option<Condition>,
}

/// A checked model.
#[derive(Clone, Debug)]
pub struct Entry {
    pub model: Model,
    /// Index of the primary key among the fields.
    pub primary_key: usize,
    /// The model that each field points to, as an index into the catalog.
    pub relations: Vec<Option<usize>>,
    /// The default of each field.
    pub defaults: Vec<Option<Value>>,
    pub keys: Vec<Key>,
    /// Indexes that the planner leaves aside.
    pub special: Vec<SpecialKey>,
    /// Rules of the table, all named.
    pub checks: Vec<Check>,
    /// Fields of other models that point here: model and field.
    pub referenced_by: Vec<(usize, usize)>,
    fields: HashMap<String, usize>,
}

impl Entry {
    /// Index of the field of this name.
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.fields.get(name).copied()
    }

    /// The field at `index`.
    pub fn field(&self, index: usize) -> Option<&Field> {
        self.model.fields.get(index)
    }

    /// The primary key's field.
    pub fn primary_key(&self) -> Option<&Field> {
        self.field(self.primary_key)
    }

    /// The database numbers new rows by `INTEGER PRIMARY KEY`, so an index holds it after its own columns.
    pub fn has_integer_key(&self) -> bool {
        self.primary_key().is_some_and(|field| field.kind.is_integer())
    }
}

/// The checked models of a plugin.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

impl Catalog {
    /// Checks the models. About 1 µs a field.
    ///
    /// # Errors
    /// The first fault found, with model, field and the way out.
    pub fn new(models: Vec<Model>) -> Result<Catalog, SchemaError> {
        check::check(models)
    }

    /// All models, in the order they were given.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The model at `index`.
    pub fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    /// Index of the model of this name.
    pub fn index_of(&self, model: &str) -> Option<usize> {
        self.by_name.get(model).copied()
    }

    /// The models as they were given.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.entries.iter().map(|entry| &entry.model)
    }

    /// Indexes of the models, each after those it points to; cycles are cut where they are met.
    pub fn creation_order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.entries.len());
        // 0 untouched, 1 on the way, 2 done. An explicit stack: at most 256 models, but no recursion on input.
        let mut state = vec![0_u8; self.entries.len()];
        for root in 0..self.entries.len() {
            let mut stack = vec![(root, 0_usize)];
            while let Some((index, next)) = stack.pop() {
                let (Some(entry), Some(mark)) = (self.entries.get(index), state.get_mut(index)) else {
                    continue;
                };
                if *mark == 2 || (*mark == 1 && next == 0) {
                    continue;
                }
                *mark = 1;
                match entry.relations.iter().enumerate().skip(next).find_map(|(at, to)| to.map(|to| (at, to))) {
                    Some((at, to)) => {
                        stack.push((index, at + 1));
                        stack.push((to, 0));
                    }
                    None => {
                        *mark = 2;
                        order.push(index);
                    }
                }
            }
        }
        order
    }
}
