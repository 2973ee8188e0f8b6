//! Checks what `describe` sent. Nothing of it is trusted.

use std::collections::{HashMap, HashSet};

use covet_db::Value;
use minicbor::decode::Decoder;

use super::keys::{check_indexes, shortened};
use super::{Catalog, Entry};
use crate::SchemaError;
use crate::bind::MAX_ARRAY;
use crate::decimal::MAX_DIGITS;
use crate::dialect::Dialect;
use crate::plan::condition;
use crate::schema::{Check, Condition, Field, Kind, Model, OnDelete, Relation};

/// Most models of a plugin.
pub const MAX_MODELS: usize = 256;
/// Most fields of a model.
pub const MAX_FIELDS: usize = 256;
/// Most indexes of a model, besides those of single fields.
pub const MAX_INDEXES: usize = 64;
/// Most checks of a model.
pub const MAX_CHECKS: usize = 64;
/// Most columns of an index or an ordering.
pub const MAX_INDEX_COLUMNS: usize = 16;
/// Longest name of a model, table, field, column or index: PostgreSQL cuts at 63 bytes.
pub const MAX_NAME: usize = 63;
/// Longest `varchar`, characters.
pub const MAX_VARCHAR: u32 = 65_535;
/// Most values of an enumeration.
pub const MAX_ENUM_VALUES: usize = 1_000;
/// Longest value of an enumeration, characters.
pub const MAX_ENUM_VALUE: usize = 255;
/// Largest default, bytes of CBOR.
pub const MAX_DEFAULT: usize = 64 * 1024;

/// Tables whose names begin so belong to the database or to Covet.
pub(super) const RESERVED: [&str; 2] = ["sqlite_", "covet_"];

pub(super) type Checked<T> = Result<T, SchemaError>;

pub(super) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

pub(super) fn fault(model: &Model, reason: impl Into<String>) -> SchemaError {
    SchemaError { model: cut(&model.name), field: None, reason: reason.into() }
}

pub(super) fn field_fault(model: &Model, field: &Field, reason: impl Into<String>) -> SchemaError {
    SchemaError { model: cut(&model.name), field: Some(cut(&field.name)), reason: reason.into() }
}

/// `^[A-Za-z_][A-Za-z0-9_]*$`, 1 to 63 bytes.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME {
        return Err(format!("{what} {:?}… has {} bytes, at most {MAX_NAME} fit: shorten it", cut(name), name.len()));
    }
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("{what} {name:?} is no name: use letters, digits and _, and begin with a letter or _"));
    }
    Ok(())
}

pub(super) fn check(models: Vec<Model>) -> Checked<Catalog> {
    if models.len() > MAX_MODELS {
        return Err(SchemaError {
            model: String::new(),
            field: None,
            reason: format!("a plugin has at most {MAX_MODELS} models, this one has {}: split it", models.len()),
        });
    }
    let mut by_name = HashMap::with_capacity(models.len());
    let mut tables: HashMap<String, usize> = HashMap::with_capacity(models.len());
    for (index, model) in models.iter().enumerate() {
        check_name("the model's name", &model.name).map_err(|reason| fault(model, reason))?;
        check_name("table", &model.table).map_err(|reason| fault(model, reason))?;
        let table = model.table.to_ascii_lowercase();
        if let Some(prefix) = RESERVED.iter().find(|prefix| table.starts_with(**prefix)) {
            return Err(fault(
                model,
                format!("table {:?}: names that begin with {prefix} are reserved, choose another", model.table),
            ));
        }
        if by_name.insert(model.name.clone(), index).is_some() {
            return Err(fault(model, "two models have this name: rename one"));
        }
        if let Some(other) = tables.insert(table, index) {
            let other = models.get(other).map(|other| other.name.clone()).unwrap_or_default();
            return Err(fault(model, format!("table {:?} is {other}'s already: name another", model.table)));
        }
    }
    let mut entries = Vec::with_capacity(models.len());
    // SQLite keeps tables and indexes in one namespace.
    let mut index_names: HashSet<String> = tables.keys().cloned().collect();
    for model in &models {
        entries.push(check_model(model, &models, &by_name, &mut index_names)?);
    }
    let mut references: Vec<(usize, usize, usize)> = Vec::new();
    for (from, entry) in entries.iter().enumerate() {
        for (field, to) in entry.relations.iter().enumerate() {
            references.extend(to.map(|to| (to, from, field)));
        }
    }
    for (to, from, field) in references {
        if let Some(entry) = entries.get_mut(to) {
            entry.referenced_by.push((from, field));
        }
    }
    let catalog = Catalog { entries, by_name };
    check_conditions(&catalog)?;
    Ok(catalog)
}

/// The conditions of checks and indexes, planned once to see that they can be.
fn check_conditions(catalog: &Catalog) -> Checked<()> {
    for (at, entry) in catalog.entries().iter().enumerate() {
        let plan = |what: &str, name: &str, condition: &Condition| {
            condition::template(catalog, Dialect::Sqlite, at, condition)
                .map(|_| ())
                .map_err(|reason| fault(&entry.model, format!("{what} {name}: {reason}")))
        };
        for check in &entry.checks {
            plan("check", &check.name, &check.condition)?;
        }
        for key in &entry.special {
            if let Some(condition) = &key.condition {
                plan("index", &key.name, condition)?;
            }
        }
    }
    Ok(())
}

fn check_model(
    model: &Model,
    models: &[Model],
    by_name: &HashMap<String, usize>,
    index_names: &mut HashSet<String>,
) -> Checked<Entry> {
    if model.fields.is_empty() {
        return Err(fault(model, "has no fields: give it a primary key, as `id: Id<Self>`"));
    }
    if model.fields.len() > MAX_FIELDS {
        return Err(fault(model, format!("has {} fields, at most {MAX_FIELDS} fit: split it", model.fields.len())));
    }
    let mut fields = HashMap::with_capacity(model.fields.len());
    let mut columns = HashSet::with_capacity(model.fields.len());
    let mut relations = Vec::with_capacity(model.fields.len());
    let mut defaults = Vec::with_capacity(model.fields.len());
    for (index, field) in model.fields.iter().enumerate() {
        check_name("field", &field.name).map_err(|reason| field_fault(model, field, reason))?;
        check_name("column", &field.column).map_err(|reason| field_fault(model, field, reason))?;
        if fields.insert(field.name.clone(), index).is_some() {
            return Err(field_fault(model, field, "two fields have this name: rename one"));
        }
        if !columns.insert(field.column.to_ascii_lowercase()) {
            return Err(field_fault(
                model,
                field,
                format!("two fields have the column {:?}: rename one", field.column),
            ));
        }
        check_kind(&field.kind).map_err(|reason| field_fault(model, field, reason))?;
        check_key_field(model, field)?;
        relations.push(check_relation(model, field, models, by_name)?);
        defaults.push(check_default(model, field)?);
    }
    let mut primary = model.fields.iter().enumerate().filter(|(_, field)| field.primary_key);
    let Some((primary_key, _)) = primary.next() else {
        return Err(fault(model, "has no primary key: mark one field, as `id: Id<Self>`"));
    };
    if let Some((_, second)) = primary.next() {
        return Err(field_fault(model, second, "is a second primary key: keep one, and make the other unique"));
    }
    let mut entry = Entry {
        model: model.clone(),
        primary_key,
        relations,
        defaults,
        keys: Vec::new(),
        special: Vec::new(),
        checks: Vec::new(),
        referenced_by: Vec::new(),
        fields,
    };
    check_ordering(&entry)?;
    (entry.keys, entry.special) = check_indexes(&entry, index_names)?;
    entry.checks = named_checks(model)?;
    if model.max_rows == Some(0) {
        return Err(fault(model, "max-rows is 0, so that nothing could be read: give 1 or more"));
    }
    Ok(entry)
}

/// The checks, each with a name. `DbError::CheckViolation` tells it.
fn named_checks(model: &Model) -> Checked<Vec<Check>> {
    if model.checks.len() > MAX_CHECKS {
        return Err(fault(model, format!("has {} checks, at most {MAX_CHECKS} fit", model.checks.len())));
    }
    let mut names = HashSet::with_capacity(model.checks.len());
    let mut checks = Vec::with_capacity(model.checks.len());
    for (at, check) in model.checks.iter().enumerate() {
        let name = if check.name.is_empty() {
            shortened(&format!("ck_{}_{}", model.table, at + 1))
        } else {
            check.name.clone()
        };
        check_name("check", &name).map_err(|reason| fault(model, reason))?;
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(fault(model, format!("two checks are named {name:?}: rename one")));
        }
        checks.push(Check { name, condition: check.condition.clone() });
    }
    Ok(checks)
}

fn check_kind(kind: &Kind) -> Result<(), String> {
    match kind {
        Kind::Decimal(spec) if spec.digits == 0 || spec.digits > MAX_DIGITS => {
            Err(format!("a decimal has 1 to {MAX_DIGITS} digits, not {}", spec.digits))
        }
        Kind::Decimal(spec) if spec.scale > spec.digits => Err(format!(
            "a decimal of {} digits can't have {} behind the point: lower the scale or add digits",
            spec.digits, spec.scale
        )),
        Kind::Array(spec) if spec.size.is_some_and(|size| size == 0 || size > MAX_ARRAY) => {
            Err(format!("an array holds 1 to {MAX_ARRAY} elements: give a size within"))
        }
        Kind::Varchar(0) | Kind::Slug(0) => Err(format!("{} holds nothing: give a length of 1 or more", kind.label())),
        Kind::Varchar(limit) | Kind::Slug(limit) if *limit > MAX_VARCHAR => {
            Err(format!("{} is past the limit of {MAX_VARCHAR}: use text", kind.label()))
        }
        Kind::Enumeration(values) => {
            if values.is_empty() {
                return Err("an enumeration without values holds nothing: name one at least".to_owned());
            }
            if values.len() > MAX_ENUM_VALUES {
                return Err(format!(
                    "an enumeration has at most {MAX_ENUM_VALUES} values, this one has {}: make it a model",
                    values.len()
                ));
            }
            let mut seen = HashSet::with_capacity(values.len());
            for value in values {
                if value.chars().count() > MAX_ENUM_VALUE || value.contains('\0') {
                    return Err(format!(
                        "value {:?} of the enumeration: at most {MAX_ENUM_VALUE} characters, no NUL",
                        cut(value)
                    ));
                }
                if !seen.insert(value) {
                    return Err(format!("value {value:?} stands twice in the enumeration: remove one"));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_key_field(model: &Model, field: &Field) -> Checked<()> {
    let refuse = |reason: &str| Err(field_fault(model, field, reason));
    if field.auto_increment && !(field.primary_key && field.kind == Kind::Int64) {
        return refuse("auto-increment goes with a primary key of kind int64 only");
    }
    if field.auto_increment && field.references.is_some() {
        return refuse("a relation is not numbered by the database: drop auto-increment");
    }
    if field.primary_key && field.nullable {
        return refuse("a primary key can't be nullable: drop one of the two");
    }
    if (field.primary_key || field.unique)
        && matches!(field.kind, Kind::Json | Kind::Array(_) | Kind::Float32 | Kind::Float64)
    {
        return refuse("json, arrays and floats have no dependable equality: use another kind for a unique field");
    }
    if field.primary_key && matches!(field.kind, Kind::Boolean) {
        return refuse("a boolean primary key holds two rows at most: use another kind");
    }
    Ok(())
}

fn check_relation(
    model: &Model,
    field: &Field,
    models: &[Model],
    by_name: &HashMap<String, usize>,
) -> Checked<Option<usize>> {
    let Some(relation) = &field.references else {
        return Ok(None);
    };
    let found = by_name.get(&relation.model).and_then(|index| Some((*index, models.get(*index)?)));
    let Some((index, target)) = found else {
        return Err(field_fault(
            model,
            field,
            format!("points to model {:?}, which this plugin doesn't have: add it to `models`", cut(&relation.model)),
        ));
    };
    if let Some(key) = target.fields.iter().find(|key| key.primary_key)
        && key.kind != field.kind
    {
        return Err(field_fault(
            model,
            field,
            format!(
                "is {}, but the primary key of {} is {}: give both the same kind",
                field.kind.label(),
                cut(&target.name),
                key.kind.label()
            ),
        ));
    }
    check_on_delete(model, field, relation)?;
    Ok(Some(index))
}

/// What a deletion leaves in the field must fit it.
fn check_on_delete(model: &Model, field: &Field, relation: &Relation) -> Checked<()> {
    let refuse = |reason: String| Err(field_fault(model, field, reason));
    match (relation.on_delete, &relation.value) {
        (OnDelete::SetNull, _) if !field.nullable => {
            refuse("on-delete set-null needs a nullable field: make it nullable or choose cascade".to_owned())
        }
        (OnDelete::SetDefault, _) if field.default.is_none() => {
            refuse("on-delete set-default needs a default: give the field one".to_owned())
        }
        (OnDelete::SetValue, None) => refuse("on-delete set-value needs a value: name the key".to_owned()),
        (OnDelete::SetValue, Some(value)) => match constant(field, value) {
            Ok(_) => Ok(()),
            Err(reason) => refuse(format!("the value of its on-delete {reason}")),
        },
        (_, Some(_)) => refuse("only on-delete set-value takes a value: drop it".to_owned()),
        _ => Ok(()),
    }
}

fn check_default(model: &Model, field: &Field) -> Checked<Option<Value>> {
    let Some(bytes) = &field.default else {
        return Ok(None);
    };
    let refuse = |reason: String| Err(field_fault(model, field, reason));
    if field.auto_increment {
        return refuse("the database numbers this field: drop its default".to_owned());
    }
    if bytes.len() > MAX_DEFAULT {
        return refuse(format!(
            "its default has {} bytes, at most {MAX_DEFAULT} fit: set it when you create",
            bytes.len()
        ));
    }
    if matches!(bytes.as_slice(), [0xf6 | 0xf7]) {
        return if field.nullable { Ok(None) } else { refuse("its default is null, but it isn't nullable".to_owned()) };
    }
    constant(field, bytes).map(Some).or_else(|reason| refuse(format!("its default {reason}")))
}

/// A constant that a field is to hold, from one CBOR item.
pub(crate) fn constant(field: &Field, bytes: &[u8]) -> Result<Value, String> {
    let mut decoder = Decoder::new(bytes);
    match crate::bind::store(&field.kind, &mut decoder) {
        Ok(_) if decoder.position() != bytes.len() => Err("is more than one CBOR item".to_owned()),
        Ok(Value::Text(text)) if text.contains('\0') => Err("contains NUL, which SQL text can't".to_owned()),
        Ok(value) => Ok(value),
        Err(crate::bind::Refusal::Misfit(what) | crate::bind::Refusal::Value(what)) => {
            Err(format!("doesn't fit {}: {what}", field.kind.label()))
        }
    }
}

fn check_ordering(entry: &Entry) -> Checked<()> {
    let model = &entry.model;
    if model.ordering.len() > MAX_INDEX_COLUMNS {
        return Err(fault(
            model,
            format!("ordering has {} fields, at most {MAX_INDEX_COLUMNS} fit", model.ordering.len()),
        ));
    }
    for column in &model.ordering {
        if entry.field_index(&column.field).is_none() {
            return Err(fault(
                model,
                format!(
                    "ordering names field {:?}, which the model doesn't have: {}",
                    cut(&column.field),
                    known(entry)
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn known(entry: &Entry) -> String {
    let names: Vec<&str> = entry.model.fields.iter().take(12).map(|field| field.name.as_str()).collect();
    format!("it has {}", names.join(", "))
}
